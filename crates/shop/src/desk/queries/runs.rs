//! Runs of imports and of the proof.

use jiff::Timestamp;
use runout_store::{Db, Result, Row, Statement, statements};
use serde_json::Value;

statements! {
    IMPORTS = "select r.id, r.status, r.file_name, r.bytes, r.encoding, a.username, r.uploaded_at,
            r.started_at, r.finished_at, r.bytes_done, r.created, r.updated, r.unchanged, r.failed,
            r.failure
        from import_run r join account a on a.id = r.actor_id order by r.id desc limit $1";
    IMPORT = "select r.id, r.status, r.file_name, r.bytes, r.encoding, a.username, r.uploaded_at,
            r.started_at, r.finished_at, r.bytes_done, r.created, r.updated, r.unchanged, r.failed,
            r.failure
        from import_run r join account a on a.id = r.actor_id where r.id = $1";
    IMPORT_ERRORS = "select errors from import_run where id = $1";
    PROOFS = "select r.id, r.status, a.username, r.started_at, r.finished_at, r.checks, r.failure
        from verify_run r join account a on a.id = r.actor_id order by r.id desc limit $1";
    PROOF = "select r.id, r.status, a.username, r.started_at, r.finished_at, r.checks, r.failure
        from verify_run r join account a on a.id = r.actor_id where r.id = $1";
}

/// An import, as it stands.
#[derive(Debug, Clone)]
pub(in crate::desk) struct ImportRun {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) status: String,
    pub(in crate::desk) file_name: String,
    pub(in crate::desk) bytes: i64,
    /// As chosen; `None`: recognised.
    pub(in crate::desk) encoding: Option<String>,
    pub(in crate::desk) who: String,
    pub(in crate::desk) uploaded_at: Timestamp,
    pub(in crate::desk) started_at: Option<Timestamp>,
    pub(in crate::desk) finished_at: Option<Timestamp>,
    pub(in crate::desk) bytes_done: i64,
    pub(in crate::desk) created: i64,
    pub(in crate::desk) updated: i64,
    pub(in crate::desk) unchanged: i64,
    pub(in crate::desk) failed: i64,
    pub(in crate::desk) failure: Option<String>,
}

fn import(row: &Row<'_>) -> Result<ImportRun> {
    Ok(ImportRun {
        id: row.get(0)?,
        status: row.get(1)?,
        file_name: row.get(2)?,
        bytes: row.get(3)?,
        encoding: row.get(4)?,
        who: row.get(5)?,
        uploaded_at: row.get(6)?,
        started_at: row.get(7)?,
        finished_at: row.get(8)?,
        bytes_done: row.get(9)?,
        created: row.get(10)?,
        updated: row.get(11)?,
        unchanged: row.get(12)?,
        failed: row.get(13)?,
        failure: row.get(14)?,
    })
}

/// The newest imports.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn imports(db: &Db, at_most: i64) -> Result<Vec<ImportRun>> {
    db.read(Statement::new(&IMPORTS, vec![at_most.into()]), import).await
}

/// One import.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn import_run(db: &Db, id: i64) -> Result<Option<ImportRun>> {
    db.read_one(Statement::new(&IMPORT, vec![id.into()]), import).await
}

/// The faults of an import: a list of objects.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn import_errors(db: &Db, id: i64) -> Result<Option<Value>> {
    db.read_one(Statement::new(&IMPORT_ERRORS, vec![id.into()]), |row| row.get(0)).await
}

/// A proof, as it stands.
#[derive(Debug, Clone)]
pub(in crate::desk) struct Proof {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) status: String,
    pub(in crate::desk) who: String,
    pub(in crate::desk) started_at: Timestamp,
    pub(in crate::desk) finished_at: Option<Timestamp>,
    /// A list of objects: name, examined, violation_count, violations.
    pub(in crate::desk) checks: Value,
    pub(in crate::desk) failure: Option<String>,
}

fn proof(row: &Row<'_>) -> Result<Proof> {
    Ok(Proof {
        id: row.get(0)?,
        status: row.get(1)?,
        who: row.get(2)?,
        started_at: row.get(3)?,
        finished_at: row.get(4)?,
        checks: row.get(5)?,
        failure: row.get(6)?,
    })
}

/// The newest proofs.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn proofs(db: &Db, at_most: i64) -> Result<Vec<Proof>> {
    db.read(Statement::new(&PROOFS, vec![at_most.into()]), proof).await
}

/// One proof.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn one_proof(db: &Db, id: i64) -> Result<Option<Proof>> {
    db.read_one(Statement::new(&PROOF, vec![id.into()]), proof).await
}
