//! Stripe's webhooks: whether one is Stripe's, and what it is about.
//!
//! Pure: the time is passed in. A webhook is a hint to look, never the truth: events come twice,
//! late and in any order, so only *which* object changed is read, and the provider is asked how it
//! stands.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::Sha256;

use crate::platform::secret::Secret;

/// The header that carries time and signatures.
pub const SIGNATURE_HEADER: &str = "stripe-signature";
/// How far the signature's time may be from ours, either way: an older one may be a recording.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Signatures that are tried; Stripe sends two while a secret is being replaced.
const SIGNATURES_MAX: usize = 8;

/// What happened, to which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stripe's name for the event: the same event comes again under the same name.
    pub id: String,
    /// Such as `payment_intent.succeeded`.
    pub kind: String,
    pub object_id: String,
    /// Such as `payment_intent` or `refund`.
    pub object_kind: String,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No signature, or not in the form `t=SECONDS,v1=HEX`.
    #[error("the signature's header is missing or malformed")]
    Unsigned,
    #[error("no signature fits")]
    WrongSignature,
    /// Signed, but too long ago, or too far in the future.
    #[error("signed {seconds_ago} s ago")]
    OutOfTime { seconds_ago: i64 },
    /// Signed, but not an event.
    #[error("not an event: {0}")]
    Malformed(String),
}

/// Checks a webhook's signature over the very bytes that came, and reads its event.
///
/// # Errors
/// [`WebhookError`].
pub fn receive(
    header: &str,
    payload: &[u8],
    secret: &Secret,
    now: Timestamp,
) -> Result<Event, WebhookError> {
    let signed = Signed::parse(header).ok_or(WebhookError::Unsigned)?;
    if !signed.fits(payload, secret) {
        return Err(WebhookError::WrongSignature);
    }
    let seconds_ago = now.as_second().saturating_sub(signed.at);
    if !(-TOLERANCE_SECONDS..=TOLERANCE_SECONDS).contains(&seconds_ago) {
        return Err(WebhookError::OutOfTime { seconds_ago });
    }
    read_event(payload)
}

/// The header, taken apart.
struct Signed<'a> {
    /// As it was written: the signature is over the text.
    at_text: &'a str,
    at: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Signed<'a> {
    /// None if there is no time, two times, or no signature of a kind that we know.
    fn parse(header: &'a str) -> Option<Self> {
        let mut at_text = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", _) if at_text.is_some() => return None,
                ("t", text) => at_text = Some(text),
                ("v1", text) if signatures.len() < SIGNATURES_MAX => signatures.extend(hex32(text)),
                // Other schemes, such as v0, are weaker or not yet invented.
                _ => {}
            }
        }
        let at_text = at_text?;
        let digits = !at_text.is_empty() && at_text.bytes().all(|byte| byte.is_ascii_digit());
        let at = at_text.parse().ok().filter(|_| digits)?;
        (!signatures.is_empty()).then_some(Self { at_text, at, signatures })
    }

    /// Compares in constant time.
    fn fits(&self, payload: &[u8], secret: &Secret) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(self.at_text.as_bytes());
        mac.update(b".");
        mac.update(payload);
        self.signatures.iter().any(|given| mac.clone().verify_slice(given).is_ok())
    }
}

/// 32 bytes in hexadecimal.
fn hex32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

