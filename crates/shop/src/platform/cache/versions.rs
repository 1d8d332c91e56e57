//! Versions of what cached answers show: read from the database, trusted for a while.
//!
//! A reading is good for a request if nothing that it would tell can have changed since:
//!
//! - This node has committed nothing since it began ([`Db::commits`]): whoever was told of a change
//!   here finds it.
//! - It is younger than the bound that the shop has set for changes by others.
//! - None of the moments has passed at which time itself changes an answer, and the clock has
//!   neither gone back nor leapt ahead (a machine that slept does not know how long).
//!
//! Else the versions are read anew, once for all requests that wait for them; should that fail, it
//! has failed for all of them.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runout_store::{Db, Error, Result, Statement};
use tokio::sync::Mutex;

use crate::platform::clock::Clock;
use crate::platform::sql::VERSIONS;

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Products with their prices and stock.
    Shop,
    /// Products without what sales and the clock change: neither prices nor stock.
    Catalog,
    /// Events with their numbers of participants.
    Events,
    /// Posts and comments.
    Journal,
}

/// The versions that an answer about a scope is made from: another version, another answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stamp {
    Shop(Shop),
    Catalog(i64),
    Events(Events),
    Journal(i64),
}

impl Stamp {
    /// The same for the same versions on every node.
    pub(super) fn text(&self) -> String {
        format!("{self:?}")
    }
}

/// Catalogue, stock, and the last moments at which a price or a release took effect or a hold
/// lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shop {
    catalog: i64,
    stock: i64,
    prices_since: Option<Timestamp>,
    released_since: Option<Timestamp>,
    lapsed_since: Option<Timestamp>,
}

/// Events, and the last moment at which one was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Events {
    event: i64,
    over_since: Option<Timestamp>,
}

/// What the database says at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions {
    shop: Shop,
    events: Events,
    journal: i64,
    /// The first moment after it at which time changes an answer.
    pub(super) until: Option<Timestamp>,
}

impl Versions {
    pub(super) fn of(&self, scope: Scope) -> Stamp {
        match scope {
            Scope::Shop => Stamp::Shop(self.shop),
            Scope::Catalog => Stamp::Catalog(self.shop.catalog),
            Scope::Events => Stamp::Events(self.events),
            Scope::Journal => Stamp::Journal(self.journal),
        }
    }

    /// True if any of them has gone back: the database has lost what it had committed.
    fn is_behind(&self, earlier: &Self) -> bool {
        self.shop.catalog < earlier.shop.catalog
            || self.shop.stock < earlier.shop.stock
            || self.events.event < earlier.events.event
            || self.journal < earlier.journal
    }
}

/// A reading of the versions.
#[derive(Debug, Clone, Copy)]
struct Reading {
    versions: Versions,
    /// Commits of this node before it began.
    commits: u64,
    /// When it began.
    began: Instant,
    /// The moment that it is of.
    now: Timestamp,
    /// Requests that it began after.
    covers: u64,
}

/// The newest reading, shared by all requests.
pub(super) struct Readings {
    newest: RwLock<Option<Reading>>,
    /// Requests that had to wait for a reading so far.
    arrived: AtomicU64,
    /// Held by the one who reads; the newest reading that failed, with the requests it covers.
    reading: Mutex<Option<(u64, Error)>>,
    stale_max: Duration,
}

impl Readings {
    pub(super) fn new(stale_max: Duration) -> Self {
        Self {
            newest: RwLock::default(),
            arrived: AtomicU64::new(0),
            reading: Mutex::default(),
            stale_max,
        }
    }

