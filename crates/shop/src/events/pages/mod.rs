//! The pages of events, at the predecessor's addresses: everybody looks, whoever is logged in makes
//! events, signs up and withdraws.

mod act;
mod edit;
mod feed;
mod form;
mod list;
mod show;
mod when;

use axum::Router;
use axum::routing::get;

use self::act::Deed;
use crate::App;
use crate::pages::see_other;

/// Where the list is.
const LIST: &str = "/events/all";

/// The pages of events.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/events", get(|| async { see_other(LIST) }))
        .route("/events/all/", get(|| async { see_other(LIST) }))
        .route(LIST, get(list::all))
        .route("/events/mine", get(list::mine))
        .route("/events/calendar.ics", get(feed::upcoming))
        .route("/events/", get(edit::new).post(edit::create))
        .route("/events/{id}", get(show::with_slash))
        .route("/events/{id}/", get(show::show).post(edit::save))
        .route("/events/{id}/event.ics", get(feed::one))
        .route("/events/{id}/participants", get(show::participants))
        .route("/events/{id}/join", act::ask(Deed::Join).post(act::join))
        .route("/events/{id}/withdraw", act::ask(Deed::Withdraw).post(act::withdraw))
        .route("/events/{id}/cancel", act::ask(Deed::Cancel).post(act::cancel))
}
