//! Discounts over HTTP: staff only. Buyers name a code when they order.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::commands::{self, DiscountRefused};
use super::input::{DiscountPatch, NewDiscount};
use super::model::Discount;
use super::queries::{self, DISCOUNTS};
use crate::App;
use crate::accounts::{Staff, on, to};
use crate::catalog::{located, tagged};
use crate::platform::answer::answer;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Act, Read, Write};

/// The capability's endpoints.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_discounts, add_discount)).routes(routes!(
        show_discount,
        change_discount,
        deactivate_discount
    ))
}

/// Lists discounts, newest first, with how often each was used.
#[utoipa::path(
    get, path = "/api/v1/discounts", tag = "discounts", params(ListParams),
    responses((status = 200, body = Page<Discount>), Read), security(("token" = [])),
)]
async fn list_discounts(
    State(app): State<App>,
    _: Staff<on::Discounts, to::View>,
    uri: Uri,
) -> Result<Json<Page<Discount>>, Problem> {
    let request = ListRequest::from_uri(&DISCOUNTS, &uri)?;
    Ok(Json(queries::page(&app, &request).await?))
}

/// Adds a discount: a share of the goods or an amount, with a window and limits of uses.
#[utoipa::path(
    post, path = "/api/v1/discounts", tag = "discounts", request_body = NewDiscount,
    params(IdempotencyKey),
    responses((status = 201, body = Discount), Write), security(("token" = [])),
)]
async fn add_discount(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Discounts, to::Create>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewDiscount>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/discounts", &new));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::add(&app, caller, new.terms()).await?;
    answer(outcome, |discount: Discount| {
        let response = tagged(StatusCode::CREATED, discount.version, &discount);
        located(response, "/api/v1/discounts", discount.id)
    })
}

/// One discount.
#[utoipa::path(
    get, path = "/api/v1/discounts/{id}", tag = "discounts",
    params(PathId),
    responses((status = 200, body = Discount), Read), security(("token" = [])),
)]
async fn show_discount(
    State(app): State<App>,
    _: Staff<on::Discounts, to::View>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let found = queries::find(&app, id).await?;
    let discount = found.ok_or_else(|| Problem::not_found("discount"))?;
    Ok(tagged(StatusCode::OK, discount.version, &discount))
}

/// Changes a discount: absent fields stay, `null` lifts a limit, a value replaces.
///
/// Orders that used it stay as they are.
#[utoipa::path(
    patch, path = "/api/v1/discounts/{id}", tag = "discounts", request_body = DiscountPatch,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Discount), Write), security(("token" = [])),
)]
async fn change_discount(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Discounts, to::Change>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(patch): Valid<DiscountPatch>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PATCH /api/v1/discounts/{id}"), &patch));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::change(&app, caller, id, patch, if_match).await?;
    answer(outcome, |discount: Discount| tagged(StatusCode::OK, discount.version, &discount))
}

/// Switches a discount off: no order can use it any more. It stays readable.
#[utoipa::path(
    delete, path = "/api/v1/discounts/{id}", tag = "discounts",
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 204, description = "It is switched off."), Act), security(("token" = [])),
)]
async fn deactivate_discount(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Discounts, to::Delete>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "DELETE /api/v1/discounts", &id));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::deactivate(&app, caller, id, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}

impl From<DiscountRefused> for Problem {
    fn from(refused: DiscountRefused) -> Self {
        match refused {
            DiscountRefused::NotFound => Problem::not_found("discount"),
            DiscountRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            DiscountRefused::CodeTaken => {
                let detail = "Another discount has this code; upper and lower case are the same.";
                let errors = vec![FieldError::new("/code", "taken", detail)];
                Problem::conflict("code_taken", detail).errors(errors)
            }
            DiscountRefused::Window => Problem::validation(vec![FieldError::new(
                "/ends_at",
                "invalid",
                "must be later than starts_at",
            )]),
        }
    }
}
