//! The packing slip: what to pick, where it lies, where it goes. No prices.

use crate::desk::format;
use crate::desk::order::address_lines;
use crate::desk::queries::orders::PlaceOfLine;
use crate::orders::OrderOut;
use crate::platform::config::Shop;
use crate::platform::paper::layout::{Col, MARGIN, Page, SIZE, Sheet, WIDTH};

const ROOM: f32 = WIDTH - 2.0 * MARGIN;

const COLUMNS: [Col; 4] = [
    Col { title: "To pick", x: MARGIN, width: 40.0, right: true },
    Col { title: "What", x: MARGIN + 56.0, width: 230.0, right: false },
    Col { title: "SKU", x: MARGIN + 292.0, width: 90.0, right: false },
    Col { title: "From", x: MARGIN + 388.0, width: 107.0, right: false },
];

/// The slip's pages: a row for each line and location that has something to leave.
pub(super) fn pages(shop: &Shop, order: &OrderOut, places: &[PlaceOfLine]) -> Vec<Page> {
    let mut sheet = Sheet::new();
    let whole = (MARGIN, ROOM, false);
    sheet.block(&[format!("Packing slip {}", order.number)], 16.0, whole);
    sheet.space(4.0);
    let placed = format!("{} · ordered {}", shop.name, format::minute(order.placed_at));
    sheet.block(&[placed], SIZE, whole);
    sheet.space(18.0);
    let to = order.address.as_ref().map(address_lines).unwrap_or_default();
    let to = if to.is_empty() { vec!["No address: to be collected".to_owned()] } else { to };
    sheet.block(&to, SIZE + 2.0, whole);
    sheet.space(20.0);
    let rows = rows(order, places);
    if rows.is_empty() {
        sheet.block(&["Nothing is left to pick.".to_owned()], SIZE, whole);
    } else {
        sheet.head(&COLUMNS);
        rows.iter().for_each(|row| sheet.row(&COLUMNS, row));
    }
    sheet.finish(&format!("Packing slip {}", order.number))
}

fn rows(order: &OrderOut, places: &[PlaceOfLine]) -> Vec<Vec<String>> {
    let row = |place: &PlaceOfLine| {
        let line = order.lines.iter().find(|line| line.line_no == place.line_no)?;
        let left = place.quantity - place.shipped;
        let title = match line.variant_title.as_str() {
            "" => line.title.clone(),
            form => format!("{} ({form})", line.title),
        };
        let from = format!("{} ({})", place.name, place.code);
        (left > 0).then(|| vec![left.to_string(), title, line.sku.clone(), from])
    };
    places.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::paper::layout::tests::{assert_within, words};

    #[test]
    fn it_says_what_lies_where_and_no_prices() {
        let order: OrderOut = serde_json::from_value(json!({
            "id": 7, "number": "R00000007", "status": "paid", "currency": "EUR",
            "total_minor": 3_000, "total": "30.00", "tax_minor": 0, "net_minor": 3_000,
            "discount_minor": 0, "paid_minor": 3_000, "refunded_minor": 0,
            "placed_at": "2026-11-21T12:00:00Z",
            "lines": [{
                "line_no": 1, "variant_id": 1, "sku": "REACT", "title": "We are Reactive",
                "variant_title": "", "quantity": 3, "fulfilled": 1, "returned": 0,
                "unit_price_minor": 1_000, "unit_price": "10.00", "total_minor": 3_000,
                "discount_minor": 0, "tax_minor": 0, "tax_ppm": 0,
            }],
            "payments": [], "refunds": [], "fulfilments": [],
        }))
        .expect("an order");
        let place = |code: &str, quantity, shipped| PlaceOfLine {
            line_no: 1,
            code: code.to_owned(),
            name: code.to_uppercase(),
            quantity,
            shipped,
            returned: 0,
        };
        let pages_ = pages(&Shop::default(), &order, &[place("cellar", 2, 0), place("shop", 1, 1)]);
        assert_within(&pages_);
        let texts = words(&pages_);
        for wanted in ["2", "We are Reactive", "REACT", "CELLAR (cellar)"] {
            assert!(texts.contains(&wanted), "{wanted:?} is not in {texts:?}");
        }
        assert!(!texts.iter().any(|text| text.contains("EUR") || text.contains("SHOP")));
        let gone = pages(&Shop::default(), &order, &[place("shop", 3, 3)]);
        assert!(words(&gone).contains(&"Nothing is left to pick."));
    }
}
