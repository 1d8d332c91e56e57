//! A shop's database in memory: builds each batch's snapshot from what the batch names and nothing
//! else, stores its difference as the stock writer does, and checks what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::super::told;
use crate::discount::{Discount, Kind};
use crate::ids::{AccountId, BasketId, DiscountId, LevelId, LocationId, OrderId, VariantId};
use crate::money::Currency;
use crate::order::Status;
use crate::stock::{
    Asked, BasketStatus, Cause, Command, Customer, Difference, Fulfilment, Hold, HoldKey, IdRanges,
    KnownBasket, KnownDiscount, KnownOrder, Level, Movement, Offer, Outcome, Placed, Rules,
    Snapshot, Times, decide_all,
};

pub(super) const ACCOUNTS: i64 = 4;
pub(super) const INACTIVE: i64 = 4;
pub(super) const VARIANTS: i64 = 6;
/// At most [`LIMIT`] to one customer.
pub(super) const LIMITED_PER_CUSTOMER: i64 = 3;
/// At most [`LIMIT`] in one order.
pub(super) const LIMITED_PER_ORDER: i64 = 4;
pub(super) const LIMIT: i64 = 3;
/// Is held [`SHORT_HOLD_S`] only.
pub(super) const SHORTLY_HELD: i64 = 5;
pub(super) const SHORT_HOLD_S: i64 = 40;
/// Comes out at [`RELEASE_S`].
pub(super) const UNRELEASED: i64 = 6;
pub(super) const RELEASE_S: i64 = 200;
pub(super) const HOLD_S: i64 = 100;
pub(super) const HOLD_LIFE_S: i64 = 250;
/// Number and priority.
pub(super) const LOCATIONS: [(i64, i64); 3] = [(1, 100), (2, 50), (3, 50)];
pub(super) const PERCENT: i64 = 1;
pub(super) const PERCENT_USES_MAX: i64 = 2;
pub(super) const AMOUNT: i64 = 2;
pub(super) const AMOUNT_PER_CUSTOMER_MAX: i64 = 1;

/// What is stored.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub rules: Rules,
    pub offers: BTreeMap<VariantId, Offer>,
    pub places: BTreeMap<LocationId, (i64, bool)>,
    pub levels: BTreeMap<LevelId, Level>,
    pub movements: BTreeMap<LevelId, Vec<Movement>>,
    pub placed: BTreeMap<OrderId, Arc<Placed>>,
    pub orders: BTreeMap<OrderId, KnownOrder>,
    pub baskets: BTreeMap<BasketId, KnownBasket>,
    pub holds: BTreeMap<HoldKey, Hold>,
    pub discounts: BTreeMap<DiscountId, KnownDiscount>,
    pub uses: BTreeSet<(DiscountId, String, OrderId)>,
    pub fulfilments: Vec<Fulfilment>,
    /// What was recorded, in short.
    pub topics: Vec<&'static str>,
}

/// The rows that a batch names.
#[derive(Default)]
struct Named {
    variants: BTreeSet<VariantId>,
    baskets: BTreeSet<BasketId>,
    orders: BTreeSet<OrderId>,
    accounts: BTreeSet<AccountId>,
    customers: BTreeSet<Customer>,
    discounts: BTreeSet<DiscountId>,
}

pub(super) fn euro() -> Currency {
    "EUR".parse().expect("a currency")
}

pub(super) fn dollar() -> Currency {
    "USD".parse().expect("a currency")
}

fn offer(variant: i64) -> (VariantId, Offer) {
    let limited = |by: i64| (variant == by).then_some(LIMIT);
    let offer = Offer {
        sku: Arc::from("sku"),
        title: Arc::from("title"),
        variant_title: Arc::from(""),
        enabled: true,
        release_at: (variant == UNRELEASED).then(|| super::at(RELEASE_S)),
        limit_per_order: limited(LIMITED_PER_ORDER),
        limit_per_customer: limited(LIMITED_PER_CUSTOMER),
        hold_s: (variant == SHORTLY_HELD).then_some(SHORT_HOLD_S),
        tax_class: Arc::from(if variant == 1 { "reduced" } else { "standard" }),
        prices: vec![(euro(), 50 * variant), (dollar(), 70)],
    };
    (VariantId(variant), offer)
}

