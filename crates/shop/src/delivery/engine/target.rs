//! Destinations as the engine sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use runout_store::{Db, Error, Result, Row, Statement};
use serde::Deserialize;

use super::sql;
use crate::App;
use crate::delivery::destinations::{secrets, url_place};
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
    /// Where a mirror's records lie: the address without a slash at its end; else nothing.
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

/// A destination whose address and secrets are still sealed.
pub(super) struct SealedTarget {
    sealed_url: String,
    target: Target,
}

/// The active destinations, by id.
pub(super) async fn active(db: &Db) -> Result<Vec<(i64, Stamp, SealedTarget)>> {
    let targets = db.read(Statement::new(&sql::TARGETS, Vec::new()), read).await?;
    let named = |sealed: SealedTarget| (sealed.target.id, sealed.target.stamp, sealed);
    Ok(targets.into_iter().map(named).collect())
}

impl SealedTarget {
    /// Opens the address, reads the secrets and opens them.
    pub(super) async fn opened(self, app: &App) -> Result<Target> {
        let Self { sealed_url, mut target } = self;
        let url = app.sealer.open(&url_place(target.id), &sealed_url)?;
        target.url = url.text()?.to_owned();
        // Statements have it as a parameter, which a driver may log: never with a password.
        if target.kind == Kind::Rest {
            target.origin = target.url.trim_end_matches('/').into();
        }
        let params = vec![target.id.into(), app.clock.now().into()];
        let secrets = app.db.read(Statement::new(&sql::SECRETS, params), |row| {
            let broken = |reason: String| Error::Decode { column: 1, reason };
            let place = secrets::place(target.id, row.get(0)?);
            let opened = app.sealer.open(&place, &row.get::<String>(1)?)?;
            let secret = opened.text()?.parse::<Secret>();
            Ok((secret.map_err(|error| broken(error.to_string()))?, row.get(2)?))
        });
        target.secrets = secrets.await?;
        Ok(target)
    }
}

impl Target {
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

fn read(row: &Row<'_>) -> Result<SealedTarget> {
    let broken = |column, reason: String| Error::Decode { column, reason };
    let kind = match row.get::<String>(1)?.as_str() {
        "rest" => Kind::Rest,
        "webhook" => Kind::Webhook,
        "amqp" => Kind::Amqp,
        other => return Err(broken(1, format!("no kind of destination: {other:?}"))),
    };
    let resources = match row.get::<Option<String>>(3)? {
        Some(text) => serde_json::from_str(&text).map_err(|e| broken(3, e.to_string()))?,
        None => BTreeMap::new(),
    };
    let target = Target {
        id: row.get(0)?,
        kind,
        url: String::new(),
        origin: Arc::from(""),
        resources,
        exchange: row.get(4)?,
        allow_private: row.get(5)?,
        secrets: Vec::new(),
        stamp: Stamp(row.get(6)?, row.get(7)?),
    };
    Ok(SealedTarget { sealed_url: row.get(2)?, target })
}
