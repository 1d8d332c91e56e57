//! The Rindus demo API: its README's requests, its shapes, and what it got wrong.

use serde_json::{Value, json};

use super::curl;
use crate::journal::{say, write};
use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::{Client, TestShop};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PARTS: (&str, &str) =
    ("content-type", "multipart/form-data; boundary=------------------------d74496d66958873e");

/// What `curl -F username=... -F password=...` sends.
fn in_parts(fields: &[(&str, &str)]) -> String {
    let boundary = "--------------------------d74496d66958873e";
    let part = |(name, value): &(&str, &str)| {
        format!("{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + boundary + "--\r\n"
}

fn bearer(client: &Client) -> String {
    format!("Bearer {}", client.token.as_deref().expect("logged in"))
}

async fn ask(
    shop: &TestShop,
    client: &Client,
    request: &str,
    body: Value,
) -> crate::support::Answer {
    let token = bearer(client);
    let headers = [JSON, ("authorization", token.as_str())];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    curl(shop, request, &headers, &body).await
}

fn comment(post: i64) -> Value {
    json!({"post": post, "name": "Ana", "email": "ana@letters.example", "body": "Hm."})
}

on_both_engines! {
    async fn the_readmes_requests_work_as_written(shop: TestShop) {
        let matt = shop.customer("matt").await;
        let news = write(&shop.staff().await, "News").await;
        say(&matt, news, "First!").await;

        let body = in_parts(&[("username", "matt"), ("password", PASSWORD)]);
        let answer = curl(&shop, "POST /api/auth-token/", &[PARTS], &body).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let login = answer.expect(200);
        assert_eq!(login.as_object().expect("an object").len(), 1);
        let token = format!("Bearer {}", login["token"].as_str().expect("text"));

        let headers = [("accept", "application/json"), ("authorization", token.as_str())];
        let shown = curl(&shop, "GET /api/comments/1/", &headers, "").await.expect(200);
        assert_eq!(
            shown,
            json!({
                "body": "First!", "email": "matt@example.com", "id": 1, "name": "matt", "post": news,
            })
        );
        let token = token.replace("Bearer", "Token");
        let headers = [("authorization", token.as_str())];
        curl(&shop, "GET /api/comments/1/", &headers, "").await.expect(200);
    }

    async fn login_takes_both_kinds_of_forms_and_json(shop: TestShop) {
        shop.customer("matt").await;
        let form = format!("username=matt&password={}", PASSWORD.replace(' ', "+"));
        let json = json!({"username": "matt", "password": PASSWORD}).to_string();
        let parts = in_parts(&[("username", "matt"), ("password", PASSWORD)]);
        for (headers, body) in
            [(vec![FORM], form), (vec![JSON], json.clone()), (vec![], json), (vec![PARTS], parts)]
        {
            let login = curl(&shop, "POST /api/auth-token/", &headers, &body).await.expect(200);
            assert!(login["token"].is_string());
        }
        for (headers, body) in [
            (vec![FORM], "username=matt&password=wrong".to_owned()),
            (vec![PARTS], in_parts(&[("username", "matt"), ("password", "wrong")])),
            (vec![PARTS], in_parts(&[("username", "matt")])),
            (vec![PARTS], "no parts at all".to_owned()),
            (vec![JSON], "[]".to_owned()),
            (vec![], String::new()),
        ] {
            curl(&shop, "POST /api/auth-token/", &headers, &body).await.expect(400);
        }
        let text = [("content-type", "text/plain")];
        curl(&shop, "POST /api/auth-token/", &text, "matt").await.expect(415);
    }

    async fn posts_go_through_all_verbs(shop: TestShop) {
        let staff = shop.staff().await;
        let sent = json!({"title": "One", "body": "Words", "user_id": 3, "id": 77});
        let made = ask(&shop, &staff, "POST /api/posts/", sent).await.expect(201);
        assert_eq!(made, json!({"body": "Words", "id": 1, "title": "One", "user_id": 99_999_942}));
        assert_eq!(ask(&shop, &staff, "GET /api/posts/1/", Value::Null).await.expect(200), made);
        let list = ask(&shop, &staff, "GET /api/posts/", Value::Null).await.expect(200);
        assert_eq!(list, json!([made]));
        let all = json!({"title": "Two", "body": "More", "user_id": 3});
        let put = ask(&shop, &staff, "PUT /api/posts/1/", all).await.expect(200);
        assert_eq!(put, json!({"body": "More", "id": 1, "title": "Two", "user_id": 99_999_942}));
        let some = json!({"title": "Three"});
        let patched = ask(&shop, &staff, "PATCH /api/posts/1/", some.clone()).await.expect(200);
        assert_eq!((&patched["title"], &patched["body"]), (&json!("Three"), &json!("More")));
        let problem = ask(&shop, &staff, "PUT /api/posts/1/", some).await;
        let problem = problem.expect_problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/body");
        assert_eq!(ask(&shop, &staff, "DELETE /api/posts/1/", Value::Null).await.status, 204);
        for verb in ["GET", "DELETE"] {
            ask(&shop, &staff, &format!("{verb} /api/posts/1/"), Value::Null).await.expect(404);
        }
        // A form does as well.
        let token = bearer(&staff);
        let headers = [PARTS, ("authorization", token.as_str())];
        let body = in_parts(&[("title", "Four"), ("body", "Words")]);
        curl(&shop, "POST /api/posts/", &headers, &body).await.expect(201);
        shop.verify().await;
    }

    async fn comments_go_through_all_verbs(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let (news, other) = (write(&staff, "News").await, write(&staff, "Other").await);
        let made = ask(&shop, &ana, "POST /api/comments/", comment(news)).await.expect(201);
        let mut shape = comment(news);
        shape["id"] = json!(1);
        assert_eq!(made, shape);
        assert_eq!(ask(&shop, &ana, "GET /api/comments/1/", Value::Null).await.expect(200), shape);
        let list = ask(&shop, &ana, "GET /api/comments/", Value::Null).await.expect(200);
        assert_eq!(list, json!([shape]));
        let mut all = comment(news);
        all["body"] = json!("Ah.");
        all["post"] = json!(news.to_string());
        let put = ask(&shop, &ana, "PUT /api/comments/1/", all.clone()).await.expect(200);
        assert_eq!((&put["body"], &put["post"]), (&json!("Ah."), &json!(news)));
        let name = json!({"name": "Ana L."});
        let patched = ask(&shop, &ana, "PATCH /api/comments/1/", name).await.expect(200);
        assert_eq!((&patched["name"], &patched["body"]), (&json!("Ana L."), &json!("Ah.")));
        for (request, body, pointer) in [
            ("PUT /api/comments/1/", json!({"body": "b"}), "/email"),
            ("PUT /api/comments/1/", comment(other), "/post"),
            ("POST /api/comments/", comment(999), "/post"),
            ("POST /api/comments/", json!({"post": "x"}), "/post"),
            ("PATCH /api/comments/1/", json!({"email": "nowhere"}), "/email"),
            ("PATCH /api/comments/1/", json!({"name": null}), "/name"),
        ] {
            let problem = ask(&shop, &ana, request, body).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{request} {problem}");
        }
        assert_eq!(ask(&shop, &ana, "DELETE /api/comments/1/", Value::Null).await.status, 204);
        ask(&shop, &ana, "PATCH /api/comments/1/", json!({})).await.expect(404);
    }

    async fn nothing_is_answered_without_a_token(shop: TestShop) {
        write(&shop.staff().await, "News").await;
        for request in
            ["GET /api/posts/", "GET /api/posts/1/", "POST /api/posts/", "GET /api/comments/"]
        {
            curl(&shop, request, &[JSON], "{}").await.expect_problem(401, "unauthorized");
            let foreign =
                [JSON, ("authorization", "Bearer 3aa905c8b99b518e889df6fc02ec80dca142054e")];
            curl(&shop, request, &foreign, "{}").await.expect_problem(401, "unauthorized");
        }
    }

    async fn long_lists_tell_how_they_go_on(shop: TestShop) {
        let staff = shop.staff().await;
        for n in 0..5 {
            write(&staff, &format!("Post {n}")).await;
        }
        let token = bearer(&staff);
        let (mut path, mut seen) = ("/api/posts/?limit=2".to_owned(), Vec::new());
        loop {
            let headers = [("authorization", token.as_str())];
            let answer = curl(&shop, &format!("GET {path}"), &headers, "").await;
            let link =
                answer.headers.get("link").map(|link| link.to_str().expect("text").to_owned());
            assert_eq!(answer.headers.contains_key("x-next-cursor"), link.is_some());
            let list = answer.expect(200);
            seen.extend(list.as_array().expect("a list").iter().map(|post| post["id"].clone()));
            let Some(link) = link else { break };
            path = link.split(['<', '>']).nth(1).expect("an address").to_owned();
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        for (query, status) in
            [("limit=1000", 200), ("limit=1001", 400), ("limit=0", 400), ("x=1", 400)]
        {
            ask(&shop, &staff, &format!("GET /api/posts/?{query}"), Value::Null)
                .await
                .expect(status);
        }
        let found =
            ask(&shop, &staff, "GET /api/posts/?title__icontains=POST+3", Value::Null).await;
        assert_eq!(found.expect(200)[0]["id"], 4);
    }

    /// Defect: `user_id` was writable by clients.
    async fn user_id_is_not_the_clients_to_choose(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let sent = json!({"title": "One", "body": "Words", "user_id": 1});
        let made = ask(&shop, &ana, "POST /api/posts/", sent.clone()).await.expect(201);
        assert_eq!(made["user_id"], 99_999_942);
        for verb in ["PUT", "PATCH"] {
            let changed = ask(&shop, &ana, &format!("{verb} /api/posts/1/"), sent.clone()).await;
            assert_eq!(changed.expect(200)["user_id"], 99_999_942, "{verb}");
        }
    }

    /// Defect: anybody with a token changed and deleted everybody's words.
    async fn others_words_are_not_changed(shop: TestShop) {
        let (ana, bia, staff) =
            (shop.customer("ana").await, shop.customer("bia").await, shop.staff().await);
        let news = write(&staff, "News").await;
        ask(&shop, &ana, "POST /api/comments/", comment(news)).await.expect(201);
        for request in ["PATCH /api/posts/1/", "PATCH /api/comments/1/"] {
            ask(&shop, &bia, request, json!({"body": "Mine"}))
                .await
                .expect_problem(403, "forbidden");
        }
        for request in ["DELETE /api/posts/1/", "DELETE /api/comments/1/"] {
            ask(&shop, &bia, request, Value::Null).await.expect_problem(403, "forbidden");
        }
        // Staff may, and so may whoever wrote it.
        ask(&shop, &ana, "DELETE /api/comments/1/", Value::Null).await.expect(204);
        ask(&shop, &staff, "DELETE /api/posts/1/", Value::Null).await.expect(204);
    }

    async fn a_repeated_request_does_nothing_twice(shop: TestShop) {
        let staff = shop.staff().await;
        let token = bearer(&staff);
        let headers = [JSON, ("authorization", token.as_str()), ("idempotency-key", "k")];
        let body = json!({"title": "One", "body": "Words"}).to_string();
        let first = curl(&shop, "POST /api/posts/", &headers, &body).await.expect(201);
        let again = curl(&shop, "POST /api/posts/", &headers, &body).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        let list = ask(&shop, &staff, "GET /api/posts/", Value::Null).await.expect(200);
        assert_eq!(list, json!([first]));
    }
}
