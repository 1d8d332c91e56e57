//! Extractors: bodies, path ids and the idempotency key. Every rejection is a [`Problem`].
//!
//! A body is parsed once, straight from its bytes; only a body that fails is parsed again, to find
//! out where. No string with a NUL character gets through: PostgreSQL could not store it.

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use bytes::{Bytes, BytesMut};
use garde::Validate;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::problem::{FieldError, Problem};
use super::request::RequestContext;

/// The header that makes an unsafe call repeatable.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

/// A JSON body that has the shape of `T` and passes its garde rules.
#[derive(Debug, Clone, Copy)]
pub struct Valid<T>(pub T);

impl<S, T> FromRequest<S> for Valid<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate,
    T::Context: Default,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::unsupported_media_type("application/json"));
        }
        let body = read_body(request).await?;
        let value: T = parse_json(&body)?;
        match value.validate() {
            Ok(()) => Ok(Self(value)),
            Err(report) => Err(Problem::validation(report_errors(&report))),
        }
    }
}

/// Something that came otherwise than as a body, such as a form's fields, taken as [`Valid`] takes
/// a body.
///
/// # Errors
/// 400 `invalid_body` with a pointer for each field that is wrong.
pub(crate) fn valid<T>(map: Map<String, Value>) -> Result<T, Problem>
where
    T: DeserializeOwned + Validate,
    T::Context: Default,
{
    let body = serde_json::to_vec(&map).expect("a map of JSON values is JSON");
    let value: T = parse_json(&body)?;
    match value.validate() {
        Ok(()) => Ok(value),
        Err(report) => Err(Problem::validation(report_errors(&report))),
    }
}

/// The whole body as it came, within the limit.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        read_body(request).await.map(Self)
    }
}

/// The filters that the predecessors' clients send as a JSON object in a GET body, whatever its
/// content type says. No body, or `null`, is no filter.
#[derive(Debug, Clone, Default)]
pub struct FilterBody(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for FilterBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = read_body(request).await?;
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match parse_json::<Value>(&body)? {
            Value::Null => Ok(Self::default()),
            Value::Object(map) => Ok(Self(map)),
            _ => Err(Problem::validation(vec![FieldError::new(
                "",
                "type",
                "The body must be a JSON object of filters.",
            )])),
        }
    }
}

/// True for `application/json` and `application/*+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    if value.as_bytes() == b"application/json" {
        return true;
    }
    let Ok(text) = value.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(subtype) = essence.strip_prefix("application/") else { return false };
    subtype == "json" || subtype.ends_with("+json")
}

/// Reads the body within the request's limit. A body of one frame is not copied.
async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let bytes_max = RequestContext::body_bytes_max(request.extensions());
    let mut body = request.into_body();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Problem::too_large(bytes_max));
    }
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > bytes_max {
        return Err(Problem::too_large(bytes_max));
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut all = BytesMut::from(first);
    while let Some(data) = next_data(&mut body).await? {
        if all.len() + data.len() > bytes_max {
            return Err(Problem::too_large(bytes_max));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::bad_request("incomplete_body", "The body broke off.").context(error)
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Parses a JSON body.
///
/// # Errors
/// 400 `invalid_json` with line and column when it is no JSON, 400 `invalid_body` with a pointer
/// when it has another shape than `T`, or a NUL character in a string.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if may_contain_nul(body) {
        refuse_nul(body)?;
    }
    serde_json::from_slice(body).map_err(|error| explain::<T>(body, &error))
}

/// NUL can come only as an escape, and hardly any body has escapes: a cheap test first.
fn may_contain_nul(body: &[u8]) -> bool {
    body.contains(&b'\\') && body.windows(6).any(|window| window == br"\u0000")
}

fn refuse_nul(body: &[u8]) -> Result<(), Problem> {
    // Not JSON at all: the parse that follows tells where.
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
    match find_nul(&value, &mut String::new()) {
        None => Ok(()),
        Some(pointer) => Err(Problem::validation(vec![FieldError::new(
            pointer,
            "nul_character",
            "Text must not contain the character U+0000.",
        )])),
    }
}

fn find_nul(value: &Value, pointer: &mut String) -> Option<String> {
    let length = pointer.len();
    match value {
        Value::String(text) => text.contains('\0').then(|| pointer.clone()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            push_segment(pointer, &index.to_string());
            let found = find_nul(item, pointer);
            pointer.truncate(length);
            found
        }),
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            if key.contains('\0') {
                return Some(pointer.clone());
            }
            push_segment(pointer, key);
            let found = find_nul(item, pointer);
            pointer.truncate(length);
            found
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
}

/// Parses again, keeping track of the place, to say what was wrong where.
fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        let (line, column) = (error.line(), error.column());
        let detail = format!("The body is not valid JSON: line {line}, column {column}: ");
        return Problem::bad_request("invalid_json", detail + &without_place(error));
    }
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(deserializer) else {
        // The value itself is fine, so something follows it.
        return Problem::bad_request("invalid_json", "Something follows the JSON value.");
    };
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => push_segment(&mut pointer, &index.to_string()),
            Segment::Map { key } => push_segment(&mut pointer, key),
            Segment::Enum { variant } => push_segment(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    let text = without_place(error.inner());
    let code = shape_error(&text);
    // The path of a missing field ends at the object that lacks it.
    if let ("missing", Some(field)) = (code, text.split('`').nth(1)) {
        push_segment(&mut pointer, field);
    }
    Problem::validation(vec![FieldError::new(pointer, code, plain_words(&text))])
}

