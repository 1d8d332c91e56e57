//! What is answered of shipments.

use jiff::Timestamp;
use runout_core::channels::Method;
use runout_core::money::{Currency, Money};
use runout_store::{Error, Result, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::channels::model::{ShipmentState, json, method, word};

/// A shipment in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShipmentSummary {
    #[schema(minimum = 1)]
    pub id: i64,
    #[schema(minimum = 1)]
    pub channel_id: i64,
    /// The provider's number of it.
    #[schema(example = "914587795")]
    pub remote_id: String,
    /// `FBR`: sent by the shop; `FBB`: by the provider.
    #[schema(value_type = String, example = "FBR")]
    pub method: Method,
    pub state: ShipmentState,
    /// Why it is quarantined.
    #[schema(required = true)]
    pub problem: Option<String>,
    #[schema(required = true)]
    pub shipped_at: Option<Timestamp>,
    #[schema(required = true)]
    pub reference: Option<String>,
    #[schema(required = true)]
    pub order_id: Option<String>,
    #[schema(required = true)]
    pub transporter_code: Option<String>,
    #[schema(required = true)]
    pub track_and_trace: Option<String>,
    /// The last that happened to it on its way.
    #[schema(required = true, example = "DELIVERED_AT_CUSTOMER")]
    pub last_event: Option<String>,
    pub found_at: Timestamp,
    /// When its detail was stored last; null: it was not fetched yet.
    #[schema(required = true)]
    pub detailed_at: Option<Timestamp>,
}

impl ShipmentSummary {
    /// Reads the first columns of `queries::SHOW`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            channel_id: row.get(1)?,
            remote_id: row.get(2)?,
            method: method(row, 3)?,
            state: word(row, 4, ShipmentState::parse)?,
            problem: row.get(5)?,
            shipped_at: row.get(6)?,
            reference: row.get(7)?,
            order_id: row.get(8)?,
            transporter_code: row.get(9)?,
            track_and_trace: row.get(10)?,
            last_event: row.get(11)?,
            found_at: row.get(12)?,
            detailed_at: row.get(13)?,
        })
    }
}

/// Something that happened to a shipment on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransportEvent {
    #[schema(example = "PRE_ANNOUNCED")]
    pub code: String,
    #[schema(required = true)]
    pub at: Option<Timestamp>,
}

/// What lies in a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShipmentItem {
    /// The provider's number of the ordered item.
    pub order_item_id: String,
    #[schema(required = true)]
    pub ean: Option<String>,
    #[schema(required = true)]
    pub title: Option<String>,
    #[schema(required = true)]
    pub quantity: Option<i64>,
    #[schema(required = true)]
    pub quantity_shipped: Option<i64>,
    #[schema(required = true, example = "12.99")]
    pub unit_price: Option<String>,
    #[schema(required = true, example = "1.95")]
    pub commission: Option<String>,
    #[schema(example = "EUR")]
    pub currency: String,
    #[schema(required = true)]
    pub offer_id: Option<String>,
    #[schema(required = true)]
    pub offer_reference: Option<String>,
    #[schema(required = true)]
    pub method: Option<String>,
    #[schema(required = true)]
    pub distribution_party: Option<String>,
    #[schema(required = true, format = Date)]
    pub latest_delivery_date: Option<String>,
}

/// An amount as text, in the row's currency.
fn amount(row: &Row<'_>, column: usize, currency: Currency) -> Result<Option<String>> {
    let minor: Option<i64> = row.get(column)?;
    // Corrections are negative.
    Ok(minor.map(|minor| Money { minor, currency }.to_string()))
}

impl ShipmentItem {
    /// Reads the columns of `queries::ITEMS`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let code: String = row.get(7)?;
        let broken = || Error::Decode { column: 7, reason: format!("no currency: {code}") };
        let currency: Currency = code.parse().map_err(|_| broken())?;
        Ok(Self {
            order_item_id: row.get(0)?,
            ean: row.get(1)?,
            title: row.get(2)?,
            quantity: row.get(3)?,
            quantity_shipped: row.get(4)?,
            unit_price: amount(row, 5, currency)?,
            commission: amount(row, 6, currency)?,
            currency: code,
            offer_id: row.get(8)?,
            offer_reference: row.get(9)?,
            method: row.get(10)?,
            distribution_party: row.get(11)?,
            latest_delivery_date: row.get(12)?,
        })
    }
}

/// A shipment with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Shipment {
    #[serde(flatten)]
    pub summary: ShipmentSummary,
    #[schema(required = true)]
    pub order_placed_at: Option<Timestamp>,
    #[schema(required = true)]
    pub pickup_point: Option<bool>,
    #[schema(required = true)]
    pub transport_id: Option<String>,
    #[schema(required = true)]
    pub shipping_label_id: Option<String>,
    pub transport_events: Vec<TransportEvent>,
    /// Whom it goes to; null once that was erased.
    #[schema(required = true, value_type = Option<Object>)]
    pub ship_to: Option<Json>,
    /// Who pays; null once that was erased.
    #[schema(required = true, value_type = Option<Object>)]
    pub bill_to: Option<Json>,
    pub items: Vec<ShipmentItem>,
    /// Fields of the provider that are not known here: their paths.
    pub unknown_fields: Vec<String>,
    /// When its detail is fetched next; null: not any more.
    #[schema(required = true)]
    pub detail_due_at: Option<Timestamp>,
    /// When people's data of it are erased; null: never.
    #[schema(required = true)]
    pub erase_at: Option<Timestamp>,
    #[schema(required = true)]
    pub erased_at: Option<Timestamp>,
    /// The provider's words, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<Object>)]
    pub raw: Option<Json>,
}

/// A column of JSON that may be null.
fn maybe_json(row: &Row<'_>, column: usize) -> Result<Option<Json>> {
    let text: Option<String> = row.get(column)?;
    text.map(|_| json(row, column)).transpose()
}

impl Shipment {
    /// Reads the columns of `queries::SHOW`; its items are read for themselves.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let raw: Option<String> = row.get(24)?;
        Ok(Self {
            summary: ShipmentSummary::read(row)?,
            order_placed_at: row.get(14)?,
            pickup_point: row.get(15)?,
            transport_id: row.get(16)?,
            shipping_label_id: row.get(17)?,
            transport_events: json(row, 18)?,
            ship_to: maybe_json(row, 19)?,
            bill_to: maybe_json(row, 20)?,
            items: Vec::new(),
            unknown_fields: json(row, 21)?,
            detail_due_at: row.get(22)?,
            erase_at: row.get(23)?,
            erased_at: row.get(25)?,
            // What cannot be read as JSON is shown as the text that it is.
            raw: raw.map(|raw| serde_json::from_str(&raw).unwrap_or(Json::String(raw))),
        })
    }
}
