//! Numbers of a sequence that have not been seen yet.
//!
//! A sequence hands out numbers before the commit, so a reader who only remembers the highest one
//! loses whatever commits late. This one remembers what is missing below it, and looks again,
//! until whoever might still commit it has ended.

use std::ops::RangeInclusive;

/// Gaps that are remembered at most. A failed batch leaves one, until it is forgotten; thousands at
/// once mean that something else is wrong, and then reading stops at the first one that no longer
/// fits.
pub const GAPS_MAX: usize = 4_000;

/// Numbers that follow each other, none of which has been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub first: i64,
    pub last: i64,
    /// Every transaction that may fill it has a number below this one.
    pub filled_before: i64,
    /// When it was first noticed, in microseconds since 1970.
    pub since_us: i64,
}

/// The highest number seen, and the gaps below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gaps {
    pub mark: i64,
    /// By number.
    pub gaps: Vec<Gap>,
}

impl Gaps {
    /// Takes in the numbers that were seen, in any order: those above the mark, and those found in
    /// gaps. `ended` is a number below which all transactions had ended *before* they were looked
    /// for, `started` one above all that had started *after*. A gap that nobody can fill any more,
    /// and that has been there for `patience_us`, is forgotten.
    ///
    /// What it did not take, because too many gaps would have to be remembered, is gone from `seen`
    /// afterwards (which is sorted), and is to be read again later.
    pub fn take_in(
        &mut self,
        seen: &mut Vec<i64>,
        ended: i64,
        started: i64,
        now_us: i64,
        patience_us: i64,
    ) {
        seen.sort_unstable();
        let mark = self.mark;
        for &number in seen.iter().take_while(|number| **number <= mark) {
            self.fill(number);
        }
        let gone = |gap: &Gap| gap.filled_before <= ended && now_us - gap.since_us >= patience_us;
        self.gaps.retain(|gap| !gone(gap));
        let mut taken = 0;
        for &number in seen.iter() {
            taken += 1;
            if number <= self.mark {
                continue;
            }
            if number > self.mark + 1 {
                if self.gaps.len() >= GAPS_MAX {
                    taken -= 1;
                    break;
                }
                let (first, last) = (self.mark + 1, number - 1);
                self.gaps.push(Gap { first, last, filled_before: started, since_us: now_us });
            }
            self.mark = number;
        }
        seen.truncate(taken);
    }

    fn fill(&mut self, number: i64) {
        let holds = |gap: &Gap| RangeInclusive::new(gap.first, gap.last).contains(&number);
        let Some(index) = self.gaps.iter().position(holds) else { return };
        let gap = self.gaps.remove(index);
        let before = Gap { last: number - 1, ..gap.clone() };
        let after = Gap { first: number + 1, ..gap };
        let parts = [before, after].into_iter().filter(|gap| gap.first <= gap.last);
        self.gaps.splice(index..index, parts);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Transactions take numbers and commit or fail in any order; a reader looks now and then.
    /// Transaction `n` has the number `n`, its rows some numbers of the sequence.
    #[derive(Debug, Clone)]
    enum Step {
        Begin(u8),
        Commit(u8),
        Fail(u8),
        Look(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1u8..5).prop_map(Step::Begin),
            any::<u8>().prop_map(Step::Commit),
            any::<u8>().prop_map(Step::Fail),
            (1u8..20).prop_map(Step::Look),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn everything_committed_is_seen_once(steps in steps()) {
            let mut open: Vec<(i64, Vec<i64>)> = Vec::new();
            let (mut next_tx, mut next_number, mut now) = (1, 1, 0);
            let mut committed = BTreeSet::new();
            let mut read: BTreeSet<i64> = BTreeSet::new();
            let mut gaps = Gaps::default();
            let mut look = |committed: &BTreeSet<i64>, oldest: i64, next_tx, now, limit: usize| {
                let above = committed.range(gaps.mark + 1..).take(limit).copied();
                let in_gaps = committed.iter().copied().filter(|number| {
                    gaps.gaps.iter().any(|gap| gap.first <= *number && *number <= gap.last)
                });
                let mut seen: Vec<i64> = above.chain(in_gaps).collect();
                gaps.take_in(&mut seen, oldest, next_tx, now, 3);
                for number in seen {
                    assert!(read.insert(number), "{number} was read twice");
                }
                read.len()
            };
            for step in steps {
                now += 1;
                match step {
                    Step::Begin(count) => {
                        let numbers = (next_number..next_number + i64::from(count)).collect();
                        next_number += i64::from(count);
                        open.push((next_tx, numbers));
                        next_tx += 1;
                    }
                    Step::Commit(which) | Step::Fail(which) if !open.is_empty() => {
                        let (_, numbers) = open.remove(usize::from(which) % open.len());
                        if matches!(step, Step::Commit(_)) {
                            committed.extend(numbers);
                        }
                    }
                    Step::Look(limit) => {
                        let oldest = open.iter().map(|(tx, _)| *tx).min().unwrap_or(next_tx);
                        look(&committed, oldest, next_tx, now, limit.into());
                    }
                    _ => {}
                }
            }
            for (_, numbers) in open {
                committed.extend(numbers);
            }
            let mut read = 0;
            for _ in 0..200 {
                now += 1;
                read = look(&committed, next_tx, next_tx, now, 50);
            }
            prop_assert_eq!(read, committed.len());
            now += 10;
            look(&committed, next_tx, next_tx, now, 1);
            prop_assert!(gaps.gaps.is_empty(), "nobody can fill these: {:?}", gaps.gaps);
        }
    }

    #[test]
    fn too_many_gaps_make_the_reader_wait() {
        let mut gaps = Gaps::default();
        let most = GAPS_MAX as i64;
        let mut seen: Vec<i64> = (1..=2 * most).map(|n| n * 2).collect();
        gaps.take_in(&mut seen, 0, 9, 0, 10);
        assert_eq!((seen.len(), gaps.mark, gaps.gaps.len()), (GAPS_MAX, 2 * most, GAPS_MAX));
        let mut later: Vec<i64> = (most + 1..=most + 10).map(|n| n * 2).collect();
        gaps.take_in(&mut later, 9, 20, 11, 10);
        let expected = (10, 2 * most + 20);
        assert_eq!((later.len(), gaps.mark), expected, "what nobody can fill is forgotten");
    }
}
