//! The defects that other shops repeat, as far as the rules alone decide them: two lines on one
//! stock, a lapsed hold that is extended, payment after expiry, a line over several locations,
//! and stock that comes back twice.

use super::at;
use super::stage::{
    STAFF, Stage, act_of, arrived, cancel, checkout, extend, fulfil, refund, seen, sell, set_line,
    take_back,
};
use super::world::{AMOUNT, HOLD_LIFE_S, HOLD_S, LIMITED_PER_CUSTOMER, PERCENT, PERCENT_USES_MAX};
use crate::ids::{AccountId, BasketId, VariantId};
use crate::order::Status;
use crate::stock::{Act, By, Cause, Command, LineRequest, RefundReason, RefundStatus, Sell};

/// Every order of the commands.
fn orders_of(commands: &[Command]) -> Vec<Vec<Command>> {
    if commands.is_empty() {
        return vec![Vec::new()];
    }
    let first = |at: usize| {
        let mut rest = commands.to_vec();
        let command = rest.remove(at);
        orders_of(&rest).into_iter().map(move |rest| [vec![command.clone()], rest].concat())
    };
    (0..commands.len()).flat_map(first).collect()
}

/// Plays the commands in every order, as one batch and one by one; `end` looks at the shop.
fn in_every_order(stage: &Stage, commands: &[Command], end: impl Fn(&Stage, &[Command])) {
    for order in orders_of(commands) {
        let mut together = stage.clone();
        let told = together.at_once(&order);
        end(&together, &order);
        let mut apart = stage.clone();
        let told_apart: Vec<String> = order.iter().map(|one| apart.ask(one.clone())).collect();
        assert_eq!(told, told_apart, "{order:?}");
        end(&apart, &order);
    }
}

// Shape 1 and 2.

#[test]
fn two_buyers_at_once_get_one_unit_once() {
    let mut stage = Stage::with(&[(1, 1, 1)]);
    let (ana, bia) = (stage.basket(0), stage.basket(1));
    let commands = [
        set_line(stage.holder(ana), ana, 1, 1),
        set_line(stage.holder(bia), bia, 1, 1),
        sell(2, 1, 1),
    ];
    in_every_order(&stage, &commands, |stage, _| assert_eq!(stage.stock(1), (1, 1)));
    let told = stage.at_once(&commands);
    assert_eq!(told, ["kept 1:1/1 until 100", "short 1 0/1", "short 1 0/1"]);
}

#[test]
fn two_lines_cannot_draw_on_the_same_units() {
    let mut stage = Stage::with(&[(1, 1, 3)]);
    let line = LineRequest { variant: VariantId(1), quantity: 2 };
    let twice = Command::Sell(Sell {
        account: AccountId(1),
        lines: vec![line, line],
        currency: "EUR".parse().expect("a currency"),
        pay_within_s: None,
    });
    assert_eq!(stage.ask(twice), "twice 1");
    // A basket has one line of a variant: asking again sets it, and adds nothing.
    let guest = stage.basket(0);
    assert_eq!(stage.set(guest, 1, 2), "kept 1:2/2 until 100");
    assert_eq!(stage.set(guest, 1, 2), "kept 1:2/2 until 100");
    assert_eq!(stage.set(guest, 1, 4), "short 1 3/4");
    // Two baskets of one buyer are two buyers, until they become one with one line.
    let mine = stage.basket(1);
    assert_eq!(stage.set(mine, 1, 2), "short 1 1/2");
    assert_eq!(stage.set(mine, 1, 1), "kept 1:1/1 until 100");
    assert_eq!(stage.merge(guest, mine), "kept 1:3/3 until 100");
    assert_eq!(stage.checkout(mine), "order 1, 150: 3 of level 1");
    assert_eq!(stage.stock(1), (3, 3));
}

