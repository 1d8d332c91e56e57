//! Tables: every way an act on an order and a cancellation can end, one line each.

use super::stage::{
    STAFF, Stage, act_of, arrived, cancel, fulfil, refund, refund_seen, seen, take_back,
};
use crate::ids::{AccountId, BasketId};
use crate::order::Status;
use crate::stock::{Act, By, Command, Gateway, ON_HAND_MAX, PaymentSeen};

/// Each order is of 2 units of variant 1, for 100, with a card payment of its own number.
const PLACED: i64 = 1;
const PAID: i64 = 2;
const FULFILLED: i64 = 3;
const CLOSED: i64 = 4;
const CANCELLED: i64 = 5;
const REFUNDED: i64 = 6;
const RETURNED: i64 = 7;
/// Paid; one of its two units has left.
const PART_SHIPPED: i64 = 8;
/// Paid; 40 of 100 went back.
const PART_REFUNDED: i64 = 9;
/// Of account 1, without any payment yet; costs 150.
const ACCOUNTS: i64 = 10;
const NONE: i64 = 99;

/// The one refund that is still open is number 2: of [`PART_REFUNDED`].
const OPEN_REFUND: i64 = 2;

fn stage() -> Stage {
    let mut stage = Stage::with(&[(1, 1, 20), (3, 1, 5)]);
    for order in PLACED..=PART_REFUNDED {
        assert_eq!(stage.ordered(1, 2), order);
        if order != PLACED && order != CANCELLED {
            assert_eq!(stage.paid(order, 0), "done");
        }
        if [FULFILLED, CLOSED, RETURNED].contains(&order) {
            assert_eq!(stage.fulfil(order, None), "done");
        }
    }
    assert_eq!(stage.ask(super::stage::sell(1, 3, 1)), "order 10, 150: 1 of level 2");
    let done = [
        (CLOSED, Act::Close),
        (REFUNDED, refund(None)),
        (REFUNDED, refund_seen(1, true)),
        (RETURNED, take_back(None, true)),
        (PART_SHIPPED, fulfil(Some(&[(1, 1)]))),
        (PART_REFUNDED, refund(Some(40))),
    ];
    for (order, act) in done {
        assert_eq!(stage.act(order, act), "done");
    }
    assert_eq!(stage.cancel(CANCELLED), "cancelled 5");
    stage
}

/// A row per order; `-` is illegal in its state.
const TABLE: &str = "
              start manual seen    lapse   refund part close fulfil part return  part
    placed    ok    ok     ok      nothing -      -    -     -      -    -       -
    paid      -     -      nothing nothing ok     ok   -     ok     ok   nothing 1/0
    fulfilled -     -      nothing nothing ok     ok   ok    -      -    ok      ok
    closed    -     -      nothing nothing ok     ok   -     -      -    ok      ok
    cancelled -     -      ok      nothing -      -    -     -      -    -       -
    refunded  -     -      nothing nothing -      -    -     -      -    nothing 1/0
    returned  -     -      nothing nothing ok     ok   -     -      -    -       -
";

#[test]
fn each_act_ends_as_it_should_in_each_state() {
    let acts: [fn(i64) -> Act; 11] = [
        |_| Act::StartPayment { gateway: Gateway::Manual },
        |_| Act::PayManually,
        |order| seen(order, arrived(100, "EUR")),
        |_| Act::Lapse,
        |_| refund(None),
        |_| refund(Some(30)),
        |_| Act::Close,
        |_| fulfil(None),
        |_| fulfil(Some(&[(1, 1)])),
        |_| take_back(None, false),
        |_| take_back(Some(&[(1, 1)]), true),
    ];
    let rows: Vec<Vec<&str>> =
        TABLE.trim().lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), Status::ALL.len());
    for (order, row) in (PLACED..).zip(rows) {
        assert_eq!(stage().status(order).name(), row[0]);
        assert_eq!(row.len(), acts.len() + 1);
        for (act, expected) in acts.iter().zip(&row[1..]) {
            let mut stage = stage();
            let act = act(order);
            let told = stage.act(order, act.clone());
            let told = match told.as_str() {
                "done" | "done, payment 10" => "ok",
                "nothing" | "nothing left" => "nothing",
                "line 1: 1 of 0" => "1/0",
                illegal if illegal.ends_with(&format!(" when {}", row[0])) => "-",
                other => other,
            };
            assert_eq!(told, *expected, "{} and {act:?}", row[0]);
        }
    }
}

