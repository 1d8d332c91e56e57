//! Commands of one batch see what the ones before them have done: stock, limits, discounts, states.

use super::stage::{STAFF, Stage, act_of, arrived, cancel, checkout, extend, seen, sell, set_line};
use super::world::{LIMITED_PER_CUSTOMER, PERCENT};
use crate::ids::VariantId;
use crate::stock::{Act, By, Command};

#[test]
fn a_basket_lives_through_one_batch() {
    let mut stage = Stage::with(&[(1, 1, 3)]);
    let (ana, bia) = (stage.basket(0), stage.basket(0));
    let (by_ana, by_bia) = (stage.holder(ana), stage.holder(bia));
    let told = stage.at_once(&[
        set_line(by_ana, ana, 1, 2),
        set_line(by_bia, bia, 1, 2),
        set_line(by_bia, bia, 1, 1),
        set_line(by_ana, ana, 1, 1),
        set_line(by_bia, bia, 1, 2),
        checkout(by_ana, ana, Some("ana"), None),
        checkout(by_ana, ana, Some("ana"), None),
        extend(by_ana, ana),
        // Its id is nobody's yet.
        cancel(STAFF, 1),
        sell(1, 1, 1),
    ]);
    assert_eq!(
        told,
        [
            "kept 1:2/2 until 100",
            "short 1 1/2",
            "kept 1:1/1 until 100",
            "kept 1:1/1 until 100",
            "kept 1:2/2 until 100",
            "order 1, 50: 1 of level 1",
            "ordered as 1",
            "ordered as 1",
            "not found",
            "short 1 0/1",
        ]
    );
}

#[test]
fn what_was_bought_in_the_batch_counts_for_the_limit_and_what_was_given_back_does_not() {
    let mut stage = Stage::with(&[(LIMITED_PER_CUSTOMER, 1, 20)]);
    let mine = stage.basket(1);
    let holder = stage.holder(mine);
    let told = stage.at_once(&[
        set_line(holder, mine, LIMITED_PER_CUSTOMER, 2),
        sell(1, LIMITED_PER_CUSTOMER, 2),
        checkout(holder, mine, None, None),
        sell(1, LIMITED_PER_CUSTOMER, 2),
        sell(1, LIMITED_PER_CUSTOMER, 1),
    ]);
    let expected = [
        "kept 3:2/2 until 100",
        "3 at most 3, already 2",
        "order 1, 300: 2 of level 1",
        "3 at most 3, already 2",
        "order 2, 150: 1 of level 1",
    ];
    assert_eq!(told, expected);
    let told = stage.at_once(&[
        sell(1, LIMITED_PER_CUSTOMER, 1),
        cancel(STAFF, 1),
        sell(1, LIMITED_PER_CUSTOMER, 2),
        sell(1, LIMITED_PER_CUSTOMER, 1),
    ]);
    let expected = [
        "3 at most 3, already 3",
        "cancelled 1",
        "order 3, 300: 2 of level 1",
        "3 at most 3, already 3",
    ];
    assert_eq!(told, expected);
}

#[test]
fn two_guests_of_one_address_are_one_customer() {
    let mut stage = Stage::with(&[(LIMITED_PER_CUSTOMER, 1, 20)]);
    let (one, two, other) = (stage.basket(0), stage.basket(0), stage.basket(0));
    for basket in [one, two, other] {
        stage.set(basket, LIMITED_PER_CUSTOMER, 2);
    }
    let buy =
        |stage: &Stage, basket, email| checkout(stage.holder(basket), basket, Some(email), None);
    let batch = [buy(&stage, one, "ana"), buy(&stage, two, "ana"), buy(&stage, other, "bia")];
    let told = stage.at_once(&batch);
    let expected =
        ["order 1, 300: 2 of level 1", "3 at most 3, already 2", "order 2, 300: 2 of level 1"];
    assert_eq!(told, expected);
}

#[test]
fn a_discount_is_not_overspent_in_one_batch() {
    let mut stage = Stage::with(&[(1, 1, 20)]);
    let baskets = [0, 0, 0, 0].map(|account| stage.basket(account));
    for basket in baskets {
        stage.set(basket, 1, 1);
        stage.code(basket, PERCENT);
    }
    let all: Vec<Command> = baskets
        .iter()
        .map(|id| checkout(stage.holder(*id), *id, Some(&format!("guest{id}")), None))
        .collect();
    let told = stage.at_once(&all);
    let words: Vec<&str> = told.iter().map(|told| &told[..7]).collect();
    assert_eq!(words, ["order 1", "order 2", "discoun", "discoun"]);
    // A use that is taken back is free for the next of the batch.
    let again = [all[2].clone(), cancel(STAFF, 1), all[2].clone(), all[3].clone()];
    let told = stage.at_once(&again);
    let words: Vec<&str> = told.iter().map(|told| &told[..7]).collect();
    assert_eq!(words, ["discoun", "cancell", "order 3", "discoun"]);
}

#[test]
fn a_payment_that_begins_in_the_batch_can_be_settled_in_it() {
    let mut stage = Stage::with(&[(1, 1, 20)]);
    assert_eq!(stage.ask(sell(1, 1, 2)), "order 1, 100: 2 of level 1");
    let start = Act::StartPayment { gateway: crate::stock::Gateway::Stripe };
    let shop = |act| act_of(By::Shop, 1, act);
    let told = stage.at_once(&[
        shop(start.clone()),
        shop(start),
        shop(seen(1, arrived(100, "EUR"))),
        shop(seen(1, arrived(100, "EUR"))),
        shop(Act::PayManually),
        cancel(STAFF, 1),
        sell(2, 1, 20),
    ]);
    let expected = [
        "done, payment 1",
        "done, payment 1",
        "done",
        "nothing",
        "Pay when paid",
        "cancelled 1",
        "order 2, 1000: 20 of level 1",
    ];
    assert_eq!(told, expected);
    assert_eq!(stage.order(1).refunded_minor, 100);
}

#[test]
fn what_lapses_for_one_command_of_the_batch_has_lapsed_for_all() {
    let mut stage = Stage::with(&[(1, 1, 1), (2, 1, 1)]);
    let slow = stage.basket(0);
    stage.set(slow, 1, 1);
    stage.set(slow, 2, 1);
    stage.now = 100;
    let told = stage.at_once(&[Command::Expire(vec![VariantId(1)]), sell(1, 1, 1)]);
    assert_eq!(told, ["expired", "order 1, 50: 1 of level 1"]);
    // The other line's lapsed hold is still a row; it is given back when it is met.
    assert_eq!(stage.stock(2), (1, 1));
    assert_eq!(stage.ask(sell(1, 2, 1)), "order 2, 100: 1 of level 2");
    assert_eq!(stage.extend(slow), "kept 1:0/1, 2:0/1");
}
