//! `runout rotate-keys`: under load, killed in the middle, with servers that hold the old key.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runout_shop::platform::seal::Sealer;
use runout_shop::sealed::COLUMNS;
use runout_store::{Composer, Db};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::catalog::id;
use crate::destinations::{add, webhook};
use crate::on_both_engines;
use crate::support::server::{Server, finish, give_tokens, program, token};
use crate::support::stage::stage;
use crate::support::{SEAL_KEY, TestShop, sealed};

/// Accounts with a second factor: enough for many batches.
const ACCOUNTS: i64 = 3_000;
const ROTATIONS_MAX: usize = 10;
const PATH: &str = "/api/v1/destinations";

/// A folder with a key file, which begins with the key of the tests.
struct KeyFile {
    folder: TempDir,
    path: PathBuf,
}

impl KeyFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("shop.key");
        std::fs::write(&path, format!("# of the tests\n{SEAL_KEY}\n")).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("set");
        Self { folder, path }
    }

    fn settings(&self) -> [(&str, &str); 2] {
        let path = self.path.to_str().expect("a plain path");
        [("RUNOUT_SEAL_KEY", ""), ("RUNOUT_SEAL_KEY_FILE", path)]
    }

    fn program(&self, shop: &TestShop, args: &[&str]) -> std::process::Command {
        let mut command = program(&self.folder, &shop.database_url(), args);
        command.envs(self.settings());
        command
    }

    fn begin(&self, shop: &TestShop, args: &[&str]) -> Child {
        let mut command = self.program(shop, args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
    }

    /// Runs to the end; what was printed.
    async fn run(&self, shop: &TestShop, args: &[&str]) -> String {
        let command = self.program(shop, args);
        let output = tokio::task::spawn_blocking(move || finish(command, "")).await;
        let output = output.expect("no panic");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {told}");
        assert!(!told.contains("AAECAwQF"), "{told}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn sealer(&self) -> Sealer {
        Sealer::from_file(&self.path).expect("a key file")
    }
}

/// How many values there are, and how many of them the first key of the file has sealed.
async fn sealed_by(db: &Db, prefix: &str) -> (i64, i64) {
    let mut counts = (0, 0);
    for column in COLUMNS {
        let mut sql = Composer::new("select count(*), count(case when substr(");
        sql.push(column.column).push(", 1, 13) = ").bind(prefix);
        sql.push(" then 1 end) from ").push(column.table);
        let read = db.read_one(sql.finish(), |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)));
        let (all, new) = read.await.expect("reads").expect("one row");
        counts = (counts.0 + all, counts.1 + new);
    }
    counts
}

async fn second_factors(shop: &TestShop) {
    stage(&shop.app.db, ACCOUNTS, 1).await;
    let time = match shop.app.db.engine() {
        runout_store::Engine::Sqlite => "1",
        runout_store::Engine::Postgres => "'2026-01-01T00:00:00Z'",
    };
    let row = |account| {
        let key = sealed("second_factor", "secret", account, "12345678901234567890");
        format!("({account},'{key}',{time},{time},0)")
    };
    let rows: Vec<String> = (1..=ACCOUNTS).map(row).collect();
    let script = format!(
        "insert into second_factor (account_id, secret, created_at, confirmed_at, last_step)
            values {}",
        rows.join(",")
    );
    shop.app.db.script(&script).await.expect("second factors");
}

/// Makes secrets and has them read, until it is told to stop. Gives how many.
async fn load(server: &Server, token: &str, destination: i64, ended: &AtomicBool) -> usize {
    let mut connection = server.connect().await;
    let path = format!("{PATH}/{destination}/secrets");
    let made = json!({"kind": "ed25519", "overlap_s": 0});
    let mut count = 0;
    while !ended.load(Ordering::SeqCst) {
        let answer = connection.send("POST", &path, token, "", &made).await.expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.body);
        let key = answer.body["public_key"].clone();
        let known = connection.send("GET", &path, token, "", &Value::Null).await;
        let known = known.expect("an answer");
        assert_eq!(known.status, 200, "{}", known.body);
        assert_eq!(known.body["items"][0]["public_key"], key);
        count += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    count
}

