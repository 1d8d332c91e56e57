//! The catalogue's pages: home, list with facets, product, covers.

use std::collections::BTreeSet;

use axum::http::Method;
use runout_shop::accounts::Role;
use serde_json::json;

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::orders::{on_sale, restock};
use crate::support::Client;
use crate::support::visitor::Visitor;

/// What must never come out of a page as it went in.
pub const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=1>";

/// No text of anybody's has become part of the page.
#[track_caller]
pub fn is_clean(html: &str) {
    for never in ["<script>alert", "<img src=x", "\"'><"] {
        assert!(!html.contains(never), "{never} in {html}");
    }
}

/// The targets of links that begin so.
pub fn links(html: &str, begin: &str) -> Vec<String> {
    let hrefs = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let plain = hrefs.map(|href| href.replace("&#38;", "&").replace("&amp;", "&"));
    plain.filter(|href| href.starts_with(begin)).collect()
}

/// The records of a list's page, in its order.
fn records(html: &str) -> Vec<i64> {
    let ids = html.split("<h2><a href=\"/products/").skip(1);
    ids.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
}

fn link_of(html: &str, rel: &str) -> Option<String> {
    let before = html.split(&format!("\" rel=\"{rel}\"")).next().filter(|part| *part != html)?;
    let href = before.rsplit("href=\"").next()?;
    Some(href.replace("&#38;", "&").replace("&amp;", "&"))
}

/// Sixty records: styles, years (some of none) and titles that repeat.
async fn stocked(staff: &Client) -> BTreeSet<i64> {
    let mut all = BTreeSet::new();
    for number in 0..60 {
        let body = json!({
            "title": format!("Title {}", number % 7),
            "artist": format!("Artist {}", number % 5),
            "style": (["Rock", "Jazz", "Hip Hop"][number % 3]),
            "release_year": (number % 4 != 0).then_some(1960 + number),
            "sku": format!("SKU-{number}"),
            "price": {"currency": "EUR", "amount": "10.00"},
        });
        let product = add(staff, body).await;
        if number % 10 == 0 {
            restock(staff, id(&product["variants"][0]), 3).await;
        }
        all.insert(id(&product));
    }
    all
}

/// Every page of a list, one after another, and back again.
async fn walk(visitor: &mut Visitor, first: &str) -> Vec<i64> {
    let (mut path, mut forth, mut pages) = (first.to_owned(), Vec::new(), Vec::new());
    loop {
        let html = visitor.open(&path).await.expect(200);
        pages.push(records(&html));
        forth.extend(records(&html));
        assert!(pages.len() < 20, "it goes on and on");
        match link_of(&html, "next") {
            Some(next) => path = next,
            None => break,
        }
    }
    for expected in pages.iter().rev().skip(1) {
        let html = visitor.open(&path).await.expect(200);
        path = link_of(&html, "prev").expect("a way back");
        let html = visitor.open(&path).await.expect(200);
        assert_eq!(&records(&html), expected, "back at {path}");
    }
    if pages.len() > 1 {
        let html = visitor.open(&path).await.expect(200);
        assert_eq!(link_of(&html, "prev"), None, "nothing before the first page");
    }
    forth
}

