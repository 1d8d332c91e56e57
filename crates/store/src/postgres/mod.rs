//! PostgreSQL: pools, cached prepared statements, pipelined loads and stores.
//!
//! A transaction is two round trips: `begin` with every load, then every store with `commit`. The
//! server runs pipelined statements in order, so a lock taken by the first load is held before the
//! second one looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use futures::future::try_join_all;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, NoTls};

use crate::sql::Params;
use crate::transaction::{LOAD_ROUNDS_MAX, Step, Transaction, decide};
use crate::{Error, Result, Row, Rows, Statement, Value, row};

/// Connections for reads.
const READ_POOL: usize = 8;
/// Connections for transactions, so that a crowd of readers cannot starve the writers.
const WRITE_POOL: usize = 6;
/// How long a caller waits for a free connection.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection; composed ones come in many shapes.
const STATEMENT_CACHE_MAX: usize = 400;
/// After so many loans a connection's plans are made anew. PostgreSQL keeps a plan for as long as
/// it may be used, whatever becomes of the sizes that it was made for: the one for a table that was
/// nearly empty reads all of it, also once that table is full. It would notice with the next
/// statistics, a minute later at best. (The connection that was given back last is lent first, so
/// that few do most of the work, and count fast.)
const LOANS_OF_A_PLAN: usize = 200;
/// Server-side bounds: one statement, one lock, one forgotten transaction. Notices, such as "exists
/// already", would stand in the log beside what matters.
const SESSION: &str = "-c statement_timeout=20000 -c lock_timeout=10000 \
    -c idle_in_transaction_session_timeout=30000 -c timezone=UTC \
    -c client_min_messages=warning";

/// Bound of a statement in a heavy snapshot, instead of the session's.
const HEAVY_SNAPSHOT: &str = "set local statement_timeout = 3600000";

/// Pools on one PostgreSQL database.
pub(crate) struct Postgres {
    reads: Pool,
    writes: Pool,
    /// Counted up after each commit, before anybody is told of it.
    commits: Arc<AtomicU64>,
}

