//! The command line: what each command prints, and with which code it ends.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::on_both_engines;
use crate::openapi::document;
use crate::support::database::postgres_is_left_out;
use crate::support::server::{Server, finish, give_tokens, program, runout, token, verify_command};
use crate::support::stage::stage;
use crate::support::{Engine, TestShop};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[track_caller]
fn succeeds(url: &str, args: &[&str], input: &str) -> String {
    let output = runout(url, args, input);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// Ends with code 1 and one line that says what to do.
#[track_caller]
fn refuses(output: &Output, hint: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("runout: ") && text.contains(hint), "{text:?} lacks {hint:?}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    assert_eq!(stdout(output), "");
}

fn albums() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/albums-500.csv")
}

/// A SQLite database that nothing has opened.
fn nowhere() -> String {
    "sqlite://never/opened.db".to_owned()
}

const ROOT: [&str; 6] =
    ["createsuperuser", "--username", "root", "--email", "root@x.test", "--password-stdin"];

on_both_engines! {
    async fn a_superuser_is_made_from_standard_input(shop: TestShop) {
        let url = shop.database_url();
        let output = succeeds(&url, &ROOT, "correct horse battery\n");
        assert_eq!(output, "superuser root created\n");
        let taken = "runout: the superuser was not created: this username is taken\n";
        refuses(&runout(&url, &ROOT, "correct horse battery\n"), taken);
        let mut other = ROOT;
        other[2] = "admin";
        refuses(&runout(&url, &other, "correct horse battery\n"), "e-mail");
        other[4] = "admin@x.test";
        for (args, input, hint) in [
            (&other[..], "short\n", "password"),
            (&other[..], "", "password"),
            (&other[..], "admin@x.test\n", "password"),
            (&other[..5], "", "--password-stdin"),
            (&[&other[..3], &other[5..]].concat(), "correct horse\n", "--email"),
            (&[&other[..1], &other[3..]].concat(), "correct horse\n", "--username"),
        ] {
            refuses(&runout(&url, args, input), hint);
        }
        other[4] = "no address";
        refuses(&runout(&url, &other, "correct horse battery\n"), "e-mail");

        let server = Server::start(&url, &[]).await;
        let login = json!({"username": "ROOT", "password": "correct horse battery"});
        let mut connection = server.connect().await;
        let token = connection.send("POST", "/api/v1/tokens", "", "", &login).await;
        let token = token.expect("answered").body["token"].clone();
        let token = token.as_str().expect("a token");
        let me = connection.send("GET", "/api/v1/accounts/me", token, "", &Value::Null).await;
        assert_eq!(me.expect("answered").body["role"], "superuser");
        server.stop().await;
        verify_command(&url);
    }

    async fn verify_tells_the_difference_and_fails(shop: TestShop) {
        let url = shop.database_url();
        stage(&shop.app.db, 1, 1).await;
        verify_command(&url);
        shop.app.db.script(
            "insert into stock_level (id, variant_id, location_id, on_hand, reserved, movements)
                values (1, 1, 1, 5, 0, 0);
             update id_sequence set next = 2 where name = 'stock_level'"
        ).await.expect("tampered");
        let output = runout(&url, &["verify"], "");
        assert_eq!(output.status.code(), Some(1));
        let text = stdout(&output);
        let failures: Vec<_> = text.lines().filter(|line| line.starts_with("FAIL")).collect();
        assert_eq!(failures.len(), 1, "{text}");
        assert!(failures[0].starts_with("FAIL levels equal their ledgers: "), "{text}");
        assert_eq!(stderr(&output), "");
    }

    async fn the_real_list_is_imported_and_a_second_time_changes_nothing(shop: TestShop) {
        let url = shop.database_url();
        let file = albums();
        let args = ["import", "discs", file.to_str().expect("text")];
        let first = runout(&url, &args, "");
        let second = runout(&url, &args, "");
        for (output, told) in [
            (&first, "500 created, 0 changed, 0 unchanged, 0 refused"),
            (&second, "0 created, 0 changed, 500 unchanged, 0 refused"),
        ] {
            assert_eq!(stdout(output).lines().last(), Some(told));
            assert_eq!((output.status.code(), stderr(output)), (Some(0), String::new()));
        }
        verify_command(&url);
        let missing = runout(&url, &["import", "discs", "no such file.csv"], "");
        refuses(&missing, "no such file.csv");
    }

    async fn the_demo_data_is_loaded_once(shop: TestShop) {
        let url = shop.database_url();
        for _ in 0..2 {
            succeeds(&url, &["load-fixture"], "");
            let products = shop.staff().await.get("/api/v1/products?limit=1&sort=-id").await;
            assert_eq!(products.expect(200)["items"][0]["id"], 500);
        }
        assert_eq!(succeeds(&url, &["migrate"], ""), "nothing to do\n");
        verify_command(&url);
    }

    async fn a_server_tells_its_health(shop: TestShop) {
        let url = shop.database_url();
        let server = Server::start(&url, &[]).await;
        let address = server.address.to_string();
        let args = ["healthcheck", "--listen", &address];
        assert_eq!(succeeds(&url, &args, ""), "ready\n");
        let second = runout(&url, &["serve", "--listen", &address], "");
        refuses(&second, "choose another --listen");
        server.stop().await;
        refuses(&runout(&url, &args, ""), "is runout running?");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_database_is_backed_up_whole() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let url = shop.database_url();
    stage(&shop.app.db, 20, 1).await;
    give_tokens(&shop, 20).await;
    let server = Server::start(&url, &[]).await;
    let receipt = json!({"variant_id": 1, "quantity": 1_000_000});
    let received = server
        .connect()
        .await
        .send("POST", "/api/v1/stock/receipts", &token(1), "", &receipt)
        .await;
    assert_eq!(received.expect("answered").status, 201);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().expect("text").to_owned();
    let (busy, sold) = (AtomicBool::new(true), AtomicUsize::new(0));
    let buyer = async |number: i64| {
        let (mut connection, mut orders) = (server.connect().await, 0_i64);
        let body = json!({"lines": [{"variant_id": 1, "quantity": 1}]});
        while busy.load(Relaxed) {
            let reply = connection.send("POST", "/api/v1/orders", &token(number), "", &body).await;
            assert_eq!(reply.expect("answered").status, 201);
            orders += 1;
            sold.fetch_add(1, Relaxed);
        }
        orders
    };
    let backup = async {
        // Amid the crowd, each of which has bought some on the average.
        let since = Instant::now();
        while sold.load(Relaxed) < 100 {
            assert!(since.elapsed() < Duration::from_secs(60), "nobody buys");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (url, file) = (url.clone(), copy.clone());
        let output =
            tokio::task::spawn_blocking(move || runout(&url, &["backup", &file], "")).await;
        busy.store(false, Relaxed);
        output.expect("no panic")
    };
    let buyers = futures::future::join_all((1..=20).map(buyer));
    let (output, orders) = futures::future::join(backup, buyers).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).trim_end(), copy);
    refuses(&runout(&url, &["backup", &copy], ""), "exists already");
    server.stop().await;
    let copied = format!("sqlite://{copy}");
    verify_command(&copied);
    let server = Server::start(&copied, &[]).await;
    let path = "/api/v1/orders?limit=1";
    let list = server.connect().await.send("GET", path, &token(1), "", &Value::Null).await;
    let newest = list.expect("a list").body["items"][0]["id"].as_i64().expect("an order");
    assert!((1..=orders.iter().sum::<i64>()).contains(&newest), "{newest}");
    server.stop().await;
}

