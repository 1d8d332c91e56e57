//! Orders over HTTP: placing, refusals, limits, lists, snapshots.

use std::time::Duration;

use runout_shop::accounts::{self, Actor, By};
use runout_shop::platform::config::Config;
use serde_json::{Value, json};

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::support::{Answer, Client, TestShop};

pub const ORDERS: &str = "/api/v1/orders";

/// Puts a disc on sale and gives the id of its variant.
pub async fn on_sale(staff: &Client, title: &str, amount: &str, quantity: i64) -> i64 {
    let body = json!({
        "title": title, "sku": title.to_uppercase(), "price": {"currency": "EUR", "amount": amount}
    });
    let variant = id(&add(staff, body).await["variants"][0]);
    if quantity > 0 {
        restock(staff, variant, quantity).await;
    }
    variant
}

pub async fn restock(staff: &Client, variant: i64, quantity: i64) {
    let body = json!({"variant_id": variant, "quantity": quantity});
    staff.post("/api/v1/stock/receipts", body).await.expect(201);
}

/// What a list shows as available for sale.
pub async fn available(shop: &TestShop, variant: i64) -> Value {
    let path = format!("/api/v1/variants/{variant}");
    shop.anonymous().get(&path).await.expect(200)["available"].clone()
}

pub async fn order(buyer: &Client, lines: &[(i64, i64)]) -> Answer {
    let line =
        |(variant, quantity): &(i64, i64)| json!({"variant_id": variant, "quantity": quantity});
    buyer.post(ORDERS, json!({"lines": lines.iter().map(line).collect::<Vec<_>>()})).await
}

pub fn items(list: &Value) -> Vec<i64> {
    list["items"].as_array().expect("a list").iter().map(id).collect()
}

async fn buyer_and_staff(shop: &TestShop) -> (Client, Client) {
    (shop.customer("ana").await, shop.staff().await)
}

