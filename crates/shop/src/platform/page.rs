//! Lists: `limit`, `cursor`, `sort` and filters of a request, and the page that answers it.
//!
//! A page begins after the last row of the one before (keyset), so that it costs the same wherever
//! it is and rows that come or go elsewhere move nothing. The id breaks ties; rows without a value
//! of the sort field come last, whatever the direction.

use axum::extract::Query;
use axum::http::Uri;
use runout_store::Composer;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::{IntoParams, ToSchema};

use super::cursor::{Cursor, Key};
use super::lookups::{Field, Filters, Kind, VALUE_BYTES_MAX, unknown};
use super::problem::{FieldError, Problem};

/// Rows of a page, unless the client asks otherwise.
pub const LIMIT_DEFAULT: u32 = 20;
/// Most rows that a page may have.
pub const LIMIT_MAX: u32 = 100;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page with each item made into another.
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(map).collect(), next: self.next }
    }
}

/// What every list takes, for the API's description.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; ListRequest reads the query")]
pub struct ListParams {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// A field's name; with `-` before it, the other way round. Rows without a value come last.
    sort: Option<String>,
}

/// A list that can be asked for.
#[derive(Debug)]
pub struct Resource {
    /// Names it in cursors, such as `products`.
    pub name: &'static str,
    pub fields: &'static [Field],
    /// The SQL expression of the id, such as `p.id`.
    pub id_sql: &'static str,
    /// `id`, a sortable field's name, or either after `-`.
    pub default_sort: &'static str,
    /// Further parameters that the list takes, such as `q`; see [`ListRequest::extra`].
    pub extras: &'static [&'static str],
}

impl Resource {
    /// The fields as parameters of the API's description.
    pub fn params(&self) -> Vec<Parameter> {
        self.fields.iter().map(param).collect()
    }
}

fn param(field: &Field) -> Parameter {
    let object = match field.kind {
        Kind::Text => ObjectBuilder::new().schema_type(Type::String),
        Kind::Int => ObjectBuilder::new().schema_type(Type::Integer),
        Kind::Id => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)),
        Kind::Bool => ObjectBuilder::new().schema_type(Type::Boolean),
        Kind::Time => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        Kind::Date => ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
        Kind::Choice(words) => {
            ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.to_vec()))
        }
    };
    let suffixes = field.kind.lookups().iter().map(|lookup| format!("`__{}`", lookup.suffix()));
    let suffixes: Vec<String> = suffixes.collect();
    ParameterBuilder::new()
        .name(field.name)
        .parameter_in(ParameterIn::Query)
        .description(Some(format!("Also with {}.", suffixes.join(", "))))
        .schema(Some(object))
        .build()
}

/// What a client asked of a list.
#[derive(Debug, Clone)]
pub struct ListRequest {
    resource: &'static Resource,
    pub filters: Filters,
    limit: u32,
    /// None: by id.
    sort: Option<&'static Field>,
    descending: bool,
    after: Option<Cursor>,
    /// The page ends before the cursor, and is read from there to its beginning.
    backward: bool,
    extras: Vec<(&'static str, String)>,
}

/// A page in the middle of its list, for people who turn pages both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<T> {
    pub items: Vec<T>,
    /// Give it to [`ListRequest::before`] to get the page before; none on the first page.
    pub previous: Option<String>,
    /// Give it as `cursor` to get the next page; none on the last page.
    pub next: Option<String>,
}

impl ListRequest {
    /// Reads the query of an address.
    ///
    /// # Errors
    /// 400 with a code for each kind of mistake.
    pub fn from_uri(resource: &'static Resource, uri: &Uri) -> Result<Self, Problem> {
        Self::from_parts(resource, uri, &Map::new())
    }

