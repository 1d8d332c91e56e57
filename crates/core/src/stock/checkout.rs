//! From a basket to an order: the holds become the order's, at the prices that the buyer saw.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::basket::{end_basket, end_hold, found, held, line_holds, taken};
use super::command::Checkout;
use super::known::{
    Allocation, BasketLine, BasketStatus, Customer, KnownBasket, Payment, PaymentStatus,
};
use super::sell::{
    NotForSale, Placed, PlacedCheckout, PlacedDiscount, PlacedLine, Shortage, line_of, offer,
    promise,
};
use super::snapshot::{Cause, DiscountUse, Snapshot};
use crate::discount::{self, apportion};
use crate::ids::{BasketId, DiscountId, OrderId, PaymentId, VariantId};
use crate::money::AMOUNT_MINOR_MAX;
use crate::order::Status;
use crate::tax;

/// Every way a checkout can end.
#[derive(Debug, Clone)]
pub enum CheckoutOutcome {
    Placed(Arc<Placed>),
    /// There is none, or it is somebody else's: the asker is not told which.
    NotFound,
    /// It became an order before, or went into its account's basket.
    NotOpen {
        status: BasketStatus,
        order: Option<OrderId>,
    },
    AccountInactive,
    /// Nothing is in it.
    Empty,
    /// A guest must leave an e-mail address.
    EmailMissing,
    NotForSale(Vec<NotForSale>),
    OverOrderLimit {
        variant: VariantId,
        limit: i64,
    },
    OverCustomerLimit {
        variant: VariantId,
        limit: i64,
        already: i64,
    },
    /// Holds that lapsed and could not be taken anew, each with what is left.
    Short(Vec<Shortage>),
    Discount(discount::Refusal),
    /// Some prices are not those that were shown, or the confirmed total is not the total.
    PriceChanged {
        lines: Vec<PriceChange>,
        total_minor: i64,
    },
    TotalTooLarge,
}

/// A price that is not the one that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceChange {
    pub variant: VariantId,
    pub shown_minor: i64,
    pub now_minor: i64,
}

/// What an order will cost.
struct Bill {
    lines: Vec<PlacedLine>,
    total_minor: i64,
    discount: Option<PlacedDiscount>,
}

/// Decides a checkout: everything or nothing.
pub(super) fn checkout(
    snapshot: &mut Snapshot,
    now: Timestamp,
    command: &Checkout,
) -> CheckoutOutcome {
    match admit(snapshot, now, command) {
        Ok((customer, bill)) => place(snapshot, now, command, &customer, bill),
        Err(refusal) => refusal,
    }
}

/// Everything that can refuse a checkout; changes nothing.
fn admit(
    snapshot: &Snapshot,
    now: Timestamp,
    command: &Checkout,
) -> Result<(Customer, Bill), CheckoutOutcome> {
    let id = command.basket;
    let basket = found(snapshot, id, command.by).ok_or(CheckoutOutcome::NotFound)?;
    if basket.status != BasketStatus::Open {
        let (status, order) = (basket.status, basket.order);
        return Err(CheckoutOutcome::NotOpen { status, order });
    }
    let customer = match (basket.account, &command.contact.email) {
        (Some(account), _) if snapshot.accounts.get(&account) != Some(&true) => {
            return Err(CheckoutOutcome::AccountInactive);
        }
        (Some(account), _) => Customer::Account(account),
        (None, Some((_, key))) => Customer::Guest(Arc::clone(key)),
        (None, None) => return Err(CheckoutOutcome::EmailMissing),
    };
    if basket.lines.is_empty() {
        return Err(CheckoutOutcome::Empty);
    }
    let (lines, changed) = priced(snapshot, now, basket, command)?;
    within_limits(snapshot, id, basket, &customer)?;
    let short = shortages(snapshot, id, basket);
    if !short.is_empty() {
        return Err(CheckoutOutcome::Short(short));
    }
    let bill = bill(snapshot, now, basket, &customer, lines)?;
    let confirmed = command.confirmed_total_minor;
    let disagrees = confirmed.is_some_and(|total| total != bill.total_minor);
    if disagrees || (confirmed.is_none() && !changed.is_empty()) {
        let total_minor = bill.total_minor;
        return Err(CheckoutOutcome::PriceChanged { lines: changed, total_minor });
    }
    Ok((customer, bill))
}

