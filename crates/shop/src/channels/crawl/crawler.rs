//! The task that decides: see the module above.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use runout_store::{Result, Statement};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::time::{DelayQueue, delay_queue};

use super::call::{Caller, Ready};
use super::claim::{More, claim};
use super::held::{AHEAD_MAX, Held, Job, Plan, Stage};
use super::lease::{Alive, keep};
use super::load::Loader;
use super::outcome::{Done, Judge, ended_process};
use super::settings::Settings;
use super::settle::{Ended, Fruit, ProcessRow, Settle, Snapshot, Stored};
use super::storing;
use super::{holder, sql};
use crate::App;
use crate::channels::bol;
use crate::channels::provider::{Auth, Endpoint};
use crate::platform::clock::Steady;

/// Beside other nodes channels of a crowd are claimed so often per [`Settings::poll`].
const CLAIMS_SHARED: u32 = 4;
/// Ends that are stored in one transaction.
const SETTLED_MAX: usize = 500;
/// Pause after the database could not store or read.
const DATABASE_PAUSE: Duration = Duration::from_millis(200);
/// Channels of which it is looked at once whether somebody asked something of them.
const ASKED_MAX: i64 = 1_000;

/// What a reading of the database brought.
enum Read {
    Claimed { claimed: Result<Vec<Held>>, more: Option<More> },
    Details { channel_id: i64, epoch: i64, details: Result<Vec<(i64, String)>> },
    Asked(Result<Vec<i64>>),
}

/// A batch that was stored: what it was about, and what is learned.
struct Batch {
    slots: Vec<(i64, Option<Endpoint>)>,
    stored: Vec<Stored>,
}

/// See the module.
pub(super) struct Crawler {
    app: App,
    settings: Settings,
    clock: Steady,
    holder: Arc<str>,
    caller: Caller,
    held: HashMap<i64, Held>,
    timers: DelayQueue<i64>,
    keys: HashMap<i64, delay_queue::Key>,
    /// Channels that may have something to do, in their order.
    ready: VecDeque<i64>,
    queued: BTreeSet<i64>,
    calls: JoinSet<Done>,
    reads: JoinSet<Read>,
    /// A claim, or a look whether something was asked, is under way.
    looking: bool,
    look_at: Instant,
    ended: VecDeque<Ended>,
    /// Channels that are stored without a call's end.
    touched: BTreeSet<i64>,
    storing: JoinSet<Batch>,
    /// Until when this node surely lives, by its own clock.
    alive: watch::Receiver<Option<Alive>>,
    lease: Option<watch::Sender<Option<Alive>>>,
    name: watch::Sender<Arc<str>>,
}

impl Crawler {
    pub(super) fn new(app: App, settings: Settings) -> Self {
        let clock = app.clock.steady();
        let bol = bol::Client::new(&settings.config, settings.timeout);
        let (lease, alive) = watch::channel(None);
        let holder = holder();
        Self {
            name: watch::Sender::new(Arc::clone(&holder)),
            caller: Caller { bol, clock },
            app,
            settings,
            clock,
            holder,
            held: HashMap::new(),
            timers: DelayQueue::new(),
            keys: HashMap::new(),
            ready: VecDeque::new(),
            queued: BTreeSet::new(),
            calls: JoinSet::new(),
            reads: JoinSet::new(),
            looking: false,
            look_at: Instant::now(),
            ended: VecDeque::new(),
            touched: BTreeSet::new(),
            storing: JoinSet::new(),
            alive,
            lease: Some(lease),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let leases_end = CancellationToken::new();
        let lease = self.lease.take().expect("it runs once");
        let leases = keep(
            self.app.clone(),
            self.clock,
            self.name.subscribe(),
            self.settings.lease,
            lease,
            leases_end.clone(),
        );
        // It ends with this task, however that ends.
        let mut keeping = JoinSet::new();
        keeping.spawn(leases);
        let mut bell = self.app.channels.hear();
        loop {
            if self.look_at <= Instant::now() {
                self.look_at = Instant::now() + self.settings.poll;
                self.look();
            }
            self.pump();
            self.store();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = self.calls.join_next() => self.called(done),
                Some(batch) = self.storing.join_next() => self.stored(batch),
                Some(read) = self.reads.join_next() => self.read(read),
                Some(due) = self.timers.next(), if !self.timers.is_empty() => {
                    let id = due.into_inner();
                    self.keys.remove(&id);
                    self.enqueue(id);
                }
                _ = bell.changed() => self.look_at = Instant::now(),
                () = tokio::time::sleep_until(self.look_at) => {}
            }
        }
        self.finish().await;
        leases_end.cancel();
        while keeping.join_next().await.is_some_and(|ended| ended.is_err()) {
            tracing::error!("the leases of channels failed in an unforeseen way");
        }
    }

