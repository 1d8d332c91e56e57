//! Baskets: what somebody means to buy, held for them until a moment.
//!
//! Owns `basket`, `basket_line` and `hold`. Lines and holds are written by the stock writer's
//! batches only: what is in a basket is off sale in the transaction that put it there, and on sale
//! again at the moment when its hold ends, whether or not anything has swept. A guest opens their
//! basket with its token, of which only the hash is stored; an account has one open basket per
//! currency.

mod api;
mod checkout;
pub(crate) mod commands;
mod holder;
pub mod jobs;
pub mod queries;
mod refusals;
mod requests;
mod show;

pub use api::router;
pub(crate) use checkout::GatewayName;
pub use holder::BasketSecurity;
pub(crate) use holder::{sent_basket_token, token_hash};
pub(crate) use requests::merge_guest;
pub use show::{BasketLineOut, BasketOut};

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
