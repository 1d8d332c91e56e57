//! The basket's page, and what can be done there.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::response::Response;
use axum::routing::{get, post};
use runout_core::stock::BasketOutcome;
use serde::Deserialize;

use super::page_show::BasketShown;
use super::requests::{self, NoDiscount, SetDiscount};
use super::shopper::{Opened, Shopper};
use super::{checkout_pages, words};
use crate::App;
use crate::catalog::pictured;
use crate::pages::{Frame, see_other};
use crate::platform::form::Form;
use crate::platform::problem::Problem;

const BASKET: &str = "/basket";
/// Characters of a discount code.
const CODE_CHARS_MAX: usize = 64;

/// The pages of baskets and their checkout.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route(BASKET, get(basket))
        .route("/basket/add", post(add))
        .route("/basket/lines", post(set_line))
        .route("/basket/remove", post(remove))
        .route("/basket/extend", post(extend))
        .route("/basket/trim", post(trim))
        .route("/basket/discount", post(set_discount))
        .route("/basket/discount/remove", post(remove_discount))
        .merge(checkout_pages::router())
}

#[derive(Template)]
#[template(path = "baskets/templates/basket.html")]
struct BasketPage<'a> {
    basket: Option<BasketShown>,
    is_guest: bool,
    wrong: Option<String>,
    code: &'a str,
    code_wrong: Option<&'a str>,
}

/// What the page says beside the basket.
#[derive(Default)]
struct Said<'a> {
    wrong: Option<String>,
    code: &'a str,
    code_wrong: Option<&'a str>,
}

