//! A Redis of a test's own, that can be killed, paused, emptied, filled with rubbish, brought back
//! from an old dump, and cut off.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use runout_shop::platform::config::{Cache, Config};
use runout_shop::platform::secret::Secret;
use tempfile::TempDir;

use super::ports::free_port;

/// How long a server may take to answer, on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);
/// Somebody else may take the port between the look and the start.
const ATTEMPTS_MAX: usize = 5;
const DUMP: &str = "dump.rdb";
/// A byte changed, cut off, somebody else's text, somebody else's entry (sealed well, but for
/// another key), and far too long.
const SPOIL: &str = r#"
    local keys, values = redis.call('KEYS', '*'), {}
    for n, key in ipairs(keys) do values[n] = redis.call('GETRANGE', key, 0, 99999) end
    for n, key in ipairs(keys) do
        local value, spoilt = values[n]
        if n % 5 == 0 then spoilt = value:sub(1, -2) .. string.char((value:byte(-1) + 1) % 256)
        elseif n % 5 == 1 then spoilt = 'x' .. value:sub(1, 6)
        elseif n % 5 == 2 then spoilt = string.rep('{"items":[]}', 40)
        elseif n % 5 == 3 and #keys > 1 then spoilt = values[n % #keys + 1]
        elseif n == 4 then spoilt = string.rep('x', 3145728)
        else spoilt = values[n % #keys + 1] .. 'x' end
        redis.call('SET', key, spoilt)
    end
    return #keys
"#;

/// See the module. Dropping it ends the server, also when the test fails.
pub struct RedisServer {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl RedisServer {
    pub async fn start() -> Self {
        for _ in 0..ATTEMPTS_MAX {
            let port = free_port();
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut server = Self { process: spawn(port, &folder), port, folder };
            if server.answers().await {
                return server;
            }
        }
        panic!("redis-server does not start");
    }

    /// The settings of a node that shares its answers here.
    pub fn settings(&self) -> Config {
        settings(&self.url())
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Waits until it answers; false if its process has ended.
    async fn answers(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < START_MAX {
            if let Some(mut connection) = self.try_connect().await
                && redis::cmd("PING").query_async::<()>(&mut connection).await.is_ok()
            {
                return true;
            }
            if self.process.try_wait().expect("it was started").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not answer");
    }

    async fn try_connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(self.url()).expect("a well-formed address");
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(START_MAX));
        client.get_multiplexed_async_connection_with_config(&patient).await.ok()
    }

    pub async fn connect(&self) -> MultiplexedConnection {
        self.try_connect().await.expect("redis-server accepts")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().expect("it was started");
        self.process.wait().expect("it ends");
    }

    /// Starts it again, with what lies in its folder.
    pub async fn start_again(&mut self) {
        self.process = spawn(self.port, &self.folder);
        assert!(self.answers().await, "redis-server does not start again");
    }

    /// Kills it; it comes back empty.
    pub async fn restart_empty(&mut self) {
        self.kill();
        let _there_was_none = std::fs::remove_file(self.folder.path().join(DUMP));
        self.start_again().await;
    }

    /// What it holds now, for [`RedisServer::restart_from`].
    pub async fn dump(&self) -> Vec<u8> {
        self.ask::<()>(&mut redis::cmd("SAVE")).await;
        std::fs::read(self.folder.path().join(DUMP)).expect("SAVE has written it")
    }

    /// Kills it; it comes back with an old dump.
    pub async fn restart_from(&mut self, dump: &[u8]) {
        self.kill();
        std::fs::write(self.folder.path().join(DUMP), dump).expect("the dump can be put back");
        self.start_again().await;
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it answers all it was asked.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
    }

    pub async fn flush(&self) {
        self.ask::<()>(&mut redis::cmd("FLUSHALL")).await;
    }

    /// Every key, sorted.
    pub async fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = self.ask(redis::cmd("KEYS").arg("*")).await;
        keys.sort();
        keys
    }

    /// Spoils every value, each in another way; how many there were.
    pub async fn corrupt(&self) -> usize {
        self.ask(redis::cmd("EVAL").arg(SPOIL).arg(0)).await
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &mut redis::Cmd) -> T {
        command.query_async(&mut self.connect().await).await.expect("redis-server does it")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // SIGKILL ends a paused process too. It has ended already, if the test has killed it.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The settings of a node that shares its answers there. The budget is generous: tests of what is
/// shared must not fail because the machine is busy.
pub fn settings(url: &str) -> Config {
    let redis_url = Some(Secret::new(url));
    let cache = Cache { redis_url, redis_budget_ms: 1_000, ..Cache::default() };
    Config { cache, ..Config::default() }
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    let port = port.to_string();
    let log = folder.path().join("redis.log");
    Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--daemonize", "no", "--dbfilename", DUMP, "--dir"])
        .arg(folder.path())
        .arg("--logfile")
        .arg(log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is missing: apt-get install redis-server, or run `make test`")
}
