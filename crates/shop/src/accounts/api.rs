//! `/api/v1/accounts`.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{created, shown};
use super::{
    Account, AccountPatch, Actor, By, Identity, MaybeIdentity, NewAccount, NewPassword,
    PasswordRefused, Role, Staff, check_own_password, on, queries, to,
};
use crate::App;
use crate::platform::answer::{answer, json};
use crate::platform::command::{Key, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::request::ClientIp;
use crate::platform::responses::{Act, Read, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_up, list))
        .routes(routes!(me, update_me))
        .routes(routes!(account, update, delete))
        .routes(routes!(deactivate))
        .routes(routes!(reactivate))
}

/// A new account.
// What the fields may hold is checked in one place, by the command.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct SignUp {
    /// Letters, digits and `@ . + - _`; unique, whatever the case.
    #[schema(min_length = 1, max_length = 150, pattern = r"^[\w.@+-]+$", example = "ana")]
    username: String,
    /// Unique, whatever the case.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = r"^[^@\s]+@[^@\s]+$",
        example = "ana@example.com"
    )]
    email: String,
    /// Any characters. Not one of the most common passwords, nor the username or e-mail address.
    #[schema(min_length = 8, max_length = 128, example = "nine blue herons")]
    password: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 31, example = "+44 20 7946 0018", pattern = r"^[0-9+./() x-]*$")]
    phone: String,
    /// Unique.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 32)]
    identity_document: Option<String>,
    /// In the past.
    #[serde(default)]
    #[schema(format = Date, example = "1990-12-31")]
    birth_date: Option<String>,
    /// Only superusers give another one than `customer`.
    #[serde(default)]
    role: Option<Role>,
}

impl SignUp {
    fn into_account(self) -> NewAccount {
        NewAccount {
            username: self.username,
            email: self.email,
            password: Some(self.password),
            name: self.name,
            phone: self.phone,
            identity_document: self.identity_document,
            birth_date: self.birth_date,
            role: self.role,
        }
    }
}

/// Reads a field that is there, as `Some` even when it is null: absent means unchanged.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// What to change; a field that is absent stays, null empties it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct AccountChange {
    #[serde(default)]
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", nullable = false)]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 31, pattern = r"^[0-9+./() x-]*$")]
    phone: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32)]
    identity_document: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Date)]
    birth_date: Option<Option<String>>,
    /// Superusers only.
    #[serde(default)]
    role: Option<Role>,
    /// A new password for somebody who has lost it; ends the account's tokens. Staff reset those of
    /// customers, superusers those of staff as well.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 128, nullable = false)]
    password: Option<String>,
}

impl AccountChange {
    /// The body without its password: an idempotency key's fingerprint is a fast hash and is
    /// stored, which a password must never be.
    fn fingerprint(&self) -> impl Serialize + '_ {
        let fields = (&self.email, &self.name, &self.phone, &self.identity_document);
        (fields, &self.birth_date, self.role, self.password.is_some())
    }

    pub(super) fn into_patch(self) -> AccountPatch {
        AccountPatch {
            email: self.email,
            name: self.name.map(Option::unwrap_or_default),
            phone: self.phone.map(Option::unwrap_or_default),
            identity_document: self.identity_document,
            birth_date: self.birth_date,
            role: self.role,
            password: self.password.map(|password| NewPassword {
                password,
                checked_hash: None,
                keep_token: None,
                keep_session: None,
            }),
        }
    }
}

/// What to change of one's own account; a field that is absent stays, null empties it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct OwnChange {
    #[serde(default)]
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", nullable = false)]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 31, pattern = r"^[0-9+./() x-]*$")]
    phone: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 32)]
    identity_document: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Date)]
    birth_date: Option<Option<String>>,
    /// A new password, together with the current one. Ends every other token of the account.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 128, nullable = false)]
    password: Option<String>,
    #[serde(default)]
    #[schema(max_length = 128, nullable = false)]
    current_password: Option<String>,
}

