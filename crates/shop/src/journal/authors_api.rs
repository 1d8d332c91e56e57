//! The numbers of authors over HTTP, for staff.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authors::{self, Author, AuthorRefused};
use super::queries;
use crate::App;
use crate::accounts::{self, Staff, on, to};
use crate::platform::answer::{answer, json};
use crate::platform::command::{Caller, Key};
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show_author, set_author))
}

/// The number of an author.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AuthorNumber {
    /// Null: none of its own.
    #[garde(inner(range(min = 1)))]
    #[schema(required = true, minimum = 1)]
    user_id: Option<i64>,
}

impl From<AuthorRefused> for Problem {
    fn from(refused: AuthorRefused) -> Self {
        match refused {
            AuthorRefused::NoAccount => Problem::not_found("account"),
            AuthorRefused::Taken => {
                let detail = "Another account has this number.";
                let error = FieldError::new("/user_id", "taken", detail);
                Problem::conflict("user_id_taken", detail).errors(vec![error])
            }
        }
    }
}

/// The number that other systems know an author by.
#[utoipa::path(
    get, path = "/api/v1/journal/authors/{id}", tag = "journal",
    params(("id" = i64, Path, minimum = 1, description = "The account's.")),
    responses((status = 200, body = Author), Read), security(("token" = [])),
)]
async fn show_author(
    State(app): State<App>,
    _: Staff<on::Journal, to::View>,
    PathId(account_id): PathId,
) -> Result<Response, Problem> {
    let known = accounts::queries::account(&app, account_id).await?;
    known.ok_or(AuthorRefused::NoAccount)?;
    let user_id = queries::author(&app, account_id).await?;
    Ok(json(StatusCode::OK, &Author { account_id, user_id }))
}

/// Gives an author the number that other systems know it by: new posts have it as `user_id`.
#[utoipa::path(
    put, path = "/api/v1/journal/authors/{id}", tag = "journal", request_body = AuthorNumber,
    params(
        ("id" = i64, Path, minimum = 1, description = "The account's."),
        IdempotencyKey,
    ),
    responses((status = 200, body = Author), Write), security(("token" = [])),
)]
async fn set_author(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Journal, to::Change>,
    PathId(account_id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(number): Valid<AuthorNumber>,
) -> Result<Response, Problem> {
    let key =
        key.map(|key| Key::new(key, &format!("PUT /api/v1/journal/authors/{account_id}"), &number));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let author = Author { account_id, user_id: number.user_id };
    let outcome = authors::set(&app, caller, author).await?;
    answer(outcome, |author: Author| json(StatusCode::OK, &author))
}
