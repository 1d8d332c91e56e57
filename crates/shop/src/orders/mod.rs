//! Orders: placed all or nothing, at the prices and titles of the moment, and what becomes of them.
//!
//! Owns `orders`, `order_line`, `allocation`, `payment`, `refund`, `fulfilment` and its lines; they
//! are written by the stock writer's batches only. A customer reaches their own orders, a guest the
//! one that their basket became, staff all.

mod act_api;
mod acts;
mod api;
pub(crate) mod commands;
pub mod jobs;
pub(crate) mod payments;
mod place;
pub mod queries;
mod refusals;
mod show;
pub(crate) mod store;
mod webhook_api;

use runout_core::money::{Currency, Money};

pub(crate) use api::parse_currency;
pub use api::{NewLine, NewOrder, router};
pub(crate) use place::{Done, core_key, remembered, resolve_one};
pub use place::{LineRef, PlaceRefused, cancel, place};
pub use refusals::{problem_of, undecided};
pub use show::{FulfilmentOut, OrderLineOut, OrderOut, PaymentOut, RefundOut, Status, number};

pub(crate) fn decimal(minor: i64, currency: Currency) -> String {
    Money { minor, currency }.to_string()
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    [commands::STATEMENTS, queries::STATEMENTS, payments::queries::STATEMENTS].concat()
}
