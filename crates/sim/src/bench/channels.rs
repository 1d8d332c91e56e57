//! Channels: how much of what a provider allows is used, and what a thousand of them cost.
//!
//! The crawler and the stand-in for bol.com are tasks of this process, under one clock that goes
//! faster than the real one. How well a limit is used is told by the referee: the time that was
//! taken against the least time that so many calls can take.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use runout_shop::App;
use runout_shop::channels::{self, Settings};
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::Config;
use runout_sim::bol::{BolSim, Limit, LimitKind, Limits, Options, Settings as Market};
use runout_store::{Db, Engine, Statement, statements};
use tokio_util::sync::CancellationToken;

use super::delivery::sealer;
use super::report::{Asked, Line};
use super::scenarios::{Bench, open};

statements! {
    UNDER_WAY = "select count(*) from channel_sync
        where asked is not null or run_id is not null or holder is not null";
    STORED = "select count(*) from shipment where state = 'stored'";
    HELD = "select count(*) from channel_sync where holder is not null";
}

/// Simulated seconds per real one, of the single channel.
const SCALE: u32 = 20;
const SHIPMENTS: u32 = 1_000;
/// The same of a crowd, of which this machine can serve no more.
const CROWD_SCALE: u32 = 2;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Measures all of it on one engine.
pub(super) async fn run(
    bench: &Bench<'_>,
    url: &dyn Fn(&str) -> String,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let singles = [
        (LimitKind::SlidingWindow, "sliding window"),
        (LimitKind::FixedWindow, "fixed windows"),
        (LimitKind::TokenBucket, "token bucket"),
        (LimitKind::Concurrency, "calls at a time"),
    ];
    for (kind, name) in singles.into_iter().filter(|_| !bench.options.crowd) {
        single(bench, &url("bench_channel"), (kind, name), lines).await?;
    }
    crowd(bench, &url("bench_channels"), lines).await
}

fn limits(kind: LimitKind) -> Limits {
    let (list, detail) = if kind == LimitKind::Concurrency { (1, 1) } else { (25, 50) };
    Limits {
        list: Limit::per_minute(kind, list),
        detail: Limit::per_minute(kind, detail),
        ..Limits::default()
    }
}

/// A shop with every account of the stand-in as a channel.
async fn shop(url: &str, sim: &BolSim, count: u32) -> Result<(App, Config)> {
    let db = open(url).await?;
    let mut config = Config::default();
    config.channels.bol_api_url = sim.url();
    config.channels.bol_login_url = sim.url();
    config.channels.lease_ms = 15_000 * u64::from(sim.scale());
    config.channels.timeout_ms = 30_000 * u64::from(sim.scale());
    let clock = Clock::scaled(Clock::system().now(), sim.now(), sim.scale());
    let app = App::new(db, clock, &config, sealer()?);
    app.db
        .script(
            "delete from shipment_item; delete from shipment; delete from sync_run;
        delete from channel_token; delete from channel_sync; delete from channel",
        )
        .await?;
    let now = match app.db.engine() {
        Engine::Sqlite => app.clock.now().as_microsecond().to_string(),
        Engine::Postgres => format!("timestamptz '{}'", app.clock.now()),
    };
    for number in 0..count {
        let (client_id, secret) = sim.credentials(number);
        let id = i64::from(number) + 1;
        let secret = app.sealer.seal(&channels::secret_place(id), secret.as_bytes());
        app.db
            .script(&format!(
                "insert into channel (id, shop, name, provider, client_id, secret, created_at,
                        updated_at)
                    values ({id}, 'Shop', 'channel-{id}', 'bol', '{client_id}', '{secret}', {now},
                        {now});
                 insert into channel_sync (channel_id, asked, due_at)
                    values ({id}, 'sync', {now});"
            ))
            .await?;
    }
    Ok((app, config))
}

async fn count(db: &Db, sql: &'static runout_store::Sql) -> Result<i64> {
    let count = db.read_one(Statement::new(sql, Vec::new()), |row| row.get(0)).await?;
    count.context("a count is always there")
}

