//! Destinations over HTTP: adding, changing, pausing, testing, deleting; their secrets; every
//! refusal.

mod delivered;
mod secrets;
mod wrong;

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::support::{Answer, Client, TestShop, opened};

const PATH: &str = "/api/v1/destinations";

pub fn webhook(name: &str) -> Value {
    json!({"name": name, "kind": "webhook", "url": "https://hooks.example/in"})
}

fn mirror(name: &str) -> Value {
    json!({
        "name": name, "kind": "rest", "url": "https://api.example/v1/",
        "resources": {"post": {"path": "/posts", "fields": {"user_id": "userId"}}},
    })
}

fn broker(name: &str) -> Value {
    json!({"name": name, "kind": "amqp", "url": "amqp://shop:hunter2@mq.example/prod"})
}

pub async fn add(staff: &Client, body: Value) -> Value {
    staff.post(PATH, body).await.expect(201)
}

/// Everything that is kept beside the secrets themselves.
async fn kept(shop: &TestShop) -> String {
    let mut all = Vec::new();
    for sql in [
        "select cast(changes as text) from audit",
        "select body from idempotency",
        "select cast(payload as text) from outbox",
    ] {
        all.extend(shop.texts(sql).await);
    }
    all.join("\n")
}

/// Every answer that tells something of a destination.
async fn told(staff: &Client, destination: i64) -> String {
    let mut all = String::new();
    for path in ["", "/secrets", "/dead_letters"] {
        let answer = staff.get(&format!("{PATH}/{destination}{path}")).await;
        assert_eq!(answer.status, 200);
        all += &String::from_utf8_lossy(&answer.body);
    }
    all + &String::from_utf8_lossy(&staff.get(PATH).await.body)
}

/// Pointers of what is wrong with a body.
fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors");
    errors.iter().map(|error| error["pointer"].as_str().expect("text")).collect()
}

async fn keyed(staff: &Client, path: &str, body: Option<Value>, key: &str) -> Answer {
    staff.send(Method::POST, path, body, &[("idempotency-key", key)]).await
}

