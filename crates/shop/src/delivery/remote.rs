//! Which record of a remote system is which thing here.

pub(crate) mod sql;

use jiff::Timestamp;
use runout_store::{Statement, Value};

use crate::platform::command::columns;
use sql::{RECORDS_OF, REMEMBER};

/// A thing here, and the record that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRecord {
    /// Such as `post`.
    pub entity: &'static str,
    pub entity_id: i64,
    /// The id there.
    pub remote_key: String,
    /// What it belongs to, such as a comment's post.
    pub parent_id: Option<i64>,
}

/// Stores which records of the remote system at `origin` (an address without a slash at its end)
/// are which things here, as of `now`.
pub fn records(origin: &str, records: Vec<RemoteRecord>, now: Timestamp) -> Statement {
    let row = |record: RemoteRecord| {
        let RemoteRecord { entity, entity_id, remote_key, parent_id } = record;
        let (origin, parent): (Value, Value) = (origin.into(), parent_id.into());
        vec![origin, entity.into(), entity_id.into(), remote_key.into(), parent, now.into()]
    };
    Statement::bulk(&REMEMBER, columns(records.into_iter().map(row).collect(), 6))
}

/// Asks which things of a kind are records of the remote system at `origin`: rows of
/// `entity_id, remote_key`.
pub fn records_of(origin: &str, entity: &'static str) -> Statement {
    Statement::new(&RECORDS_OF, vec![origin.into(), entity.into()])
}
