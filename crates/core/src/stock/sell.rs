//! Placing and cancelling orders.

use std::sync::Arc;

use jiff::Timestamp;

use super::command::{By, Cancel, LineRequest, Sell};
use super::snapshot::{Allocation, Cause, KnownOrder, Offer, OrderStatus, Posting, Snapshot};
use super::{LINES_MAX, QUANTITY_MAX};
use crate::ids::{AccountId, OrderId, VariantId};
use crate::money::{Currency, Money};

/// Every way a sale can end. One variant per reason, each with what the buyer needs to know.
#[derive(Debug, Clone)]
pub enum SellOutcome {
    Placed(Arc<Placed>),
    /// The account does not exist or was deactivated.
    AccountInactive,
    /// No line, or more than [`LINES_MAX`].
    LineCount(usize),
    /// A quantity below 1 or above [`QUANTITY_MAX`].
    Quantity {
        line: usize,
        quantity: i64,
    },
    /// Two lines ask for the same variant.
    Duplicate {
        variant: VariantId,
    },
    /// Lines that cannot be bought, each with the reason.
    NotForSale(Vec<NotForSale>),
    /// More than one order may hold.
    OverOrderLimit {
        variant: VariantId,
        limit: i64,
    },
    /// More than one customer may buy, over all of their orders.
    OverCustomerLimit {
        variant: VariantId,
        limit: i64,
        already: i64,
    },
    /// The total is beyond what money can express here.
    TotalTooLarge,
    /// Lines that are short, each with what is left.
    Short(Vec<Shortage>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    pub variant: VariantId,
    pub requested: i64,
    pub available: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotForSale {
    pub variant: VariantId,
    pub why: WhyNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// There is none, or it is disabled or deleted: the buyer is not told which.
    Unknown,
    Unreleased {
        until: Timestamp,
    },
    NoPrice,
}

/// An order as it was placed: prices and titles are snapshots.
#[derive(Debug, Clone)]
pub struct Placed {
    pub id: OrderId,
    pub account: AccountId,
    pub currency: Currency,
    pub total_minor: i64,
    pub at: Timestamp,
    pub lines: Vec<PlacedLine>,
    pub allocations: Vec<Allocation>,
}

/// Line number `i + 1` of an order.
#[derive(Debug, Clone)]
pub struct PlacedLine {
    pub variant: VariantId,
    pub sku: Arc<str>,
    pub title: Arc<str>,
    pub variant_title: Arc<str>,
    pub quantity: i64,
    pub unit_price_minor: i64,
}

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
    /// There is none, or it is somebody else's: the asker is not told which.
    NotFound,
}

/// Decides one sale and, if it is placed, takes the stock out of the snapshot, so that the next
/// command sees what is left.
pub(super) fn sell(snapshot: &mut Snapshot, now: Timestamp, command: &Sell) -> SellOutcome {
    if snapshot.accounts.get(&command.account) != Some(&true) {
        return SellOutcome::AccountInactive;
    }
    if let Err(refusal) = well_formed(&command.lines) {
        return refusal;
    }
    let (lines, total) = match priced(snapshot, now, command) {
        Ok(priced) => priced,
        Err(refusal) => return refusal,
    };
    if let Err(refusal) = within_limits(snapshot, command) {
        return refusal;
    }
    let short = shortages(snapshot, &command.lines);
    if !short.is_empty() {
        return SellOutcome::Short(short);
    }
    let id = OrderId(snapshot.ids.orders.next().expect("the caller gave enough order ids"));
    let allocations = take(snapshot, id, command);
    let placed = Arc::new(Placed {
        id,
        account: command.account,
        currency: command.currency,
        total_minor: total.minor,
        at: now,
        lines,
        allocations,
    });
    snapshot.difference.placed.push(Arc::clone(&placed));
    SellOutcome::Placed(placed)
}

fn well_formed(lines: &[LineRequest]) -> Result<(), SellOutcome> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(SellOutcome::LineCount(lines.len()));
    }
    for (index, line) in lines.iter().enumerate() {
        if !(1..=QUANTITY_MAX).contains(&line.quantity) {
            return Err(SellOutcome::Quantity { line: index, quantity: line.quantity });
        }
        if lines[..index].iter().any(|earlier| earlier.variant == line.variant) {
            return Err(SellOutcome::Duplicate { variant: line.variant });
        }
    }
    Ok(())
}

