//! What a worker reads of what waits.

use std::sync::Arc;
use std::time::Duration;

use runout_store::{Result, Row, Statement, Value};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::sql;
use super::target::Kind;
use super::window::{Delivery, Failures, Thing};
use super::worker::{DATABASE_PAUSE, Worker};

/// Deliveries that are read at once.
const PAGE: i64 = 1_000;
/// Deliveries that are held; beyond it nothing is read.
const HELD_MAX: usize = 2_500;
/// Deliveries of one thing that are read when its wait ends: few, so that the window has room for
/// many things, since of each only one is under way ...
const OF_THING_MAX: i64 = 16;
/// ... but for a mirror many, since all of them become one call.
const OF_MIRRORED_THING_MAX: i64 = 100;
/// Things that wait for another attempt before nothing new is read.
const THINGS_MAX: usize = 100_000;

impl Worker {
    /// Reads what has waited for another attempt, and begins to read what else waits, if there is
    /// room.
    pub(super) async fn read(&mut self) -> Result<()> {
        let read = self.try_read().await;
        if let Err(error) = &read {
            self.could_not_read(error);
        }
        read
    }

    /// Everything is to be read from the beginning.
    pub(super) fn read_anew(&mut self) {
        self.reading = JoinSet::new();
        (self.more, self.inherited, self.retries_read) = (true, None, false);
    }

    /// Told once: a database that is gone for an hour is one event, not thousands.
    fn could_not_read(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.unread, true) {
            tracing::warn!(%error, "what waits for a destination could not be read");
        }
    }

    /// Takes in a page that was read.
    pub(super) fn take_in(&mut self, page: std::result::Result<Result<Vec<Delivery>>, JoinError>) {
        let failed: Box<dyn std::fmt::Display> = match page {
            Ok(Ok(read)) => {
                self.unread = false;
                let all = (read.len() as i64) < PAGE;
                self.more |= !all;
                if all && self.inherited.is_none() {
                    let newest = read.last().map_or(self.window.mark(), |delivery| delivery.id);
                    self.inherited = Some(newest);
                }
                self.window.take_in(read);
                return;
            }
            Ok(Err(error)) => Box::new(error),
            Err(error) => Box::new(error),
        };
        self.could_not_read(&failed);
        self.more = true;
        self.read_again_at = Instant::now() + DATABASE_PAUSE;
    }

    async fn try_read(&mut self) -> Result<()> {
        if self.lanes.is_empty() {
            return Ok(());
        }
        if !self.retries_read {
            self.read_retries().await?;
            self.retries_read = true;
        }
        self.window.wake(Instant::now());
        // Not while a page is on its way: it may have what ended meanwhile, and a thing that was
        // found to have nothing left would be taken for a new one.
        while self.reading.is_empty()
            && self.window.len() < HELD_MAX
            && let Some(thing) = self.window.next_behind()
        {
            let read = match self.of_thing(&thing).await {
                Ok(read) => read,
                Err(error) => {
                    self.window.still_behind(thing);
                    return Err(error);
                }
            };
            let all = (read.len() as i64) < self.of_thing_max();
            self.window.reread(&thing, read, all);
        }
        let room = self.window.len() + PAGE as usize <= HELD_MAX;
        let reads = self.more && self.reading.is_empty() && self.read_again_at <= Instant::now();
        if !reads || !room || self.window.things() > THINGS_MAX {
            return Ok(());
        }
        let params = vec![
            self.line.target.id.into(),
            self.window.mark().into(),
            self.lane_numbers(),
            PAGE.into(),
        ];
        let statement = Statement::new(&sql::WAITING, params);
        let db = self.line.app.db.clone();
        self.more = false;
        self.reading.spawn(async move { db.read(statement, read_delivery).await });
        Ok(())
    }

    fn lane_numbers(&self) -> Value {
        Value::Ints(self.lanes.keys().map(|lane| i64::from(*lane)).collect())
    }

    fn of_thing_max(&self) -> i64 {
        match self.line.target.kind {
            Kind::Rest => OF_MIRRORED_THING_MAX,
            Kind::Webhook | Kind::Amqp => OF_THING_MAX,
        }
    }

    async fn of_thing(&self, thing: &Thing) -> Result<Vec<Delivery>> {
        let params = vec![
            self.line.target.id.into(),
            Arc::clone(&thing.entity).into(),
            thing.id.into(),
            self.window.mark().into(),
            self.of_thing_max().into(),
        ];
        self.line.app.db.read(Statement::new(&sql::OF_THING, params), read_delivery).await
    }

    /// Things that failed before, so that they wait on.
    async fn read_retries(&mut self) -> Result<()> {
        let params = vec![self.line.target.id.into(), self.lane_numbers()];
        let statement = Statement::new(&sql::RETRIES, params);
        let now = self.line.app.clock.now();
        let retries = self.line.app.db.read(statement, |row| {
            let thing = Thing { entity: row.get(0)?, id: row.get(1)? };
            let failures = Failures {
                count: u32::try_from(row.get::<i64>(2)?).unwrap_or(u32::MAX),
                first_at: row.get(3)?,
                in_doubt: true,
            };
            let due: jiff::Timestamp = row.get(4)?;
            let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            Ok((thing, Instant::now() + wait, failures))
        });
        for (thing, until, failures) in retries.await? {
            self.window.waits(thing, until, failures);
        }
        Ok(())
    }
}

fn read_delivery(row: &Row<'_>) -> Result<Delivery> {
    Ok(Delivery {
        id: row.get(0)?,
        lane: u32::try_from(row.get::<i64>(1)?).unwrap_or(u32::MAX),
        outbox_id: row.get(2)?,
        thing: Thing { entity: row.get(3)?, id: row.get(4)? },
        letter: row.get(5)?,
        topic: row.get(6)?,
        at: row.get(7)?,
        payload: row.get(8)?,
    })
}
