//! Stock over HTTP: staff only.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use runout_core::ids::{AccountId, LocationId, VariantId};
use runout_core::stock::{
    Adjust, Asked, Change, Command, MoveOutcome, MoveRefusal, ON_HAND_MAX, Outcome, Receive,
    Remembered, Transfer,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::locations::{AddLocation, ChangeLocation, is_taken};
use super::queries::{self, MovementOut};
use super::store::MOVED_STATUS;
use super::{LevelOut, Location, Moved};
use crate::App;
use crate::accounts::{Identity, Staff, on, to};
use crate::orders::undecided;
use crate::platform::answer::{IDEMPOTENCY_REPLAYED, key_reused, replayed};
use crate::platform::command::{Caller, Key, Outcome as Ran};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{IdempotencyKey, PathId, Valid};
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::{FieldError, Problem};
use crate::platform::responses::{Read, Write};

const REASON_CHARS_MAX: usize = 500;
const PRIORITY_MAX: i64 = 1_000_000;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_locations, add_location))
        .routes(routes!(one_location, change_location))
        .routes(routes!(levels))
        .routes(routes!(movements))
        .routes(routes!(receive))
        .routes(routes!(adjust))
        .routes(routes!(transfer))
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLocation {
    /// A short name for imports: letters, digits, `-` and `_`.
    #[garde(length(min = 1, max = 50), custom(plain_code))]
    #[schema(min_length = 1, max_length = 50, pattern = "^[A-Za-z0-9_-]+$")]
    pub code: String,
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Sales take from the lowest number first; 100 if absent.
    #[garde(range(min = 0, max = PRIORITY_MAX))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub priority: Option<i64>,
    #[garde(skip)]
    pub active: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LocationChange {
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    #[garde(range(min = 0, max = PRIORITY_MAX))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub priority: Option<i64>,
    #[garde(skip)]
    pub active: Option<bool>,
}

impl NewLocation {
    pub(super) fn into_command(self) -> AddLocation {
        let Self { code, name, priority, active } = self;
        let (priority, active) = (priority.unwrap_or(100), active.unwrap_or(true));
        AddLocation { code, name, priority, active }
    }
}

pub(super) fn code_taken() -> Problem {
    let detail = "Another location has this code.";
    let errors = vec![FieldError::new("/code", "taken", detail)];
    Problem::conflict("code_taken", detail).errors(errors)
}

/// What a location's code may look like.
fn plain_code(code: &str, (): &()) -> garde::Result {
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain { Ok(()) } else { Err(garde::Error::new("only letters, digits, - and _")) }
}

/// Goods that came in.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReceipt {
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub variant_id: i64,
    /// The first place that sales take from, if absent.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub location_id: Option<i64>,
    #[garde(range(min = 1, max = ON_HAND_MAX))]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub quantity: i64,
    #[garde(length(chars, max = REASON_CHARS_MAX))]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A correction: one of `delta` (more or fewer on the shelf), `on_hand` (counted there) and
/// `available` (to be for sale).
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAdjustment {
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    variant_id: i64,
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    location_id: Option<i64>,
    #[garde(range(min = -ON_HAND_MAX, max = ON_HAND_MAX))]
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    delta: Option<i64>,
    #[garde(range(min = 0, max = ON_HAND_MAX))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    on_hand: Option<i64>,
    #[garde(range(min = 0, max = ON_HAND_MAX))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    available: Option<i64>,
    /// Why: it stands in the ledger for ever.
    #[garde(length(chars, min = 1, max = REASON_CHARS_MAX))]
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTransfer {
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    variant_id: i64,
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    from_location_id: i64,
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    to_location_id: i64,
    #[garde(range(min = 1, max = ON_HAND_MAX))]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: i64,
    #[garde(length(chars, max = REASON_CHARS_MAX))]
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl NewAdjustment {
    fn change(&self) -> Result<Change, Problem> {
        match (self.delta, self.on_hand, self.available) {
            (Some(delta), None, None) => Ok(Change::By(delta)),
            (None, Some(counted), None) => Ok(Change::OnHand(counted)),
            (None, None, Some(available)) => Ok(Change::Available(available)),
            _ => {
                let detail = "Give one of delta, on_hand and available.";
                Err(Problem::validation(vec![FieldError::new("", "one_of", detail)]))
            }
        }
    }
}

/// Lists locations, in the order in which sales take from them.
#[utoipa::path(
    get, path = "/api/v1/locations", tag = "stock", params(ListParams),
    responses((status = 200, body = Page<Location>), Read), security(("token" = [])),
)]
async fn list_locations(
    State(app): State<App>,
    _: Staff<on::Stock, to::View>,
    uri: Uri,
) -> Result<Json<Page<Location>>, Problem> {
    let list = ListRequest::from_uri(&queries::LOCATIONS, &uri)?;
    Ok(Json(queries::locations(&app.db, &list).await?))
}

/// Adds a location.
#[utoipa::path(
    post, path = "/api/v1/locations", tag = "stock", request_body = NewLocation,
    params(IdempotencyKey),
    responses((status = 201, body = Location), Write), security(("token" = [])),
)]
async fn add_location(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Stock, to::Create>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewLocation>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/locations", &new));
    let command = new.into_command();
    let caller = Caller { account_id: Some(staff.account_id), key };
    match app.run(caller, command).await {
        Ok(Ran::Accepted(location)) => Ok((StatusCode::CREATED, Json(location)).into_response()),
        Ok(Ran::Replayed { status, body }) => Ok(replayed(status, body.get())),
        Ok(Ran::KeyReused) => Err(key_reused()),
        Ok(Ran::Refused(never)) => match never {},
        Err(error) if is_taken(&error) => Err(code_taken()),
        Err(error) => Err(error.into()),
    }
}

