//! Stripe's objects, as far as they are read, and what they mean to the shop.
//!
//! Fields that are not read are left alone: Stripe adds some without notice.

use std::collections::HashMap;

use runout_core::money::Currency;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::amounts::from_stripe;
use crate::payments::gateway::{GatewayError, RefundSeen, RefundState, Seen, SeenState};
use crate::platform::secret::Secret;

/// Names of our ids in the metadata.
pub(super) const ORDER_ID: &str = "order_id";
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const REFUND_ID: &str = "refund_id";
pub(super) const MADE_AT: &str = "made_at";
pub(super) const ACCOUNT_ID: &str = "account_id";

/// Longest reason of a failure that is kept.
const REASON_CHARS_MAX: usize = 120;

type Metadata = Option<HashMap<String, Value>>;

#[derive(Deserialize)]
struct Intent {
    id: String,
    status: String,
    amount: i64,
    amount_received: Option<i64>,
    currency: String,
    metadata: Metadata,
    client_secret: Option<String>,
    last_payment_error: Option<PaymentError>,
}

#[derive(Deserialize)]
struct PaymentError {
    code: Option<String>,
    decline_code: Option<String>,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    status: Option<String>,
    amount: i64,
    currency: String,
    payment_intent: Option<String>,
    metadata: Metadata,
    failure_reason: Option<String>,
}

/// A customer; only its name is of interest.
#[derive(Deserialize)]
pub(super) struct Customer {
    pub id: String,
}

/// A way to pay.
#[derive(Deserialize)]
pub(super) struct Method {
    pub id: String,
    pub customer: Option<String>,
    pub card: Option<Card>,
}

/// What the owner knows a card by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Card {
    pub brand: String,
    pub last4: String,
    pub exp_month: Option<i64>,
    pub exp_year: Option<i64>,
}

/// One page of a list, newest first.
#[derive(Deserialize)]
pub(super) struct List {
    pub data: Vec<Value>,
    #[serde(default)]
    pub has_more: bool,
}

/// Reads an object of Stripe's.
pub(super) fn read<T: DeserializeOwned>(object: Value) -> Result<T, GatewayError> {
    serde_json::from_value(object).map_err(|error| GatewayError::Malformed(error.to_string()))
}

/// The currency and our minor units of some of Stripe's amounts.
fn money<const N: usize>(
    code: &str,
    amounts: [i64; N],
) -> Result<(Currency, [i64; N]), GatewayError> {
    let strange = || GatewayError::Malformed(format!("{amounts:?} {code:?} is no amount of ours"));
    let currency: Currency = code.to_ascii_uppercase().parse().map_err(|_| strange())?;
    let mut minor = amounts;
    for (to, from) in minor.iter_mut().zip(amounts) {
        *to = from_stripe(from, currency).filter(|&minor| minor >= 0).ok_or_else(strange)?;
    }
    Ok((currency, minor))
}

