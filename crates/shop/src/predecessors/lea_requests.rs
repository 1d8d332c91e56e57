//! Lea's requests: orders of one disc each.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use garde::Validate;
use jiff::Timestamp;
use runout_core::stock::{QUANTITY_MAX, SellOutcome};
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{Whole, id_schema, quantity_schema, within};
use super::lea::{ArrayParams, array, list_request, written};
use crate::App;
use crate::accounts::{self, Capability, Identity, Verb};
use crate::orders::queries::{PREDECESSOR_REQUESTS, SoldLine, sold_lines};
use crate::orders::{LineRef, PlaceRefused, Status, place};
use crate::platform::command::Key;
use crate::platform::extract::{FilterBody, IdempotencyKey, Valid};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_request))
        .routes(routes!(get_requests))
        .route("/ecommerce/create_request/", post(create_request))
        .route("/ecommerce/get_requests/", get(get_requests))
}

/// What a client orders.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = LeaNewRequest)]
#[serde(deny_unknown_fields)]
struct NewRequest {
    /// The account that orders: one's own, or as staff anybody's.
    #[garde(custom(within(1, i64::MAX)))]
    #[schema(schema_with = id_schema)]
    client: Whole,
    #[garde(custom(within(1, i64::MAX)))]
    #[schema(schema_with = id_schema)]
    disc: Whole,
    #[garde(custom(within(1, QUANTITY_MAX)))]
    #[schema(schema_with = quantity_schema)]
    amount: Whole,
}

/// An order of one disc. An order of several lines, which only `/api/v1/orders` and MattShop's
/// requests make, is listed once per line, with the same id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeaRequest)]
struct Ordered {
    /// The order's.
    #[schema(minimum = 1)]
    id: i64,
    #[schema(minimum = 1)]
    client: i64,
    #[schema(minimum = 1)]
    disc: i64,
    #[schema(minimum = 1)]
    amount: i64,
    #[schema(value_type = String, format = DateTime)]
    operation_date: Timestamp,
    /// Lea's orders could not be cancelled.
    status: Status,
}

impl From<SoldLine> for Ordered {
    fn from(line: SoldLine) -> Self {
        Self {
            id: line.order_id,
            client: line.account_id,
            disc: line.product_id,
            amount: line.quantity,
            operation_date: line.placed_at,
            status: line.status,
        }
    }
}

/// Lookups on requests, for the API's description.
struct RequestLookups;

impl IntoParams for RequestLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        PREDECESSOR_REQUESTS.params()
    }
}

/// The problem that the same refusal is elsewhere, with the disc named. Who is inactive is a
/// conflict here: whoever asks may well be somebody else.
fn refused(why: PlaceRefused, disc: i64) -> Problem {
    match why {
        PlaceRefused::Refused(SellOutcome::AccountInactive) => {
            let detail = "This client was deactivated and cannot order.";
            let error = FieldError::new("/client", "account_inactive", detail);
            Problem::conflict("account_inactive", detail).errors(vec![error])
        }
        PlaceRefused::Unknown(_) => {
            let error = FieldError::new("/disc", "unknown", "There is no such disc.");
            Problem::from(why).errors(vec![error]).with("disc", disc)
        }
        other => Problem::from(other).with("disc", disc),
    }
}

/// Whether the account may order for the client, and whether that client exists.
async fn admit(app: &App, identity: &Identity, client: i64) -> Result<(), Problem> {
    if client == identity.account_id {
        return Ok(());
    }
    if !identity.may(Capability::Orders, Verb::Create) {
        let detail = "A client orders for itself; only staff order for others.";
        return Err(Problem::forbidden().detail(detail));
    }
    if accounts::queries::account(app, client).await?.is_none() {
        let error = FieldError::new("/client", "unknown", "There is no such client.");
        return Err(Problem::validation(vec![error]));
    }
    Ok(())
}

/// Lea: orders a disc, if enough of it is left.
#[utoipa::path(
    post, path = "/ecommerce/create_request", tag = "predecessors",
    operation_id = "lea_create_request", request_body = NewRequest,
    params(IdempotencyKey),
    responses((status = 201, body = Ordered), Write), security(("token" = [])),
)]
async fn create_request(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewRequest>,
) -> Result<Response, Problem> {
    let (client, disc, amount) = (new.client.0, new.disc.0, new.amount.0);
    admit(&app, &identity, client).await?;
    let key = key.map(|key| Key::new(key, "POST /ecommerce/create_request", &new));
    let lines = [(LineRef::Product(disc), amount)];
    let done = place(&app, client, &lines, app.currency, None, key).await;
    let done = done.map_err(|why| refused(why, disc))?;
    let ordered = Ordered {
        id: done.order.id,
        client,
        disc,
        amount,
        operation_date: done.order.placed_at,
        status: done.order.status,
    };
    Ok(written(StatusCode::CREATED, &ordered, done.replayed))
}

/// Lea: finds requests; clients see their own, staff see all.
///
/// Lookups stand in the query or in the body, a JSON object such as `{"client__in": [1, 2],
/// "operation_date__gte": "2026-01-01"}`, as with get_disc.
#[utoipa::path(
    get, path = "/ecommerce/get_requests", tag = "predecessors",
    operation_id = "lea_get_requests", params(ArrayParams, RequestLookups),
    responses(
        (status = 200, body = Vec<Ordered>, headers(
            ("Link" = String, description = "The next page, `rel=\"next\"`, if there is one."),
            ("X-Next-Cursor" = String, description = "The next page's cursor, if there is one."),
        )),
        Read,
    ),
    security(("token" = [])),
)]
async fn get_requests(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
    FilterBody(body): FilterBody,
) -> Result<Response, Problem> {
    let request = list_request(&PREDECESSOR_REQUESTS, &uri, &body)?;
    let owner = (!identity.may(Capability::Orders, Verb::View)).then_some(identity.account_id);
    let page = sold_lines(&app.db, &request, owner).await?;
    Ok(array(&page.map(Ordered::from), &uri))
}