on_both_engines! {
    async fn a_webhook_is_added_with_a_secret_that_is_shown_once(shop: TestShop) {
        let staff = shop.staff().await;
        let body = json!({
            "name": "warehouse", "kind": "webhook", "url": "https://hooks.example/in?shop=1",
            "events": ["order.*", "stock.changed"],
        });
        let made = keyed(&staff, PATH, Some(body.clone()), "one").await;
        assert_eq!(made.headers["cache-control"], "no-store");
        assert_eq!(made.headers["etag"], "\"1\"");
        let made = made.expect(201);
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        assert!(secret.starts_with("whsec_"));
        assert_eq!(made["secrets"], json!([{"number": 1, "kind": "hmac", "secret": secret}]));
        assert_eq!(made["state"], "active");
        let destination = id(&made);

        // A repetition does nothing, and does not show it again.
        let again = keyed(&staff, PATH, Some(body), "one").await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let again = again.expect(201);
        assert_eq!((id(&again), &again["secret"]), (destination, &Value::Null));
        keyed(&staff, PATH, Some(webhook("other")), "one")
            .await
            .expect_problem(422, "idempotency_key_reused");
        let bare = &secret["whsec_".len()..];
        let seen = kept(&shop).await + &told(&staff, destination).await;
        assert!(!seen.contains(bare), "{seen}");

        let shown = staff.get(&format!("{PATH}/{destination}")).await.expect(200);
        for (field, value) in [
            ("name", json!("warehouse")),
            ("kind", json!("webhook")),
            ("url", json!("https://hooks.example/in?shop=1")),
            ("events", json!(["order.*", "stock.changed"])),
            ("resources", Value::Null),
            ("exchange", Value::Null),
            ("allow_private", json!(false)),
            ("pending", json!(0)),
            ("pending_is_at_least", json!(false)),
            ("in_flight", json!(0)),
            ("delivered", json!(0)),
            ("dead", json!(0)),
            ("retrying", json!(0)),
            ("oldest_pending_s", Value::Null),
            ("last_error", Value::Null),
        ] {
            assert_eq!(shown[field], value, "{field}");
        }
        shop.verify().await;
    }

    async fn each_kind_has_what_belongs_to_it(shop: TestShop) {
        let staff = shop.staff().await;
        let rest = add(&staff, mirror("mirror")).await;
        assert_eq!(rest["url"], "https://api.example/v1", "collections are added to it");
        let resources = json!({"post": {"path": "/posts", "fields": {"user_id": "userId"}}});
        assert_eq!(rest["resources"], resources);
        assert_eq!(rest["secret"], Value::Null);
        let amqp = add(&staff, broker("broker")).await;
        assert_eq!((&amqp["exchange"], &amqp["secret"]), (&json!("runout"), &Value::Null));
        assert_eq!(amqp["url"], "amqp://shop:***@mq.example/prod");
        let both = json!({
            "name": "both", "kind": "webhook", "url": "https://hooks.example/", "signing": "both",
        });
        let both = add(&staff, both).await;
        assert!(both["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
        assert!(both["public_key"].as_str().is_some_and(|key| key.starts_with("whpk_")));
        let kinds: Vec<&Value> =
            both["secrets"].as_array().expect("two").iter().map(|one| &one["kind"]).collect();
        assert_eq!(kinds, ["hmac", "ed25519"]);
        let known = staff.get(&format!("{PATH}/{}/secrets", id(&both))).await.expect(200);
        assert_eq!(known["items"][0]["public_key"], both["public_key"]);
        assert_eq!(known["items"][1]["public_key"], Value::Null);
        let known = staff.get(&format!("{PATH}/{}/secrets", id(&rest))).await.expect(200);
        assert_eq!(known["items"], json!([]));

        let names = |page: &Value| -> Vec<String> {
            let items = page["items"].as_array().expect("items");
            items.iter().map(|item| item["name"].as_str().expect("text").to_owned()).collect()
        };
        for (query, wanted) in [
            ("", vec!["mirror", "broker", "both"]),
            ("?kind=amqp", vec!["broker"]),
            ("?name__icontains=RO", vec!["mirror", "broker"]),
            ("?state=paused", vec![]),
            ("?sort=name&limit=2", vec!["both", "broker"]),
        ] {
            let page = staff.get(&format!("{PATH}{query}")).await.expect(200);
            assert_eq!(names(&page), wanted, "{query}");
        }
        let first = staff.get(&format!("{PATH}?sort=name&limit=2")).await.expect(200);
        let next = first["next"].as_str().expect("a cursor");
        let rest = staff.get(&format!("{PATH}?sort=name&limit=2&cursor={next}")).await.expect(200);
        assert_eq!(names(&rest), ["mirror"]);
        staff.get(&format!("{PATH}?colour=red")).await.expect(400);
    }

    async fn a_destination_is_changed(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, broker("broker")).await;
        let path = format!("{PATH}/{}", id(&made));
        add(&staff, webhook("taken")).await;
        let patch = json!({"name": "rabbit", "events": ["order.*"]});
        let changed = staff.patch(&path, patch.clone()).await;
        assert_eq!(changed.headers["etag"], "\"2\"");
        let changed = changed.expect(200);
        assert_eq!((&changed["name"], &changed["events"]), (&json!("rabbit"), &json!(["order.*"])));
        // The same again is no change.
        assert_eq!(staff.patch(&path, patch).await.headers["etag"], "\"2\"");
        let all = staff.patch(&path, json!({"events": null})).await.expect(200);
        assert_eq!(all["events"], Value::Null);

        // Another password shows nowhere, but is one.
        let same = json!({"url": "amqp://shop:hunter2@mq.example/prod"});
        assert_eq!(staff.patch(&path, same).await.headers["etag"], "\"3\"");
        let other = json!({"url": "amqp://shop:hunter3@mq.example/prod"});
        let answer = staff.patch(&path, other).await;
        assert_eq!(answer.headers["etag"], "\"4\"");
        assert_eq!(answer.expect(200)["url"], "amqp://shop:***@mq.example/prod");
        let stored = shop.texts("select url from destination where kind = 'amqp'").await;
        let stored = opened("destination", "url", id(&made), &stored[0]);
        assert_eq!(stored, "amqp://shop:hunter3@mq.example/prod");
        let seen = kept(&shop).await + &told(&staff, id(&made)).await;
        assert!(seen.contains("rabbit") && !seen.contains("hunter"), "{seen}");

        for (patch, status, code) in [
            (json!({"name": "taken"}), 409, "name_taken"),
            (json!({"name": ""}), 400, "invalid_body"),
            (json!({"name": null}), 400, "invalid_body"),
            (json!({"url": "https://mq.example"}), 400, "invalid_body"),
            (json!({"url": "amqp://127.0.0.1"}), 400, "invalid_body"),
            (json!({"events": ["nothing"]}), 400, "invalid_body"),
            (json!({"resources": {"post": {"path": "/posts"}}}), 400, "invalid_body"),
            (json!({"kind": "rest"}), 400, "invalid_body"),
        ] {
            let problem = staff.patch(&path, patch.clone()).await.expect_problem(status, code);
            assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{patch}");
        }
        let stale = [("if-match", "\"3\"")];
        staff
            .send(Method::PATCH, &path, Some(json!({"name": "late"})), &stale)
            .await
            .expect_problem(412, "precondition_failed");
        let now = [("if-match", "\"4\"")];
        staff.send(Method::PATCH, &path, Some(json!({"name": "late"})), &now).await.expect(200);
        // What was private may not become forbidden by the back door.
        let local = json!({
            "name": "local", "kind": "webhook", "url": "http://127.0.0.1/", "allow_private": true,
        });
        let local = format!("{PATH}/{}", id(&add(&staff, local).await));
        let public = staff.patch(&local, json!({"allow_private": false})).await;
        let problem = public.expect_problem(400, "invalid_body");
        assert_eq!(pointers(&problem), ["/allow_private"]);
        staff.patch(&format!("{PATH}/999999"), json!({})).await.expect_problem(404, "not_found");
    }

    async fn pausing_and_resuming_can_be_repeated(shop: TestShop) {
        let staff = shop.staff().await;
        let path = format!("{PATH}/{}", id(&add(&staff, webhook("x")).await));
        for (deed, state, version) in [
            ("resume", "active", "\"1\""),
            ("pause", "paused", "\"2\""),
            ("pause", "paused", "\"2\""),
            ("resume", "active", "\"3\""),
        ] {
            let answer = staff.send(Method::POST, &format!("{path}/{deed}"), None, &[]).await;
            assert_eq!(answer.headers["etag"], version, "{deed}");
            assert_eq!(answer.expect(200)["state"], state, "{deed}");
        }
        let disable = "update destination set state = 'disabled', state_reason = 'It is gone.'";
        shop.app.db.script(disable).await.expect("disabled");
        let shown = staff.get(&path).await.expect(200);
        let state = (&shown["state"], &shown["state_reason"]);
        assert_eq!(state, (&json!("disabled"), &json!("It is gone.")));
        let resumed = staff.send(Method::POST, &format!("{path}/resume"), None, &[]).await;
        let resumed = resumed.expect(200);
        assert_eq!((&resumed["state"], &resumed["state_reason"]), (&json!("active"), &Value::Null));
        let stale = [("if-match", "\"1\"")];
        let late = staff.send(Method::POST, &format!("{path}/pause"), None, &stale).await;
        late.expect_problem(412, "precondition_failed");
        let nowhere = format!("{PATH}/999999/pause");
        let nobody = staff.send(Method::POST, &nowhere, None, &[]).await;
        nobody.expect_problem(404, "not_found");
    }

    async fn a_test_is_for_one_destination_alone(shop: TestShop) {
        let staff = shop.staff().await;
        let one = id(&add(&staff, webhook("one")).await);
        let mirror = id(&add(&staff, mirror("mirror")).await);
        add(&staff, webhook("two")).await;
        let path = format!("{PATH}/{one}");
        let test = format!("{path}/test");
        let sent = keyed(&staff, &test, None, "t").await.expect(202);
        assert_eq!(keyed(&staff, &test, None, "t").await.expect(202), sent, "sent once");
        assert_eq!(sent["topic"], "destination.test");
        assert_eq!(shop.number("select count(*) from delivery").await, 1);
        let pair = "select d.destination_id from delivery d join outbox o on o.id = d.outbox_id
            and o.topic = 'destination.test' and d.entity_id = d.destination_id";
        assert_eq!(shop.number(pair).await, one);
        let event = shop.number("select outbox_id from delivery").await;
        assert_eq!(sent["event_id"], format!("evt_{event}"));
        shop.clock.advance(Duration::from_secs(90));
        let shown = staff.get(&path).await.expect(200);
        assert_eq!((&shown["pending"], &shown["oldest_pending_s"]), (&json!(1), &json!(90)));
        keyed(&staff, &test, None, "u").await.expect(202);
        let next = shop.number("select next_delivery from dispatch").await;
        assert_eq!(next, shop.number("select max(id) from delivery").await + 1);
        shop.verify().await;

        staff.send(Method::POST, &format!("{path}/pause"), None, &[]).await.expect(200);
        keyed(&staff, &test, None, "v").await.expect_problem(409, "not_active");
        let mirrors = format!("{PATH}/{mirror}/test");
        keyed(&staff, &mirrors, None, "w").await.expect_problem(409, "is_a_mirror");
        let nowhere = format!("{PATH}/999999/test");
        keyed(&staff, &nowhere, None, "x").await.expect_problem(404, "not_found");
        assert_eq!(shop.number("select count(*) from delivery").await, 2);
    }

    async fn a_destination_takes_with_it_what_waits_for_it(shop: TestShop) {
        let staff = shop.staff().await;
        let path = format!("{PATH}/{}", id(&add(&staff, webhook("x")).await));
        let kept = format!("{PATH}/{}", id(&add(&staff, webhook("kept")).await));
        for place in [&path, &kept] {
            staff.send(Method::POST, &format!("{place}/test"), None, &[]).await.expect(202);
        }
        crate::dead_letters::bury(&shop, 1, 3).await;
        shop.app.db.script(
            "insert into destination_tally (destination_id, delivered) values (1, 7), (2, 8);
            insert into delivery_retry (destination_id, entity, entity_id, delivery_id, lane,
                attempts, first_at, due_at, error)
            select destination_id, entity, entity_id, id, lane, 1, at, at, 'x' from delivery"
        ).await.expect("what the engine leaves");
        shop.verify().await;
        let shown = staff.get(&path).await.expect(200);
        let numbers = ["delivered", "pending", "retrying", "dead"].map(|name| shown[name].clone());
        assert_eq!(numbers, [json!(7), json!(1), json!(1), json!(3)]);
        let stale = [("if-match", "\"9\"")];
        let late = staff.send(Method::DELETE, &path, None, &stale).await;
        late.expect_problem(412, "precondition_failed");
        staff.delete(&path).await.expect(204);
        staff.delete(&path).await.expect_problem(404, "not_found");
        staff.get(&path).await.expect_problem(404, "not_found");
        for sql in [
            "select count(*) from destination where id = 1",
            "select count(*) from destination_secret where destination_id = 1",
            "select count(*) from destination_tally where destination_id = 1",
            "select count(*) from delivery where destination_id = 1",
            "select count(*) from delivery_retry where destination_id = 1",
            "select count(*) from dead_letter where destination_id = 1",
        ] {
            assert_eq!(shop.number(sql).await, 0, "{sql}");
        }
        assert_eq!(shop.number("select count(*) from delivery").await, 1);
        shop.verify().await;
    }

    async fn much_that_waits_is_not_counted_to_the_end(shop: TestShop) {
        let staff = shop.staff().await;
        let path = format!("{PATH}/{}", id(&add(&staff, webhook("x")).await));
        staff.send(Method::POST, &format!("{path}/test"), None, &[]).await.expect(202);
        let many = "insert into delivery
                (destination_id, id, lane, outbox_id, entity, entity_id, at)
            with recursive n (n) as (select 1 union all select n + 1 from n where n < 10100)
            select d.destination_id, d.id + n.n, d.lane, d.outbox_id, d.entity, d.entity_id, d.at
            from delivery d cross join n;
            update dispatch set next_delivery = 20000";
        shop.app.db.script(many).await.expect("rows");
        let shown = staff.get(&path).await.expect(200);
        assert_eq!(shown["pending"], 10_001);
        assert_eq!(shown["pending_is_at_least"], true);
    }

    async fn there_is_a_limit(shop: TestShop) {
        let staff = shop.staff().await;
        add(&staff, webhook("x")).await;
        let many = "insert into destination (id, name, kind, url, created_at, updated_at)
            with recursive n (n) as (select 1 union all select n + 1 from n where n < 199)
            select d.id + n.n, 'n' || n.n, d.kind, d.url, d.created_at, d.updated_at
            from destination d cross join n;
            update id_sequence set next = 500 where name = 'destination'";
        shop.app.db.script(many).await.expect("rows");
        staff.post(PATH, webhook("y")).await.expect_problem(409, "too_many_destinations");
    }
}

/// Topics in the source that destinations cannot ask for by name.
#[test]
fn every_topic_that_is_told_can_be_asked_for() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut told = std::collections::BTreeSet::new();
    let mut folders = vec![root.join("src"), root.join("../core/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("text");
                for call in ["changes.event(", "tell(", "record(snapshot, "] {
                    let calls = text.split(call).skip(1);
                    told.extend(calls.filter_map(topic_of).map(str::to_owned));
                }
            }
        }
    }
    told.remove("destination.test");
    assert!(told.len() > 20, "the source tells topics otherwise by now: {told:?}");
    let known = runout_shop::delivery::topics::TOPICS;
    let unknown: Vec<_> = told.iter().filter(|topic| !known.contains(&topic.as_str())).collect();
    assert!(unknown.is_empty(), "not in delivery/topics.rs: {unknown:?}");
}

/// The first text of a call, if it looks like a topic.
fn topic_of(call: &str) -> Option<&str> {
    let arguments = call.split(';').next()?;
    let text = arguments.split('"').nth(1)?;
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (entity, what) = text.split_once('.')?;
    (plain(entity) && plain(what)).then_some(text)
}
