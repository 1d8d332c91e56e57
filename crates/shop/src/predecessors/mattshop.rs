//! MattShop's routes: logging in, the list of products, orders and their history.
//!
//! A product is one of ours in its default variant; prices are in the shop's currency.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post, put};
use garde::Validate;
use jiff::Timestamp;
use runout_core::ids::VariantId;
use runout_core::stock::{LINES_MAX, QUANTITY_MAX, SellOutcome, Shortage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::envelope::{Envelope, Numbered, PAGE_SIZE};
use crate::App;
use crate::accounts::{self, Credentials, Identity, LoginRefused, rules};
use crate::catalog::queries::{self as catalog, ForSale, View};
use crate::orders::queries as orders;
use crate::orders::{LineRef, OrderLineOut, OrderOut, PlaceRefused, Status, place};
use crate::platform::answer::{IDEMPOTENCY_REPLAYED, json};
use crate::platform::command::Key;
use crate::platform::extract::{IdempotencyKey, RawBody, Valid, parse_json};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::request::ClientIp;
use crate::platform::responses::{PublicRead, Read, Write};

/// What the owner sees a token from here called.
const TOKEN_LABEL: &str = "auth/login";

const CREATE: &str = "/orders/create/";
const HISTORY: &str = "/orders/history/";
/// The README's names of the same.
const CREATE_ALIAS: &str = "/order/create/";
const HISTORY_ALIAS: &str = "/order/history/";

pub(super) fn router() -> OpenApiRouter<App> {
    let mut router = OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(products))
        .routes(routes!(create_order))
        .routes(routes!(history))
        .route(CREATE, post(create_order))
        .route(CREATE_ALIAS, put(create_order).post(create_order))
        .route(HISTORY_ALIAS, get(history));
    describe_aliases(&mut router);
    router
}

/// Describes the further ways to the same handlers.
fn describe_aliases(router: &mut OpenApiRouter<App>) {
    let paths = &mut router.get_openapi_mut().paths.paths;
    let create = paths[CREATE].put.clone().expect("described above");
    let history = paths[HISTORY].get.clone().expect("described above");
    let called = |operation: &Operation, id: &str| {
        let mut operation = operation.clone();
        operation.operation_id = Some(id.to_owned());
        Some(operation)
    };
    paths.entry(CREATE.to_owned()).or_default().post =
        called(&create, "mattshop_create_order_by_post");
    let alias = paths.entry(CREATE_ALIAS.to_owned()).or_default();
    alias.put = called(&create, "mattshop_create_order_singular");
    alias.post = called(&create, "mattshop_create_order_singular_by_post");
    let alias = paths.entry(HISTORY_ALIAS.to_owned()).or_default();
    alias.get = called(&history, "mattshop_order_history_singular");
}

/// Username, or e-mail address, and password.
#[derive(Deserialize, ToSchema)]
#[schema(as = MattShopLogin)]
pub(super) struct Login {
    #[schema(example = "matt")]
    username: String,
    #[schema(example = "jackson")]
    password: String,
}

impl Login {
    /// Reads a body by its content type; without one it is JSON.
    async fn read(headers: &HeaderMap, body: RawBody) -> Result<Self, Problem> {
        let kind = headers.get(CONTENT_TYPE).map_or(Ok("application/json"), HeaderValue::to_str);
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => parse_json(&body.0),
            "application/x-www-form-urlencoded" => Self::from_form(body).await,
            _ => Err(Problem::unsupported_media_type("application/json")),
        }
    }

    async fn from_form(body: RawBody) -> Result<Self, Problem> {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut request = Request::post("/").body(Body::from(body.0)).expect("a plain request");
        request.headers_mut().insert(CONTENT_TYPE, form);
        let Form(login) = Form::from_request(request, &()).await.map_err(|_| {
            let detail = "The form needs the fields username and password.";
            Problem::validation(vec![FieldError::new("", "missing", detail)])
        })?;
        Ok(login)
    }

    /// False for what no account can have: it is not worth the cost of a hash.
    fn is_plausible(&self) -> bool {
        self.username.chars().count() <= rules::EMAIL_CHARS_MAX
            && self.password.chars().count() <= rules::PASSWORD_CHARS_MAX
            && !self.username.contains('\0')
    }
}

/// A token.
#[derive(Serialize, ToSchema)]
#[schema(as = MattShopToken)]
pub(super) struct IssuedToken {
    /// Send it as `Authorization: Token <token>`.
    token: String,
}

/// MattShop answered 400, with the reason under this name.
fn wrong_credentials() -> Problem {
    let detail = "Unable to log in with provided credentials.";
    Problem::bad_request("invalid_credentials", detail).with("non_field_errors", [detail])
}

