//! Papers as PDF: invoices, packing slips, tickets.
//!
//! A paper is laid out first, by pure functions, into [`layout::Page`]s of texts, rules and blocks
//! with their places, and drawn then. The font is DejaVu Sans, embedded as far as it is used; what
//! it has no glyph for shows as a box.

mod draw;
pub(crate) mod layout;

use super::problem::Problem;

pub(crate) use draw::pdf;

/// Draws off the threads that serve: it takes milliseconds.
///
/// # Errors
/// 500, if the font does not do: a defect.
pub(crate) async fn made(
    draw: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static,
) -> Result<Vec<u8>, Problem> {
    let drawn = tokio::task::spawn_blocking(draw).await;
    drawn.map_err(Problem::internal)?.map_err(Problem::internal)
}
