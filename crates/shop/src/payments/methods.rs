//! The ways to pay that an account has stored at a provider.
//!
//! The provider is asked first, then its answer is stored. Whatever is interrupted in between can
//! simply be asked for again: attaching and detaching are looked up before they count as refused.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::commands::{RemoveMethod, StoreCustomer, StoreMethod};
use super::gateway::{Gateway, GatewayError, GatewayKind};
use super::queries;
use super::stripe::Stripe;
use crate::App;
use crate::platform::command::{Caller, Key, Outcome};

/// Payment methods of one account.
pub const METHODS_MAX: i64 = 20;

/// A way to pay, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
pub struct StoredMethod {
    #[schema(minimum = 1)]
    pub id: i64,
    /// `stripe`.
    pub gateway: String,
    /// The provider's name for it.
    pub provider_id: String,
    #[schema(example = "visa")]
    pub brand: String,
    #[schema(example = "4242")]
    pub last4: String,
    #[schema(required = true)]
    pub expires_month: Option<i64>,
    #[schema(required = true)]
    pub expires_year: Option<i64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What a charge needs to use a stored method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chargeable {
    /// The provider's name for the account.
    pub customer: String,
    /// The provider's name for the method.
    pub payment_method: String,
}

/// Why a payment method was not stored or removed.
#[derive(Debug, thiserror::Error)]
pub enum MethodRefused {
    /// The shop does not work with this provider.
    #[error("no gateway")]
    NoGateway,
    /// The account has no such method.
    #[error("no such payment method")]
    NotFound,
    /// The account has [`METHODS_MAX`] already.
    #[error("too many payment methods")]
    TooMany,
    /// Only cards can be stored.
    #[error("not a card")]
    NotACard,
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error(transparent)]
    Store(#[from] runout_store::Error),
}

/// The payment methods of an account, newest first.
///
/// # Errors
/// The database's.
pub async fn list(app: &App, account_id: i64) -> runout_store::Result<Vec<StoredMethod>> {
    queries::methods(&app.db, account_id, METHODS_MAX).await
}

/// What to charge when an account wants to pay with its method `id`; none if it has no such method
/// at this gateway.
///
/// # Errors
/// The database's.
pub async fn chargeable(
    app: &App,
    account_id: i64,
    id: i64,
    gateway: GatewayKind,
) -> runout_store::Result<Option<Chargeable>> {
    queries::chargeable(&app.db, account_id, id, gateway.name()).await
}

/// Attaches a method, which the buyer's browser has made at the provider, to the account.
///
/// # Errors
/// [`MethodRefused`].
pub async fn add(
    app: &App,
    account_id: i64,
    key: Option<Key>,
    provider_id: &str,
) -> Result<Outcome<StoredMethod, MethodRefused>, MethodRefused> {
    let stripe = stripe(app)?;
    let found = stripe.method(provider_id).await?;
    let Some(card) = found.card else { return Err(MethodRefused::NotACard) };
    let count = list(app, account_id).await?;
    let known = count.iter().any(|method| method.provider_id == found.provider_id);
    if !known && count.len() as i64 >= METHODS_MAX {
        // Before the provider attaches what could not be stored.
        return Err(MethodRefused::TooMany);
    }
    let customer = customer(app, &stripe, account_id).await?;
    if found.customer.as_deref() != Some(customer.as_str()) {
        stripe.attach(&found.provider_id, &customer).await?;
    }
    let gateway = GatewayKind::Stripe.name();
    let store = StoreMethod { account_id, gateway, provider_id: found.provider_id, card };
    let caller = Caller { account_id: Some(account_id), key };
    Ok(match app.run(caller, store).await? {
        Outcome::Accepted(method) => Outcome::Accepted(method),
        Outcome::Replayed { status, body } => Outcome::Replayed { status, body },
        Outcome::KeyReused => Outcome::KeyReused,
        Outcome::Refused(_) => Outcome::Refused(MethodRefused::TooMany),
    })
}

/// The provider's name for an account, made there at the first need. Stored before it is used: two
/// requests at once get the same one from the provider.
async fn customer(app: &App, stripe: &Stripe, account_id: i64) -> Result<String, MethodRefused> {
    let gateway = GatewayKind::Stripe.name();
    if let Some(known) = queries::customer(&app.db, account_id, gateway).await? {
        return Ok(known);
    }
    let provider_id = stripe.create_customer(account_id).await?;
    let store = StoreCustomer { account_id, gateway, provider_id: provider_id.clone() };
    app.run(Caller::default(), store).await?;
    let stored = queries::customer(&app.db, account_id, gateway).await?;
    Ok(stored.unwrap_or(provider_id))
}

/// Detaches a method from the account and forgets it.
///
/// # Errors
/// [`MethodRefused`]. The method stays stored until the provider has let go of it.
pub async fn remove(app: &App, account_id: i64, id: i64) -> Result<(), MethodRefused> {
    let Some(method) = queries::find(&app.db, account_id, id).await? else {
        return Err(MethodRefused::NotFound);
    };
    stripe(app)?.detach(&method.provider_id).await?;
    let caller = Caller { account_id: Some(account_id), key: None };
    match app.run(caller, RemoveMethod { account_id, id }).await? {
        Outcome::Refused(_) => Err(MethodRefused::NotFound),
        _ => Ok(()),
    }
}

/// Stored methods are Stripe's; the other gateway has none.
fn stripe(app: &App) -> Result<Stripe, MethodRefused> {
    match app.payments.gateway(GatewayKind::Stripe) {
        Some(Gateway::Stripe(stripe)) => Ok(stripe),
        _ => Err(MethodRefused::NoGateway),
    }
}
