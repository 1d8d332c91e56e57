//! The remote systems of the tests behave as the tests rely on.

use serde_json::{Value, json};

use crate::support::json_server::{JsonPlaceholder, JsonServer};

#[tokio::test]
async fn json_server_keeps_what_it_confirmed_through_kills() {
    let mut remote = JsonServer::start().await;
    assert_eq!(remote.records("posts").await.len(), 100);
    assert_eq!(remote.records("comments").await.len(), 500);
    let mut expected = 100;
    for round in 0..5 {
        for number in 0..4 {
            let body = json!({"userId": 1, "title": format!("{round} {number}"), "body": "b"});
            let request = remote.http().post(format!("{}/posts", remote.url()));
            let request = request.header("content-type", "application/json");
            let answer = request.body(body.to_string()).send().await.expect("an answer");
            assert_eq!(answer.status(), 201);
            expected += 1;
        }
        remote.kill();
        remote.start_again().await;
        let posts = remote.records("posts").await;
        assert_eq!(posts.len(), expected);
        assert_eq!(posts.last().map(|post| &post["title"]), Some(&json!(format!("{round} 3"))));
    }
}

#[tokio::test]
async fn jsonplaceholder_pretends() {
    let mut remote = JsonPlaceholder::start().await;
    let http = reqwest::Client::builder().tls_certs_only([]).build().expect("without TLS");
    for _ in 0..2 {
        let request = http.post(format!("{}/posts", remote.url()));
        let request = request.header("content-type", "application/json").body(r#"{"title":"a"}"#);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        let body = answer.bytes().await.expect("whole");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["id"], 101);
    }
    remote.kill();
    remote.start_again().await;
    let answer = http.get(format!("{}/posts/101", remote.url())).send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
}
