//! Stores what came of calls, of many channels in one transaction.
//!
//! Only whoever holds a channel, in the epoch in which it was claimed, changes anything of it: what
//! another node has taken over is dropped, and the channel with it. What a page brought, how far
//! the list was read, and what is known of the limits are stored together or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use runout_core::channels::{Cursor, Listed, Scope};
use runout_store::{Result, Rows, Statement, Step, Transaction, Value};

use super::rows::{DetailRow, ListedRow};
use super::sql;
use crate::channels::model::ChannelState;
use crate::channels::provider::Endpoint;
use crate::platform::command::{columns, next_ids};

/// What one call brought.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub channel_id: i64,
    /// Whose call it was: none: one for a token.
    pub endpoint: Option<Endpoint>,
    pub fruit: Fruit,
}

#[derive(Debug, Clone)]
pub(super) enum Fruit {
    /// A page of the list.
    Page(Vec<ListedRow>),
    Detail(Box<DetailRow>),
    /// A shipment that cannot be read: why, and what came.
    Spoiled {
        shipment_id: i64,
        problem: String,
        raw: Option<String>,
    },
    /// A shipment that is not there any more.
    Missing {
        shipment_id: i64,
    },
    /// A token, sealed.
    Token {
        sealed: String,
        credentials: i64,
        ends_at: Timestamp,
    },
    /// What became of something that is shipped from here.
    Process(ProcessRow),
    Nothing,
}

/// A process as it is now.
#[derive(Debug, Clone)]
pub(super) struct ProcessRow {
    pub id: i64,
    pub state: &'static str,
    pub process_id: Option<String>,
    pub shipment_id: Option<String>,
    pub error: Option<String>,
    pub due_at: Option<Timestamp>,
}

/// What is counted of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub calls: i64,
    pub refused: i64,
    pub unauthorised: i64,
    pub failed: i64,
    pub tokens: i64,
}

/// How the run of a channel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    Done,
    Canceled,
}

impl RunEnd {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Canceled => "canceled",
        }
    }
}

/// A channel as its holder sees it when the transaction begins.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub channel_id: i64,
    pub epoch: i64,
    pub cursor: Cursor,
    pub scope: Scope,
    pub limits: String,
    pub failures: i64,
    pub failing_since: Option<Timestamp>,
    pub problem: Option<String>,
    pub unknown_fields: Vec<String>,
    pub run_id: Option<i64>,
    pub counts: Counts,
    /// A state that it is found to be in, of which credentials.
    pub state: Option<(ChannelState, Option<String>, i64)>,
    pub end: Option<RunEnd>,
    /// It is given back, and is due then.
    pub leaves: Option<Option<Timestamp>>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Settle {
    pub holder: Arc<str>,
    pub now: Timestamp,
    pub channels: Vec<Snapshot>,
    pub ended: Vec<Ended>,
}

/// What a channel's holder learns.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub channel_id: i64,
    /// None: somebody else has it, or it is gone.
    pub held: Option<StillHeld>,
}

#[derive(Debug, Clone)]
pub(super) struct StillHeld {
    pub cursor: Cursor,
    /// Shipments that were not known: whose details are to be fetched.
    pub found: Vec<(i64, String)>,
    /// Somebody wants something, or has changed the channel.
    pub asked: bool,
}

/// Statements that a batch collects, as rows.
#[derive(Default)]
struct Writes {
    progress: Vec<Vec<Value>>,
    counts: Vec<Vec<Value>>,
    ends: Vec<Vec<Value>>,
    listed: Vec<Vec<Value>>,
    details: Vec<Vec<Value>>,
    no_items: Vec<i64>,
    items: Vec<Vec<Value>>,
    fates: Vec<Vec<Value>>,
    tokens: Vec<Vec<Value>>,
    processes: Vec<Vec<Value>>,
    states: Vec<Statement>,
}

impl Writes {
    fn statements(self) -> Vec<Statement> {
        let mut statements = vec![
            Statement::bulk(&sql::INSERT_LISTED, columns(self.listed, 15)),
            Statement::bulk(&sql::STORE_DETAIL, columns(self.details, 21)),
            Statement::bulk(&sql::STORE_ITEM, columns(self.items, 15)),
            Statement::bulk(&sql::STORE_FATE, columns(self.fates, 5)),
            Statement::bulk(&sql::STORE_TOKEN, columns(self.tokens, 4)),
            Statement::bulk(&sql::STORE_PROCESS, columns(self.processes, 7)),
            Statement::bulk(&sql::COUNT, columns(self.counts, 11)),
            Statement::bulk(&sql::END_RUN, columns(self.ends, 3)),
            Statement::bulk(&sql::PROGRESS, columns(self.progress, 10)),
        ];
        if !self.no_items.is_empty() {
            statements.insert(0, Statement::new(&sql::NO_ITEMS, vec![Value::Ints(self.no_items)]));
        }
        statements.extend(self.states);
        statements
    }
}

