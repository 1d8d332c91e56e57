//! Money goes back: all of it, parts of it, slowly, or not at all.

use runout_sim::stripe::Fault;
use serde_json::json;

use super::*;
use crate::on_both_engines;
use crate::orders::available;

async fn paid(till: &Till, buyer: &Client, record: i64, units: i64) -> Value {
    let placed = till.buys(buyer, record, units).await;
    till.confirm(&placed, VISA);
    till.deliver_all().await;
    let order = till.order(&placed).await;
    assert_eq!(states(&order), ("paid", "succeeded"));
    order
}

async fn refund(till: &Till, order: &Value, body: Value) -> Value {
    till.staff.post(&path(order, "/refunds"), body).await.expect(201)
}

/// The provider's name for the refund that was made last.
fn made(till: &Till) -> String {
    let events = till.stripe.take_events();
    let made = events.iter().rfind(|event| event.kind == "refund.created").expect("it was made");
    let body: Value = serde_json::from_str(&made.body).expect("JSON");
    text(&body["data"]["object"], "id").to_owned()
}

on_both_engines! {
    async fn a_paid_order_that_is_cancelled_gets_its_money_back(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Changed mind", 2).await;
        let order = paid(&till, &ana, record, 2).await;
        let cancelled = ana.post(&path(&order, "/cancel"), json!({})).await.expect(200);
        assert_eq!(text(&cancelled, "status"), "cancelled");
        assert_eq!(refunds(&cancelled), [(2500, "cancelled", "succeeded")]);
        assert_eq!(till.entry(&order).refunded, 2500);
        assert_eq!(available(&till.shop, record).await, 2);
        // What the provider tells of it is known already.
        till.deliver_all().await;
        assert_eq!(till.order(&order).await, cancelled);
        till.end().await;
    }

    async fn an_unpaid_order_that_is_cancelled_cannot_be_paid_any_more(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Never mind", 4).await;
        let (first, second) =
            (till.buys(&ana, record, 1).await, till.buys(&ana, record, 1).await);
        for order in [&first, &second] {
            let cancelled = ana.post(&path(order, "/cancel"), json!({})).await.expect(200);
            assert_eq!(text(&cancelled, "status"), "cancelled");
        }
        // One browser was quicker than the job.
        till.confirm(&second, VISA);
        till.later(QUIET).await;
        assert_eq!(till.entry(&first).status, "canceled");
        assert_eq!(states(&till.order(&first).await), ("cancelled", "cancelled"));
        let late = till.order(&second).await;
        assert_eq!(states(&late), ("cancelled", "succeeded"));
        assert_eq!(refunds(&late), [(1250, "too_late", "succeeded")]);
        till.end().await;
    }

    async fn parts_and_then_the_rest(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Piecemeal", 2).await;
        let order = paid(&till, &ana, record, 2).await;
        let note = json!({"amount_minor": 700, "note": "a scratch"});
        let part = refund(&till, &order, note).await;
        assert_eq!(states(&part), ("paid", "succeeded"));
        assert_eq!(refunds(&part), [(700, "requested", "succeeded")]);
        assert_eq!(part["refunded_minor"], 700);
        assert_eq!(part["refunds"][0]["note"], "a scratch");
        let much = json!({"amount_minor": 1801});
        let much = till.staff.post(&path(&order, "/refunds"), much).await;
        assert_eq!(much.expect_problem(409, "too_much")["left_minor"], 1800);
        assert_eq!(till.entry(&order).refunded, 700);
        let rest = refund(&till, &order, json!({})).await;
        assert_eq!(text(&rest, "status"), "refunded");
        let both = [(700, "requested", "succeeded"), (1800, "requested", "succeeded")];
        assert_eq!(refunds(&rest), both);
        assert_eq!(till.entry(&order).refunded, 2500);
        assert_eq!(available(&till.shop, record).await, 2);
        ana.post(&path(&order, "/refunds"), json!({})).await.expect_problem(403, "forbidden");
        till.end().await;
    }

    async fn a_slow_refund_is_settled_by_webhook_or_by_asking(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Slow", 4).await;
        till.stripe.let_refunds_pend();
        let mut settled = Vec::new();
        for is_told in [true, false] {
            let order = paid(&till, &ana, record, 1).await;
            let waiting = refund(&till, &order, json!({"amount_minor": 500})).await;
            assert_eq!(refunds(&waiting), [(500, "requested", "pending")]);
            assert_eq!(waiting["refunded_minor"], 500);
            till.later(QUIET).await;
            assert_eq!(refunds(&till.order(&order).await), [(500, "requested", "pending")]);
            till.stripe.settle_refund(&made(&till), true).expect("settled");
            match is_told {
                true => till.deliver_all().await,
                false => till.later(QUIET).await,
            }
            let order = till.order(&order).await;
            assert_eq!(refunds(&order), [(500, "requested", "succeeded")]);
            assert_eq!(till.entry(&order).refunded, 500);
            settled.push(order);
        }
        till.end().await;
    }

    async fn a_refund_that_fails_leaves_the_money_with_the_shop(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Closed account", 4).await;
        till.stripe.let_refunds_pend();
        for is_told in [true, false] {
            let order = paid(&till, &ana, record, 1).await;
            refund(&till, &order, json!({"amount_minor": 500})).await;
            till.stripe.settle_refund(&made(&till), false).expect("settled");
            match is_told {
                true => till.deliver_all().await,
                false => till.later(QUIET).await,
            }
            let order = till.order(&order).await;
            assert_eq!(refunds(&order), [(500, "requested", "failed")]);
            assert_eq!(order["refunds"][0]["note"], "lost_or_stolen_card");
            assert_eq!((&order["paid_minor"], &order["refunded_minor"]), (&json!(1250), &json!(0)));
            let told = till.told(&order).await;
            assert_eq!(told.last().map(String::as_str), Some("refund.failed"), "{told:?}");
            // It can be asked for again.
            refund(&till, &order, json!({"amount_minor": 500})).await;
            till.stripe.settle_refund(&made(&till), true).expect("settled");
            till.deliver_all().await;
            let order = till.order(&order).await;
            let both = [(500, "requested", "failed"), (500, "requested", "succeeded")];
            assert_eq!((refunds(&order), &order["refunded_minor"]), (both.to_vec(), &json!(500)));
        }
        till.end().await;
    }

    async fn a_refund_that_fails_after_it_had_succeeded_is_noted(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Bounced", 4).await;
        let order = paid(&till, &ana, record, 1).await;
        let cancelled = ana.post(&path(&order, "/cancel"), json!({})).await.expect(200);
        assert_eq!(refunds(&cancelled), [(1250, "cancelled", "succeeded")]);
        till.stripe.bounce_refund(&made(&till)).expect("the bank refuses it");
        till.deliver_all().await;
        let bounced = till.order(&order).await;
        assert_eq!(text(&bounced, "status"), "cancelled");
        assert_eq!(refunds(&bounced), [(1250, "cancelled", "failed")]);
        assert_eq!((&bounced["paid_minor"], &bounced["refunded_minor"]), (&json!(1250), &json!(0)));
        let told = till.told(&order).await;
        assert_eq!(told.last().map(String::as_str), Some("refund.failed"), "{told:?}");
        // What has failed stays so; staff send it again.
        till.later(QUIET).await;
        assert_eq!(till.order(&order).await, bounced);
        let again = refund(&till, &order, json!({})).await;
        let both = [(1250, "cancelled", "failed"), (1250, "requested", "succeeded")];
        assert_eq!((refunds(&again), &again["refunded_minor"]), (both.to_vec(), &json!(1250)));
        till.end().await;
    }

    async fn a_refund_is_given_once_whatever_is_lost(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Once only", 9).await;
        for faults in [
            vec![Fault::CutAfter; 4],
            vec![Fault::CutBefore; 4],
            vec![Fault::ErrorAfter],
            vec![Fault::NotJson],
        ] {
            let order = paid(&till, &ana, record, 1).await;
            faults.iter().for_each(|fault| till.stripe.inject(*fault));
            let open = refund(&till, &order, json!({"amount_minor": 400})).await;
            assert_eq!(refunds(&open), [(400, "requested", "pending")], "{faults:?}");
            assert_eq!(open["refunded_minor"], 400);
            till.later(QUIET).await;
            let done = till.order(&order).await;
            assert_eq!(refunds(&done), [(400, "requested", "succeeded")], "{faults:?}");
            assert_eq!(till.entry(&order).refunded, 400, "{faults:?}");
        }
        till.end().await;
    }

    async fn a_wrong_key_does_not_fail_refunds_for_good(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Rotated", 2).await;
        let order = paid(&till, &ana, record, 1).await;
        let Till { shop, stripe, staff } = till;
        let mut wrong = config(&stripe.url());
        let key = runout_shop::platform::secret::Secret::new("rk_withdrawn");
        wrong.payments.stripe_secret_key = Some(key);
        let shop = shop.with_config(&wrong).await;
        let (good, staff) = (config(&stripe.url()), {
            Client::new(shop.router(), staff.token)
        });
        let body = json!({"amount_minor": 400});
        let open = staff.post(&path(&order, "/refunds"), body).await.expect(201);
        assert_eq!(refunds(&open), [(400, "requested", "pending")]);
        let shop = shop.with_config(&good).await;
        let staff = Client::new(shop.router(), staff.token);
        let till = Till { shop, stripe, staff };
        till.later(QUIET).await;
        assert_eq!(refunds(&till.order(&order).await), [(400, "requested", "succeeded")]);
        till.end().await;
    }
}