fn discount(id: i64) -> (DiscountId, KnownDiscount) {
    let percent = id == PERCENT;
    let kind = Kind::Amount { minor: 130, currency: euro() };
    let discount = Discount {
        id: DiscountId(id),
        kind: if percent { Kind::PercentBp(1_000) } else { kind },
        active: true,
        starts_at: None,
        ends_at: None,
        uses_max: percent.then_some(PERCENT_USES_MAX),
        uses_per_customer_max: (!percent).then_some(AMOUNT_PER_CUSTOMER_MAX),
        uses: 0,
    };
    (DiscountId(id), KnownDiscount { code: Arc::from(format!("code {id}")), discount })
}

impl World {
    pub(super) fn new() -> Self {
        let place = |(number, priority)| (LocationId(number), (priority, true));
        Self {
            rules: Rules { hold_s: HOLD_S, hold_life_s: HOLD_LIFE_S, country: Arc::from("DE") },
            offers: (1..=VARIANTS).map(offer).collect(),
            places: LOCATIONS.into_iter().map(place).collect(),
            levels: BTreeMap::new(),
            movements: BTreeMap::new(),
            placed: BTreeMap::new(),
            orders: BTreeMap::new(),
            baskets: BTreeMap::new(),
            holds: BTreeMap::new(),
            discounts: [PERCENT, AMOUNT].into_iter().map(discount).collect(),
            uses: BTreeSet::new(),
            fulfilments: Vec::new(),
            topics: Vec::new(),
        }
    }

    /// Decides the commands as one batch, stores the difference, and tells the outcomes.
    pub(super) fn batch(&mut self, now: Timestamp, batch: &[Asked]) -> Vec<Outcome> {
        let mut snapshot = self.snapshot(now, batch);
        let outcomes = decide_all(&mut snapshot, now, batch);
        assert_eq!(outcomes.len(), batch.len(), "one outcome each");
        let (difference, levels) = snapshot.into_difference();
        if !outcomes.iter().any(may_change) {
            assert_only_expiry(&difference, &outcomes);
        }
        self.store(difference);
        for level in levels.into_values().flatten() {
            assert_eq!(self.levels[&level.id], level, "the difference leads to the snapshot's end");
        }
        self.check();
        outcomes
    }

    /// One command as a batch of its own.
    pub(super) fn ask(&mut self, now: Timestamp, asked: &Asked) -> String {
        let outcomes = self.batch(now, std::slice::from_ref(asked));
        told(&outcomes[0], &outcomes)
    }

    fn named(&self, batch: &[Asked]) -> Named {
        let mut named = Named::default();
        for Asked { command, .. } in batch {
            named.variants.extend(command.variants());
            named.baskets.extend(command.baskets().into_iter().flatten());
            named.orders.extend(command.order());
            match command {
                Command::Sell(sell) => _ = named.accounts.insert(sell.account),
                Command::Merge(merge) => _ = named.accounts.insert(merge.account),
                Command::Checkout(checkout) => {
                    let email = checkout.contact.email.iter();
                    named.customers.extend(email.map(|(_, key)| Customer::Guest(Arc::clone(key))));
                }
                _ => {}
            }
        }
        for basket in named.baskets.iter().filter_map(|id| self.baskets.get(id)) {
            named.variants.extend(basket.lines.keys());
            named.accounts.extend(basket.account);
            named.discounts.extend(basket.discount);
        }
        for order in named.orders.iter().filter_map(|id| self.orders.get(id)) {
            named.variants.extend(order.allocations.iter().map(|part| part.variant));
            named.customers.insert(order.customer());
            named.discounts.extend(order.discount);
        }
        named.customers.extend(named.accounts.iter().copied().map(Customer::Account));
        named
    }

