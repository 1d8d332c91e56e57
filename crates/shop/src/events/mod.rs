//! Events: what takes place, who comes, who waits, who was let in.
//!
//! Owns the tables `event`, `attendance` and `admission`. What always holds:
//!
//! - Sign-ups and withdrawals are decided by one writer, many per transaction, see
//!   [`runout_core::event`]: no more come than the capacity, nobody waits while there is room, the
//!   waiting list is served in its order.
//! - `attending` and `waiting` of an event are the numbers of its attendances. (`runout verify`)
//! - An event changes by its organiser and by staff alone; it is cancelled, never deleted.
//! - A ticket admits once.

mod api;
pub mod attend;
mod attendance_api;
mod batch;
mod calendar;
pub(crate) mod commands;
pub mod demo;
pub mod edit;
pub mod input;
pub mod list;
pub mod model;
pub(crate) mod pages;
pub mod queries;
mod refusals;
pub(crate) mod soon;
pub mod tickets;
mod writer;

use runout_store::Sql;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub use writer::EventWriter;

/// The capability's endpoints.
pub(crate) fn router() -> OpenApiRouter<App> {
    api::router().merge(tickets::router())
}

/// The capability's pages.
pub(crate) fn pages() -> axum::Router<App> {
    pages::router().merge(tickets::pages())
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static Sql> {
    let tickets = tickets::statements();
    [commands::STATEMENTS, queries::STATEMENTS, &tickets].concat()
}