impl OwnChange {
    /// See [`AccountChange::fingerprint`].
    fn fingerprint(&self) -> impl Serialize + '_ {
        let password = self.password.is_some();
        (&self.email, &self.name, &self.phone, &self.identity_document, &self.birth_date, password)
    }

    async fn into_patch(
        self,
        app: &App,
        identity: &Identity,
        client: ClientIp,
    ) -> Result<AccountPatch, Problem> {
        let password = match (self.password, self.current_password) {
            (None, _) => None,
            (Some(_), None) => {
                let detail = "A new password needs the current one beside it.";
                let missing = FieldError::new("/current_password", "missing", detail);
                return Err(Problem::validation(vec![missing]));
            }
            (Some(password), Some(current)) => {
                let checked = check_own_password(app, identity, &current, client.0).await;
                let checked_hash = match checked {
                    Ok(hash) => hash,
                    // The command refuses it, unless it only repeats what was done before.
                    Err(PasswordRefused::Wrong) => String::new(),
                    Err(refused) => return Err(refused.into()),
                };
                Some(NewPassword {
                    password,
                    checked_hash: Some(checked_hash),
                    keep_token: identity.token_id,
                    keep_session: None,
                })
            }
        };
        let fields = AccountChange {
            email: self.email,
            name: self.name,
            phone: self.phone,
            identity_document: self.identity_document,
            birth_date: self.birth_date,
            role: None,
            password: None,
        };
        Ok(AccountPatch { password, ..fields.into_patch() })
    }
}

fn by(identity: &Identity, key: IdempotencyKey, operation: &str, body: &impl Serialize) -> By {
    let key = key.0.map(|key| Key::new(key, operation, body));
    By { actor: identity.into(), key, if_match: IfMatch::Any }
}

/// Creates an account: one's own, or as staff somebody else's.
#[utoipa::path(
    post, path = "/api/v1/accounts", tag = "accounts", operation_id = "create_account",
    request_body = SignUp,
    params(IdempotencyKey),
    security((), ("token" = [])),
    responses(
        (status = 201, body = Account, headers(("ETag" = String), ("Location" = String))),
        Write,
    )
)]
async fn sign_up(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    key: IdempotencyKey,
    Valid(body): Valid<SignUp>,
) -> Result<Response, Problem> {
    let new = body.into_account();
    let by = match &identity {
        None => By::actor(Actor::Nobody),
        Some(identity) => by(identity, key, "POST /accounts", &new.without_password()),
    };
    answer(super::sign_up(&app, by, new).await?, |account| created(&account))
}

/// The accounts, active or not.
#[utoipa::path(
    get, path = "/api/v1/accounts", tag = "accounts", operation_id = "accounts",
    params(ListParams),
    security(("token" = [])),
    responses((status = 200, body = Page<Account>), Read)
)]
async fn list(
    State(app): State<App>,
    _staff: Staff<on::Accounts, to::View>,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&queries::ACCOUNTS, &uri)?;
    Ok(json(StatusCode::OK, &queries::accounts(&app, &request).await?))
}

/// The account that asks.
#[utoipa::path(
    get, path = "/api/v1/accounts/me", tag = "accounts", operation_id = "own_account",
    security(("token" = [])),
    responses(
        (status = 200, body = Account, headers(("ETag" = String))),
        Read,
    )
)]
async fn me(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let account = queries::account(&app, identity.account_id).await?;
    account.as_ref().map(shown).ok_or_else(Problem::unauthorized)
}

/// Changes the account that asks.
#[utoipa::path(
    patch, path = "/api/v1/accounts/me", tag = "accounts", operation_id = "update_own_account",
    request_body = OwnChange,
    params(
        IdempotencyKey,
        ("If-Match" = Option<String>, Header, description = "ETags to change only"),
    ),
    security(("token" = [])),
    responses(
        (status = 200, body = Account, headers(("ETag" = String))),
        Write,
    )
)]
async fn update_me(
    State(app): State<App>,
    identity: Identity,
    key: IdempotencyKey,
    if_match: IfMatch,
    client: ClientIp,
    Valid(body): Valid<OwnChange>,
) -> Result<Response, Problem> {
    let by = By { if_match, ..by(&identity, key, "PATCH /accounts/me", &body.fingerprint()) };
    let patch = body.into_patch(&app, &identity, client).await?;
    let outcome = super::update(&app, by, identity.account_id, patch).await?;
    answer(outcome, |account| shown(&account))
}