/// MattShop: exchanges username and password for a token.
///
/// Takes JSON or a form. Wrong or missing credentials are a 400.
#[utoipa::path(
    post, path = "/auth/login/", tag = "predecessors", operation_id = "mattshop_login",
    request_body(content(
        (Login = "application/json"), (Login = "application/x-www-form-urlencoded"),
    )),
    responses((status = 200, body = IssuedToken), Write), security(()),
)]
async fn log_in(
    State(app): State<App>,
    ClientIp(client): ClientIp,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    issue(&app, &Login::read(&headers, body).await?, TOKEN_LABEL, client).await
}

/// Answers a login with a token, which its owner sees called `label`.
///
/// # Errors
/// 400 for wrong credentials; 429.
pub(super) async fn issue(
    app: &App,
    login: &Login,
    label: &'static str,
    client: IpAddr,
) -> Result<Response, Problem> {
    if !login.is_plausible() {
        return Err(wrong_credentials());
    }
    let Login { username, password } = login;
    let credentials = Credentials { identifier: username, password, label };
    let issued = match accounts::login(app, credentials, None, client).await {
        Ok(login) => IssuedToken { token: login.token },
        Err(LoginRefused::WrongCredentials) => return Err(wrong_credentials()),
        Err(refused) => return Err(refused.into()),
    };
    let mut response = json(StatusCode::OK, &issued);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A product that can be had.
#[derive(Serialize, ToSchema)]
#[schema(as = MattShopProduct)]
struct Product {
    #[schema(minimum = 1)]
    id: i64,
    name: String,
    /// Of the default variant.
    #[schema(minimum = 1)]
    quantity_in_stock: i64,
    /// In the shop's currency; null if there is none, and then it cannot be ordered.
    #[schema(required = true, example = "10.00")]
    price: Option<String>,
}

impl From<ForSale> for Product {
    fn from(product: ForSale) -> Self {
        Self {
            id: product.id,
            name: product.title,
            quantity_in_stock: product.available,
            price: product.price.map(|tag| tag.money().to_string()),
        }
    }
}

/// MattShop: the products that are enabled, released and in stock, by name.
#[utoipa::path(
    get, path = "/products/list/", tag = "predecessors", operation_id = "mattshop_products",
    params(("page" = Option<i64>, Query, minimum = 1, description = "20 products each.")),
    responses((status = 200, body = Envelope<Product>), PublicRead), security(()),
)]
async fn products(State(app): State<App>, numbered: Numbered) -> Result<Response, Problem> {
    let view = View { currency: app.currency, now: app.clock.now() };
    let count = catalog::for_sale_count(&app, view.now).await?;
    let offset = numbered.offset(count)?;
    let rows = catalog::for_sale(&app, view, PAGE_SIZE, offset).await?;
    let products = rows.into_iter().map(Product::from).collect();
    Ok(json(StatusCode::OK, &numbered.envelope(count, products)))
}

/// What to order.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = MattShopNewOrder)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    /// Each of another product.
    #[garde(length(min = 1, max = LINES_MAX), dive)]
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<NewItem>,
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = MattShopNewItem)]
#[serde(deny_unknown_fields)]
struct NewItem {
    #[garde(range(min = 1))]
    #[schema(minimum = 1, example = 6)]
    product_id: i64,
    #[garde(range(min = 1, max = QUANTITY_MAX))]
    #[schema(minimum = 1, maximum = 10_000, example = 1)]
    quantity: i64,
}

/// The order that was placed.
#[derive(Serialize, ToSchema)]
#[schema(as = MattShopOrderCreated)]
struct Created {
    #[schema(minimum = 1)]
    order_id: i64,
    message: &'static str,
}

