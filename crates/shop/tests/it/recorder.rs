//! The cached list of events under writers, readers and a Redis to which everything happens: every
//! answer is checked against the history of what was committed. A cache that deletes on write, in
//! the same harness, must be caught.
//!
//! `RUNOUT_SOAK_SECONDS` makes it long (`make soak`).

mod chaos;
mod history;
mod plain;

use std::mem::discriminant;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runout_core::event::{Command, Wish};
use runout_core::ids::{AccountId, EventId};
use runout_shop::App;
use runout_shop::platform::cache::Figures;
use runout_shop::platform::config::{Cache, Config};
use serde_json::{Value, json};

use self::history::{Answer, By, History, Wrong};
use self::plain::Plain;
use crate::events::{self, party};
use crate::support::proxy::Proxy;
use crate::support::redis::{RedisServer, settings};
use crate::support::stage::stage;
use crate::support::{Client, Engine, TestShop};

/// How long the chaos lasts, in seconds, if each fault once is not enough.
const SOAK: &str = "RUNOUT_SOAK_SECONDS";
/// Several keys, each the whole list.
const QUERIES: [&str; 3] = ["limit=20", "limit=50", "when=upcoming"];
/// Events whose titles change, and events that people sign up for.
const TITLED: usize = 3;
const ATTENDED: usize = 2;
const ACCOUNTS: i64 = 40;
const READERS_PER_NODE: usize = 2;
/// Enough for the chaos to be no surprise to anybody.
const WRITE_PAUSE: Duration = Duration::from_millis(8);
/// Wrong answers that are kept for the report, and the first one of each kind.
const WRONG_MAX: usize = 20;
/// Fewer prove little.
const READS_MIN: u64 = 1_000;
const WRITES_MIN: u64 = 200;
/// How long a new node waits for its connection to Redis before it looks without.
const CONNECT_MAX: Duration = Duration::from_millis(600);
/// How long storing takes, mostly.
const STORED_MAX: Duration = Duration::from_millis(30);

fn path(query: &str) -> String {
    format!("{}?{query}", events::PATH)
}

struct Node {
    app: App,
    client: Client,
    staff: Client,
    /// The control's cache, instead of ours.
    plain: Option<Plain>,
}

/// Everything that takes part.
struct Stage {
    nodes: Vec<Node>,
    proxies: Vec<Proxy>,
    outside: App,
    rows: Vec<i64>,
    history: History,
    ended: AtomicBool,
    resting: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    wrong: Mutex<Vec<Wrong>>,
    /// Of nodes that came, looked, and went.
    gone: Mutex<Vec<Figures>>,
}

impl Stage {
    async fn new(shop: &TestShop, redis: &RedisServer, nodes: usize, ours: bool) -> Self {
        stage(&shop.app.db, ACCOUNTS, 1).await;
        let staff = shop.staff().await;
        let mut rows = Vec::new();
        for row in 0..TITLED + ATTENDED {
            rows.push(events::add(&staff, party(&format!("{row}.0"))).await);
        }
        let mut stage = Self {
            nodes: Vec::new(),
            proxies: Vec::new(),
            outside: shop.second_node().await,
            history: History::new(
                &values_of(&staff.get(&path(QUERIES[0])).await.expect(200), &rows),
                Cache::default().stale_max(),
            ),
            rows,
            ended: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            wrong: Mutex::default(),
            gone: Mutex::default(),
        };
        for _ in 0..nodes {
            let proxy = Proxy::start(redis.address()).await;
            stage.nodes.push(Node::new(shop, &staff, &proxy, ours).await);
            stage.proxies.push(proxy);
        }
        stage
    }

    /// Writers pause, so that what is stale would stay so. Before and after `strike` a new node,
    /// which has nothing of its own, looks at what Redis has.
    async fn rest(&self, shop: &TestShop, strike: impl AsyncFnOnce()) {
        self.resting.store(true, Ordering::SeqCst);
        tokio::time::sleep(Cache::default().stale_max()).await;
        let ours = self.nodes[0].plain.is_none();
        // The first one stores what it had to make, if Redis is well.
        if ours {
            self.look(shop).await;
            tokio::time::sleep(STORED_MAX).await;
        }
        strike().await;
        if ours {
            self.look(shop).await;
        }
        tokio::time::sleep(Cache::default().stale_max()).await;
        self.resting.store(false, Ordering::SeqCst);
    }