fn read_event(payload: &[u8]) -> Result<Event, WebhookError> {
    #[derive(Deserialize)]
    struct Outer {
        id: String,
        #[serde(rename = "type")]
        kind: String,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        #[serde(default)]
        id: String,
        object: String,
    }
    let outer: Outer = serde_json::from_slice(payload)
        .map_err(|error| WebhookError::Malformed(error.to_string()))?;
    let Object { id: object_id, object: object_kind } = outer.data.object;
    Ok(Event { id: outer.id, kind: outer.kind, object_id, object_kind })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAYLOAD: &str = concat!(
        r#"{"id":"evt_1","object":"event","type":"payment_intent.succeeded","#,
        r#""data":{"object":{"id":"pi_1","object":"payment_intent"}}}"#
    );
    /// 2026-11-21T12:00:00Z
    const AT: i64 = 1_795_262_400;
    // Both computed with `openssl dgst -sha256 -hmac` over `1795262400.` and the payload.
    const BY_SECRET: &str = "7b29f45db00a045b5ea1f31e4d309c09fd14835d9ae88b79e492a7dddaa8c8d7";
    const BY_OLD_SECRET: &str = "fa282d29c42caf4148878d64b3432d94eb2e30bf604b69624d2ebf1eba8da9b1";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(AT + seconds).expect("a moment")
    }

    fn outcome(header: &str, payload: &str, now: Timestamp) -> Result<Event, WebhookError> {
        receive(header, payload.as_bytes(), &Secret::new("whsec_test_secret"), now)
    }

    #[test]
    fn what_stripe_signed_is_read() {
        let read = outcome(&format!("t={AT},v1={BY_SECRET}"), PAYLOAD, at(0)).expect("signed");
        assert_eq!((read.id.as_str(), read.kind.as_str()), ("evt_1", "payment_intent.succeeded"));
        assert_eq!(
            (read.object_id.as_str(), read.object_kind.as_str()),
            ("pi_1", "payment_intent")
        );
    }

    #[test]
    fn signatures_are_checked() {
        let upper = BY_SECRET.to_uppercase();
        let wrong = BY_SECRET.replace(&BY_SECRET[..1], "x");
        let wrong_hex = format!("{:x}{}", !BY_SECRET.as_bytes()[0] & 7, &BY_SECRET[1..]);
        let many = format!("v1={BY_OLD_SECRET},").repeat(SIGNATURES_MAX);
        let (fine, unsigned, refused) = (None, Some(true), Some(false));
        for (header, expected) in [
            (format!("t={AT},v1={BY_SECRET}"), fine),
            (format!("t={AT}, v1={BY_SECRET}"), fine),
            (format!("v1={BY_OLD_SECRET},v1={BY_SECRET},t={AT}"), fine),
            (format!("t={AT},v1={BY_SECRET},v1={BY_OLD_SECRET},v0=abc,v9=x"), fine),
            (format!("t={AT},v1={upper}"), fine),
            (format!("t={AT},v1={BY_OLD_SECRET}"), refused),
            (format!("t={AT},v1={wrong_hex}"), refused),
            (format!("t={},v1={BY_SECRET}", AT + 1), refused),
            (format!("t=0{AT},v1={BY_SECRET}"), refused),
            (format!("t={AT},{many}v1={BY_SECRET}"), refused),
            (format!("t={AT},v1={wrong}"), unsigned),
            (format!("t={AT},v0={BY_SECRET}"), unsigned),
            (format!("t={AT},t={AT},v1={BY_SECRET}"), unsigned),
            (format!("v1={BY_SECRET}"), unsigned),
            (format!("t=-{AT},v1={BY_SECRET}"), unsigned),
            (format!("t=+{AT},v1={BY_SECRET}"), unsigned),
            (format!("t=,v1={BY_SECRET}"), unsigned),
            (format!("t=99999999999999999999,v1={BY_SECRET}"), unsigned),
            (format!("t={AT},v1={}", &BY_SECRET[..62]), unsigned),
            (format!("t={AT}"), unsigned),
            ("nonsense".to_owned(), unsigned),
            (String::new(), unsigned),
        ] {
            let told = outcome(&header, PAYLOAD, at(0)).err();
            let expected = expected.map(|unsigned| match unsigned {
                true => WebhookError::Unsigned,
                false => WebhookError::WrongSignature,
            });
            assert_eq!(told, expected, "{header}");
        }
        let header = format!("t={AT},v1={BY_SECRET}");
        let other = PAYLOAD.replace("evt_1", "evt_2");
        assert_eq!(outcome(&header, &other, at(0)), Err(WebhookError::WrongSignature));
    }

    #[test]
    fn recordings_are_refused() {
        let header = format!("t={AT},v1={BY_SECRET}");
        for (seconds_ago, fine) in
            [(0, true), (300, true), (301, false), (-300, true), (-301, false)]
        {
            let told = outcome(&header, PAYLOAD, at(seconds_ago)).err();
            let expected = (!fine).then_some(WebhookError::OutOfTime { seconds_ago });
            assert_eq!(told, expected, "{seconds_ago}");
        }
    }

    #[test]
    fn only_events_are_read() {
        for payload in ["", "[]", "{}", r#"{"id":"evt_1","type":"x","data":{"object":{}}}"#] {
            assert!(matches!(read_event(payload.as_bytes()), Err(WebhookError::Malformed(_))));
        }
        let nameless = r#"{"id":"evt_1","type":"x","data":{"object":{"object":"balance"}}}"#;
        assert_eq!(read_event(nameless.as_bytes()).expect("an event").object_id, "");
    }

    proptest! {
        #[test]
        fn any_header_and_any_body_end_in_an_answer(header in ".{0,200}", body in ".{0,200}") {
            prop_assert!(outcome(&header, &body, at(0)).is_err());
        }

        #[test]
        fn headers_of_the_right_shape_are_refused_too(
            t in "[0-9]{0,22}", signature in "[0-9a-fA-F]{60,66}", times in 1_usize..12
        ) {
            let header = format!("t={t}{}", format!(",v1={signature}").repeat(times));
            prop_assert!(outcome(&header, PAYLOAD, at(0)).is_err());
        }
    }
}