/// MattShop: places an order, all items or none.
///
/// A product that stands twice is a 400; what cannot be sold is a 409 that names the items.
#[utoipa::path(
    put, path = "/orders/create/", tag = "predecessors", operation_id = "mattshop_create_order",
    request_body = NewOrder,
    params(IdempotencyKey),
    responses((status = 201, body = Created), Write), security(("token" = [])),
)]
async fn create_order(
    State(app): State<App>,
    identity: Identity,
    IdempotencyKey(key): IdempotencyKey,
    Valid(order): Valid<NewOrder>,
) -> Result<Response, Problem> {
    let wanted = order.items.iter().map(|item| item.product_id).collect();
    let variants = orders::default_variants(&app.db, wanted).await?;
    let line = |item: &NewItem| match variants.get(&item.product_id) {
        Some(variant) => (LineRef::Variant(*variant), item.quantity),
        None => (LineRef::Product(item.product_id), item.quantity),
    };
    let lines: Vec<_> = order.items.iter().map(line).collect();
    let key = key.map(|key| Key::new(key, "PUT /orders/create/", &order));
    let done = place(&app, identity.account_id, &lines, app.currency, None, key).await;
    let done = done.map_err(|why| refused(why, &order.items, &variants))?;
    let created =
        Created { order_id: done.order.id, message: "Your order has been created successfully." };
    let mut response = json(StatusCode::CREATED, &created);
    if done.replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// An item that kept an order from being placed.
#[derive(Serialize)]
struct RefusedItem {
    /// Its place in the request, from 0.
    item: usize,
    product_id: i64,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
}

/// The problem that the same refusal is elsewhere, with the items named in MattShop's words.
fn refused(why: PlaceRefused, items: &[NewItem], variants: &HashMap<i64, i64>) -> Problem {
    let refused = refused_items(&why, items, variants);
    if refused.is_empty() {
        return why.into();
    }
    let error = |RefusedItem { item, product_id, reason, .. }: &RefusedItem| {
        let detail = format!("Product {product_id} cannot be ordered like this.");
        FieldError::new(format!("/items/{item}/product_id"), reason, detail)
    };
    let errors = refused.iter().map(error).collect();
    Problem::from(why).errors(errors).with("items", refused)
}

/// The items that the refusal is about; none if it is about the order as a whole.
fn refused_items(
    why: &PlaceRefused,
    items: &[NewItem],
    variants: &HashMap<i64, i64>,
) -> Vec<RefusedItem> {
    let named = |item: usize, reason| {
        let product_id = items[item].product_id;
        RefusedItem { item, product_id, reason, requested: None, available: None }
    };
    // Of two items that ask for one product, the second is too many.
    let of_variant = |variant: VariantId, reason| {
        let asks = |item: &NewItem| variants.get(&item.product_id) == Some(&variant.0);
        items.iter().rposition(asks).map(|item| named(item, reason))
    };
    match why {
        PlaceRefused::Unknown(indexes) => {
            indexes.iter().map(|index| named(*index, "unknown")).collect()
        }
        PlaceRefused::Refused(SellOutcome::Duplicate { variant }) => {
            of_variant(*variant, "duplicate").into_iter().collect()
        }
        PlaceRefused::Refused(SellOutcome::NotForSale(lines)) => {
            lines.iter().filter_map(|line| of_variant(line.variant, "not_for_sale")).collect()
        }
        PlaceRefused::Refused(SellOutcome::Short(lines)) => {
            let short = |line: &Shortage| {
                let item = of_variant(line.variant, "out_of_stock")?;
                let (requested, available) = (Some(line.requested), Some(line.available));
                Some(RefusedItem { requested, available, ..item })
            };
            lines.iter().filter_map(short).collect()
        }
        _ => Vec::new(),
    }
}

/// An order that was placed.
#[derive(Serialize, ToSchema)]
#[schema(as = MattShopOrder)]
struct Order {
    #[schema(minimum = 1)]
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(example = "39.80")]
    total_price: String,
    /// MattShop knew one only.
    #[schema(example = "EUR")]
    currency: String,
    /// MattShop's orders could not be cancelled.
    status: Status,
    items: Vec<Item>,
}

/// A line of an order, at the name and price of the moment of the order.
#[derive(Serialize, ToSchema)]
#[schema(as = MattShopOrderItem)]
struct Item {
    /// Its name.
    product: String,
    #[schema(example = "19.90")]
    product_price: String,
    #[schema(minimum = 1)]
    quantity: i64,
}

impl From<OrderOut> for Order {
    fn from(order: OrderOut) -> Self {
        Self {
            id: order.id,
            created_at: order.placed_at,
            total_price: order.total,
            currency: order.currency,
            status: order.status,
            items: order.lines.into_iter().map(Item::from).collect(),
        }
    }
}

impl From<OrderLineOut> for Item {
    fn from(line: OrderLineOut) -> Self {
        let product = match line.variant_title.as_str() {
            "" => line.title,
            variant => format!("{} ({variant})", line.title),
        };
        Self { product, product_price: line.unit_price, quantity: line.quantity }
    }
}

/// MattShop: the orders of whoever asks, newest first.
#[utoipa::path(
    get, path = "/orders/history/", tag = "predecessors", operation_id = "mattshop_order_history",
    params(("page" = Option<i64>, Query, minimum = 1, description = "20 orders each.")),
    responses((status = 200, body = Envelope<Order>), Read), security(("token" = [])),
)]
async fn history(
    State(app): State<App>,
    identity: Identity,
    numbered: Numbered,
) -> Result<Response, Problem> {
    let count = orders::count(&app.db, identity.account_id).await?;
    let offset = numbered.offset(count)?;
    let rows = orders::history(&app.db, identity.account_id, PAGE_SIZE, offset).await?;
    let orders = rows.into_iter().map(Order::from).collect();
    Ok(json(StatusCode::OK, &numbered.envelope(count, orders)))
}
