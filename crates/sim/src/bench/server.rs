//! The server under test: the shop's own stack, with two endpoints that do nothing beside it.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Result, anyhow};
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use runout_shop::App;
use runout_shop::accounts::Identity;
use runout_shop::app::bare_router;
use runout_shop::orders::NewOrder;
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::{CacheArgs, Config, Seal};
use runout_shop::platform::extract::Valid;
use runout_shop::platform::layers::{Layers, wrap};
use runout_shop::platform::secret::Secret;
use runout_shop::platform::server::{self, Limits};
use runout_shop::sealed;
use runout_store::{DatabaseUrl, Db};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Longer than all loads of an engine take together.
const HOLD_SECONDS: NonZeroU32 = NonZeroU32::new(7_200).expect("not 0");
/// Beyond it, so that each activity extends, as it does in a shop.
const HOLD_LIFE_SECONDS: NonZeroU32 = NonZeroU32::new(43_200).expect("not 0");

/// What every benchmark's database is sealed with.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub fn keys() -> Seal {
    Seal { key: Some(Secret::new(KEY)), key_file: None }
}

/// Routes that parse, authenticate and answer like an order or a list, and do nothing else.
pub fn noop_routes() -> axum::Router<App> {
    axum::Router::new().route("/bench/noop", get(noop_get).post(noop_post))
}

async fn noop_get(State(_): State<App>) -> Json<Value> {
    Json(json!({"items": [], "next": null}))
}

async fn noop_post(
    State(_): State<App>,
    identity: Identity,
    Valid(order): Valid<NewOrder>,
) -> Json<Value> {
    Json(json!({"account_id": identity.account_id, "lines": order.lines.len()}))
}

/// Serves until it is killed; writes the port that it listens on into the file.
///
/// Everything is as in `runout serve`, the rate limit included; only its numbers are raised, since
/// all requests come from one place. Holds last longer: what one load has put into baskets must not
/// lapse in the midst of another.
pub async fn serve(database_url: &str, port_file: &Path, cache: &CacheArgs) -> Result<()> {
    let url: DatabaseUrl = database_url.parse().map_err(|error| anyhow!("{error}"))?;
    let mut config = Config::default();
    config.rate_limit.per_second = NonZeroU32::MAX;
    config.rate_limit.burst = NonZeroU32::MAX;
    config.stock.hold_seconds = HOLD_SECONDS;
    config.stock.hold_life_seconds = HOLD_LIFE_SECONDS;
    config.cache.overlay(cache);
    config.seal = keys();
    let db = Db::open(&url)?;
    let sealer = sealed::begin(&db, &config.seal, &url).await?;
    let app = App::new(db, Clock::system(), &config, sealer);
    let routes = noop_routes().with_state(app.clone()).merge(bare_router(app));
    let router = wrap(routes, &Layers::new(&config));
    let listener = server::listen(([127, 0, 0, 1], 0).into())?;
    std::fs::write(port_file, listener.local_addr()?.port().to_string())?;
    server::serve(listener, router, Limits::from(&config.http), CancellationToken::new()).await;
    Ok(())
}
