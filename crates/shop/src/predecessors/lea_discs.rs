//! Lea's discs: products of the kind `disc`, each in its default variant.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use garde::Validate;
use runout_core::ids::{AccountId, LocationId, VariantId};
use runout_core::stock::{
    Adjust, Asked, Change, Command, MoveOutcome, ON_HAND_MAX, Outcome as Decided, Receive,
};
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::fields::{Names, Whole, checked, stock_schema, within, year_schema};
use super::lea::{ArrayParams, Stored, array, list_request, written};
use crate::App;
use crate::accounts::{Capability, Identity, MaybeIdentity, Staff, Verb, on, to};
use crate::catalog::input::{NewProduct, ProductPatch};
use crate::catalog::list::{self, Search};
use crate::catalog::model::{Kind, Product};
use crate::catalog::products::{self, CreateProduct, UpdateProduct};
use crate::catalog::queries::{self, DISCS_ONLY, PREDECESSOR_DISCS, Sight, View};
use crate::catalog::{refused, sight};
use crate::orders::{core_key, undecided};
use crate::platform::answer::key_reused;
use crate::platform::command::{Caller, Key, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::extract::{FilterBody, IdempotencyKey, PathId, Valid};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, PublicRead, Write};
use crate::pricing::NewPrice;
use crate::stock;

/// Our names of a disc's fields, and Lea's.
const NAMES: &Names = &[("title", "name")];
/// What a disc costs that comes without a price: Lea had none, and its discs could be ordered.
const NO_PRICE: &str = "0";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_disc))
        .routes(routes!(get_disc))
        .routes(routes!(put_disc))
        .routes(routes!(delete_disc))
        .route("/ecommerce/create_disc/", post(create_disc))
        .route("/ecommerce/get_disc/", get(get_disc))
        .route("/ecommerce/put_disc/{id}/", put(put_disc))
        .route("/ecommerce/delete_disc/{id}/", delete(delete_disc))
}

/// A disc to add.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = LeaNewDisc)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewDisc {
    #[schema(min_length = 1, max_length = 300, example = "We are Reactive")]
    name: String,
    #[schema(max_length = 300, example = "Hohpe")]
    artist: String,
    #[schema(schema_with = year_schema)]
    release_year: Whole,
    #[schema(max_length = 300, example = "Indie")]
    style: String,
    /// Units for sale.
    #[garde(custom(within(0, ON_HAND_MAX)))]
    #[schema(schema_with = stock_schema)]
    amount: Whole,
    /// In the shop's currency, as decimal text; 0 if absent.
    #[serde(default)]
    #[schema(example = "12.50", pattern = r"^[0-9]{1,10}(\.[0-9]{1,2})?$")]
    price: Option<String>,
}

/// A disc's fields, all of them.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = LeaDiscChange)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct DiscChange {
    #[schema(min_length = 1, max_length = 300)]
    name: String,
    #[schema(max_length = 300)]
    artist: String,
    #[schema(schema_with = year_schema)]
    release_year: Whole,
    #[schema(max_length = 300)]
    style: String,
    /// Units that shall be for sale.
    #[garde(custom(within(0, ON_HAND_MAX)))]
    #[schema(schema_with = stock_schema)]
    amount: Whole,
}

impl NewDisc {
    fn product(&self, app: &App) -> NewProduct {
        let price = NewPrice {
            currency: app.currency.code().to_owned(),
            amount: Some(self.price.clone().unwrap_or_else(|| NO_PRICE.to_owned())),
            amount_minor: None,
            effective_from: None,
        };
        NewProduct {
            kind: Kind::Disc,
            title: self.name.clone(),
            artist: self.artist.clone(),
            release_year: Some(self.release_year.0),
            style: self.style.clone(),
            price: Some(price),
            ..NewProduct::default()
        }
    }
}

impl DiscChange {
    fn patch(&self) -> ProductPatch {
        ProductPatch {
            title: Some(self.name.clone()),
            artist: Some(Some(self.artist.clone())),
            release_year: Some(Some(self.release_year.0)),
            style: Some(Some(self.style.clone())),
            ..ProductPatch::default()
        }
    }
}

/// A disc.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeaDisc)]
struct Disc {
    #[schema(minimum = 1)]
    id: i64,
    name: String,
    artist: String,
    /// Four digits.
    #[schema(required = true, example = "2024")]
    release_year: Option<String>,
    style: String,
    /// Units for sale.
    #[schema(minimum = 0)]
    amount: i64,
    /// In the shop's currency. Lea knew no prices.
    #[schema(required = true, example = "12.50")]
    price: Option<String>,
}