    fn snapshot(&self, now: Timestamp, batch: &[Asked]) -> Snapshot {
        let named = self.named(batch);
        let mut snapshot = Snapshot { rules: self.rules.clone(), ..Snapshot::default() };
        let levels = self.levels.values().filter(|level| named.variants.contains(&level.variant));
        // In any order: the snapshot sorts.
        snapshot.set_levels(levels.rev().cloned());
        let offer = |id: &VariantId| self.offers.get(id).map(|offer| (*id, offer.clone()));
        snapshot.offers = named.variants.iter().filter_map(offer).collect();
        let accounts = named.accounts.iter().filter(|account| account.0 <= ACCOUNTS);
        snapshot.accounts = accounts.map(|account| (*account, account.0 != INACTIVE)).collect();
        let moves = |asked: &Asked| {
            matches!(asked.command, Command::Receive(_) | Command::Adjust(_) | Command::Transfer(_))
        };
        if batch.iter().any(moves) {
            snapshot.locations = self.places.clone().into_iter().collect();
        }
        let order = |id: &OrderId| self.orders.get(id).map(|order| (*id, order.clone()));
        snapshot.orders = named.orders.iter().filter_map(order).collect();
        let basket = |id: &BasketId| self.baskets.get(id).map(|basket| (*id, basket.clone()));
        snapshot.baskets = named.baskets.iter().filter_map(basket).collect();
        let concerns = |((basket, variant, _), hold): &(&HoldKey, &Hold)| {
            let lapsed = hold.expires_at <= now && named.variants.contains(variant);
            lapsed || named.baskets.contains(basket)
        };
        let holds = self.holds.iter().filter(concerns);
        snapshot.holds = holds.map(|(key, hold)| (*key, *hold)).collect();
        self.count(now, &named, &mut snapshot);
        snapshot.tax_rates = [("reduced", 70_000), ("standard", 190_000)]
            .map(|(class, rate)| ((Arc::from(class), Arc::from("DE")), rate))
            .into();
        snapshot.ids = self.ids(batch.len());
        snapshot
    }

    /// What the customers of the batch have bought, hold and used.
    fn count(&self, now: Timestamp, named: &Named, snapshot: &mut Snapshot) {
        let limit = |id: &&VariantId| self.offers.get(*id)?.limit_per_customer;
        for variant in named.variants.iter().filter(|id| limit(id).is_some()) {
            for customer in &named.customers {
                let bought = self.bought(customer, *variant);
                snapshot.bought.insert((customer.clone(), *variant), bought);
            }
            for account in &named.accounts {
                let theirs = |((basket, of, _), hold): &(&HoldKey, &Hold)| {
                    let owner = self.baskets[basket].account;
                    of == variant && hold.expires_at > now && owner == Some(*account)
                };
                let held = self.holds.iter().filter(theirs).map(|(_, hold)| hold.quantity).sum();
                snapshot.held.insert((*account, *variant), held);
            }
        }
        for discount in &named.discounts {
            let known = self.discounts.get(discount);
            snapshot.discounts.extend(known.map(|known| (*discount, known.clone())));
            for customer in &named.customers {
                let name = customer.name();
                let used = self.uses.iter().filter(|(id, by, _)| id == discount && *by == name);
                snapshot.discount_uses.insert((*discount, name.clone()), used.count() as i64);
            }
        }
    }

    /// Units of the variant in orders that stand; of an order whose money went back, those that
    /// had left.
    pub(super) fn bought(&self, customer: &Customer, variant: VariantId) -> i64 {
        let units = |order: &KnownOrder| -> i64 {
            let of = order.allocations.iter().filter(|part| part.variant == variant);
            of.map(|part| match order.status {
                Status::Cancelled => 0,
                Status::Refunded => part.shipped,
                _ => part.quantity,
            })
            .sum()
        };
        self.orders.values().filter(|order| order.customer() == *customer).map(units).sum()
    }

    fn ids(&self, commands: usize) -> IdRanges {
        let count = 4 * commands as i64;
        let from = |last: i64| last + 1..last + 1 + count;
        let payments = self.orders.values().flat_map(|order| &order.payments);
        let refunds = self.orders.values().flat_map(|order| &order.refunds);
        IdRanges {
            orders: from(self.orders.len() as i64),
            levels: from(self.levels.len() as i64),
            payments: from(payments.map(|payment| payment.id.0).max().unwrap_or(0)),
            refunds: from(refunds.map(|refund| refund.id.0).max().unwrap_or(0)),
            fulfilments: from(self.fulfilments.len() as i64),
        }
    }

