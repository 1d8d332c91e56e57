//! Counts what was refused, by hour and reason, in process: nothing is written where goods are
//! sold. Whoever keeps the numbers takes them from here.
//!
//! There are two hours' counters, of even and of odd hours: the last hour's are taken while the new
//! one counts already.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use runout_core::stock::{BasketOutcome, CheckoutOutcome, Outcome, SellOutcome};

use super::Undecided;

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;

/// Why somebody did not get what they wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    OutOfStock,
    NotForSale,
    OverLimit,
    /// The price or the discount was not what the buyer thought.
    Price,
    /// More came than could be decided in time.
    Overloaded,
    Other,
}

impl Reason {
    pub const ALL: [Reason; 6] = [
        Reason::OutOfStock,
        Reason::NotForSale,
        Reason::OverLimit,
        Reason::Price,
        Reason::Overloaded,
        Reason::Other,
    ];

    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Reason::OutOfStock => "out_of_stock",
            Reason::NotForSale => "not_for_sale",
            Reason::OverLimit => "over_limit",
            Reason::Price => "price",
            Reason::Overloaded => "overloaded",
            Reason::Other => "other",
        }
    }

    /// The reason of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Why a buyer's command came to nothing; `None` if it did not, or was no buyer's.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Sell(sell) => of_sale(sell),
            Outcome::Basket(basket) => of_basket(basket),
            Outcome::Checkout(checkout) => of_checkout(checkout),
            _ => None,
        }
    }

    /// Why a command was not decided at all.
    pub fn of_undecided(error: &Undecided) -> Option<Self> {
        match error {
            Undecided::QueueFull | Undecided::DeadlinePassed => Some(Reason::Overloaded),
            Undecided::Stopped | Undecided::Store(_) => None,
        }
    }
}

fn of_sale(outcome: &SellOutcome) -> Option<Reason> {
    Some(match outcome {
        SellOutcome::Placed(_) => return None,
        SellOutcome::Short(_) => Reason::OutOfStock,
        SellOutcome::NotForSale(_) => Reason::NotForSale,
        SellOutcome::OverOrderLimit { .. } | SellOutcome::OverCustomerLimit { .. } => {
            Reason::OverLimit
        }
        _ => Reason::Other,
    })
}

fn of_basket(outcome: &BasketOutcome) -> Option<Reason> {
    Some(match outcome {
        BasketOutcome::Kept(_) => return None,
        BasketOutcome::Short(_) => Reason::OutOfStock,
        BasketOutcome::NotForSale(_) => Reason::NotForSale,
        BasketOutcome::OverOrderLimit { .. } | BasketOutcome::OverCustomerLimit { .. } => {
            Reason::OverLimit
        }
        _ => Reason::Other,
    })
}

fn of_checkout(outcome: &CheckoutOutcome) -> Option<Reason> {
    Some(match outcome {
        CheckoutOutcome::Placed(_) => return None,
        CheckoutOutcome::Short(_) => Reason::OutOfStock,
        CheckoutOutcome::NotForSale(_) => Reason::NotForSale,
        CheckoutOutcome::OverOrderLimit { .. } | CheckoutOutcome::OverCustomerLimit { .. } => {
            Reason::OverLimit
        }
        CheckoutOutcome::Discount(_) | CheckoutOutcome::PriceChanged { .. } => Reason::Price,
        _ => Reason::Other,
    })
}

/// So many refusals of an hour, which is named by its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub hour: Timestamp,
    pub reason: Reason,
    pub count: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Refusals {
    hours: [[AtomicU64; Reason::ALL.len()]; 2],
}

/// The beginning of the hour of a moment.
pub fn hour_of(moment: Timestamp) -> Timestamp {
    let second = moment.as_second().div_euclid(HOUR_S) * HOUR_S;
    Timestamp::from_second(second).expect("an earlier second of the same hour")
}

/// Which of the two hours' counters.
fn side(hour: Timestamp) -> usize {
    usize::from(hour.as_second().div_euclid(HOUR_S).rem_euclid(2) == 1)
}

impl Refusals {
    pub(super) fn count(&self, now: Timestamp, reason: Reason) {
        self.add(hour_of(now), reason, 1);
    }

    fn add(&self, hour: Timestamp, reason: Reason, count: u64) {
        self.hours[side(hour)][reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// What was counted since it was last taken. To be called at least once an hour.
    pub fn take(&self, now: Timestamp) -> Vec<Refused> {
        self.each(now, |counter| counter.swap(0, Ordering::Relaxed))
    }

    /// What was counted since it was last taken; it stays.
    pub fn waiting(&self, now: Timestamp) -> Vec<Refused> {
        self.each(now, |counter| counter.load(Ordering::Relaxed))
    }

    /// What was taken could not be kept.
    pub fn give_back(&self, refused: &[Refused]) {
        refused.iter().for_each(|Refused { hour, reason, count }| self.add(*hour, *reason, *count));
    }

    fn each(&self, now: Timestamp, read: impl Fn(&AtomicU64) -> u64) -> Vec<Refused> {
        let hour = hour_of(now);
        let mut found = Vec::new();
        for hour in [hour - SignedDuration::from_secs(HOUR_S), hour] {
            for reason in Reason::ALL {
                let count = read(&self.hours[side(hour)][reason as usize]);
                if count > 0 {
                    found.push(Refused { hour, reason, count });
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_ends_while_its_refusals_wait() {
        let refusals = Refusals::default();
        let moment = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let (before, after) = (moment("2026-11-21T12:59:59Z"), moment("2026-11-21T13:00:01Z"));
        refusals.count(before, Reason::OutOfStock);
        refusals.count(after, Reason::OutOfStock);
        refusals.count(after, Reason::OutOfStock);
        refusals.count(after, Reason::Price);
        let told = |hour, reason, count| Refused { hour: moment(hour), reason, count };
        let expected = vec![
            told("2026-11-21T12:00:00Z", Reason::OutOfStock, 1),
            told("2026-11-21T13:00:00Z", Reason::OutOfStock, 2),
            told("2026-11-21T13:00:00Z", Reason::Price, 1),
        ];
        assert_eq!(refusals.waiting(after), expected);
        assert_eq!(refusals.take(after), expected);
        assert_eq!(refusals.take(after), []);
        refusals.give_back(&expected);
        assert_eq!(refusals.take(after), expected);
    }

    #[test]
    fn names_are_told_apart() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
        }
    }
}
