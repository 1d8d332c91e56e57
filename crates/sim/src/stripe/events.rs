//! Webhooks: what happened, signed, sent more than once and in any order.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A webhook as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    /// Such as `payment_intent.succeeded`.
    pub kind: String,
    /// The very bytes that are signed.
    pub body: String,
}

/// Where webhooks go by themselves, and how badly.
#[derive(Debug, Clone)]
pub struct Destination {
    pub url: String,
    pub secret: String,
    /// Each event is sent between once and this often.
    pub copies_max: u64,
    /// Each copy after a chance wait up to this: so they overtake each other.
    pub delay_max: Duration,
}

impl Event {
    pub(super) fn new(number: u64, kind: String, object: &Value, created: i64) -> Self {
        let id = format!("evt_sim{number:010}");
        let body = json!({
            "id": id, "object": "event", "type": kind, "created": created,
            "data": {"object": object},
        });
        Self { id, kind, body: body.to_string() }
    }

    /// The value of `Stripe-Signature` when it is sent at `at` (seconds since 1970).
    pub fn signature(&self, secret: &str, at: i64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(format!("{at}.{}", self.body).as_bytes());
        let hex: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={at},v1={hex}")
    }
}
