//! The Rindus demo API: its login, and what its lists and its writes have in common.
//!
//! Its lists gave everything. Here they are arrays of at most [`ROWS_MAX`] rows, and header fields
//! tell how to go on.

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Map;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::lea::{Stored, written};
use super::mattshop::{IssuedToken, Login, issue};
use super::sent::Sent;
use super::{rindus_comments, rindus_posts};
use crate::App;
use crate::journal::posts::JournalRefused;
use crate::platform::answer::{key_reused, replayed};
use crate::platform::command::Outcome;
use crate::platform::page::{ListRequest, Resource};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::request::ClientIp;
use crate::platform::responses::Write;

/// Rows of an array.
const ROWS_MAX: u32 = 1_000;
/// What the owner sees a token from here called.
const TOKEN_LABEL: &str = "api/auth-token";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(auth_token))
        .merge(rindus_posts::router())
        .merge(rindus_comments::router())
}

/// Rindus: exchanges username and password for a token.
///
/// Takes JSON or a form of either kind. Wrong or missing credentials are a 400.
#[utoipa::path(
    post, path = "/api/auth-token/", tag = "predecessors", operation_id = "rindus_auth_token",
    request_body(content(
        (Login = "application/json"), (Login = "application/x-www-form-urlencoded"),
        (Login = "multipart/form-data"),
    )),
    responses((status = 200, body = IssuedToken), Write), security(()),
)]
async fn auth_token(
    State(app): State<App>,
    ClientIp(client): ClientIp,
    sent: Sent,
) -> Result<Response, Problem> {
    issue(&app, &sent.read()?, TOKEN_LABEL, client).await
}

/// What each list takes beside its lookups, for the API's description.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; list_request reads the query")]
pub(super) struct RindusParams {
    /// Rows of the array.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
    /// The X-Next-Cursor of the answer before.
    cursor: Option<String>,
}

/// Reads the query of a list.
///
/// # Errors
/// 400 that names what is not allowed.
pub(super) fn list_request(resource: &'static Resource, uri: &Uri) -> Result<ListRequest, Problem> {
    let Query(mut pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
    let mut limit = ROWS_MAX;
    for (_, text) in pairs.extract_if(.., |(name, _)| name == "limit") {
        let given = text.parse().ok().filter(|limit| (1..=ROWS_MAX).contains(limit));
        limit = given.ok_or_else(|| {
            let detail = format!("limit must be a whole number from 1 to {ROWS_MAX}.");
            let error = FieldError::new("limit", "range", detail.clone());
            Problem::bad_request("invalid_limit", detail).errors(vec![error])
        })?;
    }
    Ok(ListRequest::from_pairs(resource, &pairs, &Map::new())?.with_limit(limit))
}

/// How a write ended: what was stored now, or the id of what an earlier request with the same key
/// had stored.
pub(super) enum Done<T> {
    Now(T),
    Before(i64),
}

/// # Errors
/// The refusal as a problem; 422 `idempotency_key_reused`.
pub(super) fn done<T>(outcome: Outcome<T, JournalRefused>) -> Result<Done<T>, Problem> {
    match outcome {
        Outcome::Accepted(thing) => Ok(Done::Now(thing)),
        Outcome::Replayed { body, .. } => Ok(Done::Before(Stored::read(&body)?.id)),
        Outcome::KeyReused => Err(key_reused()),
        Outcome::Refused(refused) => Err(refused.into()),
    }
}

/// The answer to a write.
pub(super) fn shown(status: StatusCode, thing: &impl Serialize, replayed: bool) -> Response {
    written(status, thing, replayed)
}

/// The answer to a deletion.
///
/// # Errors
/// As [`done`].
pub(super) fn deleted(outcome: Outcome<(), JournalRefused>) -> Result<Response, Problem> {
    match outcome {
        Outcome::Accepted(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Replayed { status, body } => Ok(replayed(status, body.get())),
        Outcome::KeyReused => Err(key_reused()),
        Outcome::Refused(refused) => Err(refused.into()),
    }
}
