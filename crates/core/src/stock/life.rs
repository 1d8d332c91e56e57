//! What happens to orders after they were placed: fulfilment, return, the end. Payment and refund
//! stand in [`super::pay`].
//!
//! Which state allows what is [`Status::after`]; here stand the quantities and the amounts. Stock
//! comes back at most once: units that are promised and have not left are given back when the
//! order ends; units that left come back by [`Act::Return`] only.

use jiff::Timestamp;

use super::ON_HAND_MAX;
use super::checkout::use_discount;
use super::command::{Act, By, Cancel, Gateway, OrderAct, Part};
use super::known::{Allocation, CancelReason, Fulfilment, KnownOrder, PaymentStatus, RefundReason};
use super::pay::{pay_manually, payment_seen, refund, refund_seen, send_back, start_payment};
use super::snapshot::{Cause, Detail, Posting, Record, Snapshot};
use crate::ids::{AccountId, FulfilmentId, OrderId, PaymentId};
use crate::order::{Event, Illegal, Status};

/// Every way a cancellation can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    Cancelled {
        order: OrderId,
    },
    /// It was cancelled before; its stock came back then, and does not come back again.
    AlreadyCancelled {
        order: OrderId,
    },
    /// Units have left, or all of the money went back.
    TooLate(Illegal),
    /// There is none, or it is somebody else's: the asker is not told which.
    NotFound,
}

/// Every way an act on an order can end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActOutcome {
    Done {
        order: OrderId,
        /// The payment that was begun or found open, if the act was to begin one.
        payment: Option<PaymentId>,
    },
    /// It is as the act would make it: nothing was changed.
    Nothing {
        order: OrderId,
    },
    /// There is none, or it is somebody else's: the asker is not told which.
    NotFound,
    Illegal(Illegal),
    /// The order has no such payment or refund.
    NoSuch,
    /// More is asked for than there is: lines with what is left of each.
    TooMany {
        line_no: i64,
        asked: i64,
        left: i64,
    },
    /// No line of that number.
    NoLine {
        line_no: i64,
    },
    /// Nothing is left to leave or to come back.
    NothingLeft,
    /// More than what is left of the money.
    TooMuch {
        asked_minor: i64,
        left_minor: i64,
    },
}

pub(super) type Decided = Result<ActOutcome, ActOutcome>;

pub(super) fn illegal(illegal: Illegal) -> ActOutcome {
    ActOutcome::Illegal(illegal)
}

/// The order, if it is there and the asker may act on it.
fn reached(snapshot: &Snapshot, id: OrderId, by: By) -> Option<&KnownOrder> {
    let order = snapshot.orders.get(&id)?;
    let may = match by {
        By::Owner(account) => order.account == Some(account),
        By::Guest(basket) => order.account.is_none() && order.basket == Some(basket),
        By::Staff(_) | By::Shop => true,
    };
    may.then_some(order)
}

/// Cancels an order once; its stock comes back once, and so does its money.
pub(super) fn cancel(snapshot: &mut Snapshot, now: Timestamp, command: &Cancel) -> CancelOutcome {
    let Cancel { order: id, by } = *command;
    let Some(order) = reached(snapshot, id, by) else { return CancelOutcome::NotFound };
    if order.status == Status::Cancelled {
        return CancelOutcome::AlreadyCancelled { order: id };
    }
    let reason =
        if matches!(by, By::Staff(_)) { CancelReason::Staff } else { CancelReason::Customer };
    match end_unpaid(snapshot, now, (id, by.account()), reason, Event::Cancel) {
        Ok(()) => CancelOutcome::Cancelled { order: id },
        Err(illegal) => CancelOutcome::TooLate(illegal),
    }
}

/// Gives up an order of which nothing has left: its stock, its discount and its money go back.
fn end_unpaid(
    snapshot: &mut Snapshot,
    now: Timestamp,
    (id, actor): (OrderId, Option<AccountId>),
    reason: CancelReason,
    event: Event,
) -> Result<(), Illegal> {
    let order = &snapshot.orders[&id];
    let status = order.status.after(event)?;
    if order.allocations.iter().any(|part| part.shipped > 0) {
        return Err(Illegal { status: order.status, event });
    }
    release(snapshot, id, actor);
    let order = snapshot.orders.get_mut(&id).expect("it was reached");
    order.status = status;
    order.times.cancelled = Some(now);
    order.cancel_reason = Some(reason);
    order.due_at = None;
    for payment in order.payments.iter_mut().filter(|p| p.gateway == Gateway::Manual) {
        if payment.status.is_open() {
            payment.status = PaymentStatus::Cancelled;
        }
    }
    let left = order.paid_minor - order.refunded_minor;
    if left > 0 {
        send_back(snapshot, now, id, (left, RefundReason::Cancelled), actor, None);
    }
    record(snapshot, id, actor, "order.cancelled", vec![("reason", Detail::Word(reason.name()))]);
    Ok(())
}

