//! Runs of imports and of the proof: one of each at a time, on all nodes together.
//!
//! Whoever works on a run says so every now and then. A run of which nothing was heard for
//! [`SILENT_MAX`] is interrupted: its process has gone.

use jiff::SignedDuration;
use runout_store::{Error, Result, Rows, Sql, Statement, Value, statements};
use serde::Serialize;
use serde_json::json;

use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};

/// A run of which nothing was heard for so long is interrupted.
const SILENT_MAX: SignedDuration = SignedDuration::from_secs(60);

statements! {
    ADD_IMPORT = "insert into import_run (id, status, file_name, bytes, actor_id, uploaded_at)
        values ($1, 'uploaded', $2, $3, $4, $5)";
    RUNNING_IMPORT = "select id from import_run where status = 'running'";
    LOCK_IMPORT = {
        sqlite: "select status from import_run where id = $1",
        postgres: "select status from import_run where id = $1 for update",
    };
    START_IMPORT = "update import_run set status = 'running', encoding = $2, started_at = $3,
            seen_at = $3 where id = $1 and status = 'uploaded'";
    IMPORT_PROGRESS = "update import_run set seen_at = $2, bytes_done = $3, created = $4,
            updated = $5, unchanged = $6, failed = $7
        where id = $1 and status = 'running'";
    END_IMPORT = "update import_run set status = $2, finished_at = $3, errors = $4, failure = $5
        where id = $1 and status = 'running'";
    DEAD_IMPORTS = "update import_run set status = 'interrupted', finished_at = $2
        where status = 'running' and seen_at < $1";
    ADD_PROOF = "insert into verify_run (id, status, actor_id, started_at, seen_at)
        values ($1, 'running', $2, $3, $3)";
    RUNNING_PROOF = "select id from verify_run where status = 'running'";
    PROOF_PROGRESS = "update verify_run set seen_at = $2, checks = $3
        where id = $1 and status = 'running'";
    END_PROOF = "update verify_run set status = $2, finished_at = $3, failure = $4
        where id = $1 and status = 'running'";
    DEAD_PROOFS = "update verify_run set status = 'interrupted', finished_at = $2
        where status = 'running' and seen_at < $1";
}

/// Why a run does not begin.
#[derive(Debug)]
pub(in crate::desk) enum NotStarted {
    /// Another one is under way: this one.
    Busy(i64),
    /// It began before, or is none.
    NotWaiting,
    Store(Error),
}

/// A run that has been made.
#[derive(Debug, Clone, Copy, Serialize)]
struct Made {
    id: i64,
}

struct AddImport {
    actor: i64,
    file_name: String,
    bytes: i64,
}

impl Command for AddImport {
    type Accepted = Made;
    type Refused = std::convert::Infallible;
    const NAME: &'static str = "add_import_run";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![next_ids("import_run", 1)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Made, Self::Refused>> {
        let id = id_of(&loaded[0])?;
        let params = vec![
            id.into(),
            self.file_name.as_str().into(),
            self.bytes.into(),
            self.actor.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&ADD_IMPORT, params));
        Ok(Decision::Accept(Made { id }))
    }
}

fn id_of(rows: &Rows) -> Result<i64> {
    rows.first().expect("a sequence gives a row").get(0)
}

