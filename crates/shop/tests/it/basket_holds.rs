//! Holds: when they begin, how long they last, when they are on sale again.

use std::time::Duration;

use runout_shop::jobs;
use serde_json::{Value, json};

use crate::baskets::special;
use crate::catalog::id;
use crate::on_both_engines;
use crate::order_life::{act, pay};
use crate::orders::{available, on_sale, restock};
use crate::support::{Client, TestShop, line};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What everybody is shown as available: alone, in its product, and in the list.
async fn everywhere(shop: &TestShop, variant: i64) -> Value {
    let alone = available(shop, variant).await;
    let public = shop.anonymous();
    let list = public.get("/api/v1/products").await.expect(200);
    let items = list["items"].as_array().expect("a list");
    let has = |product: &&Value| id(&product["variants"][0]) == variant;
    let product = items.iter().find(has).expect("it is listed");
    assert_eq!(product["variants"][0]["available"], alone, "the list says otherwise");
    let path = format!("/api/v1/products/{}", id(product));
    let shown = public.get(&path).await.expect(200)["variants"][0]["available"].clone();
    assert_eq!(shown, alone, "the product says otherwise");
    alone
}

async fn add_location(staff: &Client, code: &str, priority: i64) -> i64 {
    let body = json!({"code": code, "name": code, "priority": priority});
    id(&staff.post("/api/v1/locations", body).await.expect(201))
}

/// Reserved units per level of the only variant, in order of id.
async fn reserved(shop: &TestShop) -> Vec<String> {
    shop.texts("select cast(reserved as text) from stock_level order by id").await
}

