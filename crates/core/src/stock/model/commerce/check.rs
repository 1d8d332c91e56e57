//! What must hold after every batch, each recomputed from other rows than the rules keep it in.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{LIMIT, LIMITED_PER_CUSTOMER, LIMITED_PER_ORDER, World};
use crate::discount::apportion;
use crate::ids::{BasketId, LevelId, OrderId, VariantId};
use crate::order::Status;
use crate::stock::{
    BasketStatus, Cause, KnownOrder, Movement, PaymentStatus, Placed, RefundReason, RefundStatus,
};
use crate::tax;

impl World {
    pub(super) fn check(&self) {
        self.check_levels();
        self.check_holds();
        self.check_limits();
        self.check_discounts();
        for (id, order) in &self.orders {
            self.check_units(*id, order);
            check_money(*id, order);
            check_bill(&self.placed[id]);
        }
    }

    fn ledger(&self) -> impl Iterator<Item = &Movement> {
        self.movements.values().flatten()
    }

    fn check_levels(&self) {
        let mut promised: BTreeMap<LevelId, i64> = BTreeMap::new();
        let mut shipped: BTreeMap<LevelId, i64> = BTreeMap::new();
        for order in self.orders.values() {
            for part in &order.allocations {
                let open =
                    if order.status.holds_stock() { part.quantity - part.shipped } else { 0 };
                *promised.entry(part.level).or_default() += open;
                *shipped.entry(part.level).or_default() += part.shipped;
            }
        }
        for ((_, _, level), hold) in &self.holds {
            *promised.entry(*level).or_default() += hold.quantity;
        }
        for level in self.levels.values() {
            assert!(0 <= level.reserved && level.reserved <= level.on_hand, "{level:?}");
            let rows = self.movements.get(&level.id).map_or(&[][..], Vec::as_slice);
            let (mut on_hand, mut reserved, mut came_in, mut restocked) = (0, 0, 0, 0);
            for (number, row) in (1..).zip(rows) {
                assert_eq!(row.number, number, "the ledger of a level has no gaps");
                check_movement(row);
                on_hand += row.on_hand_delta;
                reserved += row.reserved_delta;
                match row.cause {
                    Cause::Receipt | Cause::Adjustment | Cause::Transfer => {
                        came_in += row.on_hand_delta;
                    }
                    Cause::Return => restocked += row.on_hand_delta,
                    _ => {}
                }
            }
            assert_eq!((on_hand, reserved, rows.len() as i64), {
                (level.on_hand, level.reserved, level.movements)
            });
            let of = |sums: &BTreeMap<LevelId, i64>| sums.get(&level.id).copied().unwrap_or(0);
            assert_eq!(level.reserved, of(&promised), "{level:?}: orders and holds");
            assert_eq!(level.on_hand, came_in - of(&shipped) + restocked, "{level:?}");
        }
    }

    /// Each unit held ends in one of three ways or is still held; what is held of a line ends at
    /// one moment, and is all of the line.
    fn check_holds(&self) {
        let mut left: BTreeMap<(BasketId, LevelId), i64> = BTreeMap::new();
        for row in self.ledger() {
            if let Cause::Hold | Cause::Release | Cause::Expire | Cause::Checkout = row.cause {
                let basket = row.basket.expect("holds are of baskets");
                let units = left.entry((basket, row.level)).or_default();
                *units += row.reserved_delta;
                assert!(*units >= 0, "basket {basket} gave back more than it held: {row:?}");
            }
        }
        let mut lines: BTreeMap<(BasketId, VariantId), (i64, BTreeSet<_>)> = BTreeMap::new();
        for ((basket, variant, level), hold) in &self.holds {
            assert!(hold.quantity > 0);
            assert_eq!(left.remove(&(*basket, *level)), Some(hold.quantity), "{basket} {level}");
            let line = lines.entry((*basket, *variant)).or_default();
            line.0 += hold.quantity;
            line.1.insert(hold.expires_at);
        }
        assert!(left.values().all(|units| *units == 0), "holds that are nowhere: {left:?}");
        for ((id, variant), (held, moments)) in lines {
            let basket = &self.baskets[&id];
            assert_eq!(basket.status, BasketStatus::Open, "only open baskets hold");
            let line = &basket.lines[&variant];
            assert_eq!(held, line.quantity, "line {variant} of basket {id} holds all or nothing");
            assert_eq!(moments.len(), 1, "a line lapses at one moment: {moments:?}");
            let since = line.held_since.expect("what is held is held since a moment");
            let lived = moments.first().expect("one").as_second() - since.as_second();
            assert!(lived <= self.rules.hold_life_s, "basket {id} holds {variant} for {lived} s");
        }
    }

