//! Delivers to one destination: reads what waits, keeps attempts under way, stores what became of
//! them. A task per destination, so that none waits for another; what they share is the number of
//! attempts under way, handed out in the order in which they ask.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use runout_core::delivery::{Breaker, Pace};
use runout_store::Result as DbResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Attempted, Came, Failure, FailureKind, Job, Line};
use super::lanes::{Busy, Holding};
use super::refresh;
use super::settings::Settings;
use super::settle::{End, Obituary, Settle, Settled};
use super::target::Kind;
use super::window::{Delivery, Failures, Hashing, Thing, Window};

/// Ends that are stored in one transaction.
const SETTLED_MAX: usize = 1_000;
/// While there is other work, so many ends are gathered before they are stored ...
const GATHERED: usize = SETTLED_MAX;
/// ... or for so long.
const GATHER_MAX: Duration = Duration::from_millis(20);
/// Pause after the database could not store or read.
pub(super) const DATABASE_PAUSE: Duration = Duration::from_millis(200);
/// Pause of a thing that must let another one go first.
const NOT_YET: Duration = Duration::from_millis(100);

/// An attempt that has ended.
struct Done {
    job: Arc<Job>,
    attempted: Attempted,
    _slot: OwnedSemaphorePermit,
}

/// See the module.
pub(super) struct Worker {
    pub(super) line: Arc<Line>,
    settings: Settings,
    holding: watch::Receiver<Holding>,
    wake: watch::Receiver<()>,
    busy: Arc<Busy>,
    slots: Arc<Semaphore>,
    pub(super) window: Window,
    pace: Pace,
    breaker: Breaker,
    began: Instant,
    attempts: JoinSet<Done>,
    /// Things under way, by the turn in which they began, with their lanes.
    under_way: HashMap<Thing, (u64, u32), Hashing>,
    turn: u64,
    /// Ends that are not stored yet.
    settled: Vec<Ended>,
    /// Since when the oldest of them waits.
    gathering_since: Instant,
    storing: JoinSet<Stored>,
    /// A page of what waits, read beside the attempts.
    pub(super) reading: JoinSet<DbResult<Vec<Delivery>>>,
    /// Nothing is read before: the last reading failed.
    pub(super) read_again_at: Instant,
    /// Things that others wait for, and that were given a delivery.
    sent_for: JoinSet<()>,
    /// There may be more to read.
    pub(super) more: bool,
    /// Deliveries up to this id were there when this worker began to hold their lanes; none: they
    /// are still being read.
    pub(super) inherited: Option<i64>,
    pub(super) retries_read: bool,
    /// The last reading failed.
    pub(super) unread: bool,
    /// What the window is of: lanes with the epoch in which they are held.
    pub(super) lanes: Arc<BTreeMap<u32, i64>>,
}

/// An end that is to be stored.
struct Ended {
    settled: Settled,
    afterwards: Afterwards,
    turn: u64,
}

/// Ends that are stored, and for each of them what follows and the turn.
struct Stored {
    settle: Arc<Settle>,
    follows: Vec<(Afterwards, u64)>,
}

/// What the window is told when an end is stored.
#[derive(Debug, Clone, Copy)]
enum Afterwards {
    Done,
    Waits(Instant, Failures),
}

impl Worker {
    pub(super) fn new(
        line: Arc<Line>,
        settings: Settings,
        holding: watch::Receiver<Holding>,
        wake: watch::Receiver<()>,
        shared: (Arc<Busy>, Arc<Semaphore>),
    ) -> Self {
        let (busy, slots) = shared;
        Self {
            line,
            holding,
            wake,
            busy,
            slots,
            window: Window::default(),
            pace: Pace::new(settings.concurrency_max),
            settings,
            breaker: Breaker::default(),
            began: Instant::now(),
            attempts: JoinSet::new(),
            under_way: HashMap::default(),
            turn: 0,
            settled: Vec::new(),
            gathering_since: Instant::now(),
            storing: JoinSet::new(),
            reading: JoinSet::new(),
            read_again_at: Instant::now(),
            sent_for: JoinSet::new(),
            more: true,
            inherited: None,
            retries_read: false,
            unread: false,
            lanes: Arc::default(),
        }
    }

