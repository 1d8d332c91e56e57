//! Requests that another site's page makes a browser send.

use axum::http::Method;
use runout_shop::accounts::Role;

use super::is_known;
use super::pages::{looks, pages};
use crate::on_both_engines;

/// What browsers say about a request that comes from elsewhere: new ones, old ones, a neighbour
/// under the same domain, a page without an origin.
const ELSEWHERE: [&[(&str, &str)]; 6] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "same-site"), ("origin", "https://blog.shop.example")],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")],
    &[("origin", "https://evil.example")],
    &[("origin", "https://shop.example.evil.example")],
    &[("origin", "null")],
];

/// Rows that a change leaves behind. Who takes a table out is noted, but that changes nothing.
const TRACES: &str = "select (select count(*) from audit where action <> 'table.export')
    + (select count(*) from outbox) + (select count(*) from session) + (select count(*) from basket)
    + (select count(*) from stock_movement)";

on_both_engines! {
    async fn nothing_is_done_that_another_site_asks_for(shop: TestShop) {
        let mut owner = shop.visitor_as("root", Role::Superuser).await;
        let (before, cookies) = (shop.number(TRACES).await, owner.cookies.clone());
        let unsafe_pages = pages().into_iter().filter(|page| page.method != "GET");
        for page in unsafe_pages {
            for fields in ELSEWHERE {
                let method: Method = page.method.parse().expect("a method");
                let answer = owner.send(method, &page.nowhere(), Some(&[]), fields).await;
                let html = answer.html();
                let refused = answer.status == 403 && html.contains("another site's page");
                let escaped = answer.status == 403 && html.contains("another site&#39;s page");
                assert!(refused || escaped, "{} {fields:?}: {html}", page.route);
                assert!(answer.headers.get("set-cookie").is_none(), "{}", page.route);
            }
        }
        assert_eq!(owner.cookies, cookies);
        assert_eq!(shop.number(TRACES).await, before);
        // The session works still: nobody was logged out.
        assert!(is_known(&mut owner).await);
    }

    async fn own_pages_and_programs_get_to_the_handlers(shop: TestShop) {
        for fields in [
            [("sec-fetch-site", "same-origin")].as_slice(),
            &[("origin", "https://shop.example")],
            // Neither field: no browser sends that, so there is nobody whose cookie is misused.
            &[],
        ] {
            let mut owner = shop.visitor_as("root", Role::Superuser).await;
            let path = "/accounts/logout/";
            let answer = owner.send(Method::POST, path, Some(&[]), fields).await;
            assert_eq!(answer.status, 303, "{fields:?}: {}", answer.html());
            assert!(owner.cookies.is_empty(), "{fields:?}");
        }
    }

    async fn looking_changes_nothing(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        let before = shop.number(TRACES).await;
        for page in looks() {
            let mut viewer = house.viewer(&page);
            for path in page.looks(&house.things) {
                let answer = viewer.get(&path).await;
                assert!(answer.status.is_success(), "{path}: {}", answer.html());
                assert_eq!(shop.number(TRACES).await, before, "{path} has changed something");
            }
        }
    }
}
