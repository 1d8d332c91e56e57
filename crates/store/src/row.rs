//! Rows, read by position, the same for both engines.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;

use crate::{Error, Result, Value};

/// One row of an answer: the engine's own while reading, or kept values inside a transaction.
pub enum Row<'a> {
    #[doc(hidden)]
    Sqlite(&'a rusqlite::Row<'a>),
    #[doc(hidden)]
    Postgres(&'a tokio_postgres::Row),
    #[doc(hidden)]
    Kept(&'a [Value]),
}

impl Row<'_> {
    /// The cell at `column`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Decode`] if the cell has another type, is null without `Option`, or is not there.
    pub fn get<T: Cell>(&self, column: usize) -> Result<T> {
        let decoded = match self {
            Row::Sqlite(row) => row
                .get_ref(column)
                .map_err(|error| error.to_string())
                .and_then(|cell| T::sqlite(cell)),
            Row::Postgres(row) => T::postgres(row, column),
            Row::Kept(values) => match values.get(column) {
                Some(value) => T::kept(value),
                None => Err("no such column".to_owned()),
            },
        };
        decoded.map_err(|reason| Error::Decode { column, reason })
    }
}

/// Rows kept in memory: what a transaction's load brought.
#[derive(Debug, Default, Clone)]
pub struct Rows {
    rows: Vec<Vec<Value>>,
}

impl Rows {
    pub(crate) fn push(&mut self, row: Vec<Value>) {
        self.rows.push(row);
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row::Kept(values))
    }

    pub fn first(&self) -> Option<Row<'_>> {
        self.rows.first().map(|values| Row::Kept(values))
    }

    /// Every row through `map`.
    ///
    /// # Errors
    /// The first error of `map`.
    pub fn map<T>(&self, map: impl FnMut(Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        self.iter().map(map).collect()
    }
}

/// A type that a cell can be read as.
pub trait Cell: Sized {
    #[doc(hidden)]
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String>;
    #[doc(hidden)]
    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String>;
    #[doc(hidden)]
    fn kept(value: &Value) -> Result<Self, String>;
}

fn unexpected<T>(wanted: &str, found: impl std::fmt::Debug) -> Result<T, String> {
    Err(format!("wanted {wanted}, found {found:?}"))
}

fn native<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a tokio_postgres::Row,
    column: usize,
) -> Result<T, String> {
    row.try_get(column).map_err(|error| {
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })
}

impl Cell for i64 {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        match cell {
            ValueRef::Integer(value) => Ok(value),
            other => unexpected("integer", other),
        }
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        match row.columns().get(column).map(|c| c.type_()) {
            Some(&Type::INT4) => native::<i32>(row, column).map(i64::from),
            _ => native(row, column),
        }
    }

    fn kept(value: &Value) -> Result<Self, String> {
        match value {
            Value::Int(value) => Ok(*value),
            other => unexpected("integer", other),
        }
    }
}

impl Cell for bool {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        i64::sqlite(cell).map(|value| value != 0)
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        native(row, column)
    }

    fn kept(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(value) => Ok(*value),
            Value::Int(value) => Ok(*value != 0),
            other => unexpected("boolean", other),
        }
    }
}

impl Cell for String {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        match cell {
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| error.to_string())
            }
            other => unexpected("text", other),
        }
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        match row.columns().get(column).map(|c| c.type_()) {
            Some(&Type::JSONB | &Type::JSON) => {
                native::<serde_json::Value>(row, column).map(|value| value.to_string())
            }
            _ => native(row, column),
        }
    }

    fn kept(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            Value::Static(text) => Ok((*text).to_owned()),
            Value::Shared(text) => Ok(text.to_string()),
            other => unexpected("text", other),
        }
    }
}

/// Text that is handed on: copied once.
impl Cell for Arc<str> {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        match cell {
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(Self::from).map_err(|error| error.to_string())
            }
            other => unexpected("text", other),
        }
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        match row.columns().get(column).map(|c| c.type_()) {
            Some(&Type::JSONB | &Type::JSON) => String::postgres(row, column).map(Self::from),
            _ => native::<&str>(row, column).map(Self::from),
        }
    }

    fn kept(value: &Value) -> Result<Self, String> {
        match value {
            Value::Shared(text) => Ok(Self::clone(text)),
            value => String::kept(value).map(Self::from),
        }
    }
}

