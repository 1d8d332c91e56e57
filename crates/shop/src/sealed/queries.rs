//! Reading sealed columns, page by page. Composed of the registry's static names.

use std::collections::BTreeSet;

use runout_store::{Composer, Db, Result, Row, Statement, Value};

use super::{COLUMNS, KeyColumn, SealedColumn};
use crate::platform::seal::PREFIX;

/// Values that are read, and sealed, at a time.
pub(super) const PAGE: i64 = 200;

/// Which values of a column are looked for.
pub(super) enum Which {
    Every,
    /// Those that are not sealed.
    Open,
    /// Those that do not begin with this, see [`Sealer::current_prefix`].
    ///
    /// [`Sealer::current_prefix`]: crate::platform::seal::Sealer::current_prefix
    NotBy(String),
}

/// A value where it was found.
pub(super) struct Found {
    /// The primary key.
    pub key: Vec<Value>,
    /// The primary key as [`Place`](crate::platform::seal::Place) has it.
    pub row: String,
    pub value: String,
}

impl KeyColumn {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Int(name) | Self::Text(name) => name,
        }
    }
}

impl SealedColumn {
    fn read(&self, row: &Row<'_>) -> Result<Found> {
        let (mut key, mut parts) = (Vec::new(), Vec::new());
        for (at, column) in self.key.iter().enumerate() {
            match column {
                KeyColumn::Int(_) => {
                    let number: i64 = row.get(at)?;
                    parts.push(number.to_string());
                    key.push(Value::Int(number));
                }
                KeyColumn::Text(_) => {
                    let text: String = row.get(at)?;
                    parts.push(text.clone());
                    key.push(Value::Text(text));
                }
            }
        }
        Ok(Found { value: row.get(key.len())?, key, row: parts.join("/") })
    }
}

/// Adds the names of the primary key's columns.
fn push_key(sql: &mut Composer, column: &SealedColumn) {
    for (at, key) in column.key.iter().enumerate() {
        sql.push(if at == 0 { "" } else { ", " }).push(key.name());
    }
}

fn compose(column: &SealedColumn, which: &Which, after: &[Value]) -> Statement {
    let mut sql = Composer::new("select ");
    push_key(&mut sql, column);
    sql.push(", ").push(column.column).push(" from ").push(column.table);
    sql.push(" where ").push(column.column).push(" is not null");
    match which {
        Which::Every => {}
        Which::Open => {
            sql.push(" and substr(").push(column.column).push(", 1, 4) <> ").bind(PREFIX);
        }
        Which::NotBy(prefix) => {
            sql.push(" and substr(").push(column.column).push(", 1, 13) <> ").bind(&**prefix);
        }
    }
    if !after.is_empty() {
        sql.push(" and (");
        push_key(&mut sql, column);
        sql.push(") > (");
        for (at, value) in after.iter().enumerate() {
            sql.push(if at == 0 { "" } else { ", " }).bind(value.clone());
        }
        sql.push(")");
    }
    sql.push(" order by ");
    push_key(&mut sql, column);
    sql.push(" limit ").bind(PAGE);
    sql.finish()
}

/// Values of a column behind a primary key, at most [`PAGE`].
pub(super) async fn page(
    db: &Db,
    column: &SealedColumn,
    which: &Which,
    after: &[Value],
) -> Result<Vec<Found>> {
    db.read(compose(column, which, after), |row| column.read(row)).await
}

/// The ids of the keys that something is sealed with.
pub(super) async fn key_ids(db: &Db) -> Result<Vec<String>> {
    let mut ids = BTreeSet::new();
    for column in COLUMNS {
        let mut sql = Composer::new("select distinct substr(");
        sql.push(column.column).push(", 5, 8) from ").push(column.table);
        sql.push(" where substr(").push(column.column).push(", 1, 4) = ").bind(PREFIX);
        ids.extend(db.read(sql.finish(), |row| row.get::<String>(0)).await?);
    }
    Ok(ids.into_iter().collect())
}
