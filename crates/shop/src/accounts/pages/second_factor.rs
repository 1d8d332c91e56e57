//! The second factor: setting it up, showing it after the password, switching it off.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use serde::Deserialize;

use super::form::{FormPage, FormView, Input, Wrong};
use super::login::{Next, already_in, take_basket, with_next};
use crate::App;
use crate::accounts::answers::not_stored;
use crate::accounts::queries::{self, FactorState};
use crate::accounts::second_factor::{self, FactorRefused};
use crate::accounts::sessions::AnySession;
use crate::accounts::{self, Session, SessionState, SignedIn};
use crate::pages::{Frame, local_path, see_other};
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

const PLACE: &str = "/account/second_factor";
const VERIFY: &str = "/accounts/second_factor/";
/// Width and height of the picture, in pixels.
const QR_PIXELS: &str = r#"<svg width="224" height="224" "#;

impl Wrong {
    /// # Errors
    /// A refusal that is not about the code.
    fn code(refused: FactorRefused) -> Result<Self, Problem> {
        match refused {
            FactorRefused::WrongCode => Ok(Self::one(
                "code",
                "This code is wrong, or was used already. Wait for the next one.",
            )),
            other => Err(other.into()),
        }
    }
}

fn verify_page(frame: &Frame, next: &str, wrong: &Wrong) -> Response {
    let input = Input::code("Code").hint("Six digits, or one of your recovery codes.");
    let page = FormPage {
        title: "Second factor",
        lead: "Enter the code that your device shows.",
        own: "",
        form: FormView::new(VERIFY, vec![input], wrong, "Go on").hidden("next", next),
        link: Some(("/accounts/logout/".to_owned(), "Not now: log out")),
    };
    page.answer(frame)
}

/// The session, if it waits for its second factor.
fn waiting(session: &AnySession) -> Option<&Session> {
    let session = session.0.as_deref()?;
    (session.state == SessionState::Unverified).then_some(session)
}

/// Where somebody goes whose session does not wait.
fn elsewhere(session: &AnySession, next: &str) -> Response {
    let login = || see_other(&with_next("/accounts/login/", next));
    already_in(session, next).unwrap_or_else(login)
}

pub(super) async fn ask(
    frame: Frame,
    session: AnySession,
    Query(Next { next }): Query<Next>,
) -> Response {
    let next = local_path(&next);
    match waiting(&session) {
        Some(_) => verify_page(&frame, next, &Wrong::default()),
        None => elsewhere(&session, next),
    }
}

#[derive(Deserialize)]
pub(super) struct CodeFields {
    code: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn verify(
    State(app): State<App>,
    frame: Frame,
    session: AnySession,
    ClientIp(client): ClientIp,
    headers: HeaderMap,
    Form(fields): Form<CodeFields>,
) -> Result<Response, Problem> {
    let next = local_path(&fields.next);
    let Some(session) = waiting(&session) else { return Ok(elsewhere(&session, next)) };
    match second_factor::verify(&app, session, &fields.code, client).await {
        Ok(verified) => {
            let mut response = see_other(next);
            take_basket(&app, session.identity.account_id, &headers, &mut response).await;
            response.headers_mut().append(SET_COOKIE, verified.cookie);
            Ok(response)
        }
        Err(refused) => Ok(verify_page(&frame, next, &Wrong::code(refused)?)),
    }
}

#[derive(Template)]
#[template(path = "accounts/templates/second_factor.html")]
struct FactorPage<'a> {
    /// True for staff who cannot get on without one.
    demanded: bool,
    state: &'a FactorState,
    /// The picture of the key, and the key as text.
    key: Option<(String, String)>,
    form: FormView<'a>,
    off: Option<FormView<'a>>,
}

/// The picture that a device reads.
fn picture(address: &str) -> Result<String, Problem> {
    let code = QRBuilder::new(address).ecl(ECL::M).build();
    let code = code.map_err(|error| Problem::internal(format!("no picture: {error:?}")))?;
    Ok(SvgBuilder::default().to_str(&code).replacen("<svg ", QR_PIXELS, 1))
}

/// What was wrong with which of the page's forms.
#[derive(Default)]
struct Wrongs {
    first: Wrong,
    off: Wrong,
}

