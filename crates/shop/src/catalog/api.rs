//! Products over HTTP: everybody reads, staff write.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input::{NewProduct, ProductPatch};
use super::list::{self, PRODUCTS, Search, truth};
use super::model::Product;
use super::products::{self, CreateProduct, UpdateProduct};
use super::queries::{self, Sight};
use super::view::{ShowQuery, answer, located, ready_json, refused, sight, tagged, view, written};
use crate::App;
use crate::accounts::{MaybeIdentity, Staff, on, to};
use crate::platform::cache::Scope;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_products, create_product)).routes(routes!(
        show_product,
        update_product,
        delete_product
    ))
}

/// The fields that products can be filtered by, for the API's description.
struct ProductFilters;

impl IntoParams for ProductFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        PRODUCTS.params()
    }
}

/// Lists products, newest first, with prices and what is left.
///
/// Customers see enabled products only. A product without a price in the asked currency is listed
/// with price null. `q` searches title, artist, style and label: every word must occur, the last
/// one may be the beginning of a word; case and diacritics do not count.
#[utoipa::path(
    get, path = "/api/v1/products", tag = "catalog",
    params(
        ListParams,
        ProductFilters,
        ("q" = Option<String>, Query, max_length = 500, description = "Words to search for."),
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "ISO 4217; the shop's currency if absent."),
        ("in_stock" = Option<bool>, Query, description = "Some variant can be sold now, or none."),
        ("sku" = Option<String>, Query, description = "The product that has this variant."),
        ("amount_minor__gte" = Option<i64>, Query,
            description = "Least price in the asked currency, in minor units."),
        ("amount_minor__lte" = Option<i64>, Query,
            description = "Highest price in the asked currency, in minor units."),
        ("deleted" = Option<bool>, Query, description = "Staff: the deleted products."),
    ),
    responses((status = 200, body = Page<Product>), Read), security((), ("token" = [])),
)]
async fn list_products(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = (Scope::Shop, "products", uri.query().unwrap_or_default());
    if identity.is_none()
        && let Some(ready) = app.answers.ready(&app.db, &app.clock, asked).await
    {
        return Ok(ready_json(StatusCode::OK, ready));
    }
    let request = ListRequest::from_uri(&PRODUCTS, &uri)?;
    let view = view(&app, request.extra("currency"))?;
    let deleted = request.extra("deleted").map_or(Ok(false), |text| truth("deleted", text))?;
    let sight = sight(identity.as_ref(), deleted)?;
    let search = Search::new(&request)?;
    let page = async {
        // Not the moment from before the cache read its versions: a price may count since.
        let view = view.at(app.clock.now());
        Ok(written(&list::page(&app, &request, &search, sight, view).await?))
    };
    let body = match sight {
        Sight::Public => app.answers.get(&app.db, &app.clock, asked, page).await?,
        Sight::Staff | Sight::Deleted => page.await?,
    };
    Ok(ready_json(StatusCode::OK, body))
}

/// Adds a product with its variants and prices.
///
/// A simple product gives `sku` and `price` itself; a default variant is made of them.
#[utoipa::path(
    post, path = "/api/v1/products", tag = "catalog", request_body = NewProduct,
    params(
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "Of the answer's prices."),
        IdempotencyKey,
    ),
    responses((status = 201, body = Product), Write), security(("token" = [])),
)]
async fn create_product(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Create>,
    uri: Uri,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewProduct>,
) -> Result<Response, Problem> {
    let view = ShowQuery::new(&app, &uri)?.view;
    let key = key.map(|key| Key::new(key, "POST /api/v1/products", &new));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let created_by = caller.account_id;
    let (fields, variants) = (new.fields(), new.variants());
    let command = CreateProduct { fields, variants, view, created_by };
    let made = |product: Product| {
        let response = tagged(StatusCode::CREATED, product.version, &product);
        located(response, "/api/v1/products", product.id)
    };
    answer(products::create(&app, caller, command).await?, made, refused)
}

/// One product.
///
/// Its ETag grows with every change of the product or of its variants, not with prices and stock.
#[utoipa::path(
    get, path = "/api/v1/products/{id}", tag = "catalog",
    params(
        PathId,
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "ISO 4217; the shop's currency if absent."),
        ("deleted" = Option<bool>, Query, description = "Staff: a deleted product."),
    ),
    responses((status = 200, body = Product), Read), security((), ("token" = [])),
)]
async fn show_product(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let ShowQuery { view, deleted } = ShowQuery::new(&app, &uri)?;
    let sight = sight(identity.as_ref(), deleted)?;
    let found = queries::find(&app, id, sight, view).await?;
    let product = found.ok_or_else(|| Problem::not_found("product"))?;
    Ok(tagged(StatusCode::OK, product.version, &product))
}

/// Changes a product: absent fields stay, `null` empties, a value replaces.
#[utoipa::path(
    patch, path = "/api/v1/products/{id}", tag = "catalog", request_body = ProductPatch,
    params(
        PathId,
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "Of the answer's prices."),
        IfMatch, IdempotencyKey,
    ),
    responses((status = 200, body = Product), Write), security(("token" = [])),
)]
async fn update_product(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Change>,
    PathId(id): PathId,
    uri: Uri,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<ProductPatch>,
) -> Result<Response, Problem> {
    let view = ShowQuery::new(&app, &uri)?.view;
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/products/{id}"), &patch));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome =
        products::update(&app, caller, UpdateProduct { id, patch, if_match, view }).await?;
    let changed = |product: Product| tagged(StatusCode::OK, product.version, &product);
    answer(outcome, changed, refused)
}

/// Deletes a product: it can no longer be seen or bought; its sales and its SKUs stay.
#[utoipa::path(
    delete, path = "/api/v1/products/{id}", tag = "catalog",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_product(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Delete>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/products", &id));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = products::delete(&app, caller, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response(), refused)
}
