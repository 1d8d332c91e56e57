//! Counts what one client did at one endpoint, and what it could have done.
//!
//! The best client is the limiter itself: asked again and again for its next free moment, from the
//! state that it had before the first call.

use serde::Serialize;

use super::limit::{Limit, LimitKind, Limiter};

/// A best client that could do so much more than the real one is not followed to the end.
const BEST_CALLS_MAX: u64 = 4_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    /// Accepted, and then an error, a silence or a cut by the simulator's own will.
    pub(super) failed: u64,
    in_flight: u64,
    in_flight_max: u64,
    span: Option<Span>,
}

/// From the first call on.
#[derive(Debug)]
struct Span {
    /// As it was before the first call.
    before: Limiter,
    first_us: u64,
    last_us: u64,
    /// Limits that came later, with their moments.
    changes: Vec<(u64, Limit)>,
}

/// What one client did at one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// What the limit of now admits at once.
    pub budget: u64,
    pub accepted: u64,
    pub refused: u64,
    /// Of the accepted: met an error, a silence or a cut that the simulator had in store.
    pub failed: u64,
    /// At the same time.
    pub in_flight_max: u64,
    /// What the limiter would have admitted from the first to the last accepted call; none for a
    /// limit of calls at a time.
    pub allowed: Option<u64>,
    /// Accepted calls per thousand allowed ones. A window that has just begun counts whole: see
    /// `optimal_us` for the time.
    pub used_permille: Option<u64>,
    /// From the first call to the last one, had each come at its first free moment.
    pub optimal_us: u64,
    /// From the first call to the last one.
    pub taken_us: u64,
}

impl Meter {
    /// True before the first call: [`Meter::accept`] wants to know the limiter as it is then.
    pub(super) fn is_fresh(&self) -> bool {
        self.span.is_none()
    }

    /// A call was admitted; `before` is the limiter as it was, of the first call at least.
    pub(super) fn accept(&mut self, before: Option<Limiter>, now_us: u64) {
        self.accepted += 1;
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
        match (&mut self.span, before) {
            (Some(span), _) => span.last_us = now_us,
            (None, Some(before)) => {
                let (first_us, last_us, changes) = (now_us, now_us, Vec::new());
                self.span = Some(Span { before, first_us, last_us, changes });
            }
            (None, None) => unreachable!("the first call brings the limiter"),
        }
    }

    /// An admitted call has ended.
    pub(super) fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Another limit from now on.
    pub(super) fn change(&mut self, now_us: u64, limit: Limit) {
        if let Some(span) = &mut self.span {
            span.changes.push((now_us, limit));
        }
    }

    /// Counts anew. Calls under way stay so.
    pub(super) fn reset(&mut self) {
        *self = Self { in_flight: self.in_flight, ..Self::default() };
    }

    pub(super) fn usage(&self, budget: u64) -> Usage {
        let best = self.span.as_ref().and_then(|span| span.best(self.accepted));
        let taken_us = self.span.as_ref().map_or(0, |span| span.last_us - span.first_us);
        Usage {
            budget,
            accepted: self.accepted,
            refused: self.refused,
            failed: self.failed,
            in_flight_max: self.in_flight_max,
            allowed: best.map(|best| best.calls),
            used_permille: best.map(|best| self.accepted * 1_000 / best.calls.max(1)),
            optimal_us: best.map_or(0, |best| best.optimal_us),
            taken_us,
        }
    }
}

/// What the best client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Best {
    /// Within the span.
    calls: u64,
    /// Until as many calls as the real client made.
    optimal_us: u64,
}

