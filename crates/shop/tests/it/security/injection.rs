//! Line ends and the like in whatever gets into a response's head: searches, cookies, names of
//! files.

use axum::http::Method;

use super::pages::{looks, pages};
use crate::on_both_engines;
use crate::support::Answer;

const LINES: &str = "x\r\nX-Evil: 1\r\n\r\n<b>evil";

#[track_caller]
fn clean(what: &str, answer: &Answer) {
    assert!(answer.status.as_u16() < 500, "{what}: {}", answer.html());
    for (name, value) in &answer.headers {
        assert_ne!(name.as_str(), "x-evil", "{what}");
        let odd = value.as_bytes().iter().any(|byte| *byte < b' ' || *byte == 127);
        assert!(!odd, "{what}: {name}: {value:?}");
    }
}

on_both_engines! {
    async fn no_parameter_gets_into_the_head(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        let pairs = ["q", "next", "sort", "cursor", "artist", "style", "format", "name", "file"];
        let query: Vec<(&str, &str)> = pairs.iter().map(|name| (*name, LINES)).collect();
        for page in looks() {
            let mut viewer = house.viewer(&page);
            for path in page.looks(&house.things) {
                let joint = if path.contains('?') { '&' } else { '?' };
                for (name, value) in &query {
                    let one = serde_urlencoded::to_string([(name, value)]).expect("text");
                    let path = format!("{path}{joint}{one}");
                    clean(&path, &viewer.get(&path).await);
                }
            }
        }
    }

    async fn no_cookie_gets_into_the_head(shop: TestShop) {
        let mut visitor = shop.visitor();
        for value in ["a=\"b\r\"", "\u{1}", "%0d%0aX-Evil: 1", "a;b", "ä"] {
            // What no header can carry, no browser sends.
            if value.bytes().any(|byte| byte < b' ') {
                continue;
            }
            for name in ["__Host-session", "__Host-basket", "__Host-other"] {
                visitor.cookies.insert(name.to_owned(), value.to_owned());
            }
            for page in looks() {
                clean(&page.route, &visitor.clone().get(&page.nowhere()).await);
            }
        }
    }

    async fn no_posted_field_gets_into_the_head(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        let names = ["next", "username", "email", "name", "code", "sku", "variant_id", "quantity"];
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (*name, LINES)).collect();
        for page in pages().into_iter().filter(|page| page.method != "GET") {
            let mut viewer = house.viewer(&page);
            let method: Method = page.method.parse().expect("a method");
            let own = [("sec-fetch-site", "same-origin"), ("user-agent", "a\u{e4}b")];
            let answer = viewer.send(method, &page.nowhere(), Some(&fields), &own).await;
            clean(&page.route, &answer);
        }
    }
}
