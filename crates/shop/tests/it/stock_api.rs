//! Stock over HTTP: receipts, adjustments, transfers, locations, levels, the ledger.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::orders::{ORDERS, available, items, on_sale, order};
use crate::support::{Answer, Client};

const RECEIPTS: &str = "/api/v1/stock/receipts";
const ADJUSTMENTS: &str = "/api/v1/stock/adjustments";
const TRANSFERS: &str = "/api/v1/stock/transfers";
const LOCATIONS: &str = "/api/v1/locations";
const MAIN: i64 = 1;

async fn add_location(staff: &Client, code: &str, priority: i64) -> i64 {
    let body = json!({"code": code, "name": code.to_uppercase(), "priority": priority});
    id(&staff.post(LOCATIONS, body).await.expect(201))
}

async fn receive(staff: &Client, variant: i64, location: i64, quantity: i64) -> Value {
    let body = json!({"variant_id": variant, "location_id": location, "quantity": quantity});
    staff.post(RECEIPTS, body).await.expect(201)
}

async fn transfer(staff: &Client, variant: i64, from: i64, to: i64, quantity: i64) -> Answer {
    let body = json!({
        "variant_id": variant, "from_location_id": from, "to_location_id": to, "quantity": quantity
    });
    staff.post(TRANSFERS, body).await
}

/// On hand, reserved and available of a level.
fn figures(level: &Value) -> [i64; 3] {
    ["on_hand", "reserved", "available"].map(|name| level[name].as_i64().expect("a number"))
}

async fn levels(staff: &Client, variant: i64) -> Vec<[i64; 3]> {
    let path = format!("/api/v1/stock/levels?variant_id={variant}");
    let list = staff.get(&path).await.expect(200);
    list["items"].as_array().expect("a list").iter().map(figures).collect()
}

