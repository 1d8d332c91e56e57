//! The form of an event: what was typed, and what is wrong beside each field.

use garde::Validate;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::when;
use crate::events::edit::EventRefused;
use crate::events::input::{EventPatch, NewEvent, TIME_ZONE_DEFAULT, zone};
use crate::events::model::Event;
use crate::platform::problem::Problem;

/// An event as it was typed. The predecessor's form has title, description and date; what a form
/// does not have is left as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) venue: Option<String>,
    pub(super) date: Option<String>,
    pub(super) ends: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) capacity: Option<String>,
    /// The version that was looked at.
    pub(super) version: Option<i64>,
}

/// What was wrong with a form: the field's name and the reason. No name: the form as a whole.
#[derive(Debug, Default)]
pub(super) struct Wrong(pub(super) Vec<(&'static str, String)>);

/// The names of the API's fields, of the form's, and what people call them.
const NAMES: [(&str, &str, &str); 7] = [
    ("title", "title", "Title"),
    ("description", "description", "Description"),
    ("venue", "venue", "Venue"),
    ("starts_at", "date", "Start"),
    ("ends_at", "ends", "End"),
    ("time_zone", "time_zone", "Time zone"),
    ("capacity", "capacity", "Places"),
];

impl Wrong {
    fn add(&mut self, api_name: &str, reason: &str) {
        let named = NAMES.iter().find(|(name, ..)| *name == api_name);
        let (_, field, label) = named.copied().unwrap_or(("", "", "The event"));
        if self.of(field).is_none() {
            self.0.push((field, format!("{label}: {reason}.")));
        }
    }

    fn add_all(&mut self, checked: Result<(), garde::Report>) {
        for (path, error) in checked.iter_err() {
            self.add(&path, &error);
        }
    }

    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, reason)| reason.as_str())
    }

    /// What a refusal says about the form's fields.
    ///
    /// # Errors
    /// A refusal that is about no field.
    pub(super) fn refused(refused: EventRefused) -> Result<Self, Problem> {
        let mut wrong = Self::default();
        match refused {
            EventRefused::Span((field, reason)) => wrong.add(field, &reason),
            EventRefused::TooFew { attending } => {
                wrong.add("capacity", &format!("{attending} people are going already"));
            }
            EventRefused::Changed => wrong.0.push((
                "",
                "This event was changed elsewhere meanwhile. Open it again.".to_owned(),
            )),
            other => return Err(other.into()),
        }
        Ok(wrong)
    }
}

/// The findings of a check.
trait Findings {
    fn iter_err(&self) -> Vec<(String, String)>;
}

impl Findings for Result<(), garde::Report> {
    fn iter_err(&self) -> Vec<(String, String)> {
        let Err(report) = self else { return Vec::new() };
        report.iter().map(|(path, error)| (path.to_string(), error.to_string())).collect()
    }
}

const NO_MOMENT: &str = "must be a day and an hour, such as 2026-11-21 20:00";

impl Fields {
    /// The event as it is, to be edited.
    pub(super) fn of(event: &Event) -> Self {
        let summary = &event.summary;
        let zone = TimeZone::get(&summary.time_zone).unwrap_or(TimeZone::UTC);
        let ends = summary.ends_at > summary.starts_at;
        Self {
            title: Some(summary.title.clone()),
            description: Some(event.description.clone()),
            venue: Some(summary.venue.clone()),
            date: Some(when::write(summary.starts_at, &zone)),
            ends: ends.then(|| when::write(summary.ends_at, &zone)),
            time_zone: Some(summary.time_zone.clone()),
            capacity: summary.capacity.map(|capacity| capacity.to_string()),
            version: Some(event.version),
        }
    }

    fn zone(&self, otherwise: &str, wrong: &mut Wrong) -> TimeZone {
        let name = self.time_zone.as_deref().map(str::trim).filter(|name| !name.is_empty());
        zone(name.unwrap_or(otherwise)).unwrap_or_else(|(field, reason)| {
            wrong.add(field, &reason);
            TimeZone::UTC
        })
    }

    fn capacity(&self, wrong: &mut Wrong) -> Option<Option<i64>> {
        let text = self.capacity.as_deref()?.trim();
        if text.is_empty() {
            return Some(None);
        }
        let capacity = text.parse().ok();
        if capacity.is_none() {
            wrong.add("capacity", "must be a whole number, or empty for everybody");
        }
        Some(capacity)
    }

    /// The end, if the form has it; within it none if it is empty.
    fn ends(&self, zone: &TimeZone, wrong: &mut Wrong) -> Option<Option<Timestamp>> {
        let text = self.ends.as_deref()?.trim();
        if text.is_empty() {
            return Some(None);
        }
        let moment = when::read(text, zone);
        if moment.is_none() {
            wrong.add("ends_at", NO_MOMENT);
        }
        Some(moment)
    }

    /// The event that was typed.
    ///
    /// # Errors
    /// What was wrong.
    pub(super) fn new_event(&self) -> Result<NewEvent, Wrong> {
        let mut wrong = Wrong::default();
        let zone = self.zone(TIME_ZONE_DEFAULT, &mut wrong);
        let starts_at = self.date.as_deref().and_then(|text| when::read(text, &zone));
        if starts_at.is_none() {
            wrong.add("starts_at", NO_MOMENT);
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let new = NewEvent {
            title: text(&self.title),
            description: text(&self.description),
            venue: text(&self.venue),
            starts_at: starts_at.unwrap_or(Timestamp::UNIX_EPOCH),
            ends_at: self.ends(&zone, &mut wrong).flatten(),
            time_zone: zone.iana_name().map(str::to_owned),
            capacity: self.capacity(&mut wrong).flatten(),
        };
        wrong.add_all(new.validate());
        if starts_at.is_none() {
            // Measured from no start, an end says nothing.
            wrong.0.retain(|(field, _)| *field != "ends");
        }
        if wrong.0.is_empty() { Ok(new) } else { Err(wrong) }
    }

    /// The changes that were typed. What stands there as it was shown is no change.
    ///
    /// # Errors
    /// What was wrong.
    pub(super) fn patch(&self, event: &Event) -> Result<EventPatch, Wrong> {
        let (mut wrong, shown) = (Wrong::default(), Self::of(event));
        let zone = self.zone(&event.summary.time_zone, &mut wrong);
        let same_zone = zone.iana_name() == Some(event.summary.time_zone.as_str());
        let starts_at = match self.date.as_deref() {
            None => None,
            typed if same_zone && typed == shown.date.as_deref() => None,
            Some(typed) => {
                let moment = when::read(typed, &zone);
                if moment.is_none() {
                    wrong.add("starts_at", NO_MOMENT);
                }
                moment
            }
        };
        let ends_as_shown = same_zone && self.ends.is_some() && self.ends == shown.ends;
        let ends_at = match ends_as_shown {
            // The end stays where it is, even when the start moves: it was there to be seen.
            true => Some(Some(event.summary.ends_at)),
            false => self.ends(&zone, &mut wrong),
        };
        let patch = EventPatch {
            title: self.title.clone(),
            description: self.description.clone(),
            venue: self.venue.clone(),
            starts_at,
            ends_at,
            time_zone: self.time_zone.as_ref().and(zone.iana_name().map(str::to_owned)),
            capacity: self.capacity(&mut wrong),
        };
        wrong.add_all(patch.validate());
        if wrong.0.is_empty() { Ok(patch) } else { Err(wrong) }
    }
}
