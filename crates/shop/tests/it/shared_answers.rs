//! Answers shared between nodes in Redis: used when they are right, and never when they are not.

use std::time::{Duration, Instant};

use runout_shop::App;
use runout_shop::platform::cache::{Figures, begin};
use runout_shop::platform::config::Config;
use runout_store::{Composer, Engine};
use serde_json::Value;

use crate::answer_cache::record;
use crate::on_both_engines;
use crate::support::proxy::{Network, Proxy};
use crate::support::redis::{RedisServer, settings};
use crate::support::server::{Server, runout};
use crate::support::{Client, TestShop};

const LIST: &str = "/api/v1/products?artist=Hohpe&limit=10";

/// A node that is connected to Redis.
struct Node {
    app: App,
    client: Client,
}

impl Node {
    async fn new(shop: &TestShop, config: &Config) -> Self {
        let app = shop.node_with(config).await;
        let client = Client::new(shop.router_of(app.clone()), None);
        let node = Self { app, client };
        until("connected", || node.figures().redis_is_up == Some(true)).await;
        node
    }

    fn figures(&self) -> Figures {
        self.app.answers.figures()
    }

    async fn list(&self, path: &str) -> Value {
        self.client.get(path).await.expect(200)
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

on_both_engines! {
    async fn an_answer_that_one_node_made_serves_the_other(shop: TestShop) {
        let redis = RedisServer::start().await;
        record(&shop).await;
        let [here, there] = [
            Node::new(&shop, &redis.settings()).await,
            Node::new(&shop, &redis.settings()).await,
        ];
        let made = here.list(LIST).await;
        assert_eq!(made["items"][0]["title"], "We are Reactive");
        until("stored", || here.figures().stored == 1).await;
        assert_eq!(there.list(LIST).await, made);
        let Figures { found, missing, misses, stored, .. } = there.figures();
        assert_eq!((found, missing, misses, stored), (1, 0, 1, 0));
        // Now it has its own.
        assert_eq!(there.list(LIST).await, made);
        assert_eq!((there.figures().hits, there.figures().found), (1, 1));
        // A change is another version: nothing of before is found.
        shop.app.db.script("update product set title = 'By hand'").await.expect("raw SQL runs");
        tokio::time::sleep(Config::default().cache.stale_max()).await;
        assert_eq!(there.list(LIST).await["items"][0]["title"], "By hand");
        assert_eq!((there.figures().found, there.figures().missing), (1, 1));
        let text = there.client.get("/metrics").await;
        let text = String::from_utf8(text.body).expect("text");
        for name in [
            "runout_redis_up 1",
            "runout_redis_calls_total{outcome=\"found\"}",
            "runout_answer_cache_hits_total",
            "runout_answer_cache_misses_total",
        ] {
            assert!(text.contains(name), "{name} is missing");
        }
    }

    async fn a_corrupt_value_is_a_miss_and_is_replaced(shop: TestShop) {
        let redis = RedisServer::start().await;
        record(&shop).await;
        let here = Node::new(&shop, &redis.settings()).await;
        let queries = ["limit=1", "limit=2", "limit=3", "limit=4", "limit=5", "limit=6"];
        let paths = queries.map(|query| format!("/api/v1/products?{query}"));
        let mut made = Vec::new();
        for path in &paths {
            made.push(here.list(path).await);
        }
        until("stored", || here.figures().stored == 6).await;
        assert_eq!(redis.corrupt().await, 6);
        let mut corrupt = 0;
        for (path, made) in paths.iter().zip(&made) {
            // A new node each time: it has nothing of its own, and no failure to remember.
            let there = Node::new(&shop, &redis.settings()).await;
            assert_eq!(there.list(path).await, *made);
            let Figures { found, missing, failed, .. } = there.figures();
            assert_eq!((found, missing, failed), (0, 0, 0), "{path}");
            corrupt += there.figures().corrupt;
            until("replaced", || there.figures().stored == 1).await;
        }
        assert_eq!(corrupt, 6);
        let there = Node::new(&shop, &redis.settings()).await;
        for (path, made) in paths.iter().zip(&made) {
            assert_eq!(there.list(path).await, *made);
        }
        assert_eq!((there.figures().found, there.figures().corrupt), (6, 0));
    }

    /// What nodes with other settings show is not what this one would.
    async fn nodes_with_other_settings_share_nothing(shop: TestShop) {
        let redis = RedisServer::start().await;
        record(&shop).await;
        let here = Node::new(&shop, &redis.settings()).await;
        let pounds = Config { currency: "GBP".parse().expect("pounds"), ..redis.settings() };
        let there = Node::new(&shop, &pounds).await;
        let price = async |node: &Node| {
            node.list(LIST).await["items"][0]["variants"][0]["price"].clone()
        };
        assert_eq!(price(&here).await["currency"], "EUR");
        until("stored", || here.figures().stored == 1).await;
        assert_eq!(price(&there).await, Value::Null, "it has no price in pounds");
        assert_eq!((there.figures().found, there.figures().missing), (0, 1));
    }

    async fn another_shops_answers_are_not_found(shop: TestShop) {
        let redis = RedisServer::start().await;
        record(&shop).await;
        let here = Node::new(&shop, &redis.settings()).await;
        here.list(LIST).await;
        until("stored", || here.figures().stored == 1).await;
        let engine = match shop.app.db.engine() {
            Engine::Sqlite => crate::support::Engine::Sqlite,
            Engine::Postgres => crate::support::Engine::Postgres,
        };
        // The same steps at the same time: the same versions, in another database.
        let other = TestShop::new(engine).await;
        record(&other).await;
        let there = Node::new(&other, &redis.settings()).await;
        there.list(LIST).await;
        assert_eq!((there.figures().found, there.figures().missing), (0, 1));
    }

    /// After a backup was restored, versions never count through numbers that were there before.
    async fn a_restored_database_begins_above_its_earlier_life(shop: TestShop) {
        let db = &shop.app.db;
        let version = async || {
            let sum =
                "select cast(sum(version) as bigint) from scope_version where scope = 'event'";
            let statement = Composer::new(sum).finish();
            db.read_one(statement, |row| row.get::<i64>(0)).await.expect("read").expect("a row")
        };
        let (now, minute) = (shop.clock.now(), Duration::from_secs(60));
        // A long life with many changes, by many connections.
        let lived = "insert into scope_version (scope, shard, version)
            values ('event', 99, 5000000000)";
        db.script(lived).await.expect("raw SQL runs");
        begin(db, now).await.expect("raised");
        let begun = version().await;
        db.script("update scope_version set version = version + 1000 where scope = 'event'")
            .await
            .expect("raw SQL runs");
        let earlier = version().await;
        assert!(earlier > begun && begun >= now.as_microsecond());
        // The backup is of its youth.
        let restored = "delete from scope_version where shard = 99;
            update scope_version set version = 7 where scope = 'event'";
        db.script(restored).await.expect("raw SQL runs");
        begin(db, now + minute).await.expect("raised");
        assert!(version().await > earlier, "{} after {earlier}", version().await);
    }

    /// A database that goes back under a running node (a standby that lacked the last commits) does
    /// not bring the answers of the lost commits back.
    async fn a_database_that_goes_back_is_noticed(shop: TestShop) {
        let exact = {
            let mut config = Config::default();
            config.cache.stale_ms_max = 0;
            config
        };
        record(&shop).await;
        let app = shop.node_with(&exact).await;
        let client = Client::new(shop.router_of(app), None);
        let title = async || client.get(LIST).await.expect(200)["items"][0]["title"].clone();
        let change = async |title: &str, versions: &str| {
            let sql = format!("update product set title = '{title}'; {versions}");
            shop.app.db.script(&sql).await.expect("raw SQL runs");
        };
        title().await;
        for lost in ["Lost 1", "Lost 2", "Lost 3"] {
            change(lost, "").await;
            assert_eq!(title().await, lost);
        }
        let back = "update scope_version set version = version - 4
            where scope = 'catalog' and shard = (select min(shard) from scope_version v
                where v.scope = 'catalog' and v.version = (select max(w.version)
                    from scope_version w where w.scope = 'catalog'))";
        change("Other history", back).await;
        for n in 1..=4 {
            assert_eq!(title().await, if n == 1 { "Other history" } else { "Another" });
            change("Another", "").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_without_redis_serves_and_finds_it_when_it_comes() {
    let mut redis = RedisServer::start().await;
    redis.kill();
    let shop = TestShop::new(crate::support::Engine::Sqlite).await;
    record(&shop).await;
    let app = shop.node_with(&redis.settings()).await;
    let client = Client::new(shop.router_of(app.clone()), None);
    for limit in 1..=5 {
        client.get(&format!("/api/v1/products?limit={limit}")).await.expect(200);
    }
    let figures = app.answers.figures();
    assert_eq!((figures.redis_is_up, figures.found), (Some(false), 0));
    assert!(figures.left_out >= 5, "{figures:?}");
    redis.start_again().await;
    let mut limit = 5;
    let since = Instant::now();
    while app.answers.figures().stored == 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "Redis is never used again");
        limit = limit % 90 + 1;
        client.get(&format!("/api/v1/products?limit={limit}")).await.expect(200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What an operator has typed wrong is told at once; what is merely down is not waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_address_that_makes_no_sense_stops_the_program() {
    let shop = TestShop::new(crate::support::Engine::Sqlite).await;
    let url = shop.database_url();
    let wrong = "redis://:hunter2@shop.example:port";
    let output = runout(&url, &["serve", "--redis-url", wrong], "");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.trim_end().lines().count() == 1, "{text}");
    assert!(text.contains("cache.redis_url") && !text.contains("hunter2"), "{text}");
    let server = Server::start(&url, &["--redis-url", "redis://127.0.0.1:1/0"]).await;
    let list = server.connect().await.send("GET", "/api/v1/events", "", "", &Value::Null).await;
    assert_eq!(list.expect("an answer").status, 200);
    server.stop().await;
}

/// Bytes are lost on a connection that stands: later replies answer earlier questions. The seal
/// refuses them, and a new connection is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_to_other_questions_are_refused() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::start(redis.address()).await;
    let shop = TestShop::new(crate::support::Engine::Sqlite).await;
    record(&shop).await;
    let mut config = settings(&proxy.url());
    config.cache.redis_budget_ms = 50;
    let node = Node::new(&shop, &config).await;
    let since = Instant::now();
    let mut n = 0;
    while node.figures().failed < 9 {
        assert!(since.elapsed() < Duration::from_secs(60), "{:?}", node.figures());
        proxy.set(if n % 7 == 6 { Network::Lossy } else { Network::Whole });
        n += 1;
        let list = node.list(&format!("/api/v1/products?limit={}", n % 100 + 1)).await;
        assert_eq!(list["items"][0]["title"], "We are Reactive");
        let changed = format!("update product set release_year = {n}");
        shop.app.db.script(&changed).await.expect("raw SQL runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    proxy.set(Network::Whole);
    while node.figures().redis_is_up != Some(true) {
        assert!(since.elapsed() < Duration::from_secs(120), "{:?}", node.figures());
        n += 1;
        node.list(&format!("/api/v1/products?limit={}", n % 100 + 1)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
