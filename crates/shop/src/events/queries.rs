//! Reading events, and who comes to them.

use std::collections::HashMap;

use jiff::Timestamp;
use runout_core::event::State;
use runout_store::{Composer, Error, Result, Row, Statement, Value, statements};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Event, Summary};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    SHOW = "select e.id, e.title, e.venue, e.starts_at, e.ends_at, e.time_zone, e.capacity,
            e.organiser_id, (select a.email from account a where a.id = e.organiser_id),
            e.product_id, e.attending, e.waiting, e.cancelled_at, e.description, e.created_at,
            e.updated_at, e.version
        from event e where e.id = $1";
    /// An account's sign-up, and how many stand on the waiting list up to it.
    OWN = "select a.state, a.since,
            (select count(*) from attendance w
                where w.event_id = a.event_id and w.state = 'waiting' and w.place <= a.place)
        from attendance a where a.event_id = $1 and a.account_id = $2";
    /// What an account does about the events `$2`.
    OWN_OF = {
        sqlite: "select event_id, state from attendance
            where account_id = $1 and event_id in (select value from json_each($2))",
        postgres: "select event_id, state from attendance
            where account_id = $1 and event_id = any($2)",
    };
    /// Upcoming events for calendars: after `$1`, from `$2` on, at most `$3`.
    CALENDAR = "select e.id, e.title, e.venue, e.starts_at, e.ends_at, e.time_zone, e.capacity,
            e.organiser_id, (select a.email from account a where a.id = e.organiser_id),
            e.product_id, e.attending, e.waiting, e.cancelled_at, e.description, e.created_at,
            e.updated_at, e.version
        from event e where e.ends_at > $1 and e.starts_at >= $2
        order by e.starts_at, e.id limit $3";
}

/// The beginning of a part of the list: the columns of [`Summary::read`].
pub(super) const PART: &str = "select * from (select e.id, e.title, e.venue, e.starts_at, \
    e.ends_at, e.time_zone, e.capacity, e.organiser_id, \
    (select a.email from account a where a.id = e.organiser_id) as email, e.product_id, \
    e.attending, e.waiting, e.cancelled_at from event e";

/// One event.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, id: i64) -> Result<Option<Event>> {
    app.db.read_one(Statement::new(&SHOW, vec![id.into()]), Event::read).await
}

/// Events that are not over at `now`, first come first.
///
/// # Errors
/// The database's.
pub(super) async fn upcoming(app: &App, now: Timestamp, count_max: i64) -> Result<Vec<Event>> {
    let first = now.checked_sub(super::input::DURATION_MAX).unwrap_or(Timestamp::MIN);
    let params = vec![now.into(), first.into(), count_max.into()];
    app.db.read(Statement::new(&CALENDAR, params), Event::read).await
}

fn read_state(row: &Row<'_>, column: usize) -> Result<State> {
    match row.get::<String>(column)?.as_str() {
        "attending" => Ok(State::Attending),
        "waiting" => Ok(State::Waiting),
        other => {
            Err(Error::Decode { column, reason: format!("{other:?} is no state of attendance") })
        }
    }
}

/// Whether an account comes to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attendance {
    pub event_id: i64,
    pub state: AttendanceState,
    /// On the waiting list: 1 is the next one who may come. Null when the account comes already.
    #[schema(required = true, minimum = 1)]
    pub position: Option<i64>,
    /// When the account signed up.
    pub since: Timestamp,
}

/// Whether somebody comes, or waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttendanceState {
    Attending,
    Waiting,
}

impl From<State> for AttendanceState {
    fn from(state: State) -> Self {
        match state {
            State::Attending => Self::Attending,
            State::Waiting => Self::Waiting,
        }
    }
}

/// Whether an account comes to an event; none: it has not signed up.
///
/// # Errors
/// The database's.
pub async fn attendance(app: &App, event_id: i64, account_id: i64) -> Result<Option<Attendance>> {
    let statement = Statement::new(&OWN, vec![event_id.into(), account_id.into()]);
    let read = |row: &Row<'_>| {
        let (state, position) = (read_state(row, 0)?, row.get(2)?);
        let position = (state == State::Waiting).then_some(position);
        Ok(Attendance { event_id, state: state.into(), position, since: row.get(1)? })
    };
    app.db.read_one(statement, read).await
}

