//! A broker that is killed and comes back: every event arrives, in order per thing.

use std::collections::HashMap;
use std::time::Duration;

use runout_core::delivery::Retries;
use runout_shop::delivery::Settings;
use serde_json::{Value, json};

use super::{DELIVERED, Engined, WAITING, becomes, commit, destination, number, settings};
use crate::on_both_engines;
use crate::support::rabbit::{Listener, Rabbit};

const THINGS: i64 = 20;
const ROUNDS: i64 = 60;
/// The broker is killed after the first of these rounds, and is back after the second.
const DOWN: (i64, i64) = (20, 35);

on_both_engines! {
    async fn every_event_arrives_in_order_though_the_broker_dies(shop: TestShop) {
        let mut broker = Rabbit::start().await;
        let app = &shop.app;
        destination(app, 1, "amqp", &broker.url(), None).await;
        app.db.script("update destination set exchange = 'runout'").await.expect("set");
        let listener = Listener::start(&broker.url(), "runout", "warehouse", "post.#").await;
        let retries = Retries { quick: 500, quick_ms: 20, quick_ms_max: 300, slow: 0, slow_ms: 1 };
        let engine = Engined::start(app, Settings { retries, ..settings() });
        for round in 1..=ROUNDS {
            let event = |id| {
                let payload = json!({"id": id, "seq": round}).to_string();
                ("post.updated", id, payload)
            };
            commit(app, &(1..=THINGS).map(event).collect::<Vec<_>>()).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if round == DOWN.0 {
                broker.kill();
            } else if round == DOWN.1 {
                broker.start_again().await;
            }
        }
        becomes(app, WAITING, 0).await;
        becomes(app, DELIVERED, THINGS * ROUNDS).await;
        assert_eq!(number(app, "select count(*) from dead_letter").await, 0);
        // What was confirmed is durable: it comes, though the broker or the listener may be late.
        let mut newest: HashMap<i64, i64> = HashMap::new();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
        loop {
            newest.clear();
            for heard in listener.heard() {
                assert_eq!(heard.routing_key, "post.updated");
                let body: Value = serde_json::from_slice(&heard.body).expect("JSON");
                let id = body["data"]["id"].as_i64().expect("an id");
                let seq = body["data"]["seq"].as_i64().expect("a number");
                let last = newest.entry(id).or_default();
                // A repetition is allowed, a leap is not.
                assert!(seq <= *last + 1, "{id}: {seq} after {last}");
                *last = (*last).max(seq);
            }
            if newest.len() as i64 == THINGS && newest.values().all(|seq| *seq == ROUNDS) {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "not everything came: {newest:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        engine.stop().await;
    }
}
