//! Refusals and failures as RFC 9457 problem documents.
//!
//! Text for the client (`title`, `detail`, `errors`) and context for the log are different fields:
//! the context is never serialised. A problem's code is stable; its text may change.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The media type of every refusal.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// After which time a client should repeat a request that met a busy database or a full queue.
const RETRY_BUSY: Duration = Duration::from_secs(1);
/// After which time a client should repeat a request that met an unreachable database.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(5);

/// One thing wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or the name of a query parameter or header.
    pub pointer: String,
    /// What is wrong, for a person.
    pub detail: String,
    /// What is wrong, for a program.
    pub code: &'static str,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), code }
    }
}

/// A refusal or failure on its way to the client. One pointer wide, so that results stay small.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    context: Option<String>,
}

/// The shape of a problem document, for the API's description. Further members may stand beside
/// these, such as `lines` of an `out_of_stock` refusal.
#[derive(ToSchema)]
#[schema(as = Problem, title = "Problem")]
#[expect(dead_code, reason = "only its schema is used; Problem serialises itself")]
pub struct ProblemSchema {
    /// A stable URI reference, `/problems/{code}`.
    #[schema(example = "/problems/out_of_stock")]
    r#type: String,
    title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    status: u16,
    /// The stable code that programs should look at.
    #[schema(example = "out_of_stock")]
    code: String,
    /// What happened in this case, for a person.
    #[schema(required = false)]
    detail: Option<String>,
    /// `/requests/{id}`, with the id that the X-Request-Id field gives too.
    #[schema(required = false)]
    instance: Option<String>,
    /// What is wrong, field by field.
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

impl Problem {
    /// A problem of any status. The title is a short text that goes with the code, not the case.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            title,
            detail: None,
            errors: Vec::new(),
            extensions: Map::new(),
            headers: Vec::new(),
            context: None,
        }))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "Bad request").detail(detail)
    }

    /// 400 `invalid_body`: the body is JSON, but these fields are wrong.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] if only.pointer.is_empty() => only.detail.clone(),
            [only] => format!("{}: {}", only.pointer, only.detail),
            several => format!("{} fields are not valid; see errors.", several.len()),
        };
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", "Invalid body")
            .detail(detail)
            .errors(errors)
    }

    /// 401: who is asking is not known.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not authenticated")
            .detail("Send a valid token as `Authorization: Bearer <token>`.")
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"runout\""))
    }

    /// 403: who is asking is known, and may not.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .detail("Your account may not do this.")
    }

    /// 404. `what` is the kind of thing, such as `product`.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found")
            .detail(format!("There is no such {what}."))
    }

    /// 405. axum adds `Allow` where the router refused; elsewhere give the methods.
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
                .detail("This address does not answer to this method; see the Allow field.");
        if allowed.is_empty() {
            return problem;
        }
        let methods: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        problem.text_header(ALLOW, &methods.join(","))
    }

    /// 409: the request is right, but not in the present state of things.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "Conflict").detail(detail)
    }

    /// 412: the thing has changed since the client read it.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", "Precondition failed")
            .detail(detail)
    }

    /// 413: the body has more than `bytes_max` bytes.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large")
            .detail(format!("The body may have at most {bytes_max} bytes."))
    }

    /// 415: the body is of a type that this address does not read.
    pub fn unsupported_media_type(wanted: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Unsupported media type",
        )
        .detail(format!("Send the body with `Content-Type: {wanted}`."))
    }

    /// 422: the request is well formed, but cannot be followed.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "Unprocessable").detail(detail)
    }

    /// 429: the client is over its limit.
    pub fn too_many(retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests")
            .detail("You sent too many requests; wait as long as Retry-After says.")
            .retry_after(retry_after)
    }

    /// 503: this cannot be done now, but probably soon.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable")
            .detail("This cannot be done at the moment; try again after Retry-After.")
            .retry_after(retry_after)
    }

    /// 500. The context goes to the log, never to the client.
    pub fn internal(context: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .detail("Something went wrong on our side. It has been logged under this request's id.")
            .context(context)
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Replaces the code, for instance of an [`unavailable`](Self::unavailable) problem.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.0.code = code;
        self
    }

    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a further member to the document, such as `lines`.
    ///
    /// # Panics
    /// When the value cannot be JSON, or the key is one of the standard members: both are defects.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Serialize) -> Self {
        assert!(!STANDARD_MEMBERS.contains(&key), "{key} is a standard member");
        let value = serde_json::to_value(value).expect("extension members are plain data");
        self.0.extensions.insert(key.to_owned(), value);
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    fn text_header(self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("digits and method names are visible");
        self.header(name, value)
    }

    fn retry_after(self, after: Duration) -> Self {
        // Whole seconds, rounded up: a client that waits as told must not be early.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.text_header(RETRY_AFTER, &seconds.max(1).to_string())
    }

    /// Context for the log: it is never sent.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.context = Some(context.to_string());
        self
    }

    /// What is wrong, field by field.
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// What is told to a person: the detail, or else the title.
    pub fn words(&self) -> &str {
        self.0.detail.as_deref().unwrap_or(self.0.title)
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code, such as `out_of_stock`.
    pub fn stable_code(&self) -> &'static str {
        self.0.code
    }
}

