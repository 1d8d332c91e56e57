//! The checkout's page: a basket becomes an order.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use runout_core::stock::{CheckoutOutcome, Gateway};

use super::checkout::{self, operation};
use super::checkout_form::{CheckoutForm, NEW_ADDRESS, PAY_MANUALLY, Wrong, card};
use super::page_show::BasketShown;
use super::pages::unkept;
use super::shopper::{Opened, Shopper};
use super::{requests, words};
use crate::App;
use crate::addresses::queries::{self as addresses, ADDRESSES};
use crate::pages::words::price_in;
use crate::pages::{Frame, countries, see_other};
use crate::payments::methods;
use crate::platform::command::Key;
use crate::platform::extract::IDEMPOTENCY_KEY_CHARS_MAX;
use crate::platform::form::Form;
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

/// Random bytes of a form's key.
const KEY_BYTES: usize = 16;

pub(super) fn router() -> Router<App> {
    Router::new().route("/checkout", get(form).post(place))
}

struct StoredAddress {
    id: i64,
    words: String,
}

#[derive(Template)]
#[template(path = "baskets/templates/checkout.html")]
struct CheckoutPage {
    basket: BasketShown,
    form: CheckoutForm,
    is_guest: bool,
    addresses: Vec<StoredAddress>,
    cards: Vec<(String, String)>,
    total: String,
    wrong: Vec<Wrong>,
    /// Why nothing was ordered.
    refused: Vec<String>,
    is_price_change: bool,
}

/// Name, label, value, what browsers fill in, characters, whether it is needed.
type Field<'a> = (&'static str, &'static str, &'a str, &'static str, u16, bool);

impl CheckoutPage {
    fn fields(&self) -> [Field<'_>; 6] {
        let form = &self.form;
        [
            ("name", "Name", &form.name, "name", 200, true),
            ("line1", "Street and number", &form.line1, "address-line1", 200, true),
            ("line2", "Flat, company", &form.line2, "address-line2", 200, false),
            ("postal_code", "Postal code", &form.postal_code, "postal-code", 20, false),
            ("city", "City", &form.city, "address-level2", 200, true),
            ("region", "State or region", &form.region, "address-level1", 200, false),
        ]
    }

    fn label(&self, name: &str) -> &'static str {
        let field = self.fields().into_iter().find(|(field, ..)| *field == name);
        match name {
            "email" => "E-mail",
            "country" => "Country",
            "pay" => "Payment",
            _ => field.map_or("Address", |(_, label, ..)| label),
        }
    }

    fn wrong_of(&self, name: &str) -> Option<&str> {
        self.wrong.iter().find(|wrong| wrong.field == name).map(|wrong| wrong.words.as_str())
    }

    fn is_chosen(&self, id: &i64) -> bool {
        self.form.address == id.to_string()
    }
}