/// Begins to rotate and is killed in the middle; false if it was too quick for that.
async fn killed_in_the_middle(keys: &KeyFile, shop: &TestShop) -> bool {
    let before = keys.sealer().current_prefix();
    let mut rotating = keys.begin(shop, &["rotate-keys", "--generate"]);
    let since = Instant::now();
    let prefix = loop {
        let prefix = keys.sealer().current_prefix();
        if prefix != before && sealed_by(&shop.app.db, &prefix).await.1 > 200 {
            break prefix;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "nothing is sealed anew");
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    rotating.kill().expect("it was started");
    rotating.wait().expect("it ends");
    let (all, new) = sealed_by(&shop.app.db, &prefix).await;
    eprintln!("killed when {new} of {all} were sealed anew");
    new < all
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

on_both_engines! {
    async fn keys_are_rotated_under_load(shop: TestShop) {
        second_factors(&shop).await;
        give_tokens(&shop, 1).await;
        let token = token(1);
        let staff = shop.anonymous().logged_in(1, &token);
        let hooks = [
            id(&add(&staff, webhook("one")).await),
            id(&add(&staff, webhook("other")).await),
        ];
        let keys = KeyFile::new();
        let url = shop.database_url();
        let servers = [
            Server::start_with(&url, &[], &keys.settings()).await,
            Server::start_with(&url, &[], &keys.settings()).await,
        ];
        let ended = AtomicBool::new(false);
        let rotate = async {
            let mut rotations = 0;
            while !killed_in_the_middle(&keys, &shop).await {
                rotations += 1;
                assert!(rotations < ROTATIONS_MAX, "it could never be killed in the middle");
            }
            // The second run finishes what the first one has begun.
            let told = keys.run(&shop, &["rotate-keys"]).await;
            ended.store(true, Ordering::SeqCst);
            told
        };
        let loads = servers.iter().zip(hooks);
        let loads = loads.map(|(server, hook)| load(server, &token, hook, &ended));
        let (told, made) = futures::join!(rotate, futures::future::join_all(loads));
        assert!(made.iter().all(|made| *made > 10), "secrets were made meanwhile: {made:?}");
        assert!(told.contains("second_factor.secret: ") && told.contains(" sealed anew"), "{told}");
        // What was under way with the former key is sealed anew by another run; a third one finds
        // nothing to do.
        keys.run(&shop, &["rotate-keys"]).await;
        let told = keys.run(&shop, &["rotate-keys"]).await;
        for column in COLUMNS {
            assert!(told.contains(&format!("{}: 0 sealed anew", column.name())), "{told}");
        }
        let sealer = keys.sealer();
        let (all, new) = sealed_by(&shop.app.db, &sealer.current_prefix()).await;
        assert_eq!(all, new);
        assert!(all > ACCOUNTS, "{all}");
        for former in &sealer.key_ids()[1..] {
            let words = format!("the former key {former} seals nothing any more");
            assert!(told.contains(&words), "{told}");
        }
        assert_eq!(mode(&keys.path), 0o600);
        let verified = keys.run(&shop, &["verify"]).await;
        assert!(verified.contains("ok   secrets are sealed, and open"), "{verified}");
        for server in servers {
            server.stop().await;
        }
        // Without the former keys nothing is missing.
        let text = std::fs::read_to_string(&keys.path).expect("read");
        let current = text.lines().find(|line| !line.starts_with('#')).expect("a key");
        std::fs::write(&keys.path, current).expect("written");
        let verified = keys.run(&shop, &["verify"]).await;
        assert!(verified.contains("ok   secrets are sealed, and open"), "{verified}");
    }
}
