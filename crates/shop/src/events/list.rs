//! The list of events: those that are not over, by their start, then those that are, newest first.
//!
//! One cursor goes through both parts. It carries the moment at which its first page was made, so
//! that an event that ends meanwhile is neither shown twice nor left out.

use axum::extract::Query;
use axum::http::Uri;
use jiff::Timestamp;
use runout_store::{Composer, Result, Statement};

use super::input::DURATION_MAX;
use super::model::Summary;
use super::queries::PART;
use crate::App;
use crate::platform::cursor::{Cursor, Key};
use crate::platform::lookups::{Field, Filters, Kind};
use crate::platform::page::{LIMIT_DEFAULT, Page, Resource, parse_limit, plain_text};
use crate::platform::problem::{FieldError, Problem};

/// What events can be filtered by; their order is the list's own.
pub static EVENTS: Resource = Resource {
    name: "events",
    fields: &[
        Field::new("id", "e.id", Kind::Id),
        Field::new("title", "e.title", Kind::Text),
        Field::new("venue", "e.venue", Kind::Text),
        Field::new("organiser_id", "e.organiser_id", Kind::Id),
        Field::new("product_id", "e.product_id", Kind::Id).nullable(),
        Field::new("starts_at", "e.starts_at", Kind::Time),
        Field::new("ends_at", "e.ends_at", Kind::Time),
        Field::new("cancelled_at", "e.cancelled_at", Kind::Time).nullable(),
    ],
    id_sql: "e.id",
    default_sort: "id",
    extras: &["q", "when"],
};

/// A part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Not over.
    Upcoming,
    Past,
}

impl Part {
    /// As it stands in requests and cursors.
    const fn as_str(self) -> &'static str {
        match self {
            Part::Upcoming => "upcoming",
            Part::Past => "past",
        }
    }

    fn of(event: &Summary, now: Timestamp) -> Self {
        if event.is_over(now) { Part::Past } else { Part::Upcoming }
    }
}

/// The last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct After {
    part: Part,
    /// When the first page was made: it decides what is over.
    now: Timestamp,
    starts_at: Timestamp,
    id: i64,
}

impl After {
    fn encode(self) -> String {
        let (now, starts_at) = (self.now.as_microsecond(), self.starts_at.as_microsecond());
        let key = Key::Text(format!("{now} {starts_at}"));
        Cursor { key, id: self.id }.encode(EVENTS.name, self.part.as_str())
    }

    fn decode(text: &str) -> std::result::Result<Self, Problem> {
        let part = |part: Part| {
            Cursor::decode(text, EVENTS.name, part.as_str(), Kind::Text).map(|read| (part, read))
        };
        let (part, cursor) = part(Part::Upcoming).or_else(|_| part(Part::Past))?;
        let Key::Text(key) = &cursor.key else { return Err(foreign()) };
        let moment = |text: &str| Timestamp::from_microsecond(text.parse().ok()?).ok();
        let moments = key.split_once(' ').and_then(|(a, b)| moment(a).zip(moment(b)));
        let (now, starts_at) = moments.ok_or_else(foreign)?;
        Ok(Self { part, now, starts_at, id: cursor.id })
    }
}

fn foreign() -> Problem {
    let detail = "This cursor does not belong to this list; start again without cursor.";
    Problem::bad_request("invalid_cursor", detail)
}

/// What a client asked of the list.
#[derive(Debug, Clone)]
pub struct EventsRequest {
    filters: Filters,
    /// Stands in the title or the venue.
    query: Option<String>,
    /// One part only.
    only: Option<Part>,
    limit: u32,
    after: Option<After>,
    scans: bool,
}

