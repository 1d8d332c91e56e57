//! Orders over HTTP: idempotency keys and cancellations.

use axum::http::Method;
use runout_shop::platform::config::Config;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::orders::{ORDERS, available, on_sale, order, restock};
use crate::support::{Answer, Client};

async fn keyed(client: &Client, path: &str, body: Value, key: &str) -> Answer {
    let body = (!body.is_null()).then_some(body);
    client.send(Method::POST, path, body, &[("idempotency-key", key)]).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

fn one(variant: i64, quantity: i64) -> Value {
    json!({"lines": [{"variant_id": variant, "quantity": quantity}]})
}

on_both_engines! {
    async fn the_same_request_orders_once(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 10).await;
        let first = keyed(&ana, ORDERS, one(variant, 2), "k-1").await;
        assert!(!is_replay(&first));
        let first = first.expect(201);
        // A structured-field string and the bare word are the same key; so is the body, however
        // it is spaced.
        for key in ["k-1", "\"k-1\"", "  k-1 "] {
            let again = keyed(&ana, ORDERS, one(variant, 2), key).await;
            assert!(is_replay(&again), "{key}");
            assert_eq!(again.expect(201), first);
        }
        keyed(&ana, ORDERS, one(variant, 3), "k-1").await
            .expect_problem(422, "idempotency_key_reused");
        let receipt = json!({"variant_id": variant, "quantity": 1});
        let other = keyed(&staff, "/api/v1/stock/receipts", receipt, "k-1").await;
        assert!(!is_replay(&other), "a key belongs to its account");
        let other = keyed(&bia, ORDERS, one(variant, 2), "k-1").await;
        assert!(!is_replay(&other), "a key belongs to its account");
        assert_ne!(other.expect(201)["id"], first["id"]);
        for key in ["", "\"open", "two\twords", &"k".repeat(256)] {
            keyed(&ana, ORDERS, one(variant, 1), key).await
                .expect_problem(400, "invalid_idempotency_key");
        }
        assert_eq!(available(&shop, variant).await, 7);
        shop.verify().await;
    }

    async fn one_key_for_two_orders_on_two_nodes_at_once(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "1", 100).await;
        let two = on_sale(&staff, "Two", "1", 100).await;
        let node = shop.second_node().await;
        let router = runout_shop::app::router(node.clone(), &Config::default());
        let elsewhere = Client::new(router, ana.token.clone());
        let pairs = (0..50).map(|n| {
            let (key, ana, elsewhere) = (format!("k{n}"), ana.clone(), elsewhere.clone());
            async move {
                // The orders have no row in common that one could wait for.
                let here = keyed(&ana, ORDERS, self::one(one, 1), &key);
                let there = keyed(&elsewhere, ORDERS, self::one(two, 1), &key);
                let (here, there) = futures::future::join(here, there).await;
                let (won, lost) = if here.status == 201 { (here, there) } else { (there, here) };
                won.expect(201);
                lost.expect_problem(422, "idempotency_key_reused");
            }
        });
        futures::future::join_all(pairs).await;
        let left = [one, two].map(|variant| available(&shop, variant));
        let left = futures::future::join_all(left).await;
        let left: i64 = left.iter().map(|left| left.as_i64().expect("a number")).sum();
        assert_eq!(left, 150);
        node.stop().await;
        shop.verify().await;
    }

    async fn a_refusal_is_not_kept(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 1).await;
        for _ in 0..2 {
            let refused = keyed(&ana, ORDERS, one(variant, 2), "k").await;
            assert!(!is_replay(&refused));
            refused.expect_problem(409, "out_of_stock");
        }
        restock(&staff, variant, 1).await;
        let placed = keyed(&ana, ORDERS, one(variant, 2), "k").await;
        assert!(!is_replay(&placed));
        placed.expect(201);
        assert!(is_replay(&keyed(&ana, ORDERS, one(variant, 2), "k").await));
        shop.verify().await;
    }

    async fn a_repetition_shows_the_order_as_it_is_now(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 1).await;
        let placed = keyed(&ana, ORDERS, one(variant, 1), "k").await.expect(201);
        let cancel = format!("{ORDERS}/{}/cancel", id(&placed));
        ana.post(&cancel, Value::Null).await.expect(200);
        let again = keyed(&ana, ORDERS, one(variant, 1), "k").await.expect(201);
        assert_eq!((&again["id"], &again["status"]), (&placed["id"], &json!("cancelled")));
        assert_eq!(available(&shop, variant).await, 1, "nothing was ordered again");
    }

    async fn a_cancellation_gives_the_stock_back_once(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 5).await;
        let placed = order(&ana, &[(variant, 3)]).await.expect(201);
        let cancel = format!("{ORDERS}/{}/cancel", id(&placed));
        bia.post(&cancel, Value::Null).await.expect_problem(404, "not_found");
        let unknown = format!("{ORDERS}/999/cancel");
        ana.post(&unknown, Value::Null).await.expect_problem(404, "not_found");
        shop.anonymous().send(Method::POST, &cancel, None, &[]).await
            .expect_problem(401, "unauthorized");
        assert_eq!(available(&shop, variant).await, 2);

        let cancelled = keyed(&ana, &cancel, Value::Null, "c").await;
        assert!(!is_replay(&cancelled));
        let cancelled = cancelled.expect(200);
        assert_eq!((&cancelled["id"], &cancelled["status"]), (&placed["id"], &json!("cancelled")));
        assert_eq!(cancelled["cancelled_at"], "2026-11-21T12:00:00Z");
        assert_eq!(cancelled["lines"], placed["lines"]);
        assert_eq!(available(&shop, variant).await, 5);
        let again = keyed(&ana, &cancel, Value::Null, "c").await;
        assert!(is_replay(&again));
        assert_eq!(again.expect(200), cancelled);
        ana.post(&cancel, Value::Null).await.expect_problem(409, "already_cancelled");
        staff.post(&cancel, Value::Null).await.expect_problem(409, "already_cancelled");
        keyed(&ana, ORDERS, one(variant, 1), "c").await
            .expect_problem(422, "idempotency_key_reused");
        assert_eq!(available(&shop, variant).await, 5);

        let second = order(&ana, &[(variant, 5)]).await.expect(201);
        let cancel = format!("{ORDERS}/{}/cancel", id(&second));
        staff.send(Method::POST, &cancel, None, &[]).await.expect(200);
        assert_eq!(available(&shop, variant).await, 5);
        let ledger = staff.get("/api/v1/stock/movements?cause=cancel").await.expect(200);
        assert_eq!(ledger["items"][0]["actor_id"], staff.account_id);
        assert_eq!(ledger["items"][1]["actor_id"], ana.account_id);
        shop.verify().await;
    }
}