/// One of our ids in the metadata.
fn own_id(metadata: &Metadata, name: &str) -> Option<i64> {
    match metadata.as_ref()?.get(name)? {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

/// A payment intent as the shop sees it.
pub(super) fn seen(object: Value) -> Result<Seen, GatewayError> {
    let intent: Intent = read(object)?;
    let state = match intent.status.as_str() {
        "requires_payment_method" => match &intent.last_payment_error {
            Some(error) => SeenState::Failed(error.reason()),
            None => SeenState::Pending,
        },
        "requires_confirmation" | "requires_action" => SeenState::Pending,
        "processing" => SeenState::Processing,
        "requires_capture" => SeenState::Authorised,
        "succeeded" => SeenState::Succeeded,
        "canceled" => SeenState::Cancelled,
        other => return Err(GatewayError::Malformed(format!("status {other:?} of a payment"))),
    };
    // Stand-ins leave it out; Stripe itself never does.
    let received = intent.amount_received.unwrap_or(match state {
        SeenState::Succeeded => intent.amount,
        _ => 0,
    });
    let (currency, [amount_minor, received_minor]) =
        money(&intent.currency, [intent.amount, received])?;
    Ok(Seen {
        provider_id: intent.id,
        state,
        amount_minor,
        received_minor,
        currency,
        order_id: own_id(&intent.metadata, ORDER_ID),
        payment_id: own_id(&intent.metadata, PAYMENT_ID),
        made_at: own_id(&intent.metadata, MADE_AT),
        client_secret: intent.client_secret.map(Secret::new),
    })
}

/// A refund as the shop sees it.
pub(super) fn refund_seen(object: Value) -> Result<RefundSeen, GatewayError> {
    let refund: Refund = read(object)?;
    let state = match refund.status.as_deref() {
        Some("pending" | "requires_action") => RefundState::Pending,
        Some("succeeded") => RefundState::Succeeded,
        Some(status @ ("failed" | "canceled")) => {
            RefundState::Failed(bounded(refund.failure_reason.as_deref().unwrap_or(status)))
        }
        other => return Err(GatewayError::Malformed(format!("status {other:?} of a refund"))),
    };
    let (currency, [amount_minor]) = money(&refund.currency, [refund.amount])?;
    Ok(RefundSeen {
        provider_id: refund.id,
        payment_provider_id: refund.payment_intent.unwrap_or_default(),
        state,
        amount_minor,
        currency,
        refund_id: own_id(&refund.metadata, REFUND_ID),
        made_at: own_id(&refund.metadata, MADE_AT),
    })
}

impl PaymentError {
    /// Stripe's codes, such as `card_declined: insufficient_funds`.
    fn reason(&self) -> String {
        let code = self.code.as_deref().unwrap_or("unknown");
        match &self.decline_code {
            Some(decline) => bounded(&format!("{code}: {decline}")),
            None => bounded(code),
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn intent(changes: Value) -> Result<Seen, GatewayError> {
        let mut object = json!({
            "id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 1250,
            "amount_received": 1250, "currency": "eur", "client_secret": "pi_1_secret_x",
            "metadata": {"order_id": "7", "payment_id": "8"}, "last_payment_error": null,
        });
        for (name, value) in changes.as_object().expect("an object") {
            object[name] = value.clone();
        }
        seen(object)
    }

    #[test]
    fn every_status_of_a_payment_has_its_state() {
        let declined = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
        for (status, error, state) in [
            ("requires_payment_method", Value::Null, SeenState::Pending),
            (
                "requires_payment_method",
                declined,
                SeenState::Failed("card_declined: insufficient_funds".to_owned()),
            ),
            ("requires_payment_method", json!({}), SeenState::Failed("unknown".to_owned())),
            ("requires_confirmation", Value::Null, SeenState::Pending),
            ("requires_action", Value::Null, SeenState::Pending),
            ("processing", Value::Null, SeenState::Processing),
            ("requires_capture", Value::Null, SeenState::Authorised),
            ("succeeded", Value::Null, SeenState::Succeeded),
            ("canceled", Value::Null, SeenState::Cancelled),
        ] {
            let read = intent(json!({"status": status, "last_payment_error": error}));
            assert_eq!(read.expect(status).state, state, "{status}");
        }
    }

    #[test]
    fn a_payment_is_read_whole() {
        let read = intent(json!({})).expect("well-formed");
        assert_eq!((read.amount_minor, read.received_minor), (1250, 1250));
        assert_eq!((read.order_id, read.payment_id), (Some(7), Some(8)));
        assert_eq!((read.currency.code(), read.provider_id.as_str()), ("EUR", "pi_1"));
        assert!(!format!("{read:?}").contains("secret_x"));
        let part = intent(json!({"amount_received": 1000, "metadata": {"order_id": "x"}}));
        let part = part.expect("well-formed");
        assert_eq!((part.received_minor, part.order_id, part.payment_id), (1000, None, None));
        let icelandic = intent(json!({"currency": "isk", "amount": 500, "amount_received": 0}));
        assert_eq!(icelandic.expect("well-formed").amount_minor, 5);
    }

    #[test]
    fn nonsense_is_malformed() {
        for changes in [
            json!({"status": "done"}),
            json!({"amount": "1250"}),
            json!({"amount": null}),
            json!({"amount": -1}),
            json!({"currency": "euro"}),
            json!({"currency": "isk", "amount": 501}),
            json!({"id": 7}),
        ] {
            let read = intent(changes.clone());
            assert!(matches!(read, Err(GatewayError::Malformed(_))), "{changes}: {read:?}");
        }
    }

    #[test]
    fn every_status_of_a_refund_has_its_state() {
        for (status, state) in [
            (json!("pending"), Some(RefundState::Pending)),
            (json!("requires_action"), Some(RefundState::Pending)),
            (json!("succeeded"), Some(RefundState::Succeeded)),
            (json!("failed"), Some(RefundState::Failed("lost_or_stolen_card".to_owned()))),
            (json!("canceled"), Some(RefundState::Failed("lost_or_stolen_card".to_owned()))),
            (json!("odd"), None),
            (Value::Null, None),
        ] {
            let read = refund_seen(json!({
                "id": "re_1", "status": status, "amount": 5, "currency": "eur",
                "payment_intent": "pi_1", "metadata": {"refund_id": "3"},
                "failure_reason": "lost_or_stolen_card",
            }));
            assert_eq!(read.as_ref().ok().map(|refund| refund.state.clone()), state, "{status}");
            if let Ok(refund) = read {
                assert_eq!((refund.amount_minor, refund.refund_id), (5, Some(3)));
            }
        }
    }
}
