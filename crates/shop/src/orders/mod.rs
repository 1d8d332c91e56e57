//! Orders: placed all or nothing, at the prices and titles of the moment, and what becomes of them.
//!
//! Owns `orders`, `order_line`, `allocation`, `payment`, `refund`, `fulfilment` and its lines; they
//! are written by the stock writer's batches only, but for what [`erase`] forgets. A customer
//! reaches their own orders, a guest the one that their basket became, staff all.

mod act_api;
mod acts;
pub(crate) mod admin;
mod api;
pub(crate) mod commands;
pub(crate) mod erase;
pub mod jobs;
mod page_show;
mod pages;
pub(crate) mod payments;
mod place;
pub mod queries;
mod refusals;
mod show;
pub(crate) mod store;
mod webhook_api;

use runout_core::money::{Currency, Money};

pub(crate) use acts::{OrderActor, act, call_off, refund};
pub(crate) use api::parse_currency;
pub use api::{NewLine, NewOrder, router};
pub(crate) use pages::{opened, router as pages};
pub(crate) use payments::capture;
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
