//! Papers as PDF: invoices and packing slips.

mod invoice;
mod slip;

use crate::orders::OrderOut;
use crate::platform::config::Shop;
use crate::platform::paper::{self, made};
use crate::platform::problem::Problem;

use super::queries::orders::PlaceOfLine;

/// The invoice of an order as PDF.
///
/// # Errors
/// 500, if the font does not do: a defect.
pub(super) async fn invoice(
    shop: &Shop,
    order: OrderOut,
    buyer: String,
) -> Result<Vec<u8>, Problem> {
    let shop = shop.clone();
    made(move || {
        let title = format!("Invoice {}", order.number);
        paper::pdf(&title, &invoice::pages(&shop, &order, &buyer))
    })
    .await
}

/// The packing slip of an order as PDF: what to pick, and where.
///
/// # Errors
/// As [`invoice`].
pub(super) async fn slip(
    shop: &Shop,
    order: OrderOut,
    places: Vec<PlaceOfLine>,
) -> Result<Vec<u8>, Problem> {
    let shop = shop.clone();
    made(move || {
        let title = format!("Packing slip {}", order.number);
        paper::pdf(&title, &slip::pages(&shop, &order, &places))
    })
    .await
}
