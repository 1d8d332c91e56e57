//! HTTP: what comes in, the way through token, limiter and misfortune, and what goes out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Method as Verb, Request, Response};
use serde_json::{Value, json};

use super::act::DownMode;
use super::answer::{Answer, V10, http_date, too_many};
use super::channel::{Channel, Denied};
use super::clock::moment;
use super::market::{Method, Name};
use super::options::{Endpoint, Settings};
use super::token::{Token, channel_of, client_secret};
use super::trouble::Fault;
use super::{Shared, UNPOISONED, control, ship};
use crate::chance::Chance;

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a silent answer stays silent: longer than any client waits.
const SILENCE: Duration = Duration::from_secs(600);

type Body = UnsyncBoxBody<Bytes, Cut>;

/// Ends the connection without (the rest of) an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// A request, taken apart.
pub(super) struct Asked {
    pub(super) verb: Verb,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
    accept: String,
    content_type: String,
    authorization: String,
}

impl Asked {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The path's parts.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.path.trim_matches('/').split('/').collect()
    }
}

/// A call that a limiter has admitted; it is under way until this is dropped, also when the client
/// goes away.
struct Call {
    shared: Arc<Shared>,
    channel: u32,
    endpoint: Endpoint,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.shared.channel(self.channel).end(self.endpoint);
    }
}

/// What comes of a request.
struct Outcome {
    answer: Answer,
    fault: Option<Fault>,
    call: Option<Call>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { answer, fault: None, call: None }
    }
}

/// Answers one request, or cuts the connection.
pub(super) async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Cut> {
    let Some(asked) = read(request).await else {
        let answer = Answer::problem(400, "Bad Request", "The request cannot be read.");
        return Ok(plain(&shared, &answer));
    };
    if asked.path.starts_with("/_") {
        return Ok(plain(&shared, &control::answer(&shared, &asked)));
    }
    let settings = shared.settings();
    let [there_us, back_us] = shared.delays(&settings.delay);
    shared.clock.sleep(there_us).await;
    if let Some(mode) = shared.down() {
        shared.strangers().while_down += 1;
        return match mode {
            DownMode::Unavailable => {
                Ok(plain(&shared, &Answer::html(503, "Service Temporarily Unavailable")))
            }
            DownMode::Cut => Err(Cut),
        };
    }
    let Outcome { answer, fault, call } = decide(&shared, &settings, &asked);
    shared.clock.sleep(back_us).await;
    let sent = send(&shared, fault, &answer).await;
    drop(call);
    sent
}

async fn read(request: Request<Incoming>) -> Option<Asked> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.ok()?.to_bytes();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Some(Asked {
        query: pairs(parts.uri.query().unwrap_or_default()),
        path: parts.uri.path().to_owned(),
        body,
        accept: header("accept"),
        content_type: header("content-type"),
        authorization: header("authorization"),
        verb: parts.method,
    })
}

/// The fields of a form.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut url = reqwest::Url::parse("http://form/").expect("a well-formed URL");
    url.set_query(Some(text));
    url.query_pairs().into_owned().collect()
}

fn decide(shared: &Arc<Shared>, settings: &Settings, asked: &Asked) -> Outcome {
    let endpoint = match asked.parts()[..] {
        ["token"] if asked.verb == Verb::POST => return token(shared, settings, asked),
        ["retailer", "shipments"] if asked.verb == Verb::GET => Endpoint::List,
        ["retailer", "shipments"] if asked.verb == Verb::POST => Endpoint::Ship,
        ["retailer", "shipments", _] if asked.verb == Verb::GET => Endpoint::Detail,
        ["shared", "process-status", _] if asked.verb == Verb::GET => Endpoint::Process,
        ["token"] | ["retailer", "shipments", ..] | ["shared", "process-status", _] => {
            shared.strangers().malformed += 1;
            let words = "The method is not supported for the requested URL.";
            return Answer::problem(405, "Method Not Allowed", words).into();
        }
        _ => return Answer::not_found(&asked.path).into(),
    };
    call(shared, settings, asked, endpoint)
}

