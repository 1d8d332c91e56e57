//! A shop of one's own for every test, on SQLite and on PostgreSQL, called in-process.

pub mod actors;
pub mod basket;
pub mod client;
pub mod database;
pub mod furnish;
pub mod json_server;
pub mod ports;
pub mod postgres;
pub mod proxy;
pub mod rabbit;
pub mod redis;
pub mod seed;
pub mod server;
pub mod stage;
pub mod stripe;
pub mod visitor;

pub use basket::{BASKETS, Basket, address, line};
pub use client::{Answer, Client};
pub use database::{Engine, TestDatabase};
pub use visitor::Visitor;

use std::collections::HashMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::Mutex;

use jiff::Timestamp;
use runout_shop::App;
use runout_shop::accounts::Accounts;
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::Config;
use runout_shop::platform::seal::{Keys, Place, Sealer};
use runout_shop::sealed::seal_open_rows;
use runout_store::{DatabaseUrl, Db};

/// Defines each test twice, `name::sqlite` and `name::postgres`.
///
/// PostgreSQL's address is in `RUNOUT_TEST_POSTGRES_URL` (`make test` sets it). Without it the
/// PostgreSQL half fails, unless `RUNOUT_TEST_ONLY_SQLITE=1` leaves it out, loudly.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($shop:ident: TestShop) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test uses all of its module")]
            use super::*;

            $(#[$meta])*
            async fn run($shop: $crate::support::TestShop) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($crate::support::TestShop::new($crate::support::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if $crate::support::database::postgres_is_left_out(stringify!($name)) {
                    return;
                }
                run($crate::support::TestShop::new($crate::support::Engine::Postgres).await).await;
            }
        }
    )*};
}

/// The moment at which every test's clock starts.
pub const START: &str = "2026-11-21T12:00:00Z";

/// What the secrets of every test's database are sealed with, also by programs that it starts.
pub const SEAL_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What a text looks like in the database.
pub fn sealed(table: &'static str, column: &'static str, row: impl Display, text: &str) -> String {
    sealer().seal(&Place::new(table, column, row), text.as_bytes())
}

/// What was sealed in a place.
pub fn opened(table: &'static str, column: &'static str, row: impl Display, text: &str) -> String {
    let opened = sealer().open(&Place::new(table, column, row), text).expect("it opens");
    opened.text().expect("text").to_owned()
}

pub fn sealer() -> Sealer {
    Sealer::new(Keys::parse(SEAL_KEY, "the tests").expect("a key"))
}

/// A migrated, empty shop on a database of its own, with a clock that the test moves.
pub struct TestShop {
    pub app: App,
    pub clock: Clock,
    router: axum::Router,
    /// Accounts that are logged in already, by username.
    actors: Mutex<HashMap<String, Client>>,
    // Dropped last: it removes the database.
    database: TestDatabase,
}

impl TestShop {
    pub async fn new(engine: Engine) -> Self {
        Self::upgraded(engine, 0, "").await
    }

    /// A shop whose database was at an earlier version, with what a script has put there.
    pub async fn upgraded(engine: Engine, version: i64, script: &str) -> Self {
        let database = TestDatabase::new(engine).await;
        let db = Db::open(&database.url()).expect("the test database opens");
        if version > 0 {
            runout_store::migrate_to(&db, version).await.expect("an earlier schema can be made");
            db.script(script).await.expect("the script runs");
        }
        runout_store::migrate(&db).await.expect("the schema can be made");
        let sealer = sealer();
        seal_open_rows(&db, &sealer).await.expect("nothing is sealed yet");
        let clock = Clock::manual(START.parse::<Timestamp>().expect("a valid moment"));
        let config = Config::default();
        let accounts = Accounts::new(actors::CHEAP);
        let app = App::with_accounts(db, clock.clone(), &config, sealer, accounts);
        let router = runout_shop::app::router(app.clone(), &config);
        Self { app, clock, router, actors: Mutex::default(), database }
    }

    /// The same shop with other settings. Clients that were made before still work.
    pub async fn with_config(self, config: &Config) -> Self {
        self.app.stop().await;
        let db = Db::open(&self.database.url()).expect("the test database opens again");
        let accounts = Accounts::new(actors::CHEAP);
        let app = App::with_accounts(db, self.clock.clone(), config, sealer(), accounts);
        let router = runout_shop::app::router(app.clone(), config);
        Self { app, router, ..self }
    }

    /// Another node on the same database.
    pub async fn second_node(&self) -> App {
        self.node_with(&Config::default()).await
    }

    /// Another node on the same database, with settings.
    pub async fn node_with(&self, config: &Config) -> App {
        let db = Db::open(&self.database.url()).expect("the test database opens again");
        let accounts = Accounts::new(actors::CHEAP);
        App::with_accounts(db, self.clock.clone(), config, sealer(), accounts)
    }

    /// Another node on the same database, with settings and a clock of its own.
    pub async fn node_at(&self, config: &Config, clock: Clock) -> App {
        let db = Db::open(&self.database.url()).expect("the test database opens again");
        App::with_accounts(db, clock, config, sealer(), Accounts::new(actors::CHEAP))
    }

    /// The routes of a node, for clients in any hurry.
    pub fn router_of(&self, app: App) -> axum::Router {
        let mut config = Config::default();
        config.rate_limit.per_second = NonZeroU32::MAX;
        config.rate_limit.burst = NonZeroU32::MAX;
        runout_shop::app::router(app, &config)
    }

    /// The routes of this node.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// The database's address, as the program takes it.
    pub fn database_url(&self) -> String {
        match self.database.url() {
            DatabaseUrl::Sqlite { path, .. } => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url,
        }
    }

    /// Ends the shop, and gives what removes its database.
    pub async fn close(self) -> TestDatabase {
        let Self { app, router, actors, database, .. } = self;
        app.stop().await;
        drop((app, router, actors));
        database
    }

    /// Proves every invariant on the database as it stands.
    pub async fn verify(&self) {
        let report = runout_shop::verify::verify(&self.app.db, &self.app.sealer).await;
        let report = report.expect("the checks run");
        assert!(report.is_clean(), "the database is broken:\n{report}");
    }

    /// Seals what a test has written past the commands.
    pub async fn seal(&self) {
        seal_open_rows(&self.app.db, &self.app.sealer).await.expect("it can be sealed");
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.router.clone(), None)
    }
}
