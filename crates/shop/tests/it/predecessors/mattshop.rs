//! MattShop: its README's requests, its pages, and what it got wrong.

use std::time::Duration;

use serde_json::{Value, json};

use super::{available, curl, orders, record, token_of};
use crate::on_both_engines;
use crate::support::TestShop;
use crate::support::actors::PASSWORD;

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const HOST: (&str, &str) = ("host", "localhost:8000");

fn names(page: &Value) -> Vec<&str> {
    let results = page["results"].as_array().expect("a list");
    results.iter().map(|row| row["name"].as_str().expect("text")).collect()
}

async fn order(shop: &TestShop, token: &str, body: Value) -> crate::support::Answer {
    let headers = [JSON, ("authorization", token)];
    curl(shop, "PUT /orders/create/", &headers, &body.to_string()).await
}

on_both_engines! {
    async fn the_readmes_requests_work_as_written(shop: TestShop) {
        shop.customer("matt").await;
        let id = record(&shop, "Abbey Road", 3).await;

        let body = format!(r#"{{"username": "matt", "password": "{PASSWORD}"}}"#);
        let answer = curl(&shop, "POST /auth/login/", &[JSON], &body).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let login = answer.expect(200);
        assert_eq!(login.as_object().expect("an object").len(), 1);
        let token = format!("Token {}", login["token"].as_str().expect("text"));

        let list = curl(&shop, "GET /products/list/", &[HOST], "").await.expect(200);
        assert_eq!(
            list,
            json!({"count": 1, "next": null, "previous": null, "results": [
                {"id": id, "name": "Abbey Road", "quantity_in_stock": 3, "price": "10.00"}
            ]})
        );

        let body = format!(r#"{{"items": [{{"product_id": {id}, "quantity": 2}}]}}"#);
        let headers = [JSON, ("authorization", token.as_str())];
        let created = curl(&shop, "PUT /orders/create/", &headers, &body).await.expect(201);
        assert!(created["message"].is_string(), "{created}");
        assert_eq!(available(&shop, id).await, 1);

        let history = curl(&shop, "GET /orders/history/", &headers, "").await.expect(200);
        assert_eq!(
            history,
            json!({"count": 1, "next": null, "previous": null, "results": [{
                "id": created["order_id"], "created_at": "2026-11-21T12:00:00Z",
                "total_price": "20.00", "currency": "EUR", "status": "placed",
                "items": [{"product": "Abbey Road", "product_price": "10.00", "quantity": 2}],
            }]})
        );

        // What the README calls the same, and the verb that clients expect.
        let body = format!(r#"{{"items": [{{"product_id": {id}, "quantity": 1}}]}}"#);
        curl(&shop, "POST /order/create/", &headers, &body).await.expect(201);
        for request in ["POST /orders/create/", "PUT /order/create/"] {
            curl(&shop, request, &headers, &body).await.expect_problem(409, "out_of_stock");
        }
        let history = curl(&shop, "GET /order/history/", &headers, "").await.expect(200);
        assert_eq!(history["results"][0]["total_price"], "10.00");
        assert_eq!(history["count"], 2);
        let list = curl(&shop, "GET /products/list/", &[], "").await.expect(200);
        assert_eq!((&list["count"], &list["results"]), (&json!(0), &json!([])));
        shop.verify().await;
    }

    async fn login_takes_json_and_forms_and_says_400(shop: TestShop) {
        shop.customer("matt").await;
        let form = format!("username=matt&password={}", PASSWORD.replace(' ', "+"));
        let by_email = json!({"username": "MATT@example.com", "password": PASSWORD}).to_string();
        let right = json!({"username": "matt", "password": PASSWORD}).to_string();
        for (headers, body) in [(vec![FORM], &form), (vec![JSON], &by_email), (vec![], &right)] {
            curl(&shop, "POST /auth/login/", &headers, body).await.expect(200);
        }
        let wrong = json!({"username": "matt", "password": "jackson"}).to_string();
        let nobody = json!({"username": "nobody", "password": "jackson"}).to_string();
        let long = json!({"username": "m".repeat(9_000), "password": "jackson"}).to_string();
        for (kind, body, code) in [
            (JSON, wrong.as_str(), "invalid_credentials"),
            (JSON, &nobody, "invalid_credentials"),
            (JSON, &long, "invalid_credentials"),
            (FORM, "username=matt&password=jackson", "invalid_credentials"),
            (FORM, "username=matt%00&password=jackson", "invalid_credentials"),
            (FORM, "username=matt", "invalid_body"),
            (FORM, "", "invalid_body"),
            (FORM, &right, "invalid_body"),
            (JSON, "{}", "invalid_body"),
            (JSON, r#"{"username": "a\u0000b", "password": "c"}"#, "invalid_body"),
            (JSON, r#"{"username": 1, "password": 2}"#, "invalid_body"),
            (JSON, "", "invalid_json"),
            (JSON, "username=matt", "invalid_json"),
        ] {
            let answer = curl(&shop, "POST /auth/login/", &[kind], body).await;
            let problem = answer.expect_problem(400, code);
            assert_eq!(code == "invalid_credentials", problem["non_field_errors"].is_array());
        }
        let text = ("content-type", "text/plain");
        let answer = curl(&shop, "POST /auth/login/", &[text], &right).await;
        answer.expect_problem(415, "unsupported_media_type");
    }

    async fn the_list_holds_what_can_be_had(shop: TestShop) {
        let staff = shop.staff().await;
        for (title, units) in [("b sold out", 0), ("c in stock", 2), ("a in stock", 1)] {
            record(&shop, title, units).await;
        }
        let disabled = record(&shop, "disabled", 5).await;
        let change = json!({"enabled": false});
        staff.patch(&format!("/api/v1/products/{disabled}"), change).await.expect(200);
        let deleted = record(&shop, "deleted", 5).await;
        staff.delete(&format!("/api/v1/products/{deleted}")).await.expect(204);
        let unreleased = record(&shop, "d released tomorrow", 5).await;
        let change = json!({"release_at": "2026-11-22T12:00:00Z"});
        staff.patch(&format!("/api/v1/products/{unreleased}"), change).await.expect(200);
        let free = staff.post("/api/v1/products", json!({"title": "e unpriced"})).await.expect(201);
        let variant = &free["variants"][0]["id"];
        let receipt = json!({"variant_id": variant, "quantity": 4});
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);

        let list = shop.anonymous().get("/products/list/").await.expect(200);
        assert_eq!(names(&list), ["a in stock", "c in stock", "e unpriced"]);
        // One product without a price broke the whole list.
        assert_eq!(list["results"][2]["price"], Value::Null);
        let token = token_of(&shop.customer("ana").await);
        let item = json!({"items": [{"product_id": free["id"], "quantity": 1}]});
        order(&shop, &token, item).await.expect_problem(409, "not_for_sale");

        // Of several prices the newest effective one counts; future ones wait.
        let prices = format!("/api/v1/variants/{variant}/prices");
        for (amount, from) in [
            ("7.00", "2026-11-01T00:00:00Z"),
            ("8.00", "2026-11-20T00:00:00Z"),
            ("9.00", "2026-11-22T00:00:00Z"),
        ] {
            let price = json!({"currency": "EUR", "amount": amount, "effective_from": from});
            staff.post(&prices, price).await.expect(201);
        }
        let dollars = json!({"currency": "USD", "amount": "1.00"});
        staff.post(&prices, dollars).await.expect(201);
        let list = shop.anonymous().get("/products/list/").await.expect(200);
        assert_eq!(list["results"][2]["price"], "8.00");
        shop.clock.advance(Duration::from_secs(24 * 3_600));
        let list = shop.anonymous().get("/products/list/").await.expect(200);
        assert_eq!(names(&list)[2..], ["d released tomorrow", "e unpriced"]);
        assert_eq!(list["results"][3]["price"], "9.00");
    }

    async fn pages_split_twenty_and_five(shop: TestShop) {
        for number in 0..25 {
            record(&shop, &format!("record {number:02}"), 1).await;
        }
        let first = curl(&shop, "GET /products/list/", &[HOST], "").await.expect(200);
        assert_eq!((first["count"].as_i64(), names(&first).len()), (Some(25), 20));
        assert_eq!(first["previous"], Value::Null);
        assert_eq!(first["next"], "http://localhost:8000/products/list/?page=2");
        let proxied = [HOST, ("x-forwarded-proto", "https")];
        let second = curl(&shop, "GET /products/list/?page=2", &proxied, "").await.expect(200);
        assert_eq!((second["count"].as_i64(), names(&second).len()), (Some(25), 5));
        assert_eq!(second["next"], Value::Null);
        assert_eq!(second["previous"], "https://localhost:8000/products/list/");
        let all: Vec<_> = names(&first).into_iter().chain(names(&second)).collect();
        let expected: Vec<_> = (0..25).map(|number| format!("record {number:02}")).collect();
        assert_eq!(all, expected);
        for page in ["3", "0", "-1", "x", "", "99999999999999999999", "9223372036854775807"] {
            let path = format!("/products/list/?page={page}");
            shop.anonymous().get(&path).await.expect_problem(404, "not_found");
        }

        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let product = record(&shop, "many", 100).await;
        for _ in 0..25 {
            shop.clock.advance(Duration::from_secs(1));
            let items = json!({"items": [{"product_id": product, "quantity": 1}]});
            order(&shop, &token_of(&ana), items).await.expect(201);
        }
        let first = ana.get("/orders/history/").await.expect(200);
        let second = ana.get("/orders/history/?page=2").await.expect(200);
        ana.get("/orders/history/?page=3").await.expect_problem(404, "not_found");
        let rows = |page: &Value| page["results"].as_array().expect("a list").clone();
        assert_eq!((rows(&first).len(), rows(&second).len()), (20, 5));
        let ids: Vec<_> = rows(&first)
            .iter()
            .chain(&rows(&second))
            .map(|order| order["id"].as_i64().expect("an id"))
            .collect();
        assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
        assert_eq!(bia.get("/orders/history/").await.expect(200)["count"], 0);
    }

    async fn what_cannot_be_ordered_is_named_and_nothing_is_written(shop: TestShop) {
        let (one, two) = (record(&shop, "one", 5).await, record(&shop, "two", 1).await);
        let disabled = record(&shop, "disabled", 5).await;
        let change = json!({"enabled": false});
        let staff = shop.staff().await;
        staff.patch(&format!("/api/v1/products/{disabled}"), change).await.expect(200);
        let token = token_of(&shop.customer("ana").await);
        let item = |id: i64, quantity: i64| json!({"product_id": id, "quantity": quantity});
        for (items, status, code, pointer) in [
            (json!([item(one, 0)]), 400, "invalid_body", "/items/0/quantity"),
            (json!([item(two, 1), item(one, -3)]), 400, "invalid_body", "/items/1/quantity"),
            (json!([item(one, 10_001)]), 400, "invalid_body", "/items/0/quantity"),
            (json!([{"product_id": one}]), 400, "invalid_body", "/items/0/quantity"),
            (json!([item(-1, 1)]), 400, "invalid_body", "/items/0/product_id"),
            (json!([]), 400, "invalid_body", "/items"),
            (json!([item(one, 1), item(one, 1)]), 400, "duplicate_line", "/items/1/product_id"),
            (json!([item(one, 1), item(999_999, 1)]), 409, "not_for_sale", "/items/1/product_id"),
            (json!([item(disabled, 1)]), 409, "not_for_sale", "/items/0/product_id"),
            (json!([item(one, 1), item(two, 2)]), 409, "out_of_stock", "/items/1/product_id"),
        ] {
            let body = json!({"items": items});
            let problem = order(&shop, &token, body.clone()).await.expect_problem(status, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        let short = json!({"items": [item(one, 1), item(two, 2)]});
        let problem = order(&shop, &token, short).await.expect(409);
        assert_eq!(
            problem["items"],
            json!([{
                "item": 1, "product_id": two, "reason": "out_of_stock", "requested": 2, "available": 1
            }])
        );
        assert_eq!((available(&shop, one).await, available(&shop, two).await), (5, 1));
        assert_eq!(orders(&shop).await, 0);

        let both = json!({"items": [item(one, 2), item(two, 1)]});
        order(&shop, &token, both).await.expect(201);
        assert_eq!((available(&shop, one).await, available(&shop, two).await), (3, 0));
        shop.verify().await;
    }

    async fn a_repeated_order_under_one_key_is_placed_once(shop: TestShop) {
        let id = record(&shop, "one", 5).await;
        let token = token_of(&shop.customer("ana").await);
        let headers = [JSON, ("authorization", token.as_str()), ("idempotency-key", "k")];
        let body = json!({"items": [{"product_id": id, "quantity": 2}]}).to_string();
        let first = curl(&shop, "PUT /orders/create/", &headers, &body).await.expect(201);
        let again = curl(&shop, "POST /order/create/", &headers, &body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        let other = json!({"items": [{"product_id": id, "quantity": 3}]}).to_string();
        let answer = curl(&shop, "PUT /orders/create/", &headers, &other).await;
        answer.expect_problem(422, "idempotency_key_reused");
        assert_eq!(available(&shop, id).await, 3);
    }

    async fn opposite_orders_do_not_deadlock(shop: TestShop) {
        let (one, two) = (record(&shop, "one", 60).await, record(&shop, "two", 60).await);
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let item = |id: i64| json!({"product_id": id, "quantity": 1});
        let buyers = (0..80).map(|number| {
            let (client, items) = match number % 2 {
                0 => (ana.clone(), json!({"items": [item(one), item(two)]})),
                _ => (bia.clone(), json!({"items": [item(two), item(one)]})),
            };
            tokio::spawn(async move { client.put("/orders/create/", items).await })
        });
        let mut placed = 0;
        for buyer in buyers.collect::<Vec<_>>() {
            let answer = buyer.await.expect("no panic");
            match answer.status.as_u16() {
                201 => placed += 1,
                _ => _ = answer.expect_problem(409, "out_of_stock"),
            }
        }
        assert_eq!(placed, 60);
        assert_eq!((available(&shop, one).await, available(&shop, two).await), (0, 0));
        shop.verify().await;
    }
}
