//! An account's own addresses over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::commands::{self, AddressRefused};
use super::queries::{self, ADDRESSES, StoredAddress};
use super::{ADDRESSES_PER_ACCOUNT_MAX, Address};
use crate::App;
use crate::accounts::Identity;
use crate::catalog::{located, tagged};
use crate::platform::answer::answer;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

/// The capability's endpoints.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_addresses, add_address)).routes(routes!(
        show_address,
        replace_address,
        delete_address
    ))
}

/// Lists the caller's own addresses, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/addresses", tag = "addresses", params(ListParams),
    responses((status = 200, body = Page<StoredAddress>), Read), security(("token" = [])),
)]
async fn list_addresses(
    State(app): State<App>,
    own: Identity,
    uri: Uri,
) -> Result<Json<Page<StoredAddress>>, Problem> {
    let request = ListRequest::from_uri(&ADDRESSES, &uri)?;
    Ok(Json(queries::page(&app, own.account_id, &request).await?))
}

/// Stores an address of the caller, to order with.
#[utoipa::path(
    post, path = "/api/v1/addresses", tag = "addresses", request_body = Address,
    params(IdempotencyKey),
    responses((status = 201, body = StoredAddress), Write), security(("token" = [])),
)]
async fn add_address(
    State(app): State<App>,
    own: Identity,
    IdempotencyKey(key): IdempotencyKey,
    Valid(address): Valid<Address>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/addresses", &address));
    let caller = Caller { account_id: Some(own.account_id), key };
    let outcome = commands::add(&app, own.account_id, caller, address).await?;
    answer(outcome, |stored: StoredAddress| {
        let response = tagged(StatusCode::CREATED, stored.version, &stored);
        located(response, "/api/v1/addresses", stored.id)
    })
}

/// One of the caller's own addresses.
#[utoipa::path(
    get, path = "/api/v1/addresses/{id}", tag = "addresses",
    params(PathId),
    responses((status = 200, body = StoredAddress), Read), security(("token" = [])),
)]
async fn show_address(
    State(app): State<App>,
    own: Identity,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let found = queries::find(&app, own.account_id, id).await?;
    let stored = found.ok_or_else(|| Problem::not_found("address"))?;
    Ok(tagged(StatusCode::OK, stored.version, &stored))
}

/// Replaces one of the caller's own addresses. Orders keep the address that they were placed with.
#[utoipa::path(
    put, path = "/api/v1/addresses/{id}", tag = "addresses", request_body = Address,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = StoredAddress), Write), security(("token" = [])),
)]
async fn replace_address(
    State(app): State<App>,
    own: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(address): Valid<Address>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PUT /api/v1/addresses/{id}"), &address));
    let caller = Caller { account_id: Some(own.account_id), key };
    let outcome = commands::replace(&app, own.account_id, caller, (id, address), if_match).await?;
    answer(outcome, |stored: StoredAddress| tagged(StatusCode::OK, stored.version, &stored))
}

/// Deletes one of the caller's own addresses for good.
#[utoipa::path(
    delete, path = "/api/v1/addresses/{id}", tag = "addresses",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_address(
    State(app): State<App>,
    own: Identity,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/addresses", &id));
    let caller = Caller { account_id: Some(own.account_id), key };
    let outcome = commands::delete(&app, own.account_id, caller, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}

impl From<AddressRefused> for Problem {
    fn from(refused: AddressRefused) -> Self {
        match refused {
            AddressRefused::NotFound => Problem::not_found("address"),
            AddressRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            AddressRefused::TooMany => {
                let detail =
                    format!("An account has at most {ADDRESSES_PER_ACCOUNT_MAX} addresses.");
                Problem::conflict("too_many_addresses", detail)
            }
        }
    }
}
