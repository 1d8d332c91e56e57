//! The program as a process, spoken to over HTTP.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::SEAL_KEY;
use crate::support::ports::free_port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_runout");
/// Starting takes less than a second; a busy machine may need more.
const START_ATTEMPTS: usize = 2_400;
const PAUSE: Duration = Duration::from_millis(50);
/// Long enough to connect again and sell a little.
const CUT_PAUSE: Duration = Duration::from_millis(150);

/// A running `runout serve`; killed when dropped.
pub struct Server {
    child: Mutex<Child>,
    address: SocketAddr,
}

/// A whole answer; a part of one is none.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Server {
    /// Starts the program on a free port, and waits until it is ready.
    pub async fn start(database_url: &str) -> Self {
        Self::start_with(database_url, &[]).await
    }

    /// As [`Server::start`], with settings in its environment.
    pub async fn start_with(database_url: &str, settings: &[(&str, &str)]) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new(PROGRAM)
            .args(["serve", "--listen", &address.to_string(), "--database-url", database_url])
            .env("RUNOUT_LOG", "error")
            .env("RUNOUT_SEAL_KEY", SEAL_KEY)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let server = Self { child: Mutex::new(child), address };
        for _ in 0..START_ATTEMPTS {
            let ready = "GET /health/ready HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
            if server.send(ready).await.is_some_and(|answer| answer.status == 200) {
                return server;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the server was not ready in time");
    }

    /// Nothing when the answer did not come, or not whole.
    pub async fn post(&self, path: &str, token: &str, key: &str, body: &Value) -> Option<Answer> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\nidempotency-key: \"{key}\"\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&request).await
    }

    async fn send(&self, request: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        if length.is_some_and(|length: usize| length != body.len()) {
            return None;
        }
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).ok()? };
        Some(Answer { status, body })
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.child.lock().expect("sound").kill().expect("the server runs until it is killed");
    }

    pub fn reap(&mut self) {
        self.child.lock().expect("sound").wait().expect("it was started");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed already, in most cases.
        if let Ok(mut child) = self.child.lock() {
            let _dead = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// `runout verify` must find nothing.
pub fn verify_command(database_url: &str) {
    let output = Command::new(PROGRAM)
        .args(["verify", "--database-url", database_url])
        .env("RUNOUT_SEAL_KEY", SEAL_KEY)
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ok   levels equal their ledgers"), "{text}");
}

/// Cuts all other connections to the database again and again, until so many times are enough.
/// Gives how many connections were cut.
pub async fn cut_connections(database_url: String, enough: impl Fn(usize) -> bool) -> usize {
    let (client, connection) = tokio_postgres::connect(&database_url, tokio_postgres::NoTls)
        .await
        .expect("the test database is there");
    let connection = tokio::spawn(connection);
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let mut cuts = 0;
    for time in 0.. {
        if enough(time) {
            break;
        }
        tokio::time::sleep(CUT_PAUSE).await;
        cuts += client.query(cut, &[]).await.expect("a superuser may").len();
    }
    drop(client);
    connection.await.expect("no panic").expect("a clean end");
    cuts
}
