//! Replaying dead letters: each gets a delivery, behind what waits for its destination already.
//!
//! Lock order: `dispatch`, the destination, then the letters. Ids of deliveries are taken under the
//! first lock, so that they grow in the order of the commits.

use jiff::Timestamp;
use runout_store::{Composer, Result, Row, Rows, Statement, Value, statements};
use serde_json::json;

use super::{REPLAY_MAX, Range, Replayed};
use crate::App;
use crate::delivery::destinations::commands::DISPATCH;
use crate::delivery::letters::commands::{LOCK, LetterRefused};
use crate::delivery::letters::model::{DeadLetter, Details, LetterState};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, columns};
use crate::platform::etag::IfMatch;

statements! {
    /// It stays while letters of it are replayed.
    DESTINATION = {
        sqlite: "select id from destination where id = $1",
        postgres: "select id from destination where id = $1 for share",
    };
    /// In bulk.
    INSERT_DELIVERIES = {
        sqlite: "insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at,
                payload, letter_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        postgres: "insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at,
                payload, letter_id)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::text[], $6::bigint[], $7::timestamptz[], $8::jsonb[], $9::bigint[])",
    };
    REPLAYING = {
        sqlite: "update dead_letter set state = 'replaying', version = version + 1
            where id in (select value from json_each($1))",
        postgres: "update dead_letter set state = 'replaying', version = version + 1
            where id = any($1)",
    };
    NEXT_DELIVERY = "update dispatch set next_delivery = $1 where id = 1";
}

/// A letter that is to be replayed.
struct Letter {
    id: i64,
    outbox_id: i64,
    lane: i64,
    entity: String,
    entity_id: i64,
    payload: serde_json::Value,
}

impl Letter {
    /// Reads what [`choice`] asks for.
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            outbox_id: row.get(1)?,
            lane: row.get(2)?,
            entity: row.get(3)?,
            entity_id: row.get(4)?,
            payload: row.get(5)?,
        })
    }
}

impl From<&Details> for Letter {
    fn from(details: &Details) -> Self {
        let DeadLetter { id, outbox_id, lane, entity, entity_id, .. } = &details.letter;
        Self {
            id: *id,
            outbox_id: *outbox_id,
            lane: *lane,
            entity: entity.clone(),
            entity_id: *entity_id,
            payload: details.payload.clone(),
        }
    }
}

/// Gives each letter a delivery, in the order of their events.
fn store(changes: &mut Changes, destination_id: i64, next: i64, mut letters: Vec<Letter>) {
    letters.sort_by_key(|letter| (letter.outbox_id, letter.id));
    let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
    let after = next + letters.len() as i64;
    let row = |(id, letter): (i64, Letter)| -> Vec<Value> {
        vec![
            destination_id.into(),
            id.into(),
            letter.lane.into(),
            letter.outbox_id.into(),
            letter.entity.into(),
            letter.entity_id.into(),
            changes.now.into(),
            letter.payload.into(),
            letter.id.into(),
        ]
    };
    let rows = (next..after).zip(letters).map(row).collect();
    changes.store(Statement::bulk(&INSERT_DELIVERIES, columns(rows, 9)));
    changes.store(Statement::new(&REPLAYING, vec![ids.into()]));
    changes.store(Statement::new(&NEXT_DELIVERY, vec![after.into()]));
}

fn next_delivery(rows: &Rows) -> Result<i64> {
    rows.first().expect("dispatch has its one row").get(0)
}

