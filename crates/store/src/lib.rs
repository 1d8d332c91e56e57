//! The database seam: SQLite and PostgreSQL behind one narrow API.
//!
//! Statements are static text ([`statements!`]) or composed from static fragments ([`Composer`]).
//! A read is [`Db::read`]; a write is a [`Transaction`], a value that [`Db::transact`] runs, again
//! after a conflict. No code outside this crate holds a connection or an open transaction, and no
//! client's text ever becomes SQL.

mod db;
mod error;
mod ids;
mod migrate;
mod postgres;
mod row;
mod sql;
mod sqlite;
mod transaction;
mod value;

pub use db::{DatabaseUrl, Db, Engine};
pub use error::{Cause, Error, Result};
pub use ids::Ids;
pub use migrate::{MIGRATIONS, Migration, migrate, migrate_to};
pub use row::{Cell, Row, Rows};
pub use sql::{Composer, Sql, Statement, numbered};
pub use transaction::{Step, Transaction};
pub use value::Value;

/// This crate's own statements, for the registry test.
pub fn statements() -> Vec<&'static Sql> {
    [db::STATEMENTS, ids::STATEMENTS, migrate::STATEMENTS].concat()
}
