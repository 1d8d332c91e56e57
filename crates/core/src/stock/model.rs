//! Tests of the rules: tables of one line per case, and random histories against a naive model.
//!
//! Outcomes are compared as short texts, so that a table reads like the rules.

mod cases;
mod commerce;
mod history;
mod naive;
mod world;

use super::{
    Allocation, CancelOutcome, KnownOrder, Level, MoveOutcome, MoveRefusal, Outcome, Placed,
    Remembered, SellOutcome, Times, WhyNot,
};
use crate::ids::AccountId;
use crate::order::Status;

/// An order without payments, as it would be loaded.
fn known_order(account: AccountId, status: Status, allocations: Vec<Allocation>) -> KnownOrder {
    KnownOrder {
        account: Some(account),
        email_key: None,
        basket: None,
        status,
        currency: "EUR".parse().expect("a currency"),
        total_minor: 100,
        paid_minor: 0,
        refunded_minor: 0,
        discount: None,
        cancel_reason: None,
        due_at: None,
        times: Times::default(),
        allocations,
        payments: Vec::new(),
        refunds: Vec::new(),
    }
}

/// The outcome in a few words. Repetitions within one batch are looked up in `all`.
fn told(outcome: &Outcome, all: &[Outcome]) -> String {
    match outcome {
        Outcome::Sell(sell) => told_sell(sell),
        Outcome::Cancel(cancel) => told_cancel(*cancel),
        Outcome::Move(moved) => told_move(moved),
        Outcome::Basket(basket) => commerce::told_basket(basket),
        Outcome::Checkout(checkout) => commerce::told_checkout(checkout),
        Outcome::Act(act) => commerce::told_act(act),
        Outcome::Expired => "expired".to_owned(),
        Outcome::KeyReused => "key reused".to_owned(),
        Outcome::Replayed(Remembered::Order(order)) => format!("again order {order}"),
        Outcome::Replayed(Remembered::Answer { body, .. }) => format!("again {body}"),
        Outcome::Replayed(Remembered::Earlier(index)) => match &all[*index] {
            Outcome::Sell(SellOutcome::Placed(placed)) => format!("again order {}", placed.id),
            Outcome::Cancel(
                CancelOutcome::Cancelled { order } | CancelOutcome::AlreadyCancelled { order },
            ) => format!("again order {order}"),
            first if first.is_done() => format!("again {}", told(first, all)),
            other => panic!("{other:?} was not done, and yet its key was remembered"),
        },
    }
}

fn told_sell(outcome: &SellOutcome) -> String {
    match outcome {
        SellOutcome::Placed(placed) => told_placed(placed),
        SellOutcome::AccountInactive => "inactive".to_owned(),
        SellOutcome::LineCount(count) => format!("{count} lines"),
        SellOutcome::Quantity { line, quantity } => format!("line {line} of {quantity}"),
        SellOutcome::Duplicate { variant } => format!("twice {variant}"),
        SellOutcome::NotForSale(lines) => list("not for sale", lines, |line| match line.why {
            WhyNot::Unknown => format!("{} unknown", line.variant),
            WhyNot::Unreleased { until } => format!("{} until {until}", line.variant),
            WhyNot::NoPrice => format!("{} without price", line.variant),
        }),
        SellOutcome::OverOrderLimit { variant, limit } => format!("{variant} at most {limit}"),
        SellOutcome::OverCustomerLimit { variant, limit, already } => {
            format!("{variant} at most {limit}, already {already}")
        }
        SellOutcome::TotalTooLarge => "total too large".to_owned(),
        SellOutcome::Short(lines) => list("short", lines, |line| {
            format!("{} {}/{}", line.variant, line.available, line.requested)
        }),
    }
}

/// `order 7, 3000: 2 of level 4, 1 of level 2`.
fn told_placed(placed: &Placed) -> String {
    let head = format!("order {}, {}:", placed.id, placed.total_minor);
    list(&head, &placed.allocations, |part| format!("{} of level {}", part.quantity, part.level))
}

fn told_cancel(outcome: CancelOutcome) -> String {
    match outcome {
        CancelOutcome::Cancelled { order } => format!("cancelled {order}"),
        CancelOutcome::AlreadyCancelled { order } => format!("cancelled {order} before"),
        CancelOutcome::TooLate(illegal) => format!("{} too late", illegal.status),
        CancelOutcome::NotFound => "not found".to_owned(),
    }
}

fn told_move(outcome: &MoveOutcome) -> String {
    match outcome {
        MoveOutcome::Moved(levels) => list("moved", levels, told_level),
        MoveOutcome::Refused(refusal) => match refusal {
            MoveRefusal::UnknownVariant(variant) => format!("unknown variant {variant}"),
            MoveRefusal::UnknownLocation(location) => format!("unknown location {location}"),
            MoveRefusal::SameLocation => "same location".to_owned(),
            MoveRefusal::Quantity(quantity) => format!("quantity {quantity}"),
            MoveRefusal::TooMuch => "too much".to_owned(),
            MoveRefusal::BelowReserved { reserved, would_be } => {
                format!("{would_be} below {reserved}")
            }
            MoveRefusal::Short { requested, available } => format!("short {available}/{requested}"),
        },
    }
}

/// `level 3: 5-2`: five on hand, two of them promised.
fn told_level(level: &Level) -> String {
    format!("level {}: {}-{}", level.id, level.on_hand, level.reserved)
}

fn list<T>(head: &str, items: &[T], each: impl Fn(&T) -> String) -> String {
    format!("{head} {}", items.iter().map(each).collect::<Vec<_>>().join(", "))
}
