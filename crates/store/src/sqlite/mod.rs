//! SQLite inside the process: one writer thread with group commit, several read connections.

mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub(crate) use writer::Writer;

use crate::sql::Params;
use crate::{Error, Result, Row, Rows, Statement, Value, row};

/// Connections that only read. Reads take microseconds, so few suffice.
const READERS: usize = 4;
/// How long a statement waits for another process's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that one read may run before it is interrupted.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest that a heavy snapshot may run.
const HEAVY_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Virtual machine steps between two looks at the clock.
const PROGRESS_STEPS: i32 = 20_000;
/// Prepared statements kept per connection.
const STATEMENT_CACHE: usize = 256;

/// An open SQLite database.
pub(crate) struct Sqlite {
    path: PathBuf,
    pub(crate) writer: Writer,
    readers: Vec<Reader>,
    next_reader: AtomicUsize,
}

struct Reader {
    connection: Mutex<Connection>,
    /// When the read in progress must end; shared with the progress handler.
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl Sqlite {
    /// Opens or creates the database, with its folder.
    pub(crate) fn open(path: &Path, durable: bool, commits: Arc<AtomicU64>) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::other(format!("cannot create {}", folder.display()), e))?;
        }
        let writer = Writer::start(connect(path, false, durable)?, commits);
        let readers = (0..READERS).map(|_| Reader::open(path)).collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), writer, readers, next_reader: AtomicUsize::new(0) })
    }

    fn reader(&self) -> (MutexGuard<'_, Connection>, &Reader) {
        let start = self.next_reader.fetch_add(1, Ordering::Relaxed);
        for offset in 0..READERS {
            let reader = &self.readers[(start + offset) % READERS];
            if let Ok(connection) = reader.connection.try_lock() {
                return (connection, reader);
            }
        }
        let reader = &self.readers[start % READERS];
        (reader.connection.lock().expect("no reader panics while it holds the lock"), reader)
    }

    /// Runs one read and maps its rows.
    pub(crate) fn read<T>(
        &self,
        statement: &Statement,
        map: &mut dyn FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (connection, reader) = self.reader();
        reader.guarded(READ_TIMEOUT, || read(&connection, statement, map))
    }

    /// Runs several reads on one snapshot of the database. Heavy ones get a connection of their
    /// own, which takes no reader from the shop, may take its time, and sorts in files.
    pub(crate) fn snapshot(&self, statements: &[Statement]) -> Result<Vec<Rows>> {
        if statements.iter().any(|statement| statement.heavy) {
            let reader = Reader::open(&self.path)?;
            let connection = reader.connection.lock().expect("nobody else has this connection");
            connection
                .pragma_update(None, "temp_store", "file")
                .map_err(|error| Error::sqlite("temp_store", error))?;
            return snapshot(&connection, &reader, HEAVY_TIMEOUT, statements);
        }
        let (connection, reader) = self.reader();
        snapshot(&connection, reader, READ_TIMEOUT, statements)
    }

    /// Copies the live database into a new file, consistently, without stopping writers.
    pub(crate) fn backup(&self, target: &Path) -> Result<()> {
        // Not one that only reads: SQLite takes the copying for a write.
        let connection = connect(&self.path, false, true)?;
        let target = target.to_string_lossy().into_owned();
        connection
            .execute("vacuum into ?1", [target])
            .map_err(|error| Error::sqlite("backup", error))?;
        Ok(())
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let mut connection = connect(path, true, true)?;
        let deadline = Arc::new(Mutex::new(None::<Instant>));
        let seen = Arc::clone(&deadline);
        connection
            .progress_handler(
                PROGRESS_STEPS,
                Some(move || {
                    let deadline = *seen.lock().expect("the deadline's lock is never poisoned");
                    deadline.is_some_and(|deadline| Instant::now() > deadline)
                }),
            )
            .map_err(|error| Error::sqlite("progress handler", error))?;
        Ok(Self { connection: Mutex::new(connection), deadline })
    }

    fn guarded<T>(&self, timeout: Duration, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let set = |value| {
            *self.deadline.lock().expect("the deadline's lock is never poisoned") = value;
        };
        set(Some(Instant::now() + timeout));
        let result = run();
        set(None);
        result
    }
}

