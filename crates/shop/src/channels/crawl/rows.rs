//! Shipments as rows: what is kept of a provider's words.

use jiff::{SignedDuration, Timestamp};
use runout_core::channels::Method;
use runout_store::Value;
use serde_json::{Value as Json, json};

use super::held::Held;
use crate::channels::bol::shapes::{self, Item, Listed, Shipment};
use crate::channels::provider::Spoiled;

/// A shipment that moves is looked at again after so long; after [`YOUNG`], after so much longer.
const REFRESH_YOUNG: SignedDuration = SignedDuration::from_hours(2);
const REFRESH_OLD: SignedDuration = SignedDuration::from_hours(12);
const YOUNG: SignedDuration = SignedDuration::from_hours(3 * 24);
/// What has not arrived by then never does.
const MOVES_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An entry of a list as it is stored if it is not known.
#[derive(Debug, Clone)]
pub(super) struct ListedRow {
    pub remote_id: String,
    pub shipped_at: Option<Timestamp>,
    /// Why it cannot be read.
    pub problem: Option<String>,
    method: Method,
    reference: Option<String>,
    order_id: Option<String>,
    order_placed_at: Option<Timestamp>,
    transport_id: Option<String>,
    raw: Option<String>,
    found_at: Timestamp,
    erase_at: Option<Timestamp>,
}

impl ListedRow {
    /// The columns of `INSERT_LISTED`.
    pub(super) fn values(&self, id: i64, channel_id: i64) -> Vec<Value> {
        let spoiled = self.problem.is_some();
        vec![
            id.into(),
            channel_id.into(),
            clean(&self.remote_id).into(),
            Value::Static(self.method.as_str()),
            Value::Static(if spoiled { "quarantined" } else { "listed" }),
            self.shipped_at.into(),
            text(self.reference.as_ref()),
            text(self.order_id.as_ref()),
            self.order_placed_at.into(),
            text(self.transport_id.as_ref()),
            text(self.problem.as_ref()),
            text(self.raw.as_ref()),
            self.found_at.into(),
            (!spoiled).then_some(self.found_at).into(),
            self.erase_at.into(),
        ]
    }

    /// Leaves away what a database may refuse.
    pub(super) fn strip(&mut self) {
        (self.reference, self.order_id, self.transport_id) = (None, None, None);
        (self.raw, self.order_placed_at) = (None, None);
    }
}

/// A detail as it is stored.
#[derive(Debug, Clone)]
pub(super) struct DetailRow {
    pub shipment_id: i64,
    /// The columns of `STORE_DETAIL`.
    pub values: Vec<Value>,
    /// Each with the columns of `STORE_ITEM`.
    pub items: Vec<Vec<Value>>,
}

/// PostgreSQL keeps every character but one.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn text(text: Option<&String>) -> Value {
    text.map(|text| clean(text)).into()
}

/// When people's data of a shipment are to be erased.
fn erase_at(held: &Held, shipped_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let kept = SignedDuration::from_hours(24 * held.keep_days?);
    Some(shipped_at.unwrap_or(now) + kept)
}

/// A page as rows.
pub(super) fn listed(
    held: &Held,
    method: Method,
    entries: Vec<Listed>,
    spoiled: Vec<Spoiled>,
    now: Timestamp,
) -> Vec<ListedRow> {
    let read = entries.into_iter().map(|entry| ListedRow {
        remote_id: entry.id,
        shipped_at: entry.shipped_at,
        problem: None,
        method,
        reference: entry.reference,
        order_id: Some(entry.order.id),
        order_placed_at: entry.order.placed_at,
        transport_id: entry.transport_id,
        raw: None,
        found_at: now,
        erase_at: None,
    });
    let unread = spoiled.into_iter().map(|spoiled| ListedRow {
        remote_id: spoiled.remote_id,
        shipped_at: None,
        problem: Some(spoiled.problem),
        method,
        reference: None,
        order_id: None,
        order_placed_at: None,
        transport_id: None,
        raw: Some(spoiled.raw),
        found_at: now,
        erase_at: erase_at(held, None, now),
    });
    read.chain(unread).collect()
}