const STANDARD_MEMBERS: [&str; 7] =
    ["type", "title", "status", "code", "detail", "instance", "errors"];

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = &*self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/problems/{}", parts.code))?;
        map.serialize_entry("title", parts.title)?;
        map.serialize_entry("status", &parts.status.as_u16())?;
        map.serialize_entry("code", parts.code)?;
        if let Some(detail) = &parts.detail {
            map.serialize_entry("detail", detail)?;
        }
        if !parts.errors.is_empty() {
            map.serialize_entry("errors", &parts.errors)?;
        }
        for (key, value) in &parts.extensions {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What [`Problem::into_response`] leaves in the response's extensions for the outermost layer,
/// which knows the request: it adds `instance` and logs the context.
#[derive(Debug, Clone)]
pub struct Rendered {
    body: Bytes,
    pub code: &'static str,
    pub context: Option<String>,
}

impl Rendered {
    /// The problem document.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the log gets of a problem whose response has another body.
    #[must_use]
    pub fn for_log(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }

    /// The document with `instance` as its first member.
    pub fn body_for(&self, request_id: &str) -> Bytes {
        let mut body = Vec::with_capacity(self.body.len() + request_id.len() + 32);
        body.extend_from_slice(b"{\"instance\":\"/requests/");
        body.extend_from_slice(request_id.as_bytes());
        body.extend_from_slice(b"\",");
        body.extend_from_slice(&self.body[1..]);
        body.into()
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let body: Bytes = serde_json::to_vec(&self)
            .expect("a problem's members are strings, numbers and JSON values")
            .into();
        let mut response = Response::new(Body::from(body.clone()));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        for (name, value) in self.0.headers.drain(..) {
            headers.insert(name, value);
        }
        let rendered = Rendered { body, code: self.0.code, context: self.0.context.take() };
        response.extensions_mut().insert(rendered);
        response
    }
}

impl From<runout_store::Error> for Problem {
    fn from(error: runout_store::Error) -> Self {
        use runout_store::Error;
        let context = chain(&error);
        let problem = match error {
            Error::Conflict(_) => Self::unavailable(RETRY_BUSY)
                .code("busy")
                .detail("Others changed the same things at the same time; try again."),
            Error::Timeout(_) => Self::unavailable(RETRY_BUSY)
                .code("busy")
                .detail("The database took too long; nothing was changed. Try again."),
            Error::Overloaded => Self::unavailable(RETRY_BUSY)
                .code("overloaded")
                .detail("Too many requests are waiting; nothing was changed. Try again."),
            Error::Unavailable(_) => Self::unavailable(RETRY_UNAVAILABLE)
                .code("database_unavailable")
                .detail("The database cannot be reached; nothing was changed. Try again."),
            Error::OutcomeUnknown(_) => {
                Self::unavailable(RETRY_UNAVAILABLE).code("outcome_unknown").detail(
                    "The connection to the database was lost while storing: it may or may not have \
                     happened. Repeat with the same Idempotency-Key.",
                )
            }
            _ => return Self::internal(context),
        };
        problem.context(context)
    }
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use runout_store::Error;

    use super::*;

    async fn read(problem: Problem) -> (StatusCode, axum::http::HeaderMap, Value) {
        let response = problem.into_response();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn constructors_have_their_status_code_and_headers() {
        let second = Duration::from_secs(1);
        let table = [
            (Problem::bad_request("odd", "x"), 400, "odd", None),
            (Problem::validation(vec![]), 400, "invalid_body", None),
            (Problem::unauthorized(), 401, "unauthorized", Some("www-authenticate")),
            (Problem::forbidden(), 403, "forbidden", None),
            (Problem::not_found("product"), 404, "not_found", None),
            (Problem::method_not_allowed(&[Method::GET]), 405, "method_not_allowed", Some("allow")),
            (Problem::conflict("out_of_stock", "x"), 409, "out_of_stock", None),
            (Problem::precondition_failed("x"), 412, "precondition_failed", None),
            (Problem::too_large(5), 413, "body_too_large", None),
            (Problem::unsupported_media_type("a/b"), 415, "unsupported_media_type", None),
            (Problem::unprocessable("reused", "x"), 422, "reused", None),
            (Problem::too_many(second), 429, "rate_limited", Some("retry-after")),
            (Problem::unavailable(second), 503, "unavailable", Some("retry-after")),
            (Problem::internal("secret"), 500, "internal", None),
        ];
        for (problem, status, code, header) in table {
            let (got, headers, body) = read(problem).await;
            assert_eq!((got.as_u16(), body["status"].as_u64()), (status, Some(status.into())));
            assert_eq!(body["code"], code);
            assert_eq!(body["type"], format!("/problems/{code}"));
            assert_eq!(headers[CONTENT_TYPE], PROBLEM_JSON);
            assert!(header.is_none_or(|name| headers.contains_key(name)), "{code}");
            assert!(!body.to_string().contains("secret"));
        }
    }

    #[tokio::test]
    async fn store_errors_become_problems_without_their_text() {
        let cause = || runout_store::Cause::from("SECRET");
        let other = Error::Other { context: "SECRET".to_owned(), source: cause() };
        let constraint = Error::Constraint { name: "SECRET".to_owned(), source: cause() };
        let decode = Error::Decode { column: 1, reason: "SECRET".to_owned() };
        for (error, status, code) in [
            (Error::Conflict(cause()), 503, "busy"),
            (Error::Timeout(cause()), 503, "busy"),
            (Error::Overloaded, 503, "overloaded"),
            (Error::Unavailable(cause()), 503, "database_unavailable"),
            (Error::OutcomeUnknown(cause()), 503, "outcome_unknown"),
            (Error::Panicked("SECRET".to_owned()), 500, "internal"),
            (other, 500, "internal"),
            (constraint, 500, "internal"),
            (decode, 500, "internal"),
        ] {
            let problem = Problem::from(error);
            assert!(problem.0.context.is_some());
            let (got, headers, body) = read(problem).await;
            assert_eq!((got.as_u16(), body["code"].as_str()), (status, Some(code)));
            assert_eq!(headers.contains_key(RETRY_AFTER), status == 503);
            assert!(!body.to_string().contains("SECRET"), "{body}");
        }
    }

    #[tokio::test]
    async fn members_and_fields_are_listed() {
        let problem = Problem::conflict("out_of_stock", "Line 1 is short.")
            .with("lines", [serde_json::json!({"variant_id": 1, "available": 0})])
            .errors(vec![FieldError::new("/lines/0", "short", "0 left")]);
        let (_, _, body) = read(problem).await;
        assert_eq!(body["lines"][0]["variant_id"], 1);
        assert_eq!(body["errors"][0]["pointer"], "/lines/0");
        assert_eq!(body["detail"], "Line 1 is short.");
    }

    #[test]
    fn the_instance_is_added_and_waits_round_up() {
        let response = Problem::too_many(Duration::from_millis(1001)).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let rendered = response.extensions().get::<Rendered>().expect("left by into_response");
        let body: Value = serde_json::from_slice(&rendered.body_for("abc")).expect("JSON");
        assert_eq!(body["instance"], "/requests/abc");
        assert_eq!(body["code"], "rate_limited");
    }

    #[test]
    #[should_panic(expected = "standard member")]
    fn standard_members_cannot_be_overwritten() {
        let _ = Problem::forbidden().with("status", 200);
    }
}
