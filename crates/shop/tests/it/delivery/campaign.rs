//! The fault campaign: a hundred thousand changes by several writers, told by servers that are
//! killed, out of a PostgreSQL that is killed, to a receiver that fails in every way. Nothing is
//! lost, nothing takes effect twice, nothing comes out of order.
//!
//! `RUNOUT_CAMPAIGN_CHANGES` makes it longer (`make soak`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runout_sim::receiver::{Faults, Options, Receiver};
use runout_store::{Composer, DatabaseUrl, Db, Engine};

use super::WAITING;
use crate::crash::remote::Server;
use crate::support::database::postgres_is_left_out;
use crate::support::postgres::OwnPostgres;
use crate::support::sealed;

const CHANGES: u64 = 100_000;
const VARIABLE: &str = "RUNOUT_CAMPAIGN_CHANGES";
const WRITERS: u64 = 4;
/// Things that each writer changes.
const THINGS: u64 = 250;
/// Of a thousand requests so many meet a misfortune.
const FAULTS_PERMILLE: u32 = 30;
/// How long a server lives.
const LIFE: Duration = Duration::from_millis(2_500);
/// PostgreSQL is killed after so many servers.
const POSTGRES_EVERY: u64 = 4;
/// After one kill for so many changes the servers are left in peace: a machine so busy that they
/// hardly live between two kills would never come to an end.
const CHANGES_PER_KILL: u64 = 5_000;
/// How long nothing may be delivered of the rest when everything is well again.
const STILL_MAX: Duration = Duration::from_secs(60);

const SETTINGS: [(&str, &str); 6] = [
    ("RUNOUT_DELIVERY_LEASE_MS", "1500"),
    ("RUNOUT_DELIVERY_TIMEOUT_MS", "700"),
    ("RUNOUT_DELIVERY_QUICK_RETRIES", "5000"),
    ("RUNOUT_DELIVERY_QUICK_PAUSE_MS", "10"),
    ("RUNOUT_DELIVERY_QUICK_PAUSE_MS_MAX", "300"),
    ("RUNOUT_DELIVERY_CONCURRENCY_MAX", "48"),
];

fn changes() -> u64 {
    std::env::var(VARIABLE).map_or(CHANGES, |text| text.parse().expect("a number"))
}

/// Commits changes of its own things, in batches, some of which fail on purpose: their ids are
/// gaps.
struct Writer {
    db: Db,
    number: u64,
    /// The newest change of each thing.
    newest: BTreeMap<u64, u64>,
}

impl Writer {
    fn new(db: Db, number: u64) -> Self {
        Self { db, number, newest: BTreeMap::new() }
    }

    /// Writes so many changes, however often the database is gone.
    async fn write(&mut self, count: u64) {
        let mut written = 0;
        for turn in 0_u64.. {
            if written >= count {
                return;
            }
            let size = 1 + turn * 7 % 60;
            written += self.batch(turn, size.min(count - written)).await;
        }
    }

