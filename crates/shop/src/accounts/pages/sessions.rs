//! Where one is logged in: sessions of browsers, tokens of programs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::App;
use crate::accounts::queries::{self, OpenSession, Token};
use crate::accounts::{self, By, SignedIn, sessions};
use crate::pages::{Frame, see_other};
use crate::platform::extract::PathId;
use crate::platform::problem::Problem;

const PLACE: &str = "/account/sessions";

#[derive(Template)]
#[template(path = "accounts/templates/sessions.html")]
struct SessionsPage {
    sessions: Vec<OpenSession>,
    tokens: Vec<Token>,
}

impl SessionsPage {
    fn browser(&self, named: &str) -> String {
        browser_name(named)
    }
}

/// Names in what browsers call themselves, the telling ones first: Edge and Opera also say Chrome,
/// Chrome also says Safari.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// What a browser calls itself, for a person; as it came if it is none of those that are known.
fn browser_name(named: &str) -> String {
    let found = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| named.contains(mark)).map(|(_, name)| *name)
    };
    match (found(&BROWSERS), found(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => named.to_owned(),
    }
}

pub(super) async fn list(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
) -> Result<Response, Problem> {
    let sessions = queries::sessions(&app, &session).await?;
    let tokens = queries::tokens(&app, session.identity.account_id, None).await?;
    Ok(frame.page("Where I am logged in", &SessionsPage { sessions, tokens }))
}

pub(super) async fn end(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let by = By::actor(session.actor());
    match sessions::end(&app, by, session.identity.account_id, id).await? {
        true => Ok(see_other(PLACE)),
        false => Err(Problem::not_found("session")),
    }
}

pub(super) async fn end_others(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Response, Problem> {
    sessions::end_others(&app, &session).await?;
    Ok(see_other(PLACE))
}

pub(super) async fn revoke(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let by = By::actor(session.actor());
    match accounts::revoke_token(&app, by, session.identity.account_id, id).await? {
        true => Ok(see_other(PLACE)),
        false => Err(Problem::not_found("token")),
    }
}

#[cfg(test)]
mod tests {
    use super::browser_name;

    #[test]
    fn browsers_are_recognised_by_their_most_telling_name() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (named, shown) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Firefox/133.0", "Firefox on Linux"),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/131 Safari/537 Edg/131"),
                "Edge on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Linux; Android 15) {webkit} Chrome/131 Mobile Safari/537"),
                "Chrome on Android",
            ),
            (
                &format!("Mozilla/5.0 (iPhone; like Mac OS X) {webkit} Version/18 Safari/604"),
                "Safari on iPhone",
            ),
            ("curl/8.5", "curl"),
            ("<b>", "<b>"),
        ] {
            assert_eq!(browser_name(named), shown, "{named}");
        }
    }
}
