//! The dashboard's page, and its stream of changes.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::board::Board;
use super::live::{self, Scene};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::pages::Frame;
use crate::platform::problem::Problem;

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/dashboard", get(page)).route("/admin/dashboard/events", get(events))
}

#[derive(Template)]
#[template(path = "desk/templates/dashboard.html")]
struct DashboardPage<'a> {
    nonce: &'a str,
    parts: &'a [(&'static str, String)],
}

async fn page(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::View)?;
    let board = Board::read(&app).await?;
    Ok(frame.page("Dashboard", &DashboardPage { nonce: &frame.nonce, parts: &board.parts }))
}

/// Changes of the dashboard, as they come.
async fn events(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    headers: axum::http::HeaderMap,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::View)?;
    Ok(live::stream(&app, Scene::Dashboard, headers)?.into_response())
}
