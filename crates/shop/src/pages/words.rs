//! Amounts and moments as people read them on pages.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runout_core::money::{Currency, Money};

/// An amount, such as `€12.50`; with the currency's code where its sign is not everybody's.
pub fn price(minor: i64, currency: Currency) -> String {
    let amount = Money { minor, currency };
    match currency.code() {
        "EUR" => format!("€{amount}"),
        "GBP" => format!("£{amount}"),
        "USD" => format!("${amount}"),
        code => format!("{amount} {code}"),
    }
}

/// [`price`] of a currency by its code, as answers have it; a code that is none is shown as it is.
pub fn price_in(minor: i64, code: &str) -> String {
    code.parse().map_or_else(|_| format!("{minor} {code}"), |currency| price(minor, currency))
}

/// A moment in UTC, such as `2026-11-21 14:05`.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A day in UTC, such as `21 November 2026`.
pub fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y").to_string()
}

/// A number of things: `1 copy`, `3 copies`.
pub fn count(number: i64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// Seconds as a clock counts down: `4:05`, `1:00:00`.
pub fn clock(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{rest:02}")
    } else {
        format!("{minutes}:{rest:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_moments_read_well() {
        let of = |code: &str| code.parse::<Currency>().expect("a currency");
        for (minor, code, words) in [
            (1_250, "EUR", "€12.50"),
            (5, "USD", "$0.05"),
            (500, "JPY", "500 JPY"),
            (1_999, "CHF", "19.99 CHF"),
        ] {
            assert_eq!(price(minor, of(code)), words);
            assert_eq!(price_in(minor, code), words);
        }
        let at: Timestamp = "2026-11-01T04:05:59.5Z".parse().expect("a moment");
        assert_eq!(moment(at), "2026-11-01 04:05");
        assert_eq!(day(at), "1 November 2026");
        assert_eq!((count(1, "copy", "copies"), count(0, "copy", "copies")).1, "0 copies");
        for (seconds, shown) in [(299, "4:59"), (0, "0:00"), (-3, "0:00"), (3_600, "1:00:00")] {
            assert_eq!(clock(seconds), shown);
        }
    }
}
