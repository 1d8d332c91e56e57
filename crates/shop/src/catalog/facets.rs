//! How many records of a selection have which style, decade, artist, kind.
//!
//! The work is bounded: of a selection at most so many records are counted, and where it has more,
//! no numbers are shown. Counts are kept ready until a product changes; sales do not touch them.

use bytes::Bytes;
use runout_store::{Composer, Engine, Error, Result, Statement};
use serde::{Deserialize, Serialize};

use super::browse::{Browse, kind_words};
use super::list::{Search, push_matching};
use super::model::Kind;
use super::queries::View;
use crate::App;
use crate::platform::cache::Scope;
use crate::platform::page::ListRequest;

/// Values that a facet offers.
const VALUES_MAX: i64 = 12;
/// Records that are counted: of the whole catalogue, of a selection, and of what is in stock, where
/// each record costs several lookups.
const ALL_ROWS_MAX: i64 = 200_000;
const ROWS_MAX: i64 = 20_000;
const STOCK_ROWS_MAX: i64 = 2_000;

/// The counted columns: name, SQL expression and the condition that there is a value.
const COLUMNS: [(&str, &str, &str); 4] = [
    ("kind", "p.kind", "p.kind <> ''"),
    ("style", "p.style", "p.style <> ''"),
    ("decade", "cast(p.release_year / 10 * 10 as text)", "p.release_year is not null"),
    ("artist", "p.artist", "p.artist <> ''"),
];

/// Counted values of a selection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Records of the selection; none if there are more than are counted.
    pub records: Option<i64>,
    /// Per facet: values with their numbers, the most frequent first.
    values: Vec<Vec<(String, i64)>>,
}

/// A facet as it is shown.
#[derive(Debug)]
pub(super) struct Facet {
    pub name: &'static str,
    pub values: Vec<Value>,
}

/// A value of a facet.
#[derive(Debug)]
pub(super) struct Value {
    pub words: String,
    pub count: Option<i64>,
    /// The address with this filter, or without it if it is on.
    pub link: String,
    pub is_on: bool,
}

/// The counts of a state's selection, of which `request` is any page.
///
/// # Errors
/// The database's.
pub(super) async fn counts(
    app: &App,
    browse: &Browse,
    request: &ListRequest,
    search: &Search,
) -> Result<Counts> {
    let filters = browse.filters();
    let rows_max = match (filters.is_all(), filters.in_stock) {
        (true, _) => ALL_ROWS_MAX,
        (false, false) => ROWS_MAX,
        (false, true) => STOCK_ROWS_MAX,
    };
    let view = View { currency: app.currency, now: app.clock.now() };
    let make = async {
        let counts = count(app, request, search, view, rows_max).await?;
        Ok(Bytes::from(serde_json::to_vec(&counts).expect("counts are plain data")))
    };
    let query = filters.query();
    let key = (Scope::Catalog, "facets", query.as_str());
    // What is in stock changes with every sale.
    let json = if filters.in_stock {
        make.await?
    } else {
        app.answers.get(&app.db, &app.clock, key, make).await?
    };
    serde_json::from_slice(&json).map_err(|error| Error::Panicked(error.to_string()))
}

async fn count(
    app: &App,
    request: &ListRequest,
    search: &Search,
    view: View,
    rows_max: i64,
) -> Result<Counts> {
    let engine = app.db.engine();
    let records = records_statement(engine, request, search, view, rows_max);
    let records: i64 = app.db.read_one(records, |row| row.get(0)).await?.unwrap_or(0);
    let mut values = Vec::with_capacity(COLUMNS.len());
    for column in COLUMNS {
        let statement = statement(engine, column, request, search, view, rows_max);
        let read = app.db.read(statement, |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?)));
        values.push(read.await?);
    }
    Ok(Counts { records: (records <= rows_max).then_some(records), values })
}

fn push_selection(
    sql: &mut Composer,
    engine: Engine,
    (request, search): (&ListRequest, &Search),
    view: View,
    rows_max: i64,
) {
    sql.push(
        " from (select p.kind, p.style, p.release_year, p.artist from product p \
         where p.deleted_at is null and p.enabled",
    );
    push_matching(sql, engine, request, search, view);
    sql.push(" limit ").bind(rows_max + 1).push(") p");
}

fn records_statement(
    engine: Engine,
    request: &ListRequest,
    search: &Search,
    view: View,
    rows_max: i64,
) -> Statement {
    let mut sql = Composer::new("select count(*)");
    push_selection(&mut sql, engine, (request, search), view, rows_max);
    sql.finish().heavy()
}

fn statement(
    engine: Engine,
    (_, column, has_value): (&'static str, &'static str, &'static str),
    request: &ListRequest,
    search: &Search,
    view: View,
    rows_max: i64,
) -> Statement {
    let mut sql = Composer::new("select ");
    sql.push(column).push(", count(*)");
    push_selection(&mut sql, engine, (request, search), view, rows_max);
    sql.push(" where ").push(has_value).push(" group by 1 order by 2 desc, 1 limit ");
    sql.bind(VALUES_MAX);
    sql.finish().heavy()
}

/// The facets of a state, as they are shown.
pub(super) fn facets(browse: &Browse, counts: Counts) -> Vec<Facet> {
    let is_exact = counts.records.is_some();
    let mut facets = Vec::new();
    for ((name, ..), mut values) in COLUMNS.into_iter().zip(counts.values) {
        let on = value_of(browse, name);
        if name == "decade" {
            values.sort();
        }
        let values: Vec<Value> = values
            .into_iter()
            .filter(|(value, _)| on.as_ref().is_none_or(|on| on == value))
            .map(|(value, count)| {
                let is_on = on.is_some();
                let chosen = if is_on { "" } else { value.as_str() };
                let link = browse.with(|other| set(other, name, chosen));
                let count = is_exact.then_some(count);
                Value { words: words(name, &value), count, link, is_on }
            })
            .collect();
        // One value that all have is no choice, unless it was chosen.
        if values.len() > 1 || on.is_some() {
            facets.push(Facet { name: heading(name), values });
        }
    }
    facets
}

fn heading(name: &str) -> &'static str {
    match name {
        "kind" => "Format",
        "style" => "Style",
        "decade" => "Decade",
        _ => "Artist",
    }
}

fn words(name: &str, value: &str) -> String {
    match name {
        "kind" => match value.parse::<Kind>() {
            Ok(kind) => kind_words(kind).to_owned(),
            Err(_) => value.to_owned(),
        },
        "decade" => format!("{value}s"),
        _ => value.to_owned(),
    }
}

fn value_of(browse: &Browse, name: &str) -> Option<String> {
    let text = match name {
        "kind" => browse.kind.clone(),
        "style" => browse.style.clone(),
        "decade" => browse.decade.map(|year| year.to_string()).unwrap_or_default(),
        _ => browse.artist.clone(),
    };
    (!text.is_empty()).then_some(text)
}

fn set(browse: &mut Browse, name: &str, value: &str) {
    match name {
        "kind" => value.clone_into(&mut browse.kind),
        "style" => value.clone_into(&mut browse.style),
        "decade" => browse.decade = value.parse().ok(),
        _ => value.clone_into(&mut browse.artist),
    }
}
