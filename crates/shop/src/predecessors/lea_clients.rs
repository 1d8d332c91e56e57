//! Lea's clients: accounts of ours, under Lea's names. Their username is their e-mail address.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{Names, renamed};
use super::lea::{ArrayParams, Stored, array, list_request, written};
use crate::App;
use crate::accounts::queries::{self, PREDECESSOR_CLIENTS};
use crate::accounts::{
    self, Account, AccountPatch, AccountRefused, Actor, By, Identity, Invalid, NewAccount, Staff,
    on, to,
};
use crate::platform::answer::key_reused;
use crate::platform::command::{Key, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{FilterBody, IdempotencyKey, PathId, Valid};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Act, Read, Write};

/// Our names of an account's fields, and Lea's.
const NAMES: &Names = &[
    ("username", "email"),
    ("phone", "phone_number"),
    ("identity_document", "identity"),
    ("birth_date", "birth_day"),
];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_client))
        .routes(routes!(get_clients))
        .routes(routes!(put_client))
        .routes(routes!(delete_client))
        .route("/ecommerce/create_client/", post(create_client))
        .route("/ecommerce/get_clients/", get(get_clients))
        .route("/ecommerce/put_client/{id}/", put(put_client))
        .route("/ecommerce/delete_client/{id}/", delete(delete_client))
}

/// A client to add.
// What the fields may hold is checked in one place, by the command.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = LeaNewClient)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewClient {
    #[schema(max_length = 200, example = "Ana Souza")]
    name: String,
    /// Also the username.
    #[schema(
        min_length = 3,
        max_length = 150,
        pattern = r"^[\w.+-]+@[\w.+-]+$",
        example = "ana@example.com"
    )]
    email: String,
    #[schema(max_length = 31, pattern = r"^[0-9+./() x-]*$", example = "+55 11 91234-5678")]
    phone_number: String,
    /// Unique.
    #[schema(min_length = 1, max_length = 32, example = "52998224725")]
    identity: String,
    #[schema(format = Date, example = "1990-12-31")]
    birth_day: String,
    #[schema(min_length = 8, max_length = 128, example = "nine blue herons")]
    password: String,
}

impl NewClient {
    /// The rest, for an idempotency key's fingerprint: that is a fast hash and is stored, which a
    /// password must never be.
    fn without_password(&self) -> impl Serialize + '_ {
        (&self.name, &self.email, &self.phone_number, &self.identity, &self.birth_day)
    }

    fn into_account(self) -> NewAccount {
        NewAccount {
            username: self.email.clone(),
            email: self.email,
            password: Some(self.password),
            name: self.name,
            phone: self.phone_number,
            identity_document: Some(self.identity),
            birth_date: Some(self.birth_day),
            role: None,
        }
    }
}

/// What of a client can be changed, all of it.
#[derive(Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = LeaClientChange)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ClientChange {
    #[schema(max_length = 200)]
    name: String,
    #[schema(max_length = 31, pattern = r"^[0-9+./() x-]*$")]
    phone_number: String,
    #[schema(format = Date)]
    birth_day: String,
}

/// A client: never with a password, or its hash.
#[derive(Serialize, ToSchema)]
#[schema(as = LeaClient)]
struct Client {
    #[schema(minimum = 1)]
    id: i64,
    name: String,
    email: String,
    phone_number: String,
    #[schema(required = true)]
    identity: Option<String>,
    #[schema(required = true, format = Date)]
    birth_day: Option<String>,
    is_active: bool,
}

impl From<Account> for Client {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            email: account.email,
            phone_number: account.phone,
            identity: account.identity_document,
            birth_day: account.birth_date,
            is_active: account.active,
        }
    }
}

/// Lookups on clients, for the API's description.
struct ClientLookups;

impl IntoParams for ClientLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        PREDECESSOR_CLIENTS.params()
    }
}

/// The problem that a refusal is, in Lea's words.
fn refused(why: AccountRefused) -> Problem {
    let taken = |code, field: &str, detail: &str| {
        let error = FieldError::new(format!("/{field}"), code, detail);
        Problem::conflict(code, detail).errors(vec![error])
    };
    match why {
        AccountRefused::Invalid(wrong) => {
            let error = |invalid: Invalid| {
                let pointer = format!("/{}", renamed(NAMES, invalid.field));
                FieldError::new(pointer, "invalid", invalid.reason)
            };
            Problem::validation(wrong.into_iter().map(error).collect())
        }
        AccountRefused::UsernameTaken | AccountRefused::EmailTaken => {
            taken("email_taken", "email", "This e-mail address is taken.")
        }
        AccountRefused::IdentityTaken => {
            taken("identity_taken", "identity", "This identity belongs to another client.")
        }
        AccountRefused::NotFound => no_client(),
        other => other.into(),
    }
}

