//! Money of orders: it arrives, once and in full, or goes back.
//!
//! Money that has arrived counts as paid, whatever is told later or out of order; what goes back is
//! never more than what came. Money that was not asked for so never counts: it goes back as it
//! came.

use jiff::Timestamp;

use super::checkout::use_discount;
use super::command::{Gateway, PaymentSeen, RefundSeen};
use super::known::{
    CancelReason, Customer, Payment, PaymentStatus, Refund, RefundReason, RefundStatus,
};
use super::life::{ActOutcome, Decided, Who, done, get, illegal, record, release};
use super::sell::promise;
use super::snapshot::{Detail, Snapshot};
use crate::ids::{AccountId, OrderId, PaymentId, RefundId, VariantId};
use crate::order::{Event, Status};

pub(super) fn start_payment(
    snapshot: &mut Snapshot,
    now: Timestamp,
    who: Who,
    gateway: Gateway,
) -> Decided {
    let id = PaymentId(snapshot.ids.payments.start);
    let order = get(snapshot, who);
    order.status.after(Event::Pay).map_err(illegal)?;
    let open = order.payments.iter().find(|p| p.gateway == gateway && p.status.is_open());
    if let Some(payment) = open {
        return Ok(ActOutcome::Done { order: who.0, payment: Some(payment.id) });
    }
    let payment = Payment {
        id,
        gateway,
        status: PaymentStatus::Pending,
        amount_minor: order.total_minor,
        received_minor: 0,
        currency: order.currency,
        provider_id: None,
        failure: None,
        created_at: now,
    };
    order.payments.push(payment);
    let taken = snapshot.ids.payments.next();
    assert_eq!(taken, Some(id.0), "the caller gave enough payment ids");
    let details = vec![("payment_id", Detail::Number(id.0))];
    record(snapshot, who.0, who.1, "payment.started", details);
    Ok(ActOutcome::Done { order: who.0, payment: Some(id) })
}

/// Staff say that the whole amount is there: by the open manual payment, or a new one.
pub(super) fn pay_manually(snapshot: &mut Snapshot, now: Timestamp, who: Who) -> Decided {
    let order = get(snapshot, who);
    order.status.after(Event::Pay).map_err(illegal)?;
    if order.total_minor == 0 {
        arrived(snapshot, now, who, None);
        return done(who);
    }
    let started = start_payment(snapshot, now, who, Gateway::Manual)?;
    let ActOutcome::Done { payment: Some(id), .. } = started else {
        unreachable!("a payment was begun or found")
    };
    let order = get(snapshot, who);
    let (total, currency) = (order.total_minor, order.currency);
    let seen = PaymentSeen::Succeeded {
        provider_id: String::new(),
        received_minor: total,
        currency: currency.code().to_owned(),
    };
    payment_seen(snapshot, now, who, id, &seen)?;
    Ok(ActOutcome::Done { order: who.0, payment: Some(id) })
}

