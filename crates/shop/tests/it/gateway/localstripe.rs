//! Against `localstripe`, which others have written after Stripe's documentation.

use runout_shop::payments::{Capture, Charge, GatewayError, RefundState, SeenState};

use super::{charge, refund, stored};
use crate::support::stripe::{LocalStripe, PATIENT, client, gateway};

#[tokio::test]
async fn a_stored_card_is_charged_and_given_back() {
    let local = LocalStripe::start().await;
    let (stripe, gateway) = (client(&local.url, PATIENT), gateway(&local.url, PATIENT));

    let customer = stripe.create_customer(7).await.expect("a customer");
    let card = stripe.method("pm_card_visa").await.expect("a test card");
    assert_eq!(card.customer, None);
    let shown = card.card.expect("it is a card");
    assert_eq!((shown.brand.as_str(), shown.last4.as_str()), ("visa", "4242"));
    assert_eq!((shown.exp_month, shown.exp_year), (Some(12), Some(2030)));
    let card = stripe.attach(&card.provider_id, &customer).await.expect("attached");
    assert_eq!(card.customer.as_deref(), Some(customer.as_str()));

    let paid = gateway.create(&stored(1, Some(&customer), &card.provider_id)).await;
    let paid = paid.expect("charged");
    assert_eq!((&paid.state, paid.received_minor), (&SeenState::Succeeded, 1250));
    assert_eq!((paid.order_id, paid.payment_id), (Some(1001), Some(1)));
    assert_eq!(paid.currency.code(), "EUR");
    assert_eq!(gateway.look_up(&paid.provider_id).await.expect("known"), paid);

    let part = gateway.refund(&refund(1, &paid.provider_id, 250)).await.expect("refunded");
    assert_eq!((&part.state, part.amount_minor), (&RefundState::Succeeded, 250));
    assert_eq!(part.payment_provider_id, paid.provider_id);
    let rest = gateway.refund(&refund(2, &paid.provider_id, 1000)).await.expect("refunded");
    assert_eq!((rest.amount_minor, rest.refund_id), (1000, Some(2)));
    assert_eq!(gateway.look_up_refund(&rest.provider_id).await, Ok(rest.clone()));
    let found = gateway.find_refund(&refund(2, &paid.provider_id, 1000)).await;
    assert_eq!(found, Ok(Some(rest)));
    let found = gateway.find_refund(&refund(3, &paid.provider_id, 1000)).await;
    assert_eq!(found, Ok(None));

    // What has succeeded cannot be cancelled: it says how it stands.
    let still = gateway.cancel(&paid.provider_id).await.expect("an answer");
    assert_eq!(still.state, SeenState::Succeeded);

    stripe.detach(&card.provider_id).await.expect("detached");
    stripe.detach(&card.provider_id).await.expect("detached already");
    assert_eq!(stripe.method(&card.provider_id).await.expect("known").customer, None);
}

#[tokio::test]
async fn the_buyer_confirms_or_the_shop_cancels() {
    let local = LocalStripe::start().await;
    let gateway = gateway(&local.url, PATIENT);
    let waiting = gateway.create(&charge(1, 500, "JPY")).await.expect("made");
    assert_eq!((&waiting.state, waiting.received_minor), (&SeenState::Pending, 0));
    assert!(waiting.client_secret.is_some_and(|secret| secret.expose().contains("_secret_")));
    let cancelled = gateway.cancel(&waiting.provider_id).await.expect("cancelled");
    assert_eq!(cancelled.state, SeenState::Cancelled);
    let again = gateway.cancel(&waiting.provider_id).await.expect("an answer");
    assert_eq!(again.state, SeenState::Cancelled);

    let missing = gateway.look_up("pi_nobody").await.expect_err("unknown");
    assert!(missing.is_missing() && !missing.is_open());
}

#[tokio::test]
async fn money_is_set_aside_and_captured() {
    let local = LocalStripe::start().await;
    let gateway = gateway(&local.url, PATIENT);
    let stripe = client(&local.url, PATIENT);
    let customer = stripe.create_customer(7).await.expect("a customer");
    let card = stripe.method("pm_card_visa").await.expect("a test card");
    stripe.attach(&card.provider_id, &customer).await.expect("attached");
    let aside =
        Charge { capture: Capture::Manual, ..stored(1, Some(&customer), &card.provider_id) };
    let aside = gateway.create(&aside).await.expect("authorised");
    assert_eq!((&aside.state, aside.received_minor), (&SeenState::Authorised, 0));
    let taken = gateway.capture(&aside.provider_id).await.expect("captured");
    assert_eq!((&taken.state, taken.received_minor), (&SeenState::Succeeded, 1250));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let local = LocalStripe::start().await;
    let stripe = client(&local.url, PATIENT);
    let customer = stripe.create_customer(7).await.expect("a customer");
    let declined = stripe.method("pm_card_visa_chargeDeclined").await.expect("a test card");
    let error = stripe.attach(&declined.provider_id, &customer).await.expect_err("declined");
    assert!(matches!(error, GatewayError::Refused { code, .. } if code == "card_declined"));
    assert!(stripe.method("pm_nobody").await.expect_err("unknown").is_missing());
    assert!(stripe.method("../customers").await.expect_err("no id").is_missing());
}
