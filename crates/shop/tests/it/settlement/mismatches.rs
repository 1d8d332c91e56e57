//! Other money than was asked for never counts as paid, and goes back.

use runout_sim::stripe::Fault;
use serde_json::json;

use super::*;
use crate::on_both_engines;

on_both_engines! {
    async fn another_amount_or_currency_goes_back(shop: TestShop) {
        let till = Till::open(shop).await;
        let record = till.record("Misprint", 5).await;
        for (buyer, fault, arrived, currency) in [
            ("ana", Fault::WrongAmount, 12500, "eur"),
            ("bia", Fault::WrongCurrency, 1250, "usd"),
        ] {
            let buyer = till.shop.customer(buyer).await;
            till.stripe.inject(fault);
            let placed = till.buys(&buyer, record, 1).await;
            till.confirm(&placed, VISA);
            till.deliver_all().await;
            let order = till.order(&placed).await;
            assert_eq!(states(&order), ("placed", "failed"), "{fault:?}");
            let failure = text(payment(&order), "failure");
            assert!(failure.contains("mismatch") && failure.contains("1250 EUR"), "{failure}");
            assert_eq!((&order["paid_minor"], &order["refunded_minor"]), (&json!(0), &json!(0)));
            assert_eq!(refunds(&order), [(arrived, "mismatch", "succeeded")]);
            let entry = till.entry(&order);
            assert_eq!((entry.charged, entry.refunded), (arrived, arrived));
            assert_eq!(entry.currency, currency);
            let told = till.told(&placed).await;
            assert!(told.contains(&"payment.mismatched".to_owned()), "{told:?}");
            // The second word changes nothing.
            buyer.post(&sync_path(&order), json!({})).await.expect(200);
            till.later(QUIET).await;
            assert_eq!(till.order(&placed).await, order);
            // The order can still be paid.
            let pay = json!({"gateway": "stripe"});
            let again = buyer.post(&path(&order, "/payments"), pay).await.expect(201);
            till.confirm(&again, VISA);
            till.deliver_all().await;
            let paid = till.order(&placed).await;
            assert_eq!(states(&paid), ("paid", "succeeded"));
            assert_eq!((&paid["paid_minor"], &paid["refunded_minor"]), (&json!(1250), &json!(0)));
        }
        till.end().await;
    }

    async fn a_mismatch_is_refunded_however_often_the_answer_is_lost(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Echo", 5).await;
        till.stripe.inject(Fault::WrongCurrency);
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, VISA);
        (0..4).for_each(|_| till.stripe.inject(Fault::CutAfter));
        till.deliver_all().await;
        assert_eq!(refunds(&till.order(&placed).await), [(1250, "mismatch", "pending")]);
        assert_eq!(till.entry(&placed).refunded, 1250);
        till.later(QUIET).await;
        assert_eq!(refunds(&till.order(&placed).await), [(1250, "mismatch", "succeeded")]);
        till.end().await;
    }
}