impl Postgres {
    pub(crate) fn open(url: &str, commits: Arc<AtomicU64>) -> Result<Self> {
        let mut config: tokio_postgres::Config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| Error::other("database URL", error))?;
        config.application_name("runout").connect_timeout(POOL_WAIT).options(SESSION);
        let pool = |size| {
            let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = Manager::from_config(config.clone(), NoTls, recycling);
            let wait = Some(POOL_WAIT);
            Pool::builder(manager)
                .max_size(size)
                .queue_mode(QueueMode::Lifo)
                .timeouts(Timeouts { wait, create: wait, recycle: wait })
                .runtime(Runtime::Tokio1)
                .build()
                .map_err(|error| Error::other("connection pool", error))
        };
        Ok(Self { reads: pool(READ_POOL)?, writes: pool(WRITE_POOL)?, commits })
    }

    /// Runs one read and maps its rows.
    pub(crate) async fn read<T>(
        &self,
        statement: &Statement,
        map: &mut (dyn FnMut(&Row<'_>) -> Result<T> + Send),
    ) -> Result<Vec<T>> {
        let client = connection(&self.reads).await?;
        let rows = query(&client, statement).await?;
        rows.iter().map(|row| map(&Row::Postgres(row))).collect()
    }

    /// Runs several reads on one snapshot of the database.
    pub(crate) async fn snapshot(&self, statements: &[Statement]) -> Result<Vec<Rows>> {
        let mut client = connection(&self.reads).await?;
        let failed = |error| Error::postgres("begin of a snapshot", error);
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await
            .map_err(failed)?;
        if statements.iter().any(|statement| statement.heavy) {
            transaction.batch_execute(HEAVY_SNAPSHOT).await.map_err(failed)?;
        }
        let mut kept = Vec::with_capacity(statements.len());
        for statement in statements {
            let rows = transaction
                .query(statement.postgres(), &references(&statement.params))
                .await
                .map_err(|error| Error::postgres(statement.name(), error))?;
            kept.push(keep(&rows)?);
        }
        transaction.commit().await.map_err(failed)?;
        Ok(kept)
    }

    /// Runs the transaction in a task of its own: a caller who goes away cannot leave a connection
    /// inside a transaction.
    pub(crate) async fn transact<T: Transaction>(&self, tx: Arc<T>) -> Result<T::Output> {
        let (pool, commits) = (self.writes.clone(), Arc::clone(&self.commits));
        let attempt = tokio::spawn(async move {
            let mut lease = Lease::new(connection(&pool).await?);
            let output = attempt(&mut lease, &*tx).await;
            if matches!(output, Ok(_) | Err(Error::OutcomeUnknown(_))) {
                commits.fetch_add(1, Ordering::SeqCst);
            }
            if output.is_err() && lease.open {
                lease.roll_back().await;
            }
            output
        });
        attempt.await.map_err(|error| Error::Panicked(error.to_string()))?
    }

    /// Runs a script of several statements in one transaction (migrations).
    pub(crate) async fn script(&self, sql: &str) -> Result<()> {
        let mut lease = Lease::new(connection(&self.writes).await?);
        lease.open = true;
        let ran = lease.client().batch_execute(sql).await;
        // A script that failed may have left a transaction open: its connection is not kept.
        lease.open = ran.is_err();
        self.commits.fetch_add(1, Ordering::SeqCst);
        ran.map_err(|error| Error::postgres("script", error))
    }

    /// Parameters and columns of a statement, for the registry test.
    pub(crate) async fn describe(&self, sql: &str) -> Result<(usize, Vec<String>)> {
        let client = connection(&self.reads).await?;
        let statement =
            client.prepare(sql).await.map_err(|error| Error::postgres("describe", error))?;
        let columns = statement.columns().iter().map(|c| c.name().to_owned()).collect();
        Ok((statement.params().len(), columns))
    }
}

/// A connection on loan; unless its transaction has ended it is closed, not given back.
struct Lease {
    client: Option<Object>,
    open: bool,
}

impl Lease {
    fn new(client: Object) -> Self {
        Self { client: Some(client), open: false }
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("the connection is taken only on drop")
    }

    async fn roll_back(&mut self) {
        if self.client().batch_execute("rollback").await.is_ok() {
            self.open = false;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.client.take()
            && self.open
        {
            drop(Object::take(client));
        }
    }
}

async fn connection(pool: &Pool) -> Result<Object> {
    let client = pool.get().await.map_err(|error| Error::Unavailable(error.into()))?;
    if client.statement_cache.size() > STATEMENT_CACHE_MAX {
        client.statement_cache.clear();
    }
    if Object::metrics(&client).recycle_count % LOANS_OF_A_PLAN == LOANS_OF_A_PLAN - 1 {
        let failed = |error| Error::postgres("discard plans", error);
        client.batch_execute("discard plans").await.map_err(failed)?;
    }
    Ok(client)
}

async fn attempt<T: Transaction>(lease: &mut Lease, tx: &T) -> Result<T::Output> {
    let mut wanted = tx.load();
    let mut loaded: Vec<Rows> = Vec::new();
    for round in 0..LOAD_ROUNDS_MAX {
        prepare_all(lease.client(), &wanted).await?;
        lease.open = true;
        loaded.extend(load_all(lease.client(), &wanted, round == 0).await?);
        match decide(tx, &loaded)? {
            Step::Load(more) => wanted = more,
            Step::Store(statements, output) => {
                let statements: Vec<Statement> =
                    statements.into_iter().filter(|statement| !statement.is_empty()).collect();
                prepare_all(lease.client(), &statements).await?;
                store_all(lease, &statements).await?;
                return Ok(output);
            }
        }
    }
    Err(Error::other(tx.name(), "the decision kept asking for more rows"))
}

/// Prepares what this connection has not seen yet, so that the pipeline below never waits.
async fn prepare_all(client: &Object, statements: &[Statement]) -> Result<()> {
    for statement in statements {
        client
            .prepare_cached(statement.postgres())
            .await
            .map_err(|error| Error::postgres(statement.name(), error))?;
    }
    Ok(())
}

/// One round trip: `begin` (the first time) and every load.
async fn load_all(client: &Object, statements: &[Statement], begin: bool) -> Result<Vec<Rows>> {
    let begin = async {
        if begin {
            let isolation = "begin isolation level read committed";
            client.batch_execute(isolation).await.map_err(|e| Error::postgres("begin", e))?;
        }
        Ok(())
    };
    let loads = try_join_all(statements.iter().map(|statement| query(client, statement)));
    let ((), answers) = futures::future::try_join(begin, loads).await?;
    answers.iter().map(|rows| keep(rows)).collect()
}

/// One round trip: every store and the commit. A failed store turns the commit into a rollback.
async fn store_all(lease: &mut Lease, statements: &[Statement]) -> Result<()> {
    let client = lease.client();
    let stores = futures::future::join_all(statements.iter().map(|s| query(client, s)));
    let commit = client.batch_execute("commit");
    let (stored, committed) = futures::future::join(stores, commit).await;
    let failed = stored.into_iter().find_map(Result::err);
    if committed.is_ok() {
        lease.open = false;
    }
    match (failed, committed) {
        // The store's own error comes first: the commit then was a rollback.
        (Some(error), _) if !matches!(error, Error::Unavailable(_)) => Err(error),
        (Some(error), _) => Err(Error::OutcomeUnknown(error.into())),
        (None, Err(error)) => match Error::postgres("commit", error) {
            Error::Unavailable(cause) => Err(Error::OutcomeUnknown(cause)),
            refused => Err(refused),
        },
        (None, Ok(())) => Ok(()),
    }
}

async fn query(client: &Object, statement: &Statement) -> Result<Vec<tokio_postgres::Row>> {
    let failed = |error| Error::postgres(statement.name(), error);
    let prepared = client.prepare_cached(statement.postgres()).await.map_err(failed)?;
    let params = references(&statement.params);
    if statement.replans() {
        // A statement without a name has a plan of its own, for these values.
        debug_assert_eq!(params.len(), prepared.params().len(), "{}", statement.name());
        let types = prepared.params().iter().cloned();
        let typed: Vec<_> = params.into_iter().zip(types).collect();
        return client.query_typed(statement.postgres(), &typed).await.map_err(failed);
    }
    client.query(&prepared, &params).await.map_err(failed)
}

fn references(params: &Params) -> Vec<&(dyn ToSql + Sync)> {
    match params {
        Params::One(values) => values.iter().map(|value| value as &(dyn ToSql + Sync)).collect(),
        Params::Rows(columns) => {
            columns.iter().map(|column: &Vec<Value>| column as &(dyn ToSql + Sync)).collect()
        }
    }
}

fn keep(rows: &[tokio_postgres::Row]) -> Result<Rows> {
    let mut kept = Rows::default();
    for row in rows {
        kept.push(row::keep_postgres(row)?);
    }
    Ok(kept)
}
