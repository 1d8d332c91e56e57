//! Answers kept ready that cannot be stale: an answer's key contains the versions of the rows that
//! it was made from.
//!
//! The versions are rows of their own (`scope_version`) that change by triggers in the transaction
//! that changes what they stand for. A request reads them first and then looks for an answer of
//! just these versions; an answer that is missing is made from a later snapshot, so it shows a
//! committed state no older than the request. Writers never touch the cache: there is nothing that
//! they could forget, lose or reorder. Answers of versions that are gone die unused.
//!
//! Requests that come together share one reading of the versions: one that began after they came.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use runout_store::{Db, Error, Result, Statement};
use tokio::sync::Mutex;

use super::clock::Clock;
use super::sql::VERSIONS;

/// Bytes of all answers that are kept.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// An answer that nobody asked for so long is dropped.
const IDLE: Duration = Duration::from_secs(300);
/// A longer query is answered without the cache: it is nobody's usual page.
const QUERY_BYTES_MAX: usize = 1_024;

/// Versions of everything that public pages show: catalogue, stock, and the last moments at which a
/// price or a release took effect or a hold lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Versions {
    catalog: i64,
    stock: i64,
    prices_since: Option<Timestamp>,
    released_since: Option<Timestamp>,
    lapsed_since: Option<Timestamp>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    versions: Versions,
    /// Which list it is, such as `products`.
    list: &'static str,
    query: Box<str>,
}

/// Answers, by what was asked and the versions of what they show.
pub struct AnswerCache {
    answers: moka::future::Cache<Key, Bytes>,
    /// Requests so far.
    arrived: AtomicU64,
    last: Mutex<Option<LastRead>>,
}

/// The newest reading of the versions, and the requests that it began after.
struct LastRead {
    covers: u64,
    versions: Versions,
}

impl Default for AnswerCache {
    fn default() -> Self {
        let weigh = |key: &Key, answer: &Bytes| {
            let bytes = size_of::<Key>() + key.query.len() + answer.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let answers = moka::future::Cache::builder()
            .weigher(weigh)
            .max_capacity(BYTES_MAX)
            .time_to_idle(IDLE)
            .build();
        Self { answers, arrived: AtomicU64::new(0), last: Mutex::new(None) }
    }
}

impl AnswerCache {
    /// The answer to a public query of a list, made by `make` if it is not there. Requests for the
    /// same answer wait for one making of it. `make` must read what it shows anew.
    ///
    /// # Errors
    /// Those of the database and of `make`; they are not kept.
    pub async fn get(
        &self,
        db: &Db,
        clock: &Clock,
        (list, query): (&'static str, &str),
        make: impl Future<Output = Result<Bytes>>,
    ) -> Result<Bytes> {
        if query.len() > QUERY_BYTES_MAX {
            return make.await;
        }
        let versions = self.versions(db, clock).await?;
        let key = Key { versions, list, query: query.into() };
        if let Some(answer) = self.answers.get(&key).await {
            metrics::counter!("runout_answer_cache_hits_total").increment(1);
            return Ok(answer);
        }
        metrics::counter!("runout_answer_cache_misses_total").increment(1);
        self.answers.try_get_with(key, make).await.map_err(|error| Error::copy(&error))
    }

    /// The versions as of a moment after this call.
    async fn versions(&self, db: &Db, clock: &Clock) -> Result<Versions> {
        let mine = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last = self.last.lock().await;
        if let Some(read) = last.as_ref().filter(|read| read.covers >= mine) {
            return Ok(read.versions);
        }
        let covers = self.arrived.load(Ordering::SeqCst);
        let versions = read_versions(db, clock.now()).await?;
        *last = Some(LastRead { covers, versions });
        Ok(versions)
    }
}

async fn read_versions(db: &Db, now: Timestamp) -> Result<Versions> {
    let statement = Statement::new(&VERSIONS, vec![now.into()]);
    let read = db.read_one(statement, |row| {
        Ok(Versions {
            catalog: row.get(0)?,
            stock: row.get(1)?,
            prices_since: row.get(2)?,
            released_since: row.get(3)?,
            lapsed_since: row.get(4)?,
        })
    });
    Ok(read.await?.expect("a select without from has one row"))
}
