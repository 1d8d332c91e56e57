//! A database in memory: builds each batch's snapshot from what is stored and stores its
//! difference, as the stock writer does, and checks what must always hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::naive;
use super::{known_order, told};
use crate::ids::{LevelId, LocationId, OrderId, VariantId};
use crate::order::Status;
use crate::stock::{
    Asked, Command, Customer, Difference, IdRanges, KeyOwner, KnownKey, Level, Movement, Offer,
    Outcome, Placed, Remembered, SellOutcome, Snapshot, decide_all,
};

/// What is stored.
#[derive(Debug, Default)]
pub(super) struct World {
    pub levels: BTreeMap<LevelId, Level>,
    movements: Vec<Movement>,
    orders: BTreeMap<OrderId, (Arc<Placed>, Status)>,
    keys: HashMap<(KeyOwner, String), KnownKey>,
    keys_of_orders: BTreeSet<(KeyOwner, String)>,
}

impl World {
    /// Decides the commands as one batch, stores the difference, and tells the outcomes.
    pub(super) fn batch(&mut self, now: Timestamp, batch: &[Asked]) -> Vec<String> {
        let mut snapshot = self.snapshot(batch);
        let outcomes = decide_all(&mut snapshot, now, batch);
        assert_eq!(outcomes.len(), batch.len(), "one outcome each");
        let (difference, levels) = snapshot.into_difference();
        self.store(difference);
        for level in levels.into_values().flatten() {
            assert_eq!(self.levels[&level.id], level, "the difference leads to the snapshot's end");
        }
        let told: Vec<String> = outcomes.iter().map(|outcome| told(outcome, &outcomes)).collect();
        for ((asked, outcome), told) in batch.iter().zip(&outcomes).zip(&told) {
            self.remember(asked, outcome, told);
        }
        self.check();
        told
    }

    /// Only what the batch names is loaded: a rule that reached for more would find nothing.
    fn snapshot(&self, batch: &[Asked]) -> Snapshot {
        let mut variants = BTreeSet::new();
        let mut snapshot = Snapshot::default();
        for asked in batch {
            variants.extend(asked.command.variants());
            match &asked.command {
                Command::Sell(sell) => {
                    let active = sell.account.0 != naive::INACTIVE_ACCOUNT;
                    if sell.account.0 <= naive::ACCOUNTS {
                        snapshot.accounts.insert(sell.account, active);
                    }
                }
                Command::Cancel(cancel) => {
                    if let Some((placed, status)) = self.orders.get(&cancel.order) {
                        variants.extend(placed.lines.iter().map(|line| line.variant));
                        snapshot.orders.insert(
                            cancel.order,
                            known_order(
                                placed.account.expect("accounts order here"),
                                *status,
                                placed.allocations.clone(),
                            ),
                        );
                    }
                }
                _ => {
                    let place =
                        |(number, priority, active)| (LocationId(number), (priority, active));
                    snapshot.locations = naive::LOCATIONS.map(place).into();
                }
            }
            if let Some(key) = &asked.key {
                let name = (key.owner, key.key.clone());
                let known = self.keys.get(&name).cloned();
                snapshot.keys.extend(known.map(|known| (name, known)));
            }
        }
        let levels = self.levels.values().filter(|level| variants.contains(&level.variant));
        // In any order: the snapshot sorts.
        snapshot.set_levels(levels.rev().cloned());
        snapshot.offers = variants.iter().filter_map(|variant| offer(*variant)).collect();
        snapshot.bought = self.bought(batch);
        let (orders, levels) = (self.orders.len() as i64 + 1, self.levels.len() as i64 + 1);
        let need = 2 * batch.len() as i64;
        let (orders, levels) = (orders..orders + need, levels..levels + need);
        snapshot.ids = IdRanges { orders, levels, ..IdRanges::default() };
        snapshot
    }

    /// Units in standing orders, for the limited variants that the batch sells.
    fn bought(&self, batch: &[Asked]) -> HashMap<(Customer, VariantId), i64> {
        let limited = VariantId(naive::LIMITED_PER_CUSTOMER);
        let mut bought = HashMap::new();
        for asked in batch {
            let Command::Sell(sell) = &asked.command else { continue };
            if sell.lines.iter().any(|line| line.variant == limited) {
                let units = self.standing().filter(|placed| placed.account == Some(sell.account));
                let units = units.flat_map(|placed| &placed.lines);
                let units = units.filter(|line| line.variant == limited).map(|line| line.quantity);
                bought.insert((Customer::Account(sell.account), limited), units.sum());
            }
        }
        bought
    }

    fn standing(&self) -> impl Iterator<Item = &Arc<Placed>> {
        let stands = |(_, status): &&(_, Status)| *status == Status::Placed;
        self.orders.values().filter(stands).map(|(placed, _)| placed)
    }

