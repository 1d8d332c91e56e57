//! Journeys through basket, checkout and orders, as a person with a browser makes them.

use std::time::Duration;

use runout_shop::accounts::Role;
use serde_json::json;

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::order_life::{act, pay};
use crate::orders::{available, on_sale, restock};
use crate::pages_shop::{EVIL, is_clean};
use crate::support::visitor::{Shown, Visitor};

const BASKET: &str = "__Host-basket";
const BOUGHT: &str = "__Host-bought";

/// Puts some of a variant into the basket, and shows it.
async fn put(visitor: &mut Visitor, variant: i64, quantity: &str) -> Shown {
    let variant = variant.to_string();
    visitor.submit("/basket/add", &[("variant_id", &variant), ("quantity", quantity)]).await
}

/// The value of a hidden field.
#[track_caller]
fn hidden(html: &str, name: &str) -> String {
    let rest = html.split(&format!("type=\"hidden\" name=\"{name}\" value=\"")).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split('"').next().expect("a value").to_owned()
}

/// The checkout's form as a guest fills it in.
fn filled(html: &str, email: &str) -> Vec<(String, String)> {
    [
        ("basket", hidden(html, "basket").as_str()),
        ("key", &hidden(html, "key")),
        ("confirm", &hidden(html, "confirm")),
        ("email", email),
        ("address", "new"),
        ("name", "Bia Lea"),
        ("line1", "Rillengasse 33"),
        ("postal_code", "10115"),
        ("city", "Berlin"),
        ("country", "DE"),
        ("pay", "manual"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

pub async fn check_out(visitor: &mut Visitor, email: &str) -> Shown {
    let html = visitor.open("/checkout").await.expect(200);
    visitor.submit("/checkout", &pairs(&filled(&html, email))).await
}

on_both_engines! {
    async fn a_guest_buys_and_sees_the_order(shop: TestShop) {
        let staff = shop.staff().await;
        let (blue, hits) =
            (on_sale(&staff, "Blue", "19.90", 5).await, on_sale(&staff, "Hits", "10", 5).await);
        let mut guest = shop.visitor();
        let empty = guest.open("/basket").await.expect(200);
        assert!(empty.contains("There is nothing in it") && guest.cookie(BASKET).is_none());
        assert_eq!(guest.open("/checkout").await.path, "/basket", "nothing to check out");
        put(&mut guest, blue, "1").await.expect(200);
        let cookie = guest.cookie(BASKET).expect("a cookie").to_owned();
        put(&mut guest, hits, "1").await.expect(200);
        let html = put(&mut guest, blue, "1").await.expect(200);
        assert_eq!(guest.cookie(BASKET), Some(cookie.as_str()), "one basket");
        for words in ["€39.80", "€49.80", "until 12:05 UTC", "data-until=\"2026-11-21T12:05:00Z\"",
            "<span class=\"visually-hidden\">with </span>3"]
        {
            assert!(html.contains(words), "{words} in {html}");
        }
        assert_eq!(available(&shop, blue).await, 3);
        let line = [("variant_id", hits.to_string())];
        let line: Vec<(&str, &str)> = line.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let html = guest.submit("/basket/remove", &line).await.expect(200);
        assert!(!html.contains("Hits"), "{html}");
        let shown = check_out(&mut guest, "bia@example.org").await;
        assert!(shown.path.starts_with("/orders/"), "{}", shown.path);
        let path = shown.path.clone();
        let html = shown.expect(200);
        for words in ["Waiting for payment", "Blue", "€39.80", "Rillengasse 33", "Germany",
            "bia@example.org", "R0000000"]
        {
            assert!(html.contains(words), "{words} in {html}");
        }
        assert!(guest.cookie(BASKET).is_none() && guest.cookie(BOUGHT).is_some());
        assert!(guest.open("/basket").await.expect(200).contains("There is nothing in it"));
        // Others see nothing of it.
        let mut other = shop.visitor();
        assert!(other.open(&path).await.path.starts_with("/accounts/login/"), "who are you?");
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        ana.open(&path).await.expect(404);
        let answer = ana.post(&format!("{path}/cancel"), &[]).await;
        assert_eq!(answer.status, 404);
        assert_eq!(other.post(&format!("{path}/cancel"), &[]).await.status, 303, "to the login");
        // A second order does not hide the first.
        put(&mut guest, hits, "1").await.expect(200);
        let second = check_out(&mut guest, "bia@example.org").await;
        assert_ne!(second.path, path);
        guest.open(&path).await.expect(200);
        let html = guest.submit(&format!("{path}/cancel"), &[]).await.expect(200);
        assert!(html.contains("Cancelled") && !html.contains("Yes, cancel it"), "{html}");
        assert_eq!(available(&shop, blue).await, 5);
        shop.verify().await;
    }

    async fn a_hold_that_ran_out_is_told_and_the_rest_is_kept(shop: TestShop) {
        let staff = shop.staff().await;
        let (blue, hits) =
            (on_sale(&staff, "Blue", "10", 3).await, on_sale(&staff, "Hits", "10", 1).await);
        let (mut guest, mut fast) = (shop.visitor(), shop.visitor());
        put(&mut guest, blue, "3").await.expect(200);
        put(&mut guest, hits, "1").await.expect(200);
        let form = guest.open("/checkout").await.expect(200);
        let refused = put(&mut fast, blue, "1").await.expect(409);
        assert!(refused.contains("Blue is gone"), "{refused}");
        shop.clock.advance(Duration::from_secs(301));
        let html = guest.open("/basket").await.expect(200);
        assert!(html.contains("Your time ran out. It is still here"), "{html}");
        put(&mut fast, blue, "1").await.expect(200);
        put(&mut fast, hits, "1").await.expect(200);
        let html = guest.open("/basket").await.expect(200);
        for words in ["Gone: your time ran out", "only 2 copies are left", "Keep what is left"] {
            assert!(html.contains(words), "{words} in {html}");
        }
        // From a checkout that was open all the while: nothing is ordered, and why.
        let fields = filled(&form, "bia@example.org");
        let html = guest.submit("/checkout", &pairs(&fields)).await.expect(409);
        for words in ["Hits is gone", "Blue: only 2 copies are left", "Keep what is left",
            "value=\"Rillengasse 33\""]
        {
            assert!(html.contains(words), "{words} in {html}");
        }
        assert_eq!(shop.number("select count(*) from orders").await, 0);
        let html = guest.submit("/basket/trim", &[]).await.expect(200);
        assert!(html.contains("€20.00") && !html.contains("Hits"), "{html}");
        let shown = check_out(&mut guest, "bia@example.org").await;
        assert!(shown.path.starts_with("/orders/"), "{}", shown.html());
        // And again: what was put back can be had.
        let html = fast.submit("/basket/extend", &[]).await.expect(200);
        assert!(html.contains("Held for you"), "{html}");
        shop.verify().await;
    }

    async fn a_second_click_is_not_a_second_order(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "Blue", "10", 5).await;
        let mut guest = shop.visitor();
        put(&mut guest, variant, "1").await.expect(200);
        let html = guest.open("/checkout").await.expect(200);
        let fields = filled(&html, "bia@example.org");
        let mut twin = guest.clone();
        let first = guest.submit("/checkout", &pairs(&fields)).await;
        let second = twin.submit("/checkout", &pairs(&fields)).await;
        assert_eq!((&first.path, 200), (&second.path, second.answer.status.as_u16()));
        // The back button and once more, when the cookie is that of the order.
        assert_eq!(guest.submit("/checkout", &pairs(&fields)).await.path, first.path);
        assert_eq!(shop.number("select count(*) from orders").await, 1);
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        put(&mut ana, variant, "1").await.expect(200);
        let html = ana.open("/checkout").await.expect(200);
        assert!(!html.contains("name=\"email\""), "the account is known: {html}");
        let fields = filled(&html, "");
        let first = ana.submit("/checkout", &pairs(&fields)).await;
        let second = ana.submit("/checkout", &pairs(&fields)).await;
        assert!(first.path.starts_with("/orders/"), "{}", first.html());
        assert_eq!(first.path, second.path);
        assert_eq!(shop.number("select count(*) from orders").await, 2);
    }

    async fn an_accounts_orders_are_its_own(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "Blue", "10", 50).await;
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        assert!(ana.open("/orders").await.expect(200).contains("not ordered anything"));
        let mut paths = Vec::new();
        for _ in 0..23 {
            put(&mut ana, variant, "1").await.expect(200);
            paths.push(check_out(&mut ana, "").await.path);
        }
        let html = ana.open("/orders").await.expect(200);
        assert_eq!(html.matches("<h2><a href=\"/orders/").count(), 20);
        let older = crate::pages_shop::links(&html, "/orders?cursor=");
        let html = ana.open(&older[0]).await.expect(200);
        assert_eq!(html.matches("<h2><a href=\"/orders/").count(), 3);
        let newer = crate::pages_shop::links(&html, "/orders?before=");
        let html = ana.open(&newer[0]).await.expect(200);
        assert_eq!(html.matches("<h2><a href=\"/orders/").count(), 20);
        bia.open(&paths[0]).await.expect(404);
        assert!(bia.open("/orders").await.expect(200).contains("not ordered anything"));
        assert!(shop.visitor().open("/orders").await.path.starts_with("/accounts/login/"));
        // Another's basket is none: not by its number either.
        put(&mut ana, variant, "1").await.expect(200);
        let html = ana.open("/checkout").await.expect(200);
        put(&mut bia, variant, "1").await.expect(200);
        let stolen = filled(&html, "");
        let answer = bia.post("/checkout", &pairs(&stolen)).await;
        assert_eq!(answer.status, 404);
        // Its life in words.
        let number: i64 = paths[0].rsplit('/').next().expect("a number").parse().expect("a number");
        pay(&staff, number).await;
        let html = ana.open(&paths[0]).await.expect(200);
        assert!(html.contains(">Paid<") && html.contains("Yes, cancel it"), "{html}");
        let parcel = json!({"carrier": "DHL", "tracking_number": "JD01"});
        act(&staff, number, "fulfilments", parcel).await.expect(201);
        let html = ana.open(&paths[0]).await.expect(200);
        for words in ["On its way", "DHL", "JD01"] {
            assert!(html.contains(words), "{words} in {html}");
        }
        let html = ana.submit(&format!("{}/cancel", paths[0]), &[]).await.expect(409);
        assert!(html.contains("too late to cancel"), "{html}");
        shop.verify().await;
    }

    async fn what_is_wrong_with_a_form_is_told_beside_it(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "Blue", "10", 5).await;
        let mut guest = shop.visitor();
        for quantity in ["0", "-1", "x", ""] {
            let html = put(&mut guest, variant, quantity).await.expect(422);
            assert!(html.contains("role=\"alert\""), "{html}");
        }
        let html = put(&mut guest, 999, "1").await.expect(409);
        assert!(html.contains("no longer for sale"), "{html}");
        put(&mut guest, variant, "2").await.expect(200);
        let html = guest.submit("/basket/discount", &[("code", "NOSUCH")]).await.expect(422);
        for words in ["There is no such code", "value=\"NOSUCH\""] {
            assert!(html.contains(words), "{words} in {html}");
        }
        let html = guest.open("/checkout").await.expect(200);
        let mut fields = filled(&html, "nobody");
        for (name, value) in &mut fields {
            if name == "city" {
                value.clear();
            }
        }
        let html = guest.submit("/checkout", &pairs(&fields)).await.expect(422);
        for words in ["id=\"email-wrong\"", "id=\"city-wrong\"", "value=\"nobody\"",
            "value=\"Bia Lea\"", "href=\"#city\""]
        {
            assert!(html.contains(words), "{words} in {html}");
        }
        let mut forger = guest.clone();
        let evil = [("sec-fetch-site", "cross-site")];
        let form = [("variant_id", "1"), ("quantity", "1")];
        let answer =
            forger.send(axum::http::Method::POST, "/basket/add", Some(&form), &evil).await;
        assert_eq!(answer.status, 403);
    }

    async fn a_new_price_is_agreed_to_before_it_is_paid(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "Blue", "10", 5).await;
        let mut guest = shop.visitor();
        put(&mut guest, variant, "2").await.expect(200);
        shop.clock.advance(Duration::from_secs(5));
        let price = json!({"currency": "EUR", "amount": "12"});
        staff.post(&format!("/api/v1/variants/{variant}/prices"), price).await.expect(201);
        let html = guest.open("/basket").await.expect(200);
        assert!(html.contains("now €12.00 each"), "{html}");
        let shown = check_out(&mut guest, "bia@example.org").await;
        let html = shown.expect(409);
        assert!(html.contains("The total is now €24.00"), "{html}");
        let fields = filled(&html, "bia@example.org");
        let shown = guest.submit("/checkout", &pairs(&fields)).await;
        assert!(shown.path.starts_with("/orders/") && shown.html().contains("€24.00"));
    }

    async fn whatever_buyers_write_is_text(shop: TestShop) {
        let staff = shop.staff().await;
        let product = add(&staff, json!({"title": EVIL, "artist": EVIL, "variants": [
            {"sku": "A", "title": EVIL, "prices": [{"currency": "EUR", "amount": "1"}]},
        ]})).await;
        let variant = id(&product["variants"][0]);
        restock(&staff, variant, 2).await;
        let mut guest = shop.visitor();
        is_clean(&put(&mut guest, variant, "9").await.expect(409));
        is_clean(&put(&mut guest, variant, "1").await.expect(200));
        is_clean(&guest.submit("/basket/discount", &[("code", EVIL)]).await.expect(422));
        let html = guest.open("/checkout").await.expect(200);
        is_clean(&html);
        let mut fields = filled(&html, EVIL);
        for (name, value) in &mut fields {
            if !matches!(name.as_str(), "basket" | "country" | "email") {
                EVIL.clone_into(value);
            }
        }
        is_clean(&guest.submit("/checkout", &pairs(&fields)).await.expect(422));
        for (name, value) in &mut fields {
            match name.as_str() {
                "email" => "bia@example.org".clone_into(value),
                "postal_code" => "<b>".clone_into(value),
                "pay" => "manual".clone_into(value),
                "address" => "new".clone_into(value),
                _ => {}
            }
        }
        let shown = guest.submit("/checkout", &pairs(&fields)).await;
        let html = shown.expect(200);
        assert!(html.contains("Waiting for payment"), "{html}");
        is_clean(&html);
    }
}
