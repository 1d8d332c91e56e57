//! How far a channel is: what was read, what is left, what the provider allows.

use jiff::{SignedDuration, Timestamp};
use runout_core::channels::Cursor;
use runout_core::channels::limiter::Next;
use runout_store::{Result, Row, Statement};
use serde::Serialize;
use utoipa::ToSchema;

use super::crawl::limits::Limits;
use super::model::{Channel, ChannelState, SyncRun, json};
use super::provider::Endpoint;
use super::sql;
use crate::App;

/// Details that are counted; more are "at least".
pub const COUNTED_MAX: i64 = 100_001;

/// An endpoint of the provider, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EndpointUse {
    #[schema(example = "detail")]
    pub endpoint: &'static str,
    /// Calls that are allowed in a period, as far as is known.
    #[schema(minimum = 1)]
    pub limit: u32,
    #[schema(minimum = 1)]
    pub period_ms: i64,
    /// Calls in the last period.
    pub used: u32,
    /// When the next call is allowed; null: when the one under way was answered.
    #[schema(required = true)]
    pub next_call_at: Option<Timestamp>,
}

/// How far a channel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelProgress {
    #[schema(minimum = 1)]
    pub channel_id: i64,
    pub state: ChannelState,
    #[schema(required = true)]
    pub state_reason: Option<String>,
    /// Whether a sync goes on.
    pub running: bool,
    /// What was asked of it, and nobody has noticed yet.
    #[schema(required = true, example = "sync")]
    pub asked: Option<String>,
    /// The sync that goes on, else the last one.
    #[schema(required = true)]
    pub run: Option<SyncRun>,
    /// Details that are to be fetched now.
    pub details_left: i64,
    /// Pages are still to be read, so that there may be more of them.
    pub more_pages: bool,
    pub endpoints: Vec<EndpointUse>,
    /// How long the details that are left take at the allowed rate; null: no sync goes on.
    #[schema(required = true)]
    pub seconds_left: Option<i64>,
    /// When the schedule wants the next sync; null: only when asked.
    #[schema(required = true)]
    pub next_sync_at: Option<Timestamp>,
    /// How the last call failed, if it did.
    #[schema(required = true)]
    pub problem: Option<String>,
    #[schema(required = true)]
    pub failing_since: Option<Timestamp>,
    /// Calls in a row that failed.
    pub failures: i64,
    /// Shipments that could not be read.
    pub quarantined: i64,
    /// Fields of the provider that are not known here.
    pub unknown_fields: Vec<String>,
}

/// What the database says of it.
struct Stored {
    cursor: Cursor,
    limits: String,
    asked: Option<String>,
    running: bool,
    began_at: Option<Timestamp>,
    failures: i64,
    failing_since: Option<Timestamp>,
    problem: Option<String>,
    unknown_fields: Vec<String>,
    run: Option<SyncRun>,
}

fn read(row: &Row<'_>) -> Result<Stored> {
    let has_run = row.get::<Option<i64>>(9)?.is_some();
    Ok(Stored {
        cursor: json(row, 0)?,
        limits: row.get(1)?,
        asked: row.get(2)?,
        running: row.get::<Option<i64>>(3)?.is_some(),
        began_at: row.get(4)?,
        failures: row.get(5)?,
        failing_since: row.get(6)?,
        problem: row.get(7)?,
        unknown_fields: json(row, 8)?,
        run: if has_run { Some(SyncRun::read_from(row, 9)?) } else { None },
    })
}

