//! Answers that are lost: the order stands, nothing is charged twice, and asking resolves it.

use runout_sim::stripe::Fault;
use serde_json::json;

use super::methods::{card, check_out_with};
use super::*;
use crate::on_both_engines;

on_both_engines! {
    async fn a_payment_whose_beginning_is_lost_is_found(shop: TestShop) {
        let till = Till::open(shop).await;
        let record = till.record("Lost and found", 9).await;
        for (name, faults) in [
            ("ana", vec![Fault::CutAfter; 4]),
            // Stripe keeps its own error under the key: asking again cannot help.
            ("bia", vec![Fault::ErrorAfter]),
            ("cleo", vec![Fault::NotJson]),
        ] {
            let buyer = till.shop.customer(name).await;
            faults.iter().for_each(|fault| till.stripe.inject(*fault));
            let placed = till.buys(&buyer, record, 1).await;
            assert_eq!(states(&placed), ("placed", "pending"), "{faults:?}");
            assert_eq!(payment(&placed)["provider_id"], Value::Null);
            till.later(QUIET).await;
            let found = till.order(&placed).await;
            assert_eq!(states(&found), ("placed", "pending"), "{faults:?}");
            // The buyer comes back, and gets what their browser needs.
            let pay = json!({"gateway": "stripe"});
            let again = buyer.post(&path(&placed, "/payments"), pay).await.expect(201);
            assert!(!text(payment(&again), "client_secret").is_empty());
            till.confirm(&found, VISA);
            till.deliver_all().await;
            assert_eq!(states(&till.order(&placed).await), ("paid", "succeeded"));
        }
        assert_eq!(till.stripe.ledger().len(), 3);
        till.end().await;
    }

    async fn a_stored_card_is_charged_once_whatever_is_lost(shop: TestShop) {
        let till = Till::open(shop).await;
        let record = till.record("Once charged", 9).await;
        for (name, faults) in [
            ("ana", vec![Fault::CutAfter; 4]),
            ("bia", vec![Fault::ErrorAfter]),
            ("cleo", vec![Fault::NotJson]),
            ("dora", vec![Fault::CutAfter, Fault::TooMany, Fault::ErrorBefore, Fault::InFlight]),
        ] {
            let buyer = till.shop.customer(name).await;
            let card = card(&buyer, VISA).await;
            faults.iter().for_each(|fault| till.stripe.inject(*fault));
            let placed = check_out_with(&till, &buyer, record, card).await.expect(201);
            assert_eq!(states(&placed), ("placed", "pending"), "{faults:?}");
            till.later(QUIET).await;
            let paid = till.order(&placed).await;
            assert_eq!(states(&paid), ("paid", "succeeded"), "{faults:?}");
            assert_eq!(till.entry(&paid).charged, 1250);
        }
        assert_eq!(till.stripe.ledger().len(), 4);
        till.end().await;
    }

    async fn a_payment_that_never_got_there_fails_and_can_be_begun_anew(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Nowhere", 9).await;
        (0..4).for_each(|_| till.stripe.inject(Fault::CutBefore));
        let placed = till.buys(&ana, record, 1).await;
        assert_eq!(states(&placed), ("placed", "pending"));
        // While nobody can be asked, nothing is assumed.
        (0..4).for_each(|_| till.stripe.inject_read(Fault::ErrorAfter));
        till.later(QUIET).await;
        assert_eq!(states(&till.order(&placed).await), ("placed", "pending"));
        till.later(QUIET).await;
        let failed = till.order(&placed).await;
        assert_eq!(states(&failed), ("placed", "failed"));
        assert_eq!(payment(&failed)["failure"], "never reached the provider");
        let pay = json!({"gateway": "stripe"});
        let again = ana.post(&path(&placed, "/payments"), pay).await.expect(201);
        assert_eq!(list(&again, "payments").count(), 2);
        till.confirm(&again, VISA);
        till.deliver_all().await;
        assert_eq!(states(&till.order(&placed).await), ("paid", "succeeded"));
        till.end().await;
    }

    async fn another_card_after_a_lost_answer_charges_nothing_twice(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Impatience", 9).await;
        let (first, second) = (card(&ana, VISA).await, card(&ana, "pm_card_mastercard").await);
        (0..4).for_each(|_| till.stripe.inject(Fault::CutAfter));
        let placed = check_out_with(&till, &ana, record, first).await.expect(201);
        assert_eq!(states(&placed), ("placed", "pending"));
        let pay = json!({"gateway": "stripe", "payment_method_id": second});
        let again = ana.post(&path(&placed, "/payments"), pay).await.expect(201);
        assert_eq!(states(&again), ("paid", "succeeded"));
        assert_eq!(list(&again, "payments").count(), 1);
        assert_eq!(till.stripe.ledger().len(), 1);
        till.end().await;
    }

    async fn a_cancellation_whose_answer_is_lost_is_asked_for_again(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Silence", 9).await;
        use Fault::{CutBefore, ErrorAfter, ErrorBefore, TooMany};
        for faults in [vec![ErrorAfter, ErrorBefore, CutBefore, TooMany],
            vec![Fault::NotJson]]
        {
            let placed = till.buys(&ana, record, 1).await;
            faults.iter().for_each(|fault| till.stripe.inject(*fault));
            till.shop.clock.advance(UNPAID);
            runout_shop::jobs::sweep_once(&till.shop.app).await;
            assert_eq!(states(&till.order(&placed).await), ("placed", "pending"), "{faults:?}");
            assert_eq!(till.entry(&placed).status, "canceled");
            runout_shop::jobs::sweep_once(&till.shop.app).await;
            assert_eq!(states(&till.order(&placed).await), ("cancelled", "cancelled"));
        }
        till.end().await;
    }

    async fn many_that_wait_do_not_hide_the_others(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Crowd", 500).await;
        let mut orders = Vec::new();
        for _ in 0..130 {
            let placed = crate::orders::order(&ana, &[(record, 1)]).await.expect(201);
            let pay = json!({"gateway": "stripe"});
            orders.push(ana.post(&path(&placed, "/payments"), pay).await.expect(201));
        }
        // The last one is paid, and its webhook is lost.
        till.confirm(&orders[129], VISA);
        till.stripe.take_events();
        till.later(QUIET).await;
        runout_shop::jobs::ask_once(&till.shop.app).await;
        assert_eq!(states(&till.order(&orders[129]).await), ("paid", "succeeded"));
        // Those that nobody pays are not asked about all the time.
        let asked = till.stripe.requests();
        runout_shop::jobs::ask_once(&till.shop.app).await;
        assert_eq!(till.stripe.requests(), asked);
        till.end().await;
    }
}
