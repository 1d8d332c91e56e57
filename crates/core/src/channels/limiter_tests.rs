use proptest::prelude::*;

use super::*;

#[path = "limiter_tests/drive.rs"]
mod drive;
#[path = "limiter_tests/servers.rs"]
mod servers;

use drive::{Ran, START, Script, best, best_in_turn, run};
use servers::{Chance, Kind, Meaning, Rounding, SECOND, Server};

const RATES: [Kind; 3] = [Kind::Bucket, Kind::Fixed, Kind::Sliding];
const HONEST: [Meaning; 5] =
    [Meaning::Full, Meaning::Next, Meaning::Epoch, Meaning::Absent, Meaning::Silent];
const ROUNDINGS: [Rounding; 3] = [Rounding::Up, Rounding::Down, Rounding::Nearest];

/// A server and a client drawn from a seed.
fn drawn(seed: u64, kinds: &[Kind], meanings: &[Meaning]) -> (Server, Script) {
    let mut chance = Chance(seed);
    let kind = chance.pick(kinds);
    let permits = chance.pick(&[1, 2, 3, 7, 10, 25, 50, 80]);
    let period = chance.pick(&[1, 2, 5, 10, 60, 60, 180]) * SECOND;
    let mut server = Server::new(kind, permits, period, chance.between(0, period - 1));
    server.meaning = chance.pick(meanings);
    server.rounding = chance.pick(&ROUNDINGS);
    server.retry_after = chance.happens(700);
    server.skew = chance.between(-100 * SECOND, 100 * SECOND);
    let mut script = Script::new(seed, u32::try_from(permits).expect("few"), period);
    script.width = chance.pick(&[1, 1, 2, 3]);
    script.delay = chance.pick(&[(0, 0), (20_000, 80_000), (1_000, 900_000), (100, 4_000_000)]);
    script.calls = permits * chance.between(2, 12) + chance.between(0, 30);
    script.dawdle = chance.pick(&[(0, 0), (period / 3, 100), (3 * period, 20)]);
    script.restore_permille = 30;
    (server, script)
}

/// More refusals than waits: two calls, the second sent before the first one's wait was over.
fn impatient(ran: &Ran) -> bool {
    let second_us = |pair: &[(i64, i64)]| pair[1].0 < pair[0].1 + SECOND;
    let crowd = |pair: &[(i64, i64)]| pair[1].0 <= pair[0].1;
    ran.refused.windows(2).any(|pair| second_us(pair) && !crowd(pair))
}

proptest! {
    /// Headers that are right, or none where the defaults are right: never a refusal.
    #[test]
    fn nobody_is_refused(seed in any::<u64>()) {
        let (server, script) = drawn(seed, &RATES, &HONEST);
        let ran = run(server.clone(), &script);
        prop_assert!(ran.refused.is_empty(), "{:?}\n{:?}\n{:?}", ran, server, script);
        prop_assert_eq!(ran.admitted, script.calls);
    }

    #[test]
    fn nobody_is_refused_for_calling_at_once(seed in any::<u64>()) {
        let (server, script) = drawn(seed, &[Kind::Concurrency], &HONEST);
        let ran = run(server.clone(), &script);
        prop_assert!(ran.refused.is_empty(), "{:?}\n{:?}\n{:?}", ran, server, script);
        prop_assert_eq!(ran.admitted, script.calls);
    }

    /// Lost answers and other processes that take over: still never a refusal.
    #[test]
    fn what_nobody_knows_counts_as_spent(seed in any::<u64>()) {
        let (server, mut script) = drawn(seed, &RATES, &HONEST);
        script.lost_permille = 50;
        script.crash_permille = 20;
        let ran = run(server.clone(), &script);
        prop_assert!(ran.refused.is_empty(), "{:?}\n{:?}\n{:?}", ran, server, script);
        prop_assert_eq!(ran.admitted, script.calls);
    }
}

