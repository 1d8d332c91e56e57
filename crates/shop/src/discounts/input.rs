//! What staff send: new discounts, and patches of them.

use garde::{Path, Report, Validate};
use jiff::Timestamp;
use runout_core::discount::{self, Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Terms;
use crate::catalog::input::{or_null, value};
use crate::pricing::{NewPrice, decimal_text, sane_time, to_micros};

/// Characters of a code.
pub const CODE_CHARS_MAX: usize = 64;
/// The highest limit of uses.
pub const USES_MAX: i64 = 1_000_000_000;

/// A discount to add: either `percent`, or `currency` with one of `amount` and `amount_minor`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewDiscount {
    /// What buyers enter: letters, digits, `.`, `_` and `-`. Unique, whatever the case.
    #[schema(
        required = true,
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "SPRING"
    )]
    pub code: String,
    /// The share of the goods that it takes off, as decimal text with at most two decimals.
    #[schema(example = "12.5", pattern = r"^[0-9]{1,3}(\.[0-9]+)?$")]
    pub percent: Option<String>,
    /// ISO 4217.
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    pub currency: Option<String>,
    /// Decimal text with at most the currency's decimals: numbers would lose cents.
    #[serde(deserialize_with = "decimal_text")]
    #[schema(value_type = Option<String>, example = "5.00", pattern = r"^[0-9]{1,13}(\.[0-9]+)?$")]
    pub amount: Option<String>,
    /// The same in minor units, such as cents.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_i64)]
    pub amount_minor: Option<i64>,
    /// True if absent.
    #[schema(default = true)]
    pub active: Option<bool>,
    /// From when on it can be used; at once, if absent.
    pub starts_at: Option<Timestamp>,
    /// Until when it can be used; for ever, if absent.
    pub ends_at: Option<Timestamp>,
    /// Orders that may use it, all together; any number, if absent.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub uses_max: Option<i64>,
    /// Orders of one customer that may use it; any number, if absent.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub uses_per_customer_max: Option<i64>,
}

/// Changes of a discount. Absent fields stay; `null` lifts a limit or opens an end of the window.
/// `percent` takes the place of an amount, and an amount with its `currency` that of `percent`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscountPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    pub code: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "12.5", pattern = r"^[0-9]{1,3}(\.[0-9]+)?$")]
    pub percent: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z]{3}$")]
    pub currency: Option<String>,
    #[serde(deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,13}(\.[0-9]+)?$")]
    pub amount: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000_000_000_i64)]
    pub amount_minor: Option<i64>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub active: Option<bool>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub starts_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub ends_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000)]
    pub uses_max: Option<Option<i64>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000)]
    pub uses_per_customer_max: Option<Option<i64>>,
}

/// The fields that say what a discount takes off.
struct Off<'a> {
    percent: &'a Option<String>,
    currency: &'a Option<String>,
    amount: &'a Option<String>,
    amount_minor: Option<i64>,
}

