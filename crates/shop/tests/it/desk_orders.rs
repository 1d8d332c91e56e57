//! The order desk: finding orders, what can be done to them, and their papers.

use runout_shop::accounts::Role;
use serde_json::json;

use crate::catalog::id;
use crate::on_both_engines;
use crate::orders::{available, on_sale, order};
use crate::support::visitor::Visitor;
use crate::support::{Answer, TestShop};

const DESK: &str = "/admin/desk/orders";

/// The value of the hidden key of a form.
#[track_caller]
fn key_of(page: &str, form: &str) -> String {
    let (_, rest) = page.split_once(&format!("/{form}\">")).unwrap_or_else(|| panic!("{page}"));
    let (_, rest) = rest.split_once("name=\"key\" value=\"").expect("a key");
    rest.split('"').next().expect("an end").to_owned()
}

/// A paid order of three units of "One" at 10.00 and one of "Two" at 5.00, of ana.
async fn paid_order(shop: &TestShop) -> (Visitor, i64, i64) {
    let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
    let one = on_sale(&staff, "One", "10", 10).await;
    let two = on_sale(&staff, "Two", "5", 10).await;
    let placed = id(&order(&ana, &[(one, 3), (two, 1)]).await.expect(201));
    let mut root = shop.visitor_as("root", Role::Superuser).await;
    let paid = root.submit(&format!("{DESK}/{placed}/pay"), &[("key", "pay-1")]).await;
    assert!(paid.expect(200).contains("The order is paid."));
    (root, placed, one)
}

fn is_pdf(answer: &Answer) {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/pdf");
    let end = answer.body.trim_ascii_end();
    assert!(answer.body.starts_with(b"%PDF-") && end.ends_with(b"%%EOF"));
}

