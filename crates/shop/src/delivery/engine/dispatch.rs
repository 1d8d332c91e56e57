//! Hands the events of the outbox out to the destinations that asked for them: one delivery each.
//!
//! One transaction at a time, on all nodes together, under the lock of `dispatch`. So the ids of
//! deliveries grow in the order of their commits, and whoever reads those above the highest one
//! seen misses none. The outbox itself is read by [`Gaps`], since its ids are taken before the
//! commit.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use runout_core::delivery::{Gap, Gaps, lane_of};
use runout_store::{Error, Result, Row, Rows, Statement, Step, Transaction, Value};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{IDLE_POLL, Wake, sql};
use crate::App;
use crate::delivery::subscription::Subscription;
use crate::platform::command::columns;

/// Events that are handed out in one transaction.
const EVENTS_MAX: i64 = 2_000;
/// A gap is remembered at least so long, whatever the database says of its transactions: between
/// taking a number and being known to have begun lies a moment. Both happen in the statement that
/// stores the event, which the store ends after 20 s. The longer this is, the fewer transactions
/// may fail in a second before there are too many gaps, and everything waits.
const PATIENCE_US: i64 = 60_000_000;

/// What one pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pass {
    pub events: usize,
    pub deliveries: usize,
}

/// Hands out everything that is committed.
///
/// # Errors
/// The database's.
pub(crate) async fn hand_out_all(app: &App) -> Result<Pass> {
    hand_out_in_passes(app, || {}).await
}

/// [`hand_out_all`], which tells of each pass that made deliveries.
async fn hand_out_in_passes(app: &App, mut told: impl FnMut()) -> Result<Pass> {
    let mut sum = Pass::default();
    loop {
        let pass = app.db.transact(HandOut { now: app.clock.now() }).await?;
        sum.events += pass.events;
        sum.deliveries += pass.deliveries;
        if pass.deliveries > 0 {
            told();
        }
        if (pass.events as i64) < EVENTS_MAX {
            return Ok(sum);
        }
    }
}

/// Hands out when the bell rings, and now and then by itself: others' commits ring no bell here.
pub(super) async fn run(app: App, every: Duration, wake: Wake, stop: CancellationToken) {
    let mut bell = app.delivery.bell.hear();
    let (mut failing, mut rang) = (false, true);
    while !stop.is_cancelled() {
        match hand_out(&app, rang, &wake).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "events could not be handed out");
            }
            Err(_) => {}
        }
        // Nobody listens, or the database is gone: the bell is not followed then.
        let idle = !app.delivery.is_listening();
        let every = if idle { IDLE_POLL } else { every };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => rang = false,
            _ = bell.changed(), if !idle && !failing => rang = true,
        }
    }
}

/// Hands out; when nothing rang, it looks first, so that a quiet shop writes nothing. What one pass
/// has handed out is delivered while the next one goes on.
async fn hand_out(app: &App, rang: bool, wake: &Wake) -> Result<()> {
    let anything = || app.db.read_one(Statement::new(&sql::ANYTHING, Vec::new()), |_| Ok(()));
    if !rang && anything().await?.is_none() {
        return Ok(());
    }
    hand_out_in_passes(app, || wake.ring()).await.map(drop)
}

struct HandOut {
    now: Timestamp,
}

struct Event {
    id: i64,
    topic: String,
    entity: String,
    entity_id: i64,
    root: Option<i64>,
}

impl Event {
    /// What it belongs to and what belongs to it are in one lane, and so with one node.
    fn lane(&self) -> u32 {
        match self.root {
            Some(post) => lane_of("post", post).0,
            None => lane_of(&self.entity, self.entity_id).0,
        }
    }
}

fn read_event(row: Row<'_>) -> Result<Event> {
    Ok(Event {
        id: row.get(0)?,
        topic: row.get(1)?,
        entity: row.get(2)?,
        entity_id: row.get(3)?,
        root: row.get(4)?,
    })
}