/// Sells a token for a client's credentials.
fn token(shared: &Shared, settings: &Settings, asked: &Asked) -> Outcome {
    let form = pairs(&String::from_utf8_lossy(&asked.body));
    let grant = asked.parameter("grant_type");
    let grant = grant.or_else(|| {
        form.iter().find(|(name, _)| name == "grant_type").map(|(_, value)| value.as_str())
    });
    if grant != Some("client_credentials") {
        shared.strangers().malformed += 1;
        return Answer::json(400, &json!({"error": "unsupported_grant_type"})).into();
    }
    let refused = json!({
        "error": "invalid_client", "error_description": "Bad client credentials",
    });
    let given = asked.authorization.strip_prefix("Basic ").unwrap_or_default();
    let given = BASE64_STANDARD.decode(given).ok().and_then(|text| String::from_utf8(text).ok());
    let given = given.unwrap_or_default();
    let (client, secret) = given.split_once(':').unwrap_or_default();
    let number = channel_of(shared.seed, client).filter(|n| (*n as usize) < shared.channels.len());
    let Some(number) = number else {
        shared.strangers().token_refused += 1;
        return Answer::json(401, &refused).into();
    };
    let mut channel = shared.channel(number);
    if channel.locked_out || secret != client_secret(shared.seed, number) {
        channel.counts.token_refused += 1;
        return Answer::json(401, &refused).into();
    }
    let access = channel.sell_token(shared.seed, settings, shared.clock.now_us());
    let nth = channel.counts.token_calls;
    let faults = &settings.faults;
    let met = faults.tokens_too.then(|| shared.fault(faults, [u64::from(number), 9, nth]));
    let body = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": settings.tokens.seconds,
        "scope": "RETAILER",
    });
    let fault = met.flatten();
    Outcome { answer: instead(fault).unwrap_or(Answer::json(200, &body)), fault, call: None }
}

/// A call with a token: the account it belongs to, the limiter, the misfortune, the answer.
fn call(shared: &Arc<Shared>, settings: &Settings, asked: &Asked, endpoint: Endpoint) -> Outcome {
    let bearer = asked.authorization.strip_prefix("Bearer ");
    let token = bearer.and_then(|text| Token::open(shared.seed, text));
    let token = token.filter(|token| (token.channel as usize) < shared.channels.len());
    let Some(token) = token else {
        shared.strangers().unauthorised += 1;
        return Answer::problem(401, "Unauthorized", "No token, or none of ours.").into();
    };
    let number = token.channel;
    let mut channel = shared.channel(number);
    // Under the lock, so that one account's moments never go back.
    let now_us = shared.clock.now_us();
    if let Err(denied) = channel.check(&token, now_us) {
        return refusal(denied, now_us).into();
    }
    if let Some(answer) = negotiate(asked, endpoint) {
        channel.counts.malformed += 1;
        return answer.into();
    }
    let token_us = u64::from(settings.tokens.seconds) * super::market::SECOND_US;
    let admitted = channel.admit(endpoint, now_us, token_us);
    let nth = channel.accepted(endpoint) + channel.refused(endpoint);
    let key = [u64::from(number), endpoint as u64, nth];
    let mut chance = Chance::of(shared.seed, &[&[202][..], &key].concat());
    let figures = channel.figures(endpoint, now_us);
    if !admitted {
        let answer = too_many(&figures, &settings.headers, settings.skew_ms, &mut chance);
        return answer.limited(&figures, &settings.headers, &mut chance).into();
    }
    let fault = shared.fault(&settings.faults, key);
    channel.failed_by(endpoint, fault);
    channel.catch_up(&shared.place(number), settings, now_us);
    let answer = match fault.filter(|fault| !fault.is_after()) {
        Some(_) => instead(fault).expect("an answer of its own"),
        None => perform(shared, settings, asked, (&mut channel, endpoint), fault, now_us),
    };
    drop(channel);
    let call = Call { shared: shared.clone(), channel: number, endpoint };
    let answer = answer.limited(&figures, &settings.headers, &mut chance);
    Outcome { answer, fault, call: Some(call) }
}

/// What a misfortune answers in place of what was asked.
fn instead(fault: Option<Fault>) -> Option<Answer> {
    match fault? {
        Fault::Error => {
            Some(Answer::problem(500, "Internal Server Error", "Something went wrong."))
        }
        Fault::Html => Some(Answer::html(502, "Bad Gateway")),
        Fault::Silence | Fault::Cut | Fault::Half => None,
    }
}

fn refusal(denied: Denied, now_us: u64) -> Answer {
    match denied {
        Denied::Expired { at_us } => {
            let words = format!(
                "JWT expired at {}. Current time: {}, a difference of {} milliseconds. Allowed \
                 clock skew: 1000 milliseconds.",
                moment(at_us),
                moment(now_us),
                (now_us - at_us) / 1_000,
            );
            Answer::problem(401, "Expired JWT", &words)
        }
        Denied::Revoked => Answer::problem(401, "Unauthorized", "The token was revoked."),
        Denied::Inactive => {
            let words = "Account is not active, access denied. Please contact partner services.";
            Answer::problem(403, "Forbidden", words)
        }
    }
}

/// Refuses what does not speak version 10.
fn negotiate(asked: &Asked, endpoint: Endpoint) -> Option<Answer> {
    let accepts = asked.accept.split(',').any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(V10))
    });
    if !accepts {
        let words = "Could not find acceptable representation.";
        return Some(Answer::problem(406, "Not Acceptable", words));
    }
    let posts = endpoint == Endpoint::Ship && !ship::is_v10(&asked.content_type);
    posts.then(|| {
        let words = format!("Content-Type '{}' is not supported.", asked.content_type);
        Answer::problem(415, "Unsupported Media Type", &words)
    })
}

