//! Four ways to limit how often somebody may call, as pure functions of time.
//!
//! A limiter never admits more than its rule allows, and never refuses what its rule allows; the
//! tests hold each against a naive model. Times are microseconds; they never go back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// A bucket that refills steadily; full at first.
    TokenBucket,
    /// So many in each window of a fixed grid. Each client's grid begins elsewhere.
    FixedWindow,
    /// So many in any span of a window's length.
    SlidingWindow,
    /// So many at the same time.
    Concurrency,
}

/// How often somebody may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub kind: LimitKind,
    /// Calls per period, at least 1; at a time for [`LimitKind::Concurrency`].
    pub permits: u32,
    /// Simulated milliseconds, at least 1.
    #[serde(default = "minute_ms")]
    pub period_ms: u32,
    /// What a bucket holds; as many as the permits if absent.
    #[serde(default)]
    pub burst: Option<u32>,
}

const fn minute_ms() -> u32 {
    60_000
}

impl Limit {
    /// So many per minute.
    pub const fn per_minute(kind: LimitKind, permits: u32) -> Self {
        Self { kind, permits, period_ms: minute_ms(), burst: None }
    }

    /// So many per second.
    pub const fn per_second(kind: LimitKind, permits: u32) -> Self {
        Self { kind, permits, period_ms: 1_000, burst: None }
    }

    fn permits(&self) -> u64 {
        u64::from(self.permits.max(1))
    }

    /// What may come at once after a long silence.
    pub(super) fn burst(&self) -> u64 {
        match self.kind {
            LimitKind::TokenBucket => u64::from(self.burst.unwrap_or(self.permits).max(1)),
            _ => self.permits(),
        }
    }

    fn period_us(&self) -> u64 {
        u64::from(self.period_ms.max(1)) * 1_000
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Permits times the period's microseconds, so that nothing is rounded.
    Bucket {
        level: u64,
        at_us: u64,
    },
    Fixed {
        window: u64,
        used: u64,
    },
    /// When each of the last calls came.
    Sliding(VecDeque<u64>),
    Concurrent {
        in_flight: u64,
    },
}

/// One client's limit at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limiter {
    limit: Limit,
    /// Where the grid of fixed windows lies.
    phase_us: u64,
    state: State,
}

impl Limiter {
    /// A client that has not called yet.
    pub(super) fn new(limit: Limit, phase_us: u64, now_us: u64) -> Self {
        let mut limiter = Self { limit, phase_us, state: State::Sliding(VecDeque::new()) };
        limiter.state = limiter.fresh(now_us);
        limiter
    }

    fn fresh(&self, now_us: u64) -> State {
        match self.limit.kind {
            LimitKind::TokenBucket => State::Bucket { level: self.level_max(), at_us: now_us },
            LimitKind::FixedWindow => State::Fixed { window: self.window(now_us), used: 0 },
            LimitKind::SlidingWindow => State::Sliding(VecDeque::new()),
            LimitKind::Concurrency => State::Concurrent { in_flight: 0 },
        }
    }

    pub(super) fn limit(&self) -> Limit {
        self.limit
    }

    fn window(&self, now_us: u64) -> u64 {
        (now_us + self.phase_us) / self.limit.period_us()
    }

    fn level_max(&self) -> u64 {
        self.limit.burst() * self.limit.period_us()
    }

    /// What a bucket holds now.
    fn level(&self, level: u64, at_us: u64, now_us: u64) -> u64 {
        let refill = now_us.saturating_sub(at_us).saturating_mul(self.limit.permits());
        level.saturating_add(refill).min(self.level_max())
    }

    /// Admits a call, or says when the next one could be.
    pub(super) fn take(&mut self, now_us: u64) -> Result<(), u64> {
        let next = self.next(now_us);
        if next > now_us || self.is_crowded() {
            return Err(next);
        }
        let (window, period_us) = (self.window(now_us), self.limit.period_us());
        let held = match self.state {
            State::Bucket { level, at_us } => self.level(level, at_us, now_us),
            _ => 0,
        };
        match &mut self.state {
            State::Bucket { level, at_us } => (*level, *at_us) = (held - period_us, now_us),
            State::Fixed { window: last, used } if *last == window => *used += 1,
            State::Fixed { window: last, used } => (*last, *used) = (window, 1),
            State::Sliding(calls) => {
                while calls.front().is_some_and(|first| first + period_us <= now_us) {
                    calls.pop_front();
                }
                calls.push_back(now_us);
            }
            State::Concurrent { in_flight } => *in_flight += 1,
        }
        Ok(())
    }

