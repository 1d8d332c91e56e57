//! The login throttle: counts wrong passwords per account and network, and per network.
//!
//! The account's own budget is kept per network, so that an attacker elsewhere cannot lock the
//! owner out. Only failures count: an attempt takes from both budgets before the password is
//! checked and gets it back if the password was right, so that attempts made at the same time count
//! as well. Memory is bounded; the least recently tried are forgotten first.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

/// Budgets that are remembered.
const KEYS_MAX: u64 = 100_000;
/// Longer than any budget takes to fill up again: forgetting it then changes nothing.
const FORGET_AFTER: Duration = Duration::from_secs(900);

/// A budget of failures that fills up again at a steady rate.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub burst: u32,
    pub refill: Duration,
}

/// Wrong passwords for one account from one network.
pub const PER_ACCOUNT: Budget = Budget { burst: 10, refill: Duration::from_secs(6) };
/// Wrong passwords for any accounts from one network.
pub const PER_NETWORK: Budget = Budget { burst: 100, refill: Duration::from_secs(1) };

/// Wrong second factors of one account, from anywhere: with three codes of a million that work, one
/// in two hundred attackers who have the password gets in within a day.
pub const PER_SECOND_FACTOR: Budget = Budget { burst: 10, refill: Duration::from_secs(60) };

/// Credentials of another system that did not work there: nobody guesses through us.
pub const PER_VERIFICATION: Budget = Budget { burst: 5, refill: Duration::from_secs(15) };

/// Whose password was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    Account(i64),
    /// A name that no account has, as a hash.
    Unknown(u64),
    /// The second factor of an account.
    SecondFactor(i64),
    /// Credentials of another system, tried by an account, or by somebody without one.
    Verification(Option<i64>),
}

/// A client's network: the first 24 bits of IPv4, the first 64 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(u64, bool);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits() >> 8), false),
            IpAddr::V6(v6) => {
                Self(u64::try_from(v6.to_bits() >> 64).expect("64 bits remain"), true)
            }
        }
    }
}

impl Network {
    /// Every network at once.
    const ANY: Self = Self(0, false);
}

type Key = (Option<Subject>, Network);
/// When the budget will be full again, in microseconds since 1970 (GCRA's "theoretical arrival
/// time", ITU-T I.371): one atomic holds the whole budget.
type FullAt = Arc<AtomicI64>;

/// Remembers failed logins.
pub struct Throttle {
    budgets: Cache<Key, FullAt>,
}

/// An attempt that may go on. It counts as a failure unless [`Attempt::succeeded`] gives it back.
pub struct Attempt([(FullAt, Budget); 2]);

impl Default for Throttle {
    fn default() -> Self {
        let budgets = Cache::builder()
            .max_capacity(KEYS_MAX)
            .time_to_idle(FORGET_AFTER)
            // Not TinyLFU, which would not admit new keys while an attacker repeats old ones.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { budgets }
    }
}

impl Throttle {
    /// Takes one failure from both budgets.
    ///
    /// # Errors
    /// How long to wait, when one of them is used up; nothing is taken then.
    pub fn attempt(
        &self,
        subject: Subject,
        network: Network,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        self.take_both((None, network), (Some(subject), network), PER_ACCOUNT, now)
    }

    /// As [`Throttle::attempt`], for the second factor of an account: its own budget is one for all
    /// networks.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub fn attempt_code(
        &self,
        account: i64,
        network: Network,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let own = (Some(Subject::SecondFactor(account)), Network::ANY);
        self.take_both((None, network), own, PER_SECOND_FACTOR, now)
    }

    /// As [`Throttle::attempt`], for credentials of another system. An account has one budget for
    /// all networks; who has none shares that of the network.
    ///
    /// # Errors
    /// As [`Throttle::attempt`].
    pub fn attempt_verification(
        &self,
        account: Option<i64>,
        network: Network,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let from = if account.is_some() { Network::ANY } else { network };
        let own = (Some(Subject::Verification(account)), from);
        self.take_both((None, network), own, PER_VERIFICATION, now)
    }

    fn take_both(
        &self,
        network: Key,
        own: Key,
        budget: Budget,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let full_at = |key| self.budgets.get_with(key, FullAt::default);
        let budgets = [(full_at(network), PER_NETWORK), (full_at(own), budget)];
        take(&budgets[0].0, budgets[0].1, now)?;
        if let Err(wait) = take(&budgets[1].0, budgets[1].1, now) {
            give_back(&budgets[0].0, budgets[0].1);
            return Err(wait);
        }
        Ok(Attempt(budgets))
    }
}

