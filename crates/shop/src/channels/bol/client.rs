//! Calls to bol.com, and what their answers mean.
//!
//! No secret reaches an error or a log: what is told of a failure is the status, the words of the
//! problem document, and why the connection failed.

use std::time::Duration;

use axum::http::Method;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use runout_core::channels::limiter::{Reset, Told};
use serde_json::{Value as Json, json};

use super::problem::Problem;
use super::shapes::{self, MalformedRow, Page, Parsed, Process, ProcessStatus};
use crate::channels::parcel::{Carriage, Parcel};
use crate::channels::provider::{Auth, Call, Came, Progress, Spoiled};
use crate::delivery::http::{Answer, Outbound, Outgoing};
use crate::platform::config::Channels;
use crate::platform::secret::Secret;

const V10: &str = "application/vnd.retailer.v10+json";
/// A page of fifty shipments has some tens of kilobytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A token that is told to live longer is bought anew all the same.
const TOKEN_LIFE_MAX: Duration = Duration::from_secs(86_400);

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Calls bol.com. Cheap to clone.
#[derive(Clone)]
pub(in crate::channels) struct Client {
    outbound: Outbound,
    api_url: String,
    login_url: String,
    /// Whether bol.com is somebody on this machine.
    is_local: bool,
    timeout: Duration,
    /// 409 says that a limit is reached, as 429 does.
    conflict_is_limit: bool,
}

impl Client {
    pub(in crate::channels) fn new(config: &Channels, timeout: Duration) -> Self {
        Self {
            outbound: Outbound::new(),
            api_url: config.bol_api_url.trim_end_matches('/').to_owned(),
            login_url: config.bol_login_url.trim_end_matches('/').to_owned(),
            is_local: config.is_bol_local(),
            timeout,
            conflict_is_limit: config.conflict_is_limit,
        }
    }

    /// Makes a call; never more than one request.
    pub(in crate::channels) async fn call(
        &self,
        call: &Call,
        auth: &Auth,
        now: Timestamp,
    ) -> (Told, Came) {
        match self.outbound.send(&self.outgoing(call, auth)).await {
            Ok(answer) => {
                (told(&answer, self.is_refusal(call, &answer), now), self.read(call, &answer))
            }
            Err(error) => {
                let sent = error.was_sent();
                (Told::default(), Came::Failed { problem: error.to_string(), sent })
            }
        }
    }

    fn outgoing(&self, call: &Call, auth: &Auth) -> Outgoing {
        let api = |path: String| format!("{}{path}", self.api_url);
        let (method, url, body) = match call {
            Call::Token => (
                Method::POST,
                format!("{}/token", self.login_url),
                Some((
                    "application/x-www-form-urlencoded",
                    "grant_type=client_credentials".to_owned(),
                )),
            ),
            Call::List(page) => {
                let (number, method) = (page.number, page.method.as_str());
                let query = format!("page={number}&fulfilment-method={method}");
                (Method::GET, api(format!("/retailer/shipments?{query}")), None)
            }
            Call::Detail { remote_id } => {
                (Method::GET, api(format!("/retailer/shipments/{}", escaped(remote_id))), None)
            }
            Call::Ship(parcel) => {
                let body = (V10, written(parcel).to_string());
                (Method::POST, api("/retailer/shipments".to_owned()), Some(body))
            }
            Call::Process { process_id } => {
                let path = format!("/shared/process-status/{}", escaped(process_id));
                (Method::GET, api(path), None)
            }
        };
        let mut outgoing = Outgoing::new(method, url, self.timeout);
        outgoing.allow_private = self.is_local;
        outgoing.answer_bytes_max = ANSWER_BYTES_MAX;
        let accept = if matches!(call, Call::Token) { "application/json" } else { V10 };
        outgoing.headers.push((ACCEPT, accept.to_owned()));
        outgoing.headers.push((AUTHORIZATION, authorization(auth)));
        if let Some((kind, text)) = body {
            outgoing.headers.push((CONTENT_TYPE, kind.to_owned()));
            outgoing.body = text.into();
        }
        outgoing
    }

    fn is_refusal(&self, call: &Call, answer: &Answer) -> bool {
        let limited = call.endpoint().is_some();
        limited && (answer.status == 429 || answer.status == 409 && self.conflict_is_limit)
    }

    fn read(&self, call: &Call, answer: &Answer) -> Came {
        if self.is_refusal(call, answer) {
            return Came::Refused;
        }
        let sent = true;
        match answer.status {
            200..=299 if answer.truncated => {
                Came::Failed { problem: "The answer was cut off.".to_owned(), sent }
            }
            200..=299 => taken(call, &answer.body),
            401 if matches!(call, Call::Token) => Came::Denied(problem(answer)),
            401 => Came::Unauthorised,
            403 => Came::Denied(problem(answer)),
            404 => Came::Missing,
            // Tokens: "invalid_client" comes as 400 from some servers.
            400 if matches!(call, Call::Token) => Came::Denied(problem(answer)),
            408 | 425 | 500.. => Came::Failed { problem: problem(answer), sent },
            300..=399 => Came::Failed { problem: problem(answer), sent },
            _ => Came::Invalid(problem(answer)),
        }
    }
}

