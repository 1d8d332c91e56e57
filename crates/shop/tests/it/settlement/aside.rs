//! Money that is set aside and taken later, and two payments for one order.

use runout_shop::payments::Capture;
use runout_sim::stripe::Fault;
use serde_json::json;

use super::*;
use crate::on_both_engines;

fn capture_path(order: &Value) -> String {
    path(order, &format!("/payments/{}/capture", id(payment(order))))
}

async fn by_hand(shop: TestShop) -> Till {
    Till::with(shop, |config| config.payments.stripe_capture = Capture::Manual).await
}

on_both_engines! {
    async fn money_is_set_aside_and_taken(shop: TestShop) {
        let till = by_hand(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Later", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        // Nothing is set aside yet.
        let early = till.staff.post(&capture_path(&placed), json!({})).await;
        early.expect_problem(409, "not_authorised");
        till.confirm(&placed, VISA);
        till.deliver_all().await;
        assert_eq!(states(&till.order(&placed).await), ("placed", "authorised"));
        assert_eq!(till.entry(&placed).charged, 0);
        // It waits for staff, and for staff alone.
        till.later(QUIET).await;
        assert_eq!(states(&till.order(&placed).await), ("placed", "authorised"));
        ana.post(&capture_path(&placed), json!({})).await.expect_problem(403, "forbidden");
        let paid = till.staff.post(&capture_path(&placed), json!({})).await.expect(200);
        assert_eq!(states(&paid), ("paid", "succeeded"));
        assert_eq!(till.entry(&placed).charged, 1250);
        let again = till.staff.post(&capture_path(&placed), json!({})).await.expect(200);
        assert_eq!(states(&again), ("paid", "succeeded"));
        assert_eq!(till.entry(&placed).charged, 1250);
        till.end().await;
    }

    async fn a_capture_whose_answer_is_lost_is_found_out(shop: TestShop) {
        let till = by_hand(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Lost receipt", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, VISA);
        till.deliver_all().await;
        // Every attempt is answered with an error, the first one after it was done.
        till.stripe.inject(Fault::ErrorAfter);
        (0..3).for_each(|_| till.stripe.inject(Fault::ErrorBefore));
        let lost = till.staff.post(&capture_path(&placed), json!({})).await;
        lost.expect_problem(503, "gateway_outcome_unknown");
        assert_eq!(till.entry(&placed).charged, 1250);
        till.later(QUIET).await;
        assert_eq!(states(&till.order(&placed).await), ("paid", "succeeded"));
        till.end().await;
    }

    async fn what_was_set_aside_goes_with_its_order(shop: TestShop) {
        let till = by_hand(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Given up", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, VISA);
        till.deliver_all().await;
        let cancelled = ana.post(&path(&placed, "/cancel"), json!({})).await.expect(200);
        assert_eq!(states(&cancelled), ("cancelled", "authorised"));
        // Too late to be taken.
        let late = till.staff.post(&capture_path(&placed), json!({})).await;
        late.expect_problem(409, "not_authorised");
        till.later(QUIET).await;
        assert_eq!(states(&till.order(&placed).await), ("cancelled", "cancelled"));
        let entry = till.entry(&placed);
        assert_eq!((entry.status.as_str(), entry.charged), ("canceled", 0));
        till.end().await;
    }

    async fn a_second_payment_goes_back(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Twice", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, VISA);
        // Staff got cash before the shop heard of the card.
        let cash = json!({"gateway": "manual"});
        let paid = till.staff.post(&path(&placed, "/payments"), cash).await.expect(201);
        assert_eq!(text(&paid, "status"), "paid");
        till.deliver_all().await;
        let settled = till.order(&placed).await;
        assert_eq!(text(&settled, "status"), "paid");
        assert_eq!(refunds(&settled), [(1250, "excess", "succeeded")]);
        assert_eq!(settled["paid_minor"], 2500);
        assert_eq!(settled["refunded_minor"], 1250);
        let told = till.told(&placed).await;
        assert!(told.contains(&"payment.excess".to_owned()), "{told:?}");
        let entry = till.entry(&placed);
        assert_eq!((entry.charged, entry.refunded), (1250, 1250));
        till.end().await;
    }

    async fn an_open_payment_ends_when_the_order_is_paid_otherwise(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Once", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        let cash = json!({"gateway": "manual"});
        till.staff.post(&path(&placed, "/payments"), cash).await.expect(201);
        till.later(QUIET).await;
        // The browser that is still open cannot pay a second time.
        assert_eq!(till.entry(&placed).status, "canceled");
        till.stripe.confirm(provider_id(&placed), VISA).expect_err("it has ended");
        till.end().await;
    }
}
