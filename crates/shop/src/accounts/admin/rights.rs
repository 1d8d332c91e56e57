//! What a member of staff may do: a box for each capability and verb, for superusers to tick.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use crate::App;
use crate::accounts::{
    By, Capability, Permission, Permissions, Rights, Role, StaffSession, Verb, Wanted, queries,
    rights, set_permissions,
};
use crate::admin::table::settled;
use crate::pages::{Frame, see_other};
use crate::platform::etag::IfMatch;
use crate::platform::extract::parse_id;
use crate::platform::form::{Form, Pairs};
use crate::platform::problem::Problem;

pub(crate) fn pages() -> Router<App> {
    Router::new().route("/admin/accounts/{id}/permissions", get(show).post(save))
}

/// A row of boxes.
#[derive(Clone)]
struct Part {
    name: &'static str,
    /// Each verb with the permission's name, and whether it is given.
    boxes: Vec<(&'static str, String, bool)>,
}

#[derive(Template)]
#[template(path = "accounts/templates/rights.html")]
struct RightsPage {
    id: i64,
    username: String,
    is_staff: bool,
    restricted: bool,
    verbs: Vec<&'static str>,
    parts: Vec<Part>,
    version: i64,
    problem: Option<String>,
}

impl RightsPage {
    fn new(username: String, rights: &Rights, given: Permissions) -> Self {
        let boxes = |capability: Capability| {
            let of = |verb: Verb| {
                let permission = Permission(capability, verb);
                (verb.as_str(), permission.to_string(), given.contains(permission))
            };
            Part { name: capability.as_str(), boxes: Verb::ALL.map(of).to_vec() }
        };
        Self {
            id: rights.account_id,
            username,
            is_staff: rights.role == Role::Staff,
            restricted: rights.restricted,
            verbs: Verb::ALL.map(Verb::as_str).to_vec(),
            parts: Capability::ALL.map(boxes).to_vec(),
            version: rights.version,
            problem: None,
        }
    }
}

/// The account's page of boxes, as it is; for superusers only.
async fn page(app: &App, session: &StaffSession, id: &str) -> Result<RightsPage, Problem> {
    if session.0.identity.role != Role::Superuser {
        return Err(Problem::forbidden().detail("Only superusers set permissions."));
    }
    let id = parse_id(id).ok_or_else(|| Problem::not_found("account"))?;
    let account = queries::account(app, id).await?;
    let found = account.zip(rights(app, id).await?);
    let (account, rights) = found.ok_or_else(|| Problem::not_found("account"))?;
    let given = rights.permissions.iter().filter_map(|name| name.parse::<Permission>().ok());
    Ok(RightsPage::new(account.username, &rights, given.collect()))
}

async fn show(
    State(app): State<App>,
    frame: Frame,
    session: StaffSession,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(frame.page("Permissions", &page(&app, &session, &id).await?))
}

async fn save(
    State(app): State<App>,
    frame: Frame,
    session: StaffSession,
    Path(id): Path<String>,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    let mut page = page(&app, &session, &id).await?;
    let value = |wanted: &str| {
        posted.iter().rev().find(|(name, _)| name == wanted).map_or("", |(_, value)| value)
    };
    let ticked = posted.iter().filter(|(name, _)| name == "may");
    let given: Permissions =
        ticked.filter_map(|(_, name)| name.parse::<Permission>().ok()).collect();
    let restricted = value("restricted") == "true";
    let wanted = if restricted { Wanted::Only(given) } else { Wanted::Everything };
    // A form without a version is nobody's; no row has this one.
    let if_match = IfMatch::OneOf(vec![value("version").parse().unwrap_or(0)]);
    let by = By { if_match, ..By::actor(session.0.actor()) };
    match settled(set_permissions(&app, by, page.id, wanted).await?, Problem::from) {
        Ok(_) => Ok(see_other(&format!("/admin/accounts/{}/?done=changed", page.id))),
        Err(problem) if problem.status().is_client_error() => {
            page.problem = Some(problem.words().to_owned());
            page.restricted = restricted;
            for (_, name, ticked) in page.parts.iter_mut().flat_map(|part| &mut part.boxes) {
                *ticked = name.parse().is_ok_and(|permission| given.contains(permission));
            }
            Ok(frame.page_with(StatusCode::CONFLICT, "Permissions", &page))
        }
        Err(problem) => Err(problem),
    }
}