    fn check_limits(&self) {
        let customers: BTreeSet<_> = self.orders.values().map(KnownOrder::customer).collect();
        for customer in customers {
            let bought = self.bought(&customer, VariantId(LIMITED_PER_CUSTOMER));
            assert!(bought <= LIMIT, "{customer:?} has {bought}");
        }
        for placed in self.placed.values() {
            let limited = placed.lines.iter().filter(|line| line.variant.0 == LIMITED_PER_ORDER);
            assert!(limited.map(|line| line.quantity).sum::<i64>() <= LIMIT, "{placed:?}");
        }
    }

    fn check_discounts(&self) {
        let stands = |order: &KnownOrder| match order.status {
            Status::Cancelled => false,
            Status::Refunded => order.allocations.iter().any(|part| part.shipped > 0),
            _ => true,
        };
        let used = self.orders.iter().filter(|(_, order)| stands(order));
        let used: BTreeSet<_> = used
            .filter_map(|(id, order)| Some((order.discount?, order.customer().name(), *id)))
            .collect();
        assert_eq!(used, self.uses, "uses are those of the orders that stand");
        for (id, known) in &self.discounts {
            let uses = used.iter().filter(|(of, ..)| of == id);
            let mut by_customer: BTreeMap<&str, i64> = BTreeMap::new();
            uses.for_each(|(_, name, _)| *by_customer.entry(name).or_default() += 1);
            let sum: i64 = by_customer.values().sum();
            let discount = &known.discount;
            assert_eq!(sum, discount.uses, "{known:?}");
            assert!(discount.uses_max.is_none_or(|max| sum <= max), "{known:?}");
            let most = by_customer.into_values().max().unwrap_or(0);
            assert!(discount.uses_per_customer_max.is_none_or(|max| most <= max), "{known:?}");
        }
    }

    /// The order's units, in the ledger, in its allocations and in its fulfilments.
    fn check_units(&self, id: OrderId, order: &KnownOrder) {
        let mut open: BTreeMap<LevelId, i64> = BTreeMap::new();
        let mut back: BTreeMap<LevelId, i64> = BTreeMap::new();
        for row in self.ledger().filter(|row| row.order == Some(id)) {
            match row.cause {
                Cause::Order | Cause::Cancel | Cause::Fulfilment => {
                    *open.entry(row.level).or_default() += row.reserved_delta;
                }
                Cause::Return => *back.entry(row.level).or_default() += row.on_hand_delta,
                _ => assert_eq!(row.cause, Cause::Checkout, "{row:?}"),
            }
        }
        let (mut places, mut lines) = (BTreeSet::new(), BTreeMap::<i64, i64>::new());
        for part in &order.allocations {
            assert!(0 <= part.returned && part.returned <= part.shipped, "{part:?}");
            assert!(part.shipped <= part.quantity, "{part:?}");
            assert!(places.insert((part.line_no, part.level)), "a level serves a line once");
            *lines.entry(part.line_no).or_default() += part.quantity;
            let promised =
                if order.status.holds_stock() { part.quantity - part.shipped } else { 0 };
            *open.entry(part.level).or_default() -= promised;
            let restocked = back.remove(&part.level).unwrap_or(0);
            assert!(restocked <= part.returned, "{part:?}: {restocked} put back");
            let left = |(of, line, level): &(OrderId, i64, LevelId)| {
                *of == id && *line == part.line_no && *level == part.level
            };
            let left: i64 =
                self.parts().filter(|(part, _)| left(part)).map(|(_, units)| units).sum();
            assert_eq!(left, part.shipped, "fulfilments of order {id}");
        }
        assert!(open.values().all(|units| *units == 0), "order {id} and the ledger: {open:?}");
        assert!(back.is_empty(), "order {id} gave back to {back:?}");
        let asked = (1..).zip(&self.placed[&id].lines).map(|(no, line)| (no, line.quantity));
        assert_eq!(lines, asked.collect(), "order {id} serves each line exactly");
        let all = |units: fn(&crate::stock::Allocation) -> i64| {
            order.allocations.iter().all(|part| units(part) == part.quantity)
        };
        match order.status {
            Status::Placed | Status::Cancelled => {
                assert!(order.allocations.iter().all(|part| part.shipped == 0), "{order:?}");
            }
            Status::Paid => assert!(!all(|part| part.shipped), "{order:?}"),
            Status::Fulfilled | Status::Closed => {
                assert!(all(|part| part.shipped) && !all(|part| part.returned), "{order:?}");
            }
            Status::Returned => assert!(all(|part| part.returned), "{order:?}"),
            Status::Refunded => {}
        }
    }

