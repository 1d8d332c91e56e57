//! Every state of an order against every request: what is legal succeeds, what is not is a 409 and
//! changes nothing.

use std::time::Duration;

use axum::http::Method;
use runout_shop::jobs;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::order_life::{act, cancel, close, pay};
use crate::orders::{ORDERS, on_sale, order};
use crate::support::{Client, TestShop};

/// A state with the way there, and what each of [`ACTS`] comes to: the order's state afterwards, or
/// the problem's code.
struct Row {
    name: &'static str,
    way: &'static [&'static str],
    comes_to: [&'static str; ACTS.len()],
}

const ACTS: [&str; 8] =
    ["payments", "fulfilments", "returns", "refunds", "refund of 1", "close", "cancel", "lapse"];

const NO: &str = "illegal_transition";

#[rustfmt::skip]
const ROWS: [Row; 12] = [
    Row { name: "placed", way: &[], comes_to:
        ["paid", NO, NO, NO, NO, NO, "cancelled", "cancelled"] },
    Row { name: "paid", way: &["payments"], comes_to:
        [NO, "fulfilled", "nothing_left", "refunded", "paid", NO, "cancelled", "paid"] },
    Row { name: "partly fulfilled", way: &["payments", "one leaves"], comes_to:
        [NO, "fulfilled", "paid", "refunded", "paid", NO, NO, "paid"] },
    Row { name: "fulfilled", way: &["payments", "fulfilments"], comes_to:
        [NO, NO, "returned", "refunded", "fulfilled", "closed", NO, "fulfilled"] },
    Row { name: "partly returned", way: &["payments", "fulfilments", "one comes back"], comes_to:
        [NO, NO, "returned", "refunded", "fulfilled", "closed", NO, "fulfilled"] },
    Row { name: "closed", way: &["payments", "fulfilments", "close"], comes_to:
        [NO, NO, "returned", "refunded", "closed", NO, NO, "closed"] },
    Row { name: "returned", way: &["payments", "fulfilments", "returns"], comes_to:
        [NO, NO, NO, "refunded", "returned", NO, NO, "returned"] },
    Row { name: "cancelled", way: &["cancel"], comes_to:
        [NO, NO, NO, NO, NO, NO, "already_cancelled", "cancelled"] },
    Row { name: "cancelled when paid", way: &["payments", "cancel"], comes_to:
        [NO, NO, NO, NO, NO, NO, "already_cancelled", "cancelled"] },
    Row { name: "lapsed", way: &["lapse"], comes_to:
        [NO, NO, NO, NO, NO, NO, "already_cancelled", "cancelled"] },
    Row { name: "refunded", way: &["payments", "refunds"], comes_to:
        [NO, NO, "nothing_left", NO, NO, NO, NO, "refunded"] },
    Row { name: "refunded after it left", way: &["payments", "fulfilments", "refunds"], comes_to:
        [NO, NO, "refunded", NO, NO, NO, NO, "refunded"] },
];

/// Every row that an act on an order could change.
const TABLES: [&str; 8] = [
    "select id || ' ' || status || ' ' || paid_minor || ' ' || refunded_minor || ' '
        || coalesce(cancel_reason, '') || ' ' || coalesce(cast(due_at as text), '') || ' '
        || coalesce(cast(cancelled_at as text), '') || coalesce(cast(paid_at as text), '')
        from orders order by id",
    "select order_id || ' ' || level_id || ' ' || quantity || ' ' || shipped || ' ' || returned
        from allocation order by order_id, line_no, level_id",
    "select id || ' ' || status || ' ' || received_minor || ' ' || coalesce(failure, '')
        from payment order by id",
    "select id || ' ' || status || ' ' || amount_minor from refund order by id",
    "select id || ' ' || on_hand || ' ' || reserved || ' ' || movements
        from stock_level order by id",
    "select 'fulfilments ' || count(*) from fulfilment_line",
    "select 'events ' || count(*) from outbox",
    "select 'audit ' || count(*) from audit",
];

async fn everything(shop: &TestShop) -> Vec<String> {
    let mut rows = Vec::new();
    for table in TABLES {
        rows.extend(shop.texts(table).await);
    }
    rows
}

fn one() -> Value {
    json!({"lines": [{"line_no": 1, "quantity": 1}]})
}

