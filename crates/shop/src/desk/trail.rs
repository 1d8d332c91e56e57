//! The audit trail: who did what, field by field.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::format;
use super::queries::trail::{self as queries, TrailRow, Wanted};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::pages::Frame;
use crate::platform::problem::Problem;

/// Characters of a value that are shown.
const VALUE_CHARS_MAX: usize = 300;

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/audit", get(page))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    entity: String,
    #[serde(default)]
    entity_id: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    before: String,
}

/// A field's change.
struct Change {
    field: String,
    before: String,
    after: String,
}

struct Row {
    at: Timestamp,
    when: String,
    who: String,
    action: String,
    entity: String,
    entity_id: i64,
    changes: Vec<Change>,
}

#[derive(Template)]
#[template(path = "desk/templates/trail.html")]
struct TrailPage<'a> {
    asked: &'a Asked,
    rows: Vec<Row>,
    next: Option<String>,
    /// What of the question cannot be read.
    wrong: Vec<&'static str>,
}

async fn page(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    session.require(Capability::Audit, Verb::View)?;
    let (mut wanted, mut wrong) = wanted(&asked);
    let actor = asked.actor.trim().to_lowercase().replace('\0', "");
    if !actor.is_empty() {
        wanted.actor = queries::actor(&app.db, &actor).await?;
        if wanted.actor.is_none() {
            wrong.push("There is no account of this username.");
        }
    }
    let found = match wrong.is_empty() {
        true => queries::trail(&app.db, &wanted).await?,
        false => queries::Found { rows: Vec::new(), next: None },
    };
    let page = TrailPage {
        next: found.next.map(|before| next_page(&asked, before)),
        rows: found.rows.into_iter().map(row).collect(),
        wrong,
        asked: &asked,
    };
    Ok(frame.page("Audit trail", &page))
}

/// What is asked for, and what of it cannot be read.
fn wanted(asked: &Asked) -> (Wanted, Vec<&'static str>) {
    let text = |text: &str| Some(text.trim().replace('\0', "")).filter(|text| !text.is_empty());
    let mut wrong = Vec::new();
    let mut number = |text: &str, words| match text.trim() {
        "" => None,
        text => text.parse().map_err(|_| wrong.push(words)).ok(),
    };
    let entity_id = number(&asked.entity_id, "The number of the thing is no number.");
    let before = number(&asked.before, "The place in the list is no number.");
    let mut moment = |text: &str, words| match text.trim() {
        "" => None,
        text => moment(text).or_else(|| {
            wrong.push(words);
            None
        }),
    };
    let from = moment(&asked.from, "The beginning is no date or time.");
    let to = moment(&asked.to, "The end is no date or time.");
    let wanted = Wanted {
        entity: text(&asked.entity),
        entity_id,
        actor: None,
        action: text(&asked.action),
        from,
        to,
        before,
    };
    (wanted, wrong)
}

/// `2026-11-21`, `2026-11-21T14:05` or with a blank between, in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let at: DateTime = text.parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn next_page(asked: &Asked, before: i64) -> String {
    let before = before.to_string();
    let fields = [
        ("entity", asked.entity.as_str()),
        ("entity_id", &asked.entity_id),
        ("actor", &asked.actor),
        ("action", &asked.action),
        ("from", &asked.from),
        ("to", &asked.to),
        ("before", &before),
    ];
    let given: Vec<_> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("/admin/audit?{}", serde_urlencoded::to_string(given).expect("text can be encoded"))
}

fn row(row: TrailRow) -> Row {
    let TrailRow { at, who, action, entity, entity_id, changes, .. } = row;
    Row {
        at,
        when: format::minute(at),
        who: who.unwrap_or_else(|| "the shop".to_owned()),
        action,
        entity,
        entity_id,
        changes: diff(&changes),
    }
}

/// Each field with what it was and what it is. A step of an order has only the latter.
fn diff(changes: &Value) -> Vec<Change> {
    let change = |(field, value): (&String, &Value)| {
        let (before, after) = match value {
            Value::Array(pair) if pair.len() == 2 => (shown(&pair[0]), shown(&pair[1])),
            value => (String::new(), shown(value)),
        };
        Change { field: field.clone(), before, after }
    };
    changes.as_object().map(|fields| fields.iter().map(change).collect()).unwrap_or_default()
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_read_as_people_and_browsers_write_them() {
        for (text, expected) in [
            ("2026-11-21", Some("2026-11-21T00:00:00Z")),
            ("2026-11-21T14:05", Some("2026-11-21T14:05:00Z")),
            ("2026-11-21 14:05", Some("2026-11-21T14:05:00Z")),
            ("yesterday", None),
            ("2026-13-01", None),
        ] {
            assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn differences_are_shown_field_by_field() {
        let found = diff(&json!({
            "title": ["Old", "New"], "label": [null, "L"], "amount_minor": 5, "more": [1, 2, 3],
        }));
        let found: Vec<_> =
            found.iter().map(|c| (c.field.as_str(), c.before.as_str(), c.after.as_str())).collect();
        for wanted in [
            ("title", "Old", "New"),
            ("label", "", "L"),
            ("amount_minor", "", "5"),
            ("more", "", "[1,2,3]"),
        ] {
            assert!(found.contains(&wanted), "{found:?}");
        }
        assert_eq!(shown(&json!("x".repeat(400))).chars().count(), VALUE_CHARS_MAX + 1);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let asked = Asked {
            entity_id: "x".to_owned(),
            from: "soon".to_owned(),
            action: " order ".to_owned(),
            ..Asked::default()
        };
        let (wanted, wrong) = wanted(&asked);
        assert_eq!(wanted, Wanted { action: Some("order".to_owned()), ..Wanted::default() });
        assert_eq!(wrong.len(), 2);
    }
}
