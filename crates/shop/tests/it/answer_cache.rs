//! Cached lists are never stale, whoever changes the rows: this node, another one, raw SQL, time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::support::{Client, TestShop};

const LIST: &str = "/api/v1/products?artist=Hohpe&limit=10";

async fn listed(client: &Client) -> Value {
    client.get(LIST).await.expect(200)["items"][0].clone()
}

/// A record with ten units at 10 EUR; product and variant.
async fn record(shop: &TestShop) -> (i64, i64) {
    let staff = shop.staff().await;
    let product = add(
        &staff,
        json!({"title": "We are Reactive", "artist": "Hohpe",
            "price": {"currency": "EUR", "amount": "10.00"}}),
    )
    .await;
    let variant = id(&product["variants"][0]);
    let receipt = json!({"variant_id": variant, "location_id": 1, "quantity": 10});
    staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
    (id(&product), variant)
}

on_both_engines! {
    async fn every_change_shows_at_once_on_every_node(shop: TestShop) {
        let (product, variant) = record(&shop).await;
        let staff = shop.staff().await;
        let here = shop.anonymous();
        let there = Client::new(shop.router_of(shop.second_node().await), None);
        let both = async |field: &dyn Fn(&Value) -> Value, wanted: Value| {
            for client in [&here, &there] {
                // Twice: made, and as kept.
                for _ in 0..2 {
                    assert_eq!(field(&listed(client).await), wanted);
                }
            }
        };
        both(&|item| item["variants"][0]["available"].clone(), json!(10)).await;
        let order = json!({"lines": [{"variant_id": variant, "quantity": 3}]});
        shop.customer("ana").await.post("/api/v1/orders", order).await.expect(201);
        both(&|item| item["variants"][0]["available"].clone(), json!(7)).await;
        let patch = json!({"title": "Renamed"});
        staff.patch(&format!("/api/v1/products/{product}"), patch).await.expect(200);
        both(&|item| item["title"].clone(), json!("Renamed")).await;
        shop.clock.advance(Duration::from_secs(1));
        let amount = |item: &Value| item["variants"][0]["price"]["amount"].clone();
        let path = format!("/api/v1/variants/{variant}/prices");
        staff.post(&path, json!({"currency": "EUR", "amount": "11.00"})).await.expect(201);
        both(&amount, json!("11.00")).await;
        let later = json!({"currency": "EUR", "amount": "12.00",
            "effective_from": "2026-11-21T12:01:00Z"});
        staff.post(&path, later).await.expect(201);
        both(&amount, json!("11.00")).await;
        shop.clock.advance(Duration::from_secs(59));
        both(&amount, json!("12.00")).await;
        shop.app.db.script("update product set title = 'By hand'").await.expect("raw SQL runs");
        both(&|item| item["title"].clone(), json!("By hand")).await;
        shop.app.db.script("update location set active = false").await.expect("raw SQL runs");
        both(&|item| item["variants"][0]["available"].clone(), json!(0)).await;
        shop.app.db.script("update product set enabled = false").await.expect("raw SQL runs");
        both(&|item| item.clone(), Value::Null).await;
    }

    async fn staff_see_what_the_public_does_not(shop: TestShop) {
        let (product, _) = record(&shop).await;
        let staff = shop.staff().await;
        assert_ne!(listed(&shop.anonymous()).await, Value::Null);
        staff.patch(&format!("/api/v1/products/{product}"), json!({"enabled": false})).await
            .expect(200);
        for _ in 0..2 {
            assert_eq!(listed(&shop.anonymous()).await, Value::Null);
            assert_eq!(listed(&staff).await["id"], json!(product));
        }
    }

    async fn readers_never_go_back_behind_a_commit(shop: TestShop) {
        record(&shop).await;
        let other = shop.router_of(shop.second_node().await);
        let committed = Arc::new(AtomicI64::new(0));
        let writer = {
            let (db, committed) = (shop.app.db.clone(), Arc::clone(&committed));
            tokio::spawn(async move {
                for n in 1..=200 {
                    let sql = format!("update product set release_year = {n}");
                    db.script(&sql).await.expect("the change commits");
                    committed.store(n, Ordering::SeqCst);
                }
            })
        };
        let reader = |client: Client| {
            let committed = Arc::clone(&committed);
            tokio::spawn(async move {
                let mut reads = 0;
                while committed.load(Ordering::SeqCst) < 200 || reads < 30 {
                    let before = committed.load(Ordering::SeqCst);
                    let shown = listed(&client).await["release_year"].as_i64().unwrap_or(0);
                    assert!(shown >= before, "shows {shown} after {before} was committed");
                    reads += 1;
                }
                reads
            })
        };
        let readers = (0..8).map(|n| {
            let router = if n % 2 == 0 { other.clone() } else { shop.router() };
            reader(Client::new(router, None))
        });
        let readers: Vec<_> = readers.collect();
        writer.await.expect("the writer did not panic");
        let mut reads = 0;
        for reader in readers {
            reads += reader.await.expect("no reader saw the past");
        }
        assert!(reads > 200, "{reads} reads prove little");
    }
}
