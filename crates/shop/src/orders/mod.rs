//! Orders: placed all or nothing, at the prices and titles of the moment.
//!
//! Owns `orders`, `order_line` and `allocation`; they are written by the stock writer's batches
//! only. A customer reaches their own orders, staff all.

mod api;
pub(crate) mod commands;
mod place;
pub mod queries;
mod refusals;

use jiff::Timestamp;
use runout_core::ids::OrderId;
use runout_core::money::{Currency, Money};
use runout_core::stock::Placed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use api::{NewLine, NewOrder, router};
pub(crate) use place::core_key;
pub use place::{LineRef, PlaceRefused, cancel, place};
pub use refusals::{problem_of, undecided};

/// An order, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderOut {
    #[schema(minimum = 1)]
    pub id: i64,
    /// What people quote: the id with a letter and leading zeros.
    #[schema(example = "R00000042")]
    pub number: String,
    pub account_id: i64,
    pub status: Status,
    #[schema(example = "EUR")]
    pub currency: String,
    /// In minor units: cents.
    pub total_minor: i64,
    /// The same as a decimal number.
    #[schema(example = "39.80")]
    pub total: String,
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancelled_at: Option<Timestamp>,
    pub lines: Vec<OrderLineOut>,
}

/// A line of an order: titles and price are those of the moment of the order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderLine)]
pub struct OrderLineOut {
    pub line_no: i64,
    pub variant_id: i64,
    pub sku: String,
    pub title: String,
    /// Empty for a product in one form only.
    pub variant_title: String,
    pub quantity: i64,
    pub unit_price_minor: i64,
    #[schema(example = "19.90")]
    pub unit_price: String,
    pub total_minor: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OrderStatus)]
pub enum Status {
    Placed,
    Cancelled,
}

impl Status {
    /// As it is stored and sent.
    pub const ALL: &'static [&'static str] = &["placed", "cancelled"];
}

/// The number that people quote for an order.
pub fn number(id: OrderId) -> String {
    format!("R{:08}", id.0)
}

impl From<&Placed> for OrderOut {
    fn from(placed: &Placed) -> Self {
        let lines = (1..).zip(&placed.lines).map(|(line_no, line)| OrderLineOut {
            line_no,
            variant_id: line.variant.0,
            sku: line.sku.to_string(),
            title: line.title.to_string(),
            variant_title: line.variant_title.to_string(),
            quantity: line.quantity,
            unit_price_minor: line.unit_price_minor,
            unit_price: decimal(line.unit_price_minor, placed.currency),
            total_minor: line.unit_price_minor * line.quantity,
        });
        Self {
            id: placed.id.0,
            number: number(placed.id),
            account_id: placed.account.0,
            status: Status::Placed,
            currency: placed.currency.code().to_owned(),
            total_minor: placed.total_minor,
            total: decimal(placed.total_minor, placed.currency),
            placed_at: placed.at,
            cancelled_at: None,
            lines: lines.collect(),
        }
    }
}

pub(crate) fn decimal(minor: i64, currency: Currency) -> String {
    Money { minor, currency }.to_string()
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