fn priced(
    snapshot: &Snapshot,
    now: Timestamp,
    basket: &KnownBasket,
    command: &Checkout,
) -> Result<(Vec<PlacedLine>, Vec<PriceChange>), CheckoutOutcome> {
    let (mut lines, mut changed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (variant, line) in &basket.lines {
        let variant = *variant;
        match offer(snapshot, now, variant, basket.currency) {
            Ok((offer, price)) => {
                let (shown_minor, now_minor) = (line.unit_price_minor, price.minor);
                if shown_minor != now_minor {
                    changed.push(PriceChange { variant, shown_minor, now_minor });
                }
                let tax_ppm = snapshot.tax_ppm(&offer.tax_class, &command.contact.country);
                let placed = line_of(offer, variant, line.quantity, now_minor);
                lines.push(PlacedLine { tax_ppm, ..placed });
            }
            Err(why) => refused.push(NotForSale { variant, why }),
        }
    }
    if refused.is_empty() {
        Ok((lines, changed))
    } else {
        Err(CheckoutOutcome::NotForSale(refused))
    }
}

fn within_limits(
    snapshot: &Snapshot,
    id: BasketId,
    basket: &KnownBasket,
    customer: &Customer,
) -> Result<(), CheckoutOutcome> {
    for (variant, line) in &basket.lines {
        let variant = *variant;
        let offer = snapshot.offers.get(&variant).expect("priced lines have an offer");
        if let Some(limit) = offer.limit_per_order.filter(|limit| line.quantity > *limit) {
            return Err(CheckoutOutcome::OverOrderLimit { variant, limit });
        }
        let Some(limit) = offer.limit_per_customer else { continue };
        let already = match customer {
            Customer::Account(account) => {
                taken(snapshot, *account, variant) - held(snapshot, id, variant)
            }
            guest => snapshot.bought.get(&(guest.clone(), variant)).copied().unwrap_or(0),
        };
        if already + line.quantity > limit {
            return Err(CheckoutOutcome::OverCustomerLimit { variant, limit, already });
        }
    }
    Ok(())
}

/// Lines that hold nothing any more and cannot be had anew.
fn shortages(snapshot: &Snapshot, id: BasketId, basket: &KnownBasket) -> Vec<Shortage> {
    let short = |(variant, line): (&VariantId, &BasketLine)| {
        let held = held(snapshot, id, *variant);
        assert!(held == 0 || held == line.quantity, "a line holds all of its units or none");
        let available = snapshot.available(*variant);
        let shortage = Shortage { variant: *variant, requested: line.quantity, available };
        (held == 0 && available < line.quantity).then_some(shortage)
    };
    basket.lines.iter().filter_map(short).collect()
}

/// Adds up: goods, less the discount, with the tax that is contained in what remains of each line.
fn bill(
    snapshot: &Snapshot,
    now: Timestamp,
    basket: &KnownBasket,
    customer: &Customer,
    mut lines: Vec<PlacedLine>,
) -> Result<Bill, CheckoutOutcome> {
    let mut goods_minor: i64 = 0;
    for line in &lines {
        let sum = line.quantity.checked_mul(line.unit_price_minor);
        let sum = sum.and_then(|sum| goods_minor.checked_add(sum));
        goods_minor =
            sum.filter(|sum| *sum <= AMOUNT_MINOR_MAX).ok_or(CheckoutOutcome::TotalTooLarge)?;
    }
    let discount = discounted(snapshot, now, basket, customer, goods_minor)?;
    let off_minor = discount.as_ref().map_or(0, |discount| discount.minor);
    let amounts: Vec<i64> = lines.iter().map(PlacedLine::goods_minor).collect();
    for (line, off) in lines.iter_mut().zip(apportion(off_minor, &amounts)) {
        line.discount_minor = off;
        line.tax_minor = tax::contained_minor(line.goods_minor() - off, line.tax_ppm);
    }
    let total_minor = goods_minor - off_minor;
    assert!((0..=goods_minor).contains(&total_minor), "a discount takes off at most everything");
    Ok(Bill { lines, total_minor, discount })
}

fn discounted(
    snapshot: &Snapshot,
    now: Timestamp,
    basket: &KnownBasket,
    customer: &Customer,
    goods_minor: i64,
) -> Result<Option<PlacedDiscount>, CheckoutOutcome> {
    let Some(id) = basket.discount else { return Ok(None) };
    let refused = CheckoutOutcome::Discount;
    let known = snapshot.discounts.get(&id).ok_or(refused(discount::Refusal::Unknown))?;
    let uses = snapshot.discount_uses.get(&(id, customer.name())).copied().unwrap_or(0);
    known.discount.check(now, basket.currency, uses).map_err(refused)?;
    let minor = known.discount.minor(goods_minor);
    Ok(Some(PlacedDiscount { id, code: Arc::clone(&known.code), minor }))
}

/// Makes the order: nothing can refuse it any more.
fn place(
    snapshot: &mut Snapshot,
    now: Timestamp,
    command: &Checkout,
    customer: &Customer,
    bill: Bill,
) -> CheckoutOutcome {
    let Bill { lines, total_minor, discount } = bill;
    let id = OrderId(snapshot.ids.orders.next().expect("the caller gave enough order ids"));
    let basket = snapshot.baskets[&command.basket].clone();
    let mut allocations = Vec::with_capacity(lines.len());
    for (line_no, line) in (1..).zip(&lines) {
        allocate(snapshot, (id, line_no), command.basket, line, &mut allocations);
        snapshot.count_bought(customer, line.variant, line.quantity);
    }
    end_basket(snapshot, command.basket, BasketStatus::Ordered, Some(id));
    if let Some(discount) = &discount {
        use_discount(snapshot, discount.id, customer, id, 1);
    }
    let payment = (total_minor > 0).then(|| Payment {
        id: PaymentId(snapshot.ids.payments.next().expect("the caller gave enough payment ids")),
        gateway: command.gateway,
        status: PaymentStatus::Pending,
        amount_minor: total_minor,
        received_minor: 0,
        currency: basket.currency,
        provider_id: None,
        failure: None,
        created_at: now,
    });
    let due_at = now + SignedDuration::from_secs(command.pay_within_s);
    let placed = Arc::new(Placed {
        id,
        account: basket.account,
        // What costs nothing is paid.
        status: if payment.is_some() { Status::Placed } else { Status::Paid },
        currency: basket.currency,
        total_minor,
        tax_minor: lines.iter().map(|line| line.tax_minor).sum(),
        at: now,
        due_at: payment.is_some().then_some(due_at),
        lines,
        allocations,
        checkout: Some(Box::new(PlacedCheckout {
            basket: command.basket,
            contact: command.contact.clone(),
            gateway: command.gateway,
            discount,
            payment,
        })),
    });
    snapshot.difference.placed.push(Arc::clone(&placed));
    CheckoutOutcome::Placed(placed)
}

/// Turns a line's holds into its allocations, level by level; a lapsed line is taken anew.
fn allocate(
    snapshot: &mut Snapshot,
    (order, line_no): (OrderId, i64),
    basket: BasketId,
    line: &PlacedLine,
    allocations: &mut Vec<Allocation>,
) {
    let actor = snapshot.baskets[&basket].account;
    let holds = line_holds(snapshot, basket, line.variant);
    let mut parts = Vec::with_capacity(holds.len());
    for ((_, _, level), hold) in &holds {
        let key = (basket, line.variant, *level);
        end_hold(snapshot, key, hold.quantity, Cause::Checkout, Some(order));
        parts.push((*level, hold.quantity));
    }
    if holds.is_empty() {
        parts = snapshot.pick(line.variant, line.quantity);
    }
    let mut sum = 0;
    for part in parts {
        sum += part.1;
        allocations.push(promise(snapshot, (order, line_no), line.variant, part, actor));
    }
    assert_eq!(sum, line.quantity, "a line is served exactly, never with more");
}

/// Counts a use of a discount, or takes it back.
pub(super) fn use_discount(
    snapshot: &mut Snapshot,
    discount: DiscountId,
    customer: &Customer,
    order: OrderId,
    delta: i64,
) {
    if let Some(known) = snapshot.discounts.get_mut(&discount) {
        known.discount.uses += delta;
        assert!(known.discount.uses >= 0, "no use is taken back that was not counted");
    }
    *snapshot.discount_uses.entry((discount, customer.name())).or_default() += delta;
    let customer = customer.clone();
    snapshot.difference.discount_uses.push(DiscountUse { discount, customer, order, delta });
}
