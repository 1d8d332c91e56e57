//! Tax rates over HTTP: setting, reading, deleting, and every refusal.

use axum::http::Method;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::TestShop;

const PATH: &str = "/api/v1/tax_rates";

async fn texts(shop: &TestShop, sql: &'static str) -> Vec<String> {
    let statement = runout_store::Composer::new(sql).finish();
    shop.app.db.read(statement, |row| row.get(0)).await.expect("reads")
}

on_both_engines! {
    async fn a_rate_is_set_read_and_deleted(shop: TestShop) {
        let staff = shop.staff().await;
        let path = format!("{PATH}/standard/DE");
        shop.anonymous().get(&path).await.expect_problem(404, "not_found");
        let answer = staff.put(&path, json!({"rate": "19"})).await;
        assert_eq!(answer.headers["etag"], "\"1\"");
        let set = answer.expect(200);
        assert_eq!(set, json!({"tax_class": "standard", "country": "DE", "rate": "19",
            "rate_ppm": 190_000, "updated_at": "2026-11-21T12:00:00Z"}));
        assert_eq!(shop.anonymous().get(&path).await.expect(200), set);
        shop.clock.advance(std::time::Duration::from_secs(5));
        let same = staff.put(&path, json!({"rate_ppm": 190_000})).await;
        assert_eq!(same.headers["etag"], "\"1\"");
        assert_eq!(same.expect(200), set);
        let answer = staff.put(&path, json!({"rate": "8.8750"})).await;
        assert_eq!(answer.headers["etag"], "\"2\"");
        let changed = answer.expect(200);
        assert_eq!((&changed["rate"], &changed["rate_ppm"]), (&json!("8.875"), &json!(88_750)));
        assert_eq!(changed["updated_at"], "2026-11-21T12:00:05Z");
        assert_eq!(shop.anonymous().get(&path).await.headers["etag"], "\"2\"");
        staff.delete(&path).await.expect(204);
        staff.delete(&path).await.expect_problem(404, "not_found");
        shop.anonymous().get(&path).await.expect_problem(404, "not_found");
        let events = "select topic from outbox where entity = 'tax_rate' order by id";
        let topics = texts(&shop, events).await;
        assert_eq!(topics, ["tax_rate.set", "tax_rate.set", "tax_rate.deleted"]);
        let audit = "select cast(changes as text) from audit where entity = 'tax_rate' order by id";
        let audit: Vec<Value> = texts(&shop, audit)
            .await
            .iter()
            .map(|text| serde_json::from_str(text).expect("JSON"))
            .collect();
        let expected = json!([
            {"standard/DE": [null, "19"]},
            {"standard/DE": ["19", "8.875"]},
            {"standard/DE": ["8.875", null]},
        ]);
        assert_eq!(json!(audit), expected);
    }

    async fn what_makes_no_sense_is_refused_with_the_field(shop: TestShop) {
        let staff = shop.staff().await;
        for (body, pointer) in [
            (json!({}), "/rate"),
            (json!({"rate": "19", "rate_ppm": 190_000}), "/rate_ppm"),
            (json!({"rate": "100.0001"}), "/rate"),
            (json!({"rate": "0.00001"}), "/rate"),
            (json!({"rate": "-1"}), "/rate"),
            (json!({"rate": "19 %"}), "/rate"),
            (json!({"rate": 19}), "/rate"),
            (json!({"rate_ppm": -1}), "/rate_ppm"),
            (json!({"rate_ppm": 1_000_001}), "/rate_ppm"),
            (json!({"percent": "19"}), "/percent"),
        ] {
            let answer = staff.put(&format!("{PATH}/standard/DE"), body.clone()).await;
            let problem = answer.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
        let long = "x".repeat(65);
        for (class, country, pointer) in [
            ("Standard", "DE", "class"),
            ("a%20b", "DE", "class"),
            (&long, "DE", "class"),
            ("standard", "de", "country"),
            ("standard", "UK", "country"),
            ("standard", "EU", "country"),
            ("standard", "DEU", "country"),
            ("standard", "%00%00", "country"),
        ] {
            let path = format!("{PATH}/{class}/{country}");
            for answer in [
                staff.put(&path, json!({"rate": "19"})).await,
                staff.delete(&path).await,
                shop.anonymous().get(&path).await,
            ] {
                let problem = answer.expect_problem(400, "invalid_path");
                assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}");
            }
        }
        for (path, body) in [("a/DE", json!({"rate": "0"})), ("a/AQ", json!({"rate": "100"}))] {
            staff.put(&format!("{PATH}/{path}"), body).await.expect(200);
        }
    }

    async fn an_etag_guards_and_a_key_repeats(shop: TestShop) {
        let staff = shop.staff().await;
        let send = |method, rate: Option<&'static str>, header: (&'static str, &'static str)| {
            let (staff, path) = (staff.clone(), format!("{PATH}/standard/DE"));
            let body = rate.map(|rate| json!({"rate": rate}));
            async move { staff.send(method, &path, body, &[header]).await }
        };
        let put = |rate, header| send(Method::PUT, Some(rate), header);
        put("19", ("if-match", "\"1\"")).await.expect_problem(412, "precondition_failed");
        let first = put("19", ("idempotency-key", "k1")).await.expect(200);
        put("7", ("if-match", "\"1\"")).await.expect(200);
        put("8", ("if-match", "\"1\"")).await.expect_problem(412, "precondition_failed");
        let again = put("19", ("idempotency-key", "k1")).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(200), first);
        put("20", ("idempotency-key", "k1")).await.expect_problem(422, "idempotency_key_reused");
        let path = format!("{PATH}/standard/DE");
        assert_eq!(staff.get(&path).await.expect(200)["rate"], "7", "the repetition set nothing");
        let delete = |header| send(Method::DELETE, None, header);
        delete(("if-match", "\"1\"")).await.expect_problem(412, "precondition_failed");
        for replayed in [false, true] {
            let answer = delete(("idempotency-key", "k2")).await;
            assert_eq!(answer.headers.contains_key("idempotency-replayed"), replayed);
            answer.expect(204);
        }
    }

    async fn rates_are_listed_by_class_and_country(shop: TestShop) {
        let staff = shop.staff().await;
        for place in ["standard/FR", "reduced/FR", "standard/DE", "reduced/DE", "zero/DE"] {
            staff.put(&format!("{PATH}/{place}"), json!({"rate": "5"})).await.expect(200);
        }
        let places = |page: &Value| -> Vec<String> {
            let items = page["items"].as_array().expect("items");
            let text = |item: &Value, name: &str| item[name].as_str().expect("text").to_owned();
            items.iter().map(|i| text(i, "tax_class") + "/" + &text(i, "country")).collect()
        };
        let all = ["reduced/DE", "reduced/FR", "standard/DE", "standard/FR", "zero/DE"];
        let public = shop.anonymous();
        for (query, wanted) in [
            ("", &all[..]),
            ("?country=FR", &["reduced/FR", "standard/FR"]),
            ("?tax_class=standard", &["standard/DE", "standard/FR"]),
            ("?tax_class__in=zero,reduced&country=DE", &["reduced/DE", "zero/DE"]),
            ("?rate_ppm__gt=50000", &[]),
        ] {
            let page = public.get(&format!("{PATH}{query}")).await.expect(200);
            assert_eq!(places(&page), wanted, "{query}");
            assert_eq!(page["next"], Value::Null);
        }
        for (sort, backwards) in [("name", false), ("-name", true)] {
            let mut seen = Vec::new();
            let first = format!("{PATH}?limit=2&sort={sort}");
            let mut address = first.clone();
            loop {
                let page = public.get(&address).await.expect(200);
                seen.extend(places(&page));
                let Some(next) = page["next"].as_str() else { break };
                address = format!("{first}&cursor={next}");
            }
            if backwards {
                seen.reverse();
            }
            assert_eq!(seen, all);
        }
        public.get(&format!("{PATH}?colour=red")).await.expect(400);
    }
}
