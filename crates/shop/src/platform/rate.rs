//! Rate limits per client: governor's GCRA over a bounded table of clients.
//!
//! A client is a verified token, or else a network: the address (IPv6: its /64). An unknown token
//! costs its network until [`admit`](Admission::admit) says that it is genuine, so that inventing
//! tokens does not get around the limit. The table has a bound: the client with the most budget
//! left, who loses least, is dropped first.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

/// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): `"default";q=5000;w=5`.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit` of the same draft: `"default";r=4999;t=1`.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How many clients the table holds at most (16 bytes each, and the map's overhead).
const CLIENTS_MAX: usize = 131_072;
/// Into how many separately locked parts the table is divided.
const SHARDS: usize = 64;

/// What every client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateQuota {
    pub per_second: NonZeroU32,
    /// How many requests may come at once.
    pub burst: NonZeroU32,
}

/// Tells allowed requests from those over the limit.
#[derive(Debug)]
pub struct RateLimits<C: Clock = DefaultClock> {
    table: Arc<Table>,
    limiter: RateLimiter<u64, SharedTable, C, StateInformationMiddleware>,
    clock: C,
    hasher: RandomState,
    quota: RateQuota,
    policy: HeaderValue,
}

/// A token's keyed hash: the token itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenKey(u64);

/// The answer for one request.
#[derive(Debug)]
pub enum Verdict {
    Allowed {
        /// How many requests the client could send at once after this one.
        remaining: u32,
        /// Present for an unknown token, which may earn a budget of its own.
        admission: Option<Arc<Admission>>,
    },
    Refused {
        retry_after: Duration,
    },
}

/// The chance of an unknown token to get a budget of its own.
#[derive(Debug)]
pub struct Admission {
    table: Arc<Table>,
    key: u64,
}

impl Admission {
    /// To be called once the token has been verified.
    pub fn admit(&self) {
        self.table.insert(self.key, Nanos::new(0));
    }
}