/// What an account does about each of some events; those that it did not sign up for are missing.
///
/// # Errors
/// The database's.
pub async fn own_states(
    app: &App,
    account_id: i64,
    events: &[i64],
) -> Result<HashMap<i64, AttendanceState>> {
    if events.is_empty() {
        return Ok(HashMap::new());
    }
    let params = vec![account_id.into(), Value::Ints(events.to_vec())];
    let read = |row: &Row<'_>| Ok((row.get(0)?, read_state(row, 1)?.into()));
    let rows = app.db.read(Statement::new(&OWN_OF, params), read).await?;
    Ok(rows.into_iter().collect())
}

/// Somebody who signed up, for the organiser and staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Participant {
    pub account_id: i64,
    pub username: String,
    /// Empty if they have not said.
    pub name: String,
    pub state: AttendanceState,
    /// The waiting list is served in the order of these numbers.
    #[schema(minimum = 1)]
    pub place: i64,
    pub since: Timestamp,
}

/// What participants can be filtered by: those who come first, then the waiting list, each in the
/// order of their places.
pub static PARTICIPANTS: Resource = Resource {
    name: "participants",
    fields: &[
        Field::new("state", "a.state", Kind::Choice(&["attending", "waiting"])).sortable(),
        Field::new("account_id", "a.account_id", Kind::Id),
    ],
    id_sql: "a.place",
    default_sort: "state",
    extras: &[],
};

/// A page of an event's participants.
///
/// # Errors
/// The database's.
pub async fn participants(
    app: &App,
    event_id: i64,
    request: &ListRequest,
) -> Result<Page<Participant>> {
    let mut sql = Composer::new(
        "select a.account_id, p.username, p.name, a.state, a.place, a.since from attendance a \
         join account p on p.id = a.account_id where a.event_id = ",
    );
    sql.bind(event_id).push_each("", "::bigint");
    request.compose(&mut sql);
    let read = |row: &Row<'_>| {
        Ok(Participant {
            account_id: row.get(0)?,
            username: row.get(1)?,
            name: row.get(2)?,
            state: read_state(row, 3)?.into(),
            place: row.get(4)?,
            since: row.get(5)?,
        })
    };
    let rows = app.db.read(sql.finish(), read).await?;
    Ok(request.page(rows, |last, _| {
        let state = match last.state {
            AttendanceState::Attending => State::Attending,
            AttendanceState::Waiting => State::Waiting,
        };
        (last.place, Key::of(state.as_str()))
    }))
}

/// An event that the account has signed up for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attended {
    pub event: Summary,
    pub state: AttendanceState,
    /// When the account signed up.
    pub since: Timestamp,
}

/// One's own sign-ups, by when the events begin.
pub static ATTENDED: Resource = Resource {
    name: "attendances",
    fields: &[
        Field::new("starts_at", "e.starts_at", Kind::Time).sortable(),
        Field::new("ends_at", "e.ends_at", Kind::Time),
        Field::new("state", "t.state", Kind::Choice(&["attending", "waiting"])),
    ],
    id_sql: "e.id",
    default_sort: "-starts_at",
    extras: &[],
};

/// A page of the events that an account has signed up for.
///
/// # Errors
/// The database's.
pub async fn attended(app: &App, account_id: i64, request: &ListRequest) -> Result<Page<Attended>> {
    let mut sql = Composer::new(
        "select e.id, e.title, e.venue, e.starts_at, e.ends_at, e.time_zone, e.capacity, \
         e.organiser_id, (select a.email from account a where a.id = e.organiser_id) as email, \
         e.product_id, e.attending, e.waiting, e.cancelled_at, t.state, t.since \
         from attendance t join event e on e.id = t.event_id where t.account_id = ",
    );
    sql.bind(account_id).push_each("", "::bigint");
    request.compose(&mut sql);
    let read = |row: &Row<'_>| {
        let state = read_state(row, 13)?.into();
        Ok(Attended { event: Summary::read(row)?, state, since: row.get(14)? })
    };
    let rows = app.db.read(sql.finish(), read).await?;
    Ok(request.page(rows, |last, _| (last.event.id, Key::of(last.event.starts_at))))
}
