//! The real program in a process of its own, and a client that keeps its connection.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::TestShop;

const PROGRAM: &str = env!("CARGO_BIN_EXE_runout");
/// A debug build imports the demo data in seconds; a busy machine takes longer.
const START_MAX: Duration = Duration::from_secs(120);
/// A server closes connections that stand still for so long. One of a crowd may stand still for
/// longer than usual while a busy machine serves the others.
const PATIENT: &str = "[http]\nheader_read_timeout_ms = 120000\n";
/// Whatever a server has to drain, it has gone after this time.
const STOP_MAX: Duration = Duration::from_secs(60);

/// The program, in an empty folder and without settings from outside.
pub fn program(folder: &TempDir, database_url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder.path()).args(args).env("DATABASE_URL", database_url);
    let settings = ["RUNOUT_CONFIG", "RUNOUT_LISTEN", "RUNOUT_LOG", "RUNOUT_LOG_FORMAT"];
    command.env("RUNOUT_SEAL_KEY", super::SEAL_KEY).env_remove("RUNOUT_SEAL_KEY_FILE");
    let payments = ["RUNOUT_STRIPE_API_URL", "RUNOUT_STRIPE_SECRET_KEY"];
    for name in settings.into_iter().chain(payments) {
        command.env_remove(name);
    }
    for name in ["REDIS_URL", "REDIS_BUDGET_MS", "STALE_MS_MAX", "CACHE_MEMORY_MB_MAX"] {
        command.env_remove(format!("RUNOUT_{name}"));
    }
    for name in ["RUNOUT_HOLD_SECONDS", "RUNOUT_HOLD_LIFE_SECONDS", "RUNOUT_UNPAID_SECONDS"] {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end, with this text on its standard input.
pub fn runout(database_url: &str, args: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    finish(program(&folder, database_url, args), input)
}

/// Runs a command to its end, with this text on its standard input.
pub fn finish(mut command: Command, input: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that needs no input may have gone before it could be written.
    let _unread = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

/// `runout verify` must find nothing.
#[track_caller]
pub fn verify_command(database_url: &str) {
    let output = runout(database_url, &["verify"], "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("ok   levels equal their ledgers") && !text.contains("FAIL"), "{text}");
}

/// A running `runout serve`; killed by its id when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the first answer.
    pub started_in: Duration,
    _folder: TempDir,
}

impl Server {
    /// Starts the program on a port that the system chooses, and waits for its first answer.
    pub async fn start(database_url: &str, args: &[&str]) -> Self {
        Self::start_with(database_url, args, &[]).await
    }

    /// [`Server::start`] with settings in the environment.
    pub async fn start_with(database_url: &str, args: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Read unless the test names a file of its own.
        std::fs::write(folder.path().join("runout.toml"), PATIENT).expect("written");
        let started = Instant::now();
        let mut command = program(&folder, database_url, &["serve", "--listen", "127.0.0.1:0"]);
        // One client plays all buyers: it must not be taken for an attack.
        command.args(["--rate-limit-per-second", "1000000", "--rate-limit-burst", "1000000"]);
        let mut child = command
            .args(args)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let (told, address) = mpsc::channel();
        // Reads to the end, so that the server never waits for somebody to read its log.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
                match address.and_then(|text| text.parse::<SocketAddr>().ok()) {
                    Some(address) => told.send(address).unwrap_or(()),
                    None if line.contains(" ERROR ") => eprintln!("server: {line}"),
                    None => {}
                }
            }
        });
        let address = tokio::task::spawn_blocking(move || address.recv_timeout(START_MAX)).await;
        let address = address.expect("no panic").expect("the server tells its address in time");
        let mut server = Self { child, address, started_in: started.elapsed(), _folder: folder };
        let mut first = server.connect().await;
        loop {
            let ready = first.send("GET", "/health/ready", "", "", &Value::Null).await;
            let status = ready.expect("an answer").status;
            if status == 200 {
                break;
            }
            // A database that keeps a busy machine waiting for seconds is not ready.
            assert!(status == 503 && started.elapsed() < START_MAX, "{status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server.started_in = started.elapsed();
        server
    }

    pub async fn connect(&self) -> Connection {
        Connection::open(self.address).await.expect("the server accepts")
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
    }

    /// Waits for the end of a server that was told to stop; gives its exit code.
    pub async fn ended(mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it was started") {
                return status.code();
            }
            assert!(since.elapsed() < STOP_MAX, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn stop(self) {
        self.terminate();
        assert_eq!(self.ended().await, Some(0));
    }

    /// Resident memory, in kilobytes, as the kernel counts it.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the server runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A connection that is kept from request to request.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub replayed: bool,
    pub body: Value,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Sends a request; token (an account's or a basket's), key and body are left out when empty or
    /// null. None when the answer did not come whole.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        key: &str,
        body: &Value,
    ) -> Option<Reply> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: shop\r\n");
        if !token.is_empty() {
            let scheme = if token.starts_with("rb_") { "Basket" } else { "Bearer" };
            request += &format!("authorization: {scheme} {token}\r\n");
        }
        if !key.is_empty() {
            request += &format!("idempotency-key: \"{key}\"\r\n");
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        if !body.is_empty() {
            request += "content-type: application/json\r\n";
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        self.stream.write_all(request.as_bytes()).await.ok()?;
        self.reply().await
    }

    async fn reply(&mut self) -> Option<Reply> {
        let head_end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read[..head_end].to_vec()).ok()?.to_lowercase();
        let field = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let length: usize = field("content-length").map_or(Some(0), |text| text.parse().ok())?;
        let whole = head_end + 4 + length;
        while self.read.len() < whole {
            self.more().await?;
        }
        let body = &self.read[head_end + 4..whole];
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).ok()? };
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let replayed = field("idempotency-replayed") == Some("true");
        self.read.drain(..whole);
        Some(Reply { status, replayed, body })
    }

    async fn more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.read).await.ok()?;
        (read > 0).then_some(())
    }
}

/// The token of the account with this number, after [`give_tokens`].
pub fn token(account: i64) -> String {
    format!("rt_buyer_{account}")
}

/// Logs the staged accounts in, without the cost of thousands of passwords, and makes the first
/// one staff.
pub async fn give_tokens(shop: &TestShop, accounts: i64) {
    let sqlite = shop.app.db.engine() == runout_store::Engine::Sqlite;
    let rows: Vec<String> = (1..=accounts)
        .map(|account| {
            let hash: String =
                Sha256::digest(token(account)).iter().map(|byte| format!("{byte:02x}")).collect();
            match sqlite {
                true => format!("({account},{account},x'{hash}',1,32503680000000000)"),
                false => format!("({account},{account},'\\x{hash}','2026-01-01','3000-01-01')"),
            }
        })
        .collect();
    let script = format!(
        "insert into token (id, account_id, hash, created_at, expires_at) values {};
         update account set role = 'staff' where id = 1;
         update id_sequence set next = 100000 where name in ('account', 'token')",
        rows.join(",")
    );
    shop.app.db.script(&script).await.expect("the accounts are logged in");
}
