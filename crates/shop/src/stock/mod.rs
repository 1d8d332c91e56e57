//! Stock levels, their ledger, and the one writer that decides every change of them.
//!
//! Owns `location`, `stock_level`, `stock_movement`; its batches also store orders (through
//! [`crate::orders::commands`]) and idempotency keys. A level is only ever changed by a batch, and
//! every change is a ledger row.

pub(crate) mod admin;
mod answers;
mod api;
mod batch;
pub(crate) mod commands;
mod events;
mod footprint;
mod intake;
mod load;
mod locations;
pub mod queries;
mod refusals;
mod store;
mod writer;

pub use answers::{LevelOut, Moved};
pub(crate) use api::refused;
pub use api::router;
pub use intake::Receiving;
pub use locations::Location;
pub use refusals::{Reason, Refusals, Refused, hour_of};
pub use writer::{Answer, Limits, StockWriter, Undecided};

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
