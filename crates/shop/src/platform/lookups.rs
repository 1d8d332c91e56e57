//! Django's lookups on declared fields: `artist=`, `release_year__gte=`, `style__in=a,b`.
//!
//! They come from a query string or from a JSON object (the predecessors' GET bodies). Only
//! declared fields can be asked for, and only with lookups that fit their kind; the SQL is made of
//! static text and bound values, each cast to its kind's widest type on PostgreSQL.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use runout_store::{Composer, Value};
use serde_json::Value as Json;

use super::extract::parse_id;
use super::problem::{FieldError, Problem};

/// How many filters one request may have.
pub const FILTERS_MAX: usize = 20;
/// How many values one `__in` may list.
pub const IN_VALUES_MAX: usize = 100;
/// How many bytes one value may have.
pub const VALUE_BYTES_MAX: usize = 500;

/// What a field holds, which decides its lookups and its type in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A whole number, `bigint` or shorter.
    Int,
    Bool,
    /// A moment: `timestamptz`, microseconds in SQLite.
    Time,
    /// A day, kept as text `2025-12-31` on both engines.
    Date,
    /// A positive `bigint`.
    Id,
    /// Text out of a few words.
    Choice(&'static [&'static str]),
}

/// One field that a list can be filtered and perhaps sorted by.
#[derive(Debug)]
pub struct Field {
    /// The name in requests.
    pub name: &'static str,
    /// The SQL expression, such as `p.release_year`.
    pub sql: &'static str,
    pub kind: Kind,
    pub sortable: bool,
    pub nullable: bool,
}

impl Field {
    /// A field that can be filtered by; not sortable, not nullable.
    pub const fn new(name: &'static str, sql: &'static str, kind: Kind) -> Self {
        Self { name, sql, kind, sortable: false, nullable: false }
    }

    #[must_use]
    pub const fn sortable(mut self) -> Self {
        self.sortable = true;
        self
    }

    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Exact,
    Gte,
    Lte,
    Gt,
    Lt,
    In,
    Contains,
    Icontains,
    Startswith,
    Istartswith,
    Iexact,
    Isnull,
}

use Lookup::{
    Contains, Exact, Gt, Gte, Icontains, Iexact, In, Isnull, Istartswith, Lt, Lte, Startswith,
};

impl Lookup {
    /// Its name after the two underscores; none for [`Exact`](Lookup::Exact).
    pub const fn suffix(self) -> &'static str {
        match self {
            Exact => "exact",
            Gte => "gte",
            Lte => "lte",
            Gt => "gt",
            Lt => "lt",
            In => "in",
            Contains => "contains",
            Icontains => "icontains",
            Startswith => "startswith",
            Istartswith => "istartswith",
            Iexact => "iexact",
            Isnull => "isnull",
        }
    }
}

impl Kind {
    /// The lookups that fit.
    pub const fn lookups(self) -> &'static [Lookup] {
        match self {
            Kind::Text => &[
                Exact,
                Gte,
                Lte,
                Gt,
                Lt,
                In,
                Contains,
                Icontains,
                Startswith,
                Istartswith,
                Iexact,
                Isnull,
            ],
            Kind::Int | Kind::Id | Kind::Date => &[Exact, Gte, Lte, Gt, Lt, In, Isnull],
            Kind::Time => &[Exact, Gte, Lte, Gt, Lt, Isnull],
            Kind::Bool => &[Exact, Isnull],
            Kind::Choice(_) => &[Exact, In, Isnull],
        }
    }

    /// Reads one value, as it stands in a query.
    ///
    /// # Errors
    /// What was expected, for a person.
    fn parse(self, text: &str) -> Result<Value, Cow<'static, str>> {
        match self {
            Kind::Text => Ok(Value::from(text)),
            Kind::Int => text.parse().map(Value::Int).map_err(|_| "a whole number".into()),
            Kind::Id => parse_id(text).map(Value::Int).ok_or_else(|| "an id".into()),
            Kind::Bool => parse_bool(text).map(Value::Bool).ok_or_else(|| "true or false".into()),
            Kind::Time => parse_time(text)
                .map(Value::Time)
                .ok_or_else(|| "a time such as 2025-12-31T23:59:59Z, or a day".into()),
            Kind::Date => match text.parse::<Date>() {
                // Parsing takes more forms than the one that compares rightly as text.
                Ok(day) if (0..=9999).contains(&day.year()) => Ok(Value::Text(day.to_string())),
                _ => Err("a day such as 2025-12-31".into()),
            },
            Kind::Choice(words) if words.contains(&text) => Ok(Value::from(text)),
            Kind::Choice(words) => Err(format!("one of {}", words.join(", ")).into()),
        }
    }

    /// The cast that follows a bound value on PostgreSQL: a short column must not narrow it.
    pub(crate) const fn cast(self) -> &'static str {
        match self {
            Kind::Text | Kind::Choice(_) | Kind::Date => "::text",
            Kind::Int | Kind::Id => "::bigint",
            Kind::Bool => "::boolean",
            Kind::Time => "::timestamptz",
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A moment with its offset, or without one, or a day: the last two in UTC, as Django read them.
/// Kept to the microsecond, which is what the databases keep.
fn parse_time(text: &str) -> Option<Timestamp> {
    // A plus sign that nobody escaped arrives as a space.
    let escaped = text.replacen(' ', "+", usize::from(text.contains('T')));
    let moment = escaped.parse::<Timestamp>().ok().or_else(|| {
        let local = escaped.parse::<jiff::civil::DateTime>().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })?;
    Timestamp::from_microsecond(moment.as_microsecond()).ok()
}

/// One comparison of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    field: &'static Field,
    test: Test,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.sql == other.sql
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Compare(Lookup, Value),
    In(Vec<Value>),
    Null(bool),
}

