//! Destinations: whom changes are told to, as the staff sets them up.
//!
//! Owns `destination`, `destination_secret` and, with the engine, `destination_tally`. What always
//! holds:
//!
//! - There are at most [`DESTINATIONS_MAX`]: whoever hands events out reads them all.
//! - A password in an address is stored sealed where it is used, and shown, recorded and logged
//!   nowhere. So are the secrets.
//! - A destination that is deleted takes everything with it that waits for it.

pub mod address;
mod api;
pub mod commands;
pub mod input;
pub mod model;
pub mod queries;
mod refusals;
pub mod secrets;
mod secrets_api;
pub mod state;

use runout_store::Sql;
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::platform::seal::Place;

/// Where the sealed address of a destination lies.
pub(in crate::delivery) fn url_place(destination_id: i64) -> Place {
    Place::new("destination", "url", destination_id)
}

/// Destinations that a shop may have.
pub const DESTINATIONS_MAX: i64 = 200;

pub(super) fn router() -> OpenApiRouter<App> {
    api::router().merge(secrets_api::router())
}

pub(super) fn statements() -> Vec<&'static Sql> {
    [
        commands::STATEMENTS,
        queries::STATEMENTS,
        state::commands::STATEMENTS,
        secrets::commands::STATEMENTS,
        secrets::queries::STATEMENTS,
    ]
    .concat()
}
