//! An order's papers: for staff, and the invoice for its buyer.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use runout_core::ids::OrderId;

use super::queries::orders as queries;
use super::{order, pdf};
use crate::App;
use crate::accounts::{Capability, MaybeSession, StaffSession, Verb};
use crate::baskets::{BASKET_COOKIE, queries as baskets, token_hash};
use crate::orders::queries::{Viewer, one};
use crate::orders::{OrderActor, OrderOut};
use crate::platform::cookie;
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;

const PDF: HeaderValue = HeaderValue::from_static("application/pdf");

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/desk/orders/{id}/invoice.pdf", get(invoice))
        .route("/admin/desk/orders/{id}/packing-slip.pdf", get(slip))
        .route("/orders/{id}/invoice.pdf", get(own_invoice))
}

async fn invoice(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::View)?;
    invoice_of(&app, order::find(&app, id).await?).await
}

/// The invoice for whoever bought: an account that is logged in, or a guest with their basket's
/// cookie. Staff see every one. What is somebody else's is not there.
async fn own_invoice(
    State(app): State<App>,
    MaybeSession(session): MaybeSession,
    headers: HeaderMap,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let account = session.map(|session| OrderActor::from(&session.identity).viewer());
    let guest = match cookie::sent(&headers, BASKET_COOKIE) {
        Some(token) => baskets::by_token(&app.db, &token_hash(token.as_bytes())).await?,
        None => None,
    };
    let guest = guest.map(|basket| Viewer::Basket(basket.id.0));
    if account.is_none() && guest.is_none() {
        return Err(Problem::unauthorized());
    }
    for viewer in [account, guest].into_iter().flatten() {
        if let Some(order) = one(&app.db, OrderId(id), viewer).await? {
            return invoice_of(&app, order).await;
        }
    }
    Err(Problem::not_found("order"))
}

/// The invoice of an order that whoever asks may see.
async fn invoice_of(app: &App, order: OrderOut) -> Result<Response, Problem> {
    let account = match order.account_id {
        Some(account) => queries::buyer(&app.db, account).await?,
        None => None,
    };
    let guest = order.email.clone().unwrap_or_default();
    let buyer = account.map_or(guest, |buyer| match buyer.name.as_str() {
        "" => buyer.username,
        name => name.to_owned(),
    });
    let name = format!("invoice-{}", order.number);
    Ok(sent(&name, pdf::invoice(&app.shop, order, buyer).await?))
}

async fn slip(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::View)?;
    let order = order::find(&app, id).await?;
    let places = queries::places(&app.db, OrderId(id).0).await?;
    let name = format!("packing-slip-{}", order.number);
    Ok(sent(&name, pdf::slip(&app.shop, order, places).await?))
}

fn sent(name: &str, bytes: Vec<u8>) -> Response {
    let place = format!("inline; filename=\"{name}.pdf\"");
    let place = HeaderValue::try_from(place).expect("an order's number is letters and digits");
    ([(CONTENT_TYPE, PDF), (CONTENT_DISPOSITION, place)], bytes).into_response()
}
