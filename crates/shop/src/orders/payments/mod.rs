//! Settling payments: what a provider says becomes what the order knows.
//!
//! The provider is asked outside of transactions; its word goes to the stock writer, which compares
//! amount and currency, and takes or gives stock. Whoever asks first settles: the buyer's browser,
//! the webhook and the jobs all come through here, and the second word changes nothing. What was
//! lost on the way is asked for again, never guessed.

mod endings;
pub(super) mod queries;
mod refunds;

use jiff::SignedDuration;
use runout_core::ids::{AccountId, OrderId, PaymentId};
use runout_core::stock::{Act, By, Gateway as Kind, Holder, PaymentSeen, PaymentStatus};

use self::queries::KnownPayment;
use super::PaymentOut;
use super::acts::{OrderActor, act};
use super::place::{Done, PlaceRefused};
use super::queries::{Viewer, one};
use crate::App;
use crate::payments::gateway::{CODE_KEY, CODE_REPEATED};
use crate::payments::gateway_unavailable;
use crate::payments::methods::{Chargeable, chargeable};
use crate::payments::{Charge, Gateway, GatewayError, REPEATABLE_FOR, Seen, SeenState};
use crate::platform::command::Key;
use crate::platform::problem::{FieldError, Problem};

/// How far the provider's clock may be from ours when a payment is looked for.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

use endings::give_way;
pub(super) use endings::{lapse, resolve};
pub(super) use refunds::{resend, send_refunds, webhook_refund};

/// # Errors
/// 409 `gateway_unavailable` when the shop does not have the gateway.
pub(crate) fn ready(app: &App, kind: Kind) -> Result<Gateway, Problem> {
    app.payments.gateway(kind).ok_or_else(|| gateway_unavailable(kind))
}

/// The stored way to pay that a basket's holder names.
///
/// # Errors
/// 400, if it is not one of theirs.
pub(crate) async fn stored_method(
    app: &App,
    by: Holder,
    id: Option<i64>,
) -> Result<Option<Chargeable>, Problem> {
    let account = match by {
        Holder::Account(account) => Some(account),
        Holder::Token(_) => None,
    };
    method_of(app, account, id).await
}

/// [`stored_method`] for whoever acts on an order.
async fn stored_method_of(
    app: &App,
    by: By,
    id: Option<i64>,
) -> Result<Option<Chargeable>, Problem> {
    let account = match by {
        By::Owner(account) => Some(account),
        By::Guest(_) | By::Staff(_) | By::Shop => None,
    };
    method_of(app, account, id).await
}

async fn method_of(
    app: &App,
    account: Option<AccountId>,
    id: Option<i64>,
) -> Result<Option<Chargeable>, Problem> {
    let Some(id) = id else { return Ok(None) };
    let found = match account {
        Some(account) => chargeable(app, account.0, id, Kind::Stripe).await?,
        None => None,
    };
    found.map(Some).ok_or_else(|| {
        let detail = "You have no such stored way to pay.";
        let error = FieldError::new("/payment_method_id", "unknown", detail);
        Problem::validation(vec![error])
    })
}

/// # Errors
/// 404, if the viewer may not see the order.
pub(crate) async fn visible(app: &App, order: OrderId, viewer: Viewer) -> Result<(), Problem> {
    let found = one(&app.db, order, viewer).await?;
    found.map(drop).ok_or_else(|| Problem::not_found("order"))
}

/// Another attempt to pay, for every door: with a stored way to pay, which takes the place of what
/// is open, or to be finished in the buyer's browser.
///
/// # Errors
/// 409 `gateway_unavailable`; 400 for a way to pay that is not theirs; 404; [`PlaceRefused`].
pub(super) async fn begin(
    app: &App,
    order: OrderId,
    actor: OrderActor,
    (gateway, method): (Kind, Option<i64>),
    key: Option<Key>,
) -> Result<Done, Problem> {
    ready(app, gateway)?;
    let method = stored_method_of(app, actor.by, method).await?;
    if method.is_some() {
        visible(app, order, actor.viewer()).await?;
        give_way(app, order).await?;
    }
    let done = act(app, order, actor.by, Act::StartPayment { gateway }, key).await?;
    Ok(begun(app, done, method).await)
}