/// Notes what the provider says of a payment. Telling it twice changes nothing the second time.
pub(super) fn payment_seen(
    snapshot: &mut Snapshot,
    now: Timestamp,
    who: Who,
    id: PaymentId,
    seen: &PaymentSeen,
) -> Decided {
    let order = get(snapshot, who);
    let payment = order.payments.iter_mut().find(|payment| payment.id == id);
    let payment = payment.ok_or(ActOutcome::NoSuch)?;
    let before = payment.clone();
    // Money that has arrived has arrived, whatever is told later or out of order; and what was
    // cancelled stays so, unless money arrives.
    let arrives = matches!(seen, PaymentSeen::Succeeded { .. });
    if payment.status == PaymentStatus::Succeeded
        || payment.received_minor > 0
        || (payment.status == PaymentStatus::Cancelled && !arrives)
    {
        return Ok(ActOutcome::Nothing { order: who.0 });
    }
    if let Some(name) = seen.provider_id() {
        payment.provider_id = Some(name.to_owned());
    }
    match seen {
        // The buyer tries again after a failure.
        PaymentSeen::Open { .. } if payment.status == PaymentStatus::Failed => {
            (payment.status, payment.failure) = (PaymentStatus::Pending, None);
        }
        PaymentSeen::Open { .. } => {}
        PaymentSeen::Asked => return asked(snapshot, who),
        PaymentSeen::Authorised { .. } => {
            (payment.status, payment.failure) = (PaymentStatus::Authorised, None);
        }
        PaymentSeen::Failed { reason, .. } => {
            (payment.status, payment.failure) = (PaymentStatus::Failed, Some(reason.clone()));
        }
        PaymentSeen::Cancelled => payment.status = PaymentStatus::Cancelled,
        PaymentSeen::Succeeded { received_minor, currency, .. } => {
            let fits =
                *received_minor == payment.amount_minor && *currency == payment.currency.code();
            // Less than nothing cannot arrive; such word is noted as a mismatch of nothing.
            payment.received_minor = (*received_minor).max(0);
            if fits {
                (payment.status, payment.failure) = (PaymentStatus::Succeeded, None);
                arrived(snapshot, now, who, Some(id));
                return done(who);
            }
            payment.status = PaymentStatus::Failed;
            payment.failure = Some(format!(
                "mismatch: {received_minor} {currency} arrived instead of {} {}",
                payment.amount_minor, payment.currency
            ));
            if *payment != before {
                mismatched(snapshot, now, who, id, *received_minor);
                return done(who);
            }
        }
    }
    if *payment == before {
        return Ok(ActOutcome::Nothing { order: who.0 });
    }
    let details =
        vec![("payment_id", Detail::Number(id.0)), ("status", Detail::Word(payment.status.name()))];
    record(snapshot, who.0, who.1, "payment.changed", details);
    done(who)
}

/// Nothing is new, which is not worth telling; that it was asked about is stored, so that others
/// have their turn.
fn asked(snapshot: &mut Snapshot, who: Who) -> Decided {
    let known = snapshot.orders[&who.0].clone();
    snapshot.difference.orders.insert(who.0, known);
    done(who)
}

/// Other money than was asked for has arrived: it never counts as paid, and goes back as it came.
fn mismatched(snapshot: &mut Snapshot, now: Timestamp, who: Who, id: PaymentId, received: i64) {
    if received > 0 {
        let part = (id, received);
        add_refund(snapshot, now, who.0, part, RefundReason::Mismatch, (None, None));
    }
    let details =
        vec![("payment_id", Detail::Number(id.0)), ("received_minor", Detail::Number(received))];
    record(snapshot, who.0, who.1, "payment.mismatched", details);
}

/// The whole amount has arrived. An order that had lapsed comes back if there is stock for it;
/// otherwise, and when it was paid already, the money goes back.
fn arrived(snapshot: &mut Snapshot, now: Timestamp, who: Who, payment: Option<PaymentId>) {
    let order = get(snapshot, who);
    let amount = payment.map_or(0, |id| {
        order.payments.iter().find(|payment| payment.id == id).expect("it was found").amount_minor
    });
    order.paid_minor += amount;
    let mut details = vec![("amount_minor", Detail::Number(amount))];
    details.extend(payment.map(|id| ("payment_id", Detail::Number(id.0))));
    if let Ok(status) = order.status.after(Event::Pay) {
        order.status = status;
        order.times.paid = Some(now);
        order.due_at = None;
        return record(snapshot, who.0, who.1, "order.paid", details);
    }
    let lapsed =
        order.status == Status::Cancelled && order.cancel_reason == Some(CancelReason::Unpaid);
    if lapsed && reinstate(snapshot, now, who) {
        return record(snapshot, who.0, who.1, "order.reinstated", details);
    }
    let late = get(snapshot, who).status == Status::Cancelled;
    let reason = if late { RefundReason::TooLate } else { RefundReason::Excess };
    let id = payment.expect("only an order that can be paid is paid without a payment");
    get(snapshot, who).refunded_minor += amount;
    add_refund(snapshot, now, who.0, (id, amount), reason, (None, None));
    let topic = if late { "payment.too_late" } else { "payment.excess" };
    record(snapshot, who.0, who.1, topic, details);
}

