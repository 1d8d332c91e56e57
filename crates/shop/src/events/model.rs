//! An event as it is stored and as it is answered.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runout_store::{Result, Row, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the organiser says about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    pub title: String,
    pub description: String,
    pub venue: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// IANA name.
    pub time_zone: String,
    pub capacity: Option<i64>,
}

/// Whoever made an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Organiser {
    pub id: i64,
    /// The part of the e-mail address before the `@`.
    #[schema(example = "ana")]
    pub name: String,
}

/// An event as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventSummary)]
pub struct Summary {
    pub id: i64,
    #[schema(min_length = 1, max_length = 256)]
    pub title: String,
    #[schema(max_length = 256)]
    pub venue: String,
    pub starts_at: Timestamp,
    /// The same moment as the start, if nobody said.
    pub ends_at: Timestamp,
    /// IANA name: what the clock on the venue's wall shows.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// How many may come; null: everybody.
    #[schema(required = true, minimum = 1, maximum = 1_000_000)]
    pub capacity: Option<i64>,
    pub organiser: Organiser,
    /// The product whose variants are the event's tickets; null: one signs up and pays nothing.
    #[schema(required = true)]
    pub product_id: Option<i64>,
    /// How many come.
    #[schema(minimum = 0)]
    pub attending: i64,
    /// How many are on the waiting list.
    #[schema(minimum = 0)]
    pub waiting: i64,
    /// Null: it takes place.
    #[schema(required = true)]
    pub cancelled_at: Option<Timestamp>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Event {
    #[serde(flatten)]
    pub summary: Summary,
    #[schema(max_length = 10_000)]
    pub description: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change by the organiser or staff, not with sign-ups; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// The part of an e-mail address that strangers may see.
pub fn local_part(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}

impl Summary {
    /// Reads the columns `id, title, venue, starts_at, ends_at, time_zone, capacity, organiser_id,
    /// email of the organiser, product_id, attending, waiting, cancelled_at`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let name = local_part(&row.get::<String>(8)?).to_owned();
        Ok(Self {
            id: row.get(0)?,
            title: row.get(1)?,
            venue: row.get(2)?,
            starts_at: row.get(3)?,
            ends_at: row.get(4)?,
            time_zone: row.get(5)?,
            capacity: row.get(6)?,
            organiser: Organiser { id: row.get(7)?, name },
            product_id: row.get(9)?,
            attending: row.get(10)?,
            waiting: row.get(11)?,
            cancelled_at: row.get(12)?,
        })
    }

    /// When it begins, as the clock at the venue shows it: `2026-11-21 20:00`.
    pub fn starts(&self) -> String {
        self.on_the_wall(self.starts_at)
    }

    /// When it ends, as the clock at the venue shows it; none if nobody said.
    pub fn ends(&self) -> Option<String> {
        (self.ends_at > self.starts_at).then(|| self.on_the_wall(self.ends_at))
    }

    fn on_the_wall(&self, moment: Timestamp) -> String {
        // A name that was known when it was stored stays known; UTC is right all the same.
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        moment.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// True once it has ended.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }

    /// True if whoever signs up now has to wait.
    pub fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.attending >= capacity)
    }

    /// True if one may sign up.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.cancelled_at.is_none() && self.product_id.is_none() && !self.is_over(now)
    }
}

impl Event {
    /// Reads the columns of [`Summary::read`], then `description, created_at, updated_at, version`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            summary: Summary::read(row)?,
            description: row.get(13)?,
            created_at: row.get(14)?,
            updated_at: row.get(15)?,
            version: row.get(16)?,
        })
    }

    pub fn details(&self) -> Details {
        let summary = self.summary.clone();
        Details {
            title: summary.title,
            description: self.description.clone(),
            venue: summary.venue,
            starts_at: summary.starts_at,
            ends_at: summary.ends_at,
            time_zone: summary.time_zone,
            capacity: summary.capacity,
        }
    }

    pub(super) fn set(&mut self, details: Details) {
        let summary = &mut self.summary;
        summary.title = details.title;
        summary.venue = details.venue;
        summary.starts_at = details.starts_at;
        summary.ends_at = details.ends_at;
        summary.time_zone = details.time_zone;
        summary.capacity = details.capacity;
        self.description = details.description;
    }
}

impl Details {
    /// The columns `title, description, venue, starts_at, ends_at, time_zone, capacity`.
    pub(super) fn columns(&self) -> [Value; 7] {
        [
            self.title.as_str().into(),
            self.description.as_str().into(),
            self.venue.as_str().into(),
            self.starts_at.into(),
            self.ends_at.into(),
            self.time_zone.as_str().into(),
            self.capacity.into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_see_what_stands_before_the_at() {
        for (email, shown) in [
            ("ana@example.com", "ana"),
            ("ana.b+c@example.com", "ana.b+c"),
            ("\"a@b\"@example.com", "\"a@b\""),
            ("nobody", "nobody"),
        ] {
            assert_eq!(local_part(email), shown);
        }
    }
}
