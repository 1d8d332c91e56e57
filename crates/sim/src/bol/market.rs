//! What there is to find in an account: shipments, made on the fly out of the seed.
//!
//! Of a shipment nothing is kept but what somebody did to it. The first ones of an account are
//! spread over the last three months, the newest last; those that come later are rows of their own,
//! because they may come late, with an older date.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// Rows of a page.
pub(super) const PAGE_ROWS: usize = 50;
pub(super) const SECOND_US: u64 = 1_000_000;
pub(super) const HOUR_US: u64 = 3_600 * SECOND_US;
/// Shipments older than three months are not listed.
const SPAN_US: u64 = 92 * 24 * HOUR_US;
/// The first ones are spread over less, so that none grows too old while somebody looks.
const SPREAD_US: u64 = 90 * 24 * HOUR_US;
/// What comes late has a date up to two days back.
const LATE_US_MAX: u64 = 48 * HOUR_US;
/// Ids of an account's shipments lie together, so that an id tells where it belongs.
const IDS_PER_CHANNEL: u64 = 1_000_000;
const FIRST_ID: u64 = 500_000_000;

/// Who keeps and sends the goods: the retailer (`FBR`) or bol.com (`FBB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    #[serde(rename = "FBR")]
    Retailer,
    #[serde(rename = "FBB")]
    Bol,
}

impl Method {
    #[cfg(test)]
    pub(super) const ALL: [Method; 2] = [Method::Retailer, Method::Bol];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Method::Retailer => "FBR",
            Method::Bol => "FBB",
        }
    }
}

/// What an account's shipments are like. Shares are of a thousand, chosen by seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Goods {
    pub fbb_permille: u32,
    /// Without anything that may be absent.
    pub sparse_permille: u32,
    /// With numbers for ids.
    pub number_ids_permille: u32,
    /// With fields that nobody has documented.
    pub extra_fields_permille: u32,
    /// With a field of another type than documented.
    pub wrong_types_permille: u32,
    /// Listed, but their detail is gone: 404.
    pub ghosts_permille: u32,
    /// Simulated seconds between two events of a transport; 0: all have happened.
    pub event_seconds: u32,
}

impl Default for Goods {
    fn default() -> Self {
        Self {
            fbb_permille: 300,
            sparse_permille: 0,
            number_ids_permille: 0,
            extra_fields_permille: 0,
            wrong_types_permille: 0,
            ghosts_permille: 0,
            event_seconds: 6 * 3_600,
        }
    }
}

/// One shipment's name: account and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) channel: u32,
    pub(super) index: u32,
}

impl Name {
    pub(super) fn id(self) -> u64 {
        FIRST_ID + u64::from(self.channel) * IDS_PER_CHANNEL + u64::from(self.index)
    }

    /// The shipment of an id, if there can be one.
    pub(super) fn of(id: &str) -> Option<Self> {
        let offset = id.parse::<u64>().ok()?.checked_sub(FIRST_ID)?;
        let channel = u32::try_from(offset / IDS_PER_CHANNEL).ok()?;
        let index = u32::try_from(offset % IDS_PER_CHANNEL).ok()?;
        Some(Self { channel, index })
    }

    /// Chance for one of its traits.
    pub(super) fn chance(self, seed: u64, of: u64) -> Chance {
        Chance::of(seed, &[of, u64::from(self.channel), u64::from(self.index)])
    }
}

/// What somebody sent by `POST /retailer/shipments`.
#[derive(Debug, Clone, Default)]
pub(super) struct Posted {
    /// Order items and how many of each.
    pub(super) items: Vec<(String, u32)>,
    pub(super) reference: Option<String>,
    pub(super) transporter: Option<String>,
    pub(super) track_and_trace: Option<String>,
}

/// What one account has.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// How many it has had from the beginning.
    pub(super) initial: u32,
    /// Those that came later, by their numbers: their dates.
    later: BTreeMap<u32, u64>,
    gone: HashSet<u32>,
    pub(super) posted: HashMap<u32, Posted>,
}