/// What a success brings.
fn taken(call: &Call, body: &[u8]) -> Came {
    let failed = |problem: String| Came::Failed { problem, sent: true };
    let Ok(json) = serde_json::from_slice::<Json>(body) else {
        let problem = "The answer is not JSON.".to_owned();
        return match call {
            Call::Detail { .. } => {
                Came::Malformed { problem, raw: String::from_utf8_lossy(body).into_owned() }
            }
            _ => failed(problem),
        };
    };
    match call {
        Call::Token => token(&json),
        Call::List(_) => match shapes::page(&json) {
            Ok(page) => listed(page, &json),
            Err(malformed) => failed(malformed.to_string()),
        },
        Call::Detail { .. } => match shapes::shipment(&json) {
            Ok(Parsed { value, unknown }) => {
                Came::Detail { shipment: Box::new(value), unknown, raw: json }
            }
            Err(malformed) => {
                Came::Malformed { problem: malformed.to_string(), raw: json.to_string() }
            }
        },
        Call::Ship(_) | Call::Process { .. } => match shapes::process(&json) {
            Ok(process) => Came::Process(progress(process.value)),
            Err(malformed) => failed(malformed.to_string()),
        },
    }
}

/// A page, with what cannot be read of it. What has not even an id is reported like a field that
/// nobody knows: there is nothing that it could be kept under.
fn listed(page: Parsed<Page>, json: &Json) -> Came {
    let Parsed { value: page, mut unknown } = page;
    let mut spoiled = Vec::new();
    for MalformedRow { nth, id, why } in page.malformed {
        let problem = why.to_string();
        match id {
            Some(remote_id) => {
                let raw = json["shipments"][nth].to_string();
                spoiled.push(Spoiled { remote_id, problem, raw });
            }
            None => unknown.push(problem),
        }
    }
    Came::Page { entries: page.shipments, spoiled, unknown }
}

fn progress(process: Process) -> Progress {
    let process_id = process.id;
    match process.status {
        ProcessStatus::Pending => Progress::Pending { process_id },
        ProcessStatus::Success => Progress::Success { process_id, shipment_id: process.entity_id },
        ProcessStatus::Failure => {
            let error = process.error.or(process.description);
            let error = error.unwrap_or_else(|| "The provider gives no reason.".to_owned());
            Progress::Failure { process_id, error }
        }
        ProcessStatus::Timeout => Progress::Timeout { process_id },
    }
}

/// The status, and what the provider says of it.
fn problem(answer: &Answer) -> String {
    format!("{}: {}", answer.status, Problem::read(&answer.body).words())
}

fn token(json: &Json) -> Came {
    let text = json["access_token"].as_str().filter(|text| !text.is_empty());
    let lives = json["expires_in"].as_u64().map(Duration::from_secs);
    match (text, lives) {
        (Some(text), Some(lives)) => {
            Came::Token { token: Secret::new(text), lives: lives.min(TOKEN_LIFE_MAX) }
        }
        _ => {
            let problem = "The answer has no access_token, or no expires_in.".to_owned();
            Came::Failed { problem, sent: true }
        }
    }
}

/// What an answer tells of limits. A reset that is a moment is of the provider's clock: it counts
/// from the date of the same answer.
fn told(answer: &Answer, refused: bool, now: Timestamp) -> Told {
    let number = |name| answer.header(name).and_then(|text| text.trim().parse::<i64>().ok());
    let small = |name| number(name).and_then(|number| u32::try_from(number).ok());
    let date = answer.header(DATE).and_then(|text| httpdate::parse_http_date(text).ok());
    let date = date.and_then(|date| Timestamp::try_from(date).ok());
    let retry_after = answer.retry_after(date.unwrap_or(now));
    Told {
        limit: small(LIMIT),
        remaining: small(REMAINING),
        reset: number(RESET)
            .and_then(|field| Reset::read(field, date.map(|date| date.as_second()))),
        refused,
        retry_after_us: retry_after.and_then(|wait| i64::try_from(wait.as_micros()).ok()),
    }
}

fn authorization(auth: &Auth) -> String {
    match auth {
        Auth::Token(token) => format!("Bearer {}", token.expose()),
        Auth::Credentials(credentials) => {
            let pair = format!("{}:{}", credentials.client_id, credentials.secret.expose());
            format!("Basic {}", BASE64_STANDARD.encode(pair))
        }
    }
}

/// A segment of a path: ids are digits, but nobody promises that.
fn escaped(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}

fn written(parcel: &Parcel) -> Json {
    let item = |item: &crate::channels::parcel::ParcelItem| {
        let mut json = json!({ "orderItemId": item.order_item_id });
        if let Some(quantity) = item.quantity {
            json["quantity"] = quantity.into();
        }
        json
    };
    let mut json = json!({ "orderItems": parcel.items.iter().map(item).collect::<Vec<_>>() });
    if let Some(reference) = &parcel.reference {
        json["shipmentReference"] = reference.as_str().into();
    }
    match &parcel.carriage {
        Carriage::Label(label) => json["shippingLabelId"] = label.as_str().into(),
        Carriage::Transporter { code, track_and_trace } => {
            json["transport"] = json!({ "transporterCode": code });
            if let Some(track_and_trace) = track_and_trace {
                json["transport"]["trackAndTrace"] = track_and_trace.as_str().into();
            }
        }
    }
    json
}
