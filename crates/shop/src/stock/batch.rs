//! One batch of the stock writer, as a transaction: load, decide, store.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use runout_core::ids::{AccountId, BasketId, DiscountId, OrderId, VariantId};
use runout_core::stock::{
    Asked, Command, Customer, IdRanges, KnownBasket, Outcome, Rules, Snapshot, decide_all,
};
use runout_store::{Result, Row, Rows, Statement, Step, Transaction};

use super::footprint::{Footprint, Part};
use super::load::take_in;
use super::{commands, events, store};
use crate::discounts;

/// Commands that are decided together, on one snapshot, in one transaction.
pub(super) struct Batch {
    pub asked: Arc<Vec<Asked>>,
    /// The part of `asked` that this batch decides: halves of a batch that failed share the rest.
    pub range: Range<usize>,
    pub now: Timestamp,
    pub rules: Rules,
    pub ids: IdRanges,
    pub audit_ids: Range<i64>,
}

/// Outcomes in the order of the commands, and the ids that were not needed.
pub(super) struct Decided {
    pub outcomes: Vec<Outcome>,
    pub unused: IdRanges,
    pub unused_audit: Range<i64>,
}

/// What must be counted before limits can be checked; known when the offers are.
#[derive(Default)]
struct Counts {
    /// Lines that the batch itself puts into baskets: a basket that is checked out or merged after
    /// that has them too.
    set: BTreeSet<(BasketId, VariantId)>,
    accounts: BTreeSet<(i64, i64)>,
    guests: BTreeSet<(String, i64)>,
    discounts: BTreeSet<(i64, String)>,
}

impl Counts {
    fn of(snapshot: &Snapshot, asked: &[Asked]) -> Self {
        let set = |asked: &Asked| match &asked.command {
            Command::SetLine(line) => Some((line.basket, line.variant)),
            _ => None,
        };
        let mut counts = Self { set: asked.iter().filter_map(set).collect(), ..Self::default() };
        for asked in asked {
            match &asked.command {
                Command::Sell(sell) => {
                    let variants = sell.lines.iter().map(|line| line.variant);
                    counts.limited(snapshot, &Customer::Account(sell.account), variants);
                }
                Command::SetLine(line) => counts.basket(snapshot, line.basket, None),
                Command::Extend(extend) => counts.basket(snapshot, extend.basket, None),
                Command::Merge(merge) => {
                    counts.basket(snapshot, merge.into, None);
                    counts.basket(snapshot, merge.guest, Some(merge.account));
                }
                Command::Checkout(checkout) => {
                    counts.basket(snapshot, checkout.basket, None);
                    let email = checkout.contact.email.as_ref().map(|(_, key)| Arc::clone(key));
                    counts.checkout(snapshot, checkout.basket, email.map(Customer::Guest));
                }
                Command::Act(act) => counts.order(snapshot, act.order),
                Command::Expire(_)
                | Command::Cancel(_)
                | Command::Receive(_)
                | Command::Adjust(_)
                | Command::Transfer(_) => {}
            }
        }
        counts
    }

    /// An order that comes back by a late payment must fit into its customer's limits again.
    fn order(&mut self, snapshot: &Snapshot, id: OrderId) {
        let Some(order) = snapshot.orders.get(&id) else { return };
        let customer = order.customer();
        let variants = order.allocations.iter().map(|part| part.variant);
        self.limited(snapshot, &customer, variants);
        self.discounts.extend(order.discount.map(|discount| (discount.0, customer.name())));
    }

    fn limited(
        &mut self,
        snapshot: &Snapshot,
        customer: &Customer,
        variants: impl IntoIterator<Item = VariantId>,
    ) {
        for variant in variants {
            let offer = snapshot.offers.get(&variant);
            if offer.is_none_or(|offer| offer.limit_per_customer.is_none()) {
                continue;
            }
            match customer {
                Customer::Account(account) => _ = self.accounts.insert((account.0, variant.0)),
                Customer::Guest(email) => {
                    self.guests.insert((email.to_string(), variant.0));
                }
            }
        }
    }

    /// What is in a basket, or is put into it by this batch.
    fn variants(&self, basket: &KnownBasket, id: BasketId) -> Vec<VariantId> {
        let first = (id, VariantId(i64::MIN));
        let set = self.set.range(first..=(id, VariantId(i64::MAX)));
        basket.lines.keys().copied().chain(set.map(|(_, variant)| *variant)).collect()
    }

    /// The lines of an account's basket; `account` when they are to become that account's.
    fn basket(&mut self, snapshot: &Snapshot, id: BasketId, account: Option<AccountId>) {
        let Some(basket) = snapshot.baskets.get(&id) else { return };
        if let Some(account) = account.or(basket.account) {
            let variants = self.variants(basket, id);
            self.limited(snapshot, &Customer::Account(account), variants);
        }
    }

    fn checkout(&mut self, snapshot: &Snapshot, id: BasketId, guest: Option<Customer>) {
        let Some(basket) = snapshot.baskets.get(&id) else { return };
        let Some(customer) = basket.account.map(Customer::Account).or(guest) else { return };
        let variants = self.variants(basket, id);
        self.limited(snapshot, &customer, variants);
        self.discounts.extend(basket.discount.map(|discount| (discount.0, customer.name())));
    }

