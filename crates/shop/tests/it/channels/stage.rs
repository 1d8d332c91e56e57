//! A shop whose clock goes as fast as the stand-in's, with channels that are accounts there.

use std::time::{Duration, Instant};

use runout_shop::App;
use runout_shop::channels::{self, Settings};
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::Config;
use runout_sim::bol::{BolSim, Goods, Limit, LimitKind, Limits, Options, Settings as SimSettings};
use runout_store::{Composer, Engine};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::TestShop;

/// However slow the machine is, nothing takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// Accounts with limits that are met; half a simulated minute passes in a second.
pub(super) fn options(channels: u32, shipments: u32, settings: SimSettings) -> Options {
    Options { channels, shipments, scale: 30, goods: arrived(), settings, ..Options::default() }
}

/// Shipments that change no more while somebody looks.
fn arrived() -> Goods {
    Goods { event_seconds: 0, ..Goods::default() }
}

/// Accounts whose limits nobody meets, in real time.
pub(super) fn quick(channels: u32, shipments: u32) -> Options {
    let limits = Limits::all(Limit::per_minute(LimitKind::TokenBucket, 60_000));
    let settings = SimSettings { limits, ..SimSettings::default() };
    Options { channels, shipments, goods: arrived(), settings, ..Options::default() }
}

/// See the module.
pub(super) struct Stage {
    pub sim: BolSim,
    pub config: Config,
    pub app: App,
    pub shop: TestShop,
}

/// A crawler that runs.
pub(super) struct Crawling {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Crawling {
    /// Ends it calmly.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the crawler ends well");
    }

    /// Ends it as a kill would: nothing that it has begun is finished.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _killed = self.task.await;
    }
}

impl Stage {
    /// A stand-in and a shop beside it; every account there is a channel here.
    pub(super) async fn new(shop: TestShop, options: Options) -> Self {
        let channels = options.channels;
        let sim = BolSim::start(options).await.expect("the stand-in starts");
        let mut config = Config::default();
        config.channels.bol_api_url = sim.url();
        config.channels.bol_login_url = sim.url();
        // Simulated: real leases must outlast a busy machine's pauses.
        config.channels.lease_ms = 8_000 * u64::from(sim.scale());
        config.channels.timeout_ms = 5_000 * u64::from(sim.scale());
        let app = shop.node_at(&config, Self::clock(&sim)).await;
        let stage = Self { sim, config, app, shop };
        for number in 0..channels {
            stage.connect(number).await;
        }
        stage
    }

    /// A clock like the stand-in's.
    pub(super) fn clock(sim: &BolSim) -> Clock {
        Clock::scaled(Clock::system().now(), sim.now(), sim.scale())
    }