/// The filters of one request: all must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filters(Vec<Filter>);

impl Filters {
    /// Adds a filter from a query: `key` is a field's name with or without a lookup.
    ///
    /// # Errors
    /// 400 `unknown_filter`, `invalid_filter` or `too_many_filters`.
    pub fn add_text(
        &mut self,
        fields: &'static [Field],
        key: &str,
        text: &str,
    ) -> Result<(), Problem> {
        let (field, lookup) = find(fields, key)?;
        let test = match lookup {
            Isnull => Test::Null(one(Kind::Bool, text).map_err(invalid(key))? == Value::Bool(true)),
            In => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Test::In(list(field.kind, items.map(Cow::Borrowed)).map_err(invalid(key))?)
            }
            lookup => Test::Compare(lookup, one(field.kind, text).map_err(invalid(key))?),
        };
        self.add(field, test)
    }

    /// Adds a filter from a JSON object. Numbers and texts are both read; `__in` takes an array,
    /// one value or a text with commas; `null` asks for rows without a value.
    ///
    /// # Errors
    /// 400 `unknown_filter`, `invalid_filter` or `too_many_filters`.
    pub fn add_json(
        &mut self,
        fields: &'static [Field],
        key: &str,
        json: &Json,
    ) -> Result<(), Problem> {
        let (field, lookup) = find(fields, key)?;
        let test = match (lookup, json) {
            (Exact, Json::Null) => Test::Null(true),
            (In, Json::Array(items)) => {
                let texts: Result<Vec<_>, _> = items.iter().map(scalar).collect();
                let texts = texts.map_err(invalid(key))?;
                Test::In(list(field.kind, texts.into_iter()).map_err(invalid(key))?)
            }
            (_, json) => {
                return self.add_text(fields, key, &scalar(json).map_err(invalid(key))?);
            }
        };
        self.add(field, test)
    }

    fn add(&mut self, field: &'static Field, test: Test) -> Result<(), Problem> {
        if self.0.len() >= FILTERS_MAX {
            let detail = format!("A request may have at most {FILTERS_MAX} filters.");
            return Err(Problem::bad_request("too_many_filters", detail));
        }
        self.0.push(Filter { field, test });
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each filter, for a list that does not treat them all alike.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Filter> {
        self.0.iter()
    }

    /// Appends ` and <condition>` for each filter.
    pub fn compose(&self, sql: &mut Composer) {
        for filter in &self.0 {
            sql.push(" and ");
            filter.compose(sql);
        }
    }
}

/// What a filter leaves of an index on its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The rows of one value.
    Point,
    /// The rows on one side of a value.
    Range,
    /// Rows here and there.
    Scattered,
}

impl Filter {
    pub(crate) fn field(&self) -> &'static str {
        self.field.name
    }

    pub(crate) fn reach(&self) -> Reach {
        match &self.test {
            Test::Compare(Exact, _) => Reach::Point,
            Test::Compare(Gte | Lte | Gt | Lt, _) => Reach::Range,
            Test::Compare(..) | Test::In(_) | Test::Null(_) => Reach::Scattered,
        }
    }

    /// Appends the condition.
    pub(crate) fn compose(&self, sql: &mut Composer) {
        let Field { sql: column, kind, .. } = *self.field;
        match &self.test {
            Test::Null(true) => _ = sql.push(column).push(" is null"),
            Test::Null(false) => _ = sql.push(column).push(" is not null"),
            Test::In(values) => compose_in(sql, column, kind, values),
            Test::Compare(lookup, value) => match lookup {
                Exact => compare(sql, column, " = ", kind, value),
                Gte => compare(sql, column, " >= ", kind, value),
                Lte => compare(sql, column, " <= ", kind, value),
                Gt => compare(sql, column, " > ", kind, value),
                Lt => compare(sql, column, " < ", kind, value),
                // Positions instead of LIKE: no wildcards to escape, and case counts on SQLite too.
                Contains => position(sql, column, value, false, " > 0"),
                Icontains => position(sql, column, value, true, " > 0"),
                Startswith => position(sql, column, value, false, " = 1"),
                Istartswith => position(sql, column, value, true, " = 1"),
                Iexact => {
                    sql.push("lower(").push(column).push(") = lower(").bind(value.clone());
                    sql.push_each(")", "::text)");
                }
                In | Isnull => unreachable!("these have their own tests"),
            },
        }
    }
}

