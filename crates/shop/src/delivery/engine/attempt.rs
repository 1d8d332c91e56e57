//! One attempt: what is sent, and what the answer means.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, header};
use jiff::Timestamp;
use runout_core::delivery::{Verdict, verdict};

use super::amqp_link::Link;
use super::mirror;
use super::settle::Record;
use super::target::{Kind, Target};
use super::window::{Delivery, Failures, Thing};
use crate::App;
use crate::delivery::envelope;
use crate::delivery::http::{Answer, Outbound, Outgoing, SendError};
use crate::delivery::signing::sign;

/// Longest body of a request or an answer that is kept with a dead letter, in bytes.
const KEPT_BYTES_MAX: usize = 8 << 10;

/// What attempts of one destination share.
pub(super) struct Line {
    pub app: App,
    pub target: Target,
    pub outbound: Outbound,
    pub link: Link,
    pub claims: mirror::Claims,
    /// Until an answer must have come.
    pub timeout: Duration,
}

/// What an attempt is to deliver.
pub(super) struct Job {
    /// Tells it from earlier attempts for the same thing.
    pub turn: u64,
    /// In which its lane was held when it began.
    pub epoch: Option<i64>,
    pub thing: Thing,
    /// What waits of the thing, oldest first; a webhook takes the first.
    pub deliveries: Vec<Arc<Delivery>>,
    pub failures: Failures,
    /// It waited when this worker began: whoever had it before may have sent it.
    pub inherited: bool,
}

/// How it went.
pub(super) struct Attempted {
    /// How many of the deliveries it was about.
    pub covered: usize,
    pub came: Came,
    /// What the remote calls the thing from now on.
    pub record: Option<Record>,
}

/// What came of it.
pub(super) enum Came {
    Delivered,
    Failed(Failure),
    /// Another thing first. `missing`: it has no delivery of its own, and needs one.
    NotYet {
        missing: Option<Thing>,
    },
}

/// Why it was not delivered.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub kind: FailureKind,
    pub status: Option<u16>,
    pub error: String,
    /// The receiver asked for this pause.
    pub after: Option<Duration>,
    /// It may have been carried out all the same.
    pub in_doubt: bool,
    /// Without secrets.
    pub request: String,
    pub response: Option<String>,
}

impl Failure {
    /// An assertion failed on the way: the log has it.
    pub(super) fn unforeseen() -> Self {
        Self {
            kind: FailureKind::Unsendable,
            status: None,
            error: "it could not be sent, for a reason that nobody has foreseen".to_owned(),
            after: None,
            in_doubt: true,
            request: String::new(),
            response: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The receiver did not answer, or said that it is broken.
    Unwell,
    /// The receiver has too much to do.
    Overloaded,
    /// It will never work.
    Refused,
    /// The receiver wants nothing any more.
    Gone,
    /// It could not even be sent.
    Unsendable,
}

impl Attempted {
    pub(super) fn delivered(covered: usize, record: Option<Record>) -> Self {
        Self { covered, came: Came::Delivered, record }
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self { covered: 1, came: Came::Failed(failure), record: None }
    }
}

/// Makes the attempt. What a mirror's needs is many times as large as a webhook's, and every
/// attempt is moved into a task: so those lie elsewhere.
pub(super) async fn make(line: Arc<Line>, job: Arc<Job>) -> Attempted {
    match line.target.kind {
        Kind::Webhook => webhook(&line, &job.deliveries[0]).await,
        Kind::Amqp => Box::pin(line.link.publish(&line, &job.deliveries[0])).await,
        Kind::Rest => Box::pin(mirror::bring_up_to_date(&line, &job)).await,
    }
}

/// The same for every attempt of the same state of the same thing.
pub(super) fn idempotency_key(target: &Target, delivery: &Delivery) -> String {
    let Thing { entity, id } = &delivery.thing;
    format!("{}-{entity}-{id}-{}", target.id, delivery.outbox_id)
}

async fn webhook(line: &Line, delivery: &Delivery) -> Attempted {
    let now = line.app.clock.now();
    let body = envelope::body(&delivery.topic, delivery.at, &delivery.payload);
    let id = envelope::event_id(delivery.outbox_id);
    let signature = sign(&line.target.signing(now), &id, now.as_second(), &body);
    let key = idempotency_key(&line.target, delivery);
    let mut outgoing = Outgoing::new(Method::POST, line.target.url.clone(), line.timeout);
    outgoing.headers = envelope::webhook_headers(id, &key, now, signature);
    outgoing.body = body;
    outgoing.allow_private = line.target.allow_private;
    match judge(line.outbound.send(&outgoing).await, &outgoing, now) {
        Ok(_) => Attempted::delivered(1, None),
        Err(failure) => Attempted::failed(failure),
    }
}

/// Reads an answer: the good ones come back.
pub(super) fn judge(
    answer: Result<Answer, SendError>,
    sent: &Outgoing,
    now: Timestamp,
) -> Result<Answer, Failure> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(unanswered(&error, sent)),
    };
    let kind = match verdict(answer.status) {
        Verdict::Delivered => return Ok(answer),
        Verdict::Later => FailureKind::Unwell,
        Verdict::Overloaded => FailureKind::Overloaded,
        Verdict::Refused => FailureKind::Refused,
        Verdict::Gone => FailureKind::Gone,
    };
    Err(Failure {
        kind,
        status: Some(answer.status),
        error: format!("answered {}", answer.status),
        after: answer.retry_after(now),
        // A server that fails may have done part of it.
        in_doubt: answer.status >= 500,
        request: describe(sent),
        response: Some(describe_answer(&answer)),
    })
}

fn unanswered(error: &SendError, sent: &Outgoing) -> Failure {
    let kind = match error {
        SendError::Blocked(_) => FailureKind::Unsendable,
        SendError::Unreachable(_) | SendError::Interrupted(_) => FailureKind::Unwell,
        SendError::Timeout(_) => FailureKind::Overloaded,
    };
    Failure {
        kind,
        status: None,
        error: error.to_string(),
        after: None,
        in_doubt: error.was_sent(),
        request: describe(sent),
        response: None,
    }
}

/// The head of an answer says yes, but what else it says was lost.
pub(super) fn cut_off(sent: &Outgoing, answer: &Answer) -> Failure {
    Failure {
        kind: FailureKind::Unwell,
        status: Some(answer.status),
        error: format!("answered {}, but the answer was cut off", answer.status),
        after: None,
        in_doubt: true,
        request: describe(sent),
        response: Some(describe_answer(answer)),
    }
}

/// A request as it is kept: without what proves that it came from us.
fn describe(sent: &Outgoing) -> String {
    let mut text = format!("{} {}\n", sent.method, sent.url);
    for (name, value) in &sent.headers {
        let secret = *name == envelope::WEBHOOK_SIGNATURE || *name == header::AUTHORIZATION;
        let value = if secret { "[not kept]" } else { value };
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push('\n');
    text.push_str(&kept(&sent.body));
    text
}

fn describe_answer(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    for (name, value) in &answer.headers {
        if name == header::SET_COOKIE {
            continue;
        }
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text.push('\n');
    text.push_str(&kept(&answer.body));
    text
}

/// The beginning of a body, as text that both databases take.
fn kept(body: &[u8]) -> String {
    let (beginning, cut) = match body.get(..KEPT_BYTES_MAX) {
        Some(beginning) if body.len() > KEPT_BYTES_MAX => (beginning, " [cut]"),
        _ => (body, ""),
    };
    format!("{}{cut}", String::from_utf8_lossy(beginning).replace('\0', "\u{fffd}"))
}
