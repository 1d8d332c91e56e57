//! The addresses of the back office's tables.

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};

use super::export::Format;
use super::{Clerk, Table, bulk, edit, export, history, list, table};
use crate::App;
use crate::accounts;
use crate::accounts::{StaffSession, Verb};
use crate::pages::Frame;
use crate::platform::extract::parse_id;
use crate::platform::form::{Form, Pairs};
use crate::platform::problem::Problem;

/// The names and values of a query.
type Given = Query<Vec<(String, String)>>;

/// The pages of the back office's tables.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .merge(accounts::admin::pages())
        .route("/admin/", get(index))
        .route("/admin/{table}/", get(list_rows))
        .route("/admin/{table}/export.csv", get(export_csv))
        .route("/admin/{table}/export.json", get(export_json))
        .route("/admin/{table}/bulk", post(preview))
        .route("/admin/{table}/bulk/confirm", post(confirm))
        .route("/admin/{table}/new", get(new).post(create))
        .route("/admin/{table}/{id}/", get(show).post(change))
        .route("/admin/{table}/{id}/delete", get(ask_delete).post(delete))
        .route("/admin/{table}/{id}/history", get(show_history))
}

impl FromRequestParts<App> for Clerk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let StaffSession(session) = StaffSession::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), session })
    }
}

/// The table, if the clerk may do this there.
fn admitted(clerk: &Clerk, slug: &str, verb: Verb) -> Result<&'static Table, Problem> {
    let table = table(slug)?;
    clerk.require(table, verb)?;
    Ok(table)
}

/// The table and the row's id.
fn row_of(
    clerk: &Clerk,
    (slug, id): &(String, String),
    verb: Verb,
) -> Result<(&'static Table, i64), Problem> {
    let table = admitted(clerk, slug, verb)?;
    let id = parse_id(id).ok_or_else(|| Problem::not_found(table.one))?;
    Ok((table, id))
}

async fn index(frame: Frame, clerk: Clerk) -> Response {
    frame.page("Back office", &list::Index::new(&clerk))
}

async fn list_rows(
    State(app): State<App>,
    frame: Frame,
    clerk: Clerk,
    Path(slug): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let table = admitted(&clerk, &slug, Verb::View)?;
    list::page(&app, &frame, &clerk, table, &uri).await
}

async fn new(
    frame: Frame,
    clerk: Clerk,
    Path(slug): Path<String>,
    Query(given): Given,
) -> Result<Response, Problem> {
    let table = admitted(&clerk, &slug, Verb::Create)?;
    edit::new(&frame, table, &given)
}

async fn create(
    frame: Frame,
    clerk: Clerk,
    Path(slug): Path<String>,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    let table = admitted(&clerk, &slug, Verb::Create)?;
    edit::create(&clerk, &frame, table, posted).await
}

async fn show(
    frame: Frame,
    clerk: Clerk,
    Path(place): Path<(String, String)>,
    Query(given): Given,
) -> Result<Response, Problem> {
    let (table, id) = row_of(&clerk, &place, Verb::View)?;
    edit::show(&clerk, &frame, table, id, &given).await
}

async fn change(
    frame: Frame,
    clerk: Clerk,
    Path(place): Path<(String, String)>,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    let (table, id) = row_of(&clerk, &place, Verb::Change)?;
    edit::change(&clerk, &frame, table, id, posted).await
}

async fn ask_delete(
    frame: Frame,
    clerk: Clerk,
    Path(place): Path<(String, String)>,
    Query(given): Given,
) -> Result<Response, Problem> {
    let (table, id) = row_of(&clerk, &place, Verb::Delete)?;
    edit::ask_delete(&clerk, &frame, table, id, &given).await
}

async fn delete(
    frame: Frame,
    clerk: Clerk,
    Path(place): Path<(String, String)>,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    let (table, id) = row_of(&clerk, &place, Verb::Delete)?;
    edit::delete(&clerk, &frame, table, id, posted).await
}

async fn show_history(
    frame: Frame,
    clerk: Clerk,
    Path(place): Path<(String, String)>,
    Query(given): Given,
) -> Result<Response, Problem> {
    let (table, id) = row_of(&clerk, &place, Verb::View)?;
    history::page(&clerk, &frame, table, id, &given).await
}

async fn export_csv(clerk: Clerk, Path(slug): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let table = admitted(&clerk, &slug, Verb::View)?;
    export::export(&clerk, table, &uri, Format::Csv).await
}

async fn export_json(
    clerk: Clerk,
    Path(slug): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let table = admitted(&clerk, &slug, Verb::View)?;
    export::export(&clerk, table, &uri, Format::Json).await
}

async fn preview(
    frame: Frame,
    clerk: Clerk,
    Path(slug): Path<String>,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    // The action says which verb it needs.
    let table = admitted(&clerk, &slug, Verb::View)?;
    bulk::preview(&clerk, &frame, table, posted).await
}

async fn confirm(
    frame: Frame,
    clerk: Clerk,
    Path(slug): Path<String>,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    let table = admitted(&clerk, &slug, Verb::View)?;
    bulk::confirm(&clerk, &frame, table, posted).await
}
