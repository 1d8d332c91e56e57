//! Amounts of money as people write them into spreadsheets, read with integers only.
//!
//! What could mean two amounts is refused, never guessed: "1,234" is 1234 to some and 1.234 to others.

use iso_currency::Currency;

/// Largest price that is taken, in minor units.
pub const PRICE_MINOR_MAX: i64 = 100_000_000_000;

/// A price in a file: minor units of an ISO 4217 currency (1250 and "EUR" for 12.50 euros).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceCell {
    /// Minor units, 0 to [`PRICE_MINOR_MAX`].
    pub minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
}

/// Symbols, longer ones first, and the currencies that they may stand for. The first is meant
/// unless the file or the shop names another of the list.
const SYMBOLS: &[(&str, &[Currency])] = &[
    ("US$", &[Currency::USD]),
    ("CA$", &[Currency::CAD]),
    ("AU$", &[Currency::AUD]),
    ("NZ$", &[Currency::NZD]),
    ("R$", &[Currency::BRL]),
    ("C$", &[Currency::CAD]),
    ("A$", &[Currency::AUD]),
    (
        "$",
        &[
            Currency::USD,
            Currency::CAD,
            Currency::AUD,
            Currency::NZD,
            Currency::MXN,
            Currency::SGD,
            Currency::HKD,
            Currency::ARS,
            Currency::CLP,
            Currency::COP,
        ],
    ),
    ("€", &[Currency::EUR]),
    ("£", &[Currency::GBP]),
    ("¥", &[Currency::JPY, Currency::CNY]),
    ("zł", &[Currency::PLN]),
    ("Kč", &[Currency::CZK]),
];

/// Reads a price such as "12.50", "12,50", "€12.50", "$12" or "EUR 12.50".
///
/// The currency is the one in `text`, else `column` (the currency column's text), else `default`.
///
/// # Errors
/// A reason that follows the value in a sentence.
pub fn parse_price(
    text: &str,
    column: Option<&str>,
    default: Currency,
) -> Result<PriceCell, String> {
    let column = column.map(parse_currency).transpose()?;
    let (number, written) = split_currency(text.trim(), column.unwrap_or(default))?;
    if let (Some(written), Some(column)) = (written, column)
        && written != column
    {
        let (written, column) = (written.code(), column.code());
        return Err(format!("is in {written}, but the currency column says {column}"));
    }
    let currency = written.or(column).unwrap_or(default);
    let Some(exponent) = currency.exponent() else {
        return Err(format!("has the currency {}, which has no coins", currency.code()));
    };
    let minor = parse_amount(number, u32::from(exponent))?;
    if minor > PRICE_MINOR_MAX {
        return Err("is more than a record can cost".to_owned());
    }
    Ok(PriceCell { minor, currency: currency.code().to_owned() })
}

/// The currency of an ISO 4217 code in any case.
///
/// # Errors
/// A reason that follows the value in a sentence.
pub fn parse_currency(code: &str) -> Result<Currency, String> {
    Currency::from_code(&code.trim().to_ascii_uppercase())
        .ok_or_else(|| "is not an ISO 4217 currency code such as EUR".to_owned())
}

/// Splits the currency's symbol or code, if any, off either end.
fn split_currency(text: &str, hint: Currency) -> Result<(&str, Option<Currency>), String> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    for (symbol, meanings) in SYMBOLS {
        let number = unsigned.strip_prefix(symbol).or_else(|| unsigned.strip_suffix(symbol));
        if let Some(number) = number {
            let meant = if meanings.contains(&hint) { hint } else { meanings[0] };
            return if sign { Err(NEGATIVE.to_owned()) } else { Ok((number.trim(), Some(meant))) };
        }
    }
    let letters = |char: char| char.is_ascii_alphabetic();
    let front = unsigned.trim_start_matches(letters);
    let back = unsigned.trim_end_matches(letters);
    let (code, number) = match (unsigned.len() - front.len(), unsigned.len() - back.len()) {
        (0, 0) => return Ok((text, None)),
        (_, 0) => (&unsigned[..unsigned.len() - front.len()], front),
        (0, _) => (&unsigned[back.len()..], back),
        _ => return Err(NOT_AN_AMOUNT.to_owned()),
    };
    let currency =
        Currency::from_code(&code.to_ascii_uppercase()).ok_or_else(|| NOT_AN_AMOUNT.to_owned())?;
    if sign { Err(NEGATIVE.to_owned()) } else { Ok((number.trim(), Some(currency))) }
}

