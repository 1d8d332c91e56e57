//! A channel that this node has in hand: what it knows of it, and what is to be done next.
//!
//! What always holds:
//! - One call of an endpoint is under way at a time, and the next one begins when what came of it
//!   is stored. So a crash costs at most one call for each endpoint, and a limit that is lowered
//!   at most one refusal.
//! - A token is bought when a call could be made with it, and one at a time.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use runout_core::channels::limiter::Next;
use runout_core::channels::{Cursor, Page, Scope};

use super::claim::next_sync;
use super::limits::Limits;
use super::settle::{Counts, RunEnd, Snapshot};
use crate::channels::model::ChannelState;
use crate::channels::parcel::Parcel;
use crate::channels::provider::{Credentials, Endpoint};
use crate::platform::secret::Secret;

/// Details that are read ahead.
pub(super) const AHEAD_MAX: usize = 100;
/// A token is not used in its last moments, while a call could be on its way: so long, and twice
/// the slowest call of late.
const TOKEN_GUARD: SignedDuration = SignedDuration::from_secs(2);
/// However slow calls are, no more of a token's life is given away.
const TOKEN_GUARD_MAX: SignedDuration = SignedDuration::from_secs(30);
/// The first pause after a call that failed; it doubles, up to the longest.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);
const PAUSE_MAX: SignedDuration = SignedDuration::from_secs(60);
/// Paths of unknown fields that are kept.
const UNKNOWN_MAX: usize = 50;

/// What is under way, or has ended and is being stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Lane {
    #[default]
    Free,
    Calling,
    Storing,
}

/// What a call is for.
#[derive(Debug, Clone)]
pub(super) enum Job {
    Token,
    List(Page),
    Detail {
        shipment_id: i64,
        remote_id: String,
    },
    /// Something to ship; it is marked as being sent.
    Ship {
        id: i64,
        parcel: Parcel,
    },
    Process {
        id: i64,
        process_id: String,
        since: Timestamp,
    },
}

impl Job {
    pub(super) const fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Token => None,
            Self::List(_) => Some(Endpoint::List),
            Self::Detail { .. } => Some(Endpoint::Detail),
            Self::Ship { .. } => Some(Endpoint::Ship),
            Self::Process { .. } => Some(Endpoint::Process),
        }
    }
}

/// Something that is shipped from here.
#[derive(Debug, Clone)]
pub(super) struct Parcelled {
    pub id: i64,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
    pub stage: Stage,
}

#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// To be marked before it is sent.
    Queued(Parcel),
    /// Marked by this holder: it can be sent.
    Marked(Parcel),
    /// Marked by an earlier holder: nobody knows.
    Orphaned,
    Pending(String),
}

/// A token with its end.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub text: Secret,
    pub ends_at: Timestamp,
}

/// How a channel is given back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub end: Option<RunEnd>,
    pub due_at: Option<Timestamp>,
}

/// What goes wrong, since when.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble {
    pub failures: i64,
    pub since: Option<Timestamp>,
    pub problem: Option<String>,
    /// Nothing is tried before.
    pub until: Option<Timestamp>,
    /// Tokens in a row that were refused when they were new.
    pub tokens_refused: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Held {
    pub id: i64,
    pub epoch: i64,
    pub credentials: Option<Credentials>,
    pub credentials_version: i64,
    pub state: ChannelState,
    pub sync_minutes: Option<i64>,
    pub keep_days: Option<i64>,
    pub cursor: Cursor,
    pub scope: Scope,
    pub limits: Limits,
    pub run_id: Option<i64>,
    pub began_at: Option<Timestamp>,
    pub trouble: Trouble,
    pub unknown: BTreeSet<String>,
    pub token: Option<Token>,
    /// Counted since the last snapshot.
    pub counts: Counts,
    /// Found out, and not stored yet.
    pub found_state: Option<(ChannelState, Option<String>)>,
    pub details: VecDeque<(i64, String)>,
    /// There may be details in the database that are not in `details`.
    pub more_details: bool,
    pub parcels: VecDeque<Parcelled>,
    /// Reads of the database that are under way.
    pub reading: bool,
    /// It is to be given back as soon as nothing is under way.
    pub halted: bool,
    /// It is to be given back, and how its run ends with that.
    pub leaving: Option<Leaving>,
    /// That is being stored.
    pub has_left: bool,
    slowest: SignedDuration,
    calling_token: Lane,
    lanes: [Lane; 4],
}

/// What to do next.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub jobs: Vec<Job>,
    /// Parcels to be marked as being sent.
    pub marks: Vec<(i64, Parcel)>,
    /// Parcels of which nobody knows what became.
    pub orphans: Vec<i64>,
    pub reads_details: bool,
    /// When to look again, if nothing happens.
    pub wake_at: Option<Timestamp>,
    /// Nothing is left to do.
    pub is_over: bool,
}

impl Plan {
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }
}

