//! One batch of the stock writer, as a transaction: load, decide, store.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use runout_core::ids::{AccountId, LevelId, LocationId, OrderId, VariantId};
use runout_core::stock::{
    Allocation, Asked, Command, IdRanges, KnownKey, KnownOrder, LINES_MAX, Level, Offer,
    OrderStatus, Outcome, Remembered, Snapshot, decide_all,
};
use runout_store::{Error, Result, Row, Rows, Statement, Step, Transaction};

use super::{commands, events, store};
use crate::orders;

/// Commands that are decided together, on one snapshot, in one transaction.
pub(super) struct Batch {
    pub asked: Arc<Vec<Asked>>,
    /// The part of `asked` that this batch decides: halves of a batch that failed share the rest.
    pub range: Range<usize>,
    pub now: Timestamp,
    pub ids: IdRanges,
    pub event_ids: Range<i64>,
}

/// Outcomes in the order of the commands, and the ids that were not needed.
pub(super) struct Decided {
    pub outcomes: Vec<Outcome>,
    pub unused: IdRanges,
    pub unused_events: Range<i64>,
}

/// Ids that some commands can need at most.
#[derive(Default)]
pub(super) struct Need {
    pub orders: i64,
    pub levels: i64,
    pub events: i64,
}

impl Need {
    pub(super) fn of<'a>(asked: impl IntoIterator<Item = &'a Asked>) -> Self {
        let mut need = Self::default();
        for asked in asked {
            match &asked.command {
                Command::Sell(sell) => {
                    need.orders += 1;
                    need.events += 1 + i64::try_from(sell.lines.len()).unwrap_or(i64::MAX);
                }
                Command::Cancel(_) => need.events += 1 + LINES_MAX as i64,
                Command::Receive(_) | Command::Adjust(_) => {
                    need.levels += 1;
                    need.events += 1;
                }
                Command::Transfer(_) => {
                    need.levels += 2;
                    need.events += 1;
                }
            }
        }
        need
    }
}

/// What the commands name: the keys of the rows to load.
#[derive(Default)]
struct Footprint {
    variants: BTreeSet<i64>,
    accounts: BTreeSet<i64>,
    orders: BTreeSet<i64>,
    keys: BTreeSet<(i64, String)>,
    locations: bool,
}

impl Footprint {
    fn of(asked: &[Asked]) -> Self {
        let mut footprint = Self::default();
        for asked in asked {
            footprint.variants.extend(asked.command.variants().map(|variant| variant.0));
            match &asked.command {
                Command::Sell(sell) => {
                    footprint.accounts.insert(sell.account.0);
                }
                Command::Cancel(cancel) => {
                    footprint.orders.insert(cancel.order.0);
                }
                Command::Receive(_) | Command::Adjust(_) | Command::Transfer(_) => {
                    footprint.locations = true;
                }
            }
            if let Some(key) = &asked.key {
                footprint.keys.insert((key.account.0, key.key.clone()));
            }
        }
        footprint
    }
}

impl Batch {
    fn asked(&self) -> &[Asked] {
        &self.asked[self.range.clone()]
    }

    fn snapshot(&self, footprint: &Footprint, loaded: &[Rows]) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        snapshot.ids = self.ids.clone();
        let mut rows = loaded.iter();
        let mut next = || rows.next().expect("every load has an answer");
        snapshot.set_levels(next().map(level)?);
        if !footprint.orders.is_empty() {
            for order in next().map(order)? {
                snapshot.orders.insert(order.0, order.1);
            }
            for (order, allocation) in next().map(allocation)? {
                if let Some(order) = snapshot.orders.get_mut(&order) {
                    order.allocations.push(allocation);
                }
            }
        }
        snapshot.offers = next().map(offer)?.into_iter().collect();
        for (variant, currency, minor) in next().map(price)? {
            if let (Some(offer), Ok(currency)) =
                (snapshot.offers.get_mut(&variant), currency.parse())
            {
                offer.prices.push((currency, minor));
            }
        }
        let accounts = next().map(|row| Ok((AccountId(row.get(0)?), row.get(1)?)))?;
        snapshot.accounts = accounts.into_iter().collect();
        if footprint.locations {
            let place = |row: Row<'_>| Ok((LocationId(row.get(0)?), (row.get(1)?, row.get(2)?)));
            snapshot.locations = next().map(place)?.into_iter().collect();
        }
        if !footprint.keys.is_empty() {
            snapshot.keys = next().map(key)?.into_iter().collect();
        }
        if let Some(rows) = rows.next() {
            let bought =
                |row: Row<'_>| Ok(((AccountId(row.get(0)?), VariantId(row.get(1)?)), row.get(2)?));
            snapshot.bought = rows.map(bought)?.into_iter().collect();
        }
        Ok(snapshot)
    }

    /// Sales of variants with a limit per customer need to know what was bought before.
    fn load_bought(&self, snapshot: &Snapshot) -> Option<Statement> {
        let mut pairs = BTreeSet::new();
        for asked in self.asked() {
            let Command::Sell(sell) = &asked.command else { continue };
            for line in &sell.lines {
                let offer = snapshot.offers.get(&line.variant);
                if offer.is_some_and(|offer| offer.limit_per_customer.is_some()) {
                    pairs.insert((sell.account.0, line.variant.0));
                }
            }
        }
        let (accounts, variants): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
        let params = vec![accounts.into(), variants.into()];
        (params[0] != Vec::<i64>::new().into()).then(|| Statement::new(&commands::BOUGHT, params))
    }
}

