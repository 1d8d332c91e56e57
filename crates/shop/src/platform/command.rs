//! Recorded writes: every change that is not the stock writer's goes through [`App::run`], which
//! adds to the change, in the same transaction, its outbox rows, its audit rows and the outcome of
//! its `Idempotency-Key`.

use std::ops::Range;

use jiff::Timestamp;
use runout_store::{Error, Result, Rows, Statement, Step, Transaction, Value};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::sql::{KEY, NEXT_ID, STORE_AUDIT, STORE_EVENTS, STORE_KEY};
use crate::App;

/// Audit rows that one command may write, unless it says otherwise.
pub const RECORDS_MAX: i64 = 16;

/// Takes `count` ids of a sequence as part of a command's load; the first one is cell 0 of the row.
pub fn next_ids(sequence: &'static str, count: i64) -> Statement {
    Statement::new(&NEXT_ID, vec![sequence.into(), count.into()])
}

/// A change: what to load, a pure decision, what to store.
pub trait Command: Send + Sync + 'static {
    /// The answer when it was done; stored with an idempotency key.
    type Accepted: Serialize + Send + 'static;
    /// Why it was not done: an enum with one variant per reason. Nothing is stored then.
    type Refused: Send + 'static;
    /// Names it in logs and metrics.
    const NAME: &'static str;
    /// HTTP status of the accepted answer, stored for replays.
    const STATUS: u16;

    fn load(&self) -> Vec<Statement>;

    /// Decides; `loaded` holds one [`Rows`] per statement of [`Command::load`], then those asked
    /// for by [`Decision::Load`].
    ///
    /// # Errors
    /// Only for broken rows; refusals are values.
    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Self::Accepted, Self::Refused>>;

    /// Bound on the audit rows that it writes.
    fn records_max(&self) -> i64 {
        RECORDS_MAX
    }
}

/// What a command's decision came to.
pub enum Decision<A, R> {
    Load(Vec<Statement>),
    Accept(A),
    Refuse(R),
}

/// How a run ended.
pub enum Outcome<A, R> {
    Accepted(A),
    /// The same key and body came before: this was the answer then.
    Replayed {
        status: u16,
        body: Box<RawValue>,
    },
    /// The key was used before with another body.
    KeyReused,
    Refused(R),
}

/// Who asks, and under which idempotency key.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub account_id: Option<i64>,
    pub key: Option<Key>,
}

/// An idempotency key with the fingerprint of the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub key: String,
    pub fingerprint: [u8; 32],
}

impl Key {
    /// `operation` names the endpoint and the entity (`"POST /products/7/prices"`), `body` what was
    /// asked of it.
    pub fn new(key: String, operation: &str, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a request body can be written as JSON");
        let mut hash = Sha256::new();
        hash.update(operation.as_bytes());
        hash.update([0]);
        hash.update(&body);
        Self { key, fingerprint: hash.finalize().into() }
    }
}

/// What a decision wants stored.
pub struct Changes {
    pub now: Timestamp,
    actor_id: Option<i64>,
    statements: Vec<Statement>,
    events: Vec<Vec<Value>>,
    audit: Vec<Vec<Value>>,
    audit_ids: Range<i64>,
}

impl Changes {
    /// Stores a row change.
    pub fn store(&mut self, statement: Statement) {
        self.statements.push(statement);
    }

    /// Tells other systems: `topic` such as `product.updated`. What is told of one thing reaches
    /// them in the order of the commits if the command holds that thing's lock (`for update`).
    pub fn event(
        &mut self,
        topic: &'static str,
        entity: &'static str,
        id: i64,
        payload: serde_json::Value,
    ) {
        self.events.push(vec![
            self.now.into(),
            topic.into(),
            entity.into(),
            id.into(),
            payload.into(),
        ]);
    }

    /// Records who did what; `changes` maps each field to `[before, after]`.
    ///
    /// # Panics
    /// When the command writes more than its [`Command::records_max`].
    pub fn audit(
        &mut self,
        action: &'static str,
        entity: &'static str,
        id: i64,
        changes: serde_json::Value,
    ) {
        let audit_id = self.audit_ids.next().expect("a command stays under its records_max");
        self.audit.push(vec![
            audit_id.into(),
            self.now.into(),
            self.actor_id.into(),
            action.into(),
            entity.into(),
            id.into(),
            changes.into(),
        ]);
    }