/// What the loading of a channel brings.
pub(super) struct Row {
    pub id: i64,
    pub epoch: i64,
    pub credentials: Option<Credentials>,
    pub credentials_version: i64,
    pub state: ChannelState,
    pub sync_minutes: Option<i64>,
    pub keep_days: Option<i64>,
    pub cursor: Cursor,
    pub scope: Scope,
    pub limits: Limits,
    pub run_id: Option<i64>,
    pub began_at: Option<Timestamp>,
    pub trouble: Trouble,
    pub unknown: BTreeSet<String>,
    pub token: Option<Token>,
    pub parcels: VecDeque<Parcelled>,
}

impl From<Row> for Held {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            epoch: row.epoch,
            credentials: row.credentials,
            credentials_version: row.credentials_version,
            state: row.state,
            sync_minutes: row.sync_minutes,
            keep_days: row.keep_days,
            cursor: row.cursor,
            scope: row.scope,
            limits: row.limits,
            run_id: row.run_id,
            began_at: row.began_at,
            trouble: row.trouble,
            unknown: row.unknown,
            token: row.token,
            counts: Counts::default(),
            found_state: None,
            details: VecDeque::new(),
            more_details: true,
            parcels: row.parcels,
            reading: false,
            halted: false,
            leaving: None,
            has_left: false,
            slowest: SignedDuration::ZERO,
            calling_token: Lane::Free,
            lanes: [Lane::Free; 4],
        }
    }
}

impl Held {
    fn lane(&mut self, endpoint: Option<Endpoint>) -> &mut Lane {
        match endpoint {
            Some(endpoint) => &mut self.lanes[endpoint as usize],
            None => &mut self.calling_token,
        }
    }

    /// True while calls are under way, or what came of them is not stored.
    pub(super) fn is_busy(&self) -> bool {
        self.reading
            || self.calling_token != Lane::Free
            || self.lanes.iter().any(|lane| *lane != Lane::Free)
    }

    /// A call has begun.
    pub(super) fn begin(&mut self, job: &Job, now: Timestamp) {
        let endpoint = job.endpoint();
        *self.lane(endpoint) = Lane::Calling;
        if let Some(endpoint) = endpoint {
            self.limits.of_mut(endpoint).sent(now.as_microsecond());
        }
        match job {
            Job::Detail { .. } => _ = self.details.pop_front(),
            Job::Ship { id, .. } | Job::Process { id, .. } => {
                self.parcels.retain(|parcel| parcel.id != *id);
            }
            Job::Token | Job::List(_) => {}
        }
    }

    /// A call has ended; what came of it is about to be stored.
    pub(super) fn ended(&mut self, endpoint: Option<Endpoint>, took: SignedDuration) {
        *self.lane(endpoint) = Lane::Storing;
        // The slowest of late: an old one counts less and less.
        self.slowest = took.max(self.slowest * 7 / 8);
    }

    /// Something is being stored that no call has brought.
    pub(super) fn store(&mut self, endpoint: Endpoint) {
        *self.lane(Some(endpoint)) = Lane::Storing;
    }

    /// What came of a call is stored: the next one may begin.
    pub(super) fn stored(&mut self, endpoint: Option<Endpoint>) {
        *self.lane(endpoint) = Lane::Free;
    }

    /// Shipments were found whose details are to be fetched.
    pub(super) fn found(&mut self, found: Vec<(i64, String)>) {
        let room = AHEAD_MAX.saturating_sub(self.details.len());
        // What has no room is read from the database later.
        self.more_details |= found.len() > room;
        self.details.extend(found.into_iter().take(room));
    }

    /// It cannot be called for.
    pub(super) fn refuse(&mut self, reason: String) {
        self.found_state = Some((ChannelState::Refused, Some(reason)));
        self.halted = true;
    }

    /// The token, if it lives long enough for a call.
    pub(super) fn usable_token(&self, now: Timestamp) -> Option<&Token> {
        let guard = (TOKEN_GUARD + self.slowest * 2).min(TOKEN_GUARD_MAX);
        self.token.as_ref().filter(|token| now + guard < token.ends_at)
    }

    /// A call came through: all is well.
    pub(super) fn works(&mut self) {
        let tokens_refused = self.trouble.tokens_refused;
        self.trouble = Trouble { tokens_refused, ..Trouble::default() };
    }

    /// A call failed: the next ones wait, `jitter` (of 0 to 1) of half of the pause longer.
    pub(super) fn failed(&mut self, problem: String, now: Timestamp, jitter: f64) {
        let trouble = &mut self.trouble;
        trouble.failures += 1;
        trouble.since.get_or_insert(now);
        trouble.problem = Some(problem);
        let doubled = 1_i32 << (trouble.failures - 1).clamp(0, 16);
        let pause = (PAUSE * doubled).min(PAUSE_MAX);
        let jitter = SignedDuration::from_secs_f64(pause.as_secs_f64() / 2.0 * jitter);
        trouble.until = Some(now + pause + jitter);
        self.counts.failed += 1;
    }

    /// Fields that nobody knows were met.
    pub(super) fn met(&mut self, unknown: &[String]) {
        for path in unknown {
            if self.unknown.len() < UNKNOWN_MAX {
                self.unknown.insert(path.clone());
            }
        }
    }

