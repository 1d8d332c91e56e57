//! Convergence: compares what a mirror holds with what the shop holds, and has it repaired.
//!
//! Reads the remote page by page, keeps a digest per record, then goes over the things here. What
//! has deliveries that wait is not drift: it is on its way.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use axum::http::{Method, header};
use jiff::Timestamp;
use runout_store::{Result as StoreResult, Row, Rows, Statement, Step, Transaction};
use serde_json::{Map, Value};

use super::destinations::url_place;
use super::engine::mirror::{self, ANSWER_BYTES_MAX, digest_of, in_remote_words, key_of, records};
use super::engine::{Resource, Settings, Thing, refresh};
use super::http::{Outbound, Outgoing};
use super::sql;
use crate::App;

/// Records that are asked for at once.
const PAGE: usize = 100;
/// Records of one kind that are compared.
const RECORDS_MAX: usize = 1_000_000;
/// Things here that are read at once.
const THINGS_PAGE: i64 = 500;
/// Things whose names are told.
const NAMED_MAX: usize = 20;

/// How one kind of thing compares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    pub entity: String,
    pub here: u64,
    pub there: u64,
    /// Alike.
    pub same: u64,
    /// With deliveries that wait.
    pub on_their_way: u64,
    /// Here, but not there.
    pub missing: Vec<i64>,
    /// There, but with other words.
    pub different: Vec<i64>,
    /// There, but no longer here: by their ids here.
    pub left_over: Vec<i64>,
    /// There, and never known here: by their ids there.
    pub unknown: Vec<String>,
}

impl Drift {
    /// Things that a repair would send again.
    pub fn repairable(&self) -> impl Iterator<Item = i64> {
        self.missing.iter().chain(&self.different).chain(&self.left_over).copied()
    }

    /// True if the remote holds what the shop holds, and nothing else.
    pub fn is_none(&self) -> bool {
        self.repairable().next().is_none() && self.unknown.is_empty()
    }
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { entity, here, there, same, on_their_way, .. } = self;
        write!(
            f,
            "{entity}: {here} here, {there} there, {same} alike, {on_their_way} on their way"
        )?;
        let named = |ids: &[i64]| {
            let names: Vec<String> = ids.iter().take(NAMED_MAX).map(i64::to_string).collect();
            format!("{}{}", names.join(", "), if ids.len() > NAMED_MAX { ", ..." } else { "" })
        };
        for (what, ids) in [
            ("missing", &self.missing),
            ("different", &self.different),
            ("left over", &self.left_over),
        ] {
            if !ids.is_empty() {
                write!(f, "\n  {} {what}: {}", ids.len(), named(ids))?;
            }
        }
        if !self.unknown.is_empty() {
            let keys: Vec<&str> = self.unknown.iter().take(NAMED_MAX).map(String::as_str).collect();
            let more = if self.unknown.len() > NAMED_MAX { ", ..." } else { "" };
            write!(f, "\n  {} unknown there: {}{more}", self.unknown.len(), keys.join(", "))?;
        }
        Ok(())
    }
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("there is no destination {0:?}: GET /api/v1/destinations lists them")]
    NoDestination(String),
    #[error("{0:?} is a {1} destination: only those of the kind rest can be read and compared")]
    NotAMirror(String, String),
    #[error("{url} could not be read: {reason}")]
    Unreadable { url: String, reason: String },
    #[error("{0} holds more than {RECORDS_MAX} records: too many to compare")]
    TooMany(String),
    #[error(transparent)]
    Store(#[from] runout_store::Error),
}

/// A mirror that can be checked.
#[derive(Debug)]
pub struct Mirror {
    pub id: i64,
    pub name: String,
    origin: String,
    resources: Vec<(String, Resource)>,
    allow_private: bool,
}

/// Finds a mirror by its name, or by its id.
///
/// # Errors
/// When there is none, or it cannot be read by its nature.
pub async fn find(app: &App, name: &str) -> Result<Mirror, CheckError> {
    let id = name.parse::<i64>().unwrap_or_default();
    let statement = Statement::new(&sql::MIRROR, vec![name.into(), id.into()]);
    let found = app.db.read_one(statement, |row| read_mirror(app, row)).await?;
    let (kind, mirror) = found.ok_or_else(|| CheckError::NoDestination(name.to_owned()))?;
    match kind.as_str() {
        "rest" => Ok(mirror),
        _ => Err(CheckError::NotAMirror(mirror.name, kind)),
    }
}

