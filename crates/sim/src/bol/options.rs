//! How the simulator behaves: what is fixed at its start, and what can change while it runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::limit::{Limit, LimitKind};
use super::market::Goods;

/// What is fixed at the start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The same seed gives the same accounts, shipments and misfortunes.
    pub seed: u64,
    /// Accounts.
    pub channels: u32,
    /// Shipments that each account has at first.
    pub shipments: u32,
    /// Simulated seconds per real second; 0: time stands still until somebody advances it, and
    /// delays take none.
    pub scale: u32,
    /// When it is at the start; the real time if absent.
    pub now: Option<Timestamp>,
    pub goods: Goods,
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            channels: 1,
            shipments: 1_000,
            scale: 1,
            now: None,
            goods: Goods::default(),
            settings: Settings::default(),
        }
    }
}

/// What can change while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub limits: Limits,
    pub headers: Headers,
    pub delay: Delay,
    pub faults: Faults,
    pub tokens: Tokens,
    pub arrivals: Arrivals,
    pub process: Process,
    /// By how much the `Date` of answers is ahead of the simulated time.
    pub skew_ms: i64,
}

impl Settings {
    /// These settings with the part that a JSON document names.
    ///
    /// # Errors
    /// When the document names what there is not, or of another type.
    pub fn with(&self, part: Value) -> serde_json::Result<Self> {
        let mut whole = serde_json::to_value(self)?;
        merge(&mut whole, part);
        serde_json::from_value(whole)
    }
}

/// Changes what `part` names; the rest stays.
fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (whole, part) => *whole = part,
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /retailer/shipments`.
    List,
    /// `GET /retailer/shipments/{id}`.
    Detail,
    /// `POST /retailer/shipments`.
    Ship,
    /// `GET /shared/process-status/{id}`.
    Process,
}

impl Endpoint {
    pub(super) const ALL: [Endpoint; 4] =
        [Endpoint::List, Endpoint::Detail, Endpoint::Ship, Endpoint::Process];
}

/// Calls per endpoint and client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub list: Limit,
    pub detail: Limit,
    pub ship: Limit,
    pub process: Limit,
}

impl Default for Limits {
    /// As reported in November 2025; nobody has said which kind they are.
    fn default() -> Self {
        Self {
            list: Limit::per_minute(LimitKind::TokenBucket, 25),
            detail: Limit::per_minute(LimitKind::TokenBucket, 50),
            ship: Limit::per_second(LimitKind::TokenBucket, 25),
            process: Limit::per_second(LimitKind::TokenBucket, 25),
        }
    }
}

impl Limits {
    pub(super) fn of(&self, endpoint: Endpoint) -> Limit {
        match endpoint {
            Endpoint::List => self.list,
            Endpoint::Detail => self.detail,
            Endpoint::Ship => self.ship,
            Endpoint::Process => self.process,
        }
    }

    /// All endpoints alike.
    pub fn all(limit: Limit) -> Self {
        Self { list: limit, detail: limit, ship: limit, process: limit }
    }
}

/// What `X-RateLimit-Reset` tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetField {
    /// Seconds until the whole budget is there again, rounded up.
    #[default]
    Seconds,
    /// Seconds until one more call is allowed, rounded up.
    NextSeconds,
    /// The second since 1970 at which the whole budget is there again, rounded up.
    Epoch,
    /// None of the three fields is sent.
    Absent,
    /// All three fields are made up.
    Wrong,
}

/// What `Retry-After` tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryField {
    /// Seconds, rounded up.
    #[default]
    Seconds,
    /// A date, rounded up to the second, on the clock of the `Date` field.
    Date,
    Absent,
}

/// What answers tell about limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Headers {
    pub reset: ResetField,
    pub retry_after: RetryField,
    /// Of a thousand refusals so many are 409 instead of 429.
    pub conflict_permille: u32,
}

/// How long the network takes, in simulated milliseconds: at least and at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delay {
    /// Until a request arrives: limits and tokens are looked at then.
    pub there_ms: [u32; 2],
    /// Until its answer is back.
    pub back_ms: [u32; 2],
}

/// Misfortunes by chance, of a thousand calls that were admitted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// 500 with a problem document.
    pub error_permille: u32,
    /// 502 with a page for people.
    pub html_permille: u32,
    /// No answer, as long as the client waits.
    pub silence_permille: u32,
    /// The connection is reset before an answer.
    pub cut_permille: u32,
    /// The connection is reset in the middle of the answer.
    pub half_permille: u32,
    /// Also at `POST /token`.
    pub tokens_too: bool,
}

/// The life of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Simulated seconds, as the answer tells.
    pub seconds: u32,
    /// Of a thousand tokens so many expire earlier than told.
    pub early_permille: u32,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { seconds: 299, early_permille: 0 }
    }
}

/// Shipments that come while somebody looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Arrivals {
    /// Per account and simulated hour.
    pub per_hour: u32,
    /// Before so many of a thousand list calls one more comes, so that the pages move.
    pub per_list_permille: u32,
    /// Of a thousand that come so many are late: their date is older.
    pub late_permille: u32,
}

/// What becomes of `POST /retailer/shipments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Simulated seconds until it is settled.
    pub seconds: u32,
    /// Of a thousand so many fail.
    pub failure_permille: u32,
    /// Simulated seconds until nobody knows it any more.
    pub kept_seconds: u32,
}

impl Default for Process {
    fn default() -> Self {
        Self { seconds: 5, failure_permille: 0, kept_seconds: 86_400 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_changes_only_what_it_names() {
        let part = json!({
            "limits": {"list": {"kind": "fixed_window", "permits": 7}},
            "delay": {"there_ms": [1, 2]}, "tokens": null,
        });
        let settings = Settings::default().with(part).expect("a good part");
        assert_eq!(settings.limits.list, Limit::per_minute(LimitKind::FixedWindow, 7));
        assert_eq!(settings.limits.detail, Limits::default().detail);
        assert_eq!(settings.delay.there_ms, [1, 2]);
        assert_eq!(settings.tokens, Tokens::default());
        for wrong in [json!({"limit": {}}), json!({"skew_ms": "x"}), json!({"delay": {"x": 1}})] {
            assert!(settings.with(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
