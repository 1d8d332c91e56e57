//! Faults: the server is killed under load, and PostgreSQL's connections are cut. Afterwards the
//! database is whole, and holds what the clients were told, once.

pub mod remote;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use runout_core::ids::OrderId;
use runout_core::stock::{Asked, Outcome, Remembered};
use runout_shop::App;
use runout_shop::platform::clock::Clock;
use runout_store::{Composer, Error};
use serde_json::json;

use self::remote::{Server, verify_command};
use crate::on_both_engines;
use crate::support::database::postgres_is_left_out;
use crate::support::stage::{ask, count, keyed, placed, receive, sell, stage};
use crate::support::{Engine, TestShop};

const ROUNDS_MIN: usize = 3;
/// A kill that struck between two requests of every client is repeated.
const ROUNDS_MAX: usize = 20;
const CLIENTS: usize = 8;
/// Each server is killed after so many answers.
const ANSWERS: usize = 120;
/// How long they may take, and an answer that asks for patience.
const ANSWERS_MAX: Duration = Duration::from_secs(60);
const VARIANTS: i64 = 3;
/// Times that all connections to PostgreSQL are cut, and again as often until it was noticed.
const CUTS: usize = 10;
const CUTS_MAX: usize = 300;

/// What the clients know when their server has died.
#[derive(Debug, Default)]
struct Told {
    /// Order by key.
    placed: BTreeMap<String, i64>,
    cancelled: BTreeSet<i64>,
    /// Keys without an answer, with what was asked under them.
    unknown: BTreeMap<String, serde_json::Value>,
    /// Orders whose cancellation was not answered, by its key.
    cancel_unknown: BTreeMap<String, i64>,
}

impl Told {
    fn add(&mut self, other: Told) {
        self.placed.extend(other.placed);
        self.cancelled.extend(other.cancelled);
        self.unknown.extend(other.unknown);
        self.cancel_unknown.extend(other.cancel_unknown);
    }
}

/// Buys, and cancels every fourth order, until there is no answer; counts the answers.
async fn customer(server: &Server, token: &str, name: String, answers: &AtomicUsize) -> Told {
    let mut told = Told::default();
    for turn in 0_i64.. {
        let key = format!("{name}-{turn}");
        let variant = turn % VARIANTS + 1;
        let body = json!({ "lines": [
            { "variant_id": variant, "quantity": turn % 3 + 1 },
            { "variant_id": variant % VARIANTS + 1, "quantity": 1 },
        ]});
        let Some(answer) = server.post("/api/v1/orders", token, &key, &body).await else {
            told.unknown.insert(key, body);
            break;
        };
        assert_eq!(answer.status, 201, "{}", answer.body);
        let order = answer.body["id"].as_i64().expect("an id");
        told.placed.insert(key, order);
        answers.fetch_add(1, Ordering::Relaxed);
        if turn % 4 == 0 {
            let key = format!("{name}-{turn}-cancel");
            let path = format!("/api/v1/orders/{order}/cancel");
            match server.post(&path, token, &key, &json!({})).await {
                Some(answer) => {
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    told.cancelled.insert(order);
                }
                None => {
                    told.cancel_unknown.insert(key, order);
                    break;
                }
            }
        }
    }
    told
}

