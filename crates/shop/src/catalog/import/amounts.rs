//! Amounts of money as people write them into spreadsheets, brought into the one form that
//! [`Money::parse`] reads.
//!
//! What could mean two amounts is refused, never guessed: "1,234" is 1234 to some and 1.234 to
//! others.

use runout_core::money::{Currency, Money, MoneyError};

/// Symbols, longer ones first, and the currencies that they may stand for. The first is meant
/// unless the file or the shop names another of the list.
const SYMBOLS: &[(&str, &[&str])] = &[
    ("US$", &["USD"]),
    ("CA$", &["CAD"]),
    ("AU$", &["AUD"]),
    ("NZ$", &["NZD"]),
    ("R$", &["BRL"]),
    ("C$", &["CAD"]),
    ("A$", &["AUD"]),
    ("$", &["USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "ARS", "CLP", "COP"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("¥", &["JPY", "CNY"]),
    ("zł", &["PLN"]),
    ("Kč", &["CZK"]),
];

const NOT_AN_AMOUNT: &str = "is not an amount such as 12.50";

/// Reads a price such as "12.50", "12,50", "1.234,50", "€12.50", "$12" or "EUR 12.50".
///
/// Takes a comma or a dot before the decimals, and groups of three digits separated by the other,
/// by blanks or by apostrophes. The currency is the one in `text`, else `column` (what the currency
/// column says), else `default`.
///
/// # Errors
/// A reason that follows the value in a sentence: no amount, negative, ambiguous, too precise, too
/// large, or in another currency than the column says.
pub fn parse_price(
    text: &str,
    column: Option<Currency>,
    default: Currency,
) -> Result<Money, String> {
    let (number, written) = split_currency(text.trim(), column.unwrap_or(default))?;
    if let (Some(written), Some(column)) = (written, column)
        && written != column
    {
        return Err(format!("is in {written}, but the currency column says {column}"));
    }
    let currency = written.or(column).unwrap_or(default);
    if number.starts_with(['-', '−']) {
        return Err(MoneyError::Negative.to_string());
    }
    Money::parse(&plain(number, currency.exponent())?, currency).map_err(|error| match error {
        MoneyError::NotANumber => NOT_AN_AMOUNT.to_owned(),
        error => error.to_string(),
    })
}

/// The currency of an ISO 4217 code in any case.
///
/// # Errors
/// A reason that follows the value in a sentence.
pub fn parse_currency(code: &str) -> Result<Currency, String> {
    code.trim().to_ascii_uppercase().parse().map_err(|error: MoneyError| error.to_string())
}

/// Splits the currency's symbol or code, if any, off either end. The sign stays with the number.
fn split_currency(text: &str, hint: Currency) -> Result<(&str, Option<Currency>), String> {
    let unsigned = text.trim_start_matches(['-', '−']).trim_start();
    let signed = |number| if unsigned.len() == text.len() { number } else { text };
    for (symbol, meanings) in SYMBOLS {
        let number = unsigned.strip_prefix(symbol).or_else(|| unsigned.strip_suffix(symbol));
        if let Some(number) = number {
            let hinted = meanings.iter().find(|code| **code == hint.code());
            let meant = parse_currency(hinted.unwrap_or(&meanings[0]))?;
            return Ok((signed(number.trim()), Some(meant)));
        }
    }
    let letters = |char: char| char.is_ascii_alphabetic();
    let front = unsigned.trim_start_matches(letters);
    let back = unsigned.trim_end_matches(letters);
    let (code, number) = match (unsigned.len() - front.len(), unsigned.len() - back.len()) {
        (0, 0) => return Ok((text, None)),
        (length, 0) => (&unsigned[..length], front),
        (0, _) => (&unsigned[back.len()..], back),
        _ => return Err(NOT_AN_AMOUNT.to_owned()),
    };
    let currency = parse_currency(code).map_err(|_| NOT_AN_AMOUNT.to_owned())?;
    Ok((signed(number.trim()), Some(currency)))
}

/// "1.234,50" as "1234.50"; `exponent` is the currency's number of decimals.
fn plain(number: &str, exponent: u32) -> Result<String, String> {
    let (whole, decimals) = split_decimals(number, exponent)?;
    let whole = ungrouped(whole)?;
    match (whole.as_str(), decimals) {
        ("", "") => Err(NOT_AN_AMOUNT.to_owned()),
        ("", decimals) => Ok(format!("0.{decimals}")),
        (_, "") => Ok(whole),
        (whole, decimals) => Ok(format!("{whole}.{decimals}")),
    }
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

    use runout_core::money::AMOUNT_MINOR_MAX;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a real currency")
    }

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
            let code = ["JPY", "", "EUR", "KWD"][exponent];
            let price = parse_price(text, None, currency(code));
            assert_eq!(price.map(|price| price.minor), Ok(minor), "{text} {code}");
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
            ("-3", 2, "must not be negative"),
            (
                "12.505",
                2,
                "may mean 12505 or 12.505: leave the separator out or write the decimals",
            ),
            ("12.5051", 2, "has more decimals than the 2 of EUR"),
            ("12.5", 0, "has more decimals than the 0 of JPY"),
            (
                "99999999999999999999",
                2,
                "is more than the largest amount, 1000000000000 minor units",
            ),
        ] {
            let code = ["JPY", "", "EUR", "KWD"][exponent];
            let price = parse_price(text, None, currency(code));
            assert_eq!(price, Err(reason.to_owned()), "{text:?} {code}");
        }
    }

    #[test]
    fn the_currency_is_the_written_one_else_the_columns_else_the_shops() {
        for (text, column, default, expected) in [
            ("12.50", None, "EUR", Ok((1250, "EUR"))),
            ("12.50", Some("usd"), "EUR", Ok((1250, "USD"))),
            ("€12.50", None, "USD", Ok((1250, "EUR"))),
            ("12,50 €", None, "USD", Ok((1250, "EUR"))),
            ("EUR 12.50", None, "USD", Ok((1250, "EUR"))),
            ("12.50eur", None, "USD", Ok((1250, "EUR"))),
            ("$12", None, "EUR", Ok((1200, "USD"))),
            ("$12", None, "AUD", Ok((1200, "AUD"))),
            ("$12", Some("CAD"), "EUR", Ok((1200, "CAD"))),
            ("R$ 1.234,50", None, "EUR", Ok((123_450, "BRL"))),
            ("¥1,500", None, "EUR", Ok((1500, "JPY"))),
            ("€5", Some("USD"), "EUR", Err("is in EUR, but the currency column says USD")),
            ("5", Some("Euro"), "EUR", Err("is not an ISO 4217 currency code such as EUR")),
            ("-€5", None, "EUR", Err("must not be negative")),
            ("€-5", None, "EUR", Err("must not be negative")),
            ("5 XAU", None, "EUR", Err("is not an amount such as 12.50")),
            ("call us", None, "EUR", Err("is not an amount such as 12.50")),
            (
                "20000000000",
                None,
                "EUR",
                Err("is more than the largest amount, 1000000000000 minor units"),
            ),
        ] {
            let price = column
                .map(parse_currency)
                .transpose()
                .and_then(|column| parse_price(text, column, currency(default)));
            let found = price.map(|price| (price.minor, price.currency.code()));
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_plainly_is_read_back(minor in 0..=AMOUNT_MINOR_MAX, comma: bool) {
            let mark = if comma { ',' } else { '.' };
            let text = format!("{}{mark}{:02}", minor / 100, minor % 100);
            let price = parse_price(&text, None, currency("EUR"));
            prop_assert_eq!(price.map(|price| price.minor), Ok(minor));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,20}", number in "[-0-9., '€$A-Z]{0,12}") {
            for text in [text, number] {
                for code in ["JPY", "EUR", "KWD"] {
                    let _ = parse_price(&text, None, currency(code));
                    let _ = parse_price(&text, Some(currency(code)), currency("EUR"));
                }
                let _ = parse_currency(&text);
            }
        }
    }
}
