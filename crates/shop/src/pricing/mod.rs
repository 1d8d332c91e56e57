//! Pricing: what a variant costs, in which currency, from when on.
//!
//! Owns the table `price`. What always holds:
//!
//! - The price that counts at a moment is the one with the newest `effective_from` not after it,
//!   per variant and currency; at most one price begins at any moment.
//! - Prices are never altered. Only a price that does not count yet can be deleted, so that the
//!   history of prices stays.
//! - Amounts are whole minor units of an ISO 4217 currency, 0 to 10^12.

pub(crate) mod admin;
mod api;
mod commands;
mod price;
pub mod queries;

use runout_store::Sql;

pub use api::router;
pub(crate) use commands::ONE_PER_MOMENT;
pub use commands::{Price, PriceRefused, add, delete, store};
pub(crate) use price::decimal_text;
pub use price::{NewPrice, PriceSpec, PriceTag, sane_time, to_micros};

/// Records that a new price makes: an event and an audit row.
pub const RECORDS_PER_PRICE: i64 = 2;

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
