//! The stock writer: every change of stock is decided here, many decisions per transaction.
//!
//! Requests put their command into a bounded queue and wait. One task takes all that have arrived,
//! decides them in arrival order as one [`Batch`], commits once, and answers. Nothing is answered
//! before the commit. While a batch commits the next one gathers: the busier, the larger the
//! batches, the cheaper each decision.
//!
//! The task has a thread to itself: on the shared threads it would queue behind the very handlers
//! that wait for it, and the database would idle meanwhile.

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use runout_core::stock::{Asked, IdRanges, Outcome, Remembered, Rules};
use runout_store::{Db, Error, Ids};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Decided};
use super::footprint::Need;
use crate::platform::clock::Clock;
use crate::platform::config;

/// Order numbers are taken from the database in blocks of this size.
const ORDER_BLOCK: i64 = 1_000;
const LEVEL_BLOCK: i64 = 100;
/// A full batch of checkouts needs a hundred events each at most; what is not used goes back.
const EVENT_BLOCK: i64 = 50_000;
const AUDIT_BLOCK: i64 = 1_000;
/// Payments, refunds, fulfilments.
const MONEY_BLOCK: i64 = 1_000;

/// Bounds of the writer.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Commands that may wait; beyond it callers are told at once.
    pub queue_max: usize,
    /// Commands that are decided in one transaction.
    pub batch_max: usize,
    /// A command that has waited longer is dropped undecided.
    pub deadline: Duration,
    /// The shop's settings for decisions.
    pub rules: Rules,
}

impl From<&config::Config> for Limits {
    fn from(config: &config::Config) -> Self {
        let stock = config.stock;
        Self {
            queue_max: stock.queue_max.get(),
            batch_max: stock.batch_max.get(),
            deadline: stock.order_deadline(),
            rules: Rules {
                hold_s: stock.hold_seconds.get().into(),
                hold_life_s: stock.hold_life_seconds.get().into(),
                country: config.country.code().into(),
            },
        }
    }
}

/// The answer to a command.
#[derive(Debug, Clone)]
pub struct Answer {
    pub outcome: Outcome,
    /// True if this repeats the outcome of an earlier command under the same key.
    pub replayed: bool,
}

/// Why a command was not decided. Nothing has happened, except after [`Error::OutcomeUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    #[error("the queue of the stock writer is full")]
    QueueFull,
    #[error("the command waited longer than its deadline")]
    DeadlinePassed,
    #[error("the stock writer has stopped")]
    Stopped,
    #[error(transparent)]
    Store(Error),
}

struct Pending {
    asked: Asked,
    arrived: Instant,
    reply: oneshot::Sender<Result<Answer, Undecided>>,
}

/// Hands commands to the writer's task. Cheap to share.
pub struct StockWriter {
    queue: mpsc::Sender<Pending>,
    stop: CancellationToken,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl StockWriter {
    /// Starts the writer's thread.
    ///
    /// # Panics
    /// When the operating system cannot start a thread.
    pub fn start(db: Db, clock: Clock, limits: Limits) -> Self {
        let (queue, arrivals) = mpsc::channel(limits.queue_max);
        let stop = CancellationToken::new();
        let ids = Pools {
            orders: Ids::new("orders", ORDER_BLOCK),
            levels: Ids::new("stock_level", LEVEL_BLOCK),
            events: Ids::new("outbox", EVENT_BLOCK),
            audit: Ids::new("audit", AUDIT_BLOCK),
            payments: Ids::new("payment", MONEY_BLOCK),
            refunds: Ids::new("refund", MONEY_BLOCK),
            fulfilments: Ids::new("fulfilment", MONEY_BLOCK),
        };
        let worker = Worker { db, clock, limits, ids };
        let stopping = stop.clone();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(worker.run(arrivals, stopping));
        };
        let thread = std::thread::Builder::new().name("stock-writer".to_owned()).spawn(run);
        let thread = thread.expect("the operating system can start one thread at start-up");
        Self { queue, stop, thread: std::sync::Mutex::new(Some(thread)) }
    }

    /// Has a command decided, and waits for its commit. Dropping the future before the decision
    /// withdraws the command.
    ///
    /// # Errors
    /// [`Undecided`]; the caller may try again.
    pub async fn ask(&self, asked: Asked) -> Result<Answer, Undecided> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Pending { asked, arrived: Instant::now(), reply }).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    metrics::counter!("runout_stock_queue_full_total").increment(1);
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

    /// Takes no more commands, decides those that wait, and gives unused ids back.
    pub async fn stop(&self) {
        self.stop.cancel();
        let thread = self.thread.lock().expect("no holder of this lock can panic").take();
        let Some(thread) = thread else { return };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the stock writer's thread failed");
        }
    }
}