    fn is_alive(&self) -> bool {
        let alive = self.alive.borrow();
        alive
            .as_ref()
            .is_some_and(|alive| alive.holder == self.holder && alive.until > Instant::now())
    }

    fn enqueue(&mut self, id: i64) {
        if self.queued.insert(id) {
            self.ready.push_back(id);
        }
    }

    /// Looks for channels that are due, and for what was asked of those in hand.
    fn look(&mut self) {
        if self.looking || !self.is_alive() {
            return;
        }
        self.looking = true;
        let (app, holder, now) = (self.app.clone(), Arc::clone(&self.holder), self.clock.now());
        let room = self.settings.held_max.saturating_sub(self.held.len());
        let loader = self.loader();
        self.reads.spawn(async move {
            match claim(&app, &holder, now, room).await {
                Ok(claims) if claims.claimed.is_empty() => {
                    Read::Claimed { claimed: Ok(Vec::new()), more: None }
                }
                Ok(claims) => {
                    let claimed = loader.held(&claims.claimed).await;
                    Read::Claimed { claimed, more: claims.more }
                }
                Err(error) => Read::Claimed { claimed: Err(error), more: None },
            }
        });
        if !self.held.is_empty() {
            let (app, holder) = (self.app.clone(), Arc::clone(&self.holder));
            self.reads.spawn(async move {
                let params = vec![holder.into(), ASKED_MAX.into()];
                let asked = Statement::new(&sql::ASKED, params);
                Read::Asked(app.db.read(asked, |row| row.get(0)).await)
            });
        }
    }

    fn loader(&self) -> Loader {
        Loader {
            db: self.app.db.clone(),
            sealer: self.app.sealer.clone(),
            holder: Arc::clone(&self.holder),
            now: self.clock.now(),
        }
    }

    fn read(&mut self, read: Result<Read, JoinError>) {
        match read {
            Ok(Read::Claimed { claimed: Ok(claimed), more }) => {
                self.looking = false;
                let now = Instant::now();
                self.look_at = match more {
                    None => self.look_at,
                    Some(More::Now) => now,
                    Some(More::Soon) => self.look_at.min(now + self.settings.poll / CLAIMS_SHARED),
                };
                for held in claimed {
                    self.enqueue(held.id);
                    self.held.insert(held.id, held);
                }
            }
            Ok(Read::Claimed { claimed: Err(error), .. }) => {
                self.looking = false;
                tracing::warn!(%error, "channels that are due could not be read");
            }
            Ok(Read::Details { channel_id, epoch, details }) => {
                self.read_details(channel_id, epoch, details);
            }
            Ok(Read::Asked(Ok(asked))) => {
                for id in asked {
                    if let Some(held) = self.held.get_mut(&id) {
                        held.halted = true;
                        self.enqueue(id);
                    }
                }
            }
            Ok(Read::Asked(Err(error))) => {
                tracing::warn!(%error, "what was asked of channels could not be read");
            }
            Err(error) => {
                self.looking = false;
                tracing::error!(%error, "reading channels failed in an unforeseen way");
            }
        }
    }

    fn read_details(&mut self, id: i64, epoch: i64, details: Result<Vec<(i64, String)>>) {
        let Some(held) = self.held.get_mut(&id).filter(|held| held.epoch == epoch) else { return };
        held.reading = false;
        match details {
            Ok(details) => {
                held.more_details = details.len() >= AHEAD_MAX;
                held.details.extend(details);
                self.enqueue(id);
            }
            Err(error) => {
                tracing::warn!(%error, channel = id, "details that are due could not be read");
                self.wait(id, Instant::now() + DATABASE_PAUSE);
            }
        }
    }

