//! What a message to a webhook or a broker says, and the headers that it travels with.
//!
//! What always holds: the message of an event is the same, byte for byte, at every attempt; so is
//! its id. Only the moment of the attempt and its signature differ.

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use jiff::Timestamp;

/// The type of a message's body.
pub const JSON: &str = "application/json";
/// Header of the event's id, which stays the same however often it is sent.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// Header of the attempt's moment, in seconds since 1970.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// Header of the signatures (see `signing`).
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Header by which a receiver knows a repetition (draft-ietf-httpapi-idempotency-key-header-07).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The public id of a row of the outbox, `evt_7`.
pub fn event_id(outbox_id: i64) -> String {
    format!("evt_{outbox_id}")
}

/// The body, `{"type": topic, "timestamp": when it happened, "data": payload}`.
///
/// The payload is the outbox's JSON text and goes in as it stands: it is not read again.
pub fn body(topic: &str, at: Timestamp, payload: &str) -> Bytes {
    debug_assert!(
        serde_json::from_str::<serde::de::IgnoredAny>(payload).is_ok(),
        "the outbox holds JSON: {payload}"
    );
    let topic = serde_json::to_string(topic).expect("a text can always be written");
    let mut text = String::with_capacity(topic.len() + payload.len() + 72);
    text.push_str("{\"type\":");
    text.push_str(&topic);
    text.push_str(",\"timestamp\":\"");
    text.push_str(&at.to_string());
    text.push_str("\",\"data\":");
    text.push_str(payload);
    text.push('}');
    Bytes::from(text)
}

/// The headers of one attempt to send a webhook.
///
/// `key` names the effect to the receiver: it must be the same at every attempt, and without
/// quotation marks or line breaks.
pub fn webhook_headers(
    event_id: String,
    key: &str,
    attempt_at: Timestamp,
    signature: String,
) -> Vec<(HeaderName, String)> {
    vec![
        (CONTENT_TYPE, JSON.to_owned()),
        (WEBHOOK_ID, event_id),
        (WEBHOOK_TIMESTAMP, attempt_at.as_second().to_string()),
        (WEBHOOK_SIGNATURE, signature),
        (IDEMPOTENCY_KEY, quoted(key)),
    ]
}

/// A key as the header has it: a string of structured fields (RFC 8941).
pub fn quoted(key: &str) -> String {
    debug_assert!(!key.contains(['"', '\\']), "keys are made here: {key}");
    format!("\"{key}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-21T12:00:00.123456Z".parse().expect("a moment")
    }

    #[test]
    fn a_body_holds_the_payload_as_it_stands() {
        let payload = r#"{"id": 7,  "title":"a \"b\" \u00e9", "big":12345678901234567890.10}"#;
        let body = body("product.updated", at(), payload);
        let expected = format!(
            r#"{{"type":"product.updated","timestamp":"2026-11-21T12:00:00.123456Z","data":{payload}}}"#
        );
        assert_eq!(body, expected);
        let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(read["data"]["id"], 7);
    }

    #[test]
    fn topics_cannot_break_out() {
        let body = body("a\",\"data\":1,\"b\n", at(), "null");
        let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(read["type"], "a\",\"data\":1,\"b\n");
        assert!(read["data"].is_null());
    }

    #[test]
    fn headers_say_id_attempt_signature_and_key() {
        let headers = webhook_headers(event_id(7), "3-evt_7", at(), "v1,abc".to_owned());
        let read = |name: HeaderName| {
            headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(read(WEBHOOK_ID), Some("evt_7"));
        assert_eq!(read(WEBHOOK_TIMESTAMP), Some("1795262400"));
        assert_eq!(read(WEBHOOK_SIGNATURE), Some("v1,abc"));
        assert_eq!(read(IDEMPOTENCY_KEY), Some("\"3-evt_7\""));
        assert_eq!(read(CONTENT_TYPE), Some("application/json"));
    }
}
