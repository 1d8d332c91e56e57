//! Checking out over HTTP: who buys, at which price, what is refused, keys, guests' orders.

use std::time::Duration;

use axum::http::Method;
use runout_shop::platform::config::Config;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::orders::{ORDERS, available, on_sale, order};
use crate::support::{Answer, Basket, Client, address};

/// A new price from now on.
async fn reprice(staff: &Client, variant: i64, amount: &str) {
    let price = json!({"currency": "EUR", "amount": amount});
    staff.post(&format!("/api/v1/variants/{variant}/prices"), price).await.expect(201);
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

on_both_engines! {
    async fn a_guest_leaves_mail_and_address(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "19.90", 5).await;
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        for (body, pointer) in [
            (json!({}), "/address"),
            (json!({"email": "bia@example.org"}), "/address"),
            (json!({"address": address()}), "/email"),
            (json!({"email": "nonsense", "address": address()}), "/email"),
            (json!({"email": "bia@example.org", "address": {}}), "/address/name"),
            (json!({"email": "bia@example.org", "address_id": 1}), "/address"),
            (json!({"email": "bia@example.org", "address": address(), "address_id": 1}),
                "/address_id"),
            (json!({"email": "bia@example.org", "address": address(), "gateway": "cash"}),
                "/gateway"),
            (json!({"email": "bia@example.org", "address": address(), "total_minor": 1}),
                "/total_minor"),
            (json!({"email": "b@example.org", "address": address(), "confirm_total_minor": -1}),
                "/confirm_total_minor"),
            (json!({"email": "b@example.org", "address": address(), "payment_method_id": 1}),
                "/payment_method_id"),
        ] {
            let problem = guest.check_out(body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
        }
        let stripe = json!({"email": "b@x.org", "address": address(), "gateway": "stripe"});
        guest.check_out(stripe).await.expect_problem(409, "gateway_unavailable");
        let placed = guest.check_out(json!({
            "email": "Bia.Lea@Example.org", "address": address(), "gateway": "manual",
        })).await.expect(201);
        let order_id = id(&placed);
        let expected = json!({
            "id": order_id, "number": format!("R{order_id:08}"), "account_id": null,
            "email": "Bia.Lea@Example.org", "status": "placed", "currency": "EUR",
            "total_minor": 3980, "total": "39.80", "tax_minor": 0, "net_minor": 3980,
            "discount_code": null, "discount_minor": 0, "paid_minor": 0, "refunded_minor": 0,
            "address": placed["address"], "placed_at": "2026-11-21T12:00:00Z",
            "payment_due_at": "2026-11-22T12:00:00Z", "paid_at": null, "cancelled_at": null,
            "cancel_reason": null,
            "lines": [{
                "line_no": 1, "variant_id": variant, "sku": "ONE", "title": "One",
                "variant_title": "", "quantity": 2, "fulfilled": 0, "returned": 0,
                "unit_price_minor": 1990, "unit_price": "19.90", "total_minor": 3980,
                "discount_minor": 0, "tax_minor": 0, "tax_ppm": 0,
            }],
            "payments": [{
                "id": placed["payments"][0]["id"], "gateway": "manual", "status": "pending",
                "amount_minor": 3980, "received_minor": 0, "currency": "EUR",
                "provider_id": null, "failure": null,
            }],
            "refunds": [], "fulfilments": [],
        });
        assert_eq!(placed, expected);
        assert_eq!(placed["address"]["city"], "Berlin");
        assert_eq!(guest.get(&format!("{ORDERS}/{order_id}")).await.expect(200), expected);
        assert_eq!(staff.get(&format!("{ORDERS}/{order_id}")).await.expect(200), expected);
        let basket = guest.shown().await;
        assert_eq!((&basket["status"], &basket["order_id"]), (&json!("ordered"), &json!(order_id)));
        assert_eq!(available(&shop, variant).await, 3);
        let causes = shop.texts("select cause || ' ' || reserved_delta from stock_movement
            order by number").await;
        assert_eq!(causes, ["receipt 0", "hold 2", "checkout -2", "order 2"]);
        shop.verify().await;
    }

    async fn an_account_buys_with_a_stored_address_or_none(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 9).await;
        let stored = ana.post("/api/v1/addresses", address()).await.expect(201);
        let buy = async |buyer: &Client, body: Value| {
            let basket = Basket::of(buyer).await;
            basket.set(variant, 1).await.expect(200);
            basket.check_out(body).await
        };
        let placed = buy(&ana, json!({"address_id": stored["id"]})).await.expect(201);
        assert_eq!(placed["account_id"], ana.account_id);
        assert_eq!(
            (&placed["address"]["name"], &placed["email"]),
            (&json!("Bia Lea"), &Value::Null)
        );
        let placed = buy(&ana, json!({})).await.expect(201);
        assert_eq!(placed["address"], Value::Null);
        let given = buy(&ana, json!({"address": address(), "email": "a@b.org"})).await.expect(201);
        assert_eq!(
            (&given["address"]["city"], &given["email"]),
            (&json!("Berlin"), &json!("a@b.org"))
        );
        let problem = buy(&bia, json!({"address_id": stored["id"]})).await
            .expect_problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/address_id");
        let both = json!({"address_id": stored["id"], "address": address()});
        buy(&ana, both).await.expect_problem(400, "invalid_body");
        let items = ana.get(ORDERS).await.expect(200)["items"].as_array().map(Vec::len);
        assert_eq!(items, Some(3));
        shop.verify().await;
    }

    async fn another_price_than_shown_must_be_confirmed(shop: TestShop) {
        let staff = shop.staff().await;
        let one = on_sale(&staff, "One", "10", 9).await;
        let two = on_sale(&staff, "Two", "5", 9).await;
        let guest = shop.guest().await;
        guest.set(one, 2).await.expect(200);
        guest.set(two, 1).await.expect(200);
        shop.clock.advance(seconds(1));
        reprice(&staff, one, "12").await;
        let shown = guest.shown().await;
        let line = &shown["lines"][0];
        assert_eq!(
            (&line["unit_price_minor"], &line["price_now_minor"], &line["price_changed"]),
            (&json!(1000), &json!(1200), &json!(true))
        );
        let body = |confirmed: Option<i64>| {
            let mut body = json!({"email": "g@example.org", "address": address()});
            if let Some(total) = confirmed {
                body["confirm_total_minor"] = json!(total);
            }
            body
        };
        let changes = json!([{"variant_id": one, "shown_minor": 1000, "now_minor": 1200}]);
        for confirmed in [None, Some(2500), Some(0), Some(2901)] {
            let problem = guest.check_out(body(confirmed)).await
                .expect_problem(409, "price_changed");
            assert_eq!((&problem["lines"], &problem["total_minor"]), (&changes, &json!(2900)));
        }
        assert_eq!(guest.shown().await["status"], "open");
        assert_eq!(guest.check_out(body(Some(2900))).await.expect(201)["total"], "29.00");

        // A line that is set again is shown the new price; a total may always be confirmed.
        let next = shop.guest().await;
        next.set(two, 1).await.expect(200);
        shop.clock.advance(seconds(1));
        reprice(&staff, two, "4").await;
        next.set(two, 2).await.expect(200);
        let problem = next.check_out(body(Some(1000))).await.expect_problem(409, "price_changed");
        assert_eq!((&problem["lines"], &problem["total_minor"]), (&json!([]), &json!(800)));
        assert_eq!(next.check_out(body(None)).await.expect(201)["total"], "8.00");
        shop.verify().await;
    }

    async fn a_lapsed_hold_is_taken_anew_or_refused(shop: TestShop) {
        let staff = shop.staff().await;
        let (one, two) =
            (on_sale(&staff, "One", "1", 2).await, on_sale(&staff, "Two", "1", 9).await);
        let (ana, bia) = (shop.guest().await, shop.guest().await);
        ana.buys_as("a@example.org").await.expect_problem(409, "basket_empty");
        ana.set(one, 2).await.expect(200);
        ana.set(two, 3).await.expect(200);
        shop.clock.advance(seconds(300));
        bia.set(one, 1).await.expect(200);
        let before = ana.shown().await;
        let problem = ana.buys_as("a@example.org").await.expect_problem(409, "out_of_stock");
        assert_eq!(
            problem["lines"],
            json!([{"variant_id": one, "requested": 2, "available": 1}])
        );
        assert_eq!(ana.shown().await, before, "everything or nothing");
        assert_eq!(shop.number("select count(*) from orders").await, 0);
        bia.set(one, 0).await.expect(200);
        let placed = ana.buys_as("a@example.org").await.expect(201);
        assert_eq!(placed["total"], "5.00");
        assert_eq!(available(&shop, one).await, 0);
        shop.verify().await;
    }

    async fn a_basket_becomes_one_order(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 9).await;
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let placed = guest.buys_as("g@example.org").await.expect(201);
        for answer in [
            guest.buys_as("g@example.org").await,
            guest.set(variant, 2).await,
            guest.set(variant, 0).await,
            guest.extend().await,
            guest.no_discount().await,
        ] {
            let problem = answer.expect_problem(409, "basket_ordered");
            assert!([&placed["id"], &Value::Null].contains(&&problem["order_id"]), "{problem}");
        }
        let problem = guest.buys_as("g@example.org").await.expect_problem(409, "basket_ordered");
        assert_eq!(problem["order_id"], placed["id"]);

        // Thirty times at once, on two nodes.
        let (rush, node) = (shop.guest().await, shop.second_node().await);
        rush.set(variant, 2).await.expect(200);
        let there = Client::new(runout_shop::app::router(node.clone(), &Config::default()), None);
        let tries = (0..30).map(|n| {
            let buyer = if n % 2 == 0 { rush.clone() } else { rush.at(&there) };
            async move { buyer.buys_as("g@example.org").await }
        });
        let answers = futures::future::join_all(tries).await;
        let placed: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(placed.len(), 1);
        let order_id = &placed[0].json()["id"];
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            assert_eq!(&answer.expect_problem(409, "basket_ordered")["order_id"], order_id);
        }
        assert_eq!(available(&shop, variant).await, 6);
        node.stop().await;
        shop.verify().await;
    }

    async fn the_same_checkout_again_is_the_same_order(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 9).await;
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let body = json!({"email": "g@example.org", "address": address()});
        // A refusal is not kept.
        guest.check_out_keyed(json!({"email": "g@example.org"}), Some("k")).await
            .expect_problem(400, "invalid_body");
        let first = guest.check_out_keyed(body.clone(), Some("k")).await;
        assert!(!is_replay(&first));
        let first = first.expect(201);
        for _ in 0..2 {
            let again = guest.check_out_keyed(body.clone(), Some("k")).await;
            assert!(is_replay(&again));
            assert_eq!(again.expect(201), first);
        }
        let other = json!({"email": "h@example.org", "address": address()});
        guest.check_out_keyed(other, Some("k")).await
            .expect_problem(422, "idempotency_key_reused");
        guest.check_out_keyed(body.clone(), Some("l")).await.expect_problem(409, "basket_ordered");
        guest.check_out_keyed(body.clone(), Some(&"k".repeat(256))).await
            .expect_problem(400, "invalid_idempotency_key");
        // A key is the basket's own word.
        let second = shop.guest().await;
        second.set(variant, 1).await.expect(200);
        let answer = second.check_out_keyed(body, Some("k")).await;
        assert!(!is_replay(&answer));
        assert_ne!(answer.expect(201)["id"], first["id"]);
        // An account's is one among its other requests.
        let basket = Basket::of(&ana).await;
        basket.set(variant, 1).await.expect(200);
        let number = id(&order(&ana, &[(variant, 1)]).await.expect(201));
        let path = format!("{ORDERS}/{number}/cancel");
        ana.send(Method::POST, &path, None, &[("idempotency-key", "k")]).await.expect(200);
        basket.check_out_keyed(json!({}), Some("k")).await
            .expect_problem(422, "idempotency_key_reused");
        let placed = basket.check_out_keyed(json!({}), Some("m")).await.expect(201);
        let again = basket.check_out_keyed(json!({}), Some("m")).await;
        assert!(is_replay(&again));
        assert_eq!(again.expect(201)["id"], placed["id"]);
        shop.verify().await;
    }

    async fn a_double_click_is_one_order(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 9).await;
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let body = json!({"email": "g@example.org", "address": address()});
        let clicks = (0..20).map(|_| guest.check_out_keyed(body.clone(), Some("click")));
        let answers = futures::future::join_all(clicks).await;
        assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1);
        let ids: std::collections::BTreeSet<i64> =
            answers.into_iter().map(|answer| id(&answer.expect(201))).collect();
        assert_eq!(ids.len(), 1);
        shop.verify().await;
    }

    async fn a_guests_order_is_theirs_alone(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 9).await;
        let (guest, other) = (shop.guest().await, shop.guest().await);
        guest.set(variant, 2).await.expect(200);
        other.set(variant, 1).await.expect(200);
        // The same address is no key to it.
        let placed = guest.buys_as("same@example.org").await.expect(201);
        other.buys_as("same@example.org").await.expect(201);
        let path = format!("{ORDERS}/{}", id(&placed));
        let cancel = format!("{path}/cancel");
        other.get(&path).await.expect_problem(404, "not_found");
        other.post(&cancel, None).await.expect_problem(404, "not_found");
        ana.get(&path).await.expect_problem(404, "not_found");
        ana.send(Method::POST, &cancel, None, &[]).await.expect_problem(404, "not_found");
        let nobody = shop.anonymous();
        nobody.get(&path).await.expect_problem(401, "unauthorized");
        let wrong = [("authorization", "Basket rb_wrong")];
        nobody.send(Method::GET, &path, None, &wrong).await.expect_problem(401, "unauthorized");
        guest.get(ORDERS).await.expect_problem(401, "unauthorized");
        assert_eq!(available(&shop, variant).await, 6);

        let key = Some("c");
        let cancelled = guest.send(Method::POST, &cancel, None, key).await.expect(200);
        assert_eq!(
            (&cancelled["status"], &cancelled["cancel_reason"]),
            (&json!("cancelled"), &json!("customer"))
        );
        assert_eq!(cancelled["payments"][0]["status"], "cancelled");
        let again = guest.send(Method::POST, &cancel, None, key).await;
        assert!(is_replay(&again));
        assert_eq!(again.expect(200), cancelled);
        guest.post(&cancel, None).await.expect_problem(409, "already_cancelled");
        assert_eq!(available(&shop, variant).await, 8);
        // An account's order is not a guest's, not even by that account's former basket.
        let basket = Basket::of(&ana).await;
        basket.set(variant, 1).await.expect(200);
        let hers = basket.check_out(json!({})).await.expect(201);
        guest.get(&format!("{ORDERS}/{}", id(&hers))).await.expect_problem(404, "not_found");
        shop.verify().await;
    }

    /// The limit per customer knows guests by their e-mail address, whatever its case.
    async fn a_limit_knows_guests_by_their_mail(shop: TestShop) {
        let staff = shop.staff().await;
        let limit = json!({"limit_per_customer": 2});
        let variant = crate::baskets::special(&staff, limit, 50).await;
        let first = shop.guest().await;
        first.set(variant, 3).await.expect_problem(409, "over_customer_limit");
        first.set(variant, 2).await.expect(200);
        first.buys_as("Same@Example.org").await.expect(201);
        let second = shop.guest().await;
        second.set(variant, 1).await.expect(200);
        let problem = second.buys_as("same@example.ORG").await
            .expect_problem(409, "over_customer_limit");
        assert_eq!(problem["already"], 2);
        second.buys_as("other@example.org").await.expect(201);
        // The last line is set and the basket is checked out in one batch, again and again.
        for n in 0..20 {
            let guest = shop.guest().await;
            let (mail, other) = (format!("g{n}@example.org"), shop.guest().await);
            other.set(variant, 2).await.expect(200);
            let placed = id(&other.buys_as(&mail).await.expect(201));
            let (set, bought) = futures::join!(guest.set(variant, 2), guest.buys_as(&mail));
            assert!(!bought.status.is_success(), "{set:?} {bought:?}");
            let cancel = format!("{ORDERS}/{placed}/cancel");
            staff.send(Method::POST, &cancel, None, &[]).await.expect(200);
        }
        shop.verify().await;
    }
}
