//! The pages where people log in and out.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::sessions::{self, COOKIE, MaybeSession};
use super::{By, Credentials, LoginRefused};
use crate::App;
use crate::pages::{Frame, local_path, see_other};
use crate::platform::cookie;
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

/// The pages of accounts.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/accounts/login/", get(login_form).post(log_in))
        .route("/accounts/logout/", post(log_out))
}

#[derive(Template)]
#[template(path = "accounts/templates/login.html")]
struct LoginPage<'a> {
    next: &'a str,
    username: &'a str,
    refused: Option<&'a str>,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn login_form(frame: Frame, Query(Next { next }): Query<Next>) -> Response {
    let next = local_path(&next);
    frame.page("Log in", &LoginPage { next, username: "", refused: None })
}

#[derive(Deserialize)]
struct LoginFields {
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn log_in(
    State(app): State<App>,
    frame: Frame,
    ClientIp(client): ClientIp,
    headers: HeaderMap,
    Form(fields): Form<LoginFields>,
) -> Result<Response, Problem> {
    let browser = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let credentials = Credentials {
        identifier: &fields.username,
        password: &fields.password,
        label: browser.unwrap_or("unknown"),
    };
    let next = local_path(&fields.next);
    let page = |refused| LoginPage { next, username: &fields.username, refused: Some(refused) };
    match sessions::log_in(&app, credentials, client).await {
        Ok(begun) => {
            let mut response = see_other(next);
            response.headers_mut().append(SET_COOKIE, begun.cookie);
            Ok(response)
        }
        Err(LoginRefused::WrongCredentials) => {
            let page = page("This name and password do not belong together.");
            Ok(frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, "Log in", &page))
        }
        Err(LoginRefused::Throttled { retry_after }) => {
            let page = page("Too many wrong passwords. Wait a little, then try again.");
            let mut response = frame.page_with(StatusCode::TOO_MANY_REQUESTS, "Log in", &page);
            response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
            Ok(response)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Logs out; whoever is not logged in is where they wanted to be.
async fn log_out(
    State(app): State<App>,
    MaybeSession(session): MaybeSession,
) -> Result<Response, Problem> {
    if let Some(session) = session {
        let by = By::actor(session.actor());
        // Ended by another request meanwhile: what was asked for holds.
        let _ended_now = sessions::end(&app, by, session.identity.account_id, session.id).await?;
    }
    let mut response = see_other("/");
    response.headers_mut().append(SET_COOKIE, cookie::taken_away(COOKIE));
    Ok(response)
}
