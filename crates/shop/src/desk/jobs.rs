//! What the desk does by itself: keeps counted refusals, notices runs whose process has gone.

use runout_store::{Error, Result};

use super::commands;
use crate::App;

/// Keeps the refusals that were counted since the last time. What could not be kept is counted on.
///
/// # Errors
/// The database's.
pub(crate) async fn keep_refusals(app: &App) -> Result<()> {
    let counted = app.stock.refusals.take(app.clock.now());
    if counted.is_empty() {
        return Ok(());
    }
    let kept = commands::add_refusals(app, counted.clone()).await;
    // Kept or not, nobody knows: rather a few too few than twice as many.
    if kept.is_err() && !matches!(kept, Err(Error::OutcomeUnknown(_))) {
        app.stock.refusals.give_back(&counted);
    }
    kept
}

/// Closes runs of imports and proofs whose process does not say any more that it works on them.
///
/// # Errors
/// The database's.
pub(crate) async fn close_dead_runs(app: &App) -> Result<()> {
    commands::runs::close_dead(app).await
}
