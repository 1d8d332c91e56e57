//! Dead letters over HTTP: read, edited, replayed one by one and many at once, discarded.

use axum::http::Method;
use runout_store::Engine;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::destinations::{add, webhook};
use crate::on_both_engines;
use crate::support::{Answer, Client, TestShop};

const PATH: &str = "/api/v1/destinations/1/dead_letters";

/// Buries `count` letters of a destination as the engine does: about posts 1, 2, 3 in turn, each
/// with its event.
pub async fn bury(shop: &TestShop, destination: i64, count: i64) {
    let first = shop.number("select coalesce(max(id), 0) + 1 from dead_letter").await;
    let at = |minute: i64| match shop.app.db.engine() {
        Engine::Sqlite => (1_763_726_400_000_000 + minute * 60_000_000).to_string(),
        Engine::Postgres => format!("to_timestamp({})", 1_763_726_400 + minute * 60),
    };
    let mut script = String::new();
    for n in 0..count {
        let (letter, post) = (first + n, n % 3 + 1);
        let (event, at, payload) = (10_000 + letter, at(n), format!(r#"{{"id":{post},"n":{n}}}"#));
        let (topic, reason) = match n % 2 {
            0 => ("post.created", "refused"),
            _ => ("post.updated", "exhausted"),
        };
        script += &format!(
            "insert into outbox (id, at, topic, entity, entity_id, payload)
                values ({event}, {at}, '{topic}', 'post', {post}, '{payload}');
            insert into dead_letter (id, destination_id, outbox_id, lane, topic, entity, entity_id,
                at, died_at, payload, reason, attempts, request, response, status)
            values ({letter}, {destination}, {event}, 3, '{topic}', 'post', {post}, {at}, {at},
                '{payload}', '{reason}', 4, 'POST https://hooks.example/in', '422: no', 422);\n"
        );
    }
    script +=
        &format!("update id_sequence set next = {} where name = 'dead_letter'", first + count);
    shop.app.db.script(&script).await.expect("letters");
}

async fn post(staff: &Client, path: &str) -> Answer {
    staff.send(Method::POST, path, None, &[]).await
}

fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().expect("items").iter().map(id).collect()
}

/// A shop with a webhook, number 1, that has so many dead letters.
async fn with_letters(shop: &TestShop, count: i64) -> Client {
    let staff = shop.staff().await;
    assert_eq!(id(&add(&staff, webhook("x")).await), 1);
    bury(shop, 1, count).await;
    staff
}

on_both_engines! {
    async fn letters_are_listed_and_read(shop: TestShop) {
        let staff = with_letters(&shop, 7).await;
        for (query, wanted) in [
            ("", vec![7, 6, 5, 4, 3, 2, 1]),
            ("?topic=post.updated", vec![6, 4, 2]),
            ("?entity=post&entity_id=2", vec![5, 2]),
            ("?reason=refused&limit=2", vec![7, 5]),
            ("?state=replaying", vec![]),
            ("?state=dead&sort=id&limit=3", vec![1, 2, 3]),
            ("?died_at__gte=2025-11-21T12:05:00Z", vec![7, 6]),
            ("?id__lte=2", vec![2, 1]),
        ] {
            let page = staff.get(&format!("{PATH}{query}")).await.expect(200);
            assert_eq!(ids(&page), wanted, "{query}");
        }
        let first = staff.get(&format!("{PATH}?limit=4")).await.expect(200);
        let next = first["next"].as_str().expect("a cursor");
        let rest = staff.get(&format!("{PATH}?limit=4&cursor={next}")).await.expect(200);
        assert_eq!(ids(&rest), [3, 2, 1]);
        staff.get(&format!("{PATH}?state=buried")).await.expect(400);
        staff.get("/api/v1/destinations/9/dead_letters").await.expect_problem(404, "not_found");

        let shown = staff.get("/api/v1/dead_letters/2").await;
        assert_eq!(shown.headers["etag"], "\"1\"");
        assert_eq!(
            shown.expect(200),
            json!({
                "id": 2, "destination_id": 1, "event_id": "evt_10002", "topic": "post.updated",
                "entity": "post", "entity_id": 2, "at": "2025-11-21T12:01:00Z",
                "died_at": "2025-11-21T12:01:00Z", "reason": "exhausted", "attempts": 4,
                "status": 422, "state": "dead", "note": null, "payload": {"id": 2, "n": 1},
                "request": "POST https://hooks.example/in", "response": "422: no",
            })
        );
        staff.get("/api/v1/dead_letters/99").await.expect_problem(404, "not_found");
    }

    async fn a_letter_is_edited_and_replayed_once(shop: TestShop) {
        let staff = with_letters(&shop, 3).await;
        let letter = "/api/v1/dead_letters/2";
        for body in [json!({}), json!({"payload": [1]}), json!({"payload": null}),
            json!({"payload": {"a": "x".repeat(65_536)}}), json!({"payload": {}, "state": "dead"})]
        {
            staff.patch(letter, body).await.expect_problem(400, "invalid_body");
        }
        let patch = json!({"payload": {"id": 2, "n": 5, "title": "Mended"}});
        let stale = [("if-match", "\"7\"")];
        let late = staff.send(Method::PATCH, letter, Some(patch.clone()), &stale).await;
        late.expect_problem(412, "precondition_failed");
        let edited = staff.patch(letter, patch.clone()).await;
        assert_eq!(edited.headers["etag"], "\"2\"");
        assert_eq!(edited.expect(200)["payload"], patch["payload"]);
        assert_eq!(staff.patch(letter, patch.clone()).await.headers["etag"], "\"2\"", "the same");

        let replay = format!("{PATH}/2/replay");
        let key = [("idempotency-key", "once")];
        let first = staff.send(Method::POST, &replay, None, &key).await.expect(202);
        assert_eq!(first["state"], "replaying");
        let again = staff.send(Method::POST, &replay, None, &key).await.expect(202);
        assert_eq!(again, first);
        post(&staff, &replay).await.expect_problem(409, "already_replaying");
        staff.patch(letter, patch).await.expect_problem(409, "already_replaying");
        assert_eq!(shop.number("select count(*) from delivery").await, 1);
        let delivery = "select destination_id || ' ' || lane || ' ' || outbox_id || ' ' || entity
            || ' ' || entity_id || ' ' || letter_id from delivery";
        assert_eq!(shop.texts(delivery).await, ["1 3 10002 post 2 2"]);
        let payload = &shop.texts("select cast(payload as text) from delivery").await[0];
        let payload: Value = serde_json::from_str(payload).expect("JSON");
        assert_eq!(payload["title"], "Mended");
        shop.verify().await;

        // What the engine makes of it.
        for state in ["delivered", "discarded"] {
            let code = format!("already_{state}");
            let settle = format!("update dead_letter set state = '{state}' where id = 2");
            shop.app.db.script(&settle).await.expect("settled");
            post(&staff, &replay).await.expect_problem(409, &code);
        }
        post(&staff, &format!("{PATH}/99/replay")).await.expect_problem(404, "not_found");
        // Another destination's.
        add(&staff, webhook("other")).await;
        let other = "/api/v1/destinations/2/dead_letters/1/replay";
        post(&staff, other).await.expect_problem(404, "not_found");
        let nowhere = "/api/v1/destinations/9/dead_letters/1/replay";
        post(&staff, nowhere).await.expect_problem(404, "not_found");
    }

    async fn many_are_replayed_in_the_order_of_their_events(shop: TestShop) {
        let staff = with_letters(&shop, 9).await;
        // Died in another order than they happened.
        shop.app.db.script(
            "update dead_letter set outbox_id = 20000 where id = 4;
            update dead_letter set outbox_id = 10004 where id = 7;
            update dead_letter set outbox_id = 10007 where id = 4;
            update dispatch set next_delivery = 50"
        ).await.expect("other numbers");
        let replay = format!("{PATH}/replay");
        for body in [json!({"limit": 0}), json!({"limit": 1_001}), json!({"from_id": 0}),
            json!({"reason": "old"}), json!({"topics": "x"}), json!({"died_after": "today"})]
        {
            staff.post(&replay, body).await.expect_problem(400, "invalid_body");
        }
        let range = json!({"from_id": 2, "to_id": 8, "topic": "post.updated", "entity": "post",
            "reason": "exhausted", "died_after": "2025-11-21T12:01:00Z",
            "died_before": "2025-11-21T12:07:00Z", "limit": 2});
        let body = || Some(range.clone());
        let key = [("idempotency-key", "once")];
        let done = staff.send(Method::POST, &replay, body(), &key).await.expect(202);
        assert_eq!(done, json!({"replayed": 2, "more": true}));
        assert_eq!(staff.send(Method::POST, &replay, body(), &key).await.expect(202), done);
        let done = staff.post(&replay, range.clone()).await.expect(202);
        assert_eq!(done, json!({"replayed": 1, "more": false}));
        let done = staff.post(&replay, range).await.expect(202);
        assert_eq!(done, json!({"replayed": 0, "more": false}));
        let letters = "select cast(letter_id as text) from delivery order by id";
        assert_eq!(shop.texts(letters).await, ["2", "4", "6"]);

        let done = staff.post(&replay, json!({})).await.expect(202);
        assert_eq!(done, json!({"replayed": 6, "more": false}));
        assert_eq!(shop.texts(letters).await, ["2", "4", "6", "1", "3", "7", "5", "8", "9"]);
        assert_eq!(shop.number("select min(id) from delivery").await, 50);
        assert_eq!(shop.number("select next_delivery from dispatch").await, 59);
        let dead = "select count(*) from dead_letter where state <> 'replaying'";
        assert_eq!(shop.number(dead).await, 0);
        shop.verify().await;
        let nowhere = "/api/v1/destinations/9/dead_letters/replay";
        staff.post(nowhere, json!({})).await.expect_problem(404, "not_found");
    }

    async fn a_letter_is_discarded_with_a_note(shop: TestShop) {
        let staff = with_letters(&shop, 2).await;
        let discard = format!("{PATH}/1/discard");
        for body in [json!({}), json!({"note": " "}), json!({"note": "x".repeat(501)})] {
            staff.post(&discard, body).await.expect_problem(400, "invalid_body");
        }
        let stale = [("if-match", "\"2\"")];
        let note = || Some(json!({"note": "Entered by hand."}));
        let late = staff.send(Method::POST, &discard, note(), &stale).await;
        late.expect_problem(412, "precondition_failed");
        let done = staff.post(&discard, note().expect("a note")).await.expect(200);
        let state = (&done["state"], &done["note"]);
        assert_eq!(state, (&json!("discarded"), &json!("Entered by hand.")));
        let again = staff.post(&discard, json!({"note": "Twice."})).await;
        again.expect_problem(409, "already_discarded");
        post(&staff, &format!("{PATH}/1/replay")).await.expect_problem(409, "already_discarded");
        staff.post(&format!("{PATH}/replay"), json!({})).await.expect(202);
        let states = "select state from dead_letter order by id";
        assert_eq!(shop.texts(states).await, ["discarded", "replaying"]);
        let notes = shop.texts("select cast(changes as text) from audit
            where action = 'dead_letter.discard'").await;
        assert!(notes.len() == 1 && notes[0].contains("Entered by hand."), "{notes:?}");
        let other = "/api/v1/destinations/9/dead_letters/2/discard";
        staff.post(other, json!({"note": "x"})).await.expect_problem(409, "already_replaying");
        shop.verify().await;
    }
}
