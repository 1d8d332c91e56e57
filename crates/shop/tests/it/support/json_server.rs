//! Remote systems that nobody here wrote: json-server, which keeps posts and comments, and
//! JSONPlaceholder's own server, which only pretends to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use runout_shop::platform::tls;
use serde_json::Value;
use tempfile::TempDir;

use super::ports::free_port;

/// The folders of the two packages.
const JSON_SERVER: &str = "RUNOUT_TEST_JSON_SERVER";
const JSONPLACEHOLDER: &str = "RUNOUT_TEST_JSONPLACEHOLDER";

/// Node starts slowly on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);
/// Somebody else may take the port between the look and the start.
const ATTEMPTS_MAX: usize = 5;
const DATA: &str = "db.json";
/// What of the data set is served. Not its users: with every removal json-server also removes
/// whatever points to a record that is not there, and new posts are by nobody whom it knows.
const RESOURCES: [&str; 2] = ["posts", "comments"];

/// json-server as it is, but on loopback alone, and with a file that is replaced as a whole before
/// the answer goes out. Started from its command line it answers first and writes later, so that a
/// kill loses what it had confirmed; no sender could help that.
const LAUNCHER: &str = "
const fs = require('fs');
const [modules, file, port] = process.argv.slice(-3);
const need = require('module').createRequire(modules + '/package.json');
const jsonServer = require(modules);
const FileSync = need('lowdb/adapters/FileSync');
class Kept extends FileSync {
  write(data) {
    fs.writeFileSync(this.source + '.new', this.serialize(data));
    fs.renameSync(this.source + '.new', this.source);
  }
}
const server = jsonServer.create();
server.use(jsonServer.defaults({ logger: false }));
server.use(jsonServer.router(need('lowdb')(new Kept(file))));
server.listen(Number(port), '127.0.0.1');
";

/// A running json-server on a copy of JSONPlaceholder's posts and comments; killed by its id when
/// dropped.
pub struct JsonServer {
    node: Node,
    folder: TempDir,
}

impl JsonServer {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let set = fs::read(package(JSONPLACEHOLDER).join("data.json")).expect("the data set");
        let set: Value = serde_json::from_slice(&set).expect("JSON");
        let kept = RESOURCES.map(|name| (name.to_owned(), set[name].clone()));
        let kept = Value::Object(kept.into_iter().collect());
        fs::write(folder.path().join(DATA), kept.to_string()).expect("a file can be written");
        let file = folder.path().join(DATA);
        Self { node: Node::start(|port| json_server(&file, port)).await, folder }
    }

    /// Where its collections lie, without a slash at the end.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Starts it again on the same port, with what it had written.
    pub async fn start_again(&mut self) {
        let file = self.folder.path().join(DATA);
        self.node.start_again(|port| json_server(&file, port)).await;
    }

    /// All records of a collection, as the server tells them.
    pub async fn records(&self, collection: &str) -> Vec<Value> {
        let answer = self.node.http.get(format!("{}/{collection}", self.url())).send().await;
        let bytes = answer.expect("an answer").bytes().await.expect("a whole answer");
        serde_json::from_slice(&bytes).expect("a list")
    }

    /// A client for what else a test asks.
    pub fn http(&self) -> &Client {
        &self.node.http
    }
}

fn json_server(file: &Path, port: u16) -> Command {
    let mut command = Command::new("node");
    command.args(["-e", LAUNCHER]).arg(package(JSON_SERVER)).arg(file).arg(port.to_string());
    command
}

/// A running server of JSONPlaceholder; killed by its id when dropped.
pub struct JsonPlaceholder {
    node: Node,
}

impl JsonPlaceholder {
    pub async fn start() -> Self {
        Self { node: Node::start(jsonplaceholder).await }
    }

    /// Where its collections lie, without a slash at the end.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Starts it again on the same port.
    pub async fn start_again(&mut self) {
        self.node.start_again(jsonplaceholder).await;
    }
}

fn jsonplaceholder(port: u16) -> Command {
    let mut command = Command::new("node");
    command.arg(package(JSONPLACEHOLDER).join("index.js")).env("PORT", port.to_string());
    command
}

fn package(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    PathBuf::from(path.unwrap_or_else(|| panic!("{variable} is not set: run `make test`")))
}

/// A process of Node that serves HTTP.
struct Node {
    process: Child,
    port: u16,
    http: Client,
}

impl Node {
    async fn start(command: impl Fn(u16) -> Command) -> Self {
        tls::install_provider();
        let http = Client::builder().tls_certs_only([]).timeout(START_MAX);
        let http = http.build().expect("a client without TLS can always be made");
        for _ in 0..ATTEMPTS_MAX {
            let port = free_port();
            let mut node = Self { process: spawn(command(port)), port, http: http.clone() };
            if node.answers().await {
                return node;
            }
        }
        panic!("the server does not start");
    }

    async fn start_again(&mut self, command: impl Fn(u16) -> Command) {
        self.process = spawn(command(self.port));
        assert!(self.answers().await, "the server does not start again");
    }

    /// Waits until it answers; false if its process has ended.
    async fn answers(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < START_MAX {
            if self.process.try_wait().expect("it was started").is_some() {
                return false;
            }
            if self.http.get(format!("{}/posts/1", self.url())).send().await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server does not answer");
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn kill(&mut self) {
        self.process.kill().expect("it was started");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already, if the test has killed it.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn spawn(mut command: Command) -> Child {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().expect("node is missing: apt-get install nodejs, or run `make test`")
}
