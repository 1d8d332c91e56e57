//! MattShop's and Simba's numbered pages: `?page=2`, and an envelope with the addresses of the
//! pages beside it.

use axum::extract::{FromRequestParts, Query};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::platform::extract::parse_id;
use crate::platform::problem::Problem;

/// Rows of a page.
pub(super) const PAGE_SIZE: i64 = 20;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Envelope<T> {
    /// Rows on all pages.
    #[schema(minimum = 0)]
    count: i64,
    /// The address of the next page; null on the last one.
    #[schema(required = true, example = "http://localhost:8000/products/list/?page=2")]
    next: Option<String>,
    /// The address of the page before; null on the first one.
    #[schema(required = true)]
    previous: Option<String>,
    results: Vec<T>,
}

/// The page that a request asks for.
#[derive(Debug)]
pub(super) struct Numbered {
    /// From 1.
    page: i64,
    /// Rows of a page.
    size: i64,
    /// The list's own address, without a query.
    address: String,
}

impl Numbered {
    /// The same page of a list with pages of another size.
    pub(super) fn of_size(self, size: i64) -> Self {
        assert!(size > 0, "pages have rows");
        Self { size, ..self }
    }

    /// How many rows come before the page, if the list of `count` rows has such a page. The first
    /// page is always there.
    ///
    /// # Errors
    /// 404 for a page beyond the last one.
    pub(super) fn offset(&self, count: i64) -> Result<i64, Problem> {
        // Compared without a product that could overflow.
        if self.page > 1 && self.page - 1 > (count - 1).div_euclid(self.size) {
            return Err(no_such_page());
        }
        Ok((self.page - 1) * self.size)
    }

    /// Puts the page's rows into the envelope.
    pub(super) fn envelope<T>(&self, count: i64, results: Vec<T>) -> Envelope<T> {
        let more = self.page - 1 < (count - 1).div_euclid(self.size);
        let next = more.then(|| self.address_of(self.page + 1));
        let previous = (self.page > 1).then(|| self.address_of(self.page - 1));
        Envelope { count, next, previous, results }
    }

    fn address_of(&self, page: i64) -> String {
        match page {
            1 => self.address.clone(),
            page => format!("{}?page={page}", self.address),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Numbered {
    type Rejection = Problem;

    /// Other parameters than `page` are passed over, as MattShop did.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::bad_request("invalid_query", "The query cannot be read."))?;
        let page = match pairs.iter().rev().find(|(name, _)| name == "page") {
            Some((_, text)) => parse_id(text).ok_or_else(no_such_page)?,
            None => 1,
        };
        Ok(Self { page, size: PAGE_SIZE, address: address(&parts.uri, &parts.headers) })
    }
}

fn no_such_page() -> Problem {
    Problem::not_found("page")
}

/// The address that the client used, as far as it tells; else the path alone.
fn address(uri: &Uri, headers: &HeaderMap) -> String {
    let path = uri.path();
    let named = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let Some(authority) = named.as_ref().or(uri.authority()) else { return path.to_owned() };
    // Set by whoever ends TLS before us. It only decides how the client's own answer is written.
    let encrypted = headers.get(X_FORWARDED_PROTO).is_some_and(|proto| proto == "https");
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(page: i64) -> Numbered {
        Numbered { page, size: PAGE_SIZE, address: "http://shop/list/".to_owned() }
    }

    #[test]
    fn pages_end_where_the_rows_do() {
        for (count, page, offset) in [
            (0, 1, Some(0)),
            (0, 2, None),
            (20, 1, Some(0)),
            (20, 2, None),
            (21, 2, Some(20)),
            (40, 2, Some(20)),
            (40, 3, None),
            (40, i64::MAX, None),
        ] {
            let found = numbered(page).offset(count).ok();
            assert_eq!(found, offset, "page {page} of {count} rows");
        }
    }

    #[test]
    fn links_lead_to_the_pages_beside() {
        for (count, page, next, previous) in [
            (0, 1, None, None),
            (20, 1, None, None),
            (21, 1, Some("http://shop/list/?page=2"), None),
            (50, 2, Some("http://shop/list/?page=3"), Some("http://shop/list/")),
            (50, 3, None, Some("http://shop/list/?page=2")),
        ] {
            let Envelope::<()> { next: after, previous: before, .. } =
                numbered(page).envelope(count, Vec::new());
            assert_eq!((after.as_deref(), before.as_deref()), (next, previous), "{count} {page}");
        }
    }

    #[test]
    fn the_address_is_the_clients() {
        for (fields, expected) in [
            (vec![("host", "shop.example:8000")], "http://shop.example:8000/a/"),
            (vec![("host", "shop"), ("x-forwarded-proto", "https")], "https://shop/a/"),
            (vec![("host", "a\"b c")], "/a/"),
            (vec![], "/a/"),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &fields {
                headers.insert(*name, value.parse().expect("a header value"));
            }
            assert_eq!(address(&Uri::from_static("/a/?page=2"), &headers), expected, "{fields:?}");
        }
    }
}