    /// Lets a channel be looked at again at a moment.
    fn wait(&mut self, id: i64, at: Instant) {
        match self.keys.get(&id) {
            Some(key) => self.timers.reset_at(key, at),
            None => _ = self.keys.insert(id, self.timers.insert_at(id, at)),
        }
    }

    /// Begins what may begin.
    fn pump(&mut self) {
        if !self.is_alive() {
            return self.drop_all();
        }
        while self.calls.len() < self.settings.calls_max {
            let Some(id) = self.ready.pop_front() else { return };
            self.queued.remove(&id);
            let now = self.clock.now();
            let Some(held) = self.held.get_mut(&id) else { continue };
            let plan = held.plan(now);
            self.carry_out(id, plan, now);
        }
    }

    fn carry_out(&mut self, id: i64, plan: Plan, now: Timestamp) {
        if plan.is_over {
            return self.over(id);
        }
        if let Some(at) = plan.wake_at {
            self.wait(id, self.clock.instant(at));
        }
        if plan.reads_details {
            self.read_ahead(id);
        }
        for (parcel, job) in plan.marks {
            self.mark(id, parcel, job);
        }
        for parcel in plan.orphans {
            self.orphan(id, parcel);
        }
        for job in plan.jobs {
            self.call(id, job, now);
        }
    }

    fn read_ahead(&mut self, id: i64) {
        let loader = self.loader();
        let held = self.held.get_mut(&id).expect("it is planned for");
        held.reading = true;
        let epoch = held.epoch;
        self.reads.spawn(async move {
            let details = loader.details(id, AHEAD_MAX).await;
            Read::Details { channel_id: id, epoch, details }
        });
    }

    /// Notes that something is about to be sent, so that nobody sends it again.
    fn mark(&mut self, id: i64, parcel_id: i64, parcel: crate::channels::parcel::Parcel) {
        let now = self.clock.now();
        let held = self.held.get_mut(&id).expect("it is planned for");
        held.store(Endpoint::Ship);
        for parcelled in held.parcels.iter_mut().filter(|parcelled| parcelled.id == parcel_id) {
            parcelled.stage = Stage::Marked(parcel.clone());
        }
        let (process_id, shipment_id, error) = (None, None, None);
        let due_at = Some(now);
        let state = "sending";
        let row = ProcessRow { id: parcel_id, state, process_id, shipment_id, error, due_at };
        self.ended_as(id, Some(Endpoint::Ship), Fruit::Process(row));
    }

    fn orphan(&mut self, id: i64, parcel_id: i64) {
        let held = self.held.get_mut(&id).expect("it is planned for");
        held.store(Endpoint::Ship);
        held.parcels.retain(|parcelled| parcelled.id != parcel_id);
        let fruit = ended_process(
            parcel_id,
            "unknown",
            "This server ended while it was sent; the provider may have taken it. Look there \
             before you send it again.",
        );
        self.ended_as(id, Some(Endpoint::Ship), fruit);
    }

    fn ended_as(&mut self, channel_id: i64, endpoint: Option<Endpoint>, fruit: Fruit) {
        self.ended.push_back(Ended { channel_id, endpoint, fruit });
    }

    fn call(&mut self, id: i64, job: Job, now: Timestamp) {
        let held = self.held.get_mut(&id).expect("it is planned for");
        let auth = match &job {
            Job::Token => held.credentials.clone().map(Auth::Credentials),
            _ => held.usable_token(now).map(|token| Auth::Token(token.text.clone())),
        };
        let Some(auth) = auth else {
            held.refuse("It has no client secret, or none that can be opened.".to_owned());
            self.touched.insert(id);
            return self.enqueue(id);
        };
        held.begin(&job, now);
        let (epoch, caller) = (held.epoch, self.caller.clone());
        let ready = Ready { channel_id: id, epoch, job, auth, sent_at: now };
        self.calls.spawn(caller.make(ready));
    }