fn no_client() -> Problem {
    Problem::not_found("client")
}

async fn find(app: &App, id: i64) -> Result<Client, Problem> {
    queries::account(app, id).await?.map(Client::from).ok_or_else(no_client)
}

/// Answers a change: the client as it is now, when the change had been made before.
async fn answer(
    app: &App,
    status: StatusCode,
    outcome: Outcome<Account, AccountRefused>,
) -> Result<Response, Problem> {
    match outcome {
        Outcome::Accepted(account) => Ok(written(status, &Client::from(account), false)),
        Outcome::Replayed { body, .. } => {
            let id = Stored::read(&body)?.id;
            Ok(written(status, &find(app, id).await?, true))
        }
        Outcome::KeyReused => Err(key_reused()),
        Outcome::Refused(why) => Err(refused(why)),
    }
}

fn by(staff: &Identity, key: Option<Key>) -> By {
    By { actor: Actor::from(staff), key, if_match: IfMatch::Any }
}

/// Lea: adds a client, who logs in with the e-mail address.
#[utoipa::path(
    post, path = "/ecommerce/create_client", tag = "predecessors",
    operation_id = "lea_create_client", request_body = NewClient,
    params(IdempotencyKey),
    responses((status = 201, body = Client), Write), security(("token" = [])),
)]
async fn create_client(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Accounts, to::Create>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewClient>,
) -> Result<Response, Problem> {
    let operation = "POST /ecommerce/create_client";
    let key = key.map(|key| Key::new(key, operation, &new.without_password()));
    let outcome = accounts::sign_up(&app, by(&staff, key), new.into_account()).await?;
    answer(&app, StatusCode::CREATED, outcome).await
}

/// Lea: finds clients, active or not.
///
/// Lookups stand in the query or in the body, a JSON object, as with get_disc.
#[utoipa::path(
    get, path = "/ecommerce/get_clients", tag = "predecessors", operation_id = "lea_get_clients",
    params(ArrayParams, ClientLookups),
    responses(
        (status = 200, body = Vec<Client>, headers(
            ("Link" = String, description = "The next page, `rel=\"next\"`, if there is one."),
            ("X-Next-Cursor" = String, description = "The next page's cursor, if there is one."),
        )),
        Read,
    ),
    security(("token" = [])),
)]
async fn get_clients(
    State(app): State<App>,
    _: Staff<on::Accounts, to::View>,
    uri: Uri,
    FilterBody(body): FilterBody,
) -> Result<Response, Problem> {
    let request = list_request(&PREDECESSOR_CLIENTS, &uri, &body)?;
    let page = queries::accounts(&app, &request).await?;
    Ok(array(&page.map(Client::from), &uri))
}

/// Lea: changes a client.
#[utoipa::path(
    put, path = "/ecommerce/put_client/{id}", tag = "predecessors",
    operation_id = "lea_put_client", request_body = ClientChange,
    params(PathId, IdempotencyKey),
    responses((status = 200, body = Client), Write), security(("token" = [])),
)]
async fn put_client(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Accounts, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(change): Valid<ClientChange>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, &format!("PUT /ecommerce/put_client/{id}"), &change));
    let ClientChange { name, phone_number, birth_day } = change;
    let patch = AccountPatch {
        name: Some(name),
        phone: Some(phone_number),
        birth_date: Some(Some(birth_day)),
        ..AccountPatch::default()
    };
    let outcome = accounts::update(&app, by(&staff, key), id, patch).await?;
    answer(&app, StatusCode::OK, outcome).await
}

/// Lea: deactivates a client, who can no longer log in or order. Orders and names stay.
#[utoipa::path(
    delete, path = "/ecommerce/delete_client/{id}", tag = "predecessors",
    operation_id = "lea_delete_client", params(PathId),
    responses((status = 200, body = Client), Act), security(("token" = [])),
)]
async fn delete_client(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Accounts, to::Delete>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let outcome = accounts::deactivate(&app, by(&staff, None), id).await?;
    answer(&app, StatusCode::OK, outcome).await
}
