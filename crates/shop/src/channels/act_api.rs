//! Acting on channels over HTTP: syncing, pausing, resuming, canceling, shipping.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Scope;
use super::api::found;
use super::commands::{self, Asking};
use super::input::NewParcel;
use super::model::{self, Channel, ChannelProcess};
use super::queries::{self, PROCESSES};
use crate::App;
use crate::accounts::{Identity, Verb};
use crate::catalog::tagged;
use crate::platform::answer::{answer, json};
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, PathIds, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sync_channel))
        .routes(routes!(pause_channel))
        .routes(routes!(resume_channel))
        .routes(routes!(cancel_sync))
        .routes(routes!(ship))
        .routes(routes!(list_processes))
        .routes(routes!(show_process))
}

/// What is to be synced.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::channels) struct SyncAsked {
    /// Everything once more, not only what is new.
    #[garde(skip)]
    #[schema(default = false)]
    full: bool,
}

async fn asked(
    app: &App,
    identity: &Identity,
    id: i64,
    asking: Asking,
    if_match: IfMatch,
    key: Option<String>,
) -> Result<Response, Problem> {
    let scope = Scope::of(identity, Verb::Change);
    let operation = format!("POST /api/v1/channels/{id}/{}", asking.as_str());
    let key = key.map(|key| Key::new(key, &operation, &()));
    let caller = Caller { account_id: Some(identity.account_id), key };
    let outcome = commands::ask(app, caller, scope, id, asking, if_match).await?;
    answer(outcome, |channel: Channel| tagged(StatusCode::ACCEPTED, channel.version, &channel))
}

/// Asks for a sync now. While one goes on this does nothing.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/sync", tag = "channels", request_body = SyncAsked,
    params(PathId, IdempotencyKey),
    responses((status = 202, body = Channel), Write), security(("token" = [])),
)]
async fn sync_channel(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(SyncAsked { full }): Valid<SyncAsked>,
) -> Result<Response, Problem> {
    let asking = if full { Asking::Full } else { Asking::Sync };
    asked(&app, &identity, id, asking, IfMatch::Any, key).await
}

/// Pauses a channel: its sync rests where it is. Again does nothing.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/pause", tag = "channels",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 202, body = Channel), Act), security(("token" = [])),
)]
async fn pause_channel(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    asked(&app, &identity, id, Asking::Pause, if_match, key).await
}

/// Resumes a channel that was paused, or whose credentials were refused: they are tried again.
/// Again does nothing.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/resume", tag = "channels",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 202, body = Channel), Act), security(("token" = [])),
)]
async fn resume_channel(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    asked(&app, &identity, id, Asking::Resume, if_match, key).await
}

/// Cancels the sync that goes on: what was stored stays.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/cancel", tag = "channels",
    params(PathId, IdempotencyKey),
    responses((status = 202, body = Channel), Act), security(("token" = [])),
)]
async fn cancel_sync(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    asked(&app, &identity, id, Asking::Cancel, IfMatch::Any, key).await
}

/// Ships something for an order that came from the channel. The provider is told soon; the process
/// says how far that is.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/shipments", tag = "channels", request_body = NewParcel,
    params(PathId, IdempotencyKey),
    responses((status = 202, body = ChannelProcess), Write), security(("token" = [])),
)]
async fn ship(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewParcel>,
) -> Result<Response, Problem> {
    let scope = Scope::of(&identity, Verb::Change);
    let operation = format!("POST /api/v1/channels/{id}/shipments");
    let key = key.map(|key| Key::new(key, &operation, &new));
    let caller = Caller { account_id: Some(identity.account_id), key };
    let outcome = commands::ship(&app, caller, scope, id, new).await?;
    answer(outcome, |process: ChannelProcess| json(StatusCode::ACCEPTED, &process))
}

/// What is shipped through a channel, the newest first.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/processes", tag = "channels",
    params(
        PathId,
        ListParams,
        ("state" = Option<model::ProcessState>, Query, description = "Only in this state."),
        ("order_id" = Option<String>, Query, description = "Only of this order."),
    ),
    responses((status = 200, body = Page<ChannelProcess>), Read), security(("token" = [])),
)]
async fn list_processes(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<Page<ChannelProcess>>, Problem> {
    let scope = Scope::of(&identity, Verb::View);
    let request = ListRequest::from_uri(&PROCESSES, &uri)?;
    found(&app, scope, id).await?;
    Ok(Json(queries::processes(&app, id, &request).await?))
}

/// One thing that is shipped through a channel.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/processes/{process_id}", tag = "channels",
    params(PathId, ("process_id" = i64, Path, minimum = 1)),
    responses((status = 200, body = ChannelProcess), Read), security(("token" = [])),
)]
async fn show_process(
    State(app): State<App>,
    identity: Identity,
    PathIds(ids): PathIds<2>,
) -> Result<Json<ChannelProcess>, Problem> {
    let [id, process_id] = ids;
    found(&app, Scope::of(&identity, Verb::View), id).await?;
    let process = queries::process(&app, id, process_id).await?;
    process.map(Json).ok_or_else(|| Problem::not_found("process"))
}
