//! Making and editing events.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::form::{Fields, Wrong};
use super::{LIST, show};
use crate::App;
use crate::accounts::SignedIn;
use crate::events::edit::{self, Editor, EventRefused};
use crate::events::{input, queries};
use crate::pages::{Frame, see_other};
use crate::platform::command::Outcome;
use crate::platform::etag::IfMatch;
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::problem::Problem;

/// The fields, ready to stand in a page.
#[derive(Template)]
#[template(path = "events/templates/form.html")]
pub(super) struct FormView<'a> {
    pub(super) action: &'a str,
    pub(super) fields: &'a Fields,
    pub(super) wrong: &'a Wrong,
    pub(super) button: &'a str,
}

impl FormView<'_> {
    fn text<'b>(&self, value: &'b Option<String>) -> &'b str {
        value.as_deref().unwrap_or_default()
    }

    fn zone(&self) -> &str {
        self.fields.time_zone.as_deref().unwrap_or(input::TIME_ZONE_DEFAULT)
    }
}

#[derive(Template)]
#[template(path = "events/templates/new.html")]
struct NewPage<'a> {
    form: FormView<'a>,
}

fn page(frame: &Frame, fields: &Fields, wrong: &Wrong) -> Response {
    let form = FormView { action: "/events/", fields, wrong, button: "Create the event" };
    frame.page_with(status(wrong), "Create an event", &NewPage { form })
}

/// 200, or 422 with what was wrong.
pub(super) fn status(wrong: &Wrong) -> StatusCode {
    if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

pub(super) async fn new(frame: Frame, _: SignedIn) -> Response {
    page(&frame, &Fields::default(), &Wrong::default())
}

pub(super) async fn create(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let new = match fields.new_event() {
        Ok(new) => new,
        Err(wrong) => return Ok(page(&frame, &fields, &wrong)),
    };
    let editor = Editor::from(&session.identity);
    let caller = editor.caller(None);
    match edit::create(&app, caller, editor.account_id, new.details()).await? {
        Outcome::Refused(refused) => Ok(page(&frame, &fields, &Wrong::refused(refused)?)),
        _ => Ok(see_other(LIST)),
    }
}

pub(super) async fn save(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let event = queries::find(&app, id).await?.ok_or(EventRefused::NotFound)?;
    let editor = Editor::from(&session.identity);
    if !editor.may(event.summary.organiser.id) {
        return Err(EventRefused::NotYours.into());
    }
    let patch = match fields.patch(&event) {
        Ok(patch) => patch,
        Err(wrong) => return show::page(&app, &frame, event, Some((&fields, &wrong))).await,
    };
    // The predecessor's form has no version: the last one who saves is right.
    let seen = fields.version.map_or(IfMatch::Any, |version| IfMatch::OneOf(vec![version]));
    match edit::change(&app, editor.caller(None), editor, id, patch, seen).await? {
        Outcome::Refused(refused) => {
            let wrong = Wrong::refused(refused)?;
            show::page(&app, &frame, event, Some((&fields, &wrong))).await
        }
        _ => Ok(see_other(LIST)),
    }
}
