//! Secrets lie sealed: found nowhere, opened nowhere else, sealed anew under load, refused without
//! their key, and kept when an older database is brought up to date.

mod dump;
mod rotation;
mod start;
mod upgrade;

use std::sync::{Arc, Mutex, OnceLock};

use runout_shop::accounts::Role;
use serde_json::{Value, json};

use self::dump::{Marker, dump, raw_bytes};
use crate::catalog::id;
use crate::delivery::{Engined, settings};
use crate::destinations::{add, webhook};
use crate::on_both_engines;
use crate::second_factor::enrol;
use crate::support::TestShop;
use crate::support::actors::PASSWORD;

const PATH: &str = "/api/v1/destinations";
const BROKER_PASSWORD: &str = "hunter-3f1c9d";

/// What this process logs from now on, in every detail.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let sink = Arc::clone(&log);
        let writer = move || Sink(Arc::clone(&sink));
        let levels = "debug,runout_shop=trace,runout_store=trace";
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(levels).with_writer(writer).with_ansi(false);
        subscriber.try_init().expect("no other test listens");
        log
    });
    Arc::clone(log)
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that is told after a secret was made.
async fn told(shop: &TestShop, destinations: &[i64]) -> String {
    let (staff, mut root) = (shop.staff().await, shop.visitor_as("root", Role::Superuser).await);
    let mut all = String::new();
    let mut paths = vec![PATH.to_owned(), "/api/v1/accounts".to_owned()];
    for id in destinations {
        paths.extend(["", "/secrets", "/dead_letters"].map(|path| format!("{PATH}/{id}{path}")));
        let pages = ["/admin/destinations/", "/admin/delivery/"];
        for page in pages.map(|page| format!("{page}{id}/")) {
            all += &root.open(&page).await.expect(200);
        }
    }
    for path in paths {
        let answer = staff.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        all += &String::from_utf8_lossy(&answer.body);
    }
    for page in ["/admin/destinations/", "/admin/audit", "/admin/delivery/"] {
        all += &root.open(page).await.expect(200);
    }
    let mut ana = shop.visitor_as("bia", Role::Customer).await;
    for page in ["/account/second_factor", "/account/data/download"] {
        all += &String::from_utf8_lossy(&ana.get(page).await.body);
    }
    all
}

