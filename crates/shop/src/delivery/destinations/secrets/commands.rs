//! Making secrets take over from others, and deleting them.

use jiff::{SignedDuration, Timestamp};
use runout_store::{Result, Row, Rows, Statement, statements};
use serde::Serialize;
use serde_json::json;

use super::queries::kind;
use super::{Made, SECRETS_MAX};
use crate::App;
use crate::delivery::destinations::commands::{DestinationRefused, Locked, lock};
use crate::delivery::destinations::input::{NewSecret, OVERLAP_S_DEFAULT};
use crate::delivery::destinations::model::{DestinationKind, SigningKind};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::seal::Sealer;

statements! {
    INSERT_SECRET = "insert into destination_secret
            (destination_id, number, kind, secret, created_at)
        values ($1, $2, $3, $4, $5)";
    /// Behind the destination's lock.
    ALL = "select number, kind, ends_at from destination_secret
        where destination_id = $1 order by number desc";
    END_SECRET = "update destination_secret set ends_at = $3
        where destination_id = $1 and number = $2";
    DELETE_SECRET = "delete from destination_secret where destination_id = $1 and number = $2";
    /// Whoever delivers looks at the version to see that something has changed.
    TOUCH = "update destination set updated_at = $2, version = version + 1 where id = $1";
}

/// What of a new secret may be kept.
#[derive(Debug, Clone, Serialize)]
pub struct Rotated {
    pub number: i64,
    pub kind: SigningKind,
}

/// A secret that is there.
struct Present {
    number: i64,
    kind: SigningKind,
    ends_at: Option<Timestamp>,
}

impl Present {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self { number: row.get(0)?, kind: kind(row, 1)?, ends_at: row.get(2)? })
    }
}

/// Makes a new secret, which signs at once; the ones of its kind end after the overlap. The second
/// value is the secret, if it was made now.
///
/// # Errors
/// The database's; when there is no randomness to be had.
pub async fn rotate(
    app: &App,
    caller: Caller,
    destination_id: i64,
    new: NewSecret,
) -> Result<(Outcome<Rotated, DestinationRefused>, Option<Made>)> {
    // One of each kind: which one is asked for is known behind the lock.
    let made = [Made::generate(0, SigningKind::Hmac)?, Made::generate(0, SigningKind::Ed25519)?];
    let sealer = app.sealer.clone();
    let command = Rotate { sealer, destination_id, new, made: made.clone() };
    let outcome = app.run(caller, command).await?;
    app.delivery.bell.ring();
    let shown = match &outcome {
        Outcome::Accepted(rotated) => made
            .into_iter()
            .find(|made| made.kind == rotated.kind)
            .map(|made| Made { number: rotated.number, ..made }),
        _ => None,
    };
    Ok((outcome, shown))
}

struct Rotate {
    sealer: Sealer,
    destination_id: i64,
    new: NewSecret,
    made: [Made; 2],
}

/// The destination's secrets, or why it has none.
fn secrets(loaded: &[Rows]) -> Result<std::result::Result<Vec<Present>, DestinationRefused>> {
    let locked = match Locked::read(&loaded[0], &IfMatch::Any)? {
        Ok(locked) => locked,
        Err(refused) => return Ok(Err(refused)),
    };
    if locked.destination.kind != DestinationKind::Webhook {
        return Ok(Err(DestinationRefused::NotAWebhook));
    }
    loaded[1].map(|row| Present::read(&row)).map(Ok)
}

fn load(destination_id: i64) -> Vec<Statement> {
    vec![lock(destination_id), Statement::new(&ALL, vec![destination_id.into()])]
}

impl Command for Rotate {
    type Accepted = Rotated;
    type Refused = DestinationRefused;
    const NAME: &'static str = "rotate_destination_secret";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        load(self.destination_id)
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Rotated, DestinationRefused>> {
        let present = match secrets(loaded)? {
            Ok(present) => present,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let (id, now) = (self.destination_id, changes.now);
        let signs = |secret: &&Present| secret.ends_at.is_none_or(|end| end > now);
        if present.iter().filter(signs).count() >= SECRETS_MAX {
            return Ok(Decision::Refuse(DestinationRefused::TooManySecrets));
        }
        let newest = present.first();
        let kind = self.new.kind.or(newest.map(|newest| newest.kind));
        let kind = kind.unwrap_or(SigningKind::Hmac);
        let number = newest.map_or(0, |newest| newest.number) + 1;
        let overlap = SignedDuration::from_secs(self.new.overlap_s.unwrap_or(OVERLAP_S_DEFAULT));
        let end = now + overlap;
        for old in &present {
            if !signs(&old) {
                let params = vec![id.into(), old.number.into()];
                changes.store(Statement::new(&DELETE_SECRET, params));
            } else if old.kind == kind && old.ends_at.is_none_or(|ends_at| ends_at > end) {
                let params = vec![id.into(), old.number.into(), end.into()];
                changes.store(Statement::new(&END_SECRET, params));
            }
        }
        let made = self.made.iter().find(|made| made.kind == kind).expect("one of each kind");
        let made = Made { number, ..made.clone() };
        changes.store(Statement::new(&INSERT_SECRET, made.row(&self.sealer, id, now)));
        changes.store(Statement::new(&TOUCH, vec![id.into(), now.into()]));
        let mut fields = serde_json::Map::new();
        fields.insert(format!("secrets/{number}"), json!([null, kind]));
        fields.insert("overlap_s".to_owned(), json!([null, overlap.as_secs()]));
        changes.audit("destination.rotate_secret", "destination", id, fields.into());
        Ok(Decision::Accept(Rotated { number, kind }))
    }
}

/// Deletes a secret: it signs no more, from now on.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    destination_id: i64,
    number: i64,
) -> Result<Outcome<(), DestinationRefused>> {
    let outcome = app.run(caller, DeleteSecret { destination_id, number }).await;
    app.delivery.bell.ring();
    outcome
}

struct DeleteSecret {
    destination_id: i64,
    number: i64,
}

impl Command for DeleteSecret {
    type Accepted = ();
    type Refused = DestinationRefused;
    const NAME: &'static str = "delete_destination_secret";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        load(self.destination_id)
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), DestinationRefused>> {
        let present = match secrets(loaded)? {
            Ok(present) => present,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let (id, number) = (self.destination_id, self.number);
        let Some(secret) = present.iter().find(|secret| secret.number == number) else {
            return Ok(Decision::Refuse(DestinationRefused::NoSecret));
        };
        let stays = |other: &Present| other.number != number && other.ends_at.is_none();
        if !present.iter().any(stays) {
            return Ok(Decision::Refuse(DestinationRefused::LastSecret));
        }
        let params = vec![id.into(), number.into()];
        changes.store(Statement::new(&DELETE_SECRET, params));
        changes.store(Statement::new(&TOUCH, vec![id.into(), changes.now.into()]));
        let mut fields = serde_json::Map::new();
        fields.insert(format!("secrets/{number}"), json!([secret.kind, null]));
        changes.audit("destination.delete_secret", "destination", id, fields.into());
        Ok(Decision::Accept(()))
    }
}
