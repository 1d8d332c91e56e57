//! A database of before: its secrets lay open. They are sealed when the shop starts, and work on.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use runout_shop::accounts::password::Passwords;
use runout_shop::delivery::signing::Secret;
use runout_shop::events::tickets::code::{Signer, Ticket};
use runout_shop::sealed::COLUMNS;
use serde_json::json;

use super::dump::{Marker, dump, files};
use crate::second_factor::Device;
use crate::support::actors::{CHEAP, PASSWORD};
use crate::support::database::postgres_is_left_out;
use crate::support::server::{give_tokens, token};
use crate::support::{Engine, TestShop, opened};

/// Whoever has the database open gives it up within this time.
const CLOSED_MAX: Duration = Duration::from_secs(20);
/// The last version whose secrets lay open.
const BEFORE: i64 = 12;
const KEY: [u8; 20] = *b"a key of 160 bits...";
const SIGNS: [u8; 32] = *b"what signs tickets: 32 bytes....";
const BROKER: &str = "amqp://shop:hunter-3f1c9d@mq.example/prod";

fn shared() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(*b"shared secret, as long as it is"))
}

fn private() -> String {
    format!("whsk_{}", BASE64_STANDARD.encode(*b"a private seed of just 32 bytes."))
}

async fn script(engine: Engine) -> String {
    let (yes, time) = match engine {
        Engine::Sqlite => ("1", "1"),
        Engine::Postgres => ("true", "'2026-01-01T00:00:00Z'"),
    };
    let bytes = |bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match engine {
            Engine::Sqlite => format!("x'{hex}'"),
            Engine::Postgres => format!("'\\x{hex}'"),
        }
    };
    let passwords = Passwords::new(CHEAP);
    let turn = passwords.turn().await.expect("nobody waits");
    let hash = passwords.hash(turn, PASSWORD).await.expect("hashed");
    let (key, signs, shared, private) = (bytes(&KEY), bytes(&SIGNS), shared(), private());
    format!(
        "insert into account (id, username, username_key, email, email_key, role, password_hash,
            active, created_at, updated_at)
         values (1, 'sam', 'sam', 's@x.test', 's@x.test', 'staff', '{hash}', {yes}, {time}, {time}),
            (2, 'bia', 'bia', 'b@x.test', 'b@x.test', 'customer', '{hash}', {yes}, {time}, {time});
         insert into second_factor (account_id, secret, created_at, confirmed_at, last_step)
         values (1, {key}, {time}, {time}, 7), (2, {key}, {time}, null, 0);
         insert into destination (id, name, kind, url, shown_url, events, created_at, updated_at)
         values (1, 'broker', 'amqp', '{BROKER}', 'amqp://shop:***@mq.example/prod', null, {time},
                {time}),
            (2, 'hook', 'webhook', 'https://hooks.example/in', 'https://hooks.example/in', null,
                {time}, {time});
         insert into destination_secret (destination_id, number, kind, secret, created_at)
         values (2, 1, 'hmac', '{shared}', {time}), (2, 2, 'ed25519', '{private}', {time});
         update id_sequence set next = 3 where name = 'destination';
         update signing_secret set secret = {signs} where name = 'tickets'"
    )
}

fn markers() -> Vec<Marker> {
    let bare = |secret: &str| secret.split_once('_').expect("a prefix").1.to_owned();
    vec![
        Marker::text("the broker's password", "hunter-3f1c9d"),
        Marker::base64("the shared secret", &bare(&shared())),
        Marker::base64("the private seed", &bare(&private())),
        Marker::bytes("the device's key", &KEY),
        Marker::bytes("what signs tickets", &SIGNS),
    ]
}

async fn an_older_database_is_sealed_on(engine: Engine) {
    let shop = TestShop::upgraded(engine, BEFORE, &script(engine).await).await;
    give_tokens(&shop, 1).await;
    // Tables of later versions were made empty.
    for column in COLUMNS.iter().filter(|column| !column.table.starts_with("channel")) {
        let sql = format!("select {} from {}", column.column, column.table);
        let values = shop.texts(sql.leak()).await;
        assert!(values.len() >= 2, "{}", column.name());
        assert!(values.iter().all(|value| value.starts_with("rs1.630dcd29.")), "{values:?}");
    }
    let dumped = dump(&shop.app.db).await;
    for marker in markers() {
        assert!(!marker.is_in(dumped.as_bytes()), "{} is in the database", marker.name);
    }
    shop.verify().await;

    // Everything works on.
    let ticket = Ticket { order_id: 7, line_no: 1, number: 2 };
    let signer = shop.app.tickets.signer(&shop.app.db, &shop.app.sealer).await.expect("a signer");
    let code = Signer::new(&SIGNS).code(ticket).compact();
    assert_eq!(signer.ticket(&code), Some(ticket));
    let staff = shop.anonymous().logged_in(1, &token(1));
    let known = staff.get("/api/v1/destinations/2/secrets").await.expect(200);
    let private: Secret = private().parse().expect("a secret");
    let public = private.public_key().expect("a public key").to_string();
    assert_eq!(known["items"][0]["public_key"], json!(public));
    assert_eq!(known["items"][1]["number"], 1);
    let renamed = json!({"name": "rabbit"});
    let renamed = staff.patch("/api/v1/destinations/1", renamed).await.expect(200);
    assert_eq!(renamed["url"], "amqp://shop:***@mq.example/prod");
    let urls = shop.texts("select url from destination where id = 1").await;
    assert_eq!(opened("destination", "url", 1, &urls[0]), BROKER);
    let code = Device(KEY).code(&shop, 0);
    let body = json!({"username": "sam", "password": PASSWORD, "code": code});
    shop.anonymous().post("/api/v1/tokens", body.clone()).await.expect(201);
    let again = shop.anonymous().post("/api/v1/tokens", body).await;
    again.expect_problem(401, "wrong_second_factor");
    let mut bia = shop.visitor();
    bia.log_in("bia", PASSWORD).await;
    let page = bia.open("/account/second_factor").await.expect(200);
    assert_eq!(Device::reads(&page).0, KEY, "what was being set up can be ended");
    // SQLite has overwritten what lay open, in the file as in the log that goes at the end.
    if engine == Engine::Sqlite {
        let url = shop.database_url();
        let path = url.strip_prefix("sqlite://").expect("SQLite");
        drop((bia, staff));
        let folder = shop.close().await;
        let since = Instant::now();
        while std::path::Path::new(&format!("{path}-wal")).exists() {
            assert!(since.elapsed() < CLOSED_MAX, "the database is still open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let bytes = files(path);
        for marker in markers() {
            assert!(!marker.is_in(&bytes), "{} is in the file", marker.name);
        }
        drop(folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_database_is_sealed_on_sqlite() {
    an_older_database_is_sealed_on(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_database_is_sealed_on_postgres() {
    if !postgres_is_left_out("an_older_database_is_sealed") {
        an_older_database_is_sealed_on(Engine::Postgres).await;
    }
}