/// Gives back what is promised and has not left, and the use of the discount.
pub(super) fn release(snapshot: &mut Snapshot, id: OrderId, actor: Option<AccountId>) {
    let order = &snapshot.orders[&id];
    let (customer, discount) = (order.customer(), order.discount);
    let parts: Vec<Allocation> =
        order.allocations.iter().filter(|part| part.quantity > part.shipped).copied().collect();
    for part in &parts {
        let posting = Posting::reserve(part.level, Cause::Cancel, -(part.quantity - part.shipped));
        snapshot.post(part.variant, Posting { order: Some(id), actor, ..posting });
        snapshot.count_bought(&customer, part.variant, -(part.quantity - part.shipped));
    }
    let untouched = snapshot.orders[&id].allocations.iter().all(|part| part.shipped == 0);
    if let Some(discount) = discount.filter(|_| untouched) {
        use_discount(snapshot, discount, &customer, id, -1);
    }
}

/// Decides an act.
pub(super) fn act(snapshot: &mut Snapshot, now: Timestamp, command: &OrderAct) -> ActOutcome {
    let OrderAct { order, by, act } = command;
    // Buyers may try to pay again; everything else is for the shop.
    let buyer = matches!(by, By::Owner(_) | By::Guest(_));
    if buyer && !matches!(act, Act::StartPayment { .. }) {
        return ActOutcome::NotFound;
    }
    if reached(snapshot, *order, *by).is_none() {
        return ActOutcome::NotFound;
    }
    let who = (*order, by.account());
    let decided = match act {
        Act::StartPayment { gateway } => start_payment(snapshot, now, who, *gateway),
        Act::PayManually => pay_manually(snapshot, now, who),
        Act::PaymentSeen { payment, seen } => payment_seen(snapshot, now, who, *payment, seen),
        Act::Lapse => lapse(snapshot, now, who),
        Act::Refund { amount_minor, note } => {
            refund(snapshot, now, who, *amount_minor, note.as_deref())
        }
        Act::RefundSeen { refund, seen } => refund_seen(snapshot, now, who, *refund, seen),
        Act::Fulfil { parts, carrier, tracking_number } => {
            let label = (carrier.clone(), tracking_number.clone());
            fulfil(snapshot, now, who, parts.as_deref(), label)
        }
        Act::Return { parts, restock } => take_back(snapshot, now, who, parts.as_deref(), *restock),
        Act::Close => close(snapshot, now, who),
    };
    decided.unwrap_or_else(|refusal| refusal)
}

pub(super) type Who = (OrderId, Option<AccountId>);

pub(super) fn done((order, _): Who) -> Decided {
    Ok(ActOutcome::Done { order, payment: None })
}

pub(super) fn get(snapshot: &mut Snapshot, (id, _): Who) -> &mut KnownOrder {
    snapshot.orders.get_mut(&id).expect("it was reached")
}

