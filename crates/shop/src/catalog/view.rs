//! What a request says about how it wants to see products, and how outcomes become answers.

use axum::extract::Query;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use runout_core::money::Currency;
use serde::Serialize;

use super::Refused;
use super::list::truth;
use super::queries::{Sight, View};
use crate::App;
use crate::accounts::{Capability, Identity, Verb};
use crate::platform::answer::{key_reused, replayed};
use crate::platform::command::Outcome;
use crate::platform::etag::etag;
use crate::platform::problem::{FieldError, Problem};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Prices now, in the currency that was asked for or else the shop's.
pub(crate) fn view(app: &App, currency: Option<&str>) -> Result<View, Problem> {
    let currency = match currency {
        Some(code) => parse_currency(code)?,
        None => app.currency,
    };
    Ok(View { currency, now: app.clock.now() })
}

fn parse_currency(code: &str) -> Result<Currency, Problem> {
    code.parse().map_err(|_| {
        let detail = "currency: expected an ISO 4217 code such as EUR";
        let error = FieldError::new("currency", "unknown_currency", detail);
        Problem::bad_request("unknown_currency", detail).errors(vec![error])
    })
}

/// The query of an address that shows one thing: `currency` and `deleted`.
pub(crate) struct ShowQuery {
    pub view: View,
    pub deleted: bool,
}

impl ShowQuery {
    pub(crate) fn new(app: &App, uri: &Uri) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        let (mut currency, mut deleted) = (None, false);
        for (name, value) in &pairs {
            match name.as_str() {
                "currency" => currency = Some(value.as_str()),
                "deleted" => deleted = truth("deleted", value)?,
                _ => {
                    let detail = "This address takes the parameters currency and deleted.";
                    return Err(Problem::bad_request("unknown_parameter", detail));
                }
            }
        }
        Ok(Self { view: view(app, currency)?, deleted })
    }
}

/// What of the catalog somebody may see.
///
/// # Errors
/// 403 for deleted products, unless staff who may view the catalog ask.
pub(crate) fn sight(identity: Option<&Identity>, deleted: bool) -> Result<Sight, Problem> {
    match (identity.is_some_and(|identity| identity.may(Capability::Catalog, Verb::View)), deleted)
    {
        (true, true) => Ok(Sight::Deleted),
        (true, false) => Ok(Sight::Staff),
        (false, true) => Err(Problem::forbidden().detail("Only staff see deleted products.")),
        (false, false) => Ok(Sight::Public),
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    ready_json(status, written(body))
}

/// An answer's JSON.
pub(crate) fn written(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("answers are plain data").into()
}

/// An answer whose JSON is written already.
pub(crate) fn ready_json(status: StatusCode, body: Bytes) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

/// A JSON answer with the ETag of its version.
pub(crate) fn tagged(status: StatusCode, version: i64, body: &impl Serialize) -> Response {
    let mut response = json(status, body);
    response.headers_mut().insert(ETAG, etag(version));
    response
}

/// Says where a thing that was made can be found.
pub(crate) fn located(mut response: Response, path: &str, id: i64) -> Response {
    let place = HeaderValue::try_from(format!("{path}/{id}")).expect("a path in ASCII");
    response.headers_mut().insert(LOCATION, place);
    response
}

/// Makes the answer of an outcome: what was accepted, or the same as before, or why not.
pub(crate) fn answer<A, R>(
    outcome: Outcome<A, R>,
    accepted: impl FnOnce(A) -> Response,
    refused: impl FnOnce(R) -> Problem,
) -> Result<Response, Problem> {
    match outcome {
        Outcome::Accepted(done) => Ok(accepted(done)),
        Outcome::Replayed { status, body } => Ok(replayed(status, body.get())),
        Outcome::KeyReused => Err(key_reused()),
        Outcome::Refused(why) => Err(refused(why)),
    }
}

/// The problem that a refusal is to a client.
pub(crate) fn refused(why: Refused) -> Problem {
    match why {
        Refused::NoProduct => Problem::not_found("product"),
        Refused::NoVariant => Problem::not_found("variant"),
        Refused::Changed => {
            Problem::precondition_failed("It has changed since; read it again, then decide.")
        }
        Refused::SkuTaken(sku) => {
            let detail = "A variant has, or had, this SKU: a SKU is never given twice.";
            let error = FieldError::new("/sku", "taken", detail);
            Problem::conflict("sku_taken", detail).errors(vec![error]).with("sku", sku)
        }
        Refused::PriceExists => price_exists(),
        Refused::DefaultVariant => Problem::conflict(
            "default_variant",
            "The default variant cannot be deleted: delete or disable its product instead.",
        ),
        Refused::TooManyVariants => {
            let detail = format!("A product has at most {} variants.", super::VARIANTS_MAX);
            Problem::conflict("too_many_variants", detail)
        }
    }
}

/// 409 `price_exists`.
pub(crate) fn price_exists() -> Problem {
    let detail = "The variant has a price in this currency from exactly this moment on.";
    Problem::conflict("price_exists", detail)
}
