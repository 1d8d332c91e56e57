//! What goes wrong on the way, by seed.

use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::options::{Delay, Faults};
use super::{Shared, UNPOISONED};
use crate::chance::Chance;

/// A misfortune of one call that a limiter admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 500 with a problem document; nothing is done.
    Error,
    /// 502 with a page for people; nothing is done.
    Html,
    /// It is done, and no answer comes as long as the client waits.
    Silence,
    /// It is done, and the connection is reset before the answer.
    Cut,
    /// It is done, and the connection is reset in the middle of the answer.
    Half,
}

impl Fault {
    /// True if what was asked is done all the same.
    pub(super) fn is_after(self) -> bool {
        matches!(self, Fault::Silence | Fault::Cut | Fault::Half)
    }

    fn by_chance(faults: &Faults, chance: &mut Chance) -> Option<Self> {
        let mut left = chance.below(1_000);
        for (fault, permille) in [
            (Fault::Error, faults.error_permille),
            (Fault::Html, faults.html_permille),
            (Fault::Silence, faults.silence_permille),
            (Fault::Cut, faults.cut_permille),
            (Fault::Half, faults.half_permille),
        ] {
            match left.checked_sub(u64::from(permille)) {
                Some(rest) => left = rest,
                None => return Some(fault),
            }
        }
        None
    }
}

impl Shared {
    /// What an admitted call meets: what was ordered, or what chance brings to the client's `nth`
    /// call of an endpoint.
    pub(super) fn fault(&self, faults: &Faults, call: [u64; 3]) -> Option<Fault> {
        let ordered = self.injected.lock().expect(UNPOISONED).pop_front();
        let mut chance = Chance::of(self.seed, &[&[201][..], &call].concat());
        ordered.or_else(|| Fault::by_chance(faults, &mut chance))
    }

    /// How long this request is on its way, and its answer: simulated microseconds.
    pub(super) fn delays(&self, delay: &Delay) -> [u64; 2] {
        let nth = self.requests.fetch_add(1, Relaxed);
        let mut chance = Chance::of(self.seed, &[200, nth]);
        [delay.there_ms, delay.back_ms].map(|[least, most]| {
            chance.between(u64::from(least) * 1_000, u64::from(most.max(least)) * 1_000)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misfortunes_come_as_often_as_told() {
        let faults = Faults { error_permille: 100, half_permille: 50, ..Faults::default() };
        let mut chance = Chance::new(3);
        let met: Vec<_> =
            (0..10_000).filter_map(|_| Fault::by_chance(&faults, &mut chance)).collect();
        let count = |fault| met.iter().filter(|met| **met == fault).count();
        assert!((800..1_200).contains(&count(Fault::Error)), "{}", count(Fault::Error));
        assert!((400..600).contains(&count(Fault::Half)), "{}", count(Fault::Half));
        assert_eq!(met.len(), count(Fault::Error) + count(Fault::Half));
        assert_eq!(Fault::by_chance(&Faults::default(), &mut chance), None);
    }
}
