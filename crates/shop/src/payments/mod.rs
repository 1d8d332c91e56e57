//! Payments: whoever moves the money, and the ways to pay that accounts have stored there.
//!
//! Owns the tables `payment_customer` and `payment_method`. What always holds:
//!
//! - The provider is asked outside of transactions. What it said is stored afterwards; what it did
//!   not say is asked again, with the same ids, and never guessed.
//! - A repetition carries the same idempotency key, made of our own ids: a payment is made and a
//!   refund is given once.
//! - Card numbers never come here. A stored payment method is the provider's name for it, with what
//!   the owner needs to recognise it.
//! - Keys and secrets are [`Secret`]s: no log, error or `Debug` shows them.

mod api;
mod commands;
pub mod gateway;
pub mod methods;
mod queries;
mod refusals;
pub mod stripe;
pub mod webhook;

use std::time::Duration;

use runout_store::Sql;
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::platform::config::Payments as Settings;
use crate::platform::secret::Secret;

pub use crate::platform::config::Capture;
pub(crate) use commands::erasure;
pub use gateway::{
    Charge, Gateway, GatewayError, GatewayKind, RefundOrder, RefundSeen, RefundState, Seen,
    SeenState,
};
pub use refusals::gateway_unavailable;
pub use stripe::Stripe;

/// How long a provider knows a repetition by its idempotency key: an hour less than Stripe's day.
/// Later, what is still open must be found ([`Gateway::find`]) before it is asked for again.
pub const REPEATABLE_FOR: Duration = Duration::from_secs(23 * 60 * 60);

/// The part of the application's state that is about payments.
#[derive(Debug, Clone)]
pub struct Payments {
    stripe: Option<Stripe>,
    webhook_secret: Option<Secret>,
    /// When payments that we make are taken.
    pub capture: Capture,
}

impl Payments {
    /// The gateways that the configuration names.
    pub fn new(settings: &Settings) -> Self {
        let key = settings.stripe_secret_key.as_ref();
        let stripe = key.map(|key| Stripe::new(&settings.stripe_api_url, key.clone()));
        Self {
            stripe,
            webhook_secret: settings.stripe_webhook_secret.clone(),
            capture: settings.stripe_capture,
        }
    }

    /// The gateway of this kind, if the shop has it.
    pub fn gateway(&self, kind: GatewayKind) -> Option<Gateway> {
        match kind {
            GatewayKind::Manual => Some(Gateway::Manual),
            GatewayKind::Stripe => self.stripe.clone().map(Gateway::Stripe),
        }
    }

    /// What Stripe's webhooks are signed with, if the shop listens to them.
    pub fn webhook_secret(&self) -> Option<&Secret> {
        self.webhook_secret.as_ref()
    }
}

/// The routes of stored payment methods, under `/api/v1`.
pub fn router() -> OpenApiRouter<App> {
    api::router()
}

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [queries::STATEMENTS, commands::STATEMENTS].concat()
}
