//! The dashboard's numbers, gathered.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use runout_store::Result;

use super::pulse::{HOURS, HourTally, Tally};
use super::queries::board::{self as queries, Name};
use crate::App;
use crate::jobs::JobState;
use crate::stock::{Reason, hour_of};

/// Rows of the lists of best sellers and of what runs out.
const ROWS_MAX: usize = 10;
/// Variants whose stock is looked at: the best sellers of the day.
const LOOKED_AT_MAX: usize = 1_000;
/// What lasts longer is not shown as running out.
const RUNS_OUT_HOURS_MAX: i64 = 30 * 24;
/// The newest orders of which the open ones are counted: states have no index of their own.
pub(super) const NEWEST_ORDERS: i64 = 2_000;
/// Where counting open payments and the like ends.
pub(super) const COUNTED_MAX: i64 = 1_000;
/// Hours of a day: units of a day per hour.
const DAY_HOURS: i64 = 24;

/// Everything that the dashboard shows, as of one reading.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) hours: Vec<HourFigures>,
    pub(super) day: Tally,
    pub(super) best: Vec<Seller>,
    pub(super) running_out: Vec<RunningOut>,
    pub(super) work: Work,
    pub(super) health: Health,
}

#[derive(Debug)]
pub(super) struct HourFigures {
    pub(super) tally: HourTally,
    pub(super) refused: HashMap<Reason, i64>,
}

#[derive(Debug)]
pub(super) struct Seller {
    pub(super) name: Name,
    pub(super) units: i64,
}

#[derive(Debug)]
pub(super) struct RunningOut {
    pub(super) name: Name,
    pub(super) available: i64,
    pub(super) sold: i64,
    /// At the pace of the last day.
    pub(super) hours_left: i64,
}

/// What waits for somebody.
#[derive(Debug)]
pub(super) struct Work {
    /// Of the [`NEWEST_ORDERS`], by state.
    pub(super) states: HashMap<String, i64>,
    pub(super) unpaid: i64,
    pub(super) payments: HashMap<String, i64>,
    pub(super) refunds: i64,
}

#[derive(Debug)]
pub(super) struct Health {
    /// How long the database took to answer; `None`: it did not.
    pub(super) database: Option<Duration>,
    pub(super) cache_answers: u64,
    pub(super) cache_bytes: u64,
    pub(super) waiting: usize,
    pub(super) waiting_max: usize,
    pub(super) last_batch: usize,
    pub(super) jobs: Vec<(&'static str, JobState)>,
}

impl Figures {
    /// Reads them all.
    pub(super) async fn read(app: &App) -> Result<Self> {
        let now = app.clock.now();
        let tallies = app.desk.pulse.hours(&app.db, now).await?;
        let mut day = Tally::default();
        tallies.iter().filter_map(|hour| hour.tally.as_ref()).for_each(|tally| day.add(tally));
        let mut refused = refusals(app, now).await?;
        let hours = tallies
            .into_iter()
            .map(|tally| HourFigures {
                refused: refused.remove(&tally.hour).unwrap_or_default(),
                tally,
            })
            .collect();
        let mut sold: Vec<(i64, i64)> = day.units.iter().map(|(id, units)| (*id, *units)).collect();
        sold.sort_by_key(|(variant, units)| (Reverse(*units), *variant));
        sold.truncate(LOOKED_AT_MAX);
        let (best, running_out) = goods(app, &sold).await?;
        let work = Work {
            states: queries::states(&app.db, NEWEST_ORDERS).await?,
            unpaid: queries::unpaid(&app.db, COUNTED_MAX).await?,
            payments: queries::open_payments(&app.db, COUNTED_MAX).await?,
            refunds: queries::open_refunds(&app.db, COUNTED_MAX).await?,
        };
        Ok(Self { hours, day, best, running_out, work, health: health(app).await })
    }
}

type ByHour = HashMap<Timestamp, HashMap<Reason, i64>>;

/// What was kept, and what this process has not handed on yet.
async fn refusals(app: &App, now: Timestamp) -> Result<ByHour> {
    let hours = i64::try_from(HOURS).expect("a day's hours");
    let since = hour_of(now) - SignedDuration::from_hours(hours - 1);
    // Before the kept ones: what is handed on between is counted twice at worst for a moment, but
    // never missing.
    let waiting = app.stock.refusals.waiting(now);
    let mut found = ByHour::new();
    for (hour, reason, count) in queries::refusals(&app.db, since).await? {
        let reason = Reason::from_name(&reason).unwrap_or(Reason::Other);
        *found.entry(hour).or_default().entry(reason).or_default() += count;
    }
    for refused in waiting {
        let count = i64::try_from(refused.count).unwrap_or(i64::MAX);
        *found.entry(refused.hour).or_default().entry(refused.reason).or_default() += count;
    }
    Ok(found)
}

/// The best sellers, and what will not last; `sold` is sorted by units, the most first.
async fn goods(app: &App, sold: &[(i64, i64)]) -> Result<(Vec<Seller>, Vec<RunningOut>)> {
    if sold.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let ids = sold.iter().map(|(variant, _)| *variant).collect();
    let available = queries::available(&app.db, ids).await?;
    let mut ending: Vec<(i64, i64, i64, i64)> = sold
        .iter()
        .map(|(variant, units)| {
            let left = available.get(variant).copied().unwrap_or(0).max(0);
            (left.saturating_mul(DAY_HOURS) / (*units).max(1), *variant, left, *units)
        })
        .filter(|(hours, ..)| *hours <= RUNS_OUT_HOURS_MAX)
        .collect();
    ending.sort_unstable();
    ending.truncate(ROWS_MAX);
    let best = &sold[..sold.len().min(ROWS_MAX)];
    let shown = best.iter().map(|(variant, _)| *variant);
    let shown = shown.chain(ending.iter().map(|(_, variant, ..)| *variant)).collect();
    let names = queries::names(&app.db, shown).await?;
    let seller = |(variant, units): &(i64, i64)| {
        Some(Seller { name: names.get(variant)?.clone(), units: *units })
    };
    let running = |(hours_left, variant, available, sold): &(i64, i64, i64, i64)| {
        let name = names.get(variant)?.clone();
        let (hours_left, available, sold) = (*hours_left, *available, *sold);
        Some(RunningOut { name, available, sold, hours_left })
    };
    Ok((best.iter().filter_map(seller).collect(), ending.iter().filter_map(running).collect()))
}

async fn health(app: &App) -> Health {
    let asked = Instant::now();
    let database = app.db.ping().await.is_ok().then(|| asked.elapsed());
    let (cache_answers, cache_bytes) = app.answers.size();
    Health {
        database,
        cache_answers,
        cache_bytes,
        waiting: app.stock.waiting(),
        waiting_max: app.stock.waiting_max(),
        last_batch: app.stock.last_batch(),
        jobs: app.jobs.all(),
    }
}
