//! Destinations as the engine sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use runout_store::{Db, Error, Result, Row, Statement};
use serde::Deserialize;

use super::sql;
use crate::delivery::signing::Secret;

/// How a destination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rest,
    Webhook,
    Amqp,
}

/// How one kind of thing is mirrored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Resource {
    /// Where the collection lies, below the destination's address: `/posts`.
    pub path: String,
    /// What fields are called there, where it differs.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Changes are sent by PATCH instead of PUT.
    #[serde(default)]
    pub patch: bool,
}

/// A destination that is active.
#[derive(Debug)]
pub(crate) struct Target {
    pub id: i64,
    pub kind: Kind,
    pub url: String,
    /// Where a mirror's records lie: the address without a slash at its end.
    pub origin: Arc<str>,
    pub resources: BTreeMap<String, Resource>,
    pub exchange: Option<String>,
    pub allow_private: bool,
    /// Newest first, with the moment until which each signs.
    pub secrets: Vec<(Secret, Option<Timestamp>)>,
    /// Changes with everything above.
    pub stamp: Stamp,
}

/// Changes with a destination's settings and its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(i64, i64);

/// The active destinations, by id; their secrets are not read yet.
pub(super) async fn active(db: &Db) -> Result<Vec<(i64, Stamp, Target)>> {
    let targets = db.read(Statement::new(&sql::TARGETS, Vec::new()), read).await?;
    Ok(targets.into_iter().map(|target| (target.id, target.stamp, target)).collect())
}

impl Target {
    /// Reads the secrets.
    pub(super) async fn with_secrets(mut self, db: &Db, now: Timestamp) -> Result<Self> {
        let statement = Statement::new(&sql::SECRETS, vec![self.id.into(), now.into()]);
        let secrets = db.read(statement, |row| {
            let broken = |reason: String| Error::Decode { column: 0, reason };
            let secret = row.get::<String>(0)?.parse::<Secret>();
            Ok((secret.map_err(|error| broken(error.to_string()))?, row.get(1)?))
        });
        self.secrets = secrets.await?;
        Ok(self)
    }

    /// Those that sign at a moment, newest first.
    pub(super) fn signing(&self, now: Timestamp) -> Vec<Secret> {
        let signs = |end: &Option<Timestamp>| end.is_none_or(|end| end > now);
        self.secrets
            .iter()
            .filter(|(_, end)| signs(end))
            .map(|(secret, _)| secret.clone())
            .collect()
    }
}

fn read(row: &Row<'_>) -> Result<Target> {
    let broken = |column, reason: String| Error::Decode { column, reason };
    let kind = match row.get::<String>(1)?.as_str() {
        "rest" => Kind::Rest,
        "webhook" => Kind::Webhook,
        "amqp" => Kind::Amqp,
        other => return Err(broken(1, format!("no kind of destination: {other:?}"))),
    };
    let url: String = row.get(2)?;
    let resources = match row.get::<Option<String>>(3)? {
        Some(text) => serde_json::from_str(&text).map_err(|e| broken(3, e.to_string()))?,
        None => BTreeMap::new(),
    };
    Ok(Target {
        id: row.get(0)?,
        kind,
        origin: url.trim_end_matches('/').into(),
        url,
        resources,
        exchange: row.get(4)?,
        allow_private: row.get(5)?,
        secrets: Vec::new(),
        stamp: Stamp(row.get(6)?, row.get(7)?),
    })
}