impl Span {
    fn best(&self, accepted: u64) -> Option<Best> {
        let mut limiter = self.before.clone();
        let mut changes = self.changes.iter().peekable();
        let (mut now_us, mut best) = (self.first_us, Best { calls: 0, optimal_us: 0 });
        while best.calls < BEST_CALLS_MAX {
            if limiter.limit().kind == LimitKind::Concurrency {
                return None;
            }
            let next_us = limiter.next(now_us);
            if let Some((at_us, limit)) = changes.next_if(|(at_us, _)| *at_us < next_us) {
                now_us = now_us.max(*at_us);
                limiter.change(now_us, *limit);
                continue;
            }
            if next_us > self.last_us {
                break;
            }
            limiter.take(next_us).expect("the moment is free");
            now_us = next_us;
            best.calls += 1;
            if best.calls == accepted {
                best.optimal_us = next_us - self.first_us;
            }
        }
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;
    const KINDS: [LimitKind; 3] =
        [LimitKind::TokenBucket, LimitKind::FixedWindow, LimitKind::SlidingWindow];

    /// A client that calls as soon as it may, and `late_us` later each time.
    fn client(limit: Limit, calls: u64, late_us: u64) -> Usage {
        let start = 1_000 * SECOND;
        let (mut limiter, mut meter) = (Limiter::new(limit, 7, start), Meter::default());
        let mut now = start;
        for _ in 0..calls {
            now = limiter.next(now) + late_us;
            let before = limiter.clone();
            limiter.take(now).expect("it is free");
            meter.accept(Some(before), now);
            meter.end();
        }
        meter.usage(0)
    }

    #[test]
    fn who_calls_at_once_uses_all() {
        for kind in KINDS {
            let usage = client(Limit::per_minute(kind, 50), 1_000, 0);
            assert_eq!((usage.accepted, usage.refused), (1_000, 0), "{kind:?}");
            assert_eq!(usage.optimal_us, usage.taken_us, "{kind:?}");
            assert_eq!(usage.allowed, Some(if kind == KINDS[1] { 1_000 } else { usage.accepted }));
            assert_eq!(usage.used_permille, Some(1_000), "{kind:?}");
        }
    }

    #[test]
    fn the_physics_of_the_three_rules() {
        // 1,000 calls of 50 per minute.
        let at = |kind| client(Limit::per_minute(kind, 50), 1_000, 0).optimal_us / SECOND;
        assert_eq!(at(LimitKind::TokenBucket), 950 * 60 / 50);
        assert_eq!(at(LimitKind::SlidingWindow), 19 * 60);
        // Nineteen windows later, less what was gone of the first one.
        let fixed = at(LimitKind::FixedWindow);
        assert!((18 * 60..=19 * 60).contains(&fixed), "{fixed}");
    }

    #[test]
    fn who_dawdles_uses_less() {
        // Half of the rate.
        let usage = client(Limit::per_second(LimitKind::TokenBucket, 1), 500, SECOND);
        assert_eq!(usage.used_permille, Some(500));
        assert!(usage.optimal_us * 2 <= usage.taken_us + 2 * SECOND, "{usage:?}");
    }

    #[test]
    fn limits_that_change_are_followed() {
        let (fast, slow) = (
            Limit::per_second(LimitKind::SlidingWindow, 10),
            Limit::per_second(LimitKind::SlidingWindow, 1),
        );
        let start = 1_000 * SECOND;
        let (mut limiter, mut meter) = (Limiter::new(fast, 0, start), Meter::default());
        let mut now = start;
        for call in 0..60 {
            if call == 50 {
                // Right after the fiftieth call.
                limiter.change(now, slow);
                meter.change(now, slow);
            }
            now = limiter.next(now);
            let before = limiter.clone();
            limiter.take(now).expect("it is free");
            meter.accept(Some(before), now);
        }
        let usage = meter.usage(0);
        // Five bursts of ten, one a second; then one a second.
        assert_eq!(usage.taken_us, 14 * SECOND);
        assert_eq!((usage.optimal_us, usage.used_permille), (14 * SECOND, Some(1_000)));
        assert_eq!(usage.in_flight_max, 60, "nobody said that they ended");
        meter.reset();
        assert_eq!(meter.usage(0), Usage::default());
    }

    proptest! {
        /// Whoever keeps the limits, also while they change, does no better than the best.
        #[test]
        fn nobody_beats_the_best(
            kind in proptest::sample::select(KINDS.to_vec()), permits in 1_u32..9,
            steps in proptest::collection::vec(
                (0_u64..900, proptest::option::weighted(0.1, 1_u32..9)), 1..120),
        ) {
            let limit = |permits| Limit { period_ms: 1, ..Limit::per_second(kind, permits) };
            let start = 1_000 * SECOND;
            let mut limiter = Limiter::new(limit(permits), 77, start);
            let (mut meter, mut now) = (Meter::default(), start);
            for (pause, change) in steps {
                now += pause;
                if let Some(permits) = change {
                    limiter.change(now, limit(permits));
                    meter.change(now, limit(permits));
                    now += 1;
                }
                let before = limiter.clone();
                if limiter.take(now).is_ok() {
                    meter.accept(Some(before), now);
                }
            }
            let usage = meter.usage(0);
            if usage.accepted > 0 {
                let allowed = usage.allowed.expect("a rate");
                prop_assert!(usage.accepted <= allowed, "{:?}", usage);
                prop_assert!(usage.optimal_us <= usage.taken_us, "{:?}", usage);
            }
        }
    }

    #[test]
    fn calls_at_a_time_have_no_rate() {
        let usage = client(Limit::per_second(LimitKind::Concurrency, 100), 50, 1);
        assert_eq!((usage.allowed, usage.used_permille, usage.accepted), (None, None, 50));
    }
}