/// Promises the stock of a lapsed order anew, all of it or none: not beyond what the customer may
/// have, who may have bought again meanwhile. What they merely hold gives way to what they have
/// paid.
fn reinstate(snapshot: &mut Snapshot, now: Timestamp, who: Who) -> bool {
    let order = get(snapshot, who).clone();
    let Ok(status) = order.status.after(Event::Reinstate) else { return false };
    let mut wanted: Vec<(i64, VariantId, i64)> = Vec::new();
    for part in &order.allocations {
        match wanted.iter_mut().find(|(line_no, ..)| *line_no == part.line_no) {
            Some((.., quantity)) => *quantity += part.quantity,
            None => wanted.push((part.line_no, part.variant, part.quantity)),
        }
    }
    let customer = order.customer();
    let again = |(_, variant, quantity): &(i64, _, i64)| {
        snapshot.available(*variant) >= *quantity
            && within_limit(snapshot, &customer, *variant, *quantity)
    };
    if !wanted.iter().all(again) {
        return false;
    }
    if let Some(discount) = order.discount {
        let known = snapshot.discounts.get(&discount);
        let uses = snapshot.discount_uses.get(&(discount, customer.name())).copied().unwrap_or(0);
        if known.is_none_or(|known| known.discount.is_used_up(uses)) {
            return false;
        }
        use_discount(snapshot, discount, &customer, who.0, 1);
    }
    let mut allocations = Vec::with_capacity(wanted.len());
    for (line_no, variant, quantity) in wanted {
        for part in snapshot.pick(variant, quantity) {
            allocations.push(promise(snapshot, (who.0, line_no), variant, part, who.1));
        }
        snapshot.count_bought(&customer, variant, quantity);
    }
    snapshot.difference.reallocated.insert(who.0);
    let order = get(snapshot, who);
    order.allocations = allocations;
    order.status = status;
    order.times.paid = Some(now);
    order.times.reinstated = Some(now);
    order.times.cancelled = None;
    order.cancel_reason = None;
    true
}

fn within_limit(
    snapshot: &Snapshot,
    customer: &Customer,
    variant: VariantId,
    quantity: i64,
) -> bool {
    let bought = snapshot.bought.get(&(customer.clone(), variant)).copied().unwrap_or(0);
    let limit = snapshot.offers.get(&variant).and_then(|offer| offer.limit_per_customer);
    limit.is_none_or(|limit| bought + quantity <= limit)
}

pub(super) fn refund(
    snapshot: &mut Snapshot,
    now: Timestamp,
    who: Who,
    amount_minor: Option<i64>,
    note: Option<&str>,
) -> Decided {
    let order = get(snapshot, who);
    let left_minor = order.paid_minor - order.refunded_minor;
    // An order that has ended owes nothing, unless a refund of it has bounced.
    let ended = !order.status.holds_stock();
    if !ended || left_minor == 0 {
        order.status.after(Event::RefundPart).map_err(illegal)?;
    }
    let asked_minor = amount_minor.unwrap_or(left_minor);
    if asked_minor < 1 || asked_minor > left_minor {
        return Err(ActOutcome::TooMuch { asked_minor, left_minor });
    }
    let (id, actor) = who;
    let what = (asked_minor, RefundReason::Requested);
    send_back(snapshot, now, id, what, actor, note.map(str::to_owned));
    if asked_minor == left_minor && !ended {
        // What has not left is not owed any more.
        let status = get(snapshot, who).status.after(Event::RefundAll).map_err(illegal)?;
        release(snapshot, id, actor);
        let order = get(snapshot, who);
        order.status = status;
        order.times.refunded = Some(now);
    }
    let details = vec![("amount_minor", Detail::Number(asked_minor))];
    record(snapshot, id, actor, "order.refunded", details);
    done(who)
}

