//! Secrets of webhooks over HTTP: each is shown once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::not_stored;
use super::input::NewSecret;
use super::model::DestinationKind;
use super::secrets::queries::KnownSecret;
use super::secrets::{ShownSecret, commands, queries};
use crate::App;
use crate::accounts::{Staff, on, to};
use crate::platform::answer::{answer, json};
use crate::platform::command::{Caller, Key};
use crate::platform::extract::{IdempotencyKey, PathId, PathIds, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_secrets, rotate_secret)).routes(routes!(delete_secret))
}

/// The secrets of a webhook.
#[derive(Serialize, ToSchema)]
struct DestinationSecrets {
    items: Vec<KnownSecret>,
    /// Always null: they are few enough for one page.
    #[schema(required = true)]
    next: Option<String>,
}

/// A secret that has taken over; itself shown this once, and not when the request is repeated with
/// its Idempotency-Key.
#[derive(Serialize, ToSchema)]
struct RotatedSecret {
    #[schema(minimum = 1)]
    number: i64,
    kind: super::model::SigningKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// Of `ed25519`: what the receiver verifies with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    public_key: Option<String>,
}

impl From<ShownSecret> for RotatedSecret {
    fn from(shown: ShownSecret) -> Self {
        let ShownSecret { number, kind, secret, public_key } = shown;
        Self { number, kind, secret: Some(secret), public_key }
    }
}

/// Lists the secrets that sign a webhook's messages now, newest first, without the secrets.
#[utoipa::path(
    get, path = "/api/v1/destinations/{id}/secrets", tag = "destinations",
    params(PathId),
    responses((status = 200, body = DestinationSecrets), Read), security(("token" = [])),
)]
async fn list_secrets(
    State(app): State<App>,
    _: Staff<on::Delivery, to::View>,
    PathId(id): PathId,
) -> Result<Json<DestinationSecrets>, Problem> {
    let found = super::queries::find(&app, id).await?;
    let destination = found.ok_or_else(|| Problem::not_found("destination"))?;
    let items = match destination.kind {
        DestinationKind::Webhook => queries::all(&app, id).await?,
        DestinationKind::Rest | DestinationKind::Amqp => Vec::new(),
    };
    Ok(Json(DestinationSecrets { items, next: None }))
}

/// Makes a new secret for a webhook: it signs at once, and those of its kind sign on for a while.
///
/// So receivers can change over without losing a message. The answer shows the secret, this once.
#[utoipa::path(
    post, path = "/api/v1/destinations/{id}/secrets", tag = "destinations",
    request_body = NewSecret,
    params(PathId, IdempotencyKey),
    responses((status = 201, body = RotatedSecret), Write), security(("token" = [])),
)]
async fn rotate_secret(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewSecret>,
) -> Result<Response, Problem> {
    let operation = format!("POST /api/v1/destinations/{id}/secrets");
    let key = key.map(|key| Key::new(key, &operation, &new));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let (outcome, made) = commands::rotate(&app, caller, id, new).await?;
    answer(outcome, |_| {
        let made = made.expect("what was made now is shown");
        not_stored(json(StatusCode::CREATED, &RotatedSecret::from(made.shown())))
    })
}

/// Deletes a secret of a webhook: it signs no more, from now on.
#[utoipa::path(
    delete, path = "/api/v1/destinations/{id}/secrets/{number}", tag = "destinations",
    params(
        PathId,
        ("number" = i64, Path, minimum = 1),
        IdempotencyKey,
    ),
    responses((status = 204, description = "It is deleted."), Act), security(("token" = [])),
)]
async fn delete_secret(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Delivery, to::Change>,
    ids: PathIds<2>,
    IdempotencyKey(key): IdempotencyKey,
) -> Result<Response, Problem> {
    let PathIds([id, number]) = ids;
    let operation = format!("DELETE /api/v1/destinations/{id}/secrets/{number}");
    let key = key.map(|key| Key::new(key, &operation, &()));
    let caller = Caller { account_id: Some(staff.account_id), key };
    let outcome = commands::delete(&app, caller, id, number).await?;
    answer(outcome, |()| StatusCode::NO_CONTENT.into_response())
}
