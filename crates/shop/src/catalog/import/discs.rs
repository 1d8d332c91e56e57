//! Storing the rows of a file: in batches, each one transaction, so that memory stays small and an
//! import that is broken off can simply be started again.
//!
//! What a second import of a row does:
//!
//! - Fields that the file fills and whose stored value differs are changed to the file's; empty
//!   cells and missing columns change nothing. The comparison is with what is stored: what staff
//!   have changed since in such a field is set back to the file's word.
//! - A file can take a product out of sale (a sold Discogs listing), but not put it back, and it
//!   does not bring back what staff have deleted.
//! - A price is added if the one that counts in its currency differs.
//! - Stock is received only for a variant that never had any: afterwards the ledger knows better
//!   than the file. So an import that broke off between product and stock makes up for it.

use std::collections::HashSet;
use std::future::Future;
use std::io::Read;

use futures::future::join_all;
use runout_store::{Error, Result};

use super::batch::{ImportBatch, RowOutcome, Stocked};
use super::{BadRow, DiscRow, RowError, Rows};
use crate::App;
use crate::catalog::queries::View;
use crate::platform::command::{Caller, Outcome};

/// Rows of one transaction.
const BATCH_ROWS: usize = 200;
/// Faults that a report keeps; the others are only counted.
pub const ERRORS_KEPT_MAX: usize = 10_000;

/// Goods of a new product, as a file tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    pub variant_id: i64,
    /// `None`: the shop's default location.
    pub location_code: Option<String>,
    /// At least 1.
    pub quantity: i64,
    /// The product's key in the file: an idempotency key for the receipt.
    pub import_key: String,
}

/// Receives stock: the stock writer, or a stand-in.
pub trait StockIntake {
    /// Puts goods on the shelf, once per `import_key`.
    ///
    /// # Errors
    /// Why not, for the report, such as an unknown location.
    fn receive(&self, intake: Intake) -> impl Future<Output = Result<(), String>> + Send;
}

/// What an import has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Rows of which nothing was stored.
    pub failed: u64,
    /// Faults of the failed rows, and goods that could not be received; at most
    /// [`ERRORS_KEPT_MAX`], in the order of the file.
    pub errors: Vec<RowError>,
}

impl Report {
    fn error(&mut self, error: RowError) {
        if self.errors.len() < ERRORS_KEPT_MAX {
            self.errors.push(error);
        }
    }

    fn fault(&mut self, line: u64, reason: String) {
        self.error(RowError { line, column: None, reason, value: None });
    }
}

/// How far an import is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Bytes of the file that are done with; see [`super::Survey::bytes`].
    pub position: u64,
    pub report: &'a Report,
}

/// Stores the rows of a file. A bad row never stops it: it is reported, the rest is stored.
///
/// # Errors
/// The database's. What was stored until then stays; importing again goes on from there.
pub async fn discs<R: Read>(
    app: &App,
    mut rows: Rows<R>,
    intake: &impl StockIntake,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<Report> {
    let mut report = Report::default();
    loop {
        let batch = next_batch(&mut rows, &mut report);
        if !batch.is_empty() {
            store(app, batch, intake, &mut report).await?;
        }
        progress(Progress { position: rows.position(), report: &report });
        if rows.is_ended() {
            // Faults of the parser and of the database come in the order of the file.
            report.errors.sort_by_key(|error| error.line);
            return Ok(report);
        }
    }
}

/// The next good rows, with different keys; the bad ones go into the report.
fn next_batch<R: Read>(rows: &mut Rows<R>, report: &mut Report) -> Vec<DiscRow> {
    let mut batch: Vec<DiscRow> = Vec::with_capacity(BATCH_ROWS);
    let mut keys = HashSet::new();
    while batch.len() < BATCH_ROWS {
        match rows.next() {
            None => break,
            Some(Ok(row)) if keys.insert(row.key.clone()) => batch.push(row),
            Some(Ok(row)) => {
                report.failed += 1;
                report.fault(row.line, "the same disc stands in an earlier row".to_owned());
            }
            Some(Err(BadRow::Faulty(faults))) => {
                report.failed += 1;
                faults.into_iter().for_each(|fault| report.error(fault));
            }
            Some(Err(BadRow::Unreadable { line, source })) => {
                report.failed += 1;
                report.fault(line, format!("cannot read on: {source}"));
            }
        }
    }
    batch
}

/// Stores a batch; if a constraint refuses it (someone else was adding the same), row by row.
async fn store(
    app: &App,
    batch: Vec<DiscRow>,
    intake: &impl StockIntake,
    report: &mut Report,
) -> Result<()> {
    match run(app, batch.clone()).await {
        Ok(outcomes) => count(&batch, outcomes, intake, report).await,
        Err(Error::Constraint { .. }) => {
            for row in batch {
                let line = row.line;
                match run(app, vec![row.clone()]).await {
                    Ok(outcomes) => count(&[row], outcomes, intake, report).await,
                    Err(Error::Constraint { name, .. }) => {
                        report.failed += 1;
                        report.fault(line, format!("the database refuses it ({name})"));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn run(app: &App, rows: Vec<DiscRow>) -> Result<Vec<RowOutcome>> {
    let view = View { currency: app.currency, now: app.clock.now() };
    let command = ImportBatch { rows, view, imported_by: None };
    match app.run(Caller::default(), command).await? {
        Outcome::Accepted(outcomes) => Ok(outcomes),
        Outcome::Refused(never) => match never {},
        Outcome::Replayed { .. } | Outcome::KeyReused => {
            unreachable!("an import has no idempotency key")
        }
    }
}

/// Counts what became of the rows, and receives the stock of those that never had any.
async fn count(
    batch: &[DiscRow],
    outcomes: Vec<RowOutcome>,
    intake: &impl StockIntake,
    report: &mut Report,
) {
    let mut receipts = Vec::new();
    for (row, outcome) in batch.iter().zip(outcomes) {
        let stocked = match outcome {
            RowOutcome::Created(stocked) => (Some(stocked), &mut report.created),
            RowOutcome::Updated(stocked) => (Some(stocked), &mut report.updated),
            RowOutcome::Unchanged(stocked) => (Some(stocked), &mut report.unchanged),
            RowOutcome::Deleted => (None, &mut report.unchanged),
            RowOutcome::Failed(reason) => {
                report.fault(row.line, reason);
                (None, &mut report.failed)
            }
        };
        *stocked.1 += 1;
        if let (Some(Stocked { variant_id, ever: false }), Some(quantity @ 1..)) =
            (stocked.0, row.quantity)
        {
            let location_code = row.location.clone();
            let import_key = row.key.clone();
            let goods = Intake { variant_id, location_code, quantity, import_key };
            receipts.push(async { (row.line, intake.receive(goods).await) });
        }
    }
    for (line, received) in join_all(receipts).await {
        if let Err(reason) = received {
            report.fault(line, format!("its stock was not received: {reason}"));
        }
    }
}
