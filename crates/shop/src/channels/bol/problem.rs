//! What bol.com says when it says no: a problem document, an error of the login, or a page that was
//! meant for people.

use serde_json::Value;

/// Letters of each text that are kept.
const WORDS_MAX: usize = 300;
/// Violations that are kept.
const VIOLATIONS_MAX: usize = 10;

/// What was said, in bounded words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    pub title: Option<String>,
    pub detail: Option<String>,
    pub violations: Vec<Violation>,
}

/// A field or parameter that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub name: String,
    pub reason: String,
}

impl Problem {
    /// Reads the body of any answer.
    pub fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) => {
                let words = |name: &str| fields.get(name).and_then(Value::as_str).map(bounded);
                let violations = fields.get("violations").and_then(Value::as_array);
                let violations = violations.map(Vec::as_slice).unwrap_or_default();
                Self {
                    title: words("title").or_else(|| words("error")),
                    detail: words("detail").or_else(|| words("error_description")),
                    violations: violations
                        .iter()
                        .filter_map(violation)
                        .take(VIOLATIONS_MAX)
                        .collect(),
                }
            }
            Ok(_) => Self::default(),
            Err(_) => {
                let text = bounded(&without_tags(&String::from_utf8_lossy(body)));
                Self { title: Some(text).filter(|text| !text.is_empty()), ..Self::default() }
            }
        }
    }

    /// One line for people.
    pub fn words(&self) -> String {
        let violation = |Violation { name, reason }: &Violation| format!("{name}: {reason}");
        let parts = self.title.iter().chain(&self.detail).cloned();
        let all: Vec<String> = parts.chain(self.violations.iter().map(violation)).collect();
        let all = all.join("; ");
        if all.is_empty() { "no reason was given".to_owned() } else { bounded(&all) }
    }
}

fn violation(value: &Value) -> Option<Violation> {
    let words = |name: &str| value.get(name).and_then(Value::as_str).map(bounded);
    let reason = words("reason")?;
    Some(Violation { name: words("name").unwrap_or_default(), reason })
}

/// Without line breaks and other control characters, and not longer than it may be.
fn bounded(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(plain).take(20 * WORDS_MAX).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The words of a page: what stands between its tags.
fn without_tags(page: &str) -> String {
    let mut words = String::with_capacity(page.len());
    let mut within = false;
    for c in page.chars() {
        match c {
            '<' => {
                within = true;
                words.push(' ');
            }
            '>' if within => within = false,
            _ if within => {}
            _ => words.push(c),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_said_is_one_line() {
        let invalid = r#"{"type": "https://api.bol.com/problems", "title": "Error validating
            request.", "status": 400, "detail": "Bad request", "violations":
            [{"name": "fulfilment-method", "reason": "no such value"}, 7, {"name": "x"}]}"#;
        let invalid = invalid.replace("\n            request", " request");
        for (body, words) in [
            (
                invalid.as_str(),
                "Error validating request.; Bad request; fulfilment-method: no such value",
            ),
            (
                r#"{"error": "invalid_client", "error_description": "Bad client credentials"}"#,
                "invalid_client; Bad client credentials",
            ),
            (
                "<html><head><title>502 Bad Gateway</title></head><body>\n<h1>502</h1></body>",
                "502 Bad Gateway 502",
            ),
            ("upstream  timed\tout", "upstream timed out"),
            ("", "no reason was given"),
            ("[]", "no reason was given"),
            ("{\"title\": 5}", "no reason was given"),
        ] {
            assert_eq!(Problem::read(body.as_bytes()).words(), words, "{body}");
        }
        let long = Problem::read("x".repeat(9_999).as_bytes()).words();
        assert_eq!(long.chars().count(), WORDS_MAX + 1);
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in any::<Vec<u8>>(), text in ".*") {
            for body in [&body[..], text.as_bytes()] {
                let words = Problem::read(body).words();
                prop_assert!(words.chars().count() <= WORDS_MAX + 1);
                prop_assert!(!words.chars().any(char::is_control));
            }
        }
    }
}