/// One location.
#[utoipa::path(
    get, path = "/api/v1/locations/{id}", tag = "stock", params(PathId),
    responses((status = 200, body = Location), Read), security(("token" = [])),
)]
async fn one_location(
    State(app): State<App>,
    _: Staff<on::Stock, to::View>,
    PathId(id): PathId,
) -> Result<Json<Location>, Problem> {
    let location = queries::find_location(&app.db, id).await?;
    location.map(Json).ok_or_else(|| Problem::not_found("location"))
}

/// Renames a location, changes its priority, or takes it out of sales.
#[utoipa::path(
    patch, path = "/api/v1/locations/{id}", tag = "stock", request_body = LocationChange,
    params(PathId),
    responses((status = 200, body = Location), Write), security(("token" = [])),
)]
async fn change_location(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Stock, to::Change>,
    PathId(id): PathId,
    Valid(change): Valid<LocationChange>,
) -> Result<Json<Location>, Problem> {
    let LocationChange { name, priority, active } = change;
    let caller = Caller { account_id: Some(staff.account_id), key: None };
    match app
        .run(caller, ChangeLocation { id, name, priority, active, if_match: IfMatch::Any })
        .await?
    {
        Ran::Accepted(location) => Ok(Json(location)),
        _ => Err(Problem::not_found("location")),
    }
}

/// Lists stock levels: one per variant and location that ever had stock.
#[utoipa::path(
    get, path = "/api/v1/stock/levels", tag = "stock", params(ListParams),
    responses((status = 200, body = Page<LevelOut>), Read), security(("token" = [])),
)]
async fn levels(
    State(app): State<App>,
    _: Staff<on::Stock, to::View>,
    uri: Uri,
) -> Result<Json<Page<LevelOut>>, Problem> {
    let list = ListRequest::from_uri(&queries::LEVELS, &uri)?;
    Ok(Json(queries::levels(&app.db, &list).await?))
}

/// Lists the ledger: every change of every level, with its cause. Level by level, newest first.
#[utoipa::path(
    get, path = "/api/v1/stock/movements", tag = "stock", params(ListParams),
    responses((status = 200, body = Page<MovementOut>), Read), security(("token" = [])),
)]
async fn movements(
    State(app): State<App>,
    _: Staff<on::Stock, to::View>,
    uri: Uri,
) -> Result<Json<Page<MovementOut>>, Problem> {
    let list = ListRequest::from_uri(&queries::MOVEMENTS, &uri)?;
    Ok(Json(queries::movements(&app.db, &list).await?))
}

/// Takes goods in.
#[utoipa::path(
    post, path = "/api/v1/stock/receipts", tag = "stock", request_body = NewReceipt,
    params(IdempotencyKey),
    responses((status = 201, body = Moved), Write), security(("token" = [])),
)]
async fn receive(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Stock, to::Change>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewReceipt>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/stock/receipts", &new));
    let command = Command::Receive(Receive {
        variant: VariantId(new.variant_id),
        location: location_or_default(&app, new.location_id).await?,
        quantity: new.quantity,
        actor: Some(AccountId(staff.account_id)),
        reason: new.reason,
    });
    move_stock(&app, &staff, command, key).await
}