/// Replays one letter of a destination.
///
/// # Errors
/// The database's.
pub async fn replay(
    app: &App,
    caller: Caller,
    destination_id: i64,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<DeadLetter, LetterRefused>> {
    let outcome = app.run(caller, Replay { destination_id, id, if_match }).await;
    app.delivery.bell.ring();
    outcome
}

struct Replay {
    destination_id: i64,
    id: i64,
    if_match: IfMatch,
}

impl Command for Replay {
    type Accepted = DeadLetter;
    type Refused = LetterRefused;
    const NAME: &'static str = "replay_dead_letter";
    const STATUS: u16 = 202;

    fn load(&self) -> Vec<Statement> {
        vec![
            Statement::new(&DISPATCH, Vec::new()),
            Statement::new(&DESTINATION, vec![self.destination_id.into()]),
            Statement::new(&LOCK, vec![self.id.into()]),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<DeadLetter, LetterRefused>> {
        let next = next_delivery(&loaded[0])?;
        if loaded[1].is_empty() {
            return Ok(Decision::Refuse(LetterRefused::NoDestination));
        }
        let details = loaded[2].first().map(|row| Details::read(&row)).transpose()?;
        let details = details.filter(|found| found.letter.destination_id == self.destination_id);
        let Some(mut details) = details else {
            return Ok(Decision::Refuse(LetterRefused::NotFound));
        };
        if details.letter.state != LetterState::Dead {
            return Ok(Decision::Refuse(LetterRefused::NotDead(details.letter.state)));
        }
        if !self.if_match.allows(details.letter.version) {
            return Ok(Decision::Refuse(LetterRefused::Changed));
        }
        store(changes, self.destination_id, next, vec![Letter::from(&details)]);
        let fields = json!({"state": ["dead", "replaying"]});
        changes.audit("dead_letter.replay", "dead_letter", self.id, fields);
        details.letter.state = LetterState::Replaying;
        details.letter.version += 1;
        Ok(Decision::Accept(details.letter))
    }
}

/// Replays the dead letters of a destination that fit, the oldest first.
///
/// # Errors
/// The database's.
pub async fn replay_range(
    app: &App,
    caller: Caller,
    destination_id: i64,
    range: Range,
) -> Result<Outcome<Replayed, LetterRefused>> {
    let outcome = app.run(caller, ReplayRange { destination_id, range }).await;
    app.delivery.bell.ring();
    outcome
}

struct ReplayRange {
    destination_id: i64,
    range: Range,
}

impl ReplayRange {
    fn limit(&self) -> i64 {
        self.range.limit.unwrap_or(REPLAY_MAX)
    }

    /// The letters that fit, one more than are replayed. Letters of one thing die in the order of
    /// their events, so the ones with the lowest ids come first.
    fn choice(&self) -> Statement {
        let mut sql = Composer::new(
            "select l.id, l.outbox_id, l.lane, l.entity, l.entity_id, l.payload from dead_letter l \
             where l.state = 'dead' and l.destination_id = ",
        );
        sql.bind(self.destination_id);
        let Range { from_id, to_id, topic, entity, reason, died_after, died_before, .. } =
            &self.range;
        let mut narrow = |condition: &'static str, value: Option<Value>| {
            if let Some(value) = value {
                sql.push(condition).bind(value);
            }
        };
        let moment = |time: &Option<Timestamp>| time.map(Value::from);
        narrow(" and l.id >= ", from_id.map(Value::from));
        narrow(" and l.id <= ", to_id.map(Value::from));
        narrow(" and l.topic = ", topic.as_deref().map(Value::from));
        narrow(" and l.entity = ", entity.as_deref().map(Value::from));
        narrow(" and l.reason = ", reason.map(|reason| reason.as_str().into()));
        narrow(" and l.died_at >= ", moment(died_after));
        narrow(" and l.died_at < ", moment(died_before));
        sql.push(" order by l.id limit ").bind(self.limit() + 1).push_each("", " for update");
        sql.finish()
    }
}

impl Command for ReplayRange {
    type Accepted = Replayed;
    type Refused = LetterRefused;
    const NAME: &'static str = "replay_dead_letters";
    const STATUS: u16 = 202;

    fn load(&self) -> Vec<Statement> {
        vec![
            Statement::new(&DISPATCH, Vec::new()),
            Statement::new(&DESTINATION, vec![self.destination_id.into()]),
            self.choice(),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Replayed, LetterRefused>> {
        let next = next_delivery(&loaded[0])?;
        if loaded[1].is_empty() {
            return Ok(Decision::Refuse(LetterRefused::NoDestination));
        }
        let mut letters = loaded[2].map(|row| Letter::read(&row))?;
        let limit = usize::try_from(self.limit()).expect("limits are small and not negative");
        let more = letters.len() > limit;
        letters.truncate(limit);
        let replayed = letters.len() as i64;
        if replayed == 0 {
            return Ok(Decision::Accept(Replayed { replayed, more }));
        }
        store(changes, self.destination_id, next, letters);
        let fields = json!({"replayed": [null, replayed], "range": [null, self.range]});
        changes.audit("destination.replay", "destination", self.destination_id, fields);
        Ok(Decision::Accept(Replayed { replayed, more }))
    }
}
