//! Which events a destination asks for.

use std::collections::BTreeSet;

use runout_store::{Error, Result, Row};
use serde::Deserialize;

/// What one destination wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub destination_id: i64,
    /// Topics, or beginnings of topics with `*` at the end; none: all.
    topics: Option<Vec<String>>,
    /// The entities that it mirrors, if it is a mirror.
    mirrored: Option<BTreeSet<String>>,
}

impl Subscription {
    /// Reads `id, kind, events, resources`.
    ///
    /// # Errors
    /// When they are not what the API stores.
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        let topics = json::<Vec<String>>(row, 2)?;
        let mirrored = match row.get::<String>(1)?.as_str() {
            "rest" => {
                let resources = json::<serde_json::Map<String, serde_json::Value>>(row, 3)?;
                Some(resources.unwrap_or_default().into_iter().map(|(name, _)| name).collect())
            }
            _ => None,
        };
        Ok(Self { destination_id: row.get(0)?, topics, mirrored })
    }

    /// True if an event of this topic, about this kind of thing, is for the destination.
    pub(crate) fn wants(&self, topic: &str, entity: &str) -> bool {
        if OWN_TOPICS.contains(&topic) {
            return false; // They are handed to their destination by whoever made them.
        }
        let asked = match &self.topics {
            None => true,
            Some(topics) => topics.iter().any(|asked| matches(asked, topic)),
        };
        asked && self.mirrored.as_ref().is_none_or(|mirrored| mirrored.contains(entity))
    }
}

/// The topic of an event that is for one destination alone, to see whether it listens.
pub(crate) const TEST_TOPIC: &str = "destination.test";
/// Events that are for one destination alone: tests and repairs.
const OWN_TOPICS: [&str; 2] = [TEST_TOPIC, "destination.repair"];

fn matches(asked: &str, topic: &str) -> bool {
    match asked.strip_suffix('*') {
        Some(beginning) => topic.starts_with(beginning),
        None => asked == topic,
    }
}

fn json<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let Some(text) = row.get::<Option<String>>(column)? else { return Ok(None) };
    let broken = |error: serde_json::Error| Error::Decode { column, reason: error.to_string() };
    serde_json::from_str(&text).map(Some).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(topics: &[&str]) -> Subscription {
        let topics = Some(topics.iter().map(|topic| (*topic).to_owned()).collect());
        Subscription { destination_id: 1, topics, mirrored: None }
    }

    #[test]
    fn topics_beginnings_and_everything() {
        let cases = [
            (asks(&["order.placed"]), "order.placed", true),
            (asks(&["order.placed"]), "order.cancelled", false),
            (asks(&["post.*", "order.*"]), "order.cancelled", true),
            (asks(&["order.*"]), "orders.placed", false),
            (asks(&[]), "order.placed", false),
            (asks(&["*"]), "order.placed", true),
            (Subscription { topics: None, ..asks(&[]) }, "order.placed", true),
            (Subscription { topics: None, ..asks(&[]) }, TEST_TOPIC, false),
        ];
        for (subscription, topic, wanted) in cases {
            assert_eq!(subscription.wants(topic, "order"), wanted, "{subscription:?} {topic}");
        }
    }

    #[test]
    fn a_mirror_hears_of_what_it_mirrors() {
        let mirrored = Some(BTreeSet::from(["post".to_owned()]));
        let mirror = Subscription { topics: None, mirrored, ..asks(&[]) };
        assert!(mirror.wants("post.created", "post") && !mirror.wants("order.placed", "order"));
    }
}