/// Each on a shop of its own; the world sees to it that a refusal changes nothing.
fn check(cases: Vec<(Command, &str)>) {
    for (command, expected) in cases {
        assert_eq!(stage().ask(command.clone()), expected, "{command:?}");
    }
}

#[test]
fn cancellations_end_as_they_should() {
    let owner = By::Owner(AccountId(1));
    check(vec![
        (cancel(STAFF, PLACED), "cancelled 1"),
        (cancel(By::Guest(BasketId(1)), PLACED), "cancelled 1"),
        (cancel(STAFF, PAID), "cancelled 2"),
        (cancel(STAFF, PART_REFUNDED), "cancelled 9"),
        (cancel(owner, ACCOUNTS), "cancelled 10"),
        (cancel(STAFF, CANCELLED), "cancelled 5 before"),
        (cancel(By::Guest(BasketId(5)), CANCELLED), "cancelled 5 before"),
        (cancel(STAFF, FULFILLED), "fulfilled too late"),
        (cancel(STAFF, CLOSED), "closed too late"),
        (cancel(STAFF, REFUNDED), "refunded too late"),
        (cancel(STAFF, RETURNED), "returned too late"),
        (cancel(STAFF, PART_SHIPPED), "paid too late"),
        // Nobody is told of what is not theirs.
        (cancel(STAFF, NONE), "not found"),
        (cancel(owner, PLACED), "not found"),
        (cancel(By::Owner(AccountId(2)), ACCOUNTS), "not found"),
        (cancel(By::Guest(BasketId(2)), PLACED), "not found"),
        (cancel(By::Guest(BasketId(1)), ACCOUNTS), "not found"),
        (cancel(By::Guest(BasketId(2)), CANCELLED), "not found"),
    ]);
}

#[test]
fn acts_end_as_they_should() {
    let shop = |order, act| act_of(By::Shop, order, act);
    let manual = Act::StartPayment { gateway: Gateway::Manual };
    let card = Act::StartPayment { gateway: Gateway::Stripe };
    let short = "line 1: 2 of 1";
    check(vec![
        // The payment that is open at the gateway, or a new one.
        (shop(PLACED, card.clone()), "done, payment 1"),
        (shop(PLACED, manual.clone()), "done, payment 10"),
        (shop(ACCOUNTS, card.clone()), "done, payment 10"),
        (shop(ACCOUNTS, Act::PayManually), "done, payment 10"),
        (shop(PLACED, Act::PayManually), "done, payment 10"),
        // Whose order it is comes first, then what is asked of it.
        (act_of(By::Owner(AccountId(2)), ACCOUNTS, card.clone()), "not found"),
        (act_of(By::Owner(AccountId(1)), ACCOUNTS, card), "done, payment 10"),
        (act_of(By::Guest(BasketId(2)), PLACED, manual), "not found"),
        (shop(NONE, Act::Lapse), "not found"),
        (shop(PLACED, seen(2, arrived(100, "EUR"))), "no such"),
        (shop(PLACED, seen(NONE, PaymentSeen::Cancelled)), "no such"),
        (shop(PART_REFUNDED, refund_seen(1, true)), "no such"),
        (shop(PART_REFUNDED, refund_seen(OPEN_REFUND, true)), "done"),
        (shop(PART_REFUNDED, refund_seen(OPEN_REFUND, false)), "done"),
        (shop(REFUNDED, refund_seen(1, true)), "nothing"),
        (shop(REFUNDED, refund_seen(1, false)), "done"),
        // Money: more than nothing, and no more than is left.
        (shop(PART_REFUNDED, refund(Some(60))), "done"),
        (shop(PART_REFUNDED, refund(Some(61))), "61 of 60"),
        (shop(PAID, refund(Some(101))), "101 of 100"),
        (shop(PAID, refund(Some(i64::MAX))), "9223372036854775807 of 100"),
        (shop(PAID, refund(Some(0))), "0 of 100"),
        (shop(PAID, refund(Some(-1))), "-1 of 100"),
        // Units: more than nothing, no more than are left, of lines that there are.
        (shop(PART_SHIPPED, fulfil(Some(&[(1, 1)]))), "done"),
        (shop(PART_SHIPPED, fulfil(Some(&[(1, 2)]))), short),
        (shop(PART_SHIPPED, take_back(Some(&[(1, 1)]), true)), "done"),
        (shop(PART_SHIPPED, take_back(Some(&[(1, 2)]), true)), short),
        (shop(PAID, fulfil(Some(&[(1, 0)]))), "line 1: 0 of 2"),
        (shop(PAID, fulfil(Some(&[(1, -1)]))), "line 1: -1 of 2"),
        (shop(PAID, fulfil(Some(&[(2, 1)]))), "no line 2"),
        (shop(PAID, fulfil(Some(&[(0, 1)]))), "no line 0"),
        (shop(PAID, fulfil(Some(&[(1, 1), (1, 1)]))), "no line 1"),
        (shop(PAID, fulfil(Some(&[(1, 1), (2, 1)]))), "no line 2"),
        (shop(PAID, fulfil(Some(&[]))), "nothing left"),
        (shop(FULFILLED, take_back(Some(&[]), true)), "nothing left"),
    ]);
}