fn read_mirror(app: &App, row: &Row<'_>) -> StoreResult<(String, Mirror)> {
    let broken =
        |e: serde_json::Error| runout_store::Error::Decode { column: 4, reason: e.to_string() };
    let resources: HashMap<String, Resource> = match row.get::<Option<String>>(4)? {
        Some(text) => serde_json::from_str(&text).map_err(broken)?,
        None => HashMap::new(),
    };
    let mut resources: Vec<_> = resources.into_iter().collect();
    // What belongs to others comes after them, so that it can be created.
    resources.sort_by_key(|(entity, _)| mirror::ENTITIES.iter().position(|e| e == entity));
    let id = row.get(0)?;
    let url = app.sealer.open(&url_place(id), &row.get::<String>(3)?)?;
    let mirror = Mirror {
        id,
        name: row.get(1)?,
        origin: url.text()?.trim_end_matches('/').to_owned(),
        resources,
        allow_private: row.get(5)?,
    };
    Ok((row.get(2)?, mirror))
}

/// Compares; `told` hears of every page that was read, with the number of records so far.
///
/// # Errors
/// When the remote or the database cannot be read.
pub async fn check(
    app: &App,
    mirror: &Mirror,
    settings: &Settings,
    told: &mut (dyn FnMut(&str, usize) + Send),
) -> Result<Vec<Drift>, CheckError> {
    let reader = Reader { mirror, outbound: Outbound::new(), timeout: settings.timeout };
    let mut drifts = Vec::new();
    for (entity, resource) in &mirror.resources {
        let there = reader.all(entity, resource, told).await?;
        drifts.push(compare(app, mirror, entity, resource, there).await?);
    }
    Ok(drifts)
}

/// Gives everything that differs a delivery. Answers how many.
///
/// # Errors
/// The database's.
pub async fn repair(app: &App, mirror: &Mirror, drifts: &[Drift]) -> Result<usize, CheckError> {
    let now = app.clock.now();
    let event = app.db.transact(NoteRepair { destination_id: mirror.id, now }).await?;
    let mut given = 0;
    for drift in drifts {
        let things = drift.repairable().map(|id| Thing { entity: (&*drift.entity).into(), id });
        let things: Vec<Thing> = things.collect();
        for page in things.chunks(PAGE) {
            given += refresh::send_for(app, mirror.id, page.to_vec(), event).await?;
        }
    }
    Ok(given)
}

/// What each record says, as a digest, by its id there.
type Digests = HashMap<String, [u8; 32]>;

/// Reads a collection to its end.
struct Reader<'a> {
    mirror: &'a Mirror,
    outbound: Outbound,
    timeout: Duration,
}

