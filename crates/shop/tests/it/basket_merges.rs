//! A guest's basket goes into the account's when they say who they are.

use std::time::Duration;

use runout_shop::jobs;
use serde_json::{Value, json};

use crate::baskets::special;
use crate::catalog::id;
use crate::on_both_engines;
use crate::orders::{available, on_sale, order};
use crate::support::actors::PASSWORD;
use crate::support::{Answer, BASKETS, Basket, Client, line};

async fn merge(account: &Client, guest: &Basket) -> Answer {
    account.post(&format!("{BASKETS}/merge"), json!({"token": guest.token()})).await
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A second location, with one unit of the variant; the first one sells first.
async fn one_more_elsewhere(staff: &Client, variant: i64) {
    let body = json!({"code": "shelf", "name": "Shelf", "priority": 200});
    let shelf = id(&staff.post("/api/v1/locations", body).await.expect(201));
    let receipt = json!({"variant_id": variant, "location_id": shelf, "quantity": 1});
    staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
}

on_both_engines! {
    async fn lines_add_up_and_holds_move(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let both = on_sale(&staff, "Both", "10", 5).await;
        let mine = on_sale(&staff, "Mine", "2", 5).await;
        let guests = on_sale(&staff, "Guests", "3", 5).await;
        let (basket, guest) = (Basket::of(&ana).await, shop.guest().await);
        basket.set(both, 2).await.expect(200);
        basket.set(mine, 1).await.expect(200);
        shop.clock.advance(seconds(100));
        guest.set(both, 3).await.expect(200);
        guest.set(guests, 4).await.expect(200);
        assert_eq!(available(&shop, both).await, 0);
        let merged = merge(&ana, &guest).await.expect(200);
        assert_eq!((id(&merged), &merged["total"]), (basket.id, &json!("64.00")));
        let held = |n: usize| {
            let line = &merged["lines"][n];
            (line["quantity"].clone(), line["held"].clone())
        };
        assert_eq!([held(0), held(1), held(2)],
            [(json!(5), json!(5)), (json!(1), json!(1)), (json!(4), json!(4))]);
        for n in 0..3 {
            assert_eq!(merged["lines"][n]["expires_at"], "2026-11-21T12:06:40Z");
        }
        assert_eq!(basket.shown().await, merged);
        // The guest's is closed, and says so.
        let closed = guest.shown().await;
        assert_eq!((&closed["status"], &closed["lines"]), (&json!("merged"), &json!([])));
        guest.set(both, 1).await.expect_problem(409, "basket_merged");
        guest.extend().await.expect_problem(409, "basket_merged");
        guest.buys_as("x@example.org").await.expect_problem(409, "basket_merged");
        merge(&ana, &guest).await.expect_problem(409, "basket_merged");
        shop.verify().await;
        basket.check_out(json!({})).await.expect(201);
        assert_eq!(available(&shop, guests).await, 1);
        shop.verify().await;
    }

    async fn whoever_logs_in_takes_the_basket_along(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 5).await;
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        let log_in = async |token: &str, password: &str| {
            let body = json!({"username": "ana", "password": password, "basket_token": token});
            shop.anonymous().post("/api/v1/tokens", body).await
        };
        log_in(guest.token(), "wrong").await.expect_problem(401, "invalid_credentials");
        assert_eq!(guest.shown().await["status"], "open");
        let login = log_in(guest.token(), PASSWORD).await.expect(201);
        let basket = Basket::of(&ana).await;
        assert_eq!(login["basket_id"], basket.id);
        assert_eq!(line(&basket.shown().await)["held"], 2);
        // A basket that cannot be merged keeps nobody out.
        for token in [guest.token(), "rb_nothing", ""] {
            let login = log_in(token, PASSWORD).await.expect(201);
            assert!(login.get("basket_id").is_none(), "{login}");
        }
        log_in(&"x".repeat(101), PASSWORD).await.expect_problem(400, "invalid_body");
        shop.verify().await;
    }

    async fn limits_cut_what_two_baskets_add_up_to(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let per_order = special(&staff, json!({"limit_per_order": 3}), 10).await;
        let per_customer = special(&staff, json!({"limit_per_customer": 3}), 10).await;
        order(&ana, &[(per_customer, 1)]).await.expect(201);
        let (basket, guest) = (Basket::of(&ana).await, shop.guest().await);
        basket.set(per_order, 2).await.expect(200);
        guest.set(per_order, 2).await.expect(200);
        guest.set(per_customer, 3).await.expect(200);
        let merged = merge(&ana, &guest).await.expect(200);
        assert_eq!(
            (&merged["lines"][0]["quantity"], &merged["lines"][0]["held"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(
            (&merged["lines"][1]["quantity"], &merged["lines"][1]["held"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(available(&shop, per_order).await, 7);
        assert_eq!(available(&shop, per_customer).await, 7);
        // Nothing is left of the limit: nothing is left of the line.
        basket.check_out(json!({})).await.expect(201);
        let next = shop.guest().await;
        next.set(per_customer, 1).await.expect(200);
        let merged = merge(&ana, &next).await.expect(200);
        assert_eq!(merged["lines"], json!([]));
        assert_eq!(available(&shop, per_customer).await, 7);
        shop.verify().await;
    }

    async fn what_had_lapsed_is_taken_anew_or_given_up(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let left = on_sale(&staff, "Left", "1", 4).await;
        let gone = on_sale(&staff, "Gone", "1", 3).await;
        let (basket, guest) = (Basket::of(&ana).await, shop.guest().await);
        guest.set(left, 2).await.expect(200);
        guest.set(gone, 2).await.expect(200);
        shop.clock.advance(seconds(300));
        basket.set(left, 1).await.expect(200);
        basket.set(gone, 2).await.expect(200);
        let merged = merge(&ana, &guest).await.expect(200);
        let line = |n: usize| [&merged["lines"][n]["quantity"], &merged["lines"][n]["held"]];
        assert_eq!(line(0), [&json!(3), &json!(3)]);
        assert_eq!(line(1), [&json!(2), &json!(2)]);
        shop.verify().await;
        // Nothing of it held by either: it stays as a line that is short.
        let second = shop.guest().await;
        let empty = on_sale(&staff, "Empty", "1", 1).await;
        second.set(empty, 1).await.expect(200);
        shop.clock.advance(seconds(300));
        shop.guest().await.set(empty, 1).await.expect(200);
        let merged = merge(&ana, &second).await.expect(200);
        let last = &merged["lines"][2];
        assert_eq!((&last["held"], &last["short"]), (&json!(0), &json!(true)));
        shop.verify().await;
    }

    /// The account's hold is near the end of its life and the guest's is young: they are of one
    /// line now, and end together.
    async fn a_merged_line_lapses_as_a_whole(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 1).await;
        one_more_elsewhere(&staff, variant).await;
        let (basket, guest) = (Basket::of(&ana).await, shop.guest().await);
        basket.set(variant, 1).await.expect(200);
        for _ in 0..8 {
            shop.clock.advance(seconds(210));
            basket.extend().await.expect(200);
        }
        // 28 minutes old: it can live for two more.
        guest.set(variant, 1).await.expect(200);
        let merged = merge(&ana, &guest).await.expect(200);
        assert_eq!(line(&merged)["held"], 2);
        assert_eq!(line(&merged)["expires_at"], "2026-11-21T12:30:00Z");
        shop.clock.advance(seconds(125));
        let shown = basket.shown().await;
        assert_eq!(line(&shown)["held"], 0, "{shown}");
        jobs::sweep_once(&shop.app).await;
        shop.verify().await;
        basket.check_out(json!({})).await.expect(201);
        shop.verify().await;
    }

    /// Neither line can be refreshed, as the product went off sale between.
    async fn a_merged_line_off_sale_lapses_as_a_whole(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 1).await;
        one_more_elsewhere(&staff, variant).await;
        let (basket, guest) = (Basket::of(&ana).await, shop.guest().await);
        basket.set(variant, 1).await.expect(200);
        shop.clock.advance(seconds(100));
        guest.set(variant, 1).await.expect(200);
        let product = &staff.get("/api/v1/products?title=One").await.expect(200)["items"][0]["id"];
        let path = format!("/api/v1/products/{product}");
        staff.patch(&path, json!({"enabled": false})).await.expect(200);
        merge(&ana, &guest).await.expect(200);
        staff.patch(&path, json!({"enabled": true})).await.expect(200);
        shop.clock.advance(seconds(250));
        jobs::sweep_once(&shop.app).await;
        shop.verify().await;
        basket.check_out(json!({})).await.expect(201);
        shop.verify().await;
    }

    async fn a_merger_is_refused_with_a_reason(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let path = format!("{BASKETS}/merge");
        for body in [
            json!({}), json!({"token": ""}), json!({"token": 1}),
            json!({"token": "x".repeat(101)}), json!({"token": "rb_x", "into": 1}),
        ] {
            ana.post(&path, body).await.expect_problem(400, "invalid_body");
        }
        ana.post(&path, json!({"token": "rb_x"})).await.expect_problem(404, "not_found");
        let guest = shop.guest().await;
        let body = json!({"token": guest.token()});
        shop.anonymous().post(&path, body.clone()).await.expect_problem(401, "unauthorized");
        guest.post(&path, Some(body)).await.expect_problem(401, "unauthorized");
        // Another currency is another basket of the account.
        let yen = shop.guest_in("JPY").await;
        let merged = merge(&ana, &yen).await.expect(200);
        assert_eq!(merged["currency"], "JPY");
        assert_eq!(merged["account_id"], ana.account_id);
        let hers = ana.post(BASKETS, json!({"currency": "JPY"})).await.expect(200);
        assert_eq!(hers["id"], merged["id"]);
        // Once is enough, whoever else has the token.
        let bia = shop.customer("bia").await;
        merge(&bia, &yen).await.expect_problem(409, "basket_merged");
        assert_eq!(guest.shown().await["status"], Value::from("open"));
        shop.verify().await;
    }
}