on_both_engines! {
    async fn goods_come_in(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 0).await;
        let body = json!({"variant_id": variant, "quantity": 5, "reason": "delivery 7"});
        let moved = staff.post(RECEIPTS, body).await.expect(201);
        let level = &moved["levels"][0];
        assert_eq!(moved, json!({"levels": [{
            "id": level["id"], "variant_id": variant, "location_id": MAIN,
            "on_hand": 5, "reserved": 0, "available": 5,
        }]}));
        assert_eq!(figures(&receive(&staff, variant, MAIN, 2).await["levels"][0]), [7, 0, 7]);
        for (body, status, code) in [
            (json!({"variant_id": 999, "quantity": 1}), 404, "not_found"),
            (json!({"variant_id": variant, "location_id": 999, "quantity": 1}), 404, "not_found"),
            (json!({"variant_id": variant, "quantity": 0}), 400, "invalid_body"),
            (json!({"variant_id": variant, "quantity": 1_000_000_001}), 400, "invalid_body"),
            (json!({"variant_id": variant, "quantity": 1_000_000_000}), 409, "too_much"),
            (json!({"variant_id": variant, "quantity": 1, "unknown": 1}), 400, "invalid_body"),
        ] {
            staff.post(RECEIPTS, body).await.expect_problem(status, code);
        }
        let ledger = staff.get("/api/v1/stock/movements").await.expect(200);
        assert_eq!(ledger["items"], json!([
            {"level_id": level["id"], "number": 2, "variant_id": variant, "location_id": MAIN,
             "at": "2026-11-21T12:00:00Z", "cause": "receipt", "on_hand_delta": 2,
             "reserved_delta": 0, "order_id": null, "basket_id": null, "actor_id": staff.account_id, "reason": null},
            {"level_id": level["id"], "number": 1, "variant_id": variant, "location_id": MAIN,
             "at": "2026-11-21T12:00:00Z", "cause": "receipt", "on_hand_delta": 5,
             "reserved_delta": 0, "order_id": null, "basket_id": null, "actor_id": staff.account_id,
             "reason": "delivery 7"},
        ]));
        shop.verify().await;
    }

    async fn corrections_are_stated_in_three_ways(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 10).await;
        order(&ana, &[(variant, 4)]).await.expect(201);
        let adjust = async |change: Value| {
            let mut body = json!({"variant_id": variant, "reason": "count"});
            body.as_object_mut().expect("an object").extend(
                change.as_object().expect("an object").clone(),
            );
            staff.post(ADJUSTMENTS, body).await
        };
        for (change, wanted) in [
            (json!({"delta": -1}), [9, 4, 5]),
            (json!({"delta": 3}), [12, 4, 8]),
            (json!({"on_hand": 6}), [6, 4, 2]),
            (json!({"available": 7}), [11, 4, 7]),
            (json!({"available": 0}), [4, 4, 0]),
            (json!({"on_hand": 4}), [4, 4, 0]),
        ] {
            let moved = adjust(change.clone()).await.expect(201);
            assert_eq!(figures(&moved["levels"][0]), wanted, "{change}");
        }
        for change in [json!({"delta": -1}), json!({"on_hand": 3}), json!({"on_hand": 0})] {
            let problem = adjust(change).await.expect_problem(409, "below_reserved");
            assert_eq!(problem["reserved"], 4);
        }
        for change in [
            json!({}), json!({"delta": 1, "on_hand": 5}), json!({"on_hand": -1}),
            json!({"delta": 1, "reason": ""}), json!({"delta": 1_000_000_001}),
        ] {
            adjust(change).await.expect_problem(400, "invalid_body");
        }
        adjust(json!({"on_hand": 1_000_000_000})).await.expect(201);
        adjust(json!({"delta": 1})).await.expect_problem(409, "too_much");
        adjust(json!({"available": 1_000_000_000})).await.expect_problem(409, "too_much");
        // A count that finds what was expected leaves no row.
        let path = format!("/api/v1/stock/movements?variant_id={variant}&cause=adjustment");
        let ledger = staff.get(&path).await.expect(200);
        assert_eq!(ledger["items"].as_array().map(Vec::len), Some(6));
        assert_eq!(ledger["items"][0]["reason"], "count");
        shop.verify().await;
    }

    async fn transfers_take_free_stock_only(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 5).await;
        let back = add_location(&staff, "back", 200).await;
        order(&ana, &[(variant, 2)]).await.expect(201);
        let problem =
            transfer(&staff, variant, MAIN, back, 4).await.expect_problem(409, "out_of_stock");
        assert_eq!(problem["available"], 3);
        transfer(&staff, variant, MAIN, MAIN, 1).await.expect_problem(409, "same_location");
        transfer(&staff, variant, back, MAIN, 1).await.expect_problem(409, "out_of_stock");
        transfer(&staff, variant, MAIN, 999, 1).await.expect_problem(404, "not_found");
        transfer(&staff, 999, MAIN, back, 1).await.expect_problem(404, "not_found");
        transfer(&staff, variant, MAIN, back, 0).await.expect_problem(400, "invalid_body");
        let moved = transfer(&staff, variant, MAIN, back, 3).await.expect(201);
        let locations: Vec<_> = (0..2).map(|n| moved["levels"][n]["location_id"].clone()).collect();
        assert_eq!(locations, [MAIN, back]);
        assert_eq!(levels(&staff, variant).await, [[2, 2, 0], [3, 0, 3]]);
        assert_eq!(available(&shop, variant).await, 3);
        shop.verify().await;
    }

    async fn a_line_is_served_from_several_locations_by_priority(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 3).await;
        let (first, closed) =
            (add_location(&staff, "first", 1).await, add_location(&staff, "closed", 0).await);
        receive(&staff, variant, first, 2).await;
        receive(&staff, variant, closed, 50).await;
        let path = format!("{LOCATIONS}/{closed}");
        staff.patch(&path, json!({"active": false})).await.expect(200);
        assert_eq!(available(&shop, variant).await, 5, "what an inactive location has is not sold");
        let problem = order(&ana, &[(variant, 6)]).await.expect_problem(409, "out_of_stock");
        assert_eq!(problem["lines"][0]["available"], 5);
        let placed = order(&ana, &[(variant, 4)]).await.expect(201);
        // In the order of the levels' making: main, first, closed.
        let served = [[3, 2, 1], [2, 2, 0], [50, 0, 50]];
        assert_eq!(levels(&staff, variant).await, served);
        ana.post(&format!("{ORDERS}/{}/cancel", id(&placed)), Value::Null).await.expect(200);
        assert_eq!(levels(&staff, variant).await, [[3, 0, 3], [2, 0, 2], [50, 0, 50]]);
        staff.patch(&path, json!({"active": true})).await.expect(200);
        order(&ana, &[(variant, 55)]).await.expect(201);
        assert_eq!(available(&shop, variant).await, 0);
        shop.verify().await;
    }

    async fn goods_go_to_the_first_open_location(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 0).await;
        let first = add_location(&staff, "first", 1).await;
        let body = json!({"variant_id": variant, "quantity": 1});
        let at = staff.post(RECEIPTS, body.clone()).await.expect(201)["levels"][0].clone();
        assert_eq!(at["location_id"], first);
        staff.patch(&format!("{LOCATIONS}/{first}"), json!({"active": false})).await.expect(200);
        let at = staff.post(RECEIPTS, body).await.expect(201)["levels"][0].clone();
        assert_eq!(at["location_id"], MAIN);
    }

    async fn the_ledger_is_read_level_by_level(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "1", 0).await;
        let two = on_sale(&staff, "Two", "1", 0).await;
        let back = add_location(&staff, "back", 200).await;
        for location in [MAIN, back] {
            for variant in [one, two] {
                receive(&staff, variant, location, 5).await;
            }
        }
        shop.clock.advance(Duration::from_secs(60));
        let placed = order(&ana, &[(one, 7), (two, 1)]).await.expect(201);
        transfer(&staff, two, back, MAIN, 1).await.expect(201);
        let whole = staff.get("/api/v1/stock/movements?limit=100").await.expect(200);
        let place = |row: &Value| {
            (row["level_id"].as_i64().expect("a number"), row["number"].as_i64().expect("a number"))
        };
        let whole: Vec<Value> = whole["items"].as_array().expect("a list").clone();
        assert_eq!(whole.len(), 9);
        let mut sorted: Vec<_> = whole.iter().map(place).collect();
        sorted.sort_by(|a, b| b.cmp(a));
        assert_eq!(whole.iter().map(place).collect::<Vec<_>>(), sorted);
        let (mut paged, mut path) =
            (Vec::new(), "/api/v1/stock/movements?limit=2".to_owned());
        loop {
            let page = staff.get(&path).await.expect(200);
            paged.extend(page["items"].as_array().expect("a list").clone());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/stock/movements?limit=2&cursor={next}");
        }
        assert_eq!(paged, whole);
        for (query, count) in [
            (format!("variant_id={one}"), 4),
            (format!("variant_id={two}"), 5),
            (format!("location_id={back}&cause=receipt"), 2),
            (format!("order_id={}", id(&placed)), 3),
            (format!("actor_id={}", ana.account_id), 3),
            ("at__gte=2026-11-21T12:01:00Z".to_owned(), 5),
            ("at__lt=2026-11-21T12:01:00Z".to_owned(), 4),
            ("cause__in=order,cancel".to_owned(), 3),
            (format!("level_id={}", whole[0]["level_id"]), 2),
        ] {
            let list = staff.get(&format!("/api/v1/stock/movements?{query}")).await.expect(200);
            assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{query}");
        }
        let list = staff.get("/api/v1/stock/levels?available__lt=5").await.expect(200);
        let short: Vec<_> = list["items"].as_array().expect("a list").iter().map(figures).collect();
        assert_eq!(short, [[5, 5, 0], [5, 2, 3], [4, 0, 4]]);
        staff.get("/api/v1/stock/movements?cause=theft").await.expect(400);
        staff.get("/api/v1/stock/movements?sort=at").await.expect(400);
        shop.verify().await;
    }

    async fn locations_are_added_and_changed(shop: TestShop) {
        let staff = shop.staff().await;
        let main = staff.get(&format!("{LOCATIONS}/{MAIN}")).await.expect(200);
        assert_eq!(main, json!({
            "id": MAIN, "code": "main", "name": "Main stock", "priority": 100, "active": true,
            "version": 1,
        }));
        let shop_floor = staff.post(LOCATIONS, json!({"code": "floor", "name": "Shop floor"})).await
            .expect(201);
        assert_eq!((&shop_floor["priority"], &shop_floor["active"]), (&json!(100), &json!(true)));
        let problem = staff.post(LOCATIONS, json!({"code": "main", "name": "X"})).await
            .expect_problem(409, "code_taken");
        assert_eq!(problem["errors"][0]["pointer"], "/code");
        for body in [
            json!({"code": "", "name": "X"}), json!({"code": "a b", "name": "X"}),
            json!({"code": "x"}), json!({"code": "x", "name": ""}),
            json!({"code": "x", "name": "X", "priority": -1}),
        ] {
            staff.post(LOCATIONS, body).await.expect_problem(400, "invalid_body");
        }
        let key = [("idempotency-key", "k")];
        let body = json!({"code": "van", "name": "Van", "priority": 5});
        let van = staff.send(Method::POST, LOCATIONS, Some(body.clone()), &key).await.expect(201);
        let again = staff.send(Method::POST, LOCATIONS, Some(body), &key).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), van);
        let (floor, van) = (id(&shop_floor), id(&van));
        assert_eq!(items(&staff.get(LOCATIONS).await.expect(200)), [van, MAIN, floor]);
        let path = format!("{LOCATIONS}/{floor}");
        let changed = staff.patch(&path, json!({"name": "Floor", "priority": 1})).await.expect(200);
        assert_eq!(changed, json!({
            "id": floor, "code": "floor", "name": "Floor", "priority": 1, "active": true,
            "version": 2,
        }));
        assert_eq!(staff.patch(&path, json!({"priority": 1})).await.expect(200), changed);
        assert_eq!(items(&staff.get(LOCATIONS).await.expect(200)), [floor, van, MAIN]);
        staff.patch(&path, json!({"code": "x"})).await.expect_problem(400, "invalid_body");
        for unknown in [format!("{LOCATIONS}/999"), format!("{LOCATIONS}/0")] {
            staff.get(&unknown).await.expect_problem(404, "not_found");
        }
        let unknown = format!("{LOCATIONS}/999");
        staff.patch(&unknown, json!({"name": "X"})).await.expect_problem(404, "not_found");
    }

    async fn stock_moves_once_per_key(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 1).await;
        let back = add_location(&staff, "back", 200).await;
        let moves = [
            (RECEIPTS, json!({"variant_id": variant, "quantity": 4})),
            (ADJUSTMENTS, json!({"variant_id": variant, "delta": 2, "reason": "found"})),
            (TRANSFERS, json!({
                "variant_id": variant, "from_location_id": MAIN, "to_location_id": back,
                "quantity": 3,
            })),
        ];
        for (path, body) in &moves {
            let headers = [("idempotency-key", *path)];
            let first = staff.send(Method::POST, path, Some(body.clone()), &headers).await;
            assert!(!first.headers.contains_key("idempotency-replayed"));
            let first = first.expect(201);
            for _ in 0..2 {
                let again = staff.send(Method::POST, path, Some(body.clone()), &headers).await;
                assert_eq!(again.headers["idempotency-replayed"], "true", "{path}");
                assert_eq!(again.expect(201), first, "the answer as it was");
            }
        }
        let mut other = moves[0].1.clone();
        other["quantity"] = json!(5);
        let headers = [("idempotency-key", RECEIPTS)];
        staff.send(Method::POST, RECEIPTS, Some(other), &headers).await
            .expect_problem(422, "idempotency_key_reused");
        assert_eq!(levels(&staff, variant).await, [[4, 0, 4], [3, 0, 3]]);
        shop.verify().await;
    }

    async fn stock_is_the_staffs_business(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 1).await;
        let receipt = json!({"variant_id": variant, "quantity": 4});
        ana.post(RECEIPTS, receipt.clone()).await.expect_problem(403, "forbidden");
        shop.anonymous().post(RECEIPTS, receipt).await.expect_problem(401, "unauthorized");
        for path in [LOCATIONS, "/api/v1/stock/levels", "/api/v1/stock/movements"] {
            ana.get(path).await.expect_problem(403, "forbidden");
            shop.anonymous().get(path).await.expect_problem(401, "unauthorized");
        }
        assert_eq!(levels(&staff, variant).await, [[1, 0, 1]]);
    }
}
