//! Decimal numbers of a fixed precision, as text: read exactly, never through floating point.

/// Why a text is no such number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("is not a decimal number such as 12.5")]
    NotANumber,
    #[error("has more than {decimals} decimals")]
    TooPrecise { decimals: u32 },
    #[error("must not be negative")]
    Negative,
    #[error("is too large")]
    TooLarge,
}

/// Reads digits with at most one point: `12.5` with two decimals is 1250. Zeros at the end of the
/// fraction do not count as precision; signs other than a refused `-`, exponents, spaces and digits
/// of other scripts are no numbers.
///
/// # Errors
/// [`DecimalError`], saying what is wrong with the text.
pub fn parse(text: &str, decimals: u32) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || digits.ends_with('.') || !plain(whole) || !plain(fraction) {
        return Err(DecimalError::NotANumber);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize {
        return Err(DecimalError::TooPrecise { decimals });
    }
    if negative {
        return Err(DecimalError::Negative);
    }
    let mut scaled: i64 = 0;
    let padding = std::iter::repeat_n(b'0', decimals as usize - fraction.len());
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        scaled = scaled
            .checked_mul(10)
            .and_then(|scaled| scaled.checked_add(i64::from(digit - b'0')))
            .ok_or(DecimalError::TooLarge)?;
    }
    Ok(scaled)
}

/// The shortest text that [`parse`] reads as this: 1250 with two decimals is `12.5`.
///
/// # Panics
/// When the number is negative.
pub fn shortest(scaled: i64, decimals: u32) -> String {
    assert!(scaled >= 0, "such numbers are not negative: {scaled}");
    let unit = 10_i64.pow(decimals);
    let (whole, fraction) = (scaled / unit, scaled % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{fraction:0width$}", width = decimals as usize);
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shortest_text_has_no_needless_zeros() {
        for (scaled, decimals, text) in [
            (0, 4, "0"),
            (190_000, 4, "19"),
            (88_750, 4, "8.875"),
            (1, 4, "0.0001"),
            (1250, 2, "12.5"),
            (7, 0, "7"),
        ] {
            assert_eq!(shortest(scaled, decimals), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(scaled in 0..=i64::MAX, decimals in 0_u32..=6) {
            prop_assert_eq!(parse(&shortest(scaled, decimals), decimals), Ok(scaled));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", decimals in 0_u32..=6) {
            let _any_outcome = parse(&text, decimals);
        }
    }
}