/// Where and when an account's goods are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) seed: u64,
    pub(super) channel: u32,
    pub(super) origin_us: u64,
    pub(super) goods: &'a Goods,
}

impl Place<'_> {
    pub(super) fn name(&self, index: u32) -> Name {
        Name { channel: self.channel, index }
    }

    fn method(&self, index: u32) -> Method {
        match self.name(index).chance(self.seed, 1).happens(self.goods.fbb_permille) {
            true => Method::Bol,
            false => Method::Retailer,
        }
    }
}

impl Stock {
    pub(super) fn new(initial: u32) -> Self {
        Self { initial, ..Self::default() }
    }

    /// Shipments that there are or were.
    pub(super) fn count(&self) -> u32 {
        self.initial + u32::try_from(self.later.len()).expect("fewer than 2^32")
    }

    /// The shipment's date; none if there is none of this number, or not any more.
    pub(super) fn date(&self, place: &Place<'_>, index: u32) -> Option<u64> {
        if self.gone.contains(&index) {
            return None;
        }
        if index >= self.initial {
            return self.later.get(&index).copied();
        }
        // Each has its own slot of the three months, and stands somewhere within.
        let slot_us = SPREAD_US / u64::from(self.initial);
        let within = place.name(index).chance(place.seed, 2).below(slot_us.max(1));
        let date = place.origin_us - SPREAD_US + u64::from(index) * slot_us + within;
        Some(date - date % SECOND_US)
    }

    pub(super) fn method(&self, place: &Place<'_>, index: u32) -> Method {
        match self.posted.contains_key(&index) {
            true => Method::Retailer,
            false => place.method(index),
        }
    }

    /// One more, now or late; gives its number. None when the account has no more ids.
    pub(super) fn arrive(&mut self, place: &Place<'_>, now_us: u64, late: bool) -> Option<u32> {
        let index = self.count();
        if u64::from(index) >= IDS_PER_CHANNEL {
            return None;
        }
        let back = match late {
            true => place.name(index).chance(place.seed, 3).between(HOUR_US, LATE_US_MAX),
            false => 0,
        };
        let date = now_us - back;
        self.later.insert(index, date - date % SECOND_US);
        Some(index)
    }

    /// Takes one away for good.
    pub(super) fn remove(&mut self, index: u32) {
        self.gone.insert(index);
    }

    /// A page of the list, newest first: numbers with their dates.
    pub(super) fn page(
        &self,
        place: &Place<'_>,
        method: Method,
        page: usize,
        now_us: u64,
    ) -> Vec<(u32, u64)> {
        let oldest = now_us.saturating_sub(SPAN_US);
        let mut later: Vec<(u64, u32)> =
            self.later.iter().map(|(index, date)| (*date, *index)).collect();
        later.sort_unstable();
        let mut later = later.into_iter().rev().map(|(date, index)| (index, date)).peekable();
        let dated = |index: u32| Some((index, self.date(place, index)?));
        let mut initial = (0..self.initial).rev().filter_map(dated).peekable();
        let merged = std::iter::from_fn(|| match (initial.peek(), later.peek()) {
            (Some((_, first)), Some((_, second))) if second >= first => later.next(),
            (Some(_), _) => initial.next(),
            (None, _) => later.next(),
        });
        merged
            .filter(|(index, date)| *date >= oldest && !self.gone.contains(index))
            .filter(|(index, _)| self.method(place, *index) == method)
            .skip(page.saturating_sub(1).saturating_mul(PAGE_ROWS))
            .take(PAGE_ROWS)
            .collect()
    }
}

/// How a transport goes on, in its order; the last one is chosen per shipment.
const ON_ITS_WAY: [&str; 3] = ["PRE_ANNOUNCED", "AT_TRANSPORTER", "IN_TRANSIT"];
const ARRIVED: [&str; 5] = [
    "DELIVERED_AT_CUSTOMER",
    "DELIVERED_AT_NEIGHBOURS",
    "PICKED_UP_AT_PICK_UP_POINT",
    "RETURNED_TO_SENDER",
    "INBOUND_COLLECT",
];

