//! The ten shapes in which other shops break, a test each.

use std::time::Duration;

use futures::future::join_all;
use runout_core::ids::{BasketId, OrderId, PaymentId};
use runout_core::stock::{
    Act, ActOutcome, Asked, By, Command, Gateway, OrderAct, Outcome, PaymentSeen,
};
use runout_shop::App;
use runout_store::Engine;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::order_life::{act, cancel, pay};
use crate::orders::{ORDERS, available, on_sale, order};
use crate::support::{Basket, Client, TestShop, address, line};

/// What the shop itself does to an order, below HTTP.
async fn shop_acts(app: &App, order: i64, act: Act) -> ActOutcome {
    let command = Command::Act(Box::new(OrderAct { order: OrderId(order), by: By::Shop, act }));
    match app.stock.ask(Asked { command, key: None }).await.expect("decided").outcome {
        Outcome::Act(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// A guest's order that is being paid by card; order and payment.
async fn by_card(shop: &TestShop, guest: &Basket) -> (i64, PaymentId) {
    let number = id(&guest.buys_as("g@example.org").await.expect(201));
    let by = By::Guest(BasketId(guest.id));
    let what = Act::StartPayment { gateway: Gateway::Stripe };
    let command = Command::Act(Box::new(OrderAct { order: OrderId(number), by, act: what }));
    let begun = shop.app.stock.ask(Asked { command, key: None }).await.expect("decided").outcome;
    let Outcome::Act(ActOutcome::Done { payment: Some(payment), .. }) = begun else {
        panic!("{begun:?}")
    };
    (number, payment)
}

/// The provider's word that so much has arrived.
fn arrived(payment: PaymentId, minor: i64) -> Act {
    let seen = PaymentSeen::Succeeded {
        provider_id: format!("pi_{}", payment.0),
        received_minor: minor,
        currency: "EUR".to_owned(),
    };
    Act::PaymentSeen { payment, seen }
}

async fn shown(staff: &Client, number: i64) -> Value {
    staff.get(&format!("{ORDERS}/{number}")).await.expect(200)
}

/// Makes the database refuse any quantity of 13 in a table, for a reason that the rules do not
/// know.
async fn poison(shop: &TestShop, table: &'static str) {
    let sql = match (shop.app.db.engine(), table) {
        (Engine::Sqlite, "hold") => {
            "create trigger poison before insert on hold
            when new.quantity = 13 begin select raise(abort, 'poison'); end"
        }
        (Engine::Sqlite, _) => {
            "create trigger poison before insert on order_line
            when new.quantity = 13 begin select raise(abort, 'poison'); end"
        }
        (Engine::Postgres, "hold") => {
            "alter table hold add constraint poison check (quantity <> 13)"
        }
        (Engine::Postgres, _) => {
            "alter table order_line add constraint poison check (quantity <> 13)"
        }
    };
    shop.app.db.script(sql).await.expect("poisoned");
}

async fn heal(shop: &TestShop, table: &'static str) {
    let sql = match (shop.app.db.engine(), table) {
        (Engine::Sqlite, _) => "drop trigger poison",
        (Engine::Postgres, "hold") => "alter table hold drop constraint poison",
        (Engine::Postgres, _) => "alter table order_line drop constraint poison",
    };
    shop.app.db.script(sql).await.expect("healed");
}

const DAY: Duration = Duration::from_secs(86_400);

on_both_engines! {
    async fn shape_1_two_buyers_want_one_unit(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), ana.token.clone());
        for n in 0..10 {
            let variant = on_sale(&staff, &format!("Last {n}"), "1", 1).await;
            let (here, elsewhere) = (shop.guest().await, shop.guest().await.at(&there));
            let buys = async |guest: &Basket| {
                let set = guest.set(variant, 1).await;
                if set.status != 200 {
                    return set;
                }
                guest.buys_as("g@example.org").await
            };
            let wanted = [(variant, 1)];
            let (a, b, c) = futures::join!(buys(&here), buys(&elsewhere), order(&there, &wanted));
            let mut codes = [a.status.as_u16(), b.status.as_u16(), c.status.as_u16()];
            codes.sort_unstable();
            assert_eq!(codes, [201, 409, 409], "{a:?} {b:?} {c:?}");
            assert_eq!(available(&shop, variant).await, 0);
        }
        assert_eq!(shop.number("select count(*) from orders").await, 10);
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_2_two_lines_draw_on_the_same_stock(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "1", 3).await;
        let twice = json!({"lines": [
            {"variant_id": variant, "quantity": 2}, {"sku": "ONE", "quantity": 2},
        ]});
        ana.post(ORDERS, twice).await.expect_problem(400, "duplicate_line");
        // In a basket it is one line, under whatever name, and however it is set at once.
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        let shown = guest.set_body(json!({"sku": "ONE", "quantity": 2})).await.expect(200);
        assert_eq!(line(&shown)["held"], 2);
        let rush = (0..20).map(|n| guest.set(variant, n % 3 + 1));
        assert!(join_all(rush).await.iter().all(|answer| answer.status == 200));
        let held = line(&guest.shown().await)["held"].as_i64().expect("a number");
        assert_eq!(available(&shop, variant).await, 3 - held);
        shop.verify().await;
        // Two baskets of one account, too.
        let hers = Basket::of(&ana).await;
        guest.set(variant, 2).await.expect(200);
        hers.set(variant, 2).await.expect_problem(409, "out_of_stock");
        hers.set(variant, 1).await.expect(200);
        shop.verify().await;
    }

    async fn shape_3_a_hold_that_was_sold_is_not_extended(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 1).await;
        let (old, new) = (shop.guest().await, shop.guest().await);
        old.set(variant, 1).await.expect(200);
        shop.clock.advance(Duration::from_secs(300));
        new.set(variant, 1).await.expect(200);
        new.buys_as("new@example.org").await.expect(201);
        let node = shop.second_node().await;
        let there = old.at(&Client::new(shop.router_of(node.clone()), None));
        for old in [&old, &there] {
            let extended = old.extend().await.expect(200);
            assert_eq!(
                (&line(&extended)["held"], &line(&extended)["short"]),
                (&json!(0), &json!(true))
            );
            old.set(variant, 1).await.expect_problem(409, "out_of_stock");
            old.buys_as("old@example.org").await.expect_problem(409, "out_of_stock");
        }
        let path = "/api/v1/baskets/merge";
        let ana = shop.customer("ana").await;
        let merged = ana.post(path, json!({"token": old.token()})).await.expect(200);
        assert_eq!(line(&merged)["held"], 0);
        assert_eq!(shop.number("select count(*) from hold").await, 0);
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_4_money_comes_late_and_stock_is_left(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "10", 3).await;
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        let (number, payment) = by_card(&shop, &guest).await;
        shop.clock.advance(DAY);
        shop_acts(&shop.app, number, Act::Lapse).await;
        assert_eq!(shown(&staff, number).await["status"], "cancelled");
        assert_eq!(available(&shop, variant).await, 3);
        // The webhook, the buyer's browser and the jobs, on two nodes, all at once.
        let node = shop.second_node().await;
        let tellers = (0..20).map(|n| {
            let app = if n % 2 == 0 { &shop.app } else { &node };
            shop_acts(app, number, arrived(payment, 2000))
        });
        let outcomes = join_all(tellers).await;
        let done = |outcome: &&ActOutcome| matches!(outcome, ActOutcome::Done { .. });
        assert_eq!(outcomes.iter().filter(done).count(), 1, "{outcomes:?}");
        let order = shown(&staff, number).await;
        assert_eq!(
            [&order["status"], &order["paid_minor"], &order["cancelled_at"], &order["refunds"]],
            [&json!("paid"), &json!(2000), &Value::Null, &json!([])]
        );
        assert_eq!(available(&shop, variant).await, 1);
        let told = shop.texts("select topic from outbox where entity = 'order' order by id").await;
        assert_eq!(
            told, ["order.placed", "payment.started", "order.cancelled", "order.reinstated"]
        );
        act(&staff, number, "fulfilments", json!({})).await.expect(201);
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_4_money_comes_late_and_nothing_is_left(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "10", 3).await;
        let guest = shop.guest().await;
        guest.set(variant, 2).await.expect(200);
        let (number, payment) = by_card(&shop, &guest).await;
        shop.clock.advance(DAY);
        shop_acts(&shop.app, number, Act::Lapse).await;
        let other = shop.guest().await;
        other.set(variant, 2).await.expect(200);
        let node = shop.second_node().await;
        let tellers = (0..20).map(|n| {
            let app = if n % 2 == 0 { &shop.app } else { &node };
            shop_acts(app, number, arrived(payment, 2000))
        });
        join_all(tellers).await;
        let order = shown(&staff, number).await;
        assert_eq!(
            [&order["status"], &order["paid_minor"], &order["refunded_minor"]],
            [&json!("cancelled"), &json!(2000), &json!(2000)]
        );
        assert_eq!(order["refunds"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            [&order["refunds"][0]["status"], &order["refunds"][0]["reason"]],
            [&json!("pending"), &json!("too_late")]
        );
        let told = "select count(*) from outbox where topic = 'payment.too_late'";
        assert_eq!(shop.number(told).await, 1, "the customer is to be told, once");
        // It was in a basket only, which lapses: too late all the same, the money is on its way.
        shop.clock.advance(Duration::from_secs(300));
        shop_acts(&shop.app, number, arrived(payment, 2000)).await;
        assert_eq!(shown(&staff, number).await["status"], "cancelled");
        assert_eq!(available(&shop, variant).await, 3);
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_4_webhook_and_client_finish_together(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "10", 9).await;
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let (number, payment) = by_card(&shop, &guest).await;
        let node = shop.second_node().await;
        // Staff note a transfer at the same time: whoever comes second goes back.
        let (card, again, cash) = futures::join!(
            shop_acts(&shop.app, number, arrived(payment, 1000)),
            shop_acts(&node, number, arrived(payment, 1000)),
            act(&staff, number, "payments", json!({"gateway": "manual"})),
        );
        let order = shown(&staff, number).await;
        assert_eq!(order["status"], "paid", "{card:?} {again:?} {cash:?}");
        let paid = order["paid_minor"].as_i64().expect("a number");
        let refunded = order["refunded_minor"].as_i64().expect("a number");
        assert_eq!(paid - refunded, 1000, "{order}");
        shop.verify().await;

        // Another amount or currency never counts, and goes back.
        for (minor, currency) in [(999, "EUR"), (1001, "EUR"), (1000, "USD")] {
            let guest = shop.guest().await;
            guest.set(variant, 1).await.expect(200);
            let (number, payment) = by_card(&shop, &guest).await;
            let seen = PaymentSeen::Succeeded {
                provider_id: format!("pi_other_{number}"),
                received_minor: minor,
                currency: currency.to_owned(),
            };
            for _ in 0..2 {
                let seen = seen.clone();
                shop_acts(&shop.app, number, Act::PaymentSeen { payment, seen }).await;
            }
            let order = shown(&staff, number).await;
            assert_eq!([&order["status"], &order["paid_minor"]], [&json!("placed"), &json!(0)]);
            let refunds = order["refunds"].as_array().expect("a list");
            assert_eq!((refunds.len(), &refunds[0]["reason"]), (1, &json!("mismatch")));
            assert_eq!(refunds[0]["amount_minor"], minor);
        }
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_5_a_line_larger_than_any_location(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 3).await;
        let shelf = json!({"code": "shelf", "name": "Shelf", "priority": 200});
        let shelf = id(&staff.post("/api/v1/locations", shelf).await.expect(201));
        let receipt = json!({"variant_id": variant, "location_id": shelf, "quantity": 10});
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
        let guest = shop.guest().await;
        guest.set(variant, 5).await.expect(200);
        let number = id(&guest.buys_as("g@example.org").await.expect(201));
        let parts = || shop.texts("select quantity || ' ' || shipped || ' ' || returned
            from allocation order by level_id");
        assert_eq!(parts().await, ["3 0 0", "2 0 0"], "as many as the line, not more");
        assert_eq!(available(&shop, variant).await, 8);
        pay(&staff, number).await;
        let four = json!({"lines": [{"line_no": 1, "quantity": 4}]});
        let left = act(&staff, number, "fulfilments", four.clone()).await.expect(201);
        assert_eq!(left["fulfilments"][0]["lines"], json!([
            {"line_no": 1, "location_id": 1, "quantity": 3},
            {"line_no": 1, "location_id": shelf, "quantity": 1},
        ]));
        act(&staff, number, "returns", four).await.expect(201);
        assert_eq!(parts().await, ["3 3 3", "2 1 1"]);
        assert_eq!(available(&shop, variant).await, 12);
        shop.verify().await;
    }

    async fn shape_6_baskets_in_opposite_order(shop: TestShop) {
        let staff = shop.staff().await;
        let one = on_sale(&staff, "One", "1", 10_000).await;
        let two = on_sale(&staff, "Two", "1", 10_000).await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), None);
        let storm = (0..60).map(|n| {
            let (there, shop) = (&there, &shop);
            async move {
                let guest = shop.guest().await;
                let guest = if n % 2 == 0 { guest } else { guest.at(there) };
                let (first, second) = if n % 2 == 0 { (one, two) } else { (two, one) };
                guest.set(first, 1).await.expect(200);
                guest.set(second, 1).await.expect(200);
                guest.extend().await.expect(200);
                guest.set(first, 2).await.expect(200);
                let mail = format!("g{n}@example.org");
                let number = id(&guest.buys_as(&mail).await.expect(201));
                if n % 3 == 0 {
                    guest.post(&format!("{ORDERS}/{number}/cancel"), None).await.expect(200);
                }
            }
        });
        join_all(storm).await;
        let left = available(&shop, one).await.as_i64().expect("a number")
            + available(&shop, two).await.as_i64().expect("a number");
        assert_eq!(left, 20_000 - 40 * 3);
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_7_what_fails_in_the_middle_leaves_nothing(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 1_000).await;
        let mut guests = Vec::new();
        for quantity in 11..=15 {
            let guest = shop.guest().await;
            guest.set(variant, quantity).await.expect(200);
            guests.push(guest);
        }
        poison(&shop, "order_line").await;
        let body = json!({"email": "g@example.org", "address": address()});
        let buys = guests.iter().map(|guest| guest.check_out_keyed(body.clone(), Some("k")));
        let answers = join_all(buys).await;
        let codes: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(codes, [201, 201, 500, 201, 201], "it fails alone");
        let failed = &guests[2];
        let basket = failed.shown().await;
        assert_eq!((&basket["status"], &line(&basket)["held"]), (&json!("open"), &json!(13)));
        assert_eq!(shop.number("select count(*) from orders").await, 4);
        assert_eq!(available(&shop, variant).await, 1_000 - 65);
        shop.verify().await;
        heal(&shop, "order_line").await;
        failed.check_out_keyed(body, Some("k")).await.expect(201);

        poison(&shop, "hold").await;
        let guest = shop.guest().await;
        let answer = guest.set(variant, 13).await;
        assert_eq!(answer.status, 500, "{answer:?}");
        assert_eq!(guest.shown().await["lines"], json!([]));
        assert_eq!(shop.number("select count(*) from hold").await, 0);
        assert_eq!(available(&shop, variant).await, 1_000 - 65);
        shop.verify().await;
        heal(&shop, "hold").await;
        guest.set(variant, 13).await.expect(200);
        shop.verify().await;
    }

    async fn shape_8_the_same_key_twice_and_with_another_body(shop: TestShop) {
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "1", 100).await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), None);
        for n in 0..10 {
            let guest = shop.guest().await;
            guest.set(variant, 1).await.expect(200);
            let elsewhere = guest.at(&there);
            let mail = |mail: &str| json!({"email": mail, "address": address()});
            let (same, again, other) = futures::join!(
                guest.check_out_keyed(mail("a@example.org"), Some("k")),
                elsewhere.check_out_keyed(mail("a@example.org"), Some("k")),
                elsewhere.check_out_keyed(mail("b@example.org"), Some("k")),
            );
            let mut codes = [same.status.as_u16(), again.status.as_u16(), other.status.as_u16()];
            codes.sort_unstable();
            // Either body may have come first; the other one is told so.
            assert!(codes == [201, 201, 422] || codes == [201, 422, 422], "{n} {codes:?}");
        }
        assert_eq!(shop.number("select count(*) from orders").await, 10);
        assert_eq!(available(&shop, variant).await, 90);
        node.stop().await;
        shop.verify().await;
    }

    async fn shape_10_everything_gives_back_at_one_instant(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 100).await;
        let node = shop.second_node().await;
        let there = Client::new(shop.router_of(node.clone()), staff.token.clone());
        let mut orders = Vec::new();
        for n in 0..12 {
            let number = id(&order(&ana, &[(variant, 4)]).await.expect(201));
            // Unpaid, paid, partly and wholly on its way.
            if n % 4 > 0 {
                pay(&staff, number).await;
            }
            if n % 4 > 1 {
                let units = if n % 4 == 2 { 2 } else { 4 };
                let parts = json!({"lines": [{"line_no": 1, "quantity": units}]});
                act(&staff, number, "fulfilments", parts).await.expect(201);
            }
            orders.push(number);
        }
        shop.clock.advance(DAY);
        let acts = orders.iter().flat_map(|number| (0..4).map(move |n| (*number, n)));
        let rush = acts.map(|(number, n)| {
            let client = if n % 2 == 0 { staff.clone() } else { there.clone() };
            let (ana, app) = (ana.clone(), if n % 2 == 0 { &node } else { &shop.app });
            async move {
                let answers = futures::join!(
                    cancel(&client, number),
                    cancel(&ana, number),
                    act(&client, number, "refunds", json!({})),
                    act(&client, number, "returns", json!({})),
                    shop_acts(app, number, Act::Lapse),
                );
                for answer in [answers.0, answers.1, answers.2, answers.3] {
                    assert!([200, 201, 409].contains(&answer.status.as_u16()), "{answer:?}");
                }
            }
        });
        join_all(rush).await;
        for (n, number) in orders.iter().enumerate() {
            let order = shown(&staff, *number).await;
            let status = order["status"].as_str().expect("a status");
            assert!(["cancelled", "refunded", "returned"].contains(&status), "{n} {order}");
            assert_eq!(order["paid_minor"], order["refunded_minor"], "{n} {order}");
            let line = &order["lines"][0];
            assert_eq!(line["fulfilled"], line["returned"], "{n} {order}");
        }
        // Whatever was first: everything is on the shelf and for sale, once.
        let level = shop.texts("select on_hand || ' ' || reserved from stock_level").await;
        assert_eq!(level, ["100 0"]);
        node.stop().await;
        shop.verify().await;
    }

    /// The same for an order that is paid at the very moment at which it lapses.
    async fn shape_10_paid_at_the_last_moment(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 20).await;
        let node = shop.second_node().await;
        let mut orders = Vec::new();
        for _ in 0..10 {
            orders.push(id(&order(&ana, &[(variant, 2)]).await.expect(201)));
        }
        shop.clock.advance(DAY);
        let rush = orders.iter().map(|number| {
            let (ana, staff, node, number) = (&ana, &staff, &node, *number);
            async move {
                futures::join!(
                    act(staff, number, "payments", json!({"gateway": "manual"})),
                    shop_acts(node, number, Act::Lapse),
                    cancel(ana, number),
                )
            }
        });
        for (paid, _, cancelled) in join_all(rush).await {
            assert!([201, 409].contains(&paid.status.as_u16()), "{paid:?}");
            assert!([200, 409].contains(&cancelled.status.as_u16()), "{cancelled:?}");
        }
        let standing = shop.number("select count(*) from orders where status = 'paid'").await;
        assert_eq!(available(&shop, variant).await, 20 - 2 * standing);
        let open = shop.number("select count(*) from orders where status = 'placed'").await;
        assert_eq!(open, 0);
        node.stop().await;
        shop.verify().await;
    }
}
