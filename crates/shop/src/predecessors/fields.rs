//! Fields as the predecessors' clients send them.

use std::fmt;

use garde::Validate;
use runout_core::stock::ON_HAND_MAX;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};

use crate::platform::problem::{FieldError, Problem};

/// A whole number, sent as a number or as text: Python's clients did both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or text that is one")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        let wrong = || E::invalid_value(de::Unexpected::Unsigned(number), &self);
        i64::try_from(number).map(Whole).map_err(|_| wrong())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
        // Written as we would write it: no plus sign, no leading zeros, no spaces.
        let number = text.parse().ok().filter(|number: &i64| number.to_string() == text);
        number.map(Whole).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A garde rule: the number lies within bounds.
pub(super) fn within(min: i64, max: i64) -> impl Fn(&Whole, &()) -> garde::Result {
    move |number, ()| {
        if (min..=max).contains(&number.0) {
            return Ok(());
        }
        Err(garde::Error::new(format!("must be a whole number from {min} to {max}")))
    }
}

/// How an id looks in the API's description.
pub(super) fn id_schema() -> Schema {
    schema(1, i64::MAX, "^[1-9][0-9]{0,17}$")
}

/// How a quantity of an order looks in the API's description.
pub(super) fn quantity_schema() -> Schema {
    schema(1, runout_core::stock::QUANTITY_MAX, "^(10000|[1-9][0-9]{0,3})$")
}

/// How a stock looks in the API's description.
pub(super) fn stock_schema() -> Schema {
    schema(0, ON_HAND_MAX, "^(1000000000|0|[1-9][0-9]{0,8})$")
}

/// How a release year looks in the API's description.
pub(super) fn year_schema() -> Schema {
    schema(1860, 2100, "^(18[6-9][0-9]|19[0-9]{2}|20[0-9]{2}|2100)$")
}

fn schema(min: i64, max: i64, pattern: &str) -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let number = number.minimum(Some(min)).maximum(Some(max));
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    OneOfBuilder::new().item(number).item(text).into()
}

/// A name of ours and the predecessor's name for the same.
pub(super) type Names = [(&'static str, &'static str)];

/// The predecessor's name of a field.
pub(super) fn renamed<'a>(names: &Names, field: &'a str) -> &'a str {
    names.iter().find(|(ours, _)| *ours == field).map_or(field, |(_, theirs)| theirs)
}

/// Checks what was made of a body by the capability's rules, and names what is wrong by the
/// predecessor's words.
///
/// # Errors
/// 400 `invalid_body`.
pub(super) fn checked<T: Validate<Context = ()>>(value: &T, names: &Names) -> Result<(), Problem> {
    let Err(report) = value.validate() else { return Ok(()) };
    let error = |(path, error): &(garde::Path, garde::Error)| {
        let path = path.to_string();
        // A field of theirs may be an object of ours: the first part names it.
        let field = path.split(['.', '[']).next().unwrap_or_default();
        let pointer = format!("/{}", renamed(names, field));
        FieldError::new(pointer, "invalid", error.message())
    };
    Err(Problem::validation(report.iter().map(error).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_come_as_numbers_or_text() {
        for (json, number) in [
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("\"7\"", Some(7)),
            ("\"-7\"", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("\"07\"", None),
            ("\" 7\"", None),
            ("\"+7\"", None),
            ("\"seven\"", None),
            ("\"\"", None),
            ("1.5", None),
            ("true", None),
            ("null", None),
            ("[7]", None),
        ] {
            let read = serde_json::from_str::<Whole>(json).ok();
            assert_eq!(read, number.map(Whole), "{json}");
        }
    }

    #[test]
    fn the_documented_texts_are_those_within_the_bounds() {
        for (schema, min, max) in
            [(quantity_schema(), 1, 10_000), (stock_schema(), 0, 1_000_000_000)]
        {
            let json = serde_json::to_value(schema).expect("plain data");
            assert_eq!(
                (&json["oneOf"][0]["minimum"], &json["oneOf"][0]["maximum"]),
                (&serde_json::json!(min), &serde_json::json!(max))
            );
            assert!(within(min, max)(&Whole(max), &()).is_ok());
            assert!(within(min, max)(&Whole(max + 1), &()).is_err());
            assert!(within(min, max)(&Whole(min - 1), &()).is_err());
        }
    }
}
