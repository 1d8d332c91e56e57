//! The pages of orders, for those who have ordered: accounts, and guests whose browser has the
//! basket's token. Staff see here what they have bought themselves; the desk is in the back office.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use runout_core::ids::{AccountId, OrderId};
use runout_core::stock::{By, Gateway};
use serde::Deserialize;

use super::acts::OrderActor;
use super::page_show::{Moment, OrderShown, class, status};
use super::payments;
use super::place::{PlaceRefused, cancel};
use super::queries::{self, ORDERS};
use super::show::OrderOut;
use crate::App;
use crate::accounts::SignedIn;
use crate::baskets::{bought_tokens, queries as baskets, token_hash};
use crate::catalog::{Pictured, pictured};
use crate::events::tickets::queries as tickets;
use crate::pages::words::price_in;
use crate::pages::{Frame, see_other};
use crate::payments::methods;
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::page::{Leaf, ListRequest};
use crate::platform::problem::Problem;

/// Begins the name of a stored card as a way to pay.
const CARD: &str = "card-";
/// Titles of an order that a list names.
const TITLES_MAX: usize = 4;

/// The pages of orders.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/orders", get(list))
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/cancel", post(cancel_order))
        .route("/orders/{id}/pay", post(pay))
}

/// The order, and whoever looks at it as the order knows them.
///
/// # Errors
/// 404 for anybody else's; 401 for nobody, who may have to log in first.
pub(crate) async fn opened(
    app: &App,
    frame: &Frame,
    headers: &HeaderMap,
    id: i64,
) -> Result<(OrderActor, OrderOut), Problem> {
    let mut actors = Vec::new();
    if let Some(session) = &frame.session {
        actors.push(By::Owner(AccountId(session.identity.account_id)));
    }
    for token in bought_tokens(headers) {
        let basket = baskets::by_token(&app.db, &token_hash(token.as_bytes())).await?;
        let basket = basket.filter(|basket| basket.order == Some(id));
        actors.extend(basket.map(|basket| By::Guest(basket.id)));
    }
    for by in actors.iter().copied() {
        let actor = OrderActor { by };
        if let Some(order) = queries::one(&app.db, OrderId(id), actor.viewer()).await? {
            return Ok((actor, order));
        }
    }
    if frame.session.is_none() { Err(Problem::unauthorized()) } else { Err(not_found()) }
}

fn not_found() -> Problem {
    Problem::not_found("order")
}

#[derive(Template)]
#[template(path = "orders/templates/order.html")]
struct OrderPage<'a> {
    order: OrderShown,
    is_guest: bool,
    has_tickets: bool,
    wrong: Option<String>,
    cards: Vec<(String, String)>,
    shop_address: &'a [String],
    shop_email: &'a str,
}

async fn show(
    app: &App,
    frame: &Frame,
    (actor, order): (OrderActor, OrderOut),
    (status, wrong): (StatusCode, Option<String>),
) -> Result<Response, Problem> {
    let variants = order.lines.iter().map(|line| line.variant_id).collect();
    let pictures = pictured(&app.db, variants).await?;
    let has_tickets = tickets::number_of(&app.db, order.id).await? > 0;
    let page = OrderPage {
        has_tickets,
        order: OrderShown::new(order, &pictures),
        is_guest: matches!(actor.by, By::Guest(_)),
        wrong,
        cards: cards(app, actor).await?,
        shop_address: &app.shop.address,
        shop_email: &app.shop.email,
    };
    let title = format!("Order {}", page.order.number);
    Ok(unkept(frame.page_with(status, &title, &page)))
}

fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The buyer's stored cards, where the shop takes cards.
async fn cards(app: &App, actor: OrderActor) -> Result<Vec<(String, String)>, Problem> {
    let By::Owner(account) = actor.by else { return Ok(Vec::new()) };
    if app.payments.gateway(Gateway::Stripe).is_none() {
        return Ok(Vec::new());
    }
    let words = |card: methods::StoredMethod| {
        (format!("{CARD}{}", card.id), format!("{} ending in {}", card.brand, card.last4))
    };
    Ok(methods::list(app, account.0).await?.into_iter().map(words).collect())
}

async fn order(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let opened = opened(&app, &frame, &headers, id).await?;
    show(&app, &frame, opened, (StatusCode::OK, None)).await
}