/// Kills the server as soon as it has given so many answers.
async fn kill_after(server: &Server, answers: &AtomicUsize) {
    let since = Instant::now();
    while answers.load(Ordering::Relaxed) < ANSWERS {
        assert!(since.elapsed() < ANSWERS_MAX, "only {answers:?} answers");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.kill();
}

/// Asks again what was not answered, under the same keys; checks that what was answered is kept.
async fn ask_again(server: &Server, token: &str, told: &mut Told) {
    for (key, body) in std::mem::take(&mut told.unknown) {
        let answer = server.post("/api/v1/orders", token, &key, &body).await.expect("it lives");
        assert_eq!(answer.status, 201, "{}", answer.body);
        told.placed.insert(key, answer.body["id"].as_i64().expect("an id"));
    }
    for (key, order) in std::mem::take(&mut told.cancel_unknown) {
        let path = format!("/api/v1/orders/{order}/cancel");
        let answer = server.post(&path, token, &key, &json!({})).await.expect("it lives");
        assert_eq!(answer.status, 200, "{}", answer.body);
        told.cancelled.insert(order);
    }
}

on_both_engines! {
    async fn a_killed_server_loses_nothing_that_it_told(shop: TestShop) {
        stage(&shop.app.db, 1, VARIANTS).await;
        for variant in 1..=VARIANTS {
            ask(&shop.app, receive(variant, 1, 1_000_000)).await;
        }
        // The program lives by the real clock, and the token must not have expired by then.
        let start = shop.clock.now();
        if let Ok(ahead) = Duration::try_from(Clock::system().now().duration_since(start)) {
            shop.clock.advance(ahead);
        }
        let token = shop.customer("ana").await.token.expect("logged in");
        let url = shop.database_url();
        let mut told = Told::default();
        for round in 0.. {
            let struck = !told.unknown.is_empty() || !told.cancel_unknown.is_empty();
            if round >= ROUNDS_MIN && struck {
                break;
            }
            assert!(round < ROUNDS_MAX, "killed while idle");
            let mut server = Server::start(&url).await;
            let answers = AtomicUsize::new(0);
            let customer = |n| customer(&server, &token, format!("{round}-{n}"), &answers);
            let customers = join_all((0..CLIENTS).map(customer));
            let ((), all) = futures::join!(kill_after(&server, &answers), customers);
            server.reap();
            all.into_iter().for_each(|one| told.add(one));
            verify_command(&url);
        }
        assert!(told.placed.len() > 100, "only {} orders", told.placed.len());

        let server = Server::start(&url).await;
        let before = told.placed.clone();
        ask_again(&server, &token, &mut told).await;
        for (key, order) in before.iter().take(20) {
            let turn: i64 = key.rsplit('-').next().expect("a turn").parse().expect("a number");
            let variant = turn % VARIANTS + 1;
            let body = json!({ "lines": [
                { "variant_id": variant, "quantity": turn % 3 + 1 },
                { "variant_id": variant % VARIANTS + 1, "quantity": 1 },
            ]});
            let again = server.post("/api/v1/orders", &token, key, &body).await.expect("it lives");
            assert_eq!((again.status, again.body["id"].as_i64()), (201, Some(*order)), "{key}");
        }
        drop(server);
        let stored = Composer::new("select id, status from orders").finish();
        let stored: BTreeMap<i64, String> = shop
            .app
            .db
            .read(stored, |row| Ok((row.get(0)?, row.get(1)?)))
            .await
            .expect("orders")
            .into_iter()
            .collect();
        let ids: BTreeSet<i64> = told.placed.values().copied().collect();
        assert_eq!(ids.len(), told.placed.len(), "each key has an order of its own");
        assert_eq!(stored.keys().copied().collect::<BTreeSet<_>>(), ids, "and there is no other");
        let gone: BTreeSet<i64> =
            stored.iter().filter(|(_, s)| *s == "cancelled").map(|(id, _)| *id).collect();
        assert_eq!(gone, told.cancelled);
        verify_command(&url);
        shop.verify().await;
    }
}

/// Asks until there is an answer; true if it came at once.
async fn persist(app: &App, asked: Asked) -> (OrderId, bool) {
    let since = Instant::now();
    for attempt in 0.. {
        assert!(since.elapsed() < ANSWERS_MAX, "no answer in {attempt} attempts");
        match app.stock.ask(asked.clone()).await {
            Ok(answer) => {
                let order = placed(&answer.outcome).unwrap_or_else(|| match answer.outcome {
                    Outcome::Replayed(Remembered::Order(order)) => order,
                    other => panic!("{other:?}"),
                });
                return (order, attempt == 0);
            }
            Err(error) => {
                let text = format!("{error:?}");
                assert!(!text.contains("Panicked"), "{text}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    unreachable!("attempts are made until there is an answer, or no time left")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_to_postgres_lose_nothing_and_double_nothing() {
    if postgres_is_left_out("cut_connections_to_postgres_lose_nothing_and_double_nothing") {
        return;
    }
    let shop = TestShop::new(Engine::Postgres).await;
    stage(&shop.app.db, 1, 1).await;
    ask(&shop.app, receive(1, 1, 1_000_000)).await;
    let noticed = Arc::new(AtomicBool::new(false));
    let enough = {
        let noticed = Arc::clone(&noticed);
        move |cuts: usize| cuts >= CUTS_MAX || cuts >= CUTS && noticed.load(Ordering::Relaxed)
    };
    let cutter = tokio::spawn(remote::cut_connections(shop.database_url(), enough));
    let mut orders = BTreeSet::new();
    let mut troubled = 0;
    for wave in 0.. {
        if cutter.is_finished() {
            break;
        }
        let asks = (0..100).map(|n| {
            let key = format!("{wave}-{n}");
            persist(&shop.app, keyed(sell(1, &[(1, 1)]), 1, &key, 7))
        });
        for (order, at_once) in join_all(asks).await {
            assert!(orders.insert(order), "order {order} answers two keys");
            troubled += i32::from(!at_once);
            noticed.fetch_or(!at_once, Ordering::Relaxed);
        }
    }
    let cuts = cutter.await.expect("no panic");
    assert!(cuts > 0 && troubled > 0, "{cuts} connections were cut, {troubled} asked again");
    let stored = loop {
        // A read may still meet a connection that was cut.
        let sql = Composer::new("select count(*) from orders").finish();
        match shop.app.db.read_one(sql, |row| row.get::<i64>(0)).await {
            Ok(count) => break count.expect("one row"),
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(stored, orders.len() as i64);
    assert_eq!(count(&shop.app.db, "select reserved from stock_level").await, stored);
    shop.verify().await;
}