impl Cell for Vec<u8> {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        match cell {
            ValueRef::Blob(bytes) => Ok(bytes.to_owned()),
            other => unexpected("bytes", other),
        }
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        native(row, column)
    }

    fn kept(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => unexpected("bytes", other),
        }
    }
}

impl Cell for Timestamp {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        i64::sqlite(cell).and_then(timestamp)
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        native(row, column)
    }

    fn kept(value: &Value) -> Result<Self, String> {
        match value {
            Value::Time(value) => Ok(*value),
            Value::Int(micros) => timestamp(*micros),
            other => unexpected("timestamp", other),
        }
    }
}

fn timestamp(micros: i64) -> Result<Timestamp, String> {
    Timestamp::from_microsecond(micros).map_err(|error| error.to_string())
}

impl Cell for serde_json::Value {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        String::sqlite(cell).and_then(|text| parse_json(&text))
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        match row.columns().get(column).map(|c| c.type_()) {
            Some(&Type::TEXT) => native::<String>(row, column).and_then(|text| parse_json(&text)),
            _ => native(row, column),
        }
    }

    fn kept(value: &Value) -> Result<Self, String> {
        String::kept(value).and_then(|text| parse_json(&text))
    }
}

fn parse_json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl<T: Cell> Cell for Option<T> {
    fn sqlite(cell: ValueRef<'_>) -> Result<Self, String> {
        if matches!(cell, ValueRef::Null) { Ok(None) } else { T::sqlite(cell).map(Some) }
    }

    fn postgres(row: &tokio_postgres::Row, column: usize) -> Result<Self, String> {
        if native::<Option<Present>>(row, column)?.is_none() {
            return Ok(None);
        }
        T::postgres(row, column).map(Some)
    }

    fn kept(value: &Value) -> Result<Self, String> {
        if matches!(value, Value::Null) { Ok(None) } else { T::kept(value).map(Some) }
    }
}

/// Any cell that is not null, whatever its type.
struct Present;

impl tokio_postgres::types::FromSql<'_> for Present {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Self, crate::Cause> {
        Ok(Present)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Copies a row out of the engine, cell by cell.
pub(crate) fn keep_sqlite(row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<Vec<Value>> {
    (0..columns)
        .map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                ValueRef::Real(_) => {
                    return Err(rusqlite::Error::InvalidColumnType(
                        column,
                        "floating point is not used".to_owned(),
                        rusqlite::types::Type::Real,
                    ));
                }
                ValueRef::Text(bytes) => Value::Text(
                    std::str::from_utf8(bytes)
                        .map_err(|error| rusqlite::Error::Utf8Error(column, error))?
                        .to_owned(),
                ),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
            })
        })
        .collect()
}

/// Copies a row out of the engine, cell by cell.
pub(crate) fn keep_postgres(row: &tokio_postgres::Row) -> Result<Vec<Value>> {
    let decode = |column: usize, reason: String| Error::Decode { column, reason };
    (0..row.len())
        .map(|column| {
            let kept = match *row.columns()[column].type_() {
                Type::BOOL => native::<Option<bool>>(row, column).map(Value::from),
                Type::INT8 => native::<Option<i64>>(row, column).map(Value::from),
                Type::INT4 => native::<Option<i32>>(row, column).map(Value::from),
                Type::TIMESTAMPTZ => native::<Option<Timestamp>>(row, column).map(Value::from),
                Type::BYTEA => native::<Option<Vec<u8>>>(row, column).map(Value::from),
                Type::JSON | Type::JSONB => {
                    native::<Option<serde_json::Value>>(row, column).map(Value::from)
                }
                _ => native::<Option<String>>(row, column).map(Value::from),
            };
            kept.map_err(|reason| decode(column, reason))
        })
        .collect()
}