on_both_engines! {
    async fn orders_are_found_by_number_buyer_and_state(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "10", 200).await;
        let first = id(&order(&ana, &[(one, 1)]).await.expect(201));
        let guest = shop.guest().await;
        guest.set(one, 1).await.expect(200);
        let second = id(&guest.buys_as("Guest@Example.com").await.expect(201));
        staff.post(&format!("/api/v1/orders/{second}/cancel"), json!({})).await.expect(200);
        let mut root = shop.visitor_as("root", Role::Superuser).await;

        for words in [format!("R{first:08}"), format!("r{first}"), first.to_string()] {
            let answer = root.get(&format!("{DESK}?q={words}")).await;
            assert_eq!(answer.location(), format!("{DESK}/{first}"), "{words}");
        }
        let link = |id: i64| format!("href=\"{DESK}/{id}\"");
        for (query, found, others) in [
            ("", vec![first, second], vec![]),
            ("?q=ANA", vec![first], vec![second]),
            ("?q=ana%40example.com", vec![first], vec![second]),
            ("?q=guest%40example.com", vec![second], vec![first]),
            ("?status=cancelled", vec![second], vec![first]),
            ("?status=placed", vec![first], vec![second]),
            ("?q=ana&status=cancelled", vec![], vec![first, second]),
            ("?q=nobody", vec![], vec![first, second]),
        ] {
            let page = root.open(&format!("{DESK}{query}")).await.expect(200);
            assert!(found.iter().all(|id| page.contains(&link(*id))), "{query}: {page}");
            assert!(!others.iter().any(|id| page.contains(&link(*id))), "{query}: {page}");
        }
        let page = root.open(&format!("{DESK}?q=nobody")).await.expect(200);
        assert!(page.contains("There is no order, account or payment of this name."));
    }

    async fn pages_of_orders_follow_each_other(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "10", 200).await;
        let mut ids = Vec::new();
        for _ in 0..53 {
            ids.push(id(&order(&ana, &[(one, 1)]).await.expect(201)));
        }
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        for query in ["", "?status=placed", "?q=ana"] {
            let mut path = format!("{DESK}{query}");
            let mut seen = Vec::new();
            loop {
                let page = root.open(&path).await.expect(200);
                let start = format!("href=\"{DESK}/");
                let links = page.split(start.as_str()).skip(1);
                seen.extend(links.map(|rest| {
                    let id = rest.split('"').next().expect("an end");
                    id.parse::<i64>().expect("an id")
                }));
                let Some((_, rest)) = page.split_once("class=\"pager\"><a href=\"") else { break };
                path = rest.split('"').next().expect("an end").replace("&#38;", "&");
            }
            let newest_first: Vec<i64> = ids.iter().rev().copied().collect();
            assert_eq!(seen, newest_first, "{query}");
        }
    }

    async fn an_order_is_fulfilled_refunded_returned_and_closed(shop: TestShop) {
        let (mut root, placed, one) = paid_order(&shop).await;
        let path = format!("{DESK}/{placed}");
        let page = root.open(&path).await.expect(200);
        let key = key_of(&page, "fulfil");
        let fields = [("key", key.as_str()), ("line-1", "2"), ("line-2", "1"),
            ("carrier", "DHL <&>"), ("tracking_number", "T-1")];
        // Sent twice: the browser was impatient.
        for _ in 0..2 {
            let page = root.submit(&format!("{path}/fulfil"), &fields).await.expect(200);
            assert!(page.contains("The units have left."), "{page}");
            assert!(page.contains("DHL &#60;&#38;&#62;") && !page.contains("DHL <&>"), "{page}");
        }
        assert_eq!(shop.number("select count(*) from fulfilment").await, 1);
        // More than is left: refused in words, and what was typed is still there.
        let fields = [("key", "f2"), ("line-1", "2"), ("carrier", "Bike")];
        let refused = root.submit(&format!("{path}/fulfil"), &fields).await.expect(409);
        assert!(refused.contains("Line 1: 2 are asked for, 1 are left."), "{refused}");
        assert!(refused.contains("role=\"alert\"") && refused.contains("value=\"Bike\""));
        assert!(refused.contains("name=\"key\" value=\"f2\""), "the form keeps its key");
        let fields = [("key", "f2"), ("line-1", "1"), ("carrier", "Bike")];
        root.submit(&format!("{path}/fulfil"), &fields).await.expect(200);

        // Units of one line: 3 x 10.00, of which one goes back.
        let fields = [("key", "r1"), ("line-1", "1"), ("note", "scratched")];
        for _ in 0..2 {
            root.submit(&format!("{path}/refund"), &fields).await.expect(200);
        }
        assert_eq!(shop.number("select refunded_minor from orders").await, 1_000);
        let too_much = [("key", "r2"), ("amount", "99.99"), ("note", "more")];
        let refused = root.submit(&format!("{path}/refund"), &too_much).await.expect(409);
        assert!(refused.contains("99.99 EUR are asked for, 25.00 EUR are left"), "{refused}");
        assert!(refused.contains("value=\"99.99\"") && refused.contains("value=\"more\""));
        let nothing = root.submit(&format!("{path}/refund"), &[("key", "r3")]).await;
        assert!(nothing.expect(422).contains("Say how much goes back"));

        root.submit(&format!("{path}/close"), &[("key", "c")]).await.expect(200);
        let fields = [("key", "b"), ("line-1", "1"), ("restock", "1")];
        root.submit(&format!("{path}/return"), &fields).await.expect(200);
        assert_eq!(available(&shop, one).await, 8);
        let fields = [("key", "b2"), ("line-1", "1")];
        root.submit(&format!("{path}/return"), &fields).await.expect(200);
        assert_eq!(available(&shop, one).await, 8, "it cannot be sold again");
        shop.verify().await;
        let page = root.open(&path).await.expect(200);
        assert!(page.contains("T-1") && page.contains("scratched"), "{page}");
        let form = "admin/desk/orders/x/cancel".replace('x', &placed.to_string());
        assert!(!page.contains(&form), "too late to cancel");
    }

    async fn an_order_is_cancelled_with_a_reason_once(shop: TestShop) {
        let (mut root, placed, one) = paid_order(&shop).await;
        let path = format!("{DESK}/{placed}/cancel");
        let fields = [("key", "c1"), ("reason", "sold to a friend")];
        for _ in 0..2 {
            let page = root.submit(&path, &fields).await.expect(200);
            assert!(page.contains("sold to a friend"), "{page}");
        }
        assert_eq!(available(&shop, one).await, 10);
        let reasons = "select count(*) from audit where action = 'order.cancel_reason'";
        assert_eq!(shop.number(reasons).await, 1);
        assert_eq!(shop.number("select refunded_minor from orders").await, 3_500);
        // The same key with another content is not done.
        let fields = [("key", "c1"), ("reason", "another")];
        let refused = root.submit(&path, &fields).await.expect(422);
        assert!(refused.contains("This form was sent before"), "{refused}");
        let again = root.submit(&path, &[("key", "c2")]).await.expect(409);
        assert!(again.contains("cancelled before"), "{again}");
        assert_eq!(root.post(&format!("{DESK}/999999/cancel"), &[]).await.status, 404);
        assert_eq!(root.post(&format!("{DESK}/{placed}/eat"), &[]).await.status, 404);
        shop.verify().await;
    }

    async fn papers_are_for_staff_and_the_invoice_for_its_buyer(shop: TestShop) {
        let (mut root, placed, _) = paid_order(&shop).await;
        is_pdf(&root.get(&format!("{DESK}/{placed}/invoice.pdf")).await);
        is_pdf(&root.get(&format!("{DESK}/{placed}/packing-slip.pdf")).await);
        let path = format!("/orders/{placed}/invoice.pdf");
        is_pdf(&shop.visitor_as("ana", Role::Customer).await.get(&path).await);
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        assert_eq!(bia.get(&path).await.status, 404);
        assert_eq!(shop.visitor().get(&path).await.status, 303);

        let staff = shop.staff().await;
        let three = on_sale(&staff, "Three", "7", 5).await;
        let guest = shop.guest().await;
        guest.set(three, 1).await.expect(200);
        let theirs = id(&guest.buys_as("guest@example.com").await.expect(201));
        let path = format!("/orders/{theirs}/invoice.pdf");
        let mut browser = shop.visitor();
        browser.cookies.insert("__Host-basket".to_owned(), guest.token().to_owned());
        is_pdf(&browser.get(&path).await);
        assert_eq!(browser.get(&format!("/orders/{placed}/invoice.pdf")).await.status, 404);
        assert_eq!(bia.get(&path).await.status, 404);
    }
}