/// Makes the order's open payment at its provider, and adds what the buyer's browser needs. When
/// the provider does not answer, the payment stays open: the jobs ask again.
pub(crate) async fn begun(app: &App, done: Done, method: Option<Chargeable>) -> Done {
    let open = |payment: &&PaymentOut| {
        payment.gateway == Kind::Stripe.name() && payment.status == "pending"
    };
    let Some(payment) = done.order.payments.iter().rev().find(open) else { return done };
    let (order, id) = (OrderId(done.order.id), PaymentId(payment.id));
    match ask_for(app, id, method).await {
        Ok(seen) => {
            let secret = seen.client_secret.as_ref().map(|secret| secret.expose().to_owned());
            let mut settled = match settle(app, order, id, seen).await {
                Ok(settled) => Done { replayed: done.replayed, ..settled },
                Err(error) => {
                    tracing::error!(?error, payment = id.0, "a payment could not be settled yet");
                    done
                }
            };
            let mine = |payment: &&mut PaymentOut| payment.id == id.0;
            if let Some(payment) = settled.order.payments.iter_mut().find(mine) {
                payment.client_secret = secret;
            }
            settled
        }
        // A key that is not accepted says nothing of what was asked before with another.
        Err(Asking::Gateway(GatewayError::Refused { code, message })) if code != CODE_KEY => {
            tracing::warn!(code, message, payment = id.0, "the provider refused a payment");
            let seen = PaymentSeen::Failed { provider_id: String::new(), reason: code };
            note(app, order, id, seen).await.unwrap_or(done)
        }
        Err(error) => {
            tracing::warn!(
                ?error,
                payment = id.0,
                "the provider did not answer; asked again later"
            );
            done
        }
    }
}

/// Why a provider's word is missing.
#[derive(Debug)]
enum Asking {
    Gateway(GatewayError),
    Store(runout_store::Error),
    NoSuch,
}

impl From<GatewayError> for Asking {
    fn from(error: GatewayError) -> Self {
        Self::Gateway(error)
    }
}

impl From<runout_store::Error> for Asking {
    fn from(error: runout_store::Error) -> Self {
        Self::Store(error)
    }
}

async fn known(app: &App, id: PaymentId) -> Result<(KnownPayment, Gateway), Asking> {
    let payment = queries::payment_by_id(&app.db, id).await?.ok_or(Asking::NoSuch)?;
    let gateway = app.payments.gateway(payment.gateway).ok_or(Asking::NoSuch)?;
    Ok((payment, gateway))
}

fn charge(app: &App, payment: &KnownPayment, method: Option<Chargeable>) -> Charge {
    let (customer, payment_method) =
        method.map(|stored| (stored.customer, stored.payment_method)).unzip();
    Charge {
        payment_id: payment.id.0,
        order_id: payment.order.0,
        amount_minor: payment.amount_minor,
        currency: payment.currency,
        made_at: payment.created_at,
        customer,
        payment_method,
        capture: app.payments.capture,
    }
}

/// Makes the payment, or finds out how it stands if it may have been made before.
async fn ask_for(app: &App, id: PaymentId, method: Option<Chargeable>) -> Result<Seen, Asking> {
    let (payment, gateway) = known(app, id).await?;
    let age = app.clock.now().duration_since(payment.created_at);
    let repeatable = SignedDuration::try_from(REPEATABLE_FOR).unwrap_or(SignedDuration::MAX);
    if (payment.provider_id.is_some() || age > repeatable)
        && let Some(seen) = look_up(app, &payment, &gateway).await?
    {
        return Ok(seen);
    }
    match gateway.create(&charge(app, &payment, method)).await {
        // Asked for before in another way: the payment of then is the one.
        Err(GatewayError::Refused { code, .. }) if code == CODE_REPEATED => {
            look_up(app, &payment, &gateway).await?.ok_or(Asking::NoSuch)
        }
        answer => Ok(answer?),
    }
}

/// How a payment stands, without making it. `None`: it never reached the provider.
async fn look_up(
    app: &App,
    payment: &KnownPayment,
    gateway: &Gateway,
) -> Result<Option<Seen>, Asking> {
    match &payment.provider_id {
        Some(provider_id) => Ok(Some(gateway.look_up(provider_id).await?)),
        None => {
            let since = payment.created_at - CLOCKS_DIFFER;
            Ok(gateway.find(&charge(app, payment, None), since).await?)
        }
    }
}

/// Notes what the provider said, and sends back what it leads to.
async fn settle(
    app: &App,
    order: OrderId,
    id: PaymentId,
    seen: Seen,
) -> Result<Done, PlaceRefused> {
    let known = queries::payment_by_id(&app.db, id).await?;
    if !known.is_some_and(|known| known.order == order && known.is(&seen)) {
        tracing::error!(?seen, payment = id.0, "the provider speaks of another payment");
        return Err(PlaceRefused::NotFound);
    }
    note(app, order, id, word_of(seen)).await
}