on_both_engines! {
    async fn pages_walk_the_whole_catalogue_both_ways(shop: TestShop) {
        let staff = shop.staff().await;
        let all = stocked(&staff).await;
        let mut visitor = shop.visitor();
        for sort in ["", "title", "artist", "-year", "year"] {
            let seen = walk(&mut visitor, &format!("/catalogue?sort={sort}")).await;
            assert_eq!(seen.len(), all.len(), "{sort}: gaps or repeats");
            assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), all, "{sort}");
        }
    }

    async fn facets_count_what_the_list_shows(shop: TestShop) {
        let staff = shop.staff().await;
        stocked(&staff).await;
        let mut visitor = shop.visitor();
        let html = visitor.open("/catalogue").await.expect(200);
        assert!(html.contains(">60 records<"), "{html}");
        let mut checked = 0;
        for begin in ["/catalogue?style=", "/catalogue?decade=", "/catalogue?artist="] {
            for link in links(&html, begin) {
                let entry = html.split(&link.replace('&', "&#38;")).nth(1).expect("it is there");
                let entry = entry.split("</a>").next().expect("a link");
                let count = entry.trim_end_matches("</span>").rsplit('>').next().expect("a number");
                let count: usize = count.parse().unwrap_or_else(|_| panic!("{entry}"));
                assert_eq!(walk(&mut visitor, &link).await.len(), count, "{link}");
                checked += 1;
            }
        }
        assert!(checked >= 3 + 5 + 6, "{checked}");
        let seen = walk(&mut visitor, "/catalogue?in_stock=1").await;
        assert_eq!(seen.len(), 6);
        let both = visitor.open("/catalogue?style=Rock&in_stock=1").await.expect(200);
        assert!(both.contains(">2 records<"), "{both}");
        assert!(both.contains("Remove the filter </span>Rock"), "{both}");
        // A sale changes what is in stock, and nothing else.
        restock(&staff, id(&add(&staff, json!({
            "title": "New", "sku": "NEW", "style": "Rock",
            "price": {"currency": "EUR", "amount": "1"},
        })).await["variants"][0]), 1).await;
        let both = visitor.open("/catalogue?style=Rock&in_stock=1").await.expect(200);
        assert!(both.contains(">3 records<"), "{both}");
    }

    async fn a_search_that_finds_nothing_helps(shop: TestShop) {
        let staff = shop.staff().await;
        on_sale(&staff, "Blue", "10", 1).await;
        let mut visitor = shop.visitor();
        let found = visitor.open("/catalogue?q=blu").await.expect(200);
        assert_eq!(records(&found).len(), 1);
        let nothing = visitor.open("/catalogue?q=xyzzy&style=Rock").await.expect(200);
        assert!(nothing.contains("Nothing fits") && nothing.contains("0 records"), "{nothing}");
        assert!(links(&nothing, "/catalogue?style=Rock").len() == 2, "chip and help: {nothing}");
        for odd in ["/catalogue?cursor=nonsense", "/catalogue?sort=x&decade=y&kind=z&page=7",
            "/catalogue?before=eyJ", "/catalogue?q=%00"]
        {
            assert_eq!(records(&visitor.open(odd).await.expect(200)).len(), 1, "{odd}");
        }
    }

    async fn home_has_new_soon_and_nearly_gone(shop: TestShop) {
        let staff = shop.staff().await;
        let mut visitor = shop.visitor();
        let empty = visitor.open("/").await.expect(200);
        assert!(empty.contains("nothing on the shelves"), "{empty}");
        on_sale(&staff, "Plenty", "10", 50).await;
        on_sale(&staff, "Scarce", "10", 2).await;
        on_sale(&staff, "Gone", "10", 0).await;
        add(&staff, json!({"title": "Future", "sku": "F", "release_at": "2026-12-24T00:00:00Z",
            "price": {"currency": "EUR", "amount": "1"}})).await;
        add(&staff, json!({"title": "Hidden", "sku": "H", "enabled": false})).await;
        let html = visitor.open("/").await.expect(200);
        let part = |from: &str| {
            let rest = html.split(&format!("<section aria-labelledby=\"{from}\"")).nth(1);
            let rest = rest.unwrap_or_else(|| panic!("no {from} in {html}"));
            rest.split("</section>").next().expect("an end").to_owned()
        };
        let (new, soon) = (part("new"), part("soon"));
        assert!(new.contains("Plenty") && new.contains("Gone") && !new.contains("Future"), "{new}");
        assert!(soon.contains("Future") && soon.contains("Out 24 December 2026"), "{soon}");
        assert!(!soon.contains("Plenty") && !html.contains("Hidden"), "{html}");
        let mut later = shop.visitor();
        shop.clock.advance(std::time::Duration::from_secs(40 * 24 * 3_600));
        let html = later.open("/").await.expect(200);
        assert!(!html.contains("Out 24 December"), "it is out: {html}");
    }

    async fn a_product_tells_what_can_be_had(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({
            "title": "Two Forms", "artist": "Ana", "release_year": 1999, "style": "Rock",
            "description": "Line one.\nLine two.",
            "variants": [
                {"sku": "LP", "title": "Black LP", "limit_per_order": 2,
                    "prices": [{"currency": "EUR", "amount": "20"}]},
                {"sku": "CD", "title": "CD", "prices": [{"currency": "EUR", "amount": "12.5"}]},
            ],
        })).await;
        let path = format!("/products/{}", id(&product));
        restock(&staff, id(&product["variants"][0]), 3).await;
        let mut visitor = shop.visitor();
        let html = visitor.open(&path).await.expect(200);
        for words in ["Two Forms", "Black LP", "€20.00", "€12.50", "Only 3 copies left", "Sold out",
            "At most 2 each", "alt=\"Cover: Two Forms by Ana\"", "application/ld+json",
            "<link rel=\"canonical\" href=\"/products/", "og:title"]
        {
            assert!(html.contains(words), "{words} in {html}");
        }
        assert_eq!(html.matches("action=\"/basket/add\"").count(), 1, "sold out: no form");
        assert!(!html.contains("Prices <span"), "history is for staff");
        let mut boss = shop.visitor_as("boss", Role::Superuser).await;
        let html = boss.open(&path).await.expect(200);
        assert!(html.contains("Prices <span") && html.contains("Newest first"), "{html}");
        // Kept ready, and never stale.
        restock(&staff, id(&product["variants"][1]), 9).await;
        assert!(!visitor.open(&path).await.expect(200).contains("Sold out"));
        staff.patch(&format!("/api/v1/products/{}", id(&product)), json!({"enabled": false})).await
            .expect(200);
        visitor.open(&path).await.expect(404);
        visitor.open(&format!("{path}/cover.svg")).await.expect(404);
        boss.open(&path).await.expect(200);
        visitor.open("/products/999").await.expect(404);
    }

    async fn covers_are_kept_by_their_version(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({"title": "Blue", "sku": "B", "artist": "Joni"})).await;
        let path = format!("/products/{}/cover.svg", id(&product));
        let mut visitor = shop.visitor();
        let first = visitor.get(&format!("{path}?v=1")).await;
        assert_eq!(first.headers["content-type"], "image/svg+xml; charset=utf-8");
        assert_eq!(first.headers["cache-control"], "private, max-age=31536000, immutable");
        assert!(first.html().contains(">Blue</text>"), "{}", first.html());
        let unnamed = visitor.get(&path).await;
        assert_eq!(unnamed.headers["cache-control"], "private, no-cache");
        let tag = unnamed.headers["etag"].to_str().expect("text").to_owned();
        let again = [("if-none-match", tag.as_str())];
        let again = visitor.send(Method::GET, &path, None, &again).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let change = json!({"title": "Bleu"});
        staff.patch(&format!("/api/v1/products/{}", id(&product)), change).await.expect(200);
        let changed = visitor.send(Method::GET, &path, None, &[("if-none-match", &tag)]).await;
        assert!(changed.html().contains(">Bleu</text>"));
        let list = visitor.open("/catalogue").await.expect(200);
        assert!(list.contains(&format!("{path}?v=2")), "{list}");
    }

    async fn whatever_staff_write_is_text(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({
            "title": EVIL, "artist": EVIL, "style": EVIL, "label": EVIL, "catalogue_number": EVIL,
            "description": EVIL, "release_year": 1999, "attributes": {"format": EVIL},
            "variants": [
                {"sku": "A", "title": EVIL, "prices": [{"currency": "EUR", "amount": "1"}]},
                {"sku": "B", "title": EVIL, "prices": [{"currency": "EUR", "amount": "2"}]},
            ],
        })).await;
        restock(&staff, id(&product["variants"][0]), 2).await;
        let mut visitor = shop.visitor();
        let encoded = serde_urlencoded::to_string([("q", EVIL), ("style", EVIL), ("artist", EVIL)]);
        let query = format!("/catalogue?{}", encoded.expect("text"));
        let nothing = format!("/catalogue?q={}", "%3Cscript%3Ealert(1)%3C/script%3Ezzz");
        let (page, cover) = (format!("/products/{}", id(&product)),
            format!("/products/{}/cover.svg", id(&product)));
        for path in ["/", "/catalogue", &query, &nothing, &page, &cover] {
            let html = visitor.open(path).await.expect(200);
            is_clean(&html);
        }
        let html = visitor.open(&page).await.expect(200);
        assert!(html.contains("&#60;script&#62;alert(1)"), "it is shown all the same: {html}");
        let json_ld = html.split("application/ld+json\">").nth(1).expect("there is some");
        let json_ld = json_ld.split("</script>").next().expect("an end");
        let read: serde_json::Value = serde_json::from_str(json_ld).expect("JSON");
        assert_eq!(read["name"], EVIL);
    }
}
