//! Mirrors: remote APIs that are to hold what the shop holds.
//!
//! Only the latest state counts. An attempt reads the thing as it is now, and one call covers every
//! delivery of it that waits. What the remote calls a thing stands in `remote_record`.
//!
//! A creation whose answer was lost may have been carried out. Before it is sent again the remote
//! is searched for a record that says the same and is nobody else's: it is ours.

mod claims;
mod local;
pub(crate) mod records;
mod search;
pub(crate) mod sql;

use axum::http::{Method, header};
use jiff::Timestamp;
use runout_core::delivery::{self as core, Next, Parent, Remote, Surroundings};
use runout_store::Error;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::attempt::{
    Attempted, Came, Failure, FailureKind, Job, Line, cut_off, idempotency_key, judge,
};
use super::settle::Record;
use super::target::Resource;
use super::window::{Delivery, Thing};
use crate::delivery::envelope;
use crate::delivery::http::{Answer, Outgoing};

pub(super) use claims::Claims;
pub(crate) use local::{ENTITIES, Local, field_names, ids_above, local, many};

/// Longest answer that is read of a remote, in bytes: of a list when it is searched.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Brings the remote up to date about one thing.
pub(super) async fn bring_up_to_date(line: &Line, job: &Job) -> Attempted {
    match attempt(line, job).await {
        Ok(attempted) => attempted,
        Err(Trouble::Failed(failure)) => Attempted::failed(failure),
        // Ours, not the remote's: it is tried again, and nobody is blamed.
        Err(Trouble::Here(error)) => {
            tracing::warn!(%error, "a thing could not be read for its mirror");
            Attempted { covered: 1, came: Came::NotYet { missing: None }, record: None }
        }
    }
}

/// Why there is no attempt to tell of.
enum Trouble {
    Failed(Failure),
    Here(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn attempt(line: &Line, job: &Job) -> Result<Attempted, Trouble> {
    let (db, origin, thing) = (&line.app.db, &line.target.origin, &job.thing);
    let covered = job.deliveries.len();
    let Some(resource) = line.target.resources.get(&*thing.entity) else {
        // It was mirrored when this was handed out, and is no longer.
        return Ok(Attempted::delivered(covered, None));
    };
    let local = local(db, thing).await?;
    let known = records::of(db, origin, thing).await?;
    let parent = local.as_ref().and_then(|local| local.parent.clone());
    let parent_record = match &parent {
        Some(parent) => records::of(db, origin, parent).await?,
        None => None,
    };
    let surroundings = Surroundings {
        here: local.is_some(),
        remote: match &known {
            None => Remote::Unknown,
            Some(record) if record.key.is_some() => Remote::Known,
            Some(_) => Remote::Nameless,
        },
        parent: match &parent_record {
            Some(_) => Parent::Ready,
            None => unsent_parent(line, parent.as_ref()).await?,
        },
        children_wait: local.is_none()
            && records::children_wait(db, line.target.id, origin, thing).await?,
    };
    let call = Call { line, job, resource };
    let (key, digest) = known.map(|record| (record.key, record.digest)).unwrap_or_default();
    let parent_key = parent_record.and_then(|record| record.key);
    match core::next(surroundings) {
        Next::Nothing => {
            call.remove_orphans().await?;
            Ok(Attempted::delivered(covered, Some(Record::Gone)))
        }
        Next::AwaitParent | Next::AwaitChildren => Ok(not_yet(None)),
        Next::SendParent => Ok(not_yet(parent)),
        Next::Remove => {
            let key = key.expect("what is known there has an id there");
            call.remove_what_is_ours(&key, digest.as_deref()).await
        }
        next @ (Next::Create | Next::Replace) => {
            let local = local.expect("it is here");
            let body = call.body(&local, parent_key.as_deref());
            let parent_id = parent.map(|parent| parent.id);
            let key = match (next, key) {
                (Next::Replace, Some(key)) if call.replace(&key, &body).await? => Some(key),
                // What was there has gone: it comes anew.
                _ => call.create(&body).await?,
            };
            let digest = digest_of(&thing.entity, resource, &body);
            Ok(Attempted::delivered(covered, Some(Record::Is { key, parent_id, digest })))
        }
    }
}

/// How things stand with a parent that was never sent.
async fn unsent_parent(line: &Line, parent: Option<&Thing>) -> Result<Parent, Trouble> {
    let mirrored = parent.filter(|p| line.target.resources.contains_key(&*p.entity));
    let Some(parent) = mirrored else { return Ok(Parent::Ready) };
    match records::waits(&line.app.db, line.target.id, parent).await? {
        true => Ok(Parent::Waiting),
        false => Ok(Parent::Missing),
    }
}

fn not_yet(missing: Option<Thing>) -> Attempted {
    Attempted { covered: 1, came: Came::NotYet { missing }, record: None }
}

/// Whose the record of an id is.
enum Owner {
    Ours,
    /// Another thing's, or nobody's.
    Another,
    /// It will be known when what others have been given is stored.
    Unclear,
}

/// What the calls about one thing share.
struct Call<'a> {
    line: &'a Line,
    job: &'a Job,
    resource: &'a Resource,
}

impl Call<'_> {
    /// The thing in the remote's words.
    fn body(&self, local: &Local, parent_key: Option<&str>) -> Map<String, Value> {
        in_remote_words(self.resource, local, parent_key)
    }

