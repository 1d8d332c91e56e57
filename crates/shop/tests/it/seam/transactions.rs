//! Transactions: conflicts, panics, failures next to each other, full queues.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};

use futures::future::{join, join_all};
use runout_core::stock::Outcome;
use runout_store::{Composer, Db, Error, Result, Rows, Statement, Step, Transaction};

use crate::on_both_engines;
use crate::support::database::postgres_is_left_out;
use crate::support::stage::{ask, count, keyed, placed, receive, sell, stage};
use crate::support::{Engine, TestShop};

/// A transaction out of two closures.
pub struct Run<L, D> {
    load: L,
    decide: D,
}

impl<L, D> Run<L, D> {
    pub fn new<T>(load: L, decide: D) -> Self
    where
        D: Fn(&[Rows]) -> Result<Step<T>>,
    {
        Self { load, decide }
    }
}

type Storing = Box<dyn Fn(&[Rows]) -> Result<Step<()>> + Send + Sync>;

impl Run<fn() -> Vec<Statement>, Storing> {
    /// Loads nothing, stores these.
    pub fn storing(store: impl Fn() -> Vec<Statement> + Send + Sync + 'static) -> Self {
        Self { load: Vec::new, decide: Box::new(move |_| Ok(Step::Store(store(), ()))) }
    }
}

impl<L, D, T> Transaction for Run<L, D>
where
    L: Fn() -> Vec<Statement> + Send + Sync + 'static,
    D: Fn(&[Rows]) -> Result<Step<T>> + Send + Sync + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn name(&self) -> &'static str {
        "test"
    }

    fn load(&self) -> Vec<Statement> {
        (self.load)()
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<T>> {
        (self.decide)(loaded)
    }
}

const TOTAL: &str = "select cast(coalesce(sum(number), 0) as bigint) from tally";

async fn tally(db: &Db) {
    let sql = "create table tally (id bigint primary key, number bigint not null
            constraint tally_number_check check (number < 1000));
        insert into tally (id, number) values (1, 0), (2, 0)";
    db.script(sql).await.expect("a table");
}

fn add(id: i64, number: i64) -> Statement {
    let mut sql = Composer::new("update tally set number = number + ");
    sql.bind(number).push(" where id = ").bind(id).push(" returning number");
    sql.finish()
}

fn insert(id: i64, number: i64) -> Statement {
    let mut sql = Composer::new("insert into tally (id, number) values (");
    sql.bind(id).push(", ").bind(number).push(")");
    sql.finish()
}

/// A transaction that holds SQLite's writer thread (or a connection of PostgreSQL) until it is
/// released; the first message says that it has begun.
fn hold() -> (impl Transaction<Output = ()>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let decide = move |_: &[Rows]| {
        begun.send(()).expect("the test listens");
        released.lock().expect("sound").recv().expect("the test releases");
        Ok(Step::Store(Vec::new(), ()))
    };
    (Run::new(Vec::new, decide), has_begun, release)
}

