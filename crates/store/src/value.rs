//! Values that go into statements and come out of rows, the same for both engines.
//!
//! SQLite has no booleans, timestamps or arrays: they travel as integers (0/1, microseconds since
//! 1970) and JSON text. PostgreSQL gets its native types; the server's parameter type decides.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// One parameter or one stored cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Text, and JSON documents as text.
    Text(String),
    /// Text that is a constant of the program.
    Static(&'static str),
    /// Text that many rows of one statement share, such as a title snapshot.
    Shared(Arc<str>),
    Bytes(Vec<u8>),
    /// A moment, kept to the microsecond (PostgreSQL's precision).
    Time(Timestamp),
    /// A list for `= any($1)` on PostgreSQL and `json_each($1)` on SQLite.
    Ints(Vec<i64>),
    /// A list for `= any($1)` on PostgreSQL and `json_each($1)` on SQLite.
    Texts(Vec<String>),
}

macro_rules! from {
    ($($source:ty => |$value:ident| $made:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self { $made }
        }
    )*};
}

from! {
    bool => |value| Value::Bool(value);
    i64 => |value| Value::Int(value);
    i32 => |value| Value::Int(value.into());
    u32 => |value| Value::Int(value.into());
    String => |value| Value::Text(value);
    &str => |value| Value::Text(value.to_owned());
    Arc<str> => |value| Value::Shared(value);
    Vec<u8> => |value| Value::Bytes(value);
    Timestamp => |value| Value::Time(value);
    Vec<i64> => |value| Value::Ints(value);
    Vec<String> => |value| Value::Texts(value);
    serde_json::Value => |value| Value::Text(value.to_string());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(value) => ToSqlOutput::Borrowed(ValueRef::Integer((*value).into())),
            Value::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Value::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Static(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Shared(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Value::Time(value) => ToSqlOutput::Borrowed(ValueRef::Integer(value.as_microsecond())),
            Value::Ints(values) => json_text(values)?,
            Value::Texts(values) => json_text(values)?,
        })
    }
}

fn json_text<T: serde::Serialize>(values: &T) -> rusqlite::Result<ToSqlOutput<'static>> {
    let text = serde_json::to_string(values)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(ToSqlOutput::Owned(rusqlite::types::Value::Text(text)))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Bool(value), _) => return value.to_sql_checked(ty, out),
            (Value::Int(value), &Type::INT4) => out.put_i32((*value).try_into()?),
            (Value::Int(value), _) => return value.to_sql_checked(ty, out),
            (Value::Text(text), _) => put_text(text, ty, out)?,
            (Value::Static(text), _) => put_text(text, ty, out)?,
            (Value::Shared(text), _) => put_text(text, ty, out)?,
            (Value::Bytes(value), _) => return value.to_sql_checked(ty, out),
            (Value::Time(value), _) => return to_micros(*value)?.to_sql_checked(ty, out),
            (Value::Ints(values), _) => return values.to_sql_checked(ty, out),
            (Value::Texts(values), _) => return values.to_sql_checked(ty, out),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Cut, as SQLite's microseconds are: the driver would round, and the engines would differ.
fn to_micros(value: Timestamp) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_microsecond(value.as_microsecond())
}

fn put_text(
    text: &str,
    ty: &Type,
    out: &mut BytesMut,
) -> Result<(), Box<dyn StdError + Sync + Send>> {
    match *ty {
        // jsonb's wire format is a version byte, 1, before the text.
        Type::JSONB => out.put_u8(1),
        Type::TEXT | Type::VARCHAR | Type::JSON | Type::BPCHAR | Type::NAME => {}
        _ => return Err(format!("text cannot be bound to a parameter of type {ty}").into()),
    }
    out.put_slice(text.as_bytes());
    Ok(())
}
