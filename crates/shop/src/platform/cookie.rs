//! Cookies of the pages. All of them begin with `__Host-`: browsers take and send such a cookie
//! only over TLS (or on the machine itself), for this host alone and for every path of it.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The value of a cookie that the browser sent.
pub fn sent<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, v)| v)
}

/// The field that gives the browser a cookie for so many seconds. No script can read it, and other
/// sites' forms do not send it.
///
/// # Panics
/// When the value is not made of token characters.
pub fn given(name: &str, value: &str, seconds: i64) -> HeaderValue {
    let field =
        format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::try_from(field).expect("cookies' values are made of token characters")
}

/// The field that takes a cookie away again.
pub fn taken_away(name: &str) -> HeaderValue {
    given(name, "", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; __Host-b=two=2;c=3"));
        headers.append(COOKIE, HeaderValue::from_static("d=4"));
        for (name, value) in
            [("a", Some("1")), ("__Host-b", Some("two=2")), ("c", Some("3")), ("d", Some("4"))]
        {
            assert_eq!(sent(&headers, name), value);
        }
        assert_eq!(sent(&headers, "b"), None);
    }
}
