//! Imports from the browser: a file comes up, is looked at, and is stored in the background.
//!
//! The file lies in the system's temporary folder until its import has ended, on this node only.
//! An import that is broken off can simply be uploaded again: what was stored stays as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use runout_store::Error;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::commands::runs::{self as commands, ImportProgress, NotStarted};
use crate::App;
use crate::admin::harmless;
use crate::catalog::import::{
    BadRow, DiscRow, Encoding, ImportError, Layout, Options, Progress, Report, RowError, Rows,
    discs, open,
};
use crate::stock::Receiving;

/// Files that wait at the same time; a new one takes the place of the oldest.
const FILES_MAX: usize = 8;
/// How often the progress is kept.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Rows of the preview.
const PREVIEW_ROWS: usize = 20;
/// Characters that are shown of a cell of the preview.
const CELL_CHARS_MAX: usize = 60;

/// The files of imports that have not ended, by the run's id.
#[derive(Debug, Default)]
pub(super) struct Files(Mutex<BTreeMap<i64, PathBuf>>);

impl Files {
    /// Keeps a file; the oldest of too many goes.
    pub(super) fn keep(&self, id: i64, path: PathBuf) {
        let mut files = self.0.lock().expect("no holder of this lock can panic");
        files.insert(id, path);
        while files.len() > FILES_MAX {
            if let Some((_, oldest)) = files.pop_first() {
                remove(&oldest);
            }
        }
    }

    pub(super) fn path(&self, id: i64) -> Option<PathBuf> {
        self.0.lock().expect("no holder of this lock can panic").get(&id).cloned()
    }

    fn take(&self, id: i64) -> Option<PathBuf> {
        self.0.lock().expect("no holder of this lock can panic").remove(&id)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let files = self.0.get_mut().expect("no holder of this lock can panic");
        files.values().for_each(|path| remove(path));
    }
}

pub(super) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "a file of an import stays behind");
    }
}

/// The beginning of a file, as it would be imported.
#[derive(Debug)]
pub(super) struct Preview {
    pub(super) encoding: Encoding,
    pub(super) is_discogs: bool,
    /// The columns' names, and what each is taken for.
    pub(super) columns: Vec<(String, String)>,
    pub(super) rows: Vec<PreviewRow>,
}

#[derive(Debug)]
pub(super) enum PreviewRow {
    Good { line: u64, cells: [String; 6] },
    Bad { faults: Vec<String> },
}

/// The heads of a preview's cells.
pub(super) const PREVIEW_HEADS: [&str; 6] = ["Title", "Artist", "Year", "SKU", "Price", "Units"];

/// Reads a file's beginning. Takes as long as reading all of it does, to recognise its encoding.
///
/// # Errors
/// Why nothing of it can be imported.
pub(super) fn preview(path: &Path, options: &Options) -> Result<Preview, ImportError> {
    let (survey, mut rows) = open(path, options)?;
    let columns = rows.columns();
    let is_discogs = rows.layout() == Layout::Discogs;
    let rows = rows.by_ref().take(PREVIEW_ROWS).map(shown).collect();
    Ok(Preview { encoding: survey.encoding, is_discogs, columns, rows })
}

fn shown(row: Result<DiscRow, BadRow>) -> PreviewRow {
    match row {
        Ok(row) => PreviewRow::Good { line: row.line, cells: cells(&row) },
        Err(BadRow::Faulty(faults)) => {
            PreviewRow::Bad { faults: faults.iter().map(ToString::to_string).collect() }
        }
        Err(error) => PreviewRow::Bad { faults: vec![error.to_string()] },
    }
}

fn cells(row: &DiscRow) -> [String; 6] {
    let short = |text: &str| text.chars().take(CELL_CHARS_MAX).collect::<String>();
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        short(&row.title),
        short(row.artist.as_deref().unwrap_or_default()),
        number(row.release_year),
        short(row.sku.as_deref().unwrap_or_default()),
        row.price.map(|price| format!("{price} {}", price.currency)).unwrap_or_default(),
        number(row.quantity),
    ]
}

/// Begins an import that was uploaded to this node, in the background.
///
/// # Errors
/// [`NotStarted`].
pub(super) async fn start(
    app: &App,
    actor: i64,
    id: i64,
    encoding: Option<Encoding>,
) -> Result<(), NotStarted> {
    let path = app.desk.files.path(id).ok_or(NotStarted::NotWaiting)?;
    let chosen = encoding.map(|encoding| encoding.name().to_owned());
    commands::start_import(app, actor, id, chosen).await?;
    let (app, options) = (app.clone(), Options { encoding, default_currency: app.currency });
    tokio::spawn(async move {
        run(&app, id, &path, options).await;
        if let Some(path) = app.desk.files.take(id) {
            remove(&path);
        }
    });
    Ok(())
}

