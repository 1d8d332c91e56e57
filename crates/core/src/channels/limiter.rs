//! When one client may call one endpoint: the exact local limiter, which learns the server's limit
//! from the answers of useful calls.
//!
//! A call is counted somewhere between the moment it was sent and the moment its answer was heard.
//! Each rule below is safe whatever the network does in between; the earliest of those that may be
//! trusted decides:
//!
//! - **Remaining**: what an answer said was left, less every call that it may not have counted. A
//!   budget grows by itself and falls by calls only, so this stays true.
//! - **Reset**: after the newest of all calls, with nothing left, one more call is free at the
//!   latest moment that its Reset can mean, whatever kind the limit is and whether Reset speaks of
//!   all the budget or of one call. From a token bucket one comes at its rate: when the answers
//!   prove that it is one.
//! - **Sliding window**: as many calls in any period as the limit says. No bucket, no fixed and no
//!   sliding window refuses them, if the period is right. It decides when answers tell nothing or
//!   what cannot be true, or when they prove that the window slides.
//!
//! What always holds: no more calls are under way than the limit; after a refusal nothing is sent
//! before the moment that the refusal named, and after one refusal upon another the pause doubles;
//! there is always a moment at which to go on, unless answers are still to come. Headers that
//! contradict what is certain lose their say for a while; what they say against a call counts.
//!
//! Times are microseconds since 1970 on one clock that does not go back.

mod learn;
mod log;
mod proof;
mod told;

use serde::{Deserialize, Serialize};

use log::Log;
use proof::{Proof, Seen, refill_us};
pub use told::{Reset, Told, WAIT_US_MAX};

const SECOND_US: i64 = 1_000_000;
/// A period is never learned to be longer.
const PERIOD_US_MAX: i64 = 86_400 * SECOND_US;
/// What a contradiction adds to a doubt; an answer without one takes 1 away.
const CONTRADICTION: u8 = 4;
const DOUBT_MAX: u8 = 16;
/// From so much on what headers say for a call is not believed: two contradictions in a row.
const DOUBTFUL: u8 = 8;
/// The same of Reset, which more easily is of no use.
const RESET_DOUBTFUL: u8 = 3;
/// Answers with one limit after which another limit is no contradiction.
const SETTLED: u8 = 8;
/// The pause doubles with each refusal in a row, so often at most.
const DOUBLINGS_MAX: u32 = 10;
/// What was learned from refusals is softened after so many budgets without one.
const CALM_BUDGETS: u32 = 20;

/// What is assumed of a limit until the server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumed {
    /// Calls per period, at least 1.
    pub permits: u32,
    pub period_us: i64,
}

impl Assumed {
    /// So many calls per minute.
    pub const fn per_minute(permits: u32) -> Self {
        Self { permits, period_us: 60 * SECOND_US }
    }
}

impl Default for Assumed {
    /// 50 calls per minute.
    fn default() -> Self {
        Self::per_minute(50)
    }
}

/// When the next call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At this moment, not earlier.
    At(i64),
    /// When one of those under way has been answered, or is given up.
    Crowded,
}

/// See the module. Small, and meant to be stored with the progress of the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limiter {
    assumed: Assumed,
    /// As last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// When that was told, and answers since that said the same.
    limit_heard_us: i64,
    limit_age: u8,
    /// Learned from a refusal while no limit was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permits: Option<u32>,
    /// As assumed, or longer since a refusal contradicted that.
    period_us: i64,
    /// The longest that Reset named, if it was longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named_us: Option<i64>,
    /// The last calls that used budget, by the moments they were heard of.
    log: Log,
    /// When those under way were sent.
    flight: Vec<i64>,
    /// Calls that the server would surely admit, with what is under way taken off; and when that
    /// was heard.
    left: u32,
    left_heard_us: i64,
    /// One more call is free then, if none is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opens_us: Option<i64>,
    /// Nothing is sent before: a refusal said so.
    closed_until_us: i64,
    /// When the last refusal was heard.
    refused_us: i64,
    /// In a row.
    refusals: u32,
    /// When a call was given up last, or taken over: it may have been counted until then.
    lost_us: i64,
    /// Whether the newest answer told a Reset that is believed; the earliest moment it can mean,
    /// and when it was heard.
    has_reset: bool,
    reset_from_us: i64,
    reset_heard_us: i64,
    /// Whether anything was heard of any call.
    heard: bool,
    doubt: u8,
    reset_doubt: u8,
    /// Admitted since the last refusal that taught something.
    calm: u32,
    proof: Proof,
}

impl Limiter {
    pub fn new(assumed: Assumed) -> Self {
        let permits = assumed.permits.max(1);
        let period_us = assumed.period_us.clamp(1, PERIOD_US_MAX);
        Self {
            assumed: Assumed { permits, period_us },
            limit: None,
            limit_heard_us: 0,
            limit_age: 0,
            permits: None,
            period_us,
            named_us: None,
            log: Log::default(),
            flight: Vec::new(),
            left: 0,
            left_heard_us: 0,
            opens_us: None,
            closed_until_us: 0,
            refused_us: 0,
            refusals: 0,
            lost_us: 0,
            has_reset: false,
            reset_from_us: 0,
            reset_heard_us: 0,
            heard: false,
            doubt: 0,
            reset_doubt: 0,
            calm: 0,
            proof: Proof::default(),
        }
    }

    /// Calls per period (or at a time) as far as is known; at least 1.
    pub fn limit(&self) -> u32 {
        let assumed = self.permits.unwrap_or(self.assumed.permits);
        let steady = !self.is_doubtful() || self.limit_age >= SETTLED;
        self.limit.filter(|_| steady).unwrap_or(assumed).max(1)
    }

