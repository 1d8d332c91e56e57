//! The work that nobody asks for: lapsed holds, unpaid orders, open payments and refunds.
//!
//! Each job reads what is due from the database and can be run again, by several nodes at once:
//! what it does is decided by the stock writer, which finds it done already.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::{baskets, orders};

/// How often holds and unpaid orders are looked at. Buyers do not wait for it: decisions know by
/// themselves what has lapsed.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// How often providers are asked about what is open.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Runs the jobs until the token is cancelled.
pub async fn run(app: App, stop: CancellationToken) {
    // Each for itself: what waits for a provider must not keep the others waiting.
    tokio::join!(
        every(SWEEP_EVERY, &stop, || sweep_holds(app.clone())),
        every(SWEEP_EVERY, &stop, || lapse_unpaid(app.clone())),
        every(ASK_EVERY, &stop, || ask(app.clone())),
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
    if let Err(error) = baskets::jobs::sweep(&app).await {
        tracing::warn!(?error, "lapsed holds were not swept");
    }
}

async fn lapse_unpaid(app: App) {
    if let Err(error) = orders::jobs::lapse_unpaid(&app).await {
        tracing::warn!(?error, "unpaid orders were not given up");
    }
}

/// Asks providers about open payments and refunds.
pub async fn ask_once(app: &App) {
    ask(app.clone()).await;
}

async fn ask(app: App) {
    if let Err(error) = orders::jobs::resolve_payments(&app).await {
        tracing::warn!(?error, "open payments were not asked about");
    }
    if let Err(error) = orders::jobs::resend_refunds(&app).await {
        tracing::warn!(?error, "pending refunds were not sent again");
    }
}
