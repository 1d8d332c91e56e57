//! Baskets: what somebody means to buy, held for them until a moment.
//!
//! Owns `basket`, `basket_line` and `hold`. Lines and holds are written by the stock writer's
//! batches only: what is in a basket is off sale in the transaction that put it there, and on sale
//! again at the moment when its hold ends, whether or not anything has swept. A guest opens their
//! basket with its token, of which only the hash is stored; an account has one open basket per
//! currency.

pub(crate) mod admin;
mod api;
mod checkout;
mod checkout_form;
mod checkout_pages;
pub(crate) mod commands;
mod holder;
pub mod jobs;
mod page_show;
mod pages;
pub mod queries;
mod refusals;
mod requests;
mod shopper;
mod show;
mod words;

pub use api::router;
pub(crate) use checkout::GatewayName;
pub use holder::{BASKET_COOKIE, BasketSecurity};
pub(crate) use holder::{sent_basket_token, token_hash};
pub(crate) use pages::router as pages;
pub(crate) use requests::merge_guest;
pub(crate) use shopper::bought_tokens;
pub use show::{BasketLineOut, BasketOut};

/// Units in the basket of whoever looks: an account's, or that of the cookie's token.
///
/// # Errors
/// The database's.
pub(crate) async fn units_of(
    app: &crate::App,
    account: Option<i64>,
    headers: &axum::http::HeaderMap,
) -> runout_store::Result<i64> {
    let token = crate::platform::cookie::sent(headers, BASKET_COOKIE);
    queries::units(app, account, token.map(|token| token_hash(token.as_bytes()))).await
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