/// Takes one row, meets the other transaction, then takes the other's row.
fn crossing(rows: [i64; 2], meet: Arc<Barrier>, runs: Arc<AtomicU32>) -> impl Transaction {
    let is_first_run = AtomicU32::new(1);
    let decide = move |loaded: &[Rows]| {
        if loaded.len() > 1 {
            return Ok(Step::Store(Vec::new(), ()));
        }
        runs.fetch_add(1, Ordering::SeqCst);
        if is_first_run.swap(0, Ordering::SeqCst) == 1 {
            // Not merely wait: tasks that this thread was about to run must go on elsewhere.
            tokio::task::block_in_place(|| meet.wait());
        }
        Ok(Step::Load(vec![add(rows[1], 1)]))
    };
    Run::new(move || vec![add(rows[0], 1)], decide)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_retried_on_postgres() {
    if postgres_is_left_out("a_deadlock_is_retried_on_postgres") {
        return;
    }
    let shop = TestShop::new(Engine::Postgres).await;
    let db = &shop.app.db;
    tally(db).await;
    let (meet, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let one = db.transact(crossing([1, 2], Arc::clone(&meet), Arc::clone(&runs)));
    let two = db.transact(crossing([2, 1], meet, Arc::clone(&runs)));
    let (one, two) = join(one, two).await;
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(runs.load(Ordering::SeqCst), 3, "one of them ran twice");
    assert_eq!(count(db, TOTAL).await, 4, "and did its work once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_of_sqlite_says_so_at_once() {
    const QUEUE_MAX: usize = 8_192;
    const TOO_MANY: usize = 300;
    let shop = TestShop::new(Engine::Sqlite).await;
    let db = &shop.app.db;
    tally(db).await;
    let (hold, has_begun, release) = hold();
    let holder = tokio::spawn({
        let db = db.clone();
        async move { db.transact(hold).await }
    });
    has_begun.recv().expect("the writer is held");
    let mut waiting: Vec<_> = (0..QUEUE_MAX + TOO_MANY)
        .map(|_| Box::pin(db.transact(Run::new(Vec::new, |_| Ok(Step::Store(Vec::new(), ()))))))
        .collect();
    // Asked, not waited for: what can be answered now is.
    let mut refused = 0;
    let mut queued = Vec::new();
    for mut asked in waiting.drain(..) {
        match futures::poll!(&mut asked) {
            std::task::Poll::Ready(Err(Error::Overloaded)) => refused += 1,
            std::task::Poll::Ready(other) => panic!("{other:?}"),
            std::task::Poll::Pending => queued.push(asked),
        }
    }
    assert_eq!((queued.len(), refused), (QUEUE_MAX, TOO_MANY));
    release.send(()).expect("the writer listens");
    holder.await.expect("no panic").expect("committed");
    assert!(join_all(queued).await.iter().all(Result::is_ok), "those in the queue are served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failing_job_of_a_group_harms_no_other() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let db = &shop.app.db;
    tally(db).await;
    let (hold, has_begun, release) = hold();
    let holder = tokio::spawn({
        let db = db.clone();
        async move { db.transact(hold).await }
    });
    has_begun.recv().expect("the writer is held");
    // All of these wait now, and become one group.
    let mut jobs: Vec<_> = (10..40_i64)
        .map(|id| {
            let number = if id % 5 == 0 { 1_000 } else { 1 };
            // The failing ones have done something before they fail.
            Box::pin(db.transact(Run::storing(move || vec![add(1, 1), insert(id, number)])))
        })
        .collect();
    for job in &mut jobs {
        assert!(futures::poll!(job).is_pending());
    }
    release.send(()).expect("the writer listens");
    holder.await.expect("no panic").expect("committed");
    for (id, answer) in (10..40).zip(join_all(jobs).await) {
        match answer {
            Ok(()) => assert_ne!(id % 5, 0),
            Err(error) => {
                assert_eq!(id % 5, 0, "{error:?}");
                assert!(error.is_constraint("tally_number_check"), "{error:?}");
            }
        }
    }
    assert_eq!(count(db, TOTAL).await, 24 + 24, "six of thirty failed, wholly");
}

on_both_engines! {
    async fn a_panicking_decision_rolls_back_and_harms_no_other(shop: TestShop) {
        let db = &shop.app.db;
        tally(db).await;
        let broken = Run::new(
            || vec![add(1, 5)],
            |_: &[Rows]| -> Result<Step<()>> { panic!("the books do not balance") },
        );
        let error = db.transact(broken).await.expect_err("it panicked");
        let Error::Panicked(message) = &error else { panic!("{error:?}") };
        assert!(message.contains("the books do not balance"), "{message}");
        assert_eq!(count(db, TOTAL).await, 0);
        db.transact(Run::storing(|| vec![add(1, 7)])).await.expect("the writer lives");
        assert_eq!(count(db, TOTAL).await, 7);
    }

    async fn an_error_of_a_decision_or_a_store_rolls_back(shop: TestShop) {
        let db = &shop.app.db;
        tally(db).await;
        let refused = Run::new(
            || vec![add(1, 5)],
            |_: &[Rows]| -> Result<Step<()>> {
                Err(Error::Decode { column: 0, reason: "odd".to_owned() })
            },
        );
        assert!(matches!(db.transact(refused).await, Err(Error::Decode { .. })));
        let twice = Run::storing(|| vec![add(1, 5), insert(3, 1), insert(3, 1)]);
        let error = db.transact(twice).await.expect_err("the same key twice");
        assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
        let endless = Run::new(
            || vec![add(1, 5)],
            |_: &[Rows]| -> Result<Step<()>> { Ok(Step::Load(vec![add(1, 5)])) },
        );
        assert!(db.transact(endless).await.is_err(), "rounds of loading are bounded");
        assert_eq!(count(db, TOTAL).await, 0);
    }

    async fn what_was_written_while_loading_is_rolled_on(shop: TestShop) {
        let db = &shop.app.db;
        tally(db).await;
        let run = Run::new(
            || vec![add(1, 5)],
            |loaded: &[Rows]| {
                let now: i64 = loaded[0].first().expect("a row").get(0)?;
                Ok(Step::Store(vec![add(2, now * 2)], now))
            },
        );
        assert_eq!(db.transact(run).await.expect("stored"), 5);
        assert_eq!(count(db, TOTAL).await, 15);
    }

    async fn two_nodes_race_for_one_key(shop: TestShop) {
        stage(&shop.app.db, 1, 2).await;
        for variant in [1, 2] {
            ask(&shop.app, receive(variant, 1, 100)).await;
        }
        let other = shop.second_node().await;
        // Different variants: no row lock keeps the two apart, only the key's own constraint.
        for round in 0..25 {
            let key = format!("k{round}");
            let one = ask(&shop.app, keyed(sell(1, &[(1, 1)]), 1, &key, 1));
            let two = ask(&other, keyed(sell(1, &[(2, 1)]), 1, &key, 2));
            let (one, two) = join(one, two).await;
            let (won, lost) = if placed(&one).is_some() { (one, two) } else { (two, one) };
            assert!(placed(&won).is_some(), "{won:?}");
            assert!(matches!(lost, Outcome::KeyReused), "{lost:?}");
        }
        assert_eq!(count(&shop.app.db, "select count(*) from orders").await, 25);
        shop.verify().await;
    }
}
