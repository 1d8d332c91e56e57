//! Forms as browsers post them: `application/x-www-form-urlencoded`.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::extract::RawBody;
use super::problem::Problem;

const URLENCODED: &str = "application/x-www-form-urlencoded";

/// A posted form that has the shape of `T`; fields that `T` does not know are left out of account.
/// What the fields say is the handler's to check: a form is shown again with what was wrong.
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);

/// A posted form as it came: names and values, in the order of the page.
pub type Pairs = Form<Vec<(String, String)>>;

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_form(request.headers()) {
            return Err(Problem::unsupported_media_type(URLENCODED));
        }
        let RawBody(body) = RawBody::from_request(request, state).await?;
        let unreadable = |error: serde_urlencoded::de::Error| {
            Problem::bad_request("invalid_form", "The form cannot be read.").context(error)
        };
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_bytes(&body).map_err(unreadable)?;
        if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            let detail = "Text must not contain the character U+0000.";
            return Err(Problem::bad_request("invalid_form", detail));
        }
        serde_urlencoded::from_bytes(&body).map_err(unreadable).map(Self)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(URLENCODED)
}
