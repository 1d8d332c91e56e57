//! Reading a list page by page, of which no more is known than that it is sorted by date, the
//! newest first, and that it may move meanwhile.
//!
//! What always holds, if the list is what it says:
//! - A full reading sees everything that was there when it began and still is when it ends. What
//!   comes while it goes on pushes the rest towards later pages, which shows again what was seen.
//!   What vanishes pulls the rest towards earlier pages, unseen: a reading during which something
//!   is found to have vanished begins again.
//! - An update sees everything that came since the last one began, if it came with a date no more
//!   than [`OVERLAP`] older than the newest one that was known.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How much older than the newest known shipment one may be that is listed for the first time.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(48);
/// Pages of one list that are read: a list that never ends is given up.
pub const PAGES_MAX: u32 = 4_000;
/// How often a reading begins again because something vanished.
pub const AGAIN_MAX: u32 = 2;

/// Who fulfils: the provider lists each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Fulfilled by the retailer.
    Fbr,
    /// Fulfilled by bol.com.
    Fbb,
}

impl Method {
    pub const ALL: [Self; 2] = [Self::Fbr, Self::Fbb];

    /// The word, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fbr => "FBR",
            Self::Fbb => "FBB",
        }
    }

    /// The inverse of [`Method::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Fbr => Some(Self::Fbb),
            Self::Fbb => None,
        }
    }
}

/// How far a reading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To the end of the list.
    Full,
    /// To what is known.
    Update,
}

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub method: Method,
    /// From 1 on.
    pub number: u32,
}

/// What a page said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listed {
    pub entries: usize,
    /// Of the entries: those that were not known.
    pub unknown: usize,
    pub newest: Option<Timestamp>,
    pub oldest: Option<Timestamp>,
}

/// How far a channel's lists were read. Stored beside what was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// The page that comes next; none: nothing is being read.
    page: Option<Page>,
    /// Newest dates known when the last reading had ended, by method.
    known: [Option<Timestamp>; 2],
    /// Newest dates of the reading that goes on.
    seen: [Option<Timestamp>; 2],
    /// Everything was read to its end once.
    complete: bool,
    /// Something vanished during the reading.
    vanished: bool,
    /// Readings that were begun again.
    again: u32,
}

impl Cursor {
    /// The page to read next; none when nothing is being read.
    pub fn page(&self) -> Option<Page> {
        self.page
    }

    /// True when everything was read to its end once.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What a reading has to be, at least.
    pub fn scope(&self, asked: Scope) -> Scope {
        if self.complete { asked } else { Scope::Full }
    }

    /// Begins to read.
    pub fn begin(&mut self) {
        self.page = Some(Page { method: Method::Fbr, number: 1 });
        (self.seen, self.vanished, self.again) = ([None; 2], false, 0);
    }

    /// Gives the reading up; the next one begins at the first page.
    pub fn cancel(&mut self) {
        self.page = None;
    }

    /// Something that the reading has listed is not there any more.
    pub fn vanished(&mut self) {
        self.vanished = true;
    }

    /// Moves on after a page was read.
    ///
    /// # Panics
    /// When no page was being read.
    pub fn read(&mut self, scope: Scope, listed: Listed) {
        let page = self.page.expect("a page was being read");
        let at = page.method as usize;
        self.seen[at] = self.seen[at].max(listed.newest);
        if !self.is_last(page, scope, listed) {
            self.page = Some(Page { number: page.number + 1, ..page });
            return;
        }
        if let Some(method) = page.method.next() {
            self.page = Some(Page { method, number: 1 });
            return;
        }
        self.page = None;
    }

    /// Ends a reading of which all pages were read, and all that they list. False: it has to begin
    /// again, and did.
    ///
    /// # Panics
    /// When pages are left.
    pub fn end(&mut self, scope: Scope) -> bool {
        assert!(self.page.is_none(), "no page is left");
        if self.vanished && self.again < AGAIN_MAX && scope == Scope::Full {
            self.page = Some(Page { method: Method::Fbr, number: 1 });
            (self.vanished, self.again) = (false, self.again + 1);
            return false;
        }
        for (known, seen) in self.known.iter_mut().zip(self.seen) {
            *known = (*known).max(seen);
        }
        self.vanished = false;
        self.complete |= scope == Scope::Full;
        true
    }

