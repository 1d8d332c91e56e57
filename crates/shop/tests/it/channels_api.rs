//! Channels over HTTP: who sees what of them, what is verified before it is stored, what a sync
//! brings, and that a client secret leaves nowhere.

use std::process::Output;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use runout_shop::App;
use runout_shop::channels::{self, Settings};
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::Config;
use runout_sim::bol::{BolSim, Limit, LimitKind, Limits, Options, Settings as SimSettings};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::server::{finish, program};
use crate::support::{Client, TestShop};

const CHANNELS: &str = "/api/v1/channels";

/// A shop beside a stand-in for bol.com that is in no hurry.
pub struct Desk {
    pub sim: BolSim,
    pub app: App,
    pub config: Config,
    pub router: axum::Router,
    pub shop: TestShop,
}

/// A crawler that runs.
pub struct Crawling(CancellationToken, JoinHandle<()>);

impl Crawling {
    pub async fn stop(self) {
        self.0.cancel();
        self.1.await.expect("the crawler ends well");
    }
}

impl Desk {
    pub async fn new(shop: TestShop, channels: u32, shipments: u32) -> Self {
        let limits = Limits::all(Limit::per_minute(LimitKind::TokenBucket, 60_000));
        let settings = SimSettings { limits, ..SimSettings::default() };
        let options = Options { channels, shipments, settings, ..Options::default() };
        let sim = BolSim::start(options).await.expect("the stand-in starts");
        let mut config = Config::default();
        config.channels.bol_api_url = sim.url();
        config.channels.bol_login_url = sim.url();
        let clock = Clock::scaled(Clock::system().now(), sim.now(), sim.scale());
        let app = shop.node_at(&config, clock).await;
        let router = shop.router_of(app.clone());
        Self { sim, app, config, router, shop }
    }

    /// A client at this node.
    pub fn at(&self, client: &Client) -> Client {
        Client::new(self.router.clone(), client.token.clone())
    }

    /// A channel to add: an account of the stand-in.
    pub fn new_channel(&self, number: u32, name: &str) -> Value {
        let (client_id, client_secret) = self.sim.credentials(number);
        json!({
            "name": name, "shop": "Plaatboef", "client_id": client_id,
            "client_secret": client_secret,
        })
    }

    pub fn crawl(&self) -> Crawling {
        let stop = CancellationToken::new();
        let settings = Settings::new(&self.config.channels, &self.app.clock);
        let task = tokio::spawn(channels::run(self.app.clone(), settings, stop.clone()));
        Crawling(stop, task)
    }

