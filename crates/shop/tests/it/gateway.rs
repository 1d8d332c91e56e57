//! The seam to payment providers: what it makes of answers, and of answers that do not come.

mod hostile;
mod localstripe;

use jiff::Timestamp;
use runout_core::money::Currency;
use runout_shop::payments::{Capture, Charge, Gateway, RefundOrder, RefundState, SeenState};

fn currency(code: &str) -> Currency {
    code.parse().expect("a currency")
}

/// A payment that waits for its buyer.
fn charge(payment_id: i64, amount_minor: i64, code: &str) -> Charge {
    Charge {
        payment_id,
        order_id: payment_id + 1000,
        amount_minor,
        currency: currency(code),
        made_at: Timestamp::UNIX_EPOCH,
        customer: None,
        payment_method: None,
        capture: Capture::Automatic,
    }
}

/// One that is made at once, with a stored card.
fn stored(payment_id: i64, customer: Option<&str>, card: &str) -> Charge {
    Charge {
        customer: customer.map(str::to_owned),
        payment_method: Some(card.to_owned()),
        ..charge(payment_id, 1250, "EUR")
    }
}

fn refund(refund_id: i64, payment: &str, amount_minor: i64) -> RefundOrder {
    RefundOrder {
        refund_id,
        payment_id: 1,
        order_id: 1001,
        payment_provider_id: payment.to_owned(),
        amount_minor,
        currency: currency("EUR"),
        made_at: Timestamp::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn by_hand_nothing_moves_by_itself() {
    let gateway = Gateway::Manual;
    let seen = gateway.create(&charge(7, 500, "JPY")).await.expect("by hand");
    assert_eq!((seen.state, seen.amount_minor, seen.received_minor), (SeenState::Pending, 500, 0));
    assert_eq!(seen.client_secret, None);
    assert!(gateway.look_up(&seen.provider_id).await.is_err_and(|error| !error.is_open()));
    let back = gateway.refund(&refund(3, &seen.provider_id, 20)).await.expect("by hand");
    assert_eq!((back.state, back.amount_minor), (RefundState::Succeeded, 20));
}
