//! Stock levels, their ledger, and the one writer that decides every change of them.
//!
//! Owns `location`, `stock_level`, `stock_movement`; its batches also store orders (through
//! [`crate::orders::commands`]) and idempotency keys. A level is only ever changed by a batch, and
//! every change is a ledger row.

mod answers;
mod batch;
pub(crate) mod commands;
mod events;
mod store;
mod writer;

pub use answers::{LevelOut, Moved};
pub use writer::{Answer, Limits, StockWriter, Undecided};