on_both_engines! {
    async fn what_is_held_is_off_sale_until_its_moment(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 5).await;
        let (ana, bia) = (shop.guest().await, shop.guest().await);
        assert_eq!(everywhere(&shop, variant).await, 5);
        ana.set(variant, 4).await.expect(200);
        assert_eq!(everywhere(&shop, variant).await, 1);
        shop.clock.advance(Duration::from_micros(299_999_999));
        assert_eq!(everywhere(&shop, variant).await, 1);
        let shown = ana.shown().await;
        assert_eq!((&line(&shown)["held"], &line(&shown)["seconds_left"]), (&json!(4), &json!(0)));
        bia.set(variant, 2).await.expect_problem(409, "out_of_stock");
        // The very moment, and nothing has swept.
        shop.clock.advance(Duration::from_micros(1));
        assert_eq!(everywhere(&shop, variant).await, 5);
        let shown = ana.shown().await;
        let lapsed = line(&shown);
        assert_eq!(
            (&lapsed["held"], &lapsed["expires_at"], &lapsed["seconds_left"]),
            (&json!(0), &Value::Null, &Value::Null)
        );
        assert_eq!((&lapsed["short"], &lapsed["available"]), (&json!(false), &json!(5)));
        assert_eq!(shown["expires_at"], Value::Null);
        assert_eq!(shop.number("select count(*) from hold").await, 1);
        shop.verify().await;
        bia.set(variant, 5).await.expect(200);
        let shown = ana.shown().await;
        let lapsed = line(&shown);
        assert_eq!((&lapsed["short"], &lapsed["available"]), (&json!(true), &json!(0)));
        assert_eq!(everywhere(&shop, variant).await, 0);
        let causes = shop.texts("select cause || ' ' || reserved_delta from stock_movement
            order by number").await;
        assert_eq!(causes, ["receipt 0", "hold 4", "expire -4", "hold 5"]);
        shop.verify().await;
    }

    async fn the_sweeper_gives_back_what_nobody_asks_for(shop: TestShop) {
        let staff = shop.staff().await;
        let (one, two) =
            (on_sale(&staff, "One", "1", 5).await, on_sale(&staff, "Two", "1", 5).await);
        let (ana, bia) = (shop.guest().await, shop.guest().await);
        ana.set(one, 1).await.expect(200);
        ana.set(two, 2).await.expect(200);
        shop.clock.advance(seconds(100));
        bia.set(two, 3).await.expect(200);
        jobs::sweep_once(&shop.app).await;
        assert_eq!(shop.number("select count(*) from hold").await, 3);
        shop.clock.advance(seconds(200));
        jobs::sweep_once(&shop.app).await;
        let left = shop.texts("select quantity || ' of ' || basket_id from hold").await;
        assert_eq!(left, [format!("3 of {}", bia.id)]);
        assert_eq!(
            (everywhere(&shop, one).await, everywhere(&shop, two).await),
            (json!(5), json!(2))
        );
        let told = "select count(*) from outbox where topic = 'stock.changed'";
        let before = shop.number(told).await;
        jobs::sweep_once(&shop.app).await;
        assert_eq!(shop.number(told).await, before, "it is given back once");
        let shown = ana.shown().await;
        assert_eq!(shown["lines"][0]["held"], 0);
        assert_eq!(shown["lines"].as_array().map(Vec::len), Some(2), "the lines stay");
        shop.verify().await;
    }

    async fn activity_extends_up_to_a_bounded_life(shop: TestShop) {
        let staff = shop.staff().await;
        let one = on_sale(&staff, "One", "1", 5).await;
        let two = on_sale(&staff, "Two", "1", 5).await;
        let guest = shop.guest().await;
        guest.set(one, 5).await.expect(200);
        // Looking is no activity.
        shop.clock.advance(seconds(200));
        assert_eq!(guest.shown().await["expires_at"], "2026-11-21T12:05:00Z");
        assert_eq!(guest.extend().await.expect(200)["expires_at"], "2026-11-21T12:08:20Z");
        // A change of one line extends the others.
        shop.clock.advance(seconds(200));
        let shown = guest.set(two, 1).await.expect(200);
        assert_eq!(shown["lines"][0]["expires_at"], "2026-11-21T12:11:40Z");
        assert_eq!(shown["lines"][1]["expires_at"], "2026-11-21T12:11:40Z");
        // Neither does a refused change extend, nor a discount that is not there.
        shop.clock.advance(seconds(10));
        guest.set(two, 6).await.expect_problem(409, "out_of_stock");
        assert_eq!(guest.shown().await["expires_at"], "2026-11-21T12:11:40Z");
        for _ in 0..6 {
            shop.clock.advance(seconds(200));
            guest.extend().await.expect(200);
        }
        // Half an hour after it was taken others have their chance; the second line is younger.
        let shown = guest.shown().await;
        assert_eq!(shown["lines"][0]["expires_at"], "2026-11-21T12:30:00Z");
        assert_eq!(shown["lines"][1]["expires_at"], "2026-11-21T12:31:50Z");
        shop.clock.advance(seconds(180));
        let other = shop.guest().await;
        guest.set(one, 4).await.expect(200);
        guest.set(one, 5).await.expect(200);
        let shown = guest.shown().await;
        assert_eq!(shown["lines"][0]["expires_at"], "2026-11-21T12:30:00Z", "no new life so");
        shop.clock.advance(seconds(10));
        assert_eq!(everywhere(&shop, one).await, 5);
        other.set(one, 1).await.expect(200);
        let shown = guest.extend().await.expect(200);
        assert_eq!(
            (&shown["lines"][0]["held"], &shown["lines"][0]["short"]),
            (&json!(0), &json!(true))
        );
        guest.set(one, 4).await.expect(200);
        shop.verify().await;
    }

    async fn a_lapsed_hold_is_taken_anew_or_shows_nothing(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 2).await;
        let (ana, bia) = (shop.guest().await, shop.guest().await);
        ana.set(variant, 2).await.expect(200);
        shop.clock.advance(seconds(300));
        // Nobody wanted it: a new hold, not a longer one.
        let shown = ana.extend().await.expect(200);
        assert_eq!(line(&shown)["held"], 2);
        assert_eq!(line(&shown)["expires_at"], "2026-11-21T12:10:00Z");
        let causes = shop.texts("select cause from stock_movement order by number").await;
        assert_eq!(causes, ["receipt", "hold", "expire", "hold"]);
        shop.clock.advance(seconds(300));
        bia.set(variant, 1).await.expect(200);
        let shown = ana.extend().await.expect(200);
        let gone = line(&shown);
        assert_eq!((&gone["held"], &gone["available"]), (&json!(0), &json!(1)));
        assert_eq!((&gone["short"], &gone["quantity"]), (&json!(true), &json!(2)));
        assert_eq!(shop.number("select reserved from stock_level").await, 1);
        bia.set(variant, 0).await.expect(200);
        assert_eq!(line(&ana.extend().await.expect(200))["held"], 2);
        shop.verify().await;
    }

    async fn variants_have_their_own_time(shop: TestShop) {
        let staff = shop.staff().await;
        let short = special(&staff, json!({"hold_seconds": 10}), 1).await;
        let long = special(&staff, json!({"hold_seconds": 3_600}), 1).await;
        let guest = shop.guest().await;
        guest.set(short, 1).await.expect(200);
        let shown = guest.set(long, 1).await.expect(200);
        assert_eq!(shown["lines"][0]["seconds_left"], 10);
        assert_eq!(shown["lines"][1]["seconds_left"], 3_600);
        assert_eq!(shown["expires_at"], "2026-11-21T12:00:10Z", "the first one to lapse");
        shop.clock.advance(seconds(10));
        let shown = guest.shown().await;
        assert_eq!(
            (&shown["lines"][0]["held"], &shown["lines"][1]["held"]),
            (&json!(0), &json!(1))
        );
        shop.clock.advance(seconds(3_589));
        assert_eq!(available(&shop, long).await, 0);
        shop.clock.advance(seconds(1));
        assert_eq!(available(&shop, long).await, 1);
        shop.verify().await;
    }

    async fn a_hold_may_come_from_several_locations(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 2).await;
        let shelf = add_location(&staff, "shelf", 200).await;
        let receipt = json!({"variant_id": variant, "location_id": shelf, "quantity": 2});
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
        let guest = shop.guest().await;
        guest.set(variant, 5).await.expect_problem(409, "out_of_stock");
        let shown = guest.set(variant, 3).await.expect(200);
        assert_eq!((&line(&shown)["held"], &line(&shown)["available"]), (&json!(3), &json!(4)));
        assert_eq!(reserved(&shop).await, ["2", "1"]);
        guest.set(variant, 4).await.expect(200);
        assert_eq!(reserved(&shop).await, ["2", "2"]);
        // Those of the last location go back first.
        guest.set(variant, 1).await.expect(200);
        assert_eq!(reserved(&shop).await, ["1", "0"]);
        guest.set(variant, 3).await.expect(200);
        let order = guest.buys_as("g@example.org").await.expect(201);
        assert_eq!(order["lines"][0]["quantity"], 3);
        let parts = shop.texts("select cast(quantity as text) from allocation order by level_id");
        assert_eq!(parts.await, ["2", "1"]);
        assert_eq!(available(&shop, variant).await, 1);
        shop.verify().await;
    }

    /// The time to hold is shortened while a line is held at two locations.
    async fn a_line_lapses_as_a_whole(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = special(&staff, json!({"hold_seconds": 300}), 1).await;
        let shelf = add_location(&staff, "shelf", 200).await;
        let receipt = json!({"variant_id": variant, "location_id": shelf, "quantity": 1});
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        staff.patch(&format!("/api/v1/variants/{variant}"), json!({"hold_seconds": 10})).await
            .expect(200);
        guest.set(variant, 2).await.expect(200);
        shop.clock.advance(seconds(20));
        let shown = guest.shown().await;
        assert!([0, 2].map(|held| json!(held)).contains(&line(&shown)["held"]), "{shown}");
        jobs::sweep_once(&shop.app).await;
        shop.verify().await;
        guest.buys_as("g@example.org").await.expect(201);
        assert_eq!(available(&shop, variant).await, 0);
        shop.verify().await;
    }

    async fn stock_that_comes_in_can_be_held_at_once(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 1).await;
        let (ana, bia) = (shop.guest().await, shop.guest().await);
        ana.set(variant, 1).await.expect(200);
        bia.set(variant, 1).await.expect_problem(409, "out_of_stock");
        restock(&staff, variant, 1).await;
        bia.set(variant, 1).await.expect(200);
        // A count below what is held is refused; what has lapsed is nobody's.
        let count = json!({"variant_id": variant, "on_hand": 1, "reason": "count"});
        staff.post("/api/v1/stock/adjustments", count.clone()).await
            .expect_problem(409, "below_reserved");
        shop.clock.advance(seconds(300));
        staff.post("/api/v1/stock/adjustments", count).await.expect(201);
        assert_eq!(everywhere(&shop, variant).await, 1);
        shop.verify().await;
    }

    async fn the_ledger_tells_why(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 9).await;
        let guest = shop.guest().await;
        guest.set(variant, 3).await.expect(200);
        guest.set(variant, 2).await.expect(200);
        shop.clock.advance(seconds(300));
        guest.extend().await.expect(200);
        let number = id(&guest.buys_as("g@example.org").await.expect(201));
        pay(&staff, number).await;
        act(&staff, number, "fulfilments", json!({})).await.expect(201);
        act(&staff, number, "returns", json!({})).await.expect(201);
        for (cause, rows) in [
            ("hold", 2), ("release", 1), ("expire", 1), ("checkout", 1), ("order", 1),
            ("fulfilment", 1), ("return", 1), ("receipt", 1), ("cancel", 0),
        ] {
            let path = format!("/api/v1/stock/movements?cause={cause}");
            let ledger = staff.get(&path).await.expect(200);
            assert_eq!(ledger["items"].as_array().map(Vec::len), Some(rows), "{cause} {ledger}");
        }
        let held = staff.get("/api/v1/stock/movements?cause=hold").await.expect(200);
        assert_eq!(held["items"][0]["basket_id"], guest.id);
        shop.verify().await;
    }
}