    fn store(&mut self, difference: Difference) {
        for level in difference.new_levels {
            let before = self.levels.insert(level.id, level);
            assert!(before.is_none(), "a new level has a new id");
        }
        for movement in difference.movements {
            let level = self.levels.get_mut(&movement.level).expect("a known level");
            level.on_hand += movement.on_hand_delta;
            level.reserved += movement.reserved_delta;
            level.movements += 1;
            assert_eq!(movement.number, level.movements, "the ledger of a level has no gaps");
            self.movements.entry(movement.level).or_default().push(movement);
        }
        for placed in difference.placed {
            let before = self.orders.insert(placed.id, known(&placed));
            assert!(before.is_none(), "a new order has a new id");
            self.placed.insert(placed.id, placed);
        }
        let told: BTreeSet<OrderId> = difference.records.iter().map(|r| r.order).collect();
        let changed: BTreeSet<OrderId> = difference.orders.keys().copied().collect();
        assert_eq!(told, changed, "what changes is recorded, what is recorded changes");
        self.topics.extend(difference.records.iter().map(|record| record.topic));
        for (id, order) in difference.orders {
            let before = self.orders.insert(id, order.clone()).expect("known orders change");
            let place = |o: &KnownOrder| -> Vec<_> {
                o.allocations.iter().map(|part| (part.line_no, part.level, part.quantity)).collect()
            };
            if place(&before) != place(&order) {
                assert!(difference.reallocated.contains(&id), "order {id} has other allocations");
            }
        }
        self.fulfilments.extend(difference.fulfilments);
        for ((basket, variant), line) in difference.lines {
            let lines = &mut self.baskets.get_mut(&basket).expect("a known basket").lines;
            match line {
                Some(line) => _ = lines.insert(variant, line),
                None => _ = lines.remove(&variant),
            }
        }
        for (key, hold) in difference.holds {
            match hold {
                Some(hold) => _ = self.holds.insert(key, hold),
                None => _ = self.holds.remove(&key),
            }
        }
        for (id, status, order) in difference.ended {
            let basket = self.baskets.get_mut(&id).expect("a known basket");
            assert_eq!(basket.status, BasketStatus::Open, "a basket ends once");
            (basket.status, basket.order) = (status, order);
        }
        for used in difference.discount_uses {
            let name = (used.discount, used.customer.name(), used.order);
            let changes = if used.delta == 1 {
                self.uses.insert(name)
            } else {
                assert_eq!(used.delta, -1);
                self.uses.remove(&name)
            };
            assert!(changes, "an order uses a discount once, and takes that back once: {used:?}");
            let known = self.discounts.get_mut(&used.discount).expect("a known discount");
            known.discount.uses += used.delta;
        }
    }

    /// The whole state, to be compared.
    pub(super) fn state(&self) -> String {
        format!("{self:#?}")
    }
}

/// The order as it would be loaded.
fn known(placed: &Placed) -> KnownOrder {
    let checkout = placed.checkout.as_deref();
    let email = checkout.and_then(|checkout| checkout.contact.email.clone());
    KnownOrder {
        account: placed.account,
        email_key: email.map(|(_, key)| key),
        basket: checkout.map(|checkout| checkout.basket),
        status: placed.status,
        currency: placed.currency,
        total_minor: placed.total_minor,
        paid_minor: 0,
        refunded_minor: 0,
        discount: checkout.and_then(|c| c.discount.as_ref()).map(|discount| discount.id),
        cancel_reason: None,
        due_at: placed.due_at,
        times: Times::default(),
        allocations: placed.allocations.clone(),
        payments: checkout.and_then(|checkout| checkout.payment.clone()).into_iter().collect(),
        refunds: Vec::new(),
    }
}

/// True if the outcome is not a refusal, and not word that all is as asked for already.
fn may_change(outcome: &Outcome) -> bool {
    use crate::stock::{ActOutcome, BasketOutcome, CancelOutcome};
    let nothing = matches!(
        outcome,
        Outcome::Act(ActOutcome::Nothing { .. })
            | Outcome::Cancel(CancelOutcome::AlreadyCancelled { .. })
    );
    (outcome.is_done() && !nothing) || matches!(outcome, Outcome::Basket(BasketOutcome::Kept(_)))
}

/// A refused command changes nothing; what has lapsed is given back by the way.
fn assert_only_expiry(difference: &Difference, outcomes: &[Outcome]) {
    let expiry = difference.movements.iter().all(|movement| movement.cause == Cause::Expire);
    assert!(expiry && difference.holds.values().all(Option::is_none), "{outcomes:?}");
    let others = [
        difference.new_levels.len(),
        difference.placed.len(),
        difference.orders.len(),
        difference.fulfilments.len(),
        difference.lines.len(),
        difference.ended.len(),
        difference.discount_uses.len(),
        difference.records.len(),
    ];
    assert_eq!(others, [0; 8], "{outcomes:?}: {difference:?}");
}
