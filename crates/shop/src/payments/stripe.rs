//! Stripe: payment intents, refunds, customers and payment methods over its HTTP API.
//!
//! A thin client of our own: some ten calls, a pinned version of the API, forms out and JSON in.
//! Idempotency keys are made of our own ids and times, so that whatever is asked for again (by a
//! retry, a restart, another node) is the same thing to Stripe.

mod amounts;
mod client;
mod methods;
mod objects;

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Url;
use serde_json::Value;

use super::gateway::{
    CODE_MISSING, Charge, GatewayError, RefundOrder, RefundSeen, Seen, is_provider_id,
};
use crate::platform::config::Capture;
use crate::platform::secret::Secret;

pub use client::{API_VERSION, Limits};
pub use methods::StripeMethod;
pub use objects::Card;

use amounts::to_stripe;
use client::{Call, CallError, Client};
use objects::{List, MADE_AT, ORDER_ID, PAYMENT_ID, REFUND_ID, read, refund_seen, seen};

/// Objects per page of a list: the most that Stripe gives.
const PAGE: usize = 100;
/// Pages that are searched for one payment or refund.
const PAGES_MAX: usize = 100;

/// A connection to one account at Stripe. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stripe {
    client: Arc<Client>,
}

impl Stripe {
    /// The account of this key, at `api_url` (Stripe itself, or a stand-in).
    pub fn new(api_url: &Url, secret_key: Secret) -> Self {
        Self::with_limits(api_url, secret_key, Limits::default())
    }

    /// As [`Stripe::new`], with other bounds: for tests.
    pub fn with_limits(api_url: &Url, secret_key: Secret, limits: Limits) -> Self {
        Self { client: Arc::new(Client::new(api_url, secret_key, limits)) }
    }

    pub(super) async fn create(&self, charge: &Charge) -> Result<Seen, GatewayError> {
        let amount = to_stripe(charge.amount_minor, charge.currency)?;
        let capture = match charge.capture {
            Capture::Automatic => "automatic",
            Capture::Manual => "manual",
        };
        let made_at = charge.made_at.as_microsecond();
        let mut call = Call::post(&["payment_intents"])
            .key(format!("runout-payment-{}-{made_at}", charge.payment_id))
            .field("amount", amount)
            .field("currency", charge.currency.code().to_ascii_lowercase())
            .field("capture_method", capture)
            .field_if("customer", charge.customer.as_deref())
            .field(&format!("metadata[{ORDER_ID}]"), charge.order_id)
            .field(&format!("metadata[{PAYMENT_ID}]"), charge.payment_id)
            .field(&format!("metadata[{MADE_AT}]"), made_at);
        if let Some(method) = &charge.payment_method {
            // Only cards are stored. The buyer is elsewhere: nothing may be asked of them.
            call = call
                .field("payment_method", method)
                .field("payment_method_types[0]", "card")
                .field("confirm", true)
                .field("off_session", true);
        }
        match self.client.call(&call).await {
            Ok(object) => seen(object),
            // A declined card: the payment exists, and says so itself.
            Err(CallError::Refused(refusal)) => match refusal.payment_intent {
                Some(object) if object.is_object() => seen(object),
                _ => Err(CallError::Refused(refusal).into()),
            },
            Err(lost) => Err(lost.into()),
        }
    }

    pub(super) async fn find(
        &self,
        charge: &Charge,
        since: Timestamp,
    ) -> Result<Option<Seen>, GatewayError> {
        let list = Call::get(&["payment_intents"])
            .field("created[gte]", since.as_second())
            .field_if("customer", charge.customer.as_deref());
        self.search(list, |object| {
            let found = seen(object).ok()?;
            let made_at = Some(charge.made_at.as_microsecond());
            let ours = (Some(charge.payment_id), Some(charge.order_id), made_at);
            ((found.payment_id, found.order_id, found.made_at) == ours).then_some(found)
        })
        .await
    }