    fn is_last(&self, page: Page, scope: Scope, listed: Listed) -> bool {
        if listed.entries == 0 || page.number >= PAGES_MAX {
            return true;
        }
        if scope == Scope::Full || listed.unknown > 0 {
            return false;
        }
        match (self.known[page.method as usize], listed.oldest) {
            (Some(known), Some(oldest)) => oldest < known - OVERLAP,
            // Without dates there is nothing to go by but that all of it was known.
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = 5;

    fn moment(hour: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + hour * 3_600).expect("in range")
    }

    /// Ids with their hours, the newest first.
    type List = Vec<(u32, i64)>;

    /// What a reading asks of a list that changes after every page.
    fn read(
        cursor: &mut Cursor,
        scope: Scope,
        known: &mut BTreeSet<u32>,
        list: &mut List,
        mut meanwhile: impl FnMut(&mut List, &mut Cursor),
    ) -> usize {
        cursor.begin();
        let mut calls = 0;
        loop {
            let Some(page) = cursor.page() else {
                if cursor.end(scope) {
                    return calls;
                }
                continue;
            };
            calls += 1;
            assert!(calls < 1_000, "it never ends");
            let empty = List::new();
            let source = if page.method == Method::Fbr { &*list } else { &empty };
            let shown: List =
                source.iter().skip((page.number as usize - 1) * PAGE).take(PAGE).copied().collect();
            let unknown = shown.iter().filter(|(id, _)| known.insert(*id)).count();
            let hours = shown.iter().map(|(_, hour)| *hour);
            cursor.read(
                scope,
                Listed {
                    entries: shown.len(),
                    unknown,
                    newest: hours.clone().max().map(moment),
                    oldest: hours.min().map(moment),
                },
            );
            meanwhile(list, cursor);
        }
    }

    fn list_of(count: u32, hours_apart: i64) -> List {
        (0..count).map(|id| (id, i64::from(count - id) * hours_apart)).collect()
    }

    #[test]
    fn a_full_reading_ends_at_the_empty_page_of_each_method() {
        let (mut cursor, mut known) = (Cursor::default(), BTreeSet::new());
        assert_eq!(cursor.scope(Scope::Update), Scope::Full, "nothing is known yet");
        let mut list = list_of(12, 1);
        let calls = read(&mut cursor, Scope::Full, &mut known, &mut list, |_, _| {});
        assert_eq!((calls, known.len()), (4 + 1, 12));
        assert!(cursor.is_complete());
        assert_eq!(cursor.scope(Scope::Update), Scope::Update);
    }

    #[test]
    fn an_update_of_nothing_new_asks_once_for_each_method() {
        let (mut cursor, mut known) = (Cursor::default(), BTreeSet::new());
        let mut list = list_of(40, 24);
        read(&mut cursor, Scope::Full, &mut known, &mut list, |_, _| {});
        let calls = read(&mut cursor, Scope::Update, &mut known, &mut list, |_, _| {});
        assert_eq!(calls, 2);
    }

    #[test]
    fn a_reading_that_was_given_up_begins_anew() {
        let mut cursor = Cursor::default();
        cursor.begin();
        cursor.read(Scope::Full, Listed { entries: 5, unknown: 5, ..Listed::default() });
        assert_eq!(cursor.page(), Some(Page { method: Method::Fbr, number: 2 }));
        cursor.cancel();
        assert_eq!((cursor.page(), cursor.is_complete()), (None, false));
        cursor.begin();
        assert_eq!(cursor.page(), Some(Page { method: Method::Fbr, number: 1 }));
    }

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let mut cursor = Cursor::default();
        cursor.begin();
        let mut calls = 0;
        while cursor.page().is_some() {
            cursor.read(Scope::Full, Listed { entries: 5, ..Listed::default() });
            calls += 1;
        }
        assert_eq!(calls, 2 * PAGES_MAX);
    }

    proptest! {
        /// Whatever comes while it is read, and whatever vanishes if that is noticed.
        #[test]
        fn a_full_reading_misses_nothing(
            count in 0_u32..60,
            changes in proptest::collection::vec((any::<bool>(), 0_usize..60), 0..30),
        ) {
            let (mut cursor, mut known) = (Cursor::default(), BTreeSet::new());
            let mut list = list_of(count, 1);
            let mut changes = changes.into_iter();
            let (mut next, mut vanishings) = (1_000, 0);
            read(&mut cursor, Scope::Full, &mut known, &mut list, |list, cursor| {
                match changes.next() {
                    Some((true, _)) => {
                        next += 1;
                        list.insert(0, (next, i64::from(next)));
                    }
                    Some((false, at)) if !list.is_empty() && vanishings < AGAIN_MAX => {
                        vanishings += 1;
                        list.remove(at % list.len());
                        cursor.vanished();
                    }
                    _ => {}
                }
            });
            for (id, _) in list.iter().filter(|(id, _)| *id < 1_000) {
                prop_assert!(known.contains(id), "{} was missed", id);
            }
        }

        /// What comes between two updates, also with dates of the past, is found by the second.
        #[test]
        fn an_update_misses_nothing_that_is_not_too_late(
            count in 1_u32..60, apart in 0_i64..30,
            coming in proptest::collection::vec(0_i64..47, 0..20),
        ) {
            let (mut cursor, mut known) = (Cursor::default(), BTreeSet::new());
            let mut list = list_of(count, apart);
            read(&mut cursor, Scope::Full, &mut known, &mut list, |_, _| {});
            let newest = list.iter().map(|(_, hour)| *hour).max().unwrap_or(0);
            for (number, late) in coming.into_iter().enumerate() {
                list.push((2_000 + number as u32, newest + 1 - late));
            }
            list.sort_by_key(|(_, hour)| -hour);
            read(&mut cursor, Scope::Update, &mut known, &mut list, |_, _| {});
            for (id, _) in &list {
                prop_assert!(known.contains(id), "{} was missed", id);
            }
        }
    }
}
