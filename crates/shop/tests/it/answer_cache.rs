//! Cached lists are never stale on the node that changes the rows, nor when time changes them, and
//! elsewhere no longer than the shop allows, whoever changes them: another node, raw SQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use runout_shop::platform::config::{Cache, Config};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::catalog::{add, id};
use crate::events::{self, party};
use crate::on_both_engines;
use crate::support::{Client, Engine, TestShop};

const LIST: &str = "/api/v1/products?artist=Hohpe&limit=10";
/// How many changes another node must show in time.
const CHANGES_MIN: i64 = 20;
const CHANGES_MAX: i64 = 1_000;

/// Nothing is trusted: every node shows every change at once.
fn exact() -> Config {
    Config { cache: Cache { stale_ms_max: 0, ..Cache::default() }, ..Config::default() }
}

async fn listed(client: &Client) -> Value {
    client.get(LIST).await.expect(200)["items"][0].clone()
}

/// A record with ten units at 10 EUR; product and variant.
pub async fn record(shop: &TestShop) -> (i64, i64) {
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
    async fn every_change_shows_at_once_on_every_node_that_trusts_nothing(shop: TestShop) {
        let shop = shop.with_config(&exact()).await;
        let (product, variant) = record(&shop).await;
        let staff = shop.staff().await;
        let here = shop.anonymous();
        let there = Client::new(shop.router_of(shop.node_with(&exact()).await), None);
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

    async fn readers_that_trust_nothing_never_go_back_behind_a_commit(shop: TestShop) {
        let shop = shop.with_config(&exact()).await;
        record(&shop).await;
        let other = shop.router_of(shop.node_with(&exact()).await);
        let own = shop.router_of(shop.app.clone());
        read_while_it_changes(&shop, [other, own]).await;
    }

    async fn readers_on_the_node_that_writes_never_go_back_behind_a_commit(shop: TestShop) {
        record(&shop).await;
        let own = shop.router_of(shop.app.clone());
        read_while_it_changes(&shop, [own.clone(), own]).await;
    }

    async fn another_nodes_change_shows_within_the_bound(shop: TestShop) {
        let (product, _) = record(&shop).await;
        let there = Client::new(shop.router_of(shop.second_node().await), None);
        let bound = Cache::default().stale_max();
        let mut late = 0;
        // Until an answer was kept at all, else this would show nothing: a database that takes
        // longer to commit than anything is trusted leaves no room for it.
        for n in 1.. {
            if n > CHANGES_MIN && late > 0 {
                break;
            }
            assert!(n < CHANGES_MAX, "nothing was kept");
            listed(&there).await;
            let sql = format!("update product set release_year = {n} where id = {product}");
            shop.app.db.script(&sql).await.expect("the change commits");
            let committed = Instant::now();
            loop {
                let asked = committed.elapsed();
                let shown = listed(&there).await["release_year"].as_i64();
                if shown == Some(n) {
                    break;
                }
                late += 1;
                assert!(asked <= bound, "shows {shown:?} {asked:?} after {n} was committed");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

/// What a hit costs beside a request that does nothing, without the network: for those who change
/// it. Figures of a debug build say little.
#[tokio::test]
#[ignore = "a measurement: cargo test --release -p runout-shop --test it hit_cost -- --ignored \
    --nocapture"]
async fn hit_cost() {
    const REQUESTS: u32 = 100_000;
    let shop = TestShop::new(Engine::Sqlite).await;
    let staff = shop.staff().await;
    for n in 0..20 {
        events::add(&staff, party(&format!("Party {n}"))).await;
    }
    let router = shop.router_of(shop.app.clone());
    for path in ["/health/live", "/api/v1/events?limit=20", "/api/v1/products?limit=20"] {
        let ask = || Request::get(path).body(Body::empty()).expect("a request");
        let started = Instant::now();
        for _ in 0..REQUESTS {
            let answer = router.clone().oneshot(ask()).await.expect("infallible");
            assert_eq!(answer.status(), 200);
        }
        eprintln!("{path}: {:?} per request", started.elapsed() / REQUESTS);
    }
}

/// Changes a record 200 times on this node, while eight readers ask these routers, in turn.
async fn read_while_it_changes(shop: &TestShop, routers: [axum::Router; 2]) {
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
    let readers = (0..8).map(|n| reader(Client::new(routers[n % 2].clone(), None)));
    let readers: Vec<_> = readers.collect();
    writer.await.expect("the writer did not panic");
    let mut reads = 0;
    for reader in readers {
        reads += reader.await.expect("no reader saw the past");
    }
    assert!(reads > 200, "{reads} reads prove little");
}
