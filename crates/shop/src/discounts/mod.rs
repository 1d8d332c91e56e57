//! Discounts: codes that make an order cheaper, as the staff sets them up.
//!
//! Owns the tables `discount` and `discount_use`. What always holds:
//!
//! - A code is one code whatever the case, and is never given to two discounts.
//! - A discount takes off either a share of the goods or an amount of one currency.
//! - `uses` counts the orders that stand and used it, and `discount_use` names them. Both are
//!   changed in the stock writer's batches only, under the discount's lock, by the statements of
//!   [`commands`]; so a race cannot overspend a code.
//! - Discounts are not deleted, they are switched off: orders refer to them.

pub(crate) mod admin;
mod api;
pub mod commands;
pub mod input;
pub mod model;
pub mod queries;

use runout_store::Sql;

pub use api::router;

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