proptest! {
    /// A limit that changes costs one refusal at most, or as many as were under way.
    #[test]
    fn a_change_costs_one_refusal(seed in any::<u64>()) {
        let told = [Meaning::Full, Meaning::Next, Meaning::Epoch, Meaning::Absent];
        let (server, mut script) = drawn(seed, &RATES, &told);
        let mut chance = Chance(!seed);
        let span = script.calls / server.permits * server.period;
        let count = chance.between(1, 3);
        let change = |_| (chance.between(0, span), chance.pick(&[1, 3, 7, 10, 25, 50, 80]));
        script.changes = (0..count).map(change).collect();
        let ran = run(server.clone(), &script);
        let (changes, width) = (script.changes.len(), script.width);
        prop_assert!(ran.refused.len() <= changes * width, "{:?}\n{:?}\n{:?}", ran, server, script);
        prop_assert_eq!(ran.admitted, script.calls);
    }

    /// Headers that lie: a refusal now and then, but no storm and no standstill.
    #[test]
    fn headers_that_lie_do_little_harm(seed in any::<u64>()) {
        let lies = [Meaning::Random, Meaning::RandomReset, Meaning::RandomRemaining];
        let (server, mut script) = drawn(seed, &RATES, &lies);
        script.until = 40 * server.period + 4_000 * SECOND;
        script.calls = i64::MAX;
        let ran = run(server.clone(), &script);
        prop_assert!(!impatient(&ran), "{:?}\n{:?}\n{:?}", ran, server, script);
        // A wait that is told is waited.
        let least = script.until / (1_000 * SECOND);
        prop_assert!(ran.admitted >= least, "{:?}\n{:?}\n{:?}", ran, server, script);
    }

    /// A limit or a period that is assumed too generous, and nothing is told: it is learned.
    #[test]
    fn wrong_assumptions_are_corrected(seed in any::<u64>()) {
        let (server, mut script) = drawn(seed, &RATES, &[Meaning::Silent]);
        let mut chance = Chance(!seed);
        script.assumed.permits *= chance.pick(&[1, 2, 4]);
        script.assumed.period_us /= chance.pick(&[1, 2, 10]);
        script.calls = server.permits * 200;
        let ran = run(server.clone(), &script);
        prop_assert!(!impatient(&ran), "{:?}\n{:?}\n{:?}", ran, server, script);
        prop_assert_eq!(ran.admitted, script.calls);
    }

    /// Somebody else calls with the same key: refused is only what came between.
    #[test]
    fn others_are_noticed(seed in any::<u64>()) {
        let (server, mut script) = drawn(seed, &RATES, &[Meaning::Full, Meaning::Absent]);
        script.width = 1;
        script.delay = (0, 0);
        let mut chance = Chance(!seed);
        let span = script.calls / server.permits * server.period;
        script.others = (0..30).map(|_| chance.between(0, span)).collect();
        let ran = run(server.clone(), &script);
        prop_assert!(ran.refused.len() <= 30, "{:?}\n{:?}\n{:?}", ran, server, script);
        prop_assert_eq!(ran.admitted, script.calls);
    }
}

/// 1,000 calls over a usual network, one after another; each kind, meaning and rounding, windows
/// that began at any time before. Of ten thousand: how
/// much of the time the best client needs that calls in turn, and the best one whose calls take no
/// time.
fn used(kind: Kind, meaning: Meaning, permits: i64, width: usize, seed: u64) -> (i64, i64) {
    let mut chance = Chance(seed);
    let mut server = Server::new(kind, permits, 60 * SECOND, chance.between(0, 60 * SECOND - 1));
    (server.meaning, server.rounding) = (meaning, chance.pick(&ROUNDINGS));
    let mut script = Script::new(seed, u32::try_from(permits).expect("few"), 60 * SECOND);
    script.width = width;
    let ran = run(server.clone(), &script);
    assert!(ran.refused.is_empty(), "{ran:?}\n{server:?}\n{script:?}");
    let in_turn = best_in_turn(server.clone(), &script);
    (in_turn * 10_000 / ran.taken, best(server, 1_000) * 10_000 / ran.taken)
}

