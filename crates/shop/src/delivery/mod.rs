//! Changes that reach other systems: destinations, deliveries, dead letters.
//!
//! Owns `destination`, `destination_secret`, `destination_tally`, `dispatch`, `delivery`,
//! `delivery_retry`, `delivery_lane`, `delivery_node`, `dead_letter` and `remote_record`.
//!
//! What always holds:
//! - Every event of the outbox that a destination asks for becomes one delivery, and a delivery
//!   ends once: delivered, or as a dead letter. Until then it is a row.
//! - Deliveries of one thing reach a destination in the order of the commits; the next one goes out
//!   when what became of the one before is stored. What fails keeps only its own thing waiting.
//! - Only the holder of a lane's lease stores what became of its deliveries.

pub(crate) mod admin;
pub mod amqp;
pub(crate) mod board;
pub mod destinations;
pub mod engine;
pub mod envelope;
pub mod guard;
pub mod http;
pub mod letters;
pub mod live;
mod pages;
pub mod remote;
pub mod signing;
mod sql;
mod subscription;
pub mod sync;
pub mod topics;

use runout_store::Sql;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub use engine::{Settings, run};
pub(crate) use pages::router as pages;

/// The capability's endpoints.
pub(crate) fn router() -> OpenApiRouter<App> {
    destinations::router().merge(letters::router())
}

/// Every statement of the capability.
pub(crate) fn statements() -> Vec<&'static Sql> {
    let engine = [engine::statements(), sql::STATEMENTS.to_vec()].concat();
    let remote = remote::sql::STATEMENTS.to_vec();
    [engine, remote, destinations::statements(), letters::statements()].concat()
}
