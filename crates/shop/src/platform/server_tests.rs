use std::time::Instant;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

const STALL: Duration = Duration::from_millis(300);

struct Server {
    address: SocketAddr,
    token: CancellationToken,
    ended: tokio::task::JoinHandle<Ended>,
}

fn start(connections_max: usize, shutdown_grace: Duration) -> Server {
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/big", get(|| async { vec![b'x'; 64 << 20] }))
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(STALL * 3).await;
                "done"
            }),
        );
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback");
    let address = listener.local_addr().expect("an address");
    let limits = Limits {
        connections_max: NonZeroUsize::new(connections_max).expect("not zero"),
        stall_timeout: STALL,
        shutdown_grace,
    };
    let token = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, router, limits, token.clone()));
    Server { address, token, ended }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    async fn stop(self) -> Ended {
        self.token.cancel();
        self.ended.await.expect("the server does not panic")
    }
}

const GRACE: Duration = Duration::from_secs(5);

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends a request and reads one short answer.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    stream.write_all(request(path).as_bytes()).await.expect("written");
    let mut answer = String::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with("hello") && !answer.ends_with("done") {
        let read = stream.read(&mut buffer).await.expect("an answer");
        assert!(read > 0, "closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    answer
}

/// How long it takes until the server closes the connection.
async fn time_to_close(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut buffer = [0; 1024];
    while let Ok(1..) = stream.read(&mut buffer).await {}
    start.elapsed()
}

#[tokio::test]
async fn connections_are_kept_alive_and_drained_when_idle() {
    let server = start(10, GRACE);
    let mut stream = server.connect().await;
    for _ in 0..3 {
        assert!(ask(&mut stream, "/").await.starts_with("HTTP/1.1 200 OK"));
    }
    let start = Instant::now();
    assert_eq!(server.stop().await, Ended::Drained);
    assert!(start.elapsed() < STALL, "an idle connection is closed at once");
}

#[tokio::test]
async fn http2_is_understood_with_prior_knowledge() {
    let server = start(10, GRACE);
    let mut stream = server.connect().await;
    let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(hello).await.expect("written");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    assert!(time_to_close(&mut stream).await < STALL * 3, "an idle HTTP/2 connection is closed");
    server.stop().await;
}

#[tokio::test]
async fn stalled_clients_are_closed_whatever_they_sent() {
    let server = start(10, GRACE);
    for head in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.expect("written");
        let (mut reader, mut writer) = stream.into_split();
        // Trickling bytes is no progress.
        let trickle = tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(STALL / 6).await;
                if head.len() < 20 || writer.write_all(b"a").await.is_err() {
                    break;
                }
            }
            writer
        });
        let start = Instant::now();
        let mut buffer = [0; 1024];
        while let Ok(1..) = reader.read(&mut buffer).await {}
        let took = start.elapsed();
        assert!(took >= STALL * 9 / 10 && took < STALL * 2, "{head:?}: {took:?}");
        trickle.abort();
    }
    // The second request of a connection, too.
    let mut stream = server.connect().await;
    ask(&mut stream, "/").await;
    stream.write_all(b"GET /").await.expect("written");
    assert!(time_to_close(&mut stream).await < STALL * 2);
    server.stop().await;
}

#[tokio::test]
async fn slow_handlers_are_no_stall_but_clients_that_do_not_read_are() {
    let server = start(10, GRACE);
    let mut patient = server.connect().await;
    assert!(ask(&mut patient, "/slow").await.ends_with("done"));
    let mut deaf = server.connect().await;
    deaf.write_all(request("/big").as_bytes()).await.expect("written");
    tokio::time::sleep(STALL * 3).await;
    let mut received = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = deaf.read(&mut buffer).await {
        received += read;
    }
    assert!(received < 64 << 20, "the rest was given up");
    server.stop().await;
}

#[tokio::test]
async fn requests_under_way_are_finished_and_new_connections_refused() {
    let server = start(10, GRACE);
    let (token, address) = (server.token.clone(), server.address);
    let mut stream = server.connect().await;
    let answer = tokio::spawn(async move { ask(&mut stream, "/slow").await });
    tokio::time::sleep(STALL / 2).await;
    token.cancel();
    tokio::time::sleep(STALL / 2).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    let answer = answer.await.expect("answered");
    assert!(answer.contains("connection: close") && answer.ends_with("done"), "{answer}");
    assert_eq!(server.stop().await, Ended::Drained);
}

#[tokio::test]
async fn what_outlasts_the_grace_is_aborted() {
    let server = start(10, Duration::from_millis(50));
    let mut stream = server.connect().await;
    stream.write_all(request("/slow").as_bytes()).await.expect("written");
    tokio::time::sleep(STALL / 2).await;
    assert_eq!(server.stop().await, Ended::Aborted { connections: 1 });
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_their_turn() {
    let server = start(1, GRACE);
    let mut first = server.connect().await;
    ask(&mut first, "/").await;
    let mut second = server.connect().await;
    let (done, mut answered) = oneshot::channel();
    let waiting = tokio::spawn(async move {
        let answer = ask(&mut second, "/").await;
        let _gone = done.send(answer);
    });
    tokio::time::sleep(STALL / 3).await;
    assert!(answered.try_recv().is_err(), "there is one slot only");
    drop(first);
    assert!(answered.await.expect("served after all").ends_with("hello"));
    waiting.await.expect("no panic");
    server.stop().await;
}
