//! An address as it comes in, is kept with an order, and goes out.

use garde::Validate;
use runout_core::country::Country;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A postal address. Each field is one printable line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Who gets it.
    #[garde(length(chars, max = 200), custom(not_blank), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Ana Lea")]
    pub name: String,
    /// Street and number.
    #[garde(length(chars, max = 200), custom(not_blank), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Rillengasse 33")]
    pub line1: String,
    /// Flat, company and the like.
    #[serde(default)]
    #[garde(length(chars, max = 200), custom(one_line))]
    #[schema(max_length = 200)]
    pub line2: String,
    /// Empty where there is none.
    #[garde(length(chars, max = 20), custom(one_line))]
    #[schema(max_length = 20, example = "10115")]
    pub postal_code: String,
    #[garde(length(chars, max = 200), custom(not_blank), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Berlin")]
    pub city: String,
    /// State, province or county, where it belongs to the address.
    #[serde(default)]
    #[garde(length(chars, max = 200), custom(one_line))]
    #[schema(max_length = 200)]
    pub region: String,
    /// ISO 3166-1 alpha-2.
    #[garde(custom(known_country))]
    #[schema(pattern = "^[A-Z]{2}$", example = "DE")]
    pub country: String,
}

impl Address {
    /// The country, whose tax rates apply.
    ///
    /// # Panics
    /// When the address was not validated.
    pub fn country(&self) -> Country {
        self.country.parse().expect("the address was validated")
    }
}

/// A garde rule: something can be seen.
fn not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() {
        return Err(garde::Error::new("must not be empty"));
    }
    Ok(())
}

/// A garde rule: it stays on its line of a label.
fn one_line(text: &str, (): &()) -> garde::Result {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(garde::Error::new("must not have line breaks or control characters"));
    }
    Ok(())
}

/// A garde rule: a country that is.
fn known_country(code: &str, (): &()) -> garde::Result {
    code.parse::<Country>().map(drop).map_err(|error| garde::Error::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(change: &Value) -> Result<Address, String> {
        let mut body = json!({
            "name": "Ana Lea", "line1": "Rillengasse 33", "postal_code": "10115",
            "city": "Berlin", "country": "DE",
        });
        for (field, value) in change.as_object().expect("an object") {
            body[field] = value.clone();
        }
        let address: Address = serde_json::from_value(body).map_err(|error| error.to_string())?;
        address.validate().map_err(|report| report.to_string())?;
        Ok(address)
    }

    #[test]
    fn addresses_are_taken_or_refused_with_the_field() {
        for fine in [
            json!({}),
            json!({"line2": "c/o Måns", "region": "Brandenburg"}),
            json!({"postal_code": "", "country": "HK"}),
            json!({"name": "安娜", "city": "東京", "country": "JP"}),
            json!({"name": "n".repeat(200)}),
        ] {
            check(&fine).unwrap_or_else(|error| panic!("{fine}: {error}"));
        }
        for (change, wrong) in [
            (json!({"name": ""}), "name: must not be empty"),
            (json!({"line1": " \u{a0} "}), "line1: must not be empty"),
            (json!({"city": "\t"}), "city: must not"),
            (json!({"name": "n".repeat(201)}), "name: length"),
            (json!({"postal_code": "1".repeat(21)}), "postal_code: length"),
            (json!({"line2": "a\nb"}), "line2: must not have line breaks"),
            (json!({"region": "a\u{2028}b"}), "region: must not have line breaks"),
            (json!({"country": "de"}), "country: is not an ISO 3166-1"),
            (json!({"country": "UK"}), "country: is not an ISO 3166-1"),
            (json!({"country": null}), "invalid type"),
            (json!({"phone": "1"}), "unknown field"),
        ] {
            let refused = check(&change).expect_err("is wrong");
            assert!(refused.contains(wrong), "{change}: {refused}");
        }
        assert_eq!(check(&json!({})).expect("fine").country().code(), "DE");
    }
}
