//! Prices: which one counts when, currencies, history and future.

use std::time::Duration;

use serde_json::{Value, json};

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::support::Client;

async fn price_now(client: &Client, product: i64, currency: &str) -> Value {
    let path = format!("/api/v1/products/{product}?currency={currency}");
    client.get(&path).await.expect(200)["variants"][0]["price"].clone()
}

on_both_engines! {
    async fn the_newest_effective_price_counts(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({"title": "A"})).await;
        let (product, variant) = (id(&product), id(&product["variants"][0]));
        let path = format!("/api/v1/variants/{variant}/prices");
        assert_eq!(price_now(&staff, product, "EUR").await, Value::Null);
        for (amount, from) in [
            ("11.00", "2026-11-21T12:00:00Z"),
            ("10.00", "2026-01-01T00:00:00Z"),
            ("12.00", "2026-11-21T12:00:10Z"),
            ("13.00", "2026-11-21T12:00:20.000001Z"),
        ] {
            let body = json!({"currency": "EUR", "amount": amount, "effective_from": from});
            staff.post(&path, body).await.expect(201);
        }
        for (advance, amount) in [
            (Duration::ZERO, "11.00"),
            (Duration::from_micros(9_999_999), "11.00"),
            (Duration::from_micros(1), "12.00"),
            (Duration::from_secs(10), "12.00"),
            (Duration::from_micros(1), "13.00"),
            (Duration::from_secs(1_000_000), "13.00"),
        ] {
            shop.clock.advance(advance);
            assert_eq!(price_now(&staff, product, "EUR").await["amount"], amount, "{advance:?}");
        }
        assert_eq!(price_now(&staff, product, "USD").await, Value::Null);
        let listed = staff.get("/api/v1/products?currency=USD").await.expect(200);
        assert_eq!(listed["items"][0]["variants"][0]["price"], Value::Null, "listed all the same");
    }

    async fn currencies_have_their_own_decimals(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({"title": "A"})).await;
        let (product, variant) = (id(&product), id(&product["variants"][0]));
        let path = format!("/api/v1/variants/{variant}/prices");
        for (body, minor, amount) in [
            (json!({"currency": "EUR", "amount": "12.5"}), 1250, "12.50"),
            (json!({"currency": "JPY", "amount": "1200"}), 1200, "1200"),
            (json!({"currency": "BHD", "amount": "1.234"}), 1234, "1.234"),
            (json!({"currency": "USD", "amount_minor": 999}), 999, "9.99"),
            (
                json!({"currency": "GBP", "amount": "10000000000.00"}),
                1_000_000_000_000_i64,
                "10000000000.00",
            ),
            (json!({"currency": "CHF", "amount": "0"}), 0, "0.00"),
        ] {
            let made = staff.post(&path, body.clone()).await.expect(201);
            assert_eq!((&made["amount_minor"], &made["amount"]), (&json!(minor), &json!(amount)));
            assert_eq!(made["effective_from"], "2026-11-21T12:00:00Z", "now, if nobody says");
            let currency = body["currency"].as_str().expect("text");
            let shown = price_now(&shop.anonymous(), product, currency).await;
            assert_eq!(
                shown,
                json!({"amount_minor": minor, "currency": currency, "amount": amount})
            );
        }
        for (body, pointer) in [
            (json!({"currency": "JPY", "amount": "1.5"}), "/amount"),
            (json!({"currency": "BHD", "amount": "1.2345"}), "/amount"),
            (json!({"currency": "EUR", "amount": 12.5}), "/amount"),
            (json!({"currency": "EUR", "amount": "10000000000.01"}), "/amount"),
            (json!({"currency": "EUR", "amount": "-1"}), "/amount"),
            (json!({"currency": "EUR"}), "/amount"),
            (json!({"currency": "EUR", "amount": "1", "amount_minor": 100}), "/amount_minor"),
            (json!({"currency": "eur", "amount": "1"}), "/currency"),
            (json!({"amount": "1"}), "/currency"),
        ] {
            let problem = staff.post(&path, body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        for query in ["currency=XXX", "currency=eur", "currency=", "currency=%00"] {
            let address = format!("/api/v1/products?{query}");
            shop.anonymous().get(&address).await.expect(400);
            shop.anonymous()
                .get(&format!("/api/v1/products/{product}?{query}"))
                .await
                .expect_problem(400, "unknown_currency");
        }
    }

    async fn two_prices_cannot_begin_at_one_moment(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({"title": "A"})).await;
        let path = format!("/api/v1/products/{}/prices", id(&product));
        let body =
            json!({"currency": "EUR", "amount": "1", "effective_from": "2026-12-01T00:00:00Z"});
        let first = staff.post(&path, body.clone()).await.expect(201);
        assert_eq!(first["variant_id"], product["variants"][0]["id"]);
        staff.post(&path, body.clone()).await.expect_problem(409, "price_exists");
        let other =
            json!({"currency": "USD", "amount": "1", "effective_from": "2026-12-01T00:00:00Z"});
        staff.post(&path, other).await.expect(201);
        staff.delete(&format!("/api/v1/prices/{}", id(&first))).await.expect(204);
        staff.post(&path, body).await.expect(201);
        let now = json!({"currency": "EUR", "amount": "2"});
        let all = (0..6).map(|_| staff.post(&path, now.clone()));
        let statuses = futures::future::join_all(all).await;
        let made = statuses.iter().filter(|answer| answer.status == 201).count();
        let refused = statuses.iter().filter(|answer| answer.status == 409).count();
        assert_eq!((made, refused), (1, 5));
    }

    async fn history_stays_and_the_future_can_be_deleted(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({"title": "A"})).await;
        let (product, variant) = (id(&product), id(&product["variants"][0]));
        let path = format!("/api/v1/variants/{variant}/prices");
        let mut made = Vec::new();
        for (month, currency) in [(1, "EUR"), (11, "USD"), (11, "EUR"), (12, "EUR")] {
            let from = format!("2026-{month:02}-15T00:00:00Z");
            let body = json!({"currency": currency, "amount_minor": month, "effective_from": from});
            made.push(staff.post(&path, body).await.expect(201));
        }
        let listed = staff.get(&path).await.expect(200);
        assert_eq!(listed, json!({"items": [made[3], made[2], made[1], made[0]], "next": null}));
        let listed = staff.get(&format!("{path}?currency=USD")).await.expect(200);
        assert_eq!(listed["items"], json!([made[1]]));
        let mut seen = Vec::new();
        let mut address = format!("{path}?limit=1");
        loop {
            let page = staff.get(&address).await.expect(200);
            seen.push(page["items"][0].clone());
            let Some(next) = page["next"].as_str() else { break };
            address = format!("{path}?limit=1&cursor={next}");
        }
        assert_eq!(json!(seen), json!([made[3], made[2], made[1], made[0]]));
        for (price, status) in [(&made[0], 409), (&made[2], 409), (&made[3], 204), (&made[3], 404)]
        {
            staff.delete(&format!("/api/v1/prices/{}", id(price))).await.expect(status);
        }
        staff
            .delete(&format!("/api/v1/prices/{}", id(&made[0])))
            .await
            .expect_problem(409, "price_in_effect");
        staff.delete(&format!("/api/v1/products/{product}")).await.expect(204);
        assert_eq!(staff.get(&path).await.expect(200)["items"].as_array().map(Vec::len), Some(3));
        staff
            .post(&path, json!({"currency": "EUR", "amount": "1"}))
            .await
            .expect_problem(404, "not_found");
        staff.get("/api/v1/variants/999/prices").await.expect_problem(404, "not_found");
    }
}