async fn until_synced(db: &Db, since: Instant) -> Result<()> {
    while count(db, &UNDER_WAY).await? > 0 {
        ensure!(since.elapsed() < PATIENCE, "it does not come to an end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// One channel with a thousand shipments.
async fn single(
    bench: &Bench<'_>,
    url: &str,
    (kind, name): (LimitKind, &str),
    lines: &mut Vec<Line>,
) -> Result<()> {
    let settings = Market { limits: limits(kind), ..Market::default() };
    let shipments = SHIPMENTS;
    let sim =
        BolSim::start(Options { shipments, scale: SCALE, settings, ..Options::default() }).await?;
    let (app, config) = shop(url, &sim, 1).await?;
    let (stop, started) = (CancellationToken::new(), Instant::now());
    let settings = Settings::new(&config.channels, &app.clock);
    let crawling = tokio::spawn(channels::run(app.clone(), settings, stop.clone()));
    until_synced(&app.db, started).await?;
    stop.cancel();
    crawling.await?;
    let stored = count(&app.db, &STORED).await?;
    let client = sim.client(0);
    let detail = &client.detail;
    let counts = &client.counts;
    let measured = format!(
        "{stored} stored, {} refused, {} unauthorised, {} twice, {} tokens of {} needed; \
         details took {:.1} s where {:.1} s is the least",
        detail.refused + client.list.refused,
        counts.unauthorised,
        counts.duplicates,
        counts.token_calls,
        counts.tokens_needed,
        detail.taken_us as f64 / 1e6,
        detail.optimal_us as f64 / 1e6,
    );
    eprintln!("{}: {name}: {measured}", bench.name);
    let used = detail.used_permille.map(|used| used as f64 / 1e3);
    lines.push(Line {
        what: format!(
            "{}: one channel, {SHIPMENTS} shipments, {name}, {SCALE} times as fast: details fetched / \
             what the limit would have let through meanwhile",
            bench.name
        ),
        measured,
        ratio: used,
        asked: used.map(|_| Asked::AtLeast(0.99)),
    });
    app.stop().await;
    Ok(())
}

/// Bytes of this process that lie in memory.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("Linux tells")?;
    let kib = line.split_whitespace().nth(1).context("a number")?;
    Ok(kib.parse::<f64>()? * 1_024.0)
}

fn threads() -> Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// A thousand channels at once.
async fn crowd(bench: &Bench<'_>, url: &str, lines: &mut Vec<Line>) -> Result<()> {
    let (channels, shipments) = (bench.options.channels, bench.options.shipments);
    let settings = Market { limits: limits(LimitKind::SlidingWindow), ..Market::default() };
    let scale = CROWD_SCALE;
    let options = Options { channels, shipments, scale, settings, ..Options::default() };
    let sim = BolSim::start(options).await?;
    let (app, config) = shop(url, &sim, channels).await?;
    let (memory, threads_before) = (resident()?, threads()?);
    let (stop, started) = (CancellationToken::new(), Instant::now());
    let settings = Settings::new(&config.channels, &app.clock);
    let crawling = tokio::spawn(channels::run(app.clone(), settings, stop.clone()));
    while count(&app.db, &HELD).await? < i64::from(channels) {
        ensure!(started.elapsed() < PATIENCE, "not every channel is claimed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // All have used up what their windows allow, and wait.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (each, threads_during) =
        ((resident()? - memory) / f64::from(channels) / 1_024.0, threads()?);
    until_synced(&app.db, started).await?;
    let took = started.elapsed().as_secs_f64();
    stop.cancel();
    crawling.await?;
    let stored = count(&app.db, &STORED).await?;
    let report = sim.report();
    let mut waits: Vec<f64> = (0..channels)
        .map(|number| sim.client(number))
        .map(|client| client.detail.taken_us as f64 / client.detail.optimal_us.max(1) as f64)
        .collect();
    waits.sort_by(f64::total_cmp);
    let most = waits[waits.len() - 1];
    let what = format!(
        "{}: {channels} channels, {shipments} shipments each, {CROWD_SCALE} times as fast: slowest \
         channel's time / the least time its limit allows",
        bench.name
    );
    let measured = format!(
        "{stored} stored in {took:.0} s, {} refused, {} unauthorised, {} twice; {threads_before} \
         threads before, {threads_during} during; {each:.1} KiB more memory per waiting channel \
         (stand-in included)",
        report.refused, report.counts.unauthorised, report.counts.duplicates,
    );
    eprintln!("{what}: {most:.2}; {measured}");
    let (ratio, asked) = (Some(most), Some(Asked::AtMost(1.5)));
    lines.push(Line { what, measured, ratio, asked });
    app.stop().await;
    Ok(())
}
