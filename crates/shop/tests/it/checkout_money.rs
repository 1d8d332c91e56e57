//! What an order costs: discounts and their uses, the tax contained, currencies.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::orders::{ORDERS, on_sale, restock};
use crate::support::{Basket, Client, TestShop, address, line};

async fn add_discount(staff: &Client, body: Value) -> i64 {
    id(&staff.post("/api/v1/discounts", body).await.expect(201))
}

/// A product in one currency; gives its variant.
async fn priced(staff: &Client, title: &str, currency: &str, amount: &str, class: &str) -> i64 {
    let product = add(
        staff,
        json!({
            "title": title, "tax_class": class, "price": {"currency": currency, "amount": amount},
        }),
    )
    .await;
    let variant = id(&product["variants"][0]);
    restock(staff, variant, 1_000).await;
    variant
}

async fn set_rate(staff: &Client, class: &str, country: &str, rate: &str) {
    let path = format!("/api/v1/tax_rates/{class}/{country}");
    let answer = staff.put(&path, json!({"rate": rate})).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

/// A guest with one unit in the basket and this code.
async fn with_code(shop: &TestShop, variant: i64, code: &str) -> Basket {
    let guest = shop.guest().await;
    guest.set(variant, 1).await.expect(200);
    guest.discount(code).await.expect(200);
    guest
}

async fn uses(shop: &TestShop) -> i64 {
    shop.number("select uses from discount").await
}

#[track_caller]
fn refused(answer: crate::support::Answer, reason: &str) {
    let problem = answer.expect_problem(409, "discount_refused");
    assert_eq!(problem["reason"], reason, "{problem}");
}

on_both_engines! {
    async fn a_share_is_spread_over_the_lines(shop: TestShop) {
        let staff = shop.staff().await;
        let one = on_sale(&staff, "One", "9.99", 9).await;
        let two = on_sale(&staff, "Two", "0.05", 9).await;
        let code = json!({"code": "Spring-10", "percent": "12.5"});
        add_discount(&staff, code).await;
        let guest = shop.guest().await;
        guest.set(one, 3).await.expect(200);
        guest.set(two, 1).await.expect(200);
        let shown = guest.discount("sPRING-10").await.expect(200);
        // 30.02 less 12.5 %: 3.7525, rounded to 3.75.
        assert_eq!(
            (&shown["discount_code"], &shown["discount_minor"], &shown["total"]),
            (&json!("Spring-10"), &json!(375), &json!("26.27"))
        );
        assert_eq!(guest.shown().await, shown);
        let changed = guest.set(one, 2).await.expect(200);
        assert_eq!(
            (&changed["goods_minor"], &changed["discount_minor"]),
            (&json!(2003), &json!(250))
        );
        let without = guest.no_discount().await.expect(200);
        assert_eq!((&without["discount_code"], &without["total"]), (&Value::Null, &json!("20.03")));
        guest.discount("spring-10").await.expect(200);
        guest.set(one, 3).await.expect(200);
        let placed = guest.buys_as("g@example.org").await.expect(201);
        assert_eq!(
            (&placed["total"], &placed["discount_code"]),
            (&json!("26.27"), &json!("Spring-10"))
        );
        let parts: Vec<&Value> = (0..2).map(|n| &placed["lines"][n]["discount_minor"]).collect();
        assert_eq!(parts, [&json!(374), &json!(1)]);
        assert_eq!(uses(&shop).await, 1);
        let cancel = format!("{ORDERS}/{}/cancel", id(&placed));
        guest.post(&cancel, None).await.expect(200);
        assert_eq!(uses(&shop).await, 0, "a cancelled order gives its use back");
        shop.verify().await;
    }

    async fn an_amount_is_of_its_currency(shop: TestShop) {
        let staff = shop.staff().await;
        let cheap = on_sale(&staff, "Cheap", "3", 9).await;
        let dear = on_sale(&staff, "Dear", "20", 9).await;
        let dollars = priced(&staff, "Dollars", "USD", "20", "standard").await;
        add_discount(&staff, json!({"code": "FIVE", "currency": "EUR", "amount": "5"})).await;
        let guest = with_code(&shop, dear, "FIVE").await;
        assert_eq!(guest.shown().await["total"], "15.00");
        assert_eq!(guest.buys_as("g@example.org").await.expect(201)["discount_minor"], 500);
        let other = shop.guest_in("USD").await;
        other.set(dollars, 1).await.expect(200);
        let shown = other.discount("FIVE").await.expect(200);
        assert_eq!((&shown["discount_minor"], &shown["total"]), (&json!(0), &json!("20.00")));
        refused(other.buys_as("g@example.org").await, "currency");
        other.no_discount().await.expect(200);
        other.buys_as("g@example.org").await.expect(201);

        // More than the goods makes them free, and what is free is paid.
        let free = with_code(&shop, cheap, "FIVE").await;
        assert_eq!(free.shown().await["total"], "0.00");
        let placed = free.buys_as("g@example.org").await.expect(201);
        assert_eq!(
            (&placed["status"], &placed["total_minor"], &placed["discount_minor"]),
            (&json!("paid"), &json!(0), &json!(300))
        );
        assert_eq!(
            (&placed["payments"], &placed["paid_at"], &placed["payment_due_at"]),
            (&json!([]), &json!("2026-11-21T12:00:00Z"), &Value::Null)
        );
        let path = format!("{ORDERS}/{}", id(&placed));
        assert_eq!(staff.get(&path).await.expect(200), placed);
        let pay = json!({"gateway": "manual"});
        staff.post(&format!("{path}/payments"), pay).await
            .expect_problem(409, "illegal_transition");
        staff.post(&format!("{path}/refunds"), json!({})).await.expect_problem(409, "too_much");
        let done = staff.post(&format!("{path}/fulfilments"), json!({})).await.expect(201);
        assert_eq!(done["status"], "fulfilled");
        shop.verify().await;
    }

    async fn a_code_can_be_used_in_its_window(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "10", 99).await;
        let discount = add_discount(&staff, json!({
            "code": "WEEK", "percent": "50", "starts_at": "2026-11-21T12:01:00Z",
            "ends_at": "2026-11-21T12:02:00Z",
        })).await;
        let early = with_code(&shop, variant, "WEEK").await;
        assert_eq!(early.shown().await["discount_minor"], 0, "it is not shown as taken off");
        refused(early.buys_as("g@example.org").await, "not_yet");
        shop.clock.advance(Duration::from_secs(60));
        assert_eq!(early.shown().await["discount_minor"], 500);
        let path = format!("/api/v1/discounts/{discount}");
        staff.patch(&path, json!({"active": false})).await.expect(200);
        refused(early.buys_as("g@example.org").await, "inactive");
        staff.patch(&path, json!({"active": true})).await.expect(200);
        assert_eq!(early.buys_as("g@example.org").await.expect(201)["total"], "5.00");
        let late = with_code(&shop, variant, "WEEK").await;
        shop.clock.advance(Duration::from_secs(60));
        refused(late.buys_as("g@example.org").await, "over");
        assert_eq!(late.shown().await["status"], "open", "nothing was changed");
        refused(late.discount("NOTHING").await, "unknown");
        assert_eq!(late.shown().await["discount_code"], "WEEK");
        shop.verify().await;
    }

    async fn uses_are_counted_in_all_and_per_customer(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 99).await;
        add_discount(&staff, json!({
            "code": "ONCE", "percent": "10", "uses_max": 3, "uses_per_customer_max": 1,
        })).await;
        let first = with_code(&shop, variant, "ONCE").await;
        let placed = first.buys_as("Bia@example.org").await.expect(201);
        // A guest is known by the e-mail address, whatever its case.
        let same = with_code(&shop, variant, "ONCE").await;
        refused(same.buys_as("bia@EXAMPLE.org").await, "used_up");
        let basket = Basket::of(&ana).await;
        basket.set(variant, 1).await.expect(200);
        basket.discount("ONCE").await.expect(200);
        basket.check_out(json!({})).await.expect(201);
        let again = Basket::of(&ana).await;
        again.set(variant, 1).await.expect(200);
        again.discount("ONCE").await.expect(200);
        refused(again.check_out(json!({})).await, "used_up");
        with_code(&shop, variant, "ONCE").await.buys_as("cia@example.org").await.expect(201);
        let fourth = with_code(&shop, variant, "ONCE").await;
        refused(fourth.buys_as("dia@example.org").await, "used_up");
        assert_eq!(uses(&shop).await, 3);
        // A use that comes back is another's, and the customer's own.
        first.post(&format!("{ORDERS}/{}/cancel", id(&placed)), None).await.expect(200);
        assert_eq!(uses(&shop).await, 2);
        let once_more = with_code(&shop, variant, "ONCE").await;
        once_more.buys_as("bia@example.org").await.expect(201);
        refused(fourth.buys_as("dia@example.org").await, "used_up");
        shop.verify().await;
    }

    /// Many baskets, two nodes, one use.
    async fn the_last_use_is_used_once(shop: TestShop) {
        let staff = shop.staff().await;
        let (one, two) =
            (on_sale(&staff, "One", "10", 99).await, on_sale(&staff, "Two", "10", 99).await);
        add_discount(&staff, json!({"code": "LAST", "percent": "10", "uses_max": 1})).await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), None);
        let mut guests = Vec::new();
        for n in 0..40 {
            // Of different variants: no level makes them wait for each other.
            let guest = with_code(&shop, if n % 4 < 2 { one } else { two }, "LAST").await;
            guests.push(if n % 2 == 0 { guest } else { guest.at(&there) });
        }
        let buy = |(n, guest): (usize, &Basket)| {
            let (guest, mail) = (guest.clone(), format!("g{n}@example.org"));
            async move { guest.buys_as(&mail).await }
        };
        let answers = futures::future::join_all(guests.iter().enumerate().map(buy)).await;
        let (placed, others): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(placed.len(), 1);
        for answer in others {
            refused(answer, "used_up");
        }
        assert_eq!(uses(&shop).await, 1);
        node.stop().await;
        shop.verify().await;
    }

    async fn tax_is_contained_and_adds_up(shop: TestShop) {
        let staff = shop.staff().await;
        for (class, country, rate) in [
            ("standard", "DE", "19"), ("books", "DE", "7"), ("standard", "US", "8.875"),
        ] {
            set_rate(&staff, class, country, rate).await;
        }
        let disc = priced(&staff, "Disc", "EUR", "10.00", "standard").await;
        let book = priced(&staff, "Book", "EUR", "19.99", "books").await;
        let odd = priced(&staff, "Odd", "EUR", "0.01", "standard").await;
        let buy = async |country: &str, code: Option<&str>| {
            let guest = shop.guest().await;
            guest.set(disc, 2).await.expect(200);
            guest.set(book, 1).await.expect(200);
            guest.set(odd, 3).await.expect(200);
            if let Some(code) = code {
                guest.discount(code).await.expect(200);
            }
            let mut to = address();
            to["country"] = json!(country);
            guest.check_out(json!({"email": "g@example.org", "address": to})).await.expect(201)
        };
        let taxes = |order: &Value| -> Vec<i64> {
            let lines = order["lines"].as_array().expect("lines");
            lines.iter().map(|line| line["tax_minor"].as_i64().expect("a number")).collect()
        };
        let order = buy("DE", None).await;
        // 20.00 at 19 %: net 16.8067; 19.99 at 7 %: net 18.6822; 0.03 at 19 %: net 0.0252.
        assert_eq!(taxes(&order), [319, 131, 0]);
        assert_eq!(
            (&order["total_minor"], &order["tax_minor"], &order["net_minor"]),
            (&json!(4002), &json!(450), &json!(3552))
        );
        assert_eq!(order["lines"][1]["tax_ppm"], 70_000);
        let path = format!("{ORDERS}/{}", id(&order));
        assert_eq!(staff.get(&path).await.expect(200)["net_minor"], 3552);
        // A country without rates has no tax; another class there neither.
        assert_eq!(taxes(&buy("FR", None).await), [0, 0, 0]);
        assert_eq!(taxes(&buy("US", None).await), [163, 0, 0]);
        // Of what remains after the discount: 40.02 less 50 % is 20.01, 10.00 + 10.00 + 0.01.
        add_discount(&staff, json!({"code": "HALF", "percent": "50"})).await;
        let order = buy("DE", Some("HALF")).await;
        let parts: Vec<i64> = (0..3).map(|n| {
            let line = &order["lines"][n];
            line["total_minor"].as_i64().expect("a number")
                - line["discount_minor"].as_i64().expect("a number")
        }).collect();
        assert_eq!(parts.iter().sum::<i64>(), 2001);
        assert_eq!(taxes(&order)[0], 160);
        let sum = order["tax_minor"].as_i64().expect("a number")
            + order["net_minor"].as_i64().expect("a number");
        assert_eq!(sum, 2001);
        // A new rate counts for new orders only.
        set_rate(&staff, "standard", "DE", "16").await;
        assert_eq!(staff.get(&path).await.expect(200)["tax_minor"], 450);
        shop.verify().await;
    }

    /// An order without an address is taxed as the shop's own country; placed directly it is too.
    async fn without_a_country_it_is_the_shops(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let country = shop.app.country.code();
        set_rate(&staff, "standard", country, "10").await;
        let variant = priced(&staff, "Disc", "EUR", "11.00", "standard").await;
        let basket = Basket::of(&ana).await;
        basket.set(variant, 1).await.expect(200);
        let placed = basket.check_out(json!({})).await.expect(201);
        assert_eq!((&placed["tax_minor"], &placed["net_minor"]), (&json!(100), &json!(1000)));
        let direct = crate::orders::order(&ana, &[(variant, 2)]).await.expect(201);
        assert_eq!((&direct["tax_minor"], &direct["net_minor"]), (&json!(200), &json!(2000)));
        shop.verify().await;
    }

    async fn currencies_have_no_two_or_three_decimals(shop: TestShop) {
        let staff = shop.staff().await;
        set_rate(&staff, "standard", "DE", "10").await;
        add_discount(&staff, json!({"code": "TENTH", "percent": "10"})).await;
        for (currency, amount, shown, total, total_minor, tax_minor) in [
            // 3 x 1,101 = 3,303 less 330 is 2,973; the net of it is 2,702.7.
            ("JPY", "1101", "1101", "2973", 2_973, 270),
            ("EUR", "11.01", "11.01", "29.73", 2_973, 270),
            // 3 x 1.234 = 3.702 less 0.370 is 3.332; the net of it is 3.0291.
            ("BHD", "1.234", "1.234", "3.332", 3_332, 303),
        ] {
            let variant = priced(&staff, currency, currency, amount, "standard").await;
            let guest = shop.guest_in(currency).await;
            guest.set(variant, 3).await.expect(200);
            let basket = guest.discount("TENTH").await.expect(200);
            assert_eq!(
                (&line(&basket)["unit_price"], &basket["total"]),
                (&json!(shown), &json!(total)), "{basket}"
            );
            let placed = guest.buys_as("g@example.org").await.expect(201);
            assert_eq!(
                [&placed["total"], &placed["total_minor"], &placed["tax_minor"]],
                [&json!(total), &json!(total_minor), &json!(tax_minor)], "{placed}"
            );
            assert_eq!(placed["payments"][0]["amount_minor"], total_minor);
            let path = format!("{ORDERS}/{}/payments", id(&placed));
            let paid = staff.post(&path, json!({"gateway": "manual"})).await.expect(201);
            assert_eq!(paid["payments"][0]["received_minor"], total_minor);
            assert_eq!(paid["payments"][0]["currency"], currency);
        }
        shop.verify().await;
    }

    async fn a_total_has_its_bound(shop: TestShop) {
        let staff = shop.staff().await;
        // The highest price there is, twice.
        let dear = on_sale(&staff, "Dear", "10000000000", 9).await;
        let guest = shop.guest().await;
        guest.set(dear, 2).await.expect(200);
        guest.buys_as("g@example.org").await.expect_problem(409, "total_too_large");
        guest.set(dear, 1).await.expect(200);
        guest.buys_as("g@example.org").await.expect(201);
        let path = format!("{ORDERS}?total_minor__gte=1000000000000");
        let found = staff.send(Method::GET, &path, None, &[]).await.expect(200);
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
        shop.verify().await;
    }
}
