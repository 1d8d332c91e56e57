//! Each limiter against a model that keeps every call and counts anew.

use proptest::prelude::*;

use super::limit::{Limit, LimitKind, Limiter};

/// Everything that was admitted.
#[derive(Debug, Default)]
struct Model {
    admitted: Vec<u64>,
}

impl Model {
    /// True if a call at this moment keeps the rule, by counting all calls.
    fn allows(&self, limit: &Limit, phase_us: u64, now_us: u64) -> bool {
        let period_us = u64::from(limit.period_ms) * 1_000;
        let permits = u64::from(limit.permits);
        let with_this = self.admitted.iter().copied().chain([now_us]);
        match limit.kind {
            // In no span did more come than the bucket held and what ran into it meanwhile.
            LimitKind::TokenBucket => {
                let calls: Vec<u64> = with_this.collect();
                let burst = limit.burst();
                (0..calls.len()).all(|from| {
                    let span = u128::from(now_us - calls[from]);
                    let came = (calls.len() - from) as u128;
                    came * u128::from(period_us)
                        <= u128::from(burst) * u128::from(period_us) + span * u128::from(permits)
                })
            }
            LimitKind::FixedWindow => {
                let window = |at: u64| (at + phase_us) / period_us;
                let here = with_this.filter(|at| window(*at) == window(now_us)).count();
                here as u64 <= permits
            }
            LimitKind::SlidingWindow => {
                with_this.filter(|at| at + period_us > now_us).count() as u64 <= permits
            }
            LimitKind::Concurrency => unreachable!("has a test of its own"),
        }
    }
}

fn limits() -> impl Strategy<Value = Limit> {
    let kinds = [LimitKind::TokenBucket, LimitKind::FixedWindow, LimitKind::SlidingWindow];
    let burst = proptest::option::of(1_u32..12);
    (proptest::sample::select(kinds.to_vec()), 1_u32..8, 1_u32..60, burst)
        .prop_map(|(kind, permits, period_ms, burst)| Limit { kind, permits, period_ms, burst })
}

/// Pauses between calls in microseconds: mostly short, and now and then just a period's length.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    let pause = prop_oneof![0_u64..3_000, Just(0_u64), Just(1_000_u64), 0_u64..80_000];
    proptest::collection::vec(pause, 1..80)
}

proptest! {
    #[test]
    fn admits_just_what_the_rule_allows(
        limit in limits(), phase_us in 0_u64..100_000, start in 1_000_000_u64..2_000_000,
        pauses in pauses(),
    ) {
        let (mut limiter, mut model) = (Limiter::new(limit, phase_us, start), Model::default());
        let mut now = start;
        for pause in pauses {
            now += pause;
            let allowed = model.allows(&limit, phase_us, now);
            let remaining = limiter.remaining(now);
            prop_assert_eq!(remaining > 0, allowed, "remaining {} at {}", remaining, now);
            match limiter.take(now) {
                Ok(()) => {
                    prop_assert!(allowed, "admitted too much at {}", now);
                    model.admitted.push(now);
                    prop_assert_eq!(limiter.remaining(now), remaining - 1);
                }
                Err(next) => {
                    prop_assert!(!allowed, "refused too much at {}", now);
                    // Just then, and no microsecond earlier.
                    prop_assert!(next > now && model.allows(&limit, phase_us, next));
                    prop_assert!(!model.allows(&limit, phase_us, next - 1));
                }
            }
            let full = limiter.full_at(now);
            prop_assert_eq!(limiter.remaining(full), limit.burst());
        }
    }

    #[test]
    fn concurrency_counts_who_is_under_way(permits in 1_u32..6, acts in
        proptest::collection::vec(any::<bool>(), 1..60)) {
        let limit = Limit::per_minute(LimitKind::Concurrency, permits);
        let (mut limiter, mut under_way) = (Limiter::new(limit, 0, 0), 0);
        for (now, comes) in (0..).zip(acts) {
            if comes {
                let admitted = limiter.take(now).is_ok();
                prop_assert_eq!(admitted, under_way < permits);
                under_way += u32::from(admitted);
            } else if under_way > 0 {
                limiter.release();
                under_way -= 1;
            }
            prop_assert_eq!(limiter.remaining(now), u64::from(permits - under_way));
        }
    }

    #[test]
    fn a_lower_limit_holds_at_once(
        kind in proptest::sample::select(vec![
            LimitKind::TokenBucket, LimitKind::FixedWindow, LimitKind::SlidingWindow,
        ]),
        used in 0_u32..20, lower in 1_u32..20, pause in 0_u64..60_000_000,
    ) {
        let start = 1_000_000_000_000;
        let mut limiter = Limiter::new(Limit::per_minute(kind, 20), 0, start);
        for _ in 0..used {
            limiter.take(start).expect("within the limit");
        }
        let before = limiter.remaining(start + pause);
        limiter.change(start + pause, Limit::per_minute(kind, lower));
        let after = limiter.remaining(start + pause);
        prop_assert!(after <= u64::from(lower) && after <= before, "{} to {}", before, after);
    }
}

#[test]
fn figures_of_the_documentation() {
    // 50 per minute in windows: the 51st waits for the next one.
    let mut limiter = Limiter::new(Limit::per_minute(LimitKind::FixedWindow, 50), 0, 60_000_000);
    for call in 0..50 {
        assert_eq!(limiter.take(61_000_000 + call), Ok(()));
    }
    assert_eq!(limiter.take(62_000_000), Err(120_000_000));
    assert_eq!((limiter.remaining(62_000_000), limiter.full_at(62_000_000)), (0, 120_000_000));
    // A bucket of 10 per 10 seconds has one more after a second.
    let limit = Limit { period_ms: 10_000, ..Limit::per_minute(LimitKind::TokenBucket, 10) };
    let mut limiter = Limiter::new(limit, 0, 0);
    assert_eq!(limiter.take(0), Ok(()));
    assert_eq!((limiter.remaining(0), limiter.full_at(0)), (9, 1_000_000));
}
