//! The journal over HTTP: who sees, writes and changes what, what other systems hear of it, and in
//! which order.

use axum::http::Method;
use futures::future::join_all;
use runout_shop::accounts::{self, Actor, By, Capability, Permission, Role, Verb, Wanted};
use runout_shop::platform::command::Outcome;
use runout_store::Composer;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::{Client, TestShop};

pub const POSTS: &str = "/api/v1/posts";
pub const COMMENTS: &str = "/api/v1/comments";

pub async fn write(author: &Client, title: &str) -> i64 {
    id(&author.post(POSTS, json!({"title": title, "body": "Some words."})).await.expect(201))
}

pub async fn say(author: &Client, post: i64, body: &str) -> i64 {
    let path = format!("{POSTS}/{post}/comments");
    id(&author.post(&path, json!({"body": body})).await.expect(201))
}

fn post(id: i64) -> String {
    format!("{POSTS}/{id}")
}

fn comment(id: i64) -> String {
    format!("{COMMENTS}/{id}")
}

async fn ids(client: &Client, path: &str) -> Vec<i64> {
    let page = client.get(path).await.expect(200);
    page["items"].as_array().expect("a list").iter().map(id).collect()
}

/// Topic, id and payload of what other systems hear about the journal, in its order.
pub async fn told(shop: &TestShop) -> Vec<(String, i64, Value)> {
    let statement = Composer::new(
        "select topic, entity_id, payload from outbox where entity in ('post', 'comment') order by id",
    )
    .finish();
    let read = |row: &runout_store::Row<'_>| {
        let payload: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, serde_json::from_str(&payload).expect("JSON")))
    };
    shop.app.db.read(statement, read).await.expect("reads")
}

async fn topics(shop: &TestShop) -> Vec<String> {
    told(shop).await.into_iter().map(|(topic, id, _)| format!("{topic} {id}")).collect()
}

/// A member of staff who may do just this in the journal.
async fn clerk(shop: &TestShop, name: &str, verbs: &[Verb]) -> Client {
    let client = shop.account(name, Role::Staff).await;
    let list = verbs.iter().map(|verb| Permission(Capability::Journal, *verb)).collect();
    let by = By::actor(Actor::System);
    let set = accounts::set_permissions(&shop.app, by, client.account_id, Wanted::Only(list)).await;
    assert!(matches!(set, Ok(Outcome::Accepted(_))));
    let login = accounts::issue_token(&shop.app, client.account_id, "test").await;
    client.logged_in(client.account_id, &login.expect("a token").token)
}

