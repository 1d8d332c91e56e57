//! The next events, for the shop's home page: the same for everybody, so it is kept ready.

use askama::Template;
use axum::http::Uri;
use bytes::Bytes;
use runout_store::Error;

use super::list::{self, EventsRequest};
use super::model::Summary;
use crate::App;
use crate::platform::cache::Scope;
use crate::platform::problem::Problem;

/// The next three that take place.
const NEXT: &str = "/?when=upcoming&cancelled_at__isnull=true&limit=3";

#[derive(Template)]
#[template(path = "events/templates/soon.html")]
struct Soon {
    events: Vec<Summary>,
}

/// A section of a page with the next three events; empty if there are none.
///
/// # Errors
/// The database's.
pub(crate) async fn section(app: &App) -> Result<Bytes, Problem> {
    let make = async {
        let request = EventsRequest::from_uri(&Uri::from_static(NEXT)).expect("a good query");
        let events = list::page(app, &request).await?.items;
        if events.is_empty() {
            return Ok(Bytes::new());
        }
        let html = Soon { events }.render();
        html.map(Bytes::from).map_err(|error| Error::Panicked(error.to_string()))
    };
    let asked = (Scope::Events, "page-soon", "");
    Ok(app.answers.get(&app.db, &app.clock, asked, make).await?)
}
