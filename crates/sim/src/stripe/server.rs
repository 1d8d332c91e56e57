//! HTTP: routes, keys, and the misfortunes on the way.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Method, Request, Response};
use serde_json::{Value, json};

use super::account::{Form, Refusal, refused};
use super::{Fault, Shared};

/// Longest form that is read.
const FORM_BYTES_MAX: usize = 64 << 10;
/// How long a silent answer stays silent.
const SILENCE: Duration = Duration::from_secs(120);
/// Bytes of an endless answer, sent in pieces of 64 KiB.
const ENDLESS_BYTES: usize = 64 << 20;

type Body = UnsyncBoxBody<Bytes, Cut>;

/// Ends the connection without (the rest of) an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// A request, taken apart.
struct Asked {
    method: Method,
    path: Vec<String>,
    form: Form,
    key: Option<String>,
    authorised: bool,
}

/// Answers one request, or cuts the connection.
pub(super) async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Cut> {
    let Some(asked) = read(request).await else {
        return Ok(answer(400, &json!({"error": {"type": "invalid_request_error"}})));
    };
    if asked.path == ["_ledger"] {
        let ledger = serde_json::to_value(shared.ledger()).expect("plain data");
        return Ok(answer(200, &ledger));
    }
    let fault = shared.fault(asked.method != Method::GET);
    if let Some(fault) = fault.filter(|fault| fault.is_before()) {
        return before(fault);
    }
    let (status, body) = perform(&shared, asked, fault);
    shared.send_events();
    after(fault, status, &body).await
}

async fn read(request: Request<Incoming>) -> Option<Asked> {
    let (parts, body) = request.into_parts();
    let bytes = Limited::new(body, FORM_BYTES_MAX).collect().await.ok()?.to_bytes();
    let text = match parts.method {
        Method::GET => parts.uri.query().unwrap_or_default().to_owned(),
        _ => String::from_utf8(bytes.to_vec()).ok()?,
    };
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let bearer = header("authorization").unwrap_or_default();
    let base = reqwest::Url::parse("http://form/").expect("a well-formed URL");
    let mut parsed = base;
    parsed.set_query(Some(&text));
    Some(Asked {
        path: parts.uri.path().trim_matches('/').split('/').map(str::to_owned).collect(),
        form: parsed.query_pairs().into_owned().collect(),
        key: header("idempotency-key"),
        authorised: bearer.starts_with("Bearer sk_") && header("stripe-version").is_some(),
        method: parts.method,
    })
}

fn before(fault: Fault) -> Result<Response<Body>, Cut> {
    match fault {
        Fault::TooMany => {
            let mut response = answer(429, &error("rate_limit", "Too many requests"));
            response.headers_mut().insert("retry-after", "0".parse().expect("a digit"));
            Ok(response)
        }
        Fault::InFlight => Ok(answer(409, &error("lock_timeout", "Under way"))),
        Fault::ErrorBefore => Ok(answer(500, &error("api_error", "Nothing was done"))),
        _ => Err(Cut),
    }
}

/// Does what is asked, once per key.
fn perform(shared: &Shared, asked: Asked, fault: Option<Fault>) -> (u16, Value) {
    if !asked.authorised {
        return (401, error("api_key_invalid", "No version, or no valid key"));
    }
    let mut inner = shared.inner();
    let fingerprint = format!("{} {:?} {:?}", asked.method, asked.path, asked.form);
    if let Some(key) = &asked.key
        && let Some((same, status, body)) = inner.keys.get(key)
    {
        return match *same == fingerprint {
            true => (*status, body.clone()),
            false => (400, error("idempotency_error", "The key came with another request")),
        };
    }
    let mut form = asked.form;
    match fault {
        Some(Fault::WrongAmount) => change(&mut form, "amount", |text| format!("{text}0")),
        Some(Fault::WrongCurrency) => change(&mut form, "currency", |_| "usd".to_owned()),
        _ => {}
    }
    let now = shared.clock.now().as_second();
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let (mut status, mut body) = match route(&mut inner.account, &asked.method, &path, &form, now) {
        Ok(object) => (200, object),
        Err(Refusal(status, refusal)) => (status, json!({"error": refusal})),
    };
    if fault == Some(Fault::ErrorAfter) {
        (status, body) = (500, error("api_error", "It was done all the same"));
    }
    // Stripe keeps what was executed, errors included; validation failures are not kept.
    if let Some(key) = asked.key.filter(|_| !matches!(status, 400 | 404)) {
        inner.keys.insert(key, (fingerprint, status, body.clone()));
    }
    (status, body)
}

