//! Customers: from signing up to the page of the order that is paid.

use serde_json::{Value, json};

use super::window::Window;
use super::{PASSWORD, Stage, journey, log_in};
use crate::on_both_engines;
use crate::support::furnish::Api;
use crate::support::server::verify_command;
use crate::support::{Engine, TestShop};

/// Long enough to be seen in a browser on a busy machine, short enough to be waited for.
const SHORT_HOLD_SECONDS: i64 = 12;

/// Writes an address and orders; gives the order's path.
pub async fn check_out(window: &Window) -> String {
    for (name, text) in [
        ("name", "Bia Lea"),
        ("line1", "Rillengasse 33"),
        ("postal_code", "10115"),
        ("city", "Berlin"),
    ] {
        window.types(name, text).await;
    }
    window.chooses("country", "DE").await;
    window.presses_in("//main", "Place the order").await;
    window.arrives("/orders/").await
}

/// Looks for a record and puts one into the basket.
async fn find_and_take(window: &Window) {
    window.goto("/catalogue").await;
    window.types("q", "night shift").await;
    window.presses_in("//main", "Search").await;
    window.arrives("/catalogue?q=").await;
    window.find("main a[href^='/products/']").await.click().await.expect("a link");
    window.sees_in("h1", "Night Shift").await;
    window.presses_in("//main", "Add to basket").await;
    window.arrives("/basket").await;
}

on_both_engines! {
    async fn signs_up_loses_a_hold_buys_and_sees_the_order(shop: TestShop) {
        let stage = Stage::set(&shop, &[]).await;
        let product = stage.record("The Needles", "Night Shift", 2).await;
        let variant = format!("/api/v1/variants/{}", product["variants"][0]["id"]);
        let hold = |seconds: Value| json!({"hold_seconds": seconds});
        let owner = stage.as_owner();
        owner.call("PATCH", &variant, hold(SHORT_HOLD_SECONDS.into())).await;
        let name = format!("shopper-{:?}", shop.app.db.engine());
        journey(&name, &stage, async |window| {
            window.goto("/accounts/sign_up/?next=%2Fcatalogue").await;
            for (name, text) in [
                ("username", "bia"),
                ("email", "bia@example.com"),
                ("password", PASSWORD),
                ("password_again", PASSWORD),
            ] {
                window.types(name, text).await;
            }
            window.presses_in("//main", "Sign up").await;
            window.arrives("/catalogue").await;
            find_and_take(window).await;
            window.sees_in("main", "Held for you for").await;
            // The countdown runs out, and says so to who does not see it.
            window.sees_in("time[data-until]", "over").await;
            let told = "return document.getElementById('told').textContent";
            let told = window.run(told, vec![]).await;
            assert!(told.as_str().expect("text").contains("the time is over"), "{told}");
            let left = owner.call("GET", &variant, Value::Null).await;
            assert_eq!(left["available"], 2, "what was held is on sale again");
            owner.call("PATCH", &variant, hold(Value::Null)).await;
            window.goto("/basket").await;
            window.presses_in("//main", "Hold again").await;
            window.until("a hold of minutes", async || {
                let left = window.text_of("time[data-until]").await?;
                (left.starts_with("4:") || left.starts_with("5:")).then_some(())
            })
            .await;
            window.presses_in("//main", "Go to checkout").await;
            window.arrives("/checkout").await;
            let order = check_out(window).await;
            window.sees_in("main", "Waiting for payment").await;
            let payments = format!("/api/v1{order}/payments");
            owner.call("POST", &payments, json!({"gateway": "manual"})).await;
            window.goto(&order).await;
            window.sees_in(".badge", "Paid").await;
            window.goto("/orders").await;
            window.sees_in("main", "Night Shift").await;
            assert_eq!(window.console().await, Vec::<String>::new());
        })
        .await;
        stage.server.stop().await;
        verify_command(&shop.database_url());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scripts_a_guest_signs_up_and_buys() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    stage.record("The Needles", "Night Shift", 2).await;
    journey("no-scripts", &stage, async |window| {
        window.without_script().await;
        find_and_take(window).await;
        window.goto("/accounts/sign_up/?next=%2Fbasket").await;
        for (name, text) in [
            ("username", "bia"),
            ("email", "bia@example.com"),
            ("password", PASSWORD),
            ("password_again", PASSWORD),
        ] {
            window.types(name, text).await;
        }
        window.presses_in("//main", "Sign up").await;
        window.arrives("/basket").await;
        // The guest's basket came along.
        window.sees_in("main", "Night Shift").await;
        window.presses_in("//main", "Go to checkout").await;
        window.arrives("/checkout").await;
        check_out(window).await;
        window.sees_in("main", "Waiting for payment").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_gets_neither_into_the_office_nor_to_anothers_order() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    let product = stage.record("The Needles", "Night Shift", 2).await;
    let ana = stage.customer("ana").await;
    stage.customer("eve").await;
    let lines = json!([{"variant_id": product["variants"][0]["id"], "quantity": 1}]);
    let order = ana.call("POST", "/api/v1/orders", json!({"lines": lines})).await;
    let order = format!("/orders/{}", order["id"]);
    journey("stranger", &stage, async |window| {
        window.goto(&order).await;
        window.arrives("/accounts/login/?next=").await;
        log_in(window, "eve").await;
        for path in ["/admin/", "/admin/orders/", "/admin/dashboard"] {
            window.goto(path).await;
            window.sees_in("h1", "This is not for you").await;
        }
        window.goto(&order).await;
        window.sees_in("h1", "This page does not exist").await;
        assert!(!window.source().await.contains("Night Shift"));
        window.goto("/basket").await;
        window.sees_in("main", "There is nothing in it").await;
    })
    .await;
}