impl Attempt {
    /// The password was right: this was not a failure.
    pub fn succeeded(self) {
        for (full_at, budget) in &self.0 {
            give_back(full_at, *budget);
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).expect("budgets fill up within minutes")
}

fn take(full_at: &AtomicI64, budget: Budget, now: Timestamp) -> Result<(), Duration> {
    let (now, refill) = (now.as_microsecond(), micros(budget.refill));
    let capacity = refill * i64::from(budget.burst);
    let taken = |full_at: i64| {
        let next = full_at.max(now) + refill;
        (next - now <= capacity).then_some(next)
    };
    full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).map(|_| ()).map_err(
        |full_at| {
            let wait = full_at + refill - now - capacity;
            Duration::from_micros(u64::try_from(wait).expect("refused, so there is a wait"))
        },
    )
}

/// Giving back to a budget that has filled up meanwhile does nothing: it cannot be more than full.
fn give_back(full_at: &AtomicI64, budget: Budget) {
    full_at.fetch_sub(micros(budget.refill), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("a moment")
    }

    fn network(text: &str) -> Network {
        text.parse::<IpAddr>().expect("an address").into()
    }

    const ANA: Subject = Subject::Account(1);

    #[test]
    fn ten_failures_then_one_every_six_seconds() {
        let (throttle, home) = (Throttle::default(), network("192.0.2.1"));
        for _ in 0..10 {
            assert!(throttle.attempt(ANA, home, at(0)).is_ok());
        }
        assert_eq!(throttle.attempt(ANA, home, at(0)).err(), Some(Duration::from_secs(6)));
        assert_eq!(throttle.attempt(ANA, home, at(5)).err(), Some(Duration::from_secs(1)));
        assert!(throttle.attempt(ANA, home, at(6)).is_ok());
        assert!(throttle.attempt(ANA, home, at(6)).is_err());
        // A minute later the whole budget is back, and no more than that.
        for _ in 0..10 {
            assert!(throttle.attempt(ANA, home, at(3_600)).is_ok());
        }
        assert!(throttle.attempt(ANA, home, at(3_600)).is_err());
    }

    #[test]
    fn an_attacker_elsewhere_does_not_lock_the_owner_out() {
        let (throttle, far) = (Throttle::default(), network("198.51.100.7"));
        while throttle.attempt(ANA, far, at(0)).is_ok() {}
        assert!(throttle.attempt(ANA, network("192.0.2.1"), at(0)).is_ok());
        // Neighbours in the attacker's /24 share its fate, the next network does not.
        assert!(throttle.attempt(ANA, network("198.51.100.200"), at(0)).is_err());
        assert!(throttle.attempt(ANA, network("198.51.101.7"), at(0)).is_ok());
    }

    #[test]
    fn one_network_has_a_hundred_failures_over_all_accounts() {
        let (throttle, home) = (Throttle::default(), network("2001:db8:1:2::1"));
        let admitted = (0..1_000)
            .filter(|n| throttle.attempt(Subject::Unknown(*n), home, at(0)).is_ok())
            .count();
        assert_eq!(admitted, 100);
        assert!(throttle.attempt(ANA, network("2001:db8:1:2:ffff::9"), at(0)).is_err());
        assert!(throttle.attempt(ANA, network("2001:db8:1:3::1"), at(0)).is_ok());
    }

    #[test]
    fn second_factors_have_one_budget_wherever_they_come_from() {
        let throttle = Throttle::default();
        for n in 0..10 {
            let from = network(&format!("192.0.{n}.1"));
            assert!(throttle.attempt_code(1, from, at(0)).is_ok());
        }
        let far = network("198.51.100.7");
        assert_eq!(throttle.attempt_code(1, far, at(0)).err(), Some(Duration::from_secs(60)));
        assert!(throttle.attempt_code(2, far, at(0)).is_ok());
        assert!(throttle.attempt(ANA, far, at(0)).is_ok(), "the password is another matter");
        assert!(throttle.attempt_code(1, far, at(60)).is_ok());
    }

    #[test]
    fn right_passwords_never_count() {
        let (throttle, home) = (Throttle::default(), network("192.0.2.1"));
        for account in 0..3_000 {
            let attempt = throttle.attempt(Subject::Account(account % 7), home, at(0));
            attempt.expect("never throttled").succeeded();
        }
    }

    #[test]
    fn a_refusal_by_one_budget_takes_nothing_from_the_other() {
        let (throttle, home) = (Throttle::default(), network("192.0.2.1"));
        for _ in 0..1_000 {
            let _admitted_or_not = throttle.attempt(ANA, home, at(0)).map(drop);
        }
        assert!(throttle.attempt(Subject::Account(2), home, at(0)).is_ok());
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_network() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.99"));
        assert_ne!(network("::192.0.2.1"), network("192.0.2.1"));
    }
}
