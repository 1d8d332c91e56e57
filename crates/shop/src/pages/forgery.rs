//! Refuses unsafe requests that a browser sends from another site's page (CSRF).
//!
//! As Go's `http.CrossOriginProtection`: browsers say in `Sec-Fetch-Site` where a request comes
//! from, older ones name the page's origin. Who sends neither is no browser, and has no cookie that
//! it does not mean to send. <https://words.filippo.io/csrf/>

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// True if the request may not be carried out.
pub(super) fn is_forged(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return false;
    }
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    !matches!((own, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unsafe_requests_from_elsewhere_are_forged() {
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);
        let table: [Row; 13] = [
            ("GET", &[("sec-fetch-site", "cross-site")], false),
            ("HEAD", &[("origin", "https://evil.example")], false),
            ("POST", &[("sec-fetch-site", "cross-site")], true),
            // A neighbour under the same domain is another site's page all the same.
            ("POST", &[("sec-fetch-site", "same-site")], true),
            ("POST", &[("sec-fetch-site", "same-origin")], false),
            ("POST", &[("sec-fetch-site", "none")], false),
            ("DELETE", &[("sec-fetch-site", "nonsense")], true),
            ("POST", &[("origin", "https://shop.example")], false),
            ("POST", &[("origin", "https://SHOP.example")], false),
            ("POST", &[("origin", "https://shop.example:8443")], true),
            ("POST", &[("origin", "https://shop.example.evil.example")], true),
            ("POST", &[("origin", "null")], true),
            ("POST", &[], false),
        ];
        for (method, fields, forged) in table {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "shop.example".parse().expect("a value"));
            for (name, value) in fields {
                let name: axum::http::HeaderName = name.parse().expect("a name");
                headers.insert(name, value.parse().expect("a value"));
            }
            let method = method.parse().expect("a method");
            let uri = Uri::from_static("/x");
            assert_eq!(is_forged(&method, &uri, &headers), forged, "{method} {fields:?}");
        }
    }
}
