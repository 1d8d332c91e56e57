//! Prices over HTTP: staff only. What customers pay stands at the products.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::queries::{self, PRICES};
use super::{NewPrice, Price, PriceRefused};
use crate::App;
use crate::accounts::{Identity, Staff, on, to};
use crate::catalog::{answer, json, price_exists};
use crate::platform::command::{Caller, Key};
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

/// The capability's endpoints.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_prices, add_price))
        .routes(routes!(add_price_of_product))
        .routes(routes!(delete_price))
}

/// Lists a variant's prices, newest first: history and future.
#[utoipa::path(
    get, path = "/api/v1/variants/{id}/prices", tag = "pricing",
    params(PathId, ListParams),
    responses((status = 200, body = Page<Price>), Read), security(("token" = [])),
)]
async fn list_prices(
    State(app): State<App>,
    _: Staff<on::Catalog, to::View>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<Page<Price>>, Problem> {
    let request = ListRequest::from_uri(&PRICES, &uri)?;
    let page = queries::page(&app, id, &request).await?;
    page.map(Json).ok_or_else(|| Problem::not_found("variant"))
}

/// Adds a price to a variant. It counts from `effective_from` on, until a newer one does.
#[utoipa::path(
    post, path = "/api/v1/variants/{id}/prices", tag = "pricing", request_body = NewPrice,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = Price), Write), security(("token" = [])),
)]
async fn add_price(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Create>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewPrice>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("POST /api/v1/variants/{id}/prices"), &new));
    add(&app, &staff, id, key, &new).await
}

/// Adds a price to a product's default variant.
#[utoipa::path(
    post, path = "/api/v1/products/{id}/prices", tag = "pricing", request_body = NewPrice,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = Price), Write), security(("token" = [])),
)]
async fn add_price_of_product(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Create>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewPrice>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("POST /api/v1/products/{id}/prices"), &new));
    let variant_id = queries::default_variant(&app, id).await?;
    let variant_id = variant_id.ok_or_else(|| Problem::not_found("product"))?;
    add(&app, &staff, variant_id, key, &new).await
}

async fn add(
    app: &App,
    staff: &Identity,
    variant_id: i64,
    key: Option<Key>,
    new: &NewPrice,
) -> Result<Response, Problem> {
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = super::add(app, caller, variant_id, new.spec()).await?;
    answer(outcome, |price| json(StatusCode::CREATED, &price), refused)
}

/// Deletes a price that does not count yet.
#[utoipa::path(
    delete, path = "/api/v1/prices/{id}", tag = "pricing",
    params(PathId, IdempotencyKey),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_price(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Delete>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/prices", &id));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = super::delete(&app, caller, id).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response(), refused)
}

pub(super) fn refused(why: PriceRefused) -> Problem {
    match why {
        PriceRefused::NoVariant => Problem::not_found("variant"),
        PriceRefused::NoPrice => Problem::not_found("price"),
        PriceRefused::Exists => price_exists(),
        PriceRefused::InEffect => Problem::conflict(
            "price_in_effect",
            "This price counts or has counted, so it stays: add a newer one instead.",
        ),
    }
}