fn change(form: &mut Form, name: &str, with: impl Fn(&str) -> String) {
    if let Some(text) = form.get_mut(name) {
        *text = with(text);
    }
}

fn route(
    account: &mut super::account::Account,
    method: &Method,
    path: &[&str],
    form: &Form,
    now: i64,
) -> Result<Value, Refusal> {
    match (method.as_str(), path) {
        ("POST", ["v1", "payment_intents"]) => account.create_intent(form, now),
        ("GET", ["v1", what @ ("payment_intents" | "refunds")]) => account.list(what, form),
        ("GET", ["v1", "payment_intents", id]) => account.intent(id),
        ("POST", ["v1", "payment_intents", id, "confirm"]) => account.confirm(id, form),
        ("POST", ["v1", "payment_intents", id, "capture"]) => account.capture(id),
        ("POST", ["v1", "payment_intents", id, "cancel"]) => account.cancel(id),
        ("POST", ["v1", "refunds"]) => account.refund(form, now),
        ("GET", ["v1", "refunds", id]) => account.found_refund(id),
        ("POST", ["v1", "customers"]) => Ok(account.create_customer(form)),
        ("GET", ["v1", "payment_methods", id]) => account.card(id),
        ("POST", ["v1", "payment_methods", id, "attach"]) => account.attach(id, form),
        ("POST", ["v1", "payment_methods", id, "detach"]) => account.detach(id),
        _ => Err(refused(404, "url_invalid", "Unrecognized request URL")),
    }
}

/// Sends the answer the way that the fault wants it.
async fn after(fault: Option<Fault>, status: u16, body: &Value) -> Result<Response<Body>, Cut> {
    let text = body.to_string();
    match fault {
        Some(Fault::CutAfter) => Err(Cut),
        Some(Fault::SilentAfter) => {
            tokio::time::sleep(SILENCE).await;
            Err(Cut)
        }
        Some(Fault::HalfAnswer) => {
            let half = text.as_bytes()[..text.len() / 2].to_vec();
            Ok(streamed(status, VecDeque::from([Some(half), None]), Duration::from_millis(5)))
        }
        Some(Fault::SlowAnswer(pause)) => {
            let pieces = text.as_bytes().chunks(16).map(|piece| Some(piece.to_vec()));
            Ok(streamed(status, pieces.collect(), pause))
        }
        Some(Fault::EndlessAnswer) => {
            let piece = vec![b' '; 64 << 10];
            let pieces = std::iter::repeat_n(Some(piece), ENDLESS_BYTES >> 16);
            Ok(streamed(status, pieces.collect(), Duration::ZERO))
        }
        Some(Fault::NotJson) => Ok(plain(status, "<html>All is well</html>".into())),
        _ => Ok(plain(status, text.into())),
    }
}

/// A body in pieces with pauses; a piece that is missing cuts the connection.
fn streamed(status: u16, pieces: VecDeque<Option<Vec<u8>>>, pause: Duration) -> Response<Body> {
    let frames = stream::unfold(pieces, move |mut pieces| async move {
        let piece = pieces.pop_front()?;
        tokio::time::sleep(pause).await;
        Some((piece.map(|bytes| Frame::data(bytes.into())).ok_or(Cut), pieces))
    });
    respond(status, StreamBody::new(frames).boxed_unsync())
}

fn plain(status: u16, bytes: Bytes) -> Response<Body> {
    respond(status, Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync())
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    plain(status, body.to_string().into())
}

fn respond(status: u16, body: Body) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body)
        .expect("a well-formed response")
}

fn error(code: &str, message: &str) -> Value {
    json!({"error": {"type": code, "code": code, "message": message}})
}
