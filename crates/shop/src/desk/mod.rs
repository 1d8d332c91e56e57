//! The owner's desk: the dashboard, the order desk, papers, imports, the audit trail, the proof.
//!
//! Owns `refusal_hour`, `import_run` and `verify_run`. What always holds:
//!
//! - Nothing here makes selling dearer: refusals are counted in process, orders are read through
//!   the index by time, and what was counted of past hours is kept in process.
//! - What happens to orders happens through the same functions as over the API.
//! - Every page asks for its permission; customers get none of them.

mod board;
pub(crate) mod chart;
mod commands;
mod dashboard;
mod deeds;
mod figures;
mod find;
pub(crate) mod format;
mod import;
mod import_pages;
pub(crate) mod jobs;
pub(crate) mod live;
mod order;
mod papers;
mod pdf;
mod proof;
mod pulse;
mod queries;
mod trail;

use axum::Router;

use crate::App;
use crate::platform::config::Http;

use live::Live;
use pulse::Pulse;

/// What of the desk is kept in process.
pub struct Desk {
    pulse: Pulse,
    live: Live,
    files: import::Files,
}

impl Desk {
    pub(crate) fn new(http: &Http) -> Self {
        Self {
            pulse: Pulse::default(),
            live: Live::new(http.header_read_timeout()),
            files: import::Files::default(),
        }
    }

    /// Ends what stays open by itself: the streams of dashboards. To be called when the server is
    /// to end, so that it does not wait for them.
    pub fn close(&self) {
        self.live.close();
    }
}

/// The pages of the desk.
pub(crate) fn pages() -> Router<App> {
    Router::new()
        .merge(dashboard::router())
        .merge(find::router())
        .merge(order::router())
        .merge(papers::router())
        .merge(import_pages::router())
        .merge(trail::router())
        .merge(proof::router())
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    [
        commands::STATEMENTS,
        commands::runs::STATEMENTS,
        queries::board::STATEMENTS,
        queries::orders::STATEMENTS,
        queries::runs::STATEMENTS,
        queries::trail::STATEMENTS,
    ]
    .concat()
}
