//! What is refused of a new destination, and what is said about it.

use serde_json::{Value, json};

use super::{PATH, add, broker, mirror, pointers, webhook};
use crate::on_both_engines;

/// A body, the place in it that is wrong, and what is said there.
type Case = (Value, &'static str, &'static str);

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

fn hook() -> Value {
    webhook("x")
}

fn cases() -> Vec<Case> {
    [settings(), addresses(), resources()].concat()
}

fn settings() -> Vec<Case> {
    vec![
        (with(hook(), "name", json!(" ")), "/name", "1 to 100"),
        (with(hook(), "name", json!("x".repeat(101))), "/name", "1 to 100"),
        (with(hook(), "kind", json!(null)), "/kind", "rest, webhook, amqp"),
        (with(hook(), "kind", json!("smtp")), "/kind", "unknown variant"),
        (with(hook(), "events", json!([])), "/events", "leave it out"),
        (with(hook(), "events", json!(["order.placed", "order.sold"])), "/events/1", "order.*"),
        (with(hook(), "events", json!(["destination.test"])), "/events/0", "no topic"),
        (with(hook(), "events", json!(vec!["*"; 101])), "/events", "1 to 100"),
        (with(hook(), "exchange", json!("shop")), "/exchange", "amqp"),
        (with(hook(), "signing", json!("rsa")), "/signing", "unknown variant"),
        (with(hook(), "colour", json!("red")), "/colour", "unknown field"),
        (with(mirror("x"), "signing", json!("hmac")), "/signing", "webhook"),
        (with(broker("x"), "exchange", json!("amq.topic")), "/exchange", "amq."),
    ]
}

fn addresses() -> Vec<Case> {
    vec![
        (with(hook(), "url", json!("nowhere")), "/url", "https://"),
        (with(hook(), "url", json!("ftp://hooks.example/")), "/url", "http, https"),
        (with(hook(), "url", json!("https://u:p@hooks.example/")), "/url", "signature"),
        (with(hook(), "url", json!("https://hooks.example/#a")), "/url", "#"),
        (with(hook(), "url", json!("http://127.0.0.1/")), "/url", "allow_private"),
        (with(hook(), "url", json!("http://localhost/")), "/url", "allow_private"),
        (with(hook(), "url", json!("http://[::1]/")), "/url", "allow_private"),
        (with(hook(), "url", json!("http://169.254.169.254/")), "/url", "another"),
        (with(hook(), "url", json!("http://hooks.example:25/")), "/url", "allow_private"),
        (with(mirror("x"), "url", json!("https://api.example/?a=1")), "/url", "query"),
        (with(broker("x"), "url", json!("https://mq.example/")), "/url", "amqp, amqps"),
        (with(broker("x"), "url", json!("amqp://a:***@mq.example/")), "/url", "anew"),
        (with(broker("x"), "url", json!("amqp://a:hunter2@127.0.0.1")), "/url", "allow_private"),
    ]
}

fn resources() -> Vec<Case> {
    vec![
        (with(hook(), "resources", json!({"post": {"path": "/posts"}})), "/resources", "rest"),
        (with(mirror("x"), "resources", json!(null)), "/resources", "is missing"),
        (with(mirror("x"), "resources", json!({})), "/resources", "at least one"),
        (
            with(mirror("x"), "resources", json!({"order": {"path": "/orders"}})),
            "/resources/order",
            "comment, event, post, product",
        ),
        (
            with(mirror("x"), "resources", json!({"post": {"path": "posts"}})),
            "/resources/post/path",
            "/posts",
        ),
        (
            with(mirror("x"), "resources", json!({"post": {"path": "/a/../b"}})),
            "/resources/post/path",
            "/posts",
        ),
        (
            with(mirror("x"), "resources", json!({"post": {"path": "/p", "fields": {"a": ""}}})),
            "/resources/post/fields",
            "names",
        ),
        (
            with(
                mirror("x"),
                "resources",
                json!({"post": {"path": "/p", "fields": {"a": "c", "b": "c"}}}),
            ),
            "/resources/post/fields",
            "name of its own",
        ),
    ]
}

on_both_engines! {
    async fn what_is_wrong_is_named_with_what_to_do(shop: TestShop) {
        let staff = shop.staff().await;
        for (body, pointer, words) in cases() {
            let problem = staff.post(PATH, body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(pointers(&problem), [pointer], "{body}: {problem}");
            let detail = problem["errors"][0]["detail"].as_str().expect("text");
            assert!(detail.contains(words), "{body}: {detail}");
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
        let private = with(hook(), "url", json!("http://127.0.0.1:9000/hook"));
        add(&staff, with(private, "allow_private", json!(true))).await;
        staff.post(PATH, webhook("x")).await.expect_problem(409, "name_taken");
        assert_eq!(shop.number("select count(*) from destination").await, 1);
    }
}
