//! Commands decided in batches, many per database transaction.
//!
//! Requests put their command into a bounded queue and wait. One task takes all that have arrived,
//! decides them in arrival order, commits once, and answers. Nothing is answered before the commit.
//! While a batch commits the next one gathers: the busier, the larger the batches, the cheaper each
//! decision. A batch that fails for a reason of its own is halved until the poisoned command fails
//! alone.
//!
//! The task has a thread to itself: on the shared threads it would queue behind the very handlers
//! that wait for it, and the database would idle meanwhile.

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::{Histogram, counter, histogram};
use runout_store::Error;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Commands that may wait; beyond it callers are told at once.
    pub queue_max: usize,
    /// Commands that are decided in one transaction.
    pub batch_max: usize,
    /// A command that has waited longer is dropped undecided.
    pub deadline: Duration,
}

/// Decides commands.
pub trait Decider: Send + 'static {
    type Command: Send + Sync + 'static;
    type Outcome: Send + 'static;
    /// Names the thread and the metrics, such as `stock`.
    const NAME: &'static str;

    /// Decides the commands of a range in their order, in one transaction, after whose commit it
    /// gives their outcomes.
    fn decide(
        &self,
        commands: &Arc<Vec<Self::Command>>,
        range: Range<usize>,
    ) -> impl Future<Output = Result<Vec<Self::Outcome>, Error>>;

    /// Called once, after the last batch.
    fn stopped(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

/// Why a command was not decided. Nothing has happened, except after [`Error::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    #[error("the queue of the writer is full")]
    QueueFull,
    #[error("the command waited longer than its deadline")]
    DeadlinePassed,
    #[error("the writer has stopped")]
    Stopped,
    #[error(transparent)]
    Store(Error),
}

type Reply<O> = oneshot::Sender<Result<O, Undecided>>;

struct Pending<D: Decider> {
    command: D::Command,
    arrived: Instant,
    reply: Reply<D::Outcome>,
}

/// Hands commands to the task that decides them. Cheap to share.
pub struct Batches<D: Decider> {
    queue: mpsc::Sender<Pending<D>>,
    stop: CancellationToken,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl<D: Decider> Batches<D> {
    /// Starts the thread.
    ///
    /// # Panics
    /// When the operating system cannot start a thread.
    pub fn start(decider: D, bounds: Bounds) -> Self {
        let (queue, arrivals) = mpsc::channel(bounds.queue_max);
        let stop = CancellationToken::new();
        let worker = Worker {
            decider,
            bounds,
            wait_seconds: histogram!(format!("runout_{}_wait_seconds", D::NAME)),
            batch_commands: histogram!(format!("runout_{}_batch_commands", D::NAME)),
            commit_seconds: histogram!(format!("runout_{}_commit_seconds", D::NAME)),
        };
        let stopping = stop.clone();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(worker.run(arrivals, stopping));
        };
        let thread = std::thread::Builder::new().name(format!("{}-writer", D::NAME)).spawn(run);
        let thread = thread.expect("the operating system can start one thread at start-up");
        Self { queue, stop, thread: std::sync::Mutex::new(Some(thread)) }
    }

    /// Has a command decided, and waits for its commit. Dropping the future before the decision
    /// withdraws the command.
    ///
    /// # Errors
    /// [`Undecided`]; the caller may try again.
    pub async fn ask(&self, command: D::Command) -> Result<D::Outcome, Undecided> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Pending { command, arrived: Instant::now(), reply }).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    counter!(format!("runout_{}_queue_full_total", D::NAME)).increment(1);
                    Undecided::QueueFull
                }
                mpsc::error::TrySendError::Closed(_) => Undecided::Stopped,
            },
        )?;
        answer.await.unwrap_or(Err(Undecided::Stopped))
    }

    /// Commands that wait now.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Commands that may wait.
    pub fn waiting_max(&self) -> usize {
        self.queue.max_capacity()
    }

    /// Takes no more commands, and decides those that wait.
    pub async fn stop(&self) {
        self.stop.cancel();
        let thread = self.thread.lock().expect("no holder of this lock can panic").take();
        let Some(thread) = thread else { return };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!(writer = D::NAME, "the writer's thread failed");
        }
    }
}

