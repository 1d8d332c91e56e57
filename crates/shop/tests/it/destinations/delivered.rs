//! What is set up over HTTP is what the engine does.

use std::time::Duration;

use axum::http::Method;
use runout_shop::delivery::signing::Secret;
use serde_json::{Value, json};

use super::{PATH, add};
use crate::catalog::id;
use crate::delivery::receiver::{Came, Receiver, Reply, reply};
use crate::delivery::{Engined, becomes, commit, settings};
use crate::on_both_engines;

fn listener(receiver: &Receiver) -> Value {
    json!({"name": "x", "kind": "webhook", "url": receiver.url, "allow_private": true})
}

fn secret(shown: &Value) -> Secret {
    shown["secret"].as_str().expect("a secret").parse().expect("one that signs")
}

fn signed(by: &Secret, came: &Came) -> bool {
    let at = came.header("webhook-timestamp").parse().expect("seconds");
    let id = came.header("webhook-id");
    by.verifies(came.header("webhook-signature"), id, at, &came.body)
}

on_both_engines! {
    async fn a_test_arrives_signed_by_every_secret_that_signs(shop: TestShop) {
        let staff = shop.staff().await;
        let receiver = Receiver::kind().await;
        let made = add(&staff, listener(&receiver)).await;
        let path = format!("{PATH}/{}", id(&made));
        let engine = Engined::start(&shop.app, settings());
        let test = async || {
            let sent = staff.send(Method::POST, &format!("{path}/test"), None, &[]).await;
            sent.expect(202)
        };
        let sent = test().await;
        let came = receiver.has_come(1).await;
        assert_eq!(came[0].json()["type"], "destination.test");
        assert_eq!(sent["event_id"], came[0].header("webhook-id"));
        let first = secret(&made);
        assert!(signed(&first, &came[0]));
        let second = staff.post(&format!("{path}/secrets"), json!({})).await.expect(201);
        let second = secret(&second);
        // The engine looks at its destinations now and then.
        let mut count = 1;
        loop {
            test().await;
            count += 1;
            let came = receiver.has_come(count).await;
            assert!(signed(&first, &came[count - 1]), "the old one signs on");
            if signed(&second, &came[count - 1]) {
                break;
            }
            assert!(count < 1_000, "the new one does not sign");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        becomes(&shop.app, "select count(*) from delivery", 0).await;
        let shown = staff.get(&path).await.expect(200);
        assert_eq!((&shown["delivered"], &shown["pending"]), (&json!(count), &json!(0)));
        engine.stop().await;
        shop.verify().await;
    }

    async fn what_dies_is_mended_and_replayed(shop: TestShop) {
        let staff = shop.staff().await;
        let receiver = Receiver::start(|came, _| {
            if came.data()["title"] == "Mended" { reply(200) } else { reply(422) }
        })
        .await;
        let path = format!("{PATH}/{}", id(&add(&staff, listener(&receiver)).await));
        let engine = Engined::start(&shop.app, settings());
        commit(&shop.app, &[("post.created", 7, json!({"title": "Broken"}).to_string())]).await;
        let dead = "select count(*) from dead_letter where state = 'dead'";
        becomes(&shop.app, dead, 1).await;
        let page = staff.get(&format!("{path}/dead_letters")).await.expect(200);
        let letter = id(&page["items"][0]);
        assert_eq!((&page["items"][0]["reason"], &page["items"][0]["status"]),
            (&json!("refused"), &json!(422)));
        // As it is, it dies again.
        let replay = format!("{path}/dead_letters/{letter}/replay");
        staff.send(Method::POST, &replay, None, &[]).await.expect(202);
        receiver.has_come(2).await;
        becomes(&shop.app, dead, 1).await;
        let mended = json!({"payload": {"title": "Mended"}});
        staff.patch(&format!("/api/v1/dead_letters/{letter}"), mended).await.expect(200);
        staff.send(Method::POST, &replay, None, &[]).await.expect(202);
        let delivered = "select count(*) from dead_letter where state = 'delivered'";
        becomes(&shop.app, delivered, 1).await;
        let again = staff.send(Method::POST, &replay, None, &[]).await;
        again.expect_problem(409, "already_delivered");
        engine.stop().await;
        shop.verify().await;
    }

    async fn a_destination_may_go_while_something_is_on_its_way(shop: TestShop) {
        let staff = shop.staff().await;
        let receiver =
            Receiver::start(|_, _| Reply { after: Duration::from_secs(2), ..reply(200) }).await;
        let path = format!("{PATH}/{}", id(&add(&staff, listener(&receiver)).await));
        let engine = Engined::start(&shop.app, settings());
        commit(&shop.app, &[("post.created", 7, "{}".to_owned())]).await;
        receiver.has_come(1).await;
        staff.delete(&path).await.expect(204);
        let stopped = tokio::time::timeout(Duration::from_secs(60), engine.stop()).await;
        stopped.expect("what became of it cannot be stored, and need not be");
        shop.verify().await;
    }
}
