//! The tickets of an order, on a page and on paper, for whoever may see the order.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;

use super::api::skip_of;
use super::pdf;
use super::qr::Qr;
use super::queries::{self, Shown, TicketState, Tickets};
use crate::App;
use crate::orders::{OrderOut, opened};
use crate::pages::Frame;
use crate::pages::words::moment;
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;

const PDF: HeaderValue = HeaderValue::from_static("application/pdf");
/// Whoever has a ticket comes in: no cache keeps it.
const UNKEPT: HeaderValue = HeaderValue::from_static("no-store");

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/orders/{id}/tickets", get(page))
        .route("/orders/{id}/tickets.pdf", get(paper))
}

/// A ticket as the page shows it.
struct Card {
    title: String,
    when: String,
    starts_at: Timestamp,
    venue: String,
    kind: String,
    code: String,
    /// The side of the picture in modules, and its dark ones.
    side: usize,
    path: String,
    word: Option<&'static str>,
    /// It was given back: it opens no door.
    is_gone: bool,
    admitted: Option<String>,
}

impl From<&Shown> for Card {
    fn from(shown: &Shown) -> Self {
        let qr = Qr::of(&shown.code);
        Self {
            title: shown.doorway.title.clone(),
            when: shown.doorway.when(),
            starts_at: shown.doorway.starts_at,
            venue: shown.doorway.venue.clone(),
            kind: shown.kind(),
            code: shown.code.to_string(),
            side: qr.side(),
            path: qr.path(),
            word: shown.word(),
            is_gone: shown.state == TicketState::Returned,
            admitted: shown.admitted_at.map(moment),
        }
    }
}

#[derive(Template)]
#[template(path = "events/tickets/templates/tickets.html")]
struct TicketsPage<'a> {
    order_id: i64,
    number: &'a str,
    cards: Vec<Card>,
    count: usize,
    skip: usize,
    next: Option<usize>,
    /// It may still be paid.
    is_unpaid: bool,
}

/// The order and its tickets, if whoever asks may see them.
async fn tickets_of(
    app: &App,
    frame: &Frame,
    headers: &HeaderMap,
    id: i64,
    uri: &Uri,
) -> Result<(OrderOut, usize, Tickets), Problem> {
    let skip = skip_of(uri)?;
    let (_, order) = opened(app, frame, headers, id).await?;
    let tickets = queries::of_order(app, id, skip).await?;
    let tickets = tickets.filter(|tickets| tickets.count > 0);
    Ok((order, skip, tickets.ok_or_else(|| Problem::not_found("ticket"))?))
}

async fn page(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let (order, skip, tickets) = tickets_of(&app, &frame, &headers, id, &uri).await?;
    let page = TicketsPage {
        order_id: id,
        number: &order.number,
        cards: tickets.items.iter().map(Card::from).collect(),
        count: tickets.count,
        skip,
        next: tickets.next,
        is_unpaid: tickets.status == runout_core::order::Status::Placed,
    };
    let mut response = frame.page(&format!("Tickets of order {}", order.number), &page);
    response.headers_mut().insert(CACHE_CONTROL, UNKEPT);
    Ok(response)
}

async fn paper(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, Problem> {
    let (order, _, tickets) = tickets_of(&app, &frame, &headers, id, &uri).await?;
    let kept = tickets.items.iter().any(|shown| shown.state != TicketState::Returned);
    if !kept {
        return Err(Problem::not_found("ticket"));
    }
    let name = format!("inline; filename=\"tickets-{}.pdf\"", order.number);
    let name = HeaderValue::try_from(name).expect("an order's number is letters and digits");
    let bytes = pdf::tickets(app.shop.name.clone(), order.number, tickets.items).await?;
    let fields = [(CONTENT_TYPE, PDF), (CONTENT_DISPOSITION, name), (CACHE_CONTROL, UNKEPT)];
    Ok((fields, bytes).into_response())
}
