//! `runout import jsonplaceholder`, against a server on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use runout_shop::journal::import::{
    FetchError, ImportError, Limits, Options, Report, jsonplaceholder,
};
use runout_store::Composer;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::journal::{COMMENTS, POSTS, say, told, write};
use crate::on_both_engines;
use crate::support::TestShop;
use crate::support::stage::count;

/// What the remote system has, and how it behaves.
#[derive(Default)]
struct World {
    posts: Vec<Value>,
    comments: Vec<Value>,
    /// It gives everything, whatever page is asked for.
    has_no_pages: bool,
    /// Answers 503 so many times first.
    failures: u32,
    requests: u32,
}

#[derive(Clone)]
struct Remote {
    world: Arc<Mutex<World>>,
    url: String,
}

#[derive(Deserialize)]
struct Asked {
    _page: usize,
    _limit: usize,
}

impl Remote {
    async fn new() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let router = axum::Router::new()
            .route("/api/posts", get(|state, asked| async { answer(state, asked, false) }))
            .route("/api/comments", get(|state, asked| async { answer(state, asked, true) }))
            .with_state(Arc::clone(&world));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/api", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { world, url }
    }

    /// Posts 1 to `posts`, with five comments each, as JSONPlaceholder has them.
    async fn with(posts: i64) -> Self {
        let remote = Self::new().await;
        remote.change(|world| {
            world.posts = (1..=posts).map(post).collect();
            world.comments = (1..=posts * 5).map(|id| comment(id, (id - 1) / 5 + 1)).collect();
        });
        remote
    }

    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world.lock().expect("no panic"))
    }

    async fn import(&self, shop: &TestShop, overwrite: bool) -> Result<Report, ImportError> {
        import(shop, &self.url, overwrite).await
    }
}

async fn import(shop: &TestShop, url: &str, overwrite: bool) -> Result<Report, ImportError> {
    let limits = Limits {
        connect: Duration::from_secs(10),
        attempt: Duration::from_secs(30),
        backoff_first: Duration::from_millis(1),
        ..Limits::default()
    };
    let options = Options { url: url.to_owned(), overwrite, limits };
    jsonplaceholder(&shop.app, &options, |_| {}).await
}

