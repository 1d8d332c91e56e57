//! Adding, changing and deleting destinations.
//!
//! Lock order: `dispatch`, then the destination. Whoever hands deliveries out holds the first, so
//! that a destination that is deleted gets none meanwhile.

use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::{Map, Value as Json, json};

use super::DESTINATIONS_MAX;
use super::address::Address;
use super::input::{DestinationPatch, Settled, Wrong};
use super::model::{Destination, DestinationState, Settings};
use super::secrets::{INSERT_SECRET, Made};
use super::url_place;
use crate::App;
use crate::catalog::model::{all_new, changed};
use crate::delivery::engine;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;
use crate::platform::seal::Sealer;

statements! {
    NAME_TAKEN = "select id from destination where name = $1";
    COUNT = "select count(*) from destination";
    /// As [`Destination::read`] reads it, then the sealed address with its password.
    LOCK = {
        sqlite: "select id, name, kind, shown_url, events, resources, exchange, allow_private,
                state, state_reason, created_at, updated_at, version, url
            from destination where id = $1",
        postgres: "select id, name, kind, shown_url, events, resources, exchange, allow_private,
                state, state_reason, created_at, updated_at, version, url
            from destination where id = $1 for update",
    };
    /// Nothing is handed out while this is held.
    DISPATCH = {
        sqlite: "select next_delivery from dispatch where id = 1",
        postgres: "select next_delivery from dispatch where id = 1 for update",
    };
    INSERT = "insert into destination (id, name, kind, url, shown_url, events, resources, exchange,
            allow_private, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
    UPDATE = "update destination set name = $2, url = $3, shown_url = $4, events = $5,
            resources = $6, allow_private = $7, updated_at = $8, version = version + 1
        where id = $1";
    DELETE_DELIVERIES = { replan, both: "delete from delivery where destination_id = $1" };
    DELETE_RETRIES = { replan, both: "delete from delivery_retry where destination_id = $1" };
    DELETE_LETTERS = "delete from dead_letter where destination_id = $1";
    DELETE_SECRETS = "delete from destination_secret where destination_id = $1";
    DELETE_TALLY = "delete from destination_tally where destination_id = $1";
    DELETE = "delete from destination where id = $1";
}

/// Keeps a name from being given twice.
const ONE_PER_NAME: &str = "destination_name_key";

/// Why a destination was not added, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationRefused {
    NotFound,
    /// It has another version than the caller expects.
    Changed,
    /// Another destination has this name.
    NameTaken,
    /// There are [`DESTINATIONS_MAX`] already.
    TooMany,
    /// What is sent does not fit its kind.
    Invalid(Vec<Wrong>),
    /// It does not sign: only webhooks have secrets.
    NotAWebhook,
    /// There are [`SECRETS_MAX`](super::SECRETS_MAX) already.
    TooManySecrets,
    NoSecret,
    /// Nothing would sign for good.
    LastSecret,
    /// A mirror has nothing that a test could be sent to.
    IsAMirror,
    /// It is paused or disabled.
    NotActive,
}

type Changed = Result<Outcome<Destination, DestinationRefused>>;

/// Another node was faster.
fn taken_elsewhere(result: Changed) -> Changed {
    match result {
        Err(error) if error.is_constraint(ONE_PER_NAME) => {
            Ok(Outcome::Refused(DestinationRefused::NameTaken))
        }
        other => other,
    }
}

/// A destination that is locked.
pub(super) struct Locked {
    pub destination: Destination,
    /// With its password.
    pub sealed_url: String,
}

impl Locked {
    /// Reads [`LOCK`].
    ///
    /// # Errors
    /// [`DestinationRefused::NotFound`] and [`DestinationRefused::Changed`], as the inner result.
    pub(super) fn read(
        rows: &Rows,
        if_match: &IfMatch,
    ) -> Result<std::result::Result<Self, DestinationRefused>> {
        let Some(row) = rows.first() else { return Ok(Err(DestinationRefused::NotFound)) };
        let destination = Destination::read(&row)?;
        if !if_match.allows(destination.version) {
            return Ok(Err(DestinationRefused::Changed));
        }
        Ok(Ok(Self { destination, sealed_url: row.get(13)? }))
    }
}

pub(super) fn lock(id: i64) -> Statement {
    Statement::new(&LOCK, vec![id.into()])
}

/// Lists and maps as they are stored.
fn stored_json<T: serde::Serialize>(value: Option<&T>) -> Value {
    value.map(|value| json!(value)).into()
}

/// Adds a destination with the secrets that it begins with.
///
/// # Errors
/// The database's.
pub async fn add(app: &App, caller: Caller, new: Settled, secrets: Vec<Made>) -> Changed {
    // What happened before goes to those who were there before.
    engine::hand_out_all(app).await?;
    let command = AddDestination { sealer: app.sealer.clone(), new, secrets };
    let added = taken_elsewhere(app.run(caller, command).await);
    app.delivery.bell.ring();
    added
}

struct AddDestination {
    sealer: Sealer,
    new: Settled,
    secrets: Vec<Made>,
}

impl AddDestination {
    fn store(&self, id: i64, changes: &mut Changes) {
        let Settled { kind, settings, address, exchange, .. } = &self.new;
        let row = vec![
            id.into(),
            settings.name.as_str().into(),
            kind.as_str().into(),
            self.sealer.seal(&url_place(id), address.url.as_bytes()).into(),
            address.shown.as_str().into(),
            stored_json(settings.events.as_ref()),
            stored_json(settings.resources.as_ref()),
            exchange.as_deref().into(),
            settings.allow_private.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT, row));
        for secret in &self.secrets {
            let row = secret.row(&self.sealer, id, changes.now);
            changes.store(Statement::new(&INSERT_SECRET, row));
        }
    }
}

