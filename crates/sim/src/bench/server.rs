//! The server under test: the shop's own stack, with two endpoints that do nothing beside it.

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use runout_shop::App;
use runout_shop::accounts::Identity;
use runout_shop::orders::NewOrder;
use runout_shop::platform::extract::Valid;
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
