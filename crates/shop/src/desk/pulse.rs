//! What was sold in the last hours, counted without reading anything twice.
//!
//! Orders never change their time, their total or their lines; so what was counted of a span that
//! is over for [`SETTLED_AFTER`] is kept in process, and only the rest is read again, through the
//! index by time. The first reading, after a start, goes from the newest hour backwards for at most
//! [`READING_MAX`] at a time: what is not counted yet is said to be missing, and counted later.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use runout_store::{Db, Result};
use tokio::sync::Mutex;

use super::queries::board as queries;
use crate::stock::hour_of;

/// Hours that are shown, the present one included.
pub(super) const HOURS: usize = 24;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Orders get their time when they are decided and can be seen after the commit, on other nodes by
/// other clocks: so much later all of them are there.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// Spans that are settled end at whole minutes.
const SPAN_S: i64 = 60;
/// Once so much time was spent on reading, further hours wait for the next time.
const READING_MAX: Duration = Duration::from_secs(2);
/// Variants that are counted of a span, the best ones: bounds the memory.
const VARIANTS_MAX: i64 = 2_000;

/// What was sold in a span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) orders: i64,
    /// Totals of orders in minor units, by currency.
    pub(super) totals: BTreeMap<String, i64>,
    /// By variant.
    pub(super) units: HashMap<i64, i64>,
}

impl Tally {
    async fn read(db: &Db, from: Timestamp, to: Timestamp) -> Result<Self> {
        let mut tally = Self::default();
        if from >= to {
            return Ok(tally);
        }
        for (currency, orders, total_minor) in queries::sales(db, from, to).await? {
            tally.orders += orders;
            tally.totals.insert(currency, total_minor);
        }
        if tally.orders > 0 {
            tally.units = queries::units(db, from, to, VARIANTS_MAX).await?.into_iter().collect();
        }
        Ok(tally)
    }

    pub(super) fn add(&mut self, other: &Tally) {
        self.orders += other.orders;
        for (currency, minor) in &other.totals {
            let total = self.totals.entry(currency.clone()).or_default();
            *total = total.saturating_add(*minor);
        }
        for (variant, units) in &other.units {
            *self.units.entry(*variant).or_default() += units;
        }
    }
}

/// One hour, named by its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HourTally {
    pub(super) hour: Timestamp,
    /// `None`: not counted yet.
    pub(super) tally: Option<Tally>,
}

/// What is known of an hour up to a moment.
#[derive(Debug)]
struct Settled {
    to: Timestamp,
    tally: Tally,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    hours: Mutex<BTreeMap<Timestamp, Settled>>,
}

impl Pulse {
    /// The last [`HOURS`], oldest first.
    pub(super) async fn hours(&self, db: &Db, now: Timestamp) -> Result<Vec<HourTally>> {
        let mut known = self.hours.lock().await;
        let newest = hour_of(now);
        let oldest = (1..HOURS).fold(newest, |hour, _| hour - HOUR);
        known.retain(|hour, _| *hour >= oldest);
        let started = Instant::now();
        let mut found = Vec::with_capacity(HOURS);
        let mut hour = newest;
        for _ in 0..HOURS {
            let in_time = started.elapsed() < READING_MAX;
            let is_over = known.get(&hour).is_some_and(|settled| settled.to >= hour + HOUR);
            let tally = match in_time || is_over {
                true => Some(read_hour(db, now, hour, &mut known).await?),
                false => None,
            };
            found.push(HourTally { hour, tally });
            hour -= HOUR;
        }
        found.reverse();
        Ok(found)
    }
}

async fn read_hour(
    db: &Db,
    now: Timestamp,
    hour: Timestamp,
    known: &mut BTreeMap<Timestamp, Settled>,
) -> Result<Tally> {
    let end = hour + HOUR;
    let settled = known.entry(hour).or_insert(Settled { to: hour, tally: Tally::default() });
    let settle = settled_until(now).min(end);
    if settle > settled.to {
        let more = Tally::read(db, settled.to, settle).await?;
        settled.tally.add(&more);
        settled.to = settle;
    }
    let mut tally = settled.tally.clone();
    tally.add(&Tally::read(db, settled.to, end).await?);
    Ok(tally)
}

fn settled_until(now: Timestamp) -> Timestamp {
    let second = (now - SETTLED_AFTER).as_second().div_euclid(SPAN_S) * SPAN_S;
    Timestamp::from_second(second).expect("an earlier second of the same minute")
}
