//! Events of the demo data, around the moment at which it is loaded.

use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::edit;
use super::input::NewEvent;
use crate::App;
use crate::platform::command::{Caller, Outcome};
use crate::platform::problem::Problem;

const ZONE: &str = "Europe/Berlin";

/// Title, description, venue, days from now, hour, hours that it lasts, places.
type Row = (&'static str, &'static str, &'static str, i64, i8, i64, Option<i64>);

const ROWS: [Row; 6] = [
    (
        "We are Reactive: release party",
        "The record, twice, loud.",
        "Shop floor",
        3,
        20,
        4,
        Some(80),
    ),
    (
        "Listening session for one",
        "One chair, one pair of headphones.",
        "Back room",
        5,
        18,
        2,
        Some(1),
    ),
    ("In-store gig", "Half an hour, no amplifiers.", "Shop floor", 10, 19, 1, Some(40)),
    ("Signing afternoon", "Bring your own copy, or buy one here.", "Counter", 17, 15, 3, None),
    ("Record fair", "Sixty crates from all over the country.", "Market hall", 31, 10, 8, None),
    ("Opening night", "Where it all began.", "Shop floor", -60, 19, 5, Some(100)),
];

/// Adds the events, made by an account; the session for one is taken already.
///
/// # Errors
/// The database's, as a problem.
pub async fn add(app: &App, organiser_id: i64) -> Result<(), Problem> {
    for row in ROWS {
        let taken = row.6 == Some(1);
        let details = event(app.clock.now(), row).details();
        let made = edit::create(app, Caller::default(), organiser_id, details).await?;
        if let (Outcome::Accepted(event), true) = (made, taken) {
            super::attend::sign_up(app, event.summary.id, organiser_id).await?;
        }
    }
    Ok(())
}

fn event(now: Timestamp, row: Row) -> NewEvent {
    let (title, description, venue, days, hour, hours, capacity) = row;
    let zone = TimeZone::get(ZONE).expect("the time zones are part of the program");
    let day = now.to_zoned(zone.clone()).date().saturating_add(Span::new().days(days));
    let starts_at = zone.to_timestamp(day.to_datetime(time(hour, 0, 0, 0)));
    let starts_at = starts_at.expect("a day of our times");
    NewEvent {
        title: title.to_owned(),
        description: description.to_owned(),
        venue: venue.to_owned(),
        starts_at,
        ends_at: starts_at.checked_add(Span::new().hours(hours)).ok(),
        time_zone: Some(ZONE.to_owned()),
        capacity,
    }
}
