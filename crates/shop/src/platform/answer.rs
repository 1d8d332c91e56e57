//! From a command's outcome to its response.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::command::Outcome;
use super::problem::Problem;

/// Stands beside an answer that an earlier request with the same key got.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Answers an outcome: `accepted` makes the response of what was done now; what was done before is
/// answered as it was then.
///
/// # Errors
/// The refusal as a problem; 422 `idempotency_key_reused`.
pub fn answer<A, R: Into<Problem>>(
    outcome: Outcome<A, R>,
    accepted: impl FnOnce(A) -> Response,
) -> Result<Response, Problem> {
    match outcome {
        Outcome::Accepted(done) => Ok(accepted(done)),
        Outcome::Replayed { status, body } => Ok(replayed(status, body.get())),
        Outcome::KeyReused => Err(key_reused()),
        Outcome::Refused(refused) => Err(refused.into()),
    }
}

/// 422: the Idempotency-Key came before with another request.
pub fn key_reused() -> Problem {
    let detail = "This Idempotency-Key was used before with another request. Use a new one.";
    Problem::unprocessable("idempotency_key_reused", detail)
}

/// A JSON response.
///
/// # Panics
/// When the value cannot be JSON: answers are plain data.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("answers are plain data");
    json_text(status, body.into())
}

/// An answer that was given before, as it was.
pub fn replayed(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = match status {
        StatusCode::NO_CONTENT => status.into_response(),
        _ => json_text(status, body.to_owned().into()),
    };
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}

fn json_text(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
