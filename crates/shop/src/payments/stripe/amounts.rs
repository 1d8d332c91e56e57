//! Amounts as Stripe counts them.
//!
//! Stripe has minor units of its own (its page "Supported currencies"): most currencies have two
//! decimals, some none, some three of which the last must be 0. Where that differs from ISO 4217
//! (ISK and UGX have none by ISO and two at Stripe; MGA the other way round) amounts are converted
//! exactly, or not at all.

use runout_core::money::Currency;

use crate::payments::gateway::{CODE_AMOUNT, GatewayError};

const WITHOUT_DECIMALS: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
const WITH_THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// They have no decimals, yet are written with two, which must be 0.
const WITH_TWO_ZEROS: [&str; 2] = ["ISK", "UGX"];

/// Decimals of Stripe's amounts; none if Stripe cannot take the currency.
fn decimals(currency: Currency) -> Option<u32> {
    let code = currency.code();
    match currency.exponent() {
        _ if WITHOUT_DECIMALS.contains(&code) => Some(0),
        _ if WITH_THREE_DECIMALS.contains(&code) => Some(3),
        _ if WITH_TWO_ZEROS.contains(&code) => Some(2),
        2 => Some(2),
        _ => None,
    }
}

/// Our minor units in Stripe's.
///
/// # Errors
/// [`GatewayError::Refused`] with [`CODE_AMOUNT`] when Stripe cannot express the amount.
pub(super) fn to_stripe(minor: i64, currency: Currency) -> Result<i64, GatewayError> {
    let cannot =
        |why: &str| GatewayError::refused(CODE_AMOUNT, format!("{minor} {currency}: {why}"));
    let to = decimals(currency).ok_or_else(|| cannot("not a currency that Stripe takes"))?;
    let amount = rescale(minor, currency.exponent(), to)
        .ok_or_else(|| cannot("Stripe has no such fraction"))?;
    if to == 3 && amount % 10 != 0 {
        return Err(cannot("the third decimal must be 0"));
    }
    Ok(amount)
}

/// Stripe's minor units in ours. None if the amount is not one of ours: then it is not what was
/// asked for.
pub(super) fn from_stripe(amount: i64, currency: Currency) -> Option<i64> {
    rescale(amount, decimals(currency)?, currency.exponent())
}

/// The same amount with other decimals, if it can be written so.
fn rescale(amount: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return amount.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let unit = 10_i64.checked_pow(from - to)?;
    (amount % unit == 0).then_some(amount / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a currency")
    }

    #[test]
    fn amounts_are_converted_exactly_or_not_at_all() {
        for (minor, code, expected) in [
            (1250, "EUR", Some(1250)),
            (1, "USD", Some(1)),
            (500, "JPY", Some(500)),
            (500, "KRW", Some(500)),
            (1230, "BHD", Some(1230)),
            (1234, "BHD", None),
            (10, "TND", Some(10)),
            (1, "KWD", None),
            (5, "ISK", Some(500)),
            (7, "UGX", Some(700)),
            (700, "MGA", Some(7)),
            (750, "MGA", None),
            (1045, "HUF", Some(1045)),
            (800, "TWD", Some(800)),
            // Three decimals by ISO 4217, and nothing that Stripe takes.
            (1000, "IQD", None),
            (1000, "LYD", None),
            (i64::MAX, "ISK", None),
        ] {
            let stripe = to_stripe(minor, currency(code));
            assert_eq!(stripe.as_ref().ok(), expected.as_ref(), "{minor} {code}");
            match stripe {
                Ok(amount) => assert_eq!(from_stripe(amount, currency(code)), Some(minor)),
                Err(GatewayError::Refused { code, .. }) => assert_eq!(code, CODE_AMOUNT),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn an_amount_that_is_none_of_ours_is_none() {
        assert_eq!(from_stripe(550, currency("ISK")), None);
        assert_eq!(from_stripe(1235, currency("BHD")), Some(1235));
        assert_eq!(from_stripe(i64::MAX, currency("MGA")), None);
    }

    #[test]
    fn the_lists_agree_with_iso_4217_but_for_the_exceptions() {
        for code in WITHOUT_DECIMALS {
            assert_eq!(currency(code).exponent() == 0, code != "MGA", "{code}");
        }
        assert!(WITH_THREE_DECIMALS.iter().all(|code| currency(code).exponent() == 3));
        assert!(WITH_TWO_ZEROS.iter().all(|code| currency(code).exponent() == 0));
    }
}