/// Corrects a level, with a reason.
#[utoipa::path(
    post, path = "/api/v1/stock/adjustments", tag = "stock", request_body = NewAdjustment,
    params(IdempotencyKey),
    responses((status = 201, body = Moved), Write), security(("token" = [])),
)]
async fn adjust(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Stock, to::Change>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewAdjustment>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/stock/adjustments", &new));
    let command = Command::Adjust(Adjust {
        variant: VariantId(new.variant_id),
        location: location_or_default(&app, new.location_id).await?,
        change: new.change()?,
        actor: AccountId(staff.account_id),
        reason: new.reason,
    });
    move_stock(&app, &staff, command, key).await
}

/// Moves free stock from one location to another.
#[utoipa::path(
    post, path = "/api/v1/stock/transfers", tag = "stock", request_body = NewTransfer,
    params(IdempotencyKey),
    responses((status = 201, body = Moved), Write), security(("token" = [])),
)]
async fn transfer(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Stock, to::Change>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewTransfer>,
) -> Result<Response, Problem> {
    let key = key.map(|key| Key::new(key, "POST /api/v1/stock/transfers", &new));
    let command = Command::Transfer(Transfer {
        variant: VariantId(new.variant_id),
        from: LocationId(new.from_location_id),
        to: LocationId(new.to_location_id),
        quantity: new.quantity,
        actor: AccountId(staff.account_id),
        reason: new.reason,
    });
    move_stock(&app, &staff, command, key).await
}

pub(super) async fn location_or_default(app: &App, id: Option<i64>) -> Result<LocationId, Problem> {
    match id {
        Some(id) => Ok(LocationId(id)),
        None => Ok(LocationId(queries::default_location(&app.db).await?)),
    }
}

async fn move_stock(
    app: &App,
    staff: &Identity,
    command: Command,
    key: Option<Key>,
) -> Result<Response, Problem> {
    let key = crate::orders::core_key(AccountId(staff.account_id).into(), key);
    let answer = app.stock.ask(Asked { command, key }).await.map_err(undecided)?;
    match answer.outcome {
        Outcome::Move(MoveOutcome::Moved(levels)) => {
            let body = Json(Moved::from(levels.as_slice()));
            let mut response = (StatusCode::CREATED, body).into_response();
            if answer.replayed {
                response
                    .headers_mut()
                    .insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
            }
            Ok(response)
        }
        Outcome::Move(MoveOutcome::Refused(refusal)) => Err(refused(&refusal)),
        Outcome::Replayed(Remembered::Answer { body, .. }) => Ok(replayed(MOVED_STATUS, &body)),
        _ => Err(key_reused()),
    }
}

/// The problem that a refused movement is to a client.
pub(crate) fn refused(refusal: &MoveRefusal) -> Problem {
    match refusal {
        MoveRefusal::UnknownVariant(id) => {
            Problem::not_found("variant").detail(format!("There is no variant {id}."))
        }
        MoveRefusal::UnknownLocation(id) => {
            Problem::not_found("location").detail(format!("There is no location {id}."))
        }
        MoveRefusal::SameLocation => {
            let detail = "A transfer goes from one location to another.";
            Problem::conflict("same_location", detail)
        }
        MoveRefusal::Quantity(quantity) => {
            let detail = format!("A quantity is 1 to {ON_HAND_MAX}, not {quantity}.");
            Problem::validation(vec![FieldError::new("/quantity", "range", detail)])
        }
        MoveRefusal::TooMuch => {
            let detail = format!("One level holds {ON_HAND_MAX} units at most.");
            Problem::conflict("too_much", detail)
        }
        MoveRefusal::BelowReserved { reserved, would_be } => {
            let detail = format!(
                "{reserved} units are promised to orders, so {would_be} cannot be on hand: \
                 cancel orders first."
            );
            Problem::conflict("below_reserved", detail).with("reserved", reserved)
        }
        MoveRefusal::Short { requested, available } => {
            let detail = format!("{requested} are asked for, {available} are free there.");
            Problem::conflict("out_of_stock", detail).with("available", available)
        }
    }
}
