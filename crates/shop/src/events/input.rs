//! What clients send: new events, and patches of them.

use garde::{Path, Report, Validate};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use runout_core::event::CAPACITY_MAX;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Details;
use crate::catalog::input::{or_null, value};
use crate::pricing::{sane_time, to_micros};

/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 256;
/// Characters of a venue.
pub const VENUE_CHARS_MAX: usize = 256;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;
/// The longest event. The list looks no further back for what has begun and is not over.
pub const DURATION_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);
/// What the clock on the wall shows, if nobody says.
pub const TIME_ZONE_DEFAULT: &str = "UTC";

/// An event to add. It may lie in the past: who came is part of a shop's history.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    #[schema(min_length = 1, max_length = 256, example = "Album launch")]
    pub title: String,
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub description: String,
    #[serde(default)]
    #[schema(max_length = 256)]
    pub venue: String,
    pub starts_at: Timestamp,
    /// As the start, if absent; at most 31 days later.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// IANA name; UTC if absent.
    #[serde(default)]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// How many may come; everybody, if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: Option<i64>,
}

/// Changes of an event. Absent fields stay; but when the start moves, the end moves along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    pub title: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 10_000)]
    pub description: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 256)]
    pub venue: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub starts_at: Option<Timestamp>,
    /// `null`: as the start.
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub ends_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// `null`: everybody may come. It cannot go below the number of those who come; when it grows,
    /// the waiting list moves up.
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000)]
    pub capacity: Option<Option<i64>>,
}

/// A field and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

fn check_title(title: &str) -> Result<(), Wrong> {
    if title.trim().is_empty() {
        return Err(("title", "must not be empty".to_owned()));
    }
    check_length("title", title, TITLE_CHARS_MAX)
}

fn check_length(field: &'static str, text: &str, chars_max: usize) -> Result<(), Wrong> {
    if text.chars().count() <= chars_max {
        return Ok(());
    }
    Err((field, format!("must have at most {chars_max} characters")))
}

fn check_time(field: &'static str, time: Option<Timestamp>) -> Result<(), Wrong> {
    time.map_or(Ok(()), |time| sane_time(&time, &()).map_err(|e| (field, e.message().to_owned())))
}

fn check_capacity(capacity: Option<i64>) -> Result<(), Wrong> {
    if capacity.is_none_or(|capacity| (1..=CAPACITY_MAX).contains(&capacity)) {
        return Ok(());
    }
    Err(("capacity", format!("must be 1 to {CAPACITY_MAX}")))
}

/// The time zone of this name.
///
/// # Errors
/// No zone has this name.
pub(super) fn zone(name: &str) -> Result<TimeZone, Wrong> {
    let found = TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some());
    let unknown = "must be the name of a time zone, such as Europe/Berlin";
    found.ok_or_else(|| ("time_zone", unknown.to_owned()))
}

/// The name of a zone as it is usually written.
fn zone_name(name: &str) -> String {
    let zone = zone(name).expect("the name was validated");
    zone.iana_name().expect("zones found by their name have one").to_owned()
}

/// Whether an event may begin and end then.
///
/// # Errors
/// It ends before it begins, or lasts longer than [`DURATION_MAX`].
pub(super) fn check_span(starts_at: Timestamp, ends_at: Timestamp) -> Result<(), Wrong> {
    if ends_at < starts_at {
        return Err(("ends_at", "must not be before the start".to_owned()));
    }
    if ends_at.duration_since(starts_at) > DURATION_MAX {
        return Err(("ends_at", "must be at most 31 days after the start".to_owned()));
    }
    Ok(())
}

fn report_all<const N: usize>(
    checks: [Result<(), Wrong>; N],
    parent: &mut dyn FnMut() -> Path,
    report: &mut Report,
) {
    for (field, wrong) in checks.into_iter().filter_map(Result::err) {
        report.append(parent().join(field), garde::Error::new(wrong));
    }
}

impl NewEvent {
    /// The details, once [`Validate`] has found nothing wrong.
    ///
    /// # Panics
    /// When it was not validated.
    pub fn details(&self) -> Details {
        Details {
            title: self.title.trim().to_owned(),
            description: self.description.clone(),
            venue: self.venue.trim().to_owned(),
            starts_at: to_micros(self.starts_at),
            ends_at: to_micros(self.ends_at.unwrap_or(self.starts_at)),
            time_zone: zone_name(self.time_zone.as_deref().unwrap_or(TIME_ZONE_DEFAULT)),
            capacity: self.capacity,
        }
    }
}

