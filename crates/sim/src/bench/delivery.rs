//! Deliveries: how fast a backlog drains against a bare loop of requests, how soon a change is
//! under way, and what a transaction costs that somebody has left open.
//!
//! Engine, receiver and loop are tasks of this process, so that all share the machine alike. A
//! delivery counts when what became of it is committed.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use runout_shop::App;
use runout_shop::delivery;
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::{Config, keys_of};
use runout_shop::platform::seal::Sealer;
use runout_shop::platform::tls;
use runout_shop::sealed;
use runout_sim::receiver::{Options as Receiving, Receiver};
use runout_store::{Db, Engine, Rows, Statement, Step, Transaction, statements};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::report::{Asked, Line};
use super::scenarios::{Bench, open};
use super::server;

statements! {
    ADD_EVENT = {
        sqlite: "insert into outbox (at, topic, entity, entity_id, payload)
            values ($1, 'post.updated', 'post', $2, $3)",
        postgres: "insert into outbox (at, topic, entity, entity_id, payload)
            values ($1, 'post.updated', 'post', $2, $3)",
    };
    DELIVERED = "select cast(coalesce(sum(delivered), 0) as bigint) from destination_tally";
}

/// Attempts under way at once, of the engine and of the bare loop.
const CONCURRENCY: u32 = 64;
/// Things that the events of a backlog are about.
const THINGS: i64 = 20_000;
/// Changes in a second while it is measured how soon they are under way.
const CHANGES_PER_S: u64 = 1_000;
/// How long a backlog may take.
const DRAIN_MAX: Duration = Duration::from_secs(300);

/// Measures all of it on one engine.
pub(super) async fn run(bench: &Bench<'_>, url: &str, lines: &mut Vec<Line>) -> Result<()> {
    let backlog = bench.options.backlog;
    let db = open(url).await?;
    let receiver = Receiver::start(Receiving { plain: true, ..Receiving::default() }).await?;
    listen(&db, &receiver.url()).await?;
    let (mut bare, mut drained) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.rounds {
        bare.push(bare_loop(&receiver.url(), backlog).await?);
        drained.push(drain(&db, backlog).await?);
        let (bare, drained) = (bare[bare.len() - 1], drained[drained.len() - 1]);
        eprintln!("{}: {drained:.0}/s delivered, {bare:.0}/s bare", bench.name);
    }
    let (bare, clean) = (median(&mut bare), median(&mut drained));
    lines.push(line(bench, "bare loop of requests, 64 at once", format!("{bare:.0}/s"), None));
    lines.push(line(
        bench,
        "webhook deliveries drained, outcomes stored, 64 at once / bare loop",
        format!("{clean:.0}/s"),
        Some((clean / bare, Asked::AtLeast(0.6))),
    ));
    if db.engine() == Engine::Postgres {
        let mut held = open_transaction(url)?;
        let opened = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        // What this round leaves behind cannot be cleaned up while the transaction is open.
        drain(&db, backlog).await?;
        let age = Duration::from_secs(bench.options.open_s);
        tokio::time::sleep(age.saturating_sub(opened.elapsed())).await;
        let age_s = opened.elapsed().as_secs();
        let mut beside = Vec::new();
        for _ in 0..bench.options.rounds {
            beside.push(drain(&db, backlog).await?);
        }
        held.kill()?;
        held.wait()?;
        let beside = median(&mut beside);
        let what = format!(
            "the same beside a transaction open for {age_s} s, after {} deliveries in it / without",
            backlog * (bench.options.rounds as i64 + 1)
        );
        let measured = format!("{beside:.0}/s");
        lines.push(line(bench, &what, measured, Some((beside / clean, Asked::AtLeast(0.95)))));
    }
    drop(receiver);
    lines.push(soon(bench, &db).await?);
    Ok(())
}