/// A key that no other form has.
fn new_key() -> Result<String, Problem> {
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random).map_err(Problem::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

async fn stored_addresses(app: &App, account: Option<i64>) -> Result<Vec<StoredAddress>, Problem> {
    let Some(account) = account else { return Ok(Vec::new()) };
    let request = ListRequest::from_uri(&ADDRESSES, &Uri::from_static("/?limit=100"))?;
    let page = addresses::page(app, account, &request).await?;
    let words = |stored: addresses::StoredAddress| {
        let address = stored.address;
        let country = countries::name(&address.country).to_owned();
        let city = format!("{} {}", address.postal_code, address.city);
        let parts = [address.name, address.line1, address.line2, city, address.region, country];
        let parts: Vec<&str> =
            parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        StoredAddress { id: stored.id, words: parts.join(", ") }
    };
    Ok(page.items.into_iter().map(words).collect())
}

/// Stored cards, where the shop takes cards.
async fn cards(app: &App, account: Option<i64>) -> Result<Vec<(String, String)>, Problem> {
    let Some(account) = account.filter(|_| app.payments.gateway(Gateway::Stripe).is_some()) else {
        return Ok(Vec::new());
    };
    let stored = methods::list(app, account).await?;
    let words = |method: methods::StoredMethod| {
        (card(method.id), format!("Card: {} ending in {}", method.brand, method.last4))
    };
    Ok(stored.into_iter().map(words).collect())
}

/// What the page says of a try.
#[derive(Default)]
struct Tried {
    wrong: Vec<Wrong>,
    refused: Vec<String>,
    /// The total that is to be agreed to.
    new_total_minor: Option<i64>,
}

async fn show(
    app: &App,
    frame: &Frame,
    shopper: &Shopper,
    mut form: CheckoutForm,
    (status, tried): (StatusCode, Tried),
) -> Result<Response, Problem> {
    let Some(Opened { id, by }) = shopper.basket(app).await? else {
        return Ok(see_other("/basket"));
    };
    let out = requests::read(app, id, by).await?;
    let currency = out.currency.clone();
    let Some(basket) = BasketShown::new(app, out, app.clock.now()).await? else {
        return Ok(see_other("/basket"));
    };
    let account = shopper.account();
    let addresses = stored_addresses(app, account).await?;
    if form.address.is_empty() {
        let first = addresses.first().map(|stored| stored.id.to_string());
        form.address = first.unwrap_or_else(|| NEW_ADDRESS.to_owned());
    }
    if form.pay.is_empty() {
        PAY_MANUALLY.clone_into(&mut form.pay);
    }
    if form.country.is_empty() {
        app.country.code().clone_into(&mut form.country);
    }
    let Tried { wrong, refused, new_total_minor } = tried;
    let total = new_total_minor.map(|minor| price_in(minor, &currency));
    form.confirm = new_total_minor.map(|minor| minor.to_string()).unwrap_or_default();
    let page = CheckoutPage {
        total: total.unwrap_or_else(|| basket.total.clone()),
        basket,
        is_guest: account.is_none(),
        addresses,
        cards: cards(app, account).await?,
        form,
        wrong,
        refused,
        is_price_change: new_total_minor.is_some(),
    };
    Ok(unkept(frame.page_with(status, "Checkout", &page)))
}

async fn form(State(app): State<App>, frame: Frame, shopper: Shopper) -> Result<Response, Problem> {
    let form = CheckoutForm { key: new_key()?, ..CheckoutForm::default() };
    show(&app, &frame, &shopper, form, (StatusCode::OK, Tried::default())).await
}

async fn place(
    State(app): State<App>,
    frame: Frame,
    shopper: Shopper,
    Form(form): Form<CheckoutForm>,
) -> Result<Response, Problem> {
    let Some(by) = shopper.holder() else {
        // A second click, or a page from before: the cookie has become that of the order.
        let order = shopper.bought(&app, form.basket).await?;
        return Ok(order.map_or_else(|| see_other("/basket"), to_order));
    };
    let checkout = match form.checkout(shopper.account().is_none()) {
        Ok(checkout) => checkout,
        Err(wrong) => {
            let tried = Tried { wrong, ..Tried::default() };
            let said = (StatusCode::UNPROCESSABLE_ENTITY, tried);
            return show(&app, &frame, &shopper, form, said).await;
        }
    };
    let key = Some(&form.key).filter(|key| is_key(key)).cloned();
    let key = key.map(|key| Key::new(key, &operation(form.basket), &checkout));
    match checkout::place(&app, (form.basket, by), &checkout, key).await? {
        Ok(done) => Ok(bought(&shopper, done.order.id)),
        Err(CheckoutOutcome::NotFound) => Err(Problem::not_found("basket")),
        Err(CheckoutOutcome::NotOpen { order: Some(order), .. }) => Ok(bought(&shopper, order.0)),
        Err(CheckoutOutcome::NotOpen { .. } | CheckoutOutcome::Empty) => Ok(see_other("/basket")),
        Err(refusal) => {
            let basket = requests::read(&app, form.basket, by).await?;
            let new_total_minor = match &refusal {
                CheckoutOutcome::PriceChanged { total_minor, .. } => Some(*total_minor),
                _ => None,
            };
            let refused = words::not_checked_out(&refusal, &basket);
            let tried = Tried { refused, new_total_minor, wrong: Vec::new() };
            show(&app, &frame, &shopper, form, (StatusCode::CONFLICT, tried)).await
        }
    }
}

fn is_key(key: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic();
    !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_CHARS_MAX && key.bytes().all(fits)
}

fn to_order(order: i64) -> Response {
    see_other(&format!("/orders/{order}"))
}

/// To the order, which a guest's browser can open from now on.
fn bought(shopper: &Shopper, order: i64) -> Response {
    let mut response = to_order(order);
    for cookie in shopper.cookies_after_checkout() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