fn word_of(seen: Seen) -> PaymentSeen {
    let Seen { provider_id, state, received_minor, currency, .. } = seen;
    match state {
        SeenState::Pending | SeenState::Processing => PaymentSeen::Open { provider_id },
        SeenState::Authorised => PaymentSeen::Authorised { provider_id },
        SeenState::Succeeded => PaymentSeen::Succeeded {
            provider_id,
            received_minor,
            currency: currency.code().to_owned(),
        },
        SeenState::Failed(reason) => PaymentSeen::Failed { provider_id, reason },
        SeenState::Cancelled => PaymentSeen::Cancelled,
    }
}

async fn note(
    app: &App,
    order: OrderId,
    payment: PaymentId,
    seen: PaymentSeen,
) -> Result<Done, PlaceRefused> {
    let what = Act::PaymentSeen { payment, seen };
    let done = act(app, order, By::Shop, what, None).await?;
    Ok(send_refunds(app, done).await)
}

/// Asks the provider how a payment stands, and settles it.
///
/// # Errors
/// 404 for no payment of the order's; 502/503 when the provider cannot be asked.
pub(crate) async fn sync(app: &App, order: OrderId, id: PaymentId) -> Result<Done, Problem> {
    of_order(app, order, id).await?;
    let (payment, gateway) = known(app, id).await.map_err(not_asked)?;
    let seen = look_up(app, &payment, &gateway).await.map_err(not_asked)?;
    let done = match seen {
        Some(seen) => settle(app, order, id, seen).await?,
        None => {
            let order = one(&app.db, order, Viewer::All).await?;
            let order = order.ok_or_else(|| Problem::not_found("order"))?;
            Done { order, replayed: false }
        }
    };
    Ok(done)
}

/// Takes money that was set aside.
///
/// # Errors
/// As [`sync`]; 409 if it was not set aside.
pub(crate) async fn capture(app: &App, order: OrderId, id: PaymentId) -> Result<Done, Problem> {
    of_order(app, order, id).await?;
    let (payment, gateway) = known(app, id).await.map_err(not_asked)?;
    let not_authorised = |detail: &'static str| Err(Problem::conflict("not_authorised", detail));
    let Some(provider_id) = payment.provider_id else {
        return not_authorised("No money has been set aside by this payment.");
    };
    if payment.status == PaymentStatus::Authorised && !payment.is_wanted {
        return not_authorised("The order does not need this payment any more.");
    }
    let seen = gateway.capture(&provider_id).await.map_err(|error| not_asked(error.into()))?;
    if seen.state != SeenState::Succeeded {
        settle(app, order, id, seen).await?;
        return not_authorised("No money is set aside by this payment.");
    }
    Ok(settle(app, order, id, seen).await?)
}

/// A payment that the provider can be asked about.
async fn of_order(app: &App, order: OrderId, id: PaymentId) -> Result<(), Problem> {
    let payment = queries::payment_by_id(&app.db, id).await?;
    let payment = payment.filter(|payment| payment.order == order);
    let payment = payment.ok_or_else(|| Problem::not_found("payment"))?;
    if payment.gateway == Kind::Manual {
        let detail = "A manual payment has no provider: staff say when the money has arrived.";
        return Err(Problem::conflict("manual_payment", detail));
    }
    Ok(())
}

fn not_asked(error: Asking) -> Problem {
    match error {
        Asking::NoSuch => Problem::not_found("payment"),
        Asking::Store(error) => error.into(),
        Asking::Gateway(error) => error.into(),
    }
}

/// What a webhook says happened to a payment: asks the provider, and settles it.
///
/// # Errors
/// When it should come again.
pub(super) async fn webhook_payment(app: &App, provider_id: &str) -> Result<(), Problem> {
    let Some(gateway) = app.payments.gateway(Kind::Stripe) else { return Ok(()) };
    let seen = match gateway.look_up(provider_id).await {
        Ok(seen) => seen,
        // Not one of ours, or gone: it would be the same the next time.
        Err(GatewayError::Refused { .. }) => return Ok(()),
        Err(error) => return Err(not_asked(error.into())),
    };
    let (Some(order), Some(payment)) = (seen.order_id, seen.payment_id) else { return Ok(()) };
    match settle(app, OrderId(order), PaymentId(payment), seen).await {
        Ok(_) | Err(PlaceRefused::NotFound | PlaceRefused::Act(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
