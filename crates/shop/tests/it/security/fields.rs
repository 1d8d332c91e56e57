//! What every page's response says to the browser: which scripts may run, that nobody may frame it,
//! that TLS is for good.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::{Method, Request, header};
use tower::ServiceExt;

use super::pages::{looks, pages};
use crate::on_both_engines;
use crate::support::{Answer, TestShop};

fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The nonce of the policy.
fn nonce(policy: &str) -> &str {
    let rest = policy.split("'nonce-").nth(1).unwrap_or_else(|| panic!("no nonce: {policy}"));
    rest.split('\'').next().expect("a nonce")
}

/// Checks a response; gives its nonce, which one that may run no scripts has none of.
fn check(path: &str, answer: &Answer) -> Option<String> {
    let policy = field(answer, "content-security-policy");
    // Pictures may have a stricter one: no scripts at all.
    let strict = policy == "default-src 'none'; frame-ancestors 'none'";
    for part in
        ["default-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"]
    {
        assert!(strict || policy.contains(part), "{path}: {policy:?} lacks {part}");
    }
    for part in ["unsafe-", "*", "http:", "https:", "script-src 'self'"] {
        assert!(!policy.contains(part), "{path}: {policy:?} has {part}");
    }
    assert_eq!(field(answer, "x-frame-options"), "DENY", "{path}");
    assert_eq!(field(answer, "x-content-type-options"), "nosniff", "{path}");
    assert_eq!(field(answer, "cross-origin-opener-policy"), "same-origin", "{path}");
    assert_eq!(field(answer, "cross-origin-resource-policy"), "same-origin", "{path}");
    assert!(!field(answer, "referrer-policy").is_empty(), "{path}: no referrer policy");
    assert!(field(answer, "strict-transport-security").starts_with("max-age=31536000"), "{path}");
    (!strict).then(|| nonce(policy).to_owned())
}

/// Nothing in a page that the policy would have to forbid.
fn check_html(path: &str, html: &str, nonce: &str) {
    let lower = html.to_lowercase();
    for tag in lower.split("<script").skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let own = tag.contains(&format!("nonce=\"{}\"", nonce.to_lowercase()));
        // Data for scripts is no script; the policy leaves it alone.
        assert!(
            own || tag.contains("application/json") || tag.contains("ld+json"),
            "{path}: <script{tag}>"
        );
    }
    for forbidden in [" style=\"", "<style", "javascript:", " onclick=", " onload=", " onerror="] {
        assert!(!lower.contains(forbidden), "{path} has {forbidden}");
    }
    for attribute in ["src=\"http", "src=\"//", "href=\"//", "action=\"http", "action=\"//"] {
        assert!(!lower.contains(attribute), "{path} leads away: {attribute}");
    }
}

/// True if the shop tells a browser that came under this name to use TLS for good.
async fn asks_for_tls(shop: &TestShop, host: &str) -> bool {
    let request = Request::get("/accounts/login/").header(header::HOST, host);
    let request = request.body(Body::empty()).expect("a request");
    let response = shop.router().oneshot(request).await.expect("the router never fails");
    response.headers().contains_key(header::STRICT_TRANSPORT_SECURITY)
}

on_both_engines! {
    async fn every_page_carries_the_whole_set_and_a_nonce_of_its_own(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        let mut nonces = HashSet::new();
        for page in looks() {
            let mut viewer = house.viewer(&page);
            let mut paths = page.looks(&house.things);
            // And as it is refused, or finds nothing.
            paths.push(page.nowhere());
            for path in paths {
                for visitor in [&mut viewer, &mut house.guest.clone()] {
                    let answer = visitor.get(&path).await;
                    let nonce = check(&path, &answer);
                    if field(&answer, "content-type").starts_with("text/html") {
                        let nonce = nonce.as_deref().expect("pages have one");
                        check_html(&path, &answer.html(), nonce);
                        let kept = field(&answer, "cache-control");
                        let own = kept.contains("no-store") || kept.contains("private");
                        assert!(own, "{path}: may be kept by others: {kept:?}");
                    }
                    let fresh = nonce.is_none_or(|nonce| nonces.insert(nonce));
                    assert!(fresh, "{path}: a nonce came twice");
                }
            }
        }
    }

    async fn changes_and_strangers_paths_carry_it_too(shop: TestShop) {
        let mut guest = shop.visitor();
        for page in pages().into_iter().filter(|page| page.method != "GET") {
            let answer = guest.post(&page.nowhere(), &[]).await;
            check(&page.route, &answer);
        }
        let html = [("accept", "text/html")];
        let lost = guest.send(Method::GET, "/no/such/page", None, &html).await;
        assert_eq!(lost.status, 404);
        check("/no/such/page", &lost);
    }
    async fn tls_is_for_good_but_on_the_machine_itself(shop: TestShop) {
        for host in ["shop.example", "shop.example:8443", "192.0.2.7", "localhost.example"] {
            assert!(asks_for_tls(&shop, host).await, "{host}");
        }
        for host in ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"] {
            assert!(!asks_for_tls(&shop, host).await, "{host}");
        }
    }
}