    fn store(&mut self, difference: Difference) {
        for level in difference.new_levels {
            assert_eq!((level.on_hand, level.reserved, level.movements), (0, 0, 0), "made empty");
            let before = self.levels.insert(level.id, level);
            assert!(before.is_none(), "a new level has a new id");
        }
        for movement in difference.movements {
            let level =
                self.levels.get_mut(&movement.level).expect("movements are of known levels");
            level.on_hand += movement.on_hand_delta;
            level.reserved += movement.reserved_delta;
            level.movements += 1;
            self.movements.push(movement);
        }
        for placed in difference.placed {
            let before = self.orders.insert(placed.id, (placed, Status::Placed));
            assert!(before.is_none(), "a new order has a new id");
        }
        for (id, order) in difference.orders {
            let (_, status) = self.orders.get_mut(&id).expect("known orders are cancelled");
            assert_eq!(*status, Status::Placed, "an order is cancelled once");
            assert_eq!(order.status, Status::Cancelled, "here nothing else happens to orders");
            *status = order.status;
        }
    }

    fn remember(&mut self, asked: &Asked, outcome: &Outcome, told: &str) {
        let Some(key) = asked.key.as_ref() else { return };
        let name = (key.owner, key.key.clone());
        let remembered = match outcome {
            Outcome::Sell(SellOutcome::Placed(placed)) => {
                let first = self.keys_of_orders.insert(name.clone());
                assert!(first, "{name:?} has placed two orders");
                Remembered::Order(placed.id)
            }
            Outcome::Cancel(_) if outcome.is_done() => {
                let Command::Cancel(cancel) = &asked.command else { panic!("{asked:?}") };
                Remembered::Order(cancel.order)
            }
            Outcome::Move(_) if outcome.is_done() => {
                Remembered::Answer { status: 201, body: told.to_owned() }
            }
            _ => return,
        };
        let known = KnownKey { fingerprint: key.fingerprint, remembered };
        assert!(self.keys.insert(name, known).is_none(), "a key is remembered once");
    }

    /// What must hold after every batch.
    fn check(&self) {
        let mut ledger: BTreeMap<LevelId, (i64, i64, i64)> = BTreeMap::new();
        let mut came_in: BTreeMap<VariantId, i64> = BTreeMap::new();
        for movement in &self.movements {
            let sums = ledger.entry(movement.level).or_default();
            sums.0 += movement.on_hand_delta;
            sums.1 += movement.reserved_delta;
            sums.2 += 1;
            assert_eq!(movement.number, sums.2, "the ledger of a level has no gaps");
            *came_in.entry(movement.variant).or_default() += movement.on_hand_delta;
        }
        let mut promised: BTreeMap<LevelId, i64> = BTreeMap::new();
        let mut sold: BTreeMap<VariantId, i64> = BTreeMap::new();
        for placed in self.standing() {
            for part in &placed.allocations {
                *promised.entry(part.level).or_default() += part.quantity;
                *sold.entry(part.variant).or_default() += part.quantity;
            }
        }
        for level in self.levels.values() {
            assert!(0 <= level.reserved && level.reserved <= level.on_hand, "{level:?}");
            let found = (level.on_hand, level.reserved, level.movements);
            assert_eq!(found, ledger.get(&level.id).copied().unwrap_or_default(), "{level:?}");
            let promised = promised.get(&level.id).copied().unwrap_or(0);
            assert_eq!(level.reserved, promised, "{level:?}");
        }
        for (variant, sold) in sold {
            assert!(sold <= came_in[&variant], "sold {sold} of {variant}, more than came in");
        }
        for (placed, _) in self.orders.values() {
            check_order(placed);
        }
    }

    /// The whole state, to be compared.
    pub(super) fn state(&self) -> String {
        format!("{:?}\n{:?}\n{:?}", self.levels, self.movements, self.orders)
    }
}

fn check_order(placed: &Placed) {
    for (line_no, line) in (1..).zip(&placed.lines) {
        let parts = placed.allocations.iter().filter(|part| part.line_no == line_no);
        let (mut sum, mut levels) = (0, BTreeSet::new());
        for part in parts {
            assert!(part.quantity >= 1 && part.variant == line.variant, "{placed:?}");
            assert!(levels.insert(part.level), "one allocation per line and level: {placed:?}");
            sum += part.quantity;
        }
        assert_eq!(sum, line.quantity, "line {line_no} of {placed:?}");
    }
    let lines = placed.lines.len() as i64;
    assert!(placed.allocations.iter().all(|part| (1..=lines).contains(&part.line_no)));
    let total: i64 = placed.lines.iter().map(|line| line.quantity * line.unit_price_minor).sum();
    assert_eq!(total, placed.total_minor, "{placed:?}");
}

fn offer(variant: VariantId) -> Option<(VariantId, Offer)> {
    if variant.0 > naive::VARIANTS {
        return None;
    }
    let price = ("EUR".parse().expect("a currency"), naive::PRICE_MINOR);
    let offer = Offer {
        sku: Arc::from("sku"),
        title: Arc::from("title"),
        variant_title: Arc::from(""),
        enabled: true,
        release_at: None,
        limit_per_order: (variant.0 == naive::LIMITED_PER_ORDER).then_some(naive::PER_ORDER),
        limit_per_customer: (variant.0 == naive::LIMITED_PER_CUSTOMER)
            .then_some(naive::PER_CUSTOMER),
        hold_s: None,
        tax_class: Arc::from("standard"),
        prices: if variant.0 == naive::WITHOUT_PRICE { Vec::new() } else { vec![price] },
    };
    Some((variant, offer))
}
