//! Dead letters over HTTP: staff only.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::commands::{self, Discarding, LetterPatch};
use super::model::{DeadLetter, Details, LetterReason, LetterState};
use super::queries::{self, DEAD_LETTERS};
use super::replay::{Range, Replayed, commands as replay};
use crate::App;
use crate::accounts::{Staff, on, to};
use crate::catalog::tagged;
use crate::delivery::destinations;
use crate::platform::answer::{answer, json};
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, PathIds, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(in crate::delivery) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_dead_letters))
        .routes(routes!(show_dead_letter, edit_dead_letter))
        .routes(routes!(replay_dead_letter))
        .routes(routes!(replay_dead_letters))
        .routes(routes!(discard_dead_letter))
}

/// Lists what could not be delivered to a destination, newest first, in whatever state it is.
#[utoipa::path(
    get, path = "/api/v1/destinations/{id}/dead_letters", tag = "dead letters",
    params(
        PathId,
        ListParams,
        ("topic" = Option<String>, Query, description = "Only of this topic."),
        ("entity" = Option<String>, Query, description = "Only of this kind of thing."),
        ("entity_id" = Option<i64>, Query, description = "Only of the thing with this number."),
        ("reason" = Option<LetterReason>, Query, description = "Only given up for this reason."),
        ("state" = Option<LetterState>, Query, description = "Only in this state."),
        ("died_at" = Option<jiff::Timestamp>, Query, description = "Also `__gte`, `__lt` ..."),
    ),
    responses((status = 200, body = Page<DeadLetter>), Read), security(("token" = [])),
)]
async fn list_dead_letters(
    State(app): State<App>,
    _: Staff<on::Delivery, to::View>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let request = ListRequest::from_uri(&DEAD_LETTERS, &uri)?;
    let found = destinations::queries::find(&app, id).await?;
    found.ok_or_else(|| Problem::not_found("destination"))?;
    Ok(Json(queries::page(&app, id, &request).await?))
}

/// One dead letter, with its payload, the last request and the last answer.
#[utoipa::path(
    get, path = "/api/v1/dead_letters/{id}", tag = "dead letters",
    params(PathId),
    responses((status = 200, body = Details), Read), security(("token" = [])),
)]
async fn show_dead_letter(
    State(app): State<App>,
    _: Staff<on::Delivery, to::View>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let found = queries::find(&app, id).await?;
    let details = found.ok_or_else(|| Problem::not_found("dead letter"))?;
    Ok(shown(&details))
}

fn shown(details: &Details) -> Response {
    tagged(StatusCode::OK, details.letter.version, details)
}

/// Edits what a dead letter tells when it is replayed.
#[utoipa::path(
    patch, path = "/api/v1/dead_letters/{id}", tag = "dead letters", request_body = LetterPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Details), Write), security(("token" = [])),
)]
async fn edit_dead_letter(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<LetterPatch>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/dead_letters/{id}"), &patch));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::edit(&app, caller, id, patch, if_match).await?;
    answer(outcome, |details: Details| shown(&details))
}

/// Replays a dead letter: it is delivered again, behind what waits already.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/dead_letters/{letter_id}/replay", tag = "dead letters",
    params(
        PathId,
        ("letter_id" = i64, Path, minimum = 1),
        IfMatch, IdempotencyKey,
    ),
    responses((status = 202, body = DeadLetter), Act), security(("token" = [])),
)]
async fn replay_dead_letter(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    ids: PathIds<2>,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let PathIds([id, letter_id]) = ids;
    let operation = format!("POST /api/v1/destinations/{id}/dead_letters/{letter_id}/replay");
    let key = key.map(|key| Key::new(key, &operation, &()));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = replay::replay(&app, caller, id, letter_id, if_match).await?;
    answer(outcome, |letter: DeadLetter| tagged(StatusCode::ACCEPTED, letter.version, &letter))
}

/// Replays the dead letters of a destination that fit, the oldest first, at most a thousand.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/dead_letters/replay", tag = "dead letters",
    request_body = Range,
    params(PathId, IdempotencyKey),
    responses((status = 202, body = Replayed), Write), security(("token" = [])),
)]
async fn replay_dead_letters(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(range): Valid<Range>,
) -> Result<Response, Problem> {
    let operation = format!("POST /api/v1/destinations/{id}/dead_letters/replay");
    let key = key.map(|key| Key::new(key, &operation, &range));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = replay::replay_range(&app, caller, id, range).await?;
    answer(outcome, |replayed: Replayed| json(StatusCode::ACCEPTED, &replayed))
}

/// Discards a dead letter: it need not arrive, for the reason that the note gives.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/dead_letters/{letter_id}/discard", tag = "dead letters",
    request_body = Discarding,
    params(
        PathId,
        ("letter_id" = i64, Path, minimum = 1),
        IfMatch, IdempotencyKey,
    ),
    responses((status = 200, body = DeadLetter), Write), security(("token" = [])),
)]
async fn discard_dead_letter(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    ids: PathIds<2>,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(discarding): Valid<Discarding>,
) -> Result<Response, Problem> {
    let PathIds([id, letter_id]) = ids;
    let operation = format!("POST /api/v1/destinations/{id}/dead_letters/{letter_id}/discard");
    let key = key.map(|key| Key::new(key, &operation, &discarding));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::discard(&app, caller, id, letter_id, discarding, if_match).await?;
    answer(outcome, |letter: DeadLetter| tagged(StatusCode::OK, letter.version, &letter))
}