/// Nodes of one shop that start at the same time, on a database without a table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_make_the_schema_once() {
    if postgres_is_left_out("nodes_that_start_together_make_the_schema_once") {
        return;
    }
    let shop = TestShop::new(Engine::Postgres).await;
    let url = shop.database_url();
    for _ in 0..3 {
        let empty = "drop schema public cascade; create schema public";
        shop.app.db.script(empty).await.expect("emptied");
        let nodes = (0..5).map(|_| {
            let url = url.clone();
            tokio::task::spawn_blocking(move || succeeds(&url, &["migrate"], ""))
        });
        let told: Vec<_> = futures::future::join_all(nodes).await;
        let made = told
            .into_iter()
            .filter(|told| told.as_ref().expect("no panic").starts_with("0001_shop\n"));
        assert_eq!(made.count(), 1, "one node makes it, the others see its work");
        verify_command(&url);
    }
}

#[tokio::test]
async fn postgres_is_backed_up_with_its_own_tools() {
    let url = "postgres://nobody@127.0.0.1:1/nothing";
    refuses(&runout(url, &["backup", "copy.db"], ""), "pg_dump");
}

#[test]
fn mistakes_are_told_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("runout.toml"), "[http]\nconections_max = 5\n")
        .expect("written");
    let output = finish(program(&folder, &nowhere(), &["verify"]), "");
    refuses(&output, "runout.toml: line 2: unknown key \"conections_max\"; did you mean");
    assert!(!folder.path().join("never").exists(), "nothing was opened");
    let unreachable = "postgres://nobody@127.0.0.1:1/nothing";
    for args in [["verify"], ["migrate"], ["serve"]] {
        let args = [&args[..], &["--listen", "127.0.0.1:0"]].concat();
        refuses(&runout(unreachable, &args, ""), "database");
    }
    for (url, args) in [
        ("mysql://x", vec!["verify"]),
        ("sqlite://x.db", vec!["verify", "--listen", "nowhere"]),
        ("sqlite://x.db", vec!["verify", "--currency", "EURO"]),
        ("sqlite://x.db", vec!["sell"]),
    ] {
        let output = runout(url, &args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
}

#[test]
fn the_description_is_printed_without_a_database() {
    let printed: Value =
        serde_json::from_str(&succeeds(&nowhere(), &["openapi"], "")).expect("JSON");
    assert_eq!(printed, document());
    assert_eq!(printed["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
}
