//! Variants over HTTP: everybody reads, staff write.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input::{NewVariant, VariantPatch};
use super::model::Variant;
use super::queries;
use super::variants::{self, CreateVariant, UpdateVariant};
use super::view::{ShowQuery, answer, located, refused, sight, tagged, view};
use crate::App;
use crate::accounts::{MaybeIdentity, Staff, on, to};
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_variant)).routes(routes!(
        show_variant,
        update_variant,
        delete_variant
    ))
}

/// Adds a variant to a product: another pressing, size or ticket category.
#[utoipa::path(
    post, path = "/api/v1/products/{id}/variants", tag = "catalog", request_body = NewVariant,
    params(
        PathId,
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "Of the answer's price."),
        IdempotencyKey,
    ),
    responses((status = 201, body = Variant), Write), security(("token" = [])),
)]
async fn create_variant(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Create>,
    PathId(product_id): PathId,
    uri: Uri,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewVariant>,
) -> Result<Response, Problem> {
    let view = ShowQuery::new(&app, &uri)?.view;
    let operation = format!("POST /api/v1/products/{product_id}/variants");
    let key = key.map(|key| Key::new(key, &operation, &new));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let created_by = caller.account_id;
    let command = CreateVariant { product_id, spec: new.spec(), view, created_by };
    let made = |variant: Variant| {
        let response = tagged(StatusCode::CREATED, variant.version, &variant);
        located(response, "/api/v1/variants", variant.id)
    };
    answer(variants::create(&app, caller, command).await?, made, refused)
}

/// One variant.
#[utoipa::path(
    get, path = "/api/v1/variants/{id}", tag = "catalog",
    params(
        PathId,
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "ISO 4217; the shop's currency if absent."),
        ("deleted" = Option<bool>, Query, description = "Staff: a deleted product's variant."),
    ),
    responses((status = 200, body = Variant), Read), security((), ("token" = [])),
)]
async fn show_variant(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let ShowQuery { view, deleted } = ShowQuery::new(&app, &uri)?;
    let sight = sight(identity.as_ref(), deleted)?;
    let found = queries::find_by_variant(&app, id, sight, view).await?;
    let variant = found.and_then(|product| product.variants.into_iter().find(|v| v.id == id));
    let variant = variant.ok_or_else(|| Problem::not_found("variant"))?;
    Ok(tagged(StatusCode::OK, variant.version, &variant))
}

/// Changes a variant: absent fields stay, `null` lifts a limit, a value replaces.
#[utoipa::path(
    patch, path = "/api/v1/variants/{id}", tag = "catalog", request_body = VariantPatch,
    params(
        PathId,
        ("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$",
            description = "Of the answer's price."),
        IfMatch, IdempotencyKey,
    ),
    responses((status = 200, body = Variant), Write), security(("token" = [])),
)]
async fn update_variant(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Change>,
    PathId(id): PathId,
    uri: Uri,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<VariantPatch>,
) -> Result<Response, Problem> {
    let view = ShowQuery::new(&app, &uri)?.view;
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/variants/{id}"), &patch));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome =
        variants::update(&app, caller, UpdateVariant { id, patch, if_match, view }).await?;
    let changed = |variant: Variant| tagged(StatusCode::OK, variant.version, &variant);
    answer(outcome, changed, refused)
}

/// Deletes a variant: it can no longer be bought. The default variant stays with its product.
#[utoipa::path(
    delete, path = "/api/v1/variants/{id}", tag = "catalog",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_variant(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Delete>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let view = view(&app, None)?;
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/variants", &id));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = variants::delete(&app, caller, id, if_match, view).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response(), refused)
}