/// Does what is asked of an account.
fn perform(
    shared: &Shared,
    settings: &Settings,
    asked: &Asked,
    (channel, endpoint): (&mut Channel, Endpoint),
    fault: Option<Fault>,
    now_us: u64,
) -> Answer {
    let parts = asked.parts();
    let last = parts.last().copied().unwrap_or_default();
    match endpoint {
        Endpoint::List => list(shared, settings, asked, channel, now_us),
        Endpoint::Detail => {
            let name = Name::of(last).filter(|name| name.channel == channel.number);
            let place = shared.place(channel.number);
            let found = name.and_then(|name| channel.find(place, name.index));
            let found = found.filter(|found| !found.is_ghost());
            let shown = found.as_ref().map(|found| (found.version(now_us), found.detail(now_us)));
            // A client that got no answer must ask again.
            if let Some(name) = name.filter(|_| fault.is_none())
                && name.index < channel.stock.count()
            {
                channel.serve(name.index, shown.as_ref().map(|(version, _)| *version));
            }
            match shown {
                Some((_, detail)) => Answer::v10(200, &detail),
                None => Answer::not_found(&asked.path),
            }
        }
        Endpoint::Ship => match ship::read(&asked.body) {
            Ok(posted) => channel.ship(shared.seed, settings, posted, now_us),
            Err(violations) => {
                channel.counts.malformed += 1;
                Answer::invalid(&asked.path, &violations)
            }
        },
        Endpoint::Process => match channel.process_status(last, now_us) {
            Some(shown) => Answer::v10(200, &shown),
            None => Answer::not_found(&asked.path),
        },
    }
}

/// A page of the list.
fn list(
    shared: &Shared,
    settings: &Settings,
    asked: &Asked,
    channel: &mut Channel,
    now_us: u64,
) -> Answer {
    let mut wrong = Vec::new();
    let method = match asked.parameter("fulfilment-method") {
        None | Some("FBR") => Method::Retailer,
        Some("FBB") => Method::Bol,
        Some(other) => {
            let reason =
                format!("Request contains invalid value(s): '{other}', allowed values: FBR, FBB.");
            wrong.push(("fulfilment-method", reason));
            Method::Retailer
        }
    };
    let page = asked.parameter("page").map_or(Ok(1), str::parse::<usize>);
    let page = page.ok().filter(|page| *page >= 1).unwrap_or_else(|| {
        wrong.push(("page", "must be greater than or equal to 1".to_owned()));
        1
    });
    if !wrong.is_empty() {
        channel.counts.malformed += 1;
        return Answer::invalid(&asked.path, &wrong);
    }
    let place = shared.place(channel.number);
    let key = [203, u64::from(channel.number), channel.accepted(Endpoint::List)];
    let mut chance = Chance::of(shared.seed, &key);
    if chance.happens(settings.arrivals.per_list_permille) {
        channel.arrive(&place, settings, now_us);
    }
    let rows = channel.stock.page(&place, method, page, now_us);
    let shown = rows.iter().filter_map(|(index, _)| Some(channel.find(place, *index)?.listed()));
    let shown: Vec<Value> = shown.collect();
    // An empty page comes in either of two ways.
    match shown.is_empty() && chance.happens(500) {
        true => Answer::v10(200, &json!({})),
        false => Answer::v10(200, &json!({"shipments": shown})),
    }
}

/// Sends the answer the way that the misfortune wants it.
async fn send(
    shared: &Shared,
    fault: Option<Fault>,
    answer: &Answer,
) -> Result<Response<Body>, Cut> {
    match fault {
        Some(Fault::Cut) => Err(Cut),
        Some(Fault::Silence) => {
            tokio::time::sleep(SILENCE).await;
            Err(Cut)
        }
        Some(Fault::Half) => {
            let half = answer.body.as_bytes()[..answer.body.len() / 2].to_vec();
            let pieces = [Ok(Frame::data(Bytes::from(half))), Err(Cut)];
            Ok(respond(shared, answer, StreamBody::new(stream::iter(pieces)).boxed_unsync()))
        }
        Some(Fault::Error | Fault::Html) | None => Ok(plain(shared, answer)),
    }
}

fn plain(shared: &Shared, answer: &Answer) -> Response<Body> {
    let body = Full::new(Bytes::from(answer.body.clone()));
    respond(shared, answer, body.map_err(|never: Infallible| match never {}).boxed_unsync())
}

fn respond(shared: &Shared, answer: &Answer, body: Body) -> Response<Body> {
    let skew_ms = shared.settings.read().expect(UNPOISONED).skew_ms;
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", answer.kind)
        .header("date", http_date(shared.clock.now_us(), skew_ms));
    for (name, value) in &answer.fields {
        response = response.header(*name, value);
    }
    response.body(body).expect("a well-formed response")
}
