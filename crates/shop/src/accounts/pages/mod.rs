//! The pages of accounts: logging in, signing up, one's own account.

mod addresses;
mod data;
mod form;
mod login;
mod password;
mod profile;
mod second_factor;
mod sessions;
mod sign_up;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::routing::{get, post};

use crate::App;

/// The pages of accounts.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/accounts/login/", get(login::form).post(login::log_in))
        .route("/accounts/logout/", get(login::ask_to_log_out).post(login::log_out))
        .route("/accounts/sign_up/", get(sign_up::form).post(sign_up::sign_up))
        .route("/accounts/second_factor/", get(second_factor::ask).post(second_factor::verify))
        .route("/account/second_factor", get(second_factor::page))
        .route("/account/second_factor/begin", post(second_factor::begin))
        .route("/account/second_factor/confirm", post(second_factor::confirm))
        .route("/account/second_factor/codes", post(second_factor::renew))
        .route("/account/second_factor/off", post(second_factor::off))
        .route("/account/data", get(data::page))
        .route("/account/data/download", get(data::download))
        .route("/account/data/erase", post(data::erase))
        .route("/accounts/erased/", get(data::erased))
        .route("/account", get(profile::form).post(profile::save))
        .route("/account/email", get(profile::email_form).post(profile::save_email))
        .route("/account/password", get(password::form).post(password::save))
        .route("/account/sessions", get(sessions::list))
        .route("/account/sessions/end_others", post(sessions::end_others))
        .route("/account/sessions/{id}/end", post(sessions::end))
        .route("/account/tokens/{id}/revoke", post(sessions::revoke))
        .route("/account/addresses", get(addresses::list))
        .route("/account/addresses/new", get(addresses::new).post(addresses::add))
        .route("/account/addresses/{id}", get(addresses::edit).post(addresses::save))
        .route("/account/addresses/{id}/delete", post(addresses::delete))
}

/// What the browser calls itself.
fn browser(headers: &HeaderMap) -> &str {
    let named = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    named.unwrap_or("unknown")
}