impl EventsRequest {
    /// Reads the query of an address.
    ///
    /// # Errors
    /// 400 with a code for each kind of mistake.
    pub fn from_uri(uri: &Uri) -> std::result::Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        let mut request = Self {
            filters: Filters::default(),
            query: None,
            only: None,
            limit: LIMIT_DEFAULT,
            after: None,
            scans: false,
        };
        for (key, value) in &pairs {
            match key.as_str() {
                "limit" => request.limit = parse_limit(value)?,
                "cursor" => request.after = Some(After::decode(value)?),
                "q" => request.query = Some(plain_text(key, value.trim())?),
                "when" => request.only = Some(part(value)?),
                _ => request.filters.add_text(EVENTS.fields, key, value)?,
            }
            request.scans |= !["limit", "cursor", "when", "organiser_id"].contains(&key.as_str());
        }
        request.query = request.query.filter(|query| !query.is_empty());
        Ok(request)
    }

    /// The words that were searched for.
    pub fn query(&self) -> &str {
        self.query.as_deref().unwrap_or_default()
    }

    /// True on any page but the first.
    pub fn goes_on(&self) -> bool {
        self.after.is_some()
    }

    /// The moment that decides what is over.
    fn now(&self, now: Timestamp) -> Timestamp {
        self.after.map_or(now, |after| after.now)
    }

    /// One part: at most a row more than the page has.
    fn compose(&self, sql: &mut Composer, part: Part, now: Timestamp) {
        sql.push(PART).push(" where ");
        match part {
            Part::Upcoming => {
                push_time(sql.push("e.ends_at > "), now);
                // Whatever began earlier is over: the range of the index begins here.
                let first = now.checked_sub(DURATION_MAX).unwrap_or(Timestamp::MIN);
                push_time(sql.push(" and e.starts_at >= "), first);
            }
            Part::Past => {
                push_time(sql.push("e.ends_at <= "), now);
                push_time(sql.push(" and e.starts_at <= "), now);
            }
        }
        self.filters.compose(sql);
        if let Some(query) = &self.query {
            sql.push(" and (");
            contains(sql, "lower(e.title)", query);
            sql.push(" or ");
            contains(sql, "lower(e.venue)", query);
            sql.push(")");
        }
        if let Some(after) = self.after.filter(|after| after.part == part) {
            sql.push(" and (e.starts_at, e.id)");
            sql.push(if part == Part::Past { " < (" } else { " > (" });
            push_time(sql, after.starts_at);
            sql.push(", ").bind(after.id).push_each(")", "::bigint)");
        }
        sql.push(match part {
            Part::Upcoming => " order by e.starts_at, e.id limit ",
            Part::Past => " order by e.starts_at desc, e.id desc limit ",
        });
        sql.bind(i64::from(self.limit) + 1).push(") as part");
    }

    /// The parts that the page may have rows of.
    fn parts(&self) -> impl Iterator<Item = Part> {
        let (only, first) = (self.only, self.after.map(|after| after.part));
        [Part::Upcoming, Part::Past].into_iter().filter(move |part| {
            only.is_none_or(|only| only == *part) && first.is_none_or(|first| first <= *part)
        })
    }

    /// The statement of [`page`], after what stands in `sql` already (a test explains it). None if
    /// there cannot be any row.
    pub fn statement(&self, mut sql: Composer, now: Timestamp) -> Option<Statement> {
        let mut parts = self.parts().peekable();
        parts.peek()?;
        while let Some(part) = parts.next() {
            self.compose(&mut sql, part, now);
            if parts.peek().is_some() {
                sql.push(" union all ");
            }
        }
        let statement = sql.finish();
        Some(if self.scans { statement.heavy() } else { statement })
    }

    fn page(&self, mut events: Vec<Summary>, now: Timestamp) -> Page<Summary> {
        events.sort_unstable_by_key(|event| match Part::of(event, now) {
            part @ Part::Upcoming => (part, event.starts_at.as_microsecond(), event.id),
            part @ Part::Past => (part, -event.starts_at.as_microsecond(), -event.id),
        });
        let more = events.len() > self.limit as usize;
        events.truncate(self.limit as usize);
        let next = events.last().filter(|_| more).map(|last| {
            let Summary { starts_at, id, .. } = *last;
            After { part: Part::of(last, now), now, starts_at, id }.encode()
        });
        Page { items: events, next }
    }
}

fn push_time(sql: &mut Composer, moment: Timestamp) {
    sql.bind(moment).push_each("", "::timestamptz");
}

/// Positions instead of LIKE: no wildcards to escape.
fn contains(sql: &mut Composer, column: &'static str, text: &str) {
    sql.push_each("instr(", "strpos(").push(column).push(", lower(").bind(text);
    sql.push_each(")) > 0", "::text)) > 0");
}

fn part(text: &str) -> std::result::Result<Part, Problem> {
    let found = [Part::Upcoming, Part::Past].into_iter().find(|part| part.as_str() == text);
    found.ok_or_else(|| {
        let detail = "when: expected upcoming or past";
        let error = FieldError::new("when", "invalid", detail);
        Problem::bad_request("invalid_filter", detail).errors(vec![error])
    })
}

/// A page of events: one statement.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, request: &EventsRequest) -> Result<Page<Summary>> {
    let now = request.now(app.clock.now());
    let Some(statement) = request.statement(Composer::new(""), now) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let events = app.db.read(statement, Summary::read).await?;
    Ok(request.page(events, now))
}
