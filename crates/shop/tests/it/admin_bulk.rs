//! Bulk actions with their preview, and exports.

use runout_shop::accounts::Role;
use serde_json::json;

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::orders::{on_sale, order};
use crate::support::Client;
use crate::support::visitor::Visitor;

async fn product(staff: &Client, title: &str, amount: &str) -> i64 {
    let body = json!({"title": title, "price": {"currency": "EUR", "amount": amount}});
    id(&add(staff, body).await)
}

/// What the preview's form sends: the rows with their tokens, and the typed values.
fn confirmed(html: &str) -> Vec<(String, String)> {
    let (_, form) = html.split_once("/bulk/confirm\">").expect("a form");
    let form = form.split("</form>").next().expect("an end");
    let mut fields = Vec::new();
    for rest in form.split("<input type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = rest.split_once("\" value=\"").expect("a value");
        fields.push((name.to_owned(), rest.split('"').next().expect("an end").to_owned()));
    }
    fields
}

async fn confirm(visitor: &mut Visitor, list: &str, html: &str) -> String {
    let fields = confirmed(html);
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.submit(&format!("/admin/{list}/bulk/confirm"), &fields).await.expect(200)
}

async fn field(staff: &Client, product: i64, name: &str) -> serde_json::Value {
    staff.get(&format!("/api/v1/products/{product}")).await.expect(200)[name].clone()
}

