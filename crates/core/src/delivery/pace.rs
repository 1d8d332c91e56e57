//! How many attempts at once a receiver is given, and when it is left alone.

/// Concurrency that adapts: one more per round of successes, half of it when the receiver is
/// overloaded (additive increase, multiplicative decrease; Chiu and Jain, 1989).
#[derive(Debug, Clone)]
pub struct Pace {
    limit: u32,
    max: u32,
    /// Successes since the limit changed.
    successes: u32,
    /// Attempts that had begun when it was halved: their failures are of the same crowd.
    forgiven: u32,
}

impl Pace {
    /// Begins with a quarter of `max`.
    pub fn new(max: u32) -> Self {
        Self { limit: (max / 4).max(1), max: max.max(1), successes: 0, forgiven: 0 }
    }

    /// Attempts that may be under way.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    pub fn succeeded(&mut self) {
        self.forgiven = self.forgiven.saturating_sub(1);
        self.successes += 1;
        if self.successes >= self.limit && self.limit < self.max {
            self.limit += 1;
            self.successes = 0;
        }
    }

    /// The receiver said that it has too much to do, or was too slow; `in_flight` others are under
    /// way.
    pub fn overloaded(&mut self, in_flight: u32) {
        if self.forgiven > 0 {
            self.forgiven -= 1;
            return;
        }
        self.limit = (self.limit / 2).max(1);
        (self.successes, self.forgiven) = (0, in_flight);
    }
}

/// Failures in a row after which a receiver is left alone.
const FAILURES_MAX: u32 = 5;
/// The first pause, in milliseconds; it doubles.
const PAUSE_MS: u64 = 250;
const PAUSE_MS_MAX: u64 = 30_000;

/// Leaves a receiver alone that fails whatever it is sent; then one attempt at a time asks whether
/// it is back. Times are milliseconds of any clock that does not go back.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    /// Open until then, if it is open.
    open_until_ms: Option<u64>,
    pauses: u32,
}

impl Breaker {
    /// How many attempts may be begun when `in_flight` are under way and `limit` are allowed.
    pub fn admits(&self, now_ms: u64, in_flight: u32, limit: u32) -> u32 {
        match self.open_until_ms {
            None => limit.saturating_sub(in_flight),
            Some(until) if now_ms >= until && in_flight == 0 => 1,
            Some(_) => 0,
        }
    }

    /// When to look again, if it is open.
    pub fn opens_at_ms(&self) -> Option<u64> {
        self.open_until_ms
    }

    /// The receiver has answered, whatever it said.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// The receiver did not answer, or not sensibly. `random` is uniform over its whole range.
    /// True if this opened it.
    pub fn failed(&mut self, now_ms: u64, random: u32) -> bool {
        self.failures += 1;
        let was_open = self.open_until_ms.is_some();
        if self.failures < FAILURES_MAX && !was_open {
            return false;
        }
        if self.open_until_ms.is_some_and(|until| now_ms < until) {
            return false; // An attempt that was under way when it opened.
        }
        let whole = (PAUSE_MS << self.pauses.min(16)).min(PAUSE_MS_MAX);
        let jitter = ((u128::from(whole / 2) * u128::from(random)) >> 32) as u64;
        self.open_until_ms = Some(now_ms + whole / 2 + jitter);
        self.pauses += 1;
        !was_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_grows_by_one_per_round_and_halves_once_per_crowd() {
        let mut pace = Pace::new(64);
        assert_eq!(pace.limit(), 16);
        for _ in 0..16 {
            pace.succeeded();
        }
        assert_eq!(pace.limit(), 17);
        pace.overloaded(16);
        assert_eq!(pace.limit(), 8);
        for _ in 0..16 {
            pace.overloaded(7);
        }
        assert_eq!(pace.limit(), 8, "those were under way already");
        pace.overloaded(7);
        assert_eq!(pace.limit(), 4);
        for _ in 0..100 {
            pace.overloaded(0);
        }
        assert_eq!(pace.limit(), 1, "it never stops altogether");
        for _ in 0..100_000 {
            pace.succeeded();
        }
        assert_eq!(pace.limit(), 64);
    }

    #[test]
    fn a_dead_receiver_is_asked_by_one_at_a_time_at_growing_pauses() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.admits(0, 3, 8), 5);
        for _ in 1..FAILURES_MAX {
            assert!(!breaker.failed(0, u32::MAX));
        }
        assert!(breaker.failed(0, u32::MAX));
        assert!(!breaker.failed(0, u32::MAX), "a late one of the same crowd does not count");
        let first = breaker.opens_at_ms().expect("open");
        assert_eq!((breaker.admits(first - 1, 0, 8), breaker.admits(first, 1, 8)), (0, 0));
        assert_eq!(breaker.admits(first, 0, 8), 1);
        breaker.failed(first, u32::MAX);
        let second = breaker.opens_at_ms().expect("open");
        assert!(second - first > first, "{first} {second}");
        let mut now = second;
        for _ in 0..100 {
            breaker.failed(now, u32::MAX);
            let until = breaker.opens_at_ms().expect("open");
            assert!(until - now <= PAUSE_MS_MAX);
            now = until;
        }
        breaker.answered();
        assert_eq!(breaker.admits(now, 0, 8), 8);
    }
}
