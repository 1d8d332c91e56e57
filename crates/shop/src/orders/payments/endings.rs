//! The end of payments that nobody finishes: they are asked about, and ended at their provider when
//! their order does not want them any more.

use runout_core::ids::{OrderId, PaymentId};
use runout_core::stock::{Act, By, PaymentSeen, PaymentStatus};

use super::queries::{self, KnownPayment};
use super::{Asking, known, look_up, not_asked, note, settle, word_of};
use crate::App;
use crate::orders::acts::act;
use crate::payments::{Gateway, Seen, SeenState};
use crate::platform::problem::Problem;

/// Finds out about an open payment; ends one that its order does not want any more. For the jobs.
///
/// # Errors
/// When the provider or the database did not answer: it has had its turn, and stays as it is.
pub(in crate::orders) async fn resolve(app: &App, id: PaymentId) -> Result<(), Problem> {
    let (payment, gateway) = known(app, id).await.map_err(not_asked)?;
    let seen = match payment.is_wanted {
        true => look_up(app, &payment, &gateway).await,
        false => end(app, &payment, &gateway).await,
    };
    let (word, outcome) = match seen {
        Ok(Some(seen)) if !payment.is(&seen) => {
            tracing::error!(?seen, payment = id.0, "the provider speaks of another payment");
            (PaymentSeen::Asked, Ok(()))
        }
        Ok(Some(seen)) if is_known(&payment, &seen) => (PaymentSeen::Asked, Ok(())),
        Ok(Some(seen)) => (word_of(seen), Ok(())),
        Ok(None) => (never_reached(), Ok(())),
        Err(error) => (PaymentSeen::Asked, Err(not_asked(error))),
    };
    note(app, payment.order, id, word).await?;
    outcome
}

/// It was never made: whoever wants to pay begins anew.
fn never_reached() -> PaymentSeen {
    let reason = "never reached the provider".to_owned();
    PaymentSeen::Failed { provider_id: String::new(), reason }
}

/// True if the provider says what it said before.
fn is_known(payment: &KnownPayment, seen: &Seen) -> bool {
    let same = match seen.state {
        SeenState::Pending | SeenState::Processing => payment.status == PaymentStatus::Pending,
        SeenState::Authorised => payment.status == PaymentStatus::Authorised,
        SeenState::Failed(_) => payment.status == PaymentStatus::Failed,
        SeenState::Succeeded | SeenState::Cancelled => false,
    };
    same && payment.provider_id.as_deref() == Some(seen.provider_id.as_str())
}

/// Ends a payment at its provider, also one whose name there the shop never heard. `None`: it never
/// reached the provider. It may have succeeded just before.
async fn end(app: &App, payment: &KnownPayment, gateway: &Gateway) -> Result<Option<Seen>, Asking> {
    let found = match &payment.provider_id {
        Some(provider_id) => Some(provider_id.clone()),
        None => look_up(app, payment, gateway).await?.map(|seen| seen.provider_id),
    };
    match found {
        Some(provider_id) => Ok(Some(gateway.cancel(&provider_id).await?)),
        None => Ok(None),
    }
}

/// Gives an order up whose time to pay is over. Its payments are ended first: one that succeeded
/// just before pays it. With `may_ask` false an order that needs its provider for that waits.
///
/// # Errors
/// When a provider or the database did not answer: it stays as it is.
pub(in crate::orders) async fn lapse(
    app: &App,
    order: OrderId,
    may_ask: bool,
) -> Result<(), Problem> {
    let open = queries::open_payments_of(&app.db, order).await?;
    if !open.is_empty() && !may_ask {
        return Ok(());
    }
    for id in open {
        let (payment, gateway) = known(app, id).await.map_err(not_asked)?;
        match end(app, &payment, &gateway).await.map_err(not_asked)? {
            Some(seen) => settle(app, order, id, seen).await?,
            None => note(app, order, id, never_reached()).await?,
        };
    }
    act(app, order, By::Shop, Act::Lapse, None).await?;
    Ok(())
}

/// Before an order is paid with a stored card: what waits for the buyer's browser is ended, so that
/// it is not paid twice. One that has succeeded meanwhile pays the order.
///
/// # Errors
/// When the provider or the database did not answer.
pub(in crate::orders) async fn give_way(app: &App, order: OrderId) -> Result<(), Problem> {
    for id in queries::open_payments_of(&app.db, order).await? {
        let (payment, gateway) = known(app, id).await.map_err(not_asked)?;
        // One without a name may be under way: it is found by whoever begins anew.
        if payment.status != PaymentStatus::Pending || payment.provider_id.is_none() {
            continue;
        }
        if let Some(seen) = end(app, &payment, &gateway).await.map_err(not_asked)? {
            settle(app, order, id, seen).await?;
        }
    }
    Ok(())
}
