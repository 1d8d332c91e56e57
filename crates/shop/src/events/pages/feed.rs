//! Calendars that other programs subscribe to.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::events::calendar::{TEXT_CALENDAR, calendar};
use crate::events::queries;
use crate::platform::cache::Scope;
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;

/// Events in the calendar of what comes.
const EVENTS_MAX: i64 = 500;

/// What is not over: the first [`EVENTS_MAX`].
pub(super) async fn upcoming(State(app): State<App>) -> Result<Response, Problem> {
    let write = async {
        let events = queries::upcoming(&app, app.clock.now(), EVENTS_MAX).await?;
        Ok(calendar(&app.shop.name, &events).into())
    };
    let asked = (Scope::Events, "events.ics", "");
    let body = app.answers.get(&app.db, &app.clock, asked, write).await?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, TEXT_CALENDAR)], body).into_response())
}

/// One event, to be taken into one's own calendar.
pub(super) async fn one(State(app): State<App>, PathId(id): PathId) -> Result<Response, Problem> {
    let found = queries::find(&app, id).await?;
    let event = found.ok_or_else(|| Problem::not_found("event"))?;
    let name = format!("attachment; filename=\"event-{id}.ics\"");
    let fields = [(CONTENT_TYPE, TEXT_CALENDAR.to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((StatusCode::OK, fields, calendar(&app.shop.name, &[event])).into_response())
}
