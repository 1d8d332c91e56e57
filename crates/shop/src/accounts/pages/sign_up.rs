//! Signing up.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::browser;
use super::form::{FormPage, FormView, Input, Wrong};
use super::login::{Next, already_in, go_on, with_next};
use crate::App;
use crate::accounts::sessions::{self, AnySession};
use crate::accounts::{self, Actor, By, NewAccount};
use crate::pages::{Frame, local_path};
use crate::platform::command::Outcome;
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

#[derive(Deserialize, Default)]
pub(super) struct SignUpFields {
    username: String,
    email: String,
    /// The names that the events predecessor's form had for the two are taken as well.
    #[serde(alias = "password1")]
    password: String,
    #[serde(alias = "password2")]
    password_again: String,
    #[serde(default)]
    next: String,
}

fn page<'a>(fields: &'a SignUpFields, wrong: &'a Wrong) -> FormPage<'a> {
    let next = local_path(&fields.next);
    let username = Input::text("username", "Username", "username", &fields.username);
    let inputs = vec![
        username.hint("Letters, digits and @ . + - _").focused(),
        Input::email("email", "E-mail", &fields.email),
        Input::password("password", "Password", "new-password").hint("8 characters or more."),
        Input::password("password_again", "The password again", "new-password"),
    ];
    let form = FormView::new("/accounts/sign_up/", inputs, wrong, "Sign up");
    FormPage {
        title: "Sign up",
        lead: "An account keeps your orders and addresses together.",
        own: "",
        form: form.hidden("next", next),
        link: Some((with_next("/accounts/login/", next), "You have an account? Log in")),
    }
}

pub(super) async fn form(
    frame: Frame,
    session: AnySession,
    Query(Next { next }): Query<Next>,
) -> Response {
    let fields = SignUpFields { next, ..SignUpFields::default() };
    let page = || page(&fields, &Wrong::default()).answer(&frame);
    already_in(&session, local_path(&fields.next)).unwrap_or_else(page)
}

pub(super) async fn sign_up(
    State(app): State<App>,
    frame: Frame,
    session: AnySession,
    ClientIp(client): ClientIp,
    headers: HeaderMap,
    Form(fields): Form<SignUpFields>,
) -> Result<Response, Problem> {
    let next = local_path(&fields.next);
    if let Some(response) = already_in(&session, next) {
        return Ok(response);
    }
    if fields.password != fields.password_again {
        let wrong = Wrong::one("password_again", "The two passwords are not the same.");
        return Ok(page(&fields, &wrong).answer(&frame));
    }
    let new = NewAccount {
        username: fields.username.trim().to_owned(),
        email: fields.email.trim().to_owned(),
        password: Some(fields.password.clone()),
        ..NewAccount::default()
    };
    match accounts::sign_up(&app, By::actor(Actor::Nobody), new).await? {
        Outcome::Accepted(account) => {
            let begun = sessions::begin_new(&app, account.id, browser(&headers), client).await?;
            Ok(go_on(&app, begun, &headers, next).await)
        }
        Outcome::Refused(refused) => {
            let wrong = Wrong::account(refused)?;
            Ok(page(&fields, &wrong).answer(&frame))
        }
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}