fn compare(sql: &mut Composer, column: &'static str, op: &'static str, kind: Kind, value: &Value) {
    sql.push(column).push(op).bind(value.clone()).push_each("", kind.cast());
}

/// Where the value stands in the column: `instr` in SQLite, `strpos` in PostgreSQL, both from 1.
fn position(
    sql: &mut Composer,
    column: &'static str,
    value: &Value,
    any_case: bool,
    wanted: &'static str,
) {
    let (open, close) = if any_case { ("lower(", ")") } else { ("", "") };
    sql.push_each("instr(", "strpos(").push(open).push(column).push(close).push(", ").push(open);
    sql.bind(value.clone()).push_each("", "::text").push(close).push(")").push(wanted);
}

fn compose_in(sql: &mut Composer, column: &'static str, kind: Kind, values: &[Value]) {
    let ints: Vec<i64> =
        values.iter().filter_map(|v| if let Value::Int(n) = v { Some(*n) } else { None }).collect();
    let list = match kind {
        _ if values.is_empty() => {
            sql.push("1 = 0");
            return;
        }
        Kind::Int | Kind::Id => Value::Ints(ints),
        _ => Value::Texts(values.iter().filter_map(text_of).collect()),
    };
    sql.push(column).push_each(" in (select value from json_each(", " = any(").bind(list);
    sql.push_each("))", kind.cast()).push_each("", "[])");
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

type Expected = Cow<'static, str>;

fn one(kind: Kind, text: &str) -> Result<Value, Expected> {
    if text.len() > VALUE_BYTES_MAX {
        return Err(format!("at most {VALUE_BYTES_MAX} bytes").into());
    }
    if text.contains('\0') {
        return Err("text without the character U+0000".into());
    }
    kind.parse(text)
}

fn list<'a>(kind: Kind, items: impl Iterator<Item = Cow<'a, str>>) -> Result<Vec<Value>, Expected> {
    let mut values = Vec::new();
    for item in items {
        if values.len() == IN_VALUES_MAX {
            return Err(format!("at most {IN_VALUES_MAX} values").into());
        }
        values.push(one(kind, &item)?);
    }
    Ok(values)
}

/// A JSON value as it would stand in a query.
fn scalar(json: &Json) -> Result<Cow<'_, str>, Expected> {
    match json {
        Json::String(text) => Ok(text.into()),
        Json::Number(number) => Ok(number.to_string().into()),
        Json::Bool(flag) => Ok(if *flag { "true" } else { "false" }.into()),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            Err("a text, a number or a boolean".into())
        }
    }
}

/// Names the filter (a JSON pointer fits a body and a query alike) and what it wants.
fn invalid(key: &str) -> impl FnOnce(Expected) -> Problem {
    move |expected| {
        let detail = format!("{key}: expected {expected}");
        let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        Problem::bad_request("invalid_filter", detail.clone())
            .errors(vec![FieldError::new(pointer, "invalid", detail)])
    }
}

/// Finds the field and the lookup that `key` names.
fn find(fields: &'static [Field], key: &str) -> Result<(&'static Field, Lookup), Problem> {
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    if let Some(field) = named(key) {
        return Ok((field, Exact));
    }
    let found = key.rsplit_once("__").and_then(|(name, suffix)| {
        let field = named(name)?;
        let lookup = field.kind.lookups().iter().find(|lookup| lookup.suffix() == suffix)?;
        Some((field, *lookup))
    });
    found.ok_or_else(|| {
        let names = fields.iter().flat_map(|field| {
            let plain = std::iter::once(field.name.to_owned());
            let suffixed = |lookup: &Lookup| format!("{}__{}", field.name, lookup.suffix());
            plain.chain(field.kind.lookups().iter().map(suffixed))
        });
        unknown("unknown_filter", "filter", key, names)
    })
}

/// A refusal that names what was not known, and the nearest name that is.
pub(crate) fn unknown(
    code: &'static str,
    what: &str,
    given: &str,
    allowed: impl Iterator<Item = String>,
) -> Problem {
    let shown: String = given.chars().take(60).collect();
    let mut detail = format!("There is no {what} `{shown}`.");
    let nearest = nearest(&shown, allowed);
    if let Some(nearest) = &nearest {
        detail.push_str(&format!(" Did you mean `{nearest}`?"));
    }
    let problem = Problem::bad_request(code, detail).with("given", shown);
    match nearest {
        Some(nearest) => problem.with("nearest", nearest),
        None => problem,
    }
}

/// The allowed name with the smallest edit distance.
pub fn nearest(given: &str, allowed: impl Iterator<Item = String>) -> Option<String> {
    allowed.min_by_key(|name| edit_distance(given, name))
}

/// Levenshtein's distance, one row at a time.
fn edit_distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in two.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[two.len()]
}

#[cfg(test)]
#[path = "lookups_tests.rs"]
mod tests;