on_both_engines! {
    async fn a_preview_changes_nothing_and_what_moved_since_is_refused(shop: TestShop) {
        let staff = shop.staff().await;
        let mut ids = Vec::new();
        for title in ["One", "Two", "Three"] {
            ids.push(product(&staff, title, "10.00").await);
        }
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let chosen: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let mut fields = vec![("action", "disable"), ("id", "99")];
        fields.extend(chosen.iter().map(|id| ("id", id.as_str())));
        let html = visitor.submit("/admin/products/bulk", &fields).await.expect(200);
        assert!(html.contains("3 of 4 rows would change") && html.contains("not there any more"));
        for product in &ids {
            assert_eq!(field(&staff, *product, "enabled").await, json!(true), "a preview only");
        }
        let other = json!({"title": "Two, changed"});
        staff.patch(&format!("/api/v1/products/{}", ids[1]), other).await.expect(200);
        let html = confirm(&mut visitor, "products", &html).await;
        assert!(html.contains("Done to 2 of 3 rows"), "{html}");
        assert_eq!(html.matches("it has changed since the preview").count(), 1, "{html}");
        for (product, enabled) in ids.iter().zip([false, true, false]) {
            assert_eq!(field(&staff, *product, "enabled").await, json!(enabled));
        }
        // The same again: nothing is left to do, and the old confirmation is worth nothing.
        let html = visitor.submit("/admin/products/bulk", &fields).await.expect(200);
        assert!(html.contains("1 of 4 rows would change") && html.contains("It is so already"));
        let history = format!("/admin/products/{}/history", ids[0]);
        let history = visitor.open(&history).await.expect(200);
        assert!(history.contains("enabled") && history.contains(">kim</a>"), "{history}");
    }

    async fn prices_of_all_rows_that_fit_are_changed_by_a_share(shop: TestShop) {
        let staff = shop.staff().await;
        let one = product(&staff, "One", "10.05").await;
        let two = product(&staff, "Two", "20.00").await;
        let free = id(&add(&staff, json!({"title": "Priceless"})).await);
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let start = [("action", "price"), ("all", "true"), ("query", "sort=title")];
        let html = visitor.submit("/admin/products/bulk", &start).await.expect(200);
        assert!(html.contains("3 rows are chosen") && html.contains("By percent"), "{html}");
        let (one_text, two_text, free_text) = (one.to_string(), two.to_string(), free.to_string());
        let rows = [("id", one_text.as_str()), ("id", &two_text), ("id", &free_text)];
        let step = [("action", "price"), ("ready", "true"), ("percent", "much")];
        let html = visitor.submit("/admin/products/bulk", &[&step[..], &rows].concat()).await;
        assert!(html.expect(422).contains("is no share such as"));
        let step = [("action", "price"), ("ready", "true"), ("percent", "-10"),
            ("effective_from", "2026-12-01T00:00")];
        let html = visitor.submit("/admin/products/bulk", &[&step[..], &rows].concat()).await;
        let html = html.expect(200);
        for words in ["10.05 EUR", "9.05 EUR from 2026-12-01 00:00", "18.00 EUR", "2 of 3 rows",
            "It has no price"]
        {
            assert!(html.contains(words), "{words}: {html}");
        }
        let html = confirm(&mut visitor, "products", &html).await;
        assert!(html.contains("Done to 2 of 2 rows"), "{html}");
        assert_eq!(field(&staff, one, "variants").await[0]["price"]["amount"], "10.05");
        shop.clock.advance(std::time::Duration::from_secs(10 * 24 * 3_600));
        let staff = shop.anonymous();
        assert_eq!(field(&staff, one, "variants").await[0]["price"]["amount"], "9.05");
        assert_eq!(field(&staff, two, "variants").await[0]["price"]["amount"], "18.00");
    }

    async fn orders_are_cancelled_and_stock_is_received_in_bulk(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "Record", "10.00", 5).await;
        let ana = shop.customer("ana").await;
        let one = id(&order(&ana, &[(variant, 1)]).await.expect(201)).to_string();
        let two = id(&order(&ana, &[(variant, 2)]).await.expect(201)).to_string();
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let fields = [("action", "cancel"), ("id", one.as_str()), ("id", two.as_str())];
        let html = visitor.submit("/admin/orders/bulk", &fields).await.expect(200);
        assert!(html.contains("2 of 2 rows would change"), "{html}");
        let elsewhere = format!("/api/v1/orders/{two}/cancel");
        staff.send(axum::http::Method::POST, &elsewhere, None, &[]).await.expect(200);
        let html = confirm(&mut visitor, "orders", &html).await;
        assert!(html.contains("Done to 1 of 2 rows") && html.contains("cannot be cancelled"));
        let shown = visitor.open(&format!("/admin/orders/{one}/")).await.expect(200);
        assert!(shown.contains("badge-cancelled"), "{shown}");

        let fields = [("action", "receive"), ("id", "1"), ("ready", "true"), ("quantity", "7")];
        let html = visitor.submit("/admin/levels/bulk", &fields).await.expect(200);
        assert!(html.contains("1 of 1 row would change"), "{html}");
        let html = confirm(&mut visitor, "levels", &html).await;
        assert!(html.contains("Done to 1 of 1 row"), "{html}");
        let count = [("action", "count"), ("id", "1"), ("ready", "true"), ("quantity", "3")];
        let html = visitor.submit("/admin/levels/bulk", &count).await.expect(422);
        assert!(html.contains("say why"), "{html}");
        shop.verify().await;
    }

    async fn accounts_are_deactivated_but_not_ones_own(shop: TestShop) {
        let (ana, sam) = (shop.customer("ana").await, shop.staff().await);
        let mut visitor = shop.visitor_as("root", Role::Superuser).await;
        let root = shop.superuser().await.account_id.to_string();
        let (ana_id, sam_id) = (ana.account_id.to_string(), sam.account_id.to_string());
        let fields = [("action", "deactivate"), ("id", &ana_id), ("id", &sam_id), ("id", &root)];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, *v)).collect();
        let html = visitor.submit("/admin/accounts/bulk", &fields).await.expect(200);
        let html = confirm(&mut visitor, "accounts", &html).await;
        assert!(html.contains("Done to 2 of 3 rows"), "{html}");
        ana.get("/api/v1/accounts/me").await.expect(401);
        let mut kim = shop.visitor_as("kim", Role::Staff).await;
        let own = [("action", "nothing"), ("id", "1")];
        assert_eq!(kim.post("/admin/accounts/bulk", &own).await.status, 400);
        assert_eq!(kim.post("/admin/accounts/bulk", &own[..0]).await.status, 400);
        let none = [("action", "deactivate")];
        assert_eq!(kim.post("/admin/accounts/bulk", &none).await.status, 400);
    }

    async fn exports_are_whole_and_harmless(shop: TestShop) {
        let staff = shop.staff().await;
        for (n, title) in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain, \"quoted\"", "1-1"]
            .into_iter()
            .enumerate()
        {
            let body = json!({"title": title, "artist": "A", "catalogue_number": format!("C{n}"),
                "price": {"currency": "EUR", "amount": "12.50"}});
            add(&staff, body).await;
        }
        for n in 0..250 {
            add(&staff, json!({"title": format!("Many {n}"), "style": "Many"})).await;
        }
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let answer = visitor.get("/admin/products/export.csv").await;
        assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"products.csv\"");
        let text = answer.html();
        let quoted = "\"plain, \"\"quoted\"\"\"";
        for cell in ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", quoted, ",1-1,"] {
            assert!(text.contains(cell), "{cell}: {text}");
        }
        assert_eq!(text.lines().count(), 258, "a heading and every row");
        let many = visitor.get("/admin/products/export.csv?style=Many&sort=title").await.html();
        assert_eq!(many.lines().count(), 251);
        let prices = visitor.get("/admin/prices/export.csv").await.html();
        assert!(prices.starts_with("id,variant,variant_id,amount,amount_currency,"), "{prices}");
        assert!(prices.contains(",12.50,EUR,"), "{prices}");
        let rows = visitor.get("/admin/products/export.json").await.json();
        assert_eq!(rows.as_array().expect("a list").len(), 257);
        let titles: Vec<&str> = rows.as_array().expect("a list").iter()
            .filter_map(|row| row["title"].as_str()).collect();
        assert!(titles.contains(&"=1+1"), "JSON is no spreadsheet");
        let none = visitor.get("/admin/products/export.json?style=None").await.json();
        assert_eq!(none, json!([]));
        let html = visitor.open("/admin/audit/?action=table.export").await.expect(200);
        assert!(html.contains(">kim</a>") && html.contains("style=Many"), "{html}");
    }
}
