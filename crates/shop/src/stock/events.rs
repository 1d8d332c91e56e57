//! What a batch tells other systems: one event per step of an order, one per variant whose stock
//! changed; and what it leaves in the audit trail.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::ops::Range;

use jiff::Timestamp;
use runout_core::ids::VariantId;
use runout_core::stock::{Detail, Difference, Level, Placed, Record};
use runout_store::{Statement, Value};

use crate::orders::commands::push;
use crate::platform::sql::{STORE_AUDIT, STORE_EVENTS};

/// The outbox rows of a batch. However many orders drew on a variant, its stock is told once, as it
/// is after the batch: others care for the state, not for the steps.
pub(super) fn of(
    difference: &Difference,
    levels: &HashMap<VariantId, Vec<Level>>,
    now: Timestamp,
) -> Statement {
    let mut rows: [Vec<Value>; 5] = Default::default();
    let mut tell = |topic: &'static str, entity: &'static str, id: i64, payload: String| {
        let (topic, entity) = (Value::Static(topic), Value::Static(entity));
        push(&mut rows, [now.into(), topic, entity, id.into(), payload.into()]);
    };
    for placed in &difference.placed {
        tell("order.placed", "order", placed.id.0, order_placed(placed));
    }
    for record in &difference.records {
        tell(record.topic, "order", record.order.0, told(record));
    }
    let changed: BTreeSet<VariantId> =
        difference.movements.iter().map(|movement| movement.variant).collect();
    for variant in changed {
        tell("stock.changed", "variant", variant.0, stock_changed(variant, &levels[&variant]));
    }
    Statement::bulk(&STORE_EVENTS, rows.into())
}

/// The audit rows of a batch: every step of an order's life after it was placed.
pub(super) fn audit(difference: &Difference, now: Timestamp, ids: &mut Range<i64>) -> Statement {
    let mut rows: [Vec<Value>; 7] = Default::default();
    for record in &difference.records {
        let id = ids.next().expect("the writer took ids for every possible record");
        let details = json_of(&record.details);
        push(
            &mut rows,
            [
                id.into(),
                now.into(),
                record.actor.map(|actor| actor.0).into(),
                Value::Static(record.topic),
                Value::Static("order"),
                record.order.0.into(),
                details.to_string().into(),
            ],
        );
    }
    Statement::bulk(&STORE_AUDIT, rows.into())
}

fn told(record: &Record) -> String {
    let mut json = json_of(&record.details);
    json["order_id"] = record.order.0.into();
    json.to_string()
}

fn json_of(details: &[(&'static str, Detail)]) -> serde_json::Value {
    let member = |(name, detail): &(&'static str, Detail)| {
        let value = match detail {
            Detail::Number(number) => (*number).into(),
            Detail::Word(word) => (*word).into(),
            Detail::Text(text) => text.as_str().into(),
        };
        ((*name).to_owned(), value)
    };
    serde_json::Value::Object(details.iter().map(member).collect())
}

/// Written by hand: numbers and currency codes need no escaping, and this is the hottest path.
fn order_placed(placed: &Placed) -> String {
    let mut json = String::with_capacity(160 + 60 * placed.lines.len());
    let Placed { id, status, currency, total_minor, .. } = placed;
    let _infallible = write!(json, r#"{{"order_id":{id},"account_id":"#);
    let _infallible = match placed.account {
        Some(account) => write!(json, "{account}"),
        None => write!(json, "null"),
    };
    let _infallible = write!(
        json,
        r#","status":"{status}","currency":"{currency}","total_minor":{total_minor},"lines":["#,
    );
    for (index, line) in placed.lines.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let (variant, quantity, price) = (line.variant, line.quantity, line.unit_price_minor);
        let _infallible = write!(
            json,
            r#"{separator}{{"variant_id":{variant},"quantity":{quantity},"unit_price_minor":{price}}}"#,
        );
    }
    json.push_str("]}");
    json
}

fn stock_changed(variant: VariantId, levels: &[Level]) -> String {
    let mut available = 0;
    let mut places = String::new();
    for level in levels {
        if level.active {
            available += level.available();
        }
        let separator = if places.is_empty() { "" } else { "," };
        let Level { location, on_hand, reserved, .. } = level;
        let _infallible = write!(
            places,
            r#"{separator}{{"location_id":{location},"on_hand":{on_hand},"reserved":{reserved}}}"#,
        );
    }
    format!(r#"{{"variant_id":{variant},"available":{available},"levels":[{places}]}}"#)
}
