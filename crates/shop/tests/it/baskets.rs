//! Baskets over HTTP: who opens which, lines, limits, what is refused.

use axum::http::Method;
use runout_shop::accounts::{self, Actor, By};
use serde_json::{Value, json};

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::orders::{available, on_sale, order, restock};
use crate::support::{BASKETS, Basket, Client, line};

/// A product at these prices, with the fields of its only variant, and this much stock.
pub async fn special(staff: &Client, fields: Value, units: i64) -> i64 {
    let mut variant = json!({"prices": [
        {"currency": "EUR", "amount": "10"}, {"currency": "USD", "amount": "12"},
    ]});
    let all = variant.as_object_mut().expect("an object");
    all.extend(fields.as_object().expect("an object").clone());
    let product = add(staff, json!({"title": "Special", "variants": [variant]})).await;
    let variant = id(&product["variants"][0]);
    restock(staff, variant, units).await;
    variant
}

on_both_engines! {
    async fn a_guests_basket_is_opened_by_its_token(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "19.90", 5).await;
        let made = shop.anonymous().post(BASKETS, json!({"currency": "EUR"})).await;
        assert_eq!(made.headers["cache-control"], "no-store");
        let location = made.headers["location"].clone();
        let made = made.expect(201);
        let basket_id = id(&made);
        assert_eq!(location, format!("{BASKETS}/{basket_id}"));
        let token = made["token"].as_str().expect("a token").to_owned();
        assert!(token.starts_with("rb_") && token.len() > 40, "{token}");
        let expected = json!({
            "id": basket_id, "token": token, "account_id": null, "status": "open",
            "order_id": null, "currency": "EUR", "lines": [], "goods_minor": 0,
            "discount_code": null, "discount_minor": 0, "total_minor": 0, "total": "0.00",
            "expires_at": null,
        });
        assert_eq!(made, expected);
        let path = format!("{BASKETS}/{basket_id}");
        let as_who = async |value: &str| {
            shop.anonymous().send(Method::GET, &path, None, &[("authorization", value)]).await
        };
        // The token is told once, and stored as a hash only.
        let shown = as_who(&format!("Basket {token}")).await;
        assert_eq!(shown.headers["cache-control"], "no-store");
        let shown = shown.expect(200);
        assert!(shown.get("token").is_none(), "{shown}");
        assert_eq!(as_who(&format!("basket   {token}")).await.expect(200), shown);
        let stored = shop.number("select count(*) from basket where length(token_hash) = 32").await;
        assert_eq!(stored, 1);

        let (guest, other) = (shop.guest().await, shop.guest().await);
        for stranger in [&guest.on(basket_id), &other.on(basket_id)] {
            stranger.look().await.expect_problem(404, "not_found");
            stranger.set(variant, 1).await.expect_problem(404, "not_found");
            stranger.extend().await.expect_problem(404, "not_found");
            stranger.buys_as("x@example.org").await.expect_problem(404, "not_found");
            stranger.discount("X").await.expect_problem(404, "not_found");
            stranger.no_discount().await.expect_problem(404, "not_found");
        }
        as_who("Basket rb_nonsense").await.expect_problem(404, "not_found");
        as_who(&format!("Bearer {token}")).await.expect_problem(401, "unauthorized");
        as_who("Basket").await.expect_problem(401, "unauthorized");
        for client in [shop.customer("ana").await, shop.staff().await] {
            client.get(&path).await.expect_problem(404, "not_found");
            let body = json!({"variant_id": variant, "quantity": 1});
            client.put(&format!("{path}/lines"), body).await.expect_problem(404, "not_found");
        }
        let nobody = shop.anonymous();
        nobody.get(&path).await.expect_problem(401, "unauthorized");
        let body = json!({"variant_id": variant, "quantity": 1});
        nobody.put(&format!("{path}/lines"), body).await.expect_problem(401, "unauthorized");
        nobody.send(Method::POST, &format!("{path}/extend"), None, &[]).await
            .expect_problem(401, "unauthorized");
        nobody.post(&format!("{path}/checkout"), json!({})).await
            .expect_problem(401, "unauthorized");
        assert_eq!(available(&shop, variant).await, 5);
        shop.verify().await;
    }

    async fn an_account_has_one_basket_per_currency(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let first = ana.post(BASKETS, json!({})).await.expect(201);
        assert_eq!(
            (&first["account_id"], &first["currency"]),
            (&json!(ana.account_id), &json!("EUR"))
        );
        assert!(first.get("token").is_none(), "{first}");
        let again = ana.post(BASKETS, json!({"currency": "EUR"})).await.expect(200);
        assert_eq!(again, first);
        let dollars = ana.post(BASKETS, json!({"currency": "USD"})).await.expect(201);
        assert_ne!(dollars["id"], first["id"]);
        assert_ne!(bia.post(BASKETS, json!({})).await.expect(201)["id"], first["id"]);
        bia.get(&format!("{BASKETS}/{}", id(&first))).await.expect_problem(404, "not_found");

        // Wherever and however often it is asked for at once, it is made once.
        let cia = shop.customer("cia").await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), cia.token.clone());
        let asked = (0..20).map(|n| {
            let client = if n % 2 == 0 { &cia } else { &there };
            async move { client.post(BASKETS, json!({"currency": "EUR"})).await }
        });
        let answers = futures::future::join_all(asked).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        let ids: std::collections::BTreeSet<i64> =
            answers.iter().map(|answer| id(&answer.json())).collect();
        assert_eq!((made, ids.len()), (1, 1));
        node.stop().await;

        // When it has become an order, the next one is empty.
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 5).await;
        let basket = Basket::of(&ana).await;
        basket.set(variant, 1).await.expect(200);
        basket.check_out(json!({})).await.expect(201);
        let next = ana.post(BASKETS, json!({"currency": "EUR"})).await.expect(201);
        assert_eq!(next["lines"], json!([]));
        shop.verify().await;
    }

    async fn lines_are_set_changed_and_removed(shop: TestShop) {
        let staff = shop.staff().await;
        let one = on_sale(&staff, "One", "19.90", 10).await;
        let two = on_sale(&staff, "Two", "5", 10).await;
        let guest = shop.guest().await;
        let shown = guest.set(one, 2).await.expect(200);
        let expected = json!({
            "variant_id": one, "sku": "ONE", "title": "One", "variant_title": "", "quantity": 2,
            "held": 2, "expires_at": "2026-11-21T12:05:00Z", "seconds_left": 300, "available": 10,
            "short": false, "unit_price_minor": 1990, "unit_price": "19.90",
            "price_now_minor": 1990, "price_changed": false, "total_minor": 3980,
        });
        assert_eq!(line(&shown), &expected);
        assert_eq!(
            (&shown["total"], &shown["expires_at"]),
            (&json!("39.80"), &json!("2026-11-21T12:05:00Z"))
        );
        // What the change answers is what is shown afterwards.
        assert_eq!(guest.shown().await, shown);
        assert_eq!(available(&shop, one).await, 8);
        let shown = guest.set_body(json!({"sku": "TWO", "quantity": 3})).await.expect(200);
        assert_eq!((&shown["goods_minor"], &shown["total"]), (&json!(5480), &json!("54.80")));
        let product = &staff.get("/api/v1/products?title=One").await.expect(200)["items"][0]["id"];
        guest.set_body(json!({"product_id": product, "quantity": 5})).await.expect(200);
        assert_eq!(
            (available(&shop, one).await, available(&shop, two).await),
            (json!(5), json!(7))
        );
        guest.set(one, 1).await.expect(200);
        assert_eq!(available(&shop, one).await, 9);
        guest.set(one, 1).await.expect(200);
        let shown = guest.set(one, 0).await.expect(200);
        assert_eq!(line(&shown)["variant_id"], two);
        assert_eq!(available(&shop, one).await, 10);
        // Removing what is not there is nothing.
        assert_eq!(guest.set(one, 0).await.expect(200), shown);
        guest.set(two, 0).await.expect(200);
        assert_eq!(guest.shown().await["lines"], json!([]));
        let causes = shop.texts("select cause || ' ' || reserved_delta from stock_movement
            where cause <> 'receipt' order by level_id, number").await;
        assert_eq!(
            causes,
            ["hold 2", "hold 3", "release -4", "release -1", "hold 3", "release -3"]
        );
        assert_eq!(shop.number("select count(*) from hold").await, 0);
        shop.verify().await;
    }

    async fn too_few_are_refused_with_what_could_be_had(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 5).await;
        let (ana, bia) = (shop.guest().await, shop.guest().await);
        bia.set(variant, 2).await.expect(200);
        let problem = ana.set(variant, 4).await.expect_problem(409, "out_of_stock");
        let short = json!([{"variant_id": variant, "requested": 4, "available": 3}]);
        assert_eq!(problem["lines"], short);
        ana.set(variant, 2).await.expect(200);
        let before = ana.shown().await;
        // Its own units count as available to it, and a refusal changes nothing.
        let problem = ana.set(variant, 4).await.expect_problem(409, "out_of_stock");
        assert_eq!(problem["lines"], short);
        assert_eq!(ana.shown().await, before);
        assert_eq!(line(&before)["available"], 3);
        ana.set(variant, 3).await.expect(200);
        assert_eq!(available(&shop, variant).await, 0);
        let order = order(&shop.customer("cia").await, &[(variant, 1)]).await;
        order.expect_problem(409, "out_of_stock");
        let none = on_sale(&staff, "None", "1", 0).await;
        let problem = ana.set(none, 1).await.expect_problem(409, "out_of_stock");
        assert_eq!(problem["lines"][0]["available"], 0);
        shop.verify().await;
    }

    async fn what_is_not_for_sale_is_not_held(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 5).await;
        let unpriced = add(&staff, json!({"title": "Free of price", "sku": "NP"})).await;
        let soon = add(&staff, json!({
            "title": "Soon", "release_at": "2026-11-21T12:00:10Z",
            "price": {"currency": "EUR", "amount": "1"},
        })).await;
        let off = add(&staff, json!({
            "title": "Off", "enabled": false, "price": {"currency": "EUR", "amount": "1"},
        })).await;
        let guest = shop.guest().await;
        for (product, reason) in [(&unpriced, "no_price"), (&soon, "unreleased"), (&off, "unknown")]
        {
            let form = id(&product["variants"][0]);
            restock(&staff, form, 1).await;
            let problem = guest.set(form, 1).await.expect_problem(409, "not_for_sale");
            assert_eq!(problem["lines"][0]["reason"], reason, "{problem}");
        }
        let dollars = shop.guest_in("USD").await;
        let problem = dollars.set(variant, 1).await.expect_problem(409, "not_for_sale");
        assert_eq!(problem["lines"][0]["reason"], "no_price");
        for body in [
            json!({"variant_id": 999, "quantity": 1}), json!({"product_id": 999, "quantity": 1}),
            json!({"sku": "one", "quantity": 1}),
        ] {
            guest.set_body(body).await.expect_problem(409, "not_for_sale");
        }
        assert_eq!(guest.shown().await["lines"], json!([]));
        // What goes off sale stays in the basket, cannot be bought, and can be removed.
        guest.set(variant, 2).await.expect(200);
        let product = &staff.get("/api/v1/products?title=One").await.expect(200)["items"][0]["id"];
        staff.patch(&format!("/api/v1/products/{product}"), json!({"enabled": false})).await
            .expect(200);
        let shown = guest.shown().await;
        assert_eq!(line(&shown)["price_now_minor"], Value::Null);
        guest.buys_as("g@example.org").await.expect_problem(409, "not_for_sale");
        guest.extend().await.expect(200);
        assert_eq!(guest.set(variant, 0).await.expect(200)["lines"], json!([]));
        shop.verify().await;
    }

    async fn limits_count_holds_too(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let limits = json!({"limit_per_order": 2, "limit_per_customer": 3});
        let variant = special(&staff, limits, 100).await;
        let basket = Basket::of(&ana).await;
        let problem = basket.set(variant, 3).await.expect_problem(409, "over_order_limit");
        assert_eq!((&problem["variant_id"], &problem["limit"]), (&json!(variant), &json!(2)));
        order(&ana, &[(variant, 1)]).await.expect(201);
        basket.set(variant, 2).await.expect(200);
        basket.set(variant, 1).await.expect(200);
        basket.set(variant, 2).await.expect(200);
        // What she holds counts for her other orders and baskets.
        let problem = order(&ana, &[(variant, 1)]).await.expect_problem(409, "over_customer_limit");
        assert_eq!((&problem["limit"], &problem["already"]), (&json!(3), &json!(3)));
        let dollars = id(&ana.post(BASKETS, json!({"currency": "USD"})).await.expect(201));
        let dollars = basket.on(dollars);
        let problem = dollars.set(variant, 1).await.expect_problem(409, "over_customer_limit");
        assert_eq!(problem["already"], 3);
        order(&shop.customer("bia").await, &[(variant, 2)]).await.expect(201);
        // A hold that has lapsed counts no more; taken anew it would be too many.
        shop.clock.advance(std::time::Duration::from_secs(300));
        order(&ana, &[(variant, 1)]).await.expect(201);
        let shown = basket.extend().await.expect(200);
        assert_eq!((&line(&shown)["held"], &line(&shown)["short"]), (&json!(0), &json!(false)));
        basket.check_out(json!({})).await.expect_problem(409, "over_customer_limit");
        basket.set(variant, 1).await.expect(200);
        basket.check_out(json!({})).await.expect(201);
        shop.verify().await;
    }

    async fn the_same_limit_on_two_nodes_at_once(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = special(&staff, json!({"limit_per_customer": 3}), 100).await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), ana.token.clone());
        let basket = Basket::of(&ana).await;
        let dollars = id(&ana.post(BASKETS, json!({"currency": "USD"})).await.expect(201));
        let baskets = [basket.clone(), basket.on(dollars).at(&there)];
        let (a, b) = (&baskets[0], &baskets[1]);
        let wanted = [(variant, 2)];
        let (held_a, held_b, bought) =
            futures::join!(a.set(variant, 2), b.set(variant, 2), order(&there, &wanted));
        let done = [held_a, held_b, bought].iter().filter(|answer| answer.status.is_success())
            .count();
        assert_eq!(done, 1);
        node.stop().await;
        shop.verify().await;
    }

    async fn nonsense_is_refused_and_changes_nothing(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 100_000).await;
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        let before = guest.shown().await;
        for (body, pointer) in [
            (json!({"variant_id": variant, "quantity": -1}), "/quantity"),
            (json!({"variant_id": variant, "quantity": 10_001}), "/quantity"),
            (json!({"variant_id": variant, "quantity": i64::MAX}), "/quantity"),
            (json!({"variant_id": variant, "quantity": 1e30}), "/quantity"),
            (json!({"variant_id": variant, "quantity": 1.5}), "/quantity"),
            (json!({"variant_id": variant, "quantity": "2"}), "/quantity"),
            (json!({"variant_id": variant, "quantity": null}), "/quantity"),
            (json!({"variant_id": variant}), "/quantity"),
            (json!({"variant_id": 0, "quantity": 1}), "/variant_id"),
            (json!({"variant_id": -5, "quantity": 1}), "/variant_id"),
            (json!({"variant_id": true, "quantity": 1}), "/variant_id"),
            (json!({"sku": "", "quantity": 1}), "/sku"),
            (json!({"sku": "x".repeat(101), "quantity": 1}), "/sku"),
            (json!({"sku": "a\u{0}", "quantity": 1}), "/sku"),
            (json!({"quantity": 1}), ""),
            (json!({"variant_id": variant, "sku": "ONE", "quantity": 1}), ""),
            (json!({"variant_id": variant, "quantity": 1, "price": 0}), "/price"),
        ] {
            let problem = guest.set_body(body.clone()).await.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
        }
        guest.set(i64::MAX, 1).await.expect_problem(409, "not_for_sale");
        for body in [
            json!({"currency": "eur"}), json!({"currency": "XYZ"}), json!({"currency": 1}),
            json!({"currency": "EURO"}), json!({"account_id": 1}), json!([]),
        ] {
            shop.anonymous().post(BASKETS, body).await.expect_problem(400, "invalid_body");
        }
        for (method, path) in [
            (Method::GET, format!("{BASKETS}/0")), (Method::GET, format!("{BASKETS}/x")),
            (Method::GET, format!("{BASKETS}/99999999999999999999")),
            (Method::POST, format!("{BASKETS}/999/extend")),
        ] {
            guest.send(method, &path, None, None).await.expect_problem(404, "not_found");
        }
        for code in ["", &"x".repeat(65)] {
            guest.discount(code).await.expect_problem(400, "invalid_body");
        }
        guest.discount("nothing").await.expect_problem(409, "discount_refused");
        assert_eq!(guest.shown().await, before);
        guest.set(variant, 10_000).await.expect(200);
        // A hundred lines, and no more.
        let wide = shop.guest().await;
        for n in 0..100 {
            let variant = on_sale(&staff, &format!("Wide {n}"), "1", 1).await;
            wide.set(variant, 1).await.expect(200);
        }
        wide.set(variant, 1).await.expect_problem(409, "too_many_lines");
        assert_eq!(wide.buys_as("w@example.org").await.expect(201)["total"], "100.00");
        shop.verify().await;
    }

    async fn a_deactivated_account_keeps_nothing_on_hold(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 5).await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), ana.token.clone());
        let basket = Basket::of(&ana).await;
        basket.at(&there).set(variant, 1).await.expect(200);
        let by = By::actor(Actor::System);
        accounts::deactivate(&shop.app, by, ana.account_id).await.expect("works");
        // The other node remembers the token for a second more; the writer refuses all the same.
        for answer in [
            basket.at(&there).set(variant, 2).await,
            basket.at(&there).extend().await,
            basket.at(&there).check_out(json!({})).await,
        ] {
            assert!([401, 403].contains(&answer.status.as_u16()), "{answer:?}");
        }
        node.stop().await;
        shop.clock.advance(std::time::Duration::from_secs(300));
        assert_eq!(available(&shop, variant).await, 5);
        shop.verify().await;
    }
}
