//! Signing up, withdrawing, cancelling. Looking at these addresses changes nothing: it shows a
//! button.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::LIST;
use crate::App;
use crate::accounts::SignedIn;
use crate::events::edit::{self, Editor, EventRefused};
use crate::events::model::Event;
use crate::events::{attend, queries};
use crate::pages::{Frame, local_path, see_other};
use crate::platform::command::Outcome;
use crate::platform::etag::IfMatch;
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;

#[derive(Template)]
#[template(path = "events/templates/confirm.html")]
struct Confirm<'a> {
    title: &'a str,
    event: &'a Event,
    /// What it means.
    lead: &'a str,
    action: String,
    button: &'a str,
    danger: bool,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(super) struct Back {
    back: Option<String>,
}

impl Back {
    fn go(&self) -> Response {
        see_other(self.back.as_deref().map_or(LIST, local_path))
    }
}

async fn event(app: &App, id: i64) -> Result<Event, Problem> {
    queries::find(app, id).await?.ok_or_else(|| Problem::not_found("event"))
}

pub(super) async fn ask_to_join(
    State(app): State<App>,
    frame: Frame,
    _: SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let event = &event(&app, id).await?;
    let (title, lead, button) = match event.summary.is_full() {
        true => (
            "Join the waiting list?",
            "This event is full. You are in as soon as it is your turn and somebody withdraws.",
            "Join the waiting list",
        ),
        false => ("Join this event?", "There is room for you.", "Join"),
    };
    let action = format!("/events/{id}/join");
    Ok(frame.page(title, &Confirm { title, event, lead, action, button, danger: false }))
}

pub(super) async fn join(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    attend::sign_up(&app, id, session.identity.account_id).await?;
    Ok(back.go())
}

pub(super) async fn ask_to_withdraw(
    State(app): State<App>,
    frame: Frame,
    _: SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let event = &event(&app, id).await?;
    let (title, button) = ("Withdraw from this event?", "Withdraw");
    let lead = "Your place goes to the first of the waiting list. You cannot take it back.";
    let action = format!("/events/{id}/withdraw");
    Ok(frame.page(title, &Confirm { title, event, lead, action, button, danger: false }))
}

pub(super) async fn withdraw(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    attend::withdraw(&app, id, session.identity.account_id).await?;
    Ok(back.go())
}

pub(super) async fn ask_to_cancel(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let event = &event(&app, id).await?;
    if !Editor::from(&session.identity).may(event.summary.organiser.id) {
        return Err(EventRefused::NotYours.into());
    }
    let (title, button) = ("Cancel this event?", "Cancel the event");
    let lead = "Nobody can sign up any more, and this cannot be undone.";
    let action = format!("/events/{id}/cancel");
    Ok(frame.page(title, &Confirm { title, event, lead, action, button, danger: true }))
}

pub(super) async fn cancel(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let editor = Editor::from(&session.identity);
    match edit::cancel(&app, editor.caller(None), editor, id, IfMatch::Any).await? {
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Ok(see_other(&format!("/events/{id}/"))),
    }
}
