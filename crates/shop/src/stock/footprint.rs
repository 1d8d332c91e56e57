//! What the commands of a batch name: which rows it loads, and how many ids it may need.

use std::collections::BTreeSet;

use jiff::Timestamp;
use runout_core::stock::{Act, Asked, Command, Holder, Snapshot};
use runout_store::{Sql, Statement, Value};

use super::commands;
use crate::{baskets, orders, taxes};

/// Ids that some commands can need at most.
#[derive(Default)]
pub(super) struct Need {
    pub orders: i64,
    pub levels: i64,
    pub audit: i64,
    pub payments: i64,
    pub refunds: i64,
    pub fulfilments: i64,
}

/// A payment that arrives, and the order's answer to it.
const RECORDS: i64 = 3;
/// An order's money goes back by each of its payments.
const REFUNDS: i64 = 16;

impl Need {
    pub(super) fn of<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> Self {
        let mut need = Self::default();
        for asked in asked {
            need.add(&asked.command);
        }
        need
    }

    fn add(&mut self, command: &Command) {
        match command {
            Command::Sell(_) => self.orders += 1,
            Command::Checkout(_) => {
                self.orders += 1;
                self.payments += 1;
            }
            Command::Cancel(_) | Command::Act(_) => {
                self.payments += 1;
                self.refunds += REFUNDS;
                self.fulfilments += 1;
                self.audit += RECORDS;
            }
            Command::Receive(_) | Command::Adjust(_) => self.levels += 1,
            Command::Transfer(_) => self.levels += 2,
            Command::SetLine(_) | Command::Extend(_) | Command::Merge(_) | Command::Expire(_) => {}
        }
    }
}

/// The keys of the rows to load.
#[derive(Default)]
pub(super) struct Footprint {
    variants: BTreeSet<i64>,
    accounts: BTreeSet<i64>,
    pub orders: BTreeSet<i64>,
    pub baskets: BTreeSet<i64>,
    keys: BTreeSet<(i64, String)>,
    locations: bool,
    /// Something is sold: tax rates are needed.
    sells: bool,
    /// Discounts may be used, or their uses taken back.
    discounts: bool,
}

/// What the rows of one loaded statement are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Baskets,
    Levels,
    Orders,
    Allocations,
    Payments,
    Refunds,
    Lines,
    Holds,
    Lapsed,
    Offers,
    Prices,
    Accounts,
    Locations,
    TaxRates,
    Discounts,
    Keys,
    /// Variants that the named orders are of.
    Variants,
}

impl Footprint {
    pub(super) fn of(asked: &[Asked]) -> Self {
        let mut footprint = Self::default();
        for asked in asked {
            let command = &asked.command;
            footprint.variants.extend(command.variants().iter().map(|variant| variant.0));
            footprint.baskets.extend(command.baskets().into_iter().flatten().map(|id| id.0));
            footprint.orders.extend(command.order().map(|id| id.0));
            match command {
                Command::Sell(sell) => {
                    footprint.accounts.insert(sell.account.0);
                    footprint.sells = true;
                }
                Command::Checkout(checkout) => {
                    if let Holder::Account(account) = checkout.by {
                        footprint.accounts.insert(account.0);
                    }
                    (footprint.sells, footprint.discounts) = (true, true);
                }
                Command::Cancel(_) => footprint.discounts = true,
                Command::Act(act) => {
                    let money = matches!(
                        act.act,
                        Act::PaymentSeen { .. }
                            | Act::Lapse
                            | Act::Refund { .. }
                            | Act::PayManually
                    );
                    footprint.discounts |= money;
                }
                Command::Receive(_) | Command::Adjust(_) | Command::Transfer(_) => {
                    footprint.locations = true;
                }
                Command::SetLine(_)
                | Command::Extend(_)
                | Command::Merge(_)
                | Command::Expire(_) => {}
            }
            if let Some(key) = &asked.key {
                footprint.keys.insert((key.owner.0, key.key.clone()));
            }
        }
        footprint
    }

    /// True if every variant is named by the commands themselves.
    fn is_plain(&self) -> bool {
        self.orders.is_empty() && self.baskets.is_empty()
    }