    /// Reads the query of an address and the filters of a GET body.
    ///
    /// # Errors
    /// 400 with a code for each kind of mistake.
    pub fn from_parts(
        resource: &'static Resource,
        uri: &Uri,
        body: &Map<String, Json>,
    ) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        Self::from_pairs(resource, &pairs, body)
    }

    /// Reads the names and values of a query.
    ///
    /// # Errors
    /// 400 with a code for each kind of mistake.
    pub(crate) fn from_pairs(
        resource: &'static Resource,
        pairs: &[(String, String)],
        body: &Map<String, Json>,
    ) -> Result<Self, Problem> {
        let mut request = Self {
            resource,
            filters: Filters::default(),
            limit: LIMIT_DEFAULT,
            sort: None,
            descending: false,
            after: None,
            backward: false,
            extras: Vec::new(),
        };
        let (mut cursor, mut sort) = (None, resource.default_sort);
        for (key, value) in pairs {
            match key.as_str() {
                "limit" => request.limit = parse_limit(value)?,
                "cursor" => cursor = Some(value),
                "sort" => sort = value,
                key => match resource.extras.iter().find(|extra| **extra == key) {
                    Some(extra) => request.extras.push((extra, plain_text(key, value)?)),
                    None => request.filters.add_text(resource.fields, key, value)?,
                },
            }
        }
        for (key, json) in body {
            request.filters.add_json(resource.fields, key, json)?;
        }
        request.sort_by(sort)?;
        if let Some(cursor) = cursor {
            request.after = Some(request.read_cursor(cursor)?);
        }
        Ok(request)
    }

    fn read_cursor(&self, cursor: &str) -> Result<Cursor, Problem> {
        let kind = self.sort.map_or(Kind::Id, |field| field.kind);
        Cursor::decode(cursor, self.resource.name, &self.sort_name(), kind)
    }

    /// The same list, but the page that ends before a cursor.
    ///
    /// # Errors
    /// 400 `invalid_cursor`.
    pub fn before(self, cursor: &str) -> Result<Self, Problem> {
        let after = Some(self.read_cursor(cursor)?);
        Ok(Self { after, backward: true, ..self })
    }

    fn sort_by(&mut self, sort: &str) -> Result<(), Problem> {
        let (name, descending) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        self.descending = descending;
        if name == "id" {
            return Ok(());
        }
        let mut sortable = self.resource.fields.iter().filter(|field| field.sortable);
        let found = sortable.clone().find(|field| field.name == name);
        let names = sortable.by_ref().map(|field| field.name.to_owned());
        let names = names.chain(std::iter::once("id".to_owned()));
        self.sort =
            Some(found.ok_or_else(|| unknown("unknown_sort", "field to sort by", name, names))?);
        Ok(())
    }

    /// The sort as it is asked for, such as `-title`.
    pub(crate) fn sort_name(&self) -> String {
        let name = self.sort.map_or("id", |field| field.name);
        if self.descending { format!("-{name}") } else { name.to_owned() }
    }

    /// The value of a parameter out of [`Resource::extras`]; the last one, if there are several.
    pub fn extra(&self, name: &str) -> Option<&str> {
        self.extras.iter().rev().find(|(extra, _)| *extra == name).map(|(_, value)| value.as_str())
    }

    /// The same list with another number of rows in its pages, for lists that have a limit of their
    /// own.
    pub(crate) fn with_limit(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    /// Rows that the page may have.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// The name of the field that the rows are sorted by.
    pub fn sort_field(&self) -> &'static str {
        self.sort.map_or("id", |field| field.name)
    }

    /// True if the rows come from the greatest to the least.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// Appends the filters, where the page begins, the order and the limit: everything after a
    /// `where` with at least one condition. It reads one row more than the page has, see
    /// [`ListRequest::page`].
    pub fn compose(&self, sql: &mut Composer) {
        self.filters.compose(sql);
        self.compose_start(sql);
        self.compose_order(sql);
        sql.push(" limit ").bind(i64::from(self.limit) + 1);
    }

    /// Appends where the page begins, if it is not the first.
    pub(crate) fn compose_start(&self, sql: &mut Composer) {
        if let Some(after) = &self.after {
            sql.push(" and ");
            self.compose_after(sql, after);
        }
    }

    /// Appends the order.
    pub(crate) fn compose_order(&self, sql: &mut Composer) {
        let direction = if self.reads_down() { " desc" } else { "" };
        sql.push(" order by ");
        if let Some(field) = self.sort {
            sql.push(field.sql).push(direction);
            sql.push(match (field.nullable, self.backward) {
                (false, _) => ", ",
                (true, false) => " nulls last, ",
                (true, true) => " nulls first, ",
            });
        }
        sql.push(self.resource.id_sql).push(direction);
    }

    /// What the rows are sorted by; none: by their ids.
    pub(crate) fn sort(&self) -> Option<&'static Field> {
        self.sort
    }

    /// True unless it begins after a row.
    pub(crate) fn is_first(&self) -> bool {
        self.after.is_none()
    }

    /// True if the statement reads from the greatest to the least.
    fn reads_down(&self) -> bool {
        self.descending != self.backward
    }

    fn compose_after(&self, sql: &mut Composer, after: &Cursor) {
        let id_sql = self.resource.id_sql;
        let beyond = if self.reads_down() { " < " } else { " > " };
        let beyond_id = |sql: &mut Composer| {
            sql.push(id_sql).push(beyond).bind(after.id).push_each("", "::bigint");
        };
        let Some(field) = self.sort else { return beyond_id(sql) };
        if after.key == Key::Null {
            sql.push(if self.backward { "(" } else { "" });
            sql.push(field.sql).push(" is null and ");
            beyond_id(sql);
            if self.backward {
                sql.push(" or ").push(field.sql).push(" is not null)");
            }
            return;
        }
        let value = after.key.value(field.kind).expect("the cursor was read for this field");
        let cast = field.kind.cast();
        // Rows without a value come after all others.
        let nulls = field.nullable && !self.backward;
        if nulls {
            sql.push("(").push(field.sql).push(" is null or ");
        }
        sql.push("(").push(field.sql).push(", ").push(id_sql).push(")").push(beyond);
        sql.push("(").bind(value).push_each("", cast).push(", ");
        sql.bind(after.id).push_each(")", "::bigint)");
        if nulls {
            sql.push(")");
        }
    }

    /// Makes the page of the rows read. `position` gives a row's id and its value of the named
    /// field, which may be anything when that is `id`.
    pub fn page<T>(
        &self,
        mut rows: Vec<T>,
        position: impl FnOnce(&T, &'static str) -> (i64, Key),
    ) -> Page<T> {
        let limit = self.limit as usize;
        assert!(rows.len() <= limit + 1, "a list reads one row more than its page");
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|last| self.cursor_at(position(last, self.sort_field())));
        Page { items: rows, next }
    }

    /// The cursor of a row's place.
    pub(crate) fn cursor_at(&self, (id, key): (i64, Key)) -> String {
        let key = if self.sort.is_some() { key } else { Key::Null };
        Cursor { key, id }.encode(self.resource.name, &self.sort_name())
    }

    /// [`ListRequest::page`] with the way back: `rows` stand in the order in which they were read.
    pub fn leaf<T>(
        &self,
        mut rows: Vec<T>,
        position: impl Fn(&T, &'static str) -> (i64, Key),
    ) -> Leaf<T> {
        let limit = self.limit as usize;
        assert!(rows.len() <= limit + 1, "a list reads one row more than its page");
        let more = rows.len() > limit;
        rows.truncate(limit);
        if self.backward {
            rows.reverse();
        }
        let (before, after) =
            if self.backward { (more, true) } else { (self.after.is_some(), more) };
        let at = |row: &T| self.cursor_at(position(row, self.sort_field()));
        let previous = rows.first().filter(|_| before).map(at);
        let next = rows.last().filter(|_| after).map(at);
        Leaf { items: rows, previous, next }
    }

    /// True if rows are read from the page's end to its beginning.
    pub fn is_backward(&self) -> bool {
        self.backward
    }
}

/// Reads `limit`.
///
/// # Errors
/// 400 `invalid_limit`.
pub(crate) fn parse_limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        let detail = format!("limit must be a whole number from 1 to {LIMIT_MAX}.");
        let error = FieldError::new("limit", "range", detail.clone());
        Problem::bad_request("invalid_limit", detail).errors(vec![error])
    })
}

/// A parameter's text, if a database can take it.
///
/// # Errors
/// 400 `invalid_filter`.
pub(crate) fn plain_text(key: &str, value: &str) -> Result<String, Problem> {
    if value.len() <= VALUE_BYTES_MAX && !value.contains('\0') {
        return Ok(value.to_owned());
    }
    let detail = format!("{key}: at most {VALUE_BYTES_MAX} bytes, without the character U+0000.");
    Err(Problem::bad_request("invalid_filter", detail))
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
