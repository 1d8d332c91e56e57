//! `/api/v1/tokens`: logging in and out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::not_stored;
use super::queries::Token;
use super::{Actor, By, Credentials, Identity, queries, rules};
use crate::App;
use crate::platform::answer::json;
use crate::platform::extract::{PathId, Valid};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::request::ClientIp;
use crate::platform::responses::{Act, Read, Write};

/// Longer codes are refused unread.
const CODE_CHARS_MAX: usize = 40;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(log_in, tokens))
        .routes(routes!(revoke_current))
        .routes(routes!(revoke))
}

/// Username or e-mail address, and password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLogin {
    /// The username; an e-mail address does as well.
    #[serde(default)]
    #[garde(inner(length(chars, max = rules::EMAIL_CHARS_MAX)))]
    #[schema(max_length = 254, example = "ana")]
    username: Option<String>,
    /// The e-mail address, instead of the username.
    #[serde(default)]
    #[garde(inner(length(chars, max = rules::EMAIL_CHARS_MAX)))]
    #[schema(max_length = 254)]
    email: Option<String>,
    #[garde(length(chars, max = rules::PASSWORD_CHARS_MAX))]
    #[schema(max_length = 128, example = "nine blue herons")]
    password: String,
    /// Six digits of the account's second factor, or a recovery code: for accounts that have one.
    #[serde(default)]
    #[garde(inner(length(chars, max = CODE_CHARS_MAX)))]
    #[schema(max_length = 40, nullable = false, example = "287082")]
    code: Option<String>,
    /// What to call the token in the list.
    #[serde(default)]
    #[garde(custom(check_label))]
    #[schema(max_length = 100, example = "phone")]
    label: String,
    /// The token of a guest's basket, which then goes into the account's.
    #[serde(default)]
    #[garde(length(max = 100))]
    #[schema(max_length = 100)]
    basket_token: Option<String>,
}

fn check_label(text: &str, (): &()) -> garde::Result {
    rules::label(text).map_err(garde::Error::new)
}

impl NewLogin {
    fn identifier(&self) -> Result<&str, Problem> {
        match (&self.username, &self.email) {
            (Some(name), None) | (None, Some(name)) => Ok(name),
            _ => {
                let detail = "Give either a username or an e-mail address.";
                Err(Problem::validation(vec![FieldError::new("/username", "missing", detail)]))
            }
        }
    }
}

/// A token. It is shown this once.
#[derive(Serialize, ToSchema)]
struct IssuedToken {
    #[schema(minimum = 1)]
    id: i64,
    /// Send it as `Authorization: Bearer <token>`.
    #[schema(example = "rt_2vQx0S1W5k1mT8uYyq3bD7p9nJfLhRzC4aGdEeVtKoM")]
    token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The account's basket that a guest's went into.
    #[serde(skip_serializing_if = "Option::is_none")]
    basket_id: Option<i64>,
}

/// The tokens of an account.
#[derive(Serialize, ToSchema)]
struct Tokens {
    items: Vec<Token>,
    /// Always null: an account has few enough tokens for one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// Logs in. The answer is the same for an unknown name, a wrong password and a deactivated account.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", operation_id = "log_in",
    request_body = NewLogin,
    security(()),
    responses(
        (status = 201, body = IssuedToken),
        Write,
    )
)]
async fn log_in(
    State(app): State<App>,
    ClientIp(client): ClientIp,
    Valid(body): Valid<NewLogin>,
) -> Result<Response, Problem> {
    let identifier = body.identifier()?;
    let credentials = Credentials { identifier, password: &body.password, label: &body.label };
    let login = super::login(&app, credentials, body.code.as_deref(), client).await?;
    let basket_id = match &body.basket_token {
        Some(token) => merged(&app, login.account_id, token).await,
        None => None,
    };
    let issued = IssuedToken {
        id: login.token_id,
        token: login.token,
        expires_at: login.expires_at,
        basket_id,
    };
    Ok(not_stored(json(StatusCode::CREATED, &issued)))
}

/// Puts the guest's basket into the account's. Whoever logs in is let in, whatever becomes of it.
async fn merged(app: &App, account: i64, token: &str) -> Option<i64> {
    match crate::baskets::merge_guest(app, account, token.as_bytes()).await {
        Ok(basket) => Some(basket.id),
        Err(problem) => {
            tracing::info!(?problem, account, "a guest's basket was not merged");
            None
        }
    }
}

/// The tokens of the account that asks, newest first, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens", operation_id = "tokens",
    security(("token" = [])),
    responses((status = 200, body = Tokens), Read)
)]
async fn tokens(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let items = queries::tokens(&app, identity.account_id, identity.token_id).await?;
    Ok(json(StatusCode::OK, &Tokens { items, next: None }))
}

/// Logs out: revokes the token that asks.
#[utoipa::path(
    delete, path = "/api/v1/tokens/current", tag = "tokens", operation_id = "log_out",
    security(("token" = [])),
    responses((status = 204, description = "The token is revoked"), Act)
)]
async fn revoke_current(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let by = By::actor(Actor::from(&identity));
    if let Some(token_id) = identity.token_id {
        // Revoked by another request meanwhile: what was asked for holds.
        let _revoked_now = super::revoke_token(&app, by, identity.account_id, token_id).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Revokes a token of the account that asks.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens", operation_id = "revoke_token",
    params(PathId),
    security(("token" = [])),
    responses(
        (status = 204, description = "The token is revoked"),
        Act,
    )
)]
async fn revoke(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let by = By::actor(Actor::from(&identity));
    match super::revoke_token(&app, by, identity.account_id, id).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Problem::not_found("token")),
    }
}
