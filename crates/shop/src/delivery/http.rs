//! One HTTP request to somebody else's server, guarded (see `guard`) and bounded.
//!
//! What always holds:
//! - Connections are opened by the guard alone; a pool is shared only by requests with the same
//!   setting, so that what was opened for a private destination serves no public one.
//! - Redirects are answers like any other, proxies from the environment are not used.
//! - A request ends within its timeout, and of its answer no more than its limit is read.
//! - An error says whether the receiver may have acted ([`SendError::was_sent`]). A head that came
//!   counts, whatever becomes of the body ([`Answer::truncated`]).

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, Uri};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};
use tower::Service;

use super::guard::{self, Guard, Refusal, Resolve, SystemResolver, Unresolved};
use crate::platform::tls;

/// Until a connection stands: name, TCP and TLS together.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// TCP alone; shared by the addresses of a name, which are tried one after the other.
const TCP_MAX: Duration = Duration::from_secs(5);
/// Connections kept for the next request, per scheme, host and port.
const IDLE_CONNECTIONS_MAX: usize = 256;
/// How long they are kept; less than what servers usually grant, so that few die under a request.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// Longest answer that is read unless the request says otherwise, in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Longest text of an error that is kept, in characters.
const WHY_CHARS_MAX: usize = 300;
const USER_AGENT: &str = concat!("runout/", env!("CARGO_PKG_VERSION"));

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: Method,
    pub url: String,
    /// What the connection itself needs (host, content-length ...) is not given here.
    pub headers: Vec<(HeaderName, String)>,
    pub body: Bytes,
    /// Of everything, from the name to the answer's last byte.
    pub timeout: Duration,
    /// Whether it may go to this machine and to private networks, at any port.
    pub allow_private: bool,
    /// Longest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

impl Outgoing {
    /// A request without headers and body, with [`BODY_BYTES_MAX`].
    pub fn new(method: Method, url: impl Into<String>, timeout: Duration) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout,
            allow_private: false,
            answer_bytes_max: BODY_BYTES_MAX,
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// What was read of the body.
    pub body: Bytes,
    /// True if the body is not whole: longer than the limit, too slow, or cut off.
    pub truncated: bool,
}

