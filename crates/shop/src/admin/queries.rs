//! Reading tables as they are declared: one statement per page, out of static fragments.

use jiff::Timestamp;
use runout_core::money::{Currency, Money};
use runout_store::{Composer, Engine, Error, Result, Row, Statement, statements};

use super::form::{self, hundredths};
use super::table::{Column, Input, InputKind, Show, Table, WINDOW_ROWS, WINDOWS_MAX};
use super::{Asked, show};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};

statements! {
    /// The audit rows of `$1` number `$2` before the row `$3`, newest first, `$4` of them.
    HISTORY = "select h.id, h.at, h.actor_id, a.username, h.action, h.changes
        from audit h left join account a on a.id = h.actor_id
        where h.entity = $1 and h.entity_id = $2 and h.id < $3
        order by h.id desc limit $4";
}

/// What a column holds in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Nothing,
    Text(String),
    Int(i64),
    Bool(bool),
    Time(Timestamp),
    Money(Money),
    /// A label and the id of the row that it leads to.
    Link(String, i64),
}

/// A row of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: i64,
    /// Its value of the field that the list is sorted by.
    pub key: Key,
    pub cells: Vec<Cell>,
    /// The values of the table's form, if they were asked for.
    pub values: Vec<String>,
    pub version: Option<i64>,
}

/// A row with everything that its page shows.
#[derive(Debug, Clone)]
pub struct Full {
    /// Those of the list, then those of the page.
    pub cells: Vec<Cell>,
    /// The values of the table's form.
    pub values: Vec<String>,
    pub version: Option<i64>,
}

impl Full {
    /// What the row is called: its first column.
    pub fn label(&self, table: &Table) -> String {
        let column = table.columns.first();
        let shown = column.zip(self.cells.first()).map(|(c, cell)| show::Shown::new(c, cell).text);
        shown.unwrap_or_default()
    }
}

