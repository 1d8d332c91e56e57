//! Discounts over HTTP: adding, changing, switching off, and every refusal.

use axum::http::Method;
use runout_shop::discounts::{model, queries};
use runout_store::{Sql, Statement, Step};
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::seam::transactions::Run;
use crate::support::{Client, TestShop};

const PATH: &str = "/api/v1/discounts";

async fn add(staff: &Client, body: Value) -> Value {
    staff.post(PATH, body).await.expect(201)
}

async fn texts(shop: &TestShop, sql: &'static str) -> Vec<String> {
    let statement = runout_store::Composer::new(sql).finish();
    shop.app.db.read(statement, |row| row.get(0)).await.expect("reads")
}

/// A statement that the stock writer's batches use.
fn of_the_writer(name: &str) -> &'static Sql {
    let mut all = runout_shop::discounts::statements().into_iter();
    all.find(|sql| sql.name == name).expect("a statement of this name")
}

fn ints(values: &[i64]) -> Vec<runout_store::Value> {
    values.iter().map(|value| (*value).into()).collect()
}

/// What is counted for customers a, b and c of discounts 1 and 2: discount, customer, uses.
async fn uses(shop: &TestShop) -> Vec<(i64, String, i64)> {
    let discounts = vec![1_i64, 1, 1, 2, 2];
    let customers: Vec<String> = ["a", "a", "b", "a", "c"].map(str::to_owned).into();
    let params = vec![discounts.into(), customers.into()];
    let statement = Statement::new(of_the_writer("USES_OF"), params);
    let read = shop.app.db.read(statement, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let mut rows: Vec<(i64, String, i64)> = read.await.expect("reads");
    rows.sort();
    rows
}

on_both_engines! {
    async fn uses_are_stored_and_counted_by_the_writers_statements(shop: TestShop) {
        let staff = shop.staff().await;
        for code in ["ONE", "TWO", "THREE"] {
            add(&staff, json!({"code": code, "percent": "10", "uses_max": 9})).await;
        }
        let customers = |names: [&str; 4]| names.map(runout_store::Value::from).into();
        let store = move || {
            vec![
                Statement::bulk(
                    of_the_writer("INSERT_USES"),
                    vec![
                        ints(&[1, 1, 2, 1]),
                        customers(["a", "a", "a", "z"]),
                        ints(&[11, 12, 11, 13]),
                    ],
                ),
                Statement::bulk(of_the_writer("ADD_USES"), vec![ints(&[1, 2]), ints(&[3, 1])]),
            ]
        };
        shop.app.db.transact(Run::storing(store)).await.expect("stored");
        let named = |rows: &[(i64, &str, i64)]| -> Vec<(i64, String, i64)> {
            rows.iter().map(|(id, name, uses)| (*id, (*name).to_owned(), *uses)).collect()
        };
        assert_eq!(uses(&shop).await, named(&[(1, "a", 2), (2, "a", 1)]));
        let back = move || {
            vec![
                Statement::bulk(
                    of_the_writer("DELETE_USES"),
                    vec![ints(&[1, 2]), vec!["a".into(), "nobody".into()], ints(&[11, 11])],
                ),
                Statement::bulk(of_the_writer("ADD_USES"), vec![ints(&[1]), ints(&[-1])]),
            ]
        };
        shop.app.db.transact(Run::storing(back)).await.expect("stored");
        assert_eq!(uses(&shop).await, named(&[(1, "a", 1), (2, "a", 1)]));
        let too_many_back =
            || vec![Statement::bulk(of_the_writer("ADD_USES"), vec![ints(&[2]), ints(&[-2])])];
        let refused = shop.app.db.transact(Run::storing(too_many_back)).await;
        assert!(refused.expect_err("below 0").is_constraint("discount_uses_check"));

        let load = || {
            vec![Statement::new(of_the_writer("DISCOUNTS"), vec![vec![3_i64, 2, 1, 99].into()])]
        };
        let read = Run::new(load, |loaded| {
            let rules = loaded[0].map(|row| model::read_rule(&row))?;
            Ok(Step::Store(Vec::new(), rules))
        });
        let rules = shop.app.db.transact(read).await.expect("loaded");
        let seen: Vec<_> = rules.iter().map(|rule| (rule.id.0, rule.uses)).collect();
        assert_eq!(seen, [(1, 2), (2, 1), (3, 0)]);
        let one = queries::by_code(&shop.app, " one ").await.expect("reads").expect("is there");
        assert_eq!(one.0, 1);
        assert_eq!(queries::by_code(&shop.app, "FOUR").await.expect("reads"), None);
        let shown = staff.get(&format!("{PATH}/1")).await;
        assert_eq!(shown.headers["etag"], "\"1\"", "a use is no change of the terms");
        assert_eq!(shown.expect(200)["uses"], 2);
    }

    async fn a_discount_is_added_and_shown(shop: TestShop) {
        let staff = shop.staff().await;
        let body = json!({
            "code": "Spring-26", "percent": "12.50", "starts_at": "2026-11-21T12:00:00.123456789Z",
            "ends_at": "2026-12-01T00:00:00Z", "uses_max": 100, "uses_per_customer_max": 1,
        });
        let answer = staff.post(PATH, body).await;
        let (location, etag) = (answer.headers["location"].clone(), answer.headers["etag"].clone());
        let made = answer.expect(201);
        assert_eq!(location, format!("{PATH}/{}", id(&made)));
        assert_eq!(etag, "\"1\"");
        let expected = json!({
            "id": id(&made), "code": "Spring-26", "percent": "12.5", "amount_minor": null,
            "amount": null, "currency": null, "active": true,
            "starts_at": "2026-11-21T12:00:00.123456Z", "ends_at": "2026-12-01T00:00:00Z",
            "uses_max": 100, "uses_per_customer_max": 1, "uses": 0,
            "created_at": "2026-11-21T12:00:00Z", "updated_at": "2026-11-21T12:00:00Z",
        });
        assert_eq!(made, expected);
        let shown = staff.get(&format!("{PATH}/{}", id(&made))).await;
        assert_eq!(shown.headers["etag"], "\"1\"");
        assert_eq!(shown.expect(200), expected);
        for (body, minor, amount, currency) in [
            (json!({"code": "A", "currency": "EUR", "amount": "5"}), 500, "5.00", "EUR"),
            (json!({"code": "B", "currency": "JPY", "amount_minor": 300}), 300, "300", "JPY"),
            (json!({"code": "C", "currency": "BHD", "amount": "0.001"}), 1, "0.001", "BHD"),
        ] {
            let made = add(&staff, body).await;
            let told = (&made["amount_minor"], &made["amount"], &made["currency"]);
            assert_eq!(told, (&json!(minor), &json!(amount), &json!(currency)));
            assert_eq!(made["percent"], Value::Null);
        }
        let events = texts(&shop, "select topic from outbox where entity = 'discount'").await;
        assert_eq!(events, ["discount.created"; 4]);
        let audit = texts(&shop, "select action from audit where entity = 'discount'").await;
        assert_eq!(audit, ["discount.create"; 4]);
    }

    async fn what_makes_no_sense_is_refused_with_the_field(shop: TestShop) {
        let staff = shop.staff().await;
        let eur = |amount: &str| json!({"code": "A", "currency": "EUR", "amount": amount});
        let window = |from: &str, to: &str| {
            json!({"code": "A", "percent": "1", "starts_at": from, "ends_at": to})
        };
        for (body, pointer) in [
            (json!({"percent": "10"}), "/code"),
            (json!({"code": "", "percent": "10"}), "/code"),
            (json!({"code": "TWO WORDS", "percent": "10"}), "/code"),
            (json!({"code": "ÜBER", "percent": "10"}), "/code"),
            (json!({"code": "x".repeat(65), "percent": "10"}), "/code"),
            (json!({"code": "A"}), "/percent"),
            (json!({"code": "A", "percent": "0"}), "/percent"),
            (json!({"code": "A", "percent": "100.01"}), "/percent"),
            (json!({"code": "A", "percent": "12.345"}), "/percent"),
            (json!({"code": "A", "percent": "ten"}), "/percent"),
            (json!({"code": "A", "percent": 10}), "/percent"),
            (json!({"code": "A", "percent": "10", "amount_minor": 5}), "/percent"),
            (json!({"code": "A", "percent": "10", "currency": "EUR"}), "/currency"),
            (json!({"code": "A", "amount": "5"}), "/currency"),
            (json!({"code": "A", "currency": "EUR"}), "/amount"),
            (json!({"code": "A", "currency": "EURO", "amount": "5"}), "/currency"),
            (eur("0"), "/amount"),
            (eur("-1"), "/amount"),
            (eur("1.005"), "/amount"),
            (json!({"code": "A", "currency": "EUR", "amount": 5.5}), "/amount"),
            (json!({"code": "A", "currency": "EUR", "amount_minor": 0}), "/amount_minor"),
            (
                json!({"code": "A", "currency": "EUR", "amount_minor": 1, "amount": "1"}),
                "/amount_minor",
            ),
            (window("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"), "/ends_at"),
            (window("2026-12-02T00:00:00Z", "2026-12-01T00:00:00Z"), "/ends_at"),
            (window("1066-12-02T00:00:00Z", "2026-12-01T00:00:00Z"), "/starts_at"),
            (json!({"code": "A", "percent": "1", "uses_max": 0}), "/uses_max"),
            (
                json!({"code": "A", "percent": "1", "uses_per_customer_max": -1}),
                "/uses_per_customer_max",
            ),
            (json!({"code": "A", "percent": "1", "uses": 3}), "/uses"),
        ] {
            let problem = staff.post(PATH, body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        assert_eq!(staff.get(PATH).await.expect(200), json!({"items": [], "next": null}));
    }

    async fn a_code_is_given_once_in_any_case(shop: TestShop) {
        let staff = shop.staff().await;
        let body = |code: &str| json!({"code": code, "percent": "10"});
        let first = add(&staff, body("Spring")).await;
        for code in ["Spring", "SPRING", "spring"] {
            let problem = staff.post(PATH, body(code)).await.expect_problem(409, "code_taken");
            assert_eq!(problem["errors"][0]["pointer"], "/code");
        }
        let other = add(&staff, body("AUTUMN")).await;
        let path = format!("{PATH}/{}", id(&other));
        staff.patch(&path, json!({"code": "sprinG"})).await.expect_problem(409, "code_taken");
        staff.patch(&path, json!({"code": "autumn"})).await.expect(200);
        staff.patch(&path, json!({"code": "winter"})).await.expect(200);
        staff.delete(&format!("{PATH}/{}", id(&first))).await.expect(204);
        staff.post(PATH, body("SPRING")).await.expect_problem(409, "code_taken");
        add(&staff, body("AUTUMN")).await;
        let all = (0..6).map(|_| staff.post(PATH, body("race")));
        let answers = futures::future::join_all(all).await;
        let count = |status: u16| answers.iter().filter(|a| a.status.as_u16() == status).count();
        assert_eq!((count(201), count(409)), (1, 5));
    }

    async fn a_patch_changes_what_it_names(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, json!({"code": "A", "percent": "10", "uses_max": 5,
            "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"})).await;
        let path = format!("{PATH}/{}", id(&made));
        shop.clock.advance(std::time::Duration::from_secs(5));
        let answer = staff.patch(&path, json!({"currency": "EUR", "amount": "5"})).await;
        assert_eq!(answer.headers["etag"], "\"2\"");
        let changed = answer.expect(200);
        assert_eq!((&changed["percent"], &changed["amount"]), (&Value::Null, &json!("5.00")));
        assert_eq!((&changed["code"], &changed["uses_max"]), (&made["code"], &made["uses_max"]));
        assert_eq!(changed["updated_at"], "2026-11-21T12:00:05Z");
        let changed = staff.patch(&path, json!({"percent": "20"})).await.expect(200);
        assert_eq!((&changed["percent"], &changed["currency"]), (&json!("20"), &Value::Null));
        let lifted = json!({"uses_max": null, "starts_at": null, "ends_at": null, "active": false});
        let changed = staff.patch(&path, lifted).await.expect(200);
        for field in ["uses_max", "starts_at", "ends_at"] {
            assert_eq!(changed[field], Value::Null);
        }
        assert_eq!(changed["active"], false);
        let window = json!({"starts_at": "2026-12-01T00:00:00Z"});
        staff.patch(&path, window).await.expect(200);
        for (body, pointer) in [
            (json!({"ends_at": "2026-12-01T00:00:00Z"}), "/ends_at"),
            (json!({"code": null}), "/code"),
            (json!({"code": "a b"}), "/code"),
            (json!({"active": null}), "/active"),
            (json!({"percent": null}), "/percent"),
            (json!({"percent": "101"}), "/percent"),
            (json!({"amount": "5"}), "/currency"),
            (json!({"currency": "EUR"}), "/amount"),
            (json!({"percent": "5", "currency": "EUR", "amount": "5"}), "/percent"),
            (json!({"uses_max": 0}), "/uses_max"),
            (json!({"uses": 0}), "/uses"),
        ] {
            let problem =
                staff.patch(&path, body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        let etag = staff.get(&path).await.headers["etag"].clone();
        for nothing in [json!({}), json!({"percent": "20.0", "code": "A"})] {
            assert_eq!(staff.patch(&path, nothing).await.headers["etag"], etag);
        }
        let topics = texts(&shop, "select topic from outbox where entity = 'discount'").await;
        assert_eq!(topics.len(), 5, "what changes nothing writes nothing: {topics:?}");
        staff.patch(&format!("{PATH}/999"), json!({})).await.expect_problem(404, "not_found");
        staff.get(&format!("{PATH}/999")).await.expect_problem(404, "not_found");
    }

    async fn deleting_switches_off_and_etags_guard(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, json!({"code": "A", "percent": "10"})).await;
        let path = format!("{PATH}/{}", id(&made));
        let send = |method, body, tag: &'static str| {
            let (staff, path) = (staff.clone(), path.clone());
            async move { staff.send(method, &path, body, &[("if-match", tag)]).await }
        };
        let uses = |max| Some(json!({"uses_max": max}));
        send(Method::PATCH, uses(1), "\"1\"").await.expect(200);
        send(Method::PATCH, uses(2), "\"1\"").await.expect_problem(412, "precondition_failed");
        send(Method::DELETE, None, "\"1\"").await.expect_problem(412, "precondition_failed");
        send(Method::DELETE, None, "\"2\"").await.expect(204);
        let off = staff.get(&path).await;
        assert_eq!(off.headers["etag"], "\"3\"");
        assert_eq!(off.expect(200)["active"], false);
        staff.delete(&path).await.expect(204);
        assert_eq!(staff.get(&path).await.headers["etag"], "\"3\"", "it was off already");
        staff.delete(&format!("{PATH}/999")).await.expect_problem(404, "not_found");
        let changes =
            "select cast(changes as text) from audit where entity = 'discount' order by id";
        let audit = texts(&shop, changes).await;
        let last: Value = serde_json::from_str(audit.last().expect("a row")).expect("JSON");
        assert_eq!(last, json!({"active": [true, false]}));
    }

    async fn a_key_makes_a_discount_once(shop: TestShop) {
        let staff = shop.staff().await;
        let send = |method, path: String, body: Option<Value>, key: &'static str| {
            let staff = staff.clone();
            async move { staff.send(method, &path, body, &[("idempotency-key", key)]).await }
        };
        let body = |percent: &str| Some(json!({"code": "A", "percent": percent}));
        let first = send(Method::POST, PATH.to_owned(), body("10"), "k1").await.expect(201);
        let again = send(Method::POST, PATH.to_owned(), body("10"), "k1").await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        send(Method::POST, PATH.to_owned(), body("20"), "k1")
            .await
            .expect_problem(422, "idempotency_key_reused");
        let path = format!("{PATH}/{}", id(&first));
        let patch = || Some(json!({"uses_max": 3}));
        let changed = send(Method::PATCH, path.clone(), patch(), "k2").await.expect(200);
        assert_eq!(send(Method::PATCH, path.clone(), patch(), "k2").await.expect(200), changed);
        for replayed in [false, true] {
            let answer = send(Method::DELETE, path.clone(), None, "k3").await;
            assert_eq!(answer.headers.contains_key("idempotency-replayed"), replayed);
            answer.expect(204);
        }
        let made = texts(&shop, "select topic from outbox where topic = 'discount.created'").await;
        assert_eq!(made.len(), 1);
    }

    async fn discounts_are_listed(shop: TestShop) {
        let staff = shop.staff().await;
        let mut made = Vec::new();
        for (code, active) in [("ONE", true), ("TWO", false), ("THREE", true)] {
            let body = json!({"code": code, "percent": "10", "active": active});
            made.push(add(&staff, body).await);
            shop.clock.advance(std::time::Duration::from_secs(1));
        }
        let eur = json!({"code": "FOUR", "currency": "EUR", "amount": "1"});
        made.push(add(&staff, eur).await);
        for (query, wanted) in [
            ("", vec![3, 2, 1, 0]),
            ("?active=true", vec![3, 2, 0]),
            ("?active=false", vec![1]),
            ("?code=TWO", vec![1]),
            ("?code__iexact=two", vec![1]),
            ("?code__istartswith=t", vec![2, 1]),
            ("?currency=EUR", vec![3]),
            ("?currency__isnull=true&sort=created_at", vec![0, 1, 2]),
            ("?uses__gt=0", vec![]),
        ] {
            let page = staff.get(&format!("{PATH}{query}")).await.expect(200);
            let wanted: Vec<&Value> = wanted.into_iter().map(|index| &made[index]).collect();
            assert_eq!(page, json!({"items": wanted, "next": null}), "{query}");
        }
        let mut seen = Vec::new();
        let mut address = format!("{PATH}?limit=1&sort=-created_at");
        loop {
            let page = staff.get(&address).await.expect(200);
            seen.push(page["items"][0].clone());
            let Some(next) = page["next"].as_str() else { break };
            address = format!("{PATH}?limit=1&sort=-created_at&cursor={next}");
        }
        made.reverse();
        assert_eq!(seen, made);
        staff.get(&format!("{PATH}?colour=red")).await.expect(400);
    }
}
