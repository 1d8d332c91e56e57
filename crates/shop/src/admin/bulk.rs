//! Bulk actions: choose rows, see what would change from what to what, confirm, see what was done.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use sha2::{Digest, Sha256};

use super::Clerk;
use super::asked::Asked;
use super::edit::text_of;
use super::form::{self, Field};
use super::list::capability_name;
use super::queries;
use super::table::{Action, Fields, Input, InputKind, Planned, Table, Work};
use crate::pages::Frame;
use crate::platform::problem::Problem;

/// Rows that one bulk action may take.
pub const BULK_MAX: usize = 500;
/// Pages of a list that are looked through for the rows of an action.
const PAGES_MAX: usize = 50;

#[derive(Template)]
#[template(path = "admin/templates/bulk_inputs.html")]
struct InputsPage {
    table: &'static Table,
    group: &'static str,
    action: &'static Action,
    fields: Vec<Field>,
    errors: Vec<String>,
    ids: Vec<i64>,
    cut: bool,
}

impl InputsPage {
    fn max(&self) -> usize {
        BULK_MAX
    }
}

/// A row of the preview with what confirms it.
struct Line {
    planned: Planned,
    token: String,
}

#[derive(Template)]
#[template(path = "admin/templates/bulk_preview.html")]
struct PreviewPage {
    table: &'static Table,
    group: &'static str,
    action: &'static Action,
    /// Typed values, to be sent again.
    given: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    doable: usize,
    cut: bool,
}

impl PreviewPage {
    fn max(&self) -> usize {
        BULK_MAX
    }
}

/// What became of a row.
struct Told {
    id: i64,
    label: String,
    done: bool,
    words: String,
}

#[derive(Template)]
#[template(path = "admin/templates/bulk_result.html")]
struct ResultPage {
    table: &'static Table,
    group: &'static str,
    action: &'static Action,
    done: usize,
    told: Vec<Told>,
}

/// The action that a form names, if the clerk may do it.
fn action(
    clerk: &Clerk,
    table: &'static Table,
    posted: &[(String, String)],
) -> Result<&'static Action, Problem> {
    let name = text_of(posted, "action");
    let found = table.actions.iter().find(|action| action.name == name);
    let action = found.ok_or_else(|| {
        Problem::bad_request("no_action", "Choose what is to be done with the rows.")
    })?;
    clerk.require(table, action.verb)?;
    Ok(action)
}

/// The chosen rows, and whether there may be more that fit.
async fn chosen(
    clerk: &Clerk,
    table: &'static Table,
    posted: &[(String, String)],
) -> Result<(Vec<i64>, bool), Problem> {
    let (mut ids, mut more): (Vec<i64>, bool) = (Vec::new(), false);
    if text_of(posted, "all") == "true" {
        let query = text_of(posted, "query");
        let pairs = serde_urlencoded::from_str(query)
            .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        let mut asked = Some(Asked::from_pairs(table, pairs)?.in_full_pages()?);
        for _ in 0..PAGES_MAX {
            let Some(now) = asked.take_if(|_| ids.len() <= BULK_MAX) else { break };
            let listing = queries::page(&clerk.app, &now).await?;
            ids.extend(listing.rows.iter().map(|row| row.id));
            asked = listing.next.map(|cursor| now.after_cursor(&cursor)).transpose()?;
        }
        more = asked.is_some();
    } else {
        let given = posted.iter().filter(|(name, _)| name == "id");
        ids.extend(given.filter_map(|(_, value)| crate::platform::extract::parse_id(value)));
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(*id));
    }
    if ids.is_empty() {
        return Err(Problem::bad_request("no_rows", "Choose at least one row."));
    }
    let cut = more || ids.len() > BULK_MAX;
    ids.truncate(BULK_MAX);
    Ok((ids, cut))
}

fn fields_of(action: &'static Action, posted: &[(String, String)]) -> Vec<Field> {
    let mut fields: Vec<Field> =
        action.inputs.iter().map(|input| Field::of(input, String::new())).collect();
    form::take(&mut fields, posted);
    fields
}

/// The action's own input, or the value that [`Work::Set`] sets.
fn input_of(fields: &[Field]) -> Fields {
    let pair = |field: &Field| (field.input.name.to_owned(), form::json(field.input, &field.value));
    fields.iter().filter(|field| !field.value.trim().is_empty()).map(pair).collect()
}

async fn plan(
    clerk: &Clerk,
    table: &'static Table,
    action: &'static Action,
    ids: Vec<i64>,
    fields: &[Field],
) -> Result<Vec<Planned>, Problem> {
    match action.work {
        Work::Own { plan, .. } => plan(clerk.clone(), ids, input_of(fields)).await,
        Work::Set { field, to } => {
            let typed = fields.first().map(|field| field.value.clone());
            let to = to.map(str::to_owned).or(typed).unwrap_or_default();
            plan_set(clerk, table, field, &to, ids).await
        }
    }
}

/// The input of the form that an action sets, and its place among the values.
fn set_input(table: &'static Table, name: &str) -> (usize, &'static Input) {
    let mut inputs = form::stored_inputs(table).enumerate();
    inputs.find(|(_, input)| input.name == name).expect("actions set fields of the form")
}

fn words(input: &Input, value: &str) -> String {
    match (input.kind, value) {
        (InputKind::Bool, "true") => "yes".to_owned(),
        (InputKind::Bool, _) => "no".to_owned(),
        (_, value) => value.to_owned(),
    }
}

