//! The answers that are asked for again and again: a small table before the cache proper, whose
//! bookkeeping (who was asked for how often, and when) costs more than the look itself.
//!
//! A place belongs to a query and holds its newest answer, until another query falls on the same
//! place. Keys have their versions in them, so an answer that lies here too long is never given.
//! All of them take four megabytes at most, beside what the settings allow the cache.

use std::hash::{BuildHasher, RandomState};
use std::sync::RwLock;

use bytes::Bytes;

use super::{Key, Wanted};

/// Places; a power of two.
const PLACES: usize = 64;
/// Longer answers are not kept here, in bytes: making and sending them costs more than the look.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// See the module.
pub(super) struct Recent {
    places: Vec<RwLock<Option<(Key, Bytes)>>>,
    hasher: RandomState,
}

impl Default for Recent {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| RwLock::default()).collect();
        Self { places, hasher: RandomState::new() }
    }
}

impl Recent {
    fn place(&self, wanted: &Wanted<'_>) -> &RwLock<Option<(Key, Bytes)>> {
        let hash = self.hasher.hash_one((wanted.list, wanted.query));
        &self.places[hash as usize % PLACES]
    }

    /// The answer, if it was asked for lately.
    pub(super) fn get(&self, wanted: &Wanted<'_>) -> Option<Bytes> {
        let place = self.place(wanted).read().expect("no holder of this lock can panic");
        let (key, answer) = place.as_ref()?;
        moka::Equivalent::equivalent(wanted, key).then(|| answer.clone())
    }

    /// Puts an answer in its place.
    pub(super) fn put(&self, wanted: &Wanted<'_>, answer: &Bytes) {
        if answer.len() > ANSWER_BYTES_MAX {
            return;
        }
        let entry = (Key::from(*wanted), answer.clone());
        *self.place(wanted).write().expect("no holder of this lock can panic") = Some(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::cache::Stamp;

    fn wanted(version: i64, query: &str) -> Wanted<'_> {
        Wanted { stamp: Stamp::Catalog(version), list: "products", query }
    }

    /// However queries fall on places, nobody gets another one's answer, or an older one.
    #[test]
    fn an_answer_is_given_to_who_asks_for_it() {
        let recent = Recent::default();
        let query = |n: i64| format!("page={n}");
        for version in 1..=2 {
            for n in 0..1_000 {
                let (text, answer) = (query(n), Bytes::from(format!("{version} {n}")));
                recent.put(&wanted(version, &text), &answer);
                assert_eq!(recent.get(&wanted(version, &text)), Some(answer));
                assert_eq!(recent.get(&wanted(version + 1, &text)), None);
                assert_eq!(recent.get(&wanted(version - 1, &text)), None);
            }
        }
        let kept = (0..1_000).filter_map(|n| Some((n, recent.get(&wanted(2, &query(n)))?)));
        let kept: Vec<_> = kept.collect();
        assert!((1..=PLACES).contains(&kept.len()));
        assert!(kept.iter().all(|(n, answer)| *answer == format!("2 {n}")));
    }

    #[test]
    fn long_answers_are_left_to_the_cache() {
        let recent = Recent::default();
        recent.put(&wanted(1, ""), &Bytes::from(vec![0; ANSWER_BYTES_MAX + 1]));
        assert_eq!(recent.get(&wanted(1, "")), None);
    }
}