#[test]
fn providers_words_in_any_order_are_taken_once() {
    let name = || "pi_1".to_owned();
    let open = || PaymentSeen::Open { provider_id: name() };
    let authorised = || PaymentSeen::Authorised { provider_id: name() };
    let failed = || PaymentSeen::Failed { provider_id: name(), reason: "declined".to_owned() };
    // Word by word, what each comes to, and how payment and order end.
    let cases: [(Vec<PaymentSeen>, &[&str], &str); 14] = [
        (vec![open(), open()], &["done", "nothing"], "pending placed"),
        (vec![authorised(), open()], &["done", "nothing"], "authorised placed"),
        (vec![failed(), failed()], &["done", "nothing"], "failed placed"),
        // A card was declined, another one is being tried.
        (vec![failed(), open()], &["done", "done"], "pending placed"),
        (
            vec![PaymentSeen::Cancelled, authorised(), failed(), open()],
            &["done", "nothing", "nothing", "nothing"],
            "cancelled placed",
        ),
        // A card was declined, another one worked.
        (vec![failed(), arrived(100, "EUR")], &["done", "done"], "succeeded paid"),
        (vec![PaymentSeen::Cancelled, arrived(100, "EUR")], &["done", "done"], "succeeded paid"),
        (
            vec![arrived(100, "EUR"), failed(), open(), PaymentSeen::Cancelled, authorised()],
            &["done", "nothing", "nothing", "nothing", "nothing"],
            "succeeded paid",
        ),
        (vec![arrived(100, "EUR"), arrived(100, "EUR")], &["done", "nothing"], "succeeded paid"),
        (vec![arrived(100, "EUR"), arrived(99, "EUR")], &["done", "nothing"], "succeeded paid"),
        (vec![arrived(99, "EUR"), arrived(99, "EUR")], &["done", "nothing"], "failed placed"),
        (vec![arrived(100, "USD"), arrived(100, "EUR")], &["done", "nothing"], "failed placed"),
        (vec![arrived(0, "EUR"), arrived(0, "EUR")], &["done", "nothing"], "failed placed"),
        (vec![arrived(-5, "EUR"), arrived(-5, "EUR")], &["done", "nothing"], "failed placed"),
    ];
    for (words, expected, end) in cases {
        let mut stage = stage();
        let told: Vec<String> =
            words.iter().map(|word| stage.act(PLACED, seen(PLACED, word.clone()))).collect();
        assert_eq!(told, expected, "{words:?}");
        let order = stage.order(PLACED);
        let ended = format!("{} {}", order.payments[0].status.name(), order.status);
        assert_eq!(ended, end, "{words:?}");
        let arrived = order.payments[0].received_minor;
        let back: i64 = order.refunds.iter().map(|refund| refund.amount_minor).sum();
        assert_eq!(order.paid_minor + back, arrived, "{words:?}: what is not paid goes back");
    }
}

#[test]
fn goods_do_not_come_back_to_a_full_shelf() {
    let mut stage = stage();
    let (on_hand, _) = stage.stock(1);
    assert!(stage.receive(1, 1, ON_HAND_MAX - on_hand).starts_with("moved"));
    assert_eq!(stage.act(FULFILLED, take_back(None, true)), "line 1: 2 of 0");
    assert_eq!(stage.act(FULFILLED, take_back(None, false)), "done");
}
