//! Cursors: where the next page of a list begins, as text that a client hands back unread.
//!
//! A cursor is base64url of compact JSON: version, resource, sort, the last row's sort key and id.
//! It grants nothing, so it is not signed; one that was made for another list or sort is refused.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use runout_store::Value;
use serde::{Deserialize, Serialize};

use super::lookups::Kind;
use super::problem::Problem;

/// The version of the format; a cursor of another version is refused.
const VERSION: u8 = 1;
/// Longest cursor that is looked at. Texts that a list is sorted by are far shorter.
const CURSOR_BYTES_MAX: usize = 8_192;

/// A row's value of the sort field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// The row has no value. Such rows come last.
    Null,
    Bool(bool),
    /// Numbers, ids, and moments in microseconds since 1970.
    Int(i64),
    Text(String),
}

impl Key {
    /// The key that a row's value makes.
    ///
    /// # Panics
    /// For bytes and lists, by which nothing is sorted.
    pub fn of(value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => Key::Null,
            Value::Bool(value) => Key::Bool(value),
            Value::Int(value) => Key::Int(value),
            Value::Time(value) => Key::Int(value.as_microsecond()),
            Value::Text(value) => Key::Text(value),
            Value::Static(text) => Key::Text(text.to_owned()),
            Value::Shared(value) => Key::Text(value.to_string()),
            Value::Bytes(_) | Value::Ints(_) | Value::Texts(_) => {
                panic!("lists are sorted by single values")
            }
        }
    }

    /// The value to bind, if the key fits the field's kind.
    pub(crate) fn value(&self, kind: Kind) -> Option<Value> {
        match (self, kind) {
            (Key::Null, _) => Some(Value::Null),
            (Key::Bool(value), Kind::Bool) => Some(Value::Bool(*value)),
            (Key::Int(value), Kind::Int | Kind::Id) => Some(Value::Int(*value)),
            (Key::Int(value), Kind::Time) => {
                Timestamp::from_microsecond(*value).ok().map(Value::Time)
            }
            (Key::Text(text), Kind::Text | Kind::Choice(_) | Kind::Date) => {
                (!text.contains('\0')).then(|| Value::from(text.as_str()))
            }
            _ => None,
        }
    }
}

/// The last row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub key: Key,
    pub id: i64,
}

#[derive(Serialize, Deserialize)]
struct Wire<'a>(u8, #[serde(borrow)] &'a str, #[serde(borrow)] &'a str, Key, i64);

impl Cursor {
    /// Writes the cursor for a list and its sort, such as `products` and `-title`.
    pub fn encode(&self, resource: &str, sort: &str) -> String {
        let wire = Wire(VERSION, resource, sort, self.key.clone(), self.id);
        let json = serde_json::to_vec(&wire).expect("names, numbers and text can be JSON");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    /// Reads a cursor of this list and sort.
    ///
    /// # Errors
    /// 400 `invalid_cursor` for anything else.
    pub fn decode(text: &str, resource: &str, sort: &str, kind: Kind) -> Result<Self, Problem> {
        Self::read(text, resource, sort, kind).ok_or_else(|| {
            Problem::bad_request(
                "invalid_cursor",
                "This cursor does not belong to this list and sort; start again without cursor.",
            )
        })
    }

    fn read(text: &str, resource: &str, sort: &str, kind: Kind) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let Wire(version, for_resource, for_sort, key, id) = serde_json::from_slice(&json).ok()?;
        let fits = version == VERSION && for_resource == resource && for_sort == sort && id >= 1;
        let valued = fits && key.value(kind).is_some();
        valued.then_some(Self { key, id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = (Key, Kind)> {
        prop_oneof![
            any::<i64>().prop_map(|n| (Key::Int(n), Kind::Int)),
            any::<bool>().prop_map(|b| (Key::Bool(b), Kind::Bool)),
            "[^\0]{0,300}".prop_map(|text| (Key::Text(text), Kind::Text)),
            Just((Key::Null, Kind::Text)),
            (0..4_000_000_000_000_000i64).prop_map(|n| (Key::Int(n), Kind::Time)),
        ]
    }

    proptest! {
        #[test]
        fn cursors_round_trip((key, kind) in keys(), id in 1..=i64::MAX) {
            let cursor = Cursor { key, id };
            let text = cursor.encode("products", "-title");
            let decoded = Cursor::decode(&text, "products", "-title", kind).expect("its own");
            prop_assert_eq!(decoded, cursor);
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = Cursor::decode(&text, "products", "id", Kind::Id);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            let _ = Cursor::decode(&text, "products", "id", Kind::Id);
        }

        #[test]
        fn no_shape_panics(json in r#"\[1,"p","s",[-0-9a-z"\\u\[\]{}.,]{0,30}\]"#) {
            let text = BASE64_URL_SAFE_NO_PAD.encode(&json);
            for kind in [Kind::Id, Kind::Text, Kind::Time, Kind::Bool] {
                let _ = Cursor::decode(&text, "p", "s", kind);
            }
        }
    }

    #[test]
    fn foreign_and_tampered_cursors_are_refused() {
        let good = Cursor { key: Key::Text("a".into()), id: 7 }.encode("products", "title");
        let read = |text: &str, resource, sort, kind| {
            Cursor::decode(text, resource, sort, kind).map_err(|problem| problem.stable_code())
        };
        assert!(read(&good, "products", "title", Kind::Text).is_ok());
        for (resource, sort, kind) in [
            ("orders", "title", Kind::Text),
            ("products", "-title", Kind::Text),
            ("products", "title", Kind::Int),
        ] {
            assert_eq!(read(&good, resource, sort, kind), Err("invalid_cursor"));
        }
        for json in [
            r#"[2,"p","s","a",7]"#,
            r#"[1,"p","s","a",0]"#,
            r#"[1,"p","s","a\u0000",7]"#,
            r#"[1,"p","s","a",7,8]"#,
            r#"[1,"p","s",1.5,7]"#,
            r#"[1,"p","s",["a"],7]"#,
            "{}",
            "",
        ] {
            let text = BASE64_URL_SAFE_NO_PAD.encode(json);
            assert_eq!(read(&text, "p", "s", Kind::Text), Err("invalid_cursor"), "{json}");
        }
        let long = "A".repeat(CURSOR_BYTES_MAX + 4);
        assert_eq!(read(&long, "p", "s", Kind::Text), Err("invalid_cursor"));
        let far = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"[1,"p","s",{},7]"#, i64::MAX));
        assert_eq!(read(&far, "p", "s", Kind::Time), Err("invalid_cursor"));
    }
}
