//! When calls were heard of: the sliding window of their latest possible arrivals.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Moments kept at most; a limit of more calls per period slides as one of so many would.
pub(super) const MOMENTS_MAX: u32 = 256;

/// Microseconds in a moment of the log.
const GRAIN_US: i64 = 1_000;

/// Moments in their order, rounded up to milliseconds. Written as the first one and the steps from
/// one to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log(VecDeque<i64>);

impl Log {
    /// So many calls arrived at this moment at the latest.
    pub(super) fn push(&mut self, at_us: i64, calls: u32) {
        let at = at_us.saturating_add(GRAIN_US - 1).div_euclid(GRAIN_US);
        let at = self.0.back().map_or(at, |last| at.max(*last));
        self.0.extend((0..calls.min(MOMENTS_MAX)).map(|_| at));
    }

    /// Forgets all but the newest ones.
    pub(super) fn keep(&mut self, calls: u32) {
        let kept = usize::try_from(calls.min(MOMENTS_MAX)).expect("a few");
        self.0.drain(..self.0.len().saturating_sub(kept));
    }

    /// How many are later than this.
    pub(super) fn count_after(&self, at_us: i64) -> u32 {
        let later = self.0.iter().rev().take_while(|at| **at * GRAIN_US > at_us).count();
        u32::try_from(later).expect("a few")
    }

    /// The `nth` newest one, from 1.
    pub(super) fn newest(&self, nth: u32) -> Option<i64> {
        let nth = usize::try_from(nth).ok()?;
        let at = self.0.len().checked_sub(nth)?;
        self.0.get(at).map(|at| at * GRAIN_US)
    }
}

impl Serialize for Log {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0;
        serializer.collect_seq(self.0.iter().map(|at| at - std::mem::replace(&mut before, *at)))
    }
}

impl<'de> Deserialize<'de> for Log {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let steps = VecDeque::<i64>::deserialize(deserializer)?;
        let mut at = 0_i64;
        let next = |step| {
            at = at.saturating_add(step);
            at
        };
        Ok(Self(steps.into_iter().map(next).collect()))
    }
}
