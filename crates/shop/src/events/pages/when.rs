//! Moments as people type them, on the clock of the event's time zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// What a browser's field for a moment sends, and Django's formats. Years of two digits come
/// first: those of four do not fit them, but not the other way round.
const FORMATS: [&str; 8] = [
    "%m/%d/%y %H:%M:%S%.f",
    "%m/%d/%y %H:%M",
    "%m/%d/%Y %H:%M:%S%.f",
    "%m/%d/%Y %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
];
/// A day alone is its first moment.
const DAYS: [&str; 3] = ["%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d"];

/// The moment that a text means in a zone; none if it means nothing. An hour that the clock shows
/// twice is its first, one that it leaps over is later by the leap.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let with_hour = FORMATS.iter().find_map(|format| DateTime::strptime(format, text).ok());
    let day = || DAYS.iter().find_map(|format| Date::strptime(format, text).ok());
    let shown = with_hour.or_else(|| day().map(DateTime::from))?;
    zone.to_timestamp(shown).ok()
}

/// What a browser's field for a moment takes: `2026-11-21T20:00`.
pub(super) fn write(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_format_that_the_predecessor_took() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        for (text, moment) in [
            ("07/30/2020 19:30", Some("2020-07-30T17:30:00Z")),
            ("07/30/2020 19:30:15", Some("2020-07-30T17:30:15Z")),
            ("07/30/2020 19:30:15.25", Some("2020-07-30T17:30:15.25Z")),
            ("07/30/20 19:30", Some("2020-07-30T17:30:00Z")),
            ("07/30/20 19:30:15", Some("2020-07-30T17:30:15Z")),
            ("2020-07-30 19:30", Some("2020-07-30T17:30:00Z")),
            ("2020-07-30 19:30:15", Some("2020-07-30T17:30:15Z")),
            ("2020-07-30 19:30:15.000200", Some("2020-07-30T17:30:15.0002Z")),
            ("2020-12-30T19:30", Some("2020-12-30T18:30:00Z")),
            ("2020-12-30T19:30:15", Some("2020-12-30T18:30:15Z")),
            (" 2020-12-30T19:30Z ", Some("2020-12-30T19:30:00Z")),
            ("2020-12-30T19:30:00+05:00", Some("2020-12-30T14:30:00Z")),
            ("2020-12-30", Some("2020-12-29T23:00:00Z")),
            ("12/30/2020", Some("2020-12-29T23:00:00Z")),
            ("12/30/20", Some("2020-12-29T23:00:00Z")),
            ("30/07/2020 19:30", None),
            ("2020-02-30 19:30", None),
            ("tomorrow", None),
            ("", None),
        ] {
            let expected = moment.map(|text| text.parse().expect("a moment"));
            assert_eq!(read(text, &zone), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let zone = TimeZone::get("America/New_York").expect("a zone");
        let moment = "2026-11-21T01:30:00Z".parse().expect("a moment");
        let text = write(moment, &zone);
        assert_eq!(text, "2026-11-20T20:30");
        assert_eq!(read(&text, &zone), Some(moment));
    }
}
