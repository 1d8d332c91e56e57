//! Posts and comments that come from another system.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use runout_shop::App;
use runout_shop::journal::import::{self, Limits, Options, Report, Tally};

/// Faults that are printed; the others are counted.
const FAULTS_SHOWN: usize = 100;

/// Imports with a progress bar; fails if it was refused or the remote system cannot be read.
pub(super) async fn import(app: &App, url: String, overwrite: bool) -> Result<ExitCode> {
    let options = Options { url, overwrite, limits: Limits::default() };
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::no_length()
    } else {
        ProgressBar::hidden()
    };
    let style = "{bar:40} {pos}/{len} {msg} {elapsed}";
    bar.set_style(ProgressStyle::with_template(style).expect("a well-formed template"));
    let report = import::jsonplaceholder(app, &options, |progress| {
        bar.set_message(progress.what);
        bar.set_length(progress.total.unwrap_or(progress.read).max(progress.read));
        bar.set_position(progress.read);
    })
    .await;
    bar.finish_and_clear();
    print(&report?);
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    for fault in report.faults.iter().take(FAULTS_SHOWN) {
        eprintln!("passed over: {fault}");
    }
    if report.faults.len() > FAULTS_SHOWN {
        eprintln!("and {} more", report.faults.len() - FAULTS_SHOWN);
    }
    print_tally("posts", &report.posts);
    print_tally("comments", &report.comments);
    if !report.faults.is_empty() {
        println!("passed over: {}", report.faults.len());
    }
}

fn print_tally(what: &str, tally: &Tally) {
    let Tally { new, unchanged, overwritten, kept, deleted, differing } = tally;
    print!("{what}: {new} new, {unchanged} unchanged");
    for (count, words) in [
        (overwritten, "overwritten"),
        (kept, "differ and stay as they are here"),
        (deleted, "deleted here and left out"),
    ] {
        if *count > 0 {
            print!(", {count} {words}");
        }
    }
    println!();
    if !differing.is_empty() {
        let ids: Vec<String> = differing.iter().map(i64::to_string).collect();
        println!("{what} that differ: {} (--overwrite takes the remote's words)", ids.join(", "));
    }
}
