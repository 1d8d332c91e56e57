//! The one connection that writes, on a thread of its own, with group commit.
//!
//! Jobs that have arrived are run together: one `begin immediate`, a savepoint per job, one commit
//! (one fsync), and only then the answers. A job that fails rolls back to its savepoint and harms
//! nobody else; a commit that fails fails everyone in the group, truthfully. A job that is alone
//! needs no savepoint, which would copy every page before its change (a sixth of a stock batch).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{load, store};
use crate::transaction::{LOAD_ROUNDS_MAX, Step, Transaction, decide};
use crate::{Error, Result};

/// Jobs that may wait; beyond it the caller is told at once that the database is overloaded.
const QUEUE_MAX: usize = 8_192;
/// Jobs that share a commit.
const GROUP_MAX: usize = 512;

/// Sends jobs to the writer thread. Dropping it ends the thread after the jobs that wait.
pub(crate) struct Writer {
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// One unit of work of a group.
trait Job: Send {
    /// Runs inside a savepoint. False: undo it, the job has failed.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Answers the caller: with what `run` came to, or with why nothing was committed.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// Work with its result and the caller who waits for it.
struct Work<T, F> {
    run: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&Connection) -> Result<T> + Send> Job for Work<T, F> {
    fn run(&mut self, connection: &Connection) -> bool {
        let result = (self.run)(connection);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => unreachable!("a committed job has run"),
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
        };
        // The caller may have gone; the commit stands all the same.
        let _gone = self.reply.send(result);
    }
}

impl Writer {
    /// `commits` is counted up after each commit, before anybody is told of it.
    pub(crate) fn start(connection: Connection, commits: Arc<AtomicU64>) -> Self {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || run(&connection, &queue, &commits))
            .expect("the operating system can start one thread at start-up");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Runs the transaction on the writer thread and waits for its commit.
    pub(crate) async fn transact<T: Transaction>(&self, tx: Arc<T>) -> Result<T::Output> {
        self.with(move |connection| attempt(connection, &*tx)).await
    }

    /// Runs `work` in a savepoint of its own and waits for the commit.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Error::Unavailable("the writer has stopped".into());
        let jobs = self.jobs.as_ref().expect("the sender lives until drop");
        jobs.try_send(Box::new(Work { run: work, result: None, reply })).map_err(|error| {
            match error {
                TrySendError::Full(_) => Error::Overloaded,
                TrySendError::Disconnected(_) => stopped(),
            }
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook already.
            let _panicked = thread.join();
        }
    }
}

/// Load, decide, store; without a commit of its own.
fn attempt<T: Transaction>(connection: &Connection, tx: &T) -> Result<T::Output> {
    let mut loaded = Vec::new();
    let mut wanted = tx.load();
    for _ in 0..LOAD_ROUNDS_MAX {
        for statement in &wanted {
            loaded.push(load(connection, statement)?);
        }
        match decide(tx, &loaded)? {
            Step::Load(more) => wanted = more,
            Step::Store(statements, output) => {
                for statement in &statements {
                    store(connection, statement)?;
                }
                return Ok(output);
            }
        }
    }
    Err(Error::other(tx.name(), "the decision kept asking for more rows"))
}

fn run(connection: &Connection, queue: &Receiver<Box<dyn Job>>, commits: &AtomicU64) {
    while let Ok(first) = queue.recv() {
        let mut group = Vec::with_capacity(16);
        group.push(first);
        while group.len() < GROUP_MAX
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        metrics::histogram!("runout_sqlite_group_jobs").record(group.len() as f64);
        commit_group(connection, group, commits);
    }
    // Copies the log back, so that a stopped shop is one file.
    let _best_effort = connection.execute_batch("pragma wal_checkpoint(truncate); pragma optimize");
}

fn commit_group(connection: &Connection, mut group: Vec<Box<dyn Job>>, commits: &AtomicU64) {
    if let Err(error) = execute(connection, "begin immediate") {
        // Another process holds the write lock: nothing has run, so every job may be tried again.
        let reason = error.to_string();
        fail(group, || Error::Conflict(reason.clone().into()));
        return;
    }
    if group.len() == 1 {
        return commit_alone(connection, group.remove(0), commits);
    }
    let mut done = Vec::with_capacity(group.len());
    let mut waiting = group.into_iter();
    while let Some(mut job) = waiting.next() {
        let kept = run_one(connection, &mut *job);
        match kept {
            Ok(true) => done.push(job),
            Ok(false) => job.answer(Ok(())),
            Err(_) => done.push(job),
        }
        if kept.is_err() || connection.is_autocommit() {
            // SQLite itself has rolled everything back (disk full, I/O error, out of memory).
            let _nothing_open = execute(connection, "rollback");
            done.extend(waiting);
            fail(done, || Error::Unavailable("SQLite rolled the group back".into()));
            return;
        }
    }
    commit(connection, done, commits);
}

fn commit_alone(connection: &Connection, mut job: Box<dyn Job>, commits: &AtomicU64) {
    if job.run(connection) && !connection.is_autocommit() {
        return commit(connection, vec![job], commits);
    }
    let rolled_back = connection.is_autocommit();
    let _nothing_open = execute(connection, "rollback");
    job.answer(if rolled_back {
        Err(Error::Unavailable("SQLite rolled the transaction back".into()))
    } else {
        Ok(())
    });
}

fn commit(connection: &Connection, done: Vec<Box<dyn Job>>, commits: &AtomicU64) {
    match execute(connection, "commit") {
        Ok(()) => {
            commits.fetch_add(1, Ordering::SeqCst);
            done.into_iter().for_each(|job| job.answer(Ok(())));
        }
        Err(error) => {
            let reason = error.to_string();
            let _nothing_open = execute(connection, "rollback");
            fail(done, || Error::Unavailable(reason.clone().into()));
        }
    }
}

/// Runs the job in a savepoint; `Ok(false)` when it failed and was undone.
fn run_one(connection: &Connection, job: &mut dyn Job) -> Result<bool> {
    execute(connection, "savepoint job")?;
    let keep = job.run(connection);
    if !connection.is_autocommit() {
        if !keep {
            execute(connection, "rollback to job")?;
        }
        execute(connection, "release job")?;
    }
    Ok(keep)
}

fn execute(connection: &Connection, sql: &'static str) -> Result<()> {
    let failed = |error| Error::sqlite(sql, error);
    connection.prepare_cached(sql).map_err(failed)?.execute([]).map(drop).map_err(failed)
}

fn fail(jobs: Vec<Box<dyn Job>>, error: impl Fn() -> Error) {
    for job in jobs {
        job.answer(Err(error()));
    }
}
