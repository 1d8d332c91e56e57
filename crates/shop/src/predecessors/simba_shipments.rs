//! Simba's shipments: the list, one of them, and asking for a sync.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::envelope::{Envelope, Numbered};
use crate::App;
use crate::accounts::Identity;
use crate::channels::access::Scope;
use crate::channels::commands::{self, Asking};
use crate::channels::model::ChannelState;
use crate::channels::shipments::{Shipment, ShipmentSummary, queries as shipments};
use crate::channels::{CHANNELS_PER_ACCOUNT_MAX, queries};
use crate::platform::answer::{json, key_reused};
use crate::platform::command::{Caller, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read};

/// Rows of a page.
const PAGE_SIZE: i64 = 5;
/// Characters of a shipment's number.
const REMOTE_CHARS_MAX: usize = 100;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(refresh))
        .route("/api/v1/shipment", get(list))
        .route("/api/v1/shipment/{id}", get(show))
        .route("/api/v1/shipment/refresh", post(refresh))
}

/// The provider's number of a shipment: a number, as Simba had it, if it is one.
fn number(remote_id: &str) -> Json {
    match remote_id.parse::<i64>() {
        Ok(number) if number.to_string() == remote_id => number.into(),
        _ => remote_id.into(),
    }
}

/// A shipment in the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimbaShipment)]
struct Row {
    /// The provider's number.
    #[schema(value_type = i64, example = 914_587_795)]
    shipment_id: Json,
    /// Null: it is not known yet.
    #[schema(required = true, example = "2026-11-21T14:05:00Z")]
    shipment_date: Option<String>,
}

impl From<ShipmentSummary> for Row {
    fn from(shipment: ShipmentSummary) -> Self {
        Self {
            shipment_id: number(&shipment.remote_id),
            shipment_date: shipment.shipped_at.map(|at| at.to_string()),
        }
    }
}

/// Simba: the shipments of one's own channels.
#[utoipa::path(
    get, path = "/api/v1/shipment/", tag = "predecessors", operation_id = "simba_shipments",
    params(("page" = Option<i64>, Query, minimum = 1, description = "5 shipments each.")),
    responses((status = 200, body = Envelope<Row>), Read), security(("token" = [])),
)]
async fn list(
    State(app): State<App>,
    identity: Identity,
    numbered: Numbered,
) -> Result<Response, Problem> {
    let numbered = numbered.of_size(PAGE_SIZE);
    let count = shipments::own_count(&app, identity.account_id).await?;
    let offset = numbered.offset(count)?;
    let rows = shipments::own_page(&app, identity.account_id, offset, PAGE_SIZE).await?;
    let rows = rows.into_iter().map(Row::from).collect();
    Ok(json(StatusCode::OK, &numbered.envelope(count, rows)))
}

/// What Simba wraps its answers in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimbaAnswer)]
struct Wrapped<T> {
    #[schema(example = 200)]
    status_code: u16,
    message: &'static str,
    result: T,
}

/// A shipment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimbaShipmentDetail)]
struct Detail {
    /// The provider's number.
    #[schema(value_type = i64, example = 914_587_795)]
    shipment_id: Json,
    #[schema(required = true)]
    shop_client_id: Option<String>,
    /// `FBR` or `FBB`.
    fulfilment_method: &'static str,
    #[schema(required = true)]
    shipment_date: Option<String>,
    #[schema(required = true)]
    shipment_reference: Option<String>,
    #[schema(required = true)]
    pick_up_point: Option<bool>,
    #[schema(required = true)]
    zip_code: Option<String>,
    #[schema(required = true)]
    country_code: Option<String>,
    /// The same shipment under `/api/v1/shipments`, with everything that is known of it.
    #[schema(minimum = 1)]
    id: i64,
}

impl Detail {
    fn new(shipment: Shipment, client_id: Option<String>) -> Self {
        let told = |field: &str| {
            let text = shipment.ship_to.as_ref().and_then(|to| to[field].as_str());
            text.map(str::to_owned)
        };
        let (zip_code, country_code) = (told("zip_code"), told("country"));
        Self {
            shipment_id: number(&shipment.summary.remote_id),
            shop_client_id: client_id,
            fulfilment_method: shipment.summary.method.as_str(),
            shipment_date: shipment.summary.shipped_at.map(|at| at.to_string()),
            shipment_reference: shipment.summary.reference,
            pick_up_point: shipment.pickup_point,
            zip_code,
            country_code,
            id: shipment.summary.id,
        }
    }
}

/// Simba: one shipment of one's own channels, by the provider's number.
#[utoipa::path(
    get, path = "/api/v1/shipment/{id}/", tag = "predecessors", operation_id = "simba_shipment",
    params(("id" = String, Path, max_length = 100)),
    responses((status = 200, body = Wrapped<Detail>), Read), security(("token" = [])),
)]
async fn show(
    State(app): State<App>,
    identity: Identity,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("shipment");
    if id.chars().count() > REMOTE_CHARS_MAX || id.contains('\0') {
        return Err(missing());
    }
    let scope = Scope::Of(identity.account_id);
    let own = shipments::own(&app, identity.account_id, &id).await?.ok_or_else(missing)?;
    let shipment = shipments::find(&app, scope, own, false).await?.ok_or_else(missing)?;
    let channel = queries::find(&app, scope, shipment.summary.channel_id).await?;
    let detail = Detail::new(shipment, channel.map(|channel| channel.client_id));
    let message = "Shipment fetched successfully";
    Ok(json(StatusCode::OK, &Wrapped { status_code: 200, message, result: detail }))
}

/// What was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimbaRefresh)]
struct Refresh {
    /// The channels that are synced now.
    channels: Vec<String>,
}

/// Simba: asks for a sync of one's own channels now. It goes on in the background.
#[utoipa::path(
    post, path = "/api/v1/shipment/refresh/", tag = "predecessors",
    operation_id = "simba_refresh",
    responses((status = 200, body = Wrapped<Refresh>), Act), security(("token" = [])),
)]
async fn refresh(State(app): State<App>, identity: Identity) -> Result<Response, Problem> {
    let account_id = identity.account_id;
    let own = queries::own(&app, account_id, CHANNELS_PER_ACCOUNT_MAX).await?;
    if own.is_empty() {
        let detail = "You have no shop here yet: give its credentials at /api/v1/seller/ first.";
        return Err(Problem::conflict("no_shop", detail));
    }
    // One that rests does not keep the others from being synced.
    let some_work = own.iter().any(|channel| channel.state.works());
    let rests = |state: ChannelState| some_work && !state.works();
    let mut channels = Vec::new();
    for channel in own.into_iter().filter(|channel| !rests(channel.state)) {
        let caller = Caller { account_id: Some(account_id), key: None };
        let scope = Scope::Of(account_id);
        let asked =
            commands::ask(&app, caller, scope, channel.id, Asking::Sync, IfMatch::Any).await?;
        match asked {
            Outcome::Accepted(channel) => channels.push(channel.name),
            Outcome::Refused(refused) => return Err(refused.into()),
            Outcome::Replayed { .. } | Outcome::KeyReused => return Err(key_reused()),
        }
    }
    tracing::info!(account_id, ?channels, "a sync was asked for");
    let message = "Shipment data refresh started";
    let result = Refresh { channels };
    Ok(json(StatusCode::OK, &Wrapped { status_code: 200, message, result }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_as_they_are_written() {
        for (text, json) in
            [("914587795", "914587795"), ("007", "\"007\""), ("a-1", "\"a-1\""), ("-1", "-1")]
        {
            assert_eq!(number(text).to_string(), json, "{text}");
        }
    }
}
