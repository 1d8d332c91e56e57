//! Webhooks: signed, retried, given up, in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use runout_core::delivery::Retries;
use runout_shop::delivery::Settings;
use runout_store::Engine;
use serde_json::json;
use tokio::sync::Semaphore;

use super::receiver::{Came, Receiver, Reply, reply};
use super::{DELIVERED, Engined, LEASE, WAITING, becomes, commit, destination, number, settings};
use crate::on_both_engines;

fn payload(id: i64, seq: i64) -> String {
    json!({"id": id, "seq": seq}).to_string()
}

on_both_engines! {
    async fn every_change_comes_once_and_in_order(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::kind().await;
        let all = destination(app, 1, "webhook", &receiver.url, None);
        all.await;
        destination(app, 2, "webhook", &format!("{}/orders", receiver.url), Some("[\"order.*\"]"))
            .await;
        let engine = Engined::start(app, settings());
        for seq in 1..=20 {
            let events: Vec<_> =
                (1..=10).map(|id| ("post.updated", id, payload(id, seq))).collect();
            commit(app, &events).await;
        }
        commit(app, &[("order.placed", 1, payload(1, 1))]).await;
        let came = receiver.has_come(202).await;
        becomes(app, WAITING, 0).await;
        becomes(app, DELIVERED, 202).await;
        let mut newest: HashMap<i64, i64> = HashMap::new();
        for request in came.iter().filter(|came| came.json()["type"] == "post.updated") {
            let data = request.data();
            let seq = data["seq"].as_i64().expect("a number");
            let last = newest.insert(data["id"].as_i64().expect("an id"), seq).unwrap_or(0);
            assert_eq!(seq, last + 1, "{data}");
        }
        assert_eq!(newest.len(), 10);
        let orders = came.iter().filter(|came| came.path == "/orders").count();
        assert_eq!(orders, 1);
        let mut ids: Vec<&str> = came.iter().map(|came| came.header("webhook-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 201, "an event has one id, whoever hears of it");
        engine.stop().await;
        let held = "select count(*) from delivery_lane where holder is not null";
        assert_eq!(number(app, held).await, 0);
    }

    async fn what_fails_keeps_only_its_own_thing_waiting(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::start(|came, _| {
            let data = came.data();
            if data["id"] == 7 && data["seq"] == 1 { reply(500) } else { reply(200) }
        })
        .await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        // All the others have come long before the last of these attempts, on any machine.
        let retries =
            Retries { quick: 6, quick_ms: 200, quick_ms_max: 1_000, slow: 1, slow_ms: 500 };
        let engine = Engined::start(app, Settings { retries, ..settings() });
        let events: Vec<_> = (1..=3)
            .flat_map(|seq| (1..=20).map(move |id| ("post.updated", id, payload(id, seq))))
            .collect();
        commit(app, &events).await;
        // Seven attempts at the first event of thing 7, then it is given up, and its others come.
        becomes(app, "select count(*) from dead_letter where reason = 'exhausted'", 1).await;
        becomes(app, WAITING, 0).await;
        becomes(app, "select count(*) from delivery_retry", 0).await;
        let came = receiver.came();
        let sevens: Vec<i64> = came
            .iter()
            .filter(|came| came.data()["id"] == 7)
            .filter_map(|came| came.data()["seq"].as_i64())
            .collect();
        assert_eq!(sevens, [1, 1, 1, 1, 1, 1, 1, 1, 2, 3]);
        let last = |seven: bool| {
            let of_them = came.iter().filter(|came| (came.data()["id"] == 7) == seven);
            of_them.map(|came| came.at).max()
        };
        let (last_other, last_seven) = (last(false), last(true));
        assert!(last_other < last_seven, "the others did not wait");
        let ids: Vec<&str> = came
            .iter()
            .filter(|came| came.data() == json!({"id": 7, "seq": 1}))
            .map(|came| came.header("webhook-id"))
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "a retry has the same id");
        engine.stop().await;
    }

    async fn what_is_refused_is_kept_for_a_person(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::start(|came, _| {
            let bad = came.data()["id"] == 1;
            if bad { Reply { body: "no such thing".into(), ..reply(422) } } else { reply(200) }
        })
        .await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        let engine = Engined::start(app, settings());
        let events = [("post.updated", 1, payload(1, 1)), ("post.updated", 2, payload(2, 1))];
        commit(app, &events).await;
        becomes(app, DELIVERED, 1).await;
        let letters = "select count(*) from dead_letter where reason = 'refused' and status = 422
            and attempts = 1 and response like '%no such thing%' and entity_id = 1
            and request like '%webhook-id: evt_%'";
        becomes(app, letters, 1).await;
        let told = number(app, "select failed_attempts * 100 + dead * 10 + delivered
            from destination_tally").await;
        assert_eq!(told, 111);
        engine.stop().await;
    }

    async fn who_has_gone_is_told_no_more(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::start(|_, _| reply(410)).await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        let engine = Engined::start(app, settings());
        commit(app, &[("post.updated", 1, payload(1, 1))]).await;
        becomes(app, "select count(*) from destination where state = 'disabled'", 1).await;
        // The engine looks at its destinations all the time.
        tokio::time::sleep(Duration::from_secs(2)).await;
        commit(app, &[("post.updated", 1, payload(1, 2))]).await;
        becomes(app, WAITING, 1).await;
        assert_eq!(receiver.came().len(), 1);
        engine.stop().await;
    }

    async fn a_pause_that_is_asked_for_is_kept(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::start(|_, before| match before {
            0 => Reply { headers: vec![("retry-after", "1".into())], ..reply(429) },
            _ => reply(200),
        })
        .await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        let engine = Engined::start(app, settings());
        commit(app, &[("post.updated", 1, payload(1, 1))]).await;
        let came = receiver.has_come(2).await;
        assert!(came[1].at - came[0].at >= Duration::from_millis(990));
        engine.stop().await;
    }

    async fn nobody_is_told_of_a_private_network_unless_it_is_allowed(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::kind().await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        app.db.script("update destination set allow_private = false").await.expect("set");
        let engine = Engined::start(app, settings());
        commit(app, &[("post.updated", 1, payload(1, 1))]).await;
        becomes(app, "select count(*) from dead_letter where reason = 'unsendable'", 1).await;
        assert_eq!(receiver.came().len(), 0);
        engine.stop().await;
    }

    async fn a_slow_receiver_keeps_no_other_one_waiting(shop: TestShop) {
        let app = &shop.app;
        let slow = Receiver::start(|_, _| Reply { after: Duration::from_secs(30), ..reply(200) });
        let (slow, quick) = (slow.await, Receiver::kind().await);
        destination(app, 1, "webhook", &slow.url, None).await;
        destination(app, 2, "webhook", &quick.url, None).await;
        let timeout = Duration::from_secs(2);
        let engine = Engined::start(app, Settings { timeout, ..settings() });
        let events: Vec<_> = (1..=200).map(|id| ("post.updated", id, payload(id, 1))).collect();
        commit(app, &events).await;
        quick.has_come(200).await;
        let at_slow = "select count(*) from delivery where destination_id = 1";
        assert_eq!(number(app, at_slow).await, 200, "the slow one has them all before it");
        // Left alone after some silences, it is not asked for the other hundreds.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let asked = slow.came().len();
        assert!(asked < 100, "{asked} attempts at a receiver that never answers");
        engine.kill().await;
    }

    /// Another node had the lanes in between: what it has delivered is not sent again.
    async fn what_was_read_is_forgotten_when_the_lanes_come_back(shop: TestShop) {
        let app = &shop.app;
        let gate = Arc::new(Semaphore::new(0));
        let closed = Arc::clone(&gate);
        let receiver =
            Receiver::start(move |_, _| Reply { gate: Some(Arc::clone(&closed)), ..reply(204) })
                .await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        let engine = Engined::start(app, Settings { concurrency_max: 1, ..settings() });
        let events: Vec<_> = (1..=20).map(|id| ("post.updated", id, payload(id, 1))).collect();
        commit(app, &events).await;
        receiver.has_come(1).await;
        // The second one may be on its way before the others are read.
        becomes(app, "select count(*) from delivery", 20).await;
        let taken = "delete from delivery; update delivery_lane set epoch = epoch + 2";
        app.db.script(taken).await.expect("another node's work");
        // Two renewals: the first has seen it, and whoever follows it has done so by the second.
        for _ in 0..2 {
            shop.clock.advance(Duration::from_millis(1));
            let wanted = (shop.clock.now() + LEASE).as_microsecond();
            let ends_at = match app.db.engine() {
                Engine::Sqlite => "select min(ends_at) from delivery_lane",
                Engine::Postgres => {
                    "select cast(extract(epoch from min(ends_at)) * 1000000 as bigint)
                        from delivery_lane"
                }
            };
            becomes(app, ends_at, wanted).await;
        }
        gate.add_permits(100);
        commit(app, &[("post.updated", 99, payload(99, 1))]).await;
        becomes(app, WAITING, 0).await;
        let came: Vec<_> = receiver.came().iter().map(|came| came.data()["id"].clone()).collect();
        assert_eq!(came.len(), 2, "{came:?}");
        assert_eq!(came[1], 99);
        engine.stop().await;
    }

    async fn a_node_that_dies_is_replaced(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::kind().await;
        destination(app, 1, "webhook", &receiver.url, None).await;
        let (one, two) = (Engined::start(app, settings()), Engined::start(app, settings()));
        let held = "select count(distinct holder) from delivery_lane where holder is not null";
        becomes(app, held, 2).await;
        for seq in 1..=50 {
            let events: Vec<_> =
                (1..=20).map(|id| ("post.updated", id, payload(id, seq))).collect();
            commit(app, &events).await;
        }
        one.kill().await;
        // Its leases have not ended yet: the other one goes on with its own, and what the dead one
        // had sent arrives before it is sent again.
        let mut came = 0;
        while receiver.came().len() > came {
            came = receiver.came().len();
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        shop.clock.advance(LEASE * 2);
        becomes(app, WAITING, 0).await;
        let mut seen: HashMap<i64, i64> = HashMap::new();
        for data in receiver.came().iter().map(Came::data) {
            let (id, seq) = (data["id"].as_i64().expect("id"), data["seq"].as_i64().expect("seq"));
            let last = seen.entry(id).or_default();
            // What the dead node had under way may come again, nothing else.
            assert!(seq == *last + 1 || seq == *last, "{id}: {seq} after {last}");
            *last = seq;
        }
        assert!(seen.len() == 20 && seen.values().all(|seq| *seq == 50), "{seen:?}");
        two.stop().await;
    }
}