impl Validate for NewEvent {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let checks = [
            check_title(&self.title),
            check_length("description", &self.description, DESCRIPTION_CHARS_MAX),
            check_length("venue", &self.venue, VENUE_CHARS_MAX),
            check_time("starts_at", Some(self.starts_at)),
            check_time("ends_at", self.ends_at),
            self.ends_at.map_or(Ok(()), |ends_at| check_span(self.starts_at, ends_at)),
            self.time_zone.as_deref().map_or(Ok(()), |name| zone(name).map(drop)),
            check_capacity(self.capacity),
        ];
        report_all(checks, parent, report);
    }
}

impl EventPatch {
    /// The details after the patch; whether they [span](check_span) a time must be looked at again.
    ///
    /// # Panics
    /// When it was not validated.
    pub(super) fn apply(&self, before: &Details) -> Details {
        let starts_at = self.starts_at.map_or(before.starts_at, to_micros);
        let lasted = before.ends_at.duration_since(before.starts_at);
        let ends_at = match self.ends_at {
            Some(Some(ends_at)) => to_micros(ends_at),
            Some(None) => starts_at,
            None => starts_at.checked_add(lasted).expect("a sane time and at most a month"),
        };
        let trimmed = |new: &Option<String>, before: &str| {
            new.as_deref().map_or_else(|| before.to_owned(), |text| text.trim().to_owned())
        };
        Details {
            title: trimmed(&self.title, &before.title),
            description: self.description.as_ref().unwrap_or(&before.description).clone(),
            venue: trimmed(&self.venue, &before.venue),
            starts_at,
            ends_at,
            time_zone: self.time_zone.as_deref().map_or(before.time_zone.clone(), zone_name),
            capacity: self.capacity.unwrap_or(before.capacity),
        }
    }
}

impl Validate for EventPatch {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let text = |field, text: &Option<String>, max| {
            text.as_deref().map_or(Ok(()), |text| check_length(field, text, max))
        };
        let checks = [
            self.title.as_deref().map_or(Ok(()), check_title),
            text("description", &self.description, DESCRIPTION_CHARS_MAX),
            text("venue", &self.venue, VENUE_CHARS_MAX),
            check_time("starts_at", self.starts_at),
            check_time("ends_at", self.ends_at.flatten()),
            self.time_zone.as_deref().map_or(Ok(()), |name| zone(name).map(drop)),
            check_capacity(self.capacity.flatten()),
        ];
        report_all(checks, parent, report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn details() -> Details {
        Details {
            title: "Party".to_owned(),
            description: String::new(),
            venue: String::new(),
            starts_at: moment("2026-11-21T20:00:00Z"),
            ends_at: moment("2026-11-21T23:00:00Z"),
            time_zone: "Europe/Berlin".to_owned(),
            capacity: Some(5),
        }
    }

    #[test]
    fn zones_are_known_by_their_names_only() {
        for (name, known) in [
            ("Europe/Berlin", Some("Europe/Berlin")),
            ("europe/berlin", Some("Europe/Berlin")),
            ("UTC", Some("UTC")),
            ("America/Sao_Paulo", Some("America/Sao_Paulo")),
            ("CET-1CEST", None),
            ("+02:00", None),
            ("../../etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(zone(name).ok().map(|_| zone_name(name)).as_deref(), known, "{name}");
        }
    }

    #[test]
    fn the_end_moves_with_the_start_unless_it_is_given() {
        let later = moment("2026-11-22T10:00:00Z");
        let given = moment("2026-11-22T11:00:00Z");
        for (ends_at, expected) in [
            (None, moment("2026-11-22T13:00:00Z")),
            (Some(None), later),
            (Some(Some(given)), given),
        ] {
            let patch = EventPatch { starts_at: Some(later), ends_at, ..EventPatch::default() };
            assert_eq!(patch.apply(&details()).ends_at, expected);
        }
        assert_eq!(EventPatch::default().apply(&details()), details());
    }

    #[test]
    fn an_event_lasts_a_month_at_most() {
        let start = moment("2026-11-01T00:00:00Z");
        for (end, fits) in [
            ("2026-11-01T00:00:00Z", true),
            ("2026-12-02T00:00:00Z", true),
            ("2026-12-02T00:00:01Z", false),
            ("2026-10-31T23:59:59Z", false),
        ] {
            assert_eq!(check_span(start, moment(end)).is_ok(), fits, "{end}");
        }
    }
}