/// One account.
#[utoipa::path(
    get, path = "/api/v1/accounts/{id}", tag = "accounts", operation_id = "account",
    params(PathId),
    security(("token" = [])),
    responses(
        (status = 200, body = Account, headers(("ETag" = String))),
        Read,
    )
)]
async fn account(
    State(app): State<App>,
    _staff: Staff<on::Accounts, to::View>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let account = queries::account(&app, id).await?;
    account.as_ref().map(shown).ok_or_else(|| Problem::not_found("account"))
}

/// Changes an account. Staff change everybody but superusers; superusers also set roles.
#[utoipa::path(
    patch, path = "/api/v1/accounts/{id}", tag = "accounts", operation_id = "update_account",
    request_body = AccountChange,
    params(
        PathId,
        IdempotencyKey,
        ("If-Match" = Option<String>, Header, description = "ETags to change only"),
    ),
    security(("token" = [])),
    responses(
        (status = 200, body = Account, headers(("ETag" = String))),
        Write,
    )
)]
async fn update(
    State(app): State<App>,
    Staff(identity, ..): Staff<on::Accounts, to::Change>,
    PathId(id): PathId,
    key: IdempotencyKey,
    if_match: IfMatch,
    Valid(body): Valid<AccountChange>,
) -> Result<Response, Problem> {
    let by = By {
        if_match,
        ..by(&identity, key, &format!("PATCH /accounts/{id}"), &body.fingerprint())
    };
    answer(super::update(&app, by, id, body.into_patch()).await?, |account| shown(&account))
}

/// Deactivates an account: it cannot log in, and its tokens stop at once.
#[utoipa::path(
    post, path = "/api/v1/accounts/{id}/deactivate", tag = "accounts",
    operation_id = "deactivate_account",
    params(
        PathId,
        IdempotencyKey,
        ("If-Match" = Option<String>, Header, description = "ETags to change only"),
    ),
    security(("token" = [])),
    responses(
        (status = 200, body = Account, headers(("ETag" = String))),
        Act,
    )
)]
async fn deactivate(
    State(app): State<App>,
    Staff(identity, ..): Staff<on::Accounts, to::Change>,
    PathId(id): PathId,
    key: IdempotencyKey,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let operation = format!("POST /accounts/{id}/deactivate");
    let by = By { if_match, ..by(&identity, key, &operation, &()) };
    answer(super::deactivate(&app, by, id).await?, |account| shown(&account))
}

/// Lets a deactivated account log in again. Its former tokens stay revoked.
#[utoipa::path(
    post, path = "/api/v1/accounts/{id}/reactivate", tag = "accounts",
    operation_id = "reactivate_account",
    params(
        PathId,
        IdempotencyKey,
        ("If-Match" = Option<String>, Header, description = "ETags to change only"),
    ),
    security(("token" = [])),
    responses(
        (status = 200, body = Account, headers(("ETag" = String))),
        Act,
    )
)]
async fn reactivate(
    State(app): State<App>,
    Staff(identity, ..): Staff<on::Accounts, to::Change>,
    PathId(id): PathId,
    key: IdempotencyKey,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let operation = format!("POST /accounts/{id}/reactivate");
    let by = By { if_match, ..by(&identity, key, &operation, &()) };
    answer(super::reactivate(&app, by, id).await?, |account| shown(&account))
}

/// Deactivates an account, which is never deleted.
#[utoipa::path(
    delete, path = "/api/v1/accounts/{id}", tag = "accounts", operation_id = "delete_account",
    params(
        PathId,
        ("If-Match" = Option<String>, Header, description = "ETags to change only"),
    ),
    security(("token" = [])),
    responses(
        (status = 204, description = "The account is not active any more"),
        Act,
    )
)]
async fn delete(
    State(app): State<App>,
    Staff(identity, ..): Staff<on::Accounts, to::Delete>,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    // Repeating it does nothing, so it needs no idempotency key.
    let by = By { if_match, ..By::actor(Actor::from(&identity)) };
    match super::deactivate(&app, by, id).await? {
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}
