//! One conversation with Stripe: a form is sent, JSON comes back; what fails on the way is repeated
//! under the same idempotency key, within bounds, and in the end classified.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::payments::gateway::{CODE_KEY, CODE_MISSING, GatewayError};
use crate::platform::secret::Secret;
use crate::platform::tls;

/// The version of Stripe's API whose shapes we read.
pub const API_VERSION: &str = "2024-06-20";
/// Longest answer that is read; Stripe's are some kilobytes, lists of 100 some hundred.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Longest text of the provider's that is passed on.
const TEXT_CHARS_MAX: usize = 300;
/// Connections kept open for the next request.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// Bounds of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// Of one attempt, from its first byte to the answer's last.
    pub attempt: Duration,
    /// Of the call with all its attempts; below the request timeout of our own server.
    pub deadline: Duration,
    pub attempts_max: u32,
    /// Before the second attempt; doubles from then on. The wait is chance below it.
    pub backoff_first: Duration,
    pub backoff_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(10),
            deadline: Duration::from_secs(25),
            attempts_max: 4,
            backoff_first: Duration::from_millis(300),
            backoff_max: Duration::from_secs(3),
        }
    }
}

/// What to ask.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    /// Below `/v1`; each segment on its own, so that no id can leave its place.
    path: Vec<String>,
    /// The form, or for GET the query.
    form: Vec<(String, String)>,
    key: Option<String>,
}

impl Call {
    pub(super) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: &[&str]) -> Self {
        Self::new(Method::POST, path)
    }

    fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|&segment| segment.to_owned()).collect();
        Self { method, path, form: Vec::new(), key: None }
    }

    /// Adds a field; nested ones are written `metadata[order_id]`.
    pub(super) fn field(mut self, name: &str, value: impl ToString) -> Self {
        self.form.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a field if there is a value.
    pub(super) fn field_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// The provider does what comes under one key once.
    pub(super) fn key(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }

    fn has_effect(&self) -> bool {
        self.method != Method::GET
    }
}

/// The provider's "no".
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub code: String,
    pub message: String,
    /// The payment that the refusal is about, as with declined cards.
    pub payment_intent: Option<Value>,
    status: StatusCode,
}

/// Why a call brought no object.
#[derive(Debug, Clone)]
pub(super) enum CallError {
    Refused(Refusal),
    Lost(GatewayError),
}

impl From<CallError> for GatewayError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(Refusal { code, message, .. }) => Self::Refused { code, message },
            CallError::Lost(error) => error,
        }
    }
}

/// How one attempt ended.
enum Attempt {
    Answered(Value),
    Refused(Refusal),
    /// Worth another attempt. `sent`: it may have happened.
    Failed {
        sent: bool,
        why: String,
        wait: Option<Duration>,
    },
    Senseless(String),
}

/// Speaks HTTP with Stripe.
#[derive(Debug)]
pub(super) struct Client {
    /// Without one (no certificates on this machine) nothing can be sent, and every call says why.
    http: Result<reqwest::Client, String>,
    base: Url,
    secret: Secret,
    limits: Limits,
}

impl Client {
    pub(super) fn new(base: &Url, secret: Secret, limits: Limits) -> Self {
        let http = http_client(base, &limits).map_err(|error| {
            let why = chain(&error);
            tracing::error!(error = why, "Stripe cannot be used");
            why
        });
        Self { http, base: base.clone(), secret, limits }
    }

    /// Makes the call, several times if need be.
    pub(super) async fn call(&self, call: &Call) -> Result<Value, CallError> {
        let http = match &self.http {
            Ok(http) => http,
            Err(why) => return Err(CallError::Lost(GatewayError::Unreachable(why.clone()))),
        };
        let deadline = Instant::now() + self.limits.deadline;
        let mut may_have_happened = false;
        for number in 1.. {
            let left = deadline.saturating_duration_since(Instant::now());
            let bound = left.min(self.limits.attempt);
            let (why, wait) = match self.attempt(http, call, bound).await {
                Attempt::Answered(answer) => return Ok(answer),
                // A key that was withdrawn in between says nothing about the attempt before.
                Attempt::Refused(refusal) if may_have_happened && refusal.is_about_us() => {
                    return Err(lost(true, refusal.message));
                }
                Attempt::Refused(refusal) => return Err(CallError::Refused(refusal)),
                Attempt::Senseless(why) => return Err(senseless(call, may_have_happened, why)),
                Attempt::Failed { sent, why, wait } => {
                    may_have_happened |= sent && call.has_effect();
                    (why, wait)
                }
            };
            let wait = wait.unwrap_or_else(|| self.backoff(number)).min(self.limits.backoff_max);
            let too_late = Instant::now() + wait >= deadline;
            tracing::warn!(attempt = number, path = call.path.join("/"), why, "Stripe call failed");
            if number >= self.limits.attempts_max || too_late {
                return Err(lost(may_have_happened, why));
            }
            tokio::time::sleep(wait).await;
        }
        unreachable!("the loop ends by its bound on attempts")
    }

