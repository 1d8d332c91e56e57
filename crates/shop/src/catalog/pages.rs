//! The pages of the catalogue: home, list, product; and the covers.
//!
//! What everybody sees alike is kept ready under the versions of its rows; the frame around it is
//! made for whoever looks.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::browse::Browse;
use super::cover;
use super::middles::{self, view};
use super::queries::{self, Sight};
use super::show::ProductPage;
use crate::App;
use crate::accounts::{MaybeSession, Role};
use crate::events::soon;
use crate::pages::words::{moment, price};
use crate::pages::{Frame, Ready};
use crate::platform::cache::Scope;
use crate::platform::etag::etag;
use crate::platform::extract::PathId;
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;
use crate::pricing;

/// Prices of a variant that staff are shown on its product's page.
const PRICES_SHOWN: usize = 20;
const SVG: HeaderValue = HeaderValue::from_static("image/svg+xml; charset=utf-8");
/// A cover under the address of its version never changes.
const KEPT: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
const ASKED_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The pages of the catalogue.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/catalogue", get(catalogue))
        .route("/products/{id}", get(product))
        .route("/products/{id}/cover.svg", get(cover_picture))
}

async fn home(State(app): State<App>, frame: Frame) -> Result<Response, Problem> {
    let make = middles::home(&app);
    let bytes = app.answers.get(&app.db, &app.clock, (Scope::Shop, "page-home", ""), make).await?;
    let (about, main) = Ready::read(&bytes).ok_or_else(|| Problem::internal("no page was kept"))?;
    let events = soon::section(&app).await?;
    let events = str::from_utf8(&events).map_err(Problem::internal)?;
    Ok(frame.page_about(StatusCode::OK, &about, &[main, events].concat()))
}

async fn catalogue(State(app): State<App>, frame: Frame, uri: Uri) -> Result<Response, Problem> {
    let browse = Browse::from_uri(&uri);
    let (request, search) = browse.request()?;
    let query = browse.query();
    let make = middles::catalogue(&app, browse, &request, &search);
    let bytes =
        app.answers.get(&app.db, &app.clock, (Scope::Shop, "page-catalogue", &query), make).await?;
    frame.page_of(StatusCode::OK, &bytes)
}

async fn product(
    State(app): State<App>,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    if frame.session.as_ref().is_some_and(|session| session.identity.role >= Role::Staff) {
        return product_for_staff(&app, &frame, id).await;
    }
    let make = middles::product(&app, id);
    let key = (Scope::Shop, "page-product", &*id.to_string());
    let bytes = app.answers.get(&app.db, &app.clock, key, make).await?;
    if bytes.is_empty() {
        return Err(Problem::not_found("product"));
    }
    frame.page_of(StatusCode::OK, &bytes)
}

#[derive(Template)]
#[template(path = "catalog/templates/price_history.html")]
struct PriceHistory {
    product_id: i64,
    rows: Vec<PriceRow>,
}

struct PriceRow {
    variant: String,
    price: String,
    from: String,
    from_words: String,
    is_future: bool,
}

/// The page with the history of prices; staff also see what is not enabled.
async fn product_for_staff(app: &App, frame: &Frame, id: i64) -> Result<Response, Problem> {
    let now = app.clock.now();
    let found = queries::find(app, id, Sight::Staff, view(app)).await?;
    let product = found.ok_or_else(|| Problem::not_found("product"))?;
    let mut rows = Vec::new();
    for variant in &product.variants {
        let request = ListRequest::from_uri(&pricing::queries::PRICES, &Uri::from_static("/"))?;
        let page = pricing::queries::page(app, variant.id, &request).await?;
        let prices = page.map(|page| page.items).unwrap_or_default();
        rows.extend(prices.into_iter().take(PRICES_SHOWN).map(|found| PriceRow {
            variant: variant.fields.sku.clone(),
            price: price(found.tag.money().minor, found.tag.money().currency),
            from: found.effective_from.to_string(),
            from_words: moment(found.effective_from),
            is_future: found.effective_from > now,
        }));
    }
    let page = ProductPage::new(&product, now);
    let html = page.render().map_err(Problem::internal)?;
    let history = PriceHistory { product_id: id, rows }.render().map_err(Problem::internal)?;
    let about = ProductPage::about(&product);
    Ok(frame.page_about(StatusCode::OK, &about, &(html + &history)))
}

#[derive(Deserialize)]
struct CoverVersion {
    v: Option<i64>,
}

/// The picture of a product that whoever looks may see.
async fn cover_picture(
    State(app): State<App>,
    MaybeSession(session): MaybeSession,
    PathId(id): PathId,
    Query(CoverVersion { v }): Query<CoverVersion>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let is_staff = session.is_some_and(|session| session.identity.role >= Role::Staff);
    let found = queries::cover(&app.db, id).await?.filter(|found| found.enabled || is_staff);
    let found = found.ok_or_else(|| Problem::not_found("product"))?;
    let tag = etag(found.version);
    let kept = if v == Some(found.version) { KEPT } else { ASKED_AGAIN };
    let fields = [
        (CONTENT_TYPE, SVG),
        (CACHE_CONTROL, kept),
        (ETAG, tag.clone()),
        (CONTENT_SECURITY_POLICY, NOTHING),
    ];
    if headers.get_all(IF_NONE_MATCH).iter().any(|sent| sent == tag) {
        return Ok((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    Ok((StatusCode::OK, fields, cover::svg(&found.cover())).into_response())
}
