//! Baskets over HTTP, for guests with the basket's token and for accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use runout_core::discount::Refusal;
use runout_core::stock::{BasketStatus, QUANTITY_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::checkout;
use super::holder::BasketHolder;
use super::refusals::{discount_refused, not_open};
use super::requests::{self, NoDiscount, SetDiscount};
use super::show::BasketOut;
use crate::App;
use crate::accounts::{Identity, MaybeIdentity};
use crate::orders::{LineRef, parse_currency, resolve_one};
use crate::platform::extract::{PathId, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(make))
        .routes(routes!(merge))
        .routes(routes!(show))
        .routes(routes!(set_line))
        .routes(routes!(extend))
        .routes(routes!(set_discount, remove_discount))
        .merge(checkout::router())
}

/// A basket to make.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBasket {
    /// ISO 4217; the shop's currency if absent.
    #[garde(length(equal = 3))]
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    currency: Option<String>,
}

/// What a line is to hold: one of `variant_id`, `product_id` (its default variant) and `sku`.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLine {
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    variant_id: Option<i64>,
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    product_id: Option<i64>,
    #[garde(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    sku: Option<String>,
    /// Units of it in all; 0 removes the line.
    #[garde(range(min = 0, max = QUANTITY_MAX))]
    #[schema(minimum = 0, maximum = 10_000)]
    quantity: i64,
}

/// A guest's basket.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct GuestToken {
    #[garde(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    token: String,
}

/// A discount's code; case does not count.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    #[garde(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64, example = "SPRING")]
    code: String,
}

fn not_stored(status: StatusCode, basket: BasketOut) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(basket)).into_response()
}

/// Makes a basket.
///
/// A guest gets its token, once. An account has one open basket per currency: it is answered with
/// 200 if there is one already.
#[utoipa::path(
    post, path = "/api/v1/baskets", tag = "baskets", operation_id = "make_basket",
    request_body = NewBasket,
    responses(
        (status = 201, body = BasketOut),
        (status = 200, body = BasketOut, description = "The account's open basket."), Write,
    ),
    security((), ("token" = [])),
)]
async fn make(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    Valid(body): Valid<NewBasket>,
) -> Result<Response, Problem> {
    let currency = parse_currency(body.currency.as_deref(), app.currency)?;
    let made = match identity {
        Some(identity) => requests::make_for_account(&app, identity.account_id, currency).await?,
        None => requests::make_for_guest(&app, currency).await?,
    };
    let path = format!("/api/v1/baskets/{}", made.basket.id);
    let status = if made.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(([(LOCATION, path)], not_stored(status, made.basket)).into_response())
}

/// Puts a guest's basket into the account's own: lines add up, holds move; what a limit forbids is
/// put back.
#[utoipa::path(
    post, path = "/api/v1/baskets/merge", tag = "baskets", operation_id = "merge_basket",
    request_body = GuestToken,
    responses((status = 200, body = BasketOut), Write), security(("token" = [])),
)]
async fn merge(
    State(app): State<App>,
    identity: Identity,
    Valid(body): Valid<GuestToken>,
) -> Result<Response, Problem> {
    let token = body.token.as_bytes();
    let basket = requests::merge_guest(&app, identity.account_id, token).await?;
    Ok(not_stored(StatusCode::OK, basket))
}

/// A basket as it stands: what is held and for how long, what is short, what it costs.
#[utoipa::path(
    get, path = "/api/v1/baskets/{id}", tag = "baskets", operation_id = "basket",
    params(PathId),
    responses((status = 200, body = BasketOut), Read),
    security(("basket" = []), ("token" = [])),
)]
async fn show(
    State(app): State<App>,
    BasketHolder(by): BasketHolder,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    Ok(not_stored(StatusCode::OK, requests::read(&app, id, by).await?))
}

/// Makes a line hold so many units, and extends what else is held.
///
/// If there are too few, 409 `out_of_stock` says how many this basket could have, and nothing
/// changes.
#[utoipa::path(
    put, path = "/api/v1/baskets/{id}/lines", tag = "baskets", operation_id = "set_basket_line",
    params(PathId), request_body = NewLine,
    responses((status = 200, body = BasketOut), Write),
    security(("basket" = []), ("token" = [])),
)]
async fn set_line(
    State(app): State<App>,
    BasketHolder(by): BasketHolder,
    PathId(id): PathId,
    Valid(line): Valid<NewLine>,
) -> Result<Response, Problem> {
    let wanted = LineRef::one_of(line.variant_id, line.product_id, line.sku.as_deref(), "")?;
    let variant = resolve_one(&app, wanted).await?;
    let basket = requests::set_line(&app, (id, by), (variant, line.quantity)).await?;
    Ok(not_stored(StatusCode::OK, basket))
}

/// Extends what is held. A hold that has lapsed is taken anew if there is stock; else its line
/// shows `held` 0.
#[utoipa::path(
    post, path = "/api/v1/baskets/{id}/extend", tag = "baskets", operation_id = "extend_basket",
    params(PathId),
    responses((status = 200, body = BasketOut), Act),
    security(("basket" = []), ("token" = [])),
)]
async fn extend(
    State(app): State<App>,
    BasketHolder(by): BasketHolder,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    Ok(not_stored(StatusCode::OK, requests::extend(&app, id, by).await?))
}

/// Gives the basket a discount code. Whether it may be used is decided at the checkout.
#[utoipa::path(
    put, path = "/api/v1/baskets/{id}/discount", tag = "baskets",
    operation_id = "set_basket_discount",
    params(PathId), request_body = Code,
    responses((status = 200, body = BasketOut), Write),
    security(("basket" = []), ("token" = [])),
)]
async fn set_discount(
    State(app): State<App>,
    BasketHolder(by): BasketHolder,
    PathId(basket): PathId,
    Valid(body): Valid<Code>,
) -> Result<Response, Problem> {
    let code_key = Some(crate::discounts::model::code_key(&body.code));
    change_discount(app, SetDiscount { basket, by, code_key }).await
}

/// Takes the basket's discount code away.
#[utoipa::path(
    delete, path = "/api/v1/baskets/{id}/discount", tag = "baskets",
    operation_id = "remove_basket_discount",
    params(PathId),
    responses((status = 200, body = BasketOut), Act),
    security(("basket" = []), ("token" = [])),
)]
async fn remove_discount(
    State(app): State<App>,
    BasketHolder(by): BasketHolder,
    PathId(basket): PathId,
) -> Result<Response, Problem> {
    change_discount(app, SetDiscount { basket, by, code_key: None }).await
}

async fn change_discount(app: App, change: SetDiscount) -> Result<Response, Problem> {
    let (basket, by) = (change.basket, change.by);
    match requests::change_discount(&app, change).await? {
        Ok(()) => Ok(not_stored(StatusCode::OK, requests::read(&app, basket, by).await?)),
        Err(NoDiscount::NoBasket) => Err(Problem::not_found("basket")),
        Err(NoDiscount::NotOpen) => Err(not_open(BasketStatus::Ordered, None)),
        Err(NoDiscount::UnknownCode) => Err(discount_refused(Refusal::Unknown)),
    }
}
