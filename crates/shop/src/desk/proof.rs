//! `runout verify` as a button: runs in the background, one at a time, and keeps its report.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::commands::runs::{self as commands, NotStarted};
use super::format;
use super::import::seconds;
use super::queries::runs::{self as queries, Proof};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::pages::{Frame, see_other};
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;
use crate::verify::{Check, rules, verify_each};

/// Proofs that are listed.
const RUNS_MAX: i64 = 30;
/// How often a proof says that it is worked on.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// A page of a proof that goes on looks again by itself, after so many seconds.
const LOOK_AGAIN: HeaderValue = HeaderValue::from_static("2");

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/verify", get(page).post(start))
        .route("/admin/verify/{id}", get(show))
}

struct Row {
    run: Proof,
    started: String,
    took: String,
    found: String,
}

struct CheckRow {
    name: String,
    examined: String,
    holds: bool,
    violations: Vec<String>,
    more: i64,
}

fn checks(run: &Proof) -> Vec<CheckRow> {
    let check = |check: &Value| {
        let number = |name: &str| check[name].as_i64().unwrap_or(0);
        let texts = check["violations"].as_array().into_iter().flatten();
        let violations: Vec<String> = texts.filter_map(Value::as_str).map(str::to_owned).collect();
        CheckRow {
            name: check["name"].as_str().unwrap_or_default().to_owned(),
            examined: format::count(number("examined")),
            holds: number("violation_count") == 0,
            more: number("violation_count") - i64::try_from(violations.len()).unwrap_or(0),
            violations,
        }
    };
    run.checks.as_array().into_iter().flatten().map(check).collect()
}

fn row(run: Proof) -> Row {
    let broken = checks(&run).iter().filter(|check| !check.holds).count();
    let took = seconds(Some(run.started_at), run.finished_at);
    Row {
        started: format::minute(run.started_at),
        took: took.map(|seconds| format!("{seconds} s")).unwrap_or_default(),
        found: match (run.status.as_str(), broken) {
            ("done", 0) => "everything holds".to_owned(),
            (_, 0) => String::new(),
            (_, 1) => "1 rule is broken".to_owned(),
            (_, broken) => format!("{broken} rules are broken"),
        },
        run,
    }
}

#[derive(Template)]
#[template(path = "desk/templates/proofs.html")]
struct ProofsPage<'a> {
    runs: Vec<Row>,
    rules: usize,
    may_start: bool,
    refused: Option<&'a str>,
}

async fn page(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
) -> Result<Response, Problem> {
    session.require(Capability::Audit, Verb::View)?;
    list(&app, &frame, session.may(Capability::Audit, Verb::Create), None).await
}

async fn list(
    app: &App,
    frame: &Frame,
    may_start: bool,
    refused: Option<&str>,
) -> Result<Response, Problem> {
    let runs = queries::proofs(&app.db, RUNS_MAX).await?.into_iter().map(row).collect();
    let page = ProofsPage { runs, rules: rules(), may_start, refused };
    let status = if refused.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    Ok(frame.page_with(status, "Proof", &page))
}

async fn start(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
) -> Result<Response, Problem> {
    session.require(Capability::Audit, Verb::Create)?;
    match commands::start_proof(&app, session.identity.account_id).await {
        Ok(id) => {
            tokio::spawn(run(app, id));
            Ok(see_other(&format!("/admin/verify/{id}")))
        }
        Err(NotStarted::Busy(id)) if id > 0 => Ok(see_other(&format!("/admin/verify/{id}"))),
        Err(NotStarted::Busy(_) | NotStarted::NotWaiting) => {
            list(&app, &frame, true, Some("Another proof is under way.")).await
        }
        Err(NotStarted::Store(error)) => Err(error.into()),
    }
}

/// Checks rule after rule, and keeps what was found after each.
async fn run(app: App, id: i64) {
    let (checked, mut done) = tokio::sync::mpsc::unbounded_channel::<Value>();
    let (db, sealer) = (app.db.clone(), app.sealer.clone());
    // A channel of as many places as there are rules: what is sent is bounded by them.
    let work = async move {
        verify_each(&db, &sealer, |check| {
            // Nobody listens any more when the server ends.
            let _ended = checked.send(json_of(&check));
        })
        .await
    };
    let mut work = std::pin::pin!(work);
    let mut found = Vec::new();
    let mut ticks = interval(SAVE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let closing = app.desk.live.closing();
    let (status, failure) = loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => break ("interrupted", None),
            Some(check) = done.recv() => found.push(check),
            ended = &mut work => break match ended {
                Ok(()) => ("done", None),
                Err(error) => {
                    tracing::error!(?error, run = id, "a proof failed");
                    ("failed", Some("The database failed; see the log.".to_owned()))
                }
            },
            _ = ticks.tick() => {}
        }
        if let Err(error) = commands::proof_progress(&app, id, found.clone().into()).await {
            tracing::warn!(?error, run = id, "a proof's findings were not kept");
        }
    };
    while let Ok(check) = done.try_recv() {
        found.push(check);
    }
    let kept = async {
        commands::proof_progress(&app, id, found.into()).await?;
        commands::end_proof(&app, id, status, failure).await
    };
    if let Err(error) = kept.await {
        tracing::error!(?error, run = id, "the end of a proof was not kept");
    }
}

fn json_of(check: &Check) -> Value {
    json!({
        "name": check.name,
        "examined": check.examined,
        "violation_count": check.violation_count,
        "violations": check.violations,
    })
}

#[derive(Template)]
#[template(path = "desk/templates/proof.html")]
struct ProofPage {
    row: Row,
    checks: Vec<CheckRow>,
    rules: usize,
    holds: bool,
}

async fn show(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Audit, Verb::View)?;
    let run = queries::one_proof(&app.db, id).await?;
    let run = run.ok_or_else(|| Problem::not_found("proof"))?;
    let runs = run.status == "running";
    let checks = checks(&run);
    let holds = run.status == "done" && checks.iter().all(|check| check.holds);
    let mut response =
        frame.page("Proof", &ProofPage { row: row(run), checks, rules: rules(), holds });
    if runs {
        response.headers_mut().insert(REFRESH, LOOK_AGAIN);
    }
    Ok(response)
}
