//! Exports of a list's filter: CSV and JSON, a page in memory at a time.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde_json::{Map, Value as Json, json};

use super::asked::Asked;
use super::queries::{self, Cell, Listed};
use super::table::{Show, Table};
use super::{Clerk, commands};
use crate::App;
use crate::platform::problem::Problem;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Json => "application/json",
        }
    }
}

/// Where an export stands between two pages.
struct Going {
    app: App,
    format: Format,
    /// The list from the next page on; none: all is written.
    asked: Option<Asked>,
    is_first: bool,
}

pub(super) async fn export(
    clerk: &Clerk,
    table: &'static Table,
    uri: &Uri,
    format: Format,
) -> Result<Response, Problem> {
    let asked = Asked::from_uri(table, uri)?.in_full_pages()?;
    let query = uri.query().unwrap_or_default().to_owned();
    commands::record_export(clerk, table, format.name(), query).await?;
    let going = Going { app: clerk.app.clone(), format, asked: Some(asked), is_first: true };
    let body = Body::from_stream(stream::try_unfold(going, |mut going| async move {
        let chunk = going.next().await.map_err(|problem| {
            std::io::Error::other(format!("an export broke off: {}", problem.words()))
        })?;
        Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, going)))
    }));
    let name = format!("attachment; filename=\"{}.{}\"", table.slug, format.name());
    let name = HeaderValue::try_from(name).expect("slugs are plain ASCII");
    let kind = HeaderValue::from_static(format.content_type());
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], body).into_response())
}

impl Going {
    /// The next page as text; none when all is written.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(asked) = self.asked.take() else { return Ok(None) };
        let listing = queries::page(&self.app, &asked).await?;
        let text = match self.format {
            Format::Csv => csv_page(asked.table, &listing.rows, self.is_first),
            Format::Json => {
                let end = listing.next.is_none();
                json_page(asked.table, &listing.rows, self.is_first, end).into_bytes()
            }
        };
        self.is_first = self.is_first && listing.rows.is_empty() && self.format == Format::Json;
        self.asked = listing.next.map(|cursor| asked.after_cursor(&cursor)).transpose()?;
        Ok(Some(text.into()))
    }
}

/// True if the rows have a column of their ids.
fn shows_id(table: &Table) -> bool {
    table.columns.iter().any(|column| column.name == "id")
}

fn heading(table: &'static Table) -> Vec<String> {
    let mut names = Vec::new();
    if !shows_id(table) {
        names.push("id".to_owned());
    }
    for column in table.columns {
        names.push(column.name.to_owned());
        match column.show {
            Show::Money => names.push(format!("{}_currency", column.name)),
            Show::Link(_) => names.push(format!("{}_id", column.name)),
            _ => {}
        }
    }
    names
}

/// Text as a spreadsheet takes it for text: one that would begin a formula gets an apostrophe.
pub(crate) fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        return format!("'{text}");
    }
    text.to_owned()
}

fn csv_cells(table: &'static Table, row: &Listed) -> Vec<String> {
    let mut cells = Vec::new();
    if !shows_id(table) {
        cells.push(row.id.to_string());
    }
    for (column, cell) in table.columns.iter().zip(&row.cells) {
        let pair = matches!(column.show, Show::Money | Show::Link(_));
        // Numbers and moments are the program's own: they begin no formula.
        match cell {
            Cell::Nothing => cells.push(String::new()),
            Cell::Text(text) => cells.push(harmless(text)),
            Cell::Int(number) => cells.push(number.to_string()),
            Cell::Bool(value) => cells.push(value.to_string()),
            Cell::Time(at) => cells.push(at.to_string()),
            Cell::Money(money) => {
                cells.push(money.to_string());
                cells.push(money.currency.code().to_owned());
                continue;
            }
            Cell::Link(label, id) => {
                cells.push(harmless(label));
                cells.push(id.to_string());
                continue;
            }
        }
        if pair {
            cells.push(String::new());
        }
    }
    cells
}

fn csv_page(table: &'static Table, rows: &[Listed], with_heading: bool) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fine = "memory takes every record";
    if with_heading {
        writer.write_record(heading(table)).expect(fine);
    }
    for row in rows {
        writer.write_record(csv_cells(table, row)).expect(fine);
    }
    writer.into_inner().expect(fine)
}

fn json_row(table: &'static Table, row: &Listed) -> Json {
    let mut map = Map::new();
    map.insert("id".to_owned(), row.id.into());
    for (column, cell) in table.columns.iter().zip(&row.cells) {
        let value = match cell {
            Cell::Nothing => Json::Null,
            Cell::Text(text) if column.show == Show::Json => {
                serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
            }
            Cell::Text(text) => text.as_str().into(),
            Cell::Int(number) => (*number).into(),
            Cell::Bool(value) => (*value).into(),
            Cell::Time(at) => at.to_string().into(),
            Cell::Money(money) => {
                json!({ "amount": money.to_string(), "currency": money.currency.code() })
            }
            Cell::Link(label, id) => json!({ "id": id, "label": label }),
        };
        map.insert(column.name.to_owned(), value);
    }
    map.into()
}

fn json_page(table: &'static Table, rows: &[Listed], is_first: bool, is_last: bool) -> String {
    let mut text = String::new();
    // The bracket comes with the first row that there is, or with the end.
    if is_first && (is_last || !rows.is_empty()) {
        text.push('[');
    }
    for (number, row) in rows.iter().enumerate() {
        text.push_str(if is_first && number == 0 { "\n" } else { ",\n" });
        text.push_str(&json_row(table, row).to_string());
    }
    if is_last {
        text.push_str("\n]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        for text in ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["", "a=1", "1-1", " =1", "'=1"] {
            assert_eq!(harmless(text), text);
        }
    }
}
