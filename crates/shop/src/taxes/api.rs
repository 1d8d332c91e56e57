//! Tax rates over HTTP: everybody reads, staff write.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use garde::{Report, Validate};
use runout_core::tax::{self, RATE_PPM_MAX};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RATES_MAX;
use super::commands::{self, RateRefused};
use super::queries::{self, RateKey, TAX_RATES, TaxRate};
use crate::App;
use crate::accounts::{MaybeIdentity, Staff, on, to};
use crate::catalog::tagged;
use crate::platform::answer::answer;
use crate::platform::command::{Caller, Key};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Act, PublicRead, Write};

/// The capability's endpoints.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_tax_rates)).routes(routes!(
        show_tax_rate,
        set_tax_rate,
        delete_tax_rate
    ))
}

/// A rate: exactly one of `rate` and `rate_ppm`.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewTaxRate {
    /// In percent, 0 to 100, as decimal text with at most four decimals.
    #[schema(example = "8.875", pattern = r"^[0-9]{1,3}(\.[0-9]+)?$")]
    rate: Option<String>,
    /// The same in parts per million.
    #[schema(minimum = 0, maximum = 1_000_000)]
    rate_ppm: Option<i64>,
}

impl NewTaxRate {
    /// Its rate in parts per million, or the field that is wrong and why.
    pub(super) fn ppm(&self) -> Result<i64, (&'static str, String)> {
        match (&self.rate, self.rate_ppm) {
            (Some(text), None) => {
                tax::parse_percent(text).map_err(|error| ("rate", error.to_string()))
            }
            (None, Some(rate_ppm)) if (0..=RATE_PPM_MAX).contains(&rate_ppm) => Ok(rate_ppm),
            (None, Some(_)) => Err(("rate_ppm", format!("must be 0 to {RATE_PPM_MAX}"))),
            (None, None) => Err(("rate", "is missing: send rate or rate_ppm".to_owned())),
            (Some(_), Some(_)) => {
                Err(("rate_ppm", "stands beside rate: send only one of them".to_owned()))
            }
        }
    }
}

impl Validate for NewTaxRate {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> garde::Path, report: &mut Report) {
        if let Err((field, wrong)) = self.ppm() {
            report.append(parent().join(field), garde::Error::new(wrong));
        }
    }
}

/// Class and country out of the address.
struct RatePath {
    class: String,
    country: String,
}

impl<S: Send + Sync> FromRequestParts<S> for RatePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((class, country)) = path.map_err(|_| Problem::not_found("tax rate"))?;
        Ok(Self { class, country })
    }
}

impl RatePath {
    fn key(self) -> Result<RateKey, Problem> {
        let wrong = |pointer, detail: &str| {
            let error = FieldError::new(pointer, "invalid", detail);
            Problem::bad_request("invalid_path", format!("{pointer} {detail}.")).errors(vec![error])
        };
        if !tax::is_class(&self.class) {
            return Err(wrong("class", "must be 1 to 64 lower-case letters, digits, - and _"));
        }
        match self.country.parse() {
            Ok(country) => Ok(RateKey { class: self.class, country }),
            Err(_) => Err(wrong("country", "must be an ISO 3166-1 country code such as DE")),
        }
    }
}

/// Lists tax rates: the share of the net price that is contained in gross prices.
#[utoipa::path(
    get, path = "/api/v1/tax_rates", tag = "taxes",
    params(
        ListParams,
        ("tax_class" = Option<String>, Query, description = "Only this class."),
        ("country" = Option<String>, Query, description = "Only this country."),
    ),
    responses((status = 200, body = Page<TaxRate>), PublicRead),
    security((), ("token" = [])),
)]
async fn list_tax_rates(
    State(app): State<App>,
    _: MaybeIdentity,
    uri: Uri,
) -> Result<Json<Page<TaxRate>>, Problem> {
    let request = ListRequest::from_uri(&TAX_RATES, &uri)?;
    Ok(Json(queries::page(&app, &request).await?))
}

/// The tax rate of a class of products in a country.
#[utoipa::path(
    get, path = "/api/v1/tax_rates/{class}/{country}", tag = "taxes",
    params(
        ("class" = String, Path, pattern = "^[a-z0-9_-]{1,64}$"),
        ("country" = String, Path, pattern = "^[A-Z]{2}$"),
    ),
    responses((status = 200, body = TaxRate), PublicRead), security((), ("token" = [])),
)]
async fn show_tax_rate(
    State(app): State<App>,
    _: MaybeIdentity,
    path: RatePath,
) -> Result<Response, Problem> {
    let found = queries::find(&app, &path.key()?).await?;
    let rate = found.ok_or_else(|| Problem::not_found("tax rate"))?;
    Ok(tagged(StatusCode::OK, rate.version, &rate))
}

/// Sets the tax rate of a class of products in a country, for orders from now on.
#[utoipa::path(
    put, path = "/api/v1/tax_rates/{class}/{country}", tag = "taxes", request_body = NewTaxRate,
    params(
        ("class" = String, Path, pattern = "^[a-z0-9_-]{1,64}$"),
        ("country" = String, Path, pattern = "^[A-Z]{2}$"),
        IfMatch, IdempotencyKey,
    ),
    responses((status = 200, body = TaxRate), Write), security(("token" = [])),
)]
async fn set_tax_rate(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Taxes, to::Change>,
    path: RatePath,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<NewTaxRate>,
) -> Result<Response, Problem> {
    let rate_key = path.key()?;
    let rate_ppm = body.ppm().expect("the body was validated");
    let key = key.map(|key| Key::new(key, &operation("PUT", &rate_key), &body));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::set(&app, caller, rate_key, rate_ppm, if_match).await?;
    answer(outcome, |rate: TaxRate| tagged(StatusCode::OK, rate.version, &rate))
}

/// Deletes a tax rate: the class is not taxed in the country, for orders from now on.
#[utoipa::path(
    delete, path = "/api/v1/tax_rates/{class}/{country}", tag = "taxes",
    params(
        ("class" = String, Path, pattern = "^[a-z0-9_-]{1,64}$"),
        ("country" = String, Path, pattern = "^[A-Z]{2}$"),
        IfMatch, IdempotencyKey,
    ),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_tax_rate(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Taxes, to::Delete>,
    path: RatePath,
    if_match: IfMatch,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let rate_key = path.key()?;
    let key = key.map(|key| Key::new(key, &operation("DELETE", &rate_key), &()));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::delete(&app, caller, rate_key, if_match).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}

fn operation(method: &str, key: &RateKey) -> String {
    format!("{method} /api/v1/tax_rates/{}/{}", key.class, key.country)
}

impl From<RateRefused> for Problem {
    fn from(refused: RateRefused) -> Self {
        match refused {
            RateRefused::NotFound => Problem::not_found("tax rate"),
            RateRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            RateRefused::TooMany => {
                let detail = format!("A shop has at most {RATES_MAX} tax rates.");
                Problem::conflict("too_many_tax_rates", detail)
            }
        }
    }
}