on_both_engines! {
    async fn a_secret_is_found_nowhere(shop: TestShop) {
        let log = log();
        let engine = Engined::start(&shop.app, settings());
        let staff = shop.staff().await;
        let mut markers = vec![Marker::text("the broker's password", BROKER_PASSWORD)];
        // Nobody listens there: the attempts fail, and leave what they leave.
        let url = format!("amqp://shop:{BROKER_PASSWORD}@127.0.0.1:9/prod");
        let broker = json!({"name": "broker", "kind": "amqp", "url": url, "allow_private": true});
        let broker = add(&staff, broker).await;
        let mut hook = webhook("hook");
        hook["url"] = json!("http://127.0.0.1:9/in");
        hook["allow_private"] = json!(true);
        hook["signing"] = json!("both");
        let hook = add(&staff, hook).await;
        let secrets = format!("{PATH}/{}/secrets", id(&hook));
        let rotated = staff.post(&secrets, json!({})).await.expect(201);
        let rename = json!({"name": "rabbit"});
        staff.patch(&format!("{PATH}/{}", id(&broker)), rename).await.expect(200);
        let shown = hook["secrets"].as_array().expect("two secrets").iter().chain([&rotated]);
        for secret in shown.map(|secret| secret["secret"].as_str().expect("a secret")) {
            markers.push(Marker::base64(secret, secret.split_once('_').expect("a prefix").1));
        }
        assert_eq!(markers.len(), 4);
        for destination in [&broker, &hook] {
            let path = format!("{PATH}/{}/test", id(destination));
            staff.post(&path, Value::Null).await.expect(202);
        }
        // One that guards an account, and one that is still being set up.
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let (device, _) = enrol(&shop, &mut bia).await;
        markers.push(Marker::bytes("a device's key", &device.0));
        let mut cora = shop.visitor_as("cora", Role::Customer).await;
        let begun = [("current_password", PASSWORD)];
        let page = cora.submit("/account/second_factor/begin", &begun).await.expect(200);
        let device = crate::second_factor::Device::reads(&page);
        markers.push(Marker::bytes("a key that is set up", &device.0));

        let failed = "select count(distinct destination_id) from (
            select destination_id from delivery_retry
            union all select destination_id from dead_letter) as failed";
        crate::delivery::becomes(&shop.app, failed, 2).await;
        let mut places = vec![
            ("the database", dump(&shop.app.db).await.into_bytes()),
            ("what is told", told(&shop, &[id(&broker), id(&hook)]).await.into_bytes()),
            ("its files", raw_bytes(&shop)),
        ];
        engine.stop().await;
        shop.verify().await;
        places.push(("the log", log.lock().expect("no panic").clone()));
        // What was looked through is what it should be.
        let mut texts = places.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes));
        assert!(["rs1.630dcd29.", "127.0.0.1:9", "second_factor.on"].iter().all(|seen| {
            texts.clone().any(|text| text.contains(seen))
        }));
        assert!(texts.next_back().expect("the log").contains("runout_shop"), "nothing was logged");
        for marker in &markers {
            for (name, bytes) in &places {
                let context = marker.context(bytes);
                assert!(context.is_none(), "{} is in {name}: {context:?}", marker.name);
            }
        }
    }

    async fn a_value_that_was_moved_does_not_open(shop: TestShop) {
        let staff = shop.staff().await;
        let mut signed = webhook("one");
        signed["signing"] = json!("ed25519");
        let one = id(&add(&staff, signed.clone()).await);
        signed["name"] = json!("two");
        let two = id(&add(&staff, signed).await);
        let devices = [
            enrol(&shop, &mut shop.visitor_as("ana", Role::Customer).await).await.0,
            enrol(&shop, &mut shop.visitor_as("bia", Role::Customer).await).await.0,
        ];
        shop.verify().await;
        // Whoever can write into the database, but has no key, gets at nobody's account.
        for table in ["destination_secret", "second_factor"] {
            let key = if table == "second_factor" { "account_id" } else { "destination_id" };
            let first = format!("select min({key}) from {table}");
            let last = format!("select max({key}) from {table}");
            let swap = format!(
                "update {table} set secret = (select s.secret from {table} s where s.{key} =
                    ({last})) where {key} = ({first})"
            );
            shop.app.db.script(&swap).await.expect("moved");
        }
        let url = format!("update destination set url = (select d.url from destination d
            where d.id = {two}) where id = {one}");
        shop.app.db.script(&url).await.expect("moved");
        staff.get(&format!("{PATH}/{two}/secrets")).await.expect(200);
        let problem = staff.get(&format!("{PATH}/{one}/secrets")).await;
        let problem = problem.expect_problem(500, "internal").to_string();
        assert!(!problem.contains("rs1.") && !problem.contains("destination_secret"), "{problem}");
        let rename = json!({"name": "three"});
        let path = format!("{PATH}/{one}");
        staff.patch(&path, rename).await.expect_problem(500, "internal");
        for device in &devices {
            let code = device.code(&shop, 0);
            let body = json!({"username": "ana", "password": PASSWORD, "code": code});
            shop.anonymous().post("/api/v1/tokens", body).await.expect_problem(500, "internal");
        }
        let code = devices[1].code(&shop, 0);
        let body = json!({"username": "bia", "password": PASSWORD, "code": code});
        shop.anonymous().post("/api/v1/tokens", body).await.expect(201);
        let report = runout_shop::verify::verify(&shop.app.db, &shop.app.sealer).await;
        let report = report.expect("the checks run").to_string();
        let words = "does not open: it was changed, or sealed for another row";
        for place in
            [format!("destination.url of {one} "), format!("destination_secret.secret of {one}/1 ")]
        {
            assert!(report.contains(&format!("{place}{words}")), "{report}");
        }
        assert_eq!(report.matches(words).count(), 3, "{report}");
    }

    async fn one_that_does_not_open_keeps_only_itself_waiting(shop: TestShop) {
        let receiver = crate::delivery::receiver::Receiver::kind().await;
        for (id, url) in [(1, "http://127.0.0.1:9"), (2, receiver.url.as_str())] {
            crate::delivery::destination(&shop.app, id, "webhook", url, None).await;
        }
        let damage = "update destination set url = (select url from destination where id = 2)
            where id = 1";
        shop.app.db.script(damage).await.expect("damaged");
        let engine = Engined::start(&shop.app, settings());
        let event = ("post.updated", 7, "{}".to_owned());
        crate::delivery::commit(&shop.app, &[event]).await;
        crate::delivery::becomes(&shop.app, crate::delivery::DELIVERED, 1).await;
        let waiting = "select count(*) from delivery where destination_id = 1";
        assert_eq!(shop.number(waiting).await, 1);
        engine.stop().await;
    }
}

#[test]
fn every_table_with_secrets_is_registered() {
    let known: Vec<String> =
        runout_shop::sealed::COLUMNS.iter().map(runout_shop::sealed::SealedColumn::name).collect();
    // A column that is called so holds hashes, or is sealed.
    let mut unknown = Vec::new();
    for migration in runout_store::MIGRATIONS {
        let mut table = "";
        for line in migration.postgres.lines() {
            if let Some(rest) = line.strip_prefix("create table ") {
                table = rest.split([' ', '(']).next().unwrap_or_default();
            }
            let column = line.trim().split(' ').next().unwrap_or_default();
            let is_secret = ["secret", "password", "token", "key"].contains(&column);
            let name = format!("{table}.{column}");
            if is_secret && line.starts_with("    ") && !known.contains(&name) {
                unknown.push(name);
            }
        }
    }
    assert_eq!(unknown, ["idempotency.key"], "register them in sealed::COLUMNS");
}
