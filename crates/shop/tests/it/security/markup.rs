//! Markup in every text that somebody may store: no page shows it as markup.

use axum::http::Method;
use runout_shop::accounts::Role;

use super::pages::looks;
use crate::on_both_engines;
use crate::support::actors::PASSWORD;

/// Breaks out of attributes of both kinds and out of text. No blank: addresses of e-mail take it.
const MARK: &str = "\"'><b/data-evil>";
/// Ways to write it that no browser reads as markup.
const HARMLESS: [&str; 9] = [
    "&#34;&#39;&#62;&#60;b/",
    "&quot;&#39;&gt;&lt;b/",
    "&quot;&#x27;&gt;&lt;b/",
    "%22%27%3E%3Cb%2F",
    "%22'%3E%3Cb%2F",
    "%22%27%3E%3Cb/",
    // Within an address within an address, and within JSON.
    "%2522%2527%253E%253Cb%252F",
    "\\\"'\\u003e\\u003cb/",
    "\\u0022\\u0027\\u003e\\u003cb/",
];

/// Times that the mark is shown; panics where it could be markup.
#[track_caller]
fn shown(path: &str, html: &str) -> usize {
    let html = html.replace("&#x2F;", "/").replace("&#47;", "/");
    let lower = html.to_lowercase();
    let mut count = 0;
    for (at, _) in lower.match_indices("data-evil") {
        let before = &html[..at];
        let harmless = HARMLESS.iter().any(|way| before.ends_with(way));
        let around: String =
            before.chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
        assert!(harmless, "{path} shows what somebody stored as markup: {around}data-evil");
        count += 1;
    }
    count
}

/// Where a marked search comes back.
const SEARCHES: [&str; 3] = ["q", "next", "artist"];

on_both_engines! {
    async fn no_stored_text_is_markup(shop: TestShop) {
        let mut house = crate::security::House::of(&shop, MARK).await;
        // A browser names itself, and a login that fails shows what was typed.
        let mut browser = shop.visitor();
        shop.account("mal", Role::Customer).await;
        let fields = [("username", "mal"), ("password", PASSWORD)];
        let agent = [("sec-fetch-site", "same-origin"), ("user-agent", MARK)];
        browser.send(Method::POST, "/accounts/login/", Some(&fields), &agent).await;
        let fields = [("username", MARK), ("password", MARK), ("next", MARK)];
        let refused = house.guest.post("/accounts/login/", &fields).await;
        assert!(shown("the login", &refused.html()) > 0);
        let mut seen = 0;
        for page in looks() {
            let mut viewer = house.viewer(&page);
            for path in page.looks(&house.things) {
                let answer = viewer.get(&path).await;
                assert!(answer.status.is_success(), "{path}: {}", answer.html());
                let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
                let kind = kind.unwrap_or_default().to_owned();
                if ["text/html", "image/svg+xml"].iter().any(|markup| kind.starts_with(markup)) {
                    seen += shown(&path, &answer.html());
                }
            }
        }
        assert!(seen >= SEEN_MIN, "the mark was shown {seen} times only: what do pages show?");
    }

    async fn no_parameter_is_markup(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        for page in looks() {
            let mut viewer = house.viewer(&page);
            for path in page.looks(&house.things) {
                let joint = if path.contains('?') { '&' } else { '?' };
                for name in SEARCHES {
                    let query = serde_urlencoded::to_string([(name, MARK)]).expect("text");
                    let path = format!("{path}{joint}{query}");
                    let answer = viewer.get(&path).await;
                    let kind = answer.headers.get("content-type").map(|kind| kind.as_bytes());
                    if kind.is_some_and(|kind| kind.starts_with(b"text/html")) {
                        shown(&path, &answer.html());
                    }
                }
            }
        }
        for path in ["/no/such/page", "/products/"] {
            let path = format!("{path}%22%27%3E%3Cb%2Fdata-evil%3E");
            let html = [("accept", "text/html")];
            let answer = shop.visitor().send(Method::GET, &path, None, &html).await;
            shown(&path, &answer.html());
        }
    }
}

/// Fewer would mean that the pages do not show what was stored.
const SEEN_MIN: usize = 100;
