//! One event: for everybody, with the form for whoever may edit it, and its participants.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::edit::{FormView, status};
use super::form::{Fields, Wrong};
use super::list::{Row, Viewer, Way};
use crate::App;
use crate::accounts::SignedIn;
use crate::events::edit::{Editor, EventRefused};
use crate::events::model::Event;
use crate::events::queries::{self, Attendance, AttendanceState, PARTICIPANTS, Participant};
use crate::pages::{Frame, see_other};
use crate::platform::extract::PathId;
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

#[derive(Template)]
#[template(path = "events/templates/show.html")]
struct ShowPage<'a> {
    row: &'a Row,
    description: &'a str,
    own: Option<Attendance>,
    form: Option<FormView<'a>>,
    /// The viewer may let people in with tickets.
    has_door: bool,
}

impl ShowPage<'_> {
    /// Whoever acts here comes back here.
    fn back(&self) -> String {
        format!("?back=/events/{}/", self.row.event.id)
    }
}

/// The address without its slash leads to the event.
pub(super) async fn with_slash(PathId(id): PathId) -> Response {
    see_other(&format!("/events/{id}/"))
}

pub(super) async fn show(
    State(app): State<App>,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let event = queries::find(&app, id).await?.ok_or(EventRefused::NotFound)?;
    page(&app, &frame, event, None).await
}

/// The page of an event; `typed` is a form that was not accepted.
pub(super) async fn page(
    app: &App,
    frame: &Frame,
    event: Event,
    typed: Option<(&Fields, &Wrong)>,
) -> Result<Response, Problem> {
    let viewer = Viewer::new(app, frame);
    let id = event.summary.id;
    let own = match viewer.editor {
        Some(editor) => queries::attendance(app, id, editor.account_id).await?,
        None => None,
    };
    let row = viewer.row(event.summary.clone(), own.map(|own| own.state));
    let (as_it_is, nothing) = (Fields::of(&event), Wrong::default());
    let (fields, wrong) = typed.unwrap_or((&as_it_is, &nothing));
    let action = format!("/events/{id}/");
    let editable = row.own && event.summary.cancelled_at.is_none();
    let form = editable.then(|| FormView { action: &action, fields, wrong, button: "Save" });
    let description = event.description.as_str();
    let ticketed = event.summary.product_id.is_some();
    let has_door = ticketed && viewer.editor.is_some_and(|editor| editor.staff);
    let main = ShowPage { row: &row, description, own, form, has_door };
    Ok(frame.page_with(status(wrong), &event.summary.title, &main))
}

#[derive(Template)]
#[template(path = "events/templates/participants.html")]
struct ParticipantsPage {
    event: Event,
    participants: Vec<Participant>,
    next: Option<String>,
}

/// Who signed up, for the organiser and staff.
pub(super) async fn participants(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&PARTICIPANTS, &uri)?;
    let event = queries::find(&app, id).await?.ok_or(EventRefused::NotFound)?;
    if !Editor::from(&session.identity).may(event.summary.organiser.id) {
        return Err(EventRefused::NotYours.into());
    }
    let page = queries::participants(&app, id, &request).await?;
    let (participants, next) = (page.items, page.next);
    Ok(frame.page("Participants", &ParticipantsPage { event, participants, next }))
}