const NEGATIVE: &str = "is negative";
const NOT_AN_AMOUNT: &str = "is not an amount such as 12.50";

/// Reads an amount without currency into minor units; `exponent` is the currency's number of
/// decimals in ISO 4217 (2 for EUR, 0 for JPY, 3 for KWD).
///
/// Takes a comma or a dot before the decimals, and groups of three digits separated by the other,
/// by blanks or by apostrophes. Decimals beyond the exponent must be zeros.
///
/// # Errors
/// A reason that follows the value in a sentence: negative, ambiguous, too precise, too large.
pub fn parse_amount(text: &str, exponent: u32) -> Result<i64, String> {
    let text = text.trim();
    if text.starts_with(['-', '−']) {
        return Err(NEGATIVE.to_owned());
    }
    let (whole, decimals) = split_decimals(text, exponent)?;
    let whole = ungrouped(whole)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && decimals.is_empty() || !digits(&whole) || !digits(decimals) {
        return Err(NOT_AN_AMOUNT.to_owned());
    }
    let places = usize::try_from(exponent).map_err(|_| NOT_AN_AMOUNT.to_owned())?;
    let (kept, beyond) = decimals.split_at(decimals.len().min(places));
    if beyond.bytes().any(|byte| byte != b'0') {
        return Err(format!("has more than {exponent} decimals"));
    }
    let padding = std::iter::repeat_n(b'0', places - kept.len());
    whole.bytes().chain(kept.bytes()).chain(padding).try_fold(0_i64, |sum, digit| {
        let digit = i64::from(digit - b'0');
        sum.checked_mul(10).and_then(|sum| sum.checked_add(digit)).ok_or("is too large".to_owned())
    })
}

/// Splits "1.234,50" into "1.234" and "50": before and after the mark of the decimals.
fn split_decimals(text: &str, exponent: u32) -> Result<(&str, &str), String> {
    let Some(last) = text.rfind([',', '.']) else { return Ok((text, "")) };
    let (before, after) = (&text[..last], &text[last + 1..]);
    if after.is_empty() {
        return Err(NOT_AN_AMOUNT.to_owned());
    }
    let mark = &text[last..=last];
    let other = if mark == "," { "." } else { "," };
    if before.contains(mark) {
        // Twice the same mark: groups, and no decimals, as in "1,234,567".
        return if before.contains(other) { Err(NOT_AN_AMOUNT.to_owned()) } else { Ok((text, "")) };
    }
    let one_mark = !before.contains(other);
    let may_be_group = one_mark && after.len() == 3 && (1..=3).contains(&before.len());
    match (may_be_group, exponent) {
        (false, _) => Ok((before, after)),
        (true, 0) => Ok((text, "")),
        (true, 3) if mark == "." => Ok((before, after)),
        (true, _) if before.bytes().all(|byte| byte == b'0') => Ok((before, after)),
        (true, _) => Err(format!(
            "may mean {before}{after} or {before}.{after}: leave the \
             separator out or write the decimals"
        )),
    }
}

