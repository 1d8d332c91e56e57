//! Payments, refunds, fulfilments and returns of orders over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use runout_core::ids::{OrderId, PaymentId};
use runout_core::money::AMOUNT_MINOR_MAX;
use runout_core::stock::{Act, Gateway, LINES_MAX, Part, QUANTITY_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::acts::{OrderActor, act};
use super::{OrderOut, acts, payments};
use crate::App;
use crate::accounts::{Staff, on, to};
use crate::baskets::GatewayName;
use crate::platform::command::Key;
use crate::platform::extract::{IdempotencyKey, PathId, PathIds, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act as ActResponses, BadGateway, Write};

/// Characters of a note, a carrier's name, a tracking number.
const TEXT_CHARS_MAX: usize = 200;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(pay))
        .routes(routes!(sync_payment))
        .routes(routes!(capture_payment))
        .routes(routes!(refund))
        .routes(routes!(fulfil))
        .routes(routes!(take_back))
        .routes(routes!(close))
}

/// How an order is paid.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPayment {
    #[garde(skip)]
    gateway: GatewayName,
    /// One of the account's stored ways to pay: it is charged at once.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    payment_method_id: Option<i64>,
}

/// Money to send back.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRefund {
    /// All that is left, if absent.
    #[garde(range(min = 1, max = AMOUNT_MINOR_MAX))]
    #[schema(minimum = 1, maximum = 1_000_000_000_000_i64)]
    amount_minor: Option<i64>,
    #[garde(length(chars, max = TEXT_CHARS_MAX))]
    #[schema(max_length = 200)]
    note: Option<String>,
}

/// Units of one line.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PartOfLine)]
struct PartIn {
    #[garde(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    line_no: i64,
    #[garde(range(min = 1, max = QUANTITY_MAX))]
    #[schema(minimum = 1, maximum = 10_000)]
    quantity: i64,
}

/// Units that leave.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFulfilment {
    /// Everything that has not left, if absent.
    #[garde(length(min = 1, max = LINES_MAX), dive)]
    #[schema(min_items = 1, max_items = 100)]
    lines: Option<Vec<PartIn>>,
    #[garde(length(chars, max = TEXT_CHARS_MAX))]
    #[schema(max_length = 200, example = "DHL")]
    carrier: Option<String>,
    #[garde(length(chars, max = TEXT_CHARS_MAX))]
    #[schema(max_length = 200)]
    tracking_number: Option<String>,
}

/// Units that come back.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReturn {
    /// Everything that left, if absent.
    #[garde(length(min = 1, max = LINES_MAX), dive)]
    #[schema(min_items = 1, max_items = 100)]
    lines: Option<Vec<PartIn>>,
    /// False: they cannot be sold again.
    #[garde(skip)]
    #[serde(default = "yes")]
    #[schema(default = true)]
    restock: bool,
}

fn yes() -> bool {
    true
}

fn parts(lines: Option<&Vec<PartIn>>) -> Option<Vec<Part>> {
    let part = |line: &PartIn| Part { line_no: line.line_no, quantity: line.quantity };
    lines.map(|lines| lines.iter().map(part).collect())
}

fn key_of(key: Option<String>, what: &str, id: i64, body: &impl Serialize) -> Option<Key> {
    key.map(|key| Key::new(key, &format!("POST /api/v1/orders/{id}/{what}"), body))
}

/// Pays an order, or begins to.
///
/// `manual`: staff say that the whole amount has arrived. `stripe`: another attempt to pay by card,
/// for the buyer; the answer's payment has the `client_secret` for the browser.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/payments", tag = "orders", operation_id = "pay_order",
    request_body = NewPayment,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = OrderOut), Write),
    security(("token" = []), ("basket" = [])),
)]
async fn pay(
    State(app): State<App>,
    actor: OrderActor,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewPayment>,
) -> Result<Response, Problem> {
    let key = key_of(key, "payments", id, &body);
    let gateway = Gateway::from(body.gateway);
    if gateway == Gateway::Manual {
        let by = actor.staff()?;
        let done = act(&app, OrderId(id), by, Act::PayManually, key).await?;
        return Ok(done.respond(StatusCode::CREATED));
    }
    let id = OrderId(id);
    let done = payments::begin(&app, id, actor, (gateway, body.payment_method_id), key).await?;
    Ok(done.respond(StatusCode::CREATED))
}