    /// What is loaded first. Commands that name baskets or orders find there which variants they
    /// are about (lines change under their basket's lock only, those of orders never); the others
    /// know, so that everything is loaded at once.
    pub(super) fn first(&self, now: Timestamp) -> Vec<(Part, Statement)> {
        if self.is_plain() {
            return self.second(&Snapshot::default(), &BTreeSet::new(), now);
        }
        let mut plan = Plan::default();
        if !self.baskets.is_empty() {
            plan.add(Part::Baskets, &baskets::commands::BASKETS, vec![list(&self.baskets)]);
            plan.add(Part::Lines, &baskets::commands::LINES, vec![list(&self.baskets)]);
        }
        if !self.orders.is_empty() {
            plan.add(Part::Variants, &commands::VARIANTS_OF, vec![list(&self.orders)]);
        }
        plan.0
    }

    /// What is loaded then, of the variants in the orders too, if [`Footprint::first`] did not load
    /// everything: in the order in which PostgreSQL takes locks - baskets (before), levels, orders,
    /// discounts - and under these locks everything else.
    pub(super) fn then(
        &self,
        snapshot: &Snapshot,
        of_orders: &BTreeSet<i64>,
        now: Timestamp,
    ) -> Vec<(Part, Statement)> {
        if self.is_plain() { Vec::new() } else { self.second(snapshot, of_orders, now) }
    }

    fn second(
        &self,
        snapshot: &Snapshot,
        of_orders: &BTreeSet<i64>,
        now: Timestamp,
    ) -> Vec<(Part, Statement)> {
        let mut variants = self.variants.clone();
        variants.extend(of_orders);
        let mut accounts = self.accounts.clone();
        for basket in snapshot.baskets.values() {
            variants.extend(basket.lines.keys().map(|variant| variant.0));
            accounts.extend(basket.account.map(|account| account.0));
        }
        let variants = list(&variants);
        let (orders, baskets) = (list(&self.orders), list(&self.baskets));
        let mut plan = Plan::default();
        plan.add(Part::Levels, &commands::LEVELS, vec![variants.clone()]);
        if !self.orders.is_empty() {
            plan.add(Part::Orders, &orders::commands::ORDERS, vec![orders.clone()]);
            plan.add(Part::Allocations, &orders::commands::ALLOCATIONS, vec![orders.clone()]);
            plan.add(Part::Payments, &orders::commands::PAYMENTS, vec![orders.clone()]);
            plan.add(Part::Refunds, &orders::commands::REFUNDS, vec![orders.clone()]);
        }
        if self.discounts {
            let named = vec![baskets.clone(), orders];
            plan.add(Part::Discounts, &commands::DISCOUNTS_OF, named);
        }
        if !self.baskets.is_empty() {
            plan.add(Part::Holds, &baskets::commands::HOLDS, vec![baskets]);
        }
        let timed = vec![variants.clone(), now.into()];
        plan.add(Part::Lapsed, &baskets::commands::LAPSED, timed.clone());
        plan.add(Part::Offers, &commands::OFFERS, vec![variants]);
        plan.add(Part::Prices, &commands::PRICES, timed);
        if !accounts.is_empty() {
            plan.add(Part::Accounts, &commands::ACCOUNTS, vec![list(&accounts)]);
        }
        if self.locations {
            plan.add(Part::Locations, &commands::LOCATIONS, Vec::new());
        }
        if self.sells {
            plan.add(Part::TaxRates, &taxes::queries::RATES, Vec::new());
        }
        if !self.keys.is_empty() {
            let (owners, keys): (Vec<i64>, Vec<String>) = self.keys.iter().cloned().unzip();
            plan.add(Part::Keys, &commands::KEYS, vec![owners.into(), keys.into()]);
        }
        plan.0
    }
}

/// Statements, each with what its rows are.
#[derive(Default)]
struct Plan(Vec<(Part, Statement)>);

impl Plan {
    fn add(&mut self, part: Part, sql: &'static Sql, params: Vec<Value>) {
        self.0.push((part, Statement::new(sql, params)));
    }
}

fn list(ids: &BTreeSet<i64>) -> Value {
    Value::from(ids.iter().copied().collect::<Vec<i64>>())
}