#[test]
fn two_lapsed_lines_of_two_variants_are_taken_anew_together_or_not_at_all() {
    let mut stage = Stage::with(&[(1, 1, 1), (2, 1, 1)]);
    let (slow, quick) = (stage.basket(0), stage.basket(0));
    stage.set(slow, 1, 1);
    stage.set(slow, 2, 1);
    stage.now = HOLD_S;
    assert_eq!(stage.set(quick, 2, 1), "kept 2:1/1 until 200");
    assert_eq!(stage.checkout(slow), "short 2 0/1");
    assert_eq!(stage.stock(1), (1, 0), "the line that could be had was not taken for nothing");
    assert_eq!(stage.set(quick, 2, 0), "kept ");
    assert_eq!(stage.checkout(slow), "order 1, 150: 1 of level 1, 1 of level 2");
}

// Shape 3.

#[test]
fn a_lapsed_hold_that_was_sold_is_not_revived() {
    let mut stage = Stage::with(&[(1, 1, 1)]);
    let (slow, quick) = (stage.basket(0), stage.basket(0));
    assert_eq!(stage.set(slow, 1, 1), "kept 1:1/1 until 100");
    stage.now = HOLD_S - 1;
    assert_eq!(stage.set(quick, 1, 1), "short 1 0/1", "it holds to its last second");
    stage.now = HOLD_S;
    // In one batch with the extension, and before it: the moment decides, not the sweeper.
    let commands = [set_line(stage.holder(quick), quick, 1, 1), extend(stage.holder(slow), slow)];
    assert_eq!(stage.at_once(&commands), ["kept 1:1/1 until 200", "kept 1:0/1"]);
    assert!(stage.checkout(quick).starts_with("order 1,"));
    assert_eq!(stage.extend(slow), "kept 1:0/1");
    assert_eq!(stage.checkout(slow), "short 1 0/1");
    assert_eq!(stage.set(slow, 1, 1), "short 1 0/1");
    assert_eq!(stage.stock(1), (1, 1));
    // It comes back, and is taken anew: with a life of its own.
    stage.now = 2 * HOLD_LIFE_S;
    assert_eq!(stage.cancel(1), "cancelled 1");
    assert_eq!(stage.extend(slow), format!("kept 1:1/1 until {}", stage.now + HOLD_S));
}

#[test]
fn a_hold_is_extended_by_activity_but_not_for_ever() {
    let mut stage = Stage::with(&[(1, 1, 1), (2, 1, 1)]);
    let basket = stage.basket(0);
    stage.set(basket, 1, 1);
    for (second, until) in [(60, 160), (120, 220), (151, 250), (249, 250)] {
        stage.now = second;
        assert_eq!(stage.extend(basket), format!("kept 1:1/1 until {until}"));
    }
    assert_eq!(stage.set(basket, 1, 1), "kept 1:1/1 until 250");
    assert_eq!(stage.set(basket, 2, 1), "kept 1:1/1 until 250, 2:1/1 until 349");
    stage.now = HOLD_LIFE_S;
    let other = stage.basket(0);
    assert_eq!(stage.set(other, 1, 1), "kept 1:1/1 until 350", "now it is anybody's");
    assert_eq!(stage.extend(basket), "kept 1:0/1, 2:1/1 until 350");
}

#[test]
fn a_line_lapses_as_a_whole_when_the_shop_holds_for_less_from_now_on() {
    let mut stage = Stage::with(&[(1, 1, 1), (1, 2, 1)]);
    let basket = stage.basket(0);
    assert_eq!(stage.set(basket, 1, 1), "kept 1:1/1 until 100");
    stage.world.rules.hold_s = 10;
    assert_eq!(stage.set(basket, 1, 2), "kept 1:2/2 until 100");
    stage.now = 50;
    assert!(stage.checkout(basket).starts_with("order 1, 100: "));
}

#[test]
fn merged_holds_end_together_and_live_no_longer_than_each_might() {
    let mut stage = Stage::with(&[(1, 1, 2), (1, 2, 2)]);
    let (mine, guest) = (stage.basket(1), stage.basket(0));
    stage.set(guest, 1, 2);
    for second in [90, 180, 240] {
        stage.now = second;
        stage.extend(guest);
    }
    assert_eq!(stage.set(mine, 1, 2), "kept 1:2/2 until 340");
    assert_eq!(stage.merge(guest, mine), "kept 1:4/4 until 250");
    stage.now = 250;
    assert_eq!(stage.checkout(mine), "order 1, 200: 2 of level 2, 2 of level 1");
}