/// serde_json ends its messages with " at line 1 column 2".
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The code that goes with serde's message.
fn shape_error(text: &str) -> &'static str {
    const CODES: [(&str, &str); 5] = [
        ("missing field", "missing"),
        ("unknown field", "unknown_field"),
        ("duplicate field", "duplicate"),
        ("unknown variant", "unknown_value"),
        ("invalid type", "type"),
    ];
    let code = CODES.iter().find(|(start, _)| text.starts_with(start));
    code.map_or("invalid", |(_, code)| code)
}

/// Says serde's "expected u32" and "expected struct NewOrder" in the words of JSON.
fn plain_words(text: &str) -> String {
    let Some((found, expected)) = text.split_once(", expected ") else { return text.to_owned() };
    let plain = match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    };
    format!("{found}, expected {plain}")
}

fn report_errors(report: &garde::Report) -> Vec<FieldError> {
    let field = |(path, error): &(garde::Path, garde::Error)| {
        FieldError::new(pointer_of_path(&path.to_string()), "invalid", error.message())
    };
    report.iter().map(field).collect()
}

/// Turns garde's `lines[0].quantity` into `/lines/0/quantity`.
fn pointer_of_path(path: &str) -> String {
    let mut pointer = String::with_capacity(path.len() + 1);
    for segment in path.split(['.', '[', ']']).filter(|segment| !segment.is_empty()) {
        push_segment(&mut pointer, segment);
    }
    pointer
}

/// The ids in a route's path, in their order: each a whole number from 1, else 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathIds<const N: usize>(pub [i64; N]);

/// The only id in a route's path: a whole number from 1, else 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathId(pub i64);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for PathIds<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("thing"))?;
        let mut ids = [0; N];
        let mut values = params.iter();
        for id in &mut ids {
            let value = values.next().map(|(_, value)| value);
            *id = value.and_then(parse_id).ok_or_else(|| Problem::not_found("thing"))?;
        }
        Ok(Self(ids))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathIds([id]) = PathIds::from_request_parts(parts, state).await?;
        Ok(Self(id))
    }
}

/// A whole number from 1, in digits only.
pub fn parse_id(text: &str) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|id| *id >= 1)
}

/// The Idempotency-Key field (draft-07), if there is one: a structured-field string, `"..."`, or
/// the bare token that many clients send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        if values.next().is_some() {
            return Err(invalid_key("Send the Idempotency-Key field once."));
        }
        parse_idempotency_key(value.as_bytes()).map(|key| Self(Some(key)))
    }
}

fn invalid_key(detail: &str) -> Problem {
    Problem::bad_request("invalid_idempotency_key", detail)
}

fn parse_idempotency_key(bytes: &[u8]) -> Result<String, Problem> {
    let what = "An Idempotency-Key has 1 to 255 visible ASCII characters.";
    let text = std::str::from_utf8(bytes).map_err(|_| invalid_key(what))?.trim();
    let key = match text.strip_prefix('"') {
        None => text.to_owned(),
        Some(rest) => unquote(rest)
            .ok_or_else(|| invalid_key("The Idempotency-Key's quotes or escapes do not match."))?,
    };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible || !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len()) {
        return Err(invalid_key(what));
    }
    Ok(key)
}

/// The content of a structured-field string (RFC 9651 section 3.3.3) after its opening quote. Only
/// `"` and `\` can be escaped.
fn unquote(rest: &str) -> Option<String> {
    let mut content = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(content),
            '\\' => content.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => content.push(other),
        }
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