/// The page with whatever is to be said; it is never kept by anybody.
async fn show(
    app: &App,
    frame: &Frame,
    shopper: &Shopper,
    (status, said): (StatusCode, Said<'_>),
) -> Result<Response, Problem> {
    let basket = match shopper.basket(app).await? {
        Some(Opened { id, by }) => {
            let basket = requests::read(app, id, by).await?;
            BasketShown::new(app, basket, app.clock.now()).await?
        }
        None => None,
    };
    let Said { wrong, code, code_wrong } = said;
    let is_guest = shopper.account().is_none();
    let page = BasketPage { basket, is_guest, wrong, code, code_wrong };
    Ok(unkept(frame.page_with(status, "Your basket", &page)))
}

/// The response, that nobody may keep.
pub(super) fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn basket(
    State(app): State<App>,
    frame: Frame,
    shopper: Shopper,
) -> Result<Response, Problem> {
    show(&app, &frame, &shopper, (StatusCode::OK, Said::default())).await
}

/// A variant and how many of it, as they were typed.
#[derive(Deserialize)]
struct Line {
    variant_id: i64,
    quantity: String,
}

impl Line {
    fn quantity(&self) -> Option<i64> {
        self.quantity.trim().parse().ok()
    }
}

const NO_NUMBER: &str = "Give the quantity as a whole number.";

async fn add(
    State(app): State<App>,
    frame: Frame,
    shopper: Shopper,
    Form(line): Form<Line>,
) -> Result<Response, Problem> {
    let Some(more) = line.quantity().filter(|more| *more >= 1) else {
        return refused(&app, &frame, &shopper, NO_NUMBER.to_owned()).await;
    };
    let (Opened { id, by }, cookie) = shopper.basket_or_new(&app).await?;
    let before = requests::read(&app, id, by).await?;
    let held = before.lines.iter().find(|held| held.variant_id == line.variant_id);
    let quantity = held.map_or(0, |held| held.quantity).saturating_add(more);
    let outcome = requests::try_set_line(&app, (id, by), (line.variant_id, quantity)).await?;
    let mut response = finish(&app, &frame, &shopper, (line.variant_id, outcome)).await?;
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Back to the basket, or the basket with what was wrong.
async fn finish(
    app: &App,
    frame: &Frame,
    shopper: &Shopper,
    (variant, outcome): (i64, BasketOutcome),
) -> Result<Response, Problem> {
    match outcome {
        BasketOutcome::Kept(_) => Ok(see_other(BASKET)),
        BasketOutcome::NotFound => Err(Problem::not_found("basket")),
        refusal => {
            let found = pictured(&app.db, vec![variant]).await?;
            let title = found.get(&variant).map_or("This", |found| found.title.as_str());
            let said = Said { wrong: Some(words::not_set(&refusal, title)), ..Said::default() };
            show(app, frame, shopper, (StatusCode::CONFLICT, said)).await
        }
    }
}

async fn refused(
    app: &App,
    frame: &Frame,
    shopper: &Shopper,
    words: String,
) -> Result<Response, Problem> {
    let said = Said { wrong: Some(words), ..Said::default() };
    show(app, frame, shopper, (StatusCode::UNPROCESSABLE_ENTITY, said)).await
}

async fn set_line(
    State(app): State<App>,
    frame: Frame,
    shopper: Shopper,
    Form(line): Form<Line>,
) -> Result<Response, Problem> {
    let Some(quantity) = line.quantity() else {
        return refused(&app, &frame, &shopper, NO_NUMBER.to_owned()).await;
    };
    set(&app, &frame, &shopper, (line.variant_id, quantity)).await
}

#[derive(Deserialize)]
struct Variant {
    variant_id: i64,
}

async fn remove(
    State(app): State<App>,
    frame: Frame,
    shopper: Shopper,
    Form(Variant { variant_id }): Form<Variant>,
) -> Result<Response, Problem> {
    set(&app, &frame, &shopper, (variant_id, 0)).await
}

async fn set(
    app: &App,
    frame: &Frame,
    shopper: &Shopper,
    line: (i64, i64),
) -> Result<Response, Problem> {
    // Of a basket that is gone nothing is left to change.
    let Some(Opened { id, by }) = shopper.basket(app).await? else { return Ok(see_other(BASKET)) };
    let outcome = requests::try_set_line(app, (id, by), line).await?;
    finish(app, frame, shopper, (line.0, outcome)).await
}

async fn extend(State(app): State<App>, shopper: Shopper) -> Result<Response, Problem> {
    if let Some(Opened { id, by }) = shopper.basket(&app).await? {
        requests::extend(&app, id, by).await?;
    }
    Ok(see_other(BASKET))
}

/// Holds what can still be had of each line, and lets go of the rest.
async fn trim(State(app): State<App>, frame: Frame, shopper: Shopper) -> Result<Response, Problem> {
    let Some(Opened { id, by }) = shopper.basket(&app).await? else { return Ok(see_other(BASKET)) };
    let basket = requests::extend(&app, id, by).await?;
    for line in basket.lines.iter().filter(|line| line.short || line.price_now_minor.is_none()) {
        let left = if line.price_now_minor.is_some() { line.available.max(0) } else { 0 };
        let wanted = (line.variant_id, left);
        let outcome = requests::try_set_line(&app, (id, by), wanted).await?;
        if !matches!(outcome, BasketOutcome::Kept(_)) {
            return finish(&app, &frame, &shopper, (line.variant_id, outcome)).await;
        }
    }
    Ok(see_other(BASKET))
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn set_discount(
    State(app): State<App>,
    frame: Frame,
    shopper: Shopper,
    Form(Code { code }): Form<Code>,
) -> Result<Response, Problem> {
    let Some(Opened { id: basket, by }) = shopper.basket(&app).await? else {
        return Ok(see_other(BASKET));
    };
    let code = code.trim();
    let known = if code.is_empty() || code.chars().count() > CODE_CHARS_MAX {
        Err(NoDiscount::UnknownCode)
    } else {
        let code_key = Some(crate::discounts::model::code_key(code));
        requests::change_discount(&app, SetDiscount { basket, by, code_key }).await?
    };
    let code_wrong = match known {
        Ok(()) => return Ok(see_other(BASKET)),
        Err(NoDiscount::NoBasket) => return Err(Problem::not_found("basket")),
        Err(NoDiscount::NotOpen) => return Ok(see_other(BASKET)),
        Err(NoDiscount::UnknownCode) if code.is_empty() => "Type a code.",
        Err(NoDiscount::UnknownCode) => "There is no such code.",
    };
    let said = Said { code, code_wrong: Some(code_wrong), ..Said::default() };
    show(&app, &frame, &shopper, (StatusCode::UNPROCESSABLE_ENTITY, said)).await
}

async fn remove_discount(State(app): State<App>, shopper: Shopper) -> Result<Response, Problem> {
    if let Some(Opened { id: basket, by }) = shopper.basket(&app).await? {
        let change = SetDiscount { basket, by, code_key: None };
        // A basket that is closed meanwhile needs none.
        let _closed = requests::change_discount(&app, change).await?;
    }
    Ok(see_other(BASKET))
}
