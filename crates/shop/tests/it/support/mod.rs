//! A shop of one's own for every test, on SQLite and on PostgreSQL, called in-process.

pub mod actors;
pub mod basket;
pub mod client;
pub mod database;
pub mod furnish;
pub mod json_server;
pub mod postgres;
pub mod proxy;
pub mod rabbit;
pub mod redis;
pub mod server;
pub mod stage;
pub mod stripe;
pub mod visitor;

pub use basket::{BASKETS, Basket, address, line};
pub use client::{Answer, Client};
pub use database::{Engine, TestDatabase};
pub use visitor::Visitor;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;

use jiff::Timestamp;
use runout_shop::App;
use runout_shop::accounts::Accounts;
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::Config;
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
        let database = TestDatabase::new(engine).await;
        let db = Db::open(&database.url()).expect("the test database opens");
        runout_store::migrate(&db).await.expect("the schema can be made");
        let clock = Clock::manual(START.parse::<Timestamp>().expect("a valid moment"));
        let config = Config::default();
        let accounts = Accounts::new(actors::CHEAP);
        let app = App::with_accounts(db, clock.clone(), &config, accounts);
        let router = runout_shop::app::router(app.clone(), &config);
        Self { app, clock, router, actors: Mutex::default(), database }
    }

    /// The same shop with other settings. Clients that were made before still work.
    pub async fn with_config(self, config: &Config) -> Self {
        self.app.stop().await;
        let db = Db::open(&self.database.url()).expect("the test database opens again");
        let accounts = Accounts::new(actors::CHEAP);
        let app = App::with_accounts(db, self.clock.clone(), config, accounts);
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
        App::with_accounts(db, self.clock.clone(), config, accounts)
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

    /// Proves every invariant on the database as it stands.
    pub async fn verify(&self) {
        let report = runout_shop::verify::verify(&self.app.db).await.expect("the checks run");
        assert!(report.is_clean(), "the database is broken:\n{report}");
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.router.clone(), None)
    }
}