/// Spreads an amount over the payments that brought it, the newest first.
pub(super) fn send_back(
    snapshot: &mut Snapshot,
    now: Timestamp,
    id: OrderId,
    (amount_minor, reason): (i64, RefundReason),
    actor: Option<AccountId>,
    note: Option<String>,
) {
    let order = snapshot.orders.get_mut(&id).expect("it was reached");
    order.refunded_minor += amount_minor;
    assert!(order.refunded_minor <= order.paid_minor, "no more goes back than has come");
    let mut parts = Vec::new();
    let mut left = amount_minor;
    for payment in order.payments.iter().rev() {
        let back: i64 = order
            .refunds
            .iter()
            .filter(|refund| refund.payment == payment.id && refund.status != RefundStatus::Failed)
            .map(|refund| refund.amount_minor)
            .sum();
        let here =
            if payment.status == PaymentStatus::Succeeded { payment.amount_minor } else { 0 };
        let part = left.min(here - back);
        if part > 0 {
            parts.push((payment.id, part));
            left -= part;
        }
    }
    assert_eq!(left, 0, "what was paid was paid by payments");
    for part in parts {
        add_refund(snapshot, now, id, part, reason, (actor, note.clone()));
    }
}

/// Notes money that is to go back. By hand it is done at once: staff hand it over.
fn add_refund(
    snapshot: &mut Snapshot,
    now: Timestamp,
    id: OrderId,
    (payment, amount_minor): (PaymentId, i64),
    reason: RefundReason,
    (actor, note): (Option<AccountId>, Option<String>),
) {
    let refund = RefundId(snapshot.ids.refunds.next().expect("the caller gave enough refund ids"));
    let order = snapshot.orders.get_mut(&id).expect("it was reached");
    let gateway = order.payments.iter().find(|p| p.id == payment).expect("it was found").gateway;
    let manual = gateway == Gateway::Manual;
    order.refunds.push(Refund {
        id: refund,
        payment,
        amount_minor,
        status: if manual { RefundStatus::Succeeded } else { RefundStatus::Pending },
        reason,
        note,
        provider_id: None,
        actor,
        created_at: now,
        done_at: manual.then_some(now),
    });
}

/// Notes what the provider says of a refund; one that failed leaves the money with the shop.
pub(super) fn refund_seen(
    snapshot: &mut Snapshot,
    now: Timestamp,
    who: Who,
    id: RefundId,
    seen: &RefundSeen,
) -> Decided {
    let order = get(snapshot, who);
    let refund = order.refunds.iter_mut().find(|refund| refund.id == id);
    let refund = refund.ok_or(ActOutcome::NoSuch)?;
    // A bank may send money back days after the provider called the refund done.
    let bounced = matches!(seen, RefundSeen::Failed { .. });
    let open = match refund.status {
        RefundStatus::Pending => true,
        RefundStatus::Succeeded => bounced,
        RefundStatus::Failed => false,
    };
    if !open {
        return Ok(ActOutcome::Nothing { order: who.0 });
    }
    let (amount, counted) = (refund.amount_minor, refund.reason != RefundReason::Mismatch);
    let topic = match seen {
        RefundSeen::Asked => return asked(snapshot, who),
        RefundSeen::Pending { provider_id } => {
            refund.provider_id = Some(provider_id.clone());
            return asked(snapshot, who);
        }
        RefundSeen::Succeeded { provider_id } => {
            refund.status = RefundStatus::Succeeded;
            refund.done_at = Some(now);
            refund.provider_id.clone_from(provider_id);
            "refund.succeeded"
        }
        RefundSeen::Failed { reason } => {
            refund.status = RefundStatus::Failed;
            refund.done_at = Some(now);
            refund.note = Some(reason.clone());
            if counted {
                order.refunded_minor -= amount;
                assert!(order.refunded_minor >= 0, "no more is taken back than was sent");
            }
            "refund.failed"
        }
    };
    let details =
        vec![("refund_id", Detail::Number(id.0)), ("amount_minor", Detail::Number(amount))];
    record(snapshot, who.0, who.1, topic, details);
    done(who)
}