    async fn attempt(&self, http: &reqwest::Client, call: &Call, bound: Duration) -> Attempt {
        let request = self.request(http, call).timeout(bound);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let sent = !error.is_connect() && !error.is_builder();
                return Attempt::Failed { sent, why: self.told(&chain(&error)), wait: None };
            }
        };
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let body = match read_body(response).await {
            Ok(Some(body)) => body,
            Ok(None) => return Attempt::Senseless("longer than can be right".to_owned()),
            Err(error) => {
                // Success is on the way, or an error that names no cause: either may have happened.
                return Attempt::Failed { sent: true, why: self.told(&chain(&error)), wait };
            }
        };
        self.judge(status, wait, &body)
    }

    fn request(&self, http: &reqwest::Client, call: &Call) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("http URLs have a path")
            .pop_if_empty()
            .push("v1")
            .extend(&call.path);
        if !call.has_effect() && !call.form.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.form);
        }
        let mut request = http
            .request(call.method.clone(), url)
            .bearer_auth(self.secret.expose())
            .header("Stripe-Version", API_VERSION);
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", key);
        }
        if call.has_effect() { request.form(&call.form) } else { request }
    }

    /// What a whole answer means.
    fn judge(&self, status: StatusCode, wait: Option<Duration>, body: &[u8]) -> Attempt {
        if status.is_success() {
            return match serde_json::from_slice(body) {
                Ok(answer) => Attempt::Answered(answer),
                Err(error) => Attempt::Senseless(format!("not JSON: {error}")),
            };
        }
        let refusal = self.refusal(status, body);
        let why = || format!("{status} {}: {}", refusal.code, refusal.message);
        match status {
            StatusCode::TOO_MANY_REQUESTS => Attempt::Failed { sent: false, why: why(), wait },
            // The first attempt under this key is still under way.
            StatusCode::CONFLICT => Attempt::Failed { sent: true, why: why(), wait },
            _ if status.is_server_error() => Attempt::Failed { sent: true, why: why(), wait },
            _ if status.is_client_error() => Attempt::Refused(refusal),
            _ => Attempt::Senseless(format!("status {status}")),
        }
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> Refusal {
        #[derive(Deserialize, Default)]
        struct Body {
            error: ErrorBody,
        }
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct ErrorBody {
            #[serde(rename = "type")]
            kind: Option<String>,
            code: Option<String>,
            message: Option<String>,
            payment_intent: Option<Value>,
        }
        let ErrorBody { kind, code, message, payment_intent } =
            serde_json::from_slice::<Body>(body).unwrap_or_default().error;
        let code = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CODE_KEY.to_owned(),
            StatusCode::NOT_FOUND => CODE_MISSING.to_owned(),
            _ => code.or(kind).unwrap_or_else(|| format!("status_{}", status.as_u16())),
        };
        let message = self.told(&message.unwrap_or_default());
        Refusal { code: self.told(&code), message, payment_intent, status }
    }

    /// Somebody else's text, bounded and without our key, whatever they put into it.
    fn told(&self, text: &str) -> String {
        let text = text.replace(self.secret.expose(), "[hidden]");
        text.chars().filter(|char| !char.is_control()).take(TEXT_CHARS_MAX).collect()
    }

    /// A chance wait, so that many who failed together do not come back together.
    fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self.limits.backoff_first.saturating_mul(1 << (attempt - 1).min(16));
        let most = doubled.min(self.limits.backoff_max);
        // Without randomness the longest wait is as good.
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        most.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
    }
}

impl Refusal {
    /// True if what was asked for does not go with the state that the payment is in: there it must
    /// be looked at.
    pub(super) fn is_about_state(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
    }

    /// True if it is our key or our pace that was refused, not what we asked for.
    fn is_about_us(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}

fn lost(may_have_happened: bool, why: String) -> CallError {
    CallError::Lost(match may_have_happened {
        true => GatewayError::Unknown(why),
        false => GatewayError::Unreachable(why),
    })
}

/// A senseless answer to a question changes nothing; to an order it leaves the outcome open.
fn senseless(call: &Call, may_have_happened: bool, why: String) -> CallError {
    match call.has_effect() || may_have_happened {
        true => CallError::Lost(GatewayError::Malformed(why)),
        false => CallError::Lost(GatewayError::Unreachable(why)),
    }
}

fn http_client(base: &Url, limits: &Limits) -> Result<reqwest::Client, reqwest::Error> {
    tls::install_provider();
    let builder = reqwest::Client::builder()
        .connect_timeout(limits.connect)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .user_agent(concat!("runout/", env!("CARGO_PKG_VERSION")));
    match base.scheme() {
        "https" => builder.https_only(true),
        // Without TLS the machine's certificates are not needed, and may be missing.
        _ => builder.tls_certs_only([]),
    }
    .build()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The body; none if it is too long.
async fn read_body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
