//! The cached list of events: 20 of many, with very many sign-ups.
//!
//! Measured ready in the process, as a cold process finds it in Redis, with every version asked of
//! the database, and without any cache; and its p99 while Redis hangs or is gone, against the p99
//! before, while events keep changing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use runout_store::Db;

use super::redis::Redis;
use super::report::{Asked, Line};
use super::scenarios::{Bench, Server, open};
use super::seed;
use super::wrk::{self, Load, Run};

/// While p99 is measured, an event changes so often: answers must be made, shared and found.
const CHANGE_PAUSE: Duration = Duration::from_millis(50);

/// Seeds the database and measures all of it.
pub(super) async fn run(bench: &Bench<'_>, url: &str, lines: &mut Vec<Line>) -> Result<()> {
    let options = bench.options;
    let (events, attendances) = (options.events, options.attendances);
    let db = open(url).await?;
    seed::shop(&db).await?;
    eprintln!("{}: writing {events} events with {attendances} sign-ups", bench.name);
    seed::events(&db, events, attendances).await?;
    let list = format!("20 of {events} events with {attendances} sign-ups");

    let [noop, live, ready] = bench.medians(url, [Load::NoopGet, Load::Live, Load::Events])?;
    lines.push(bench.line("no-op GET (JSON, counted against the rate)", noop, None));
    lines.push(bench.line("no-op GET (/health/live)", live, None));
    let what = format!("{list}, ready in the process / no-op GET");
    lines.push(bench.line(&what, ready, Some((noop, Some(Asked::AtLeast(0.8))))));
    lines.push(bench.line(&format!("{list}, the same / health"), ready, Some((live, None))));

    let redis = Redis::start(&options.redis, bench.folder)?;
    let address = redis.url();
    let with_redis = ["--redis-url", &address, "--redis-budget-ms", "50"];
    let cold = [&with_redis[..], &["--cache-memory-mb-max", "0"]].concat();
    for (what, settings) in [
        ("from Redis, the process keeps nothing", &cold[..]),
        ("versions asked of the database each time (stale_ms_max 0)", &["--stale-ms-max", "0"]),
        ("no cache at all", &["--cache-memory-mb-max", "0"]),
    ] {
        let server = Server::start(bench.folder, url, settings)?;
        let [noop, list] = bench.medians_of(&server, [Load::NoopGet, Load::Events])?;
        lines.push(bench.line(&format!("{what} / no-op GET"), list, Some((noop, None))));
    }
    outage(bench, url, db, redis, lines)
}

fn outage(bench: &Bench<'_>, url: &str, db: Db, redis: Redis, lines: &mut Vec<Line>) -> Result<()> {
    let address = redis.url();
    let server = Server::start(bench.folder, url, &["--redis-url", &address])?;
    let ended = Arc::new(AtomicBool::new(false));
    let changing = tokio::spawn(change(db, Arc::clone(&ended)));
    let once = |turn: usize| {
        wrk::run(bench.folder, server.port, Load::Events, turn, bench.options.seconds)
    };
    wrk::run(bench.folder, server.port, Load::Events, 0, 1)?;
    let (mut well, mut hangs, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=bench.options.rounds {
        well.push(once(turn)?);
        redis.pause()?;
        let during = once(turn);
        redis.resume()?;
        hangs.push(during?);
    }
    drop(redis);
    for turn in 1..=bench.options.rounds {
        gone.push(once(turn)?);
    }
    ended.store(true, Ordering::SeqCst);
    drop(changing);
    let [well, hangs, gone] = [well, hangs, gone].map(median_by_p99);
    let what = "events change 20 times a second, Redis is well";
    lines.push(bench.line(what, well, None));
    for (what, run) in [("hangs", hangs), ("is gone", gone)] {
        lines.push(Line {
            ratio: Some(run.p99_ms / well.p99_ms),
            asked: Some(Asked::AtMost(2.0)),
            ..bench.line(&format!("p99 while Redis {what} / p99 before"), run, None)
        });
    }
    Ok(())
}

/// Changes an event until the end.
async fn change(db: Db, ended: Arc<AtomicBool>) {
    for n in 0_u64.. {
        if ended.load(Ordering::SeqCst) {
            return;
        }
        let sql = format!("update event set description = 'Number {n}' where id = 1");
        if let Err(error) = db.script(&sql).await {
            eprintln!("an event could not be changed: {error}");
        }
        tokio::time::sleep(CHANGE_PAUSE).await;
    }
}

fn median_by_p99(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|a, b| a.p99_ms.total_cmp(&b.p99_ms));
    runs[runs.len() / 2]
}
