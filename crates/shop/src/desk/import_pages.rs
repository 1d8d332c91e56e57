//! The pages of imports: upload, preview, progress, faults.

use std::io::Write;
use std::path::PathBuf;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, REFRESH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::commands::runs::{NotStarted, add_import};
use super::format;
use super::import::{self, PREVIEW_HEADS, Preview, PreviewRow, new_file, preview, seconds};
use super::order::new_key;
use super::queries::runs::{self as queries, ImportRun};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::catalog::import::{Encoding, Options};
use crate::pages::{Frame, see_other};
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::layers::UPLOAD_BYTES_MAX;
use crate::platform::problem::Problem;

/// Runs that are listed.
const RUNS_MAX: i64 = 50;
/// What is kept of a file's name, in characters.
const NAME_CHARS_MAX: usize = 200;
/// A page of a run that goes on looks again by itself, after so many seconds.
const LOOK_AGAIN: HeaderValue = HeaderValue::from_static("2");

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/import", get(page).post(upload).layer(DefaultBodyLimit::disable()))
        .route("/admin/import/{id}", get(show))
        .route("/admin/import/{id}/start", post(start))
        .route("/admin/import/{id}/errors.csv", get(errors))
}

struct Row {
    run: ImportRun,
    uploaded: String,
    took: String,
    done: String,
}

fn row(run: ImportRun) -> Row {
    let took = seconds(run.started_at, run.finished_at);
    let rows = run.created + run.updated + run.unchanged;
    Row {
        uploaded: format::minute(run.uploaded_at),
        took: took.map(|seconds| format!("{seconds} s")).unwrap_or_default(),
        done: format!("{} stored, {} refused", format::count(rows), format::count(run.failed)),
        run,
    }
}

#[derive(Template)]
#[template(path = "desk/templates/imports.html")]
struct ImportsPage<'a> {
    runs: Vec<Row>,
    refused: Option<&'a str>,
    may_start: bool,
    mebibytes_max: usize,
}

async fn page(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
) -> Result<Response, Problem> {
    session.require(Capability::Catalog, Verb::View)?;
    list(&app, &frame, session.may(Capability::Catalog, Verb::Create), None).await
}

async fn list(
    app: &App,
    frame: &Frame,
    may_start: bool,
    refused: Option<(StatusCode, &str)>,
) -> Result<Response, Problem> {
    let runs = queries::imports(&app.db, RUNS_MAX).await?;
    let page = ImportsPage {
        runs: runs.into_iter().map(row).collect(),
        refused: refused.map(|(_, words)| words),
        may_start,
        mebibytes_max: UPLOAD_BYTES_MAX >> 20,
    };
    let status = refused.map_or(StatusCode::OK, |(status, _)| status);
    Ok(frame.page_with(status, "Import", &page))
}

/// Takes a file, piece by piece, and shows what is in it.
async fn upload(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    parts: Multipart,
) -> Result<Response, Problem> {
    session.require(Capability::Catalog, Verb::Create)?;
    let received = match receive(parts).await? {
        Ok(received) => received,
        Err(refused) => {
            let (status, words) = refused.words();
            return list(&app, &frame, true, Some((status, &words))).await;
        }
    };
    let Received { path, name, bytes } = received;
    match add_import(&app, session.identity.account_id, name, bytes).await {
        Ok(id) => {
            app.desk.files.keep(id, path);
            Ok(see_other(&format!("/admin/import/{id}")))
        }
        Err(error) => {
            import::remove(&path);
            Err(error.into())
        }
    }
}

/// A file that has come up whole.
struct Received {
    path: PathBuf,
    name: String,
    bytes: i64,
}

enum NotReceived {
    NoFile,
    TooLarge,
    Broken,
}

impl NotReceived {
    fn words(&self) -> (StatusCode, String) {
        match self {
            NotReceived::NoFile => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Choose a file that is not empty.".to_owned())
            }
            NotReceived::TooLarge => {
                let words = format!("The file has more than {} MiB.", UPLOAD_BYTES_MAX >> 20);
                (StatusCode::PAYLOAD_TOO_LARGE, words)
            }
            NotReceived::Broken => {
                (StatusCode::BAD_REQUEST, "The file did not come whole: try again.".to_owned())
            }
        }
    }
}

async fn receive(mut parts: Multipart) -> Result<Result<Received, NotReceived>, Problem> {
    loop {
        match parts.next_field().await {
            Ok(Some(field)) if field.name() == Some("file") => return written(field).await,
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Err(NotReceived::NoFile)),
            Err(_) => return Ok(Err(NotReceived::Broken)),
        }
    }
}