impl RateLimits {
    pub fn new(quota: RateQuota) -> Self {
        Self::with_clock(quota, DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimits<C> {
    pub fn with_clock(quota: RateQuota, clock: C) -> Self {
        let table = Arc::new(Table::new(CLIENTS_MAX));
        let state = SharedTable(Arc::clone(&table));
        let rule = Quota::per_second(quota.per_second).allow_burst(quota.burst);
        let limiter = RateLimiter::new(rule, state, clock.clone());
        let (burst, window) = (quota.burst, seconds_for(quota.burst.get(), quota));
        let policy = HeaderValue::try_from(format!("\"default\";q={burst};w={window}"));
        let policy = policy.expect("digits and ASCII punctuation");
        Self { table, limiter, clock, hasher: RandomState::new(), quota, policy }
    }

    /// The key under which a token is counted.
    pub fn token_key(&self, token: &[u8]) -> TokenKey {
        TokenKey(self.hasher.hash_one((0u8, token)))
    }

    /// Counts a request of this token (if any) or network, and says whether it may pass.
    pub fn check(&self, token: Option<TokenKey>, client: IpAddr) -> Verdict {
        let token = token.map(|TokenKey(key)| key);
        let known = token.filter(|key| self.table.contains(*key));
        let key = known.unwrap_or_else(|| self.hasher.hash_one((1u8, network(client))));
        match self.limiter.check_key(&key) {
            Ok(snapshot) => {
                let stranger = token.filter(|_| known.is_none());
                let admission = |key| Arc::new(Admission { table: Arc::clone(&self.table), key });
                let remaining = snapshot.remaining_burst_capacity();
                Verdict::Allowed { remaining, admission: stranger.map(admission) }
            }
            Err(not_until) => {
                Verdict::Refused { retry_after: not_until.wait_time_from(self.clock.now()) }
            }
        }
    }

    /// Takes a token's own budget away: it turned out to be revoked or expired.
    pub fn forget(&self, TokenKey(key): TokenKey) {
        self.table.remove(key);
    }

    /// Adds the RateLimit fields.
    pub fn write_fields(&self, headers: &mut HeaderMap, remaining: u32) {
        let seconds = seconds_for(self.quota.burst.get().saturating_sub(remaining), self.quota);
        let text = format!("\"default\";r={remaining};t={seconds}");
        let field = HeaderValue::from_maybe_shared(bytes::Bytes::from(text));
        headers.insert(RATE_LIMIT_POLICY, self.policy.clone());
        headers.insert(RATE_LIMIT, field.expect("digits and ASCII punctuation"));
    }
}

/// How long it takes until `requests` are allowed again, in whole seconds, rounded up.
fn seconds_for(requests: u32, quota: RateQuota) -> u32 {
    requests.div_ceil(quota.per_second.get())
}

/// An IPv6 client has a /64 at least: its addresses count as one.
fn network(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// The token of `Authorization: Bearer <token>` or `Token <token>`.
pub fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = value.split_at(space);
    let known = scheme.eq_ignore_ascii_case(b"bearer") || scheme.eq_ignore_ascii_case(b"token");
    known.then(|| token.trim_ascii())
}

type Shard = HashMap<u64, Nanos>;

/// Per client the moment at which its budget is full again, in governor's time.
#[derive(Debug)]
struct Table {
    shards: Box<[Mutex<Shard>]>,
    shard_clients_max: usize,
}

impl Table {
    fn new(clients_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect();
        Self { shards, shard_clients_max: (clients_max / SHARDS).max(1) }
    }

    fn with<T>(&self, key: u64, work: impl FnOnce(&mut Shard) -> T) -> T {
        let shard = &self.shards[key as usize % SHARDS];
        // Nothing in a shard can be half done, so a panic elsewhere does not spoil it.
        work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn contains(&self, key: u64) -> bool {
        self.with(key, |shard| shard.contains_key(&key))
    }

    fn remove(&self, key: u64) {
        self.with(key, |shard| shard.remove(&key));
    }

    fn insert(&self, key: u64, full_at: Nanos) {
        self.with(key, |shard| insert(shard, self.shard_clients_max, key, full_at));
    }
}

fn insert(shard: &mut Shard, clients_max: usize, key: u64, full_at: Nanos) {
    if shard.len() >= clients_max && !shard.contains_key(&key) {
        let fullest = shard.iter().min_by_key(|(_, full_at)| full_at.as_u64());
        if let Some(fullest) = fullest.map(|(key, _)| *key) {
            shard.remove(&fullest);
        }
    }
    shard.insert(key, full_at);
}

#[derive(Debug)]
struct SharedTable(Arc<Table>);

impl StateStore for SharedTable {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.with(*key, |shard| {
            if let Some(full_at) = shard.get_mut(key) {
                let (answer, next) = decide(Some(*full_at))?;
                *full_at = next;
                return Ok(answer);
            }
            let (answer, next) = decide(None)?;
            insert(shard, self.0.shard_clients_max, *key, next);
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn limits(per_second: u32, burst: u32) -> (RateLimits<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let number = |n| NonZeroU32::new(n).expect("not zero");
        let quota = RateQuota { per_second: number(per_second), burst: number(burst) };
        (RateLimits::with_clock(quota, clock.clone()), clock)
    }

    fn remaining(verdict: &Verdict) -> Option<u32> {
        match verdict {
            Verdict::Allowed { remaining, .. } => Some(*remaining),
            Verdict::Refused { .. } => None,
        }
    }

    #[test]
    fn a_burst_then_a_rate() {
        let (limits, clock) = limits(2, 3);
        let seen: Vec<_> = (0..4).map(|_| remaining(&limits.check(None, HOME))).collect();
        assert_eq!(seen, [Some(2), Some(1), Some(0), None]);
        let Verdict::Refused { retry_after } = limits.check(None, HOME) else { panic!("refused") };
        assert_eq!(retry_after, Duration::from_millis(500));
        clock.advance(retry_after);
        assert_eq!(remaining(&limits.check(None, HOME)), Some(0));
        assert_eq!(remaining(&limits.check(None, IpAddr::from([192, 0, 2, 2]))), Some(2));
    }

    #[test]
    fn invented_tokens_cost_their_network_and_genuine_ones_do_not() {
        let (limits, _) = limits(1, 2);
        let check = |token: &str| limits.check(Some(limits.token_key(token.as_bytes())), HOME);
        let Verdict::Allowed { admission: Some(admission), remaining: 1 } = check("real") else {
            panic!("an unknown token is allowed on its network's account")
        };
        admission.admit();
        assert_eq!(remaining(&check("invented 1")), Some(0));
        assert_eq!(remaining(&check("invented 2")), None);
        assert_eq!(remaining(&check("real")), Some(1));
        assert_eq!(remaining(&check("real")), Some(0));
        limits.forget(limits.token_key(b"real"));
        assert_eq!(remaining(&check("real")), None);
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let (limits, _) = limits(1, 2);
        for (address, wanted) in [
            ("2001:db8::1", Some(1)),
            ("2001:db8::ffff:1", Some(0)),
            ("2001:db8:0:0:8000::", None),
            ("2001:db8:0:1::1", Some(1)),
            ("::ffff:192.0.2.9", Some(1)),
            ("192.0.2.9", Some(0)),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(remaining(&limits.check(None, address)), wanted, "{address}");
        }
    }

    #[test]
    fn the_table_keeps_its_bound_and_the_busiest_clients() {
        let table = Table::new(SHARDS * 4);
        let busy = 7;
        table.insert(busy, Nanos::new(u64::MAX));
        for key in 0..100_000 {
            if key != busy {
                table.insert(key, Nanos::new(key));
            }
        }
        let held = |shard: &Mutex<Shard>| shard.lock().expect("not poisoned").len();
        assert!(table.shards.iter().all(|shard| held(shard) <= 4));
        assert!(table.contains(busy) && table.contains(99_999) && !table.contains(0));
    }

    #[test]
    fn fields_follow_the_draft() {
        let (limits, _) = limits(1000, 5000);
        let mut headers = HeaderMap::new();
        limits.write_fields(&mut headers, 4999);
        assert_eq!(headers[RATE_LIMIT_POLICY], "\"default\";q=5000;w=5");
        assert_eq!(headers[RATE_LIMIT], "\"default\";r=4999;t=1");
    }

    #[test]
    fn tokens_are_found_under_both_schemes() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("token  abc ", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            assert_eq!(bearer_token(&headers), token.map(str::as_bytes));
        }
    }
}
