//! One's own password.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::form::{FormPage, FormView, Input, Wrong};
use super::profile::Done;
use crate::App;
use crate::accounts::{self, AccountPatch, By, NewPassword, SignedIn};
use crate::pages::{Frame, see_other};
use crate::platform::command::Outcome;
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

#[derive(Deserialize)]
pub(super) struct PasswordFields {
    current_password: String,
    password: String,
    password_again: String,
}

fn page(frame: &Frame, lead: &str, wrong: &Wrong) -> Response {
    let inputs = vec![
        Input::password("current_password", "Current password", "current-password"),
        Input::password("password", "New password", "new-password").hint("8 characters or more."),
        Input::password("password_again", "The new password again", "new-password"),
    ];
    let page = FormPage {
        title: "Change the password",
        lead,
        own: "password",
        form: FormView::new("/account/password", inputs, wrong, "Change the password"),
        link: None,
    };
    page.answer(frame)
}

const LEAD: &str = "A new password logs you out everywhere else, and ends all API tokens.";

pub(super) async fn form(frame: Frame, _: SignedIn, Query(Done { done }): Query<Done>) -> Response {
    let changed = "Your password is changed. You are logged out everywhere else.";
    page(&frame, if done.is_empty() { LEAD } else { changed }, &Wrong::default())
}

pub(super) async fn save(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<PasswordFields>,
) -> Result<Response, Problem> {
    if fields.password != fields.password_again {
        let wrong = Wrong::one("password_again", "The two passwords are not the same.");
        return Ok(page(&frame, LEAD, &wrong));
    }
    let (identity, current) = (&session.identity, &fields.current_password);
    let checked = match accounts::check_own_password(&app, identity, current, client).await {
        Ok(hash) => hash,
        Err(refused) => return Ok(page(&frame, LEAD, &Wrong::password(refused)?)),
    };
    let password = NewPassword {
        password: fields.password,
        checked_hash: Some(checked),
        keep_token: None,
        keep_session: Some(session.id),
    };
    let patch = AccountPatch { password: Some(password), ..AccountPatch::default() };
    let by = By::actor(session.actor());
    match accounts::update(&app, by, identity.account_id, patch).await? {
        Outcome::Refused(refused) => Ok(page(&frame, LEAD, &Wrong::account(refused)?)),
        _ => Ok(see_other("/account/password?done=changed")),
    }
}