#[test]
fn a_line_that_had_lapsed_is_merged_into_holds_that_live() {
    let mut stage = Stage::with(&[(1, 1, 2), (1, 2, 2)]);
    let (mine, guest) = (stage.basket(1), stage.basket(0));
    stage.set(guest, 1, 2);
    stage.now = 400;
    assert_eq!(stage.set(mine, 1, 1), "kept 1:1/1 until 500");
    assert_eq!(stage.merge(guest, mine), "kept 1:3/3 until 500");
    stage.now = 450;
    assert_eq!(stage.extend(mine), "kept 1:3/3 until 550");
    // If the lapsed part cannot be had any more, what lives stays.
    let second = stage.basket(0);
    stage.set(second, 1, 1);
    stage.now = 549;
    let third = stage.basket(0);
    assert_eq!(stage.set(third, 1, 1), "short 1 0/1");
    stage.now = 550;
    assert_eq!(stage.set(mine, 1, 2), "kept 1:2/2 until 650");
    assert_eq!(stage.set(third, 1, 2), "kept 1:2/2 until 650");
    assert_eq!(stage.merge(second, mine), "kept 1:2/2 until 650");
}

// Shape 4.

/// A guest's order of the last two units, whose time to pay is over.
fn lapsed() -> Stage {
    let mut stage = Stage::with(&[(1, 1, 1), (1, 2, 1)]);
    assert_eq!(stage.ordered(1, 2), 1);
    assert_eq!(stage.act(1, Act::Lapse), "nothing");
    stage.now = super::stage::PAY_WITHIN_S;
    assert_eq!(stage.act(1, Act::Lapse), "done");
    assert_eq!((stage.status(1), stage.stock(1)), (Status::Cancelled, (2, 0)));
    assert_eq!(stage.act(1, Act::Lapse), "nothing", "it comes back once");
    stage
}

#[test]
fn payment_after_expiry_takes_the_stock_again_if_there_is_any() {
    let mut stage = lapsed();
    stage.now += 60;
    assert_eq!(stage.paid(1, 0), "done");
    let order = stage.order(1);
    assert_eq!((order.status, stage.stock(1)), (Status::Paid, (2, 2)));
    assert_eq!((order.paid_minor, order.refunded_minor, order.refunds.len()), (100, 0, 0));
    assert_eq!((order.cancel_reason, order.due_at), (None, None));
    assert_eq!(order.times.reinstated, Some(at(stage.now)));
    assert_eq!(stage.fulfil(1, None), "done");
    assert_eq!(stage.stock(1), (0, 0));
}

#[test]
fn payment_after_expiry_takes_units_of_another_location_if_those_are_left() {
    let mut stage = lapsed();
    assert_eq!(stage.ask(sell(1, 1, 1)), "order 2, 50: 1 of level 2");
    assert!(stage.receive(1, 3, 1).starts_with("moved level 3"));
    assert_eq!(stage.paid(1, 0), "done");
    let levels: Vec<i64> = stage.order(1).allocations.iter().map(|part| part.level.0).collect();
    assert_eq!(levels, [3, 1]);
}

#[test]
fn payment_after_expiry_goes_back_if_a_single_unit_is_missing() {
    let mut stage = lapsed();
    assert!(stage.ask(sell(1, 1, 1)).starts_with("order 2,"));
    assert_eq!(stage.paid(1, 0), "done");
    let order = stage.order(1);
    assert_eq!((order.status, stage.stock(1)), (Status::Cancelled, (2, 1)));
    assert_eq!((order.paid_minor, order.refunded_minor), (100, 100));
    let refunds: Vec<_> =
        order.refunds.iter().map(|r| (r.amount_minor, r.reason, r.status)).collect();
    assert_eq!(refunds, [(100, RefundReason::TooLate, RefundStatus::Pending)]);
    assert!(stage.world.topics.contains(&"payment.too_late"), "the customer can be told");
    assert_eq!(stage.paid(1, 0), "nothing", "it goes back once");
    assert_eq!(stage.order(1).refunds.len(), 1);
}

