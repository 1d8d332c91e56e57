//! Reads an object field by field, and knows which ones nobody asked for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use runout_core::money::Money;
use serde_json::{Map, Value};

use super::Malformed;

/// Paths that are remembered at most.
const UNKNOWN_MAX: usize = 50;
/// Letters of a field's name that are shown.
const NAME_CHARS_MAX: usize = 60;
/// Units of an item at most.
const UNITS_MAX: i64 = 1_000_000;

/// Paths of fields that nobody has described, without the places in lists: each once.
#[derive(Debug, Default)]
pub(super) struct Unknown(BTreeSet<String>);

impl Unknown {
    pub(super) fn paths(self) -> Vec<String> {
        self.0.into_iter().collect()
    }

    pub(super) fn take_in(&mut self, other: Self) {
        other.0.into_iter().for_each(|path| self.put(path));
    }

    fn put(&mut self, path: String) {
        if self.0.len() < UNKNOWN_MAX {
            self.0.insert(path);
        }
    }
}

/// An object that is being read.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// With the places in lists.
    path: String,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// When the value is no object.
    pub(super) fn of(value: &'a Value, path: &str) -> Result<Self, Malformed> {
        let whole = if path.is_empty() { "the answer" } else { path };
        let object = value
            .as_object()
            .ok_or_else(|| Malformed { path: whole.to_owned(), expected: "an object" })?;
        Ok(Self { object, path: path.to_owned(), asked: Vec::new() })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn malformed(&self, name: &str, expected: &'static str) -> Malformed {
        Malformed { path: self.path_of(name), expected }
    }

    /// A field that may be there and is of no interest.
    pub(super) fn ignore(&mut self, name: &'static str) {
        self.asked.push(name);
    }

    /// Reports the fields that were not asked for.
    pub(super) fn end(self, unknown: &mut Unknown) {
        for name in self.object.keys().filter(|name| !self.asked.contains(&name.as_str())) {
            let plain = |c: char| if c.is_control() { '?' } else { c };
            let name: String = name.chars().take(NAME_CHARS_MAX).map(plain).collect();
            unknown.put(without_places(&self.path_of(&name)));
        }
    }

    /// The value of a field that is there.
    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let value = self.get(name);
        value.map(|value| read(value).ok_or_else(|| self.malformed(name, expected))).transpose()
    }

    fn require<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        value: Option<T>,
    ) -> Result<T, Malformed> {
        value.ok_or_else(|| self.malformed(name, expected))
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        self.read(name, "text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn required_text(&mut self, name: &'static str) -> Result<String, Malformed> {
        let text = self.text(name)?;
        self.require(name, "text", text)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Malformed> {
        self.read(name, "true or false", Value::as_bool)
    }

    /// Text, or a whole number.
    pub(super) fn id(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        self.read(name, "text or a whole number", |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
            _ => None,
        })
    }

    pub(super) fn required_id(&mut self, name: &'static str) -> Result<String, Malformed> {
        let id = self.id(name)?.filter(|id| !id.is_empty());
        self.require(name, "an id", id)
    }

    pub(super) fn units(&mut self, name: &'static str) -> Result<Option<i64>, Malformed> {
        self.read(name, "a number of units", |value| {
            value.as_i64().filter(|units| (0..=UNITS_MAX).contains(units))
        })
    }

    pub(super) fn required_units(&mut self, name: &'static str) -> Result<i64, Malformed> {
        let units = self.units(name)?;
        self.require(name, "a number of units", units)
    }

    /// A number with up to two decimals. Binary fractions are written as the shortest decimal that
    /// means the same, which is the one that was sent as long as it has up to 15 digits: an amount
    /// has no more.
    pub(super) fn euros(&mut self, name: &'static str) -> Result<Option<Money>, Malformed> {
        self.read(name, "an amount in euros", |value| {
            let euro = "EUR".parse().expect("a currency");
            Money::parse(&value.as_number()?.to_string(), euro).ok()
        })
    }

    pub(super) fn required_euros(&mut self, name: &'static str) -> Result<Money, Malformed> {
        let amount = self.euros(name)?;
        self.require(name, "an amount in euros", amount)
    }

    /// A moment with its offset from UTC.
    pub(super) fn moment(&mut self, name: &'static str) -> Result<Option<Timestamp>, Malformed> {
        self.read(name, "a moment such as 2026-03-02T10:55:37+01:00", |value| {
            value.as_str()?.parse().ok()
        })
    }

    pub(super) fn day(&mut self, name: &'static str) -> Result<Option<Date>, Malformed> {
        self.read(name, "a day such as 2026-03-04", |value| value.as_str()?.parse().ok())
    }

    pub(super) fn array(&mut self, name: &'static str) -> Result<Option<&'a [Value]>, Malformed> {
        self.read(name, "a list", |value| value.as_array().map(Vec::as_slice))
    }

    /// An object that may be absent.
    pub(super) fn object<T>(
        &mut self,
        name: &'static str,
        unknown: &mut Unknown,
        read: impl FnOnce(&mut Fields<'a>, &mut Unknown) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read_whole(value, &self.path_of(name), unknown, read).map(Some)
    }

    pub(super) fn required_object<T>(
        &mut self,
        name: &'static str,
        unknown: &mut Unknown,
        read: impl FnOnce(&mut Fields<'a>, &mut Unknown) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let object = self.object(name, unknown, read)?;
        self.require(name, "an object", object)
    }

    /// The objects of a list that must be there.
    pub(super) fn each<T>(
        &mut self,
        name: &'static str,
        unknown: &mut Unknown,
        read: impl FnMut(&mut Fields<'a>, &mut Unknown) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        if self.get(name).is_none() {
            return Err(self.malformed(name, "a list"));
        }
        self.each_if_any(name, unknown, read)
    }

    /// The objects of a list that may be absent.
    pub(super) fn each_if_any<T>(
        &mut self,
        name: &'static str,
        unknown: &mut Unknown,
        mut read: impl FnMut(&mut Fields<'a>, &mut Unknown) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let list = self.array(name)?.unwrap_or_default();
        let path = self.path_of(name);
        let one = |(nth, value)| {
            read_whole(value, &format!("{path}[{nth}]"), unknown, |fields, beside| {
                read(fields, beside)
            })
        };
        list.iter().enumerate().map(one).collect()
    }
}

/// Reads one object to its end.
fn read_whole<'a, T>(
    value: &'a Value,
    path: &str,
    unknown: &mut Unknown,
    read: impl FnOnce(&mut Fields<'a>, &mut Unknown) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let mut fields = Fields::of(value, path)?;
    let read = read(&mut fields, unknown)?;
    fields.end(unknown);
    Ok(read)
}

/// `items[3].x` as `items[].x`.
fn without_places(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    let mut within = false;
    for c in path.chars() {
        match c {
            '[' => within = true,
            ']' => within = false,
            _ if within && c.is_ascii_digit() => continue,
            _ => {}
        }
        shown.push(c);
    }
    shown
}
