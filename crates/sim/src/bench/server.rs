//! The server under test: the shop's own stack, with two endpoints that do nothing beside it.

use std::path::Path;

use anyhow::{Result, anyhow};
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use runout_shop::App;
use runout_shop::accounts::Identity;
use runout_shop::orders::NewOrder;
use runout_shop::platform::clock::Clock;
use runout_shop::platform::extract::Valid;
use runout_store::{DatabaseUrl, Db};
use serde_json::{Value, json};

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
pub async fn serve(database_url: &str, port_file: &Path) -> Result<()> {
    let url: DatabaseUrl = database_url.parse().map_err(|error| anyhow!("{error}"))?;
    let app = App::new(Db::open(&url)?, Clock::system());
    let router = runout_shop::app::router(app.clone()).merge(noop_routes().with_state(app));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    std::fs::write(port_file, listener.local_addr()?.port().to_string())?;
    axum::serve(listener, router).await?;
    Ok(())
}
