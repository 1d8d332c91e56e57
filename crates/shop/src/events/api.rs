//! Events over HTTP.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::edit::{self, Editor};
use super::input::{EventPatch, NewEvent};
use super::list::{self, EventsRequest};
use super::model::{Event, Summary};
use super::{attendance_api, queries};
use crate::App;
use crate::accounts::Identity;
use crate::catalog::view::{ready_json, written};
use crate::catalog::{located, tagged};
use crate::platform::answer::answer;
use crate::platform::cache::Scope;
use crate::platform::command::Key;
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::Page;
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, PublicRead, Write};

/// The capability's endpoints.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_events, create_event))
        .routes(routes!(show_event, change_event))
        .routes(routes!(cancel_event))
        .merge(attendance_api::router())
}

/// The page that a request asks for, as JSON: kept ready, and never stale.
///
/// # Errors
/// 400 for a request that cannot be understood; the database's.
pub(super) async fn ready_list(app: &App, uri: &Uri) -> Result<Bytes, Problem> {
    let asked = (Scope::Events, "events", uri.query().unwrap_or_default());
    if let Some(ready) = app.answers.ready(&app.db, &app.clock, asked).await {
        return Ok(ready);
    }
    let request = EventsRequest::from_uri(uri)?;
    let page = async { Ok(written(&list::page(app, &request).await?)) };
    Ok(app.answers.get(&app.db, &app.clock, asked, page).await?)
}

/// Lists events: those that are not over, by their start; then those that are, newest first.
///
/// An event that goes on counts as upcoming.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100,
            description = "Rows of a page; 20 if absent."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
        ("when" = Option<String>, Query, pattern = "^(upcoming|past)$",
            description = "One part of the list only: `upcoming` or `past`."),
        ("q" = Option<String>, Query, max_length = 500,
            description = "Stands in the title or the venue, in any case."),
        ("organiser_id" = Option<i64>, Query, minimum = 1, description = "Also with lookups."),
        ("venue" = Option<String>, Query, description = "Also with lookups."),
        ("title" = Option<String>, Query, description = "Also with lookups."),
        ("starts_at__gte" = Option<jiff::Timestamp>, Query,
            description = "Begins then or later; other lookups, and `ends_at`, work too."),
        ("starts_at__lt" = Option<jiff::Timestamp>, Query, description = "Begins before."),
    ),
    responses((status = 200, body = Page<Summary>), PublicRead), security(()),
)]
async fn list_events(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Ok(ready_json(StatusCode::OK, ready_list(&app, &uri).await?))
}

/// Adds an event; whoever asks is its organiser.
#[utoipa::path(
    post, path = "/api/v1/events", tag = "events", request_body = NewEvent,
    params(IdempotencyKey),
    responses((status = 201, body = Event), Write), security(("token" = [])),
)]
async fn create_event(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewEvent>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/events", &new));
    let caller = Editor::from(&identity).caller(key);
    let outcome = edit::create(&app, caller, identity.account_id, new.details()).await?;
    answer(outcome, |event: Event| {
        let response = tagged(StatusCode::CREATED, event.version, &event);
        located(response, "/api/v1/events", event.summary.id)
    })
}

/// One event.
///
/// Its ETag grows with every change by its organiser or staff, not with sign-ups.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", tag = "events",
    params(PathId),
    responses((status = 200, body = Event), PublicRead), security(()),
)]
async fn show_event(State(app): State<App>, PathId(id): PathId) -> Result<Response, Problem> {
    let found = queries::find(&app, id).await?;
    let event = found.ok_or_else(|| Problem::not_found("event"))?;
    Ok(tagged(StatusCode::OK, event.version, &event))
}

/// Changes an event: its organiser, or staff. Absent fields stay.
///
/// With more room, the waiting list moves up in its order.
#[utoipa::path(
    patch, path = "/api/v1/events/{id}", tag = "events", request_body = EventPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Event), Write), security(("token" = [])),
)]
async fn change_event(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<EventPatch>,
) -> Result<Response, Problem> {
    let editor = Editor::from(&identity);
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/events/{id}"), &patch));
    let outcome = edit::change(&app, editor.caller(key), editor, id, patch, if_match).await?;
    answer(outcome, |event: Event| tagged(StatusCode::OK, event.version, &event))
}

/// Cancels an event: its organiser, or staff. Who would have come stays known.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/cancel", tag = "events",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Event), Act), security(("token" = [])),
)]
async fn cancel_event(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let editor = Editor::from(&identity);
    let key = key.map(|key| Key::new(key, "POST /api/v1/events/cancel", &id));
    let outcome = edit::cancel(&app, editor.caller(key), editor, id, if_match).await?;
    answer(outcome, |event: Event| tagged(StatusCode::OK, event.version, &event))
}
