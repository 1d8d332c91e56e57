//! The stock writer: every change of stock is decided here, many decisions per transaction, see
//! [`crate::platform::batches`].

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runout_core::stock::{Asked, IdRanges, Outcome, Remembered, Rules};
use runout_store::{Db, Error, Ids};

use super::batch::{Batch, Decided};
use super::footprint::Need;
use super::refusals::{Reason, Refusals};
use crate::delivery::live::Bell;
use crate::platform::batches::{Batches, Bounds, Decider};
use crate::platform::clock::Clock;
use crate::platform::config;

pub use crate::platform::batches::Undecided;

/// Order numbers are taken from the database in blocks of this size.
const ORDER_BLOCK: i64 = 1_000;
const LEVEL_BLOCK: i64 = 100;
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

/// Hands commands to the writer's task. Cheap to share.
pub struct StockWriter {
    batches: Batches<Stock>,
    clock: Clock,
    /// What buyers were refused.
    pub refusals: Refusals,
    /// Commands of the newest batch.
    last_batch: Arc<AtomicUsize>,
}

impl StockWriter {
    /// Starts the writer's thread, which rings the bell after every commit.
    ///
    /// # Panics
    /// When the operating system cannot start a thread.
    pub fn start(db: Db, clock: Clock, limits: Limits, bell: Bell) -> Self {
        let Limits { queue_max, batch_max, deadline, rules } = limits;
        let ids = Pools {
            orders: Ids::new("orders", ORDER_BLOCK),
            levels: Ids::new("stock_level", LEVEL_BLOCK),
            audit: Ids::new("audit", AUDIT_BLOCK),
            payments: Ids::new("payment", MONEY_BLOCK),
            refunds: Ids::new("refund", MONEY_BLOCK),
            fulfilments: Ids::new("fulfilment", MONEY_BLOCK),
        };
        let bounds = Bounds { queue_max, batch_max, deadline };
        let last_batch = Arc::new(AtomicUsize::new(0));
        let own = (clock.clone(), Arc::clone(&last_batch));
        let batches = Batches::start(Stock { db, clock, rules, ids, last_batch, bell }, bounds);
        let (clock, last_batch) = own;
        Self { batches, clock, refusals: Refusals::default(), last_batch }
    }

    /// Has a command decided, and waits for its commit. Dropping the future before the decision
    /// withdraws the command.
    ///
    /// # Errors
    /// [`Undecided`]; the caller may try again.
    pub async fn ask(&self, asked: Asked) -> Result<Answer, Undecided> {
        let answer = self.batches.ask(asked).await;
        let refused = match &answer {
            Ok(answer) => Reason::of(&answer.outcome),
            Err(error) => Reason::of_undecided(error),
        };
        if let Some(reason) = refused {
            self.refusals.count(self.clock.now(), reason);
        }
        answer
    }

    /// Commands that wait now.
    pub fn waiting(&self) -> usize {
        self.batches.waiting()
    }

    /// Commands that may wait.
    pub fn waiting_max(&self) -> usize {
        self.batches.waiting_max()
    }

    /// Commands of the newest batch.
    pub fn last_batch(&self) -> usize {
        self.last_batch.load(Ordering::Relaxed)
    }

    /// Takes no more commands, decides those that wait, and gives unused ids back.
    pub async fn stop(&self) {
        self.batches.stop().await;
    }
}

struct Pools {
    orders: Ids,
    levels: Ids,
    audit: Ids,
    payments: Ids,
    refunds: Ids,
    fulfilments: Ids,
}

impl Pools {
    fn all(&self) -> [&Ids; 6] {
        let Self { orders, levels, audit, payments, refunds, fulfilments } = self;
        [orders, levels, audit, payments, refunds, fulfilments]
    }
}

struct Stock {
    db: Db,
    clock: Clock,
    rules: Rules,
    ids: Pools,
    last_batch: Arc<AtomicUsize>,
    bell: Bell,
}

impl Decider for Stock {
    type Command = Asked;
    type Outcome = Answer;
    const NAME: &'static str = "stock";

    async fn decide(
        &self,
        asked: &Arc<Vec<Asked>>,
        range: Range<usize>,
    ) -> Result<Vec<Answer>, Error> {
        self.last_batch.store(asked.len(), Ordering::Relaxed);
        let need = Need::of(&asked[range.clone()]);
        let (db, pools) = (&self.db, &self.ids);
        let ids = IdRanges {
            orders: pools.orders.take(db, need.orders).await?,
            levels: pools.levels.take(db, need.levels).await?,
            payments: pools.payments.take(db, need.payments).await?,
            refunds: pools.refunds.take(db, need.refunds).await?,
            fulfilments: pools.fulfilments.take(db, need.fulfilments).await?,
        };
        let audit_ids = pools.audit.take(db, need.audit).await?;
        let (now, rules) = (self.clock.now(), self.rules.clone());
        let asked = Arc::clone(asked);
        let batch = Batch { asked, range, now, rules, ids, audit_ids };
        let Decided { outcomes, unused, unused_audit } = self.db.transact(batch).await?;
        self.bell.ring();
        pools.orders.give_back(unused.orders);
        pools.levels.give_back(unused.levels);
        pools.payments.give_back(unused.payments);
        pools.refunds.give_back(unused.refunds);
        pools.fulfilments.give_back(unused.fulfilments);
        pools.audit.give_back(unused_audit);
        Ok(answers(&outcomes))
    }

    async fn stopped(&self) {
        for pool in self.ids.all() {
            if let Err(error) = pool.release(&self.db).await {
                tracing::warn!(%error, "unused ids were not given back; a gap remains");
            }
        }
    }
}

/// What each command's client is told: who repeated a command of the same batch gets its outcome.
fn answers(outcomes: &[Outcome]) -> Vec<Answer> {
    let answer = |outcome: &Outcome| {
        let (outcome, replayed) = match outcome {
            Outcome::Replayed(Remembered::Earlier(index)) => (&outcomes[*index], true),
            Outcome::Replayed(_) => (outcome, true),
            other => (other, false),
        };
        Answer { outcome: outcome.clone(), replayed }
    };
    outcomes.iter().map(answer).collect()
}
