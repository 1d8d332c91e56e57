//! Mirrors: real servers that nobody here wrote hold what the shop holds, whatever happened
//! meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use runout_core::delivery::Retries;
use runout_shop::App;
use runout_shop::delivery::{Settings, sync};
use runout_shop::journal::import::{self, Limits, Options};
use runout_store::Composer;
use serde_json::{Value, json};

use super::receiver::{Came, Receiver, Reply, reply};
use super::{Engined, WAITING, becomes, number, settings};
use crate::catalog::id;
use crate::on_both_engines;
use crate::support::Client;
use crate::support::json_server::{JsonPlaceholder, JsonServer};

/// Changes made while the remote comes and goes.
const CHANGES: u64 = 300;
/// The remote is killed after each so many.
const KILL_EVERY: u64 = 75;

/// A generator of numbers that a seed decides (Steele, Lea and Flood's SplitMix64, 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// Patient: a remote that restarts is no reason to give up.
fn patient() -> Settings {
    let retries = Retries { quick: 200, quick_ms: 20, quick_ms_max: 200, slow: 0, slow_ms: 1 };
    Settings { retries, ..settings() }
}

async fn mirror(owner: &Client, url: &str) -> Value {
    let destination = json!({
        "name": "mirror", "kind": "rest", "url": url, "allow_private": true,
        "resources": {
            "post": {"path": "/posts", "fields": {"user_id": "userId"}},
            "comment": {"path": "/comments", "fields": {"post_id": "postId"}},
        },
    });
    owner.post("/api/v1/destinations", destination).await.expect(201)
}

async fn import_from(app: &App, url: String) {
    let options = Options { url, overwrite: false, limits: Limits::default() };
    let report = import::jsonplaceholder(app, &options, |_| {}).await.expect("imported");
    assert_eq!((report.posts.new, report.comments.new), (100, 500));
}

async fn ids(app: &App, sql: &'static str) -> Vec<i64> {
    app.db.read(Composer::new(sql).finish(), |row| row.get(0)).await.expect("reads")
}

/// One change at random, through the API.
async fn change(owner: &Client, app: &App, chance: &mut Chance, turn: u64) {
    let posts = ids(app, "select id from post order by id").await;
    let comments = ids(app, "select id from comment order by id").await;
    let post = posts[chance.below(posts.len())];
    let comment = comments[chance.below(comments.len())];
    let (method, path, body) = match chance.below(10) {
        0 | 1 => (
            Method::POST,
            "/api/v1/posts".to_owned(),
            Some(json!({"title": format!("New {turn}"), "body": "First line.\nSecond line."})),
        ),
        2..=4 => (
            Method::PATCH,
            format!("/api/v1/posts/{post}"),
            Some(json!({"title": format!("Changed {turn}")})),
        ),
        5 => (Method::DELETE, format!("/api/v1/posts/{post}"), None),
        6 | 7 => (
            Method::POST,
            format!("/api/v1/posts/{post}/comments"),
            Some(json!({"body": format!("Said {turn}")})),
        ),
        8 => (
            Method::PATCH,
            format!("/api/v1/comments/{comment}"),
            Some(json!({"body": format!("Said anew {turn}")})),
        ),
        _ => (Method::DELETE, format!("/api/v1/comments/{comment}"), None),
    };
    let answer = owner.send(method, &path, body, &[]).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
}

/// What the shop holds, by the ids that the remote gave.
async fn held(app: &App, entity: &'static str) -> BTreeMap<i64, Value> {
    let sql = match entity {
        "posts" => {
            "select r.remote_key, p.user_id, p.title, p.body, '', p.id, r.entity_id from post p
                left join remote_record r on r.entity = 'post' and r.entity_id = p.id"
        }
        _ => {
            "select r.remote_key, cast(o.remote_key as bigint), c.name, c.body, c.email, c.id,
                    r.entity_id
                from comment c
                left join remote_record r on r.entity = 'comment' and r.entity_id = c.id
                left join remote_record o on o.entity = 'post' and o.entity_id = c.post_id"
        }
    };
    let rows = app.db.read(Composer::new(sql).finish(), |row| {
        let key: Option<String> = row.get(0)?;
        let (own, known): (i64, Option<i64>) = (row.get(5)?, row.get(6)?);
        let Some(key) = key else { panic!("{entity} {own} has no id there; a record: {known:?}") };
        let key: i64 = key.parse().expect("a number");
        let (number, text): (i64, String) = (row.get(1)?, row.get(2)?);
        let (body, email): (String, String) = (row.get(3)?, row.get(4)?);
        let record = match entity {
            "posts" => json!({"id": key, "userId": number, "title": text, "body": body}),
            _ => json!({"id": key, "postId": number, "name": text, "body": body, "email": email}),
        };
        Ok((key, record))
    });
    rows.await.expect("reads").into_iter().collect()
}

async fn there(remote: &JsonServer, collection: &str) -> BTreeMap<i64, Value> {
    remote.records(collection).await.into_iter().map(|record| (id(&record), record)).collect()
}

