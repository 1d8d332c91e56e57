//! From the rows of a batch to the snapshot that it is decided on.

use std::sync::Arc;

use runout_core::ids::{
    AccountId, BasketId, DiscountId, LevelId, LocationId, OrderId, PaymentId, RefundId, VariantId,
};
use runout_core::money::Currency;
use runout_core::order::Status;
use runout_core::stock::{
    Allocation, BasketLine, BasketStatus, CancelReason, Gateway, Hold, HoldKey, KeyOwner,
    KnownBasket, KnownDiscount, KnownKey, KnownOrder, Level, Offer, Payment, PaymentStatus, Refund,
    RefundReason, RefundStatus, Remembered, Snapshot, Times,
};
use runout_store::{Error, Result, Row, Rows};

use super::footprint::Part;
use crate::discounts::model::read_rule;

/// Takes one statement's rows into the snapshot.
pub(super) fn take_in(snapshot: &mut Snapshot, part: Part, rows: &Rows) -> Result<()> {
    match part {
        Part::Baskets => snapshot.baskets = rows.map(basket)?.into_iter().collect(),
        Part::Levels => snapshot.set_levels(rows.map(level)?),
        Part::Orders => snapshot.orders = rows.map(order)?.into_iter().collect(),
        Part::Allocations => {
            for (order, allocation) in rows.map(allocation)? {
                known(snapshot, order).allocations.push(allocation);
            }
        }
        Part::Payments => {
            for (order, payment) in rows.map(payment)? {
                known(snapshot, order).payments.push(payment);
            }
        }
        Part::Refunds => {
            for (order, refund) in rows.map(refund)? {
                known(snapshot, order).refunds.push(refund);
            }
        }
        Part::Lines => {
            for (basket, variant, line) in rows.map(line)? {
                if let Some(basket) = snapshot.baskets.get_mut(&basket) {
                    basket.lines.insert(variant, line);
                }
            }
        }
        Part::Holds | Part::Lapsed => snapshot.holds.extend(rows.map(hold)?),
        Part::Offers => snapshot.offers = rows.map(offer)?.into_iter().collect(),
        Part::Prices => {
            for (variant, currency, minor) in rows.map(price)? {
                if let Some(offer) = snapshot.offers.get_mut(&variant) {
                    offer.prices.push((currency, minor));
                }
            }
        }
        Part::Accounts => {
            let account = |row: Row<'_>| Ok((AccountId(row.get(0)?), row.get(1)?));
            snapshot.accounts = rows.map(account)?.into_iter().collect();
        }
        Part::Locations => {
            let place = |row: Row<'_>| Ok((LocationId(row.get(0)?), (row.get(1)?, row.get(2)?)));
            snapshot.locations = rows.map(place)?.into_iter().collect();
        }
        Part::TaxRates => snapshot.tax_rates = rows.map(tax_rate)?.into_iter().collect(),
        Part::Discounts => snapshot.discounts = rows.map(discount)?.into_iter().collect(),
        Part::Keys => snapshot.keys = rows.map(key)?.into_iter().collect(),
        // They say what to load next.
        Part::Variants => {}
    }
    Ok(())
}

fn known(snapshot: &mut Snapshot, order: OrderId) -> &mut KnownOrder {
    snapshot.orders.get_mut(&order).expect("orders are loaded before what belongs to them")
}

fn broken<T>(column: usize, what: &str, found: &str) -> Result<T> {
    Err(Error::Decode { column, reason: format!("{what} {found:?}") })
}

/// A stored word as one of an enum's.
fn word<T>(
    row: &Row<'_>,
    column: usize,
    what: &str,
    from_name: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let text: String = row.get(column)?;
    from_name(&text).map_or_else(|| broken(column, what, &text), Ok)
}

fn currency(row: &Row<'_>, column: usize) -> Result<Currency> {
    word(row, column, "currency", |code| code.parse().ok())
}

fn hash(column: usize, bytes: Vec<u8>) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::Decode { column, reason: "a hash has 32 bytes".to_owned() })
}

fn level(row: Row<'_>) -> Result<Level> {
    Ok(Level {
        id: LevelId(row.get(0)?),
        variant: VariantId(row.get(1)?),
        location: LocationId(row.get(2)?),
        priority: row.get(3)?,
        active: row.get(4)?,
        on_hand: row.get(5)?,
        reserved: row.get(6)?,
        movements: row.get(7)?,
    })
}

fn basket(row: Row<'_>) -> Result<(BasketId, KnownBasket)> {
    let basket = KnownBasket {
        account: row.get::<Option<i64>>(1)?.map(AccountId),
        token_hash: row.get::<Option<Vec<u8>>>(2)?.map(|bytes| hash(2, bytes)).transpose()?,
        currency: currency(&row, 3)?,
        status: word(&row, 4, "status", BasketStatus::from_name)?,
        order: row.get::<Option<i64>>(5)?.map(OrderId),
        discount: row.get::<Option<i64>>(6)?.map(DiscountId),
        lines: Default::default(),
    };
    Ok((BasketId(row.get(0)?), basket))
}

fn line(row: Row<'_>) -> Result<(BasketId, VariantId, BasketLine)> {
    let line = BasketLine {
        quantity: row.get(2)?,
        unit_price_minor: row.get(3)?,
        held_since: row.get(4)?,
        added_at: row.get(5)?,
    };
    Ok((BasketId(row.get(0)?), VariantId(row.get(1)?), line))
}

