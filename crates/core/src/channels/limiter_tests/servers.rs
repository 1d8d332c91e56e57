//! Servers that limit, as plainly as can be: none of this is how the limiter under test works.

use super::super::{Reset, Told};

pub(super) const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bucket,
    Fixed,
    Sliding,
    Concurrency,
}

/// How whole seconds are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Up,
    Down,
    Nearest,
}

/// What Reset tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Until all is free.
    Full,
    /// Until one call is free.
    Next,
    /// The moment at which all is free.
    Epoch,
    /// Limit and Remaining alone.
    Absent,
    /// No header at all.
    Silent,
    /// Anything, each time anew.
    Random,
    /// Limit and Remaining are right, Reset is anything.
    RandomReset,
    /// Limit and Reset are right, Remaining is anything up to the limit.
    RandomRemaining,
}

/// Splitmix64, by Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
#[derive(Debug, Clone)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most - least + 1).expect("in their order");
        least + i64::try_from(self.next() % span).expect("within the span")
    }

    pub(super) fn happens(&mut self, permille: i64) -> bool {
        self.between(0, 999) < permille
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.between(0, of.len() as i64 - 1)).expect("an index")]
    }
}

/// A server with one client.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) permits: i64,
    pub(super) period: i64,
    /// Where fixed windows begin.
    pub(super) phase: i64,
    pub(super) rounding: Rounding,
    pub(super) meaning: Meaning,
    pub(super) retry_after: bool,
    /// The server's clock is ahead by so much.
    pub(super) skew: i64,
    /// Arrivals that were admitted and may still count.
    came: Vec<i64>,
    /// What a bucket lacks, in calls times the period, and when that was.
    lacks: (i64, i64),
    pub(super) under_way: i64,
    pub(super) admitted: i64,
}

impl Server {
    pub(super) fn new(kind: Kind, permits: i64, period: i64, phase: i64) -> Self {
        Self {
            kind,
            permits,
            period,
            phase,
            rounding: Rounding::Up,
            meaning: Meaning::Full,
            retry_after: true,
            skew: 0,
            came: Vec::new(),
            lacks: (0, 0),
            under_way: 0,
            admitted: 0,
        }
    }

    fn lacks(&self, now: i64) -> i64 {
        let (lacked, at) = self.lacks;
        lacked.saturating_sub((now - at).saturating_mul(self.permits)).max(0)
    }

    fn window(&self, now: i64) -> i64 {
        (now + self.phase).div_euclid(self.period)
    }

    /// Calls that count at this moment.
    fn counted(&self, now: i64) -> i64 {
        let counts = |at: &&i64| match self.kind {
            Kind::Fixed => self.window(**at) == self.window(now),
            _ => **at + self.period > now,
        };
        self.came.iter().filter(counts).count() as i64
    }

    fn remaining(&self, now: i64) -> i64 {
        let left = match self.kind {
            Kind::Bucket => (self.permits * self.period - self.lacks(now)).div_euclid(self.period),
            Kind::Fixed | Kind::Sliding => self.permits - self.counted(now),
            Kind::Concurrency => self.permits - self.under_way,
        };
        left.max(0)
    }

    /// The first moment at which a call would be admitted.
    pub(super) fn next(&self, now: i64) -> i64 {
        if self.remaining(now) > 0 {
            return now;
        }
        match self.kind {
            Kind::Bucket => {
                let missing = self.lacks(now) - (self.permits - 1) * self.period;
                now + (missing + self.permits - 1).div_euclid(self.permits)
            }
            Kind::Fixed => (self.window(now) + 1) * self.period - self.phase,
            Kind::Sliding => self.came[self.came.len() - self.permits as usize] + self.period,
            Kind::Concurrency => now,
        }
    }

    fn full(&self, now: i64) -> i64 {
        match self.kind {
            Kind::Bucket => now + (self.lacks(now) + self.permits - 1).div_euclid(self.permits),
            Kind::Fixed => (self.window(now) + 1) * self.period - self.phase,
            Kind::Sliding => self.came.last().map_or(now, |last| now.max(last + self.period)),
            Kind::Concurrency => now,
        }
    }

    /// True if the call is admitted.
    pub(super) fn take(&mut self, now: i64) -> bool {
        if self.remaining(now) == 0 {
            return false;
        }
        self.lacks = (self.lacks(now) + self.period, now);
        self.came.push(now);
        let since = now - 2 * self.period;
        self.came.retain(|at| *at > since);
        self.under_way += 1;
        self.admitted += 1;
        true
    }

    /// Somebody else's call.
    pub(super) fn take_other(&mut self, now: i64) {
        let admitted = self.admitted;
        if self.take(now) {
            self.under_way -= 1;
        }
        self.admitted = admitted;
    }

    pub(super) fn change(&mut self, now: i64, permits: i64) {
        let level = self.permits * self.period - self.lacks(now);
        self.permits = permits;
        self.lacks = ((permits * self.period - level).max(0), now);
    }

    fn seconds(&self, micros: i64) -> i64 {
        match self.rounding {
            Rounding::Up => (micros + SECOND - 1).div_euclid(SECOND),
            Rounding::Down => micros.div_euclid(SECOND),
            Rounding::Nearest => (micros + SECOND / 2).div_euclid(SECOND),
        }
    }

    /// What the answer to a call tells that just came.
    pub(super) fn tell(&self, now: i64, refused: bool, chance: &mut Chance) -> Told {
        let retry_after = (refused && self.retry_after)
            .then(|| self.seconds(self.next(now) - now).max(1) * SECOND);
        let told = Told { refused, retry_after_us: retry_after, ..Told::default() };
        let mut any = |most| chance.between(0, most);
        let number = |number: i64| Some(u32::try_from(number).expect("not negative"));
        let (limit, remaining) = (number(self.permits), number(self.remaining(now)));
        let full = Reset::in_seconds(self.seconds(self.full(now) - now));
        match self.meaning {
            Meaning::Silent => told,
            Meaning::Absent => Told { limit, remaining, ..told },
            Meaning::Full => Told { limit, remaining, reset: full, ..told },
            Meaning::Next => {
                let reset = Reset::in_seconds(self.seconds(self.next(now) - now));
                Told { limit, remaining, reset, ..told }
            }
            Meaning::Epoch => {
                let date = (now + self.skew).div_euclid(SECOND);
                let reset = Reset::read(self.seconds(self.full(now) + self.skew), Some(date));
                Told { limit, remaining, reset, ..told }
            }
            Meaning::Random => {
                let [limit, remaining, reset] = [999; 3].map(&mut any);
                let reset = Reset::in_seconds(reset);
                Told { limit: number(limit), remaining: number(remaining), reset, ..told }
            }
            Meaning::RandomReset => {
                Told { limit, remaining, reset: Reset::in_seconds(any(999)), ..told }
            }
            Meaning::RandomRemaining => {
                Told { limit, remaining: number(any(self.permits)), reset: full, ..told }
            }
        }
    }
}