    fn called(&mut self, done: Result<Done, JoinError>) {
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "a call failed in an unforeseen way");
                return self.drop_all();
            }
        };
        let id = done.channel_id;
        let Some(held) = self.held.get_mut(&id).filter(|held| held.epoch == done.epoch) else {
            return;
        };
        let (now, jitter, endpoint) = (self.clock.now(), random(), done.job.endpoint());
        let fruit = Judge { sealer: &self.app.sealer, now, jitter }.take(held, done);
        self.ended_as(id, endpoint, fruit);
    }

    /// Nothing is left to do: the run ends, and the channel is given back.
    fn over(&mut self, id: i64) {
        let now = self.clock.now();
        let held = self.held.get_mut(&id).expect("it is planned for");
        held.leave(now);
        if held.leaving.is_some() {
            self.touched.insert(id);
        } else {
            self.enqueue(id);
        }
    }

    /// Stores what has ended.
    fn store(&mut self) {
        if !self.storing.is_empty() || (self.ended.is_empty() && self.touched.is_empty()) {
            return;
        }
        let count = self.ended.len().min(SETTLED_MAX);
        let ended: Vec<Ended> = self.ended.drain(..count).collect();
        let mut ids: BTreeSet<i64> = ended.iter().map(|ended| ended.channel_id).collect();
        ids.append(&mut self.touched);
        let of = |id| self.held.get_mut(id).map(Held::snapshot);
        let channels: Vec<Snapshot> = ids.iter().filter_map(of).collect();
        let slots = ended.iter().map(|ended| (ended.channel_id, ended.endpoint)).collect();
        let (holder, now) = (Arc::clone(&self.holder), self.clock.now());
        let settle = Settle { holder, now, channels, ended };
        let db = self.app.db.clone();
        self.storing.spawn(async move {
            let stored = storing::store(&db, settle).await;
            Batch { slots, stored }
        });
    }

    fn stored(&mut self, batch: Result<Batch, JoinError>) {
        let Ok(Batch { slots, stored }) = batch else {
            tracing::error!("storing what came of calls failed in an unforeseen way");
            return self.drop_all();
        };
        for (id, endpoint) in slots {
            if let Some(held) = self.held.get_mut(&id) {
                held.stored(endpoint);
            }
        }
        for Stored { channel_id, held: still } in stored {
            let Some(held) = self.held.get_mut(&channel_id) else { continue };
            let Some(still) = still.filter(|_| !held.has_left) else {
                self.look_at = Instant::now();
                self.forget(channel_id);
                continue;
            };
            held.cursor = still.cursor;
            held.halted |= still.asked;
            held.found(still.found);
            self.enqueue(channel_id);
        }
    }

    fn forget(&mut self, id: i64) {
        self.held.remove(&id);
        if let Some(key) = self.keys.remove(&id) {
            self.timers.remove(&key);
        }
    }

    /// Forgets everything: another node may have it by now. This one goes on under another name,
    /// and what it held under the old one is found to be nobody's.
    fn drop_all(&mut self) {
        if self.held.is_empty() && self.calls.is_empty() && self.reads.is_empty() {
            return;
        }
        tracing::warn!(channels = self.held.len(), "channels were dropped: they come again");
        self.holder = holder();
        self.name.send_replace(Arc::clone(&self.holder));
        (self.calls, self.reads) = (JoinSet::new(), JoinSet::new());
        (self.looking, self.look_at) = (false, Instant::now());
        self.held.clear();
        self.ended.clear();
        self.touched.clear();
        self.timers.clear();
        self.keys.clear();
        self.ready.clear();
        self.queued.clear();
    }

    /// Ends calmly: what is under way is stored, what is in hand given back.
    async fn finish(mut self) {
        let deadline = Instant::now() + self.settings.finish_max;
        // A claim that is under way ends too: what it brings is given back.
        while !self.held.is_empty() || self.looking {
            self.held.values_mut().for_each(|held| held.halted = true);
            let ids: Vec<i64> = self.held.keys().copied().collect();
            ids.into_iter().for_each(|id| self.enqueue(id));
            self.pump();
            self.store();
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => break,
                Some(done) = self.calls.join_next() => self.called(done),
                Some(batch) = self.storing.join_next() => self.stored(batch),
                Some(read) = self.reads.join_next() => self.read(read),
                else => break,
            }
        }
    }
}

/// From 0 to 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness (cannot happen on Linux) the pauses are merely regular.
    let _regular = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
