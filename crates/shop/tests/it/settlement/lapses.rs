//! Time to pay that is over, and money that comes all the same.

use runout_sim::stripe::Fault;
use serde_json::json;

use super::*;
use crate::on_both_engines;
use crate::orders::{available, order as buy, restock};

/// An order whose payment is under way at the bank when its time is over.
async fn lapsed_while_processing(till: &Till, buyer: &Client, record: i64, units: i64) -> Value {
    let placed = till.buys(buyer, record, units).await;
    till.confirm(&placed, "pm_card_dawdling");
    till.later(UNPAID).await;
    let lapsed = till.order(&placed).await;
    assert_eq!(states(&lapsed), ("cancelled", "pending"));
    assert_eq!(lapsed["cancel_reason"], "unpaid");
    till.stripe.take_events();
    lapsed
}

on_both_engines! {
    async fn an_unpaid_order_ends_with_its_payment(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Overdue", 2).await;
        let placed = till.buys(&ana, record, 2).await;
        till.later(UNPAID - Duration::from_secs(1)).await;
        assert_eq!(states(&till.order(&placed).await), ("placed", "pending"));
        assert_eq!(available(&till.shop, record).await, 0);
        till.later(Duration::from_secs(1)).await;
        let lapsed = till.order(&placed).await;
        assert_eq!(states(&lapsed), ("cancelled", "cancelled"));
        assert_eq!(lapsed["cancel_reason"], "unpaid");
        assert_eq!(available(&till.shop, record).await, 2);
        // At the provider it has ended first.
        till.stripe.confirm(provider_id(&placed), VISA).expect_err("it has ended");
        till.deliver_all().await;
        assert_eq!(till.order(&placed).await, lapsed);
        till.end().await;
    }

    async fn one_that_was_paid_just_before_is_paid(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Last minute", 2).await;
        let placed = till.buys(&ana, record, 2).await;
        till.confirm(&placed, VISA);
        // The webhook is lost on the way.
        till.stripe.take_events();
        till.shop.clock.advance(UNPAID);
        runout_shop::jobs::sweep_once(&till.shop.app).await;
        assert_eq!(states(&till.order(&placed).await), ("paid", "succeeded"));
        till.end().await;
    }

    async fn it_waits_for_a_provider_that_is_down(shop: TestShop) {
        let till = Till::open(shop).await;
        let (ana, bia) = (till.shop.customer("ana").await, till.shop.customer("bia").await);
        let record = till.record("Patience", 3).await;
        let placed = till.buys(&ana, record, 2).await;
        let by_hand = buy(&bia, &[(record, 1)]).await.expect(201);
        (0..4).for_each(|_| till.stripe.inject(Fault::ErrorBefore));
        till.shop.clock.advance(UNPAID);
        runout_shop::jobs::sweep_once(&till.shop.app).await;
        assert_eq!(states(&till.order(&placed).await), ("placed", "pending"));
        // Orders that need no provider do not wait for it.
        assert_eq!(text(&till.order(&by_hand).await, "status"), "cancelled");
        assert_eq!(available(&till.shop, record).await, 1);
        runout_shop::jobs::sweep_once(&till.shop.app).await;
        assert_eq!(states(&till.order(&placed).await), ("cancelled", "cancelled"));
        assert_eq!(available(&till.shop, record).await, 3);
        till.end().await;
    }

    async fn a_payment_that_the_shop_never_heard_of_ends_too(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Unheard", 2).await;
        (0..4).for_each(|_| till.stripe.inject(Fault::CutAfter));
        let placed = till.buys(&ana, record, 2).await;
        assert_eq!(payment(&placed)["provider_id"], Value::Null);
        till.shop.clock.advance(UNPAID);
        runout_shop::jobs::sweep_once(&till.shop.app).await;
        assert_eq!(states(&till.order(&placed).await), ("cancelled", "cancelled"));
        let ledger = till.stripe.ledger();
        assert!(ledger.values().all(|entry| entry.status == "canceled"), "{ledger:?}");
        till.end().await;
    }

    async fn a_declined_card_does_not_outlive_its_order(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Declined", 2).await;
        let placed = till.buys(&ana, record, 2).await;
        till.confirm(&placed, "pm_card_chargeCustomerFail");
        till.deliver_all().await;
        assert_eq!(text(&till.order(&placed).await, "status"), "placed");
        till.later(UNPAID).await;
        assert_eq!(text(&till.order(&placed).await, "status"), "cancelled");
        // Else the browser could still pay, with another card, for what is gone.
        till.stripe.confirm(provider_id(&placed), VISA).expect_err("it has ended");
        till.end().await;
    }

    async fn late_money_brings_the_order_back_while_there_is_stock(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Comeback", 2).await;
        let lapsed = lapsed_while_processing(&till, &ana, record, 2).await;
        assert_eq!(available(&till.shop, record).await, 2);
        till.stripe.settle(provider_id(&lapsed), true).expect("settled");
        till.deliver_all().await;
        let back = till.order(&lapsed).await;
        assert_eq!(states(&back), ("paid", "succeeded"));
        assert_eq!((&back["cancel_reason"], &back["cancelled_at"]), (&Value::Null, &Value::Null));
        assert_eq!(available(&till.shop, record).await, 0);
        let told = till.told(&lapsed).await;
        assert!(told.contains(&"order.reinstated".to_owned()), "{told:?}");
        till.end().await;
    }

    async fn late_money_goes_back_when_the_stock_is_gone(shop: TestShop) {
        let till = Till::open(shop).await;
        let (ana, bia) = (till.shop.customer("ana").await, till.shop.customer("bia").await);
        let record = till.record("Too late", 2).await;
        let lapsed = lapsed_while_processing(&till, &ana, record, 2).await;
        buy(&bia, &[(record, 1)]).await.expect(201);
        till.stripe.settle(provider_id(&lapsed), true).expect("settled");
        till.deliver_all().await;
        let late = till.order(&lapsed).await;
        assert_eq!(states(&late), ("cancelled", "succeeded"));
        assert_eq!(refunds(&late), [(2500, "too_late", "succeeded")]);
        assert_eq!((&late["paid_minor"], &late["refunded_minor"]), (&json!(2500), &json!(2500)));
        assert_eq!(available(&till.shop, record).await, 1);
        let entry = till.entry(&late);
        assert_eq!((entry.charged, entry.refunded), (2500, 2500));
        let told = till.told(&lapsed).await;
        assert!(told.contains(&"payment.too_late".to_owned()), "{told:?}");
        // New stock does not bring it back a second time.
        restock(&till.staff, record, 5).await;
        till.later(QUIET).await;
        assert_eq!(till.order(&lapsed).await, late);
        till.end().await;
    }

    async fn late_money_does_not_break_the_customers_limit(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let product = crate::catalog::add(&till.staff, json!({"title": "One each", "variants": [{
            "limit_per_customer": 1, "prices": [{"currency": "EUR", "amount": "12.50"}],
        }]})).await;
        let record = id(&product["variants"][0]);
        restock(&till.staff, record, 5).await;
        let lapsed = lapsed_while_processing(&till, &ana, record, 1).await;
        buy(&ana, &[(record, 1)]).await.expect(201);
        till.stripe.settle(provider_id(&lapsed), true).expect("settled");
        till.deliver_all().await;
        let late = till.order(&lapsed).await;
        assert_eq!(states(&late), ("cancelled", "succeeded"));
        assert_eq!(refunds(&late), [(1250, "too_late", "succeeded")]);
        till.end().await;
    }

    async fn late_money_is_heard_of_without_a_webhook(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Silence", 2).await;
        let lapsed = lapsed_while_processing(&till, &ana, record, 2).await;
        till.later(QUIET).await;
        assert_eq!(states(&till.order(&lapsed).await), ("cancelled", "pending"));
        till.stripe.settle(provider_id(&lapsed), true).expect("settled");
        till.later(QUIET).await;
        assert_eq!(states(&till.order(&lapsed).await), ("paid", "succeeded"));
        till.end().await;
    }
}
