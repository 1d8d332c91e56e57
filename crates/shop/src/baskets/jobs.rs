//! Giving lapsed holds back. Decisions do so by themselves for the variants that they touch; this
//! is for those that nobody asks for, so that lists and figures agree with what can be bought.

use runout_core::stock::{Asked, Command};

use super::queries;
use crate::App;
use crate::stock::Undecided;

/// Variants of one sweep.
const VARIANTS_MAX: i64 = 500;

/// Sweeps once; returns how many variants had lapsed holds.
///
/// # Errors
/// When the writer could not decide; the next sweep finds the same.
pub async fn sweep(app: &App) -> Result<usize, Undecided> {
    let lapsed = queries::lapsed(&app.db, app.clock.now(), VARIANTS_MAX);
    let variants = lapsed.await.map_err(Undecided::Store)?;
    let found = variants.len();
    if found > 0 {
        app.stock.ask(Asked { command: Command::Expire(variants), key: None }).await?;
        metrics::counter!("runout_hold_sweeps_total").increment(1);
    }
    Ok(found)
}