/// A writer that nobody stopped ends by itself, when its queue is dropped.
impl Drop for StockWriter {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Pools {
    orders: Ids,
    levels: Ids,
    events: Ids,
    audit: Ids,
    payments: Ids,
    refunds: Ids,
    fulfilments: Ids,
}

impl Pools {
    fn all(&self) -> [&Ids; 7] {
        let Self { orders, levels, events, audit, payments, refunds, fulfilments } = self;
        [orders, levels, events, audit, payments, refunds, fulfilments]
    }
}

struct Worker {
    db: Db,
    clock: Clock,
    limits: Limits,
    ids: Pools,
}

impl Worker {
    async fn run(self, mut arrivals: mpsc::Receiver<Pending>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(self.limits.batch_max);
        loop {
            let taken = tokio::select! {
                biased;
                taken = arrivals.recv_many(&mut batch, self.limits.batch_max) => taken,
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
        for pool in self.ids.all() {
            if let Err(error) = pool.release(&self.db).await {
                tracing::warn!(%error, "unused ids were not given back; a gap remains");
            }
        }
    }

    /// One batch: drop what nobody waits for, decide the rest, answer.
    async fn ring_up(&self, arrived: Vec<Pending>) {
        let mut asked = Vec::with_capacity(arrived.len());
        let mut replies = Vec::with_capacity(arrived.len());
        for pending in arrived {
            if pending.reply.is_closed() {
                continue; // The client has gone: nobody would know of the order.
            }
            if pending.arrived.elapsed() > self.limits.deadline {
                let _gone = pending.reply.send(Err(Undecided::DeadlinePassed));
                continue;
            }
            metrics::histogram!("runout_stock_wait_seconds").record(pending.arrived.elapsed());
            asked.push(pending.asked);
            replies.push(Some(pending.reply));
        }
        if asked.is_empty() {
            return;
        }
        metrics::histogram!("runout_stock_batch_commands").record(asked.len() as f64);
        self.decide(Arc::new(asked), replies).await;
    }

    /// Decides the batch; one that fails for a reason of its own is halved until the poisoned
    /// command fails alone.
    async fn decide(&self, asked: Arc<Vec<Asked>>, mut replies: Vec<Option<Reply>>) {
        let mut parts = Vec::new();
        parts.push(0..asked.len());
        while let Some(range) = parts.pop() {
            let started = Instant::now();
            match self.attempt(&asked, range.clone()).await {
                Ok(outcomes) => {
                    metrics::histogram!("runout_stock_commit_seconds").record(started.elapsed());
                    answer(&outcomes, &mut replies[range]);
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

    async fn attempt(
        &self,
        asked: &Arc<Vec<Asked>>,
        range: Range<usize>,
    ) -> Result<Vec<Outcome>, Error> {
        let need = Need::of(&asked[range.clone()]);
        let (db, pools) = (&self.db, &self.ids);
        let ids = IdRanges {
            orders: pools.orders.take(db, need.orders).await?,
            levels: pools.levels.take(db, need.levels).await?,
            payments: pools.payments.take(db, need.payments).await?,
            refunds: pools.refunds.take(db, need.refunds).await?,
            fulfilments: pools.fulfilments.take(db, need.fulfilments).await?,
        };
        let event_ids = pools.events.take(db, need.events).await?;
        let audit_ids = pools.audit.take(db, need.audit).await?;
        let (now, rules) = (self.clock.now(), self.limits.rules.clone());
        let asked = Arc::clone(asked);
        let batch = Batch { asked, range, now, rules, ids, event_ids, audit_ids };
        let Decided { outcomes, unused, unused_events, unused_audit } =
            self.db.transact(batch).await?;
        pools.orders.give_back(unused.orders);
        pools.levels.give_back(unused.levels);
        pools.payments.give_back(unused.payments);
        pools.refunds.give_back(unused.refunds);
        pools.fulfilments.give_back(unused.fulfilments);
        pools.events.give_back(unused_events);
        pools.audit.give_back(unused_audit);
        Ok(outcomes)
    }
}

type Reply = oneshot::Sender<Result<Answer, Undecided>>;

/// True if the batch's content may be at fault, so that a part of it may succeed.
fn is_of_its_own(error: &Error) -> bool {
    matches!(
        error,
        Error::Panicked(_) | Error::Constraint { .. } | Error::Other { .. } | Error::Decode { .. }
    )
}

fn answer(outcomes: &[Outcome], replies: &mut [Option<Reply>]) {
    for (outcome, reply) in outcomes.iter().zip(replies) {
        let (outcome, replayed) = match outcome {
            Outcome::Replayed(Remembered::Earlier(index)) => (&outcomes[*index], true),
            Outcome::Replayed(_) => (outcome, true),
            other => (other, false),
        };
        let reply = reply.take().expect("every command is answered once");
        // A client that has gone meanwhile finds its order by its key or in its list.
        let _gone = reply.send(Ok(Answer { outcome: outcome.clone(), replayed }));
    }
}

/// Tells every command of a part that it failed, and of which kind the error is.
fn fail(error: &Error, replies: &mut [Option<Reply>]) {
    tracing::error!(?error, commands = replies.len(), "commands could not be decided");
    for reply in replies {
        let reply = reply.take().expect("every command is answered once");
        let _gone = reply.send(Err(Undecided::Store(error.copy())));
    }
}