    pub(super) async fn look_up(&self, provider_id: &str) -> Result<Seen, GatewayError> {
        let call = Call::get(&["payment_intents", checked(provider_id)?]);
        seen(self.client.call(&call).await?).map_err(asked)
    }

    pub(super) async fn capture(&self, provider_id: &str) -> Result<Seen, GatewayError> {
        self.act(provider_id, "capture").await
    }

    pub(super) async fn cancel(&self, provider_id: &str) -> Result<Seen, GatewayError> {
        self.act(provider_id, "cancel").await
    }

    /// Does something with a payment, or tells how the payment stands that it cannot be done with.
    async fn act(&self, provider_id: &str, action: &str) -> Result<Seen, GatewayError> {
        // No idempotency key: the payment's own state makes a repetition harmless, while a key
        // would repeat an old refusal after the state has changed.
        let call = Call::post(&["payment_intents", checked(provider_id)?, action]);
        match self.client.call(&call).await {
            Ok(object) => seen(object),
            Err(CallError::Refused(refusal)) if refusal.is_about_state() => {
                self.look_up(provider_id).await
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn refund(&self, order: &RefundOrder) -> Result<RefundSeen, GatewayError> {
        let made_at = order.made_at.as_microsecond();
        let call = Call::post(&["refunds"])
            .key(format!("runout-refund-{}-{made_at}", order.refund_id))
            .field("payment_intent", checked(&order.payment_provider_id)?)
            .field("amount", to_stripe(order.amount_minor, order.currency)?)
            .field(&format!("metadata[{ORDER_ID}]"), order.order_id)
            .field(&format!("metadata[{PAYMENT_ID}]"), order.payment_id)
            .field(&format!("metadata[{REFUND_ID}]"), order.refund_id)
            .field(&format!("metadata[{MADE_AT}]"), made_at);
        refund_seen(self.client.call(&call).await?)
    }

    pub(super) async fn find_refund(
        &self,
        order: &RefundOrder,
    ) -> Result<Option<RefundSeen>, GatewayError> {
        let payment = checked(&order.payment_provider_id)?;
        let list = Call::get(&["refunds"]).field("payment_intent", payment);
        self.search(list, |object| {
            let found = refund_seen(object).ok()?;
            let ours = (Some(order.refund_id), Some(order.made_at.as_microsecond()));
            ((found.refund_id, found.made_at) == ours).then_some(found)
        })
        .await
    }

    pub(super) async fn look_up_refund(&self, id: &str) -> Result<RefundSeen, GatewayError> {
        let call = Call::get(&["refunds", checked(id)?]);
        refund_seen(self.client.call(&call).await?).map_err(asked)
    }

    /// The first object of a list that `wanted` takes.
    async fn search<T>(
        &self,
        list: Call,
        wanted: impl Fn(Value) -> Option<T>,
    ) -> Result<Option<T>, GatewayError> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page =
                list.clone().field("limit", PAGE).field_if("starting_after", after.as_deref());
            let page: List = read(self.client.call(&page).await?).map_err(asked)?;
            let last = page.data.last().and_then(|object| object["id"].as_str()).map(str::to_owned);
            if let Some(found) = page.data.into_iter().find_map(&wanted) {
                return Ok(Some(found));
            }
            if !page.has_more || last.is_none() {
                return Ok(None);
            }
            after = last;
        }
        Err(GatewayError::Unreachable(format!("not found on the first {PAGES_MAX} pages")))
    }
}

/// An id that can stand in a path: it names an object and nothing else.
fn checked(id: &str) -> Result<&str, GatewayError> {
    match is_provider_id(id) {
        true => Ok(id),
        false => Err(GatewayError::refused(CODE_MISSING, "not an id of Stripe's")),
    }
}

/// A question that got a senseless answer did nothing.
fn asked(error: GatewayError) -> GatewayError {
    match error {
        GatewayError::Malformed(why) => GatewayError::Unreachable(why),
        other => other,
    }
}
