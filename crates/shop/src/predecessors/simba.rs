//! Simba's accounts of sellers: registering, logging in and out, one's own profile.
//!
//! A seller is an account with a channel that is called as the seller is. Whoever has several
//! channels sees the first one here.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sent::Sent;
use super::simba_shop::{Shop, ShopFields};
use super::{simba_shipments, simba_shop};
use crate::App;
use crate::accounts::erase::{self, EraseRefused};
use crate::accounts::{
    self, Account, AccountPatch, AccountRefused, Actor, By, Credentials, Identity, LoginRefused,
    NewAccount, NewPassword, Role, queries, rules,
};
use crate::catalog::input::value;
use crate::platform::answer::{json, key_reused};
use crate::platform::command::Outcome;
use crate::platform::problem::{FieldError, Problem};
use crate::platform::request::ClientIp;
use crate::platform::responses::{Act, Read, Write};

/// What the owner sees a token from here called.
const TOKEN_LABEL: &str = "api/v1/seller/account/login";

pub(super) fn router() -> OpenApiRouter<App> {
    let own_profile = on(MethodFilter::GET, profile)
        .put(replace_profile)
        .patch(change_profile)
        .delete(delete_profile);
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(user))
        .routes(routes!(change_password))
        .routes(routes!(profile, replace_profile, change_profile, delete_profile))
        .route("/api/v1/seller/register", post(register))
        .route("/api/v1/seller/account/login", post(log_in))
        .route("/api/v1/seller/account/logout", post(log_out))
        .route("/api/v1/seller/account/user", get(user))
        .route("/api/v1/seller/account/password/change", post(change_password))
        .route("/api/v1/seller", own_profile)
        .merge(simba_shipments::router())
}

/// Somebody who sells elsewhere.
#[derive(Deserialize, ToSchema)]
#[schema(as = SimbaNewSeller)]
struct NewSeller {
    #[schema(min_length = 1, max_length = 150, example = "plaatboef")]
    username: String,
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 8, max_length = 128)]
    password1: String,
    /// The same once more.
    password2: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(flatten)]
    shop: ShopFields,
}

/// A token.
#[derive(Serialize, ToSchema)]
#[schema(as = SimbaKey)]
struct IssuedKey {
    /// Send it as `Authorization: Token <key>`.
    key: String,
}

fn issued(status: StatusCode, key: String) -> Response {
    let mut response = json(status, &IssuedKey { key });
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn wrong(field: &'static str, code: &'static str, detail: &str) -> Problem {
    Problem::validation(vec![FieldError::new(format!("/{field}"), code, detail)])
}

/// A name of two parts, as it is kept.
fn full_name(first: &str, last: &str) -> String {
    format!("{} {}", first.trim(), last.trim()).trim().to_owned()
}

/// The two parts of a name: the first word, and the rest.
fn parts_of(name: &str) -> (&str, &str) {
    name.split_once(' ').unwrap_or((name, ""))
}

/// Simba: makes an account, and a channel of the shop, whose credentials are verified first.
#[utoipa::path(
    post, path = "/api/v1/seller/register/", tag = "predecessors", operation_id = "simba_register",
    request_body(content(
        (NewSeller = "application/json"), (NewSeller = "application/x-www-form-urlencoded"),
        (NewSeller = "multipart/form-data"),
    )),
    responses((status = 201, body = IssuedKey), Write), security(()),
)]
async fn register(
    State(app): State<App>,
    ClientIp(client): ClientIp,
    sent: Sent,
) -> Result<Response, Problem> {
    let seller: NewSeller = sent.read()?;
    if seller.password1 != seller.password2 {
        return Err(wrong("password2", "differs", "The two passwords differ."));
    }
    let shop = seller.shop.checked(&seller.username)?;
    let verified = match &shop {
        Some(shop) => Some(simba_shop::verified(&app, None, shop, client).await?),
        None => None,
    };
    let new = NewAccount {
        name: full_name(&seller.first_name, &seller.last_name),
        username: seller.username,
        email: seller.email,
        password: Some(seller.password1),
        ..NewAccount::default()
    };
    let account = settled(accounts::sign_up(&app, By::actor(Actor::Nobody), new).await?)?;
    if let Some((shop, verified)) = shop.zip(verified) {
        simba_shop::add(&app, account.id, shop, verified).await?;
    }
    let login = accounts::issue_token(&app, account.id, TOKEN_LABEL).await?;
    Ok(issued(StatusCode::CREATED, login.token))
}

/// The names that Simba's clients know the fields of passwords by.
fn settled(outcome: Outcome<Account, AccountRefused>) -> Result<Account, Problem> {
    match outcome {
        Outcome::Accepted(account) => Ok(account),
        Outcome::Refused(AccountRefused::Invalid(mut invalid)) => {
            for one in invalid.iter_mut().filter(|one| one.field == "password") {
                one.field = "password1";
            }
            Err(AccountRefused::Invalid(invalid).into())
        }
        Outcome::Refused(refused) => Err(refused.into()),
        Outcome::Replayed { .. } | Outcome::KeyReused => Err(key_reused()),
    }
}

