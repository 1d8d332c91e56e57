//! Decides sign-ups and withdrawals, many per transaction, see [`crate::platform::batches`].

use std::ops::Range;
use std::sync::Arc;

use runout_core::event::{Command, Outcome};
use runout_store::{Db, Error, Ids};

use super::batch::{Batch, RECORDS_MAX};
use crate::platform::batches::{Batches, Bounds, Decider, Undecided};
use crate::platform::clock::Clock;
use crate::platform::config::Config;

/// Ids for the outbox are taken from the database in blocks of this size.
const OUTBOX_BLOCK: i64 = 5_000;

/// Hands wishes to the writer's task. Cheap to share.
pub struct EventWriter(Batches<Events>);

impl EventWriter {
    /// Starts the writer's thread, with the bounds of the stock writer.
    ///
    /// # Panics
    /// When the operating system cannot start a thread.
    pub fn start(db: Db, clock: Clock, config: &Config) -> Self {
        let bounds = Bounds {
            queue_max: config.stock.queue_max.get(),
            batch_max: config.stock.batch_max.get(),
            deadline: config.stock.order_deadline(),
        };
        let outbox = Ids::new("outbox", OUTBOX_BLOCK);
        Self(Batches::start(Events { db, clock, outbox }, bounds))
    }

    /// Has a wish decided, and waits for its commit.
    ///
    /// # Errors
    /// [`Undecided`]; the caller may try again.
    pub async fn ask(&self, command: Command) -> Result<Outcome, Undecided> {
        self.0.ask(command).await
    }

    /// Wishes that wait now.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Takes no more wishes, decides those that wait, and gives unused ids back.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

struct Events {
    db: Db,
    clock: Clock,
    outbox: Ids,
}

impl Decider for Events {
    type Command = Command;
    type Outcome = Outcome;
    const NAME: &'static str = "event";

    async fn decide(
        &self,
        commands: &Arc<Vec<Command>>,
        range: Range<usize>,
    ) -> Result<Vec<Outcome>, Error> {
        let outbox = self.outbox.take(&self.db, range.len() as i64 * RECORDS_MAX).await?;
        let now = self.clock.now();
        self.db.transact(Batch { commands: Arc::clone(commands), range, now, outbox }).await
    }

    async fn stopped(&self) {
        if let Err(error) = self.outbox.release(&self.db).await {
            tracing::warn!(%error, "unused ids were not given back; a gap remains");
        }
    }
}