    fn collection(&self) -> String {
        format!("{}{}", self.line.target.origin, self.resource.path.trim_end_matches('/'))
    }

    fn member(&self, key: &str) -> String {
        format!("{}/{}", self.collection(), in_path(key))
    }

    fn outgoing(&self, method: Method, url: String, body: Option<&Map<String, Value>>) -> Outgoing {
        let mut outgoing = Outgoing::new(method, url, self.line.timeout);
        outgoing.allow_private = self.line.target.allow_private;
        outgoing.answer_bytes_max = ANSWER_BYTES_MAX;
        let json = "application/json".to_owned();
        outgoing.headers.push((header::ACCEPT, json.clone()));
        if let Some(body) = body {
            outgoing.headers.push((header::CONTENT_TYPE, json));
            outgoing.body = serde_json::to_vec(body).expect("JSON can be written").into();
        }
        if outgoing.method != Method::GET {
            let newest = self.job.deliveries.last().expect("an attempt is about a delivery");
            let key = idempotency_key(&self.line.target, newest);
            outgoing.headers.push((envelope::IDEMPOTENCY_KEY, envelope::quoted(&key)));
        }
        outgoing
    }

    fn now(&self) -> Timestamp {
        self.line.app.clock.now()
    }

    /// Sends; a 404 comes back as none.
    async fn send(&self, outgoing: Outgoing) -> Result<Option<Answer>, Failure> {
        match judge(self.line.outbound.send(&outgoing).await, &outgoing, self.now()) {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.status == Some(404) => Ok(None),
            Err(failure) if failure.status == Some(410) => {
                Err(Failure { kind: FailureKind::Refused, ..failure })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whose the record of this id is by now: some remotes give an id again when it is free, and a
    /// removal that was tried before may have freed it.
    async fn owner(&self, key: &str, digest: Option<&[u8]>) -> Result<Owner, Trouble> {
        let Call { line, job, resource } = self;
        let (db, origin) = (&line.app.db, &line.target.origin);
        if records::others(db, origin, &job.thing, key).await?.is_some() {
            return Ok(Owner::Another);
        }
        if !job.inherited && !job.failures.in_doubt {
            return Ok(Owner::Ours);
        }
        let answer = match self.send(self.outgoing(Method::GET, self.member(key), None)).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Owner::Another),
            // A remote that cannot be read is believed to give its ids once.
            Err(failure) if failure.kind == FailureKind::Refused => return Ok(Owner::Ours),
            Err(failure) => return Err(failure.into()),
        };
        let record: Option<Map<String, Value>> = serde_json::from_slice(&answer.body).ok();
        let told = record.map(|record| digest_of(&job.thing.entity, resource, &record));
        let as_told = told.as_ref().map(<[u8; 32]>::as_slice) == digest;
        // It says something else: a change of ours that was in doubt, or a creation of which the
        // id is not stored yet. Then there is somebody who waits for an id.
        match as_told || !records::others_wait(db, line.target.id, origin, &job.thing).await? {
            true => Ok(Owner::Ours),
            false => Ok(Owner::Unclear),
        }
    }

    /// Removes what a creation has left that was in doubt, and of which the thing has gone since.
    async fn remove_orphans(&self) -> Result<(), Trouble> {
        let Call { job, .. } = self;
        if !job.inherited && !job.failures.in_doubt {
            return Ok(());
        }
        for delivery in &job.deliveries {
            if let Some(key) = self.orphan_of(delivery).await? {
                self.remove(&key).await?;
            }
        }
        Ok(())
    }

    /// The id of a record that says what the thing was when this delivery's change was made, and
    /// that is nobody's.
    async fn orphan_of(&self, delivery: &Delivery) -> Result<Option<String>, Trouble> {
        let Call { line, job, resource } = self;
        let Some(then) = local::from_payload(&job.thing, &delivery.payload) else {
            return Ok(None);
        };
        let parent = match &then.parent {
            Some(parent) => records::of(&line.app.db, &line.target.origin, parent).await?,
            None => None,
        };
        let parent_key = parent.and_then(|parent| parent.key);
        let body = in_remote_words(resource, &then, parent_key.as_deref());
        search::orphan(self, &body).await
    }

    /// Removes the record of this id, unless it is another thing's by now.
    async fn remove_what_is_ours(
        &self,
        key: &str,
        digest: Option<&[u8]>,
    ) -> Result<Attempted, Trouble> {
        // Before the call: from then on the remote may give the id again.
        self.line.claims.release(&self.job.thing, key);
        match self.owner(key, digest).await? {
            Owner::Ours => self.remove(key).await?,
            Owner::Another => {}
            Owner::Unclear => return Ok(not_yet(None)),
        }
        Ok(Attempted::delivered(self.job.deliveries.len(), Some(Record::Gone)))
    }

    async fn remove(&self, key: &str) -> Result<(), Failure> {
        // Not there: that is what was wanted.
        self.send(self.outgoing(Method::DELETE, self.member(key), None)).await.map(drop)
    }

    /// False: the remote has no such record.
    async fn replace(&self, key: &str, body: &Map<String, Value>) -> Result<bool, Failure> {
        let method = if self.resource.patch { Method::PATCH } else { Method::PUT };
        let answer = self.send(self.outgoing(method, self.member(key), Some(body))).await?;
        Ok(answer.is_some())
    }

    /// The id that the remote gave it; none if it gave one that another thing has already.
    async fn create(&self, body: &Map<String, Value>) -> Result<Option<String>, Trouble> {
        let Call { line, job, .. } = self;
        if job.inherited || job.failures.in_doubt {
            let found = search::orphan(self, body).await?;
            if found.is_some() {
                return Ok(found);
            }
            // It may have been created as it was then, and have been changed here since.
            for delivery in &job.deliveries {
                if let Some(key) = self.orphan_of(delivery).await?
                    && self.replace(&key, body).await?
                {
                    return Ok(Some(key));
                }
            }
        }
        let outgoing = self.outgoing(Method::POST, self.collection(), Some(body));
        let answer = judge(line.outbound.send(&outgoing).await, &outgoing, self.now())?;
        if answer.truncated {
            // It was created; what it is called there was lost with the rest of the answer.
            return Err(Trouble::Failed(cut_off(&outgoing, &answer)));
        }
        let created: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let Some(key) = created.as_ref().and_then(key_of) else {
            return Ok(None);
        };
        let (db, origin) = (&line.app.db, &line.target.origin);
        let others = records::others(db, origin, &job.thing, &key).await?;
        let free = others.is_none() && line.claims.claim(&job.thing, &key);
        Ok(free.then_some(key))
    }
}

/// A thing's fields in the remote's words; what it belongs to by the id that this has there.
pub(crate) fn in_remote_words(
    resource: &Resource,
    local: &Local,
    parent_key: Option<&str>,
) -> Map<String, Value> {
    let mut body = Map::new();
    for (name, value) in &local.fields {
        let value = match (local.parent_field == Some(name.as_str()), parent_key) {
            (true, Some(key)) => key_value(key),
            _ => value.clone(),
        };
        let name = resource.fields.get(name).unwrap_or(name);
        body.insert(name.clone(), value);
    }
    body
}

/// What the fields of a kind are called at the remote.
fn names_there<'a>(entity: &str, resource: &'a Resource) -> impl Iterator<Item = &'a str> {
    let there = |name: &'static str| resource.fields.get(name).map_or(name, String::as_str);
    field_names(entity).iter().map(move |name| there(name))
}

/// What a record says of the fields that are mirrored, in one number.
pub(crate) fn digest_of(
    entity: &str,
    resource: &Resource,
    record: &Map<String, Value>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    for name in names_there(entity, resource) {
        hash.update(record.get(name).unwrap_or(&Value::Null).to_string());
        hash.update([0]);
    }
    hash.finalize().into()
}

/// An id as it stands in a record's `id`.
pub(crate) fn key_of(record: &Value) -> Option<String> {
    match record.get("id")? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// An id as the remote writes it: a number if it looks like one.
fn key_value(key: &str) -> Value {
    key.parse::<i64>().map_or_else(|_| key.into(), Value::from)
}

/// An id as a segment of a path.
fn in_path(key: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escape = |byte: u8| match safe(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    match key {
        "." | ".." => key.replace('.', "%2E"),
        key => key.bytes().map(escape).collect(),
    }
}