/// Username or e-mail address, and password.
#[derive(Deserialize, ToSchema)]
#[schema(as = SimbaLogin)]
struct Login {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    email: Option<String>,
    password: String,
}

fn wrong_credentials() -> Problem {
    let detail = "Unable to log in with provided credentials.";
    Problem::bad_request("invalid_credentials", detail).with("non_field_errors", [detail])
}

/// Simba: exchanges username or e-mail address and password for a token. Wrong ones are a 400.
#[utoipa::path(
    post, path = "/api/v1/seller/account/login/", tag = "predecessors",
    operation_id = "simba_login",
    request_body(content(
        (Login = "application/json"), (Login = "application/x-www-form-urlencoded"),
        (Login = "multipart/form-data"),
    )),
    responses((status = 200, body = IssuedKey), Write), security(()),
)]
async fn log_in(
    State(app): State<App>,
    ClientIp(client): ClientIp,
    sent: Sent,
) -> Result<Response, Problem> {
    let Login { username, email, password } = sent.read()?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let identifier = given(username).or_else(|| given(email)).ok_or_else(wrong_credentials)?;
    let plausible = identifier.chars().count() <= rules::EMAIL_CHARS_MAX
        && password.chars().count() <= rules::PASSWORD_CHARS_MAX;
    if !plausible {
        return Err(wrong_credentials());
    }
    let credentials =
        Credentials { identifier: &identifier, password: &password, label: TOKEN_LABEL };
    match accounts::login(&app, credentials, None, client).await {
        Ok(login) => Ok(issued(StatusCode::OK, login.token)),
        Err(LoginRefused::WrongCredentials) => Err(wrong_credentials()),
        Err(refused) => Err(refused.into()),
    }
}

/// A sentence.
#[derive(Serialize, ToSchema)]
#[schema(as = SimbaDetail)]
struct Detail {
    detail: &'static str,
}

/// Simba: revokes the token that asks.
#[utoipa::path(
    post, path = "/api/v1/seller/account/logout/", tag = "predecessors",
    operation_id = "simba_logout",
    responses((status = 200, body = Detail), Act), security(("token" = [])),
)]
async fn log_out(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let by = By::actor(Actor::from(&identity));
    if let Some(token_id) = identity.token_id {
        // Revoked by another request meanwhile: what was asked for holds.
        let _revoked_now = accounts::revoke_token(&app, by, identity.account_id, token_id).await?;
    }
    Ok(json(StatusCode::OK, &Detail { detail: "Successfully logged out." }))
}

async fn own(app: &App, identity: &Identity) -> Result<Account, Problem> {
    let account = queries::account(app, identity.account_id).await?;
    account.ok_or_else(|| Problem::not_found("account"))
}

/// The account that asks.
#[derive(Serialize, ToSchema)]
#[schema(as = SimbaUser)]
struct User {
    #[schema(minimum = 1)]
    pk: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
}

/// Simba: the account that asks.
#[utoipa::path(
    get, path = "/api/v1/seller/account/user/", tag = "predecessors", operation_id = "simba_user",
    responses((status = 200, body = User), Read), security(("token" = [])),
)]
async fn user(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let account = own(&app, &identity).await?;
    let (first_name, last_name) = parts_of(&account.name);
    let (first_name, last_name) = (first_name.to_owned(), last_name.to_owned());
    let (pk, username, email) = (account.id, account.username, account.email);
    Ok(json(StatusCode::OK, &User { pk, username, email, first_name, last_name }))
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[schema(as = SimbaNewPassword)]
struct Passwords {
    /// Simba did not ask for it: whoever had a token had the account.
    old_password: String,
    #[schema(min_length = 8, max_length = 128)]
    new_password1: String,
    new_password2: String,
}

/// Simba: a new password. Every token but the one that asks ends.
#[utoipa::path(
    post, path = "/api/v1/seller/account/password/change/", tag = "predecessors",
    operation_id = "simba_change_password", request_body = Passwords,
    responses((status = 200, body = Detail), Write), security(("token" = [])),
)]
async fn change_password(
    State(app): State<App>,
    identity: Identity,
    ClientIp(client): ClientIp,
    sent: Sent,
) -> Result<Response, Problem> {
    let Passwords { old_password, new_password1, new_password2 } = sent.read()?;
    if new_password1 != new_password2 {
        return Err(wrong("new_password2", "differs", "The two passwords differ."));
    }
    let checked = accounts::check_own_password(&app, &identity, &old_password, client).await?;
    let password = NewPassword {
        password: new_password1,
        checked_hash: Some(checked),
        keep_token: identity.token_id,
        keep_session: None,
    };
    let patch = AccountPatch { password: Some(password), ..AccountPatch::default() };
    let by = By::actor(Actor::from(&identity));
    settled(accounts::update(&app, by, identity.account_id, patch).await?)?;
    Ok(json(StatusCode::OK, &Detail { detail: "New password has been saved." }))
}

