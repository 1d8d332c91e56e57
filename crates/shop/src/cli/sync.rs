//! `runout sync`.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use indicatif::ProgressBar;
use runout_shop::App;
use runout_shop::delivery::sync::{self, Drift};
use runout_shop::platform::config::Config;

/// Compares; succeeds if there is no drift, or if all of it will be repaired.
pub(super) async fn check(
    app: &App,
    config: &Config,
    destination: &str,
    repair: bool,
) -> Result<ExitCode> {
    let mirror = sync::find(app, destination).await?;
    let shown = std::io::stderr().is_terminal();
    let bar = if shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let settings = (&config.delivery).into();
    let drifts = sync::check(app, &mirror, &settings, &mut |entity, count| {
        bar.set_message(format!("{entity}: {count} records read"));
        bar.tick();
    })
    .await;
    bar.finish_and_clear();
    let drifts = drifts?;
    for drift in &drifts {
        println!("{drift}");
    }
    if drifts.iter().all(Drift::is_none) {
        println!("{} holds what the shop holds", mirror.name);
        return Ok(ExitCode::SUCCESS);
    }
    if !repair {
        println!("--repair has everything sent again that differs");
        return Ok(ExitCode::FAILURE);
    }
    let given = sync::repair(app, &mirror, &drifts).await?;
    println!("{given} things will be sent again; what is unknown there was left alone");
    Ok(ExitCode::SUCCESS)
}
