//! Tickets and doors over HTTP.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use jiff::Timestamp;
use runout_core::ids::OrderId;
use runout_core::stock::{LINES_MAX, QUANTITY_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Doorway;
use super::commands::{self, Admitted};
use super::link;
use super::queries::{self, DoorCount, Shown, TicketState, Tickets};
use crate::App;
use crate::accounts::{Staff, on, to};
use crate::catalog::tagged;
use crate::events::model::Event;
use crate::orders::{self, OrderActor};
use crate::platform::answer::{answer, json};
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act as ActResponses, Read, Write};

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(tickets_of_order))
        .routes(routes!(count_admissions, admit))
        .routes(routes!(take_back))
        .routes(routes!(sell_tickets))
}

/// Tickets that an order can have at all.
const TICKETS_MAX: usize = LINES_MAX * QUANTITY_MAX as usize;

/// A ticket: one unit of a line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ticket)]
struct TicketOut {
    line_no: i64,
    /// Which of the line's units it is, counted from 1.
    number: i64,
    /// What is scanned or typed at the door; whoever has it comes in.
    #[schema(example = "1HBJX 4Q0T7 ZK9RA 3M6WC 8YEVN P25GD")]
    code: String,
    sku: String,
    /// Such as "Standing".
    variant: String,
    state: TicketState,
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    admitted_at: Option<Timestamp>,
    event: TicketEvent,
}

/// What a ticket is for.
#[derive(Debug, Serialize, ToSchema)]
struct TicketEvent {
    #[schema(minimum = 1)]
    id: i64,
    title: String,
    venue: String,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    cancelled: bool,
}

/// Tickets of an order.
#[derive(Debug, Serialize, ToSchema)]
struct OrderTickets {
    order_status: &'static str,
    /// How many tickets the order has in all.
    count: usize,
    /// Up to 100 of them; none while the order is not paid, or when its money went back.
    items: Vec<TicketOut>,
    /// What to `skip` to see those that follow.
    #[schema(required = true)]
    next: Option<usize>,
}

impl From<&Doorway> for TicketEvent {
    fn from(doorway: &Doorway) -> Self {
        Self {
            id: doorway.id,
            title: doorway.title.clone(),
            venue: doorway.venue.clone(),
            starts_at: doorway.starts_at,
            ends_at: doorway.ends_at,
            time_zone: doorway.time_zone.clone(),
            cancelled: doorway.cancelled,
        }
    }
}

impl From<&Shown> for TicketOut {
    fn from(shown: &Shown) -> Self {
        Self {
            line_no: shown.ticket.line_no,
            number: shown.ticket.number,
            code: shown.code.to_string(),
            sku: shown.sku.clone(),
            variant: shown.variant.clone(),
            state: shown.state,
            admitted_at: shown.admitted_at,
            event: TicketEvent::from(&*shown.doorway),
        }
    }
}

impl From<Tickets> for OrderTickets {
    fn from(tickets: Tickets) -> Self {
        Self {
            order_status: tickets.status.name(),
            count: tickets.count,
            items: tickets.items.iter().map(TicketOut::from).collect(),
            next: tickets.next,
        }
    }
}

/// `skip` of a query: how many tickets to leave out.
pub(super) fn skip_of(uri: &Uri) -> Result<usize, Problem> {
    let invalid = |detail: String| Problem::bad_request("invalid_query", detail);
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| invalid("The query cannot be read.".to_owned()))?;
    let mut skip = 0;
    for (name, value) in pairs {
        if name != "skip" {
            return Err(invalid(format!("There is no parameter {name:?}; there is skip.")));
        }
        let number = value.parse().ok().filter(|number| *number <= TICKETS_MAX);
        skip = number.ok_or_else(|| invalid(format!("skip: a number up to {TICKETS_MAX}.")))?;
    }
    Ok(skip)
}

