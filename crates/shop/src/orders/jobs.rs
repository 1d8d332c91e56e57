//! What time and providers do to orders: unpaid ones lapse, open payments and refunds are asked
//! about. Every job can be run again, and on several nodes at once.

use jiff::{SignedDuration, Timestamp};
use runout_core::ids::OrderId;
use runout_store::Result;

use super::payments;
use super::payments::queries;
use crate::App;

/// Orders, payments or refunds that are read at a time.
const ROWS_MAX: i64 = 100;
/// How often so many orders are read in one run.
const PAGES_MAX: usize = 100;
/// After so many failures the provider is left alone until the next run.
const FAILURES_MAX: usize = 3;
/// A refund is sent again after so long.
const REFUND_QUIET: SignedDuration = SignedDuration::from_secs(30);

/// Gives up the orders whose time to pay is over; returns how many it looked at. While a provider
/// does not answer, those that need it wait; the others do not.
///
/// # Errors
/// The database's.
pub async fn lapse_unpaid(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let (mut after, mut count, mut failures) = ((Timestamp::UNIX_EPOCH, OrderId(0)), 0, 0);
    for _ in 0..PAGES_MAX {
        let due = queries::due(&app.db, now, after, ROWS_MAX).await?;
        for (_, order) in &due {
            if let Err(error) = payments::lapse(app, *order, failures == 0).await {
                tracing::warn!(?error, order = order.0, "an unpaid order waits for its provider");
                failures += 1;
            }
        }
        count += due.len();
        match due.last() {
            Some(last) if due.len() as i64 == ROWS_MAX => after = *last,
            _ => break,
        }
    }
    Ok(count)
}

/// Asks about payments that are open for long; returns how many.
///
/// # Errors
/// The database's.
pub async fn resolve_payments(app: &App) -> Result<usize> {
    let open = queries::quiet_payments(&app.db, app.clock.now(), ROWS_MAX).await?;
    let mut failures = 0;
    for payment in &open {
        if let Err(error) = payments::resolve(app, *payment).await {
            tracing::warn!(?error, payment = payment.0, "a payment is still open");
            failures += 1;
            if failures == FAILURES_MAX {
                break;
            }
        }
    }
    Ok(open.len())
}

/// Sends refunds whose answer is missing again; returns how many orders have some.
///
/// # Errors
/// The database's.
pub async fn resend_refunds(app: &App) -> Result<usize> {
    let before = app.clock.now() - REFUND_QUIET;
    let pending = queries::pending_refunds(&app.db, before, ROWS_MAX).await?;
    let mut failures = 0;
    for order in &pending {
        if let Err(error) = payments::resend(app, *order).await {
            tracing::warn!(?error, order = order.0, "a refund stays pending");
            failures += 1;
            if failures == FAILURES_MAX {
                break;
            }
        }
    }
    Ok(pending.len())
}
