//! One's own name, phone number and e-mail address.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::form::{FormPage, FormView, Input, Wrong};
use crate::App;
use crate::accounts::{self, Account, AccountPatch, By, Session, SignedIn, queries};
use crate::pages::{Frame, see_other};
use crate::platform::command::Outcome;
use crate::platform::etag::IfMatch;
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

#[derive(Template)]
#[template(path = "accounts/templates/profile.html")]
struct ProfilePage<'a> {
    account: &'a Account,
    saved: bool,
    form: FormView<'a>,
}

/// What has just been done.
#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    pub(super) done: String,
}

#[derive(Deserialize)]
pub(super) struct ProfileFields {
    name: String,
    phone: String,
    version: i64,
}

/// The account of a session.
pub(super) async fn own(app: &App, session: &Session) -> Result<Account, Problem> {
    let account = queries::account(app, session.identity.account_id).await?;
    account.ok_or_else(Problem::unauthorized)
}

/// By the account itself, if its version is still the one that was looked at.
fn by(session: &Session, version: i64) -> By {
    By { if_match: IfMatch::OneOf(vec![version]), ..By::actor(session.actor()) }
}

fn show(
    frame: &Frame,
    account: &Account,
    fields: &ProfileFields,
    saved: bool,
    wrong: &Wrong,
) -> Response {
    let inputs = vec![
        Input::text("name", "Name", "name", &fields.name).optional(),
        Input::phone("phone", "Phone", &fields.phone).optional(),
    ];
    let form = FormView::new("/account", inputs, wrong, "Save");
    let form = form.hidden("version", account.version.to_string());
    let fine = wrong.is_empty();
    let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    frame.page_with(status, "My account", &ProfilePage { account, saved, form })
}

pub(super) async fn form(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Query(Done { done }): Query<Done>,
) -> Result<Response, Problem> {
    let account = own(&app, &session).await?;
    let (name, phone) = (account.name.clone(), account.phone.clone());
    let fields = ProfileFields { name, phone, version: account.version };
    Ok(show(&frame, &account, &fields, !done.is_empty(), &Wrong::default()))
}

pub(super) async fn save(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Form(fields): Form<ProfileFields>,
) -> Result<Response, Problem> {
    let (name, phone) = (fields.name.trim().to_owned(), fields.phone.trim().to_owned());
    let patch = AccountPatch { name: Some(name), phone: Some(phone), ..AccountPatch::default() };
    let (id, by) = (session.identity.account_id, by(&session, fields.version));
    match accounts::update(&app, by, id, patch).await? {
        Outcome::Refused(refused) => {
            let wrong = Wrong::account(refused)?;
            Ok(show(&frame, &own(&app, &session).await?, &fields, false, &wrong))
        }
        _ => Ok(see_other("/account?done=saved")),
    }
}

#[derive(Deserialize)]
pub(super) struct EmailFields {
    email: String,
    current_password: String,
    version: i64,
}

fn email_page(frame: &Frame, email: &str, version: i64, wrong: &Wrong) -> Response {
    let inputs = vec![
        Input::email("email", "New e-mail", email).focused(),
        Input::password("current_password", "Current password", "current-password"),
    ];
    let form = FormView::new("/account/email", inputs, wrong, "Change the e-mail address");
    let page = FormPage {
        title: "Change the e-mail address",
        lead: "You log in with it, so we ask for your password.",
        own: "profile",
        form: form.hidden("version", version.to_string()),
        link: None,
    };
    page.answer(frame)
}

pub(super) async fn email_form(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
) -> Result<Response, Problem> {
    let account = own(&app, &session).await?;
    Ok(email_page(&frame, &account.email, account.version, &Wrong::default()))
}

pub(super) async fn save_email(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<EmailFields>,
) -> Result<Response, Problem> {
    let again = async |wrong: Wrong| {
        let version = own(&app, &session).await?.version;
        Ok(email_page(&frame, &fields.email, version, &wrong))
    };
    let identity = &session.identity;
    let password = &fields.current_password;
    if let Err(refused) = accounts::check_own_password(&app, identity, password, client).await {
        return again(Wrong::password(refused)?).await;
    }
    let email = Some(fields.email.trim().to_owned());
    let patch = AccountPatch { email, ..AccountPatch::default() };
    let by = by(&session, fields.version);
    match accounts::update(&app, by, identity.account_id, patch).await? {
        Outcome::Refused(refused) => again(Wrong::account(refused)?).await,
        _ => Ok(see_other("/account?done=saved")),
    }
}