impl Transaction for Batch {
    type Output = Decided;

    fn name(&self) -> &'static str {
        "stock_batch"
    }

    /// The levels come first: on PostgreSQL they are the lock under which everything else is read.
    fn load(&self) -> Vec<Statement> {
        let footprint = Footprint::of(self.asked());
        let variants: Vec<i64> = footprint.variants.iter().copied().collect();
        let accounts: Vec<i64> = footprint.accounts.iter().copied().collect();
        let orders: Vec<i64> = footprint.orders.iter().copied().collect();
        let mut load = Vec::with_capacity(8);
        let mut push = |sql, params| load.push(Statement::new(sql, params));
        if orders.is_empty() {
            push(&commands::LEVELS, vec![variants.clone().into()]);
        } else {
            let params = vec![variants.clone().into(), orders.clone().into()];
            push(&commands::LEVELS_OF_ORDERS, params);
            push(&orders::commands::ORDERS, vec![orders.clone().into()]);
            push(&orders::commands::ALLOCATIONS, vec![orders.into()]);
        }
        push(&commands::OFFERS, vec![variants.clone().into()]);
        push(&commands::PRICES, vec![variants.into(), self.now.into()]);
        push(&commands::ACCOUNTS, vec![accounts.into()]);
        if footprint.locations {
            push(&commands::LOCATIONS, Vec::new());
        }
        if !footprint.keys.is_empty() {
            let (accounts, keys): (Vec<i64>, Vec<String>) = footprint.keys.into_iter().unzip();
            push(&commands::KEYS, vec![accounts.into(), keys.into()]);
        }
        load
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Decided>> {
        let footprint = Footprint::of(self.asked());
        let mut snapshot = self.snapshot(&footprint, loaded)?;
        let first_look = loaded.len() == self.load_count(&footprint);
        if first_look && let Some(more) = self.load_bought(&snapshot) {
            return Ok(Step::Load(vec![more]));
        }
        let outcomes = decide_all(&mut snapshot, self.now, self.asked());
        let unused = snapshot.ids.clone();
        let (difference, levels) = snapshot.into_difference();
        let mut event_ids = self.event_ids.clone();
        let events = events::of(&difference, &levels, self.now, &mut event_ids);
        let mut statements = store::difference(&difference, self.now);
        statements.push(store::keys(self.asked(), &outcomes, self.now)?);
        statements.push(events);
        Ok(Step::Store(statements, Decided { outcomes, unused, unused_events: event_ids }))
    }
}

impl Batch {
    fn load_count(&self, footprint: &Footprint) -> usize {
        4 + if footprint.orders.is_empty() { 0 } else { 2 }
            + usize::from(footprint.locations)
            + usize::from(!footprint.keys.is_empty())
    }
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

fn order(row: Row<'_>) -> Result<(OrderId, KnownOrder)> {
    let status = match row.get::<String>(2)?.as_str() {
        "placed" => OrderStatus::Placed,
        "cancelled" => OrderStatus::Cancelled,
        other => return Err(Error::Decode { column: 2, reason: format!("status {other:?}") }),
    };
    let account = AccountId(row.get(1)?);
    Ok((OrderId(row.get(0)?), KnownOrder { account, status, allocations: Vec::new() }))
}

fn allocation(row: Row<'_>) -> Result<(OrderId, Allocation)> {
    let allocation = Allocation {
        line_no: row.get(1)?,
        level: LevelId(row.get(2)?),
        variant: VariantId(row.get(3)?),
        quantity: row.get(4)?,
    };
    Ok((OrderId(row.get(0)?), allocation))
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
        prices: Vec::new(),
    };
    Ok((VariantId(row.get(0)?), offer))
}

fn price(row: Row<'_>) -> Result<(VariantId, String, i64)> {
    Ok((VariantId(row.get(0)?), row.get(1)?, row.get(2)?))
}

fn key(row: Row<'_>) -> Result<((AccountId, String), KnownKey)> {
    let fingerprint = row.get::<Vec<u8>>(2)?.try_into().map_err(|_| Error::Decode {
        column: 2,
        reason: "a fingerprint has 32 bytes".to_owned(),
    })?;
    let remembered = match row.get::<Option<i64>>(3)? {
        Some(order) => Remembered::Order(OrderId(order)),
        None => Remembered::Answer { status: row.get(4)?, body: row.get(5)? },
    };
    Ok(((AccountId(row.get(0)?), row.get(1)?), KnownKey { fingerprint, remembered }))
}