    /// Makes an account of the stand-in a channel, with its number plus 1 as id.
    async fn connect(&self, number: u32) {
        let (client_id, secret) = self.sim.credentials(number);
        let id = i64::from(number) + 1;
        let secret = self.app.sealer.seal(&channels::secret_place(id), secret.as_bytes());
        let now = match self.app.db.engine() {
            Engine::Sqlite => self.app.clock.now().as_microsecond().to_string(),
            Engine::Postgres => format!("timestamptz '{}'", self.app.clock.now()),
        };
        let insert = format!(
            "insert into channel (id, shop, name, provider, client_id, secret, keep_days,
                    created_at, updated_at)
                values ({id}, 'Shop', 'channel-{id}', 'bol', '{client_id}', '{secret}', 200,
                    {now}, {now});
             insert into channel_sync (channel_id, asked, due_at) values ({id}, 'sync', {now});"
        );
        self.app.db.script(&insert).await.expect("a channel is made");
    }

    /// Begins to crawl.
    pub(super) fn crawl(&self) -> Crawling {
        self.crawl_as(self.app.clone())
    }

    /// Begins to crawl as another node.
    pub(super) fn crawl_as(&self, app: App) -> Crawling {
        let stop = CancellationToken::new();
        let settings = Settings::new(&self.config.channels, &app.clock);
        let task = tokio::spawn(channels::run(app, settings, stop.clone()));
        Crawling { stop, task }
    }

    /// Asks something of all channels, as the commands do.
    pub(super) async fn ask(&self, what: &str) {
        self.ask_where(what, "true").await;
    }

    async fn ask_where(&self, what: &str, which: &str) {
        let due = match self.app.db.engine() {
            Engine::Sqlite => "1",
            Engine::Postgres => "timestamptz '2000-01-01'",
        };
        let ask = format!("update channel_sync set asked = '{what}', due_at = {due} where {which}");
        self.app.db.script(&ask).await.expect("it is asked");
        self.app.channels.ring();
    }

    /// Waits until a count is not zero, and asks whoever has nothing to do for a sync meanwhile:
    /// one that was asked of a channel whose run was about to end is part of that run.
    pub(super) async fn until_some_asked(&self, sql: &'static str) {
        let since = Instant::now();
        while self.count(sql).await == 0 {
            assert!(since.elapsed() < PATIENCE, "{sql}\n{:#?}", self.sim.report());
            self.ask_where("sync", "holder is null and run_id is null and asked is null").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A number out of the database.
    pub(super) async fn count(&self, sql: &'static str) -> i64 {
        let count = self.app.db.read_one(Composer::new(sql).finish(), |row| row.get(0)).await;
        count.expect("it is read").expect("one row")
    }

    /// A text for each row.
    pub(super) async fn texts(&self, sql: &'static str) -> Vec<String> {
        self.app.db.read(Composer::new(sql).finish(), |row| row.get(0)).await.expect("it is read")
    }

    /// Waits until a count is zero.
    pub(super) async fn until_none(&self, sql: &'static str) {
        let since = Instant::now();
        while self.count(sql).await > 0 {
            if since.elapsed() > PATIENCE {
                let problems = self.texts(PROBLEMS).await;
                panic!("{sql}\n{problems:?}\n{:#?}", self.sim.report());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a count is not zero.
    pub(super) async fn until_some(&self, sql: &'static str) {
        let since = Instant::now();
        while self.count(sql).await == 0 {
            assert!(since.elapsed() < PATIENCE, "{sql}\n{:#?}", self.sim.report());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until more calls than these were admitted, or everything is synced.
    pub(super) async fn until_some_more(&self, calls: u64) {
        let since = Instant::now();
        while self.sim.report().accepted <= calls && self.count(UNDER_WAY).await > 0 {
            assert!(since.elapsed() < PATIENCE, "{:#?}", self.sim.report());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether something is left to be synced.
    pub(super) async fn is_under_way(&self) -> bool {
        self.count(UNDER_WAY).await > 0
    }

    /// Runs statements.
    pub(super) async fn script(&self, sql: &str) {
        self.app.db.script(sql).await.expect("it runs");
    }

    /// What a node had in hand that was killed is put up for others, as the end of its lease does.
    pub(super) async fn end_leases(&self) {
        self.script("delete from channel_node").await;
    }

    /// Lets simulated time pass at once: nothing may be crawling meanwhile.
    pub(super) async fn advance(&mut self, by: Duration) {
        self.sim.advance(by);
        self.app = self.shop.node_at(&self.config, Self::clock(&self.sim)).await;
    }

    /// Another node.
    pub(super) async fn node(&self) -> App {
        self.shop.node_at(&self.config, Self::clock(&self.sim)).await
    }

    /// Every shipment that an account has now was stored, whatever was stored besides.
    pub(super) async fn assert_has_all(&self, channels: u32) {
        let stored = self.texts("select remote_id from shipment where state = 'stored'").await;
        let stored: std::collections::BTreeSet<String> = stored.into_iter().collect();
        for id in (0..channels).flat_map(|channel| self.sim.shipment_ids(channel)) {
            assert!(stored.contains(&id), "shipment {id} is missing");
        }
    }

    /// Waits until every sync that was asked for has ended.
    pub(super) async fn until_synced(&self) {
        self.until_none(UNDER_WAY).await;
    }

    /// Every shipment that an account has now is stored, as the provider has it, once.
    pub(super) async fn assert_whole(&self, channels: u32) {
        let raw = self.texts("select raw from shipment where state = 'stored'").await;
        let stored: std::collections::BTreeMap<String, Value> = raw
            .iter()
            .map(|raw| serde_json::from_str::<Value>(raw).expect("the provider's JSON"))
            .map(|raw| (id_of(&raw), raw))
            .collect();
        assert_eq!(stored.len(), raw.len(), "one is stored twice");
        for channel in 0..channels {
            for id in self.sim.shipment_ids(channel) {
                let there = self.sim.shipment(&id);
                assert_eq!(stored.get(&id), there.as_ref(), "shipment {id}");
            }
        }
    }
}

const PROBLEMS: &str = "select coalesce(problem, 'none') || ' ' || cast(channel_id as text)
    from channel_sync";
const UNDER_WAY: &str = "select count(*) from channel_sync
    where asked is not null or run_id is not null or holder is not null";

/// A shipment's id, a number or a text.
fn id_of(raw: &Value) -> String {
    match &raw["shipmentId"] {
        Value::String(id) => id.clone(),
        id => id.to_string(),
    }
}