/// A detail, with what is needed beside it.
pub(super) struct Detailed<'a> {
    pub shipment_id: i64,
    pub shipment: &'a Shipment,
    pub unknown: &'a [String],
    pub raw: Json,
}

/// A detail as a row. People's data that would have to be erased are not stored in the first place.
pub(super) fn detail(held: &Held, of: Detailed<'_>, now: Timestamp) -> DetailRow {
    let Detailed { shipment_id, shipment, unknown, raw } = of;
    let erase_at = erase_at(held, shipment.shipped_at, now);
    let keeps = erase_at.is_none_or(|at| at > now);
    let raw = if keeps { raw } else { shapes::without_personal_data(&raw) };
    let person = |json: Option<Json>| json.filter(|_| keeps).map(cleaned);
    let transport = shipment.transport.clone().unwrap_or_default();
    let events: Vec<Json> = transport
        .events
        .iter()
        .map(|event| json!({ "code": clean(&event.code), "at": event.at }))
        .collect();
    let last = transport.events.iter().max_by_key(|event| event.at);
    let values = vec![
        shipment_id.into(),
        Value::Static("stored"),
        Value::Null,
        shipment.shipped_at.into(),
        text(shipment.reference.as_ref()),
        clean(&shipment.order.id).into(),
        shipment.order.placed_at.into(),
        shipment.pickup_point.into(),
        text(transport.id.as_ref()),
        text(transport.transporter.as_ref()),
        text(transport.track_and_trace.as_ref()),
        text(transport.shipping_label_id.as_ref()),
        Json::from(events).into(),
        text(last.map(|event| &event.code)),
        person(shipment.ship_to.as_ref().map(|to| json!(to))).into(),
        person(shipment.bill_to.as_ref().map(|to| json!(to))).into(),
        clean(&raw.to_string()).into(),
        json!(unknown.iter().map(|path| clean(path)).collect::<Vec<_>>()).into(),
        now.into(),
        refresh_at(shipment, now).into(),
        erase_at.filter(|_| keeps).into(),
    ];
    let numbered = (0_i64..).zip(&shipment.items);
    let items = numbered.map(|(number, item)| item_row(shipment_id, number, item)).collect();
    DetailRow { shipment_id, values, items }
}

/// Without the one character in its texts.
fn cleaned(json: Json) -> Json {
    match json {
        Json::String(text) => Json::String(clean(&text)),
        Json::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, cleaned(value))).collect()
        }
        other => other,
    }
}

/// When a shipment is looked at again; none: nothing more will come.
fn refresh_at(shipment: &Shipment, now: Timestamp) -> Option<Timestamp> {
    let age = now.duration_since(shipment.shipped_at.unwrap_or(now));
    if !shapes::is_moving(shipment) || age > MOVES_MAX {
        return None;
    }
    Some(now + if age < YOUNG { REFRESH_YOUNG } else { REFRESH_OLD })
}

fn item_row(shipment_id: i64, number: i64, item: &Item) -> Vec<Value> {
    let fulfilment = item.fulfilment.clone().unwrap_or_default();
    let offer = item.offer.clone().unwrap_or_default();
    let product = item.product.clone().unwrap_or_default();
    vec![
        shipment_id.into(),
        number.into(),
        clean(&item.order_item_id).into(),
        text(product.ean.as_ref()),
        text(product.title.as_ref()),
        item.quantity.into(),
        item.quantity_shipped.into(),
        item.unit_price.minor.into(),
        item.commission.map(|commission| commission.minor).into(),
        Value::from(item.unit_price.currency.code().to_owned()),
        text(offer.id.as_ref()),
        text(offer.reference.as_ref()),
        text(fulfilment.method.as_ref()),
        text(fulfilment.distribution_party.as_ref()),
        fulfilment.latest_delivery.map(|day| day.to_string()).into(),
    ]
}
