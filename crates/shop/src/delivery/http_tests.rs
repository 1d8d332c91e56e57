use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Longer than anything takes that happens at all.
const PATIENT: Duration = Duration::from_secs(60);
/// Longer than a head takes on a busy machine.
const IMPATIENT: Duration = Duration::from_secs(2);

/// A server that reads a head and does as it is told; it counts what it saw.
struct Raw {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

/// What it does after a head.
#[derive(Clone, Copy)]
enum Then {
    Say(&'static str),
    SayAndStall(&'static str),
    SayForEver(&'static str),
    Stall,
    Hang,
}

impl Raw {
    async fn start(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (connections, heads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::default()));
        let raw = Self { address, connections: connections.clone(), heads: heads.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, SeqCst);
                tokio::spawn(talk(stream, then, heads.clone()));
            }
        });
        raw
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

async fn talk(mut stream: TcpStream, then: Then, heads: Arc<Mutex<Vec<String>>>) {
    while let Some(head) = read_head(&mut stream).await {
        heads.lock().expect("not poisoned").push(head);
        match then {
            Then::Say(text) => stream.write_all(text.as_bytes()).await.unwrap_or(()),
            Then::SayAndStall(text) => {
                stream.write_all(text.as_bytes()).await.unwrap_or(());
                tokio::time::sleep(PATIENT).await;
            }
            Then::SayForEver(text) => {
                stream.write_all(text.as_bytes()).await.unwrap_or(());
                let piece = vec![b'x'; 16 << 10];
                while stream.write_all(&piece).await.is_ok() {}
            }
            Then::Stall => tokio::time::sleep(PATIENT).await,
            Then::Hang => return,
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

fn get(url: &str, timeout: Duration) -> Outgoing {
    Outgoing { allow_private: true, ..Outgoing::new(Method::GET, url, timeout) }
}

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn an_answer_is_read_and_the_connection_kept() {
    let text = "HTTP/1.1 201 Created\r\nlocation: /posts/7\r\ncontent-length: 8\r\n\r\n{\"id\":7}";
    let raw = Raw::start(Then::Say(text)).await;
    let outbound = Outbound::new();
    for _ in 0..3 {
        let mut outgoing = get(&raw.url(), PATIENT);
        outgoing.headers.push((header::ACCEPT, "application/json".to_owned()));
        let answer = outbound.send(&outgoing).await.expect("an answer");
        assert_eq!((answer.status, answer.truncated), (201, false));
        assert_eq!(answer.header(header::LOCATION), Some("/posts/7"));
        assert_eq!(answer.body, r#"{"id":7}"#);
    }
    assert_eq!(raw.connections(), 1);
    let heads = raw.heads.lock().expect("not poisoned");
    assert!(heads[0].starts_with("GET /hook HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(heads[0].contains(&format!("host: {}\r\n", raw.address)), "{}", heads[0]);
    assert!(heads[0].contains(&format!("user-agent: {USER_AGENT}\r\n")), "{}", heads[0]);
    assert!(heads[0].contains("accept: application/json\r\n"), "{}", heads[0]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Raw::start(Then::Say(EMPTY)).await;
    let text = format!("HTTP/1.1 307 Go\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.url());
    let raw = Raw::start(Then::Say(text.leak())).await;
    let answer = Outbound::new().send(&get(&raw.url(), PATIENT)).await.expect("an answer");
    assert_eq!(answer.status, 307);
    assert_eq!(answer.header(header::LOCATION), Some(other.url().as_str()));
    assert_eq!((raw.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn slow_and_endless_bodies_are_cut() {
    let slow = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst";
    let raw = Raw::start(Then::SayAndStall(slow)).await;
    let since = Instant::now();
    let answer = Outbound::new().send(&get(&raw.url(), IMPATIENT)).await.expect("a head came");
    assert!(since.elapsed() < PATIENT / 2, "{:?}", since.elapsed());
    assert_eq!((answer.status, &answer.body[..], answer.truncated), (200, &b"first"[..], true));

    let endless = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let raw = Raw::start(Then::SayForEver(endless)).await;
    let outgoing = Outgoing { answer_bytes_max: 100_000, ..get(&raw.url(), PATIENT) };
    let answer = Outbound::new().send(&outgoing).await.expect("a head came");
    assert_eq!((answer.status, answer.body.len(), answer.truncated), (200, 100_000, true));

    let short = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole";
    let raw = Raw::start(Then::Say(short)).await;
    for (limit, body, truncated) in [(5, "whole", false), (4, "whol", true), (0, "", true)] {
        let outgoing = Outgoing { answer_bytes_max: limit, ..get(&raw.url(), PATIENT) };
        let answer = Outbound::new().send(&outgoing).await.expect("an answer");
        assert_eq!((&answer.body[..], answer.truncated), (body.as_bytes(), truncated));
    }
}

#[tokio::test]
async fn errors_say_whether_it_was_sent() {
    let outbound = Outbound::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("http://{}/", closed.local_addr().expect("bound"));
    drop(closed);
    let refused = outbound.send(&get(&nobody, PATIENT)).await.expect_err("nobody listens");
    assert!(matches!(refused, SendError::Unreachable(_)) && !refused.was_sent(), "{refused:?}");

    let raw = Raw::start(Then::Hang).await;
    let cut = outbound.send(&get(&raw.url(), PATIENT)).await.expect_err("no answer");
    assert!(matches!(cut, SendError::Interrupted(_)) && cut.was_sent(), "{cut:?}");

    let raw = Raw::start(Then::Stall).await;
    let late = outbound.send(&get(&raw.url(), IMPATIENT)).await.expect_err("no answer");
    assert!(late == SendError::Timeout(IMPATIENT) && late.was_sent(), "{late:?}");

    let raw = Raw::start(Then::Say("what?\r\n\r\n")).await;
    let senseless = outbound.send(&get(&raw.url(), PATIENT)).await.expect_err("no answer");
    assert!(senseless.was_sent(), "{senseless:?}");
}

#[tokio::test]
async fn what_is_refused_is_not_sent() {
    let raw = Raw::start(Then::Say(EMPTY)).await;
    let outbound = Outbound::new();
    let public = Outgoing { allow_private: false, ..get(&raw.url(), PATIENT) };
    let refused = outbound.send(&public).await.expect_err("a private address");
    assert!(matches!(refused, SendError::Blocked(_)) && !refused.was_sent(), "{refused:?}");
    for (name, value) in [
        (HeaderName::from_static("x-shop"), "a\r\nx-evil: 1"),
        (HeaderName::from_static("x-shop"), "a\nb"),
        (HeaderName::from_static("x-shop"), "a\0b"),
        (header::HOST, "other.example"),
        (header::TRANSFER_ENCODING, "chunked"),
    ] {
        let mut outgoing = get(&raw.url(), PATIENT);
        outgoing.headers.push((name.clone(), value.to_owned()));
        let refused = outbound.send(&outgoing).await.expect_err("not a header of ours");
        assert_eq!(refused, SendError::Blocked(Refusal::Header(name.to_string())));
    }
    // What was allowed to a private destination last is not allowed to a public one.
    let refused = outbound.send(&public).await.expect_err("a private address");
    assert!(matches!(refused, SendError::Blocked(_)), "{refused:?}");
    assert_eq!(raw.connections(), 0);
}

/// Answers with one address after the other, whatever the name; the last one stays.
struct Turning {
    answers: Mutex<VecDeque<&'static str>>,
    asked: AtomicUsize,
}

impl Turning {
    fn new(answers: &[&'static str]) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().copied().collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Resolve for Turning {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, SeqCst);
        let mut answers = self.answers.lock().expect("not poisoned");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
        let addresses = answer.map(|text| text.parse().expect("an address")).into_iter().collect();
        Box::pin(async move { Ok(addresses) })
    }
}

#[tokio::test]
async fn a_name_that_becomes_private_is_blocked() {
    let turning = Turning::new(&["8.8.8.8", "127.0.0.1"]);
    let outbound = Outbound::with_resolver(turning.clone());
    let url = "http://hooks.example:8080/";
    assert_eq!(outbound.check(url, false).await, Ok(()));
    let public = Outgoing::new(Method::POST, url, PATIENT);
    let refused = outbound.send(&public).await.expect_err("it points here now");
    let SendError::Blocked(Refusal::Address(address, _)) = refused else { panic!("{refused:?}") };
    assert_eq!((address.to_string().as_str(), turning.asked()), ("127.0.0.1", 2));
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let raw = Raw::start(Then::Say(EMPTY)).await;
    // Whoever resolved again would get an address that is refused.
    let turning = Turning::new(&["127.0.0.1", "169.254.169.254"]);
    let outbound = Outbound::with_resolver(turning.clone());
    let url = format!("http://hooks.example:{}/", raw.address.port());
    for _ in 0..2 {
        let answer = outbound.send(&get(&url, PATIENT)).await.expect("an answer");
        assert_eq!(answer.status, 204);
    }
    assert_eq!((turning.asked(), raw.connections()), (1, 1));
    let host = format!("host: hooks.example:{}\r\n", raw.address.port());
    assert!(raw.heads.lock().expect("not poisoned")[0].contains(&host));

    // The kept connection is not for public destinations.
    let public = Outgoing { allow_private: false, ..get(&url, PATIENT) };
    assert!(matches!(outbound.send(&public).await, Err(SendError::Blocked(_))));
}

#[tokio::test]
async fn names_without_an_address_are_unreachable() {
    let outbound = Outbound::with_resolver(Turning::new(&[]));
    let error = outbound.send(&get("http://nobody.example/", PATIENT)).await.expect_err("nothing");
    assert!(matches!(&error, SendError::Unreachable(why) if why.contains("no address")), "{error}");
    let error = outbound.check("http://nobody.example/", true).await.expect_err("nothing");
    assert!(matches!(error, SendError::Unreachable(_)));
}

#[test]
fn retry_after_is_read_in_every_form() {
    let now: Timestamp = "1994-11-06T08:49:00Z".parse().expect("a moment");
    for (text, expected) in [
        ("0", Some(0)),
        ("120", Some(120)),
        (" 7 ", Some(7)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
        ("Sun Nov  6 08:49:37 1994", Some(37)),
        ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).expect("a header"));
        let answer = Answer { status: 429, headers, body: Bytes::new(), truncated: false };
        assert_eq!(answer.retry_after(now).map(|wait| wait.as_secs()), expected, "{text}");
    }
}
