//! What the referee writes down.

use serde::Serialize;

use super::meter::Usage;

/// What one client did, or all of them together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tokens that were bought.
    pub token_calls: u64,
    /// Tokens that the calls needed at least, each bought at the last moment and used to its end.
    pub tokens_needed: u64,
    /// `POST /token` with wrong credentials.
    pub token_refused: u64,
    /// 401 at any other endpoint.
    pub unauthorised: u64,
    /// 403: the account is not active.
    pub forbidden: u64,
    /// 400, 405, 406, 415.
    pub malformed: u64,
    /// Answered by nobody, or by 503: the provider was down.
    pub while_down: u64,
    /// Shipments whose detail was given out, or was not there, for the first time.
    pub details: u64,
    /// Again, in another version.
    pub refreshed: u64,
    /// Again in the same version, of a shipment that was still on its way the last time.
    pub refreshed_in_vain: u64,
    /// Again in the same version, of a shipment that had arrived the last time, or was not there.
    pub duplicates: u64,
    /// The longest time between two admitted calls; of all clients, the longest of any.
    pub longest_wait_us: u64,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.token_calls += other.token_calls;
        self.tokens_needed += other.tokens_needed;
        self.token_refused += other.token_refused;
        self.unauthorised += other.unauthorised;
        self.forbidden += other.forbidden;
        self.malformed += other.malformed;
        self.while_down += other.while_down;
        self.details += other.details;
        self.refreshed += other.refreshed;
        self.refreshed_in_vain += other.refreshed_in_vain;
        self.duplicates += other.duplicates;
        self.longest_wait_us = self.longest_wait_us.max(other.longest_wait_us);
    }
}

/// One client's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    pub channel: u32,
    pub client_id: String,
    #[serde(flatten)]
    pub counts: Counts,
    /// Simulated microseconds since 1970 of the first admitted call.
    pub first_us: Option<u64>,
    /// And of the last one.
    pub last_us: Option<u64>,
    pub list: Usage,
    pub detail: Usage,
    pub ship: Usage,
    pub process: Usage,
}

impl KeyReport {
    fn usages(&self) -> [&Usage; 4] {
        [&self.list, &self.detail, &self.ship, &self.process]
    }
}

/// All clients together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub counts: Counts,
    /// Calls that were admitted, tokens apart.
    pub accepted: u64,
    /// 429, or 409 where that means the same.
    pub refused: u64,
    pub failed: u64,
    /// Clients that called.
    pub clients: u64,
    /// Of the clients that called as often as a limit admits at once, twice over: the least use of
    /// any limit.
    pub used_permille_least: Option<u64>,
    /// From the first call of any client to the last of any.
    pub taken_us: u64,
    /// The longest time that any client took from its first call to its last.
    pub taken_us_most: u64,
    /// Each client's own, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyReport>,
}

/// Who has made fewer calls than this many times what the limiter admits at once tells nothing
/// about how well it is used.
const BUDGETS_MIN: u64 = 2;

impl Report {
    /// Sums up. `strangers` is what nobody's client did.
    pub(super) fn of(keys: Vec<KeyReport>, strangers: &Counts) -> Self {
        let mut report = Self { counts: strangers.clone(), ..Self::default() };
        for key in &keys {
            report.counts.add(&key.counts);
            for usage in key.usages() {
                report.accepted += usage.accepted;
                report.refused += usage.refused;
                report.failed += usage.failed;
                if usage.accepted >= usage.budget.saturating_mul(BUDGETS_MIN)
                    && let Some(used) = usage.used_permille
                {
                    let least = report.used_permille_least.unwrap_or(u64::MAX);
                    report.used_permille_least = Some(least.min(used));
                }
            }
            if let Some((first, last)) = key.first_us.zip(key.last_us) {
                report.clients += 1;
                report.taken_us_most = report.taken_us_most.max(last - first);
            }
        }
        let first = keys.iter().filter_map(|key| key.first_us).min();
        let last = keys.iter().filter_map(|key| key.last_us).max();
        report.taken_us = first.zip(last).map_or(0, |(first, last)| last - first);
        report.keys = keys;
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(channel: u32, span: Option<(u64, u64)>, accepted: u64, used: u64) -> KeyReport {
        let usage = || Usage { budget: 50, ..Usage::default() };
        let detail = Usage { accepted, used_permille: Some(used), refused: 2, ..usage() };
        KeyReport {
            channel,
            client_id: String::new(),
            counts: Counts { duplicates: 1, longest_wait_us: accepted, ..Counts::default() },
            first_us: span.map(|(first, _)| first),
            last_us: span.map(|(_, last)| last),
            list: usage(),
            detail,
            ship: usage(),
            process: usage(),
        }
    }

    #[test]
    fn clients_are_summed_up() {
        let keys = vec![
            key(0, Some((100, 900)), 200, 990),
            key(1, Some((50, 500)), 100, 970),
            // Too few calls to tell.
            key(2, Some((300, 1_000)), 99, 10),
            key(3, None, 0, 0),
        ];
        let strangers = Counts { unauthorised: 5, ..Counts::default() };
        let report = Report::of(keys, &strangers);
        assert_eq!((report.clients, report.accepted, report.refused), (3, 399, 8));
        assert_eq!(report.used_permille_least, Some(970));
        assert_eq!((report.taken_us, report.taken_us_most), (950, 800));
        let counts = &report.counts;
        assert_eq!((counts.duplicates, counts.unauthorised, counts.longest_wait_us), (4, 5, 200));
    }
}
