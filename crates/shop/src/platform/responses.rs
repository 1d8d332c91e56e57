//! The refusals that endpoints share, for the API's description.
//!
//! An endpoint names its success and one of these; schemathesis checks in CI that nothing else
//! comes.

use std::collections::BTreeMap;

use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{Content, Ref, RefOr, Response, Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::problem::{PROBLEM_JSON, ProblemSchema};

/// Refusals of a public read: bad query, wrong method, too many requests, busy.
pub struct PublicRead;
/// Refusals of a read that needs a token.
pub struct Read;
/// Refusals of a write that needs a token and has a JSON body.
pub struct Write;
/// Refusals of a write that needs a token and has no body.
pub struct Act;
/// A further refusal of what needs another system: that one fails.
pub struct BadGateway;

const PUBLIC_READ: &[u16] = &[400, 401, 404, 413, 429, 500, 503];
const READ: &[u16] = &[400, 401, 403, 404, 413, 429, 500, 503];
const WRITE: &[u16] = &[400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 500, 503];
const ACT: &[u16] = &[400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503];

impl IntoResponses for PublicRead {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(PUBLIC_READ)
    }
}

impl IntoResponses for Read {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(READ)
    }
}

impl IntoResponses for Write {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(WRITE)
    }
}

impl IntoResponses for Act {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(ACT)
    }
}

impl IntoResponses for BadGateway {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[502])
    }
}

fn problems(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    statuses.iter().map(|status| (status.to_string(), RefOr::T(problem(*status)))).collect()
}

fn problem(status: u16) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name(ProblemSchema::name()));
    let content = Content::new(Some(schema));
    ResponseBuilder::new().description(meaning(status)).content(PROBLEM_JSON, content).build()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is malformed or a value is not allowed; `errors` says where.",
        401 => "No token, or one that does not work (any more).",
        403 => "The account may not do this.",
        404 => "There is nothing here, or nothing that the account may see.",
        409 => "The state of things forbids it; `code` says how.",
        412 => "The resource has changed since: its ETag is not the one in If-Match.",
        413 => "The body is too large.",
        415 => "The body is not JSON.",
        422 => "The Idempotency-Key was used before with another request.",
        429 => "Too many requests; Retry-After says when to try again.",
        502 => "A system that this needs, such as the payment provider, does not work.",
        503 => "Busy, or the database cannot be reached; Retry-After says when to try again.",
        _ => "An error of the server; its log has the request's id.",
    }
}

/// The schema of a problem and those it refers to, to be registered once with the document.
pub fn problem_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(ProblemSchema::name().into_owned(), ProblemSchema::schema())];
    ProblemSchema::schemas(&mut schemas);
    schemas
}