on_both_engines! {
    async fn what_a_customer_writes_waits_for_staff(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let (staff, nobody) = (shop.staff().await, shop.anonymous());
        let news = write(&staff, "News").await;
        let own = write(&ana, "A review").await;
        for (client, sees) in [
            (&nobody, vec![news]),
            (&bia, vec![news]),
            (&ana, vec![news, own]),
            (&staff, vec![news, own]),
        ] {
            assert_eq!(ids(client, POSTS).await, sees);
            let status = if sees.contains(&own) { 200 } else { 404 };
            client.get(&post(own)).await.expect(status);
            client.get(&format!("{}/comments", post(own))).await.expect(status);
        }
        // Who does not see it cannot find it to say something about it, or change it.
        let body = json!({"body": "Hello?"});
        bia.post(&format!("{}/comments", post(own)), body).await.expect_problem(404, "not_found");
        bia.patch(&post(own), json!({"title": "Mine"})).await.expect_problem(404, "not_found");
        ana.patch(&post(own), json!({"published": true})).await.expect_problem(403, "forbidden");
        let asked = json!({"title": "t", "body": "b", "published": true});
        ana.post(POSTS, asked).await.expect_problem(403, "forbidden");
        staff.patch(&post(own), json!({"published": true})).await.expect(200);
        assert_eq!(ids(&nobody, POSTS).await, [news, own]);
        // What it says now was not looked at: it waits again.
        let changed = ana.patch(&post(own), json!({"body": "Buy watches!"})).await.expect(200);
        assert_eq!(changed["published"], false);
        assert_eq!(ids(&nobody, POSTS).await, [news]);
        shop.verify().await;
    }

    async fn only_authors_and_staff_change_and_delete(shop: TestShop) {
        let (ana, bia, staff) =
            (shop.customer("ana").await, shop.customer("bia").await, shop.staff().await);
        let news = write(&staff, "News").await;
        let said = say(&ana, news, "First!").await;
        for path in [post(news), comment(said)] {
            let client = &bia;
            client.patch(&path, json!({"body": "x"})).await.expect_problem(403, "forbidden");
            client.delete(&path).await.expect_problem(403, "forbidden");
            let nobody = shop.anonymous();
            nobody.patch(&path, json!({"body": "x"})).await.expect_problem(401, "unauthorized");
            nobody.delete(&path).await.expect_problem(401, "unauthorized");
        }
        // Staff have the verb that they were given.
        let viewer = clerk(&shop, "viewer", &[Verb::View]).await;
        let changer = clerk(&shop, "changer", &[Verb::View, Verb::Change]).await;
        let deleter = clerk(&shop, "deleter", &[Verb::View, Verb::Delete]).await;
        for (client, change, delete) in
            [(&viewer, 403, 403), (&changer, 200, 403), (&deleter, 403, 204)]
        {
            let said = say(&ana, news, "Again!").await;
            client.patch(&comment(said), json!({"hidden": true})).await.expect(change);
            client.delete(&comment(said)).await.expect(delete);
        }
        assert_eq!(
            viewer.post(POSTS, json!({"title": "t", "body": "b"})).await.expect(201)["published"],
            false
        );
        ana.patch(&comment(said), json!({"body": "Second."})).await.expect(200);
        ana.delete(&comment(said)).await.expect(204);
        ana.get(&comment(said)).await.expect_problem(404, "not_found");
    }

    async fn what_is_hidden_is_seen_by_its_author_and_staff(shop: TestShop) {
        let (ana, bia, staff) =
            (shop.customer("ana").await, shop.customer("bia").await, shop.staff().await);
        let news = write(&staff, "News").await;
        let (one, two) = (say(&ana, news, "First!").await, say(&bia, news, "Hm.").await);
        ana.patch(&comment(one), json!({"hidden": true})).await.expect_problem(403, "forbidden");
        let hidden = staff.patch(&comment(one), json!({"hidden": true})).await.expect(200);
        assert_eq!(hidden["hidden"], true);
        let below = format!("{}/comments", post(news));
        for (client, sees) in [
            (&shop.anonymous(), vec![two]),
            (&bia, vec![two]),
            (&ana, vec![one, two]),
            (&staff, vec![one, two]),
        ] {
            assert_eq!(ids(client, &below).await, sees);
            assert_eq!(ids(client, COMMENTS).await, sees);
            client.get(&comment(one)).await.expect(if sees.len() == 2 { 200 } else { 404 });
        }
        assert_eq!(shop.anonymous().get(&post(news)).await.expect(200)["comments"], 1);
        staff.patch(&post(news), json!({"published": false})).await.expect(200);
        assert_eq!(ids(&bia, COMMENTS).await, [0_i64; 0], "they go with their post");
    }

    async fn addresses_are_for_their_owners_and_staff(shop: TestShop) {
        let (ana, bia, staff) =
            (shop.customer("ana").await, shop.customer("bia").await, shop.staff().await);
        let news = write(&staff, "News").await;
        let said = say(&ana, news, "First!").await;
        let address = json!("ana@example.com");
        for (client, seen) in [
            (&shop.anonymous(), &Value::Null),
            (&bia, &Value::Null),
            (&ana, &address),
            (&staff, &address),
        ] {
            let shown = client.get(&comment(said)).await.expect(200);
            assert_eq!((&shown["email"], &shown["name"]), (seen, &json!("ana")));
            let listed = client.get(COMMENTS).await.expect(200);
            assert_eq!(&listed["items"][0]["email"], seen);
            // Nor can it be guessed letter by letter.
            let found = ids(client, &format!("{COMMENTS}?email__startswith=ana")).await;
            assert_eq!(found.is_empty(), seen.is_null());
        }
    }

    async fn nobody_chooses_a_user_id(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let body = json!({"title": "t", "body": "b", "user_id": 7});
        let refused = ana.post(POSTS, body).await.expect_problem(400, "invalid_body");
        assert_eq!(refused["errors"][0]["pointer"], "/user_id");
        let first = ana.get(&post(write(&ana, "One").await)).await.expect(200);
        assert_eq!(first["user_id"], 99_999_942);
        let author = format!("/api/v1/journal/authors/{}", ana.account_id);
        ana.put(&author, json!({"user_id": 7})).await.expect_problem(403, "forbidden");
        assert_eq!(staff.get(&author).await.expect(200)["user_id"], Value::Null);
        staff.put(&author, json!({"user_id": 7})).await.expect(200);
        assert_eq!(staff.get(&author).await.expect(200)["user_id"], 7);
        let taken = format!("/api/v1/journal/authors/{}", staff.account_id);
        staff.put(&taken, json!({"user_id": 7})).await.expect_problem(409, "user_id_taken");
        let second = write(&ana, "Two").await;
        assert_eq!(ana.get(&post(second)).await.expect(200)["user_id"], 7);
        assert_eq!(ids(&ana, "/api/v1/users/7/posts").await, [second]);
        staff.put(&author, json!({"user_id": null})).await.expect(200);
        assert_eq!(
            ana.get(&post(write(&ana, "Three").await)).await.expect(200)["user_id"],
            99_999_942
        );
    }

    async fn every_change_is_told_once_with_the_whole_state(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let news = write(&staff, "News").await;
        let said = say(&ana, news, "First!").await;
        // Nothing new is nothing to tell.
        let same = staff.patch(&post(news), json!({"title": "News", "published": true})).await;
        assert_eq!(same.headers["etag"], "\"1\"");
        ana.patch(&comment(said), json!({"body": "First!"})).await.expect(200);
        ana.patch(&comment(said), json!({"body": "Second."})).await.expect(200);
        staff.patch(&post(news), json!({"title": "Old news"})).await.expect(200);
        let told = told(&shop).await;
        let state = |id: i64, title: &str| {
            json!({
                "id": id, "user_id": 99_999_942, "title": title, "body": "Some words.", "published": true,
            })
        };
        let words = |body: &str| {
            json!({
                "id": said, "post_id": news, "name": "ana", "email": "ana@example.com", "body": body,
                "hidden": false,
            })
        };
        let expected = [
            ("post.created", news, state(news, "News")),
            ("comment.created", said, words("First!")),
            ("comment.updated", said, words("Second.")),
            ("post.updated", news, state(news, "Old news")),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(topic, id, payload)| (topic.to_owned(), id, payload))
            .collect();
        assert_eq!(told, expected);
    }

    async fn of_a_deleted_post_the_comments_are_told_first(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let (news, other) = (write(&staff, "News").await, write(&staff, "Other").await);
        let (one, two) = (say(&ana, news, "First!").await, say(&ana, news, "Ü \"quoted\"").await);
        let kept = say(&ana, other, "Elsewhere").await;
        staff.patch(&comment(one), json!({"hidden": true})).await.expect(200);
        staff.delete(&post(news)).await.expect(204);
        let told = told(&shop).await;
        let gone: Vec<_> = told[told.len() - 3..].iter().collect();
        let names: Vec<_> = gone.iter().map(|(topic, id, _)| (topic.as_str(), *id)).collect();
        assert_eq!(
            names,
            [("comment.deleted", one), ("comment.deleted", two), ("post.deleted", news)]
        );
        assert_eq!(
            gone[0].2,
            json!({
                "id": one, "post_id": news, "name": "ana", "email": "ana@example.com",
                "body": "First!", "hidden": true,
            })
        );
        assert_eq!(
            (&gone[1].2["body"], &gone[1].2["hidden"]),
            (&json!("Ü \"quoted\""), &json!(false))
        );
        assert_eq!(ids(&staff, COMMENTS).await, [kept]);
        staff.delete(&post(news)).await.expect_problem(404, "not_found");
        shop.verify().await;
    }

    /// Comments come, change and go while their post is deleted: of each the last word is that it
    /// is deleted, and nothing is told of it after its post's end.
    async fn a_crowd_cannot_mix_up_the_order(shop: TestShop) {
        let staff = shop.staff().await;
        let ana = Client::new(shop.router_of(shop.app.clone()), shop.customer("ana").await.token);
        let other = Client::new(shop.router_of(shop.second_node().await), ana.token.clone());
        for round in 0..6 {
            let news = write(&staff, "News").await;
            let mut said = Vec::new();
            for n in 0..4 {
                said.push(say(&ana, news, &format!("{n}")).await);
            }
            let changes = said.iter().enumerate().map(|(n, said)| {
                let client = if n % 2 == 0 { &ana } else { &other };
                async move {
                    let body = json!({"body": format!("changed in round {round}")});
                    client.patch(&comment(*said), body).await.status.as_u16()
                }
            });
            let more = (0..6).map(|n| {
                let client = if n % 2 == 0 { &ana } else { &other };
                let path = format!("{}/comments", post(news));
                async move { client.post(&path, json!({"body": "more"})).await.status.as_u16() }
            });
            let path = post(news);
            let deletion = staff.delete(&path);
            let (changed, added, deleted) =
                futures::join!(join_all(changes), join_all(more), deletion);
            deleted.expect(204);
            assert!(changed.iter().all(|status| [200, 404].contains(status)), "{changed:?}");
            assert!(added.iter().all(|status| [201, 404].contains(status)), "{added:?}");
            let told = told(&shop).await;
            let end = told.iter().position(|(topic, id, _)| topic == "post.deleted" && *id == news);
            let end = end.expect("it was told");
            let of_post = |payload: &Value| payload["post_id"] == json!(news);
            for (at, (topic, id, payload)) in told.iter().enumerate() {
                if topic.starts_with("comment.") && of_post(payload) {
                    assert!(at < end, "{topic} {id} after its post's end");
                    let later =
                        told[at + 1..].iter().any(|(t, i, _)| t.starts_with("comment.") && i == id);
                    assert_eq!(topic == "comment.deleted", !later, "{topic} {id}");
                }
            }
        }
        shop.verify().await;
    }

    async fn versions_and_keys_guard_writes(shop: TestShop) {
        let staff = shop.staff().await;
        let key = [("idempotency-key", "k1")];
        let body = || Some(json!({"title": "News", "body": "Words"}));
        let first = staff.send(Method::POST, POSTS, body(), &key).await;
        assert_eq!(first.headers["location"], "/api/v1/posts/1");
        let first = first.expect(201);
        assert_eq!(staff.send(Method::POST, POSTS, body(), &key).await.expect(201), first);
        let other = Some(json!({"title": "Other", "body": "Words"}));
        let reused = staff.send(Method::POST, POSTS, other, &key).await;
        reused.expect_problem(422, "idempotency_key_reused");
        let path = post(id(&first));
        assert_eq!(staff.get(&path).await.headers["etag"], "\"1\"");
        let change = || Some(json!({"title": "New"}));
        let stale = [("if-match", "\"7\"")];
        let refused = staff.send(Method::PATCH, &path, change(), &stale).await;
        refused.expect_problem(412, "precondition_failed");
        let seen = [("if-match", "\"1\"")];
        let changed = staff.send(Method::PATCH, &path, change(), &seen).await;
        assert_eq!(changed.headers["etag"], "\"2\"");
        staff
            .send(Method::DELETE, &path, None, &seen)
            .await
            .expect_problem(412, "precondition_failed");
        let key = [("idempotency-key", "k2")];
        staff.send(Method::DELETE, &path, None, &key).await.expect(204);
        staff.send(Method::DELETE, &path, None, &key).await.expect(204);
        assert_eq!(topics(&shop).await, ["post.created 1", "post.updated 1", "post.deleted 1"]);
    }

    async fn lists_are_filtered_searched_sorted_and_paged(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let mut all = Vec::new();
        for title in ["Beta", "alpha", "Gamma 100%"] {
            shop.clock.advance(std::time::Duration::from_secs(60));
            all.push(write(&staff, title).await);
        }
        let [beta, alpha, gamma] = all[..] else { panic!("three") };
        let said = say(&ana, alpha, "A Needle in it").await;
        let nobody = shop.anonymous();
        for (query, found) in [
            ("", vec![beta, alpha, gamma]),
            ("?sort=-id", vec![gamma, alpha, beta]),
            ("?sort=title", vec![beta, gamma, alpha]),
            ("?sort=-created_at", vec![gamma, alpha, beta]),
            ("?title=alpha", vec![alpha]),
            ("?title__icontains=AL", vec![alpha]),
            ("?search=GAMMA", vec![gamma]),
            ("?search=some+words", vec![beta, alpha, gamma]),
            ("?search=%25", vec![gamma]),
            ("?search=nowhere", vec![]),
            ("?user_id=99999942&id__gt=1", vec![alpha, gamma]),
            ("?user_id=3", vec![]),
            ("?published=false", vec![]),
        ] {
            assert_eq!(ids(&nobody, &format!("{POSTS}{query}")).await, found, "{query}");
        }
        for (query, found) in [
            ("?search=needle", vec![said]),
            ("?search=nothing", vec![]),
            ("?post_id=2&name=ana", vec![said]),
            ("?post_id__in=1,3", vec![]),
            ("?sort=-created_at", vec![said]),
        ] {
            assert_eq!(ids(&nobody, &format!("{COMMENTS}{query}")).await, found, "{query}");
        }
        nobody.get(&format!("{POSTS}?colour=red")).await.expect_problem(400, "unknown_filter");
        for sort in ["id", "-id", "title", "-title", "created_at", "-created_at"] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page =
                    nobody.get(&format!("{POSTS}?sort={sort}&limit=1{cursor}")).await.expect(200);
                seen.push(id(&page["items"][0]));
                let Some(next) = page["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(seen, ids(&nobody, &format!("{POSTS}?sort={sort}")).await, "{sort}");
        }
    }

    async fn what_is_wrong_is_named(shop: TestShop) {
        let staff = shop.staff().await;
        let news = write(&staff, "News").await;
        let long = |count: usize| "x".repeat(count);
        let below = format!("{}/comments", post(news));
        for (path, body, pointer) in [
            (POSTS, json!({"title": "", "body": "b"}), "/title"),
            (POSTS, json!({"title": long(201), "body": "b"}), "/title"),
            (POSTS, json!({"title": "t"}), "/body"),
            (POSTS, json!({"title": "t", "body": long(20_001)}), "/body"),
            (&below, json!({"body": " "}), "/body"),
            (&below, json!({"body": "b", "email": "nowhere"}), "/email"),
            (&below, json!({"body": "b", "name": long(201)}), "/name"),
        ] {
            let problem = staff.post(path, body).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let missing = format!("{POSTS}/999/comments");
        staff.post(&missing, json!({"body": "b"})).await.expect_problem(404, "not_found");
    }

    async fn an_erased_author_leaves_words_without_a_name(shop: TestShop) {
        let staff = shop.staff().await;
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let writer = shop.customer("ana").await;
        let news = write(&staff, "News").await;
        let (own, said) = (write(&writer, "A review").await, say(&writer, news, "First!").await);
        let data = ana.get("/account/data/download").await.json();
        assert_eq!(data["journal"]["posts"][0]["title"], "A review");
        assert_eq!(data["journal"]["comments"][0]["email"], "ana@example.com");
        let fields = [("current_password", PASSWORD), ("confirmation", "ana")];
        assert_eq!(ana.post("/account/data/erase", &fields).await.status, 303);
        let left = staff.get(&comment(said)).await.expect(200);
        assert_eq!(
            (&left["author_id"], &left["name"], &left["email"], &left["body"]),
            (&Value::Null, &json!("deleted"), &json!(""), &json!("First!"))
        );
        let left = staff.get(&post(own)).await.expect(200);
        assert_eq!((&left["author_id"], &left["author"]), (&Value::Null, &Value::Null));
        let told = told(&shop).await;
        let (topic, id, payload) = told.last().expect("told");
        assert_eq!((topic.as_str(), *id), ("comment.updated", said));
        assert_eq!((&payload["name"], &payload["email"]), (&json!("deleted"), &json!("")));
        let trail = Composer::new(
            "select count(*) from audit where cast(changes as text) like '%ana@example%'",
        );
        let found = shop.app.db.read_one(trail.finish(), |row| row.get::<i64>(0)).await;
        assert_eq!(found.expect("reads"), Some(0), "the audit remembers");
        shop.verify().await;
    }
}