fn hold(row: Row<'_>) -> Result<(HoldKey, Hold)> {
    let key = (BasketId(row.get(0)?), VariantId(row.get(1)?), LevelId(row.get(2)?));
    Ok((key, Hold { quantity: row.get(3)?, expires_at: row.get(4)? }))
}

fn order(row: Row<'_>) -> Result<(OrderId, KnownOrder)> {
    let reason: Option<String> = row.get(10)?;
    let cancel_reason = match reason.as_deref() {
        None => None,
        Some(name) => match CancelReason::from_name(name) {
            None => return broken(10, "reason", name),
            found => found,
        },
    };
    let order = KnownOrder {
        account: row.get::<Option<i64>>(1)?.map(AccountId),
        email_key: row.get::<Option<String>>(2)?.map(Arc::from),
        basket: row.get::<Option<i64>>(3)?.map(BasketId),
        status: word(&row, 4, "status", Status::from_name)?,
        currency: currency(&row, 5)?,
        total_minor: row.get(6)?,
        paid_minor: row.get(7)?,
        refunded_minor: row.get(8)?,
        discount: row.get::<Option<i64>>(9)?.map(DiscountId),
        cancel_reason,
        due_at: row.get(11)?,
        times: Times {
            paid: row.get(12)?,
            fulfilled: row.get(13)?,
            closed: row.get(14)?,
            cancelled: row.get(15)?,
            returned: row.get(16)?,
            refunded: row.get(17)?,
            reinstated: row.get(18)?,
        },
        allocations: Vec::new(),
        payments: Vec::new(),
        refunds: Vec::new(),
    };
    Ok((OrderId(row.get(0)?), order))
}

fn allocation(row: Row<'_>) -> Result<(OrderId, Allocation)> {
    let allocation = Allocation {
        line_no: row.get(1)?,
        level: LevelId(row.get(2)?),
        variant: VariantId(row.get(3)?),
        quantity: row.get(4)?,
        shipped: row.get(5)?,
        returned: row.get(6)?,
    };
    Ok((OrderId(row.get(0)?), allocation))
}

fn payment(row: Row<'_>) -> Result<(OrderId, Payment)> {
    let payment = Payment {
        id: PaymentId(row.get(1)?),
        gateway: word(&row, 2, "gateway", Gateway::from_name)?,
        status: word(&row, 3, "status", PaymentStatus::from_name)?,
        amount_minor: row.get(4)?,
        received_minor: row.get(5)?,
        currency: currency(&row, 6)?,
        provider_id: row.get(7)?,
        failure: row.get(8)?,
        created_at: row.get(9)?,
    };
    Ok((OrderId(row.get(0)?), payment))
}

fn refund(row: Row<'_>) -> Result<(OrderId, Refund)> {
    let refund = Refund {
        id: RefundId(row.get(1)?),
        payment: PaymentId(row.get(2)?),
        amount_minor: row.get(3)?,
        status: word(&row, 4, "status", RefundStatus::from_name)?,
        reason: word(&row, 5, "reason", RefundReason::from_name)?,
        note: row.get(6)?,
        provider_id: row.get(7)?,
        actor: row.get::<Option<i64>>(8)?.map(AccountId),
        created_at: row.get(9)?,
        done_at: row.get(10)?,
    };
    Ok((OrderId(row.get(0)?), refund))
}

fn offer(row: Row<'_>) -> Result<(VariantId, Offer)> {
    let offer = Offer {
        sku: row.get::<String>(1)?.into(),
        title: row.get::<String>(2)?.into(),
        variant_title: row.get::<String>(3)?.into(),
        enabled: row.get(4)?,
        release_at: row.get(5)?,
        limit_per_order: row.get(6)?,
        limit_per_customer: row.get(7)?,
        hold_s: row.get(8)?,
        tax_class: row.get::<String>(9)?.into(),
        prices: Vec::new(),
    };
    Ok((VariantId(row.get(0)?), offer))
}

fn price(row: Row<'_>) -> Result<(VariantId, Currency, i64)> {
    Ok((VariantId(row.get(0)?), currency(&row, 1)?, row.get(2)?))
}

/// Class and country, and the rate in parts per million.
type TaxRate = ((Arc<str>, Arc<str>), i64);

fn tax_rate(row: Row<'_>) -> Result<TaxRate> {
    Ok(((row.get::<String>(0)?.into(), row.get::<String>(1)?.into()), row.get(2)?))
}

fn discount(row: Row<'_>) -> Result<(DiscountId, KnownDiscount)> {
    let discount = read_rule(&row)?;
    Ok((discount.id, KnownDiscount { code: row.get::<String>(10)?.into(), discount }))
}

fn key(row: Row<'_>) -> Result<((KeyOwner, String), KnownKey)> {
    let fingerprint = hash(2, row.get(2)?)?;
    let remembered = match row.get::<Option<i64>>(3)? {
        Some(order) => Remembered::Order(OrderId(order)),
        None => Remembered::Answer { status: row.get(4)?, body: row.get(5)? },
    };
    Ok(((KeyOwner(row.get(0)?), row.get(1)?), KnownKey { fingerprint, remembered }))
}
