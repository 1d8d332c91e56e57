//! Refusals and failures as people see them.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::frame::Frame;
use crate::App;
use crate::platform::problem::{Problem, Rendered};

#[derive(Template)]
#[template(path = "pages/templates/error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    detail: Option<&'a str>,
}

/// What of a problem document is shown.
#[derive(Deserialize)]
struct Shown {
    title: String,
    detail: Option<String>,
}

/// The page of a problem; its fields, such as Retry-After, stay, and so does what the log gets.
pub(super) async fn page(
    app: &App,
    parts: &mut Parts,
    refused: Response,
    rendered: Rendered,
) -> Response {
    let status = refused.status();
    let Ok(shown) = serde_json::from_slice::<Shown>(rendered.body()) else { return refused };
    // Without a frame, when the session cannot be read either: the plain problem is better.
    let Ok(frame) = Frame::from_request_parts(parts, app).await else { return refused };
    let main = ErrorPage {
        status: status.as_u16(),
        title: title_of(status, &shown.title),
        detail: shown.detail.as_deref(),
    };
    let mut response = frame.page_with(status, main.title, &main);
    for (name, value) in refused.headers() {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response.extensions_mut().insert(rendered.for_log());
    response
}

/// The words for a person, where the API's are for programs.
fn title_of(status: StatusCode, title: &str) -> &str {
    match status {
        StatusCode::NOT_FOUND => "This page does not exist",
        StatusCode::FORBIDDEN => "This is not for you",
        StatusCode::INTERNAL_SERVER_ERROR => "Something went wrong on our side",
        StatusCode::SERVICE_UNAVAILABLE => "The shop is very busy",
        _ => title,
    }
}

/// Addresses that no route takes: a page for browsers; the layer answers everybody else.
pub(super) async fn nowhere(headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return Problem::not_found("page").into_response();
    }
    StatusCode::NOT_FOUND.into_response()
}