/// Asks the provider how a payment stands, and settles it: for a buyer who comes back from paying.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/payments/{payment_id}/sync", tag = "orders",
    operation_id = "sync_payment",
    params(PathId, ("payment_id" = i64, Path, minimum = 1)),
    responses((status = 200, body = OrderOut), ActResponses, BadGateway),
    security(("token" = []), ("basket" = [])),
)]
async fn sync_payment(
    State(app): State<App>,
    actor: OrderActor,
    PathIds(ids): PathIds<2>,
) -> Result<Response, Problem> {
    let [id, payment] = ids;
    payments::visible(&app, OrderId(id), actor.viewer()).await?;
    let done = payments::sync(&app, OrderId(id), PaymentId(payment)).await?;
    Ok(done.respond(StatusCode::OK))
}

/// Takes money that was set aside.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/payments/{payment_id}/capture", tag = "orders",
    operation_id = "capture_payment",
    params(PathId, ("payment_id" = i64, Path, minimum = 1)),
    responses((status = 200, body = OrderOut), ActResponses, BadGateway),
    security(("token" = [])),
)]
async fn capture_payment(
    State(app): State<App>,
    _staff: Staff<on::Orders, to::Change>,
    PathIds(ids): PathIds<2>,
) -> Result<Response, Problem> {
    let [id, payment] = ids;
    let done = payments::capture(&app, OrderId(id), PaymentId(payment)).await?;
    Ok(done.respond(StatusCode::OK))
}

/// Sends money back: so much, or all that is left. When nothing is left, units that have not left
/// are on sale again.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/refunds", tag = "orders", operation_id = "refund_order",
    request_body = NewRefund,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = OrderOut), Write), security(("token" = [])),
)]
async fn refund(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Orders, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewRefund>,
) -> Result<Response, Problem> {
    let key = key_of(key, "refunds", id, &body);
    let by = OrderActor::from(&staff).by;
    let NewRefund { amount_minor, note } = body;
    let done = acts::refund(&app, OrderId(id), by, (amount_minor, note), key).await?;
    Ok(done.respond(StatusCode::CREATED))
}

/// Notes that units have left: those named, or all that are left.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/fulfilments", tag = "orders", operation_id = "fulfil_order",
    request_body = NewFulfilment,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = OrderOut), Write), security(("token" = [])),
)]
async fn fulfil(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Orders, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewFulfilment>,
) -> Result<Response, Problem> {
    let key = key_of(key, "fulfilments", id, &body);
    let by = OrderActor::from(&staff).by;
    let parts = parts(body.lines.as_ref());
    let NewFulfilment { carrier, tracking_number, .. } = body;
    let what = Act::Fulfil { parts, carrier, tracking_number };
    let done = act(&app, OrderId(id), by, what, key).await?;
    Ok(done.respond(StatusCode::CREATED))
}

/// Notes that units have come back: those named, or all that left; onto the shelf, or not.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/returns", tag = "orders", operation_id = "return_order",
    request_body = NewReturn,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = OrderOut), Write), security(("token" = [])),
)]
async fn take_back(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Orders, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewReturn>,
) -> Result<Response, Problem> {
    let key = key_of(key, "returns", id, &body);
    let by = OrderActor::from(&staff).by;
    let what = Act::Return { parts: parts(body.lines.as_ref()), restock: body.restock };
    let done = act(&app, OrderId(id), by, what, key).await?;
    Ok(done.respond(StatusCode::CREATED))
}

/// Closes a fulfilled order.
#[utoipa::path(
    post, path = "/api/v1/orders/{id}/close", tag = "orders", operation_id = "close_order",
    params(PathId, IdempotencyKey),
    responses((status = 200, body = OrderOut), ActResponses), security(("token" = [])),
)]
async fn close(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Orders, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let by = OrderActor::from(&staff).by;
    let done = act(&app, OrderId(id), by, Act::Close, key_of(key, "close", id, &id)).await?;
    Ok(done.respond(StatusCode::OK))
}