    /// One transaction; answers how many changes it came to.
    async fn batch(&mut self, turn: u64, size: u64) -> u64 {
        let mut planned = self.newest.clone();
        let time = if self.db.engine() == Engine::Sqlite { "1" } else { "now()" };
        let mut rows = Vec::new();
        for index in 0..size {
            let thing = self.number * THINGS + (turn * 31 + index * 17) % THINGS;
            let seq = planned.entry(thing).or_default();
            *seq += 1;
            let payload = format!(r#"{{"entity_key":"{thing}","seq":{seq}}}"#);
            rows.push(format!("({time}, 'post.updated', 'post', {thing}, '{payload}')"));
        }
        let rows = rows.join(",");
        // Every tenth fails after it has taken its ids.
        let failing = if turn % 10 == 9 { "; insert into outbox (id) values (null)" } else { "" };
        let script = format!(
            "insert into outbox (at, topic, entity, entity_id, payload) values {rows}{failing}"
        );
        if self.db.script(&script).await.is_err() {
            // Committed or not: the database knows.
            planned = self.read_back().await;
        }
        let sum = |newest: &BTreeMap<u64, u64>| newest.values().sum::<u64>();
        let came_to = sum(&planned) - sum(&self.newest);
        self.newest = planned;
        came_to
    }

    async fn read_back(&self) -> BTreeMap<u64, u64> {
        let (first, last) = (self.number * THINGS, (self.number + 1) * THINGS - 1);
        loop {
            let mut sql = Composer::new(
                "select entity_id, count(*) from outbox where topic = 'post.updated' and entity_id \
                 between ",
            );
            sql.bind(first as i64).push(" and ").bind(last as i64).push(" group by entity_id");
            let read = self.db.read(sql.finish(), |row| {
                Ok((row.get::<i64>(0)? as u64, row.get::<i64>(1)? as u64))
            });
            match read.await {
                Ok(counts) => return counts.into_iter().collect(),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

async fn open(url: &str) -> Db {
    let url: DatabaseUrl = url.parse().expect("an address");
    let db = Db::open(&url).expect("opens");
    runout_store::migrate(&db).await.expect("migrates");
    db
}

async fn prepare(db: &Db, receiver: &Receiver) {
    let (yes, time) = match db.engine() {
        Engine::Sqlite => ("1", "1"),
        Engine::Postgres => ("true", "now()"),
    };
    let url = sealed("destination", "url", 1, &receiver.url());
    db.script(&format!(
        "insert into destination (id, name, kind, url, allow_private, created_at, updated_at)
            values (1, 'campaign', 'webhook', '{url}', {yes}, {time}, {time})"
    ))
    .await
    .expect("a destination");
}

async fn number(db: &Db, sql: &'static str) -> Option<i64> {
    let read = db.read_one(Composer::new(sql).finish(), |row| row.get(0)).await;
    read.ok().flatten()
}

/// True when all is written and little is left to deliver.
async fn nearly_done(db: &Db, ended: &AtomicBool) -> bool {
    let few = (changes() / 50) as i64;
    ended.load(Ordering::SeqCst) && number(db, WAITING).await.is_some_and(|left| left < few)
}

/// Waits until everything is delivered.
async fn rest(db: &Db) {
    let (mut since, mut least) = (Instant::now(), i64::MAX);
    loop {
        let left = number(db, WAITING).await;
        if left == Some(0) {
            return;
        }
        if let Some(left) = left.filter(|left| *left < least) {
            (since, least) = (Instant::now(), left);
        }
        assert!(since.elapsed() < STILL_MAX, "nothing is delivered any more: {left:?} wait");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What must hold at the end.
async fn check(db: &Db, receiver: &Receiver, writers: &[Writer]) {
    assert_eq!(number(db, "select count(*) from dead_letter").await, Some(0));
    let report = receiver.report();
    assert!(report.is_clean(), "{report:#?}");
    let written: BTreeMap<u64, u64> =
        writers.iter().flat_map(|writer| writer.newest.clone()).collect();
    assert_eq!(report.applied, written.values().sum::<u64>(), "{report:#?}");
    let applied = receiver.sequences();
    for (thing, newest) in &written {
        let seen = applied[&thing.to_string()].last();
        assert_eq!(seen, Some(newest), "thing {thing}");
    }
    eprintln!(
        "campaign: {} changes, {} requests, {} repetitions, {} misfortunes",
        report.applied, report.received, report.suppressed, report.faults
    );
}

async fn receiver() -> Receiver {
    let silence = Duration::from_millis(1_500);
    let faults = Faults { silence, ..Faults::some(FAULTS_PERMILLE) };
    let options = Options { seed: 11, faults, ..Options::default() };
    Receiver::start(options).await.expect("listens")
}

/// Runs the writers; tells when all have ended.
fn write_all(db: &Db, count: u64, ended: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<Writer>> {
    let (db, ended) = (db.clone(), Arc::clone(ended));
    tokio::spawn(async move {
        let writers = (0..WRITERS).map(|number| {
            let mut writer = Writer::new(db.clone(), number);
            async move {
                writer.write(count / WRITERS).await;
                writer
            }
        });
        let writers = futures::future::join_all(writers).await;
        ended.store(true, Ordering::SeqCst);
        writers
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_and_postgres_are_killed_again_and_again() {
    if postgres_is_left_out("the fault campaign") {
        return;
    }
    let mut postgres = OwnPostgres::start().await;
    let url = postgres.url();
    let (db, receiver) = (open(&url).await, receiver().await);
    prepare(&db, &receiver).await;
    let mut servers =
        [Server::start_with(&url, &SETTINGS).await, Server::start_with(&url, &SETTINGS).await];
    let ended = Arc::new(AtomicBool::new(false));
    let writing = write_all(&db, changes(), &ended);
    for turn in 0_u64.. {
        tokio::time::sleep(LIFE).await;
        let done = turn >= changes() / CHANGES_PER_KILL || nearly_done(&db, &ended).await;
        if done && ended.load(Ordering::SeqCst) && turn > POSTGRES_EVERY {
            break;
        }
        if turn % POSTGRES_EVERY == POSTGRES_EVERY - 1 {
            postgres.kill();
            tokio::time::sleep(Duration::from_millis(300)).await;
            postgres.start_again().await;
        } else {
            let server = &mut servers[(turn % 2) as usize];
            server.kill();
            server.reap();
            *server = Server::start_with(&url, &SETTINGS).await;
        }
    }
    let writers = writing.await.expect("the writers end");
    receiver.set_faults(Faults::none());
    rest(&db).await;
    check(&db, &receiver, &writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_sqlite_is_killed_again_and_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}?durable=false", folder.path().join("shop.db").display());
    let (db, receiver) = (open(&url).await, receiver().await);
    prepare(&db, &receiver).await;
    let mut server = Server::start_with(&url, &SETTINGS).await;
    let ended = Arc::new(AtomicBool::new(false));
    // One file, two processes: a quarter of the changes takes as long.
    let writing = write_all(&db, changes() / 4, &ended);
    let kills_max = changes() / CHANGES_PER_KILL;
    for _ in 0..kills_max {
        if nearly_done(&db, &ended).await {
            break;
        }
        tokio::time::sleep(LIFE).await;
        server.kill();
        server.reap();
        server = Server::start_with(&url, &SETTINGS).await;
    }
    let writers = writing.await.expect("the writers end");
    receiver.set_faults(Faults::none());
    rest(&db).await;
    check(&db, &receiver, &writers).await;
}