/// A queue that nobody stopped ends by itself, when it is dropped.
impl<D: Decider> Drop for Batches<D> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Worker<D> {
    decider: D,
    bounds: Bounds,
    wait_seconds: Histogram,
    batch_commands: Histogram,
    commit_seconds: Histogram,
}

impl<D: Decider> Worker<D> {
    async fn run(self, mut arrivals: mpsc::Receiver<Pending<D>>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(self.bounds.batch_max);
        loop {
            let taken = tokio::select! {
                biased;
                taken = arrivals.recv_many(&mut batch, self.bounds.batch_max) => taken,
                () = stop.cancelled(), if !arrivals.is_closed() => {
                    arrivals.close();
                    continue;
                }
            };
            if taken == 0 {
                break;
            }
            self.ring_up(std::mem::take(&mut batch)).await;
        }
        self.decider.stopped().await;
    }

    /// One batch: drop what nobody waits for, decide the rest, answer.
    async fn ring_up(&self, arrived: Vec<Pending<D>>) {
        let mut commands = Vec::with_capacity(arrived.len());
        let mut replies = Vec::with_capacity(arrived.len());
        for pending in arrived {
            if pending.reply.is_closed() {
                continue; // The client has gone: nobody would know of the outcome.
            }
            if pending.arrived.elapsed() > self.bounds.deadline {
                let _gone = pending.reply.send(Err(Undecided::DeadlinePassed));
                continue;
            }
            self.wait_seconds.record(pending.arrived.elapsed());
            commands.push(pending.command);
            replies.push(Some(pending.reply));
        }
        if commands.is_empty() {
            return;
        }
        self.batch_commands.record(commands.len() as f64);
        self.decide(Arc::new(commands), replies).await;
    }

    async fn decide(
        &self,
        commands: Arc<Vec<D::Command>>,
        mut replies: Vec<Option<Reply<D::Outcome>>>,
    ) {
        let mut parts = Vec::new();
        parts.push(0..commands.len());
        while let Some(range) = parts.pop() {
            let started = Instant::now();
            match self.decider.decide(&commands, range.clone()).await {
                Ok(outcomes) => {
                    self.commit_seconds.record(started.elapsed());
                    answer(outcomes, &mut replies[range]);
                }
                Err(error) if range.len() > 1 && is_of_its_own(&error) => {
                    tracing::warn!(%error, commands = range.len(), "batch failed; halving it");
                    let middle = range.start + range.len() / 2;
                    // The first half is decided first: arrival order is kept.
                    parts.push(middle..range.end);
                    parts.push(range.start..middle);
                }
                Err(error) => fail(&error, &mut replies[range]),
            }
        }
    }
}

/// True if the batch's content may be at fault, so that a part of it may succeed.
fn is_of_its_own(error: &Error) -> bool {
    matches!(
        error,
        Error::Panicked(_) | Error::Constraint { .. } | Error::Other { .. } | Error::Decode { .. }
    )
}

fn answer<O>(outcomes: Vec<O>, replies: &mut [Option<Reply<O>>]) {
    assert_eq!(outcomes.len(), replies.len(), "every command has an outcome");
    for (outcome, reply) in outcomes.into_iter().zip(replies) {
        let reply = reply.take().expect("every command is answered once");
        // A client that has gone meanwhile finds what became of it where it would look.
        let _gone = reply.send(Ok(outcome));
    }
}

/// Tells every command of a part that it failed, and of which kind the error is.
fn fail<O>(error: &Error, replies: &mut [Option<Reply<O>>]) {
    tracing::error!(?error, commands = replies.len(), "commands could not be decided");
    for reply in replies {
        let reply = reply.take().expect("every command is answered once");
        let _gone = reply.send(Err(Undecided::Store(error.copy())));
    }
}