fn connect(path: &Path, reads_only: bool, durable: bool) -> Result<Connection> {
    let context = format!("cannot open {}", path.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        // Without this SQLite parses a statement anew when other values are bound to it: a fifth
        // of a product list's time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", if durable { "full" } else { "off" })?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        // Pages of 4 KiB: the writer keeps its hot index pages, a reader its recent ones.
        connection.pragma_update(None, "cache_size", if reads_only { -16_384 } else { -65_536 })?;
        // A long log costs little to read and spares the hot pages from being copied back often.
        connection.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        connection.pragma_update(None, "journal_size_limit", 134_217_728)?;
        connection.pragma_update(None, "query_only", reads_only)?;
        Ok(connection)
    };
    open().map_err(|error| Error::sqlite(&context, error))
}

fn snapshot(
    connection: &Connection,
    reader: &Reader,
    timeout: Duration,
    statements: &[Statement],
) -> Result<Vec<Rows>> {
    let transaction = connection
        .unchecked_transaction()
        .map_err(|error| Error::sqlite("begin of a read", error))?;
    reader.guarded(timeout, || statements.iter().map(|s| load(&transaction, s)).collect())
}

/// Runs a read and maps its rows.
fn read<T>(
    connection: &Connection,
    statement: &Statement,
    map: &mut dyn FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let Params::One(params) = &statement.params else {
        return Err(Error::other(statement.name(), "a bulk statement cannot be read"));
    };
    let failed = |error| Error::sqlite(statement.name(), error);
    let mut prepared = connection.prepare_cached(statement.sqlite()).map_err(failed)?;
    let mut rows = prepared.query(rusqlite::params_from_iter(params)).map_err(failed)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        out.push(map(&Row::Sqlite(row))?);
    }
    Ok(out)
}

/// Runs a read (or a write with `returning`) and keeps its rows.
fn load(connection: &Connection, statement: &Statement) -> Result<Rows> {
    let mut kept = Rows::default();
    let Params::One(params) = &statement.params else {
        return Err(Error::other(statement.name(), "a bulk statement cannot be loaded"));
    };
    let failed = |error| Error::sqlite(statement.name(), error);
    let mut prepared = connection.prepare_cached(statement.sqlite()).map_err(failed)?;
    let columns = prepared.column_count();
    let mut rows = prepared.query(rusqlite::params_from_iter(params)).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        kept.push(row::keep_sqlite(row, columns).map_err(failed)?);
    }
    Ok(kept)
}

/// Runs a write; a bulk write once per row.
fn store(connection: &Connection, statement: &Statement) -> Result<()> {
    let failed = |error| Error::sqlite(statement.name(), error);
    let mut prepared = connection.prepare_cached(statement.sqlite()).map_err(failed)?;
    match &statement.params {
        Params::One(params) => {
            let mut rows = prepared.query(rusqlite::params_from_iter(params)).map_err(failed)?;
            while rows.next().map_err(failed)?.is_some() {}
        }
        Params::Rows(columns) => {
            let count = columns.first().map_or(0, Vec::len);
            for index in 0..count {
                bind(&mut prepared, columns, index).map_err(failed)?;
                prepared.raw_execute().map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn bind(
    prepared: &mut rusqlite::CachedStatement<'_>,
    columns: &[Vec<Value>],
    index: usize,
) -> rusqlite::Result<()> {
    for (number, column) in columns.iter().enumerate() {
        prepared.raw_bind_parameter(number + 1, &column[index])?;
    }
    Ok(())
}

/// Parameters and columns of a statement, for the registry test.
pub(crate) fn describe(connection: &Connection, sql: &str) -> Result<(usize, Vec<String>)> {
    let prepared = connection.prepare(sql).map_err(|error| Error::sqlite(sql, error))?;
    let columns = prepared.column_names().map(str::to_owned).collect();
    Ok((prepared.parameter_count(), columns))
}

impl Sqlite {
    pub(crate) fn describe(&self, sql: &str) -> Result<(usize, Vec<String>)> {
        describe(&self.reader().0, sql)
    }
}
