//! Dead letters: what could not be delivered, until a person has taken care of it.
//!
//! Owns `dead_letter`, with the engine, which writes letters and says what became of those that are
//! replayed. What always holds:
//!
//! - A letter that is being replayed has one delivery, which says which letter it replays.
//! - Replays of one thing are delivered in the order of their events.

mod api;
pub mod commands;
pub mod model;
pub mod queries;
mod refusals;
pub mod replay;

use runout_store::Sql;

pub(super) use api::router;

pub(super) fn statements() -> Vec<&'static Sql> {
    [commands::STATEMENTS, queries::STATEMENTS, replay::commands::STATEMENTS].concat()
}