    fn into_statements(mut self) -> Vec<Statement> {
        self.statements.push(Statement::bulk(&STORE_EVENTS, columns(self.events, 5)));
        self.statements.push(Statement::bulk(&STORE_AUDIT, columns(self.audit, 7)));
        self.statements
    }
}

/// Turns rows into the columns that a bulk statement takes.
pub fn columns(rows: Vec<Vec<Value>>, width: usize) -> Vec<Vec<Value>> {
    let mut columns: Vec<Vec<Value>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        assert_eq!(row.len(), width, "every row has a value for every column");
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns
}

impl App {
    /// Runs a command: retried after conflicts, once per idempotency key, recorded, committed.
    ///
    /// # Errors
    /// Those of the database; nothing is stored then.
    pub async fn run<C: Command>(
        &self,
        caller: Caller,
        command: C,
    ) -> Result<Outcome<C::Accepted, C::Refused>> {
        let count = command.records_max();
        let audit_ids = self.ids.audit.take(&self.db, count).await?;
        let now = self.clock.now();
        let outcome = self.db.transact(Recorded { caller, command, now, audit_ids }).await?;
        if matches!(outcome, Outcome::Accepted(_)) {
            self.delivery.bell.ring();
        }
        Ok(outcome)
    }
}

struct Recorded<C> {
    caller: Caller,
    command: C,
    now: Timestamp,
    audit_ids: Range<i64>,
}

impl<C: Command> Recorded<C> {
    /// The key with the account that it belongs to; keys of nobody are not kept.
    fn key(&self) -> Option<(i64, &Key)> {
        self.caller.account_id.zip(self.caller.key.as_ref())
    }

    fn replay(&self, key: &Key, rows: &Rows) -> Result<Option<Outcome<C::Accepted, C::Refused>>> {
        let Some(row) = rows.first() else { return Ok(None) };
        if row.get::<Vec<u8>>(0)? != key.fingerprint {
            return Ok(Some(Outcome::KeyReused));
        }
        let broken = |reason: String| Error::Decode { column: 1, reason };
        let status = u16::try_from(row.get::<i64>(1)?).map_err(|e| broken(e.to_string()))?;
        let body = RawValue::from_string(row.get(2)?).map_err(|e| broken(e.to_string()))?;
        Ok(Some(Outcome::Replayed { status, body }))
    }
}

impl<C: Command> Transaction for Recorded<C> {
    type Output = Outcome<C::Accepted, C::Refused>;

    fn name(&self) -> &'static str {
        C::NAME
    }

    fn load(&self) -> Vec<Statement> {
        let mut statements = self.command.load();
        if let Some((account_id, key)) = self.key() {
            let params = vec![account_id.into(), key.key.as_str().into()];
            statements.insert(0, Statement::new(&KEY, params));
        }
        statements
    }

    fn decide(&self, mut loaded: &[Rows]) -> Result<Step<Self::Output>> {
        if let Some((_, key)) = self.key() {
            let (first, rest) = loaded.split_first().expect("the key's rows come first");
            if let Some(outcome) = self.replay(key, first)? {
                return Ok(Step::Store(Vec::new(), outcome));
            }
            loaded = rest;
        }
        let mut changes = Changes {
            now: self.now,
            actor_id: self.caller.account_id,
            statements: Vec::new(),
            events: Vec::new(),
            audit: Vec::new(),
            audit_ids: self.audit_ids.clone(),
        };
        match self.command.decide(loaded, &mut changes)? {
            Decision::Load(more) => Ok(Step::Load(more)),
            Decision::Refuse(refused) => Ok(Step::Store(Vec::new(), Outcome::Refused(refused))),
            Decision::Accept(accepted) => {
                if let Some((account_id, key)) = self.key() {
                    let body = serde_json::to_string(&accepted)
                        .map_err(|e| Error::Decode { column: 0, reason: e.to_string() })?;
                    changes.store(Statement::new(
                        &STORE_KEY,
                        vec![
                            account_id.into(),
                            key.key.as_str().into(),
                            key.fingerprint.to_vec().into(),
                            i64::from(C::STATUS).into(),
                            body.into(),
                            self.now.into(),
                        ],
                    ));
                }
                Ok(Step::Store(changes.into_statements(), Outcome::Accepted(accepted)))
            }
        }
    }
}