async fn written(
    mut field: axum::extract::multipart::Field<'_>,
) -> Result<Result<Received, NotReceived>, Problem> {
    let name = field.file_name().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let (path, mut file) = new_file(&new_key()?).map_err(Problem::internal)?;
    let mut bytes = 0;
    let refused = loop {
        match field.chunk().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len();
                if bytes > UPLOAD_BYTES_MAX {
                    break Some(NotReceived::TooLarge);
                }
                // Pieces are small, and go to memory that the system writes out by itself.
                if let Err(error) = file.write_all(&chunk) {
                    import::remove(&path);
                    return Err(Problem::internal(error));
                }
            }
            Ok(None) if bytes == 0 => break Some(NotReceived::NoFile),
            Ok(None) => break None,
            Err(_) => break Some(NotReceived::Broken),
        }
    };
    if let Some(refused) = refused {
        import::remove(&path);
        return Ok(Err(refused));
    }
    let bytes = i64::try_from(bytes).expect("an upload is bounded");
    Ok(Ok(Received { path, name, bytes }))
}

#[derive(Template)]
#[template(path = "desk/templates/import.html")]
struct ImportPage<'a> {
    row: Row,
    /// What would be imported, or why it cannot be.
    preview: Option<Result<Preview, String>>,
    /// Names, and whether it is the chosen one.
    encodings: Vec<(&'static str, bool)>,
    /// The file is not on this node.
    gone: bool,
    may_start: bool,
    refused: Option<&'a str>,
}

impl ImportPage<'_> {
    fn heads(&self) -> [&'static str; 6] {
        PREVIEW_HEADS
    }
}

#[derive(Deserialize, Default)]
struct Chosen {
    #[serde(default)]
    encoding: String,
}

async fn show(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
    axum::extract::Query(chosen): axum::extract::Query<Chosen>,
) -> Result<Response, Problem> {
    session.require(Capability::Catalog, Verb::View)?;
    let may_start = session.may(Capability::Catalog, Verb::Create);
    one(&app, &frame, (id, &chosen), may_start, None).await
}

async fn one(
    app: &App,
    frame: &Frame,
    (id, chosen): (i64, &Chosen),
    may_start: bool,
    refused: Option<&str>,
) -> Result<Response, Problem> {
    let run = queries::import_run(&app.db, id).await?;
    let run = run.ok_or_else(|| Problem::not_found("import"))?;
    let encoding: Option<Encoding> = chosen.encoding.parse().ok();
    let waits = run.status == "uploaded";
    let runs = run.status == "running";
    let path = app.desk.files.path(id).filter(|_| waits);
    let gone = waits && path.is_none();
    let preview = match path {
        None => None,
        Some(path) => {
            let options = Options { encoding, default_currency: app.currency };
            let read = tokio::task::spawn_blocking(move || preview(&path, &options)).await;
            Some(read.map_err(Problem::internal)?.map_err(|error| error.to_string()))
        }
    };
    let page = ImportPage {
        row: row(run),
        encodings: Encoding::ALL.map(|each| (each.name(), Some(each) == encoding)).to_vec(),
        preview,
        gone,
        may_start,
        refused,
    };
    let status = if refused.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    let mut response = frame.page_with(status, "Import", &page);
    if runs {
        response.headers_mut().insert(REFRESH, LOOK_AGAIN);
    }
    Ok(response)
}

async fn start(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Problem> {
    session.require(Capability::Catalog, Verb::Create)?;
    let encoding: Option<Encoding> = chosen.encoding.parse().ok();
    match import::start(&app, session.identity.account_id, id, encoding).await {
        // Sent twice: it runs, or has run.
        Ok(()) | Err(NotStarted::NotWaiting) => Ok(see_other(&format!("/admin/import/{id}"))),
        Err(NotStarted::Busy(_)) => {
            let words = "Another import is under way: start this one when it has ended.";
            one(&app, &frame, (id, &chosen), true, Some(words)).await
        }
        Err(NotStarted::Store(error)) => Err(error.into()),
    }
}

async fn errors(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Catalog, Verb::View)?;
    let errors = queries::import_errors(&app.db, id).await?;
    let errors = errors.ok_or_else(|| Problem::not_found("import"))?;
    let place = HeaderValue::try_from(format!("attachment; filename=\"import-{id}-errors.csv\""));
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (CONTENT_DISPOSITION, place.expect("a number is visible ASCII")),
    ];
    Ok((fields, import::errors_csv(&errors)).into_response())
}
