//! What a receiver remembers, and what it finds wrong.
//!
//! An effect is the pair of an entity and a number; an id names a message. The same id is applied
//! once; the same effect under two ids is counted as repeated, because then the ids were wrong.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::Fields;

/// Examples that a report shows of what is wrong.
const EXAMPLES_MAX: usize = 20;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    Now,
    Before,
    /// It does not say of which entity it is, and which number it has.
    Unreadable,
}

/// What a receiver has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Requests, whatever became of them.
    pub received: u64,
    pub applied: u64,
    /// Repetitions of what was applied already, by their id.
    pub suppressed: u64,
    /// Effects that were applied before under another id.
    pub repeated: u64,
    /// Messages that were applied after a later one of the same entity.
    pub order_violations: u64,
    /// Messages that did not follow the one before: something is missing between them.
    pub gaps: u64,
    pub unreadable: u64,
    /// Misfortunes that were dealt out.
    pub faults: u64,
    pub entities: u64,
    /// Requests under way now, and the most there were at once.
    pub in_flight: u64,
    pub in_flight_max: u64,
    /// Some of what is wrong, in words.
    pub examples: Vec<String>,
}

impl Report {
    /// True if nothing was applied twice, out of order or with something left out.
    pub fn is_clean(&self) -> bool {
        self.repeated + self.order_violations + self.gaps + self.unreadable == 0
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Book {
    fields: Fields,
    ids: HashSet<Box<str>>,
    /// Of each entity the numbers in the order in which they were applied.
    entities: HashMap<Box<str>, Vec<u64>>,
    pub(super) report: Report,
}

impl Book {
    pub(super) fn new(fields: Fields) -> Self {
        Self { fields, ..Self::default() }
    }

    /// Applies a message, unless that was done before.
    pub(super) fn apply(&mut self, id: &str, body: &[u8]) -> Applied {
        if self.ids.contains(id) {
            self.report.suppressed += 1;
            return Applied::Before;
        }
        let Some((entity, number)) = self.read(body) else {
            self.report.unreadable += 1;
            self.example(|| format!("{id}: {}", String::from_utf8_lossy(body)));
            return Applied::Unreadable;
        };
        self.ids.insert(id.into());
        self.note(id, entity.into_boxed_str(), number);
        self.report.applied += 1;
        Applied::Now
    }

    fn note(&mut self, id: &str, entity: Box<str>, number: u64) {
        let numbers = self.entities.entry(entity.clone()).or_default();
        let last = numbers.last().copied();
        let wrong = match last {
            Some(last) if number <= last && numbers.contains(&number) => {
                self.report.repeated += 1;
                Some("again")
            }
            Some(last) if number < last => {
                self.report.order_violations += 1;
                Some("too late")
            }
            _ if number != last.unwrap_or(self.fields.first - 1) + 1 => {
                self.report.gaps += u64::from(!self.fields.gaps_are_fine);
                (!self.fields.gaps_are_fine).then_some("too early")
            }
            _ => None,
        };
        numbers.push(number);
        if let Some(wrong) = wrong {
            self.example(|| format!("{id}: number {number} of {entity} after {last:?}: {wrong}"));
        }
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.report.examples.len() < EXAMPLES_MAX {
            self.report.examples.push(text());
        }
    }

    /// The entity and the number in a body.
    fn read(&self, body: &[u8]) -> Option<(String, u64)> {
        let whole: Value = serde_json::from_slice(body).ok()?;
        let data = &whole[self.fields.data];
        let entity = match &data[self.fields.entity] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let number = data[self.fields.number].as_u64()?;
        (number >= self.fields.first).then_some((entity, number))
    }

    /// Of each entity the numbers in the order in which they were applied.
    pub(super) fn sequences(&self) -> BTreeMap<String, Vec<u64>> {
        let entities = self.entities.iter();
        entities.map(|(entity, numbers)| (entity.to_string(), numbers.clone())).collect()
    }

    pub(super) fn entities(&self) -> usize {
        self.entities.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(entity: &str, number: u64) -> Vec<u8> {
        let data = serde_json::json!({"entity_key": entity, "seq": number});
        serde_json::json!({"type": "t", "data": data}).to_string().into_bytes()
    }

    fn after(messages: &[(&str, &str, u64)]) -> Book {
        let mut book = Book::new(Fields::default());
        for (id, entity, number) in messages {
            book.apply(id, &body(entity, *number));
        }
        book
    }

    #[test]
    fn order_per_entity_is_clean() {
        let book =
            after(&[("a", "x", 1), ("b", "y", 1), ("c", "x", 2), ("d", "y", 2), ("e", "x", 3)]);
        assert!(book.report.is_clean(), "{:?}", book.report);
        assert_eq!((book.report.applied, book.entities()), (5, 2));
        assert_eq!(book.sequences()["x"], [1, 2, 3]);
    }

    #[test]
    fn a_repetition_is_applied_once() {
        let book = after(&[("a", "x", 1), ("a", "x", 1), ("b", "x", 2), ("a", "x", 1)]);
        assert!(book.report.is_clean(), "{:?}", book.report);
        assert_eq!((book.report.applied, book.report.suppressed), (2, 2));
    }

    #[test]
    fn what_comes_too_late_is_an_order_violation() {
        let book = after(&[("a", "x", 1), ("c", "x", 3), ("b", "x", 2)]);
        assert_eq!((book.report.order_violations, book.report.gaps), (1, 1));
        assert!(!book.report.is_clean());
        assert_eq!(book.report.examples.len(), 2);
        assert!(book.report.examples[1].contains("too late"), "{:?}", book.report.examples);
    }

    #[test]
    fn one_effect_under_two_ids_is_repeated() {
        for messages in
            [vec![("a", "x", 1), ("b", "x", 1)], vec![("a", "x", 1), ("b", "x", 2), ("c", "x", 1)]]
        {
            let book = after(&messages);
            assert_eq!((book.report.repeated, book.report.order_violations), (1, 0));
            assert!(!book.report.is_clean());
        }
    }

    #[test]
    fn gaps_are_wrong_unless_they_are_fine() {
        assert_eq!(after(&[("a", "x", 1), ("b", "x", 3)]).report.gaps, 1);
        assert_eq!(after(&[("a", "x", 2)]).report.gaps, 1);
        let mut book = Book::new(Fields { gaps_are_fine: true, ..Fields::default() });
        book.apply("a", &body("x", 4));
        book.apply("b", &body("x", 9));
        assert!(book.report.is_clean(), "{:?}", book.report);
        book.apply("c", &body("x", 5));
        assert_eq!(book.report.order_violations, 1);
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        let mut book = Book::new(Fields::default());
        for text in ["", "{}", r#"{"data":{"seq":1}}"#, r#"{"data":{"entity_key":"x","seq":0}}"#] {
            assert_eq!(book.apply("a", text.as_bytes()), Applied::Unreadable, "{text}");
        }
        assert_eq!(book.report.unreadable, 4);
        let numeric = br#"{"data":{"entity_key":7,"seq":1}}"#;
        assert_eq!(book.apply("a", numeric), Applied::Now);
        assert_eq!(book.sequences()["7"], [1]);
    }
}
