//! Logging in and out.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use serde::Deserialize;

use super::browser;
use super::form::{FormPage, FormView, Input, Wrong};
use crate::App;
use crate::accounts::sessions::{self, AnySession, Begun, COOKIE};
use crate::accounts::{By, Credentials, LoginRefused, SessionState};
use crate::baskets::{self, BASKET_COOKIE};
use crate::pages::{Frame, local_path, see_other};
use crate::platform::cookie;
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

const LOGIN: &str = "/accounts/login/";

/// Where to go afterwards.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    pub(super) next: String,
}

/// An address with the way back in its query.
pub(super) fn with_next(path: &str, next: &str) -> String {
    if next == "/" {
        return path.to_owned();
    }
    let query = serde_urlencoded::to_string([("next", next)]).expect("text can be encoded");
    format!("{path}?{query}")
}

fn page<'a>(next: &str, username: &'a str, wrong: &'a Wrong) -> FormPage<'a> {
    let inputs = vec![
        Input::text("username", "Username or e-mail", "username", username).focused(),
        Input::password("password", "Password", "current-password"),
    ];
    FormPage {
        title: "Log in",
        lead: "",
        own: "",
        form: FormView::new(LOGIN, inputs, wrong, "Log in").hidden("next", next),
        link: Some((with_next("/accounts/sign_up/", next), "No account yet? Sign up")),
    }
}

/// Where somebody who is logged in already goes on.
pub(super) fn already_in(session: &AnySession, next: &str) -> Option<Response> {
    session.0.as_ref().map(|session| match session.state {
        SessionState::Unverified => see_other(&with_next("/accounts/second_factor/", next)),
        SessionState::PasswordOnly | SessionState::Verified => see_other(next),
    })
}

pub(super) async fn form(
    frame: Frame,
    session: AnySession,
    Query(Next { next }): Query<Next>,
) -> Response {
    let next = local_path(&next);
    let page = || page(next, "", &Wrong::default()).answer(&frame);
    already_in(&session, next).unwrap_or_else(page)
}

#[derive(Deserialize)]
pub(super) struct LoginFields {
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn log_in(
    State(app): State<App>,
    frame: Frame,
    former: AnySession,
    ClientIp(client): ClientIp,
    headers: HeaderMap,
    Form(fields): Form<LoginFields>,
) -> Result<Response, Problem> {
    let credentials = Credentials {
        identifier: &fields.username,
        password: &fields.password,
        label: browser(&headers),
    };
    let next = local_path(&fields.next);
    match sessions::log_in(&app, credentials, client).await {
        Ok(begun) => {
            end(&app, &former).await?;
            Ok(go_on(&app, begun, &headers, next).await)
        }
        Err(LoginRefused::WrongCredentials) => {
            let wrong = Wrong::one("", "This name and password do not belong together.");
            Ok(page(next, &fields.username, &wrong).answer(&frame))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Gives the browser its new session: on to where it wanted to be, or first to the second factor.
pub(super) async fn go_on(app: &App, begun: Begun, headers: &HeaderMap, next: &str) -> Response {
    let mut response = match begun.state {
        SessionState::Unverified => see_other(&with_next("/accounts/second_factor/", next)),
        SessionState::PasswordOnly | SessionState::Verified => {
            let mut response = see_other(next);
            take_basket(app, begun.account_id, headers, &mut response).await;
            response
        }
    };
    response.headers_mut().append(SET_COOKIE, begun.cookie);
    response
}

/// Puts the guest's basket into the account's. Whoever logs in is let in, whatever becomes of it.
pub(super) async fn take_basket(
    app: &App,
    account: i64,
    headers: &HeaderMap,
    response: &mut Response,
) {
    let Some(token) = cookie::sent(headers, BASKET_COOKIE) else { return };
    if let Err(problem) = baskets::merge_guest(app, account, token.as_bytes()).await {
        tracing::info!(?problem, account, "a guest's basket was not merged");
        if problem.status().is_server_error() {
            // Not lost: the browser keeps it for the next time.
            return;
        }
    }
    response.headers_mut().append(SET_COOKIE, cookie::taken_away(BASKET_COOKIE));
}

#[derive(Template)]
#[template(path = "accounts/templates/logout.html")]
struct LogoutPage;

/// The address by itself changes nothing: a button does.
pub(super) async fn ask_to_log_out(frame: Frame) -> Response {
    frame.page("Log out", &LogoutPage)
}

/// Logs out; whoever is not logged in is where they wanted to be.
pub(super) async fn log_out(
    State(app): State<App>,
    session: AnySession,
) -> Result<Response, Problem> {
    end(&app, &session).await?;
    let mut response = see_other("/");
    response.headers_mut().append(SET_COOKIE, cookie::taken_away(COOKIE));
    Ok(response)
}

/// Ends the session that the browser had.
async fn end(app: &App, session: &AnySession) -> Result<(), Problem> {
    if let Some(session) = &session.0 {
        let by = By::actor(session.actor());
        // Ended by another request meanwhile: what was asked for holds.
        let _ended_now = sessions::end(app, by, session.identity.account_id, session.id).await?;
    }
    Ok(())
}
