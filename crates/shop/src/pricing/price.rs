//! A price as it comes in and as it goes out.

use garde::{Path, Report, Validate};
use jiff::Timestamp;
use runout_core::money::{Currency, Money, MoneyError};
use serde::de::{self, Deserializer, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

/// The first and last moment that a price or a release may have: within what both databases keep.
const TIMES: (&str, &str) = ("1900-01-01T00:00:00Z", "2200-01-01T00:00:00Z");

/// The price of a variant in answers: `{"amount_minor": 1250, "currency": "EUR", "amount":
/// "12.50"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceTag(Money);

impl PriceTag {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self(Money { minor, currency })
    }

    pub fn money(self) -> Money {
        self.0
    }
}

impl From<Money> for PriceTag {
    fn from(money: Money) -> Self {
        Self(money)
    }
}

impl Serialize for PriceTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tag = serializer.serialize_struct("PriceTag", 3)?;
        tag.serialize_field("amount_minor", &self.0.minor)?;
        tag.serialize_field("currency", self.0.currency.code())?;
        tag.serialize_field("amount", &Decimal(self.0))?;
        tag.end()
    }
}

/// An amount as decimal text, written without an allocation.
#[derive(Debug, Clone, Copy)]
struct Decimal(Money);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// How [`PriceTag`] looks, for the API's description.
#[derive(ToSchema)]
#[schema(as = PriceTag)]
#[expect(dead_code, reason = "only its schema is used; PriceTag serialises itself")]
struct PriceTagSchema {
    /// In minor units, such as cents.
    #[schema(example = 1250, minimum = 0, maximum = 1_000_000_000_000_i64)]
    amount_minor: i64,
    /// ISO 4217.
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// The same as decimal text, with all the currency's decimals.
    #[schema(example = "12.50")]
    amount: String,
}

impl utoipa::PartialSchema for PriceTag {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        PriceTagSchema::schema()
    }
}

impl ToSchema for PriceTag {
    fn name() -> std::borrow::Cow<'static, str> {
        "PriceTag".into()
    }
}

/// A price to add: exactly one of `amount` and `amount_minor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// ISO 4217.
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// Decimal text with at most the currency's decimals: numbers would lose cents.
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "12.50", pattern = r"^[0-9]{1,13}(\.[0-9]+)?$")]
    pub amount: Option<String>,
    /// The same in minor units, such as cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub amount_minor: Option<i64>,
    /// From when on it counts; now, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<Timestamp>,
}

/// A price that was found valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceSpec {
    pub money: Money,
    /// `None`: from the moment of storing on.
    pub effective_from: Option<Timestamp>,
}

impl NewPrice {
    /// Its money, or the field that is wrong and why.
    pub(crate) fn money(&self) -> Result<Money, (&'static str, String)> {
        let words = |field: &'static str| move |error: MoneyError| (field, error.to_string());
        let currency: Currency = self.currency.parse().map_err(words("currency"))?;
        match (&self.amount, self.amount_minor) {
            (Some(text), None) => Money::parse(text, currency).map_err(words("amount")),
            (None, Some(minor)) => Money::new(minor, currency).map_err(words("amount_minor")),
            (None, None) => Err(("amount", "is missing: send amount or amount_minor".to_owned())),
            (Some(_), Some(_)) => {
                Err(("amount_minor", "stands beside amount: send only one of them".to_owned()))
            }
        }
    }

    /// The price, once [`Validate`] has found nothing wrong.
    ///
    /// # Panics
    /// When it was not validated.
    pub fn spec(&self) -> PriceSpec {
        let money = self.money().unwrap_or_else(|wrong| panic!("not validated: {wrong:?}"));
        PriceSpec { money, effective_from: self.effective_from.map(to_micros) }
    }
}

impl Validate for NewPrice {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        if let Err((field, wrong)) = self.money() {
            report.append(parent().join(field), garde::Error::new(wrong));
        }
        if let Some(time) = self.effective_from
            && let Err(wrong) = sane_time(&time, &())
        {
            report.append(parent().join("effective_from"), wrong);
        }
    }
}

/// A garde rule: a moment that both databases can keep.
///
/// # Errors
/// When it lies outside of the years 1900 to 2199.
pub fn sane_time(time: &Timestamp, (): &()) -> garde::Result {
    let bound = |text: &str| text.parse::<Timestamp>().expect("a constant moment");
    if (bound(TIMES.0)..bound(TIMES.1)).contains(time) {
        return Ok(());
    }
    Err(garde::Error::new("lies outside of the years 1900 to 2199"))
}

/// The moment to the microsecond, which is what both databases keep.
pub fn to_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("the same moment, less precise")
}

/// Refuses numbers in words that say what to send instead.
pub(crate) fn decimal_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    struct Text;

    impl<'de> Visitor<'de> for Text {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("decimal text such as \"12.50\" (numbers lose cents), or use amount_minor")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: serde_json::Value) -> Result<i64, String> {
        let price: NewPrice = serde_json::from_value(body).map_err(|error| error.to_string())?;
        price.validate().map_err(|report| report.to_string())?;
        Ok(price.spec().money.minor)
    }

    #[test]
    fn prices_are_read_exactly_or_refused_with_the_field() {
        for (body, minor) in [
            (json!({"currency": "EUR", "amount": "12.50"}), 1250),
            (json!({"currency": "EUR", "amount": "0"}), 0),
            (json!({"currency": "JPY", "amount": "1200"}), 1200),
            (json!({"currency": "BHD", "amount": "1.234"}), 1234),
            (json!({"currency": "BHD", "amount_minor": 1, "amount": null}), 1),
        ] {
            assert_eq!(check(body.clone()), Ok(minor), "{body}");
        }
        for (body, wrong) in [
            (json!({"currency": "EUR"}), "amount: is missing"),
            (json!({"currency": "EUR", "amount": "1", "amount_minor": 100}), "only one"),
            (json!({"currency": "EUR", "amount": "1.005"}), "amount: has more decimals"),
            (json!({"currency": "JPY", "amount": "1.5"}), "more decimals than the 0 of JPY"),
            (json!({"currency": "EUR", "amount": 12.5}), "numbers lose cents"),
            (json!({"currency": "EUR", "amount": 12}), "numbers lose cents"),
            (json!({"currency": "EUR", "amount_minor": -1}), "amount_minor: must not be negative"),
            (json!({"currency": "EUR", "amount_minor": 1_000_000_000_001_i64}), "largest amount"),
            (json!({"currency": "EURO", "amount": "1"}), "currency: is not an ISO 4217"),
            (json!({"currency": "EUR", "amount": "1", "vat": 1}), "unknown field"),
            (
                json!({"currency": "EUR", "amount": "1", "effective_from": "9999-01-01T00:00:00Z"}),
                "effective_from: lies outside",
            ),
        ] {
            let refused = check(body.clone()).expect_err("is wrong");
            assert!(refused.contains(wrong), "{body}: {refused}");
        }
    }

    #[test]
    fn a_price_tag_has_all_decimals() {
        for (minor, code, amount) in
            [(1000, "EUR", "10.00"), (1000, "JPY", "1000"), (7, "BHD", "0.007")]
        {
            let tag = PriceTag::new(minor, code.parse().expect("a currency"));
            let json = serde_json::to_value(tag).expect("JSON");
            assert_eq!(json, json!({"amount_minor": minor, "currency": code, "amount": amount}));
        }
    }
}