#[test]
fn payment_after_a_cancellation_goes_back_though_there_is_stock() {
    let mut stage = Stage::with(&[(1, 1, 2)]);
    stage.ordered(1, 2);
    stage.cancel(1);
    assert_eq!(stage.paid(1, 0), "done");
    let order = stage.order(1);
    assert_eq!((order.status, stage.stock(1)), (Status::Cancelled, (2, 0)));
    assert_eq!((order.paid_minor, order.refunded_minor), (100, 100));
}

#[test]
fn payment_that_comes_late_but_before_the_sweep_just_pays() {
    let mut stage = Stage::with(&[(1, 1, 2)]);
    stage.ordered(1, 2);
    stage.now = 10 * super::stage::PAY_WITHIN_S;
    let order = stage.order(1);
    let pay = act_of(By::Shop, 1, seen(order.payments[0].id.0, arrived(100, "EUR")));
    let lapse = act_of(By::Shop, 1, Act::Lapse);
    // Whichever comes first: the goods are the buyer's, and their money is the shop's.
    in_every_order(&stage, &[pay, lapse], |stage, _| {
        let order = stage.order(1);
        assert_eq!((order.status, stage.stock(1)), (Status::Paid, (2, 2)));
        assert_eq!((order.paid_minor, order.refunded_minor), (100, 0));
    });
}

#[test]
fn webhook_and_client_together_make_one_payment() {
    let mut stage = Stage::with(&[(1, 1, 2)]);
    stage.ordered(1, 2);
    let word = seen(stage.order(1).payments[0].id.0, arrived(100, "EUR"));
    let both = [act_of(By::Shop, 1, word.clone()), act_of(By::Shop, 1, word)];
    assert_eq!(stage.at_once(&both), ["done", "nothing"]);
    let order = stage.order(1);
    assert_eq!((order.payments.len(), order.paid_minor, order.refunds.len()), (1, 100, 0));
    assert_eq!(stage.world.topics, ["order.paid"]);
    assert_eq!(stage.at_once(&both), ["nothing", "nothing"]);
}

#[test]
fn an_order_that_is_paid_twice_gives_the_second_payment_back() {
    let mut stage = Stage::with(&[(1, 1, 2)]);
    stage.ordered(1, 2);
    assert_eq!(stage.act(1, Act::PayManually), "done, payment 2");
    assert_eq!(stage.paid(1, 0), "done");
    let order = stage.order(1);
    assert_eq!((order.status, order.paid_minor, order.refunded_minor), (Status::Paid, 200, 100));
    let refunds: Vec<_> =
        order.refunds.iter().map(|r| (r.payment.0, r.amount_minor, r.reason)).collect();
    assert_eq!(refunds, [(1, 100, RefundReason::Excess)]);
    // What is left to go back is what the order cost.
    assert_eq!(stage.act(1, refund(Some(101))), "101 of 100");
    assert_eq!(stage.act(1, refund(None)), "done");
    assert_eq!(stage.order(1).refunds[1].payment.0, 2);
}

#[test]
fn a_late_payment_does_not_exceed_what_one_customer_may_have() {
    let mut stage = Stage::with(&[(LIMITED_PER_CUSTOMER, 1, 9)]);
    let basket = stage.basket(1);
    stage.set(basket, LIMITED_PER_CUSTOMER, 2);
    assert!(stage.checkout(basket).starts_with("order 1,"));
    stage.now = super::stage::PAY_WITHIN_S;
    stage.act(1, Act::Lapse);
    assert!(stage.ask(sell(1, LIMITED_PER_CUSTOMER, 2)).starts_with("order 2,"));
    assert_eq!(stage.paid(1, 0), "done");
    assert_eq!(stage.status(1), Status::Cancelled);
    assert_eq!(stage.order(1).refunds[0].reason, RefundReason::TooLate);
}

