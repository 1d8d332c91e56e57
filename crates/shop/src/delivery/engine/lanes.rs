//! Which lanes this node delivers: leases, in the database, so that several nodes share the work
//! and one that dies is replaced.
//!
//! Every node renews its leases at a third of their length. A node that cannot stops delivering
//! when they end, by its own clock; another may take a lane only after that. Nodes' clocks must
//! agree to within a fraction of a lease. A lane's epoch grows with every holder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use runout_core::delivery::{LANES, share};
use runout_store::{Result, Row, Rows, Statement, Step, Transaction, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sql;
use crate::App;
use crate::platform::command::columns;

/// What this node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Names this process in the leases.
    pub holder: Arc<str>,
    /// Lanes with the epoch in which they are held.
    pub lanes: Arc<BTreeMap<u32, i64>>,
    /// Lanes that others are to have: held until what is under way in them has ended.
    yielding: Arc<BTreeSet<u32>>,
    /// When the leases end, if they are not renewed.
    pub until: Instant,
}

impl Holding {
    fn nothing(holder: Arc<str>) -> Self {
        let (lanes, yielding) = Default::default();
        Self { holder, lanes, yielding, until: Instant::now() }
    }
}

/// Attempts under way in each lane, those included of which the end is not stored yet.
#[derive(Debug, Default)]
pub(crate) struct Busy([AtomicU32; LANES as usize]);

impl Busy {
    pub(super) fn begin(&self, lane: u32) {
        self.0[lane as usize].fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end(&self, lane: u32) {
        self.0[lane as usize].fetch_sub(1, Ordering::SeqCst);
    }

    fn is(&self, lane: u32) -> bool {
        self.0[lane as usize].load(Ordering::SeqCst) > 0
    }
}

/// Keeps leases until it is stopped, then gives them back.
pub(super) async fn keep(
    app: App,
    lease: Duration,
    holding: watch::Sender<Holding>,
    busy: Arc<Busy>,
    stop: CancellationToken,
) {
    let holder = Arc::clone(&holding.borrow().holder);
    let mut failing = false;
    loop {
        let asked = Instant::now();
        let yielding = Arc::clone(&holding.borrow().yielding);
        let yielded = yielding.iter().copied().filter(|lane| !busy.is(*lane)).collect();
        let renewal = Renew { yielded, ..Renew::new(&app, &holder, lease) };
        match app.db.transact(renewal).await {
            Ok(Renewed { lanes, yielding }) => {
                failing = false;
                holding.send_replace(Holding {
                    holder: Arc::clone(&holder),
                    lanes: Arc::new(lanes),
                    yielding: Arc::new(yielding),
                    until: asked + lease,
                });
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "the leases of delivery could not be renewed");
            }
            Err(_) => {}
        }
        if asked.elapsed() > lease || holding.borrow().until < Instant::now() {
            holding.send_if_modified(|held| {
                let lost = held.until < Instant::now() && !held.lanes.is_empty();
                if lost {
                    *held = Holding::nothing(Arc::clone(&holder));
                }
                lost
            });
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(lease / 3) => {}
        }
    }
}

/// Gives the leases back, so that others need not wait for their end.
pub(super) async fn give_back(app: &App, holder: &Arc<str>) {
    let nothing = Renew { share_max: Some(0), ..Renew::new(app, holder, Duration::ZERO) };
    if let Err(error) = app.db.transact(nothing).await {
        tracing::warn!(%error, "the leases of delivery were not given back; they will end");
    }
}

/// A new holder's name.
pub(super) fn holder() -> Arc<str> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system has randomness");
    format!("{}-{:016x}", std::process::id(), u64::from_le_bytes(random)).into()
}

pub(super) fn start(holder: Arc<str>) -> watch::Sender<Holding> {
    watch::Sender::new(Holding::nothing(holder))
}

/// Renews the leases, takes lanes that nobody holds, and gives up what is more than a fair share.
struct Renew {
    holder: Arc<str>,
    now: Timestamp,
    lease: Duration,
    /// Instead of the fair share.
    share_max: Option<usize>,
    /// Lanes in which nothing is under way, and nothing has begun since they were to be given up.
    yielded: BTreeSet<u32>,
}

/// What is held after a renewal.
struct Renewed {
    lanes: BTreeMap<u32, i64>,
    yielding: BTreeSet<u32>,
}

impl Renew {
    fn new(app: &App, holder: &Arc<str>, lease: Duration) -> Self {
        let (holder, now) = (Arc::clone(holder), app.clock.now());
        Self { holder, now, lease, share_max: None, yielded: BTreeSet::new() }
    }
}

struct Lease {
    lane: u32,
    holder: Option<String>,
    epoch: i64,
    ends_at: Option<Timestamp>,
}

fn read_lease(row: Row<'_>) -> Result<Lease> {
    Ok(Lease {
        lane: u32::try_from(row.get::<i64>(0)?).unwrap_or(u32::MAX),
        holder: row.get(1)?,
        epoch: row.get(2)?,
        ends_at: row.get(3)?,
    })
}

impl Transaction for Renew {
    type Output = Renewed;

    fn name(&self) -> &'static str {
        "renew_lanes"
    }

    fn load(&self) -> Vec<Statement> {
        vec![
            Statement::new(&sql::LEASES, Vec::new()),
            Statement::new(&sql::NODES, vec![self.now.into()]),
        ]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Self::Output>> {
        let mut leases = loaded[0].map(read_lease)?;
        let nodes = loaded[1].map(|row| row.get::<String>(0))?;
        let others = nodes.iter().filter(|node| **node != *self.holder).count();
        let may_hold = self.share_max.unwrap_or_else(|| share(others + 1));
        let ends_at = self.now + self.lease;
        let mut renewed = Renewed { lanes: BTreeMap::new(), yielding: BTreeSet::new() };
        let mut changes = Vec::new();
        // What is held already comes first: lanes should not wander.
        leases.sort_by_key(|lease| lease.holder.as_deref() != Some(&*self.holder));
        for lease in leases {
            let mine = lease.holder.as_deref() == Some(&*self.holder);
            let free = lease.holder.is_none() || lease.ends_at.is_none_or(|end| end < self.now);
            let room = renewed.lanes.len() < may_hold;
            let gives_up = self.share_max.is_some() || self.yielded.contains(&lease.lane);
            let (keeps, epoch) = match (mine, free) {
                (_, true) if room => (true, lease.epoch + 1),
                (true, false) if room || !gives_up => (true, lease.epoch),
                (true, _) => (false, lease.epoch),
                (false, _) => continue,
            };
            match (keeps, room) {
                (true, true) => _ = renewed.lanes.insert(lease.lane, epoch),
                (true, false) => _ = renewed.yielding.insert(lease.lane),
                (false, _) => {}
            }
            changes.push(vec![
                i64::from(lease.lane).into(),
                keeps.then(|| Arc::clone(&self.holder)).into(),
                epoch.into(),
                keeps.then_some(ends_at).into(),
            ]);
        }
        let holder = Value::from(Arc::clone(&self.holder));
        let presence = match self.share_max {
            Some(0) => Statement::new(&sql::FORGET, vec![self.now.into(), holder]),
            _ => Statement::new(&sql::SEEN, vec![holder, ends_at.into()]),
        };
        Ok(Step::Store(vec![Statement::bulk(&sql::HOLD, columns(changes, 4)), presence], renewed))
    }
}