on_both_engines! {
    async fn an_order_is_answered_in_full(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let one = on_sale(&staff, "One", "19.90", 10).await;
        let two = on_sale(&staff, "Two", "5", 10).await;
        let placed = order(&ana, &[(two, 3), (one, 1)]).await.expect(201);
        let order_id = id(&placed);
        let expected = json!({
            "id": order_id, "number": format!("R{order_id:08}"), "account_id": ana.account_id,
            "status": "placed", "currency": "EUR", "total_minor": 3490, "total": "34.90",
            "tax_minor": 0, "net_minor": 3490, "discount_code": null, "discount_minor": 0,
            "paid_minor": 0, "refunded_minor": 0, "email": null, "address": null,
            "placed_at": "2026-11-21T12:00:00Z", "payment_due_at": "2026-11-22T12:00:00Z",
            "paid_at": null, "cancelled_at": null, "cancel_reason": null,
            "lines": [
                {"line_no": 1, "variant_id": two, "sku": "TWO", "title": "Two", "variant_title": "",
                 "quantity": 3, "fulfilled": 0, "returned": 0, "unit_price_minor": 500,
                 "unit_price": "5.00", "total_minor": 1500, "discount_minor": 0, "tax_minor": 0,
                 "tax_ppm": 0},
                {"line_no": 2, "variant_id": one, "sku": "ONE", "title": "One", "variant_title": "",
                 "quantity": 1, "fulfilled": 0, "returned": 0, "unit_price_minor": 1990,
                 "unit_price": "19.90", "total_minor": 1990, "discount_minor": 0, "tax_minor": 0,
                 "tax_ppm": 0},
            ],
            "payments": [], "refunds": [], "fulfilments": [],
        });
        assert_eq!(placed, expected);
        assert_eq!(ana.get(&format!("{ORDERS}/{order_id}")).await.expect(200), expected);
        assert_eq!(ana.get(ORDERS).await.expect(200), json!({"items": [expected], "next": null}));
        assert_eq!(available(&shop, one).await, 9);
        assert_eq!(available(&shop, two).await, 7);
        shop.verify().await;
    }

    async fn every_short_line_is_named_and_nothing_is_written(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let enough = on_sale(&staff, "Enough", "1", 5).await;
        let few = on_sale(&staff, "Few", "1", 2).await;
        let none = on_sale(&staff, "None", "1", 0).await;
        let problem = order(&ana, &[(few, 3), (enough, 5), (none, 1)]).await
            .expect_problem(409, "out_of_stock");
        assert_eq!(problem["lines"], json!([
            {"variant_id": few, "requested": 3, "available": 2},
            {"variant_id": none, "requested": 1, "available": 0},
        ]));
        assert_eq!(ana.get(ORDERS).await.expect(200)["items"], json!([]));
        assert_eq!(available(&shop, enough).await, 5);
        let ledger = staff.get("/api/v1/stock/movements?cause=order").await.expect(200);
        assert_eq!(ledger["items"], json!([]));
        order(&ana, &[(few, 2), (enough, 5)]).await.expect(201);
        shop.verify().await;
    }

    async fn malformed_orders_are_refused_with_a_pointer(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let variant = on_sale(&staff, "One", "1", 100_000).await;
        let line = |quantity: Value| {
            json!({"lines": [{"variant_id": variant, "quantity": quantity}]})
        };
        let many: Vec<Value> =
            (1..=101).map(|n| json!({"variant_id": n, "quantity": 1})).collect();
        for (body, code, pointer) in [
            (line(json!(0)), "invalid_body", "/lines/0/quantity"),
            (line(json!(-1)), "invalid_body", "/lines/0/quantity"),
            (line(json!(10_001)), "invalid_body", "/lines/0/quantity"),
            (line(json!("2")), "invalid_body", "/lines/0/quantity"),
            (line(json!(1.5)), "invalid_body", "/lines/0/quantity"),
            (json!({"lines": []}), "invalid_body", "/lines"),
            (json!({"lines": many}), "invalid_body", "/lines"),
            (json!({"lines": [{"quantity": 1}]}), "invalid_body", "/lines/0"),
            (json!({"lines": [{"variant_id": 1, "sku": "ONE", "quantity": 1}]}),
                "invalid_body", "/lines/0"),
            (json!({"lines": [{"variant_id": 0, "quantity": 1}]}), "invalid_body",
                "/lines/0/variant_id"),
            (json!({"lines": [
                {"variant_id": variant, "quantity": 1}, {"sku": "ONE", "quantity": 1},
            ]}), "duplicate_line", "/lines"),
            (json!({"lines": [{"variant_id": variant, "quantity": 1}], "currency": "XYZ"}),
                "invalid_body", "/currency"),
        ] {
            let problem = ana.post(ORDERS, body.clone()).await.expect_problem(400, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
        }
        ana.post(ORDERS, line(json!(10_000))).await.expect(201);
        assert_eq!(ana.get(ORDERS).await.expect(200)["items"].as_array().map(Vec::len), Some(1));
        shop.verify().await;
    }

    async fn lines_name_variants_products_or_skus(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let product = add(&staff, json!({"title": "Shirt", "variants": [
            {"sku": "S", "title": "S", "prices": [{"currency": "EUR", "amount": "10"}]},
            {"sku": "M", "title": "M", "prices": [{"currency": "EUR", "amount": "11"}]},
        ]})).await;
        let (small, medium) = (id(&product["variants"][0]), id(&product["variants"][1]));
        let large = on_sale(&staff, "L", "12", 9).await;
        restock(&staff, small, 9).await;
        restock(&staff, medium, 9).await;
        let placed = ana.post(ORDERS, json!({"lines": [
            {"sku": "M", "quantity": 1}, {"product_id": id(&product), "quantity": 1},
            {"variant_id": large, "quantity": 1},
        ]})).await.expect(201);
        let variants: Vec<_> = (0..3).map(|n| placed["lines"][n]["variant_id"].clone()).collect();
        assert_eq!(variants, [medium, small, large]);
        assert_eq!(placed["lines"][0]["variant_title"], "M");
        assert_eq!(placed["total"], "33.00");
        let problem = ana.post(ORDERS, json!({"lines": [
            {"sku": "M", "quantity": 1}, {"sku": "m", "quantity": 1},
            {"product_id": 999, "quantity": 1},
        ]})).await.expect_problem(409, "not_for_sale");
        assert_eq!(problem["lines"], json!([
            {"line": 1, "reason": "unknown"}, {"line": 2, "reason": "unknown"},
        ]));
        shop.verify().await;
    }

    async fn what_is_not_for_sale_is_told_with_the_reason(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let sold = on_sale(&staff, "Sold", "1", 5).await;
        let product = json!({"title": "Free of price", "sku": "NP"});
        let unpriced = id(&add(&staff, product).await["variants"][0]);
        let soon = add(&staff, json!({
            "title": "Soon", "release_at": "2026-11-21T12:00:10Z",
            "price": {"currency": "EUR", "amount": "1"},
        })).await;
        let soon = id(&soon["variants"][0]);
        let off = add(&staff, json!({
            "title": "Off", "enabled": false, "price": {"currency": "EUR", "amount": "1"},
        })).await;
        let off_variant = id(&off["variants"][0]);
        for variant in [unpriced, soon, off_variant] {
            restock(&staff, variant, 5).await;
        }
        let all = [(sold, 1), (unpriced, 1), (soon, 1), (off_variant, 1), (999, 1)];
        let problem = order(&ana, &all).await.expect_problem(409, "not_for_sale");
        assert_eq!(problem["lines"], json!([
            {"variant_id": unpriced, "reason": "no_price"},
            {"variant_id": soon, "reason": "unreleased", "release_at": "2026-11-21T12:00:10Z"},
            {"variant_id": off_variant, "reason": "unknown"},
            {"variant_id": 999, "reason": "unknown"},
        ]));
        let dollars =
            json!({"lines": [{"variant_id": sold, "quantity": 1}], "currency": "USD"});
        let problem = ana.post(ORDERS, dollars).await.expect_problem(409, "not_for_sale");
        assert_eq!(problem["lines"], json!([{"variant_id": sold, "reason": "no_price"}]));

        shop.clock.advance(Duration::from_micros(9_999_999));
        order(&ana, &[(soon, 1)]).await.expect_problem(409, "not_for_sale");
        shop.clock.advance(Duration::from_micros(1));
        order(&ana, &[(soon, 1)]).await.expect(201);
        let path = format!("/api/v1/products/{}", id(&off));
        staff.patch(&path, json!({"enabled": true})).await.expect(200);
        order(&ana, &[(off_variant, 1)]).await.expect(201);
        staff.delete(&path).await.expect(204);
        order(&ana, &[(off_variant, 1)]).await.expect_problem(409, "not_for_sale");
        shop.verify().await;
    }

    async fn limits_count_per_order_and_per_customer(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let bia = shop.customer("bia").await;
        let product = add(&staff, json!({"title": "Rare", "variants": [{
            "limit_per_order": 2, "limit_per_customer": 3,
            "prices": [{"currency": "EUR", "amount": "1"}],
        }]})).await;
        let variant = id(&product["variants"][0]);
        restock(&staff, variant, 100).await;
        let problem = order(&ana, &[(variant, 3)]).await.expect_problem(409, "over_order_limit");
        assert_eq!((&problem["variant_id"], &problem["limit"]), (&json!(variant), &json!(2)));
        let first = order(&ana, &[(variant, 2)]).await.expect(201);
        let problem = order(&ana, &[(variant, 2)]).await.expect_problem(409, "over_customer_limit");
        assert_eq!((&problem["limit"], &problem["already"]), (&json!(3), &json!(2)));
        order(&ana, &[(variant, 1)]).await.expect(201);
        order(&ana, &[(variant, 1)]).await.expect_problem(409, "over_customer_limit");
        order(&bia, &[(variant, 2)]).await.expect(201);
        let cancel = format!("{ORDERS}/{}/cancel", id(&first));
        ana.post(&cancel, Value::Null).await.expect(200);
        order(&ana, &[(variant, 2)]).await.expect(201);
        shop.verify().await;
    }

    async fn customers_see_their_own_and_staff_all(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let bia = shop.customer("bia").await;
        let variant = on_sale(&staff, "One", "1", 100).await;
        let mut placed = Vec::new();
        for hour in 0..6 {
            let buyer = if hour % 2 == 0 { &ana } else { &bia };
            placed.push(id(&order(buyer, &[(variant, 1)]).await.expect(201)));
            shop.clock.advance(Duration::from_secs(3_600));
        }
        let newest_first = |keep: &dyn Fn(usize) -> bool| -> Vec<i64> {
            let kept = placed.iter().enumerate().filter(|(hour, _)| keep(*hour));
            kept.map(|(_, id)| *id).rev().collect()
        };
        let even = newest_first(&|hour| hour % 2 == 0);
        assert_eq!(items(&ana.get(ORDERS).await.expect(200)), even);
        let own = format!("{ORDERS}/{}", placed[0]);
        let foreign = format!("{ORDERS}/{}", placed[1]);
        ana.get(&own).await.expect(200);
        ana.get(&foreign).await.expect_problem(404, "not_found");
        staff.get(&foreign).await.expect(200);
        staff.get(&format!("{ORDERS}/999")).await.expect_problem(404, "not_found");
        // A customer who asks for somebody else's orders finds none.
        let (ana_id, bia_id) = (ana.account_id, bia.account_id);
        let others = ana.get(&format!("{ORDERS}?account_id={bia_id}")).await.expect(200);
        assert_eq!(items(&others), Vec::<i64>::new());
        for (query, wanted) in [
            (String::new(), newest_first(&|_| true)),
            (format!("account_id={ana_id}"), even.clone()),
            ("placed_at__gte=2026-11-21T13:00:00Z&placed_at__lt=2026-11-21T16:00:00Z".to_owned(),
                newest_first(&|hour| (1..4).contains(&hour))),
            (format!("account_id__in={bia_id}&placed_at__gte=2026-11-21T14:00:00Z"),
                newest_first(&|hour| hour % 2 == 1 && hour >= 2)),
            ("status=cancelled".to_owned(), vec![]),
            ("sort=placed_at".to_owned(), placed.clone()),
        ] {
            let list = staff.get(&format!("{ORDERS}?{query}")).await.expect(200);
            assert_eq!(items(&list), wanted, "{query}");
            assert_eq!(list["next"], Value::Null);
        }
        ana.get(&format!("{ORDERS}?total=1")).await.expect(400);
        shop.verify().await;
    }

    async fn pages_follow_each_other_while_orders_come_in(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let variant = on_sale(&staff, "One", "1", 100).await;
        let mut placed = Vec::new();
        // All at one moment: the id decides.
        for _ in 0..7 {
            placed.push(id(&order(&ana, &[(variant, 1)]).await.expect(201)));
        }
        placed.reverse();
        let (mut seen, mut path) = (Vec::new(), format!("{ORDERS}?limit=3"));
        loop {
            let page = ana.get(&path).await.expect(200);
            assert_eq!(page["items"][0]["lines"].as_array().map(Vec::len), Some(1));
            seen.extend(items(&page));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{ORDERS}?limit=3&cursor={next}");
            order(&ana, &[(variant, 1)]).await.expect(201);
        }
        assert_eq!(seen, placed);
        ana.get(&format!("{ORDERS}?cursor=nonsense")).await.expect(400);
        ana.get(&format!("{ORDERS}?limit=0")).await.expect(400);
    }

    async fn a_deactivated_account_cannot_order_on_any_node(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let variant = on_sale(&staff, "One", "1", 5).await;
        let node = shop.second_node().await;
        let router = runout_shop::app::router(node.clone(), &Config::default());
        let token = ana.token.clone().expect("logged in");
        let elsewhere = Client::new(router, Some(token));
        order(&elsewhere, &[(variant, 1)]).await.expect(201);
        // The other node remembers the token for a second more; the order is refused all the same.
        let by = By::actor(Actor::System);
        accounts::deactivate(&shop.app, by, ana.account_id).await.expect("works");
        let answer = order(&elsewhere, &[(variant, 1)]).await;
        assert!([401, 403].contains(&answer.status.as_u16()), "{answer:?}");
        order(&ana, &[(variant, 1)]).await.expect_problem(401, "unauthorized");
        assert_eq!(available(&shop, variant).await, 4);
        node.stop().await;
        shop.verify().await;
    }

    async fn an_order_keeps_the_price_and_titles_of_its_moment(shop: TestShop) {
        let (ana, staff) = buyer_and_staff(&shop).await;
        let variant = on_sale(&staff, "One", "10.00", 5).await;
        let placed = order(&ana, &[(variant, 2)]).await.expect(201);
        let product = staff.get("/api/v1/products").await.expect(200)["items"][0]["id"].clone();
        let path = format!("/api/v1/products/{product}");
        staff.patch(&path, json!({"title": "Two", "artist": "Other"})).await.expect(200);
        shop.clock.advance(Duration::from_secs(1));
        let price = json!({"currency": "EUR", "amount": "99"});
        staff.post(&format!("/api/v1/variants/{variant}/prices"), price).await.expect(201);
        let again = order(&ana, &[(variant, 1)]).await.expect(201);
        assert_eq!(again["total"], "99.00");
        assert_eq!(again["lines"][0]["title"], "Two");
        staff.delete(&path).await.expect(204);
        let kept = ana.get(&format!("{ORDERS}/{}", id(&placed))).await.expect(200);
        assert_eq!(kept, placed);
        shop.verify().await;
    }
}