/// Notes a file that was uploaded; gives the run's id.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn add_import(
    app: &App,
    actor: i64,
    file_name: String,
    bytes: i64,
) -> Result<i64> {
    let caller = Caller { account_id: Some(actor), key: None };
    match app.run(caller, AddImport { actor, file_name, bytes }).await? {
        Outcome::Accepted(made) => Ok(made.id),
        Outcome::Refused(never) => match never {},
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

struct StartImport {
    id: i64,
    encoding: Option<String>,
}

impl Command for StartImport {
    type Accepted = Made;
    type Refused = Option<i64>;
    const NAME: &'static str = "start_import_run";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let lock = Statement::new(&LOCK_IMPORT, vec![self.id.into()]);
        vec![lock, Statement::new(&RUNNING_IMPORT, Vec::new())]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Made, Option<i64>>> {
        let status: Option<String> = loaded[0].first().map(|row| row.get(0)).transpose()?;
        if status.as_deref() != Some("uploaded") {
            return Ok(Decision::Refuse(None));
        }
        if let Some(row) = loaded[1].first() {
            return Ok(Decision::Refuse(Some(row.get(0)?)));
        }
        let params = vec![self.id.into(), self.encoding.clone().into(), changes.now.into()];
        changes.store(Statement::new(&START_IMPORT, params));
        changes.audit(
            "import.started",
            "import_run",
            self.id,
            json!({"status": ["uploaded", "running"]}),
        );
        Ok(Decision::Accept(Made { id: self.id }))
    }
}

/// Begins an import that was uploaded.
///
/// # Errors
/// [`NotStarted`].
pub(in crate::desk) async fn start_import(
    app: &App,
    actor: i64,
    id: i64,
    encoding: Option<String>,
) -> Result<(), NotStarted> {
    let caller = Caller { account_id: Some(actor), key: None };
    started(app.run(caller, StartImport { id, encoding }).await).map(drop)
}

struct StartProof {
    actor: i64,
}

impl Command for StartProof {
    type Accepted = Made;
    type Refused = Option<i64>;
    const NAME: &'static str = "start_verify_run";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![next_ids("verify_run", 1), Statement::new(&RUNNING_PROOF, Vec::new())]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Made, Option<i64>>> {
        let id = id_of(&loaded[0])?;
        if let Some(row) = loaded[1].first() {
            return Ok(Decision::Refuse(Some(row.get(0)?)));
        }
        let params = vec![id.into(), self.actor.into(), changes.now.into()];
        changes.store(Statement::new(&ADD_PROOF, params));
        changes.audit("verify.started", "verify_run", id, json!({"status": [null, "running"]}));
        Ok(Decision::Accept(Made { id }))
    }
}

/// Begins a proof; gives its id.
///
/// # Errors
/// [`NotStarted`].
pub(in crate::desk) async fn start_proof(app: &App, actor: i64) -> Result<i64, NotStarted> {
    let caller = Caller { account_id: Some(actor), key: None };
    started(app.run(caller, StartProof { actor }).await)
}

fn started(ran: Result<Outcome<Made, Option<i64>>>) -> Result<i64, NotStarted> {
    match ran {
        Ok(Outcome::Accepted(made)) => Ok(made.id),
        Ok(Outcome::Refused(Some(other))) => Err(NotStarted::Busy(other)),
        Ok(Outcome::Refused(None) | Outcome::Replayed { .. } | Outcome::KeyReused) => {
            Err(NotStarted::NotWaiting)
        }
        // Another node was faster by a moment.
        Err(Error::Constraint { .. }) => Err(NotStarted::Busy(0)),
        Err(error) => Err(NotStarted::Store(error)),
    }
}

/// A change of one run's row that needs no look at it.
struct Save {
    statements: Vec<(&'static Sql, Vec<Value>)>,
}

impl Command for Save {
    type Accepted = ();
    type Refused = std::convert::Infallible;
    const NAME: &'static str = "save_run";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), Self::Refused>> {
        for (sql, params) in &self.statements {
            changes.store(Statement::new(sql, params.clone()));
        }
        Ok(Decision::Accept(()))
    }

    fn records_max(&self) -> i64 {
        0
    }
}

async fn save(app: &App, statements: Vec<(&'static Sql, Vec<Value>)>) -> Result<()> {
    app.run(Caller::default(), Save { statements }).await.map(drop)
}

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::desk) struct ImportProgress {
    pub(in crate::desk) bytes_done: i64,
    pub(in crate::desk) created: i64,
    pub(in crate::desk) updated: i64,
    pub(in crate::desk) unchanged: i64,
    pub(in crate::desk) failed: i64,
}

fn progress(app: &App, id: i64, now: ImportProgress) -> (&'static Sql, Vec<Value>) {
    let ImportProgress { bytes_done, created, updated, unchanged, failed } = now;
    let params = vec![
        id.into(),
        app.clock.now().into(),
        bytes_done.into(),
        created.into(),
        updated.into(),
        unchanged.into(),
        failed.into(),
    ];
    (&IMPORT_PROGRESS, params)
}

/// Says that an import is worked on, and how far it is.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn import_progress(
    app: &App,
    id: i64,
    now: ImportProgress,
) -> Result<()> {
    save(app, vec![progress(app, id, now)]).await
}

/// Ends an import: `status` is `done`, `failed` or `interrupted`.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn end_import(
    app: &App,
    id: i64,
    now: ImportProgress,
    (status, errors, failure): (&'static str, serde_json::Value, Option<String>),
) -> Result<()> {
    let params =
        vec![id.into(), status.into(), app.clock.now().into(), errors.into(), failure.into()];
    save(app, vec![progress(app, id, now), (&END_IMPORT, params)]).await
}

/// Keeps what a proof has found so far.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn proof_progress(
    app: &App,
    id: i64,
    checks: serde_json::Value,
) -> Result<()> {
    let params = vec![id.into(), app.clock.now().into(), checks.into()];
    save(app, vec![(&PROOF_PROGRESS, params)]).await
}

/// Ends a proof: `status` is `done`, `failed` or `interrupted`.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn end_proof(
    app: &App,
    id: i64,
    status: &'static str,
    failure: Option<String>,
) -> Result<()> {
    let params = vec![id.into(), status.into(), app.clock.now().into(), failure.into()];
    save(app, vec![(&END_PROOF, params)]).await
}

/// Closes runs of which nothing was heard for [`SILENT_MAX`].
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn close_dead(app: &App) -> Result<()> {
    let now = app.clock.now();
    let params = || vec![(now - SILENT_MAX).into(), now.into()];
    save(app, vec![(&DEAD_IMPORTS, params()), (&DEAD_PROOFS, params())]).await
}
