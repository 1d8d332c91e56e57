//! The Lea Record Shop's routes, and what its lists and its writes have in common.
//!
//! Lea's lists had no pages: they are arrays of at most [`LIMIT_MAX`] rows here, and header fields
//! tell how to go on. Lea's addresses end without a slash; whoever adds one is understood too.

use axum::http::header::LINK;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use super::{lea_clients, lea_discs, lea_requests};
use crate::App;
use crate::platform::answer::{IDEMPOTENCY_REPLAYED, json};
use crate::platform::page::{LIMIT_MAX, ListRequest, Page, Resource};
use crate::platform::problem::Problem;

/// The cursor of the next page, for clients that read no Link field.
const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

pub(super) fn router() -> OpenApiRouter<App> {
    lea_discs::router().merge(lea_clients::router()).merge(lea_requests::router())
}

/// What each of Lea's lists takes beside its lookups, for the API's description.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; ListRequest reads the query")]
pub(super) struct ArrayParams {
    /// Rows of the array.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
    /// The X-Next-Cursor of the answer before.
    cursor: Option<String>,
}

/// Reads the lookups of a list from the query and the body of a GET.
///
/// # Errors
/// 400 that names what is not allowed.
pub(super) fn list_request(
    resource: &'static Resource,
    uri: &Uri,
    body: &Map<String, Json>,
) -> Result<ListRequest, Problem> {
    // Of two limits the last counts: the client's, if there is one.
    let query = format!("/?limit={LIMIT_MAX}&{}", uri.query().unwrap_or_default());
    let uri = query.parse().map_err(|_| Problem::bad_request("invalid_query", "Too long."))?;
    let request = ListRequest::from_parts(resource, &uri, body)?;
    // Cursors of requests hold for this order alone; Lea had no other one anyway.
    if request.sort_field() != resource.default_sort {
        return Err(Problem::bad_request("unknown_sort", "This list has one order only."));
    }
    Ok(request)
}

/// Answers a page as an array; where it goes on stands in the header fields.
pub(super) fn array<T: Serialize>(page: &Page<T>, uri: &Uri) -> Response {
    let mut response = json(StatusCode::OK, &page.items);
    if let Some(next) = &page.next {
        let link = HeaderValue::try_from(format!("<{}>; rel=\"next\"", continued(uri, next)));
        let headers = response.headers_mut();
        headers.extend(link.ok().map(|link| (LINK, link)));
        let cursor = HeaderValue::try_from(next.as_str()).expect("a cursor is visible ASCII");
        headers.insert(X_NEXT_CURSOR, cursor);
    }
    response
}

/// The address with the next page's cursor.
fn continued(uri: &Uri, cursor: &str) -> String {
    let pairs = uri.query().unwrap_or_default().split('&');
    let kept = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: String = kept.map(|pair| format!("{pair}&")).collect();
    format!("{}?{query}cursor={cursor}", uri.path())
}

/// The ids in an answer that was stored with an idempotency key.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    pub id: i64,
}

impl Stored {
    /// # Errors
    /// 500 when another kind of answer was stored.
    pub(super) fn read(body: &RawValue) -> Result<Self, Problem> {
        serde_json::from_str(body.get()).map_err(Problem::internal)
    }
}

/// The answer to a write: the thing as it is now.
pub(super) fn written(status: StatusCode, thing: &impl Serialize, replayed: bool) -> Response {
    let mut response = json(status, thing);
    if replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_address_keeps_the_query() {
        for (address, next) in [
            ("/a", "/a?cursor=X"),
            ("/a?", "/a?cursor=X"),
            ("/a?artist=b&limit=2", "/a?artist=b&limit=2&cursor=X"),
            ("/a?cursor=W&artist=b", "/a?artist=b&cursor=X"),
        ] {
            assert_eq!(continued(&address.parse().expect("an address"), "X"), next, "{address}");
        }
    }
}