    /// What to do now.
    pub(super) fn plan(&mut self, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        if self.leaving.is_some() {
            return plan;
        }
        if self.halted {
            plan.is_over = !self.is_busy();
            return plan;
        }
        if let Some(until) = self.trouble.until.filter(|until| *until > now) {
            plan.wake(until);
            return plan;
        }
        let wanted = self.wanted(now, &mut plan);
        let mut wants_token = false;
        for job in wanted {
            let endpoint = job.endpoint();
            match endpoint.map(|endpoint| self.limits.next(endpoint, now)) {
                Some(Next::Crowded) => {}
                Some(Next::At(at_us)) if at_us > now.as_microsecond() => plan.wake(moment(at_us)),
                _ if self.usable_token(now).is_some() => plan.jobs.push(job),
                _ => wants_token = true,
            }
        }
        if wants_token && self.calling_token == Lane::Free {
            plan.jobs.push(Job::Token);
        }
        plan
    }

    /// Calls whose endpoints are free.
    fn wanted(&self, now: Timestamp, plan: &mut Plan) -> Vec<Job> {
        let free = |endpoint| self.lanes[endpoint as usize] == Lane::Free;
        let mut wanted = Vec::new();
        let mut left = false;
        for parcel in &self.parcels {
            if parcel.due_at > now {
                if self.run_id.is_some() {
                    plan.wake(parcel.due_at);
                }
                continue;
            }
            left = true;
            let (id, since) = (parcel.id, parcel.created_at);
            match &parcel.stage {
                Stage::Queued(parcel) if free(Endpoint::Ship) && plan.marks.is_empty() => {
                    plan.marks.push((id, parcel.clone()));
                }
                Stage::Orphaned => plan.orphans.push(id),
                Stage::Marked(parcel) if free(Endpoint::Ship) => {
                    wanted.push(Job::Ship { id, parcel: parcel.clone() });
                }
                Stage::Pending(process_id) if free(Endpoint::Process) => {
                    wanted.push(Job::Process { id, process_id: process_id.clone(), since });
                }
                Stage::Queued(_) | Stage::Marked(_) | Stage::Pending(_) => {}
            }
        }
        // One of a kind at a time: the first.
        let mut taken = Vec::new();
        wanted.retain(|job| {
            let first = !taken.contains(&job.endpoint());
            taken.push(job.endpoint());
            first
        });
        if self.run_id.is_some() {
            left |= self.wanted_of_run(&mut wanted, plan);
        }
        let idle = !self.is_busy() && plan.marks.is_empty() && plan.orphans.is_empty();
        plan.is_over = idle && !left;
        wanted
    }

    /// What the run still needs; false if nothing is left but what is under way.
    fn wanted_of_run(&self, wanted: &mut Vec<Job>, plan: &mut Plan) -> bool {
        let free = |endpoint| self.lanes[endpoint as usize] == Lane::Free;
        if let Some((shipment_id, remote_id)) = self.details.front() {
            if free(Endpoint::Detail) {
                let (shipment_id, remote_id) = (*shipment_id, remote_id.clone());
                wanted.push(Job::Detail { shipment_id, remote_id });
            }
        } else if self.more_details && !self.reading && free(Endpoint::Detail) {
            plan.reads_details = true;
        }
        let page = self.cursor.page();
        if let Some(page) = page.filter(|_| free(Endpoint::List)) {
            wanted.push(Job::List(page));
        }
        page.is_some() || !self.details.is_empty() || self.more_details
    }

    /// The channel as it is to be stored; what was counted since begins anew.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let credentials = self.credentials_version;
        self.has_left = self.leaving.is_some();
        Snapshot {
            channel_id: self.id,
            epoch: self.epoch,
            cursor: self.cursor.clone(),
            scope: self.scope,
            limits: self.limits.to_json(),
            failures: self.trouble.failures,
            failing_since: self.trouble.since,
            problem: self.trouble.problem.clone(),
            unknown_fields: self.unknown.iter().cloned().collect(),
            run_id: self.run_id,
            counts: std::mem::take(&mut self.counts),
            state: self.found_state.take().map(|(state, reason)| (state, reason, credentials)),
            end: self.leaving.and_then(|leaving| leaving.end),
            leaves: self.leaving.map(|leaving| leaving.due_at),
        }
    }

    /// Nothing is left to do: the channel is given back, unless the reading begins again.
    pub(super) fn leave(&mut self, now: Timestamp) {
        let works = self.found_state.as_ref().is_none_or(|(state, _)| state.works());
        let parcels = self.parcels.iter().map(|parcel| parcel.due_at).min();
        let (end, due_at) = if !works {
            (None, None)
        } else if self.halted {
            // Whoever takes it over goes on at once, or finds out why not.
            (None, Some(now))
        } else {
            if self.run_id.is_some() && !self.cursor.end(self.scope) {
                return;
            }
            let next = next_sync(self.began_at, self.sync_minutes);
            let end = self.run_id.map(|_| RunEnd::Done);
            (end, [next, parcels].into_iter().flatten().min())
        };
        self.leaving = Some(Leaving { end, due_at });
    }
}

/// The moment of so many microseconds since 1970.
fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}
