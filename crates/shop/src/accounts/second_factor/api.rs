//! `/api/v1/accounts/{id}/second_factor`: for those who have lost theirs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::FactorRefused;
use crate::App;
use crate::accounts::answers::throttled;
use crate::accounts::{Actor, By, Staff, on, to};
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;
use crate::platform::responses::Act;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(reset))
}

impl From<FactorRefused> for Problem {
    fn from(refused: FactorRefused) -> Self {
        match refused {
            FactorRefused::WrongCode => Problem::unauthorized()
                .code("wrong_second_factor")
                .detail("This code is wrong, or was used already."),
            FactorRefused::Throttled { retry_after } => throttled(retry_after),
            FactorRefused::NotOn => {
                Problem::conflict("no_second_factor", "The account has no second factor.")
            }
            FactorRefused::AlreadyOn => {
                Problem::conflict("second_factor_on", "The account has a second factor already.")
            }
            FactorRefused::NoSession => Problem::unauthorized(),
            FactorRefused::NotFound => Problem::not_found("account"),
            FactorRefused::Forbidden => Problem::forbidden(),
            FactorRefused::Failed(error) => error.into(),
        }
    }
}

/// Takes away the second factor of somebody who has lost it: they log in with the password alone.
#[utoipa::path(
    post, path = "/api/v1/accounts/{id}/second_factor/reset", tag = "accounts",
    operation_id = "reset_second_factor",
    params(PathId),
    security(("token" = [])),
    responses((status = 204, description = "The account has none any more"), Act)
)]
async fn reset(
    State(app): State<App>,
    Staff(identity, ..): Staff<on::Accounts, to::Change>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    super::reset(&app, By::actor(Actor::from(&identity)), id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
