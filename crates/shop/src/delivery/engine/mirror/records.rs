//! What remotes call our things.

use std::collections::HashMap;

use runout_store::{Db, Result, Statement, Value};

use super::super::window::Thing;
use super::{local, sql};

/// A thing's record at a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// None: it was sent, but has no id of its own there.
    pub key: Option<String>,
    /// What it was told last; none: it came from there.
    pub digest: Option<Vec<u8>>,
}

/// A thing's record.
///
/// # Errors
/// The database's.
pub(crate) async fn of(db: &Db, origin: &str, thing: &Thing) -> Result<Option<Known>> {
    let known = of_all(db, origin, &thing.entity, vec![thing.id]).await?;
    Ok(known.into_values().next())
}

/// The records of many things of one kind, by their ids.
///
/// # Errors
/// The database's.
pub(crate) async fn of_all(
    db: &Db,
    origin: &str,
    entity: &str,
    ids: Vec<i64>,
) -> Result<HashMap<i64, Known>> {
    let params = vec![origin.into(), entity.into(), Value::Ints(ids)];
    let rows = db.read(Statement::new(&sql::RECORDS, params), |row| {
        Ok((row.get(0)?, Known { key: row.get(1)?, digest: row.get(2)? }))
    });
    Ok(rows.await?.into_iter().collect())
}

/// Which of these ids of a remote are taken, and by what.
///
/// # Errors
/// The database's.
pub(crate) async fn taken(
    db: &Db,
    origin: &str,
    entity: &str,
    keys: &[String],
) -> Result<HashMap<String, i64>> {
    let params = vec![origin.into(), entity.into(), Value::Texts(keys.to_vec())];
    let rows = db.read(Statement::new(&sql::TAKEN, params), |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(rows.await?.into_iter().collect())
}

/// Another thing, which is still here, that has this id there.
///
/// A thing that is no longer here does not count: its record may have been removed a moment ago,
/// and the remote may have given its id again.
///
/// # Errors
/// The database's.
pub(crate) async fn others(db: &Db, origin: &str, thing: &Thing, key: &str) -> Result<Option<i64>> {
    let keys = vec![key.to_owned()];
    let params = vec![origin.into(), (&*thing.entity).into(), Value::Texts(keys)];
    let rows = db.read(Statement::new(&sql::TAKEN, params), |row| row.get::<i64>(1));
    let ids: Vec<i64> = rows.await?.into_iter().filter(|id| *id != thing.id).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    Ok(local::many(db, &thing.entity, ids).await?.first().map(|local| local.id))
}

/// True if a thing has deliveries to this destination that wait.
///
/// # Errors
/// The database's.
pub(crate) async fn waits(db: &Db, destination_id: i64, thing: &Thing) -> Result<bool> {
    let params = vec![destination_id.into(), (&*thing.entity).into(), thing.id.into()];
    let found = db.read_one(Statement::new(&sql::WAITS, params), |row| row.get::<i64>(0));
    Ok(found.await?.is_some())
}

/// True if something that belongs to a thing, and is known there, has deliveries that wait.
///
/// # Errors
/// The database's.
pub(crate) async fn children_wait(
    db: &Db,
    destination_id: i64,
    origin: &str,
    thing: &Thing,
) -> Result<bool> {
    let Some(child) = local::child_of(&thing.entity) else { return Ok(false) };
    let params = vec![destination_id.into(), origin.into(), child.into(), thing.id.into()];
    let found = db.read_one(Statement::new(&sql::CHILDREN_WAIT, params), |row| row.get::<i64>(0));
    Ok(found.await?.is_some())
}

/// True if another thing of its kind waits to be created there.
///
/// # Errors
/// The database's.
pub(super) async fn others_wait(
    db: &Db,
    destination_id: i64,
    origin: &str,
    thing: &Thing,
) -> Result<bool> {
    let (entity, id) = ((&*thing.entity).into(), thing.id.into());
    let params = vec![destination_id.into(), origin.into(), entity, id];
    let found = db.read_one(Statement::new(&sql::OTHERS_WAIT, params), |row| row.get::<i64>(0));
    Ok(found.await?.is_some())
}
