//! What happens to orders after they were placed: payment, fulfilment, return, refund,
//! cancellation, and the end of the time to pay.

use std::time::Duration;

use axum::http::Method;
use runout_core::ids::OrderId;
use runout_core::stock::{Act, Asked, By, Command, Gateway, OrderAct};
use runout_shop::jobs;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::orders::{ORDERS, available, on_sale, order};
use crate::predecessors::{curl, record, token_of};
use crate::support::{Answer, Client, TestShop};

pub async fn act(client: &Client, order: i64, what: &str, body: Value) -> Answer {
    client.post(&format!("{ORDERS}/{order}/{what}"), body).await
}

pub async fn cancel(client: &Client, order: i64) -> Answer {
    client.send(Method::POST, &format!("{ORDERS}/{order}/cancel"), None, &[]).await
}

pub async fn close(client: &Client, order: i64) -> Answer {
    client.send(Method::POST, &format!("{ORDERS}/{order}/close"), None, &[]).await
}

/// Staff say that the money is there.
pub async fn pay(staff: &Client, order: i64) -> Value {
    act(staff, order, "payments", json!({"gateway": "manual"})).await.expect(201)
}

fn parts(lines: &[(i64, i64)]) -> Value {
    let part = |(line_no, quantity): &(i64, i64)| json!({"line_no": line_no, "quantity": quantity});
    lines.iter().map(part).collect()
}

/// Units on the shelf, and of these promised, over all levels.
async fn shelf(shop: &TestShop) -> (i64, i64) {
    let on_hand = "select cast(coalesce(sum(on_hand), 0) as bigint) from stock_level";
    let reserved = "select cast(coalesce(sum(reserved), 0) as bigint) from stock_level";
    (shop.number(on_hand).await, shop.number(reserved).await)
}

/// What was told of orders after they were placed, and what the audit trail says: the same.
async fn told(shop: &TestShop) -> Vec<String> {
    let events = shop
        .texts(
            "select topic from outbox where entity = 'order'
        and topic <> 'order.placed' order by id",
        )
        .await;
    let audit = shop.texts("select action from audit where entity = 'order' order by id").await;
    assert_eq!(events, audit, "what is told is what is recorded");
    events
}

/// A day: the time to pay.
const DAY: Duration = Duration::from_secs(86_400);

