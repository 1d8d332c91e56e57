//! Replacing values by sealed ones, for whichever capability they belong to: what they say stays.

use runout_store::{Composer, Db, Engine, Result, Rows, Statement, Step, Transaction};

use super::SealedColumn;
use super::queries::Found;

/// A value and the sealed one that takes its place.
pub(super) struct Replacement {
    pub found: Found,
    pub value: String,
}

/// Replaces those values that are still as they were found, and gives how many that were.
pub(super) async fn replace(
    db: &Db,
    column: &'static SealedColumn,
    replacements: Vec<Replacement>,
) -> Result<u64> {
    if replacements.is_empty() {
        return Ok(0);
    }
    db.transact(Replace { column, replacements }).await
}

struct Replace {
    column: &'static SealedColumn,
    replacements: Vec<Replacement>,
}

impl Replace {
    fn statement(&self, replacement: &Replacement) -> Statement {
        let SealedColumn { table, column, key, .. } = self.column;
        let mut sql = Composer::new("update ");
        sql.push(table).push(" set ").push(column).push(" = ").bind(&*replacement.value);
        sql.push(" where ").push(column).push(" = ").bind(&*replacement.found.value);
        for (key, value) in key.iter().zip(&replacement.found.key) {
            sql.push(" and ").push(key.name()).push(" = ").bind(value.clone());
        }
        sql.push(" returning 1");
        sql.finish()
    }
}

impl Transaction for Replace {
    type Output = u64;

    fn name(&self) -> &'static str {
        "replace_sealed_values"
    }

    /// In the order of the primary keys, as everybody locks rows.
    fn load(&self) -> Vec<Statement> {
        self.replacements.iter().map(|replacement| self.statement(replacement)).collect()
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<u64>> {
        let replaced = loaded.iter().filter(|rows| !rows.is_empty()).count();
        Ok(Step::Store(Vec::new(), replaced as u64))
    }
}

/// Has SQLite overwrite what is deleted, so that no page keeps what lay open; or not any more.
/// (PostgreSQL overwrites nothing: old row versions go with its next vacuum.)
pub(super) async fn overwrite_what_is_deleted(db: &Db, on: bool) -> Result<()> {
    match (db.engine(), on) {
        (Engine::Postgres, _) => Ok(()),
        (Engine::Sqlite, true) => db.script("pragma secure_delete = on").await,
        (Engine::Sqlite, false) => db.script("pragma secure_delete = off").await,
    }
}
