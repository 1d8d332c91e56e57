//! The application's state and its router, made once and shared by every handler, job and test.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use runout_store::{Db, Ids, Sql};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use runout_core::money::Currency;

use crate::accounts::{self, Accounts, TokenSecurity};
use crate::platform::clock::Clock;
use crate::platform::responses;
use crate::stock::{self, Limits, StockWriter};
use crate::{catalog, orders, platform, predecessors, pricing, verify};

/// Ids of hot sequences taken from the database at a time.
const ID_BLOCK: i64 = 1_000;
const CURRENCY_DEFAULT: &str = "EUR";

/// Everything that a request or a job may use. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    /// What prices are in when nobody says.
    pub currency: Currency,
    pub ids: IdPools,
    pub stock: StockWriter,
    pub accounts: Accounts,
}

/// Ids of rows that are written in numbers.
pub struct IdPools {
    pub outbox: Ids,
    pub audit: Ids,
}

impl Default for IdPools {
    fn default() -> Self {
        Self { outbox: Ids::new("outbox", ID_BLOCK), audit: Ids::new("audit", ID_BLOCK) }
    }
}

impl App {
    /// Puts the application together on an open, migrated database.
    ///
    /// Must be called inside a tokio runtime: the stock writer's task is started on it.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self::with_accounts(db, clock, Accounts::default())
    }

    /// As [`App::new`], with password hashes of another cost: for tests.
    pub fn with_accounts(db: Db, clock: Clock, accounts: Accounts) -> Self {
        let stock = StockWriter::start(db.clone(), clock.clone(), Limits::default());
        let currency = CURRENCY_DEFAULT.parse().expect("the euro is a currency");
        Self(Arc::new(Parts { db, clock, currency, ids: IdPools::default(), stock, accounts }))
    }

    /// Ends the background work: decides what waits, gives unused ids back.
    pub async fn stop(&self) {
        self.stock.stop().await;
        for pool in [&self.ids.outbox, &self.ids.audit] {
            if let Err(error) = pool.release(&self.db).await {
                tracing::warn!(%error, "unused ids were not given back; a gap remains");
            }
        }
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The document's frame; paths come from the capabilities' routers.
#[derive(OpenApi)]
#[openapi(
    info(title = "Runout", description = "Sells things that run out, never one too many."),
    modifiers(&TokenSecurity)
)]
struct Document;

/// Every route with its description. Each capability adds its router here.
pub fn routes() -> OpenApiRouter<App> {
    let mut document = Document::openapi();
    let (name, schema) = responses::problem_schema();
    document.components.get_or_insert_default().schemas.insert(name, schema);
    OpenApiRouter::with_openapi(document)
        .merge(accounts::router())
        .merge(catalog::router())
        .merge(pricing::router())
        .merge(stock::router())
        .merge(orders::router())
        .merge(predecessors::router())
}

/// The whole service: routes and layers.
pub fn router(app: App) -> Router {
    let (router, _document) = routes().split_for_parts();
    router.with_state(app)
}

/// Every statement of the program, for the test that prepares each on both engines.
pub fn statements() -> Vec<&'static Sql> {
    [
        runout_store::statements(),
        platform::command::STATEMENTS.to_vec(),
        accounts::statements(),
        stock::statements(),
        orders::statements(),
        verify::queries::STATEMENTS.to_vec(),
        catalog::statements(),
        pricing::statements(),
    ]
    .concat()
}