    /// Calls that may surely be sent at once, by what the server said.
    pub fn left(&self) -> u32 {
        if self.is_doubtful() { 0 } else { self.left }
    }

    /// The period as far as is known, in microseconds.
    pub fn period_us(&self) -> i64 {
        self.period()
    }

    /// Calls that used budget in the last period, those under way included, as far as is known.
    pub fn used(&self, now_us: i64) -> u32 {
        let came = self.log.count_after(now_us.saturating_sub(self.period()));
        came.saturating_add(self.count_under_way())
    }

    /// How many calls are under way.
    pub fn under_way(&self) -> usize {
        self.flight.len()
    }

    /// When the next call may be sent. Crowded only while calls are under way.
    pub fn next(&self, now_us: i64) -> Next {
        let under_way = u32::try_from(self.flight.len()).unwrap_or(u32::MAX);
        // Nobody knows a limit before the first answer: it may be 1.
        let unheard = !self.heard && under_way > 0;
        if unheard || under_way >= self.limit() {
            return Next::Crowded;
        }
        match self.free_at(under_way) {
            Some(at_us) => Next::At(at_us.max(self.closed_until_us).max(now_us)),
            None => Next::Crowded,
        }
    }

    /// The earliest moment by the rules that may be trusted.
    fn free_at(&self, under_way: u32) -> Option<i64> {
        if self.left() > 0 {
            return Some(0);
        }
        let opens_us = self.opens_us.filter(|_| under_way == 0);
        let alone = under_way == 0 && opens_us.is_none();
        let slides_us = (alone || self.is_sliding_sound()).then(|| self.slides_at(under_way));
        [opens_us, slides_us].into_iter().flatten().min()
    }

    fn is_sliding_sound(&self) -> bool {
        !self.has_reset || self.is_doubtful() || self.proof.is_sliding() || self.proof.is_bucket()
    }

    fn is_doubtful(&self) -> bool {
        self.doubt >= DOUBTFUL
    }

    /// When fewer than the limit have come in the last period, with `under_way` still to come.
    fn slides_at(&self, under_way: u32) -> i64 {
        let allowed = self.limit().min(log::MOMENTS_MAX).saturating_sub(under_way).max(1);
        self.log.newest(allowed).map_or(0, |oldest| oldest.saturating_add(self.period()))
    }

    fn period(&self) -> i64 {
        let named_us = self.named_us.filter(|_| !self.is_doubtful());
        self.period_us.max(named_us.unwrap_or(0))
    }

    /// A call is sent now. [`Limiter::next`] allowed it; nobody is stopped here.
    pub fn sent(&mut self, now_us: i64) {
        self.flight.push(now_us);
        self.left = self.left.saturating_sub(1);
        self.opens_us = None;
    }

    /// The answer to the call that was sent at `sent_us` was heard.
    pub fn answered(&mut self, sent_us: i64, heard_us: i64, told: &Told) {
        let heard_us = heard_us.max(sent_us);
        let was_under_way = self.land(sent_us);
        self.heard = true;
        if told.refused {
            return self.refused(sent_us, heard_us, told);
        }
        if sent_us >= self.refused_us {
            self.refusals = 0;
        }
        self.calm = self.calm.saturating_add(1);
        self.soften();
        self.note_limit(sent_us, heard_us, told);
        // Calls that the answer may not have counted.
        let overlap = self.log.count_after(sent_us).saturating_add(self.count_under_way());
        if was_under_way {
            self.log.push(heard_us, 1);
        }
        // What remained of another limit is history.
        let remaining = told.remaining.filter(|_| told.limit.is_none() || told.limit == self.limit);
        match remaining {
            Some(remaining) => self.budget(sent_us, heard_us, remaining, told.reset, overlap),
            None => self.has_reset &= told.remaining.is_some(),
        }
        self.log.keep(self.limit());
    }

    /// The answer shows that the call that was sent at `sent_us` never came to the limiter there:
    /// its token was not taken, say. It was not spent.
    pub fn uncounted(&mut self, sent_us: i64) {
        self.heard = true;
        self.land(sent_us);
    }

    /// The call that was sent at `sent_us` is given up: it counts as spent, until now.
    pub fn lost(&mut self, sent_us: i64, now_us: i64) {
        self.heard = true;
        if self.land(sent_us) {
            self.spent_unheard(now_us, 1);
        }
    }

    /// Somebody takes over from a process that died: calls that were under way, and `unknown` more
    /// that it may have sent, count as spent now.
    pub fn taken_over(&mut self, now_us: i64, unknown: u32) {
        let calls = self.count_under_way().saturating_add(unknown);
        self.flight.clear();
        self.left = self.left.saturating_sub(unknown);
        if calls > 0 {
            self.heard = true;
            self.spent_unheard(now_us, calls);
        }
    }

    fn spent_unheard(&mut self, now_us: i64, calls: u32) {
        self.log.push(now_us, calls);
        self.log.keep(self.limit());
        self.lost_us = now_us;
        self.opens_us = None;
    }

    fn count_under_way(&self) -> u32 {
        u32::try_from(self.flight.len()).unwrap_or(u32::MAX)
    }

    /// True if that call was under way.
    fn land(&mut self, sent_us: i64) -> bool {
        let at = self.flight.iter().position(|sent| *sent == sent_us);
        at.map(|at| self.flight.swap_remove(at)).is_some()
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
