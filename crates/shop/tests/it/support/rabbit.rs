//! A RabbitMQ of a test's own, that can be killed and started again with its data, and somebody who
//! listens to what it is told.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::ports::free_port;

/// The program that starts the broker.
const RABBITMQ: &str = "RUNOUT_TEST_RABBITMQ";
/// Its package's user: the broker does not run as root.
const USER: &str = "rabbitmq";
/// Erlang starts slowly on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);
/// Somebody else may take a port between the look and the start.
const ATTEMPTS_MAX: usize = 3;
/// How often the port mapper is told to end.
const MAPPER_ATTEMPTS_MAX: usize = 60;

/// See the module. Dropping it ends the broker, also when the test fails.
pub struct Rabbit {
    process: Child,
    ports: Ports,
    folder: TempDir,
}

#[derive(Clone, Copy)]
struct Ports {
    amqp: u16,
    distribution: u16,
    /// Of Erlang's port mapper, which outlives the broker.
    mapper: u16,
}

impl Rabbit {
    pub async fn start() -> Self {
        for _ in 0..ATTEMPTS_MAX {
            let ports = Ports { amqp: free_port(), distribution: free_port(), mapper: free_port() };
            let folder = tempfile::tempdir().expect("a temporary folder");
            std::fs::write(folder.path().join("plugins"), "[].").expect("a file can be written");
            if is_root() {
                let owner = format!("{USER}:{USER}");
                let chown = Command::new("chown").args(["-R", &owner]).arg(folder.path()).status();
                assert!(chown.expect("there is chown").success(), "no user {USER}");
            }
            let mut broker = Self { process: spawn(ports, folder.path()), ports, folder };
            if broker.answers().await {
                return broker;
            }
        }
        panic!("RabbitMQ does not start");
    }

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// Waits until it takes connections; false if its process has ended.
    async fn answers(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < START_MAX {
            if self.process.try_wait().expect("it was started").is_some() {
                return false;
            }
            if connect(&self.url()).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("RabbitMQ does not answer");
    }

    /// SIGKILL to the broker and what it has started.
    pub fn kill(&mut self) {
        // The group is the process's own, see `spawn`.
        let kill = format!("kill -KILL -{}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
        self.process.wait().expect("it ends");
    }

    /// Starts it again, with what lies in its folder.
    pub async fn start_again(&mut self) {
        self.process = spawn(self.ports, self.folder.path());
        assert!(self.answers().await, "RabbitMQ does not start again");
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        // It has ended already, if the test has killed it.
        let kill = format!("kill -KILL -{} 2>/dev/null", self.process.id());
        let _dead = Command::new("sh").args(["-c", &kill]).status();
        let _reaped = self.process.wait();
        end_mapper(self.ports.mapper);
    }
}

/// Ends Erlang's port mapper, as soon as it has noticed that its broker is gone.
fn end_mapper(port: u16) {
    for _ in 0..MAPPER_ATTEMPTS_MAX {
        let asked = Command::new("epmd").args(["-port", &port.to_string(), "-kill"]).output();
        let Ok(asked) = asked else { return };
        // "Killing not allowed - living nodes in database."
        if !String::from_utf8_lossy(&asked.stdout).contains("not allowed") {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts the broker as the leader of a process group of its own.
fn spawn(ports: Ports, folder: &Path) -> Child {
    let program = std::env::var(RABBITMQ)
        .unwrap_or_else(|_| panic!("{RABBITMQ} is not set: run `make test`"));
    let mut command = match is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--init-groups", &program]);
            command
        }
        false => Command::new(&program),
    };
    let within = |name: &str| folder.join(name);
    command
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", format!("runout{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("RABBITMQ_MNESIA_BASE", within("data"))
        .env("RABBITMQ_LOG_BASE", within("log"))
        .env("RABBITMQ_PID_FILE", within("pid"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", within("plugins"))
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", ports.mapper.to_string())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("there is id");
    id.stdout.trim_ascii() == b"0"
}

async fn connect(url: &str) -> lapin::Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await
}

/// A message as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub routing_key: String,
    pub id: Option<String>,
    pub body: Vec<u8>,
    pub redelivered: bool,
    pub properties: lapin::BasicProperties,
}

/// Listens at a durable queue, confirms what it has written down, and comes back when the broker
/// does.
pub struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    listening: JoinHandle<()>,
}

impl Listener {
    /// Binds the queue to a topic exchange, which is made if it is not there, and listens.
    pub async fn start(url: &str, exchange: &str, queue: &str, pattern: &str) -> Self {
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let place = [url, exchange, queue, pattern].map(str::to_owned);
        let written = heard.clone();
        let listening = tokio::spawn(async move {
            let mut ready = Some(ready);
            loop {
                // An error is the broker's death: it is asked again until it is back.
                let _died = listen(&place, &written, &mut ready).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        is_ready.await.expect("the listener listens");
        Self { heard, listening }
    }

    /// What came so far, in its order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("not poisoned").clone()
    }

    /// Waits until so many messages came.
    pub async fn wait_for(&self, count: usize) -> Vec<Heard> {
        let since = Instant::now();
        loop {
            let heard = self.heard();
            if heard.len() >= count {
                return heard;
            }
            assert!(since.elapsed() < START_MAX, "{} of {count} messages came", heard.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(
    [url, exchange, queue, pattern]: &[String; 4],
    written: &Mutex<Vec<Heard>>,
    ready: &mut Option<tokio::sync::oneshot::Sender<()>>,
) -> lapin::Result<()> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let nothing = FieldTable::default;
    let kind = ExchangeKind::Topic;
    channel.exchange_declare(exchange.as_str().into(), kind, durable, nothing()).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), durable, nothing()).await?;
    let (queue, exchange) = (queue.as_str(), exchange.as_str());
    let options = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), pattern.as_str().into(), options, nothing())
        .await?;
    let options = BasicConsumeOptions::default();
    let mut consumer = channel.basic_consume(queue.into(), "".into(), options, nothing()).await?;
    if let Some(ready) = ready.take() {
        ready.send(()).unwrap_or(());
    }
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        written.lock().expect("not poisoned").push(Heard {
            routing_key: delivery.routing_key.to_string(),
            id: delivery.properties.message_id().as_ref().map(ToString::to_string),
            body: delivery.data.clone(),
            redelivered: delivery.redelivered,
            properties: delivery.properties.clone(),
        });
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
