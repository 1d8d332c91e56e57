//! The work that nobody asks for: lapsed holds, unpaid orders, open payments and refunds.
//!
//! Each job reads what is due from the database and can be run again, by several nodes at once:
//! what it does is decided by the stock writer, which finds it done already.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::platform::seal;
use crate::{baskets, channels, desk, orders};

/// How often holds and unpaid orders are looked at. Buyers do not wait for it: decisions know by
/// themselves what has lapsed.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// How often providers are asked about what is open.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How often what was counted in process is kept, and runs that died are noticed.
const DESK_EVERY: Duration = Duration::from_secs(5);
/// How often people's data are looked for whose time is over.
const ERASE_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether the key file has changed.
const KEYS_EVERY: Duration = seal::LOOK_EVERY;

/// What is known of the jobs of this process.
#[derive(Debug, Default)]
pub struct JobLog(Mutex<BTreeMap<&'static str, JobState>>);

/// How a job fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    pub last_run: Timestamp,
    pub runs: u64,
    pub failures: u64,
    /// When it failed last.
    pub last_failure: Option<Timestamp>,
    /// True if the last run went well.
    pub works: bool,
}

impl JobLog {
    fn note(&self, name: &'static str, now: Timestamp, works: bool) {
        let mut jobs = self.0.lock().expect("no holder of this lock can panic");
        let state = jobs.entry(name).or_insert(JobState {
            last_run: now,
            runs: 0,
            failures: 0,
            last_failure: None,
            works,
        });
        (state.last_run, state.works) = (now, works);
        state.runs += 1;
        if !works {
            state.failures += 1;
            state.last_failure = Some(now);
        }
    }

    /// Every job that has run, by name.
    pub fn all(&self) -> Vec<(&'static str, JobState)> {
        let jobs = self.0.lock().expect("no holder of this lock can panic");
        jobs.iter().map(|(name, state)| (*name, state.clone())).collect()
    }
}

/// Notes how a job went, and logs its failure.
fn noted<T, E: std::fmt::Debug>(app: &App, name: &'static str, done: Result<T, E>) {
    if let Err(error) = &done {
        tracing::warn!(?error, "job failed: {name}");
    }
    app.jobs.note(name, app.clock.now(), done.is_ok());
}

/// Runs the jobs until the token is cancelled.
pub async fn run(app: App, stop: CancellationToken) {
    // Each for itself: what waits for a provider must not keep the others waiting.
    tokio::join!(
        every(SWEEP_EVERY, &stop, || sweep_holds(app.clone())),
        every(SWEEP_EVERY, &stop, || lapse_unpaid(app.clone())),
        every(ASK_EVERY, &stop, || ask(app.clone())),
        every(DESK_EVERY, &stop, || desk_work(app.clone())),
        every(ERASE_EVERY, &stop, || erase_shipments(app.clone())),
        every(KEYS_EVERY, &stop, || look_at_keys(app.clone())),
    );
}

async fn every<F: Future<Output = ()>>(
    period: Duration,
    stop: &CancellationToken,
    job: impl Fn() -> F,
) {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => job().await,
        }
    }
}

/// Gives lapsed holds back and unpaid orders up.
pub async fn sweep_once(app: &App) {
    sweep_holds(app.clone()).await;
    lapse_unpaid(app.clone()).await;
}

async fn sweep_holds(app: App) {
    noted(&app, "give lapsed holds back", baskets::jobs::sweep(&app).await);
}

async fn lapse_unpaid(app: App) {
    noted(&app, "give unpaid orders up", orders::jobs::lapse_unpaid(&app).await);
}

/// Asks providers about open payments and refunds.
pub async fn ask_once(app: &App) {
    ask(app.clone()).await;
}

async fn ask(app: App) {
    noted(&app, "ask about open payments", orders::jobs::resolve_payments(&app).await);
    noted(&app, "send pending refunds", orders::jobs::resend_refunds(&app).await);
}

async fn look_at_keys(app: App) {
    noted(&app, "look at the key file", app.sealer.look());
}

/// Keeps what was counted, and closes runs whose process has gone.
pub async fn desk_once(app: &App) {
    desk_work(app.clone()).await;
}

async fn desk_work(app: App) {
    noted(&app, "keep counted refusals", desk::jobs::keep_refusals(&app).await);
    noted(&app, "notice interrupted runs", desk::jobs::close_dead_runs(&app).await);
}

/// Erases people's data of shipments whose time is over.
pub async fn erase_once(app: &App) {
    erase_shipments(app.clone()).await;
}

async fn erase_shipments(app: App) {
    noted(&app, "erase people's data of shipments", channels::erase::erase_due(&app).await);
}
