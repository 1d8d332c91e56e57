//! Answers kept ready that cannot be stale: an answer's key contains the versions of the rows that
//! it was made from.
//!
//! The versions are rows of their own (`scope_version`) that change by triggers in the transaction
//! that changes what they stand for. A request looks for an answer of just the versions that it has
//! read; an answer that is missing is made from a later snapshot, so no answer is older than its
//! versions. Writers never touch the cache: there is nothing that they could forget, lose or
//! reorder. Answers of versions that are gone die unused.
//!
//! The versions themselves are read at most once for all requests that come together, and trusted
//! for a bounded while, see [`versions`].

mod breaker;
mod figures;
mod recent;
mod shared;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use runout_store::{Db, Error, Result, Rows, Statement, Step, Transaction};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::figures::Counts;
use self::recent::Recent;
use self::shared::Shared;
use self::versions::{Readings, Stamp, Versions};
use super::clock::Clock;
use super::config::Config;
use super::seal::Sealer;
use super::sql::RAISE_VERSIONS;

pub use self::figures::Figures;
pub(super) use self::shared::client as redis_client;
pub use self::versions::Scope;

/// An answer that nobody asked for so long is dropped.
const IDLE: Duration = Duration::from_secs(300);
/// Answers that are made at the same time: fewer than the database has connections for reads, so
/// that a cache that is empty leaves some to others.
const MAKING_MAX: usize = 6;
/// Who waits longer for a turn is refused: the database is no faster if all of them go.
const TURN_WAIT: Duration = Duration::from_secs(5);
/// A longer query is answered without the cache: it is nobody's usual page.
const QUERY_BYTES_MAX: usize = 1_024;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    stamp: Stamp,
    /// Which list it is, such as `products`.
    list: &'static str,
    query: Box<str>,
}

/// A [`Key`] that is only looked up: the same fields in the same order, so that it hashes alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Wanted<'a> {
    stamp: Stamp,
    list: &'static str,
    query: &'a str,
}

impl moka::Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.stamp == key.stamp && self.list == key.list && *self.query == *key.query
    }
}

impl From<Wanted<'_>> for Key {
    fn from(wanted: Wanted<'_>) -> Self {
        let Wanted { stamp, list, query } = wanted;
        Self { stamp, list, query: query.into() }
    }
}

/// Answers, by what was asked and the versions of what they show.
pub struct AnswerCache {
    /// None: this node keeps nothing.
    answers: Option<moka::future::Cache<Key, Bytes>>,
    recent: Recent,
    readings: Readings,
    /// Beyond this node, if the shop has Redis.
    shared: Option<Shared>,
    /// What else decides what an answer looks like: the program and its settings. Nodes that differ
    /// in it do not take each other's answers.
    shape: String,
    /// Turns of those who make answers: a cache that is empty must not flood the database.
    making: Semaphore,
    counts: Arc<Counts>,
}

