//! The invoice: who sells what to whom, and the tax in it.

use std::collections::BTreeMap;

use crate::desk::format;
use crate::desk::order::address_lines;
use crate::orders::{OrderLineOut, OrderOut};
use crate::platform::config::Shop;
use crate::platform::paper::layout::{Col, MARGIN, Page, SIZE, Sheet, WIDTH};

const ROOM: f32 = WIDTH - 2.0 * MARGIN;
/// The seller's half, and where the other one begins.
const HALF: f32 = ROOM / 2.0 - 10.0;
const RIGHT_HALF: f32 = MARGIN + ROOM / 2.0 + 10.0;
/// Where the names of the sums stand.
const SUMS: f32 = MARGIN + ROOM - 230.0;

const COLUMNS: [Col; 6] = [
    Col { title: "No.", x: MARGIN, width: 24.0, right: false },
    Col { title: "Description", x: MARGIN + 28.0, width: 176.0, right: false },
    Col { title: "Units", x: MARGIN + 210.0, width: 35.0, right: true },
    Col { title: "Each", x: MARGIN + 252.0, width: 80.0, right: true },
    Col { title: "Discount", x: MARGIN + 338.0, width: 70.0, right: true },
    Col { title: "Amount", x: MARGIN + 414.0, width: 81.0, right: true },
];

/// The invoice's pages. `buyer` is their name where the order has no address.
pub(super) fn pages(shop: &Shop, order: &OrderOut, buyer: &str) -> Vec<Page> {
    let mut sheet = Sheet::new();
    let left = (MARGIN, HALF, false);
    sheet.block(std::slice::from_ref(&shop.name), 16.0, left);
    sheet.space(4.0);
    let top = sheet.y;
    sheet.block(&seller(shop), SIZE, left);
    let under_seller = sheet.y;
    sheet.y = top;
    sheet.block(&about(order), SIZE, (RIGHT_HALF, HALF, true));
    sheet.y = sheet.y.max(under_seller) + 24.0;
    let to = order.address.as_ref().map(address_lines).unwrap_or_default();
    let to = if to.is_empty() { vec![buyer.to_owned()] } else { to };
    sheet.block(&to, SIZE + 1.0, left);
    sheet.space(28.0);
    sheet.block(&[format!("Invoice {}", order.number)], 14.0, left);
    sheet.space(10.0);
    sheet.head(&COLUMNS);
    for line in &order.lines {
        sheet.row(&COLUMNS, &row(order, line));
    }
    let sums = sums(order);
    sheet.keep_together(sums.len());
    sheet.rule();
    for (name, amount) in sums {
        let y = sheet.y;
        sheet.block(&[name], SIZE, (SUMS, 140.0, false));
        let under = sheet.y;
        sheet.y = y;
        sheet.block(&[amount], SIZE, (SUMS + 140.0, 90.0, true));
        sheet.y = sheet.y.max(under);
    }
    let foot = if shop.email.is_empty() {
        format!("{} · Invoice {}", shop.name, order.number)
    } else {
        format!("{} · {} · Invoice {}", shop.name, shop.email, order.number)
    };
    sheet.finish(&foot)
}

fn seller(shop: &Shop) -> Vec<String> {
    let mut lines = shop.address.clone();
    if !shop.tax_number.is_empty() {
        lines.push(format!("Tax number {}", shop.tax_number));
    }
    if !shop.email.is_empty() {
        lines.push(shop.email.clone());
    }
    lines
}

fn about(order: &OrderOut) -> Vec<String> {
    let mut lines = vec![
        format!("Invoice number {}", order.number),
        format!("Date {}", format::day(order.placed_at)),
    ];
    lines.extend(order.paid_at.map(|at| format!("Paid on {}", format::day(at))));
    lines.extend(order.cancelled_at.map(|at| format!("Cancelled on {}", format::day(at))));
    lines
}

fn row(order: &OrderOut, line: &OrderLineOut) -> Vec<String> {
    let money = |minor| format::money(minor, &order.currency);
    let title = match line.variant_title.as_str() {
        "" => format!("{} [{}]", line.title, line.sku),
        form => format!("{} ({form}) [{}]", line.title, line.sku),
    };
    let discount = match line.discount_minor {
        0 => String::new(),
        minor => money(-minor),
    };
    vec![
        line.line_no.to_string(),
        format!("{title}, {} tax", rate(line.tax_ppm)),
        line.quantity.to_string(),
        money(line.unit_price_minor),
        discount,
        money(line.total_minor - line.discount_minor),
    ]
}

/// `19%`, `5.5%`: a rate in parts per million.
fn rate(ppm: i64) -> String {
    let decimals = format!("{:04}", ppm % 10_000);
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() {
        format!("{}%", ppm / 10_000)
    } else {
        format!("{}.{decimals}%", ppm / 10_000)
    }
}