/// Shipments that a run found, and so on: by what was brought.
#[derive(Default)]
struct Tally {
    pages: i64,
    found: i64,
    details: i64,
    quarantined: i64,
    gone: i64,
}

/// What the decision knows of the rows.
struct Loaded {
    locked: BTreeMap<i64, Lock>,
    known: BTreeSet<(i64, String)>,
    ids: std::ops::RangeFrom<i64>,
}

struct Lock {
    epoch: i64,
    holder: Option<String>,
    asked: bool,
}

impl Settle {
    fn pages(&self) -> impl Iterator<Item = (i64, &ListedRow)> {
        self.ended.iter().flat_map(|ended| {
            let rows = if let Fruit::Page(rows) = &ended.fruit { &rows[..] } else { &[] };
            rows.iter().map(|row| (ended.channel_id, row))
        })
    }

    fn read(&self, loaded: &[Rows]) -> Result<Loaded> {
        let locked = loaded[0].map(|row| {
            let state: String = row.get(4)?;
            let asked = row.get::<Option<String>>(3)?.is_some();
            let works = matches!(state.as_str(), "unverified" | "active");
            let lock = Lock { epoch: row.get(1)?, holder: row.get(2)?, asked: asked || !works };
            Ok((row.get(0)?, lock))
        })?;
        let known = match loaded.get(1) {
            Some(rows) => rows.map(|row| Ok((row.get(0)?, row.get(1)?)))?,
            None => Vec::new(),
        };
        let first = match loaded.get(2).and_then(Rows::first) {
            Some(row) => row.get(0)?,
            None => 0,
        };
        Ok(Loaded {
            locked: locked.into_iter().collect(),
            known: known.into_iter().collect(),
            ids: first..,
        })
    }

    /// Whether this node still holds the channel.
    fn holds(&self, channel: &Snapshot, locked: &BTreeMap<i64, Lock>) -> bool {
        locked.get(&channel.channel_id).is_some_and(|lock| {
            lock.epoch == channel.epoch && lock.holder.as_deref() == Some(&*self.holder)
        })
    }

    /// Takes in what one channel's calls brought.
    fn take(
        &self,
        channel: &Snapshot,
        loaded: &mut Loaded,
        writes: &mut Writes,
    ) -> (Cursor, Vec<(i64, String)>) {
        let (mut cursor, mut found) = (channel.cursor.clone(), Vec::new());
        let mut tally = Tally::default();
        for ended in self.ended.iter().filter(|ended| ended.channel_id == channel.channel_id) {
            match &ended.fruit {
                Fruit::Page(rows) => {
                    let mut listed = Listed { entries: rows.len(), ..Listed::default() };
                    for row in rows {
                        listed.newest = listed.newest.max(row.shipped_at);
                        listed.oldest = match (listed.oldest, row.shipped_at) {
                            (Some(oldest), Some(at)) => Some(oldest.min(at)),
                            (oldest, at) => oldest.or(at),
                        };
                        if !loaded.known.insert((channel.channel_id, row.remote_id.clone())) {
                            continue;
                        }
                        listed.unknown += 1;
                        let id = loaded.ids.next().expect("an id was taken for every entry");
                        writes.listed.push(row.values(id, channel.channel_id));
                        tally.quarantined += i64::from(row.problem.is_some());
                        if row.problem.is_none() {
                            found.push((id, row.remote_id.clone()));
                        }
                    }
                    tally.pages += 1;
                    tally.found += listed.unknown as i64;
                    if cursor.page().is_some() {
                        cursor.read(channel.scope, listed);
                    }
                }
                Fruit::Detail(detail) => {
                    tally.details += 1;
                    writes.no_items.push(detail.shipment_id);
                    writes.details.push(detail.values.clone());
                    writes.items.extend(detail.items.iter().cloned());
                }
                Fruit::Spoiled { shipment_id, problem, raw } => {
                    tally.quarantined += 1;
                    let fate = ("quarantined", Some(problem), raw.as_ref());
                    writes.fates.push(self.fate(*shipment_id, fate));
                }
                Fruit::Missing { shipment_id } => {
                    tally.gone += 1;
                    cursor.vanished();
                    writes.fates.push(self.fate(*shipment_id, ("gone", None, None)));
                }
                Fruit::Token { sealed, credentials, ends_at } => writes.tokens.push(vec![
                    channel.channel_id.into(),
                    sealed.clone().into(),
                    (*credentials).into(),
                    (*ends_at).into(),
                ]),
                Fruit::Process(process) => writes.processes.push(self.process(process)),
                Fruit::Nothing => {}
            }
        }
        if let Some(run_id) = channel.run_id {
            writes.counts.push(counted(run_id, &tally, &channel.counts));
        }
        (cursor, found)
    }