impl Command for AddDestination {
    type Accepted = Destination;
    type Refused = DestinationRefused;
    const NAME: &'static str = "add_destination";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let name = self.new.settings.name.as_str();
        vec![
            Statement::new(&NAME_TAKEN, vec![name.into()]),
            Statement::new(&COUNT, Vec::new()),
            next_ids("destination", 1),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Destination, DestinationRefused>> {
        if !loaded[0].is_empty() {
            return Ok(Decision::Refuse(DestinationRefused::NameTaken));
        }
        let count: i64 = loaded[1].first().expect("a count is one row").get(0)?;
        if count >= DESTINATIONS_MAX {
            return Ok(Decision::Refuse(DestinationRefused::TooMany));
        }
        let id: i64 = loaded[2].first().expect("the sequence is in the schema").get(0)?;
        self.store(id, changes);
        let now = changes.now;
        let destination = Destination {
            id,
            kind: self.new.kind,
            settings: self.new.settings.clone(),
            exchange: self.new.exchange.clone(),
            state: DestinationState::Active,
            state_reason: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let mut fields = all_new(&destination.settings);
        fields.insert("kind".to_owned(), json!([null, destination.kind]));
        for secret in &self.secrets {
            fields.insert(format!("secrets/{}", secret.number), json!([null, secret.kind]));
        }
        changes.audit("destination.create", "destination", id, fields.into());
        Ok(Decision::Accept(destination))
    }
}

/// Changes a destination. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn change(
    app: &App,
    caller: Caller,
    id: i64,
    patch: DestinationPatch,
    if_match: IfMatch,
) -> Changed {
    let command = ChangeDestination { sealer: app.sealer.clone(), id, patch, if_match };
    let changed = taken_elsewhere(app.run(caller, command).await);
    app.delivery.bell.ring();
    changed
}

struct ChangeDestination {
    sealer: Sealer,
    id: i64,
    patch: DestinationPatch,
    if_match: IfMatch,
}

/// What differs, for the audit trail: of a password only that it is another one.
fn difference(
    (before, url): (&Settings, &str),
    (after, address): (&Settings, &Address),
) -> Map<String, Json> {
    let mut diff = changed(before, after);
    if diff.is_empty() && url != address.url {
        diff.insert("password".to_owned(), json!(["another one", "replaced"]));
    }
    diff
}

impl Command for ChangeDestination {
    type Accepted = Destination;
    type Refused = DestinationRefused;
    const NAME: &'static str = "change_destination";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let namesake = |name: &String| Statement::new(&NAME_TAKEN, vec![name.as_str().into()]);
        let mut statements = vec![lock(self.id)];
        statements.extend(self.patch.name.as_ref().map(namesake));
        statements
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Destination, DestinationRefused>> {
        let locked = match Locked::read(&loaded[0], &self.if_match)? {
            Ok(locked) => locked,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let namesake = loaded.get(1).and_then(Rows::first);
        if namesake.map(|row| row.get::<i64>(0)).transpose()?.is_some_and(|id| id != self.id) {
            return Ok(Decision::Refuse(DestinationRefused::NameTaken));
        }
        let before = &locked.destination;
        let place = url_place(self.id);
        let opened = self.sealer.open(&place, &locked.sealed_url)?;
        let url = opened.text()?;
        let after = self.patch.apply(before.kind, &before.settings, url);
        let (after, address) = match after {
            Ok(after) => after,
            Err(wrong) => return Ok(Decision::Refuse(DestinationRefused::Invalid(wrong))),
        };
        let diff = difference((&before.settings, url), (&after, &address));
        let mut destination = locked.destination;
        if diff.is_empty() {
            return Ok(Decision::Accept(destination));
        }
        let row = vec![
            self.id.into(),
            after.name.as_str().into(),
            self.sealer.seal(&place, address.url.as_bytes()).into(),
            address.shown.into(),
            stored_json(after.events.as_ref()),
            stored_json(after.resources.as_ref()),
            after.allow_private.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&UPDATE, row));
        destination.settings = after;
        destination.version += 1;
        destination.updated_at = changes.now;
        changes.audit("destination.update", "destination", self.id, diff.into());
        Ok(Decision::Accept(destination))
    }
}

/// Deletes a destination with everything that waits for it and that it could not take.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<(), DestinationRefused>> {
    let deleted = app.run(caller, DeleteDestination { id, if_match }).await;
    app.delivery.bell.ring();
    deleted
}

struct DeleteDestination {
    id: i64,
    if_match: IfMatch,
}

impl Command for DeleteDestination {
    type Accepted = ();
    type Refused = DestinationRefused;
    const NAME: &'static str = "delete_destination";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&DISPATCH, Vec::new()), lock(self.id)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), DestinationRefused>> {
        let before = match Locked::read(&loaded[1], &self.if_match)? {
            Ok(locked) => locked.destination,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        // Deliveries first: whoever stores what became of one holds its row.
        for sql in [
            &DELETE_DELIVERIES,
            &DELETE_RETRIES,
            &DELETE_LETTERS,
            &DELETE_SECRETS,
            &DELETE_TALLY,
            &DELETE,
        ] {
            changes.store(Statement::new(sql, vec![self.id.into()]));
        }
        let fields = json!({
            "name": [before.settings.name, null],
            "kind": [before.kind, null],
            "url": [before.settings.url, null],
        });
        changes.audit("destination.delete", "destination", self.id, fields);
        Ok(Decision::Accept(()))
    }
}
