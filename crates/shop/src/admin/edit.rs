//! A row's page: what it holds, its form, its inlines; and forms for new rows.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::Clerk;
use super::form::{self, Field};
use super::history::{self, ChangeShown};
use super::inline::{self, Shelf};
use super::list::capability_name;
use super::queries::{self, Full};
use super::show::{Shown, row_path};
use super::table::{Table, When};
use crate::accounts::{Role, Verb};
use crate::pages::{Frame, local_path, see_other};
use crate::platform::etag::IfMatch;
use crate::platform::problem::Problem;

/// What a form carries besides its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden {
    pub version: Option<i64>,
    /// When the form was opened, in microseconds since 1970.
    pub opened: i64,
    /// Where to go when it is done.
    pub next: String,
}

impl Hidden {
    fn of(posted: &[(String, String)]) -> Self {
        let number = |name| text_of(posted, name).parse().ok();
        Self {
            version: number("version"),
            opened: number("opened").unwrap_or(0),
            next: text_of(posted, "next").to_owned(),
        }
    }

    fn if_match(&self) -> IfMatch {
        self.version.map_or(IfMatch::Any, |version| IfMatch::OneOf(vec![version]))
    }
}

/// The last value of a name; empty if there is none.
pub(super) fn text_of<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().rev().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value.as_str())
}

#[derive(Template)]
#[template(path = "admin/templates/row.html")]
struct RowPage<'a> {
    table: &'static Table,
    group: &'static str,
    id: i64,
    label: String,
    facts: Vec<(&'static str, Shown)>,
    fields: Vec<Field>,
    hidden: Hidden,
    errors: Vec<String>,
    /// Somebody changed it in between: what they did.
    between: Option<Vec<ChangeShown>>,
    done: Option<&'a str>,
    may_change: bool,
    may_delete: bool,
    shelves: Vec<Shelf>,
    /// Label and address.
    links: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "admin/templates/new.html")]
struct NewPage {
    table: &'static Table,
    group: &'static str,
    fields: Vec<Field>,
    hidden: Hidden,
    errors: Vec<String>,
}

#[derive(Template)]
#[template(path = "admin/templates/delete.html")]
struct DeletePage {
    table: &'static Table,
    group: &'static str,
    id: i64,
    label: String,
    facts: Vec<(&'static str, Shown)>,
    hidden: Hidden,
    error: Option<String>,
}

/// The row, or 404.
pub(super) async fn find(clerk: &Clerk, table: &'static Table, id: i64) -> Result<Full, Problem> {
    let found = if table.has_page { queries::row(&clerk.app, table, id).await? } else { None };
    found.ok_or_else(|| Problem::not_found(table.one))
}

fn facts(table: &'static Table, full: &Full) -> Vec<(&'static str, Shown)> {
    let columns = table.columns.iter().chain(table.details);
    let facts = columns.zip(&full.cells).map(|(c, cell)| (c.label, Shown::new(c, cell)));
    // What a row does not have would only stand in the way.
    facts.filter(|(_, shown)| !shown.text.is_empty()).collect()
}

/// What a row's page is called: its first column, with the kind of row if that is a number.
fn named(table: &Table, full: &Full) -> String {
    let label = full.label(table);
    if label.parse::<i64>().is_err() {
        return label;
    }
    let mut letters = table.one.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    format!("{}{} {label}", first.unwrap_or_default(), letters.as_str())
}

fn links(clerk: &Clerk, table: &Table, id: i64) -> Vec<(&'static str, String)> {
    let is_superuser = clerk.session.identity.role == Role::Superuser;
    let links = table.links.iter().filter(|link| is_superuser || !link.superusers);
    links.map(|link| (link.label, format!("{}{id}{}", link.place.0, link.place.1))).collect()
}

fn may_change(clerk: &Clerk, table: &Table) -> bool {
    table.writes.change.is_some() && clerk.may(table, Verb::Change)
}

/// The page of a row as it is, or as a form that was not accepted left it.
async fn row_page<'a>(
    clerk: &Clerk,
    table: &'static Table,
    id: i64,
    full: &Full,
) -> Result<RowPage<'a>, Problem> {
    let now = clerk.app.clock.now().as_microsecond();
    Ok(RowPage {
        table,
        group: capability_name(table.capability),
        id,
        label: named(table, full),
        facts: facts(table, full),
        fields: form::filled(table, &full.values),
        hidden: Hidden { version: full.version, opened: now, next: String::new() },
        errors: Vec::new(),
        between: None,
        done: None,
        may_change: may_change(clerk, table),
        may_delete: table.writes.delete.is_some() && clerk.may(table, Verb::Delete),
        shelves: inline::shelves(clerk, table, id).await?,
        links: links(clerk, table, id),
    })
}

pub(super) async fn show(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    id: i64,
    query: &[(String, String)],
) -> Result<Response, Problem> {
    let full = find(clerk, table, id).await?;
    let mut page = row_page(clerk, table, id, &full).await?;
    page.done = match text_of(query, "done") {
        "made" => Some("It is there now."),
        "changed" => Some("Saved."),
        "same" => Some("Nothing was different, so nothing was changed."),
        _ => None,
    };
    Ok(frame.page(&title(table, &page.label), &page))
}

fn title(table: &Table, label: &str) -> String {
    format!("{label} · {}", table.title)
}

