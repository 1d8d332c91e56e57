//! Stored payment methods, with a provider that may fail.

use axum::http::Method;
use runout_shop::payments::GatewayKind;
use runout_shop::payments::methods;
use runout_sim::stripe::Fault;
use serde_json::json;

use crate::on_both_engines;
use crate::support::stripe::config;

const METHODS: &str = "/api/v1/payment_methods";

on_both_engines! {
    async fn a_card_is_stored_shown_and_removed(shop: TestShop) {
        let (shop, stripe) = shop.with_hostile_stripe().await;
        let ana = shop.customer("ana").await;
        let body = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
        let card = ana.post(METHODS, body).await.expect(201);
        assert_eq!((&card["brand"], &card["last4"]), (&json!("visa"), &json!("4242")));
        assert_eq!((&card["expires_month"], &card["expires_year"]), (&json!(12), &json!(2034)));
        assert_eq!(card["gateway"], "stripe");
        let again = json!({"gateway": "stripe", "provider_id": card["provider_id"]});
        assert_eq!(ana.post(METHODS, again).await.expect(201), card);
        let other = json!({"gateway": "stripe", "provider_id": "pm_card_mastercard"});
        let second = ana.post(METHODS, other).await.expect(201);
        assert_eq!(stripe.customers(), 1);
        let listed = ana.get(METHODS).await.expect(200);
        assert_eq!(listed, json!({"items": [second, card], "next": null}));

        let id = card["id"].as_i64().expect("a number");
        let usable = methods::chargeable(&shop.app, ana.account_id, id, GatewayKind::Stripe).await;
        let usable = usable.expect("the database works").expect("it is Ana's");
        assert_eq!(json!(usable.payment_method), card["provider_id"]);

        assert_eq!(ana.delete(&format!("{METHODS}/{id}")).await.status, 204);
        ana.delete(&format!("{METHODS}/{id}")).await.expect_problem(404, "not_found");
        assert_eq!(ana.get(METHODS).await.expect(200)["items"], json!([second]));
        // A card that was removed is used up at the provider.
        let removed = json!({"gateway": "stripe", "provider_id": card["provider_id"]});
        ana.post(METHODS, removed).await.expect_problem(422, "payment_method_refused");
    }

    async fn cards_are_their_owners_alone(shop: TestShop) {
        let (shop, _stripe) = shop.with_hostile_stripe().await;
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let body = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
        let card = ana.post(METHODS, body).await.expect(201);
        let id = card["id"].as_i64().expect("a number");
        assert_eq!(bia.get(METHODS).await.expect(200)["items"], json!([]));
        bia.delete(&format!("{METHODS}/{id}")).await.expect_problem(404, "not_found");
        let staff = shop.staff().await;
        staff.delete(&format!("{METHODS}/{id}")).await.expect_problem(404, "not_found");
        // Bia knows the provider's name for Ana's card, which gives her nothing.
        let hers = json!({"gateway": "stripe", "provider_id": card["provider_id"]});
        bia.post(METHODS, hers).await.expect_problem(422, "payment_method_refused");
        let usable = methods::chargeable(&shop.app, bia.account_id, id, GatewayKind::Stripe).await;
        assert_eq!(usable.expect("the database works"), None);
        assert_eq!(ana.get(METHODS).await.expect(200)["items"], json!([card]));
    }

    async fn what_is_no_card_is_refused(shop: TestShop) {
        let (shop, stripe) = shop.with_hostile_stripe().await;
        let ana = shop.customer("ana").await;
        for (provider_id, status, code) in [
            ("pm_sepa_debit", 422, "payment_method_unsupported"),
            ("pm_nobody", 422, "payment_method_refused"),
            ("../customers", 400, "invalid_body"),
            ("", 400, "invalid_body"),
        ] {
            let body = json!({"gateway": "stripe", "provider_id": provider_id});
            ana.post(METHODS, body).await.expect_problem(status, code);
        }
        let by_hand = json!({"gateway": "manual", "provider_id": "pm_card_visa"});
        ana.post(METHODS, by_hand).await.expect_problem(400, "invalid_body");
        assert_eq!(stripe.customers(), 0);
        for _ in 0..methods::METHODS_MAX {
            let body = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
            ana.post(METHODS, body).await.expect(201);
        }
        let one_more = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
        ana.post(METHODS, one_more).await.expect_problem(409, "too_many_payment_methods");
    }

    async fn without_stripe_there_is_nothing_to_store(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let body = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
        ana.post(METHODS, body).await.expect_problem(409, "gateway_unavailable");
        assert_eq!(ana.get(METHODS).await.expect(200)["items"], json!([]));
        ana.delete(&format!("{METHODS}/1")).await.expect_problem(404, "not_found");
    }

    async fn a_provider_that_fails_can_be_asked_again(shop: TestShop) {
        let (shop, stripe) = shop.with_hostile_stripe().await;
        let ana = shop.customer("ana").await;
        let body = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
        let keyed = [("idempotency-key", "\"first\"")];
        // The answers to both the customer and the card are lost on the way.
        stripe.inject(Fault::CutAfter);
        stripe.inject(Fault::HalfAnswer);
        let post = ana.send(Method::POST, METHODS, Some(body.clone()), &keyed).await;
        let card = post.expect(201);
        let replay = ana.send(Method::POST, METHODS, Some(body.clone()), &keyed).await;
        assert_eq!(replay.expect(201), card);
        assert_eq!(stripe.customers(), 1);
        let other = json!({"gateway": "stripe", "provider_id": "pm_card_mastercard"});
        let reused = ana.send(Method::POST, METHODS, Some(other), &keyed).await;
        reused.expect_problem(422, "idempotency_key_reused");

        stripe.inject(Fault::NotJson);
        let path = format!("{METHODS}/{}", card["id"]);
        assert_eq!(ana.delete(&path).await.status, 204);

        // A question that got no sense for an answer has changed nothing.
        stripe.inject_read(Fault::NotJson);
        ana.post(METHODS, body.clone()).await.expect_problem(503, "gateway_unreachable");
        drop(stripe);
        let gone = ana.post(METHODS, body).await;
        assert!(gone.headers.contains_key("retry-after"));
        gone.expect_problem(503, "gateway_unreachable");
    }

    async fn a_shop_with_a_wrong_key_says_that_it_is_its_own_fault(shop: TestShop) {
        let (shop, stripe) = shop.with_hostile_stripe().await;
        let mut wrong = config(&stripe.url());
        wrong.payments.stripe_secret_key = Some(runout_shop::platform::secret::Secret::new("no"));
        let shop = shop.with_config(&wrong).await;
        let ana = shop.customer("ana").await;
        let body = json!({"gateway": "stripe", "provider_id": "pm_card_visa"});
        ana.post(METHODS, body).await.expect_problem(502, "gateway_failed");
    }
}