#[test]
fn a_late_payment_does_not_exceed_the_uses_of_a_discount() {
    let mut stage = Stage::with(&[(1, 1, 9)]);
    let buy = |stage: &mut Stage| {
        let basket = stage.basket(0);
        stage.set(basket, 1, 1);
        stage.code(basket, PERCENT);
        stage.checkout(basket)
    };
    assert!(buy(&mut stage).starts_with("order 1, 45:"));
    stage.now = super::stage::PAY_WITHIN_S;
    stage.act(1, Act::Lapse);
    for _ in 0..PERCENT_USES_MAX {
        assert!(buy(&mut stage).starts_with("order "));
    }
    assert_eq!(buy(&mut stage), "discount used up");
    assert_eq!(stage.paid(1, 0), "done");
    assert_eq!(stage.status(1), Status::Cancelled);
    // An order that lapses makes room for another one.
    stage.now *= 2;
    assert_eq!(stage.act(2, Act::Lapse), "done");
    assert!(buy(&mut stage).starts_with("order "));
}

#[test]
fn a_late_payment_does_not_exceed_a_customers_uses_of_a_discount() {
    let mut stage = Stage::with(&[(3, 1, 9)]);
    let buy = |stage: &mut Stage| {
        let basket = stage.basket(1);
        stage.set(basket, 3, 1);
        stage.code(basket, AMOUNT);
        stage.checkout(basket)
    };
    assert!(buy(&mut stage).starts_with("order 1, 20:"));
    stage.now = super::stage::PAY_WITHIN_S;
    stage.act(1, Act::Lapse);
    assert!(buy(&mut stage).starts_with("order 2, 20:"));
    assert_eq!(stage.paid(1, 0), "done");
    assert_eq!(stage.status(1), Status::Cancelled);
    assert_eq!(stage.order(1).refunds[0].reason, RefundReason::TooLate);
}

// Shape 5.

#[test]
fn a_line_larger_than_any_location_is_served_exactly() {
    let mut stage = Stage::with(&[(1, 1, 2), (1, 2, 2), (1, 3, 10)]);
    let closed = stage.world.levels.values_mut().last().expect("location 3");
    closed.active = false;
    let basket = stage.basket(0);
    assert_eq!(stage.set(basket, 1, 5), "short 1 4/5");
    assert_eq!(stage.set(basket, 1, 3), "kept 1:3/3 until 100");
    let held = |stage: &Stage| -> Vec<(i64, i64)> {
        let holds = stage.world.holds.iter();
        holds.map(|((_, _, level), hold)| (level.0, hold.quantity)).collect()
    };
    // Location 2 sells first; what is put back goes to the one that sells last.
    assert_eq!(held(&stage), [(1, 1), (2, 2)]);
    stage.set(basket, 1, 1);
    assert_eq!(held(&stage), [(2, 1)]);
    stage.set(basket, 1, 4);
    assert_eq!(held(&stage), [(1, 2), (2, 2)]);
    stage.set(basket, 1, 3);
    assert_eq!(stage.checkout(basket), "order 1, 150: 1 of level 1, 2 of level 2");
    assert_eq!(stage.stock(1), (14, 3));
    stage.paid(1, 0);
    // It leaves and comes back from and to where it was.
    assert_eq!(stage.fulfil(1, Some(&[(1, 2)])), "done");
    let order = stage.order(1);
    let shipped: Vec<_> =
        order.allocations.iter().map(|part| (part.level.0, part.shipped)).collect();
    assert_eq!(shipped, [(1, 1), (2, 1)]);
    assert_eq!(stage.fulfil(1, None), "done");
    assert_eq!(stage.act(1, take_back(None, true)), "done");
    let levels: Vec<_> = stage.world.levels.values().map(|l| (l.on_hand, l.reserved)).collect();
    assert_eq!(levels, [(2, 0), (2, 0), (10, 0)]);
}

// Shape 10.

#[test]
fn stock_comes_back_once_whatever_happens_to_an_unpaid_order_at_one_instant() {
    let mut stage = Stage::with(&[(1, 1, 2)]);
    stage.ordered(1, 2);
    stage.now = super::stage::PAY_WITHIN_S;
    let commands = [
        cancel(STAFF, 1),
        cancel(By::Guest(BasketId(1)), 1),
        act_of(By::Shop, 1, Act::Lapse),
        act_of(STAFF, 1, refund(None)),
        act_of(STAFF, 1, take_back(None, true)),
        Command::Expire(vec![VariantId(1)]),
    ];
    in_every_order(&stage, &commands, |stage, commands| {
        assert_eq!(stage.status(1), Status::Cancelled, "{commands:?}");
        assert_eq!(stage.stock(1), (2, 0), "{commands:?}");
    });
}