/// Windows that began at any time before.
const PHASES: u64 = 6;

#[test]
fn the_allowance_is_used() {
    let mut combinations = Vec::new();
    for kind in RATES {
        for meaning in [Meaning::Full, Meaning::Next, Meaning::Epoch] {
            combinations.extend([(50, 1), (50, 4), (25, 1)].map(|it| (kind, meaning, it)));
        }
    }
    for (kind, meaning, (permits, width)) in combinations {
        let runs: Vec<_> =
            (0..PHASES).map(|seed| used(kind, meaning, permits, width, seed)).collect();
        let worst = runs.iter().map(|run| run.0).min().expect("runs");
        println!("{kind:?} {meaning:?} {permits} per minute, {width} at once: {runs:?}");
        assert!(worst >= 9_900, "{kind:?} {meaning:?} {permits} {width}: {runs:?}");
    }
}

#[test]
fn what_is_stored_is_small() {
    for kind in RATES {
        let mut server = Server::new(kind, 50, 60 * SECOND, 7);
        server.meaning = Meaning::Full;
        let mut script = Script::new(3, 50, 60 * SECOND);
        script.restore_permille = 1_000;
        let ran = run(server, &script);
        assert!(ran.stored_bytes_max < 900, "{} bytes", ran.stored_bytes_max);
    }
}

/// Answers that come back in another order than their calls went.
#[test]
fn an_answer_that_dawdled_promises_nothing() {
    let told = |remaining| Told {
        limit: Some(3),
        remaining: Some(remaining),
        reset: Reset::in_seconds(60),
        ..Told::default()
    };
    let mut limiter = Limiter::new(Assumed::per_minute(3));
    limiter.sent(START);
    assert_eq!(limiter.next(START), Next::Crowded, "nobody knows yet how many may be under way");
    limiter.answered(START, START + 100, &told(2));
    assert_eq!((limiter.left(), limiter.limit()), (2, 3));
    limiter.sent(START + 200);
    limiter.sent(START + 201);
    limiter.answered(START + 201, START + 300, &told(1));
    assert_eq!(limiter.left(), 0, "the other call was not counted yet");
    limiter.answered(START + 200, START + 400, &told(0));
    assert_eq!(limiter.left(), 0);
    assert_eq!(limiter.next(START + 400), Next::At(START + 400 + 61 * SECOND));
}

#[test]
fn what_never_came_was_not_spent() {
    let mut limiter = Limiter::new(Assumed::per_minute(1));
    limiter.sent(START);
    limiter.uncounted(START);
    assert_eq!((limiter.next(START), limiter.under_way()), (Next::At(START), 0));
    limiter.sent(START);
    limiter.lost(START, START + SECOND);
    assert_eq!(limiter.next(START + SECOND), Next::At(START + 61 * SECOND));
}

#[test]
fn a_refusal_is_waited_out_and_the_next_one_longer() {
    let refused = Told { refused: true, ..Told::default() };
    let mut limiter = Limiter::new(Assumed::default());
    let (mut now, mut pauses) = (START, Vec::new());
    for _ in 0..8 {
        limiter.sent(now);
        limiter.answered(now, now, &refused);
        let Next::At(next) = limiter.next(now) else { panic!("nothing is under way") };
        pauses.push((next - now) / SECOND);
        now = next;
    }
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert!(pauses[0] >= 60 && pauses[7] > 200, "{pauses:?}");
    let waits = Told { retry_after_us: Some(4 * SECOND), ..refused };
    let mut limiter = Limiter::new(Assumed::default());
    limiter.sent(START);
    limiter.answered(START, START, &waits);
    assert_eq!(limiter.next(START), Next::At(START + 5 * SECOND), "seconds may be cut");
}
