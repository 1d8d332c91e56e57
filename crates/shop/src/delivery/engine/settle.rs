//! Stores what became of deliveries, many per transaction.
//!
//! Whatever was delivered is removed by whoever delivered it: that is the truth, whoever holds the
//! lane by now. Failures count only if the lane is still held in the same epoch, and the delivery
//! is still there: else another node has taken over, and has its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use runout_store::{Result, Rows, Statement, Step, Transaction, Value};

use super::sql;
use super::window::{Failures, Thing};
use crate::platform::command::{columns, next_ids};

/// What became of the first deliveries of a thing.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub thing: Thing,
    pub lane: u32,
    /// In which the lane was held when the attempt began.
    pub epoch: Option<i64>,
    /// The deliveries that this is about, oldest first. A failure is about the first one.
    pub deliveries: Vec<i64>,
    /// The letters among them.
    pub letters: Vec<i64>,
    pub end: End,
    /// What the remote calls it from now on.
    pub record: Option<Record>,
    /// It had failed before, so that a row of its retries may have to go.
    pub had_failed: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Delivered,
    /// Another attempt follows.
    Retry {
        due_at: Timestamp,
        failures: Failures,
        status: Option<u16>,
        error: String,
    },
    /// No other attempt follows.
    Dead(Box<Obituary>),
    /// Nothing was sent, nothing failed: it is not its turn yet.
    Deferred,
}

/// What is kept of a delivery that was given up.
#[derive(Debug, Clone)]
pub(crate) struct Obituary {
    pub outbox_id: i64,
    pub topic: String,
    pub at: Timestamp,
    pub payload: String,
    /// `refused`, `exhausted` or `unsendable`.
    pub reason: &'static str,
    pub attempts: u32,
    pub request: String,
    pub response: Option<String>,
    pub status: Option<u16>,
    pub error: String,
    /// The receiver wants nothing more at all.
    pub gone: bool,
}

/// A thing's record at a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Is { key: Option<String>, parent_id: Option<i64>, digest: [u8; 32] },
    Gone,
}

/// Stores what became of deliveries to one destination; answers the things whose end was stored.
pub(super) struct Settle {
    pub destination_id: i64,
    /// Where a mirror's records lie.
    pub origin: Arc<str>,
    pub holder: Arc<str>,
    pub now: Timestamp,
    pub settled: Vec<Settled>,
}

/// Longest error that is kept, in characters.
const ERROR_CHARS_MAX: usize = 500;

fn cut(error: &str) -> String {
    error.chars().take(ERROR_CHARS_MAX).collect()
}

impl Settle {
    fn failed(&self) -> impl Iterator<Item = &Settled> {
        self.settled.iter().filter(|s| matches!(s.end, End::Retry { .. } | End::Dead(_)))
    }

    fn delivered(&self) -> impl Iterator<Item = &Settled> {
        self.settled.iter().filter(|s| matches!(s.end, End::Delivered))
    }

    fn ints(&self, ids: Vec<i64>) -> Vec<Value> {
        vec![self.destination_id.into(), Value::Ints(ids)]
    }

    /// The failures that count.
    fn counting<'a>(&'a self, loaded: &[Rows]) -> Result<Vec<&'a Settled>> {
        let [_, held, there, ..] = loaded else { return Ok(Vec::new()) };
        let held: BTreeMap<i64, i64> =
            held.map(|row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect();
        let there: BTreeSet<i64> = there.map(|row| row.get(0))?.into_iter().collect();
        let counts = |settled: &&Settled| {
            let epoch = held.get(&i64::from(settled.lane));
            settled.epoch.is_some()
                && settled.epoch.as_ref() == epoch
                && there.contains(&settled.deliveries[0])
        };
        Ok(self.failed().filter(counts).collect())
    }

    fn retry(&self, settled: &Settled) -> Option<Vec<Value>> {
        let End::Retry { due_at, failures, status, error } = &settled.end else { return None };
        Some(vec![
            self.destination_id.into(),
            Arc::clone(&settled.thing.entity).into(),
            settled.thing.id.into(),
            settled.deliveries[0].into(),
            i64::from(settled.lane).into(),
            i64::from(failures.count).into(),
            failures.first_at.unwrap_or(self.now).into(),
            (*due_at).into(),
            status.map(i64::from).into(),
            cut(error).into(),
        ])
    }

    fn bury(&self, settled: &Settled, dead: &Obituary, ids: &mut std::ops::Range<i64>) -> Burial {
        let status = Value::from(dead.status.map(i64::from));
        if let Some(letter) = settled.letters.first() {
            return Burial::Again(Statement::new(
                &sql::REBURY,
                vec![
                    (*letter).into(),
                    self.now.into(),
                    Value::Static(dead.reason),
                    i64::from(dead.attempts).into(),
                    dead.request.clone().into(),
                    dead.response.clone().into(),
                    status,
                ],
            ));
        }
        Burial::New(vec![
            ids.next().expect("an id was taken for every failure").into(),
            self.destination_id.into(),
            dead.outbox_id.into(),
            i64::from(settled.lane).into(),
            dead.topic.clone().into(),
            Arc::clone(&settled.thing.entity).into(),
            settled.thing.id.into(),
            dead.at.into(),
            self.now.into(),
            dead.payload.clone().into(),
            Value::Static(dead.reason),
            i64::from(dead.attempts).into(),
            dead.request.clone().into(),
            dead.response.clone().into(),
            status,
        ])
    }

    /// The ids that remotes have given.
    fn keys(&self) -> Vec<String> {
        let key = |settled: &Settled| match &settled.record {
            Some(Record::Is { key, .. }) => key.clone(),
            _ => None,
        };
        self.settled.iter().filter_map(key).collect()
    }

    /// Rows of remote records: to keep, and to forget. An id names one thing that is here: whoever
    /// comes second is known to be there, but not by a name.
    fn records(&self, named: Option<&Rows>) -> Result<[Statement; 2]> {
        let read = |rows: &Rows| rows.map(|row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)));
        let named = named.map(read).transpose()?.unwrap_or_default();
        let mut named: BTreeMap<(String, String), i64> = named.into_iter().collect();
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for settled in &self.settled {
            let of = |settled: &Settled| {
                let entity = Arc::clone(&settled.thing.entity);
                [Arc::clone(&self.origin).into(), entity.into(), settled.thing.id.into()]
            };
            match &settled.record {
                None => {}
                Some(Record::Gone) => gone.push(of(settled).to_vec()),
                Some(Record::Is { key, parent_id, digest }) => {
                    let thing = &settled.thing;
                    let free = |key: &&String| {
                        let name = (thing.entity.to_string(), (*key).clone());
                        *named.entry(name).or_insert(thing.id) == thing.id
                    };
                    let key = key.as_ref().filter(free).cloned();
                    let mut row = of(settled).to_vec();
                    let digest = Value::Bytes(digest.to_vec());
                    row.extend([key.into(), (*parent_id).into(), digest, self.now.into()]);
                    kept.push(row);
                }
            }
        }
        Ok([
            Statement::bulk(&sql::MAP, columns(kept, 7)),
            Statement::bulk(&sql::UNMAP, columns(gone, 3)),
        ])
    }

    fn tally(&self, failed: usize, dead: usize) -> Statement {
        let delivered: usize = self.delivered().map(|settled| settled.deliveries.len()).sum();
        let error = self.failed().last().map(|settled| match &settled.end {
            End::Retry { error, .. } => cut(error),
            End::Dead(dead) => cut(&dead.error),
            End::Delivered | End::Deferred => String::new(),
        });
        Statement::new(
            &sql::TALLY,
            vec![
                self.destination_id.into(),
                (delivered as i64).into(),
                (failed as i64).into(),
                (dead as i64).into(),
                (delivered > 0).then_some(self.now).into(),
                (failed > 0).then_some(self.now).into(),
                error.into(),
            ],
        )
    }
}