/// The sums under the lines. Tax is contained in the prices.
fn sums(order: &OrderOut) -> Vec<(String, String)> {
    let money = |minor| format::money(minor, &order.currency);
    let mut sums = Vec::new();
    if order.discount_minor > 0 {
        let goods: i64 = order.lines.iter().map(|line| line.total_minor).sum();
        sums.push(("Goods".to_owned(), money(goods)));
        let code = order.discount_code.as_deref().unwrap_or_default();
        sums.push((format!("Discount {code}"), money(-order.discount_minor)));
    }
    sums.push(("Net".to_owned(), money(order.net_minor)));
    for (ppm, tax_minor) in taxes(order) {
        sums.push((format!("Tax {}", rate(ppm)), money(tax_minor)));
    }
    sums.push(("Total".to_owned(), money(order.total_minor)));
    if order.paid_minor > 0 {
        sums.push(("Paid".to_owned(), money(order.paid_minor)));
    }
    if order.refunded_minor > 0 {
        sums.push(("Refunded".to_owned(), money(-order.refunded_minor)));
    }
    if order.cancelled_at.is_none() {
        let open = (order.total_minor - order.paid_minor).max(0);
        sums.push(("Still to pay".to_owned(), money(open)));
    }
    sums
}

/// Tax by rate.
fn taxes(order: &OrderOut) -> BTreeMap<i64, i64> {
    let mut taxes = BTreeMap::new();
    for line in &order.lines {
        *taxes.entry(line.tax_ppm).or_default() += line.tax_minor;
    }
    taxes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::paper::layout::tests::{assert_within, words};

    fn shop() -> Shop {
        Shop {
            name: "Plattenladen Süd".to_owned(),
            address: vec!["Rillengasse 33".to_owned(), "10115 Berlin".to_owned()],
            tax_number: "DE123456789".to_owned(),
            email: "laden@example.com".to_owned(),
            staff_second_factor: false,
        }
    }

    fn order(currency: &str, lines: i64) -> OrderOut {
        let line = |line_no: i64| {
            let tax_ppm = if line_no % 2 == 0 { 70_000 } else { 190_000 };
            json!({
                "line_no": line_no, "variant_id": 1, "sku": format!("SKU-{line_no}"),
                "title": "A title that is so long that it needs more than one line of its column",
                "variant_title": "Black LP", "quantity": 2, "fulfilled": 0, "returned": 0,
                "unit_price_minor": 1_000, "unit_price": "10.00", "total_minor": 2_000,
                "discount_minor": 100, "tax_minor": 100, "tax_ppm": tax_ppm,
            })
        };
        let total = 1_900 * lines;
        serde_json::from_value(json!({
            "id": 42, "number": "R00000042", "status": "paid", "currency": currency,
            "total_minor": total, "total": "", "tax_minor": 100 * lines,
            "net_minor": total - 100 * lines, "discount_code": "TEN", "discount_minor": 100 * lines,
            "paid_minor": total, "refunded_minor": 500, "placed_at": "2026-11-21T12:00:00Z",
            "address": {"name": "Bia Lea", "line1": "Hauptstraße 1", "postal_code": "20095",
                "city": "Hamburg", "country": "DE"},
            "lines": (1..=lines).map(line).collect::<Vec<_>>(),
            "payments": [], "refunds": [], "fulfilments": [],
        }))
        .expect("an order")
    }

    #[test]
    fn it_says_what_an_invoice_must_say() {
        let pages = pages(&shop(), &order("EUR", 3), "");
        assert_within(&pages);
        let texts = words(&pages);
        for wanted in [
            "Plattenladen Süd",
            "Rillengasse 33",
            "Tax number DE123456789",
            "Bia Lea",
            "20095 Hamburg",
            "Invoice number R00000042",
            "Date 2026-11-21",
            "10.00 EUR",
            "19.00 EUR",
            "Goods",
            "60.00 EUR",
            "Discount TEN",
            "-3.00 EUR",
            "Net",
            "54.00 EUR",
            "Tax 7%",
            "1.00 EUR",
            "Tax 19%",
            "2.00 EUR",
            "Total",
            "57.00 EUR",
            "Refunded",
            "-5.00 EUR",
            "Still to pay",
            "0.00 EUR",
            "Page 1 of 1",
        ] {
            assert!(texts.contains(&wanted), "{wanted:?} is not in {texts:?}");
        }
    }

    #[test]
    fn sums_add_up() {
        let order = order("EUR", 7);
        let taxes: i64 = taxes(&order).values().sum();
        assert_eq!((taxes, order.net_minor + taxes), (order.tax_minor, order.total_minor));
    }

    #[test]
    fn currencies_have_their_own_decimals() {
        for (currency, unit) in [("JPY", "1000 JPY"), ("BHD", "1.000 BHD")] {
            let pages = pages(&shop(), &order(currency, 1), "");
            assert!(words(&pages).contains(&unit), "{currency}");
        }
    }

    #[test]
    fn a_hundred_lines_take_pages_with_numbers() {
        let pages = pages(&shop(), &order("EUR", 100), "");
        assert!(pages.len() > 3);
        assert_within(&pages);
        let texts = words(&pages);
        let rows = (1..=100).filter(|n| texts.contains(&n.to_string().as_str())).count();
        assert_eq!(rows, 100);
        assert!(texts.contains(&format!("Page {0} of {0}", pages.len()).as_str()));
    }

    #[test]
    fn rates_are_written_as_people_do() {
        for (ppm, text) in [(0, "0%"), (190_000, "19%"), (55_000, "5.5%"), (12_345, "1.2345%")] {
            assert_eq!(rate(ppm), text);
        }
    }
}