/// How gaps are stored.
#[derive(Serialize, Deserialize)]
struct StoredGap(i64, i64, i64, i64);

fn read_gaps(row: Row<'_>) -> Result<(Gaps, i64)> {
    let broken = |error: serde_json::Error| Error::Decode { column: 1, reason: error.to_string() };
    let stored: Vec<StoredGap> = serde_json::from_str(&row.get::<String>(1)?).map_err(broken)?;
    let gap = |StoredGap(first, last, filled_before, since_us)| Gap {
        first,
        last,
        filled_before,
        since_us,
    };
    let gaps = stored.into_iter().map(gap).collect();
    Ok((Gaps { mark: row.get(0)?, gaps }, row.get(2)?))
}

impl Transaction for HandOut {
    type Output = Pass;

    fn name(&self) -> &'static str {
        "hand_out"
    }

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&sql::DISPATCH, Vec::new())]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Pass>> {
        let row = loaded[0].map(read_gaps)?.pop();
        let lost = || Error::Decode { column: 0, reason: "dispatch has lost its row".to_owned() };
        let (mut gaps, next_delivery) = row.ok_or_else(lost)?;
        // In this order: what the first one says has ended is seen by the next two, and what they
        // do not see began before the last one.
        let [_, before, in_gaps, above, after, listeners] = loaded else {
            let (firsts, lasts) = gaps.gaps.iter().map(|gap| (gap.first, gap.last)).unzip();
            return Ok(Step::Load(vec![
                Statement::new(&sql::TRANSACTIONS, Vec::new()),
                Statement::new(&sql::IN_GAPS, vec![Value::Ints(firsts), Value::Ints(lasts)]),
                Statement::new(&sql::ABOVE, vec![gaps.mark.into(), EVENTS_MAX.into()]),
                Statement::new(&sql::TRANSACTIONS, Vec::new()),
                Statement::new(&sql::LISTENERS, Vec::new()),
            ]));
        };
        let number = |rows: &Rows, column| rows.first().map_or(Ok(0), |row| row.get::<i64>(column));
        let (ended, started) = (number(before, 0)?, number(after, 1)?);
        let had_gaps = gaps.clone();
        let found = in_gaps.map(read_event)?.into_iter().chain(above.map(read_event)?);
        let events: BTreeMap<i64, Event> = found.map(|event| (event.id, event)).collect();
        let mut seen: Vec<i64> = events.keys().copied().collect();
        gaps.take_in(&mut seen, ended, started, self.now.as_microsecond(), PATIENCE_US);
        if gaps == had_gaps {
            return Ok(Step::Store(Vec::new(), Pass::default()));
        }
        let listeners = listeners.map(|row| Subscription::read(&row))?;
        let mut rows = Vec::new();
        let mut next = next_delivery;
        for event in seen.iter().map(|id| &events[id]) {
            let lane = i64::from(event.lane());
            for to in listeners.iter().filter(|s| s.wants(&event.topic, &event.entity)) {
                rows.push(vec![
                    to.destination_id.into(),
                    next.into(),
                    lane.into(),
                    event.id.into(),
                    event.entity.as_str().into(),
                    event.entity_id.into(),
                    self.now.into(),
                ]);
                next += 1;
            }
        }
        let pass = Pass { events: seen.len(), deliveries: rows.len() };
        let gap = |gap: &Gap| StoredGap(gap.first, gap.last, gap.filled_before, gap.since_us);
        let stored: Vec<StoredGap> = gaps.gaps.iter().map(gap).collect();
        let stored = serde_json::to_string(&stored).expect("numbers can be written as JSON");
        let moved = vec![gaps.mark.into(), stored.into(), next.into()];
        let statements = vec![
            Statement::bulk(&sql::HAND_OUT, columns(rows, 7)),
            Statement::new(&sql::MOVE_ON, moved),
        ];
        Ok(Step::Store(statements, pass))
    }
}