    async fn look(&self, shop: &TestShop) {
        let app = shop.node_with(&config(&self.proxies[0])).await;
        let client = Client::new(shop.router_of(app.clone()), None);
        let since = Instant::now();
        while app.answers.figures().redis_is_up != Some(true) && since.elapsed() < CONNECT_MAX {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        for query in QUERIES {
            let asked = Instant::now();
            let list = client.get(&path(query)).await.expect(200);
            self.judge(usize::MAX, asked, &list);
        }
        self.gone.lock().expect("no panic").push(app.answers.figures());
        app.stop().await;
    }

    fn judge(&self, node: usize, asked: Instant, list: &Value) {
        let (answered, values) = (Instant::now(), values_of(list, &self.rows));
        let judged = self.history.judge(&Answer { node, asked, answered, values });
        self.reads.fetch_add(1, Ordering::Relaxed);
        if let Err(wrong) = judged {
            let mut kept = self.wrong.lock().expect("no panic");
            let is_of_kind = |kept: &Wrong| discriminant(kept) == discriminant(&wrong);
            if kept.len() < WRONG_MAX || !kept.iter().any(is_of_kind) {
                kept.push(wrong);
            }
        }
    }

    /// How often each thing happened that a cache before Redis must live with.
    fn came_to_pass(&self) -> [(&'static str, u64); 6] {
        let mut figures: Vec<_> =
            self.nodes.iter().map(|node| node.app.answers.figures()).collect();
        figures.extend(self.gone.lock().expect("no panic").iter());
        let sum = |of: &dyn Fn(&Figures) -> u64| figures.iter().map(of).sum::<u64>();
        [
            ("hits", sum(&|of| of.hits)),
            ("found", sum(&|of| of.found)),
            ("stored", sum(&|of| of.stored)),
            ("failed", sum(&|of| of.failed)),
            ("left out", sum(&|of| of.left_out)),
            ("corrupt", sum(&|of| of.corrupt)),
        ]
    }

    fn has_caught(&self) -> bool {
        let wrong = self.wrong.lock().expect("no panic");
        wrong.iter().any(|wrong| matches!(wrong, Wrong::Stale { .. }))
    }

    /// Enough has happened, or the control has been caught: a busy machine takes more rounds.
    fn has_seen_enough(&self) -> bool {
        if self.nodes[0].plain.is_some() {
            return self.has_caught();
        }
        self.reads.load(Ordering::Relaxed) > READS_MIN
            && self.writes.load(Ordering::Relaxed) > WRITES_MIN
            && self.came_to_pass().iter().all(|(_, count)| *count > 0)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Who writes the `n`th time: each node, and somebody outside, in turn. Whoever deletes on
    /// write has no chance against the outside, so the control goes without.
    fn writer(&self, n: usize) -> By {
        let outside = self.nodes[0].plain.is_none();
        let turn = n % (self.nodes.len() + usize::from(outside));
        if turn < self.nodes.len() { By::Node(turn) } else { By::Outside }
    }

    async fn wait_to_write(&self) {
        tokio::time::sleep(WRITE_PAUSE).await;
        while self.resting.load(Ordering::SeqCst) && !self.has_ended() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Writes until the end; each value is a new one.
    async fn write_titles(&self, row: usize) {
        let id = self.rows[row];
        let mut n = 0;
        while !self.has_ended() {
            self.wait_to_write().await;
            n += 1;
            let title = format!("{row}.{n}");
            let by = self.writer(n + row);
            self.history.begin(row, format!("{title}/0"), by);
            match by {
                By::Outside => {
                    let sql = format!("update event set title = '{title}' where id = {id}");
                    self.outside.db.script(&sql).await.expect("raw SQL runs");
                }
                By::Node(node) => {
                    let patch = json!({ "title": title });
                    let staff = &self.nodes[node].staff;
                    staff.patch(&events::place(id), patch).await.expect(200);
                }
            }
            self.written(row, by).await;
        }
    }

    /// People sign up and withdraw, until the end; numbers come again.
    async fn write_attendances(&self, row: usize) {
        let event = EventId(self.rows[row]);
        let mut comes = vec![false; ACCOUNTS as usize];
        let mut n = 0;
        while !self.has_ended() {
            self.wait_to_write().await;
            n += 1;
            let account = n * 7 % comes.len();
            comes[account] ^= true;
            let wish = if comes[account] { Wish::SignUp } else { Wish::Withdraw };
            let attending = comes.iter().filter(|comes| **comes).count();
            let by = By::Node(n % self.nodes.len());
            self.history.begin(row, format!("{row}.0/{attending}"), by);
            let By::Node(node) = by else { unreachable!("nobody signs up from outside") };
            let account = AccountId(account as i64 + 1);
            let command = Command { event, account, wish };
            self.nodes[node].app.attendance.ask(command).await.expect("decided");
            self.written(row, by).await;
        }
    }

    async fn written(&self, row: usize, by: By) {
        if let By::Node(node) = by
            && let Some(plain) = &self.nodes[node].plain
        {
            plain.forget().await;
        }
        self.history.told(row);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads from a node until the end, and has every answer judged.
    async fn read(&self, node: usize, first: usize) {
        for query in QUERIES.iter().cycle().skip(first) {
            if self.has_ended() {
                return;
            }
            let asked = Instant::now();
            let list = self.nodes[node].list(&path(query)).await;
            self.judge(node, asked, &list);
            tokio::task::yield_now().await;
        }
    }
}

impl Node {
    async fn new(shop: &TestShop, staff: &Client, proxy: &Proxy, ours: bool) -> Self {
        // The control asks the database itself through a node that keeps nothing.
        let exact = Cache { stale_ms_max: 0, ..Cache::default() };
        let exact = Config { cache: exact, ..Config::default() };
        let config = if ours { config(proxy) } else { exact };
        let app = shop.node_with(&config).await;
        let client = Client::new(shop.router_of(app.clone()), None);
        let token = staff.token.clone().expect("staff are logged in");
        let plain = (!ours).then(|| Plain::new(&proxy.url(), client.clone()));
        Self { app, staff: client.with_token(&token), client, plain }
    }

    async fn list(&self, path: &str) -> Value {
        match &self.plain {
            Some(plain) => plain.list(path).await,
            None => self.client.get(path).await.expect(200),
        }
    }
}

/// A node's settings: with a budget that a busy machine keeps, mostly.
fn config(proxy: &Proxy) -> Config {
    let mut config = settings(&proxy.url());
    config.cache.redis_budget_ms = 20;
    config
}

/// What a list shows of each row.
fn values_of(list: &Value, rows: &[i64]) -> Vec<String> {
    let items = list["items"].as_array().expect("items");
    let value = |row: &i64| {
        let item = items.iter().find(|item| item["id"] == *row).expect("every row is listed");
        let title = item["title"].as_str().expect("a title");
        format!("{title}/{}", item["attending"])
    };
    rows.iter().map(value).collect()
}

fn lasts() -> Duration {
    let seconds = std::env::var(SOAK).map_or(0, |text| text.parse().expect("seconds"));
    Duration::from_secs(seconds)
}

/// Lets everything happen; what came of it.
async fn perform(
    shop: &TestShop,
    stage: Stage,
    mut redis: RedisServer,
) -> (Arc<Stage>, RedisServer) {
    let stage = Arc::new(stage);
    let mut tasks = tokio::task::JoinSet::new();
    for row in 0..TITLED {
        let stage = Arc::clone(&stage);
        tasks.spawn(async move { stage.write_titles(row).await });
    }
    for row in TITLED..TITLED + ATTENDED {
        let stage = Arc::clone(&stage);
        tasks.spawn(async move { stage.write_attendances(row).await });
    }
    for node in 0..stage.nodes.len() {
        for first in 0..READERS_PER_NODE {
            let stage = Arc::clone(&stage);
            tasks.spawn(async move { stage.read(node, first).await });
        }
    }
    // The control need not be caught more than once.
    let lasts = if stage.nodes[0].plain.is_none() { lasts() } else { Duration::ZERO };
    chaos::rage(&stage, shop, &mut redis, lasts).await;
    stage.ended.store(true, Ordering::SeqCst);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no writer and no reader failed");
    }
    (stage, redis)
}

/// Ours: nothing wrong, no error, and Redis was used, failed, lied, and is used again.
async fn nothing_wrong_with_ours(engine: Engine, nodes: usize) {
    let (shop, redis) = (TestShop::new(engine).await, RedisServer::start().await);
    let stage = Stage::new(&shop, &redis, nodes, true).await;
    let (stage, redis) = perform(&shop, stage, redis).await;
    let wrong = stage.wrong.lock().expect("no panic").clone();
    let (reads, writes) =
        (stage.reads.load(Ordering::Relaxed), stage.writes.load(Ordering::Relaxed));
    let of_all = stage.came_to_pass();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let enough = reads > READS_MIN && writes > WRITES_MIN;
    assert!(enough, "{reads} reads and {writes} writes prove little");
    eprintln!("{engine:?}: {reads} reads, {writes} writes, {of_all:?}");
    assert!(of_all.iter().all(|(_, count)| *count > 0), "not everything came to pass");
    for node in &stage.nodes {
        comes_back(node).await;
    }
    assert!(!redis.keys().await.is_empty());
    shop.verify().await;
}

/// Redis is well: before long the node uses it again.
async fn comes_back(node: &Node) {
    let (since, before) = (Instant::now(), node.app.answers.figures().stored);
    for limit in (1..=100).cycle() {
        if node.app.answers.figures().stored > before {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "Redis is never used again");
        node.client.get(&path(&format!("limit={limit}"))).await.expect(200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_stale_on_two_nodes_whatever_happens_to_redis() {
    if crate::support::database::postgres_is_left_out("no_answer_is_stale_on_two_nodes") {
        return;
    }
    nothing_wrong_with_ours(Engine::Postgres, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_stale_on_a_node_of_its_own_whatever_happens_to_redis() {
    nothing_wrong_with_ours(Engine::Sqlite, 1).await;
}

/// The teeth: the same harness catches a cache whose writers delete.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_deletes_on_write_is_caught() {
    let (shop, redis) = (TestShop::new(Engine::Sqlite).await, RedisServer::start().await);
    let stage = Stage::new(&shop, &redis, 2, false).await;
    let (stage, _redis) = perform(&shop, stage, redis).await;
    let wrong = stage.wrong.lock().expect("no panic").clone();
    let stale = wrong.iter().filter(|wrong| matches!(wrong, Wrong::Stale { .. })).count();
    eprintln!(
        "{} reads, {stale} of the first {WRONG_MAX} wrong ones are stale",
        stage.reads.load(Ordering::Relaxed)
    );
    assert!(stage.has_caught(), "nothing was caught: the harness has no teeth");
}
