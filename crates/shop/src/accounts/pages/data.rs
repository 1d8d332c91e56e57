//! What the shop holds about somebody: to take along, and to be erased.

use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::form::{FormView, Input, Wrong};
use crate::App;
use crate::accounts::answers::not_stored;
use crate::accounts::erase::{self, EraseRefused};
use crate::accounts::sessions::COOKIE;
use crate::accounts::{SignedIn, export};
use crate::pages::{Frame, see_other};
use crate::platform::cookie;
use crate::platform::form::Form;
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[derive(Template)]
#[template(path = "accounts/templates/data.html")]
struct DataPage<'a> {
    form: FormView<'a>,
}

fn show(frame: &Frame, wrong: &Wrong) -> Response {
    let inputs = vec![
        Input::password("current_password", "Current password", "current-password"),
        Input::text("confirmation", "Your username, to confirm", "off", ""),
    ];
    let form = FormView::new("/account/data/erase", inputs, wrong, "Erase my account");
    let fine = wrong.is_empty();
    let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    frame.page_with(status, "My data", &DataPage { form: form.dangerous() })
}

pub(super) async fn page(frame: Frame, _: SignedIn) -> Response {
    show(&frame, &Wrong::default())
}

/// Everything, as a file.
pub(super) async fn download(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Response, Problem> {
    let export = export::export(&app, &session).await?.ok_or_else(Problem::unauthorized)?;
    let json = serde_json::to_vec_pretty(&export).map_err(Problem::internal)?;
    let day = export.exported_at.strftime("%Y-%m-%d");
    let name = format!("attachment; filename=\"my-data-{day}.json\"");
    let name = HeaderValue::try_from(name).expect("digits and dashes");
    let fields = [(CONTENT_TYPE, JSON), (CONTENT_DISPOSITION, name)];
    Ok(not_stored((fields, json).into_response()))
}

#[derive(Deserialize)]
pub(super) struct EraseFields {
    current_password: String,
    confirmation: String,
}

pub(super) async fn erase(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    ClientIp(client): ClientIp,
    Form(fields): Form<EraseFields>,
) -> Result<Response, Problem> {
    if fields.confirmation.trim() != &*session.identity.username {
        let wrong = Wrong::one("confirmation", "This is not your username.");
        return Ok(show(&frame, &wrong));
    }
    match erase::erase(&app, &session, &fields.current_password, client).await {
        Ok(()) => {
            let mut response = see_other("/accounts/erased/");
            response.headers_mut().append(SET_COOKIE, cookie::taken_away(COOKIE));
            Ok(response)
        }
        Err(refused) => Ok(show(&frame, &about(refused)?)),
    }
}

/// What a refusal says about the form.
fn about(refused: EraseRefused) -> Result<Wrong, Problem> {
    Ok(match refused {
        EraseRefused::Password(refused) => Wrong::password(refused)?,
        EraseRefused::OpenOrders(numbers) => Wrong::one(
            "",
            format!(
                "These orders are still open: {}. Wait for them, or cancel them first.",
                numbers.join(", ")
            ),
        ),
        EraseRefused::LastSuperuser => Wrong::one(
            "",
            "This is the last active superuser. Somebody must run the shop: make another one first.",
        ),
        EraseRefused::Changed => {
            Wrong::one("", "Your account was changed elsewhere meanwhile. Please try again.")
        }
        EraseRefused::Provider(error) => {
            tracing::warn!(?error, "an account is not erased");
            Wrong::one(
                "",
                "The payment provider does not answer, so your stored cards cannot be removed. \
                 Please try again later.",
            )
        }
        EraseRefused::Failed(error) => return Err(error.into()),
    })
}

#[derive(Template)]
#[template(path = "accounts/templates/erased.html")]
struct ErasedPage;

pub(super) async fn erased(frame: Frame) -> Response {
    frame.page("Your account is erased", &ErasedPage)
}
