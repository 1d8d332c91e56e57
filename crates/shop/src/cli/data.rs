//! Data that comes from files: the demo data and imports.

use std::io::{Cursor, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use runout_shop::App;
use runout_shop::accounts::demo;
use runout_shop::catalog::import::{self, Encoding, Options, Report, Rows, Survey};
use runout_shop::stock::Receiving;

/// Five hundred real records with made-up prices and stock.
const DISCS: &[u8] = include_bytes!("../../../../fixtures/discs.csv");
/// Faults that are printed; the others are counted.
const FAULTS_SHOWN: usize = 100;

/// Loads the demo data; again, it changes nothing.
pub(super) async fn load_fixture(app: &App) -> Result<()> {
    let options = Options { encoding: None, default_currency: app.currency };
    let survey = Survey::of(Cursor::new(DISCS), None)?;
    let rows = Rows::new(Cursor::new(DISCS), &survey, &options)?;
    let report = import::discs(app, rows, &Receiving(app), |_| {}).await?;
    let customer = demo::add_customer(app).await?;
    if let Some(customer) = &customer {
        let failed = |problem| anyhow::anyhow!("no events: {problem:?}");
        runout_shop::events::demo::add(app, customer.id).await.map_err(failed)?;
        let failed = |problem| anyhow::anyhow!("no news: {problem:?}");
        runout_shop::journal::demo::add(app, customer.id).await.map_err(failed)?;
    }
    let (created, customer) = (report.created, customer.is_some());
    tracing::info!(created, customer, "demo data loaded");
    Ok(())
}

/// Imports a file with a progress bar; fails if any row was refused, after storing the others.
pub(super) async fn import_discs(
    app: &App,
    file: &Path,
    encoding: Option<Encoding>,
) -> Result<ExitCode> {
    let options = Options { encoding, default_currency: app.currency };
    let (survey, rows) = import::open(file, &options)
        .with_context(|| format!("{} cannot be imported", file.display()))?;
    println!("{}: {} bytes, encoding {}", file.display(), survey.bytes, survey.encoding);
    let report = with_bar(app, &survey, rows).await?;
    print(&report);
    Ok(if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn with_bar<R: Read>(app: &App, survey: &Survey, rows: Rows<R>) -> Result<Report> {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(survey.bytes)
    } else {
        ProgressBar::hidden()
    };
    let style = "{bar:40} {bytes}/{total_bytes} {msg} {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("a well-formed template"));
    let report = import::discs(app, rows, &Receiving(app), |progress| {
        bar.set_position(progress.position);
        let report = progress.report;
        bar.set_message(format!("{} stored, {} refused", stored(report), report.failed));
    })
    .await;
    bar.finish_and_clear();
    Ok(report?)
}

fn stored(report: &Report) -> u64 {
    report.created + report.updated + report.unchanged
}

fn print(report: &Report) {
    for error in report.errors.iter().take(FAULTS_SHOWN) {
        eprintln!("{error}");
    }
    if report.errors.len() > FAULTS_SHOWN {
        eprintln!("and {} faults more", report.errors.len() - FAULTS_SHOWN);
    }
    let Report { created, updated, unchanged, failed, .. } = report;
    println!("{created} created, {updated} changed, {unchanged} unchanged, {failed} refused");
}