fn priced(
    snapshot: &Snapshot,
    now: Timestamp,
    command: &Sell,
) -> Result<(Vec<PlacedLine>, Money), SellOutcome> {
    let mut refused = Vec::new();
    let mut lines = Vec::with_capacity(command.lines.len());
    let mut total = Some(Money { minor: 0, currency: command.currency });
    for line in &command.lines {
        match offer(snapshot, now, line.variant, command.currency) {
            Ok((offer, price)) => {
                let sum = price.times(line.quantity);
                total = total.zip(sum).and_then(|(total, sum)| total.plus(sum));
                lines.push(PlacedLine {
                    variant: line.variant,
                    sku: Arc::clone(&offer.sku),
                    title: Arc::clone(&offer.title),
                    variant_title: Arc::clone(&offer.variant_title),
                    quantity: line.quantity,
                    unit_price_minor: price.minor,
                });
            }
            Err(why) => refused.push(NotForSale { variant: line.variant, why }),
        }
    }
    if !refused.is_empty() {
        return Err(SellOutcome::NotForSale(refused));
    }
    total.map(|total| (lines, total)).ok_or(SellOutcome::TotalTooLarge)
}

fn offer(
    snapshot: &Snapshot,
    now: Timestamp,
    variant: VariantId,
    currency: Currency,
) -> Result<(&Offer, Money), WhyNot> {
    let offer = snapshot.offers.get(&variant).filter(|o| o.enabled).ok_or(WhyNot::Unknown)?;
    if let Some(until) = offer.release_at.filter(|at| *at > now) {
        return Err(WhyNot::Unreleased { until });
    }
    let minor = offer.price_minor(currency).ok_or(WhyNot::NoPrice)?;
    Ok((offer, Money { minor, currency }))
}

fn within_limits(snapshot: &Snapshot, command: &Sell) -> Result<(), SellOutcome> {
    for line in &command.lines {
        let variant = line.variant;
        let offer = snapshot.offers.get(&variant).expect("priced lines have an offer");
        if let Some(limit) = offer.limit_per_order.filter(|limit| line.quantity > *limit) {
            return Err(SellOutcome::OverOrderLimit { variant, limit });
        }
        if let Some(limit) = offer.limit_per_customer {
            let already = snapshot.bought.get(&(command.account, variant)).copied().unwrap_or(0);
            if already + line.quantity > limit {
                return Err(SellOutcome::OverCustomerLimit { variant, limit, already });
            }
        }
    }
    Ok(())
}

/// Lines are of different variants (checked before), so each is alone with its stock.
fn shortages(snapshot: &Snapshot, lines: &[LineRequest]) -> Vec<Shortage> {
    lines
        .iter()
        .map(|line| Shortage {
            variant: line.variant,
            requested: line.quantity,
            available: snapshot.available(line.variant),
        })
        .filter(|line| line.available < line.requested)
        .collect()
}

/// Promises the stock: each line from the locations in order of priority, as many as it needs.
fn take(snapshot: &mut Snapshot, order: OrderId, command: &Sell) -> Vec<Allocation> {
    let mut allocations = Vec::with_capacity(command.lines.len());
    for (line_no, line) in (1..).zip(&command.lines) {
        let mut missing = line.quantity;
        while missing > 0 {
            let (level, available) = snapshot.levels[&line.variant]
                .iter()
                .find(|level| level.active && level.available() > 0)
                .map(|level| (level.id, level.available()))
                .expect("the shortage check admitted the line");
            let quantity = missing.min(available);
            snapshot.post(
                line.variant,
                Posting {
                    level,
                    cause: Cause::Order,
                    on_hand_delta: 0,
                    reserved_delta: quantity,
                    order: Some(order),
                    actor: Some(command.account),
                    reason: None,
                },
            );
            allocations.push(Allocation { line_no, level, variant: line.variant, quantity });
            missing -= quantity;
        }
        assert_eq!(missing, 0, "a line is served exactly, never with more");
        if snapshot.offers[&line.variant].limit_per_customer.is_some() {
            *snapshot.bought.entry((command.account, line.variant)).or_default() += line.quantity;
        }
    }
    allocations
}

/// Cancels an order once; its stock comes back once.
pub(super) fn cancel(snapshot: &mut Snapshot, command: &Cancel) -> CancelOutcome {
    let Some(order) = snapshot.orders.get_mut(&command.order) else {
        return CancelOutcome::NotFound;
    };
    let actor = match command.by {
        By::Owner(account) if account != order.account => return CancelOutcome::NotFound,
        By::Owner(account) | By::Staff(account) => account,
    };
    if order.status == OrderStatus::Cancelled {
        return CancelOutcome::AlreadyCancelled { order: command.order };
    }
    order.status = OrderStatus::Cancelled;
    let KnownOrder { account, allocations, .. } = order.clone();
    assert!(!allocations.is_empty(), "an order that stands holds stock");
    for allocation in &allocations {
        snapshot.post(
            allocation.variant,
            Posting {
                level: allocation.level,
                cause: Cause::Cancel,
                on_hand_delta: 0,
                reserved_delta: -allocation.quantity,
                order: Some(command.order),
                actor: Some(actor),
                reason: None,
            },
        );
        if let Some(bought) = snapshot.bought.get_mut(&(account, allocation.variant)) {
            *bought -= allocation.quantity;
            assert!(*bought >= 0, "nobody has bought less than nothing");
        }
    }
    snapshot.difference.cancelled.push(command.order);
    CancelOutcome::Cancelled { order: command.order }
}
