//! Messages to a topic exchange of a RabbitMQ broker, through `lapin`.
//!
//! What always holds:
//! - A message counts as published when the broker has confirmed it, and not before. A message that
//!   no queue wants is confirmed too: nobody had asked for it.
//! - Many may be under way at once; they are sent in the order in which the calls began.
//! - A publisher that lost its connection stays dead ([`Publisher::is_alive`]): whoever made it
//!   makes another, and decides what is sent again.
//! - The address is guarded as that of a webhook (see `guard`), and what the URL says of user and
//!   password is never shown.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind,
    ExchangeKind,
};
use reqwest::Url;
use tokio::time::timeout;

use super::envelope;
use super::guard::{self, Guard, Refusal, Resolve, SystemResolver, Unresolved};
use crate::platform::tls;

/// Ports of public brokers: plain and with TLS.
pub const PUBLIC_PORTS: [u16; 2] = [5672, 5671];
/// Until a connection stands and its exchange is declared.
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// Until a broker confirms a message; it syncs its disk before.
pub const CONFIRM_MAX: Duration = Duration::from_secs(30);
/// Silence after which either side takes the other for dead, in seconds.
const HEARTBEAT_S: u16 = 20;
/// Longest name of an exchange, routing key or message id, in bytes: AMQP has one for the length.
pub const NAME_BYTES_MAX: usize = 255;
/// The message survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// Why no connection came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("the address is refused: {0}")]
    Blocked(#[from] Refusal),
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// Of another kind, or not durable: somebody made it for something else.
    #[error("the exchange {0} exists already, and is not a durable topic exchange")]
    Exchange(String),
    /// User, password or virtual host.
    #[error("the broker refuses: {0}")]
    Refused(String),
}

/// Why a message is not known to be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The publisher was dead before; nothing was sent.
    #[error("the connection is closed")]
    Closed,
    /// The message cannot be written down, whatever the connection.
    #[error("{0} is longer than {NAME_BYTES_MAX} bytes")]
    TooLong(&'static str),
    /// The broker says that it did not take it.
    #[error("the broker could not take it")]
    Nacked,
    /// The connection ended without a confirmation; it may have been taken.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// No confirmation in time; it may have been taken, or be so yet.
    #[error("no confirmation within {0:?}")]
    Timeout(Duration),
}

impl PublishError {
    /// True when subscribers may have the message.
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::Closed | Self::TooLong(_))
    }
}

/// Whether a broker at this URL may be saved as a destination, as `guard::check_url`; user and
/// password are allowed here.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str, allow_private: bool) -> Result<(), Refusal> {
    parse(url, allow_private).map(|_| ())
}

fn parse(url: &str, allow_private: bool) -> Result<AMQPUri, Refusal> {
    if url.len() > guard::URL_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    if !url.starts_with("amqp://") && !url.starts_with("amqps://") {
        return Err(Refusal::Scheme("amqp, amqps"));
    }
    // What the parsers say could show the password.
    let read = Url::parse(url).map_err(|_| Refusal::NotAUrl)?;
    let host = read.host_str().filter(|host| !host.is_empty()).ok_or(Refusal::NoHost)?;
    if read.fragment().is_some() {
        return Err(Refusal::Fragment);
    }
    let mut uri: AMQPUri = url.parse().map_err(|_| Refusal::NotAUrl)?;
    // Its own parser takes an address of version 6 for this machine.
    uri.authority.host = host.trim_matches(['[', ']']).to_owned();
    guard::check_host(host, allow_private)?;
    let port = uri.authority.port;
    if !allow_private && !PUBLIC_PORTS.contains(&port) {
        return Err(Refusal::BrokerPort(port));
    }
    Ok(uri)
}

/// What is published.
#[derive(Debug, Clone)]
pub struct Message {
    /// The event's id, by which subscribers know a repetition.
    pub id: String,
    /// See `envelope::body`.
    pub body: Bytes,
    /// What the event is about, as headers.
    pub entity: String,
    pub entity_id: i64,
    /// When the event happened.
    pub at: Timestamp,
}

/// A connection with one exchange to publish to.
pub struct Publisher {
    channel: Channel,
    exchange: ShortString,
    /// Held while a message takes its number and its place in the line: `lapin` does both in two
    /// steps, and two threads between them would exchange their confirmations.
    turn: Mutex<()>,
    // The channel ends with it.
    connection: Connection,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("exchange", &self.exchange.as_str())
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// Connects to a broker and declares the durable topic exchange, unless it is there.
    ///
    /// # Errors
    /// When any of this fails.
    pub async fn connect(
        url: &str,
        exchange: &str,
        allow_private: bool,
    ) -> Result<Self, ConnectError> {
        Self::connect_with(Arc::new(SystemResolver), url, exchange, allow_private).await
    }

    /// [`Publisher::connect`] with another resolver.
    ///
    /// # Errors
    /// When any of this fails.
    pub async fn connect_with(
        resolver: Arc<dyn Resolve>,
        url: &str,
        exchange: &str,
        allow_private: bool,
    ) -> Result<Self, ConnectError> {
        let uri = parse(url, allow_private)?;
        let guard = Guard::new(resolver, allow_private);
        let opening = open(guard, uri, exchange);
        let late = |_| ConnectError::Unreachable(format!("no connection within {CONNECT_MAX:?}"));
        timeout(CONNECT_MAX, opening).await.map_err(late)?
    }

