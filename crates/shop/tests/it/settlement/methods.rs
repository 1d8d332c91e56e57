//! Stored ways to pay.

use serde_json::json;

use super::*;
use crate::on_both_engines;
use crate::support::Answer;

const METHODS: &str = "/api/v1/payment_methods";

/// Stores a card of the buyer's; gives its id.
pub(super) async fn card(buyer: &Client, name: &str) -> i64 {
    let body = json!({"gateway": "stripe", "provider_id": name});
    id(&buyer.post(METHODS, body).await.expect(201))
}

/// Buys one of the record with a stored card.
pub(super) async fn check_out_with(till: &Till, buyer: &Client, record: i64, card: i64) -> Answer {
    let basket = till.basket(buyer, record, 1).await;
    let body = json!({"gateway": "stripe", "payment_method_id": card});
    buyer.post(&format!("{BASKETS}/{basket}/checkout"), body).await
}

on_both_engines! {
    async fn a_stored_card_pays_at_once(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Regular", 5).await;
        let visa = card(&ana, VISA).await;
        let paid = check_out_with(&till, &ana, record, visa).await.expect(201);
        assert_eq!(states(&paid), ("paid", "succeeded"));
        assert_eq!(till.entry(&paid).charged, 1250);
        till.deliver_all().await;
        assert_eq!(till.order(&paid).await["paid_minor"], 1250);
        till.end().await;
    }

    async fn a_declined_card_can_be_followed_by_another(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Second try", 5).await;
        for (name, reason) in [
            ("pm_card_chargeCustomerFail", "card_declined"),
            ("pm_card_authenticationRequired", "authentication_required"),
        ] {
            let (bad, good) = (card(&ana, name).await, card(&ana, VISA).await);
            let placed = check_out_with(&till, &ana, record, bad).await.expect(201);
            assert_eq!(states(&placed), ("placed", "failed"));
            assert!(text(payment(&placed), "failure").starts_with(reason), "{placed}");
            till.deliver_all().await;
            assert_eq!(states(&till.order(&placed).await), ("placed", "failed"));
            let pay = json!({"gateway": "stripe", "payment_method_id": good});
            let paid = ana.post(&path(&placed, "/payments"), pay).await.expect(201);
            assert_eq!(states(&paid), ("paid", "succeeded"));
            assert_eq!(list(&paid, "payments").count(), 2);
            // What was declined does not stay open at the provider.
            till.later(QUIET).await;
            let ledger = till.stripe.ledger();
            let open = ["succeeded", "canceled"];
            assert!(ledger.values().all(|entry| open.contains(&entry.status.as_str())));
        }
        till.end().await;
    }

    async fn a_browsers_second_card_pays_the_same_payment(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Third time", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, "pm_card_chargeCustomerFail");
        till.deliver_all().await;
        let declined = till.order(&placed).await;
        assert_eq!(states(&declined), ("placed", "failed"));
        till.confirm(&placed, "pm_card_authenticationRequired");
        till.stripe.settle(provider_id(&placed), true).expect("the bank agrees");
        // No webhook comes: the shop asks.
        till.stripe.take_events();
        till.later(QUIET).await;
        let paid = till.order(&placed).await;
        assert_eq!(states(&paid), ("paid", "succeeded"));
        assert_eq!(payment(&paid)["failure"], Value::Null);
        till.end().await;
    }

    async fn a_stored_card_takes_the_place_of_an_open_payment(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Instead", 5).await;
        let visa = card(&ana, VISA).await;
        let placed = till.buys(&ana, record, 1).await;
        let pay = json!({"gateway": "stripe", "payment_method_id": visa});
        let paid = ana.post(&path(&placed, "/payments"), pay.clone()).await.expect(201);
        assert_eq!(states(&paid), ("paid", "succeeded"));
        assert_eq!(till.entry(&placed).status, "canceled");
        assert_eq!(till.entry(&paid).charged, 1250);
        let again = ana.post(&path(&placed, "/payments"), pay.clone()).await;
        again.expect_problem(409, "illegal_transition");

        // One that was paid in the browser meanwhile is not paid again.
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, VISA);
        let paid = ana.post(&path(&placed, "/payments"), pay).await;
        paid.expect_problem(409, "illegal_transition");
        let paid = till.order(&placed).await;
        assert_eq!((states(&paid), list(&paid, "payments").count()), (("paid", "succeeded"), 1));
        till.end().await;
    }

    async fn a_card_is_its_owners_alone(shop: TestShop) {
        let till = Till::open(shop).await;
        let (ana, bia) = (till.shop.customer("ana").await, till.shop.customer("bia").await);
        let record = till.record("Mine", 5).await;
        let hers = card(&ana, VISA).await;
        let stolen = check_out_with(&till, &bia, record, hers).await;
        let problem = stolen.expect_problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/payment_method_id");
        assert_eq!(bia.get(ORDERS).await.expect(200)["items"], json!([]));
        let placed = till.buys(&bia, record, 1).await;
        for method in [hers, 99] {
            let pay = json!({"gateway": "stripe", "payment_method_id": method});
            let answer = bia.post(&path(&placed, "/payments"), pay).await;
            answer.expect_problem(400, "invalid_body");
        }
        // Nor does Ana's card pay or touch Bia's order.
        let pay = json!({"gateway": "stripe", "payment_method_id": hers});
        ana.post(&path(&placed, "/payments"), pay).await.expect_problem(404, "not_found");
        assert_eq!(states(&till.order(&placed).await), ("placed", "pending"));
        assert_ne!(till.entry(&placed).status, "canceled");
        assert_eq!(till.stripe.ledger().len(), 1);
        till.end().await;
    }
}