async fn run(app: &App, id: i64, path: &Path, options: Options) {
    let opened = {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || open(&path, &options)).await
    };
    let (progress, ending) = match opened {
        Ok(Ok((_, rows))) => store(app, id, rows).await,
        Ok(Err(error)) => (ImportProgress::default(), failed(error.to_string())),
        Err(error) => (ImportProgress::default(), failed(error.to_string())),
    };
    if let Err(error) = commands::end_import(app, id, progress, ending).await {
        tracing::error!(?error, run = id, "the end of an import was not kept");
    }
}

type Ending = (&'static str, Value, Option<String>);

fn failed(why: String) -> Ending {
    ("failed", json!([]), Some(why))
}

/// Stores the rows, saying every now and then how far it is.
async fn store(app: &App, id: i64, rows: Rows<File>) -> (ImportProgress, Ending) {
    let now = Mutex::new(ImportProgress::default());
    let intake = Receiving(app);
    let noted = |progress: Progress<'_>| {
        let mut now = now.lock().expect("no holder of this lock can panic");
        *now = progress_of(progress.position, progress.report);
    };
    let mut work = std::pin::pin!(discs(app, rows, &intake, noted));
    let mut ticks = interval(SAVE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let closing: CancellationToken = app.desk.live.closing();
    let done: Option<Result<Report, Error>> = loop {
        tokio::select! {
            done = &mut work => break Some(done),
            () = closing.cancelled() => break None,
            _ = ticks.tick() => {}
        }
        let so_far = *now.lock().expect("no holder of this lock can panic");
        if let Err(error) = commands::import_progress(app, id, so_far).await {
            tracing::warn!(?error, run = id, "the progress of an import was not kept");
        }
    };
    let mut so_far = *now.lock().expect("no holder of this lock can panic");
    match done {
        Some(Ok(report)) => {
            so_far = progress_of(u64::try_from(so_far.bytes_done).unwrap_or(0), &report);
            (so_far, ("done", errors(&report), None))
        }
        Some(Err(error)) => {
            tracing::error!(?error, run = id, "an import failed");
            let why = "The database failed. What was stored stays; upload the file again.";
            (so_far, failed(why.to_owned()))
        }
        None => (so_far, ("interrupted", json!([]), None)),
    }
}

fn progress_of(position: u64, report: &Report) -> ImportProgress {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ImportProgress {
        bytes_done: number(position),
        created: number(report.created),
        updated: number(report.updated),
        unchanged: number(report.unchanged),
        failed: number(report.failed),
    }
}

fn errors(report: &Report) -> Value {
    let error = |error: &RowError| {
        let RowError { line, column, reason, value } = error;
        json!({"line": line, "column": column, "reason": reason, "value": value})
    };
    report.errors.iter().map(error).collect()
}

/// The faults of an import as CSV, for a spreadsheet.
pub(super) fn errors_csv(errors: &Value) -> String {
    let mut csv = String::from("line,column,reason,value\r\n");
    for error in errors.as_array().into_iter().flatten() {
        let line = error["line"].to_string();
        let text = |name: &str| cell(error[name].as_str().unwrap_or_default());
        let row = [line, text("column"), text("reason"), text("value")].join(",");
        csv.push_str(&row);
        csv.push_str("\r\n");
    }
    csv
}

fn cell(text: &str) -> String {
    format!("\"{}\"", harmless(text).replace('"', "\"\""))
}

/// Where an uploaded file is put.
pub(super) fn new_file(key: &str) -> std::io::Result<(PathBuf, File)> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = std::env::temp_dir().join(format!("runout-import-{key}.csv"));
    // For this program's account alone: a catalogue may have prices that are not public yet.
    let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

/// How long ago something began, in whole seconds.
pub(super) fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<i64> {
    Some(to?.duration_since(from?).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let errors = json!([
            {"line": 3, "column": "year", "reason": "\"x\" is not a year", "value": "=1+1"},
            {"line": 4, "column": null, "reason": "too long", "value": null},
            {"line": 5, "column": "@a", "reason": "-", "value": "+49\n1"},
        ]);
        assert_eq!(
            errors_csv(&errors),
            "line,column,reason,value\r\n\
             3,\"year\",\"\"\"x\"\" is not a year\",\"'=1+1\"\r\n\
             4,\"\",\"too long\",\"\"\r\n\
             5,\"'@a\",\"'-\",\"'+49\n1\"\r\n"
        );
    }
}
