//! The seam between the shop and whoever moves the money.
//!
//! Every operation ends in what the provider *said*: a state that was [`Seen`], a refusal, or the
//! admission that the outcome is open ([`GatewayError::is_open`]). Nothing here guesses.

use jiff::Timestamp;
use runout_core::money::Currency;

use super::stripe::Stripe;
use crate::platform::config::Capture;
use crate::platform::secret::Secret;

/// Who moves the money.
pub use runout_core::stock::Gateway as GatewayKind;

/// A payment to be made. Everything in it must be the same when it is asked for again: the
/// provider knows the repetition by `payment_id`, and refuses one that asks for something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub payment_id: i64,
    pub order_id: i64,
    /// In the currency's own (ISO 4217) minor units, at least 1.
    pub amount_minor: i64,
    pub currency: Currency,
    /// When it was first asked for. With it the ids are ours alone: another shop under the same
    /// account, or another database of this one, counts its payments from 1 as well.
    pub made_at: Timestamp,
    /// The provider's name for the buyer; needed with `payment_method`.
    pub customer: Option<String>,
    /// A stored way to pay. With one, the payment is made at once, without the buyer; without one
    /// the buyer makes it with the [`Seen::client_secret`].
    pub payment_method: Option<String>,
    pub capture: Capture,
}

/// A payment as the provider sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub provider_id: String,
    pub state: SeenState,
    /// What was asked for, in the currency's own minor units. Compare it with what was meant.
    pub amount_minor: i64,
    /// What has arrived, in the same units. Refunds do not lower it.
    pub received_minor: i64,
    pub currency: Currency,
    /// Ours, as the provider kept them. Compare them too: a provider's account may be shared.
    pub order_id: Option<i64>,
    pub payment_id: Option<i64>,
    /// [`Charge::made_at`] in microseconds since 1970.
    pub made_at: Option<i64>,
    /// With it the buyer's browser completes the payment; for the buyer alone.
    pub client_secret: Option<Secret>,
}

/// How far a payment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenState {
    /// Waits for the buyer: for a card, for a confirmation by their bank.
    Pending,
    /// The provider is busy with it; it will succeed or fail without us.
    Processing,
    /// Set aside at the bank, to be captured or cancelled.
    Authorised,
    Succeeded,
    /// The last attempt failed, for this reason. A buyer who is there can still try another card
    /// on the same payment and succeed; whoever gives up must cancel it, and look at the answer.
    Failed(String),
    /// Ended without money; final.
    Cancelled,
}

/// Money to be given back. As with [`Charge`], a repetition must ask for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundOrder {
    pub refund_id: i64,
    pub payment_id: i64,
    pub order_id: i64,
    /// The provider's name for the payment.
    pub payment_provider_id: String,
    /// In the currency's own minor units, at least 1.
    pub amount_minor: i64,
    pub currency: Currency,
    /// As with [`Charge::made_at`].
    pub made_at: Timestamp,
}

/// A refund as the provider sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundSeen {
    pub provider_id: String,
    /// The provider's name for the payment.
    pub payment_provider_id: String,
    pub state: RefundState,
    pub amount_minor: i64,
    pub currency: Currency,
    /// Ours, as the provider kept it.
    pub refund_id: Option<i64>,
    /// [`RefundOrder::made_at`] in microseconds since 1970.
    pub made_at: Option<i64>,
}

/// How far a refund is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundState {
    Pending,
    Succeeded,
    /// It failed or was cancelled: the money is still with the shop.
    Failed(String),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// It was sent and the answer was lost, or was an error of the provider's own: it may have
    /// happened. Ask with the same ids again, or look it up.
    #[error("the outcome is open: {0}")]
    Unknown(String),
    /// Nothing was done: the provider was not reached, turned us away, or was only asked.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// The provider says no; nothing was done. `message` is for people who run the shop.
    #[error("the provider refused ({code}): {message}")]
    Refused { code: String, message: String },
    /// The provider's answer makes no sense. If something was to be done, it may have happened.
    #[error("the provider's answer makes no sense: {0}")]
    Malformed(String),
}

/// Code of [`GatewayError::Refused`] for what the provider does not know.
pub const CODE_MISSING: &str = "resource_missing";
/// Code of [`GatewayError::Refused`] for an amount or currency that the provider cannot take.
pub const CODE_AMOUNT: &str = "amount_not_payable";
/// Code of [`GatewayError::Refused`] when the provider does not accept our key: a defect of the
/// configuration, not of what was asked for.
pub const CODE_KEY: &str = "key_refused";
/// Code of [`GatewayError::Refused`] when the same payment or refund was asked for before in
/// another way, such as with another stored card: look for what came of that.
pub const CODE_REPEATED: &str = "idempotency_error";
/// Code of [`GatewayError::Refused`] for what [`Gateway::Manual`] cannot know.
pub const CODE_MANUAL: &str = "manual";

impl GatewayError {
    /// True if what was asked for may have happened all the same, so that it must be asked about.
    pub fn is_open(&self) -> bool {
        matches!(self, GatewayError::Unknown(_) | GatewayError::Malformed(_))
    }

    /// True if the provider does not know what was asked about.
    pub fn is_missing(&self) -> bool {
        matches!(self, GatewayError::Refused { code, .. } if code == CODE_MISSING)
    }

    pub(super) fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::Refused { code: code.to_owned(), message: message.into() }
    }
}

/// Longest id that a provider gives.
const PROVIDER_ID_LENGTH_MAX: usize = 255;

