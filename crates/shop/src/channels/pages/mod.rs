//! The back office's pages of channels: which there are, how far each is, and what to do.

mod form;
mod ship;
mod shipments;
mod show;

use askama::Template;
use axum::Router;
use axum::extract::{OriginalUri, Path, State};
use axum::response::Response;
use axum::routing::{get, post};

use super::access::Scope;
use super::commands::{self, Asking};
use super::model::{Channel, ChannelState};
use super::queries::{self, CHANNELS};
use crate::App;
use crate::accounts::{Capability, Session, StaffSession, Verb};
use crate::admin::table::settled;
use crate::pages::{Frame, see_other};
use crate::platform::command::Caller;
use crate::platform::etag::IfMatch;
use crate::platform::extract::{PathId, parse_id};
use crate::platform::form::{Form, Pairs};
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

/// The capability's pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/admin/channels/", get(list))
        .route("/admin/channels/new", get(form::new).post(form::create))
        .route("/admin/channels/{id}/", get(show::show))
        .route("/admin/channels/{id}/edit", get(form::edit).post(form::change))
        .route("/admin/channels/{id}/delete", get(confirm).post(delete))
        .route("/admin/channels/{id}/ship", get(ship::ask).post(ship::ship))
        .route("/admin/channels/{id}/{deed}", post(act))
        .route("/admin/shipments/", get(shipments::list))
        .route("/admin/shipments/{id}/", get(shipments::show))
}

/// A channel's state, in a class of the style sheet.
const fn class(state: ChannelState) -> &'static str {
    match state {
        ChannelState::Active => "good",
        ChannelState::Unverified | ChannelState::Paused => "warn",
        ChannelState::Refused => "bad",
    }
}

/// How often it is synced, in words.
fn schedule(channel: &Channel) -> String {
    match channel.sync_minutes {
        Some(1) => "every minute".to_owned(),
        Some(minutes) => format!("every {minutes} minutes"),
        None => "only when asked".to_owned(),
    }
}

fn caller(session: &Session) -> Caller {
    Caller { account_id: Some(session.identity.account_id), key: None }
}

/// One channel, for whoever may see it.
async fn found(app: &App, id: i64) -> Result<Channel, Problem> {
    super::api::found(app, Scope::Every, id).await
}

struct Line {
    id: i64,
    name: String,
    shop: String,
    provider: &'static str,
    state: &'static str,
    class: &'static str,
    reason: String,
    schedule: String,
}

impl From<Channel> for Line {
    fn from(channel: Channel) -> Self {
        Self {
            id: channel.id,
            schedule: schedule(&channel),
            provider: channel.provider.title(),
            state: channel.state.as_str(),
            class: class(channel.state),
            reason: channel.state_reason.unwrap_or_default(),
            name: channel.name,
            shop: channel.shop,
        }
    }
}

#[derive(Template)]
#[template(path = "channels/templates/channels.html")]
struct ListPage {
    lines: Vec<Line>,
    next: Option<String>,
    may_create: bool,
}

async fn list(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::View)?;
    let request = ListRequest::from_uri(&CHANNELS, &uri)?;
    let page = queries::page(&app, Scope::Every, &request).await?;
    let page = ListPage {
        lines: page.items.into_iter().map(Line::from).collect(),
        next: page.next,
        may_create: session.may(Capability::Channels, Verb::Create),
    };
    Ok(frame.page("Channels", &page))
}

/// Does what a button says.
async fn act(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    Path((id, deed)): Path<(String, String)>,
    Form(_): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Change)?;
    let id = parse_id(&id).ok_or_else(|| Problem::not_found("channel"))?;
    let asking = match deed.as_str() {
        "sync" => Asking::Sync,
        "full" => Asking::Full,
        "pause" => Asking::Pause,
        "resume" => Asking::Resume,
        "cancel" => Asking::Cancel,
        _ => return Err(Problem::not_found("thing to do")),
    };
    let caller = caller(&session);
    let outcome = commands::ask(&app, caller, Scope::Every, id, asking, IfMatch::Any).await?;
    settled(outcome, Problem::from)?;
    Ok(see_other(&format!("/admin/channels/{id}/?done={}", asking.as_str())))
}

#[derive(Template)]
#[template(path = "channels/templates/delete.html")]
struct DeletePage {
    id: i64,
    name: String,
}

async fn confirm(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Delete)?;
    let name = found(&app, id).await?.name;
    Ok(frame.page("Delete a channel", &DeletePage { id, name }))
}

async fn delete(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
    Form(_): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Delete)?;
    let caller = caller(&session);
    let outcome = commands::delete(&app, caller, Scope::Every, id, IfMatch::Any).await?;
    settled(outcome, Problem::from)?;
    Ok(see_other("/admin/channels/"))
}
