//! Tax that is contained in prices: what of a gross amount is net, and what is tax.
//!
//! # The rounding rule
//!
//! Prices contain their tax. Per order line, of the line's amount after its share of a discount,
//! `net = gross / (1 + rate)`, rounded half up to a whole minor unit, and `tax = gross - net`. So
//! net and tax are never negative and always add up to the gross amount to the last unit; an
//! order's tax is the sum of its lines' taxes, and nothing is rounded twice.

use crate::decimal;

/// Rates are parts per million: 19 % is 190 000, 8.875 % is 88 750.
pub const PPM: i64 = 1_000_000;
/// The highest rate: a tax as high as the net price.
pub const RATE_PPM_MAX: i64 = PPM;
/// The class of whatever nobody has put into another.
pub const CLASS_DEFAULT: &str = "standard";
pub const CLASS_CHARS_MAX: usize = 64;
/// Decimals of a rate in percent.
const PERCENT_DECIMALS: u32 = 4;

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error(transparent)]
    Decimal(#[from] decimal::DecimalError),
    #[error("is more than 100 percent")]
    TooHigh,
}

/// The tax contained in a gross amount, by the rounding rule above.
///
/// # Panics
/// When the amount is negative or the rate outside of 0 to [`RATE_PPM_MAX`].
pub fn contained_minor(gross_minor: i64, rate_ppm: i64) -> i64 {
    assert!(gross_minor >= 0, "a gross amount is not negative: {gross_minor}");
    assert!((0..=RATE_PPM_MAX).contains(&rate_ppm), "a rate is 0 to 100 %: {rate_ppm} ppm");
    let divisor = i128::from(PPM + rate_ppm);
    let doubled = 2 * i128::from(gross_minor) * i128::from(PPM);
    let net = i64::try_from((doubled + divisor) / (2 * divisor)).expect("net is at most gross");
    let tax = gross_minor - net;
    assert!((0..=gross_minor).contains(&tax), "tax is a part of the gross amount");
    tax
}

/// True for the name of a tax class: 1 to [`CLASS_CHARS_MAX`] of `a-z`, `0-9`, `_` and `-`.
pub fn is_class(name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=CLASS_CHARS_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// A rate in parts per million from its percentage as text: `"19"`, `"8.875"`; four decimals.
///
/// # Errors
/// [`RateError`], saying what is wrong with the text.
pub fn parse_percent(text: &str) -> Result<i64, RateError> {
    match decimal::parse(text, PERCENT_DECIMALS)? {
        rate_ppm @ 0..=RATE_PPM_MAX => Ok(rate_ppm),
        _ => Err(RateError::TooHigh),
    }
}

/// A rate as a percentage: `19`, `8.875`.
pub fn percent(rate_ppm: i64) -> String {
    decimal::shortest(rate_ppm, PERCENT_DECIMALS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::AMOUNT_MINOR_MAX;

    #[test]
    fn contained_tax_is_as_computed_by_hand() {
        for (gross, rate, tax) in [
            // 19 %: the exact nets are 10000, 8403.36, 0.84, 1.68, 2.52, 3.36, 168.07.
            (11_900, "19", 1_900),
            (10_000, "19", 1_597),
            (1, "19", 0),
            (2, "19", 0),
            (3, "19", 0),
            (4, "19", 1),
            (200, "19", 32),
            // 7 %: 100, 934.58, 1868.22.
            (107, "7", 7),
            (1_000, "7", 65),
            (1_999, "7", 131),
            // 8.875 %, New York: 1836.97, 9999.54, 10000.46.
            (2_000, "8.875", 163),
            (10_887, "8.875", 887),
            (10_888, "8.875", 888),
            // No tax, and the highest; a half unit of net is rounded up.
            (12_345, "0", 0),
            (10, "100", 5),
            (1, "100", 0),
            (3, "100", 1),
            // Yen, 10 % and 8 %: small amounts without decimals.
            (1_100, "10", 100),
            (110, "10", 10),
            (5, "10", 0),
            (6, "10", 1),
            (108, "8", 8),
            (100, "8", 7),
            // The largest line there can be.
            (AMOUNT_MINOR_MAX, "25", 200_000_000_000),
            (0, "19", 0),
        ] {
            let rate_ppm = parse_percent(rate).expect("a rate");
            assert_eq!(contained_minor(gross, rate_ppm), tax, "{gross} at {rate} %");
        }
    }

    #[test]
    fn rates_are_read_exactly() {
        use decimal::DecimalError::{Negative, NotANumber, TooPrecise};
        for (text, expected) in [
            ("19", Ok(190_000)),
            ("8.875", Ok(88_750)),
            ("0", Ok(0)),
            ("0.0001", Ok(1)),
            ("100", Ok(1_000_000)),
            ("7.70000", Ok(77_000)),
            ("100.0001", Err(RateError::TooHigh)),
            ("0.00001", Err(RateError::Decimal(TooPrecise { decimals: 4 }))),
            ("-1", Err(RateError::Decimal(Negative))),
            ("19 %", Err(RateError::Decimal(NotANumber))),
            ("19,5", Err(RateError::Decimal(NotANumber))),
            ("", Err(RateError::Decimal(NotANumber))),
        ] {
            assert_eq!(parse_percent(text), expected, "{text}");
        }
    }

    #[test]
    fn classes_have_plain_names() {
        let longest = "x".repeat(CLASS_CHARS_MAX);
        for name in [CLASS_DEFAULT, "reduced-2", "a", "0_", &longest] {
            assert!(is_class(name), "{name}");
        }
        for name in ["", "Reduced", "two words", "é", "a/b", &(longest + "x")] {
            assert!(!is_class(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn net_is_the_nearest_whole_unit(
            gross in 0..=AMOUNT_MINOR_MAX,
            rate_ppm in 0..=RATE_PPM_MAX,
        ) {
            let tax = contained_minor(gross, rate_ppm);
            prop_assert!((0..=gross).contains(&tax));
            // |net - gross / (1 + rate)| <= 1/2, and exactly 1/2 only upwards.
            let (gross, net) = (i128::from(gross), i128::from(gross - tax));
            let over = 2 * (net * i128::from(PPM + rate_ppm) - gross * i128::from(PPM));
            let divisor = i128::from(PPM + rate_ppm);
            prop_assert!(over > -divisor && over <= divisor, "off by {over}/{divisor} halves");
        }

        #[test]
        fn more_gross_or_a_higher_rate_is_never_less_tax(
            gross in 0..AMOUNT_MINOR_MAX,
            more in 0..1_000_000_i64,
            rate_ppm in 0..=RATE_PPM_MAX,
            higher in 0..=RATE_PPM_MAX,
        ) {
            let tax = contained_minor(gross, rate_ppm);
            prop_assert!(contained_minor(gross + more, rate_ppm) >= tax);
            prop_assert!(contained_minor(gross, rate_ppm.max(higher)) >= tax);
        }

        #[test]
        fn a_written_rate_can_be_read(rate_ppm in 0..=RATE_PPM_MAX) {
            prop_assert_eq!(parse_percent(&percent(rate_ppm)), Ok(rate_ppm));
        }
    }
}
