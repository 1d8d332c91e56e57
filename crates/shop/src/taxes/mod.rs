//! Taxes: which rate is contained in the price of a class of products, by country.
//!
//! Owns the table `tax_rate`. What always holds:
//!
//! - A class and a country have at most one rate; without one there is no tax.
//! - An order keeps the rates that it was placed under: later changes do not reach it.
//! - There are at most [`RATES_MAX`] rates: the stock writer reads them all.
//!
//! All rates are one entity to the outbox and the audit, number [`ENTITY_ID`]: they have no ids.

pub(crate) mod admin;
mod api;
pub mod commands;
pub mod queries;

use runout_store::Sql;

pub use api::router;

/// Rates that a shop may have.
pub const RATES_MAX: i64 = 5_000;
/// The number of all rates, as an entity.
pub const ENTITY_ID: i64 = 1;

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
