//! Refunds on their way: sent once, asked about until their provider has said how they ended.

use jiff::{SignedDuration, Timestamp};
use runout_core::ids::{OrderId, PaymentId, RefundId};
use runout_core::money::Currency;
use runout_core::stock::{Act, By, Gateway as Kind, RefundSeen};

use super::queries::{self, KnownPayment};
use super::{Asking, known, not_asked};
use crate::App;
use crate::orders::acts::act;
use crate::orders::place::{Done, PlaceRefused};
use crate::orders::queries::{Viewer, one};
use crate::orders::{OrderOut, RefundOut};
use crate::payments::gateway::CODE_KEY;
use crate::payments::{Gateway, GatewayError, RefundOrder, RefundSeen as Seen, RefundState};
use crate::platform::problem::Problem;

/// A refund of this age may have been sent before.
const REFUND_FRESH: SignedDuration = SignedDuration::from_secs(10);

/// Sends the order's pending refunds to their provider and notes the answers. What is not answered
/// stays pending: the jobs ask again.
pub(in crate::orders) async fn send_refunds(app: &App, done: Done) -> Done {
    let pending = |refund: &&RefundOut| refund.status == "pending";
    let ids: Vec<i64> = done.order.refunds.iter().filter(pending).map(|refund| refund.id).collect();
    let mut done = done;
    for id in ids {
        match send_refund(app, &done.order, id).await {
            Ok(Some(order)) => done.order = order,
            Ok(None) => {}
            Err(error) => tracing::warn!(?error, refund = id, "a refund stays pending"),
        }
    }
    done
}

async fn send_refund(app: &App, order: &OrderOut, id: i64) -> Result<Option<OrderOut>, Asking> {
    let refund = order.refunds.iter().find(|refund| refund.id == id).ok_or(Asking::NoSuch)?;
    let (payment, gateway) = known(app, PaymentId(refund.payment_id)).await?;
    let payment_provider_id = payment.provider_id.clone().ok_or(Asking::NoSuch)?;
    let sent = RefundOrder {
        refund_id: id,
        made_at: refund.created_at,
        payment_id: payment.id.0,
        order_id: order.id,
        payment_provider_id,
        amount_minor: refund.amount_minor,
        currency: refund_currency(&gateway, &payment).await?,
    };
    let age = app.clock.now().duration_since(refund.created_at);
    // What was sent before and not answered is looked for before it is sent again.
    let known = if age > REFUND_FRESH { gateway.find_refund(&sent).await? } else { None };
    let seen = match known {
        Some(seen) => Ok(seen),
        None => gateway.refund(&sent).await,
    };
    let word = match seen {
        Ok(seen) => word_of(seen),
        // A key that is not accepted is no word on the refund: it is sent again with a better one.
        Err(GatewayError::Refused { code, .. }) if code != CODE_KEY => {
            RefundSeen::Failed { reason: code }
        }
        Err(error) => return Err(error.into()),
    };
    let what = Act::RefundSeen { refund: RefundId(id), seen: word };
    let acted = act(app, OrderId(order.id), By::Shop, what, None).await;
    Ok(acted.ok().map(|done| done.order))
}

fn word_of(seen: Seen) -> RefundSeen {
    let provider_id = seen.provider_id;
    match seen.state {
        RefundState::Pending => RefundSeen::Pending { provider_id },
        RefundState::Succeeded => RefundSeen::Succeeded { provider_id: Some(provider_id) },
        RefundState::Failed(reason) => RefundSeen::Failed { reason },
    }
}

/// Money goes back in the currency in which it came: for a mismatch that is the provider's word.
async fn refund_currency(gateway: &Gateway, payment: &KnownPayment) -> Result<Currency, Asking> {
    match &payment.provider_id {
        Some(provider_id) if payment.is_mismatch => {
            Ok(gateway.look_up(provider_id).await?.currency)
        }
        _ => Ok(payment.currency),
    }
}

/// What a webhook says happened to a refund.
///
/// # Errors
/// When it should come again.
pub(in crate::orders) async fn webhook_refund(app: &App, provider_id: &str) -> Result<(), Problem> {
    let Some(gateway) = app.payments.gateway(Kind::Stripe) else { return Ok(()) };
    let seen = match gateway.look_up_refund(provider_id).await {
        Ok(seen) => seen,
        Err(GatewayError::Refused { .. }) => return Ok(()),
        Err(error) => return Err(not_asked(error.into())),
    };
    let Some(id) = seen.refund_id.map(RefundId) else { return Ok(()) };
    let known = queries::order_of_refund(&app.db, id).await?;
    let ours = |(_, made_at): &(OrderId, Timestamp)| seen.made_at == Some(made_at.as_microsecond());
    let Some((order, _)) = known.filter(ours) else { return Ok(()) };
    let what = Act::RefundSeen { refund: id, seen: word_of(seen) };
    match act(app, order, By::Shop, what, None).await {
        Ok(_) | Err(PlaceRefused::NotFound | PlaceRefused::Act(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sends the pending refunds of an order again, or asks how they stand. For the jobs.
///
/// # Errors
/// When one of them got no answer: it has had its turn, and stays pending.
pub(in crate::orders) async fn resend(app: &App, order: OrderId) -> Result<(), Problem> {
    let Some(shown) = one(&app.db, order, Viewer::All).await? else { return Ok(()) };
    let mut outcome = Ok(());
    for refund in shown.refunds.iter().filter(|refund| refund.status == "pending") {
        if let Err(error) = send_refund(app, &shown, refund.id).await {
            let what = Act::RefundSeen { refund: RefundId(refund.id), seen: RefundSeen::Asked };
            act(app, order, By::Shop, what, None).await?;
            outcome = Err(not_asked(error));
        }
    }
    outcome
}
