//! Destinations over HTTP: staff only.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input::{DestinationPatch, NewDestination};
use super::model::{Destination, DestinationStatus};
use super::queries::{self, DESTINATIONS};
use super::secrets::{self, Made, ShownSecret};
use super::state::commands::{self as state, TestSent};
use super::{commands, model};
use crate::App;
use crate::accounts::{Identity, Staff, on, to};
use crate::catalog::{located, tagged};
use crate::platform::answer::{answer, json};
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_destinations, add_destination))
        .routes(routes!(show_destination, change_destination, delete_destination))
        .routes(routes!(pause_destination))
        .routes(routes!(resume_destination))
        .routes(routes!(test_destination))
}

/// A destination that was added, with the secrets that sign its messages: shown this once, and not
/// when the request is repeated with its Idempotency-Key.
#[derive(Serialize, ToSchema)]
pub(in crate::delivery) struct AddedDestination {
    #[serde(flatten)]
    destination: Destination,
    /// The secret; of two, that of `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// Of `ed25519`: what the receiver verifies with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    public_key: Option<String>,
    /// All of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    secrets: Vec<ShownSecret>,
}

impl AddedDestination {
    fn new(destination: Destination, made: &[Made]) -> Self {
        let secrets: Vec<ShownSecret> = made.iter().map(Made::shown).collect();
        let public_key = secrets.iter().find_map(|secret| secret.public_key.clone());
        let secret = secrets.first().map(|secret| secret.secret.clone());
        Self { destination, secret, public_key, secrets }
    }
}

/// Marks an answer that holds a secret: nothing on the way may keep it.
pub(super) fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lists destinations.
#[utoipa::path(
    get, path = "/api/v1/destinations", tag = "destinations",
    params(
        ListParams,
        ("name" = Option<String>, Query, description = "Also with `__icontains` and others."),
        ("kind" = Option<model::DestinationKind>, Query, description = "Only of this kind."),
        ("state" = Option<model::DestinationState>, Query, description = "Only in this state."),
    ),
    responses((status = 200, body = Page<Destination>), Read), security(("token" = [])),
)]
async fn list_destinations(
    State(app): State<App>,
    _: Staff<on::Delivery, to::View>,
    uri: Uri,
) -> Result<Json<Page<Destination>>, Problem> {
    let request = ListRequest::from_uri(&DESTINATIONS, &uri)?;
    Ok(Json(queries::page(&app, &request).await?))
}

/// Adds a destination: from now on it hears of the changes that it asks for.
///
/// The answer shows the signing secret of a webhook, this once.
#[utoipa::path(
    post, path = "/api/v1/destinations", tag = "destinations", request_body = NewDestination,
    params(IdempotencyKey),
    responses((status = 201, body = AddedDestination), Write), security(("token" = [])),
)]
async fn add_destination(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Create>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewDestination>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/destinations", &new));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let settled = new.settled();
    let made = secrets::first(settled.signing)?;
    let outcome = commands::add(&app, caller, settled, made.clone()).await?;
    answer(outcome, |destination: Destination| {
        let (id, version) = (destination.id, destination.version);
        let added = AddedDestination::new(destination, &made);
        let response = tagged(StatusCode::CREATED, version, &added);
        not_stored(located(response, "/api/v1/destinations", id))
    })
}

/// One destination, and how it fares.
#[utoipa::path(
    get, path = "/api/v1/destinations/{id}", tag = "destinations",
    params(PathId),
    responses((status = 200, body = DestinationStatus), Read), security(("token" = [])),
)]
async fn show_destination(
    State(app): State<App>,
    _: Staff<on::Delivery, to::View>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let found = queries::status(&app, id).await?;
    let status = found.ok_or_else(|| Problem::not_found("destination"))?;
    Ok(tagged(StatusCode::OK, status.destination.version, &status))
}

/// Changes a destination: absent fields stay, a value replaces, `null` for `events` asks for all.
///
/// What waits already is delivered to the new address.
#[utoipa::path(
    patch, path = "/api/v1/destinations/{id}", tag = "destinations",
    request_body = DestinationPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Destination), Write), security(("token" = [])),
)]
async fn change_destination(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<DestinationPatch>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/destinations/{id}"), &patch));
    let caller = Caller { account_id: Some(staff.account_id), key };
    answer(commands::change(&app, caller, id, patch, if_match).await?, shown)
}

fn shown(destination: Destination) -> Response {
    tagged(StatusCode::OK, destination.version, &destination)
}

/// Deletes a destination with everything that waits for it, and its dead letters.
#[utoipa::path(
    delete, path = "/api/v1/destinations/{id}", tag = "destinations",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_destination(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Delete>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/destinations", &id));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::delete(&app, caller, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}

/// Whoever acts on a destination, without a body.
fn acting(staff: &Identity, key: Option<String>, id: i64, deed: &str) -> Caller {
    let operation = format!("POST /api/v1/destinations/{id}/{deed}");
    let key = key.map(|key| Key::new(key, &operation, &()));
    Caller { account_id: Some(staff.account_id), key }
}

/// Pauses a destination: what it asks for is kept for it. Again does nothing.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/pause", tag = "destinations",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Destination), Act), security(("token" = [])),
)]
async fn pause_destination(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let caller = acting(&staff, key, id, "pause");
    answer(state::pause(&app, caller, id, if_match).await?, shown)
}

/// Resumes a destination that was paused or disabled. Again does nothing.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/resume", tag = "destinations",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Destination), Act), security(("token" = [])),
)]
async fn resume_destination(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let caller = acting(&staff, key, id, "resume");
    answer(state::resume(&app, caller, id, if_match).await?, shown)
}

/// Sends a destination an event of the topic `destination.test`, which no other one gets.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/test", tag = "destinations",
    params(PathId, IdempotencyKey),
    responses((status = 202, body = TestSent), Act), security(("token" = [])),
)]
async fn test_destination(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let caller = acting(&staff, key, id, "test");
    let outcome = state::test(&app, caller, id).await?;
    answer(outcome, |sent: TestSent| json(StatusCode::ACCEPTED, &sent))
}
