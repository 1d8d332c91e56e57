//! Reading destinations, and how they fare.

use jiff::Timestamp;
use runout_store::{Composer, Result, Row, Statement, statements};

use super::model::{Destination, DestinationKind, DestinationState, DestinationStatus};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

/// Rows that are counted; more are "at least".
pub const COUNTED_MAX: i64 = 10_001;

statements! {
    SHOW = "select id, name, kind, shown_url, events, resources, exchange, allow_private, state,
            state_reason, created_at, updated_at, version
        from destination where id = $1";
    /// How the destinations from `$1` to `$2` fare, nothing counted beyond `$3`.
    STATUS = {
        replan,
        both: "select d.id, d.name, d.kind, d.shown_url, d.events, d.resources, d.exchange,
                d.allow_private, d.state, d.state_reason, d.created_at, d.updated_at, d.version,
                (select count(*) from (select 1 from delivery w where w.destination_id = d.id
                    limit $3) as waiting),
                (select count(*) from (select 1 from dead_letter l where l.destination_id = d.id
                    and l.state = 'dead' limit $3) as dead),
                (select count(*) from (select 1 from delivery_retry r where r.destination_id = d.id
                    limit $3) as retrying),
                (select w.at from delivery w where w.destination_id = d.id order by w.id limit 1),
                t.delivered, t.failed_attempts, t.last_success_at, t.last_failure_at, t.last_error
            from destination d left join destination_tally t on t.destination_id = d.id
            where d.id between $1 and $2 order by d.id",
    };
    /// Things of the destination `$1` that wait for another attempt, the next one first.
    RETRYING = {
        replan,
        both: "select entity, entity_id, attempts, first_at, due_at, status, error
            from delivery_retry where destination_id = $1
            order by due_at, entity, entity_id limit $2",
    };
    BY_IDS = {
        sqlite: "select id, name, kind, shown_url, events, resources, exchange, allow_private,
                state, state_reason, created_at, updated_at, version
            from destination where id in (select value from json_each($1))",
        postgres: "select id, name, kind, shown_url, events, resources, exchange, allow_private,
                state, state_reason, created_at, updated_at, version
            from destination where id = any($1)",
    };
}

/// What destinations can be filtered and sorted by.
pub static DESTINATIONS: Resource = Resource {
    name: "destinations",
    fields: &[
        Field::new("id", "d.id", Kind::Id),
        Field::new("name", "d.name", Kind::Text).sortable(),
        Field::new("kind", "d.kind", Kind::Choice(DestinationKind::WORDS)),
        Field::new("state", "d.state", Kind::Choice(DestinationState::WORDS)),
    ],
    id_sql: "d.id",
    default_sort: "id",
    extras: &[],
};

/// A page of destinations.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, request: &ListRequest) -> Result<Page<Destination>> {
    let mut sql = Composer::new(
        "select d.id, d.name, d.kind, d.shown_url, d.events, d.resources, d.exchange, \
         d.allow_private, d.state, d.state_reason, d.created_at, d.updated_at, d.version \
         from destination d where 1 = 1",
    );
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), Destination::read).await?;
    Ok(request.page(rows, |one, _| (one.id, Key::of(one.settings.name.clone()))))
}

/// One destination.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, id: i64) -> Result<Option<Destination>> {
    app.db.read_one(Statement::new(&SHOW, vec![id.into()]), Destination::read).await
}

/// Those of these destinations that are there.
///
/// # Errors
/// The database's.
pub async fn by_ids(app: &App, ids: Vec<i64>) -> Result<Vec<Destination>> {
    app.db.read(Statement::new(&BY_IDS, vec![ids.into()]), Destination::read).await
}

/// One destination with how it fares.
///
/// # Errors
/// The database's.
pub async fn status(app: &App, id: i64) -> Result<Option<DestinationStatus>> {
    let params = vec![id.into(), id.into(), COUNTED_MAX.into()];
    let now = app.clock.now();
    let read = |row: &Row<'_>| read_status(app, row, now, COUNTED_MAX);
    app.db.read_one(Statement::new(&STATUS, params), read).await
}

/// Every destination with how it fares; nothing is counted beyond `counted_max`.
///
/// # Errors
/// The database's.
pub async fn statuses(app: &App, counted_max: i64) -> Result<Vec<DestinationStatus>> {
    let params = vec![1.into(), i64::MAX.into(), counted_max.into()];
    let now = app.clock.now();
    let read = |row: &Row<'_>| read_status(app, row, now, counted_max);
    app.db.read(Statement::new(&STATUS, params), read).await
}

fn read_status(
    app: &App,
    row: &Row<'_>,
    now: Timestamp,
    counted_max: i64,
) -> Result<DestinationStatus> {
    let destination = Destination::read(row)?;
    let pending: i64 = row.get(13)?;
    let oldest: Option<Timestamp> = row.get(16)?;
    Ok(DestinationStatus {
        in_flight: app.delivery.in_flight(destination.id),
        pending,
        pending_is_at_least: pending >= counted_max,
        dead: row.get(14)?,
        retrying: row.get(15)?,
        oldest_pending_s: oldest.map(|oldest| now.duration_since(oldest).as_secs().max(0)),
        delivered: row.get::<Option<i64>>(17)?.unwrap_or(0),
        failed_attempts: row.get::<Option<i64>>(18)?.unwrap_or(0),
        last_success_at: row.get(19)?,
        last_failure_at: row.get(20)?,
        last_error: row.get(21)?,
        destination,
    })
}

/// A thing whose delivery failed and waits for another attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrying {
    pub entity: String,
    pub entity_id: i64,
    pub attempts: i64,
    pub first_at: Timestamp,
    pub due_at: Timestamp,
    pub status: Option<i64>,
    pub error: String,
}

/// Things of a destination that wait for another attempt, the next one first, at most so many.
///
/// # Errors
/// The database's.
pub async fn retrying(app: &App, destination_id: i64, limit: i64) -> Result<Vec<Retrying>> {
    let params = vec![destination_id.into(), limit.into()];
    let read = |row: &Row<'_>| {
        Ok(Retrying {
            entity: row.get(0)?,
            entity_id: row.get(1)?,
            attempts: row.get(2)?,
            first_at: row.get(3)?,
            due_at: row.get(4)?,
            status: row.get(5)?,
            error: row.get(6)?,
        })
    };
    app.db.read(Statement::new(&RETRYING, params), read).await
}
