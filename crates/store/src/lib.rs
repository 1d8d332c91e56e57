//! The database seam: SQLite and PostgreSQL behind one narrow API.
//!
//! Statements are static text ([`statements!`]) or composed from static fragments ([`Composer`]).
//! No client's text ever becomes SQL.

mod error;
mod sql;
mod value;

pub use error::{Cause, Error, Result};
pub use sql::{Composer, Sql, Statement, numbered};
pub use value::Value;