    fn load(&self, now: Timestamp) -> Vec<Statement> {
        let mut load = Vec::new();
        if !self.accounts.is_empty() {
            let (accounts, variants): (Vec<i64>, Vec<i64>) = self.accounts.iter().copied().unzip();
            let bought = vec![accounts.clone().into(), variants.clone().into()];
            load.push(Statement::new(&commands::BOUGHT, bought));
            let held = vec![accounts.into(), variants.into(), now.into()];
            load.push(Statement::new(&commands::HELD, held));
        }
        if !self.guests.is_empty() {
            let (emails, variants): (Vec<String>, Vec<i64>) = self.guests.iter().cloned().unzip();
            let params = vec![emails.into(), variants.into()];
            load.push(Statement::new(&commands::BOUGHT_BY_GUESTS, params));
        }
        if !self.discounts.is_empty() {
            let (ids, customers): (Vec<i64>, Vec<String>) = self.discounts.iter().cloned().unzip();
            let params = vec![ids.into(), customers.into()];
            load.push(Statement::new(&discounts::commands::USES_OF, params));
        }
        load
    }

    /// Takes in what [`Counts::load`] asked for. What nobody bought or holds counts as 0, so that
    /// the batch itself is counted on.
    fn take_in(&self, snapshot: &mut Snapshot, loaded: &[Rows]) -> Result<()> {
        for (account, variant) in &self.accounts {
            let (account, variant) = (AccountId(*account), VariantId(*variant));
            snapshot.bought.insert((Customer::Account(account), variant), 0);
            snapshot.held.insert((account, variant), 0);
        }
        for (email, variant) in &self.guests {
            let guest = Customer::Guest(email.as_str().into());
            snapshot.bought.insert((guest, VariantId(*variant)), 0);
        }
        let mut rows = loaded.iter();
        let mut next = || rows.next().expect("every load has an answer");
        if !self.accounts.is_empty() {
            let count = |row: Row<'_>| {
                Ok(((AccountId(row.get(0)?), VariantId(row.get(1)?)), row.get::<i64>(2)?))
            };
            for ((account, variant), units) in next().map(count)? {
                snapshot.bought.insert((Customer::Account(account), variant), units);
            }
            snapshot.held.extend(next().map(count)?);
        }
        if !self.guests.is_empty() {
            let count = |row: Row<'_>| {
                let guest = Customer::Guest(row.get::<String>(0)?.into());
                Ok(((guest, VariantId(row.get(1)?)), row.get(2)?))
            };
            snapshot.bought.extend(next().map(count)?);
        }
        if !self.discounts.is_empty() {
            let count = |row: Row<'_>| Ok(((DiscountId(row.get(0)?), row.get(1)?), row.get(2)?));
            snapshot.discount_uses.extend(next().map(count)?);
        }
        Ok(())
    }
}

impl Batch {
    fn asked(&self) -> &[Asked] {
        &self.asked[self.range.clone()]
    }
}

impl Transaction for Batch {
    type Output = Decided;

    fn name(&self) -> &'static str {
        "stock_batch"
    }

    fn load(&self) -> Vec<Statement> {
        let plan = Footprint::of(self.asked()).first(self.now);
        plan.into_iter().map(|(_, statement)| statement).collect()
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Decided>> {
        let footprint = Footprint::of(self.asked());
        let mut snapshot = Snapshot::default();
        snapshot.rules = self.rules.clone();
        snapshot.ids = self.ids.clone();
        let mut of_orders = BTreeSet::new();
        let first = footprint.first(self.now);
        let (rows_first, loaded) = loaded.split_at(first.len());
        for ((part, _), rows) in first.iter().zip(rows_first) {
            take_in(&mut snapshot, *part, rows)?;
            if *part == Part::Variants {
                of_orders.extend(rows.map(|row| row.get::<i64>(0))?);
            }
        }
        let then = footprint.then(&snapshot, &of_orders, self.now);
        if loaded.is_empty() && !then.is_empty() {
            return Ok(Step::Load(then.into_iter().map(|(_, statement)| statement).collect()));
        }
        let (rows_then, counted) = loaded.split_at(then.len());
        for ((part, _), rows) in then.iter().zip(rows_then) {
            take_in(&mut snapshot, *part, rows)?;
        }
        let counts = Counts::of(&snapshot, self.asked());
        let more = counts.load(self.now);
        if counted.is_empty() && !more.is_empty() {
            return Ok(Step::Load(more));
        }
        counts.take_in(&mut snapshot, counted)?;
        let outcomes = decide_all(&mut snapshot, self.now, self.asked());
        let unused = snapshot.ids.clone();
        let (difference, levels) = snapshot.into_difference();
        let mut audit_ids = self.audit_ids.clone();
        let events = events::of(&difference, &levels, self.now);
        let mut statements = store::difference(&difference, self.now);
        statements.push(store::keys(self.asked(), &outcomes, self.now)?);
        statements.push(events);
        statements.push(events::audit(&difference, self.now, &mut audit_ids));
        let unused = Decided { outcomes, unused, unused_audit: audit_ids };
        Ok(Step::Store(statements, unused))
    }
}