pub(super) fn record(
    snapshot: &mut Snapshot,
    order: OrderId,
    actor: Option<AccountId>,
    topic: &'static str,
    details: Vec<(&'static str, Detail)>,
) {
    let known = snapshot.orders[&order].clone();
    snapshot.difference.orders.insert(order, known);
    snapshot.difference.records.push(Record { order, actor, topic, details });
}

/// The time to pay is over. Before, it is nothing; and an order that was paid meanwhile stays.
fn lapse(snapshot: &mut Snapshot, now: Timestamp, who: Who) -> Decided {
    let order = get(snapshot, who);
    if order.status != Status::Placed || order.due_at.is_none_or(|due_at| due_at > now) {
        return Ok(ActOutcome::Nothing { order: who.0 });
    }
    end_unpaid(snapshot, now, who, CancelReason::Unpaid, Event::Lapse).map_err(illegal)?;
    done(who)
}

/// Which units of which allocations: those asked for, or all; `left` says how many of one there
/// are.
fn chosen(
    allocations: &[Allocation],
    parts: Option<&[Part]>,
    left: impl Fn(&Allocation) -> i64,
) -> Result<Vec<(usize, i64)>, ActOutcome> {
    let mut chosen = Vec::new();
    let Some(parts) = parts else {
        let all = allocations.iter().enumerate().map(|(index, part)| (index, left(part)));
        chosen.extend(all.filter(|(_, units)| *units > 0));
        return if chosen.is_empty() { Err(ActOutcome::NothingLeft) } else { Ok(chosen) };
    };
    for (at, part) in parts.iter().enumerate() {
        let Part { line_no, quantity } = *part;
        let of_line = |(_, known): &(usize, &Allocation)| known.line_no == line_no;
        let line: Vec<_> = allocations.iter().enumerate().filter(of_line).collect();
        let twice = parts[..at].iter().any(|earlier| earlier.line_no == line_no);
        if line.is_empty() || twice {
            return Err(ActOutcome::NoLine { line_no });
        }
        let there: i64 = line.iter().map(|(_, known)| left(known)).sum();
        if quantity < 1 || quantity > there {
            return Err(ActOutcome::TooMany { line_no, asked: quantity, left: there });
        }
        let mut missing = quantity;
        for (index, known) in line {
            let units = missing.min(left(known));
            if units > 0 {
                chosen.push((index, units));
                missing -= units;
            }
        }
    }
    if chosen.is_empty() { Err(ActOutcome::NothingLeft) } else { Ok(chosen) }
}

/// Units leave: they are no longer on the shelf and no longer promised.
fn fulfil(
    snapshot: &mut Snapshot,
    now: Timestamp,
    who: Who,
    parts: Option<&[Part]>,
    (carrier, tracking_number): (Option<String>, Option<String>),
) -> Decided {
    let order = get(snapshot, who);
    order.status.after(Event::FulfilPart).map_err(illegal)?;
    let chosen = chosen(&order.allocations, parts, |part| part.quantity - part.shipped)?;
    let mut left_parts = Vec::with_capacity(chosen.len());
    for (index, units) in chosen {
        let part = &mut get(snapshot, who).allocations[index];
        part.shipped += units;
        let part = *part;
        left_parts.push((part.line_no, part.level, units));
        let posting = Posting::reserve(part.level, Cause::Fulfilment, -units);
        let (order, actor) = (Some(who.0), who.1);
        snapshot.post(part.variant, Posting { on_hand_delta: -units, order, actor, ..posting });
    }
    let order = get(snapshot, who);
    let whole = order.allocations.iter().all(|part| part.shipped == part.quantity);
    let event = if whole { Event::FulfilAll } else { Event::FulfilPart };
    order.status = order.status.after(event).map_err(illegal)?;
    if whole {
        order.times.fulfilled = Some(now);
    }
    let ids = &mut snapshot.ids.fulfilments;
    let id = FulfilmentId(ids.next().expect("the caller gave enough fulfilment ids"));
    let (order, actor) = who;
    let fulfilment = Fulfilment { id, order, carrier, tracking_number, actor, parts: left_parts };
    snapshot.difference.fulfilments.push(fulfilment);
    let whole = if whole { "whole" } else { "part" };
    let details = vec![("fulfilment_id", Detail::Number(id.0)), ("extent", Detail::Word(whole))];
    record(snapshot, order, actor, "order.fulfilled", details);
    done(who)
}

/// Units come back: onto the shelf they left, unless they cannot be sold again.
fn take_back(
    snapshot: &mut Snapshot,
    now: Timestamp,
    who: Who,
    parts: Option<&[Part]>,
    restock: bool,
) -> Decided {
    let order = get(snapshot, who);
    order.status.after(Event::ReturnPart).map_err(illegal)?;
    let chosen = chosen(&order.allocations, parts, |part| part.shipped - part.returned)?;
    if restock {
        room(snapshot, who.0, &chosen)?;
    }
    let mut units_back = 0;
    for (index, units) in chosen {
        let part = &mut get(snapshot, who).allocations[index];
        part.returned += units;
        let part = *part;
        units_back += units;
        if restock {
            let posting = Posting::reserve(part.level, Cause::Return, 0);
            let (order, actor) = (Some(who.0), who.1);
            snapshot.post(part.variant, Posting { on_hand_delta: units, order, actor, ..posting });
        }
    }
    let order = get(snapshot, who);
    let whole = order.allocations.iter().all(|part| part.returned == part.quantity);
    let event = if whole { Event::ReturnAll } else { Event::ReturnPart };
    order.status = order.status.after(event).map_err(illegal)?;
    if whole {
        order.times.returned = Some(now);
    }
    let restocked = if restock { "yes" } else { "no" };
    let details =
        vec![("units", Detail::Number(units_back)), ("restocked", Detail::Word(restocked))];
    record(snapshot, who.0, who.1, "order.returned", details);
    done(who)
}

/// The shelves can take the units back: they may have been filled meanwhile.
fn room(snapshot: &Snapshot, id: OrderId, chosen: &[(usize, i64)]) -> Result<(), ActOutcome> {
    for (index, units) in chosen {
        let part = &snapshot.orders[&id].allocations[*index];
        let levels = snapshot.levels.get(&part.variant).map_or(&[][..], Vec::as_slice);
        let level = levels.iter().find(|level| level.id == part.level);
        let left = ON_HAND_MAX - level.expect("levels of an order are loaded with it").on_hand;
        if *units > left {
            return Err(ActOutcome::TooMany { line_no: part.line_no, asked: *units, left });
        }
    }
    Ok(())
}

fn close(snapshot: &mut Snapshot, now: Timestamp, who: Who) -> Decided {
    let order = get(snapshot, who);
    order.status = order.status.after(Event::Close).map_err(illegal)?;
    order.times.closed = Some(now);
    record(snapshot, who.0, who.1, "order.closed", Vec::new());
    done(who)
}
