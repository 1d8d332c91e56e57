//! Signing up, withdrawing, cancelling. Looking at these addresses changes nothing: it shows a
//! button.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
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

/// What one can do about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Join,
    Withdraw,
    /// For the organiser and staff alone.
    Cancel,
}

impl Deed {
    /// As it stands at the end of its address.
    const fn as_str(self) -> &'static str {
        match self {
            Deed::Join => "join",
            Deed::Withdraw => "withdraw",
            Deed::Cancel => "cancel",
        }
    }

    /// What is asked before, what it means, and what the button says.
    fn question(self, event: &Event) -> [&'static str; 3] {
        match self {
            Deed::Join if event.summary.is_full() => [
                "Join the waiting list?",
                "This event is full. You are in as soon as it is your turn and somebody withdraws.",
                "Join the waiting list",
            ],
            Deed::Join => ["Join this event?", "There is room for you.", "Join"],
            Deed::Withdraw => [
                "Withdraw from this event?",
                "Your place goes to the first of the waiting list. You cannot take it back.",
                "Withdraw",
            ],
            Deed::Cancel => [
                "Cancel this event?",
                "Nobody can sign up any more, and this cannot be undone.",
                "Cancel the event",
            ],
        }
    }
}

/// The page that asks before a deed is done.
pub(super) fn ask(deed: Deed) -> MethodRouter<App> {
    get(async move |State(app): State<App>, frame: Frame, signed_in: SignedIn, path: PathId| {
        asked(deed, &app, &frame, signed_in, path).await
    })
}

async fn asked(
    deed: Deed,
    app: &App,
    frame: &Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let event = &queries::find(app, id).await?.ok_or(EventRefused::NotFound)?;
    let may = Editor::from(&session.identity).may(event.summary.organiser.id);
    if deed == Deed::Cancel && !may {
        return Err(EventRefused::NotYours.into());
    }
    let [title, lead, button] = deed.question(event);
    let action = format!("/events/{id}/{}", deed.as_str());
    let danger = deed == Deed::Cancel;
    Ok(frame.page(title, &Confirm { title, event, lead, action, button, danger }))
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

pub(super) async fn withdraw(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    attend::withdraw(&app, id, session.identity.account_id).await?;
    Ok(back.go())
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
