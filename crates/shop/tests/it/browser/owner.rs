//! The owner's day: stock comes in, a price rises tomorrow, an order is cancelled, one is refunded
//! in part, the books are taken out, and the dashboard shows a sale as it happens.

use serde_json::{Value, json};

use super::window::Window;
use super::{CUSTOMER, OWNER, Person, Stage, journey, log_in};
use crate::on_both_engines;
use crate::support::furnish::Api;
use crate::support::server::verify_command;

async fn buy(customer: &Person<'_>, variant: &Value) -> Value {
    let lines = json!([{"variant_id": variant, "quantity": 1}]);
    customer.call("POST", "/api/v1/orders", json!({"lines": lines})).await["id"].clone()
}

/// A sale shows on the dashboard by itself.
async fn sees_a_sale(window: &Window, sell: impl Future<Output = Value>) {
    window.goto("/admin/dashboard").await;
    window.sees_in("#live-note", "Live").await;
    let before = window.text_of("[data-live='day']").await;
    sell.await;
    window
        .until("the sale on the dashboard", async || {
            (window.text_of("[data-live='day']").await != before).then_some(())
        })
        .await;
}

async fn receives(window: &Window, variant: &str) {
    window.goto("/admin/levels/new").await;
    window.types("variant_id", variant).await;
    window.types("quantity", "7").await;
    window.types("reason", "Second pressing").await;
    window.presses_in("//main", "Add").await;
    window
        .until("another page", async || (window.path().await != "/admin/levels/new").then_some(()))
        .await;
}

async fn raises_the_price_tomorrow(window: &Window, variant: &str) {
    window.goto("/admin/prices/new").await;
    window.types("variant_id", variant).await;
    window.types("amount", "24.90").await;
    // What a date picker does.
    let tomorrow = "document.querySelector('[name=effective_from]').value =
        new Date(Date.now() + 864e5).toISOString().slice(0, 16)";
    window.run(tomorrow, vec![]).await;
    window.presses_in("//main", "Add").await;
    window
        .until("another page", async || (window.path().await != "/admin/prices/new").then_some(()))
        .await;
}

async fn cancels(window: &Window, order: &Value) {
    window.goto(&format!("/admin/desk/orders/{order}")).await;
    window.types("reason", "A mistake").await;
    window.presses_in("//main", "Cancel the order").await;
    window.sees_in("h1", "cancelled").await;
}

async fn refunds_part(window: &Window, order: &Value) {
    window.goto(&format!("/admin/desk/orders/{order}")).await;
    window.presses_in("//main", "Mark as paid").await;
    window.sees_in("h1", "paid").await;
    window.types("amount", "5.00").await;
    window.presses_in("//main", "Refund this").await;
    window.sees_in("section[aria-labelledby='money']", "5.00").await;
}

/// The file of the list, as the link gives it.
async fn exports(window: &Window) -> String {
    window.goto("/admin/orders/").await;
    let fetch = "const done = arguments[arguments.length - 1];
        const link = [...document.querySelectorAll('main a')].find(a => a.textContent === 'CSV');
        fetch(link.href).then(answer => answer.text()).then(done, error => done(String(error)))";
    let csv = window.run_async(fetch, vec![]).await;
    csv.as_str().expect("text").to_owned()
}

on_both_engines! {
    async fn the_owners_day(shop: TestShop) {
        let stage = Stage::set(&shop, &[]).await;
        let product = stage.record("The Needles", "Night Shift", 5).await;
        let variant = &product["variants"][0]["id"];
        let customer = stage.customer(CUSTOMER).await;
        let (first, second) = (buy(&customer, variant).await, buy(&customer, variant).await);
        let name = format!("owner-{:?}", shop.app.db.engine());
        let owner = stage.as_owner();
        let at = |rest: &str| format!("/api/v1/variants/{variant}{rest}");
        journey(&name, &stage, async |window| {
            log_in(window, OWNER).await;
            sees_a_sale(window, buy(&customer, variant)).await;
            receives(window, &variant.to_string()).await;
            let shown = owner.call("GET", &at(""), Value::Null).await;
            assert_eq!(shown["available"], 5 - 3 + 7, "{shown}");
            raises_the_price_tomorrow(window, &variant.to_string()).await;
            let prices = owner.call("GET", &at("/prices"), Value::Null).await.to_string();
            assert!(prices.contains("2490") && prices.contains("1990"), "{prices}");
            // Today's price still counts.
            window.goto(&format!("/products/{}", product["id"])).await;
            window.sees_in("main .price", "19.90").await;
            cancels(window, &first).await;
            refunds_part(window, &second).await;
            let csv = exports(window).await;
            assert!(csv.contains("cancelled") && csv.lines().count() == 4, "{csv}");
            assert_eq!(window.console().await, Vec::<String>::new());
        })
        .await;
        stage.server.stop().await;
        verify_command(&shop.database_url());
    }
}
