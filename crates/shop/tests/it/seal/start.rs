//! Keys at the start: made once, told of, and demanded when something is sealed with them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use runout_shop::platform::config::Seal;
use runout_shop::platform::seal::{Keys, Sealer};
use runout_shop::sealed::{self, BeginError};
use runout_store::{DatabaseUrl, Db};
use tempfile::TempDir;

use crate::on_both_engines;
use crate::support::database::postgres_is_left_out;
use crate::support::server::{finish, program, runout};
use crate::support::{Engine, SEAL_KEY, TestDatabase};

const OTHER_KEY: &str = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";
const OWNER: [&str; 6] =
    ["createsuperuser", "--username", "owner", "--email", "o@example.com", "--password-stdin"];

/// The program without any keys given.
fn bare(folder: &TempDir, url: &str, args: &[&str]) -> Command {
    let mut command = program(folder, url, args);
    command.env_remove("RUNOUT_SEAL_KEY");
    command
}

fn key_files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".key")).collect()
}

/// Where the key file of a database lies by default.
fn default_key_file(folder: &TempDir, url: &DatabaseUrl) -> std::path::PathBuf {
    match url {
        DatabaseUrl::Sqlite { path, .. } => format!("{}.key", path.display()).into(),
        DatabaseUrl::Postgres(_) => folder.path().join("runout.key"),
    }
}

fn text_of(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite { path, .. } => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.clone(),
    }
}

async fn a_key_is_made_once_on(engine: Engine) {
    let database = TestDatabase::new(engine).await;
    let (url, folder) = (database.url(), tempfile::tempdir().expect("a temporary folder"));
    let path = default_key_file(&folder, &url);
    let first = finish(bare(&folder, &text_of(&url), &OWNER), "a long password\n");
    let told = String::from_utf8_lossy(&first.stderr);
    assert!(first.status.success() && path.exists(), "{told}");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).expect("read");
    let key = text.lines().find(|line| !line.starts_with('#')).expect("a key");
    assert!(told.contains(&path.display().to_string()) && !told.contains(key), "{told}");
    let again = finish(bare(&folder, &text_of(&url), &["load-fixture"]), "");
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && !told.contains("a key for the secrets"), "{told}");
    assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    let verified = finish(bare(&folder, &text_of(&url), &["verify"]), "");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    // Lost: nothing starts, and no other key is made.
    std::fs::remove_file(&path).expect("removed");
    let key_id = Keys::parse(key, "the file").map(Sealer::new).expect("a key").key_ids().concat();
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &OWNER, &["rotate-keys"]] {
        let lost = finish(bare(&folder, &text_of(&url), args), "a long password\n");
        let told = String::from_utf8_lossy(&lost.stderr);
        assert_eq!(lost.status.code(), Some(1), "{told}");
        let words = format!("sealed with the key {key_id}, but there is no key file ");
        assert!(told.contains(&words) && !told.contains(key), "{told}");
        assert!(!path.exists() && key_files(folder.path()).is_empty());
    }
    let verified = finish(bare(&folder, &text_of(&url), &["verify"]), "");
    let told = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(verified.status.code(), Some(1), "{told}");
    let words = format!("signing_secret.secret of answers is sealed with the key {key_id}, which");
    assert!(told.contains(&words), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_once_on_sqlite() {
    a_key_is_made_once_on(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_once_on_postgres() {
    if !postgres_is_left_out("a_key_is_made_once") {
        a_key_is_made_once_on(Engine::Postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_says_what_it_lacks() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = text_of(&database.url());
    assert!(finish(bare(&folder, &url, &OWNER), "a long password\n").status.success());
    let copy = folder.path().join("copy.db");
    let output = finish(bare(&folder, &url, &["backup", copy.to_str().expect("plain")]), "");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("not included: the key file ") && told.contains("shop.db.key"), "{told}");
    // The copy alone is not enough; with the key it is.
    let url_of_copy = format!("sqlite://{}", copy.display());
    let refused = finish(bare(&folder, &url_of_copy, &["load-fixture"]), "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no key file"));
    let mut with_key = bare(&folder, &url_of_copy, &["load-fixture"]);
    let key_file = default_key_file(&folder, &database.url());
    with_key.env("RUNOUT_SEAL_KEY_FILE", key_file);
    assert!(finish(with_key, "").status.success());
}

on_both_engines! {
    async fn other_keys_are_refused(shop: TestShop) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = shop.database_url();
        for args in [&["serve", "--listen", "127.0.0.1:0"][..], &OWNER, &["rotate-keys"]] {
            let mut command = program(&folder, &url, args);
            command.env("RUNOUT_SEAL_KEY", OTHER_KEY);
            let output = finish(command, "a long password\n");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains("the key 630dcd29, which seal.key does not hold"), "{told}");
            assert!(!told.contains(OTHER_KEY), "{told}");
        }
        // With the former key behind it, the other one seals from now on.
        let mut command = program(&folder, &url, &["rotate-keys"]);
        command.env("RUNOUT_SEAL_KEY", format!("{OTHER_KEY},{SEAL_KEY}"));
        let output = finish(command, "");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("630dcd29 seals nothing"), "{told}");
        assert!(!told.contains(OTHER_KEY) && !told.contains(SEAL_KEY), "{told}");
        let old = runout(&url, &["load-fixture"], "");
        assert_eq!(old.status.code(), Some(1));
        let mut command = program(&folder, &url, &["rotate-keys", "--generate"]);
        command.env("RUNOUT_SEAL_KEY", OTHER_KEY);
        let output = finish(command, "");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("the keys come from seal.key"), "{told}");
    }

    async fn two_nodes_do_not_begin_with_keys_of_their_own(shop: TestShop) {
        // As a migration leaves it: nothing is sealed yet.
        let open = "update signing_secret set secret = '00ff00ff'";
        shop.app.db.script(open).await.expect("opened");
        let other = Sealer::new(Keys::parse(OTHER_KEY, "a test").expect("a key"));
        let node = Db::open(&shop.database_url().parse().expect("an address")).expect("opens");
        let begun = futures::join!(
            sealed::seal_open_rows(&shop.app.db, &shop.app.sealer),
            sealed::seal_open_rows(&node, &other),
        );
        let refused = [begun.0, begun.1].into_iter().filter_map(Result::err);
        let refused: Vec<BeginError> = refused.collect();
        assert_eq!(refused.len(), 1, "one of them is told: {refused:?}");
        assert!(matches!(refused[0], BeginError::UnknownKeys { .. }), "{refused:?}");
        let prefixes = "select distinct substr(secret, 1, 13) from signing_secret";
        assert_eq!(shop.texts(prefixes).await.len(), 1);
        // Again, by whoever has the key, it does nothing.
        let (url, settings) = (shop.database_url(), |key: &str| Seal {
            key: Some(runout_shop::platform::secret::Secret::new(key)),
            key_file: None,
        });
        let url = url.parse().expect("an address");
        let both = settings(&format!("{SEAL_KEY},{OTHER_KEY}"));
        let sealer = sealed::begin(&node, &both, &url).await.expect("begins");
        assert_eq!(sealed::seal_open_rows(&node, &sealer).await.expect("sealed"), 0);
    }
}