impl Answer {
    /// A header's text, if it has one.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the receiver asks us to wait: seconds, or a date in any form that HTTP knows
    /// (RFC 9110, section 10.2.3).
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.header(header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(text).ok()?;
        let now = SystemTime::from(now);
        Some(until.duration_since(now).unwrap_or(Duration::ZERO))
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may not be sent there, and was not.
    #[error("the address is refused: {0}")]
    Blocked(#[from] Refusal),
    /// No connection came about; nothing was sent.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The connection ended without an answer; it may have been processed.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// No answer in time; it may have been processed, or be so yet.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl SendError {
    /// True when the receiver may have acted.
    pub fn was_sent(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::Timeout(_))
    }
}

type Pool = Client<Dial, Full<Bytes>>;

/// Sends requests; cheap to clone, keeps connections.
#[derive(Clone)]
pub struct Outbound {
    public: Pool,
    private: Pool,
    resolver: Arc<dyn Resolve>,
    last: Last,
}

/// The address that was sent to last, as a request needs it. Reading one and checking it takes
/// longer than signing a request; a clone, which serves one destination, remembers for itself.
#[derive(Default)]
struct Last(Mutex<Option<Checked>>);

/// A URL that the guard has passed, with this setting.
struct Checked {
    url: String,
    allow_private: bool,
    uri: Uri,
}

impl Clone for Last {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Last {
    fn uri(&self, outgoing: &Outgoing) -> Result<Uri, SendError> {
        let Outgoing { url, allow_private, .. } = outgoing;
        if let Some(checked) = &*self.lock()
            && (&checked.url, &checked.allow_private) == (url, allow_private)
        {
            return Ok(checked.uri.clone());
        }
        let parsed = guard::parse(url, *allow_private)?;
        let uri = Uri::try_from(parsed.as_str()).map_err(|_| Refusal::NotAUrl)?;
        let (url, allow_private) = (url.clone(), *allow_private);
        *self.lock() = Some(Checked { url, allow_private, uri: uri.clone() });
        Ok(uri)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Checked>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbound {
    /// With the operating system's resolver and certificates.
    pub fn new() -> Self {
        Self::with_resolver(Arc::new(SystemResolver))
    }

    /// With another resolver.
    pub fn with_resolver(resolver: Arc<dyn Resolve>) -> Self {
        let tls = tls::client_config();
        let pool = |allow_private| {
            let guard = Guard::new(resolver.clone(), allow_private);
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_MAX)
                .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
                .build(Dial::new(guard, tls.clone()))
        };
        Self { public: pool(false), private: pool(true), resolver, last: Last::default() }
    }

    /// Whether a request could go there now: [`guard::check_url`], and the addresses of the name.
    /// Nothing is connected to.
    ///
    /// # Errors
    /// [`SendError::Blocked`] or [`SendError::Unreachable`].
    pub async fn check(&self, url: &str, allow_private: bool) -> Result<(), SendError> {
        let url = guard::parse(url, allow_private)?;
        let host = url.host_str().ok_or(Refusal::NoHost)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let guard = Guard::new(self.resolver.clone(), allow_private);
        match guard.addresses(host, port).await {
            Ok(_) => Ok(()),
            Err(Unresolved::Refused(refusal)) => Err(refusal.into()),
            Err(error) => Err(SendError::Unreachable(error.to_string())),
        }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When no head of an answer came.
    pub async fn send(&self, outgoing: &Outgoing) -> Result<Answer, SendError> {
        let bound = outgoing.timeout;
        let deadline = Instant::now() + bound;
        let limit = outgoing.answer_bytes_max;
        let pool = if outgoing.allow_private { &self.private } else { &self.public };
        let request = request(outgoing, self.last.uri(outgoing)?)?;
        let answered = timeout_at(deadline, pool.request(request)).await;
        let answer =
            answered.map_err(|_| SendError::Timeout(bound))?.map_err(|error| why(&error))?;
        let (head, mut body) = answer.into_parts();
        let mut read = BytesMut::new();
        let whole = timeout_at(deadline, read_body(&mut body, &mut read, limit)).await;
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: read.freeze(),
            truncated: !whole.unwrap_or(false),
        })
    }
}

/// The request as it is sent, if it may be.
fn request(outgoing: &Outgoing, uri: Uri) -> Result<Request<Full<Bytes>>, SendError> {
    let mut request = Request::new(Full::new(outgoing.body.clone()));
    *request.method_mut() = outgoing.method.clone();
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for (name, value) in &outgoing.headers {
        // A line break in a value would begin another header.
        let value = HeaderValue::try_from(value).ok().filter(|_| !is_ours(name));
        let value = value.ok_or_else(|| Refusal::Header(name.to_string()))?;
        headers.insert(name.clone(), value);
    }
    Ok(request)
}

/// Headers that the connection itself writes.
fn is_ours(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
        header::PROXY_AUTHORIZATION,
    ]
    .contains(name)
}

/// Reads a body to its end; false if it is longer than the limit or breaks off.
async fn read_body(body: &mut Incoming, read: &mut BytesMut, limit: usize) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else { continue };
        let room = limit - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return false;
        }
    }
    true
}

/// What a failed request means.
fn why(error: &ClientError) -> SendError {
    if let Some(refusal) = refusal(error) {
        return SendError::Blocked(refusal);
    }
    let text = chain(error);
    match error.is_connect() {
        true => SendError::Unreachable(text),
        false => SendError::Interrupted(text),
    }
}

/// The guard's refusal, if it was that.
fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Unresolved::Refused(refusal)) = error.downcast_ref() {
            return Some(refusal.clone());
        }
        cause = error.source();
    }
    None
}

/// An error with its causes, bounded.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.chars().take(WHY_CHARS_MAX).collect()
}

/// Opens connections: name, TCP and TLS within one bound.
#[derive(Clone)]
struct Dial(HttpsConnector<HttpConnector<Names>>);

impl Dial {
    fn new(guard: Guard, tls: rustls::ClientConfig) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Names(guard));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(TCP_MAX));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self(https)
    }
}

type BoxError = Box<dyn Error + Send + Sync>;
type Dialling<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Service<Uri> for Dial {
    type Response = <HttpsConnector<HttpConnector<Names>> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Dialling<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialling = self.0.call(uri);
        Box::pin(async move {
            let late = |_| format!("no connection within {CONNECT_MAX:?}");
            timeout(CONNECT_MAX, dialling).await.map_err(late)?
        })
    }
}

/// The guard, as the connector asks for addresses. It asks for names only: `guard::parse` has seen
/// the addresses in URLs before.
#[derive(Clone)]
struct Names(Guard);

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<std::net::SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.0.clone();
        // The connector puts the URL's port in the place of 0.
        Box::pin(async move { Ok(guard.addresses(name.as_str(), 0).await?.into_iter()) })
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
