//! How the desk writes numbers, money and moments.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runout_core::money::{Currency, Money};

/// `39.80 EUR`: with as many decimals as the currency has. A code that is no currency any more is
/// shown in minor units.
pub(super) fn money(minor: i64, code: &str) -> String {
    match code.parse::<Currency>() {
        Ok(currency) => format!("{} {code}", Money { minor, currency }),
        Err(_) => format!("{minor} {code} (minor units)"),
    }
}

/// `2026-11-21 14:05`, in UTC.
pub(crate) fn minute(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `14:00`, in UTC.
pub(super) fn hour(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

/// `2026-11-21`, in UTC.
pub(super) fn day(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// `2 days 3 hours`, `5 hours`, `less than an hour`.
pub(super) fn lasting(hours: i64) -> String {
    let many = |count: i64, unit: &str| match count {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    };
    match (hours / 24, hours % 24) {
        (0, 0) => "less than an hour".to_owned(),
        (0, hours) => many(hours, "hour"),
        (days @ 1..7, hours @ 1..) => format!("{} {}", many(days, "day"), many(hours, "hour")),
        (days, _) => many(days, "day"),
    }
}

/// `12` and `1,234,567`.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `none`, `1 order`, `12 orders`; at the bound: `1,000 or more orders`.
pub(crate) fn up_to(number: i64, bound: i64) -> String {
    if number >= bound { format!("{} or more", count(bound)) } else { count(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        for (minor, code, text) in [
            (3_980, "EUR", "39.80 EUR"),
            (1_200, "JPY", "1200 JPY"),
            (1_250, "BHD", "1.250 BHD"),
            (7, "???", "7 ??? (minor units)"),
        ] {
            assert_eq!(money(minor, code), text);
        }
    }

    #[test]
    fn durations_and_numbers_are_words() {
        for (hours, text) in [
            (0, "less than an hour"),
            (1, "1 hour"),
            (24, "1 day"),
            (51, "2 days 3 hours"),
            (7 * 24 + 5, "7 days"),
        ] {
            assert_eq!(lasting(hours), text);
        }
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")]
        {
            assert_eq!(count(number), text);
        }
        assert_eq!((up_to(3, 10), up_to(10, 10)), ("3".to_owned(), "10 or more".to_owned()));
    }
}