/// A field and what is wrong with it.
type Wrong = (&'static str, String);

impl Off<'_> {
    /// What they say, `None` if nothing, or the field that is wrong and why.
    fn kind(&self) -> Result<Option<Kind>, Wrong> {
        let amount = self.amount.is_some() || self.amount_minor.is_some();
        match (self.percent, self.currency) {
            (Some(_), _) if amount => {
                Err(("percent", "stands beside an amount: send only one of them".to_owned()))
            }
            (Some(_), Some(_)) => {
                Err(("currency", "belongs to an amount: a percentage has none".to_owned()))
            }
            (Some(text), None) => {
                let share = discount::parse_percent(text);
                share.map(|share| Some(Kind::PercentBp(share))).map_err(|e| wrong("percent", e))
            }
            (None, Some(currency)) => self.amount(currency).map(Some),
            (None, None) if amount => {
                Err(("currency", "is missing: an amount has a currency".to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    fn amount(&self, currency: &str) -> Result<Kind, Wrong> {
        let money = NewPrice {
            currency: currency.to_owned(),
            amount: self.amount.clone(),
            amount_minor: self.amount_minor,
            effective_from: None,
        }
        .money()?;
        if money.minor == 0 {
            let field = if self.amount.is_some() { "amount" } else { "amount_minor" };
            return Err((field, "must be more than 0".to_owned()));
        }
        Ok(Kind::Amount { minor: money.minor, currency: money.currency })
    }
}

fn wrong(field: &'static str, error: impl std::fmt::Display) -> Wrong {
    (field, error.to_string())
}

fn check_code(code: &str) -> Result<(), Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=CODE_CHARS_MAX).contains(&code.len()) && code.bytes().all(plain) {
        return Ok(());
    }
    Err(("code", format!("must be 1 to {CODE_CHARS_MAX} letters, digits, dots, _ and -")))
}

fn check_uses(field: &'static str, max: Option<i64>) -> Result<(), Wrong> {
    if max.is_none_or(|max| (1..=USES_MAX).contains(&max)) {
        return Ok(());
    }
    Err((field, format!("must be 1 to {USES_MAX}")))
}

fn check_time(field: &'static str, time: Option<Timestamp>) -> Result<(), Wrong> {
    time.map_or(Ok(()), |time| sane_time(&time, &()).map_err(|e| (field, e.message().to_owned())))
}

/// Whether a window has any moment in it.
pub(super) fn is_window(starts_at: Option<Timestamp>, ends_at: Option<Timestamp>) -> bool {
    starts_at.zip(ends_at).is_none_or(|(starts_at, ends_at)| starts_at < ends_at)
}

fn report_all<const N: usize>(
    checks: [Result<(), Wrong>; N],
    parent: &mut dyn FnMut() -> Path,
    report: &mut Report,
) {
    for (field, wrong) in checks.into_iter().filter_map(Result::err) {
        report.append(parent().join(field), garde::Error::new(wrong));
    }
}

impl NewDiscount {
    fn kind(&self) -> Result<Kind, Wrong> {
        let Self { percent, currency, amount, amount_minor, .. } = self;
        let off = Off { percent, currency, amount, amount_minor: *amount_minor };
        let missing = ("percent", "is missing: send percent, or an amount with its currency");
        off.kind()?.ok_or((missing.0, missing.1.to_owned()))
    }

    /// The terms, once [`Validate`] has found nothing wrong.
    ///
    /// # Panics
    /// When it was not validated.
    pub fn terms(&self) -> Terms {
        Terms {
            code: self.code.clone(),
            kind: self.kind().unwrap_or_else(|wrong| panic!("not validated: {wrong:?}")),
            active: self.active.unwrap_or(true),
            starts_at: self.starts_at.map(to_micros),
            ends_at: self.ends_at.map(to_micros),
            uses_max: self.uses_max,
            uses_per_customer_max: self.uses_per_customer_max,
        }
    }
}

impl Validate for NewDiscount {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let window = match is_window(self.starts_at.map(to_micros), self.ends_at.map(to_micros)) {
            true => Ok(()),
            false => Err(("ends_at", "must be later than starts_at".to_owned())),
        };
        let checks = [
            check_code(&self.code),
            self.kind().map(drop),
            check_time("starts_at", self.starts_at),
            check_time("ends_at", self.ends_at),
            window,
            check_uses("uses_max", self.uses_max),
            check_uses("uses_per_customer_max", self.uses_per_customer_max),
        ];
        report_all(checks, parent, report);
    }
}

impl DiscountPatch {
    fn kind(&self) -> Result<Option<Kind>, Wrong> {
        let Self { percent, currency, amount, amount_minor, .. } = self;
        Off { percent, currency, amount, amount_minor: *amount_minor }.kind()
    }

    /// The terms after the patch; whether their window is one must be looked at again.
    ///
    /// # Panics
    /// When it was not validated.
    pub fn apply(&self, before: &Terms) -> Terms {
        let kind = self.kind().unwrap_or_else(|wrong| panic!("not validated: {wrong:?}"));
        let time = |patch: Option<Option<Timestamp>>, before| {
            patch.map_or(before, |time| time.map(to_micros))
        };
        Terms {
            code: self.code.as_ref().unwrap_or(&before.code).clone(),
            kind: kind.unwrap_or(before.kind),
            active: self.active.unwrap_or(before.active),
            starts_at: time(self.starts_at, before.starts_at),
            ends_at: time(self.ends_at, before.ends_at),
            uses_max: self.uses_max.unwrap_or(before.uses_max),
            uses_per_customer_max: self
                .uses_per_customer_max
                .unwrap_or(before.uses_per_customer_max),
        }
    }
}

impl Validate for DiscountPatch {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let checks = [
            self.code.as_deref().map_or(Ok(()), check_code),
            self.kind().map(drop),
            check_time("starts_at", self.starts_at.flatten()),
            check_time("ends_at", self.ends_at.flatten()),
            check_uses("uses_max", self.uses_max.flatten()),
            check_uses("uses_per_customer_max", self.uses_per_customer_max.flatten()),
        ];
        report_all(checks, parent, report);
    }
}
