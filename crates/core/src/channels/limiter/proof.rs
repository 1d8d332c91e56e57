//! What kind of limit a server has, as far as its answers prove it.
//!
//! Each kind foretells what Reset says after a call. One answer may agree with several kinds by
//! chance; a series is a proof when no other kind could have told it, however the network dawdled:
//!
//! - **Sliding window**, Reset until all is free: it is the period after every call, and stays so
//!   while time goes on. A fixed window's would have counted down.
//! - **Sliding window**, Reset until one is free: nothing while calls remain, and then when the
//!   call before the last `limit` falls out of the window.
//! - **Token bucket**, Reset until it is full: what is missing, divided by the rate. It rises while
//!   calls are taken out fast; the others' stay or fall.

use serde::{Deserialize, Serialize};

use super::SECOND_US;
use super::told::Reset;

/// So often must a sliding window have foretold when the next call is free.
const NEXT_MIN: u8 = 2;
/// By so much must Reset have risen with the calls taken out of a bucket: more than rounding does.
const RISE_US_MIN: i64 = 4 * SECOND_US;

/// An answer, and what is known beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) sent_us: i64,
    pub(super) heard_us: i64,
    pub(super) remaining: u32,
    pub(super) reset: Reset,
    pub(super) limit: u32,
    pub(super) period_us: i64,
    /// When the oldest of the last `limit` calls falls out of a sliding window, at the latest; none
    /// if nobody knows.
    pub(super) slides_us: Option<i64>,
}

impl Seen {
    /// Microseconds in which a bucket gets one call's worth.
    pub(super) fn refill_us(&self) -> i64 {
        refill_us(self.period_us, self.limit)
    }
}

/// Microseconds in which a bucket gets one call's worth, rounded up.
pub(super) fn refill_us(period_us: i64, limit: u32) -> i64 {
    let limit = i64::from(limit.max(1));
    period_us.saturating_add(limit - 1) / limit
}

/// What the last answers agreed with, without a break.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Proof {
    /// Reset was the period all the time: the latest moment that the first such answer named, and
    /// the earliest one that the last named.
    whole: Option<(i64, i64)>,
    /// Foretold rightly when the next call is free: how often, and the last such moment.
    next: (u8, i64),
    /// Reset was what is missing in a bucket, with so many calls remaining at least, at most.
    rising: Option<(u32, u32)>,
    /// It rose by enough.
    risen: bool,
}

impl Proof {
    /// Takes in an answer.
    pub(super) fn observe(&mut self, seen: &Seen) {
        self.observe_whole(seen);
        self.observe_next(seen);
        self.observe_bucket(seen);
    }

    /// The rule of the sliding window is known to hold, and with it the period.
    pub(super) fn is_sliding(&self) -> bool {
        self.next.0 >= NEXT_MIN || self.whole.is_some_and(|(first, last)| first < last)
    }

    /// The rule of the bucket is known to hold, and with it the period.
    pub(super) fn is_bucket(&self) -> bool {
        self.risen
    }

    fn observe_whole(&mut self, seen: &Seen) {
        let Reset { earliest_us, latest_us } = seen.reset;
        let agrees = (earliest_us..=latest_us).contains(&seen.period_us);
        let (from, to) = (seen.sent_us + earliest_us, seen.heard_us + latest_us);
        let first = self.whole.map_or(to, |(first, _)| first);
        self.whole = agrees.then_some((first, from));
    }

    fn observe_next(&mut self, seen: &Seen) {
        let Reset { earliest_us, latest_us } = seen.reset;
        if seen.remaining > 0 {
            if earliest_us > 0 {
                self.next = (0, 0);
            }
            return;
        }
        let early_us = seen.heard_us - seen.sent_us;
        let Some(at_us) = seen.slides_us else { return };
        let told = seen.sent_us + earliest_us..=seen.heard_us + latest_us + early_us;
        if !told.contains(&at_us) {
            self.next = (0, 0);
        } else if at_us != self.next.1 {
            self.next = (self.next.0.saturating_add(1), at_us);
        }
    }

    fn observe_bucket(&mut self, seen: &Seen) {
        let Reset { earliest_us, latest_us } = seen.reset;
        let (refill_us, k) = (seen.refill_us(), seen.remaining);
        let missing = i64::from(seen.limit) - i64::from(k);
        let agrees = missing > 0
            && earliest_us <= missing.saturating_mul(refill_us)
            && latest_us >= (missing - 1).saturating_mul(refill_us);
        if !agrees {
            (self.rising, self.risen) = (None, false);
            return;
        }
        // A Reset that speaks of one more call is nothing while calls remain, and anything when
        // none do.
        if k == 0 || earliest_us < 0 {
            return;
        }
        let (least, most) = self.rising.map_or((k, k), |(least, most)| (least.min(k), most.max(k)));
        self.rising = Some((least, most));
        let steps = i64::from(most - least) - 1;
        self.risen |= steps.saturating_mul(refill_us) >= RISE_US_MIN;
    }
}