impl Reader<'_> {
    async fn page(&self, url: &str) -> Result<Vec<Map<String, Value>>, CheckError> {
        let unreadable = |reason: String| CheckError::Unreadable { url: url.to_owned(), reason };
        let mut outgoing = Outgoing::new(Method::GET, url, self.timeout);
        outgoing.headers.push((header::ACCEPT, "application/json".to_owned()));
        outgoing.allow_private = self.mirror.allow_private;
        outgoing.answer_bytes_max = ANSWER_BYTES_MAX;
        let answer = self.outbound.send(&outgoing).await;
        let answer = answer.map_err(|error| unreadable(error.to_string()))?;
        if answer.status != 200 || answer.truncated {
            return Err(unreadable(format!("answered {}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|e| unreadable(e.to_string()))
    }

    async fn all(
        &self,
        entity: &str,
        resource: &Resource,
        told: &mut (dyn FnMut(&str, usize) + Send),
    ) -> Result<Digests, CheckError> {
        let collection = format!("{}{}", self.mirror.origin, resource.path.trim_end_matches('/'));
        let mut digests = Digests::new();
        for page in 1.. {
            let found = self.page(&format!("{collection}?_page={page}&_limit={PAGE}")).await?;
            let (before, count) = (digests.len(), found.len());
            for record in found {
                let digest = digest_of(entity, resource, &record);
                if let Some(key) = key_of(&Value::Object(record)) {
                    digests.insert(key, digest);
                }
            }
            told(entity, digests.len());
            if digests.len() > RECORDS_MAX {
                return Err(CheckError::TooMany(collection));
            }
            // A remote that knows nothing of pages gives the same one again.
            if count < PAGE || digests.len() == before {
                break;
            }
        }
        Ok(digests)
    }
}

async fn compare(
    app: &App,
    mirror: &Mirror,
    entity: &str,
    resource: &Resource,
    mut there: Digests,
) -> Result<Drift, CheckError> {
    let db = &app.db;
    let mut drift = Drift { entity: entity.to_owned(), ..Drift::default() };
    drift.there = there.len() as u64;
    let mut above = 0;
    loop {
        let ids = mirror::ids_above(db, entity, above, THINGS_PAGE).await?;
        let Some(last) = ids.last() else { break };
        above = *last;
        let known = records::of_all(db, &mirror.origin, entity, ids.clone()).await?;
        let waiting = waiting(app, mirror.id, entity, ids.clone()).await?;
        let things = mirror::many(db, entity, ids).await?;
        let parents = parents(app, mirror, &things).await?;
        for thing in things {
            drift.here += 1;
            let key = known.get(&thing.id).and_then(|known| known.key.clone());
            let digest_there = key.and_then(|key| there.remove(&key));
            let parent = thing.parent.as_ref().and_then(|parent| parents.get(&parent.id));
            let parent_key = parent.and_then(|parent| parent.key.as_deref());
            let words = in_remote_words(resource, &thing, parent_key);
            let digest_here = digest_of(entity, resource, &words);
            match digest_there {
                _ if waiting.contains(&thing.id) => drift.on_their_way += 1,
                Some(digest) if digest == digest_here => drift.same += 1,
                Some(_) => drift.different.push(thing.id),
                None => drift.missing.push(thing.id),
            }
        }
    }
    let mut keys: Vec<String> = there.into_keys().collect();
    keys.sort_by_key(|key| (key.len(), key.clone()));
    for page in keys.chunks(PAGE) {
        let taken = records::taken(db, &mirror.origin, entity, page).await?;
        let waiting = waiting(app, mirror.id, entity, taken.values().copied().collect()).await?;
        for key in page {
            match taken.get(key) {
                Some(id) if waiting.contains(id) => drift.on_their_way += 1,
                Some(id) => drift.left_over.push(*id),
                None => drift.unknown.push(key.clone()),
            }
        }
    }
    Ok(drift)
}

async fn waiting(
    app: &App,
    destination_id: i64,
    entity: &str,
    ids: Vec<i64>,
) -> StoreResult<HashSet<i64>> {
    let params = vec![destination_id.into(), entity.into(), ids.into()];
    let waiting = app.db.read(Statement::new(&sql::WAITING, params), |row| row.get(0));
    Ok(waiting.await?.into_iter().collect())
}

async fn parents(
    app: &App,
    mirror: &Mirror,
    things: &[mirror::Local],
) -> StoreResult<HashMap<i64, records::Known>> {
    let Some(entity) = things.iter().find_map(|thing| thing.parent.as_ref()) else {
        return Ok(HashMap::new());
    };
    let ids = things.iter().filter_map(|thing| thing.parent.as_ref().map(|parent| parent.id));
    records::of_all(&app.db, &mirror.origin, &entity.entity, ids.collect()).await
}

/// Writes the event that a repair's deliveries are told with.
struct NoteRepair {
    destination_id: i64,
    now: Timestamp,
}

impl Transaction for NoteRepair {
    type Output = i64;

    fn name(&self) -> &'static str {
        "note_repair"
    }

    fn load(&self) -> Vec<Statement> {
        let params = vec![self.now.into(), self.destination_id.into()];
        vec![Statement::new(&sql::NOTE_REPAIR, params)]
    }

    fn decide(&self, loaded: &[Rows]) -> StoreResult<Step<i64>> {
        let reason = || "the event has no id".to_owned();
        let missing = || runout_store::Error::Decode { column: 0, reason: reason() };
        let id = loaded[0].first().ok_or_else(missing)?.get(0)?;
        Ok(Step::Store(Vec::new(), id))
    }
}
