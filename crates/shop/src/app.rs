//! The application's state and its router, made once and shared by every handler, job and test.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use runout_store::{Db, Ids, Sql};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use runout_core::country::Country;
use runout_core::money::Currency;

use crate::accounts::{self, Accounts, TokenSecurity};
use crate::baskets::BasketSecurity;
use crate::channels::live::Channels;
use crate::delivery::live::{Bell, Live};
use crate::desk::Desk;
use crate::events::tickets::TicketSecret;
use crate::events::{self, EventWriter};
use crate::jobs::JobLog;
use crate::payments::Payments;
use crate::platform::cache::AnswerCache;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, Shop};
use crate::platform::layers::{Layers, wrap};
use crate::platform::seal::Sealer;
use crate::platform::{docs, health, responses};
use crate::stock::{self, Limits, StockWriter};
use crate::{
    addresses, admin, baskets, catalog, channels, delivery, desk, discounts, journal, orders,
    pages, payments, platform, predecessors, pricing, taxes, verify,
};

/// Ids of hot sequences taken from the database at a time.
const ID_BLOCK: i64 = 1_000;

/// Everything that a request or a job may use. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    /// Seals what must be read again, and opens it.
    pub sealer: Sealer,
    /// What prices are in when nobody says.
    pub currency: Currency,
    /// Whose tax rates apply when nobody says where an order goes.
    pub country: Country,
    /// An order that was not paid gives its stock back after so long.
    pub unpaid_seconds: u32,
    pub ids: IdPools,
    pub stock: StockWriter,
    /// Decides who comes to events.
    pub attendance: EventWriter,
    /// What signs tickets.
    pub tickets: TicketSecret,
    pub accounts: Accounts,
    /// Public lists, kept ready.
    pub answers: AnswerCache,
    /// What the home page finds nearly gone.
    pub nearly_gone: catalog::NearlyGone,
    /// Whoever moves the money.
    pub payments: Payments,
    /// Who sells.
    pub shop: Shop,
    /// What the back office keeps in process: the dashboard's numbers, runs under way.
    pub desk: Desk,
    /// How the background jobs fare.
    pub jobs: JobLog,
    /// What this process knows of its own deliveries.
    pub delivery: Live,
    /// What is at hand for marketplace channels.
    pub channels: Channels,
}

/// Ids of rows that are written in numbers.
pub struct IdPools {
    pub audit: Ids,
    /// A crowd makes its baskets at once: a sequence that each of them locked would make them wait.
    pub baskets: Ids,
}

impl IdPools {
    fn all(&self) -> [&Ids; 2] {
        [&self.audit, &self.baskets]
    }
}

impl Default for IdPools {
    fn default() -> Self {
        Self { audit: Ids::new("audit", ID_BLOCK), baskets: Ids::new("basket", ID_BLOCK) }
    }
}

impl App {
    /// Puts the application together on an open, migrated database whose secrets are sealed, see
    /// [`sealed::begin`](crate::sealed::begin).
    pub fn new(db: Db, clock: Clock, config: &Config, sealer: Sealer) -> Self {
        Self::with_accounts(db, clock, config, sealer, Accounts::default())
    }

    /// As [`App::new`], with password hashes of another cost: for tests.
    pub fn with_accounts(
        db: Db,
        clock: Clock,
        config: &Config,
        sealer: Sealer,
        accounts: Accounts,
    ) -> Self {
        let bell = Bell::default();
        let limits = Limits::from(config);
        let stock = StockWriter::start(db.clone(), clock.clone(), limits, bell.clone());
        let attendance = EventWriter::start(db.clone(), clock.clone(), config, bell.clone());
        let (currency, country) = (config.currency, config.country);
        let unpaid_seconds = config.stock.unpaid_seconds.get();
        let ids = IdPools::default();
        let answers = AnswerCache::new(config, sealer.clone());
        let channels = Channels::new(&config.channels, &clock);
        Self(Arc::new(Parts {
            db,
            clock,
            sealer,
            currency,
            country,
            unpaid_seconds,
            ids,
            stock,
            attendance,
            tickets: TicketSecret::default(),
            accounts,
            answers,
            nearly_gone: catalog::NearlyGone::default(),
            payments: Payments::new(&config.payments),
            shop: config.shop.clone(),
            desk: Desk::new(&config.http),
            jobs: JobLog::default(),
            delivery: Live::new(bell),
            channels,
        }))
    }

    /// After how many seconds an order that is placed now gives its stock back, if it is unpaid.
    pub fn pay_within_s(&self) -> i64 {
        self.unpaid_seconds.into()
    }

    /// True if the database answers.
    pub async fn is_ready(&self) -> bool {
        self.db.ping().await.is_ok()
    }

    /// Ends the background work: decides what waits, gives unused ids back.
    pub async fn stop(&self) {
        self.desk.close();
        if let Err(error) = desk::jobs::keep_refusals(self).await {
            tracing::warn!(%error, "the last refusals were counted, but not kept");
        }
        self.stock.stop().await;
        self.attendance.stop().await;
        for pool in self.ids.all() {
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
    modifiers(&TokenSecurity, &BasketSecurity)
)]
struct Document;

/// Every route with its description. Each capability adds its router here.
pub fn routes() -> OpenApiRouter<App> {
    let mut document = Document::openapi();
    document.components.get_or_insert_default().schemas.extend(responses::problem_schemas());
    OpenApiRouter::with_openapi(document)
        .merge(accounts::router())
        .merge(catalog::router())
        .merge(pricing::router())
        .merge(stock::router())
        .merge(orders::router())
        .merge(baskets::router())
        .merge(discounts::router())
        .merge(taxes::router())
        .merge(addresses::router())
        .merge(payments::router())
        .merge(events::router())
        .merge(journal::router())
        .merge(delivery::router())
        .merge(channels::router())
        .merge(predecessors::router())
}

/// The API's description.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// The whole service: routes, description, health checks, and the layers around them.
pub fn router(app: App, config: &Config) -> Router {
    wrap(bare_router(app), &Layers::new(config))
}

/// [`router`] without the layers, for a caller who adds routes of its own.
pub fn bare_router(app: App) -> Router {
    let (router, document) = routes().split_for_parts();
    let asked = app.clone();
    let is_ready = move || {
        let app = asked.clone();
        async move { app.is_ready().await }
    };
    let pages = pages::router(app.clone());
    let observed = app.clone();
    let observe = move || observed.answers.figures().publish();
    let health = health::router(is_ready, observe);
    let router = router.merge(docs::router(&document)).merge(health);
    router.merge(pages).with_state(app)
}

/// Every statement of the program, for the test that prepares each on both engines.
pub fn statements() -> Vec<&'static Sql> {
    [
        runout_store::statements(),
        platform::sql::STATEMENTS.to_vec(),
        accounts::statements(),
        stock::statements(),
        orders::statements(),
        baskets::statements(),
        payments::statements(),
        verify::queries::STATEMENTS.to_vec(),
        catalog::statements(),
        pricing::statements(),
        discounts::statements(),
        taxes::statements(),
        addresses::statements(),
        events::statements(),
        journal::statements(),
        delivery::statements(),
        channels::statements(),
        admin::statements(),
        desk::statements(),
    ]
    .concat()
}