fn line(bench: &Bench<'_>, what: &str, measured: String, against: Option<(f64, Asked)>) -> Line {
    Line {
        what: format!("{}: {what}", bench.name),
        measured,
        ratio: against.map(|(ratio, _)| ratio),
        asked: against.map(|(_, asked)| asked),
    }
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// One webhook that hears everything, signed as usual.
async fn listen(db: &Db, url: &str) -> Result<()> {
    let (yes, time) = match db.engine() {
        Engine::Sqlite => ("1", "1"),
        Engine::Postgres => ("true", "now()"),
    };
    db.script(&format!(
        "delete from destination_secret; delete from destination_tally; delete from destination;
         insert into destination (id, name, kind, url, allow_private, created_at, updated_at)
             values (1, 'bench', 'webhook', '{url}', {yes}, {time}, {time});
         insert into destination_secret (destination_id, number, kind, secret, created_at)
             values (1, 1, 'hmac', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', {time})"
    ))
    .await?;
    sealed::seal_open_rows(db, &sealer()?).await?;
    Ok(())
}

pub(super) fn sealer() -> Result<Sealer> {
    let key = server::keys().key.context("benchmarks have a key")?;
    Ok(Sealer::new(keys_of(&key)?))
}

fn payload(id: i64) -> String {
    format!(r#"{{"id":{id},"user_id":1,"title":"A title","body":"Some words about it"}}"#)
}

/// Deliveries per second of a backlog, from the engine's start to the last stored outcome.
async fn drain(db: &Db, backlog: i64) -> Result<f64> {
    let time = if db.engine() == Engine::Sqlite { "1" } else { "now()" };
    let numbers = match db.engine() {
        Engine::Sqlite => format!(
            "(with recursive g (n) as (select 1 union all select n + 1 from g where n < {backlog})
                select n from g) as g"
        ),
        Engine::Postgres => format!("generate_series(1, {backlog}) as g (n)"),
    };
    let words = payload(7);
    let add = format!(
        "insert into outbox (at, topic, entity, entity_id, payload)
            select {time}, 'post.updated', 'post', n % {THINGS}, '{words}' from {numbers}"
    );
    db.script(&add).await?;
    let before = delivered(db).await?;
    let app = App::new(db.clone(), Clock::system(), &Config::default(), sealer()?);
    let stop = CancellationToken::new();
    let started = Instant::now();
    let engine = tokio::spawn(delivery::run(app, settings(), stop.clone()));
    while delivered(db).await? < before + backlog {
        ensure!(started.elapsed() < DRAIN_MAX, "the backlog does not drain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = backlog as f64 / started.elapsed().as_secs_f64();
    stop.cancel();
    engine.await?;
    Ok(rate)
}

fn settings() -> delivery::Settings {
    let settings = delivery::Settings::from(&Config::default().delivery);
    delivery::Settings { concurrency_max: CONCURRENCY, ..settings }
}

async fn delivered(db: &Db) -> Result<i64> {
    let count = db.read_one(Statement::new(&DELIVERED, Vec::new()), |row| row.get(0)).await?;
    count.context("a sum is always there")
}

/// Requests per second of a loop that does nothing else.
async fn bare_loop(url: &str, count: i64) -> Result<f64> {
    tls::install_provider();
    let client = reqwest::Client::builder().tls_certs_only([]).build()?;
    let body = Bytes::from(payload(7));
    let left = Arc::new(AtomicI64::new(count));
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (client, body, left) = (client.clone(), body.clone(), Arc::clone(&left));
        let url = url.to_owned();
        workers.spawn(async move {
            while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                let request = client.post(&url).header("content-type", "application/json");
                let answer = request.body(body.clone()).send().await?;
                ensure!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await?;
            }
            Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// A client that has looked once, and keeps its transaction open.
fn open_transaction(url: &str) -> Result<Child> {
    let look = "begin isolation level repeatable read; select count(*) from outbox;
        select pg_sleep(3600)";
    let mut psql = Command::new("psql");
    psql.args([url, "-qc", look]).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(psql.spawn()?)
}

struct Change {
    at: jiff::Timestamp,
    id: i64,
}

impl Transaction for Change {
    type Output = ();

    fn name(&self) -> &'static str {
        "bench_change"
    }

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows]) -> runout_store::Result<Step<()>> {
        let params = vec![self.at.into(), self.id.into(), payload(self.id).into()];
        Ok(Step::Store(vec![Statement::new(&ADD_EVENT, params)], ()))
    }
}

/// From the commit of a change to the head of its request at the receiver, at a steady rate.
async fn soon(bench: &Bench<'_>, db: &Db) -> Result<Line> {
    let came: Arc<Mutex<HashMap<i64, Instant>>> = Arc::default();
    let heard = Arc::clone(&came);
    let on_arrival = Arc::new(move |_: &str, body: &[u8], at: Instant| {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(id) = body["data"]["id"].as_i64() {
            heard.lock().expect("nobody panics with the lock").insert(id, at);
        }
    });
    let receiving = Receiving { on_arrival: Some(on_arrival), ..Receiving::default() };
    let receiver = Receiver::start(receiving).await?;
    listen(db, &receiver.url()).await?;
    let app = App::new(db.clone(), Clock::system(), &Config::default(), sealer()?);
    let stop = CancellationToken::new();
    let engine = tokio::spawn(delivery::run(app.clone(), settings(), stop.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let count = CHANGES_PER_S * u64::from(bench.options.seconds);
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / CHANGES_PER_S));
    let mut changes = JoinSet::new();
    // Ids that no backlog has used, so that none waits for another.
    for id in 10_000_000..10_000_000 + count as i64 {
        ticks.tick().await;
        let app = app.clone();
        changes.spawn(async move {
            app.db.transact(Change { at: app.clock.now(), id }).await?;
            let committed = Instant::now();
            app.delivery.bell.ring();
            Ok::<_, runout_store::Error>((id, committed))
        });
    }
    let mut waits = Vec::new();
    let mut committed = Vec::new();
    while let Some(change) = changes.join_next().await {
        committed.push(change??);
    }
    let started = Instant::now();
    while came.lock().expect("nobody panics with the lock").len() < committed.len() {
        ensure!(started.elapsed() < DRAIN_MAX, "not every change arrives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    engine.await?;
    let came = came.lock().expect("nobody panics with the lock");
    for (id, at) in committed {
        waits.push(came[&id].saturating_duration_since(at).as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    let of = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    let measured = format!("p50 {:.1} ms, p99 {:.1} ms", of(0.5), of(0.99));
    let what = format!(
        "commit to first byte at the destination, {CHANGES_PER_S} changes a second \
        (asked: p50 under 5 ms, p99 under 20 ms)"
    );
    Ok(line(bench, &what, measured, None))
}