async fn show(
    app: &App,
    frame: &Frame,
    session: &Session,
    demanded: bool,
    wrongs: &Wrongs,
) -> Result<Response, Problem> {
    let state = queries::factor(app, session.identity.account_id).await?;
    let password = || Input::password("current_password", "Current password", "current-password");
    let mut off = None;
    let mut key = None;
    let form = match &state {
        FactorState::Off => {
            FormView::new("/account/second_factor/begin", vec![password()], &wrongs.first, "Set up")
        }
        FactorState::Begun { key: secret } => {
            let (name, secret) = (&session.identity.username, secret.expose());
            let address = second_factor::address(&app.shop.name, name, secret);
            key = Some((picture(&address)?, second_factor::secret_text(secret)));
            let code = Input::code("Code that the device shows");
            FormView::new("/account/second_factor/confirm", vec![code], &wrongs.first, "Switch on")
        }
        FactorState::On { .. } => {
            let inputs = vec![password(), Input::text("code", "Code", "one-time-code", "")];
            let switch = "Switch off";
            off = Some(FormView::new("/account/second_factor/off", inputs, &wrongs.off, switch));
            let code = Input::renewing_code();
            FormView::new("/account/second_factor/codes", vec![code], &wrongs.first, "New codes")
        }
    };
    let fine = wrongs.first.is_empty() && wrongs.off.is_empty();
    let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = FactorPage { demanded, state: &state, key, form, off };
    Ok(not_stored(frame.page_with(status, "Second factor", &page)))
}

#[derive(Deserialize)]
pub(super) struct Why {
    #[serde(default)]
    why: String,
}

pub(super) async fn page(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Query(Why { why }): Query<Why>,
) -> Result<Response, Problem> {
    show(&app, &frame, &session, why == "staff", &Wrongs::default()).await
}

#[derive(Deserialize)]
pub(super) struct PasswordFields {
    current_password: String,
}

pub(super) async fn begin(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<PasswordFields>,
) -> Result<Response, Problem> {
    let (identity, password) = (&session.identity, &fields.current_password);
    match accounts::check_own_password(&app, identity, password, client).await {
        Ok(hash) => {
            second_factor::begin(&app, &session, hash).await?;
            Ok(see_other(PLACE))
        }
        Err(refused) => {
            let wrongs = Wrongs { first: Wrong::password(refused)?, ..Wrongs::default() };
            show(&app, &frame, &session, false, &wrongs).await
        }
    }
}

#[derive(Template)]
#[template(path = "accounts/templates/recovery_codes.html")]
struct CodesPage {
    codes: Vec<String>,
}

/// The codes, this once.
fn codes_page(frame: &Frame, codes: Vec<String>) -> Response {
    not_stored(frame.page("Your recovery codes", &CodesPage { codes }))
}

#[derive(Deserialize)]
pub(super) struct OneCode {
    /// Under the name that its form gives it.
    #[serde(alias = "renewing_code")]
    code: String,
}

pub(super) async fn confirm(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<OneCode>,
) -> Result<Response, Problem> {
    match second_factor::confirm(&app, &session, &fields.code, client).await {
        Ok((codes, verified)) => {
            let mut response = codes_page(&frame, codes);
            response.headers_mut().append(SET_COOKIE, verified.cookie);
            Ok(response)
        }
        Err(refused) => {
            let wrongs = Wrongs { first: Wrong::code(refused)?, ..Wrongs::default() };
            show(&app, &frame, &session, false, &wrongs).await
        }
    }
}

pub(super) async fn renew(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<OneCode>,
) -> Result<Response, Problem> {
    match second_factor::renew_codes(&app, &session, &fields.code, client).await {
        Ok(codes) => Ok(codes_page(&frame, codes)),
        Err(refused) => {
            let wrong = Wrong::code(refused)?.renamed("renewing_code");
            let wrongs = Wrongs { first: wrong, ..Wrongs::default() };
            show(&app, &frame, &session, false, &wrongs).await
        }
    }
}

#[derive(Deserialize)]
pub(super) struct OffFields {
    current_password: String,
    code: String,
}

pub(super) async fn off(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<OffFields>,
) -> Result<Response, Problem> {
    let (identity, password) = (&session.identity, &fields.current_password);
    let wrong = match accounts::check_own_password(&app, identity, password, client).await {
        Err(refused) => Wrong::password(refused)?,
        Ok(_) => match second_factor::switch_off(&app, &session, &fields.code, client).await {
            Ok(()) => return Ok(see_other(PLACE)),
            Err(refused) => Wrong::code(refused)?,
        },
    };
    let wrongs = Wrongs { off: wrong, ..Wrongs::default() };
    show(&app, &frame, &session, false, &wrongs).await
}
