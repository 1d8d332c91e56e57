//! Decides sign-ups and withdrawals, many per transaction, see [`crate::platform::batches`].

use std::ops::Range;
use std::sync::Arc;

use runout_core::event::{Command, Outcome};
use runout_store::{Db, Error};

use super::batch::Batch;
use crate::delivery::live::Bell;
use crate::platform::batches::{Batches, Bounds, Decider, Undecided};
use crate::platform::clock::Clock;
use crate::platform::config::Config;

/// Hands wishes to the writer's task. Cheap to share.
pub struct EventWriter(Batches<Events>);

impl EventWriter {
    /// Starts the writer's thread, with the bounds of the stock writer; it rings the bell after
    /// every commit.
    ///
    /// # Panics
    /// When the operating system cannot start a thread.
    pub fn start(db: Db, clock: Clock, config: &Config, bell: Bell) -> Self {
        let bounds = Bounds {
            queue_max: config.stock.queue_max.get(),
            batch_max: config.stock.batch_max.get(),
            deadline: config.stock.order_deadline(),
        };
        Self(Batches::start(Events { db, clock, bell }, bounds))
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

    /// Takes no more wishes, and decides those that wait.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

struct Events {
    db: Db,
    clock: Clock,
    bell: Bell,
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
        let now = self.clock.now();
        let batch = Batch { commands: Arc::clone(commands), range, now };
        let outcomes = self.db.transact(batch).await?;
        self.bell.ring();
        Ok(outcomes)
    }
}
