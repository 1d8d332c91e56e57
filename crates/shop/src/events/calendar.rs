//! Events as iCalendar (RFC 5545): lines end in CRLF, none has more than 75 octets, moments are in
//! UTC, so that no time zones need to be described.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::model::Event;

/// The media type.
pub(super) const TEXT_CALENDAR: &str = "text/calendar; charset=utf-8";
/// Octets of a line without its end (RFC 5545 section 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// A calendar of this name with these events.
pub(super) fn calendar(name: &str, events: &[Event]) -> String {
    let mut text = String::with_capacity(512 * (events.len() + 1));
    let name = escape(name);
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Runout//Events//EN"] {
        push_line(&mut text, line);
    }
    push_line(&mut text, "METHOD:PUBLISH");
    push_line(&mut text, &format!("NAME:{name}"));
    push_line(&mut text, &format!("X-WR-CALNAME:{name}"));
    push_line(&mut text, "REFRESH-INTERVAL;VALUE=DURATION:PT1H");
    events.iter().for_each(|event| push_event(&mut text, event));
    push_line(&mut text, "END:VCALENDAR");
    text
}

fn push_event(text: &mut String, event: &Event) {
    let summary = &event.summary;
    push_line(text, "BEGIN:VEVENT");
    // Unique in the world: no two shops make their n-th event in the same microsecond.
    let made = event.created_at.as_microsecond();
    push_line(text, &format!("UID:{}-{made}@events.runout", summary.id));
    push_line(text, &format!("DTSTAMP:{}", utc(event.updated_at)));
    push_line(text, &format!("CREATED:{}", utc(event.created_at)));
    push_line(text, &format!("SEQUENCE:{}", event.version));
    push_line(text, &format!("DTSTART:{}", utc(summary.starts_at)));
    if summary.ends_at > summary.starts_at {
        push_line(text, &format!("DTEND:{}", utc(summary.ends_at)));
    }
    push_line(text, &format!("SUMMARY:{}", escape(&summary.title)));
    for (name, value) in [("LOCATION", &summary.venue), ("DESCRIPTION", &event.description)] {
        if !value.is_empty() {
            push_line(text, &format!("{name}:{}", escape(value)));
        }
    }
    let cancelled = summary.cancelled_at.is_some();
    push_line(text, if cancelled { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
    push_line(text, "END:VEVENT");
}

/// A moment as `20261121T190000Z`; calendars know whole seconds.
fn utc(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A value of type TEXT (RFC 5545 section 3.3.11). Control characters but tabs may not occur.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' | ';' | ',' => escaped.extend(['\\', char]),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    escaped.push_str("\\n");
                }
            }
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push('\t'),
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Adds a line, folded: what does not fit goes on after a space in the next one. No character is
/// torn apart.
fn push_line(text: &mut String, line: &str) {
    let mut octets = 0;
    for char in line.chars() {
        if octets + char.len_utf8() > LINE_OCTETS_MAX {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(char);
        octets += char.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::model::{Organiser, Summary};

    fn event() -> Event {
        let moment = |text: &str| text.parse().expect("a moment");
        let summary = Summary {
            id: 7,
            title: "Hohpe; live, \\o/".to_owned(),
            venue: "Café".to_owned(),
            starts_at: moment("2026-11-21T19:00:00Z"),
            ends_at: moment("2026-11-21T21:30:00Z"),
            time_zone: "Europe/Berlin".to_owned(),
            capacity: None,
            organiser: Organiser { id: 1, name: "ana".to_owned() },
            product_id: None,
            attending: 0,
            waiting: 0,
            cancelled_at: None,
        };
        let made = moment("2026-11-01T00:00:00.000001Z");
        let description = "First line\r\nsecond line".to_owned();
        Event { summary, description, created_at: made, updated_at: made, version: 3 }
    }

    #[test]
    fn an_event_is_written_as_the_standard_says() {
        let text = calendar("My shop", &[event()]);
        let expected = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Runout//Events//EN",
            "METHOD:PUBLISH",
            "NAME:My shop",
            "X-WR-CALNAME:My shop",
            "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
            "BEGIN:VEVENT",
            "UID:7-1793491200000001@events.runout",
            "DTSTAMP:20261101T000000Z",
            "CREATED:20261101T000000Z",
            "SEQUENCE:3",
            "DTSTART:20261121T190000Z",
            "DTEND:20261121T213000Z",
            "SUMMARY:Hohpe\\; live\\, \\\\o/",
            "LOCATION:Café",
            "DESCRIPTION:First line\\nsecond line",
            "STATUS:CONFIRMED",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ];
        assert_eq!(text.split("\r\n").collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_cancelled_event_says_so_and_one_without_end_has_none() {
        let mut event = event();
        event.summary.cancelled_at = Some(event.updated_at);
        event.summary.ends_at = event.summary.starts_at;
        let text = calendar("", &[event]);
        assert!(text.contains("\r\nSTATUS:CANCELLED\r\n") && !text.contains("DTEND"), "{text}");
    }

    /// What a calendar's reader makes of a value.
    fn unescape(value: &str) -> String {
        let mut text = String::new();
        let mut chars = value.chars();
        while let Some(char) = chars.next() {
            match char {
                '\\' => match chars.next().expect("something is escaped") {
                    'n' => text.push('\n'),
                    other => text.push(other),
                },
                ';' | ',' => panic!("{char} must be escaped"),
                other => text.push(other),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn escaped_text_comes_back(text in "[a-z;,\\\\\r\n\t\u{1}é€🎵]{0,80}") {
            let escaped = escape(&text);
            let control = escaped.chars().any(|char| char.is_control() && char != '\t');
            prop_assert!(!control);
            let plain = text.replace("\r\n", "\n").replace('\r', "\n").replace('\u{1}', "");
            prop_assert_eq!(unescape(&escaped), plain);
        }

        #[test]
        fn folded_lines_are_short_whole_characters_and_come_back(
            line in "[ a-zé€🎵]{0,400}",
        ) {
            let mut text = String::new();
            push_line(&mut text, &line);
            let body = text.strip_suffix("\r\n").expect("a line has an end");
            for (number, part) in body.split("\r\n").enumerate() {
                prop_assert!(part.len() <= 75, "{} octets", part.len());
                prop_assert!(number == 0 || part.starts_with(' '));
            }
            prop_assert_eq!(body.replace("\r\n ", ""), line);
        }
    }
}
