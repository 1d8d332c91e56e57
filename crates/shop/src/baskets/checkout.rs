//! `POST /api/v1/baskets/{id}/checkout`: the basket becomes an order.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use runout_core::ids::BasketId;
use runout_core::stock::{
    Asked, Checkout, CheckoutOutcome, Command, Contact, Gateway, Holder, KeyOwner, Outcome,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::holder::BasketHolder;
use super::queries;
use super::refusals::not_checked_out;
use crate::App;
use crate::addresses::{self, Address};
use crate::orders::{Done, OrderOut, core_key, payments, remembered, undecided};
use crate::platform::command::Key;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::Write;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(check_out))
}

/// How a payment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GatewayName {
    /// Bank transfer or cash: staff say when the money has arrived.
    Manual,
    Stripe,
}

impl From<GatewayName> for Gateway {
    fn from(name: GatewayName) -> Self {
        match name {
            GatewayName::Manual => Self::Manual,
            GatewayName::Stripe => Self::Stripe,
        }
    }
}

/// Who buys, where it goes, how it is paid.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCheckout {
    /// Needed of a guest.
    #[garde(length(max = 254), custom(good_email))]
    #[schema(max_length = 254, example = "ana@example.org")]
    pub email: Option<String>,
    /// Needed of a guest; accounts may name a stored one.
    #[garde(dive)]
    pub address: Option<Address>,
    /// One of the account's stored addresses, instead of `address`.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub address_id: Option<i64>,
    #[garde(skip)]
    #[serde(default = "manual")]
    pub gateway: GatewayName,
    /// The total that the buyer agrees to, where prices have changed since they were shown.
    #[garde(range(min = 0))]
    #[schema(minimum = 0)]
    pub confirm_total_minor: Option<i64>,
    /// One of the account's stored ways to pay: it is charged at once.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub payment_method_id: Option<i64>,
}

fn manual() -> GatewayName {
    GatewayName::Manual
}

fn good_email(text: &Option<String>, (): &()) -> garde::Result {
    match text {
        Some(text) => crate::accounts::check_email(text).map_err(garde::Error::new),
        None => Ok(()),
    }
}

impl NewCheckout {
    /// Who gets the goods, and where.
    async fn contact(&self, app: &App, by: Holder) -> Result<Contact, Problem> {
        let required = |pointer: &str, detail: &str| {
            Problem::validation(vec![FieldError::new(pointer, "required", detail)])
        };
        let address = match (&self.address, self.address_id, by) {
            (Some(_), Some(_), _) => {
                let detail = "Give either address or address_id.";
                let error = FieldError::new("/address_id", "one_of", detail);
                return Err(Problem::validation(vec![error]));
            }
            (Some(address), None, _) => Some(address.clone()),
            (None, Some(id), Holder::Account(account)) => {
                let found = addresses::queries::find(app, account.0, id).await?;
                let found = found.ok_or_else(|| {
                    let detail = "There is no such address.";
                    let error = FieldError::new("/address_id", "unknown", detail);
                    Problem::validation(vec![error])
                })?;
                Some(found.address)
            }
            (None, _, Holder::Token(_)) => {
                return Err(required("/address", "A guest says where the goods go."));
            }
            (None, None, Holder::Account(_)) => None,
        };
        let country = address.as_ref().map_or(app.country, Address::country);
        let json = address
            .map(|address| serde_json::to_string(&address).expect("an address is plain data"));
        let email = self
            .email
            .as_deref()
            .map(|email| (Arc::from(email), Arc::from(crate::accounts::email_key(email).as_str())));
        Ok(Contact { email, address: json.map(Arc::from), country: country.code().into() })
    }
}

/// Whose keys these are. A guest's are looked up by their token: a basket's number proves nothing.
async fn owner(app: &App, by: Holder) -> Result<KeyOwner, Problem> {
    match by {
        Holder::Account(account) => Ok(account.into()),
        Holder::Token(hash) => {
            let basket = queries::by_token(&app.db, &hash).await?;
            Ok(basket.ok_or_else(|| Problem::not_found("basket"))?.id.into())
        }
    }
}

/// Turns the basket into an order: everything or nothing, at the prices that were shown.
///
/// 409 `out_of_stock` names holds that lapsed and could not be taken anew; 409 `price_changed`
/// tells the total to confirm. With an `Idempotency-Key` the request can be repeated without
/// ordering twice. With gateway `stripe` the answer's payment has the `client_secret` for the
/// buyer's browser.
#[utoipa::path(
    post, path = "/api/v1/baskets/{id}/checkout", tag = "baskets", operation_id = "check_out",
    request_body = NewCheckout,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = OrderOut), Write),
    security(("basket" = []), ("token" = [])),
)]
async fn check_out(
    State(app): State<App>,
    BasketHolder(by): BasketHolder,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewCheckout>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &operation(id), &body));
    match place(&app, (id, by), &body, key).await? {
        Ok(done) => Ok(done.respond(StatusCode::CREATED)),
        Err(refusal) => Err(not_checked_out(refusal)),
    }
}

/// What a key of a checkout is a key of.
pub(super) fn operation(basket: i64) -> String {
    format!("POST /api/v1/baskets/{basket}/checkout")
}

/// Turns a basket into an order, for every door. `Err` in `Ok`: why not.
///
/// # Errors
/// 404 if a guest's token opens no basket; 409 `gateway_unavailable`; 400 for addresses and ways to
/// pay that are not theirs.
pub(super) async fn place(
    app: &App,
    (id, by): (i64, Holder),
    body: &NewCheckout,
    key: Option<Key>,
) -> Result<Result<Done, CheckoutOutcome>, Problem> {
    let gateway = Gateway::from(body.gateway);
    payments::ready(app, gateway)?;
    let method = payments::stored_method(app, by, body.payment_method_id).await?;
    let contact = body.contact(app, by).await?;
    let key = match key {
        Some(key) => core_key(owner(app, by).await?, Some(key)),
        None => None,
    };
    let checkout = Checkout {
        basket: BasketId(id),
        by,
        contact,
        gateway,
        confirmed_total_minor: body.confirm_total_minor,
        pay_within_s: app.pay_within_s(),
    };
    let asked = Asked { command: Command::Checkout(Box::new(checkout)), key };
    let answer = app.stock.ask(asked).await.map_err(undecided)?;
    let done = match answer.outcome {
        Outcome::Checkout(CheckoutOutcome::Placed(placed)) => {
            Done { order: OrderOut::from(&*placed), replayed: answer.replayed }
        }
        Outcome::Checkout(refusal) => return Ok(Err(refusal)),
        other => remembered(app, other).await?,
    };
    Ok(Ok(payments::begun(app, done, method).await))
}
