//! What Django's clients send: JSON, a form, or a form in parts (`curl -F`), all with fields.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::platform::extract::{RawBody, parse_json};
use crate::platform::problem::{FieldError, Problem};

/// Fields of a form that are read.
const FIELDS_MAX: usize = 50;

/// The fields of a body, by its content type; without one it is JSON. Forms have texts only.
#[derive(Debug, Clone)]
pub(super) struct Sent(Map<String, Json>);

impl Sent {
    /// The fields as `T`.
    ///
    /// # Errors
    /// 400 that names the field.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let body = serde_json::to_vec(&self.0).expect("a map of JSON values is JSON");
        parse_json(&body)
    }
}

fn unreadable() -> Problem {
    Problem::bad_request("invalid_form", "The form cannot be read.")
}

async fn in_parts(headers: &HeaderMap, body: RawBody) -> Result<Map<String, Json>, Problem> {
    let mut request = Request::post("/").body(Body::from(body.0)).expect("a plain request");
    request
        .headers_mut()
        .extend(headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind.clone())));
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| unreadable())?;
    let mut fields = Map::new();
    while let Some(part) = parts.next_field().await.map_err(|_| unreadable())? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        if fields.len() == FIELDS_MAX {
            return Err(unreadable());
        }
        fields.insert(name, part.text().await.map_err(|_| unreadable())?.into());
    }
    Ok(fields)
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let body = RawBody::from_request(request, state).await?;
        let kind = headers.get(CONTENT_TYPE).map_or(Ok("application/json"), |kind| kind.to_str());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => match parse_json(&body.0)? {
                Json::Object(fields) => Ok(Self(fields)),
                _ => Err(Problem::validation(vec![FieldError::new(
                    "",
                    "type",
                    "The body must be a JSON object.",
                )])),
            },
            "application/x-www-form-urlencoded" => {
                let pairs: Vec<(String, String)> =
                    serde_urlencoded::from_bytes(&body.0).map_err(|_| unreadable())?;
                Ok(Self(pairs.into_iter().map(|(name, text)| (name, text.into())).collect()))
            }
            "multipart/form-data" => in_parts(&headers, body).await.map(Self),
            _ => Err(Problem::unsupported_media_type("application/json")),
        }
    }
}
