use std::time::Instant;

use axum::routing::get;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};

use super::*;

const STALL: Duration = Duration::from_millis(300);
/// Where nobody shall be closed for standing still, however busy the machine is.
const NO_STALL: Duration = Duration::from_secs(120);
/// Longer than nothing takes on a busy machine, and much shorter than what it stands against.
const AT_ONCE: Duration = Duration::from_secs(30);
/// How often a moment is measured: what else runs on the machine makes it later, never earlier.
const TRIES_MAX: usize = 20;

struct Server {
    address: SocketAddr,
    token: CancellationToken,
    /// Told when a request for `/held` is under way.
    begun: Arc<Notify>,
    /// Lets one of them go on.
    held: Arc<Notify>,
    ended: tokio::task::JoinHandle<Ended>,
}

fn start(connections_max: usize, stall_timeout: Duration, shutdown_grace: Duration) -> Server {
    let (begun, held) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (Arc::clone(&begun), Arc::clone(&held));
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/big", get(|| async { vec![b'x'; 64 << 20] }))
        .route(
            "/held",
            get(move || {
                let (begun, held) = hold.clone();
                async move {
                    begun.notify_one();
                    held.notified().await;
                    "done"
                }
            }),
        )
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
        stall_timeout,
        shutdown_grace,
    };
    let token = CancellationToken::new();
    let ended = tokio::spawn(serve(listener, router, limits, token.clone()));
    Server { address, token, begun, held, ended }
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

const GRACE: Duration = Duration::from_secs(120);

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

/// Reads until the server closes the connection.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 1024];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

/// What an act takes at best; it shall be less than so long. No try may take less than `least`.
async fn takes(what: &str, least: Duration, less_than: Duration, act: impl AsyncFn()) {
    let mut quickest = Duration::MAX;
    for _ in 0..TRIES_MAX {
        let start = Instant::now();
        act().await;
        let took = start.elapsed();
        assert!(took >= least, "{what}: {took:?}");
        quickest = quickest.min(took);
        if quickest < less_than {
            return;
        }
    }
    panic!("{what}: {quickest:?}");
}

#[tokio::test]
async fn connections_are_kept_alive_and_drained_when_idle() {
    let server = start(10, NO_STALL, GRACE);
    let mut stream = server.connect().await;
    for _ in 0..3 {
        assert!(ask(&mut stream, "/").await.starts_with("HTTP/1.1 200 OK"));
    }
    let start = Instant::now();
    assert_eq!(server.stop().await, Ended::Drained);
    assert!(start.elapsed() < AT_ONCE, "an idle connection is closed at once");
}

#[tokio::test]
async fn http2_is_understood_with_prior_knowledge() {
    let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let server = start(10, NO_STALL, GRACE);
    let mut stream = server.connect().await;
    stream.write_all(hello).await.expect("written");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    drop(stream);
    server.stop().await;
    let server = start(10, STALL, GRACE);
    takes("an idle HTTP/2 connection is closed", STALL, STALL * 3, async || {
        let mut stream = server.connect().await;
        stream.write_all(hello).await.expect("written");
        until_closed(&mut stream).await;
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn stalled_clients_are_closed_whatever_they_sent() {
    let server = start(10, STALL, GRACE);
    for head in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        takes(&format!("{head:?}"), STALL, STALL * 2, async || {
            let mut stream = server.connect().await;
            stream.write_all(head.as_bytes()).await.expect("written");
            let (mut reader, mut writer) = stream.into_split();
            // Trickling bytes is no progress.
            let trickle = async {
                while head.len() >= 20 {
                    tokio::time::sleep(STALL / 6).await;
                    if writer.write_all(b"a").await.is_err() {
                        break;
                    }
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = until_closed(&mut reader) => {}
                () = trickle => {}
            }
        })
        .await;
    }
    // The second request of a connection, too.
    takes("a second request", Duration::ZERO, STALL * 2, async || {
        let mut stream = server.connect().await;
        // One that was too late for its own first request does not count.
        stream.write_all(request("/").as_bytes()).await.expect("written");
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).await.is_err() {
            return tokio::time::sleep(STALL * 2).await;
        }
        stream.write_all(b"GET /").await.unwrap_or(());
        until_closed(&mut stream).await;
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn slow_handlers_are_no_stall_but_clients_that_do_not_read_are() {
    let server = start(1, STALL, GRACE);
    let mut patient = server.connect().await;
    assert!(ask(&mut patient, "/slow").await.ends_with("done"));
    drop(patient);
    takes("a client that does not read", STALL, STALL * 3, async || {
        let mut deaf = server.connect().await;
        deaf.write_all(request("/big").as_bytes()).await.expect("written");
        // There is one slot only: whoever comes next is served when the deaf one was given up.
        let mut next = server.connect().await;
        assert!(ask(&mut next, "/").await.ends_with("hello"));
        let mut received = 0;
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read @ 1..) = deaf.read(&mut buffer).await {
            received += read;
        }
        assert!(received < 64 << 20, "the rest was given up");
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn requests_under_way_are_finished_and_new_connections_refused() {
    let server = start(10, NO_STALL, GRACE);
    let (token, address) = (server.token.clone(), server.address);
    let mut stream = server.connect().await;
    let answer = tokio::spawn(async move { ask(&mut stream, "/held").await });
    server.begun.notified().await;
    token.cancel();
    let since = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(since.elapsed() < AT_ONCE, "somebody still listens");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.held.notify_one();
    let answer = answer.await.expect("answered");
    assert!(answer.contains("connection: close") && answer.ends_with("done"), "{answer}");
    assert_eq!(server.stop().await, Ended::Drained);
}

#[tokio::test]
async fn what_outlasts_the_grace_is_aborted() {
    let server = start(10, NO_STALL, Duration::from_millis(50));
    let mut stream = server.connect().await;
    stream.write_all(request("/held").as_bytes()).await.expect("written");
    server.begun.notified().await;
    assert_eq!(server.stop().await, Ended::Aborted { connections: 1 });
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_their_turn() {
    let server = start(1, NO_STALL, GRACE);
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
