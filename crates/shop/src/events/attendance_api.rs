//! Who comes, over HTTP. Names of participants are for the organiser and staff; everybody else sees
//! how many they are.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attend;
use super::edit::{Editor, EventRefused};
use super::queries::{self, ATTENDED, Attendance, Attended, PARTICIPANTS, Participant};
use crate::App;
use crate::accounts::Identity;
use crate::platform::extract::PathId;
use crate::platform::page::{ListParams, ListRequest, Page};
use crate::platform::problem::Problem;
use crate::platform::responses::{Act, Read};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show_attendance, sign_up, withdraw))
        .routes(routes!(list_participants))
        .routes(routes!(list_attended))
}

fn not_signed_up() -> Problem {
    Problem::not_found("attendance")
}

/// Whether one comes oneself; 404 if one has not signed up.
#[utoipa::path(
    get, path = "/api/v1/events/{id}/attendance", tag = "events",
    params(PathId),
    responses((status = 200, body = Attendance), Read), security(("token" = [])),
)]
async fn show_attendance(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Json<Attendance>, Problem> {
    let found = queries::attendance(&app, id, identity.account_id).await?;
    found.map(Json).ok_or_else(not_signed_up)
}

/// Signs up: one comes, or stands on the waiting list if the event is full. Again changes nothing.
///
/// Whoever waits comes as soon as it is their turn and somebody withdraws or there is more room.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/attendance", tag = "events",
    params(PathId),
    responses((status = 200, body = Attendance), Act), security(("token" = [])),
)]
async fn sign_up(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<Json<Attendance>, Problem> {
    let attendance = attend::sign_up(&app, id, identity.account_id).await?;
    attendance.map(Json).ok_or_else(not_signed_up)
}

/// Withdraws; the first of the waiting list takes the place. It is no error not to have signed up.
#[utoipa::path(
    delete, path = "/api/v1/events/{id}/attendance", tag = "events",
    params(PathId),
    responses((status = 204, description = "One does not come."), Act),
    security(("token" = [])),
)]
async fn withdraw(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    attend::withdraw(&app, id, identity.account_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists who signed up, for the organiser and staff: those who come, then the waiting list.
#[utoipa::path(
    get, path = "/api/v1/events/{id}/attendances", tag = "events",
    params(
        PathId,
        ListParams,
        ("state" = Option<String>, Query, pattern = "^(attending|waiting)$"),
    ),
    responses((status = 200, body = Page<Participant>), Read), security(("token" = [])),
)]
async fn list_participants(
    State(app): State<App>,
    identity: Identity,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Json<Page<Participant>>, Problem> {
    let request = ListRequest::from_uri(&PARTICIPANTS, &uri)?;
    let event = queries::find(&app, id).await?.ok_or(EventRefused::NotFound)?;
    if !Editor::from(&identity).may(event.summary.organiser.id) {
        return Err(EventRefused::NotYours.into());
    }
    Ok(Json(queries::participants(&app, id, &request).await?))
}

/// Lists the events that one has signed up for oneself, those that begin last first.
#[utoipa::path(
    get, path = "/api/v1/attendances", tag = "events", params(ListParams),
    responses((status = 200, body = Page<Attended>), Read), security(("token" = [])),
)]
async fn list_attended(
    State(app): State<App>,
    identity: Identity,
    uri: Uri,
) -> Result<Json<Page<Attended>>, Problem> {
    let request = ListRequest::from_uri(&ATTENDED, &uri)?;
    Ok(Json(queries::attended(&app, identity.account_id, &request).await?))
}
