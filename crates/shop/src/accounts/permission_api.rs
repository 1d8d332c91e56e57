//! `/api/v1/accounts/{id}/permissions`: what staff may do.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::permission_commands::{PermissionsRefused, Rights, Wanted, rights, set_permissions};
use super::{Actor, By, Permission, Permissions, Superuser};
use crate::App;
use crate::platform::answer::{answer, json};
use crate::platform::command::Key;
use crate::platform::etag::{IfMatch, etag};
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Read, Write};

/// More names than there are permissions are refused.
const NAMES_MAX: usize = 100;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(permissions, put_permissions))
}

/// What a member of staff shall be able to do.
#[derive(Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPermissions {
    /// False: everything, whatever is listed.
    #[garde(skip)]
    restricted: bool,
    /// Each a capability and a verb.
    #[garde(length(max = NAMES_MAX))]
    #[schema(max_items = 100, example = json!(["catalog.view", "stock.change"]))]
    permissions: Vec<String>,
}

impl NewPermissions {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let mut wrong = Vec::new();
        let mut listed = Vec::with_capacity(self.permissions.len());
        for (at, name) in self.permissions.iter().enumerate() {
            match name.parse::<Permission>() {
                Ok(permission) => listed.push(permission),
                Err(error) => {
                    let pointer = format!("/permissions/{at}");
                    wrong.push(FieldError::new(pointer, "unknown", error.to_string()));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(Problem::validation(wrong));
        }
        let listed: Permissions = listed.into_iter().collect();
        Ok(if self.restricted { Wanted::Only(listed) } else { Wanted::Everything })
    }
}

impl From<PermissionsRefused> for Problem {
    fn from(refused: PermissionsRefused) -> Self {
        match refused {
            PermissionsRefused::Forbidden => {
                Problem::forbidden().detail("Only superusers set permissions.")
            }
            PermissionsRefused::NotFound => Problem::not_found("account"),
            PermissionsRefused::NotStaff => Problem::conflict(
                "not_staff",
                "Only staff have permissions to set: superusers may everything, customers nothing.",
            ),
            PermissionsRefused::VersionChanged => {
                Problem::precondition_failed("The account has changed since you read it.")
            }
        }
    }
}

fn shown(rights: &Rights) -> Response {
    let mut response = json(StatusCode::OK, rights);
    response.headers_mut().insert(ETAG, etag(rights.version));
    response
}

/// What an account may do as staff.
#[utoipa::path(
    get, path = "/api/v1/accounts/{id}/permissions", tag = "accounts",
    operation_id = "account_permissions",
    params(PathId),
    security(("token" = [])),
    responses((status = 200, body = Rights, headers(("ETag" = String))), Read)
)]
async fn permissions(
    State(app): State<App>,
    _: Superuser,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let found = rights(&app, id).await?;
    found.as_ref().map(shown).ok_or_else(|| Problem::not_found("account"))
}

/// Sets what a member of staff may do. It holds at once.
#[utoipa::path(
    put, path = "/api/v1/accounts/{id}/permissions", tag = "accounts",
    operation_id = "set_account_permissions", request_body = NewPermissions,
    params(
        PathId,
        IdempotencyKey,
        ("If-Match" = Option<String>, Header, description = "ETags to change only"),
    ),
    security(("token" = [])),
    responses((status = 200, body = Rights, headers(("ETag" = String))), Write)
)]
async fn put_permissions(
    State(app): State<App>,
    Superuser(identity): Superuser,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    if_match: IfMatch,
    Valid(body): Valid<NewPermissions>,
) -> Result<Response, Problem> {
    let wanted = body.wanted()?;
    let key = key.map(|key| Key::new(key, &format!("PUT /accounts/{id}/permissions"), &body));
    let by = By { actor: Actor::from(&identity), key, if_match };
    answer(set_permissions(&app, by, id, wanted).await?, |rights| shown(&rights))
}
