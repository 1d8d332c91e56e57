//! Placing orders.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::basket::taken;
use super::command::{Contact, Gateway, LineRequest, Sell};
use super::known::{Allocation, Customer, Payment};
use super::snapshot::{Cause, Offer, Posting, Snapshot};
use super::{LINES_MAX, QUANTITY_MAX};
use crate::ids::{AccountId, BasketId, DiscountId, LevelId, OrderId, VariantId};
use crate::money::{Currency, Money};
use crate::order::Status;
use crate::tax;

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
    /// `None`: a guest, known by their e-mail address.
    pub account: Option<AccountId>,
    pub status: Status,
    pub currency: Currency,
    /// Tax included, discount taken off.
    pub total_minor: i64,
    pub tax_minor: i64,
    pub at: Timestamp,
    /// Unpaid at this moment it gives its stock back.
    pub due_at: Option<Timestamp>,
    pub lines: Vec<PlacedLine>,
    pub allocations: Vec<Allocation>,
    /// What it has that an order without a basket has not.
    pub checkout: Option<Box<PlacedCheckout>>,
}

/// What an order has by its checkout.
#[derive(Debug, Clone)]
pub struct PlacedCheckout {
    pub basket: BasketId,
    pub contact: Contact,
    pub gateway: Gateway,
    pub discount: Option<PlacedDiscount>,
    /// `None`: there is nothing to pay.
    pub payment: Option<Payment>,
}

/// A discount as an order has it.
#[derive(Debug, Clone)]
pub struct PlacedDiscount {
    pub id: DiscountId,
    pub code: Arc<str>,
    pub minor: i64,
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
    /// Its part of the order's discount.
    pub discount_minor: i64,
    /// The rate, in parts per million, and the tax contained in the line's amount.
    pub tax_ppm: i64,
    pub tax_minor: i64,
}

impl PlacedLine {
    /// What the line costs, tax included, before any discount.
    pub fn goods_minor(&self) -> i64 {
        self.quantity * self.unit_price_minor
    }
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
        account: Some(command.account),
        status: Status::Placed,
        currency: command.currency,
        total_minor: total.minor,
        tax_minor: lines.iter().map(|line| line.tax_minor).sum(),
        at: now,
        due_at: command.pay_within_s.map(|seconds| now + SignedDuration::from_secs(seconds)),
        lines,
        allocations,
        checkout: None,
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
                let tax_ppm = snapshot.tax_ppm(&offer.tax_class, &snapshot.rules.country);
                let goods = sum.map_or(0, |sum| sum.minor);
                lines.push(PlacedLine {
                    tax_minor: tax::contained_minor(goods, tax_ppm),
                    tax_ppm,
                    ..line_of(offer, line.variant, line.quantity, price.minor)
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

/// An order's line before discount and tax.
pub(super) fn line_of(
    offer: &Offer,
    variant: VariantId,
    quantity: i64,
    unit_price_minor: i64,
) -> PlacedLine {
    PlacedLine {
        variant,
        sku: Arc::clone(&offer.sku),
        title: Arc::clone(&offer.title),
        variant_title: Arc::clone(&offer.variant_title),
        quantity,
        unit_price_minor,
        discount_minor: 0,
        tax_ppm: 0,
        tax_minor: 0,
    }
}

/// The offer of a variant that can be bought now, with its price.
pub(super) fn offer(
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
            let already = taken(snapshot, command.account, variant);
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
    let customer = Customer::Account(command.account);
    for (line_no, line) in (1..).zip(&command.lines) {
        for (level, quantity) in snapshot.pick(line.variant, line.quantity) {
            let actor = Some(command.account);
            let part = (level, quantity);
            allocations.push(promise(snapshot, (order, line_no), line.variant, part, actor));
        }
        snapshot.count_bought(&customer, line.variant, line.quantity);
    }
    allocations
}

/// Promises units of one level to a line of an order.
pub(super) fn promise(
    snapshot: &mut Snapshot,
    (order, line_no): (OrderId, i64),
    variant: VariantId,
    (level, quantity): (LevelId, i64),
    actor: Option<AccountId>,
) -> Allocation {
    let posting = Posting::reserve(level, Cause::Order, quantity);
    snapshot.post(variant, Posting { order: Some(order), actor, ..posting });
    Allocation { line_no, level, variant, quantity, shipped: 0, returned: 0 }
}
