//! A client that measures when an answer begins: wrk tells whole answers only.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A server that says nothing for so long is broken.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 64 * 1024;

/// A connection that is kept, with the cookie of a session, if there is one.
pub struct Visitor {
    stream: TcpStream,
    cookie: String,
    read: Vec<u8>,
}

/// One answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// From the request's last byte to the answer's first.
    pub first_byte: Duration,
}

impl Visitor {
    pub fn open(port: u16, session: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        let cookie = session.map(|token| format!("Cookie: __Host-session={token}\r\n"));
        Ok(Self { stream, cookie: cookie.unwrap_or_default(), read: vec![0; READ_BYTES] })
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n", self.cookie);
        self.ask(path, &request)
    }

    /// Sends JSON under a token.
    pub fn post(&mut self, path: &str, token: &str, body: &str) -> Result<Answer> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
            Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.ask(path, &request)
    }

    fn ask(&mut self, path: &str, request: &str) -> Result<Answer> {
        self.stream.write_all(request.as_bytes())?;
        let sent = Instant::now();
        let mut text = Vec::new();
        self.more(&mut text).with_context(|| path.to_owned())?;
        let first_byte = sent.elapsed();
        let head_end = loop {
            if let Some(at) = text.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.more(&mut text)?;
        };
        let head = String::from_utf8_lossy(&text[..head_end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("an answer without a length")?.trim().parse()?;
        while text.len() < head_end + 4 + length {
            self.more(&mut text)?;
        }
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        Ok(Answer { status, body: text.split_off(head_end + 4), first_byte })
    }

    fn more(&mut self, text: &mut Vec<u8>) -> Result<()> {
        loop {
            match self.stream.read(&mut self.read) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let count = read?;
                    ensure!(count > 0, "the server closed the connection");
                    text.extend_from_slice(&self.read[..count]);
                    return Ok(());
                }
            }
        }
    }
}

/// First bytes of one page.
#[derive(Debug, Clone, Copy)]
pub struct FirstByte {
    pub p50: Duration,
    pub p99: Duration,
    /// Of the answer's body.
    pub bytes: usize,
}

/// Asks for a page over so many connections at once, for this long.
pub fn first_byte(
    port: u16,
    session: Option<&str>,
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<FirstByte> {
    let visit = || -> Result<(Vec<Duration>, usize)> {
        let mut visitor = Visitor::open(port, session)?;
        let (mut samples, mut bytes) = (Vec::new(), 0);
        let since = Instant::now();
        while since.elapsed() < time {
            let answer = visitor.get(path)?;
            ensure!(answer.status == 200, "{path}: status {}", answer.status);
            samples.push(answer.first_byte);
            bytes = answer.body.len();
        }
        Ok((samples, bytes))
    };
    let visits: Vec<Result<_>> = std::thread::scope(|scope| {
        let visits: Vec<_> = (0..connections).map(|_| scope.spawn(visit)).collect();
        visits.into_iter().map(|visit| visit.join().expect("no panic")).collect()
    });
    let (mut samples, mut bytes) = (Vec::new(), 0);
    for visit in visits {
        let (more, size) = visit?;
        samples.extend(more);
        bytes = size;
    }
    samples.sort_unstable();
    ensure!(!samples.is_empty(), "{path}: no answer in {time:?}");
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
    Ok(FirstByte { p50: at(50), p99: at(99), bytes })
}