on_both_engines! {
    async fn a_mirror_that_is_killed_again_and_again_ends_up_equal(shop: TestShop) {
        let mut remote = JsonServer::start().await;
        let app = &shop.app;
        import_from(app, remote.url()).await;
        let owner = shop.superuser().await;
        mirror(&owner, &remote.url()).await;
        let engine = Engined::start(app, patient());
        let mut chance = Chance(7);
        for turn in 0..CHANGES {
            change(&owner, app, &mut chance, turn).await;
            if turn % KILL_EVERY == KILL_EVERY / 2 {
                remote.kill();
            } else if turn % KILL_EVERY == KILL_EVERY - 1 {
                remote.start_again().await;
            }
        }
        becomes(app, WAITING, 0).await;
        assert_eq!(number(app, "select count(*) from dead_letter").await, 0);
        for collection in ["posts", "comments"] {
            let (here, there) = (held(app, collection).await, there(&remote, collection).await);
            assert_eq!(here.len(), there.len(), "{collection}");
            for (id, record) in &here {
                assert_eq!(there.get(id), Some(record), "{collection}");
            }
        }
        let mirror = sync::find(app, "mirror").await.expect("found");
        let drifts = sync::check(app, &mirror, &patient(), &mut |_, _| {}).await.expect("checked");
        assert!(drifts.iter().all(sync::Drift::is_none), "{drifts:?}");
        engine.stop().await;
    }

    async fn drift_is_found_and_repaired(shop: TestShop) {
        let remote = JsonServer::start().await;
        let app = &shop.app;
        import_from(app, remote.url()).await;
        let owner = shop.superuser().await;
        mirror(&owner, &remote.url()).await;
        let http = remote.http();
        let url = remote.url();
        let changed = json!({"userId": 1, "title": "Not ours", "body": "?"}).to_string();
        let put = http.put(format!("{url}/posts/3")).header("content-type", "application/json");
        put.body(changed.clone()).send().await.expect("changed");
        http.delete(format!("{url}/comments/9")).send().await.expect("deleted");
        let post = http.post(format!("{url}/posts")).header("content-type", "application/json");
        post.body(changed).send().await.expect("added");
        let mirror = sync::find(app, "mirror").await.expect("found");
        let drifts = sync::check(app, &mirror, &patient(), &mut |_, _| {}).await.expect("checked");
        let [posts, comments] = drifts.as_slice() else { panic!("{drifts:?}") };
        assert_eq!((posts.different.as_slice(), posts.same), ([3].as_slice(), 99));
        assert_eq!(posts.unknown, ["101"]);
        assert_eq!((comments.missing.as_slice(), comments.same), ([9].as_slice(), 499));
        assert_eq!(sync::repair(app, &mirror, &drifts).await.expect("given"), 2);
        let engine = Engined::start(app, patient());
        becomes(app, WAITING, 0).await;
        let drifts = sync::check(app, &mirror, &patient(), &mut |_, _| {}).await.expect("checked");
        assert!(drifts.iter().all(|drift| drift.repairable().next().is_none()), "{drifts:?}");
        assert_eq!(drifts[0].unknown, ["101"], "what nobody knows is left alone");
        engine.stop().await;
    }

    async fn a_remote_that_only_pretends_ends_in_no_loop(shop: TestShop) {
        let remote = JsonPlaceholder::start().await;
        let app = &shop.app;
        import_from(app, remote.url()).await;
        let owner = shop.superuser().await;
        mirror(&owner, &remote.url()).await;
        let engine = Engined::start(app, settings());
        for turn in 0..5 {
            let new = json!({"title": format!("New {turn}"), "body": "Words."});
            let post = id(&owner.post("/api/v1/posts", new).await.expect(201));
            let path = format!("/api/v1/posts/{post}");
            let body = json!({"body": "Said"});
            owner.post(&format!("{path}/comments"), body).await.expect(201);
            owner.send(Method::PATCH, &path, Some(json!({"title": "Other"})), &[]).await;
            if turn == 4 {
                owner.send(Method::DELETE, &path, None, &[]).await;
            }
        }
        owner.send(Method::PATCH, "/api/v1/posts/1", Some(json!({"title": "One"})), &[]).await;
        owner.send(Method::DELETE, "/api/v1/posts/2", None, &[]).await;
        becomes(app, WAITING, 0).await;
        assert_eq!(number(app, "select count(*) from dead_letter").await, 0);
        let taken_twice = "select count(*) from (select remote_key from remote_record
            where remote_key is not null group by entity, remote_key having count(*) > 1) as twice";
        assert_eq!(number(app, taken_twice).await, 0, "an id there belongs to one thing here");
        engine.stop().await;
    }

    async fn many_changes_become_one_call_or_none(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::start(|came, before| match came.method {
            Method::POST => Reply { body: format!("{{\"id\": {}}}", 500 + before), ..reply(201) },
            Method::GET => Reply { body: "[]".into(), ..reply(200) },
            _ => reply(200),
        })
        .await;
        let owner = shop.superuser().await;
        mirror(&owner, &receiver.url).await;
        let new = json!({"title": "First", "body": "Words."});
        let kept = id(&owner.post("/api/v1/posts", new.clone()).await.expect(201));
        for turn in 0..10 {
            let title = json!({"title": format!("Title {turn}")});
            owner.send(Method::PATCH, &format!("/api/v1/posts/{kept}"), Some(title), &[]).await;
        }
        let gone = id(&owner.post("/api/v1/posts", new).await.expect(201));
        owner.send(Method::DELETE, &format!("/api/v1/posts/{gone}"), None, &[]).await;
        let engine = Engined::start(app, settings());
        becomes(app, WAITING, 0).await;
        let writes = |came: Vec<Came>| {
            let writes = came.into_iter().filter(|came| came.method != Method::GET);
            let told = |came: Came| (came.method.clone(), came.path.clone(), came.json());
            writes.map(told).collect::<Vec<_>>()
        };
        let sent = json!({"userId": 99_999_942, "title": "Title 9", "body": "Words."});
        assert_eq!(writes(receiver.came()), [(Method::POST, "/posts".to_owned(), sent)]);
        // A comment that goes with its post goes before it.
        let comments = format!("/api/v1/posts/{kept}/comments");
        owner.post(&comments, json!({"body": "Said"})).await.expect(201);
        becomes(app, WAITING, 0).await;
        owner.send(Method::DELETE, &format!("/api/v1/posts/{kept}"), None, &[]).await;
        becomes(app, WAITING, 0).await;
        let all = writes(receiver.came());
        let methods: Vec<String> = all[1..].iter().map(|(m, p, _)| format!("{m} {p}")).collect();
        let (posts, comments) = (&methods[2], &methods[1]);
        assert!(comments.starts_with("DELETE /comments/"), "{methods:?}");
        assert!(posts.starts_with("DELETE /posts/"), "{methods:?}");
        assert_eq!(methods.len(), 3);
        engine.stop().await;
    }

    async fn a_creation_whose_answer_was_lost_is_found_again(shop: TestShop) {
        let app = &shop.app;
        // The first creation is carried out, but nobody hears of it.
        let receiver = Receiver::start(|came, _| match came.method {
            Method::POST => Reply { after: Duration::from_secs(60), ..reply(201) },
            Method::GET => {
                let record = json!([{"id": 77, "userId": 99_999_942, "title": "T", "body": "B"}]);
                Reply { body: record.to_string(), ..reply(200) }
            }
            _ => reply(200),
        })
        .await;
        let owner = shop.superuser().await;
        mirror(&owner, &receiver.url).await;
        let engine = Engined::start(
            app,
            Settings { timeout: Duration::from_millis(1_500), ..settings() },
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        owner.post("/api/v1/posts", json!({"title": "T", "body": "B"})).await.expect(201);
        becomes(app, "select count(*) from remote_record where remote_key = '77'", 1).await;
        let posts = receiver.came().iter().filter(|came| came.method == Method::POST).count();
        assert_eq!(posts, 1, "it was not sent twice");
        engine.stop().await;
    }

    /// What was created in doubt is found as it was then, though it has been changed here since.
    async fn a_creation_in_doubt_is_found_after_a_change(shop: TestShop) {
        let app = &shop.app;
        let receiver = Receiver::start(|came, _| match came.method {
            Method::POST => Reply { after: Duration::from_secs(60), ..reply(201) },
            Method::GET if came.path.contains("title=Then") => {
                let record = json!([{
                    "id": 77, "userId": 99_999_942, "title": "Then", "body": "B",
                }]);
                Reply { body: record.to_string(), ..reply(200) }
            }
            Method::GET => Reply { body: "[]".to_owned(), ..reply(200) },
            _ => reply(200),
        })
        .await;
        let owner = shop.superuser().await;
        mirror(&owner, &receiver.url).await;
        let engine = Engined::start(
            app,
            Settings { timeout: Duration::from_millis(2_500), ..settings() },
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        let new = json!({"title": "Then", "body": "B"});
        let post = owner.post("/api/v1/posts", new).await.expect(201);
        receiver.has_come(1).await;
        let changed = json!({"title": "Now", "body": "B"});
        let path = format!("/api/v1/posts/{}", id(&post));
        owner.send(Method::PATCH, &path, Some(changed), &[]).await.expect(200);
        becomes(app, "select count(*) from remote_record where remote_key = '77'", 1).await;
        becomes(app, WAITING, 0).await;
        let came = receiver.came();
        let posts = came.iter().filter(|came| came.method == Method::POST).count();
        assert_eq!(posts, 1, "it was not sent twice");
        let put = came.iter().find(|came| came.method == Method::PUT).expect("it is put right");
        assert_eq!((put.path.as_str(), put.json()["title"].as_str()), ("/posts/77", Some("Now")));
        engine.stop().await;
    }
}