async fn plan_set(
    clerk: &Clerk,
    table: &'static Table,
    name: &str,
    to: &str,
    ids: Vec<i64>,
) -> Result<Vec<Planned>, Problem> {
    let (place, input) = set_input(table, name);
    let rows = queries::rows(&clerk.app, table, ids.clone()).await?;
    let planned = |id: i64| {
        let Some((_, full)) = rows.iter().find(|(known, _)| *known == id) else {
            return Planned::gone(id);
        };
        let now = full.values[place].as_str();
        let same = (now == to).then(|| "It is so already.".to_owned());
        Planned {
            id,
            label: full.label(table),
            from: words(input, now),
            to: words(input, to),
            version: full.version,
            refused: same,
        }
    };
    Ok(ids.into_iter().map(planned).collect())
}

async fn apply(
    clerk: &Clerk,
    table: &'static Table,
    action: &'static Action,
    planned: Planned,
    fields: &[Field],
) -> Result<(), Problem> {
    match action.work {
        Work::Own { apply, .. } => apply(clerk.clone(), planned, input_of(fields)).await,
        Work::Set { field, to } => {
            let (_, input) = set_input(table, field);
            let typed = fields.first().map(|field| field.value.clone());
            let to = to.map(str::to_owned).or(typed).unwrap_or_default();
            let change = table.writes.change.ok_or_else(|| Problem::not_found("form"))?;
            let wanted = [(field.to_owned(), form::json(input, &to))].into_iter().collect();
            change(clerk.clone(), planned.id, planned.if_match(), wanted).await
        }
    }
}

/// What a person has confirmed of a row: another state of it has another one.
fn token(planned: &Planned) -> String {
    let mut hash = Sha256::new();
    let version = planned.version.unwrap_or(0).to_string();
    for part in [&planned.id.to_string(), &planned.label, &planned.from, &planned.to, &version] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let hex: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}:{hex}", planned.id)
}

/// Shows what an action would do, after it has asked for what it needs.
pub(super) async fn preview(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    posted: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let action = action(clerk, table, &posted)?;
    let (ids, cut) = chosen(clerk, table, &posted).await?;
    let mut fields = fields_of(action, &posted);
    let group = capability_name(table.capability);
    let asks = |fields, errors, ids| InputsPage { table, group, action, fields, errors, ids, cut };
    if !action.inputs.is_empty() && text_of(&posted, "ready") != "true" {
        return Ok(frame.page(action.label, &asks(fields, Vec::new(), ids)));
    }
    let lines = match plan(clerk, table, action, ids.clone(), &fields).await {
        Ok(planned) => planned,
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => {
            let errors = form::mark(&mut fields, &problem);
            let page = asks(fields, errors, ids);
            return Ok(frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, action.label, &page));
        }
        Err(problem) => return Err(problem),
    };
    let line = |planned: Planned| Line { token: token(&planned), planned };
    let lines: Vec<Line> = lines.into_iter().map(line).collect();
    let doable = lines.iter().filter(|line| line.planned.refused.is_none()).count();
    let given = fields.iter().map(|field| (field.input.name, field.value.clone())).collect();
    let page = PreviewPage { table, group, action, given, lines, doable, cut };
    Ok(frame.page(&format!("{}: preview", action.label), &page))
}

/// Does what was confirmed, row by row; what has changed since is refused.
pub(super) async fn confirm(
    clerk: &Clerk,
    frame: &Frame,
    table: &'static Table,
    posted: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let action = action(clerk, table, &posted)?;
    let fields = fields_of(action, &posted);
    let tokens = posted.iter().filter(|(name, _)| name == "row").map(|(_, token)| token.as_str());
    let tokens: Vec<&str> = tokens.take(BULK_MAX).collect();
    let id_of = |token: &&str| token.split(':').next().and_then(|id| id.parse::<i64>().ok());
    let ids: Vec<i64> = tokens.iter().filter_map(id_of).collect();
    if ids.is_empty() {
        return Err(Problem::bad_request(
            "no_rows",
            "There is no row that anything can be done to.",
        ));
    }
    let mut told = Vec::new();
    // Planned again just before it is done: the time between is as short as can be, and what has a
    // version is guarded by it until the commit.
    for id in ids {
        let planned = plan(clerk, table, action, vec![id], &fields).await?;
        for planned in planned {
            told.push(carry_out(clerk, table, action, planned, &fields, &tokens).await);
        }
    }
    let done = told.iter().filter(|told| told.done).count();
    let group = capability_name(table.capability);
    let page = ResultPage { table, group, action, done, told };
    Ok(frame.page(&format!("{}: result", action.label), &page))
}

async fn carry_out(
    clerk: &Clerk,
    table: &'static Table,
    action: &'static Action,
    planned: Planned,
    fields: &[Field],
    tokens: &[&str],
) -> Told {
    let (id, label) = (planned.id, planned.label.clone());
    let told = |done, words: String| Told { id, label, done, words };
    if let Some(refused) = &planned.refused {
        return told(false, format!("Not done: {refused}"));
    }
    if !tokens.contains(&token(&planned).as_str()) {
        return told(false, "Not done: it has changed since the preview.".to_owned());
    }
    let done = format!("{} → {}", planned.from, planned.to);
    match apply(clerk, table, action, planned, fields).await {
        Ok(()) => told(true, done),
        Err(problem) if problem.status() == StatusCode::PRECONDITION_FAILED => {
            told(false, "Not done: it has changed since the preview.".to_owned())
        }
        Err(problem) => told(false, format!("Not done: {}", problem_words(&problem))),
    }
}

/// What was wrong, field by field if it is known so.
fn problem_words(problem: &Problem) -> String {
    let errors: Vec<&str> =
        problem.field_errors().iter().map(|error| error.detail.as_str()).collect();
    if errors.is_empty() { problem.words().to_owned() } else { errors.join("; ") }
}
