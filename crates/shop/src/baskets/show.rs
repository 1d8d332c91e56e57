//! Baskets as they are shown.

use jiff::{SignedDuration, Timestamp};
use runout_core::money::Currency;
use runout_core::stock::{BasketView, LineView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::orders::decimal;

/// A basket, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Basket)]
pub struct BasketOut {
    #[schema(minimum = 1)]
    pub id: i64,
    /// Opens a guest's basket (`Authorization: Basket TOKEN`); told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Null: a guest's.
    pub account_id: Option<i64>,
    /// `open`, `ordered`, or `merged` into its account's basket.
    pub status: String,
    /// What it became.
    pub order_id: Option<i64>,
    #[schema(example = "EUR")]
    pub currency: String,
    pub lines: Vec<BasketLineOut>,
    /// What the lines cost at the prices that were shown.
    pub goods_minor: i64,
    pub discount_code: Option<String>,
    /// What the code takes off, if it may be used at the checkout.
    pub discount_minor: i64,
    /// What is to be paid.
    pub total_minor: i64,
    #[schema(example = "39.80")]
    pub total: String,
    /// When the first of its holds lapses.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A line of a basket.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = BasketLine)]
pub struct BasketLineOut {
    pub variant_id: i64,
    pub sku: String,
    pub title: String,
    /// Empty for a product in one form only.
    pub variant_title: String,
    pub quantity: i64,
    /// Units that are held: all of them, or none when the hold has lapsed.
    pub held: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Seconds until then, rounded down.
    pub seconds_left: Option<i64>,
    /// Units that this basket could have of it now, its own included.
    pub available: i64,
    /// True if it holds nothing and there is too little left.
    pub short: bool,
    /// The price that was shown when the line was set; it is paid unless another one is confirmed.
    pub unit_price_minor: i64,
    #[schema(example = "19.90")]
    pub unit_price: String,
    /// What it costs now; null: it cannot be bought now.
    pub price_now_minor: Option<i64>,
    pub price_changed: bool,
    pub total_minor: i64,
}

impl BasketLineOut {
    pub(super) fn new(line: &LineView, currency: Currency, now: Timestamp) -> Self {
        let expires_at = line.expires_at.filter(|_| line.held > 0);
        let left = |at: Timestamp| at.duration_since(now).max(SignedDuration::ZERO).as_secs();
        Self {
            variant_id: line.variant.0,
            sku: line.sku.to_string(),
            title: line.title.to_string(),
            variant_title: line.variant_title.to_string(),
            quantity: line.quantity,
            held: line.held,
            expires_at,
            seconds_left: expires_at.map(left),
            available: line.available,
            short: line.held < line.quantity && line.available < line.quantity,
            unit_price_minor: line.unit_price_minor,
            unit_price: decimal(line.unit_price_minor, currency),
            price_now_minor: line.price_now_minor,
            price_changed: line.price_now_minor.is_some_and(|now| now != line.unit_price_minor),
            total_minor: line.unit_price_minor.saturating_mul(line.quantity),
        }
    }
}

/// A discount that a basket has, with what it takes off if it can be used.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub code: String,
    pub minor: i64,
}

impl BasketOut {
    pub(super) fn new(view: &BasketView, now: Timestamp, applied: Option<Applied>) -> Self {
        let lines: Vec<BasketLineOut> =
            view.lines.iter().map(|line| BasketLineOut::new(line, view.currency, now)).collect();
        let sum = |sum: i64, line: &BasketLineOut| sum.saturating_add(line.total_minor);
        let goods_minor = lines.iter().fold(0, sum);
        let discount_minor = applied.as_ref().map_or(0, |applied| applied.minor);
        let total_minor = goods_minor - discount_minor;
        Self {
            id: view.id.0,
            token: None,
            account_id: view.account.map(|account| account.0),
            status: view.status.name().to_owned(),
            order_id: view.order.map(|order| order.0),
            currency: view.currency.code().to_owned(),
            expires_at: lines.iter().filter_map(|line| line.expires_at).min(),
            lines,
            goods_minor,
            discount_code: applied.map(|applied| applied.code),
            discount_minor,
            total_minor,
            total: decimal(total_minor, view.currency),
        }
    }
}
