//! What every page shares: its frame, the guard around it, assets, errors shown to people.
//!
//! Owns no tables. What always holds:
//!
//! - A page handler answers with [`Frame::page`], or refuses with a `Problem`, which the guard
//!   shows as a page; 401 becomes the way to the login.
//! - Every value in a page is escaped by its template; the policy lets only scripts with the
//!   response's own nonce run, and nobody frame a page.
//! - No unsafe request that a browser sends from another site's page gets to a handler.

mod assets;
pub mod countries;
mod error;
mod forgery;
mod frame;
mod guard;
mod ready;
pub mod words;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;

use crate::App;
use crate::{accounts, admin, baskets, catalog, channels, delivery, desk, events, journal, orders};

pub use assets::asset;
pub use frame::{About, Frame, here, local_path, see_other};
pub(crate) use guard::Nonce;
pub(crate) use ready::Ready;

/// Every page, and the address of each asset.
pub(crate) fn router(app: App) -> Router<App> {
    let guard = from_fn_with_state(app, guard::guard);
    Router::new()
        .merge(accounts::pages())
        .merge(catalog::pages())
        .merge(baskets::pages())
        .merge(orders::pages())
        .merge(admin::pages())
        .merge(desk::pages())
        .merge(events::pages())
        .merge(delivery::pages())
        .merge(channels::pages())
        .merge(journal::pages())
        .route_layer(guard.clone())
        .merge(assets::router())
        .fallback(error::nowhere.layer(guard))
}
