//! An account's own addresses: kept, changed, deleted, and seen by nobody else.

use axum::http::Method;
use runout_shop::addresses::ADDRESSES_PER_ACCOUNT_MAX;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::support::TestShop;

const PATH: &str = "/api/v1/addresses";

fn berlin() -> Value {
    json!({"name": "Ana Lea", "line1": "Rillengasse 33", "postal_code": "10115", "city": "Berlin",
        "country": "DE"})
}

async fn texts(shop: &TestShop, sql: &'static str) -> Vec<String> {
    let statement = runout_store::Composer::new(sql).finish();
    shop.app.db.read(statement, |row| row.get(0)).await.expect("reads")
}

on_both_engines! {
    async fn an_address_is_stored_replaced_and_deleted(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let answer = ana.post(PATH, berlin()).await;
        let (location, etag) = (answer.headers["location"].clone(), answer.headers["etag"].clone());
        let made = answer.expect(201);
        let path = format!("{PATH}/{}", id(&made));
        assert_eq!((location.to_str().expect("text"), etag.to_str().expect("text")),
            (path.as_str(), "\"1\""));
        let mut expected = berlin();
        for (field, value) in [
            ("id", json!(id(&made))),
            ("line2", json!("")),
            ("region", json!("")),
            ("created_at", json!("2026-11-21T12:00:00Z")),
            ("updated_at", json!("2026-11-21T12:00:00Z")),
        ] {
            expected[field] = value;
        }
        assert_eq!(made, expected);
        assert_eq!(ana.get(&path).await.expect(200), made);

        let same = ana.put(&path, berlin()).await;
        assert_eq!(same.headers["etag"], "\"1\"");
        shop.clock.advance(std::time::Duration::from_secs(5));
        let tokyo = json!({"name": "安娜", "line1": "1-2-3", "line2": "404", "postal_code": "",
            "city": "東京", "region": "東京都", "country": "JP"});
        let answer = ana.put(&path, tokyo).await;
        assert_eq!(answer.headers["etag"], "\"2\"");
        let moved = answer.expect(200);
        assert_eq!((&moved["city"], &moved["line2"]), (&json!("東京"), &json!("404")));
        assert_eq!(moved["created_at"], made["created_at"]);
        assert_eq!(moved["updated_at"], "2026-11-21T12:00:05Z");
        assert_eq!(ana.get(&path).await.expect(200), moved);
        let emptied = ana.put(&path, berlin()).await.expect(200);
        assert_eq!(emptied["line2"], "", "what a whole address does not name is empty");

        ana.delete(&path).await.expect(204);
        ana.delete(&path).await.expect_problem(404, "not_found");
        ana.get(&path).await.expect_problem(404, "not_found");
        ana.put(&path, berlin()).await.expect_problem(404, "not_found");
        let events = "select topic from outbox where entity = 'address' order by id";
        assert_eq!(texts(&shop, events).await,
            ["address.created", "address.updated", "address.updated", "address.deleted"]);
        let told = [
            texts(&shop, "select cast(payload as text) from outbox where entity = 'address'").await,
            texts(&shop, "select cast(changes as text) from audit where entity = 'address'").await,
        ]
        .concat();
        assert_eq!(told.len(), 8);
        for secret in ["Ana", "Rillengasse", "10115", "Berlin", "東京"] {
            assert!(told.iter().all(|text| !text.contains(secret)), "{secret} in {told:?}");
        }
        assert!(told.iter().any(|text| text.contains("postal_code")), "{told:?}");
    }

    async fn what_is_no_address_is_refused_with_the_field(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let made = ana.post(PATH, berlin()).await.expect(201);
        let path = format!("{PATH}/{}", id(&made));
        for (field, value) in [
            ("name", json!(" ")),
            ("name", json!("n".repeat(201))),
            ("line1", json!("a\nb")),
            ("line2", json!("l".repeat(201))),
            ("postal_code", json!("1".repeat(21))),
            ("city", json!("")),
            ("region", json!("\u{7}")),
            ("country", json!("UK")),
            ("country", json!("de")),
            ("country", json!(49)),
            ("city", Value::Null),
            ("phone", json!("1")),
        ] {
            let mut body = berlin();
            body[field] = value;
            for answer in [ana.post(PATH, body.clone()).await, ana.put(&path, body.clone()).await] {
                let problem = answer.expect_problem(400, "invalid_body");
                assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
            }
        }
        for field in ["name", "line1", "postal_code", "city", "country"] {
            let mut body = berlin();
            body.as_object_mut().expect("an object").remove(field);
            let problem = ana.post(PATH, body).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"));
        }
    }

    async fn nobody_sees_the_addresses_of_others(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let made = ana.post(PATH, berlin()).await.expect(201);
        let path = format!("{PATH}/{}", id(&made));
        for other in [shop.customer("bia").await, shop.staff().await, shop.superuser().await] {
            other.get(&path).await.expect_problem(404, "not_found");
            other.put(&path, berlin()).await.expect_problem(404, "not_found");
            other.delete(&path).await.expect_problem(404, "not_found");
            assert_eq!(other.get(PATH).await.expect(200), json!({"items": [], "next": null}));
        }
        shop.anonymous().get(&path).await.expect_problem(401, "unauthorized");
        assert_eq!(ana.get(PATH).await.expect(200)["items"], json!([made]));
    }

    async fn an_etag_guards_and_a_key_repeats(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let send = |method, path: String, body, header: (&'static str, &'static str)| {
            let ana = ana.clone();
            async move { ana.send(method, &path, body, &[header]).await }
        };
        let post = |body| send(Method::POST, PATH.to_owned(), Some(body), ("idempotency-key", "a"));
        let keyed = || post(berlin());
        let first = keyed().await.expect(201);
        let again = keyed().await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        let mut other = berlin();
        other["city"] = json!("Bonn");
        post(other.clone()).await.expect_problem(422, "idempotency_key_reused");
        let path = format!("{PATH}/{}", id(&first));
        let put = |body, header| send(Method::PUT, path.clone(), Some(body), header);
        put(other.clone(), ("if-match", "\"2\"")).await.expect_problem(412, "precondition_failed");
        put(other.clone(), ("if-match", "\"1\"")).await.expect(200);
        put(berlin(), ("idempotency-key", "b")).await.expect(200);
        let again = put(berlin(), ("idempotency-key", "b")).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let delete = |header| send(Method::DELETE, path.clone(), None, header);
        delete(("if-match", "\"1\"")).await.expect_problem(412, "precondition_failed");
        delete(("idempotency-key", "c")).await.expect(204);
        let again = delete(("idempotency-key", "c")).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        again.expect(204);
        assert_eq!(ana.get(PATH).await.expect(200)["items"], json!([]));
    }

    async fn an_account_has_so_many_and_they_are_listed(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let last = ADDRESSES_PER_ACCOUNT_MAX - 1;
        let mut made = Vec::new();
        for number in 0..last {
            let mut body = berlin();
            body["line1"] = json!(format!("Street {number}"));
            made.push(ana.post(PATH, body).await.expect(201));
        }
        let both = futures::future::join_all((0..4).map(|_| ana.post(PATH, berlin()))).await;
        let created = both.iter().filter(|answer| answer.status == 201).count();
        let refused = both.iter().filter(|answer| answer.status == 409).count();
        assert_eq!((created, refused), (1, 3), "one place was left");
        ana.post(PATH, berlin()).await.expect_problem(409, "too_many_addresses");
        bia.post(PATH, berlin()).await.expect(201);
        let mut seen = Vec::new();
        let mut address = format!("{PATH}?limit=20");
        loop {
            let page = ana.get(&address).await.expect(200);
            seen.extend(page["items"].as_array().expect("items").clone());
            let Some(next) = page["next"].as_str() else { break };
            address = format!("{PATH}?limit=20&cursor={next}");
        }
        assert_eq!(seen.len(), ADDRESSES_PER_ACCOUNT_MAX as usize);
        assert_eq!(seen[..last as usize], made, "the oldest first");
        assert_eq!(ana.get(&format!("{PATH}?country=FR")).await.expect(200)["items"], json!([]));
    }
}