    /// False once the connection is lost or closed; then nothing is published any more.
    pub fn is_alive(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Publishes a message, and waits for the broker's confirmation.
    ///
    /// # Errors
    /// When there is none; [`PublishError::was_sent`] tells whether it may be published all the
    /// same.
    pub async fn publish(&self, routing_key: &str, message: Message) -> Result<(), PublishError> {
        let key = short(routing_key, "the routing key")?;
        let properties = properties(&message)?;
        if !self.is_alive() {
            return Err(PublishError::Closed);
        }
        let sent = self.send(key, &message.body, properties);
        match timeout(CONFIRM_MAX, sent).await {
            Err(_) => Err(PublishError::Timeout(CONFIRM_MAX)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(confirmation)) if confirmation.is_ack() => Ok(()),
            Ok(Ok(_)) => Err(PublishError::Nacked),
        }
    }

    async fn send(
        &self,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<Confirmation, PublishError> {
        let options = BasicPublishOptions::default();
        let exchange = self.exchange.clone();
        let mut sending =
            pin!(self.channel.basic_publish(exchange, key, options, body, properties));
        let first = poll_fn(|context| {
            let _turn = self.turn.lock().expect("nobody panics with the lock");
            Poll::Ready(sending.as_mut().poll(context))
        });
        let interrupted = |error: lapin::Error| PublishError::Interrupted(error.to_string());
        let confirm = match first.await {
            // It found the channel closed, and has sent nothing.
            Poll::Ready(Err(error))
                if matches!(error.kind(), ErrorKind::InvalidChannelState(..)) =>
            {
                return Err(PublishError::Closed);
            }
            Poll::Ready(confirm) => confirm,
            Poll::Pending => sending.await,
        };
        confirm.map_err(interrupted)?.await.map_err(interrupted)
    }

    /// Closes the connection in an orderly way; what is still unconfirmed may be published or not.
    pub async fn close(self) {
        // Whoever cannot be told any more has gone already.
        let _told = self.connection.close(200, "".into()).await;
    }
}

async fn open(guard: Guard, mut uri: AMQPUri, exchange: &str) -> Result<Publisher, ConnectError> {
    let name = short(exchange, "the exchange").map_err(|_| Refusal::NotAUrl)?;
    let addresses = guard.addresses(&uri.authority.host, uri.authority.port).await;
    let addresses = addresses.map_err(|error| match error {
        Unresolved::Refused(refusal) => ConnectError::Blocked(refusal),
        error => ConnectError::Unreachable(error.to_string()),
    })?;
    tls::install_provider();
    uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
    let runtime = lapin::runtime::default_runtime().map_err(|error| refused(&error))?;
    let dial = async move |uri: AMQPUri, runtime| {
        let stream = AsyncTcpStream::connect(&runtime, addresses.clone()).await?;
        Ok(match uri.scheme {
            AMQPScheme::AMQP => stream,
            AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, TLSConfig::default()).await?,
        })
    };
    let properties = ConnectionProperties::default().with_connection_name("runout".into());
    let connection = Connection::connector(uri, runtime, dial, properties).await;
    let connection = connection.map_err(|error| refused(&error))?;
    let channel = connection.create_channel().await.map_err(|error| refused(&error))?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel
        .exchange_declare(name.clone(), ExchangeKind::Topic, options, FieldTable::default())
        .await;
    declared.map_err(|error| match error.is_amqp_soft_error() {
        true => ConnectError::Exchange(exchange.to_owned()),
        false => refused(&error),
    })?;
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.map_err(|error| refused(&error))?;
    Ok(Publisher { channel, exchange: name, turn: Mutex::new(()), connection })
}

/// What an error before the first message means.
fn refused(error: &lapin::Error) -> ConnectError {
    match error.is_amqp_error() {
        true => ConnectError::Refused(error.to_string()),
        false => ConnectError::Unreachable(error.to_string()),
    }
}

/// A name as AMQP has it.
fn short(text: &str, what: &'static str) -> Result<ShortString, PublishError> {
    match text.len() {
        0..=NAME_BYTES_MAX => Ok(text.into()),
        _ => Err(PublishError::TooLong(what)),
    }
}

fn properties(message: &Message) -> Result<BasicProperties, PublishError> {
    let mut headers = FieldTable::default();
    headers.insert("entity".into(), AMQPValue::LongString(message.entity.as_str().into()));
    headers.insert("entity_id".into(), AMQPValue::LongLongInt(message.entity_id));
    Ok(BasicProperties::default()
        .with_message_id(short(&message.id, "the id")?)
        .with_content_type(envelope::JSON.into())
        .with_delivery_mode(PERSISTENT)
        // Events happen after 1970.
        .with_timestamp(message.at.as_second().unsigned_abs())
        .with_app_id("runout".into())
        .with_headers(headers))
}