/// Carries out a posted form.
pub(super) async fn change(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    id: i64,
    posted: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let full = find(clerk, table, id).await?;
    let Some(change) = table.writes.change else { return Err(Problem::not_found("form")) };
    let mut fields = form::filled(table, &full.values);
    form::take_changes(&mut fields, &posted);
    let hidden = Hidden::of(&posted);
    if full.version.is_some() && full.version != hidden.version {
        return conflict(clerk, frame, table, id, fields, hidden).await;
    }
    let wanted = form::for_change(&fields);
    if wanted.is_empty() {
        return Ok(done(table, id, &hidden, "same"));
    }
    match change(clerk.clone(), id, hidden.if_match(), wanted).await {
        Ok(()) => Ok(done(table, id, &hidden, "changed")),
        Err(problem) if problem.status() == StatusCode::PRECONDITION_FAILED => {
            conflict(clerk, frame, table, id, fields, hidden).await
        }
        Err(problem) if is_shown_beside(&problem) => {
            let mut page = row_page(clerk, table, id, &full).await?;
            page.errors = form::mark(&mut fields, &problem);
            (page.fields, page.hidden) = (fields, hidden);
            let title = title(table, &page.label);
            Ok(frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, &title, &page))
        }
        Err(problem) => Err(problem),
    }
}

/// A refusal of what was typed, not of the person or by a failure.
fn is_shown_beside(problem: &Problem) -> bool {
    matches!(
        problem.status(),
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// Where a form leads that was carried out.
fn done(table: &Table, id: i64, hidden: &Hidden, what: &str) -> Response {
    if hidden.next.is_empty() {
        return see_other(&format!("{}?done={what}", row_path(table.slug, id)));
    }
    let next = local_path(&hidden.next);
    let sign = if next.contains('?') { '&' } else { '?' };
    see_other(&format!("{next}{sign}done={what}"))
}

/// Shows what somebody else changed in between, beside what was typed: nothing is lost.
async fn conflict(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    id: i64,
    mut fields: Vec<Field>,
    hidden: Hidden,
) -> Result<Response, Problem> {
    let full = find(clerk, table, id).await?;
    let mut page = row_page(clerk, table, id, &full).await?;
    form::merge(&mut fields, &page.fields);
    page.fields = fields;
    page.hidden.next = hidden.next;
    page.between = Some(history::since(clerk, table, id, hidden.opened).await?);
    let title = title(table, &page.label);
    Ok(frame.page_with(StatusCode::CONFLICT, &title, &page))
}

fn new_page(table: &'static Table, fields: Vec<Field>, hidden: Hidden) -> NewPage {
    let group = capability_name(table.capability);
    NewPage { table, group, fields, hidden, errors: Vec::new() }
}

/// The form for a new row; the address may fill some fields.
pub(super) fn new(
    frame: &Frame,
    table: &'static Table,
    query: &[(String, String)],
) -> Result<Response, Problem> {
    if table.writes.create.is_none() {
        return Err(Problem::not_found("form"));
    }
    let page = new_page(table, form::empty(table, query), Hidden::of(query));
    Ok(frame.page(&format!("New {}", table.one), &page))
}

/// Makes a row out of a posted form.
pub(super) async fn create(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    posted: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let Some(create) = table.writes.create else { return Err(Problem::not_found("form")) };
    let mut fields = form::empty(table, &[]);
    debug_assert!(fields.iter().all(|field| field.input.when != When::Edit));
    form::take(&mut fields, &posted);
    let hidden = Hidden::of(&posted);
    match create(clerk.clone(), form::for_new(&fields)).await {
        Ok(id) if table.has_page || !hidden.next.is_empty() => Ok(done(table, id, &hidden, "made")),
        Ok(_) => Ok(see_other(&format!("/admin/{}/", table.slug))),
        Err(problem) if is_shown_beside(&problem) => {
            let errors = form::mark(&mut fields, &problem);
            let page = NewPage { errors, ..new_page(table, fields, hidden) };
            let title = format!("New {}", table.one);
            Ok(frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, &title, &page))
        }
        Err(problem) => Err(problem),
    }
}

async fn delete_page(
    clerk: &Clerk,
    table: &'static Table,
    id: i64,
    next: &str,
) -> Result<DeletePage, Problem> {
    let full = find(clerk, table, id).await?;
    if table.writes.delete.is_none() {
        return Err(Problem::not_found("form"));
    }
    let hidden = Hidden { version: full.version, opened: 0, next: next.to_owned() };
    let (group, label) = (capability_name(table.capability), named(table, &full));
    Ok(DeletePage { table, group, id, label, facts: facts(table, &full), hidden, error: None })
}

/// Asks whether a row is really to go.
pub(super) async fn ask_delete(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    id: i64,
    query: &[(String, String)],
) -> Result<Response, Problem> {
    let page = delete_page(clerk, table, id, text_of(query, "next")).await?;
    Ok(frame.page(&format!("Delete {}", page.label), &page))
}

/// Deletes a row that was confirmed.
pub(super) async fn delete(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    id: i64,
    posted: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let hidden = Hidden::of(&posted);
    let mut page = delete_page(clerk, table, id, &hidden.next).await?;
    let Some(delete) = table.writes.delete else { return Err(Problem::not_found("form")) };
    match delete(clerk.clone(), id, hidden.if_match()).await {
        Ok(()) if hidden.next.is_empty() => Ok(see_other(&format!("/admin/{}/", table.slug))),
        Ok(()) => Ok(see_other(local_path(&hidden.next))),
        Err(problem)
            if problem.status() == StatusCode::PRECONDITION_FAILED || is_shown_beside(&problem) =>
        {
            page.error = Some(problem.words().to_owned());
            let title = format!("Delete {}", page.label);
            Ok(frame.page_with(StatusCode::CONFLICT, &title, &page))
        }
        Err(problem) => Err(problem),
    }
}