    /// Waits until a channel's run has ended.
    pub async fn until_synced(&self, client: &Client, id: i64) -> Value {
        for _ in 0..1_200 {
            let progress = client.get(&format!("{CHANNELS}/{id}/progress")).await.expect(200);
            if progress["run"]["state"] == "done" && progress["asked"].is_null() {
                return progress;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the sync does not end: {:#?}", self.sim.report());
    }
}

/// Every text of the tables that a secret could have got into.
async fn texts(desk: &Desk) -> String {
    let mut all = String::new();
    for sql in [
        "select changes from audit",
        "select body from idempotency",
        "select coalesce(secret, '') from channel",
        "select token from channel_token",
        "select coalesce(problem, '') from channel_sync",
        "select payload from outbox",
    ] {
        all += &desk.shop.texts(sql).await.join("\n");
    }
    all
}

/// `runout channels sync NAME`, with a log of everything.
async fn sync_command(desk: &Desk, name: &str) -> Output {
    let (url, sim, name) = (desk.shop.database_url(), desk.sim.url(), name.to_owned());
    let run = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let args = ["--log-level", "trace", "channels", "sync", &name];
        let mut command = program(&folder, &url, &args);
        command.env("RUNOUT_BOL_API_URL", &sim).env("RUNOUT_BOL_LOGIN_URL", &sim);
        finish(command, "")
    });
    run.await.expect("it ends")
}

fn told(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

on_both_engines! {
    async fn a_channel_is_added_synced_and_read(shop: TestShop) {
        let desk = Desk::new(shop, 2, 60).await;
        let staff = desk.at(&desk.shop.staff().await);
        let added = staff.post(CHANNELS, desk.new_channel(0, "plaatboef")).await;
        assert!(added.headers.contains_key("location"));
        let channel = added.expect(201);
        let id = channel["id"].as_i64().expect("an id");
        assert_eq!(channel["state"], "active");
        assert_eq!((&channel["has_secret"], &channel["sync_minutes"]), (&json!(true), &json!(15)));
        let place = format!("{CHANNELS}/{id}");
        assert_eq!(desk.sim.report().counts.token_calls, 1, "verification brought a token");

        let crawling = desk.crawl();
        let progress = desk.until_synced(&staff, id).await;
        assert_eq!(progress["details_left"], 0);
        assert_eq!(progress["run"]["kind"], "initial");
        assert_eq!(progress["run"]["details"], 60);
        assert_eq!(progress["endpoints"][1]["endpoint"], "detail");
        assert!(progress["endpoints"][1]["used"].as_u64().expect("a number") > 0, "{progress}");
        assert_eq!(desk.sim.report().counts.token_calls, 1, "the sync used the same token");

        staff.post(&format!("{place}/sync"), json!({})).await.expect(202);
        let runs = staff.get(&format!("{place}/runs")).await.expect(200);
        assert!(!runs["items"].as_array().expect("runs").is_empty());

        let list = staff.get(&format!("/api/v1/shipments?channel_id={id}&limit=5")).await;
        let list = list.expect(200);
        assert_eq!(list["items"].as_array().expect("shipments").len(), 5);
        let next = list["next"].as_str().expect("more");
        let more = format!("/api/v1/shipments?channel_id={id}&limit=5&cursor={next}");
        staff.get(&more).await.expect(200);
        let sorted = "/api/v1/shipments?sort=-shipped_at&state=stored&method=FBR";
        staff.get(sorted).await.expect(200);
        let one = list["items"][0]["id"].as_i64().expect("an id");
        let shipment = staff.get(&format!("/api/v1/shipments/{one}")).await.expect(200);
        assert!(shipment["ship_to"].is_object() && shipment.get("raw").is_none(), "{shipment}");
        assert!(!shipment["items"].as_array().expect("items").is_empty());
        let raw = staff.get(&format!("/api/v1/shipments/{one}?raw=true")).await.expect(200);
        assert_eq!(raw["raw"]["shipmentId"].to_string().trim_matches('"'), raw["remote_id"]);
        crawling.stop().await;

        staff.delete(&place).await.expect(204);
        assert_eq!(desk.shop.number("select count(*) from shipment").await, 0);
        assert_eq!(desk.shop.number("select count(*) from channel_sync").await, 0);
        staff.get(&place).await.expect(404);
    }

    async fn credentials_that_do_not_work_are_not_stored(shop: TestShop) {
        let desk = Desk::new(shop, 1, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        let mut wrong = desk.new_channel(0, "plaatboef");
        wrong["client_secret"] = "marker-of-a-wrong-secret".into();
        let problem = staff.post(CHANNELS, wrong.clone()).await;
        let problem = problem.expect_problem(422, "credentials_refused");
        assert_eq!(problem["errors"][0]["pointer"], "/client_secret");
        assert!(problem["detail"].as_str().expect("text").starts_with("bol.com refuses"));
        for _ in 0..4 {
            staff.post(CHANNELS, wrong.clone()).await.expect(422);
        }
        staff.post(CHANNELS, wrong).await.expect(429);
        assert_eq!(desk.shop.number("select count(*) from channel").await, 0);
    }

    async fn a_provider_that_does_not_answer_leaves_the_channel_unverified(shop: TestShop) {
        let mut desk = Desk::new(shop, 1, 5).await;
        let mut config = desk.config.clone();
        // Nobody listens there.
        config.channels.bol_login_url = "http://127.0.0.1:1".to_owned();
        let app = desk.shop.node_with(&config).await;
        desk.router = desk.shop.router_of(app);
        let staff = desk.at(&desk.shop.staff().await);
        let channel = staff.post(CHANNELS, desk.new_channel(0, "plaatboef")).await.expect(201);
        assert_eq!(channel["state"], "unverified");
        assert!(channel["state_reason"].as_str().expect("a reason").contains("did not answer"));
    }

    async fn accounts_see_and_manage_their_own_channels_only(shop: TestShop) {
        let desk = Desk::new(shop, 2, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        let ana = desk.at(&desk.shop.customer("ana").await);
        let bob = desk.at(&desk.shop.customer("bob").await);
        let own = ana.post(CHANNELS, desk.new_channel(0, "ana")).await.expect(201);
        let house = staff.post(CHANNELS, desk.new_channel(1, "house")).await.expect(201);
        let (own, house) = (own["id"].as_i64().expect("id"), house["id"].as_i64().expect("id"));
        let crawling = desk.crawl();
        desk.until_synced(&ana, own).await;
        desk.until_synced(&staff, house).await;
        crawling.stop().await;

        let count = |page: Value| page["items"].as_array().expect("a list").len();
        assert_eq!(count(ana.get(CHANNELS).await.expect(200)), 1);
        assert_eq!(count(bob.get(CHANNELS).await.expect(200)), 0);
        assert_eq!(count(staff.get(CHANNELS).await.expect(200)), 2);
        assert_eq!(count(ana.get("/api/v1/shipments").await.expect(200)), 5);
        assert_eq!(count(bob.get("/api/v1/shipments").await.expect(200)), 0);
        let foreign = desk.shop.number("select min(id) from shipment where channel_id = 2").await;
        ana.get(&format!("/api/v1/shipments/{foreign}")).await.expect(404);
        for (client, id) in [(&ana, house), (&bob, own)] {
            let place = format!("{CHANNELS}/{id}");
            client.get(&place).await.expect(404);
            client.get(&format!("{place}/progress")).await.expect(404);
            client.get(&format!("{place}/runs")).await.expect(404);
            client.get(&format!("{place}/processes")).await.expect(404);
            client.patch(&place, json!({"shop": "Mine"})).await.expect(404);
            client.post(&format!("{place}/sync"), json!({})).await.expect(404);
            client.post(&format!("{place}/pause"), Value::Null).await.expect(404);
            client.delete(&place).await.expect(404);
        }
        let taken = staff.post(CHANNELS, desk.new_channel(1, "ana")).await;
        taken.expect_problem(409, "name_taken");
        ana.delete(&format!("{CHANNELS}/{own}")).await.expect(204);
    }

    async fn pausing_resuming_and_canceling_say_what_to_do(shop: TestShop) {
        let desk = Desk::new(shop, 1, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        let mut new = desk.new_channel(0, "plaatboef");
        new["sync_minutes"] = Value::Null;
        staff.post(CHANNELS, new).await.expect(201);
        let place = format!("{CHANNELS}/1");
        let due = "select count(*) from channel_sync where due_at is not null";
        assert_eq!(desk.shop.number(due).await, 0, "only when asked");
        let cancel = staff.post(&format!("{place}/cancel"), Value::Null).await;
        cancel.expect_problem(409, "no_sync");
        let paused = staff.post(&format!("{place}/pause"), Value::Null).await.expect(202);
        assert_eq!((&paused["state"], &paused["version"]), (&json!("paused"), &json!(2)));
        let again = staff.post(&format!("{place}/pause"), Value::Null).await.expect(202);
        assert_eq!(again["version"], 2);
        let sync = staff.post(&format!("{place}/sync"), json!({"full": true})).await;
        let problem = sync.expect_problem(409, "channel_paused");
        assert!(problem["detail"].as_str().expect("text").contains("resume it"));
        let resumed = staff.post(&format!("{place}/resume"), Value::Null).await.expect(202);
        assert_eq!(resumed["state"], "active");
        staff.post(&format!("{place}/sync"), json!({"full": true})).await.expect(202);
        let crawling = desk.crawl();
        let progress = desk.until_synced(&staff, 1).await;
        assert_eq!(progress["run"]["kind"], "initial");
        assert_eq!(progress["next_sync_at"], Value::Null);
        crawling.stop().await;

        desk.app.db.script("update channel set state = 'refused', state_reason = 'Locked.'")
            .await.expect("it runs");
        let sync = staff.post(&format!("{place}/sync"), json!({})).await;
        let problem = sync.expect_problem(409, "channel_refused");
        assert!(problem["detail"].as_str().expect("text").contains("change its credentials"));
        let resumed = staff.post(&format!("{place}/resume"), Value::Null).await.expect(202);
        assert_eq!(resumed["state"], "unverified");
    }

    async fn changes_are_recorded_and_secrets_leave_nowhere(shop: TestShop) {
        let desk = Desk::new(shop, 2, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        let new = desk.new_channel(0, "plaatboef");
        let (_, secret) = desk.sim.credentials(0);
        let (other_id, other_secret) = desk.sim.credentials(1);
        let key = [("idempotency-key", "once")];
        let mut said = String::new();
        for _ in 0..2 {
            let method = axum::http::Method::POST;
            let answer = staff.send(method, CHANNELS, Some(new.clone()), &key).await;
            assert_eq!(answer.status, 201);
            said += &String::from_utf8_lossy(&answer.body);
        }
        let place = format!("{CHANNELS}/1");
        let stale = [("if-match", "\"9\"")];
        let body = Some(json!({"shop": "Other"}));
        let method = axum::http::Method::PATCH;
        assert_eq!(staff.send(method, &place, body, &stale).await.status, 412);
        let patch = json!({"client_id": other_id, "client_secret": "marker-of-a-wrong-one"});
        said += &staff.patch(&place, patch).await.expect(422).to_string();
        let patch = json!({
            "client_id": other_id, "client_secret": other_secret, "keep_days": null,
        });
        said += &staff.patch(&place, patch).await.expect(200).to_string();
        assert_eq!(desk.shop.number("select credentials from channel").await, 2);
        assert_eq!(desk.shop.number("select credentials from channel_token").await, 2);
        let crawling = desk.crawl();
        desk.until_synced(&staff, 1).await;
        crawling.stop().await;
        for path in [CHANNELS, place.as_str(), "/api/v1/channels/1/progress", "/api/v1/shipments"] {
            said += &staff.get(path).await.expect(200).to_string();
        }
        said += &texts(&desk).await;
        let tokens = desk.shop.texts("select token from channel_token").await;
        let places = [channels::secret_place(1), channels::token_place(1)];
        let token = desk.app.sealer.open(&places[1], &tokens[0]).expect("it opens");
        let token = token.text().expect("text").to_owned();
        for secret in [&secret, &other_secret, &token, "marker-of-a-wrong-one"] {
            assert!(!said.contains(secret), "a secret was told");
        }
        assert!(said.contains("\"changed\""), "the trail tells of it");
        desk.shop.verify().await;
    }

    async fn people_are_forgotten_in_time(shop: TestShop) {
        let desk = Desk::new(shop, 1, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        let mut new = desk.new_channel(0, "plaatboef");
        new["keep_days"] = Value::Null;
        staff.post(CHANNELS, new).await.expect(201);
        let crawling = desk.crawl();
        desk.until_synced(&staff, 1).await;
        crawling.stop().await;
        let told = "select count(*) from shipment where ship_to is not null";
        assert_eq!(desk.shop.number(told).await, 5);
        let due = "select count(*) from shipment where erase_at is not null";
        assert_eq!(desk.shop.number(due).await, 0);
        staff.patch(&format!("{CHANNELS}/1"), json!({"keep_days": 36_500})).await.expect(200);
        assert_eq!(desk.shop.number(due).await, 5);
        assert_eq!(channels::erase::erase_due(&desk.app).await.expect("it erases"), 0);
        let past = match desk.app.db.engine() {
            runout_store::Engine::Sqlite => "update shipment set erase_at = 1",
            runout_store::Engine::Postgres => "update shipment set erase_at = '2000-01-01'",
        };
        desk.app.db.script(past).await.expect("it runs");
        let name = desk.shop.texts("select ship_to from shipment").await;
        let name: Value = serde_json::from_str(&name[0]).expect("JSON");
        let name = name["surname"].as_str().map(str::to_owned);
        assert_eq!(channels::erase::erase_due(&desk.app).await.expect("it erases"), 5);
        assert_eq!(desk.shop.number(told).await, 0);
        let raw = desk.shop.texts("select raw from shipment").await.join("\n");
        assert!(raw.contains("shipmentId"), "{raw}");
        if let Some(name) = name {
            assert!(!raw.contains(&name), "{name} is still in {raw}");
        }
        let shown = staff.get("/api/v1/shipments/1").await.expect(200);
        assert!(shown["ship_to"].is_null() && shown["erased_at"].is_string(), "{shown}");
        staff.patch(&format!("{CHANNELS}/1"), json!({"keep_days": 10})).await.expect(200);
        assert_eq!(desk.shop.number(due).await, 0, "what is erased is not erased again");
    }

    async fn a_parcel_is_shipped_and_followed(shop: TestShop) {
        let desk = Desk::new(shop, 1, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        staff.post(CHANNELS, desk.new_channel(0, "plaatboef")).await.expect(201);
        let place = format!("{CHANNELS}/1/shipments");
        let both = json!({
            "order_id": "A1", "items": [{"order_item_id": "1"}], "shipping_label_id": "L",
            "transport": {"transporter_code": "TNT"},
        });
        let problem = staff.post(&place, both).await.expect_problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/shipping_label_id");
        let none = json!({"order_id": "A1", "items": [], "shipping_label_id": "L"});
        staff.post(&place, none).await.expect(400);
        let parcel = json!({
            "order_id": "A1", "items": [{"order_item_id": "2012345678", "quantity": 1}],
            "reference": "ours-1",
            "transport": {"transporter_code": "TNT", "track_and_trace": "3S1"},
        });
        let process = staff.post(&place, parcel).await.expect(202);
        assert_eq!(process["state"], "queued");
        let crawling = desk.crawl();
        let place = format!("{CHANNELS}/1/processes/{}", process["id"]);
        let mut state = Value::Null;
        for _ in 0..600 {
            state = staff.get(&place).await.expect(200)["state"].clone();
            if ["success", "failure"].iter().any(|end| state == *end) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        crawling.stop().await;
        assert!(state == "success" || state == "failure", "{state}");
        let list = staff.get(&format!("{CHANNELS}/1/processes")).await.expect(200);
        assert_eq!(list["items"][0]["reference"], "ours-1");
    }

    async fn the_program_syncs_a_channel_and_logs_no_secret(shop: TestShop) {
        let desk = Desk::new(shop, 1, 20).await;
        let staff = desk.at(&desk.shop.staff().await);
        staff.post(CHANNELS, desk.new_channel(0, "plaatboef")).await.expect(201);
        let done = sync_command(&desk, "plaatboef").await;
        let mut said = told(&done);
        assert_eq!(done.status.code(), Some(0), "{said}");
        assert!(said.contains("20 new shipments, 20 details") && said.contains(" 0 refused"));
        staff.post(&format!("{CHANNELS}/1/pause"), Value::Null).await.expect(202);
        let paused = sync_command(&desk, "plaatboef").await;
        assert_eq!(paused.status.code(), Some(1));
        assert!(told(&paused).contains("resume it first"), "{}", told(&paused));
        let unknown = sync_command(&desk, "nobody").await;
        assert_eq!(unknown.status.code(), Some(1));
        said += &told(&paused);
        assert!(said.contains("TRACE") || said.contains("DEBUG"), "the log tells everything");
        let tokens = desk.shop.texts("select token from channel_token").await;
        let token = desk.app.sealer.open(&channels::token_place(1), &tokens[0]).expect("it opens");
        let (client_id, secret) = desk.sim.credentials(0);
        let basic = BASE64_STANDARD.encode(format!("{client_id}:{secret}"));
        for secret in [secret.as_str(), token.text().expect("text"), basic.as_str()] {
            assert!(!said.contains(secret), "a secret was logged");
        }
    }

    async fn an_account_that_is_erased_takes_its_channels_along(shop: TestShop) {
        let desk = Desk::new(shop, 1, 5).await;
        let ana = desk.at(&desk.shop.customer("ana").await);
        ana.post(CHANNELS, desk.new_channel(0, "ana")).await.expect(201);
        let mut page = desk.shop.visitor().at(desk.router.clone());
        page.log_in("ana", PASSWORD).await;
        page.submit("/account/data/erase", &[("password", PASSWORD)]).await;
        if desk.shop.number("select count(*) from channel").await > 0 {
            ana.delete("/api/v1/seller/").await.expect(204);
        }
        assert_eq!(desk.shop.number("select count(*) from channel").await, 0);
        assert_eq!(desk.shop.number("select count(*) from channel_token").await, 0);
    }
}