    /// The versions as of a moment after this call, or trusted ones from before it. `commits`
    /// counts this node's commits, `read` asks the database. It is told what an earlier reading has
    /// seen.
    pub(super) async fn get(
        &self,
        commits: impl Fn() -> u64,
        clock: &Clock,
        read: impl AsyncFnOnce(Timestamp, Option<Versions>) -> Result<Versions>,
    ) -> Result<Versions> {
        if let Some(versions) = self.trusted(commits(), clock.now(), |versions| *versions) {
            return Ok(versions);
        }
        let mine = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let mut failed = self.reading.lock().await;
        let newest = self.newest();
        if let Some(reading) = newest.filter(|reading| reading.covers >= mine) {
            return Ok(reading.versions);
        }
        if let Some((_, error)) = failed.as_ref().filter(|(covers, _)| *covers >= mine) {
            return Err(error.copy());
        }
        let covers = self.arrived.load(Ordering::SeqCst);
        let (commits, began, now) = (commits(), Instant::now(), clock.now());
        match read(now, newest.map(|reading| reading.versions)).await {
            Ok(versions) => {
                let reading = Reading { versions, commits, began, now, covers };
                *self.newest.write().expect("no holder of this lock can panic") = Some(reading);
                Ok(versions)
            }
            Err(error) => {
                *failed = Some((covers, error.copy()));
                Err(error)
            }
        }
    }

    fn newest(&self) -> Option<Reading> {
        *self.newest.read().expect("no holder of this lock can panic")
    }

    /// What `pick` takes of the newest reading, if it is good for a request of this moment.
    pub(super) fn trusted<T>(
        &self,
        commits: u64,
        now: Timestamp,
        pick: impl FnOnce(&Versions) -> T,
    ) -> Option<T> {
        let newest = self.newest.read().expect("no holder of this lock can panic");
        let reading = newest.as_ref()?;
        let good = reading.commits == commits
            && reading.began.elapsed() < self.stale_max
            && reading.now <= now
            && now.duration_since(reading.now).unsigned_abs() < self.stale_max
            && reading.versions.until.is_none_or(|until| now < until);
        good.then(|| pick(&reading.versions))
    }
}

/// The versions at the moment `now`. If they lie behind `earlier` ones, the database was restored,
/// or another one has taken its place that had not got the last commits: then they are raised
/// first, so that no number ever stands for two states.
pub(super) async fn read(db: &Db, now: Timestamp, earlier: Option<Versions>) -> Result<Versions> {
    let versions = select(db, now).await?;
    if !earlier.is_some_and(|earlier| versions.is_behind(&earlier)) {
        return Ok(versions);
    }
    tracing::warn!("the database has gone back in time: versions of answers are raised");
    super::begin(db, now).await?;
    select(db, now).await
}

