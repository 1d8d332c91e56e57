//! The one door to the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Error, Result, Row, Rows, Sql, Statement, Transaction, statements};

statements! {
    PING = "select 1";
}

/// Times that a transaction is run again after a conflict.
const RETRIES_MAX: u32 = 8;
/// Pause before the first repetition; it doubles, with jitter.
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    engine: Arc<EngineDb>,
    commits: Arc<AtomicU64>,
}

enum EngineDb {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Which engine serves a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite {
        path: PathBuf,
        /// False: no fsync. For tests only: a power cut can lose or break the database.
        durable: bool,
    },
    Postgres(String),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    /// Reads `sqlite://PATH` or `postgres://...`.
    fn from_str(url: &str) -> Result<Self, String> {
        if let Some(rest) = url.strip_prefix("sqlite://") {
            let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
            let durable = match options {
                "" | "durable=true" => true,
                "durable=false" => false,
                other => return Err(format!("unknown SQLite option {other:?}: use durable=false")),
            };
            if path.is_empty() {
                return Err("the SQLite URL has no path: write sqlite://data/runout.db".to_owned());
            }
            return Ok(Self::Sqlite { path: path.into(), durable });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err("the database URL must begin with sqlite:// or postgres://".to_owned())
    }
}

impl Db {
    /// Opens the database; a SQLite file and its folder are created.
    ///
    /// # Errors
    /// When the URL or the file is unusable. PostgreSQL is first contacted by the first statement.
    pub fn open(url: &DatabaseUrl) -> Result<Self> {
        let commits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&commits);
        let engine = match url {
            DatabaseUrl::Sqlite { path, durable } => {
                EngineDb::Sqlite(Sqlite::open(path, *durable, counted)?)
            }
            DatabaseUrl::Postgres(url) => EngineDb::Postgres(Postgres::open(url, counted)?),
        };
        Ok(Self { engine: Arc::new(engine), commits })
    }

    /// Commits through this door so far, those included of which nobody knows whether they came to
    /// pass. It has moved on before anybody is told of a commit: who saw the same number before and
    /// after something has missed no change that was made through this door.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    pub fn engine(&self) -> Engine {
        match &*self.engine {
            EngineDb::Sqlite(_) => Engine::Sqlite,
            EngineDb::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs one read and maps its rows.
    ///
    /// SQLite reads run on the calling thread: they take microseconds, less than a hop. Mark long
    /// ones [`Statement::heavy`].
    ///
    /// # Errors
    /// Those of the database and of `map`.
    pub async fn read<T: Send>(
        &self,
        statement: Statement,
        mut map: impl FnMut(&Row<'_>) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        match &*self.engine {
            EngineDb::Sqlite(db) if statement.heavy => {
                off_the_async_threads(|| db.read(&statement, &mut map))
            }
            EngineDb::Sqlite(db) => db.read(&statement, &mut map),
            EngineDb::Postgres(db) => db.read(&statement, &mut map).await,
        }
    }

    /// Asks the database for nothing, to see whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.read(Statement::new(&PING, Vec::new()), |_| Ok(())).await.map(drop)
    }

    /// The first row of a read, if there is one.
    ///
    /// # Errors
    /// Those of the database and of `map`.
    pub async fn read_one<T: Send>(
        &self,
        statement: Statement,
        map: impl FnMut(&Row<'_>) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        Ok(self.read(statement, map).await?.into_iter().next())
    }

    /// Runs several reads on one snapshot of the database. If any is [`Statement::heavy`], all of
    /// them may take long.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn snapshot(&self, statements: Vec<Statement>) -> Result<Vec<Rows>> {
        match &*self.engine {
            EngineDb::Sqlite(db) => off_the_async_threads(|| db.snapshot(&statements)),
            EngineDb::Postgres(db) => db.snapshot(&statements).await,
        }
    }

    /// Runs a transaction, again after a conflict, and answers after its commit.
    ///
    /// # Errors
    /// Those of the database and of the decision; nothing is stored then, except that
    /// [`Error::OutcomeUnknown`] leaves it open.
    pub async fn transact<T: Transaction>(&self, tx: T) -> Result<T::Output> {
        self.transact_shared(Arc::new(tx)).await
    }

    /// [`Db::transact`] for a caller who keeps the transaction, to run parts of it again.
    ///
    /// # Errors
    /// As [`Db::transact`].
    pub async fn transact_shared<T: Transaction>(&self, tx: Arc<T>) -> Result<T::Output> {
        let mut retries = 0;
        loop {
            let result = match &*self.engine {
                EngineDb::Sqlite(db) => db.writer.transact(Arc::clone(&tx)).await,
                EngineDb::Postgres(db) => db.transact(Arc::clone(&tx)).await,
            };
            match result {
                Err(error) if error.is_retryable() && retries < RETRIES_MAX => {
                    tracing::debug!(transaction = tx.name(), retries, ?error, "retrying");
                    metrics::counter!("runout_transaction_retries_total").increment(1);
                    tokio::time::sleep(pause(retries)).await;
                    retries += 1;
                }
                other => return other,
            }
        }
    }

    /// Writes a consistent copy of a SQLite database into a new file, while it is in use.
    ///
    /// # Errors
    /// When the file exists or cannot be written, or the engine is PostgreSQL.
    pub async fn backup(&self, target: &Path) -> Result<()> {
        match &*self.engine {
            EngineDb::Sqlite(db) => off_the_async_threads(|| db.backup(target)),
            EngineDb::Postgres(_) => Err(Error::other(
                "backup",
                "PostgreSQL is backed up with pg_dump, which this command does not replace",
            )),
        }
    }

    /// Runs a script of several statements in one transaction: migrations, and tests that tamper.
    ///
    /// # Errors
    /// The database's; nothing is changed then.
    pub async fn script(&self, sql: &str) -> Result<()> {
        match &*self.engine {
            EngineDb::Sqlite(db) => {
                let sql = sql.to_owned();
                let run = move |connection: &rusqlite::Connection| {
                    connection.execute_batch(&sql).map_err(|error| Error::sqlite("script", error))
                };
                db.writer.with(run).await
            }
            EngineDb::Postgres(db) => db.script(sql).await,
        }
    }

    /// Parameter count and column names of a statement, for the registry test.
    ///
    /// # Errors
    /// When the engine refuses the statement.
    pub async fn describe(&self, sql: &Sql) -> Result<(usize, Vec<String>)> {
        match &*self.engine {
            EngineDb::Sqlite(db) => db.describe(sql.sqlite),
            EngineDb::Postgres(db) => db.describe(sql.postgres).await,
        }
    }
}

/// Doubling pause with jitter of one half, so that two losers do not meet again.
fn pause(retries: u32) -> Duration {
    let whole = RETRY_PAUSE * 2u32.pow(retries.min(6));
    let mut seed = [0; 1];
    // Without randomness (cannot happen on Linux) the pause is merely regular.
    let _regular = getrandom::fill(&mut seed);
    whole / 2 + whole * u32::from(seed[0]) / 512
}

/// Lets other tasks move to another thread while this one works.
fn off_the_async_threads<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let multi = Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if multi { tokio::task::block_in_place(work) } else { work() }
}