/// How far a channel is; none if it is gone.
///
/// # Errors
/// The database's.
pub async fn progress(app: &App, channel: &Channel) -> Result<Option<ChannelProgress>> {
    let id = channel.id;
    let stored = app.db.read_one(Statement::new(&sql::HOW_FAR, vec![id.into()]), read).await?;
    let Some(stored) = stored else { return Ok(None) };
    let now = app.clock.now();
    let params = vec![id.into(), now.into(), COUNTED_MAX.into()];
    let left =
        app.db.read_one(Statement::new(&sql::DETAILS_LEFT, params), |row| row.get(0)).await?;
    let params = vec![id.into(), "quarantined".into(), COUNTED_MAX.into()];
    let spoiled = app.db.read_one(Statement::new(&sql::IN_STATE, params), |row| row.get(0)).await?;
    Ok(Some(told(channel, stored, left.unwrap_or(0), spoiled.unwrap_or(0), now)))
}

fn told(
    channel: &Channel,
    stored: Stored,
    details_left: i64,
    quarantined: i64,
    now: Timestamp,
) -> ChannelProgress {
    let limits = Limits::read(channel.provider, &stored.limits);
    let endpoints: Vec<EndpointUse> =
        Endpoint::ALL.into_iter().map(|endpoint| usage(&limits, endpoint, now)).collect();
    let detail = &endpoints[Endpoint::Detail as usize];
    let running = stored.running;
    ChannelProgress {
        channel_id: channel.id,
        state: channel.state,
        state_reason: channel.state_reason.clone(),
        running,
        asked: stored.asked.filter(|asked| asked != "look"),
        run: stored.run,
        details_left,
        more_pages: running && stored.cursor.page().is_some(),
        seconds_left: running.then(|| seconds_for(details_left, detail, now)),
        endpoints,
        next_sync_at: next_sync(channel, stored.began_at, now),
        problem: stored.problem,
        failing_since: stored.failing_since,
        failures: stored.failures,
        quarantined,
        unknown_fields: stored.unknown_fields,
    }
}

fn usage(limits: &Limits, endpoint: Endpoint, now: Timestamp) -> EndpointUse {
    let assumed = limits.assumed(endpoint);
    let (limit, period_us, used) =
        limits.of(endpoint).map_or((assumed.permits, assumed.period_us, 0), |limiter| {
            (limiter.limit(), limiter.period_us(), limiter.used(now.as_microsecond()))
        });
    EndpointUse {
        endpoint: endpoint.as_str(),
        limit,
        period_ms: (period_us / 1_000).max(1),
        used,
        next_call_at: match limits.next(endpoint, now) {
            Next::At(at_us) => Timestamp::from_microsecond(at_us).ok(),
            Next::Crowded => None,
        },
    }
}

/// How long so many details take: until the next call is allowed, then at the allowed rate.
fn seconds_for(details: i64, detail: &EndpointUse, now: Timestamp) -> i64 {
    if details == 0 {
        return 0;
    }
    let wait = detail.next_call_at.map_or(SignedDuration::ZERO, |at| at.duration_since(now));
    let rest = i128::from(details - 1) * i128::from(detail.period_ms) / i128::from(detail.limit);
    let total = wait.as_millis().max(0) + rest;
    i64::try_from((total + 999) / 1_000).unwrap_or(i64::MAX)
}

fn next_sync(channel: &Channel, began_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let minutes = channel.sync_minutes.filter(|_| channel.state.works())?;
    Some(began_at.map_or(now, |at| (at + SignedDuration::from_mins(minutes)).max(now)))
}

impl Endpoint {
    /// As it is shown.
    const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Detail => "detail",
            Self::Ship => "ship",
            Self::Process => "process",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_finish_follows_the_allowed_rate() {
        let now = Timestamp::from_second(1_000).expect("in range");
        let detail = |limit, wait| EndpointUse {
            endpoint: "detail",
            limit,
            period_ms: 60_000,
            used: 0,
            next_call_at: Some(now + SignedDuration::from_secs(wait)),
        };
        for (details, limit, wait, seconds) in
            [(0, 50, 9, 0), (1, 50, 9, 9), (51, 50, 0, 60), (1_001, 50, 10, 1_210), (2, 1, 0, 60)]
        {
            assert_eq!(seconds_for(details, &detail(limit, wait), now), seconds, "{details}");
        }
    }
}