/// One change out of the audit trail.
#[derive(Debug, Clone)]
pub struct Change {
    pub id: i64,
    pub at: Timestamp,
    pub actor_id: Option<i64>,
    pub actor: Option<String>,
    pub action: String,
    /// JSON: each field with `[before, after]`.
    pub changes: String,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Listing {
    pub rows: Vec<Listed>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// The cursor of the page before, where there is one and it can be told.
    pub previous: Option<String>,
    /// The page ends because a window was looked through, not because it is full.
    pub is_cut: bool,
}

/// Appends the columns, each after a comma.
fn push_columns(sql: &mut Composer, columns: &'static [Column]) {
    for column in columns {
        sql.push(", ").push(column.sql);
        if column.show == Show::Json {
            sql.push_each("", "::text");
        }
        if let Some(also) = column.also {
            sql.push(", ").push(also);
        }
    }
}

/// Reads what [`push_columns`] asked for, from the cell `at` on, which moves.
fn read_columns(row: &Row<'_>, columns: &'static [Column], at: &mut usize) -> Result<Vec<Cell>> {
    columns.iter().map(|column| read_cell(row, column, at)).collect()
}

/// Appends the values of the form and the version, each after a comma.
fn push_values(sql: &mut Composer, table: &'static Table) {
    for input in form::stored_inputs(table) {
        sql.push(", ").push(input.sql);
        if input.kind == InputKind::Json {
            sql.push_each("", "::text");
        }
    }
    if let Some(version) = table.version {
        sql.push(", ").push(version);
    }
}

/// Reads what [`push_values`] asked for.
fn read_values(
    row: &Row<'_>,
    table: &'static Table,
    mut at: usize,
) -> Result<(Vec<String>, Option<i64>)> {
    let mut values = Vec::new();
    for input in form::stored_inputs(table) {
        values.push(read_value(row, input, at)?);
        at += 1;
    }
    let version = table.version.map(|_| row.get::<i64>(at)).transpose()?;
    Ok((values, version))
}

fn read_value(row: &Row<'_>, input: &Input, at: usize) -> Result<String> {
    let value = match input.kind {
        InputKind::Line
        | InputKind::Long
        | InputKind::Choice(_)
        | InputKind::Json
        | InputKind::Decimal => row.get::<Option<String>>(at)?,
        InputKind::Int | InputKind::Reference(_) => {
            row.get::<Option<i64>>(at)?.map(|value| value.to_string())
        }
        InputKind::Hundredths => row.get::<Option<i64>>(at)?.map(hundredths),
        InputKind::Bool => row.get::<Option<bool>>(at)?.map(|value| value.to_string()),
        InputKind::Moment => row.get::<Option<Timestamp>>(at)?.map(form::local),
    };
    Ok(value.unwrap_or_default())
}

fn read_cell(row: &Row<'_>, column: &Column, at: &mut usize) -> Result<Cell> {
    let place = *at;
    *at += 1 + usize::from(column.also.is_some());
    let cell = match column.show {
        Show::Text | Show::Long | Show::Badge | Show::Json => {
            row.get::<Option<String>>(place)?.map(Cell::Text)
        }
        Show::Int => row.get::<Option<i64>>(place)?.map(Cell::Int),
        Show::Bool => row.get::<Option<bool>>(place)?.map(Cell::Bool),
        Show::Time => row.get::<Option<Timestamp>>(place)?.map(Cell::Time),
        Show::Money => {
            let amount = row.get::<Option<i64>>(place)?;
            let code = row.get::<Option<String>>(place + 1)?;
            amount.zip(code).map(|(minor, code)| money(minor, &code, place)).transpose()?
        }
        Show::Link(_) => {
            let label = row.get::<Option<String>>(place)?;
            let id = row.get::<Option<i64>>(place + 1)?;
            id.map(|id| Cell::Link(label.unwrap_or_else(|| id.to_string()), id))
        }
    };
    Ok(cell.unwrap_or(Cell::Nothing))
}

fn money(minor: i64, code: &str, column: usize) -> Result<Cell> {
    let currency: Currency = code
        .parse()
        .map_err(|_| Error::Decode { column, reason: format!("{code:?} is no currency") })?;
    Ok(Cell::Money(Money { minor, currency }))
}

/// Appends what gives the page's rows of the base alone: a range of an index, or a window of it of
/// which the other filters take what fits.
fn push_base(sql: &mut Composer, engine: Engine, asked: &Asked) {
    let alias = asked.table.alias;
    let page = i64::from(asked.request.limit()) + 1;
    let is_windowed = asked.unserved().next().is_some();
    if is_windowed {
        sql.push("select ").push(alias).push(".* from (");
        push_range(sql, engine, asked);
        sql.push(" limit ").bind(WINDOW_ROWS).push(") ").push(alias).push(" where 1 = 1");
        for filter in asked.unserved() {
            sql.push(" and ");
            filter.compose(sql);
        }
        asked.request.compose_order(sql);
    } else {
        push_range(sql, engine, asked);
    }
    sql.push(" limit ").bind(page);
}

/// Appends the range of the index, without its limit.
fn push_range(sql: &mut Composer, engine: Engine, asked: &Asked) {
    let table = asked.table;
    sql.push("select ").push(table.alias).push(".* from ").push(table.base).push(" ");
    push_range_end(sql, engine, asked);
}

fn push_range_end(sql: &mut Composer, engine: Engine, asked: &Asked) {
    let table = asked.table;
    sql.push(table.alias).push(" where ").push(table.live);
    if let Some(found) = &asked.found {
        (found.compose)(sql, engine, &found.text);
    }
    for filter in asked.served() {
        sql.push(" and ");
        filter.compose(sql);
    }
    asked.request.compose_start(sql);
    asked.request.compose_order(sql);
}

fn push_position(sql: &mut Composer, asked: &Asked) {
    let id = asked.table.list.id_sql;
    sql.push(id).push(", ").push(asked.request.sort().map_or(id, |field| field.sql));
}

/// The statement of a page, after what stands in `sql` already (a test explains it).
pub fn page_statement(mut sql: Composer, engine: Engine, asked: &Asked) -> Statement {
    let table = asked.table;
    sql.push("select ");
    push_position(&mut sql, asked);
    push_columns(&mut sql, table.columns);
    if asked.with_values {
        push_values(&mut sql, table);
    }
    sql.push(" from (");
    push_base(&mut sql, engine, asked);
    sql.push(") ").push(table.alias);
    asked.request.compose_order(&mut sql);
    sql.finish()
}

/// The statement that finds the last row of the window that a page looked through.
pub fn window_statement(mut sql: Composer, engine: Engine, asked: &Asked) -> Statement {
    let table = asked.table;
    sql.push("select ");
    push_position(&mut sql, asked);
    sql.push(" from ").push(table.base).push(" ");
    push_range_end(&mut sql, engine, asked);
    sql.push(" limit 1 offset ").bind(WINDOW_ROWS - 1);
    sql.finish()
}

fn read_key(row: &Row<'_>, sort: Option<&Field>) -> Result<Key> {
    Ok(match sort.map(|field| field.kind) {
        None => Key::Null,
        Some(Kind::Int | Kind::Id) => Key::of(row.get::<Option<i64>>(1)?),
        Some(Kind::Bool) => Key::of(row.get::<Option<bool>>(1)?),
        Some(Kind::Time) => Key::of(row.get::<Option<Timestamp>>(1)?),
        Some(Kind::Text | Kind::Choice(_) | Kind::Date) => Key::of(row.get::<Option<String>>(1)?),
    })
}

/// A page of a table.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, asked: &Asked) -> Result<Listing> {
    let mut listing = window(app, asked).await?;
    let limit = asked.request.limit() as usize;
    for _ in 1..WINDOWS_MAX {
        let Some(cursor) = listing.next.as_deref().filter(|_| listing.is_cut) else { break };
        // Full already: the rows between would be read twice.
        let room = limit - listing.rows.len();
        let Ok(further) = asked.with_room(cursor, room) else { break };
        let found = window(app, &further).await?;
        listing.rows.extend(found.rows);
        (listing.next, listing.is_cut) = (found.next, found.is_cut);
        if listing.rows.len() == limit {
            break;
        }
    }
    Ok(listing)
}