#[test]
fn stock_and_money_come_back_once_whatever_happens_to_a_paid_order_at_one_instant() {
    let mut stage = Stage::with(&[(1, 1, 2)]);
    stage.ordered(1, 2);
    stage.paid(1, 0);
    stage.now = super::stage::PAY_WITHIN_S;
    let commands = [
        cancel(STAFF, 1),
        act_of(By::Shop, 1, Act::Lapse),
        act_of(STAFF, 1, refund(None)),
        act_of(STAFF, 1, refund(Some(100))),
        act_of(STAFF, 1, take_back(None, true)),
        Command::Expire(vec![VariantId(1)]),
    ];
    in_every_order(&stage, &commands, |stage, commands| {
        let order = stage.order(1);
        assert!([Status::Cancelled, Status::Refunded].contains(&order.status), "{commands:?}");
        assert_eq!((order.paid_minor, order.refunded_minor), (100, 100), "{commands:?}");
        assert_eq!(order.refunds.len(), 1, "{commands:?}");
        assert_eq!(stage.stock(1), (2, 0), "{commands:?}");
    });
}

#[test]
fn stock_and_money_come_back_once_whatever_happens_to_a_shipped_order_at_one_instant() {
    let mut stage = Stage::with(&[(1, 1, 3)]);
    stage.ordered(1, 3);
    stage.paid(1, 0);
    stage.fulfil(1, Some(&[(1, 2)]));
    let commands = [
        cancel(STAFF, 1),
        act_of(STAFF, 1, refund(None)),
        act_of(STAFF, 1, take_back(None, true)),
        act_of(STAFF, 1, take_back(Some(&[(1, 2)]), true)),
        act_of(By::Shop, 1, Act::Lapse),
        act_of(STAFF, 1, fulfil(Some(&[(1, 4)]))),
    ];
    in_every_order(&stage, &commands, |stage, commands| {
        let order = stage.order(1);
        assert_eq!((order.status, order.refunded_minor), (Status::Refunded, 150), "{commands:?}");
        assert_eq!(stage.stock(1), (3, 0), "{commands:?}");
        let back = stage.world.movements.values().flatten();
        let back = back.filter(|row| row.cause == Cause::Return).map(|row| row.on_hand_delta);
        assert_eq!(back.sum::<i64>(), 2, "{commands:?}");
    });
}

#[test]
fn a_hold_ends_once_whatever_happens_to_it_at_its_last_instant() {
    let mut stage = Stage::with(&[(1, 1, 1), (1, 2, 1)]);
    let (basket, mine) = (stage.basket(0), stage.basket(1));
    stage.set(basket, 1, 2);
    let holder = stage.holder(basket);
    let commands = [
        Command::Expire(vec![VariantId(1)]),
        set_line(holder, basket, 1, 0),
        extend(holder, basket),
        checkout(holder, basket, Some("ana"), None),
        super::stage::merge(super::stage::token(basket), basket, 1, mine),
    ];
    for second in [HOLD_S - 1, HOLD_S] {
        stage.now = second;
        in_every_order(&stage, &commands, |stage, commands| {
            let held: i64 = stage.world.holds.values().map(|hold| hold.quantity).sum();
            let orders = 2 * stage.world.orders.len() as i64;
            assert!(held + orders <= 2, "{commands:?}");
            assert_eq!(stage.stock(1), (2, held + orders), "{commands:?}");
            let rows = stage.world.movements.values().flatten();
            let ended = |cause| {
                let of = rows.clone().filter(|row| row.cause == cause);
                of.map(|row| row.reserved_delta).sum::<i64>()
            };
            // What was held anew has ended anew; the first two units have ended once.
            let all = [Cause::Hold, Cause::Release, Cause::Expire, Cause::Checkout].map(ended);
            assert_eq!(all.iter().sum::<i64>(), held, "{commands:?}");
            assert_eq!(ended(Cause::Expire), if second == HOLD_S { -2 } else { 0 });
        });
    }
}
