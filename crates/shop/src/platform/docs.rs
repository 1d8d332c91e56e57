//! The API's description and a page to browse it, out of the binary: nothing is loaded from
//! elsewhere.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use super::problem::Problem;

/// Where the description is served.
pub const OPENAPI_JSON: &str = "/api/v1/openapi.json";

const CONTENT_SECURITY_POLICY: &str = "content-security-policy";
/// Scripts and styles come from here alone. Swagger UI's page styles elements in place.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self' data:; frame-ancestors 'none'";

/// The document as it is sent.
#[derive(Debug, Clone)]
struct Document {
    json: Bytes,
    etag: HeaderValue,
}

/// `/api/v1/openapi.json`, and Swagger UI under `/docs/`.
///
/// # Panics
/// When the description cannot be written as JSON: a defect that any test of the router shows.
pub fn router<S: Clone + Send + Sync + 'static>(openapi: &OpenApi) -> Router<S> {
    let json = openapi.to_json().expect("the description is plain data");
    let digest = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&json)[..12]);
    let etag = HeaderValue::try_from(format!("\"{digest}\"")).expect("base64 is visible ASCII");
    let document = Document { json: json.into(), etag };
    let config = Config::from(OPENAPI_JSON).display_request_duration(true);
    let config = Arc::new(config.try_it_out_enabled(true).use_base_layout().validator_url("none"));
    let asset = move |Path(path): Path<String>| {
        let config = Arc::clone(&config);
        async move { asset(&path, config) }
    };
    let index = asset.clone();
    Router::new()
        .route(
            OPENAPI_JSON,
            get(move |headers: HeaderMap| async move { document.answer(&headers) }),
        )
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(move || index(Path(String::new()))))
        .route("/docs/{*path}", get(asset))
}

impl Document {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let fields =
            [(ETAG, self.etag.clone()), (CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
        if headers.get(IF_NONE_MATCH).is_some_and(|value| names(value, &self.etag)) {
            return (StatusCode::NOT_MODIFIED, fields).into_response();
        }
        let json = HeaderValue::from_static("application/json");
        (fields, [(CONTENT_TYPE, json)], self.json.clone()).into_response()
    }
}

/// True if If-None-Match names the tag.
fn names(value: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(value), Ok(etag)) = (value.to_str(), etag.to_str()) else { return false };
    value.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn asset(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => {
            let fields = [(CONTENT_TYPE.as_str(), file.content_type.as_str())];
            let rules = [(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL.as_str(), "no-cache")];
            (fields, rules, file.bytes.into_owned()).into_response()
        }
        Ok(None) => Problem::not_found("page").into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;
    use utoipa::OpenApi as _;

    use super::*;

    #[derive(utoipa::OpenApi)]
    #[openapi(info(title = "Test"))]
    struct Api;

    struct Answer {
        status: u16,
        headers: HeaderMap,
        text: String,
    }

    async fn ask(path: &str, if_none_match: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(tag) = if_none_match {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = router(&Api::openapi()).oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 16 << 20).await.expect("a body");
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    #[tokio::test]
    async fn the_description_is_openapi_3_1_with_an_etag() {
        let first = ask(OPENAPI_JSON, None).await;
        let json: serde_json::Value = serde_json::from_str(&first.text).expect("JSON");
        assert_eq!(json["openapi"], "3.1.0");
        assert_eq!(first.headers[CONTENT_TYPE], "application/json");
        let tag = first.headers[ETAG].to_str().expect("visible").to_owned();
        for (given, status) in [
            (tag.clone(), 304),
            (format!("\"x\", W/{tag}"), 304),
            ("*".into(), 304),
            ("\"x\"".into(), 200),
        ] {
            let again = ask(OPENAPI_JSON, Some(&given)).await;
            assert_eq!((again.status, again.text.is_empty()), (status, status == 304), "{given}");
        }
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_elsewhere() {
        assert_eq!(ask("/docs", None).await.status, 308);
        let page = ask("/docs/", None).await;
        assert_eq!(page.status, 200);
        assert!(
            page.headers[CONTENT_TYPE].to_str().is_ok_and(|kind| kind.starts_with("text/html"))
        );
        let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().expect("visible");
        assert!(policy.contains("default-src 'none'") && !policy.contains("http"));
        let mut files = Vec::new();
        for attribute in ["src=\"", "href=\""] {
            files.extend(
                page.text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()),
            );
        }
        assert!(files.len() >= 5, "{files:?}");
        for file in files {
            assert!(!file.contains("//"), "{file} is elsewhere");
            let answer = ask(&format!("/docs/{}", file.trim_start_matches("./")), None).await;
            assert_eq!(answer.status, 200, "{file}");
            if file.ends_with(".css") {
                let urls = answer.text.split("url(").skip(1);
                let mut elsewhere =
                    urls.filter(|url| !url.trim_start_matches(['"', '\'']).starts_with("data:"));
                assert_eq!(elsewhere.next(), None, "{file}");
                assert!(!answer.text.contains("@import"), "{file}");
            }
        }
        assert!(!page.text.contains("<script>"), "the policy forbids scripts in the page itself");
        let start = ask("/docs/swagger-initializer.js", None).await;
        assert!(start.text.contains(OPENAPI_JSON) && !start.text.contains("petstore"));
        assert_eq!(ask("/docs/none.js", None).await.status, 404);
    }
}
