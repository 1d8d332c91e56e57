//! Taking channels that are due in hand. A channel belongs to the node that has claimed it, in an
//! epoch of its own, until it is given back or the node is dead.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use runout_core::channels::{Cursor, Scope};
use runout_store::{Error, Result, Row, Rows, Statement, Step, Transaction, Value};

use super::settle::RunEnd;
use super::sql;
use crate::App;
use crate::channels::model::{ChannelState, RunKind};
use crate::platform::command::{columns, next_ids};

/// Channels that are claimed at a time.
const CLAIM_MAX: usize = 64;
/// The same beside other nodes: a crowd that is due at once is shared.
const CLAIM_SHARED_MAX: usize = 16;

/// Claims channels that are due, if there is room for them. Nothing is written when none is.
pub(super) async fn claim(
    app: &App,
    holder: &Arc<str>,
    now: Timestamp,
    room: usize,
) -> Result<Claims> {
    let anything = Statement::new(&sql::ANYTHING_DUE, vec![now.into()]);
    let nodes: Option<i64> = app.db.read_one(anything, |row| row.get(0)).await?;
    let shared = nodes.is_some_and(|nodes| nodes > 1);
    let room = room.min(if shared { CLAIM_SHARED_MAX } else { CLAIM_MAX });
    if nodes.is_none() || room == 0 {
        return Ok(Claims { claimed: Vec::new(), more: None });
    }
    let claim = Claim { holder: Arc::clone(holder), now, count_max: room as i64 };
    let claimed = app.db.transact(claim).await?;
    let more = (claimed.len() == room).then_some(if shared { More::Soon } else { More::Now });
    Ok(Claims { claimed, more })
}

/// What was claimed.
pub(super) struct Claims {
    pub claimed: Vec<Claimed>,
    /// There may be more.
    pub more: Option<More>,
}

/// When to claim more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Now,
    /// Other nodes shall have their share.
    Soon,
}

/// Claims channels that are due.
struct Claim {
    holder: Arc<str>,
    now: Timestamp,
    count_max: i64,
}

/// A channel that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claimed {
    pub channel_id: i64,
    /// Whoever had it before did not give it back: calls of its may have been under way.
    pub orphan: bool,
}

/// A channel that is due.
struct Due {
    channel_id: i64,
    holder: Option<String>,
    epoch: i64,
    asked: Option<String>,
    asked_by: Option<i64>,
    run_id: Option<i64>,
    began_at: Option<Timestamp>,
    state: ChannelState,
    sync_minutes: Option<i64>,
    cursor: Cursor,
}

fn read(row: Row<'_>) -> Result<Due> {
    let (state, cursor): (String, String) = (row.get(7)?, row.get(9)?);
    let broken = |reason: String| Error::Decode { column: 9, reason };
    Ok(Due {
        channel_id: row.get(0)?,
        holder: row.get(1)?,
        epoch: row.get(2)?,
        asked: row.get(3)?,
        asked_by: row.get(4)?,
        run_id: row.get(5)?,
        began_at: row.get(6)?,
        state: ChannelState::parse(&state).ok_or_else(|| broken(state))?,
        sync_minutes: row.get(8)?,
        cursor: serde_json::from_str(&cursor).map_err(|error| broken(error.to_string()))?,
    })
}

impl Due {
    /// Whether the schedule wants a sync.
    fn is_scheduled(&self, now: Timestamp) -> bool {
        next_sync(self.began_at, self.sync_minutes).is_some_and(|at| at <= now)
    }
}

/// When the schedule wants the next sync: none, if there is no schedule.
pub(super) fn next_sync(began_at: Option<Timestamp>, minutes: Option<i64>) -> Option<Timestamp> {
    let pause = SignedDuration::from_mins(minutes?);
    Some(began_at.map_or(Timestamp::UNIX_EPOCH, |at| at + pause))
}

impl Transaction for Claim {
    type Output = Vec<Claimed>;

    fn name(&self) -> &'static str {
        "claim_channels"
    }

    fn load(&self) -> Vec<Statement> {
        let due = vec![self.now.into(), self.count_max.into()];
        vec![Statement::new(&sql::DUE, due), next_ids("sync_run", self.count_max)]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<Self::Output>> {
        let due = loaded[0].map(read)?;
        let first: i64 = loaded[1].first().map_or(Ok(0), |row| row.get(0))?;
        let mut ids = first..first + self.count_max;
        let (mut claims, mut runs, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut claimed = Vec::new();
        for mut due in due {
            if due.asked.as_deref() == Some("cancel") {
                if let Some(run_id) = due.run_id.take() {
                    let canceled = RunEnd::Canceled.as_str();
                    ends.push(vec![run_id.into(), canceled.into(), self.now.into()]);
                }
                due.cursor.cancel();
            }
            let works = due.state.works();
            let wanted = matches!(due.asked.as_deref(), Some("sync" | "full"));
            if works && due.run_id.is_none() && (wanted || due.is_scheduled(self.now)) {
                let kind = match (due.cursor.scope(Scope::Update), due.asked.as_deref()) {
                    (Scope::Full, _) => RunKind::Initial,
                    (Scope::Update, Some("full")) => RunKind::Full,
                    (Scope::Update, _) => RunKind::Update,
                };
                let id = ids.next().expect("an id was taken for every channel");
                due.cursor.begin();
                (due.run_id, due.began_at) = (Some(id), Some(self.now));
                runs.push(vec![
                    id.into(),
                    due.channel_id.into(),
                    Value::Static(kind.as_str()),
                    due.asked_by.into(),
                    self.now.into(),
                ]);
            }
            if works {
                let orphan = due.holder.is_some();
                claimed.push(Claimed { channel_id: due.channel_id, orphan });
            }
            claims.push(vec![
                due.channel_id.into(),
                works.then(|| Arc::clone(&self.holder)).into(),
                (due.epoch + 1).into(),
                Value::Null,
                due.run_id.into(),
                due.began_at.into(),
                serde_json::to_value(&due.cursor).expect("a cursor is plain data").into(),
            ]);
        }
        let statements = vec![
            Statement::bulk(&sql::BEGIN_RUN, columns(runs, 5)),
            Statement::bulk(&sql::END_RUN, columns(ends, 3)),
            Statement::bulk(&sql::CLAIM, columns(claims, 7)),
        ];
        Ok(Step::Store(statements, claimed))
    }
}