on_both_engines! {
    async fn an_order_goes_all_the_way(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "10", 5).await;
        let two = on_sale(&staff, "Two", "1", 5).await;
        let number = id(&order(&ana, &[(one, 3), (two, 1)]).await.expect(201));
        assert_eq!(shelf(&shop).await, (10, 4));
        shop.clock.advance(Duration::from_secs(60));
        let paid = pay(&staff, number).await;
        assert_eq!(
            (&paid["status"], &paid["paid_minor"], &paid["paid_at"], &paid["payment_due_at"]),
            (&json!("paid"), &json!(3100), &json!("2026-11-21T12:01:00Z"), &Value::Null)
        );
        let payment = &paid["payments"][0];
        assert_eq!(
            (&payment["status"], &payment["gateway"], &payment["received_minor"]),
            (&json!("succeeded"), &json!("manual"), &json!(3100))
        );

        // Two of the first line leave, then what is left.
        let label = json!({
            "lines": parts(&[(1, 2)]), "carrier": "DHL", "tracking_number": "00340434161094042557",
        });
        let part = act(&staff, number, "fulfilments", label).await.expect(201);
        assert_eq!((&part["status"], &part["lines"][0]["fulfilled"]), (&json!("paid"), &json!(2)));
        assert_eq!(part["fulfilments"], json!([{
            "id": part["fulfilments"][0]["id"], "carrier": "DHL",
            "tracking_number": "00340434161094042557", "at": "2026-11-21T12:01:00Z",
            "lines": [{"line_no": 1, "location_id": 1, "quantity": 2}],
        }]));
        assert_eq!(shelf(&shop).await, (8, 2));
        assert_eq!(available(&shop, one).await, 2, "what leaves was not for sale before");
        close(&staff, number).await.expect_problem(409, "illegal_transition");
        let whole = act(&staff, number, "fulfilments", json!({})).await.expect(201);
        assert_eq!(whole["status"], "fulfilled");
        assert_eq!(whole["fulfilments"][1]["lines"], json!([
            {"line_no": 1, "location_id": 1, "quantity": 1},
            {"line_no": 2, "location_id": 1, "quantity": 1},
        ]));
        assert_eq!(shelf(&shop).await, (6, 0));
        assert_eq!(close(&staff, number).await.expect(200)["status"], "closed");
        assert_eq!(told(&shop).await, [
            "payment.started", "order.paid", "order.fulfilled", "order.fulfilled", "order.closed",
        ]);
        shop.verify().await;
    }

    async fn goods_and_money_go_back(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "10", 5).await;
        let two = on_sale(&staff, "Two", "1", 5).await;
        let number = id(&order(&ana, &[(one, 3), (two, 1)]).await.expect(201));
        pay(&staff, number).await;
        act(&staff, number, "fulfilments", json!({})).await.expect(201);
        close(&staff, number).await.expect(200);
        // One comes back onto the shelf, the others cannot be sold again.
        let back = json!({"lines": parts(&[(1, 1)])});
        let back = act(&staff, number, "returns", back).await.expect(201);
        assert_eq!((&back["status"], &back["lines"][0]["returned"]), (&json!("closed"), &json!(1)));
        assert_eq!((shelf(&shop).await, available(&shop, one).await), ((7, 0), json!(3)));
        let broken = json!({"restock": false});
        let returned = act(&staff, number, "returns", broken).await.expect(201);
        assert_eq!(returned["status"], "returned");
        assert_eq!(returned["lines"][0]["returned"], 3);
        assert_eq!(shelf(&shop).await, (7, 0));

        let note = json!({"amount_minor": 100, "note": "late"});
        let some = act(&staff, number, "refunds", note).await.expect(201);
        assert_eq!((&some["status"], &some["refunded_minor"]), (&json!("returned"), &json!(100)));
        let all = act(&staff, number, "refunds", json!({})).await.expect(201);
        assert_eq!((&all["status"], &all["refunded_minor"]), (&json!("refunded"), &json!(3100)));
        let refunds: Vec<_> = (0..2).map(|n| &all["refunds"][n]).map(|refund| {
            (refund["amount_minor"].clone(), refund["status"].clone(), refund["note"].clone())
        }).collect();
        assert_eq!(refunds, [
            (json!(100), json!("succeeded"), json!("late")),
            (json!(3000), json!("succeeded"), Value::Null),
        ]);
        assert_eq!(shelf(&shop).await, (7, 0), "what had left does not come back by a refund");
        assert_eq!(told(&shop).await, [
            "payment.started", "order.paid", "order.fulfilled", "order.closed",
            "order.returned", "order.returned", "order.refunded", "order.refunded",
        ]);
        let actors = shop.number("select count(distinct actor_id) from audit
            where entity = 'order' and actor_id is not null").await;
        assert_eq!(actors, 1);
        shop.verify().await;
    }

    async fn only_staff_say_so(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let staff = shop.staff().await;
        let variant = on_sale(&staff, "One", "10", 5).await;
        let number = id(&order(&ana, &[(variant, 1)]).await.expect(201));
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let guests = id(&guest.buys_as("g@example.org").await.expect(201));
        let acts = [
            ("payments", json!({"gateway": "manual"})), ("refunds", json!({})),
            ("fulfilments", json!({})), ("returns", json!({})), ("close", Value::Null),
        ];
        for (what, body) in acts {
            for client in [&ana, &bia] {
                act(client, number, what, body.clone()).await.expect_problem(403, "forbidden");
            }
            let answer = act(&shop.anonymous(), number, what, body.clone()).await;
            answer.expect_problem(401, "unauthorized");
            let path = format!("{ORDERS}/{guests}/{what}");
            let answer = guest.post(&path, Some(body.clone())).await;
            assert!([401, 403].contains(&answer.status.as_u16()), "{what} {answer:?}");
            act(&staff, 999, what, body).await.expect_problem(404, "not_found");
        }
        let paths = ["sync", "capture"].map(|what| format!("{ORDERS}/{guests}/payments/1/{what}"));
        for path in paths {
            let answer = ana.send(Method::POST, &path, None, &[]).await;
            assert!([403, 404].contains(&answer.status.as_u16()), "{answer:?}");
            staff.send(Method::POST, &path, None, &[]).await.expect_problem(409, "manual_payment");
        }
        assert_eq!(told(&shop).await, [""; 0]);
        shop.verify().await;
    }

    async fn it_is_paid_once(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 5).await;
        let number = id(&order(&ana, &[(variant, 1)]).await.expect(201));
        let pays = (0..12).map(|_| act(&staff, number, "payments", json!({"gateway": "manual"})));
        let answers = futures::future::join_all(pays).await;
        let (paid, others): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(paid.len(), 1);
        for other in others {
            assert_eq!(other.expect_problem(409, "illegal_transition")["order_status"], "paid");
        }
        let shown = staff.get(&format!("{ORDERS}/{number}")).await.expect(200);
        assert_eq!(shown["payments"].as_array().map(Vec::len), Some(1));
        assert_eq!(shown["paid_minor"], 1000);
        // With a key, the second answer is the first one's.
        let keyed = async |what: &str, key: &str, body: Value| {
            let path = format!("{ORDERS}/{number}/{what}");
            staff.send(Method::POST, &path, Some(body), &[("idempotency-key", key)]).await
        };
        let ten = json!({"amount_minor": 10});
        for _ in 0..3 {
            let refunded = keyed("refunds", "r", ten.clone()).await.expect(201);
            assert_eq!(refunded["refunded_minor"], 10);
        }
        keyed("refunds", "r", json!({"amount_minor": 20})).await
            .expect_problem(422, "idempotency_key_reused");
        keyed("fulfilments", "r", json!({})).await.expect_problem(422, "idempotency_key_reused");
        for _ in 0..2 {
            let left = keyed("fulfilments", "f", json!({})).await.expect(201);
            assert_eq!(left["fulfilments"].as_array().map(Vec::len), Some(1));
        }
        for _ in 0..2 {
            keyed("returns", "b", json!({})).await.expect(201);
        }
        assert_eq!(shelf(&shop).await, (5, 0));
        shop.verify().await;
    }

    async fn a_refund_is_at_most_what_is_left(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 5).await;
        let number = id(&order(&ana, &[(variant, 2)]).await.expect(201));
        pay(&staff, number).await;
        let refund = async |amount: i64| {
            act(&staff, number, "refunds", json!({"amount_minor": amount})).await
        };
        let problem = refund(2001).await.expect_problem(409, "too_much");
        assert_eq!(problem["left_minor"], 2000);
        for amount in [0, -1, 1_000_000_000_001] {
            refund(amount).await.expect_problem(400, "invalid_body");
        }
        refund(1999).await.expect(201);
        assert_eq!(refund(2).await.expect_problem(409, "too_much")["left_minor"], 1);
        assert_eq!(available(&shop, variant).await, 3, "in part: the goods are still owed");
        // Many at once: one gets the last cent, and what has not left is on sale again.
        let all = (0..8).map(|_| refund(1));
        let answers = futures::future::join_all(all).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        let shown = staff.get(&format!("{ORDERS}/{number}")).await.expect(200);
        assert_eq!(
            (&shown["status"], &shown["refunded_minor"]),
            (&json!("refunded"), &json!(2000))
        );
        assert_eq!((available(&shop, variant).await, shelf(&shop).await), (json!(5), (5, 0)));
        act(&staff, number, "fulfilments", json!({})).await
            .expect_problem(409, "illegal_transition");
        shop.verify().await;
    }

    /// Refunded when some had left: the rest is on sale, and what left may still come back.
    async fn a_refund_in_the_middle_of_a_fulfilment(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 5).await;
        let number = id(&order(&ana, &[(variant, 3)]).await.expect(201));
        pay(&staff, number).await;
        let two = json!({"lines": parts(&[(1, 2)])});
        act(&staff, number, "fulfilments", two).await.expect(201);
        for client in [&ana, &staff] {
            cancel(client, number).await.expect_problem(409, "illegal_transition");
        }
        assert_eq!(shelf(&shop).await, (3, 1));
        act(&staff, number, "refunds", json!({})).await.expect(201);
        assert_eq!(shelf(&shop).await, (3, 0));
        let back = act(&staff, number, "returns", json!({})).await.expect(201);
        assert_eq!(
            (&back["status"], &back["lines"][0]["returned"]),
            (&json!("refunded"), &json!(2))
        );
        assert_eq!(shelf(&shop).await, (5, 0));
        act(&staff, number, "returns", json!({})).await.expect_problem(409, "nothing_left");
        shop.verify().await;
    }

    async fn a_paid_order_that_is_cancelled_is_refunded(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 5).await;
        let number = id(&order(&ana, &[(variant, 2)]).await.expect(201));
        pay(&staff, number).await;
        act(&staff, number, "refunds", json!({"amount_minor": 300})).await.expect(201);
        let cancelled = cancel(&ana, number).await.expect(200);
        assert_eq!(
            (&cancelled["status"], &cancelled["paid_minor"], &cancelled["refunded_minor"]),
            (&json!("cancelled"), &json!(2000), &json!(2000))
        );
        let refund = &cancelled["refunds"][1];
        assert_eq!(
            (&refund["amount_minor"], &refund["reason"], &refund["status"]),
            (&json!(1700), &json!("cancelled"), &json!("succeeded"))
        );
        assert_eq!(available(&shop, variant).await, 5);
        cancel(&staff, number).await.expect_problem(409, "already_cancelled");
        act(&staff, number, "payments", json!({"gateway": "manual"})).await
            .expect_problem(409, "illegal_transition");
        let by_staff = id(&order(&ana, &[(variant, 1)]).await.expect(201));
        assert_eq!(cancel(&staff, by_staff).await.expect(200)["cancel_reason"], "staff");
        shop.verify().await;
    }

    async fn what_leaves_and_comes_back_is_counted(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "10", 5).await;
        let two = on_sale(&staff, "Two", "1", 5).await;
        let number = id(&order(&ana, &[(one, 3), (two, 1)]).await.expect(201));
        act(&staff, number, "fulfilments", json!({})).await
            .expect_problem(409, "illegal_transition");
        pay(&staff, number).await;
        let fulfil = async |lines: &[(i64, i64)]| {
            act(&staff, number, "fulfilments", json!({"lines": parts(lines)})).await
        };
        let back = async |lines: &[(i64, i64)]| {
            act(&staff, number, "returns", json!({"lines": parts(lines)})).await
        };
        let before = shelf(&shop).await;
        for lines in [&[(3, 1)][..], &[(1, 1), (1, 1)], &[(1, 0)], &[(0, 1)], &[(101, 1)], &[]] {
            fulfil(lines).await.expect_problem(400, "invalid_body");
        }
        let problem = fulfil(&[(2, 1), (1, 4)]).await.expect_problem(409, "too_many");
        assert_eq!((&problem["line_no"], &problem["left"]), (&json!(1), &json!(3)));
        back(&[(1, 1)]).await.expect_problem(409, "too_many");
        assert_eq!(shelf(&shop).await, before);
        for (body, pointer) in [
            (json!({"lines": {}}), "/lines"),
            (json!({"tracking_number": "x".repeat(201)}), "/tracking_number"),
            (json!({"lines": [{"line_no": 1, "quantity": "1"}]}), "/lines/0/quantity"),
            (json!({"lines": [{"line_no": 1, "quantity": 1, "level": 1}]}), "/lines/0/level"),
        ] {
            let answer = act(&staff, number, "fulfilments", body).await;
            let problem = answer.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        fulfil(&[(1, 2)]).await.expect(201);
        assert_eq!(back(&[(1, 3)]).await.expect_problem(409, "too_many")["left"], 2);
        back(&[(1, 2)]).await.expect(201);
        assert_eq!(fulfil(&[(1, 2)]).await.expect_problem(409, "too_many")["left"], 1);
        let whole = fulfil(&[(1, 1), (2, 1)]).await.expect(201);
        assert_eq!(whole["status"], "fulfilled");
        let last = back(&[(1, 1), (2, 1)]).await.expect(201);
        assert_eq!(last["status"], "returned");
        assert_eq!(shelf(&shop).await, (10, 0));
        shop.verify().await;
    }

    async fn an_unpaid_order_gives_its_stock_back_in_time(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 9).await;
        let unpaid = id(&order(&ana, &[(variant, 2)]).await.expect(201));
        let guest = shop.guest().await;
        guest.set(variant, 1).await.expect(200);
        let guests = id(&guest.buys_as("g@example.org").await.expect(201));
        let paid = id(&order(&ana, &[(variant, 1)]).await.expect(201));
        pay(&staff, paid).await;
        shop.clock.advance(DAY - Duration::from_micros(1));
        jobs::sweep_once(&shop.app).await;
        assert_eq!(available(&shop, variant).await, 5);
        shop.clock.advance(Duration::from_micros(1));
        jobs::sweep_once(&shop.app).await;
        assert_eq!(available(&shop, variant).await, 8);
        for number in [unpaid, guests] {
            let shown = staff.get(&format!("{ORDERS}/{number}")).await.expect(200);
            assert_eq!(
                (&shown["status"], &shown["cancel_reason"], &shown["cancelled_at"]),
                (&json!("cancelled"), &json!("unpaid"), &json!("2026-11-22T12:00:00Z"))
            );
            act(&staff, number, "payments", json!({"gateway": "manual"})).await
                .expect_problem(409, "illegal_transition");
            cancel(&staff, number).await.expect_problem(409, "already_cancelled");
        }
        let shown = staff.get(&format!("{ORDERS}/{paid}")).await.expect(200);
        assert_eq!(shown["status"], "paid");
        let before = told(&shop).await;
        assert_eq!(before.iter().filter(|topic| *topic == "order.cancelled").count(), 2);
        jobs::sweep_once(&shop.app).await;
        shop.clock.advance(DAY * 30);
        jobs::sweep_once(&shop.app).await;
        assert_eq!(told(&shop).await, before, "once");
        shop.verify().await;
    }

    /// Their shops know no time to pay.
    async fn the_predecessors_orders_never_lapse(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let product = record(&shop, "We are Reactive", 5).await;
        let token = token_of(&ana);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let body = format!(r#"{{"items": [{{"product_id": {product}, "quantity": 2}}]}}"#);
        let placed = curl(&shop, "PUT /orders/create/", &headers, &body).await;
        assert!(placed.status.is_success(), "{placed:?}");
        let shown = ana.get(ORDERS).await.expect(200)["items"][0].clone();
        assert_eq!(shown["payment_due_at"], Value::Null);
        shop.clock.advance(DAY * 1_000);
        jobs::sweep_once(&shop.app).await;
        let path = format!("{ORDERS}/{}", id(&shown));
        let staff = shop.staff().await;
        assert_eq!(
            shop.texts("select status from orders").await, ["placed"],
            "{}", staff.get(&path).await.status
        );
        shop.verify().await;
    }

    /// A hundred orders wait for a provider that cannot be asked; the others do not wait with them.
    async fn a_silent_provider_holds_up_nobody_else(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 1_000).await;
        for _ in 0..100 {
            let number = id(&order(&ana, &[(variant, 1)]).await.expect(201));
            let what = Act::StartPayment { gateway: Gateway::Stripe };
            let act = OrderAct { order: OrderId(number), by: By::Shop, act: what };
            let command = Command::Act(Box::new(act));
            shop.app.stock.ask(Asked { command, key: None }).await.expect("decided");
        }
        let unpaid = id(&order(&ana, &[(variant, 1)]).await.expect(201));
        shop.clock.advance(DAY);
        jobs::sweep_once(&shop.app).await;
        let shown = staff.get(&format!("{ORDERS}/{unpaid}")).await.expect(200);
        assert_eq!(shown["status"], "cancelled");
        jobs::ask_once(&shop.app).await;
        let open = shop.number("select count(*) from orders where status = 'placed'").await;
        assert_eq!(open, 100, "how their payments stand is not guessed");
        shop.verify().await;
    }
}