/// A seller: never with the client secret.
#[derive(Serialize, ToSchema)]
#[schema(as = SimbaSeller)]
struct Seller {
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    #[serde(flatten)]
    shop: Shop,
}

async fn shown(app: &App, account: Account) -> Result<Response, Problem> {
    let shop = simba_shop::shop(app, account.id).await?;
    let (first_name, last_name) = parts_of(&account.name);
    let (first_name, last_name) = (first_name.to_owned(), last_name.to_owned());
    let Account { username, email, .. } = account;
    Ok(json(StatusCode::OK, &Seller { username, email, first_name, last_name, shop }))
}

/// Simba: one's own profile.
#[utoipa::path(
    get, path = "/api/v1/seller/", tag = "predecessors", operation_id = "simba_profile",
    responses((status = 200, body = Seller), Read), security(("token" = [])),
)]
async fn profile(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let account = own(&app, &identity).await?;
    shown(&app, account).await
}

/// All of a profile. The secret may be absent: it is never shown, so nobody can send it back.
#[derive(Deserialize, ToSchema)]
#[schema(as = SimbaSellerFields)]
struct SellerFields {
    first_name: String,
    last_name: String,
    #[schema(min_length = 1, max_length = 100)]
    shop_name: String,
    #[schema(min_length = 1, max_length = 200)]
    bol_client_id: String,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    bol_client_secret: Option<String>,
}

/// Any of a profile's fields.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SimbaSellerChange)]
struct SellerChange {
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false)]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false)]
    last_name: Option<String>,
    #[serde(flatten)]
    shop: ShopFields,
}

/// Simba: all of one's own profile anew. Username and e-mail address stay.
#[utoipa::path(
    put, path = "/api/v1/seller/", tag = "predecessors", operation_id = "simba_replace_profile",
    request_body = SellerFields,
    responses((status = 200, body = Seller), Write), security(("token" = [])),
)]
async fn replace_profile(
    State(app): State<App>,
    identity: Identity,
    ClientIp(client): ClientIp,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: SellerFields = sent.read()?;
    let shop = ShopFields {
        shop_name: Some(fields.shop_name),
        bol_client_id: Some(fields.bol_client_id),
        bol_client_secret: fields.bol_client_secret,
    };
    let names = (Some(fields.first_name), Some(fields.last_name));
    change(&app, &identity, names, shop, client).await
}

/// Simba: some of one's own profile anew. New credentials are verified first.
#[utoipa::path(
    patch, path = "/api/v1/seller/", tag = "predecessors", operation_id = "simba_change_profile",
    request_body = SellerChange,
    responses((status = 200, body = Seller), Write), security(("token" = [])),
)]
async fn change_profile(
    State(app): State<App>,
    identity: Identity,
    ClientIp(client): ClientIp,
    sent: Sent,
) -> Result<Response, Problem> {
    let fields: SellerChange = sent.read()?;
    change(&app, &identity, (fields.first_name, fields.last_name), fields.shop, client).await
}

async fn change(
    app: &App,
    identity: &Identity,
    names: (Option<String>, Option<String>),
    shop: ShopFields,
    client: std::net::IpAddr,
) -> Result<Response, Problem> {
    let mut account = own(app, identity).await?;
    simba_shop::change(app, &account, shop, client).await?;
    if names != (None, None) {
        let (first, last) = parts_of(&account.name);
        let (first, last) =
            (names.0.as_deref().unwrap_or(first), names.1.as_deref().unwrap_or(last));
        let patch = AccountPatch { name: Some(full_name(first, last)), ..AccountPatch::default() };
        let by = By::actor(Actor::from(identity));
        account = settled(accounts::update(app, by, account.id, patch).await?)?;
    }
    shown(app, account).await
}

/// Simba: deletes one's own account, with its channels and their shipments.
#[utoipa::path(
    delete, path = "/api/v1/seller/", tag = "predecessors", operation_id = "simba_delete_profile",
    responses((status = 204, description = "It is erased."), Act), security(("token" = [])),
)]
async fn delete_profile(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    if identity.role > Role::Customer {
        let detail = "Accounts of staff are not deleted here: another superuser can.";
        return Err(Problem::conflict("staff_account", detail));
    }
    match erase::erase_own(&app, &identity).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(EraseRefused::OpenOrders(numbers)) => {
            let detail = format!("Orders are still open: {}.", numbers.join(", "));
            Err(Problem::conflict("open_orders", detail))
        }
        Err(EraseRefused::Provider(error)) => {
            let detail = "The payment provider does not answer; try again later.";
            Err(Problem::conflict("provider_unavailable", detail).context(error))
        }
        Err(EraseRefused::Failed(error)) => Err(error.into()),
        Err(refused) => Err(Problem::conflict("account_changed", refused.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_at_the_first_space() {
        for (first, last) in [("Ana", "de Vries"), ("Ana", ""), ("", "")] {
            assert_eq!(parts_of(&full_name(first, last)), (first, last));
        }
    }
}