enum Burial {
    New(Vec<Value>),
    Again(Statement),
}

impl Transaction for Settle {
    type Output = ();

    fn name(&self) -> &'static str {
        "settle_deliveries"
    }

    fn load(&self) -> Vec<Statement> {
        let failed: Vec<i64> = self.failed().map(|settled| settled.deliveries[0]).collect();
        let keys = self.keys();
        if failed.is_empty() && keys.is_empty() {
            return Vec::new();
        }
        let origin = Arc::clone(&self.origin).into();
        let named = Statement::new(&sql::NAMED, vec![origin, Value::Texts(keys)]);
        if failed.is_empty() {
            return vec![named];
        }
        let deaths = self.failed().filter(|s| matches!(s.end, End::Dead(_))).count() as i64;
        vec![
            named,
            Statement::new(&sql::HELD, vec![Arc::clone(&self.holder).into()]),
            Statement::new(&sql::STILL_THERE, self.ints(failed)),
            next_ids("dead_letter", deaths),
        ]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<()>> {
        let failed = self.counting(loaded)?;
        let first = loaded.get(3).and_then(Rows::first).map_or(Ok(0), |row| row.get(0))?;
        let mut ids = first..i64::MAX;
        let (mut removed, mut at_rest, mut cleared) = (Vec::new(), Vec::new(), Vec::new());
        for settled in self.delivered() {
            removed.extend_from_slice(&settled.deliveries);
            at_rest.extend_from_slice(&settled.letters);
        }
        let (mut retries, mut buried, mut statements) = (Vec::new(), Vec::new(), Vec::new());
        let mut dead = 0;
        for settled in &failed {
            retries.extend(self.retry(settled));
            let End::Dead(obituary) = &settled.end else { continue };
            dead += 1;
            removed.push(settled.deliveries[0]);
            match self.bury(settled, obituary, &mut ids) {
                Burial::New(row) => buried.push(row),
                Burial::Again(statement) => statements.push(statement),
            }
            if obituary.gone {
                let why = "The receiver answered 410: it wants no more deliveries.";
                let disabled = vec![self.destination_id.into(), why.into(), self.now.into()];
                statements.push(Statement::new(&sql::DISABLE, disabled));
            }
        }
        let over = self.delivered().chain(failed.iter().copied().filter(is_dead));
        for settled in over.filter(|settled| settled.had_failed) {
            let entity = Arc::clone(&settled.thing.entity);
            let of_thing = [self.destination_id.into(), entity.into(), settled.thing.id.into()];
            cleared.push(of_thing.to_vec());
        }
        statements.push(Statement::new(&sql::REMOVE, self.ints(removed)));
        statements.push(Statement::bulk(&sql::NO_RETRY, columns(cleared, 3)));
        statements.push(Statement::bulk(&sql::RETRY, columns(retries, 10)));
        statements.push(Statement::bulk(&sql::BURY, columns(buried, 15)));
        statements.extend(self.records(loaded.first())?);
        if !at_rest.is_empty() {
            statements.push(Statement::new(&sql::LAID_TO_REST, vec![Value::Ints(at_rest)]));
        }
        statements.push(self.tally(failed.len(), dead));
        Ok(Step::Store(statements, ()))
    }
}

fn is_dead(settled: &&Settled) -> bool {
    matches!(settled.end, End::Dead(_))
}