    /// Delivers until it is stopped; then waits for what is under way, and stores what became of
    /// it.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            if !self.follow_leases() {
                // Nothing may be begun; what is under way, or has ended, ends as usual.
                self.store();
                tokio::select! {
                    () = stop.cancelled() => break,
                    Some(done) = self.attempts.join_next() => self.ended(done),
                    Some(stored) = self.storing.join_next() => self.stored(stored),
                    _ = self.holding.changed() => {}
                    () = tokio::time::sleep(DATABASE_PAUSE) => {}
                }
                self.publish();
                continue;
            }
            if self.read().await.is_err() {
                let pause = tokio::time::sleep(DATABASE_PAUSE);
                let _stopped = stop.run_until_cancelled(pause).await;
            }
            self.begin();
            if !self.gathers() {
                self.store();
            }
            let (next, looks) = self.next_moment();
            let wants_slot = self.may_begin() > 0 && self.window.ready() > 0;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = self.attempts.join_next() => self.ended(done),
                Some(stored) = self.storing.join_next() => self.stored(stored),
                Some(page) = self.reading.join_next() => self.take_in(page),
                Some(_) = self.sent_for.join_next() => self.more = true,
                slot = Arc::clone(&self.slots).acquire_owned(), if wants_slot => {
                    _ = self.begin_one(slot.expect("the slots are never closed"));
                }
                _ = self.wake.changed() => self.more = true,
                _ = self.holding.changed() => {}
                () = tokio::time::sleep_until(next) => self.more |= looks,
            }
            // Whoever else is ready goes first, so that a turn takes in many ends instead of one.
            tokio::task::yield_now().await;
            while let Some(done) = self.attempts.try_join_next() {
                self.ended(done);
            }
            self.publish();
        }
        self.finish().await;
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// When to go on if nothing happens, and whether to look for more then.
    fn next_moment(&self) -> (Instant, bool) {
        let now = Instant::now();
        let poll = now + self.settings.poll;
        let opens = self.breaker.opens_at_ms().map(|ms| self.began + Duration::from_millis(ms));
        let [opens, reads] = [opens, Some(self.read_again_at)].map(|at| at.filter(|at| *at > now));
        let moments = [self.window.next_due(), opens, reads].into_iter().flatten();
        let next = moments.fold(poll, Instant::min);
        let gathered = self.gathering_since + GATHER_MAX;
        match self.gathers() && gathered < next {
            true => (gathered, false),
            false => (next, true),
        }
    }

    /// Notices that other lanes are held now, or the same ones anew; false if none may be used.
    fn follow_leases(&mut self) -> bool {
        let (lanes, until) = {
            let holding = self.holding.borrow_and_update();
            (Arc::clone(&holding.lanes), holding.until)
        };
        // A renewal has a map of its own, which mostly says the same.
        if !Arc::ptr_eq(&lanes, &self.lanes) {
            let others = lanes != self.lanes;
            self.lanes = lanes;
            if others {
                self.window.start_over();
                self.read_anew();
            }
        }
        if until < Instant::now() {
            // Another node may have taken over: what is under way here must not arrive after it.
            self.drop_attempts();
            return false;
        }
        !self.lanes.is_empty()
    }

    /// Forgets everything, as if this worker had just begun.
    fn drop_attempts(&mut self) {
        if !self.attempts.is_empty() {
            let (destination, attempts) = (self.line.target.id, self.attempts.len());
            tracing::warn!(destination, attempts, "attempts were dropped; they come again");
        }
        self.attempts = JoinSet::new();
        // Their things are still marked as under way: all is forgotten, and read again.
        self.window = Window::default();
        self.read_anew();
        for (_, (_, lane)) in self.under_way.drain() {
            self.busy.end(lane);
        }
        self.lanes = Arc::default();
    }

    /// How many attempts may be begun now.
    fn may_begin(&self) -> u32 {
        let under_way = self.attempts.len() as u32;
        let backlog = self.settled.len() + self.storing.len() * SETTLED_MAX;
        if backlog > 4 * SETTLED_MAX {
            return 0;
        }
        self.breaker.admits(self.now_ms(), under_way, self.pace.limit())
    }

    /// Begins attempts as long as slots are free at once.
    fn begin(&mut self) {
        while self.may_begin() > 0 && self.window.ready() > 0 {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
            if !self.begin_one(slot) {
                return;
            }
        }
    }

    /// False if the lease has ended.
    fn begin_one(&mut self, slot: OwnedSemaphorePermit) -> bool {
        if self.holding.borrow().until < Instant::now() {
            return false;
        }
        let Some(thing) = self.window.begin() else { return false };
        let mirrors = self.line.target.kind == Kind::Rest;
        let wanted = if mirrors { usize::MAX } else { 1 };
        let deliveries: Vec<Arc<Delivery>> = self.window.of(&thing).take(wanted).cloned().collect();
        let first = &deliveries[0];
        self.busy.begin(first.lane);
        self.turn += 1;
        self.under_way.insert(thing.clone(), (self.turn, first.lane));
        let job = Arc::new(Job {
            turn: self.turn,
            epoch: self.lanes.get(&first.lane).copied(),
            inherited: self.inherited.is_none_or(|newest| first.id <= newest),
            failures: self.window.failures(&thing),
            thing,
            deliveries,
        });
        let line = Arc::clone(&self.line);
        self.attempts.spawn(async move {
            let made = AssertUnwindSafe(attempt::make(line, Arc::clone(&job))).catch_unwind().await;
            // Whatever is wrong with this one must not keep the others from being delivered.
            let attempted = made.unwrap_or_else(|_| Attempted::failed(Failure::unforeseen()));
            Done { job, attempted, _slot: slot }
        });
        true
    }

    /// Takes in how an attempt ended.
    fn ended(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let Done { job, attempted, .. } = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "an attempt failed in an unforeseen way");
                self.drop_attempts();
                return;
            }
        };
        let (now, under_way) = (self.now_ms(), self.attempts.len() as u32);
        match &attempted.came {
            Came::Delivered => {
                self.breaker.answered();
                self.pace.succeeded();
            }
            Came::Failed(failure) => match failure.kind {
                FailureKind::Refused | FailureKind::Gone => self.breaker.answered(),
                FailureKind::Unsendable => {}
                FailureKind::Unwell | FailureKind::Overloaded => {
                    if failure.kind == FailureKind::Overloaded {
                        self.pace.overloaded(under_way);
                    }
                    self.breaker.failed(now, random());
                }
            },
            Came::NotYet { .. } => {}
        }
        if let Came::NotYet { missing: Some(missing) } = &attempted.came {
            let (app, to) = (self.line.app.clone(), self.line.target.id);
            let (missing, outbox_id) = (missing.clone(), job.deliveries[0].outbox_id);
            self.sent_for.spawn(async move {
                if let Err(error) = refresh::send_for(&app, to, vec![missing], outbox_id).await {
                    tracing::warn!(%error, "what others wait for was not sent for yet");
                }
            });
        }
        let (settled, afterwards) = self.verdict(&job, attempted);
        if self.settled.is_empty() {
            self.gathering_since = Instant::now();
        }
        self.settled.push(Ended { settled, afterwards, turn: job.turn });
    }

    /// What is stored of an attempt, and what the window is told afterwards.
    fn verdict(&self, job: &Job, attempted: Attempted) -> (Settled, Afterwards) {
        let covered = &job.deliveries[..attempted.covered];
        let mut settled = Settled {
            thing: job.thing.clone(),
            lane: covered[0].lane,
            epoch: job.epoch,
            deliveries: covered.iter().map(|delivery| delivery.id).collect(),
            letters: covered.iter().filter_map(|delivery| delivery.letter).collect(),
            end: End::Delivered,
            record: attempted.record,
            had_failed: job.failures.count > 0,
        };
        match attempted.came {
            Came::Delivered => (settled, Afterwards::Done),
            Came::NotYet { .. } => {
                settled.end = End::Deferred;
                (settled, Afterwards::Waits(Instant::now() + NOT_YET, job.failures))
            }
            Came::Failed(failure) => self.failure(job, settled, failure),
        }
    }

    fn failure(&self, job: &Job, settled: Settled, failure: Failure) -> (Settled, Afterwards) {
        let now = self.line.app.clock.now();
        let failures = Failures {
            count: job.failures.count + 1,
            first_at: job.failures.first_at.or(Some(now)),
            in_doubt: job.failures.in_doubt || failure.in_doubt,
        };
        let hopeless = match failure.kind {
            FailureKind::Refused | FailureKind::Gone => Some("refused"),
            FailureKind::Unsendable => Some("unsendable"),
            FailureKind::Unwell | FailureKind::Overloaded => None,
        };
        let pause = self.settings.retries.pause_ms(failures.count, random());
        let (pause, reason) = match (hopeless, pause) {
            (Some(reason), _) => (None, reason),
            (None, pause) => (pause, "exhausted"),
        };
        let Some(pause_ms) = pause else {
            let first = &job.deliveries[0];
            let dead = Obituary {
                outbox_id: first.outbox_id,
                topic: first.topic.clone(),
                at: first.at,
                payload: first.payload.to_string(),
                reason,
                attempts: failures.count,
                request: failure.request,
                response: failure.response,
                status: failure.status,
                error: failure.error,
                gone: failure.kind == FailureKind::Gone,
            };
            return (Settled { end: End::Dead(Box::new(dead)), ..settled }, Afterwards::Done);
        };
        let asked =
            failure.after.map_or(Duration::ZERO, |after| after.min(self.settings.after_max));
        let pause = Duration::from_millis(pause_ms).max(asked);
        let (status, error) = (failure.status, failure.error);
        let end = End::Retry { due_at: now + pause, failures, status, error };
        (Settled { end, ..settled }, Afterwards::Waits(Instant::now() + pause, failures))
    }

    /// True while ends are gathered: as long as other things can be begun, nothing waits for what
    /// is stored a little later, and few large transactions cost less than many small ones.
    fn gathers(&self) -> bool {
        let young = self.gathering_since.elapsed() < GATHER_MAX;
        let few = (1..GATHERED).contains(&self.settled.len());
        young && few && self.window.ready() > 0 && self.storing.is_empty()
    }

    /// Stores what has ended, one transaction at a time: while one commits the next one gathers.
    fn store(&mut self) {
        if !self.storing.is_empty() || self.settled.is_empty() {
            return;
        }
        let count = self.settled.len().min(SETTLED_MAX);
        let (mut settled, mut follows) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for ended in self.settled.drain(..count) {
            settled.push(ended.settled);
            follows.push((ended.afterwards, ended.turn));
        }
        self.gathering_since = Instant::now();
        let settle = Arc::new(Settle {
            destination_id: self.line.target.id,
            origin: Arc::clone(&self.line.target.origin),
            holder: Arc::clone(&self.holding.borrow().holder),
            now: self.line.app.clock.now(),
            settled,
        });
        let db = self.line.app.db.clone();
        self.storing.spawn(async move {
            // Until it is stored: storing it twice changes nothing but counters.
            let mut told = false;
            while let Err(error) = db.transact_shared(Arc::clone(&settle)).await {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "what became of deliveries could not be stored yet");
                }
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
            Stored { settle, follows }
        });
    }

    fn stored(&mut self, stored: Result<Stored, tokio::task::JoinError>) {
        let Ok(Stored { settle, follows }) = stored else {
            tracing::error!("storing what became of deliveries failed in an unforeseen way");
            self.drop_attempts();
            return;
        };
        for (settled, (afterwards, turn)) in settle.settled.iter().zip(follows) {
            let thing = &settled.thing;
            if self.under_way.get(thing).is_none_or(|(current, _)| *current != turn) {
                continue; // Everything was forgotten meanwhile, and begun anew.
            }
            self.under_way.remove(thing);
            self.busy.end(settled.lane);
            if !self.lanes.contains_key(&settled.lane) {
                self.window.forget(thing);
                continue;
            }
            match afterwards {
                Afterwards::Done => self.window.ended(thing, settled.deliveries.len()),
                Afterwards::Waits(until, failures) => self.window.wait(thing, until, failures),
            }
        }
    }

    /// Lets the console see how many attempts are under way.
    fn publish(&self) {
        self.line.app.delivery.set_in_flight(self.line.target.id, self.attempts.len());
    }

    async fn finish(mut self) {
        let deadline = Instant::now() + self.settings.finish_max;
        while !(self.attempts.is_empty() && self.storing.is_empty() && self.settled.is_empty()) {
            self.store();
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => break,
                Some(done) = self.attempts.join_next() => self.ended(done),
                Some(stored) = self.storing.join_next() => self.stored(stored),
            }
        }
        for (_, (_, lane)) in self.under_way.drain() {
            self.busy.end(lane);
        }
        self.line.app.delivery.set_in_flight(self.line.target.id, 0);
    }
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness (cannot happen on Linux) the pauses are merely regular.
    let _regular = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
