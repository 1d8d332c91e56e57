//! Marketplace channels: accounts of shops elsewhere, and the shipments that are read from them.
//!
//! Owns `channel`, `channel_sync`, `channel_node`, `channel_token`, `sync_run`, `shipment`,
//! `shipment_item` and `channel_process`.
//!
//! What always holds:
//! - A channel is a state machine in the database. One node has it in hand at a time, and only that
//!   one calls with its credentials and stores what comes of it.
//! - A call is made when the provider's limit surely allows it, and what it brought is stored with
//!   how far the channel is, and with what is known of the limits: whoever goes on, after a
//!   crash or elsewhere, repeats no more than the calls under way.
//! - Client secrets and tokens lie sealed, and reach no answer, log or error.

pub mod access;
mod act_api;
mod api;
pub mod bol;
pub mod commands;
mod crawl;
pub mod erase;
pub mod input;
pub mod live;
pub mod model;
mod pages;
pub mod parcel;
pub mod progress;
mod provider;
pub mod queries;
mod refusals;
pub mod setting;
pub mod shipments;
mod sql;
pub mod verification;

use runout_store::Sql;
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::platform::seal::Place;

pub use crawl::{Settings, run};
pub(crate) use pages::router as pages;

/// Channels that an account may have that is not staff.
pub const CHANNELS_PER_ACCOUNT_MAX: i64 = 20;

/// The routes of channels and shipments, under `/api/v1`.
pub fn router() -> OpenApiRouter<App> {
    api::router().merge(act_api::router()).merge(shipments::api::router())
}

/// Where a channel's client secret lies.
pub fn secret_place(channel_id: i64) -> Place {
    Place::new("channel", "secret", channel_id)
}

/// Where a channel's token lies.
pub fn token_place(channel_id: i64) -> Place {
    Place::new("channel_token", "token", channel_id)
}

/// Every statement of the capability.
pub(crate) fn statements() -> Vec<&'static Sql> {
    [
        crawl::statements(),
        commands::all_statements(),
        queries::STATEMENTS.to_vec(),
        sql::STATEMENTS.to_vec(),
        shipments::queries::STATEMENTS.to_vec(),
    ]
    .concat()
}