/// A page, as far as one window goes.
async fn window(app: &App, asked: &Asked) -> Result<Listing> {
    let (engine, sort) = (app.db.engine(), asked.request.sort());
    let statement = page_statement(Composer::new(""), engine, asked);
    let read = |row: &Row<'_>| {
        let mut at = 2;
        let cells = read_columns(row, asked.table.columns, &mut at)?;
        let (values, version) =
            if asked.with_values { read_values(row, asked.table, at)? } else { (Vec::new(), None) };
        Ok(Listed { id: row.get(0)?, key: read_key(row, sort)?, cells, values, version })
    };
    let rows = app.db.read(statement, read).await?;
    let is_windowed = asked.unserved().next().is_some();
    let leaf = asked.request.leaf(rows, |row, _| (row.id, row.key.clone()));
    if leaf.next.is_some() || !is_windowed {
        let previous = leaf.previous.filter(|_| !is_windowed);
        return Ok(Listing { rows: leaf.items, next: leaf.next, previous, is_cut: false });
    }
    let statement = window_statement(Composer::new(""), engine, asked);
    let last = |row: &Row<'_>| Ok((row.get::<i64>(0)?, read_key(row, sort)?));
    let last = app.db.read_one(statement, last).await?;
    let next = last.map(|(id, key)| asked.request.cursor_at((id, key)));
    Ok(Listing { rows: leaf.items, is_cut: next.is_some(), next, previous: None })
}

/// One row with what its page and its form show.
///
/// # Errors
/// The database's.
pub async fn row(app: &App, table: &'static Table, id: i64) -> Result<Option<Full>> {
    app.db.read_one(row_statement(Composer::new(""), table, id), |row| read_full(row, table)).await
}

/// The statement of [`row`].
pub fn row_statement(mut sql: Composer, table: &'static Table, id: i64) -> Statement {
    push_full(&mut sql, table);
    sql.push(" and ").push(table.list.id_sql).push(" = ").bind(id);
    sql.finish()
}

fn push_full(sql: &mut Composer, table: &'static Table) {
    sql.push("select ").push(table.list.id_sql);
    push_columns(sql, table.columns);
    push_columns(sql, table.details);
    push_values(sql, table);
    sql.push(" from ").push(table.base).push(" ").push(table.alias);
    sql.push(" where ").push(table.live);
}

fn read_full(row: &Row<'_>, table: &'static Table) -> Result<Full> {
    let mut at = 1;
    let mut cells = read_columns(row, table.columns, &mut at)?;
    cells.extend(read_columns(row, table.details, &mut at)?);
    let (values, version) = read_values(row, table, at)?;
    Ok(Full { cells, values, version })
}

/// Some rows with what their pages show, by id.
///
/// # Errors
/// The database's.
pub async fn rows(app: &App, table: &'static Table, ids: Vec<i64>) -> Result<Vec<(i64, Full)>> {
    let mut sql = Composer::new("");
    push_full(&mut sql, table);
    sql.push(" and ").push(table.list.id_sql);
    sql.push_each(" in (select value from json_each(", " = any(").bind(ids);
    sql.push_each("))", "::bigint[])").push(" order by ").push(table.list.id_sql);
    app.db.read(sql.finish(), |row| Ok((row.get::<i64>(0)?, read_full(row, table)?))).await
}

/// What was changed of a row, newest first: `limit` changes before the audit row `before`.
///
/// # Errors
/// The database's.
pub async fn history(
    app: &App,
    entity: &'static str,
    id: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<Change>> {
    let params = vec![entity.into(), id.into(), before.into(), limit.into()];
    let read = |row: &Row<'_>| {
        Ok(Change {
            id: row.get(0)?,
            at: row.get(1)?,
            actor_id: row.get(2)?,
            actor: row.get(3)?,
            action: row.get(4)?,
            changes: row.get(5)?,
        })
    };
    app.db.read(Statement::new(&HISTORY, params), read).await
}