fn answer(
    State(world): State<Arc<Mutex<World>>>,
    Query(asked): Query<Asked>,
    comments: bool,
) -> Response {
    let mut world = world.lock().expect("no panic");
    world.requests += 1;
    if world.failures > 0 {
        world.failures -= 1;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let all = if comments { &world.comments } else { &world.posts };
    let page: Vec<&Value> = match world.has_no_pages {
        true => all.iter().collect(),
        false => all.iter().skip((asked._page - 1) * asked._limit).take(asked._limit).collect(),
    };
    let total = all.len().to_string();
    ([("x-total-count", total)], axum::Json(json!(page))).into_response()
}

fn post(id: i64) -> Value {
    json!({
        "userId": (id - 1) / 10 + 1, "id": id, "title": format!("title {id}"),
        "body": format!("first line of {id}\nsecond line"),
    })
}

fn comment(id: i64, post: i64) -> Value {
    json!({
        "postId": post, "id": id, "name": format!("name {id}"),
        "email": format!("Who{id}@letters.example"), "body": format!("said\n{id}"),
    })
}

fn told_of(report: &Report) -> [(u64, u64); 2] {
    [&report.posts, &report.comments].map(|tally| (tally.new, tally.unchanged))
}

async fn rows(shop: &TestShop) -> [i64; 3] {
    let db = &shop.app.db;
    [
        count(db, "select count(*) from post").await,
        count(db, "select count(*) from comment").await,
        count(db, "select count(*) from remote_record").await,
    ]
}

on_both_engines! {
    async fn everything_comes_with_its_ids(shop: TestShop) {
        let remote = Remote::with(103).await;
        let report = remote.import(&shop, false).await.expect("imported");
        assert_eq!(told_of(&report), [(103, 0), (515, 0)]);
        assert!(report.faults.is_empty());
        let nobody = shop.anonymous();
        let shown = nobody.get(&format!("{POSTS}/42")).await.expect(200);
        assert_eq!(
            [
                &shown["user_id"],
                &shown["title"],
                &shown["author_id"],
                &shown["published"],
                &shown["comments"]
            ],
            [&json!(5), &json!("title 42"), &Value::Null, &json!(true), &json!(5)]
        );
        assert_eq!(shown["body"], "first line of 42\nsecond line");
        let shown = nobody.get(&format!("{COMMENTS}/207")).await.expect(200);
        assert_eq!(
            (&shown["post_id"], &shown["email"]),
            (&json!(42), &json!("Who207@letters.example"))
        );
        // Those who have it already are told nothing, and it is known what is what there.
        assert!(told(&shop).await.is_empty());
        let known = Composer::new(
            "select origin || ' ' || remote_key || ' ' || parent_id from remote_record
             where entity = 'comment' and entity_id = 207",
        );
        let known = shop.app.db.read_one(known.finish(), |row| row.get::<String>(0)).await;
        assert_eq!(known.expect("reads"), Some(format!("{} 207 42", remote.url)));
        assert_eq!(rows(&shop).await, [103, 515, 618]);
        // The next ones get numbers of their own.
        let staff = shop.staff().await;
        let next = write(&staff, "Ours").await;
        assert_eq!((next, say(&staff, next, "Hm.").await), (104, 516));
        shop.verify().await;
    }

    async fn the_demo_leaves_room_for_it(shop: TestShop) {
        let ana = shop.customer("ana").await;
        runout_shop::journal::demo::add(&shop.app, ana.account_id).await.expect("news");
        let remote = Remote::with(100).await;
        let report = remote.import(&shop, false).await.expect("imported");
        assert_eq!(told_of(&report), [(100, 0), (500, 0)]);
        assert_eq!(rows(&shop).await[..2], [103, 503]);
        shop.verify().await;
    }

    async fn again_it_changes_nothing(shop: TestShop) {
        let remote = Remote::with(12).await;
        remote.import(&shop, false).await.expect("imported");
        let audit = count(&shop.app.db, "select count(*) from audit").await;
        for overwrite in [false, true] {
            let report = remote.import(&shop, overwrite).await.expect("imported");
            assert_eq!(told_of(&report), [(0, 12), (0, 60)]);
        }
        // With a slash it is the same remote system.
        let report = import(&shop, &format!("{}/", remote.url), false).await.expect("imported");
        assert_eq!(told_of(&report), [(0, 12), (0, 60)]);
        assert_eq!(rows(&shop).await, [12, 60, 72]);
        assert_eq!(count(&shop.app.db, "select count(*) from audit").await, audit);
        let versions = "select cast(sum(version) as bigint) from post";
        assert_eq!(count(&shop.app.db, versions).await, 12);
        // What is new there comes.
        remote.change(|world| {
            world.posts.push(post(13));
            world.comments.push(comment(61, 13));
        });
        let report = remote.import(&shop, false).await.expect("imported");
        assert_eq!(told_of(&report), [(1, 12), (1, 60)]);
        shop.verify().await;
    }

    async fn here_is_the_master(shop: TestShop) {
        let remote = Remote::with(3).await;
        remote.import(&shop, false).await.expect("imported");
        let staff = shop.staff().await;
        staff.patch(&format!("{POSTS}/1"), json!({"title": "Better"})).await.expect(200);
        staff.patch(&format!("{COMMENTS}/6"), json!({"body": "Better"})).await.expect(200);
        staff.delete(&format!("{POSTS}/3")).await.expect(204);
        let report = remote.import(&shop, false).await.expect("imported");
        assert_eq!((report.posts.kept, report.posts.unchanged, report.posts.deleted), (1, 1, 1));
        assert_eq!(
            (report.comments.kept, report.comments.unchanged, report.comments.deleted),
            (1, 9, 5)
        );
        assert_eq!((report.posts.differing, report.comments.differing), (vec![1], vec![6]));
        assert_eq!(staff.get(&format!("{POSTS}/1")).await.expect(200)["title"], "Better");
        staff.get(&format!("{POSTS}/3")).await.expect(404);
        let report = remote.import(&shop, true).await.expect("imported");
        assert_eq!(
            (report.posts.overwritten, report.posts.new, report.comments.overwritten),
            (1, 1, 1)
        );
        let shown = staff.get(&format!("{POSTS}/1")).await;
        assert_eq!(shown.headers["etag"], "\"3\"");
        assert_eq!(shown.expect(200)["title"], "title 1");
        shop.verify().await;
    }

    async fn what_is_somebody_elses_is_not_overwritten_unasked(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let staff = shop.staff().await;
        let own = write(&staff, "Ours").await;
        say(&ana, own, "Yes.").await;
        let remote = Remote::with(2).await;
        let refused = remote.import(&shop, false).await.expect_err("refused").to_string();
        assert!(
            refused.starts_with("post 1, comment 1 did not come from http://127.0.0.1:"),
            "{refused}"
        );
        assert!(refused.contains("--overwrite"), "{refused}");
        assert_eq!(rows(&shop).await, [1, 1, 0], "nothing of it stays");
        let report = remote.import(&shop, true).await.expect("imported");
        assert_eq!((report.posts.new, report.posts.overwritten), (1, 1));
        let shown = staff.get(&format!("{POSTS}/1")).await.expect(200);
        assert_eq!((&shown["title"], &shown["author_id"]), (&json!("title 1"), &Value::Null));
        shop.verify().await;
    }

    async fn what_was_made_here_is_known_by_its_number_there(shop: TestShop) {
        let staff = shop.staff().await;
        let own = write(&staff, "Ours").await;
        let remote = Remote::new().await;
        // It was sent there, and is number 101 there.
        let sql = format!(
            "insert into remote_record (origin, entity, entity_id, remote_key, sent_at)
             select '{}', 'post', {own}, '101', created_at from post",
            remote.url
        );
        shop.app.db.script(&sql).await.expect("a record");
        remote.change(|world| {
            world.posts = vec![
                json!({"id": 101, "userId": 99_999_942, "title": "Ours", "body": "Some words."}),
                post(1),
            ];
            world.comments = vec![comment(1, 101), comment(2, 1)];
        });
        let report = remote.import(&shop, true).await.expect("imported");
        // The remote's number 1 is not ours.
        assert_eq!((report.posts.unchanged, report.posts.kept), (1, 1));
        let shown = staff.get(&format!("{COMMENTS}/1")).await.expect(200);
        assert_eq!(shown["post_id"], own);
        assert_eq!(rows(&shop).await, [1, 1, 2]);
    }

    async fn malformed_records_are_told_and_passed_over(shop: TestShop) {
        let remote = Remote::with(3).await;
        remote.change(|world| {
            world.posts[1] = json!({"id": 2, "userId": 1, "body": "no title"});
            world.posts.push(json!("no record"));
            world.comments[0]["email"] = json!("nowhere");
            world.comments[1]["postId"] = json!(77);
        });
        let report = remote.import(&shop, false).await.expect("imported");
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults[0], "post 2: title is missing");
        assert_eq!(faults[1], "post \"no record\": id is missing");
        assert!(faults[2].starts_with("comment 1: email "), "{faults:?}");
        assert_eq!(faults[3], "comment 2: there is no post 77");
        assert_eq!(faults[4], "comment 6: there is no post 2");
        assert_eq!(faults.len(), 9);
        assert_eq!(rows(&shop).await, [2, 8, 10]);
    }

    async fn a_remote_without_pages_is_read_once(shop: TestShop) {
        let remote = Remote::with(250).await;
        remote.change(|world| world.has_no_pages = true);
        let report = remote.import(&shop, false).await.expect("imported");
        assert_eq!(told_of(&report), [(250, 0), (1_250, 0)]);
        assert_eq!(remote.change(|world| world.requests), 4);
    }

    async fn a_remote_that_fails_is_asked_again(shop: TestShop) {
        let remote = Remote::with(2).await;
        remote.change(|world| world.failures = 4);
        let report = remote.import(&shop, false).await.expect("imported");
        assert_eq!(told_of(&report), [(2, 0), (10, 0)]);
        let other = Remote::with(4).await;
        other.change(|world| world.failures = 99);
        let error = other.import(&shop, true).await.expect_err("unreachable");
        let ImportError::Fetch(FetchError::Unreachable { attempts, .. }) = &error else {
            panic!("{error}")
        };
        assert_eq!((*attempts, rows(&shop).await), (5, [2, 10, 12]));
        let error = import(&shop, "http://127.0.0.1:9", false).await.expect_err("nobody is there");
        assert!(error.to_string().contains("cannot be reached after 5 attempts"), "{error}");
        let error = import(&shop, &format!("{}/nothing", other.url), false).await;
        let error = error.expect_err("nothing is there").to_string();
        assert!(error.contains("404"), "{error}");
        for url in ["nowhere", "ftp://example.com", "http://a:b@example.com"] {
            let error = import(&shop, url, false).await.expect_err("no address");
            assert!(matches!(error, ImportError::Fetch(FetchError::Address(_))), "{error}");
        }
    }
}