    fn parts(&self) -> impl Iterator<Item = ((OrderId, i64, LevelId), i64)> {
        self.fulfilments.iter().flat_map(|fulfilment| {
            let part = |(line, level, units): &(i64, LevelId, i64)| {
                ((fulfilment.order, *line, *level), *units)
            };
            fulfilment.parts.iter().map(part)
        })
    }
}

/// Which way a cause can move a level.
fn check_movement(row: &Movement) {
    let (on_hand, reserved) = (row.on_hand_delta, row.reserved_delta);
    let fits = match row.cause {
        Cause::Receipt | Cause::Return => on_hand > 0 && reserved == 0,
        Cause::Adjustment | Cause::Transfer => on_hand != 0 && reserved == 0,
        Cause::Order | Cause::Hold => on_hand == 0 && reserved > 0,
        Cause::Cancel | Cause::Release | Cause::Expire | Cause::Checkout => {
            on_hand == 0 && reserved < 0
        }
        Cause::Fulfilment => on_hand < 0 && reserved == on_hand,
    };
    assert!(fits, "{row:?}");
}

fn check_money(id: OrderId, order: &KnownOrder) {
    let succeeded = |status| status == PaymentStatus::Succeeded;
    let paid = order.payments.iter().filter(|payment| succeeded(payment.status));
    let paid: i64 = paid.map(|payment| payment.received_minor).sum();
    assert_eq!(order.paid_minor, paid, "order {id}: {order:?}");
    let sent = order.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
    let counted = sent.clone().filter(|refund| refund.reason != RefundReason::Mismatch);
    let refunded: i64 = counted.map(|refund| refund.amount_minor).sum();
    assert_eq!(order.refunded_minor, refunded, "order {id}: {order:?}");
    assert!(0 <= refunded && refunded <= paid, "order {id}: {refunded} of {paid}");
    for payment in &order.payments {
        assert_eq!((payment.amount_minor, payment.currency), (order.total_minor, order.currency));
        let back = sent.clone().filter(|refund| refund.payment == payment.id);
        let back: i64 = back.map(|refund| refund.amount_minor).sum();
        assert!(back <= payment.received_minor, "{payment:?} gave {back} back");
        if succeeded(payment.status) {
            assert_eq!(payment.received_minor, payment.amount_minor, "{payment:?}");
        } else if payment.received_minor > 0 {
            let failed = order.refunds.iter().any(|refund| {
                refund.payment == payment.id && refund.status == RefundStatus::Failed
            });
            assert!(failed || back == payment.received_minor, "{payment:?} came and stayed");
        }
    }
    let failed = order.refunds.iter().any(|refund| refund.status == RefundStatus::Failed);
    match order.status {
        Status::Placed => assert_eq!(paid, 0, "{order:?}"),
        Status::Cancelled | Status::Refunded => {
            assert!(failed || refunded == paid, "order {id} is over and kept money: {order:?}");
        }
        Status::Paid | Status::Fulfilled | Status::Closed | Status::Returned => {
            assert!(paid >= order.total_minor, "{order:?}");
            let excess = paid - order.total_minor;
            assert!(failed || refunded >= excess, "order {id} kept an excess: {order:?}");
        }
    }
}

/// Goods, discount, tax and total add up, line by line.
fn check_bill(placed: &Placed) {
    let goods: Vec<i64> =
        placed.lines.iter().map(|line| line.quantity * line.unit_price_minor).collect();
    let discount = placed.checkout.as_ref().and_then(|checkout| checkout.discount.as_ref());
    let off = discount.map_or(0, |discount| discount.minor);
    assert_eq!(placed.total_minor, goods.iter().sum::<i64>() - off, "{placed:?}");
    for (line, off) in placed.lines.iter().zip(apportion(off, &goods)) {
        assert_eq!(line.discount_minor, off, "{placed:?}");
        let contained = tax::contained_minor(line.goods_minor() - off, line.tax_ppm);
        assert_eq!(line.tax_minor, contained, "{placed:?}");
    }
    assert_eq!(placed.tax_minor, placed.lines.iter().map(|line| line.tax_minor).sum::<i64>());
}
