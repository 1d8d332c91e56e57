//! What is answered: problem documents, and the header fields about limits.

use serde_json::{Value, json};

use super::channel::Figures;
use super::clock::moment;
use super::market::SECOND_US;
use super::options::{Headers, ResetField, RetryField};
use crate::chance::Chance;

/// The media type of every version-10 answer.
pub(super) const V10: &str = "application/vnd.retailer.v10+json";
const PROBLEM: &str = "application/problem+json";

/// An answer before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Answer {
    pub(super) fn new(status: u16, kind: &'static str, body: &Value) -> Self {
        Self { status, kind, body: body.to_string(), fields: Vec::new() }
    }

    pub(super) fn v10(status: u16, body: &Value) -> Self {
        Self::new(status, V10, body)
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body)
    }

    /// A page that was meant for people.
    pub(super) fn html(status: u16, words: &str) -> Self {
        let body = format!(
            "<html><head><title>{status} {words}</title></head><body><center>\
            <h1>{status} {words}</h1></center><hr></body></html>\n"
        );
        Self { status, kind: "text/html", body, fields: Vec::new() }
    }

    pub(super) fn problem(status: u16, title: &str, detail: &str) -> Self {
        let body = json!({
            "type": "https://api.bol.com/problems",
            "title": title,
            "status": status,
            "detail": detail,
            "host": "Instance-001",
        });
        Self::new(status, PROBLEM, &body)
    }

    /// 400 with what is wrong, by the parameters' names.
    pub(super) fn invalid(path: &str, violations: &[(&str, String)]) -> Self {
        let violation = |(name, reason): &(&str, String)| json!({"name": name, "reason": reason});
        let body = json!({
            "type": "https://api.bol.com/problems",
            "title": "Error validating request. Consult the bol.com API documentation for more \
                information.",
            "status": 400,
            "detail": "Bad request",
            "host": "Instance-001",
            "instance": format!("https://api.bol.com{path}"),
            "violations": violations.iter().map(violation).collect::<Value>(),
        });
        Self::new(400, PROBLEM, &body)
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self::problem(404, "Not Found", &format!("No resource is at {path}."))
    }

    pub(super) fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    /// With what a limiter says.
    pub(super) fn limited(self, figures: &Figures, headers: &Headers, chance: &mut Chance) -> Self {
        let Figures { limit, remaining, full_us, next_us, now_us } = *figures;
        let reset = match headers.reset {
            ResetField::Seconds => seconds(full_us - now_us),
            ResetField::NextSeconds => seconds(next_us - now_us),
            ResetField::Epoch => seconds(full_us),
            ResetField::Absent => return self,
            ResetField::Wrong => {
                let [limit, remaining, reset] = [(); 3].map(|()| chance.below(1_000));
                return self.with_limits(limit, remaining, reset);
            }
        };
        self.with_limits(limit, remaining, reset)
    }

    fn with_limits(self, limit: u64, remaining: u64, reset: u64) -> Self {
        self.field("x-ratelimit-limit", limit)
            .field("x-ratelimit-remaining", remaining)
            .field("x-ratelimit-reset", reset)
    }
}

/// The refusal of a call that came too early.
pub(super) fn too_many(
    figures: &Figures,
    headers: &Headers,
    skew_ms: i64,
    chance: &mut Chance,
) -> Answer {
    // Nobody knows when one of those under way will end.
    let wait = seconds(figures.next_us - figures.now_us).max(1);
    let status = if chance.happens(headers.conflict_permille) { 409 } else { 429 };
    let title = if status == 409 { "Conflict" } else { "Too Many Requests" };
    let words = format!("Too many requests, retry in {wait} seconds.");
    let answer = Answer::problem(status, title, &words);
    match headers.retry_after {
        RetryField::Seconds => answer.field("retry-after", wait),
        RetryField::Date => {
            let at_us = seconds(figures.now_us + wait * SECOND_US) * SECOND_US;
            answer.field("retry-after", http_date(at_us, skew_ms))
        }
        RetryField::Absent => answer,
    }
}

/// Whole seconds, rounded up.
fn seconds(micros: u64) -> u64 {
    micros.div_ceil(SECOND_US)
}

/// A date as HTTP writes it, on a clock that is ahead by `skew_ms`.
pub(super) fn http_date(micros: u64, skew_ms: i64) -> String {
    let shown = micros.saturating_add_signed(skew_ms.saturating_mul(1_000));
    moment(shown).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400 * SECOND_US;
    const FIGURES: Figures = Figures {
        limit: 50,
        remaining: 0,
        full_us: NOW + 59_000_001,
        next_us: NOW + 1_200_000,
        now_us: NOW,
    };

    fn shown(reset: ResetField) -> Vec<(&'static str, String)> {
        let headers = Headers { reset, ..Headers::default() };
        Answer::json(200, &json!({})).limited(&FIGURES, &headers, &mut Chance::new(1)).fields
    }

    #[test]
    fn limits_are_told_in_whole_seconds() {
        let told = |reset| shown(reset).last().map(|(_, value)| value.parse::<u64>());
        assert_eq!(
            shown(ResetField::Seconds)[..2],
            [("x-ratelimit-limit", "50".to_owned()), ("x-ratelimit-remaining", "0".to_owned())]
        );
        assert_eq!(told(ResetField::Seconds), Some(Ok(60)));
        assert_eq!(told(ResetField::NextSeconds), Some(Ok(2)));
        assert_eq!(told(ResetField::Epoch), Some(Ok(1_795_262_460)));
        assert_eq!(told(ResetField::Absent), None);
        assert_eq!(shown(ResetField::Wrong).len(), 3);
    }

    #[test]
    fn refusals_say_when_to_come_again() {
        for (retry_after, told) in [
            (RetryField::Seconds, Some("2")),
            (RetryField::Date, Some("Sat, 21 Nov 2026 12:00:07 GMT")),
            (RetryField::Absent, None),
        ] {
            let headers = Headers { retry_after, ..Headers::default() };
            let answer = too_many(&FIGURES, &headers, 5_000, &mut Chance::new(1));
            assert_eq!(answer.status, 429);
            assert_eq!(answer.fields.first().map(|(_, value)| &**value), told);
            assert!(answer.body.contains("Too many requests, retry in 2 seconds."));
        }
        let headers = Headers { conflict_permille: 1_000, ..Headers::default() };
        assert_eq!(too_many(&FIGURES, &headers, 0, &mut Chance::new(1)).status, 409);
    }
}