impl From<Product> for Disc {
    fn from(product: Product) -> Self {
        // The default variant comes first.
        let variant = product.variants.first();
        let price = variant.and_then(|variant| variant.price);
        Self {
            id: product.id,
            name: product.fields.title,
            artist: product.fields.artist,
            release_year: product.fields.release_year.map(|year| format!("{year:04}")),
            style: product.fields.style,
            amount: variant.map_or(0, |variant| variant.available),
            price: price.map(|tag| tag.money().to_string()),
        }
    }
}

/// Lookups on discs, for the API's description.
struct DiscLookups;

impl IntoParams for DiscLookups {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        PREDECESSOR_DISCS.params()
    }
}

fn view(app: &App) -> View {
    View { currency: app.currency, now: app.clock.now() }
}

fn no_disc() -> Problem {
    Problem::not_found("disc")
}

/// A disc, as staff see it.
async fn find(app: &App, id: i64) -> Result<Product, Problem> {
    let found = queries::find(app, id, Sight::Staff, view(app)).await?;
    found.filter(|product| product.fields.kind == Kind::Disc).ok_or_else(no_disc)
}

fn default_variant(product: &Product) -> Result<VariantId, Problem> {
    product.variants.first().map(|variant| VariantId(variant.id)).ok_or_else(no_disc)
}

/// The key of the second half of a request. It has a space in it, which a client's cannot have.
fn key_of_stock(key: Option<&Key>) -> Option<Key> {
    key.map(|key| Key { key: format!("stock of {}", key.key), fingerprint: key.fingerprint })
}

async fn move_stock(
    app: &App,
    staff: &Identity,
    command: Command,
    key: Option<Key>,
) -> Result<(), Problem> {
    let key = core_key(AccountId(staff.account_id).into(), key);
    let answer = app.stock.ask(Asked { command, key }).await.map_err(undecided)?;
    match answer.outcome {
        Decided::Move(MoveOutcome::Moved(_)) | Decided::Replayed(_) => Ok(()),
        Decided::Move(MoveOutcome::Refused(why)) => Err(stock::refused(&why)),
        _ => Err(key_reused()),
    }
}

/// Lea: adds a disc with its stock.
///
/// It is stored in two steps: the disc with its price, then its stock. When the second fails, the
/// answer names the disc; repeated under the same Idempotency-Key the request makes no other disc
/// and does what is left.
#[utoipa::path(
    post, path = "/ecommerce/create_disc", tag = "predecessors",
    operation_id = "lea_create_disc", request_body = NewDisc,
    params(IdempotencyKey),
    responses((status = 201, body = Disc), Write), security(("token" = [])),
)]
async fn create_disc(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Create>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(new): Valid<NewDisc>,
) -> Result<Response, Problem> {
    if new.amount.0 > 0 {
        staff.require(Capability::Stock, Verb::Change)?;
    }
    let product = new.product(&app);
    checked(&product, NAMES)?;
    let key = key.map(|key| Key::new(key, "POST /ecommerce/create_disc", &new));
    let caller = Caller { account_id: Some(staff.account_id), key: key.clone() };
    let (fields, variants) = (product.fields(), product.variants());
    let created_by = caller.account_id;
    let command = CreateProduct { fields, variants, view: view(&app), created_by };
    let (id, replayed) = match products::create(&app, caller, command).await? {
        Outcome::Accepted(product) => (product.id, false),
        Outcome::Replayed { body, .. } => (Stored::read(&body)?.id, true),
        Outcome::KeyReused => return Err(key_reused()),
        Outcome::Refused(why) => return Err(refused(why)),
    };
    if new.amount.0 > 0 {
        let stored = receive(&app, &staff, id, new.amount.0, key_of_stock(key.as_ref())).await;
        stored.map_err(|problem| problem.with("disc", id))?;
    }
    Ok(written(StatusCode::CREATED, &Disc::from(find(&app, id).await?), replayed))
}

/// The stock that a new disc begins with.
async fn receive(
    app: &App,
    staff: &Identity,
    disc: i64,
    quantity: i64,
    key: Option<Key>,
) -> Result<(), Problem> {
    let variant = default_variant(&find(app, disc).await?)?;
    let location = LocationId(stock::queries::default_location(&app.db).await?);
    let actor = AccountId(staff.account_id);
    let reason = Some("create_disc".to_owned());
    let receive = Receive { variant, location, quantity, actor: Some(actor), reason };
    move_stock(app, staff, Command::Receive(receive), key).await
}

