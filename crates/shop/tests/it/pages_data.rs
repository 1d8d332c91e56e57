//! What the shop holds about a person: taken along as a file, and erased.

use axum::http::Method;
use runout_shop::accounts::Role;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::orders::on_sale;
use crate::support::actors::PASSWORD;
use crate::support::{Basket, Client, TestShop, Visitor, address};

const ERASE: &str = "/account/data/erase";

async fn download(visitor: &mut Visitor) -> Value {
    let answer = visitor.get("/account/data/download").await;
    assert_eq!(answer.status, 200);
    let name = "attachment; filename=\"my-data-2026-11-21.json\"";
    assert_eq!(answer.headers["content-disposition"], name);
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.json()
}

async fn erase(visitor: &mut Visitor, password: &str, name: &str) -> String {
    let fields = [("current_password", password), ("confirmation", name)];
    let shown = visitor.submit(ERASE, &fields).await;
    let path = shown.path.clone();
    let page = shown.html();
    assert_eq!(path == "/accounts/erased/", page.contains("Your account is erased"), "{page}");
    page
}

/// An order by checkout, with an address: its path.
async fn order(account: &Client, variant: i64) -> String {
    let basket = Basket::of(account).await;
    basket.set(variant, 1).await.expect(200);
    let body = json!({"address": address(), "email": "ana@example.com"});
    let order = basket.check_out(body).await.expect(201);
    format!("/api/v1/orders/{}", order["id"])
}

/// Every text of the tables in which a person leaves traces.
async fn traces(shop: &TestShop) -> String {
    let mut all = Vec::new();
    for sql in [
        "select username || username_key || email || email_key || name || phone
            || coalesce(identity_document, '') || coalesce(birth_date, '') from account",
        "select coalesce(email, '') || coalesce(email_key, '')
            || coalesce(cast(address as text), '') from orders",
        "select coalesce(tracking_number, '') from fulfilment",
        "select name || line1 || city from address",
        "select browser || address from session",
        "select label from token",
        "select cast(changes as text) from audit",
        "select cast(payload as text) from outbox",
        "select body from idempotency",
        "select last4 from payment_method",
    ] {
        all.extend(shop.texts(sql).await);
    }
    all.join("\n").to_lowercase()
}

on_both_engines! {
    async fn an_export_has_everything_but_secrets_and_others(shop: TestShop) {
        let staff = shop.staff().await;
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let variant = on_sale(&staff, "Both", "10", 9).await;
        ana.post("/api/v1/addresses", address()).await.expect(201);
        bia.post("/api/v1/addresses", address()).await.expect(201);
        order(&ana, variant).await;
        order(&bia, variant).await;
        Basket::of(&ana).await.set(variant, 2).await.expect(200);
        let me = json!({"name": "Ana Lea"});
        ana.patch("/api/v1/accounts/me", me).await.expect(200);
        let mut visitor = shop.visitor_as("ana", Role::Customer).await;
        let data = download(&mut visitor).await;
        assert_eq!(data["exported_at"], "2026-11-21T12:00:00Z");
        assert_eq!([&data["account"]["username"], &data["account"]["name"]], ["ana", "Ana Lea"]);
        for (list, count) in [
            ("addresses", 1),
            ("orders", 1),
            ("baskets", 1),
            ("payment_methods", 0),
            ("sessions", 1),
            ("tokens", 1),
        ] {
            assert_eq!(data[list].as_array().map(Vec::len), Some(count), "{list}: {data:#}");
        }
        assert_eq!(data["addresses"][0]["city"], "Berlin");
        let order = &data["orders"][0];
        assert_eq!([&order["total"], &order["address"]["line1"]], ["10.00", "Rillengasse 33"]);
        assert_eq!(order["lines"][0]["title"], "Both");
        assert_eq!(data["orders_left_out"], 0);
        assert_eq!(data["baskets"][0]["lines"][0]["quantity"], 2);
        assert_eq!(data["sessions"][0]["current"], true);
        let actions: Vec<&Value> =
            data["audit"].as_array().expect("a list").iter().map(|row| &row["action"]).collect();
        assert_eq!(actions, ["account.updated", "account.created"]);
        assert_eq!([0, 1].map(|n| &data["audit"][n]["by_yourself"]), [true, false]);
        let text = data.to_string();
        for secret in ["argon2", "hash", "secret", "bia"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }

    async fn an_erased_account_leaves_books_and_nobody(shop: TestShop) {
        let staff = shop.staff().await;
        let ana = shop.customer("ana").await;
        let variant = on_sale(&staff, "Both", "10", 9).await;
        let me = json!({
            "name": "Ana Lea", "phone": "+49 30 123456", "identity_document": "X-4711",
            "birth_date": "1990-12-31",
        });
        let key = [("idempotency-key", "k")];
        ana.send(Method::PATCH, "/api/v1/accounts/me", Some(me), &key)
            .await
            .expect(200);
        ana.post("/api/v1/addresses", address()).await.expect(201);
        let first = order(&ana, variant).await;
        let mut visitor = shop.visitor_as("ana", Role::Customer).await;
        // Open orders are named; nothing is lost meanwhile.
        let page = erase(&mut visitor, PASSWORD, "ana").await;
        assert!(page.contains("R00000001") && page.contains("still open"), "{page}");
        assert_eq!(download(&mut visitor).await["addresses"].as_array().map(Vec::len), Some(1));
        ana.send(Method::POST, &format!("{first}/cancel"), None, &[]).await.expect(200);
        assert!(erase(&mut visitor, "wrong", "ana").await.contains("current password is wrong"));
        assert!(erase(&mut visitor, PASSWORD, "bia").await.contains("not your username"));
        assert!(traces(&shop).await.contains("rillengasse"));

        assert!(erase(&mut visitor, PASSWORD, "ana").await.contains("Thank you"));
        assert!(visitor.cookie("__Host-session").is_none());
        let left = traces(&shop).await;
        for trace in ["ana", "123456", "4711", "1990", "rillengasse", "berlin", "192.0.2"] {
            assert!(!left.contains(trace), "{trace}:\n{left}");
        }
        ana.get("/api/v1/accounts/me").await.expect_problem(401, "unauthorized");
        let gone = staff.get(&format!("/api/v1/accounts/{}", ana.account_id)).await.expect(200);
        let name = format!("erased-{}", ana.account_id);
        assert_eq!((&gone["username"], &gone["active"]), (&json!(name), &json!(false)));
        let kept = staff.get(&first).await.expect(200);
        assert_eq!(kept["total"], "10.00");
        assert!(kept["address"].is_null() && kept["email"].is_null(), "{kept}");
        assert_eq!(kept["lines"][0]["title"], "Both");
        let erased = "select count(*) from audit where action = 'account.erased'";
        assert_eq!(shop.number(erased).await, 1);
        // The name is free again, and the erased one cannot be taken.
        let again = json!({"username": "ana", "email": "ana@example.com", "password": PASSWORD});
        shop.anonymous().post("/api/v1/accounts", again).await.expect(201);
        let name = "Erased-99";
        let taken = json!({"username": name, "email": "e@example.com", "password": PASSWORD});
        shop.anonymous().post("/api/v1/accounts", taken).await.expect_problem(400, "invalid_body");
        shop.verify().await;
    }

    async fn the_last_superuser_stays(shop: TestShop) {
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        assert!(erase(&mut root, PASSWORD, "root").await.contains("last active superuser"));
        shop.account("other", Role::Superuser).await;
        assert!(erase(&mut root, PASSWORD, "root").await.contains("Thank you"));
        shop.verify().await;
    }
}
