//! ETags made of a row's version, and the If-Match field that guards a change by them.

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::problem::Problem;

/// The strong ETag of a version, `"7"`.
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits between quotes")
}

/// The If-Match field: which versions the client is ready to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// No field, or `*`.
    #[default]
    Any,
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// True if a thing of this version may be changed.
    pub fn allows(&self, version: i64) -> bool {
        match self {
            IfMatch::Any => true,
            IfMatch::OneOf(versions) => versions.contains(&version),
        }
    }

    /// Reads every If-Match field. Tags that are not ours, weak ones included (RFC 9110 section
    /// 13.1.1 compares strongly), match nothing.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        if !headers.contains_key(IF_MATCH) {
            return Self::Any;
        }
        let values = headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        if tags.contains(&"*") {
            return Self::Any;
        }
        Self::OneOf(tags.into_iter().filter_map(version).collect())
    }
}

fn version(tag: &str) -> Option<i64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::from_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_strongly() {
        for (fields, allows_seven) in [
            (&[][..], true),
            (&["*"], true),
            (&["\"7\""], true),
            (&["\"6\", \"7\""], true),
            (&["\"6\"", "\"7\""], true),
            (&["\"6\""], false),
            (&["W/\"7\""], false),
            (&["7"], false),
            (&["\"a,b\""], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(IF_MATCH, HeaderValue::from_static(field));
            }
            assert_eq!(IfMatch::from_headers(&headers).allows(7), allows_seven, "{fields:?}");
        }
        assert_eq!(etag(7), "\"7\"");
    }
}