/// The tickets of an order, 100 at a time, for whoever may see the order.
#[utoipa::path(
    get, path = "/api/v1/orders/{id}/tickets", tag = "events", operation_id = "list_tickets",
    params(
        PathId,
        ("skip" = Option<usize>, Query, minimum = 0, maximum = 1_000_000,
            description = "How many to leave out: the `next` of the answer before."),
    ),
    responses((status = 200, body = OrderTickets), Read),
    security(("token" = []), ("basket" = [])),
)]
async fn tickets_of_order(
    State(app): State<App>,
    actor: OrderActor,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<OrderTickets>, Problem> {
    let skip = skip_of(&uri)?;
    orders::payments::visible(&app, OrderId(id), actor.viewer()).await?;
    let tickets = queries::of_order(&app, id, skip).await?;
    let tickets = tickets.ok_or_else(|| Problem::not_found("order"))?;
    Ok(Json(tickets.into()))
}

/// An event that has a door.
///
/// # Errors
/// 404; 409 `not_ticketed`.
pub(super) async fn ticketed(app: &App, id: i64) -> Result<Doorway, Problem> {
    let doorway = queries::doorway(&app.db, id).await?;
    let doorway = doorway.ok_or_else(|| Problem::not_found("event"))?;
    if doorway.product_id.is_none() {
        return Err(commands::AdmissionRefused::NotTicketed.into());
    }
    Ok(doorway)
}

/// How many tickets were sold, and how many people are in.
#[utoipa::path(
    get, path = "/api/v1/events/{id}/admissions", tag = "events",
    operation_id = "count_admissions", params(PathId),
    responses((status = 200, body = DoorCount), ActResponses), security(("token" = [])),
)]
async fn count_admissions(
    State(app): State<App>,
    _staff: Staff<on::Events, to::View>,
    PathId(id): PathId,
) -> Result<Json<DoorCount>, Problem> {
    let doorway = ticketed(&app, id).await?;
    Ok(Json(queries::count(&app.db, &doorway).await?))
}

/// A ticket that is shown at the door.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAdmission {
    /// Scanned or typed: in any case, with or without spaces and hyphens.
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    code: String,
    /// Lets in on another day than the event's too.
    #[garde(skip)]
    #[serde(default)]
    #[schema(default = false)]
    any_day: bool,
}

/// Lets somebody in with a ticket, once.
///
/// Refusals: `unknown_code` (404), and as 409 `other_event`, `already_admitted` (when, by whom),
/// `order_not_paid`, `order_cancelled`, `order_refunded`, `ticket_returned`, `event_cancelled`,
/// `not_today` (ask again with `any_day`), `not_ticketed`.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/admissions", tag = "events", operation_id = "admit",
    request_body = NewAdmission,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = Admitted), Write), security(("token" = [])),
)]
async fn admit(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Events, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewAdmission>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("POST /api/v1/events/{id}/admissions"), &body));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::admit(&app, caller, id, &body.code, body.any_day).await?;
    answer(outcome, |admitted| json(StatusCode::CREATED, &admitted))
}

/// A mistake at the door.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct TakenBack {
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    code: String,
    /// Is kept with who did it.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Takes back that somebody was let in: the wrong ticket was scanned. It admits again.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/admissions/undo", tag = "events",
    operation_id = "undo_admission", request_body = TakenBack,
    params(PathId, IdempotencyKey),
    responses((status = 204, description = "The ticket admits again."), Write),
    security(("token" = [])),
)]
async fn take_back(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Events, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<TakenBack>,
) -> Result<Response, Problem> {
    let operation = format!("POST /api/v1/events/{id}/admissions/undo");
    let key = key.map(|key| Key::new(key, &operation, &body));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::take_back(&app, caller, id, &body.code, body.reason).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}

/// What an event sells.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct TicketProduct {
    /// A product of kind `ticket`; its variants are the kinds of tickets. `null`: people sign up
    /// instead.
    #[garde(range(min = 1))]
    #[schema(required = true, minimum = 1)]
    product_id: Option<i64>,
}

/// Has an event sell tickets, or sign-ups again. Refused while people are signed up, and once
/// tickets were ordered.
#[utoipa::path(
    put, path = "/api/v1/events/{id}/product", tag = "events", operation_id = "sell_tickets",
    request_body = TicketProduct,
    params(PathId, IfMatch, IdempotencyKey),
    responses((status = 200, body = Event), Write), security(("token" = [])),
)]
async fn sell_tickets(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Events, to::Change>,
    PathId(id): PathId,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<TicketProduct>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PUT /api/v1/events/{id}/product"), &body));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = link::link(&app, caller, id, body.product_id, if_match).await?;
    answer(outcome, |event: Event| tagged(StatusCode::OK, event.version, &event))
}
