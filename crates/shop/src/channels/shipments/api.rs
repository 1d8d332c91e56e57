//! Shipments over HTTP: their owners', and staff's.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::queries::{self, SHIPMENTS};
use super::{Shipment, ShipmentSummary};
use crate::App;
use crate::accounts::{Identity, Verb};
use crate::channels::access::Scope;
use crate::channels::model;
use crate::platform::extract::PathId;
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::Read;

pub(in crate::channels) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_shipments)).routes(routes!(show_shipment))
}

/// Lists shipments of one's own channels; staff see all.
#[utoipa::path(
    get, path = "/api/v1/shipments", tag = "channels",
    params(
        ListParams,
        ("channel_id" = Option<i64>, Query, minimum = 1, description = "Only of this channel."),
        ("state" = Option<model::ShipmentState>, Query, description = "Only in this state."),
        ("method" = Option<String>, Query, description = "`FBR` or `FBB`."),
        ("order_id" = Option<String>, Query, description = "Only of this order."),
        ("shipped_at__gte" = Option<String>, Query, format = DateTime,
            description = "Also with `__lt` and others."),
        ("last_event" = Option<String>, Query, description = "Also with `__in` and others."),
    ),
    responses((status = 200, body = Page<ShipmentSummary>), Read), security(("token" = [])),
)]
async fn list_shipments(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
) -> Result<Json<Page<ShipmentSummary>>, Problem> {
    let scope = Scope::of(&identity, Verb::View);
    let request = ListRequest::from_uri(&SHIPMENTS, &uri)?;
    Ok(Json(queries::page(&app, scope, &request).await?))
}

/// What a shipment is shown with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ShownWith {
    /// With the provider's words.
    #[serde(default)]
    #[param(required = false, default = false)]
    raw: bool,
}

/// One shipment with all that is known of it.
#[utoipa::path(
    get, path = "/api/v1/shipments/{id}", tag = "channels",
    params(PathId, ShownWith),
    responses((status = 200, body = Shipment), Read), security(("token" = [])),
)]
async fn show_shipment(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<Shipment>, Problem> {
    let Query(ShownWith { raw }) = Query::try_from_uri(&uri).map_err(|_| {
        Problem::bad_request("invalid_query", "The only parameter is raw: true or false.")
    })?;
    let found = queries::find(&app, Scope::of(&identity, Verb::View), id, raw).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("shipment"))
}