/// Lea: finds discs.
///
/// Lookups stand in the query or in the body, a JSON object such as `{"artist": "Hohpe",
/// "release_year__gte": "2020"}`: `__gte`, `__lte`, `__gt`, `__lt`, `__in` (an array, or text with
/// commas) and, on texts, `__contains`, `__startswith` and the like; without a suffix the value
/// must be equal. At most `limit` discs come; Link and X-Next-Cursor tell how to go on.
#[utoipa::path(
    get, path = "/ecommerce/get_disc", tag = "predecessors", operation_id = "lea_get_disc",
    params(ArrayParams, DiscLookups),
    responses(
        (status = 200, body = Vec<Disc>, headers(
            ("Link" = String, description = "The next page, `rel=\"next\"`, if there is one."),
            ("X-Next-Cursor" = String, description = "The next page's cursor, if there is one."),
        )),
        PublicRead,
    ),
    security((), ("token" = [])),
)]
async fn get_disc(
    State(app): State<App>,
    MaybeIdentity(identity): MaybeIdentity,
    uri: Uri,
    FilterBody(body): FilterBody,
) -> Result<Response, Problem> {
    let mut request = list_request(&PREDECESSOR_DISCS, &uri, &body)?;
    request.filters.add_text(DISCS_ONLY, "kind", Kind::Disc.name())?;
    let sight = sight(identity.as_ref(), false)?;
    let page = list::page(&app, &request, &Search::default(), sight, view(&app)).await?;
    Ok(array(&page.map(Disc::from), &uri))
}

/// Lea: changes a disc, and how much of it is for sale.
///
/// Two steps, as with create_disc; repeating the request is safe with or without a key.
#[utoipa::path(
    put, path = "/ecommerce/put_disc/{id}", tag = "predecessors", operation_id = "lea_put_disc",
    request_body = DiscChange,
    params(PathId, IdempotencyKey),
    responses((status = 200, body = Disc), Write), security(("token" = [])),
)]
async fn put_disc(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Change>,
    PathId(id): PathId,
    IdempotencyKey(key): IdempotencyKey,
    Valid(change): Valid<DiscChange>,
) -> Result<Response, Problem> {
    staff.require(Capability::Stock, Verb::Change)?;
    let patch = change.patch();
    checked(&patch, NAMES)?;
    let variant = default_variant(&find(&app, id).await?)?;
    let set = to_be_for_sale(&app, &staff, variant, change.amount.0).await?;
    let operation = format!("PUT /ecommerce/put_disc/{id}");
    let key = key.map(|key| Key::new(key, &operation, &change));
    let caller = Caller { account_id: Some(staff.account_id), key: key.clone() };
    let command = UpdateProduct { id, patch, if_match: IfMatch::Any, view: view(&app) };
    let replayed = match products::update(&app, caller, command).await? {
        Outcome::Accepted(_) => false,
        Outcome::Replayed { .. } => true,
        Outcome::KeyReused => return Err(key_reused()),
        Outcome::Refused(why) => return Err(refused(why)),
    };
    move_stock(&app, &staff, set, key_of_stock(key.as_ref())).await?;
    Ok(written(StatusCode::OK, &Disc::from(find(&app, id).await?), replayed))
}

/// The correction after which `amount` units are for sale, over all locations: what other locations
/// have stays there. Whatever is sold from them meanwhile counts as sold after the correction.
async fn to_be_for_sale(
    app: &App,
    staff: &Identity,
    variant: VariantId,
    amount: i64,
) -> Result<Command, Problem> {
    let location = stock::queries::default_location(&app.db).await?;
    let elsewhere = stock::queries::available_elsewhere(&app.db, variant.0, location).await?;
    let here = amount - elsewhere;
    if here < 0 {
        let detail = format!("Other locations have {elsewhere} of it: correct their stock there.");
        return Err(Problem::conflict("stock_elsewhere", detail).with("elsewhere", elsewhere));
    }
    Ok(Command::Adjust(Adjust {
        variant,
        location: LocationId(location),
        change: Change::Available(here),
        actor: AccountId(staff.account_id),
        reason: "put_disc".to_owned(),
    }))
}

/// Lea: deletes a disc. It can no longer be found or bought; its sales stay.
#[utoipa::path(
    delete, path = "/ecommerce/delete_disc/{id}", tag = "predecessors",
    operation_id = "lea_delete_disc", params(PathId),
    responses((status = 200, body = Disc), Act), security(("token" = [])),
)]
async fn delete_disc(
    State(app): State<App>,
    Staff(staff, ..): Staff<on::Catalog, to::Delete>,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let disc = Disc::from(find(&app, id).await?);
    let caller = Caller { account_id: Some(staff.account_id), key: None };
    match products::delete(&app, caller, id, IfMatch::Any).await? {
        Outcome::Refused(why) => Err(refused(why)),
        _ => Ok(written(StatusCode::OK, &disc, false)),
    }
}