impl AnswerCache {
    /// Begins to connect to Redis, if the settings name one; call it in an asynchronous context.
    pub fn new(config: &Config, sealer: Sealer) -> Self {
        let weigh = |key: &Key, answer: &Bytes| {
            let bytes = size_of::<Key>() + key.query.len() + answer.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let keeping = |bytes_max: u64| {
            let cache = moka::future::Cache::builder().weigher(weigh).max_capacity(bytes_max);
            cache.time_to_idle(IDLE).build()
        };
        let bytes_max = config.cache.memory_bytes_max();
        let counts = Arc::new(Counts::default());
        let Config { currency, country, shop, .. } = config;
        Self {
            answers: (bytes_max > 0).then(|| keeping(bytes_max)),
            recent: Recent::default(),
            readings: Readings::new(config.cache.stale_max()),
            shared: Shared::new(&config.cache, sealer, Arc::clone(&counts)),
            shape: format!("{} {currency:?} {country:?} {shop:?}", env!("CARGO_PKG_VERSION")),
            making: Semaphore::new(MAKING_MAX),
            counts,
        }
    }

    /// What it has done so far.
    pub fn figures(&self) -> Figures {
        Figures::of(&self.counts, self.shared.as_ref().map(Shared::is_up))
    }

    /// The answer to a public query, if it is ready and the versions are trusted: no question to
    /// anybody. To be tried before the query is understood, since only one that was understood
    /// before has an answer.
    pub async fn ready(
        &self,
        db: &Db,
        clock: &Clock,
        (scope, list, query): (Scope, &'static str, &str),
    ) -> Option<Bytes> {
        let stamp = self.readings.trusted(db.commits(), clock.now(), |now| now.of(scope))?;
        self.kept(&Wanted { stamp, list, query }).await
    }

    /// The answer to a public query of a list, made by `make` if it is not there. Requests for the
    /// same answer wait for one making of it. `make` must read what it shows anew.
    ///
    /// # Errors
    /// Those of the database and of `make`; they are not kept.
    pub async fn get(
        &self,
        db: &Db,
        clock: &Clock,
        (scope, list, query): (Scope, &'static str, &str),
        make: impl Future<Output = Result<Bytes>>,
    ) -> Result<Bytes> {
        let nowhere = self.answers.is_none() && self.shared.is_none();
        if nowhere || query.len() > QUERY_BYTES_MAX {
            return self.made(make).await;
        }
        let versions = self.versions(db, clock).await?;
        let wanted = Wanted { stamp: versions.of(scope), list, query };
        if let Some(answer) = self.kept(&wanted).await {
            return Ok(answer);
        }
        self.counts.misses.add_one();
        // On the heap: an answer may be made of others, and each would lie on the stack whole.
        let find = Box::pin(self.find((db, clock), &versions, &wanted, Box::pin(make)));
        match &self.answers {
            Some(answers) => {
                let found = answers.try_get_with(wanted.into(), find).await;
                found.map_err(|error| Error::copy(&error))
            }
            None => find.await,
        }
    }

    async fn kept(&self, wanted: &Wanted<'_>) -> Option<Bytes> {
        let answers = self.answers.as_ref()?;
        let recent = self.recent.get(wanted);
        let answer = match recent {
            Some(answer) => answer,
            None => {
                let answer = answers.get(wanted).await?;
                self.recent.put(wanted, &answer);
                answer
            }
        };
        self.counts.hits.add_one();
        Some(answer)
    }

    async fn versions(&self, db: &Db, clock: &Clock) -> Result<Versions> {
        let read = async |now, earlier| {
            self.counts.readings.add_one();
            versions::read(db, now, earlier).await
        };
        self.readings.get(|| db.commits(), clock, read).await
    }

    /// How many answers are kept, and about how many bytes they take.
    pub fn size(&self) -> (u64, u64) {
        self.answers.as_ref().map_or((0, 0), |kept| (kept.entry_count(), kept.weighted_size()))
    }

    /// An answer that this node does not have: another one's, or made now and given to others.
    async fn find(
        &self,
        (db, clock): (&Db, &Clock),
        versions: &Versions,
        wanted: &Wanted<'_>,
        make: impl Future<Output = Result<Bytes>>,
    ) -> Result<Bytes> {
        let Some(shared) = &self.shared else { return self.made(make).await };
        let stamp = wanted.stamp.text();
        let asked = [&stamp, wanted.list, wanted.query, &self.shape].map(str::as_bytes);
        let Some(place) = shared.place(db, &asked).await else { return self.made(make).await };
        if let Some(answer) = shared.get(place).await {
            return Ok(answer);
        }
        let answer = self.made(make).await?;
        // Made when time had changed something already, it would come too early on a node whose
        // clock is behind.
        if versions.until.is_none_or(|until| clock.now() < until) {
            shared.put(place, &answer);
        }
        Ok(answer)
    }

    async fn made(&self, make: impl Future<Output = Result<Bytes>>) -> Result<Bytes> {
        // An answer that another one is made of comes with the other one's turn: if each waited for
        // a second one, makers would wait for each other for ever.
        if MAKING.try_with(|()| ()).is_ok() {
            return make.await;
        }
        let turn = timeout(TURN_WAIT, self.making.acquire()).await;
        let _turn = turn.map_err(|_| Error::Overloaded)?.expect("the semaphore is never closed");
        MAKING.scope((), make).await
    }
}

tokio::task_local! {
    /// Set while a task makes an answer.
    static MAKING: ();
}

/// Raises every version above all that an earlier life of this database may have had: after a
/// backup was restored, versions count on from an earlier number, and answers made under the
/// numbers that come may still lie in Redis. Each then is at least the time in microseconds, which
/// it does not outrun afterwards: that would take a million changes a second. To be called when a
/// node starts.
///
/// # Errors
/// The database's.
pub async fn begin(db: &Db, now: Timestamp) -> Result<()> {
    db.transact(Raise { now }).await
}

struct Raise {
    now: Timestamp,
}

impl Transaction for Raise {
    type Output = ();

    fn name(&self) -> &'static str {
        "raise_versions"
    }

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows]) -> Result<Step<()>> {
        let raise = Statement::new(&RAISE_VERSIONS, vec![self.now.as_microsecond().into()]);
        Ok(Step::Store(vec![raise], ()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Barrier;

    use super::*;
    use crate::platform::seal::Keys;

    /// Without Redis no secret is read.
    fn no_keys() -> Sealer {
        Sealer::new(Keys::none())
    }

    /// As many makers as there are turns, each of which needs another answer for its own.
    #[tokio::test]
    async fn an_answer_made_of_another_one_does_not_wait_for_a_second_turn() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("cache.db").display());
        let db = Db::open(&url.parse().expect("a database's address")).expect("opens");
        runout_store::migrate(&db).await.expect("migrates");
        let (cache, clock) = (AnswerCache::new(&Config::default(), no_keys()), Clock::system());
        let (cache, clock, db) = (&cache, &clock, &db);
        let all_have_begun = &Barrier::new(MAKING_MAX);
        let outer = (0..MAKING_MAX).map(|n| async move {
            let make = async {
                all_have_begun.wait().await;
                let inner = format!("inner {n}");
                let asked = (Scope::Catalog, "inner", inner.as_str());
                cache.get(db, clock, asked, async { Ok(Bytes::from_static(b"made")) }).await
            };
            let query = format!("outer {n}");
            cache.get(db, clock, (Scope::Shop, "outer", &query), make).await
        });
        let made = timeout(Duration::from_secs(60), futures::future::join_all(outer)).await;
        let made = made.expect("nobody waits for ever");
        assert!(made.iter().all(|answer| answer.as_ref().is_ok_and(|bytes| &bytes[..] == b"made")));
    }

    /// Settings that keep nothing keep nothing, and answers are right all the same.
    #[tokio::test]
    async fn without_memory_every_answer_is_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("cache.db").display());
        let db = Db::open(&url.parse().expect("a database's address")).expect("opens");
        runout_store::migrate(&db).await.expect("migrates");
        let mut config = Config::default();
        config.cache.memory_mb_max = 0;
        let (cache, clock) = (AnswerCache::new(&config, no_keys()), Clock::system());
        for wanted in ["one", "two"] {
            let asked = (Scope::Shop, "list", "query");
            let made = cache.get(&db, &clock, asked, async { Ok(Bytes::from(wanted)) }).await;
            assert_eq!(made.expect("made"), wanted);
            assert_eq!(cache.ready(&db, &clock, asked).await, None);
        }
        assert_eq!((cache.size(), cache.figures().hits), ((0, 0), 0));
    }
}
