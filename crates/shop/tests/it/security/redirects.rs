//! Addresses that a request names to go on to: never one of another site.

use runout_shop::accounts::Role;

use crate::on_both_engines;
use crate::support::Answer;
use crate::support::actors::PASSWORD;

/// What browsers take for another site, sooner or later.
const AWAY: [&str; 14] = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\r\nSet-Cookie: a=b",
    "@evil.example",
    ".evil.example",
    "/%0d%0aSet-Cookie:a=b\u{0}",
];

#[track_caller]
fn stays(given: &str, answer: &Answer) {
    if answer.status.is_redirection() {
        let place = answer.location();
        let local = place.starts_with('/') && !place.starts_with("//") && !place.contains('\\');
        assert!(local, "{given:?} leads to {place:?}");
    }
    let cookies = answer.headers.get_all("set-cookie").iter();
    for cookie in cookies {
        assert!(cookie.as_bytes().starts_with(b"__Host-"), "{given:?} sets {cookie:?}");
    }
}

on_both_engines! {
    async fn a_login_leads_to_a_page_of_the_shop(shop: TestShop) {
        shop.account("ana", Role::Customer).await;
        for next in AWAY {
            let mut visitor = shop.visitor();
            let fields = [("username", "ana"), ("password", PASSWORD), ("next", next)];
            let answer = visitor.post("/accounts/login/", &fields).await;
            stays(next, &answer);
            let query = serde_urlencoded::to_string([("next", next)]).expect("text");
            for path in ["/accounts/login/", "/accounts/sign_up/"] {
                let answer = shop.visitor().get(&format!("{path}?{query}")).await;
                stays(next, &answer);
                let html = answer.html();
                let away = html.contains("href=\"https://evil") || html.contains("value=\"//");
                assert!(!away && !html.contains("javascript:"), "{next:?}: {html}");
            }
        }
    }

    async fn the_way_to_the_login_names_only_paths_of_the_shop(shop: TestShop) {
        let mut guest = shop.visitor();
        for referer in ["https://evil.example/x", "//evil.example", "javascript:alert(1)"] {
            let headers = [("sec-fetch-site", "same-origin"), ("referer", referer)];
            let method = axum::http::Method::POST;
            let answer = guest.send(method, "/account/erase", Some(&[]), &headers).await;
            stays(referer, &answer);
            if answer.status.is_redirection() {
                assert!(!answer.location().contains("evil"), "{}", answer.location());
            }
        }
    }
}
