//! Changes reach other systems: once each, in order per thing, whatever fails.

mod backlog;
mod brokers;
mod campaign;
mod mirrors;
pub mod receiver;
mod webhooks;

use std::time::Duration;

use runout_core::delivery::Retries;
use runout_shop::App;
use runout_shop::delivery::{self, Settings};
use runout_shop::platform::config::Delivery;
use runout_store::{Composer, Engine};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::sealed;

/// Short enough for a test, and longer than a busy machine keeps anybody from renewing it.
pub const LEASE: Duration = Duration::from_secs(3);

/// Quick enough for a test.
pub fn settings() -> Settings {
    let retries = Retries { quick: 6, quick_ms: 20, quick_ms_max: 100, slow: 1, slow_ms: 50 };
    Settings {
        poll: Duration::from_millis(20),
        lease: LEASE,
        timeout: Duration::from_secs(20),
        retries,
        ..Settings::from(&Delivery::default())
    }
}

/// An engine that runs.
pub struct Engined {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Engined {
    pub fn start(app: &App, settings: Settings) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(delivery::run(app.clone(), settings, stop.clone()));
        Self { stop, task }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the engine ends");
    }

    /// As a process that is killed: nothing is finished, nothing given back.
    pub async fn kill(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
}

fn time(app: &App) -> &'static str {
    match app.db.engine() {
        Engine::Sqlite => "1",
        Engine::Postgres => "'2026-01-01T00:00:00Z'",
    }
}

/// Stores a destination; its id is the number given.
pub async fn destination(app: &App, id: i64, kind: &str, url: &str, events: Option<&str>) {
    let (time, events) = (time(app), events.map_or("null".to_owned(), |e| format!("'{e}'")));
    let sealed = sealed("destination", "url", id, url);
    app.db
        .script(&format!(
            "insert into destination (id, name, kind, url, shown_url, events, allow_private, created_at,
                updated_at)
             values ({id}, 'to {id}', '{kind}', '{sealed}', '{url}', {events}, true, {time}, {time})"
        ))
        .await
        .expect("a destination");
}

/// Commits events about things in one transaction, and tells the engine of this process.
pub async fn commit(app: &App, events: &[(&str, i64, String)]) {
    let time = time(app);
    let row = |(topic, id, payload): &(&str, i64, String)| {
        let entity = topic.split('.').next().expect("a topic has a first part");
        format!("({time}, '{topic}', '{entity}', {id}, '{payload}')")
    };
    let rows: Vec<String> = events.iter().map(row).collect();
    let rows = rows.join(",");
    let sql = format!("insert into outbox (at, topic, entity, entity_id, payload) values {rows}");
    app.db.script(&sql).await.expect("committed");
    app.delivery.bell.ring();
}

pub async fn number(app: &App, sql: &'static str) -> i64 {
    let statement = Composer::new(sql).finish();
    app.db.read_one(statement, |row| row.get(0)).await.expect("reads").expect("one row")
}

/// Waits until a number is reached.
pub async fn becomes(app: &App, sql: &'static str, wanted: i64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let now = number(app, sql).await;
        if now == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: {now}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What is not delivered yet, be it handed out or not.
pub const WAITING: &str = "select (select count(*) from delivery)
    + (select count(*) from outbox where id > (select mark from dispatch))";
pub const DELIVERED: &str = "select cast(coalesce(sum(delivered), 0) as bigint)
    from destination_tally";
