//! Secrets of webhooks: shown once, one takes over from another.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PATH, add, kept, keyed, mirror, told, webhook};
use crate::catalog::id;
use crate::on_both_engines;

on_both_engines! {
    async fn secrets_take_over_from_each_other(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, webhook("x")).await;
        let path = format!("{PATH}/{}/secrets", id(&made));
        let known = async || -> Vec<(i64, String, Value)> {
            let page = staff.get(&path).await.expect(200);
            let items = page["items"].as_array().expect("items").clone();
            let row = |item: Value| {
                let number = item["number"].as_i64().expect("a number");
                (number, item["kind"].as_str().expect("text").to_owned(), item["ends_at"].clone())
            };
            items.into_iter().map(row).collect()
        };
        let answer = keyed(&staff, &path, Some(json!({})), "k").await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let second = answer.expect(201);
        let again = keyed(&staff, &path, Some(json!({})), "k").await.expect(201);
        assert_eq!((&again["number"], &again["secret"]), (&json!(2), &Value::Null));
        assert_ne!(second["secret"], made["secret"]);
        let tomorrow = json!("2026-11-22T12:00:00Z");
        let hmac = || "hmac".to_owned();
        let now = known().await;
        assert_eq!(now, [(2, hmac(), Value::Null), (1, hmac(), tomorrow.clone())]);
        // One of the other kind takes over from none.
        let third = staff.post(&path, json!({"kind": "ed25519", "overlap_s": 0})).await.expect(201);
        assert!(third["secret"].as_str().is_some_and(|text| text.starts_with("whsk_")));
        assert!(third["public_key"].as_str().is_some_and(|text| text.starts_with("whpk_")));
        assert_eq!(known().await.len(), 3);
        let fourth = json!({"kind": "hmac", "overlap_s": 3600});
        let fourth = staff.post(&path, fourth).await.expect(201);
        let hour = json!("2026-11-21T13:00:00Z");
        let ed25519 = || "ed25519".to_owned();
        assert_eq!(
            known().await,
            [
                (4, hmac(), Value::Null),
                (3, ed25519(), Value::Null),
                (2, hmac(), hour.clone()),
                (1, hmac(), hour),
            ]
        );
        let seen = kept(&shop).await + &told(&staff, id(&made)).await;
        for shown in [&made, &second, &third, &fourth] {
            let secret = shown["secret"].as_str().expect("a secret");
            let bare = secret.split('_').nth(1).expect("a prefix");
            assert!(!seen.contains(bare), "{secret}");
        }
        shop.clock.advance(Duration::from_secs(3_600));
        assert_eq!(known().await.len(), 2, "the old ones have ended");
        // Gone for good with the next one.
        staff.post(&path, json!({"overlap_s": 0})).await.expect(201);
        assert_eq!(shop.number("select min(number) from destination_secret").await, 3);
    }

    async fn secrets_are_refused_and_deleted(shop: TestShop) {
        let staff = shop.staff().await;
        let path = format!("{PATH}/{}/secrets", id(&add(&staff, webhook("x")).await));
        staff.post(&path, json!({"overlap_s": 0})).await.expect(201);
        staff.post(&path, json!({"kind": "ed25519"})).await.expect(201);
        let delete = async |number: i64| staff.delete(&format!("{path}/{number}")).await;
        delete(3).await.expect(204);
        delete(3).await.expect_problem(404, "not_found");
        delete(2).await.expect_problem(409, "last_secret");
        let long = json!({"overlap_s": 2_592_001});
        for body in [json!({"overlap_s": -1}), long, json!({"kind": "x"})] {
            staff.post(&path, body).await.expect_problem(400, "invalid_body");
        }
        for _ in 0..7 {
            staff.post(&path, json!({})).await.expect(201);
        }
        staff.post(&path, json!({})).await.expect_problem(409, "too_many_secrets");
        let mirror = id(&add(&staff, mirror("mirror")).await);
        let path = format!("{PATH}/{mirror}/secrets");
        staff.post(&path, json!({})).await.expect_problem(409, "not_a_webhook");
        staff.delete(&format!("{path}/1")).await.expect_problem(409, "not_a_webhook");
        let nowhere = format!("{PATH}/999999/secrets");
        staff.post(&nowhere, json!({})).await.expect_problem(404, "not_found");
        staff.get(&nowhere).await.expect_problem(404, "not_found");
    }
}
