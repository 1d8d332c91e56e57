//! Shipping: `POST /retailer/shipments`, and the process that follows.

use serde_json::{Value, json};

use super::answer::{Answer, V10};
use super::channel::{Channel, Process};
use super::market::{Posted, SECOND_US};
use super::options::Settings;
use super::shape::written;
use crate::chance::Chance;

const ITEMS_MAX: usize = 100;
const REFERENCE_CHARS_MAX: usize = 90;
const FIRST_PROCESS: u64 = 1_000_000_000;
const PROCESSES_PER_CHANNEL: u64 = 1_000_000;

type Violations = Vec<(&'static str, String)>;

/// Reads what shall be sent.
///
/// # Errors
/// What is wrong with which field.
pub(super) fn read(body: &[u8]) -> Result<Posted, Violations> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| vec![("body", "Request body cannot be read.".to_owned())])?;
    let mut wrong = Vec::new();
    let items = read_items(&body, &mut wrong);
    let reference = body.get("shipmentReference").map(|reference| match reference.as_str() {
        Some(text) if (1..=REFERENCE_CHARS_MAX).contains(&text.chars().count()) => text.to_owned(),
        _ => {
            wrong.push(("shipmentReference", "size must be between 1 and 90".to_owned()));
            String::new()
        }
    });
    let (label, transport) = (body.get("shippingLabelId"), body.get("transport"));
    if label.is_some() == transport.is_some() {
        let words = "Exactly one of shippingLabelId and transport is required.";
        wrong.push(("transport", words.to_owned()));
    }
    let text = |name: &str| Some(transport?.get(name)?.as_str()?.to_owned());
    let transporter = text("transporterCode");
    if transport.is_some() && transporter.is_none() {
        wrong.push(("transport.transporterCode", "must not be null".to_owned()));
    }
    match wrong.is_empty() {
        true => {
            Ok(Posted { items, reference, transporter, track_and_trace: text("trackAndTrace") })
        }
        false => Err(wrong),
    }
}

fn read_items(body: &Value, wrong: &mut Violations) -> Vec<(String, u32)> {
    let items = body["orderItems"].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() || items.len() > ITEMS_MAX {
        wrong.push(("orderItems", "size must be between 1 and 100".to_owned()));
    }
    let mut read = Vec::new();
    for item in items {
        let quantity = item.get("quantity").map_or(Some(1), Value::as_u64);
        let quantity = quantity.and_then(|quantity| u32::try_from(quantity).ok());
        match (item["orderItemId"].as_str(), quantity.filter(|quantity| *quantity > 0)) {
            (Some(id), Some(quantity)) if !id.is_empty() => read.push((id.to_owned(), quantity)),
            (Some(_), None) => {
                wrong.push(("orderItems.quantity", "must be at least 1".to_owned()));
            }
            _ => wrong.push(("orderItems.orderItemId", "must not be empty".to_owned())),
        }
    }
    read
}

impl Channel {
    /// Begins to ship; gives the process.
    pub(super) fn ship(
        &mut self,
        seed: u64,
        settings: &Settings,
        posted: Posted,
        now_us: u64,
    ) -> Answer {
        let id = FIRST_PROCESS + u64::from(self.number) * PROCESSES_PER_CHANNEL + self.posts;
        self.posts += 1;
        let mut chance = Chance::of(seed, &[104, id]);
        let process = Process {
            created_us: now_us,
            ready_us: now_us + u64::from(settings.process.seconds) * SECOND_US,
            fails: chance.happens(settings.process.failure_permille),
            entity: posted.items.first().map(|(id, _)| id.clone()).unwrap_or_default(),
            posted: Some(posted),
        };
        // It is said to be under way, even if it will be settled at once.
        let shown = process.shown(id, process.created_us.min(process.ready_us - 1));
        self.processes.insert(id, process);
        Answer::v10(202, &shown)
    }

    /// What has become of a process.
    pub(super) fn process_status(&self, id: &str, now_us: u64) -> Option<Value> {
        let id = id.parse().ok()?;
        Some(self.processes.get(&id)?.shown(id, now_us))
    }
}

impl Process {
    fn shown(&self, id: u64, now_us: u64) -> Value {
        let status = match (now_us >= self.ready_us, self.fails) {
            (false, _) => "PENDING",
            (true, false) => "SUCCESS",
            (true, true) => "FAILURE",
        };
        let mut shown = json!({
            "processStatusId": id.to_string(),
            "entityId": self.entity,
            "eventType": "CREATE_SHIPMENT",
            "description": format!("Create shipment for order item {}.", self.entity),
            "status": status,
            "createTimestamp": written(self.created_us),
            "links": [{
                "rel": "self",
                "href": format!("https://api.bol.com/shared/process-status/{id}"),
                "method": "GET",
            }],
        });
        if status == "FAILURE" {
            shown["errorMessage"] = json!("Order item is already shipped or was cancelled.");
        }
        shown
    }
}

/// True if the request says that its body is a version-10 document.
pub(super) fn is_v10(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(V10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &Value) -> Vec<&'static str> {
        let wrong = read(body.to_string().as_bytes()).expect_err("something is wrong");
        wrong.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_posted_is_checked() {
        let good = json!({
            "orderItems": [{"orderItemId": "2012345678", "quantity": 2}, {"orderItemId": "7"}],
            "shipmentReference": "Order 7",
            "transport": {"transporterCode": "TNT", "trackAndTrace": "3S1"},
        });
        let posted = read(good.to_string().as_bytes()).expect("it is good");
        assert_eq!(posted.items, [("2012345678".to_owned(), 2), ("7".to_owned(), 1)]);
        assert_eq!(posted.track_and_trace.as_deref(), Some("3S1"));
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            names(&body)
        };
        assert_eq!(with("orderItems", json!([])), ["orderItems"]);
        assert_eq!(with("orderItems", json!([{"quantity": 1}])), ["orderItems.orderItemId"]);
        let none = json!([{"orderItemId": "7", "quantity": 0}]);
        assert_eq!(with("orderItems", none), ["orderItems.quantity"]);
        assert_eq!(with("shipmentReference", json!("")), ["shipmentReference"]);
        assert_eq!(with("shippingLabelId", json!("1")), ["transport"]);
        assert_eq!(with("transport", json!({})), ["transport.transporterCode"]);
        assert_eq!(read(b"{").expect_err("no document")[0].0, "body");
    }
}