/// Takes the separators out of "1.234.567", if every group but the first has three digits.
fn ungrouped(whole: &str) -> Result<String, String> {
    const SEPARATORS: [char; 6] = ['.', ',', ' ', '\'', '’', '\u{a0}'];
    let Some(separator) = whole.chars().find(|char| SEPARATORS.contains(char)) else {
        return Ok(whole.to_owned());
    };
    let mut groups = whole.split(separator);
    let first = groups.next().unwrap_or_default();
    if !(1..=3).contains(&first.len()) || groups.any(|group| group.len() != 3) {
        return Err(NOT_AN_AMOUNT.to_owned());
    }
    Ok(whole.replace(separator, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        for (text, exponent, minor) in [
            ("12.50", 2, 1250),
            ("12,50", 2, 1250),
            ("12", 2, 1200),
            ("12.5", 2, 1250),
            (".50", 2, 50),
            ("0", 2, 0),
            ("0.500", 2, 50),
            ("12.5000", 2, 1250),
            ("1.234,50", 2, 123_450),
            ("1,234.50", 2, 123_450),
            ("1 234,50", 2, 123_450),
            ("1'234.50", 2, 123_450),
            ("1,234,567", 2, 123_456_700),
            ("1234.00", 2, 123_400),
            ("1,500", 0, 1500),
            ("1500.00", 0, 1500),
            ("1.250", 3, 1250),
            ("12", 3, 12_000),
        ] {
            assert_eq!(parse_amount(text, exponent), Ok(minor), "{text} with {exponent}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        for (text, exponent, reason) in [
            ("", 2, "is not an amount such as 12.50"),
            ("abc", 2, "is not an amount such as 12.50"),
            ("12.", 2, "is not an amount such as 12.50"),
            ("1.2.3", 2, "is not an amount such as 12.50"),
            ("1,23,456.00", 2, "is not an amount such as 12.50"),
            ("١٢", 2, "is not an amount such as 12.50"),
            ("1e5", 2, "is not an amount such as 12.50"),
            ("-3", 2, "is negative"),
            (
                "12.505",
                2,
                "may mean 12505 or 12.505: leave the separator out or write the decimals",
            ),
            ("12.5051", 2, "has more than 2 decimals"),
            ("12.5", 0, "has more than 0 decimals"),
            ("99999999999999999999", 2, "is too large"),
        ] {
            assert_eq!(parse_amount(text, exponent), Err(reason.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn the_currency_is_the_written_one_else_the_columns_else_the_shops() {
        for (text, column, default, expected) in [
            ("12.50", None, Currency::EUR, Ok((1250, "EUR"))),
            ("12.50", Some("usd"), Currency::EUR, Ok((1250, "USD"))),
            ("€12.50", None, Currency::USD, Ok((1250, "EUR"))),
            ("12,50 €", None, Currency::USD, Ok((1250, "EUR"))),
            ("EUR 12.50", None, Currency::USD, Ok((1250, "EUR"))),
            ("12.50eur", None, Currency::USD, Ok((1250, "EUR"))),
            ("$12", None, Currency::EUR, Ok((1200, "USD"))),
            ("$12", None, Currency::AUD, Ok((1200, "AUD"))),
            ("$12", Some("CAD"), Currency::EUR, Ok((1200, "CAD"))),
            ("R$ 1.234,50", None, Currency::EUR, Ok((123_450, "BRL"))),
            ("¥1,500", None, Currency::EUR, Ok((1500, "JPY"))),
            ("€5", Some("USD"), Currency::EUR, Err("is in EUR, but the currency column says USD")),
            ("5", Some("Euro"), Currency::EUR, Err("is not an ISO 4217 currency code such as EUR")),
            ("-€5", None, Currency::EUR, Err("is negative")),
            ("€-5", None, Currency::EUR, Err("is negative")),
            ("5 XAU", None, Currency::EUR, Err("has the currency XAU, which has no coins")),
            ("call us", None, Currency::EUR, Err("is not an amount such as 12.50")),
            ("2000000000", None, Currency::EUR, Err("is more than a record can cost")),
        ] {
            let found = parse_price(text, column, default);
            let found = found.as_ref().map(|price| (price.minor, price.currency.as_str()));
            assert_eq!(found, expected.map_err(str::to_owned).as_ref().copied(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_plainly_is_read_back(minor in 0..PRICE_MINOR_MAX, comma: bool) {
            let mark = if comma { ',' } else { '.' };
            let text = format!("{}{mark}{:02}", minor / 100, minor % 100);
            prop_assert_eq!(parse_amount(&text, 2), Ok(minor));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,20}", number in "[-0-9., '€$A-Z]{0,12}") {
            for text in [text, number] {
                for exponent in 0..5 {
                    let _ = parse_amount(&text, exponent);
                }
                let _ = parse_price(&text, Some(&text), Currency::EUR);
                let _ = parse_price(&text, None, Currency::JPY);
            }
        }
    }
}