/// True for what can be a provider's name for something: it is safe in a path and in a form.
pub fn is_provider_id(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=PROVIDER_ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(fine)
}

/// An implementation of the seam. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Gateway {
    Manual,
    Stripe(Stripe),
}

impl Gateway {
    pub fn kind(&self) -> GatewayKind {
        match self {
            Gateway::Manual => GatewayKind::Manual,
            Gateway::Stripe(_) => GatewayKind::Stripe,
        }
    }

    /// Makes a payment at the provider, once per `payment_id` however often it is asked for
    /// within [`super::REPEATABLE_FOR`]. A stored card that is declined is not an error but
    /// [`SeenState::Failed`].
    ///
    /// # Errors
    /// [`GatewayError`]. When it [is open](GatewayError::is_open), ask again with the same charge,
    /// or [`Gateway::find`] it.
    pub async fn create(&self, charge: &Charge) -> Result<Seen, GatewayError> {
        assert!(charge.amount_minor >= 1, "a payment is of something");
        match self {
            Gateway::Manual => Ok(manual_charge(charge)),
            Gateway::Stripe(stripe) => stripe.create(charge).await,
        }
    }

    /// Looks for a payment whose provider id never reached us, by our ids in it, among those made
    /// since `since` (take some minutes off for clocks that differ). `None`: there is none.
    ///
    /// # Errors
    /// [`GatewayError`], never open.
    pub async fn find(
        &self,
        charge: &Charge,
        since: Timestamp,
    ) -> Result<Option<Seen>, GatewayError> {
        match self {
            Gateway::Manual => Ok(Some(manual_charge(charge))),
            Gateway::Stripe(stripe) => stripe.find(charge, since).await,
        }
    }

    /// How a payment stands.
    ///
    /// # Errors
    /// [`GatewayError`], never open; [missing](GatewayError::is_missing) if there is no such
    /// payment.
    pub async fn look_up(&self, provider_id: &str) -> Result<Seen, GatewayError> {
        match self {
            Gateway::Manual => Err(nobody_to_ask()),
            Gateway::Stripe(stripe) => stripe.look_up(provider_id).await,
        }
    }

    /// Takes an authorised payment. Answers how the payment stands afterwards, also when it was in
    /// no state to be captured: look at [`Seen::state`].
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn capture(&self, provider_id: &str) -> Result<Seen, GatewayError> {
        match self {
            Gateway::Manual => Err(nobody_to_ask()),
            Gateway::Stripe(stripe) => stripe.capture(provider_id).await,
        }
    }

    /// Ends a payment that has not succeeded. Answers how it stands afterwards, also when it could
    /// not be cancelled any more: it may have succeeded just before.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn cancel(&self, provider_id: &str) -> Result<Seen, GatewayError> {
        match self {
            Gateway::Manual => Err(nobody_to_ask()),
            Gateway::Stripe(stripe) => stripe.cancel(provider_id).await,
        }
    }

    /// Gives money back, once per `refund_id` however often it is asked for within
    /// [`super::REPEATABLE_FOR`].
    ///
    /// # Errors
    /// [`GatewayError`]. When it [is open](GatewayError::is_open), ask again with the same order,
    /// or [`Gateway::find_refund`] it.
    pub async fn refund(&self, order: &RefundOrder) -> Result<RefundSeen, GatewayError> {
        assert!(order.amount_minor >= 1, "a refund is of something");
        match self {
            Gateway::Manual => Ok(manual_refund(order)),
            Gateway::Stripe(stripe) => stripe.refund(order).await,
        }
    }

    /// Looks for a refund whose provider id never reached us, by our id in it. `None`: there is
    /// none.
    ///
    /// # Errors
    /// [`GatewayError`], never open.
    pub async fn find_refund(
        &self,
        order: &RefundOrder,
    ) -> Result<Option<RefundSeen>, GatewayError> {
        match self {
            Gateway::Manual => Ok(Some(manual_refund(order))),
            Gateway::Stripe(stripe) => stripe.find_refund(order).await,
        }
    }

    /// How a refund stands.
    ///
    /// # Errors
    /// [`GatewayError`], never open.
    pub async fn look_up_refund(&self, provider_id: &str) -> Result<RefundSeen, GatewayError> {
        match self {
            Gateway::Manual => Err(nobody_to_ask()),
            Gateway::Stripe(stripe) => stripe.look_up_refund(provider_id).await,
        }
    }
}

/// Nobody but the shop's own database knows about money that is moved by hand.
fn nobody_to_ask() -> GatewayError {
    GatewayError::refused(CODE_MANUAL, "manual payments are known to the shop alone")
}

/// It waits until a person says that the money has arrived.
fn manual_charge(charge: &Charge) -> Seen {
    Seen {
        provider_id: format!("manual_{}", charge.payment_id),
        state: SeenState::Pending,
        amount_minor: charge.amount_minor,
        received_minor: 0,
        currency: charge.currency,
        order_id: Some(charge.order_id),
        payment_id: Some(charge.payment_id),
        made_at: Some(charge.made_at.as_microsecond()),
        client_secret: None,
    }
}

/// The person who orders a manual refund hands the money over themselves.
fn manual_refund(order: &RefundOrder) -> RefundSeen {
    RefundSeen {
        provider_id: format!("manual_{}", order.refund_id),
        payment_provider_id: order.payment_provider_id.clone(),
        state: RefundState::Succeeded,
        amount_minor: order.amount_minor,
        currency: order.currency,
        refund_id: Some(order.refund_id),
        made_at: Some(order.made_at.as_microsecond()),
    }
}
