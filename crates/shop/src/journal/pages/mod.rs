//! The pages of the journal: everybody reads, whoever is logged in writes.

mod comments;
mod form;
mod list;
mod posts;
mod show;

use axum::Router;
use axum::routing::{get, post};

use crate::App;
use crate::accounts::Session;
use crate::journal::model::Viewer;
use crate::pages::{Frame, see_other};
use crate::platform::command::Caller;

/// Where the news are.
const LIST: &str = "/journal/";

/// The pages of the journal.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/journal", get(|| async { see_other(LIST) }))
        .route(LIST, get(list::news))
        .route("/journal/new", get(posts::new).post(posts::create))
        .route("/journal/{id}", get(show::with_slash))
        .route("/journal/{id}/", get(show::show))
        .route("/journal/{id}/edit", get(posts::edit).post(posts::save))
        .route("/journal/{id}/delete", get(posts::ask_to_delete).post(posts::delete))
        .route("/journal/{id}/comments", post(comments::create))
        .route("/journal/comments/{id}/edit", get(comments::edit).post(comments::save))
        .route("/journal/comments/{id}/delete", get(comments::ask_to_delete).post(comments::delete))
}

/// Whoever looks at a page.
fn viewer(frame: &Frame) -> Viewer {
    Viewer::from(frame.session.as_ref().map(|session| &session.identity))
}

/// Whoever posts a form.
fn caller(session: &Session) -> Caller {
    Caller { account_id: Some(session.identity.account_id), key: None }
}

/// Where a post is.
fn place(id: i64) -> String {
    format!("{LIST}{id}/")
}