    fn fate(&self, id: i64, fate: (&'static str, Option<&String>, Option<&String>)) -> Vec<Value> {
        let (state, problem, raw) = fate;
        vec![
            id.into(),
            Value::Static(state),
            problem.cloned().into(),
            raw.cloned().into(),
            self.now.into(),
        ]
    }

    fn process(&self, process: &ProcessRow) -> Vec<Value> {
        vec![
            process.id.into(),
            Value::Static(process.state),
            process.process_id.clone().into(),
            process.shipment_id.clone().into(),
            process.error.clone().into(),
            process.due_at.into(),
            self.now.into(),
        ]
    }

    /// Stores how far a channel is.
    fn progress(&self, channel: &Snapshot, cursor: &Cursor, asked: bool, writes: &mut Writes) {
        if let (Some(end), Some(run_id)) = (channel.end, channel.run_id) {
            let end = vec![run_id.into(), Value::Static(end.as_str()), self.now.into()];
            writes.ends.push(end);
        }
        if let Some((state, reason, credentials)) = &channel.state {
            writes.states.push(Statement::new(
                &sql::SET_STATE,
                vec![
                    channel.channel_id.into(),
                    Value::Static(state.as_str()),
                    reason.clone().into(),
                    self.now.into(),
                    (*credentials).into(),
                ],
            ));
        }
        let stays = channel.leaves.is_none();
        // Whoever has asked for something meanwhile is heard at once.
        let due_at = match channel.leaves {
            None => None,
            Some(_) if asked => Some(self.now),
            Some(due_at) => due_at,
        };
        writes.progress.push(vec![
            channel.channel_id.into(),
            serde_json::to_value(cursor).expect("a cursor is plain data").into(),
            channel.limits.clone().into(),
            channel.failures.into(),
            channel.failing_since.into(),
            channel.problem.clone().into(),
            serde_json::json!(channel.unknown_fields).into(),
            channel.run_id.filter(|_| channel.end.is_none()).into(),
            stays.then(|| Arc::clone(&self.holder)).into(),
            due_at.into(),
        ]);
    }
}

fn counted(run_id: i64, tally: &Tally, counts: &Counts) -> Vec<Value> {
    vec![
        run_id.into(),
        tally.pages.into(),
        tally.found.into(),
        tally.details.into(),
        tally.quarantined.into(),
        tally.gone.into(),
        counts.calls.into(),
        counts.refused.into(),
        counts.unauthorised.into(),
        counts.failed.into(),
        counts.tokens.into(),
    ]
}

impl Transaction for Settle {
    type Output = Vec<Stored>;

    fn name(&self) -> &'static str {
        "settle_calls"
    }

    fn load(&self) -> Vec<Statement> {
        let channels = self.channels.iter().map(|channel| channel.channel_id).collect();
        let lock = Statement::new(&sql::LOCK, vec![Value::Ints(channels)]);
        let (of, ids): (Vec<i64>, Vec<String>) =
            self.pages().map(|(channel_id, row)| (channel_id, row.remote_id.clone())).unzip();
        if of.is_empty() {
            return vec![lock];
        }
        let count = of.len() as i64;
        let known = Statement::new(&sql::KNOWN, vec![Value::Ints(of), Value::Texts(ids)]);
        vec![lock, known, next_ids("shipment", count)]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Self::Output>> {
        let mut loaded = self.read(loaded)?;
        let (mut writes, mut stored) = (Writes::default(), Vec::new());
        for channel in &self.channels {
            let channel_id = channel.channel_id;
            if !self.holds(channel, &loaded.locked) {
                stored.push(Stored { channel_id, held: None });
                continue;
            }
            let asked = loaded.locked[&channel_id].asked;
            let (cursor, found) = self.take(channel, &mut loaded, &mut writes);
            self.progress(channel, &cursor, asked, &mut writes);
            stored.push(Stored { channel_id, held: Some(StillHeld { cursor, found, asked }) });
        }
        Ok(Step::Store(writes.statements(), stored))
    }
}