/// Does it; gives the state afterwards, or the code of the 409.
async fn perform(shop: &TestShop, staff: &Client, number: i64, what: &str) -> String {
    let (answer, success) = match what {
        "one leaves" => (act(staff, number, "fulfilments", one()).await, 201),
        "one comes back" => (act(staff, number, "returns", one()).await, 201),
        "lapse" => {
            shop.clock.advance(Duration::from_secs(86_400));
            jobs::sweep_once(&shop.app).await;
            (staff.get(&format!("{ORDERS}/{number}")).await, 200)
        }
        "close" => (close(staff, number).await, 200),
        "cancel" => (cancel(staff, number).await, 200),
        "payments" => (act(staff, number, what, json!({"gateway": "manual"})).await, 201),
        "refund of 1" => (act(staff, number, "refunds", json!({"amount_minor": 1})).await, 201),
        _ => (act(staff, number, what, json!({})).await, 201),
    };
    if answer.status == 409 {
        let kind = answer.headers["content-type"].clone();
        let problem = answer.json();
        assert_eq!(kind, "application/problem+json");
        assert_eq!(problem["status"], 409, "{problem}");
        return problem["code"].as_str().expect("a code").to_owned();
    }
    let shown = answer.expect(success);
    shown["status"].as_str().expect("a status").to_owned()
}

on_both_engines! {
    async fn every_state_meets_every_request(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 10_000).await;
        for Row { name, way, comes_to } in ROWS {
            for (what, expected) in ACTS.into_iter().zip(comes_to) {
                let number = id(&order(&ana, &[(variant, 2)]).await.expect(201));
                for step in way {
                    let state = perform(&shop, &staff, number, step).await;
                    assert!(!state.contains('_'), "{name}: {step} came to {state}");
                }
                let before = everything(&shop).await;
                let came_to = perform(&shop, &staff, number, what).await;
                assert_eq!(came_to, expected, "{what} of an order that is {name}");
                let after = everything(&shop).await;
                let legal = !came_to.contains('_') && (what != "lapse" || name == "placed");
                assert_eq!(before != after, legal, "{what} of an order that is {name}");
            }
        }
        shop.verify().await;
    }

    /// The same by the buyer: they may cancel what has not left, and nothing else.
    async fn the_buyer_may_only_cancel(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 10_000).await;
        for Row { name, way, comes_to } in ROWS {
            let number = id(&order(&ana, &[(variant, 2)]).await.expect(201));
            for step in way {
                perform(&shop, &staff, number, step).await;
            }
            let before = everything(&shop).await;
            for what in ["refunds", "fulfilments", "returns", "close"] {
                act(&ana, number, what, json!({})).await.expect_problem(403, "forbidden");
            }
            let manual = json!({"gateway": "manual"});
            act(&ana, number, "payments", manual).await.expect_problem(403, "forbidden");
            let stripe = act(&ana, number, "payments", json!({"gateway": "stripe"})).await;
            stripe.expect_problem(409, "gateway_unavailable");
            assert_eq!(everything(&shop).await, before, "{name}");
            let answer = cancel(&ana, number).await;
            let came_to = answer.json();
            let code = came_to.get("code").unwrap_or(&came_to["status"]);
            assert_eq!(code, comes_to[6], "{name}");
        }
        shop.verify().await;
    }

    /// Whatever a body contains, the answer is a problem and nothing changes.
    async fn broken_bodies_change_nothing(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let variant = on_sale(&staff, "One", "10", 10).await;
        let number = id(&order(&ana, &[(variant, 2)]).await.expect(201));
        pay(&staff, number).await;
        let before = everything(&shop).await;
        let huge = json!(1e300);
        for what in ["payments", "refunds", "fulfilments", "returns"] {
            for body in [
                json!([]), json!("x"), json!(1), Value::Null, json!({"unknown": 1}),
                json!({"gateway": 1}), json!({"gateway": "stripe", "payment_method_id": -1}),
                json!({"amount_minor": huge}), json!({"amount_minor": i64::MAX}),
                json!({"amount_minor": i64::MIN}), json!({"amount_minor": "1"}),
                json!({"note": "x".repeat(201)}), json!({"note": "a\u{0}b"}),
                json!({"lines": [{"line_no": 1, "quantity": i64::MAX}]}),
                json!({"lines": [{"line_no": i64::MAX, "quantity": 1}]}),
                json!({"lines": vec![json!({"line_no": 1, "quantity": 1}); 101]}),
                json!({"restock": "yes"}), json!({"carrier": ["a"]}),
            ] {
                let answer = act(&staff, number, what, body.clone()).await;
                let status = answer.status.as_u16();
                assert!([400, 409, 422].contains(&status), "{what} {body}: {answer:?}");
                assert_eq!(answer.headers["content-type"], "application/problem+json");
            }
        }
        for id in ["0", "-1", "x", "99999999999999999999", "1.5", "%00"] {
            for what in ["cancel", "close", "payments/1/sync", "payments/x/sync"] {
                let path = format!("{ORDERS}/{id}/{what}");
                let answer = staff.send(Method::POST, &path, None, &[]).await;
                answer.expect_problem(404, "not_found");
            }
        }
        assert_eq!(everything(&shop).await, before);
        shop.verify().await;
    }
}
