//! Channels over HTTP: their owners', and staff's.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Scope;
use super::commands::{self, NewSettings};
use super::input::{ChannelPatch, NewChannel};
use super::model::{self, Channel, SyncRun};
use super::progress::{self, ChannelProgress};
use super::queries::{self, CHANNELS, RUNS};
use super::setting;
use crate::App;
use crate::accounts::{Identity, Verb};
use crate::catalog::{located, tagged};
use crate::platform::answer::answer;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_channels, add_channel))
        .routes(routes!(show_channel, change_channel, delete_channel))
        .routes(routes!(show_progress))
        .routes(routes!(list_runs))
}

/// The channel, if whoever asks may know of it.
pub(super) async fn found(app: &App, scope: Scope, id: i64) -> Result<Channel, Problem> {
    let found = queries::find(app, scope, id).await?;
    found.ok_or_else(|| Problem::not_found("channel"))
}

/// Lists channels: one's own; staff see all.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "channels",
    params(
        ListParams,
        ("name" = Option<String>, Query, description = "Also with `__icontains` and others."),
        ("shop" = Option<String>, Query, description = "Also with `__icontains` and others."),
        ("state" = Option<model::ChannelState>, Query, description = "Only in this state."),
        ("provider" = Option<model::Provider>, Query, description = "Only of this one."),
    ),
    responses((status = 200, body = Page<Channel>), Read), security(("token" = [])),
)]
async fn list_channels(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
) -> Result<Json<Page<Channel>>, Problem> {
    let scope = Scope::of(&identity, Verb::View);
    let request = ListRequest::from_uri(&CHANNELS, &uri)?;
    Ok(Json(queries::page(&app, scope, &request).await?))
}

/// Adds a channel. Its credentials are verified with the provider first; if that does not answer
/// the channel is `unverified`.
///
/// Its first sync begins by itself, unless `sync_minutes` is null.
#[utoipa::path(
    post, path = "/api/v1/channels", tag = "channels", request_body = NewChannel,
    params(IdempotencyKey),
    responses((status = 201, body = Channel), Write), security(("token" = [])),
)]
async fn add_channel(
    State(app): State<App>,
    identity: Identity,
    ClientIp(client): ClientIp,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewChannel>,
) -> Result<Response, Problem> {
    let scope = Scope::of(&identity, Verb::Create);
    let key = key.map(|key| Key::new(key, "POST /api/v1/channels", &new.without_secret()));
    let caller = Caller { account_id: Some(identity.account_id), key };
    let owner = scope.owner().or(new.account_id.filter(|_| scope == Scope::Every));
    let new = NewSettings::new(new, owner, &app);
    let verified = setting::verified(&app, &caller, &new, client).await?;
    let outcome = commands::add(&app, caller, new, verified).await?;
    answer(outcome, |channel: Channel| {
        let response = tagged(StatusCode::CREATED, channel.version, &channel);
        located(response, "/api/v1/channels", channel.id)
    })
}

/// One channel.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}", tag = "channels",
    params(PathId),
    responses((status = 200, body = Channel), Read), security(("token" = [])),
)]
async fn show_channel(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let channel = found(&app, Scope::of(&identity, Verb::View), id).await?;
    Ok(tagged(StatusCode::OK, channel.version, &channel))
}

/// Changes a channel: absent fields stay, a value replaces.
///
/// New credentials are verified with the provider first, and take over from the former ones at
/// once.
#[utoipa::path(
    patch, path = "/api/v1/channels/{id}", tag = "channels", request_body = ChannelPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Channel), Write), security(("token" = [])),
)]
async fn change_channel(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    ClientIp(client): ClientIp,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<ChannelPatch>,
) -> Result<Response, Problem> {
    let scope = Scope::of(&identity, Verb::Change);
    let operation = format!("PATCH /api/v1/channels/{id}");
    let key = key.map(|key| Key::new(key, &operation, &patch.without_secret()));
    let caller = Caller { account_id: Some(identity.account_id), key };
    let outcome = setting::change(&app, caller, scope, id, patch, if_match, client).await?;
    answer(outcome, |channel: Channel| tagged(StatusCode::OK, channel.version, &channel))
}

/// Deletes a channel with its shipments and everything else that came of it.
#[utoipa::path(
    delete, path = "/api/v1/channels/{id}", tag = "channels",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_channel(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let scope = Scope::of(&identity, Verb::Delete);
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/channels", &id));
    let caller = Caller { account_id: Some(identity.account_id), key };
    let outcome = commands::delete(&app, caller, scope, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}

/// How far a channel is: its sync, what is left, what the provider allows.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/progress", tag = "channels",
    params(PathId),
    responses((status = 200, body = ChannelProgress), Read), security(("token" = [])),
)]
async fn show_progress(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Json<ChannelProgress>, Problem> {
    let channel = found(&app, Scope::of(&identity, Verb::View), id).await?;
    let progress = progress::progress(&app, &channel).await?;
    progress.map(Json).ok_or_else(|| Problem::not_found("channel"))
}

/// A channel's syncs, the newest first.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/runs", tag = "channels",
    params(
        PathId,
        ListParams,
        ("kind" = Option<model::RunKind>, Query, description = "Only of this kind."),
        ("state" = Option<model::RunState>, Query, description = "Only in this state."),
    ),
    responses((status = 200, body = Page<SyncRun>), Read), security(("token" = [])),
)]
async fn list_runs(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<Page<SyncRun>>, Problem> {
    let scope = Scope::of(&identity, Verb::View);
    let request = ListRequest::from_uri(&RUNS, &uri)?;
    found(&app, scope, id).await?;
    Ok(Json(queries::runs(&app, id, &request).await?))
}