fn to_order(id: i64) -> Response {
    see_other(&format!("/orders/{id}"))
}

async fn cancel_order(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let (actor, order) = opened(&app, &frame, &headers, id).await?;
    match cancel(&app, OrderId(id), actor.by, None).await {
        Ok(done) => {
            payments::send_refunds(&app, done).await;
            Ok(to_order(id))
        }
        Err(PlaceRefused::AlreadyCancelled) => Ok(to_order(id)),
        Err(PlaceRefused::Illegal(_)) => {
            let words = "It is too late to cancel this order: it has left, or is done with.";
            let said = (StatusCode::CONFLICT, Some(words.to_owned()));
            show(&app, &frame, (actor, order), said).await
        }
        Err(refused) => Err(refused.into()),
    }
}

#[derive(Deserialize)]
struct Pay {
    pay: String,
}

async fn pay(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    PathId(id): PathId,
    Form(Pay { pay }): Form<Pay>,
) -> Result<Response, Problem> {
    let (actor, order) = opened(&app, &frame, &headers, id).await?;
    let card = pay.strip_prefix(CARD).and_then(|id| id.parse().ok());
    let Some(card) = card else {
        let said = (StatusCode::UNPROCESSABLE_ENTITY, Some("Choose a card.".to_owned()));
        return show(&app, &frame, (actor, order), said).await;
    };
    let paid = (Gateway::Stripe, Some(card));
    payments::begin(&app, OrderId(id), actor, paid, None).await?;
    Ok(to_order(id))
}

/// An order among others.
struct Row {
    id: i64,
    number: String,
    status: String,
    class: &'static str,
    titles: String,
    total: String,
    placed: Moment,
    picture: Option<Pictured>,
}

#[derive(Template)]
#[template(path = "orders/templates/orders.html")]
struct OrdersPage {
    orders: Vec<Row>,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Turn {
    cursor: Option<String>,
    before: Option<String>,
}

impl Turn {
    /// The page that is asked for; the first one, if it is nowhere.
    fn request(self) -> Result<ListRequest, Problem> {
        let first = ListRequest::from_uri(&ORDERS, &Uri::from_static("/"))?;
        match self {
            Turn { before: Some(before), .. } => Ok(first.clone().before(&before).unwrap_or(first)),
            Turn { cursor: Some(cursor), .. } => {
                let query = serde_urlencoded::to_string([("cursor", cursor)]);
                let uri = format!("/?{}", query.expect("text can be encoded"));
                let uri: Uri = uri.parse().expect("encoded text makes an address");
                Ok(ListRequest::from_uri(&ORDERS, &uri).unwrap_or(first))
            }
            Turn { .. } => Ok(first),
        }
    }
}

async fn list(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Query(turn): Query<Turn>,
) -> Result<Response, Problem> {
    let request = turn.request()?;
    let account = session.identity.account_id;
    let Leaf { items, previous, next } = queries::leaf(&app.db, &request, account).await?;
    let first = |order: &OrderOut| order.lines.first().map(|line| line.variant_id);
    let pictures = pictured(&app.db, items.iter().filter_map(first).collect()).await?;
    let row = |order: OrderOut| {
        let picture = first(&order).and_then(|variant| pictures.get(&variant)).cloned();
        Row {
            id: order.id,
            status: status(&order),
            class: class(order.status),
            titles: titles(&order),
            total: price_in(order.total_minor, &order.currency),
            placed: order.placed_at.into(),
            picture,
            number: order.number,
        }
    };
    let link = |name: &str, cursor: String| format!("/orders?{name}={cursor}");
    let page = OrdersPage {
        orders: items.into_iter().map(row).collect(),
        previous: previous.map(|cursor| link("before", cursor)),
        next: next.map(|cursor| link("cursor", cursor)),
    };
    Ok(unkept(frame.page("My orders", &page)))
}

fn titles(order: &OrderOut) -> String {
    let names: Vec<&str> =
        order.lines.iter().take(TITLES_MAX).map(|line| line.title.as_str()).collect();
    let more = order.lines.len().saturating_sub(TITLES_MAX);
    let words = names.join(", ");
    if more > 0 { format!("{words} and {more} more") } else { words }
}