    /// A call that was admitted has ended.
    pub(super) fn release(&mut self) {
        if let State::Concurrent { in_flight } = &mut self.state {
            *in_flight = in_flight.saturating_sub(1);
        }
    }

    /// True if as many are under way as may be: nobody knows until when.
    fn is_crowded(&self) -> bool {
        matches!(self.state, State::Concurrent { in_flight } if in_flight >= self.limit.permits())
    }

    /// The first moment from now on at which a call is admitted, if none comes before.
    pub(super) fn next(&self, now_us: u64) -> u64 {
        let period_us = self.limit.period_us();
        match &self.state {
            State::Bucket { level, at_us } => {
                let missing = period_us.saturating_sub(self.level(*level, *at_us, now_us));
                now_us + missing.div_ceil(self.limit.permits())
            }
            State::Fixed { window, used } => {
                let here = self.window(now_us);
                let full = *window == here && *used >= self.limit.permits();
                if full { (here + 1) * period_us - self.phase_us } else { now_us }
            }
            State::Sliding(calls) => {
                let permits = usize::try_from(self.limit.permits()).unwrap_or(usize::MAX);
                let oldest = calls.len().checked_sub(permits).and_then(|at| calls.get(at));
                oldest.map_or(now_us, |oldest| now_us.max(oldest + period_us))
            }
            State::Concurrent { .. } => now_us,
        }
    }

    /// Calls that would be admitted at this moment.
    pub(super) fn remaining(&self, now_us: u64) -> u64 {
        let (permits, period_us) = (self.limit.permits(), self.limit.period_us());
        match &self.state {
            State::Bucket { level, at_us } => self.level(*level, *at_us, now_us) / period_us,
            State::Fixed { window, used } if *window == self.window(now_us) => {
                permits.saturating_sub(*used)
            }
            State::Fixed { .. } => permits,
            State::Sliding(calls) => {
                let counted = calls.iter().filter(|call| **call + period_us > now_us).count();
                permits.saturating_sub(counted as u64)
            }
            State::Concurrent { in_flight } => permits.saturating_sub(*in_flight),
        }
    }

    /// When all of the budget is there again, if no call comes before.
    pub(super) fn full_at(&self, now_us: u64) -> u64 {
        let period_us = self.limit.period_us();
        match &self.state {
            State::Bucket { level, at_us } => {
                let missing = self.level_max() - self.level(*level, *at_us, now_us);
                now_us + missing.div_ceil(self.limit.permits())
            }
            State::Fixed { .. } => (self.window(now_us) + 1) * period_us - self.phase_us,
            State::Sliding(calls) => {
                calls.back().map_or(now_us, |last| now_us.max(last + period_us))
            }
            State::Concurrent { .. } => now_us,
        }
    }

    /// Another limit from now on. What was used stays used as far as the new rule can tell.
    pub(super) fn change(&mut self, now_us: u64, limit: Limit) {
        if limit == self.limit {
            return;
        }
        let former = self.limit;
        let held = match self.state {
            State::Bucket { level, at_us } => self.level(level, at_us, now_us),
            _ => 0,
        };
        let window = self.window(now_us);
        self.limit = limit;
        if former.kind != limit.kind {
            self.state = self.fresh(now_us);
            return;
        }
        let (new_window, level_max) = (self.window(now_us), self.level_max());
        match &mut self.state {
            State::Bucket { level, at_us } => {
                let scaled = u128::from(held) * u128::from(limit.period_us())
                    / u128::from(former.period_us());
                *level = u64::try_from(scaled).unwrap_or(u64::MAX).min(level_max);
                *at_us = now_us;
            }
            State::Fixed { window: last, used } => {
                *used = if *last == window { *used } else { 0 };
                *last = new_window;
            }
            State::Sliding(_) | State::Concurrent { .. } => {}
        }
    }
}