async fn select(db: &Db, now: Timestamp) -> Result<Versions> {
    let statement = Statement::new(&VERSIONS, vec![now.into()]);
    let read = db.read_one(statement, |row| {
        let shop = Shop {
            catalog: row.get(0)?,
            stock: row.get(1)?,
            prices_since: row.get(2)?,
            released_since: row.get(3)?,
            lapsed_since: row.get(4)?,
        };
        let events = Events { event: row.get(8)?, over_since: row.get(9)? };
        let mut until = None;
        for column in [5, 6, 7, 10] {
            let moment: Option<Timestamp> = row.get(column)?;
            until = moment.into_iter().chain(until).min();
        }
        Ok(Versions { shop, events, journal: row.get(11)?, until })
    });
    Ok(read.await?.expect("a select without from has one row"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const NOON: &str = "2026-11-21T12:00:00Z";
    const BOUND: Duration = Duration::from_secs(3_600);

    fn versions(event: i64, until: Option<Timestamp>) -> Versions {
        let shop = Shop {
            catalog: 1,
            stock: 1,
            prices_since: None,
            released_since: None,
            lapsed_since: None,
        };
        Versions { shop, events: Events { event, over_since: None }, journal: 1, until }
    }

    /// Counts readings, and answers with their number as the version of events.
    struct Database {
        readings: Readings,
        clock: Clock,
        commits: AtomicU64,
        asked: AtomicUsize,
        until: Option<Timestamp>,
    }

    impl Database {
        fn new(stale_max: Duration, until: Option<&str>) -> Self {
            Self {
                readings: Readings::new(stale_max),
                clock: Clock::manual(NOON.parse().expect("a moment")),
                commits: AtomicU64::new(0),
                asked: AtomicUsize::new(0),
                until: until.map(|text| text.parse().expect("a moment")),
            }
        }

        async fn version(&self) -> i64 {
            let commits = || self.commits.load(Ordering::SeqCst);
            let read = async |_, _| {
                let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
                Ok(versions(asked as i64, self.until))
            };
            let got = self.readings.get(commits, &self.clock, read).await.expect("read");
            got.events.event
        }
    }

    #[tokio::test]
    async fn a_reading_is_trusted_until_something_may_have_changed() {
        let database = Database::new(BOUND, Some("2026-11-21T12:01:00Z"));
        for wanted in [1, 1, 1] {
            assert_eq!(database.version().await, wanted);
        }
        database.commits.fetch_add(1, Ordering::SeqCst);
        assert_eq!((database.version().await, database.version().await), (2, 2), "a commit");
        database.clock.advance(Duration::from_secs(59));
        assert_eq!(database.version().await, 2);
        database.clock.advance(Duration::from_secs(1));
        assert_eq!(database.version().await, 3, "the moment at which something changes");
    }

    #[tokio::test]
    async fn a_clock_that_leaps_or_goes_back_ends_the_trust() {
        let mut database = Database::new(BOUND, None);
        assert_eq!((database.version().await, database.version().await), (1, 1));
        database.clock.advance(BOUND);
        assert_eq!((database.version().await, database.version().await), (2, 2));
        database.clock = Clock::manual("2026-11-21T11:59:59Z".parse().expect("a moment"));
        assert_eq!((database.version().await, database.version().await), (3, 3));
    }

    #[tokio::test]
    async fn nothing_is_trusted_beyond_the_bound() {
        let bound = Duration::from_millis(20);
        // Only who was interrupted for longer than the bound may have read twice.
        let database = loop {
            let (database, began) = (Database::new(bound, None), Instant::now());
            if (database.version().await, database.version().await) == (1, 1) {
                break database;
            }
            assert!(began.elapsed() >= bound, "a reading was not trusted");
        };
        tokio::time::sleep(Duration::from_millis(25)).await;
        assert_eq!(database.version().await, 2);
        let exact = Database::new(Duration::ZERO, None);
        assert_eq!((exact.version().await, exact.version().await), (1, 2));
    }

    #[tokio::test]
    async fn a_commit_during_a_reading_is_not_covered_by_it() {
        let database = Database::new(BOUND, None);
        let commits = || database.commits.load(Ordering::SeqCst);
        let read = async |_, _| {
            database.commits.fetch_add(1, Ordering::SeqCst);
            Ok(versions(70, None))
        };
        database.readings.get(commits, &database.clock, read).await.expect("read");
        assert_eq!(database.version().await, 1, "the commit came after the reading began");
    }

    /// A database that does not answer fails everybody after one wait, not one after the other.
    #[tokio::test]
    async fn a_reading_that_fails_fails_all_who_waited_for_it() {
        let database = Arc::new(Database::new(BOUND, None));
        let readers: Vec<_> = (0..50)
            .map(|_| {
                let database = Arc::clone(&database);
                tokio::spawn(async move {
                    let read = async |_, _| {
                        database.asked.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Err(Error::Overloaded)
                    };
                    let got = database.readings.get(|| 0, &database.clock, read).await;
                    assert!(matches!(got, Err(Error::Overloaded)));
                })
            })
            .collect();
        for reader in readers {
            reader.await.expect("every reader is told");
        }
        let asked = database.asked.load(Ordering::SeqCst);
        assert!(asked <= 2, "{asked} readings for readers who came together");
        assert!(database.version().await > 0, "the next one reads");
    }

    #[test]
    fn going_back_is_noticed() {
        assert!(versions(1, None).is_behind(&versions(2, None)));
        assert!(!versions(2, None).is_behind(&versions(2, None)));
        assert!(!versions(3, None).is_behind(&versions(2, None)));
    }
}