/// The events of a transport until now, each with its moment, and whether more will come.
pub(super) fn events(
    place: &Place<'_>,
    index: u32,
    date_us: u64,
    now_us: u64,
) -> (Vec<(&'static str, u64)>, bool) {
    let mut chance = place.name(index).chance(place.seed, 4);
    let last = if chance.happens(300) { *chance.pick(&ARRIVED) } else { ARRIVED[0] };
    let all: Vec<&'static str> = ON_ITS_WAY.into_iter().chain([last]).collect();
    let pause_us = u64::from(place.goods.event_seconds) * SECOND_US;
    let happened = match date_us.checked_add(pause_us) {
        _ if pause_us == 0 => all.len(),
        // The first one comes with the shipment.
        _ => 1 + usize::try_from(now_us.saturating_sub(date_us) / pause_us).unwrap_or(usize::MAX),
    };
    let step_us = if pause_us == 0 { HOUR_US } else { pause_us };
    let moves = happened < all.len();
    let events = all.into_iter().zip(0_u64..).take(happened);
    (events.map(|(code, nth)| (code, date_us + nth * step_us)).collect(), moves)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000 * SECOND_US;

    fn place(goods: &Goods) -> Place<'_> {
        Place { seed: 7, channel: 3, origin_us: NOW, goods }
    }

    /// All numbers of all pages.
    fn all(stock: &Stock, place: &Place<'_>, method: Method, now: u64) -> Vec<(u32, u64)> {
        let pages = (1..).map(|page| stock.page(place, method, page, now));
        pages.take_while(|page| !page.is_empty()).flatten().collect()
    }

    #[test]
    fn pages_hold_everything_once_newest_first() {
        let goods = Goods::default();
        let (place, mut stock) = (place(&goods), Stock::new(1_000));
        for nth in 0..40 {
            stock.arrive(&place, NOW + nth * SECOND_US, nth % 4 == 0);
        }
        let now = NOW + 60 * SECOND_US;
        let mut seen = Vec::new();
        for method in Method::ALL {
            let rows = all(&stock, &place, method, now);
            assert!(rows.windows(2).all(|pair| pair[0].1 >= pair[1].1), "by date, descending");
            assert!(rows.len() > 200, "both ways have their share: {}", rows.len());
            seen.extend(rows.into_iter().map(|(index, _)| index));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..1_040).collect::<Vec<_>>());
        // A week later some are too old.
        let later = now + 7 * 24 * HOUR_US;
        let left: usize =
            Method::ALL.map(|method| all(&stock, &place, method, later).len()).iter().sum();
        assert!((950..1_000).contains(&left), "{left}");
        stock.remove(500);
        let left: usize =
            Method::ALL.iter().map(|method| all(&stock, &place, *method, now).len()).sum();
        assert_eq!(left, seen.len() - 1);
    }

    #[test]
    fn ids_tell_where_they_belong() {
        for (channel, index) in [(0, 0), (999, 1_999), (7, 999_999)] {
            let name = Name { channel, index };
            assert_eq!(Name::of(&name.id().to_string()), Some(name));
        }
        for id in ["", "12", "abc", "-5", "99999999999999999999999"] {
            assert_eq!(Name::of(id), None, "{id}");
        }
    }

    #[test]
    fn a_transport_goes_on_until_it_has_arrived() {
        let goods = Goods { event_seconds: 3_600, ..Goods::default() };
        let place = place(&goods);
        for (hours, count, moves) in [(0, 1, true), (1, 2, true), (3, 4, false), (99, 4, false)] {
            let (events, more) = events(&place, 1, NOW, NOW + hours * HOUR_US);
            assert_eq!((events.len(), more), (count, moves), "after {hours} hours");
            assert_eq!(events[0], ("PRE_ANNOUNCED", NOW));
        }
        let still = Goods { event_seconds: 0, ..Goods::default() };
        let (events, more) = events(&Place { goods: &still, ..place }, 1, NOW, NOW);
        assert_eq!((events.len(), more), (4, false));
    }
}
