//! Against the hostile stand-in: each misfortune ends in the right outcome, and by its ledger the
//! money moves once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use runout_shop::payments::{Capture, Charge, Gateway, GatewayError, SeenState, webhook};
use runout_shop::platform::clock::Clock;
use runout_shop::platform::secret::Secret;
use runout_sim::stripe::{Destination, Entry, Fault, HostileStripe, Options};

use super::{charge, refund, stored};
use crate::support::stripe::{IMPATIENT, WEBHOOK_SECRET, client, gateway};

async fn start(options: Options) -> (HostileStripe, Gateway) {
    let server = HostileStripe::start(options).await.expect("a free port");
    let gateway = gateway(&server.url(), IMPATIENT);
    (server, gateway)
}

/// The one payment there is.
fn only(server: &HostileStripe) -> Entry {
    let ledger = server.ledger();
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    ledger.into_values().next().expect("one")
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Well,
    Open,
    /// Nothing was done, for sure.
    Undone,
}

fn end<T>(outcome: &Result<T, GatewayError>) -> Ends {
    match outcome {
        Ok(_) => Ends::Well,
        Err(error) if error.is_open() => Ends::Open,
        Err(GatewayError::Unreachable(_)) => Ends::Undone,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_misfortune_ends_right_and_charges_once() {
    use Fault::{
        CutAfter, CutBefore, EndlessAnswer, ErrorAfter, ErrorBefore, HalfAnswer, InFlight, NotJson,
        SilentAfter, SlowAnswer, TooMany,
    };
    // An answer has some sixty pieces: at the slower pace it takes longer than an attempt may.
    let (slow, too_slow) = (Duration::from_millis(1), Duration::from_millis(100));
    for (faults, ends, charged) in [
        (vec![CutBefore], Ends::Well, true),
        (vec![CutAfter], Ends::Well, true),
        (vec![SilentAfter], Ends::Well, true),
        (vec![HalfAnswer], Ends::Well, true),
        (vec![SlowAnswer(slow)], Ends::Well, true),
        (vec![SlowAnswer(too_slow)], Ends::Well, true),
        (vec![ErrorBefore], Ends::Well, true),
        (vec![TooMany, TooMany], Ends::Well, true),
        (vec![InFlight], Ends::Well, true),
        (vec![CutAfter, TooMany], Ends::Well, true),
        // Stripe keeps its own error under the key: asking again cannot help.
        (vec![ErrorAfter], Ends::Open, true),
        (vec![NotJson], Ends::Open, true),
        (vec![EndlessAnswer], Ends::Open, true),
        (vec![CutAfter, TooMany, TooMany], Ends::Open, true),
        (vec![SilentAfter; 3], Ends::Open, true),
        (vec![CutBefore; 3], Ends::Open, false),
        (vec![ErrorBefore; 3], Ends::Open, false),
        (vec![InFlight; 3], Ends::Open, false),
        (vec![TooMany; 3], Ends::Undone, false),
    ] {
        let (server, gateway) = start(Options::default()).await;
        for fault in &faults {
            server.inject(*fault);
        }
        let charge = stored(1, None, "pm_card_visa");
        let outcome = gateway.create(&charge).await;
        assert_eq!(end(&outcome), ends, "{faults:?}: {outcome:?}");
        assert_eq!(server.ledger().len(), usize::from(charged), "{faults:?}");
        // What is open is found, or is not there: nobody guesses.
        let since = jiff::Timestamp::UNIX_EPOCH;
        let found = gateway.find(&charge, since).await.expect("an answer");
        assert_eq!(found.is_some(), charged, "{faults:?}");
        // Asked for again, it is the same payment.
        let again = gateway.create(&charge).await;
        match faults[0] {
            ErrorAfter => assert_eq!(end(&again), Ends::Open),
            _ => assert_eq!(again.expect("no more faults").state, SeenState::Succeeded),
        }
        assert_eq!(only(&server).charged, 1250, "{faults:?}");
    }
}

#[tokio::test]
async fn questions_are_never_open() {
    let (server, gateway) = start(Options::default()).await;
    let paid = gateway.create(&stored(1, None, "pm_card_visa")).await.expect("charged");
    for faults in [
        vec![Fault::CutAfter; 3],
        vec![Fault::SilentAfter; 3],
        vec![Fault::ErrorAfter; 3],
        vec![Fault::NotJson],
        vec![Fault::EndlessAnswer],
    ] {
        faults.iter().for_each(|fault| server.inject_read(*fault));
        let outcome = gateway.look_up(&paid.provider_id).await;
        assert_eq!(end(&outcome), Ends::Undone, "{faults:?}: {outcome:?}");
    }
    server.inject_read(Fault::CutAfter);
    assert_eq!(gateway.look_up(&paid.provider_id).await, Ok(paid));
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unreachable() {
    let (server, gateway) = start(Options::default()).await;
    drop(server);
    let outcome = gateway.create(&stored(1, None, "pm_card_visa")).await;
    assert_eq!(end(&outcome), Ends::Undone, "{outcome:?}");
    let error = outcome.expect_err("nobody there").to_string();
    assert!(!error.contains("sk_test"), "{error}");
}

#[tokio::test]
async fn refunds_are_given_once() {
    let (server, gateway) = start(Options::default()).await;
    let paid = gateway.create(&stored(1, None, "pm_card_visa")).await.expect("charged");
    for (id, faults, ends) in [
        (1, vec![Fault::CutAfter], Ends::Well),
        (2, vec![Fault::SilentAfter, Fault::TooMany], Ends::Well),
        (3, vec![Fault::ErrorAfter], Ends::Open),
        (4, vec![Fault::CutAfter; 3], Ends::Open),
    ] {
        faults.iter().for_each(|fault| server.inject(*fault));
        let order = refund(id, &paid.provider_id, 100);
        let outcome = gateway.refund(&order).await;
        assert_eq!(end(&outcome), ends, "{faults:?}: {outcome:?}");
        let found = gateway.find_refund(&order).await.expect("an answer").expect("it was given");
        assert_eq!((found.amount_minor, found.refund_id), (100, Some(id)));
        assert_eq!(gateway.look_up_refund(&found.provider_id).await, Ok(found));
        assert_eq!(only(&server).refunded, 100 * id);
    }
    let too_much = gateway.refund(&refund(5, &paid.provider_id, 1000)).await.expect_err("too much");
    assert!(
        matches!(too_much, GatewayError::Refused { ref code, .. } if code == "amount_too_large")
    );
    assert_eq!(gateway.find_refund(&refund(5, &paid.provider_id, 1000)).await, Ok(None));
}

#[tokio::test]
async fn what_was_charged_is_told_as_it_is() {
    let (server, gateway) = start(Options::default()).await;
    server.inject(Fault::WrongAmount);
    let more = gateway.create(&stored(1, None, "pm_card_visa")).await.expect("charged");
    assert_eq!((more.amount_minor, more.received_minor), (12500, 12500));
    server.inject(Fault::WrongCurrency);
    let dollars = gateway.create(&stored(2, None, "pm_card_visa")).await.expect("charged");
    assert_eq!((dollars.currency.code(), dollars.received_minor), ("USD", 1250));
    // An order that comes under the same key with another amount is refused, not charged.
    let changed = Charge { amount_minor: 99, ..stored(1, None, "pm_card_visa") };
    let error = gateway.create(&changed).await.expect_err("another amount");
    assert!(matches!(error, GatewayError::Refused { code, .. } if code == "idempotency_error"));
    assert_eq!(server.ledger().len(), 2);
    // Stripe's own units: 5 ISK are written 500.
    let kronur = Charge {
        currency: super::currency("ISK"),
        amount_minor: 5,
        ..stored(3, None, "pm_card_visa")
    };
    let kronur = gateway.create(&kronur).await.expect("charged");
    assert_eq!(kronur.received_minor, 5);
    assert_eq!(server.ledger()[&kronur.provider_id].charged, 500);
    let odd = Charge {
        currency: super::currency("KWD"),
        amount_minor: 5,
        ..stored(4, None, "pm_card_visa")
    };
    let requests = server.requests();
    assert!(matches!(gateway.create(&odd).await, Err(GatewayError::Refused { .. })));
    assert_eq!(server.requests(), requests);
}

#[tokio::test]
async fn a_declined_card_is_a_failed_payment_not_an_error() {
    let (server, gateway) = start(Options::default()).await;
    for (id, card, reason) in [
        (1, "pm_card_chargeCustomerFail", "card_declined: generic_decline"),
        (2, "pm_card_authenticationRequired", "authentication_required: generic_decline"),
    ] {
        let seen = gateway.create(&stored(id, None, card)).await.expect("it was made");
        assert_eq!(seen.state, SeenState::Failed(reason.to_owned()));
        assert_eq!((seen.payment_id, seen.received_minor), (Some(id), 0));
        // The buyer tries another card on the same payment.
        server.confirm(&seen.provider_id, "pm_card_visa").expect("pays");
        let seen = gateway.look_up(&seen.provider_id).await.expect("known");
        assert_eq!(seen.state, SeenState::Succeeded);
    }
}

#[tokio::test]
async fn the_buyer_is_waited_for() {
    let (server, gateway) = start(Options::default()).await;
    let look = async |id: &str| gateway.look_up(id).await.expect("known").state;
    let seen = gateway.create(&charge(1, 1250, "EUR")).await.expect("made");
    assert_eq!(seen.state, SeenState::Pending);
    server.confirm(&seen.provider_id, "pm_card_authenticationRequired").expect("asks");
    assert_eq!(look(&seen.provider_id).await, SeenState::Pending);
    server.settle(&seen.provider_id, true).expect("settled");
    assert_eq!(look(&seen.provider_id).await, SeenState::Succeeded);
    let seen = gateway.create(&charge(2, 1250, "EUR")).await.expect("made");
    server.confirm(&seen.provider_id, "pm_card_dawdling").expect("takes time");
    // It cannot be cancelled while the bank is busy with it.
    let cancelled = gateway.cancel(&seen.provider_id).await.expect("an answer");
    assert_eq!(cancelled.state, SeenState::Processing);
    server.settle(&seen.provider_id, false).expect("settled");
    assert!(matches!(look(&seen.provider_id).await, SeenState::Failed(_)));
    let cancelled = gateway.cancel(&seen.provider_id).await.expect("cancelled");
    assert_eq!(cancelled.state, SeenState::Cancelled);
}

#[tokio::test]
async fn capture_and_cancel_tell_how_it_stands() {
    let (server, gateway) = start(Options::default()).await;
    let aside = |id| Charge { capture: Capture::Manual, ..stored(id, None, "pm_card_visa") };
    let first = gateway.create(&aside(1)).await.expect("authorised");
    assert_eq!(first.state, SeenState::Authorised);
    server.inject(Fault::CutAfter);
    let taken = gateway.capture(&first.provider_id).await.expect("captured");
    assert_eq!((taken.state, taken.received_minor), (SeenState::Succeeded, 1250));
    let second = gateway.create(&aside(2)).await.expect("authorised");
    server.inject(Fault::HalfAnswer);
    let given_up = gateway.cancel(&second.provider_id).await.expect("cancelled");
    assert_eq!(given_up.state, SeenState::Cancelled);
    let late = gateway.capture(&second.provider_id).await.expect("an answer");
    assert_eq!((late.state, late.received_minor), (SeenState::Cancelled, 0));
    let open = {
        let third = gateway.create(&aside(3)).await.expect("authorised");
        (0..3).for_each(|_| server.inject(Fault::SilentAfter));
        (gateway.capture(&third.provider_id).await, third)
    };
    assert_eq!(end(&open.0), Ends::Open);
    let seen = gateway.look_up(&open.1.provider_id).await.expect("known");
    assert_eq!(seen.state, SeenState::Succeeded);
}

#[tokio::test]
async fn chance_by_seed_never_charges_twice() {
    for seed in [1, 2, 3, 4] {
        let (server, gateway) =
            start(Options { seed, fault_permille: 400, ..Options::default() }).await;
        for id in 1..=30 {
            let charge = stored(id, None, "pm_card_visa");
            let mut settled = None;
            for _ in 0..50 {
                let seen = match gateway.create(&charge).await {
                    Ok(seen) => Ok(Some(seen)),
                    Err(_) => gateway.find(&charge, jiff::Timestamp::UNIX_EPOCH).await,
                };
                if let Ok(Some(seen)) = seen {
                    settled = Some(seen);
                    break;
                }
            }
            let seen = settled.expect("within fifty rounds");
            assert_eq!(seen.received_minor, 1250);
        }
        let ledger = server.ledger();
        assert_eq!(ledger.len(), 30, "seed {seed}");
        assert!(ledger.values().all(|entry| entry.charged == 1250));
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_shown() {
    let server = HostileStripe::start(Options::default()).await.expect("a free port");
    let url = server.url().parse().expect("a URL");
    let stripe =
        runout_shop::payments::Stripe::with_limits(&url, Secret::new("rk_wrong"), IMPATIENT);
    let gateway = Gateway::Stripe(stripe);
    let error = gateway.create(&charge(1, 1250, "EUR")).await.expect_err("a wrong key");
    assert!(matches!(&error, GatewayError::Refused { code, .. } if code == "key_refused"));
    assert!(!format!("{error} {error:?} {gateway:?}").contains("rk_wrong"));
    assert_eq!(server.requests(), 1);
    assert!(server.ledger().is_empty());
}

#[tokio::test]
async fn its_webhooks_are_signed_as_ours_are_checked() {
    let (server, gateway) = start(Options::default()).await;
    let paid = gateway.create(&stored(1, None, "pm_card_visa")).await.expect("charged");
    gateway.refund(&refund(1, &paid.provider_id, 50)).await.expect("refunded");
    let events = server.take_events();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["payment_intent.succeeded", "refund.created"]);
    assert!(server.take_events().is_empty());
    let now: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().expect("a moment");
    let header = events[0].signature(WEBHOOK_SECRET, now.as_second());
    let body = events[0].body.as_bytes();
    let read = webhook::receive(&header, body, &Secret::new(WEBHOOK_SECRET), now);
    let read = read.expect("signed");
    assert_eq!((read.object_id, read.id), (paid.provider_id, events[0].id.clone()));
    let other = webhook::receive(&header, body, &Secret::new("whsec_other"), now);
    assert_eq!(other, Err(webhook::WebhookError::WrongSignature));
}

#[tokio::test]
async fn webhooks_come_more_than_once_and_out_of_order() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("it is bound"));
    let hook = axum::routing::post(move |headers: axum::http::HeaderMap, body: String| {
        let header = headers[webhook::SIGNATURE_HEADER].to_str().expect("ASCII").to_owned();
        told.send((header, body)).expect("somebody listens");
        async {}
    });
    let serving = axum::serve(listener, axum::Router::new().route("/hook", hook));
    let serving = tokio::spawn(serving.into_future());
    let secret = WEBHOOK_SECRET.to_owned();
    // They are made at once and told over a second: on no machine one after the other.
    let delay_max = Duration::from_secs(1);
    let destination = Some(Destination { url, secret, copies_max: 3, delay_max });
    let (_server, gateway) = start(Options { seed: 5, destination, ..Options::default() }).await;
    let charges: Vec<_> = (1..=10).map(|id| stored(id, None, "pm_card_visa")).collect();
    for charged in join_all(charges.iter().map(|charge| gateway.create(charge))).await {
        charged.expect("charged");
    }
    let (mut order, mut distinct) = (Vec::new(), BTreeSet::new());
    loop {
        let all = distinct.len() >= 10 && order.len() > 10 && !order.is_sorted();
        // What must come is waited for; what may come besides is looked at as well.
        let patience = Duration::from_secs(if all { 1 } else { 60 });
        let Ok(told) = tokio::time::timeout(patience, heard.recv()).await else {
            assert!(all, "{order:?}");
            break;
        };
        let (header, body) = told.expect("the hook is open");
        let now = Clock::system().now();
        let event = webhook::receive(&header, body.as_bytes(), &Secret::new(WEBHOOK_SECRET), now);
        let event = event.expect("signed").id;
        distinct.insert(event.clone());
        order.push(event);
    }
    serving.abort();
    assert_eq!(distinct.len(), 10, "{order:?}");
}

#[tokio::test]
async fn customers_are_made_once_and_cards_attached_once() {
    let (server, _) = start(Options::default()).await;
    let stripe = client(&server.url(), IMPATIENT);
    server.inject(Fault::CutAfter);
    let customer = stripe.create_customer(7).await.expect("a customer");
    assert_eq!(stripe.create_customer(7).await.as_ref(), Ok(&customer));
    assert_eq!(server.customers(), 1);
    let other = stripe.create_customer(8).await.expect("a customer");
    let card = stripe.method("pm_card_visa").await.expect("a test card").provider_id;
    server.inject(Fault::ErrorAfter);
    server.inject(Fault::CutAfter);
    server.inject(Fault::CutAfter);
    let attached = stripe.attach(&card, &customer).await.expect("looked up");
    assert_eq!(attached.customer.as_deref(), Some(customer.as_str()));
    assert!(matches!(stripe.attach(&card, &other).await, Err(GatewayError::Refused { .. })));
    (0..3).for_each(|_| server.inject(Fault::CutAfter));
    stripe.detach(&card).await.expect("looked up");
    stripe.detach(&card).await.expect("detached already");
    assert!(matches!(stripe.attach(&card, &customer).await, Err(GatewayError::Refused { .. })));
}
