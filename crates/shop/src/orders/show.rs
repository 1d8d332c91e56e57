//! Orders as they are shown.

use jiff::Timestamp;
use runout_core::ids::OrderId;
use runout_core::order::Status as Life;
use runout_core::stock::{Payment, Placed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::decimal;

/// An order, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderOut {
    #[schema(minimum = 1)]
    pub id: i64,
    /// What people quote: the id with a letter and leading zeros.
    #[schema(example = "R00000042")]
    pub number: String,
    /// Null: a guest's.
    pub account_id: Option<i64>,
    pub email: Option<String>,
    pub status: Status,
    #[schema(example = "EUR")]
    pub currency: String,
    /// What is to be paid, in minor units (cents): tax included, discount taken off.
    pub total_minor: i64,
    /// The same as a decimal number.
    #[schema(example = "39.80")]
    pub total: String,
    /// The tax that is contained in the total, and the total without it.
    pub tax_minor: i64,
    pub net_minor: i64,
    pub discount_code: Option<String>,
    pub discount_minor: i64,
    /// Money that has arrived, and that has gone back or is on its way.
    pub paid_minor: i64,
    pub refunded_minor: i64,
    /// Where the goods go, as the buyer gave it.
    #[schema(value_type = Option<Object>)]
    pub address: Option<serde_json::Value>,
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// Unpaid at this moment it gives its stock back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub payment_due_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paid_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cancelled_at: Option<Timestamp>,
    /// `customer`, `staff`, or `unpaid`.
    pub cancel_reason: Option<String>,
    pub lines: Vec<OrderLineOut>,
    pub payments: Vec<PaymentOut>,
    pub refunds: Vec<RefundOut>,
    pub fulfilments: Vec<FulfilmentOut>,
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
    /// Of these: units that have left, and of those units that came back.
    pub fulfilled: i64,
    pub returned: i64,
    pub unit_price_minor: i64,
    #[schema(example = "19.90")]
    pub unit_price: String,
    /// Unit price times quantity.
    pub total_minor: i64,
    /// Its part of the order's discount.
    pub discount_minor: i64,
    /// The tax contained in what remains, and its rate in parts per million.
    pub tax_minor: i64,
    pub tax_ppm: i64,
}

/// One attempt to pay an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentOut {
    pub id: i64,
    /// `manual` or `stripe`.
    pub gateway: String,
    /// `pending`, `authorised`, `succeeded`, `failed`, or `cancelled`.
    pub status: String,
    pub amount_minor: i64,
    pub received_minor: i64,
    pub currency: String,
    /// The provider's name for it.
    pub provider_id: Option<String>,
    /// What the buyer's browser needs to pay by card; told to whoever begins the payment, not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    pub failure: Option<String>,
}

impl From<&Payment> for PaymentOut {
    fn from(payment: &Payment) -> Self {
        Self {
            id: payment.id.0,
            gateway: payment.gateway.name().to_owned(),
            status: payment.status.name().to_owned(),
            amount_minor: payment.amount_minor,
            received_minor: payment.received_minor,
            currency: payment.currency.code().to_owned(),
            provider_id: payment.provider_id.clone(),
            client_secret: None,
            failure: payment.failure.clone(),
        }
    }
}

/// Money that went back or is on its way.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundOut {
    pub id: i64,
    pub payment_id: i64,
    pub amount_minor: i64,
    /// `pending`, `succeeded`, or `failed`.
    pub status: String,
    /// `requested`, `cancelled`, `too_late` (paid when the order had lapsed and its stock was
    /// gone), `mismatch` (another amount or currency than asked), or `excess` (paid twice).
    pub reason: String,
    pub note: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Units of an order that left together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Fulfilment)]
pub struct FulfilmentOut {
    pub id: i64,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub lines: Vec<FulfilmentLineOut>,
}

/// Units of one line, from one location.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = FulfilmentLine)]
pub struct FulfilmentLineOut {
    pub line_no: i64,
    pub location_id: i64,
    pub quantity: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OrderStatus)]
pub enum Status {
    Placed,
    Paid,
    Fulfilled,
    Closed,
    Cancelled,
    Refunded,
    Returned,
}

impl Status {
    /// As it is stored and sent.
    pub const ALL: &'static [&'static str] =
        &["placed", "paid", "fulfilled", "closed", "cancelled", "refunded", "returned"];
}

impl From<Life> for Status {
    fn from(status: Life) -> Self {
        match status {
            Life::Placed => Self::Placed,
            Life::Paid => Self::Paid,
            Life::Fulfilled => Self::Fulfilled,
            Life::Closed => Self::Closed,
            Life::Cancelled => Self::Cancelled,
            Life::Refunded => Self::Refunded,
            Life::Returned => Self::Returned,
        }
    }
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
            fulfilled: 0,
            returned: 0,
            unit_price_minor: line.unit_price_minor,
            unit_price: decimal(line.unit_price_minor, placed.currency),
            total_minor: line.goods_minor(),
            discount_minor: line.discount_minor,
            tax_minor: line.tax_minor,
            tax_ppm: line.tax_ppm,
        });
        let checkout = placed.checkout.as_deref();
        let discount = checkout.and_then(|checkout| checkout.discount.as_ref());
        let payment = checkout.and_then(|checkout| checkout.payment.as_ref());
        let email = checkout.and_then(|checkout| checkout.contact.email.as_ref());
        let address = checkout.and_then(|checkout| checkout.contact.address.as_deref());
        let is_paid = placed.status == Life::Paid;
        Self {
            id: placed.id.0,
            number: number(placed.id),
            account_id: placed.account.map(|account| account.0),
            email: email.map(|(email, _)| email.to_string()),
            status: placed.status.into(),
            currency: placed.currency.code().to_owned(),
            total_minor: placed.total_minor,
            total: decimal(placed.total_minor, placed.currency),
            tax_minor: placed.tax_minor,
            net_minor: placed.total_minor - placed.tax_minor,
            discount_code: discount.map(|discount| discount.code.to_string()),
            discount_minor: discount.map_or(0, |discount| discount.minor),
            paid_minor: 0,
            refunded_minor: 0,
            address: address.and_then(|json| serde_json::from_str(json).ok()),
            placed_at: placed.at,
            payment_due_at: placed.due_at,
            paid_at: is_paid.then_some(placed.at),
            cancelled_at: None,
            cancel_reason: None,
            lines: lines.collect(),
            payments: payment.map(PaymentOut::from).into_iter().collect(),
            refunds: Vec::new(),
            fulfilments: Vec::new(),
        }
    }
}
