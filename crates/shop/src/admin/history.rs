//! What was changed of a row: field by field, by whom and when.

use askama::Template;
use axum::response::Response;
use serde_json::{Map, Value as Json};

use super::Clerk;
use super::edit::text_of;
use super::list::capability_name;
use super::queries::{self, Change};
use super::show::moment;
use super::table::Table;
use crate::pages::Frame;
use crate::platform::problem::Problem;

/// Changes on one page.
const PAGE: usize = 50;
/// Changes that are looked through for those since a form was opened.
const RECENT: i64 = 100;

/// One change on a page.
#[derive(Debug, Clone)]
pub(super) struct ChangeShown {
    pub at: String,
    pub datetime: String,
    pub actor: String,
    /// The actor's page.
    pub actor_href: Option<String>,
    pub action: String,
    pub lines: Vec<Line>,
}

/// A field before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub field: String,
    pub before: String,
    pub after: String,
}

#[derive(Template)]
#[template(path = "admin/templates/history.html")]
struct HistoryPage {
    table: &'static Table,
    group: &'static str,
    id: i64,
    changes: Vec<ChangeShown>,
    next: Option<i64>,
    is_first: bool,
}

/// A JSON value in plain words.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The fields of an audit row; `[before, after]` each.
fn lines(changes: &str) -> Vec<Line> {
    let map: Map<String, Json> = serde_json::from_str(changes).unwrap_or_default();
    let line = |(field, pair): (String, Json)| {
        let (before, after) = match pair.as_array().map(Vec::as_slice) {
            Some([before, after]) => (plain(before), plain(after)),
            _ => (String::new(), plain(&pair)),
        };
        Line { field, before, after }
    };
    map.into_iter().map(line).collect()
}

fn shown(change: Change) -> ChangeShown {
    let name = change.actor.or_else(|| change.actor_id.map(|id| format!("account {id}")));
    ChangeShown {
        at: moment(change.at),
        datetime: change.at.to_string(),
        actor: name.unwrap_or_else(|| "the shop itself".to_owned()),
        actor_href: change.actor_id.map(|id| format!("/admin/accounts/{id}/")),
        action: change.action,
        lines: lines(&change.changes),
    }
}

pub(super) async fn page(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    id: i64,
    query: &[(String, String)],
) -> Result<Response, Problem> {
    let entity = table.entity.ok_or_else(|| Problem::not_found("history"))?;
    let before = text_of(query, "before").parse().ok();
    let limit = PAGE as i64 + 1;
    let mut changes =
        queries::history(&clerk.app, entity, id, before.unwrap_or(i64::MAX), limit).await?;
    let more = changes.len() > PAGE;
    changes.truncate(PAGE);
    let page = HistoryPage {
        table,
        group: capability_name(table.capability),
        id,
        next: changes.last().filter(|_| more).map(|change| change.id),
        changes: changes.into_iter().map(shown).collect(),
        is_first: before.is_none(),
    };
    Ok(frame.page(&format!("History of {} {id}", table.one), &page))
}

/// What was changed since a form was opened, oldest first.
pub(super) async fn since(
    clerk: &Clerk,
    table: &'static Table,
    id: i64,
    opened: i64,
) -> Result<Vec<ChangeShown>, Problem> {
    let Some(entity) = table.entity else { return Ok(Vec::new()) };
    let mut changes = queries::history(&clerk.app, entity, id, i64::MAX, RECENT).await?;
    // Ids of several nodes interleave: the moment tells what came after.
    changes.retain(|change| change.at.as_microsecond() >= opened);
    Ok(changes.into_iter().rev().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_field_by_field() {
        let text = r#"{"title": ["A", "B"], "year": [null, 1999], "odd": "x"}"#;
        let line = |field: &str, before: &str, after: &str| Line {
            field: field.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let mut found = lines(text);
        found.sort_by(|a, b| a.field.cmp(&b.field));
        assert_eq!(
            found,
            [line("odd", "", "x"), line("title", "A", "B"), line("year", "", "1999")]
        );
        assert!(lines("no JSON").is_empty());
    }
}
