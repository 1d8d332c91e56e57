//! `/api/v1/payment_methods`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gateway::is_provider_id;
use super::methods::{self, StoredMethod};
use crate::App;
use crate::accounts::Identity;
use crate::platform::answer::{answer, json};
use crate::platform::command::Key;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, BadGateway, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// A card to be stored: the browser has given it to the provider, the shop gets its name alone.
#[derive(Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPaymentMethod {
    #[garde(skip)]
    gateway: StoringGateway,
    /// The provider's name for it.
    #[garde(custom(check_provider_id))]
    #[schema(min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9_]+$", example = "pm_1PgcYZ")]
    provider_id: String,
}

fn check_provider_id(text: &str, (): &()) -> garde::Result {
    match is_provider_id(text) {
        true => Ok(()),
        false => Err(garde::Error::new("must be letters, digits and underscores")),
    }
}

/// Providers that store payment methods.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StoringGateway {
    Stripe,
}

/// The payment methods of an account.
#[derive(Serialize, ToSchema)]
struct PaymentMethods {
    items: Vec<StoredMethod>,
    /// Always null: an account has few enough for one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// The stored payment methods of the account that asks, newest first.
#[utoipa::path(
    get, path = "/api/v1/payment_methods", tag = "payments", operation_id = "payment_methods",
    security(("token" = [])),
    responses((status = 200, body = PaymentMethods), Read)
)]
async fn list(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let items = methods::list(&app, identity.account_id).await?;
    Ok(json(StatusCode::OK, &PaymentMethods { items, next: None }))
}

/// Stores a card for the account that asks. One that is stored already is answered as it is.
#[utoipa::path(
    post, path = "/api/v1/payment_methods", tag = "payments", operation_id = "add_payment_method",
    request_body = NewPaymentMethod,
    params(IdempotencyKey),
    security(("token" = [])),
    responses((status = 201, body = StoredMethod), Write, BadGateway)
)]
async fn add(
    State(app): State<App>,
    identity: Identity,
    key: IdempotencyKey,
    Valid(body): Valid<NewPaymentMethod>,
) -> Result<Response, Problem> {
    let key = key.0.map(|key| Key::new(key, "POST /payment_methods", &body));
    let StoringGateway::Stripe = body.gateway;
    let outcome = methods::add(&app, identity.account_id, key, &body.provider_id).await?;
    answer(outcome, |method| json(StatusCode::CREATED, &method))
}

/// Removes a stored payment method of the account that asks, at the provider and here.
#[utoipa::path(
    delete, path = "/api/v1/payment_methods/{id}", tag = "payments",
    operation_id = "remove_payment_method",
    params(PathId),
    security(("token" = [])),
    responses((status = 204, description = "It is removed"), Act, BadGateway)
)]
async fn remove(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    methods::remove(&app, identity.account_id, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
