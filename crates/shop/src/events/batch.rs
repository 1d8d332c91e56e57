//! One batch of sign-ups and withdrawals, as a transaction: load, decide, store.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use runout_core::event::{
    Attendance, Command, Difference, Event, Outcome, Snapshot, State, Wish, decide_all,
};
use runout_core::ids::{AccountId, EventId};
use runout_store::{Error, Result, Row, Rows, Statement, Step, Transaction, Value};
use serde_json::json;

use super::commands::{
    ATTENDANCES, CHANGE_EVENTS, DELETE_ATTENDANCES, EVENTS, HEAD, STORE_ATTENDANCES,
};
use crate::platform::command::columns;
use crate::platform::sql::STORE_EVENTS;

/// Commands that are decided together, on one snapshot, in one transaction.
pub(super) struct Batch {
    pub commands: Arc<Vec<Command>>,
    /// The part of `commands` that this batch decides.
    pub range: Range<usize>,
    pub now: Timestamp,
}

impl Batch {
    fn commands(&self) -> &[Command] {
        &self.commands[self.range.clone()]
    }

    /// Withdrawals per event: so many may move up there.
    fn withdrawals(&self) -> BTreeMap<EventId, i64> {
        let mut withdrawals = BTreeMap::new();
        for command in self.commands().iter().filter(|c| c.wish == Wish::Withdraw) {
            *withdrawals.entry(command.event).or_default() += 1;
        }
        withdrawals
    }

    /// What others hear of the batch: each wish that was carried out, and who moved up.
    fn told(&self, outcomes: &[Outcome], difference: &Difference) -> Statement {
        let mut rows = Vec::new();
        let mut tell = |topic: &'static str, event: EventId, payload: serde_json::Value| {
            rows.push(vec![
                self.now.into(),
                Value::Static(topic),
                Value::Static("event"),
                event.0.into(),
                payload.into(),
            ]);
        };
        for (command, outcome) in self.commands().iter().zip(outcomes) {
            let account = command.account.0;
            match outcome {
                Outcome::SignedUp { state, already: false } => {
                    let payload = json!({"account_id": account, "state": state.as_str()});
                    tell("event.signed_up", command.event, payload);
                }
                Outcome::Withdrawn => {
                    tell("event.withdrawn", command.event, json!({"account_id": account}));
                }
                _ => {}
            }
        }
        for (event, account) in &difference.moved_up {
            tell("event.moved_up", *event, json!({"account_id": account.0}));
        }
        Statement::bulk(&STORE_EVENTS, columns(rows, 5))
    }

    fn store(&self, difference: &Difference) -> Vec<Statement> {
        let number = |(id, event): &(EventId, Event)| {
            vec![id.0.into(), event.attending.into(), event.waiting.into(), event.places.into()]
        };
        let events: Vec<Vec<Value>> = difference.events.iter().map(number).collect();
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for ((event, account), attendance) in &difference.attendances {
            match attendance {
                None => gone.push(vec![event.0.into(), account.0.into()]),
                Some(Attendance { place, state }) => come.push(vec![
                    event.0.into(),
                    account.0.into(),
                    (*place).into(),
                    Value::Static(state.as_str()),
                    self.now.into(),
                ]),
            }
        }
        vec![
            Statement::bulk(&CHANGE_EVENTS, columns(events, 4)),
            Statement::bulk(&DELETE_ATTENDANCES, columns(gone, 2)),
            Statement::bulk(&STORE_ATTENDANCES, columns(come, 5)),
        ]
    }
}

impl Transaction for Batch {
    type Output = Vec<Outcome>;

    fn name(&self) -> &'static str {
        "event_batch"
    }

    fn load(&self) -> Vec<Statement> {
        let ids: BTreeSet<i64> = self.commands().iter().map(|command| command.event.0).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let pairs: BTreeSet<(i64, i64)> =
            self.commands().iter().map(|command| (command.event.0, command.account.0)).collect();
        let (events, accounts): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
        let mut statements = vec![
            Statement::new(&EVENTS, vec![Value::Ints(ids)]),
            Statement::new(&ATTENDANCES, vec![Value::Ints(events), Value::Ints(accounts)]),
        ];
        for (event, count) in self.withdrawals() {
            statements.push(Statement::new(&HEAD, vec![event.0.into(), count.into()]));
        }
        statements
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Vec<Outcome>>> {
        let [events, attendances, heads @ ..] = loaded else {
            unreachable!("every load has an answer")
        };
        let mut snapshot = Snapshot::default();
        snapshot.events.extend(events.map(read_event)?);
        snapshot.attendances.extend(attendances.map(read_attendance)?);
        for rows in heads {
            let head = rows.map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
            for (event, (place, account)) in head {
                let head = snapshot.heads.entry(EventId(event)).or_default();
                head.push_back((place, AccountId(account)));
            }
        }
        let before = snapshot.events.clone();
        let outcomes = decide_all(&mut snapshot, self.now, self.commands());
        let difference = snapshot.into_difference(&before);
        let mut statements = self.store(&difference);
        statements.push(self.told(&outcomes, &difference));
        Ok(Step::Store(statements, outcomes))
    }
}

fn read_event(row: Row<'_>) -> Result<(EventId, Event)> {
    let event = Event {
        capacity: row.get(1)?,
        ends_at: row.get(2)?,
        cancelled: row.get(3)?,
        ticketed: row.get(4)?,
        attending: row.get(5)?,
        waiting: row.get(6)?,
        places: row.get(7)?,
    };
    Ok((EventId(row.get(0)?), event))
}

fn read_attendance(row: Row<'_>) -> Result<((EventId, AccountId), Attendance)> {
    let state = match row.get::<String>(3)?.as_str() {
        "attending" => State::Attending,
        "waiting" => State::Waiting,
        other => return Err(Error::Decode { column: 3, reason: format!("no state: {other:?}") }),
    };
    let attendance = Attendance { place: row.get(2)?, state };
    Ok(((EventId(row.get(0)?), AccountId(row.get(1)?)), attendance))
}
