//! Editing and discarding dead letters.

use garde::Validate;
use runout_store::{Result, Rows, Statement, statements};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;

use super::model::{DeadLetter, Details, LetterState};
use crate::App;
use crate::catalog::model::changed;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

statements! {
    LOCK = {
        sqlite: "select id, destination_id, outbox_id, lane, topic, entity, entity_id, at, died_at,
                reason, attempts, status, state, note, version, payload, request, response
            from dead_letter where id = $1",
        postgres: "select id, destination_id, outbox_id, lane, topic, entity, entity_id, at,
                died_at, reason, attempts, status, state, note, version, payload, request, response
            from dead_letter where id = $1 for update",
    };
    EDIT = "update dead_letter set payload = $2, version = version + 1 where id = $1";
    DISCARD = "update dead_letter set state = 'discarded', note = $2, version = version + 1
        where id = $1";
}

/// Characters of a note.
pub const NOTE_CHARS_MAX: usize = 500;
/// Bytes of a payload, as JSON.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Why nothing was done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterRefused {
    /// The destination has no such letter.
    NotFound,
    NoDestination,
    /// It has another version than the caller expects.
    Changed,
    /// Somebody has taken care of it already.
    NotDead(LetterState),
}

/// A change of a dead letter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterPatch {
    /// Takes the place of what was to be told: an object of at most 64 KiB.
    #[garde(custom(bounded))]
    #[schema(value_type = Object)]
    pub payload: Map<String, Json>,
}

/// A garde rule: what is told has a bound.
fn bounded(payload: &Map<String, Json>, (): &()) -> garde::Result {
    let bytes = json!(payload).to_string().len();
    if bytes > PAYLOAD_BYTES_MAX {
        let wrong = format!("has {bytes} bytes of JSON, and may have {PAYLOAD_BYTES_MAX}");
        return Err(garde::Error::new(wrong));
    }
    Ok(())
}

/// Why a letter need not arrive.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discarding {
    #[garde(length(chars, max = NOTE_CHARS_MAX), custom(said))]
    #[schema(min_length = 1, max_length = 500, example = "Entered by hand over there.")]
    pub note: String,
}

/// A garde rule: something is said.
fn said(note: &str, (): &()) -> garde::Result {
    if note.trim().is_empty() {
        return Err(garde::Error::new("must say why it need not arrive"));
    }
    Ok(())
}

/// The letter, if it is of this version and nobody has taken care of it.
fn dead(rows: &Rows, if_match: &IfMatch) -> Result<std::result::Result<Details, LetterRefused>> {
    let Some(row) = rows.first() else { return Ok(Err(LetterRefused::NotFound)) };
    let details = Details::read(&row)?;
    if !if_match.allows(details.letter.version) {
        return Ok(Err(LetterRefused::Changed));
    }
    Ok(match details.letter.state {
        LetterState::Dead => Ok(details),
        state => Err(LetterRefused::NotDead(state)),
    })
}

/// Edits what a letter tells when it is replayed. What is the same already stays untouched.
///
/// # Errors
/// The database's.
pub async fn edit(
    app: &App,
    caller: Caller,
    id: i64,
    patch: LetterPatch,
    if_match: IfMatch,
) -> Result<Outcome<Details, LetterRefused>> {
    app.run(caller, Edit { id, patch, if_match }).await
}

struct Edit {
    id: i64,
    patch: LetterPatch,
    if_match: IfMatch,
}

impl Command for Edit {
    type Accepted = Details;
    type Refused = LetterRefused;
    const NAME: &'static str = "edit_dead_letter";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Details, LetterRefused>> {
        let mut details = match dead(&loaded[0], &self.if_match)? {
            Ok(details) => details,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let payload = Json::Object(self.patch.payload.clone());
        if details.payload == payload {
            return Ok(Decision::Accept(details));
        }
        let params = vec![self.id.into(), payload.clone().into()];
        changes.store(Statement::new(&EDIT, params));
        let fields = edited(&details.payload, &payload);
        changes.audit("dead_letter.edit", "dead_letter", self.id, fields.into());
        details.payload = payload;
        details.letter.version += 1;
        Ok(Decision::Accept(details))
    }
}

/// What differs, field by field; fields that are gone stand there without a value.
fn edited(before: &Json, after: &Json) -> Map<String, Json> {
    let empty = Map::new();
    let (before, after) =
        (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut diff = changed(before, after);
    for (name, value) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        diff.insert(name.clone(), json!([value, null]));
    }
    diff
}

/// Discards a letter: it need not arrive, for the reason that the note gives.
///
/// # Errors
/// The database's.
pub async fn discard(
    app: &App,
    caller: Caller,
    destination_id: i64,
    id: i64,
    discarding: Discarding,
    if_match: IfMatch,
) -> Result<Outcome<DeadLetter, LetterRefused>> {
    app.run(caller, Discard { destination_id, id, discarding, if_match }).await
}

struct Discard {
    destination_id: i64,
    id: i64,
    discarding: Discarding,
    if_match: IfMatch,
}

impl Command for Discard {
    type Accepted = DeadLetter;
    type Refused = LetterRefused;
    const NAME: &'static str = "discard_dead_letter";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<DeadLetter, LetterRefused>> {
        let mut letter = match dead(&loaded[0], &self.if_match)? {
            Ok(details) => details.letter,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        if letter.destination_id != self.destination_id {
            return Ok(Decision::Refuse(LetterRefused::NotFound));
        }
        let note = self.discarding.note.as_str();
        changes.store(Statement::new(&DISCARD, vec![self.id.into(), note.into()]));
        let fields = json!({"state": ["dead", "discarded"], "note": [null, note]});
        changes.audit("dead_letter.discard", "dead_letter", self.id, fields);
        letter.state = LetterState::Discarded;
        letter.note = Some(note.to_owned());
        letter.version += 1;
        Ok(Decision::Accept(letter))
    }
}
