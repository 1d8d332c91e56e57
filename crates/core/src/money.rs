//! Amounts of money: integer minor units of an ISO 4217 currency. No floating point anywhere.

use std::fmt;
use std::str::FromStr;

use crate::decimal::{self, DecimalError};

/// Largest amount, in minor units: ten thousand million of a currency with two decimals. Sums of
/// [`crate::stock::LINES_MAX`] lines of [`crate::stock::QUANTITY_MAX`] units are checked, not
/// assumed.
pub const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000;

/// An ISO 4217 currency that has minor units (not gold, not test codes).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// Why a text is no currency or no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("is not an ISO 4217 currency code such as EUR")]
    UnknownCurrency,
    #[error("is not a decimal number such as 12.50")]
    NotANumber,
    #[error("has more decimals than the {exponent} of {currency}")]
    TooPrecise { currency: Currency, exponent: u32 },
    #[error("must not be negative")]
    Negative,
    #[error("is more than the largest amount, {AMOUNT_MINOR_MAX} minor units")]
    TooLarge,
}

impl Currency {
    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for BHD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or(MoneyError::UnknownCurrency)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units (cents) of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    /// Checks the bounds of a price or total.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] or [`MoneyError::TooLarge`].
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match minor {
            ..0 => Err(MoneyError::Negative),
            0..=AMOUNT_MINOR_MAX => Ok(Self { minor, currency }),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// Reads a decimal number such as `12.50`, exactly: `12.5` is fine for EUR, `12.505` is not.
    ///
    /// # Errors
    /// [`MoneyError`], saying what is wrong with the text.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let minor = decimal::parse(text, exponent).map_err(|error| match error {
            DecimalError::NotANumber => MoneyError::NotANumber,
            DecimalError::TooPrecise { .. } => MoneyError::TooPrecise { currency, exponent },
            DecimalError::Negative => MoneyError::Negative,
            DecimalError::TooLarge => MoneyError::TooLarge,
        })?;
        Self::new(minor, currency)
    }

    /// `quantity` times this amount; `None` beyond [`AMOUNT_MINOR_MAX`].
    pub fn times(self, quantity: i64) -> Option<Self> {
        let minor = self.minor.checked_mul(quantity)?;
        Self::new(minor, self.currency).ok()
    }

    /// The sum; `None` beyond [`AMOUNT_MINOR_MAX`].
    ///
    /// # Panics
    /// When the currencies differ: adding them would be a defect.
    pub fn plus(self, other: Self) -> Option<Self> {
        assert_eq!(self.currency, other.currency, "amounts of two currencies cannot be added");
        Self::new(self.minor.checked_add(other.minor)?, self.currency).ok()
    }
}

/// The decimal number without the currency: `12.50`, `1200` (JPY), `1.250` (BHD).
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent();
        let unit = 10_i64.pow(exponent);
        let (sign, minor) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        let (whole, fraction) = (minor / unit.unsigned_abs(), minor % unit.unsigned_abs());
        if exponent == 0 {
            return write!(f, "{sign}{whole}");
        }
        write!(f, "{sign}{whole}.{fraction:0width$}", width = exponent as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a real currency")
    }

    #[test]
    fn amounts_are_read_exactly() {
        use MoneyError::{Negative, NotANumber, TooLarge};
        let precise =
            |code, exponent| Err(MoneyError::TooPrecise { currency: currency(code), exponent });
        for (text, code, expected) in [
            ("12.50", "EUR", Ok(1250)),
            ("12.5", "EUR", Ok(1250)),
            ("12.500", "EUR", Ok(1250)),
            ("12.505", "EUR", precise("EUR", 2)),
            ("0", "EUR", Ok(0)),
            ("0.01", "EUR", Ok(1)),
            ("1200", "JPY", Ok(1200)),
            ("1200.0", "JPY", Ok(1200)),
            ("1200.5", "JPY", precise("JPY", 0)),
            ("1.234", "BHD", Ok(1234)),
            ("10000000000.00", "EUR", Ok(AMOUNT_MINOR_MAX)),
            ("10000000000.01", "EUR", Err(TooLarge)),
            ("99999999999999999999", "EUR", Err(TooLarge)),
            ("-1", "EUR", Err(Negative)),
            ("", "EUR", Err(NotANumber)),
            (".5", "EUR", Err(NotANumber)),
            ("5.", "EUR", Err(NotANumber)),
            ("1,50", "EUR", Err(NotANumber)),
            ("1e3", "EUR", Err(NotANumber)),
            (" 1", "EUR", Err(NotANumber)),
            ("+1", "EUR", Err(NotANumber)),
            ("٣", "EUR", Err(NotANumber)),
        ] {
            let read = Money::parse(text, currency(code)).map(|money| money.minor);
            assert_eq!(read, expected, "{text} {code}");
        }
    }

    #[test]
    fn only_currencies_with_minor_units_are_known() {
        for (code, known) in [
            ("EUR", true),
            ("JPY", true),
            ("BHD", true),
            ("eur", false),
            ("XAU", false),
            ("", false),
        ] {
            assert_eq!(code.parse::<Currency>().is_ok(), known, "{code}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(
            minor in 0..=AMOUNT_MINOR_MAX,
            code in prop::sample::select(vec!["EUR", "JPY", "BHD"]),
        ) {
            let money = Money::new(minor, currency(code)).expect("within the bounds");
            prop_assert_eq!(Money::parse(&money.to_string(), money.currency), Ok(money));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _any_outcome = Money::parse(&text, currency("EUR"));
        }
    }
}
