//! Orders over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use runout_core::ids::OrderId;
use runout_core::money::Currency;
use runout_core::stock::{LINES_MAX, QUANTITY_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::acts::{OrderActor, call_off};
use super::place::{Done, place as place_order};
use super::{LineRef, OrderOut, queries};
use crate::App;
use crate::accounts::{Capability, Identity, Verb};
use crate::platform::answer::IDEMPOTENCY_REPLAYED;
use crate::platform::command::Key;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Act, Read, Write};

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(place, list))
        .routes(routes!(one))
        .routes(routes!(cancel))
        .merge(super::act_api::router())
        .merge(super::webhook_api::router())
}

/// What to order.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Each of another variant.
    #[garde(length(min = 1, max = LINES_MAX), dive)]
    #[schema(min_items = 1, max_items = 100)]
    pub lines: Vec<NewLine>,
    /// ISO 4217; the shop's currency if absent.
    #[garde(length(equal = 3))]
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    pub currency: Option<String>,
}

/// One of `variant_id`, `product_id` (its default variant) and `sku`.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub variant_id: Option<i64>,
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub product_id: Option<i64>,
    #[garde(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub sku: Option<String>,
    #[garde(range(min = 1, max = QUANTITY_MAX))]
    #[schema(minimum = 1, maximum = 10_000)]
    pub quantity: i64,
}

impl NewOrder {
    fn lines(&self) -> Result<Vec<(LineRef, i64)>, Problem> {
        let line = |(index, line): (usize, &NewLine)| {
            let (sku, pointer) = (line.sku.as_deref(), format!("/lines/{index}"));
            let wanted = LineRef::one_of(line.variant_id, line.product_id, sku, &pointer)?;
            Ok((wanted, line.quantity))
        };
        self.lines.iter().enumerate().map(line).collect()
    }
}

/// Reads a currency code out of a body.
pub(crate) fn parse_currency(code: Option<&str>, default: Currency) -> Result<Currency, Problem> {
    let Some(code) = code else { return Ok(default) };
    code.parse().map_err(|error| {
        let error = FieldError::new("/currency", "currency", format!("{code:?} {error}."));
        Problem::validation(vec![error])
    })
}

impl Done {
    pub(crate) fn respond(self, status: StatusCode) -> Response {
        let mut response = (status, Json(self.order)).into_response();
        if self.replayed {
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Places an order: all lines or none.
///
/// A line that is short refuses the order with 409 `out_of_stock` and names what is left. With an
/// `Idempotency-Key` the same request can be sent again without ordering twice; a refusal is not
/// kept, so that the same key may be tried again.
#[utoipa::path(
    post, path = "/api/v1/orders", tag = "orders", operation_id = "place_order",
    request_body = NewOrder,
    params(IdempotencyKey),
    responses((status = 201, body = OrderOut), Write), security(("token" = [])),
)]
async fn place(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    Valid(order): Valid<NewOrder>,
) -> Result<Response, Problem> {
    let lines = order.lines()?;
    let currency = parse_currency(order.currency.as_deref(), app.currency)?;
    let key = key.map(|key| Key::new(key, "POST /api/v1/orders", &order));
    let done =
        place_order(&app, identity.account_id, &lines, currency, Some(app.pay_within_s()), key)
            .await?;
    Ok(done.respond(StatusCode::CREATED))
}

/// Lists orders, newest first: customers see their own, staff see all.
#[utoipa::path(
    get, path = "/api/v1/orders", tag = "orders", operation_id = "orders", params(ListParams),
    responses((status = 200, body = Page<OrderOut>), Read), security(("token" = [])),
)]
async fn list(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
) -> Result<Json<Page<OrderOut>>, Problem> {
    let request = ListRequest::from_uri(&queries::ORDERS, &uri)?;
    Ok(Json(queries::page(&app.db, &request, owner(&identity)).await?))
}

/// One order.
#[utoipa::path(
    get, path = "/api/v1/orders/{id}", tag = "orders", operation_id = "order",
    params(PathId),
    responses((status = 200, body = OrderOut), Read),
    security(("token" = []), ("basket" = [])),
)]
async fn one(
    State(app): State<App>,
    actor: OrderActor,
    PathId(id): PathId,
) -> Result<Json<OrderOut>, Problem> {
    let order = queries::one(&app.db, OrderId(id), actor.viewer()).await?;
    order.map(Json).ok_or_else(|| Problem::not_found("order"))
}

/// Cancels an order of which nothing has left: its stock comes back, once, and so does its money.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/cancel", tag = "orders", operation_id = "cancel_order",
    params(PathId, IdempotencyKey),
    responses((status = 200, body = OrderOut), Act),
    security(("token" = []), ("basket" = [])),
)]
async fn cancel(
    State(app): State<App>,
    actor: OrderActor,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/orders/cancel", &id));
    Ok(call_off(&app, OrderId(id), actor.by, key).await?.respond(StatusCode::OK))
}

/// Whose orders somebody may see; none: everybody's.
fn owner(identity: &Identity) -> Option<i64> {
    (!identity.may(Capability::Orders, Verb::View)).then_some(identity.account_id)
}
