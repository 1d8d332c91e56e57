//! Tables: every way a command can end, one line each, and which reason comes first.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};

use super::{known_order, told};
use crate::ids::{AccountId, LevelId, LocationId, OrderId, VariantId};
use crate::money::AMOUNT_MINOR_MAX;
use crate::order::Status;
use crate::stock::{
    Adjust, Allocation, Asked, By, Cancel, Change, Command, Customer, Key, KnownKey, LINES_MAX,
    Level, LineRequest, ON_HAND_MAX, Offer, QUANTITY_MAX, Receive, Remembered, Sell, Snapshot,
    Transfer, decide_all,
};

const ACTIVE: i64 = 1;
const INACTIVE: i64 = 2;
const NOBODY: i64 = 3;

const PLAIN: i64 = 1;
const DISABLED: i64 = 2;
const TOMORROW: i64 = 3;
const THIS_MOMENT: i64 = 4;
const IN_DOLLARS: i64 = 5;
const TWO_AN_ORDER: i64 = 6;
const THREE_A_CUSTOMER: i64 = 7;
const DEAR: i64 = 8;
const LAST_COPY: i64 = 9;
const BOTH_LIMITS: i64 = 10;
const NO_STOCK: i64 = 11;
const NO_VARIANT: i64 = 99;

const NO_LOCATION: i64 = 9;
/// The location without any stock.
const EMPTY: i64 = 4;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a moment")
}

fn offer(variant: i64) -> (VariantId, Offer) {
    let release_at = match variant {
        TOMORROW => Some(now() + 24.hours()),
        THIS_MOMENT => Some(now()),
        _ => None,
    };
    let currency = if variant == IN_DOLLARS { "USD" } else { "EUR" };
    let minor = if variant == DEAR { AMOUNT_MINOR_MAX } else { 100 };
    let offer = Offer {
        sku: Arc::from("sku"),
        title: Arc::from("title"),
        variant_title: Arc::from(""),
        enabled: variant != DISABLED,
        release_at,
        limit_per_order: matches!(variant, TWO_AN_ORDER | BOTH_LIMITS).then_some(2),
        limit_per_customer: match variant {
            THREE_A_CUSTOMER => Some(3),
            BOTH_LIMITS => Some(1),
            _ => None,
        },
        hold_s: None,
        tax_class: Arc::from("standard"),
        prices: vec![(currency.parse().expect("a currency"), minor)],
    };
    (VariantId(variant), offer)
}

fn level(id: i64, variant: i64, location: i64, on_hand: i64, reserved: i64) -> Level {
    let (priority, active) = place(location).1;
    let (variant, location) = (VariantId(variant), LocationId(location));
    let id = LevelId(id);
    Level { id, variant, location, priority, active, on_hand, reserved, movements: 7 }
}

fn place(location: i64) -> (LocationId, (i64, bool)) {
    let place = match location {
        1 => (100, true),
        2 => (50, true),
        3 => (10, false),
        _ => (100, true),
    };
    (LocationId(location), place)
}

/// `PLAIN`: 3 of 5 free at location 1, 2 at location 2 (sold first), 50 at the inactive location 3.
/// Order 1 holds 2 of level 1; order 2 was cancelled. Everything else with stock has 10 units.
fn snapshot() -> Snapshot {
    let known = |account, status, quantity| {
        let (level, variant) = (LevelId(1), VariantId(PLAIN));
        let part = Allocation { line_no: 1, level, variant, quantity, shipped: 0, returned: 0 };
        known_order(AccountId(account), status, vec![part])
    };
    let mut snapshot = Snapshot {
        offers: (PLAIN..=NO_STOCK).map(offer).collect(),
        accounts: [(AccountId(ACTIVE), true), (AccountId(INACTIVE), false)].into(),
        locations: (1..=EMPTY).map(place).collect(),
        bought: [((Customer::Account(AccountId(ACTIVE)), VariantId(THREE_A_CUSTOMER)), 2)].into(),
        orders: [
            (OrderId(1), known(ACTIVE, Status::Placed, 2)),
            (OrderId(2), known(ACTIVE, Status::Cancelled, 1)),
        ]
        .into(),
        ..Snapshot::default()
    };
    let plain = [(1, 1, 5, 2), (2, 2, 2, 0), (3, 3, 50, 0)];
    snapshot.set_levels(plain.map(|(id, at, hand, held)| level(id, PLAIN, at, hand, held)));
    let on_hand = |variant| if variant == LAST_COPY { 1 } else { 10 };
    snapshot.set_levels(
        (DISABLED..NO_STOCK).map(|variant| level(variant + 10, variant, 1, on_hand(variant), 0)),
    );
    snapshot.ids.orders = 70..80;
    snapshot.ids.levels = 80..90;
    snapshot
}

fn asked(command: Command) -> Asked {
    Asked { command, key: None }
}

fn sell(account: i64, lines: &[(i64, i64)]) -> Asked {
    let line = |(variant, quantity): &(i64, i64)| LineRequest {
        variant: VariantId(*variant),
        quantity: *quantity,
    };
    asked(Command::Sell(Sell {
        account: AccountId(account),
        lines: lines.iter().map(line).collect(),
        currency: "EUR".parse().expect("a currency"),
        pay_within_s: None,
    }))
}

fn cancel(order: i64, by: By) -> Asked {
    asked(Command::Cancel(Cancel { order: OrderId(order), by }))
}

fn receive(variant: i64, location: i64, quantity: i64) -> Asked {
    asked(Command::Receive(Receive {
        variant: VariantId(variant),
        location: LocationId(location),
        quantity,
        actor: Some(AccountId(ACTIVE)),
        reason: None,
    }))
}

fn adjust(variant: i64, location: i64, change: Change) -> Asked {
    asked(Command::Adjust(Adjust {
        variant: VariantId(variant),
        location: LocationId(location),
        change,
        actor: AccountId(ACTIVE),
        reason: "count".to_owned(),
    }))
}

fn transfer(variant: i64, from: i64, to: i64, quantity: i64) -> Asked {
    asked(Command::Transfer(Transfer {
        variant: VariantId(variant),
        from: LocationId(from),
        to: LocationId(to),
        quantity,
        actor: AccountId(ACTIVE),
        reason: None,
    }))
}

fn keyed(asked: Asked, account: i64, fingerprint: u8) -> Asked {
    let key = Key {
        owner: AccountId(account).into(),
        key: "k".to_owned(),
        fingerprint: [fingerprint; 32],
    };
    Asked { key: Some(key), ..asked }
}

/// Decides each case on a snapshot of its own. A refusal must leave no trace.
fn check(cases: &[(Asked, &str)]) {
    for (asked, expected) in cases {
        let mut snapshot = snapshot();
        let before = format!("{:?}", (&snapshot.levels.get(&VariantId(PLAIN)), &snapshot.ids));
        let outcomes = decide_all(&mut snapshot, now(), [asked]);
        assert_eq!(told(&outcomes[0], &outcomes), *expected, "{asked:?}");
        if !outcomes[0].is_done() {
            let after = format!("{:?}", (&snapshot.levels.get(&VariantId(PLAIN)), &snapshot.ids));
            assert_eq!(before, after, "{asked:?}");
            let (difference, _) = snapshot.into_difference();
            assert_eq!(difference.movements.len(), 0, "{asked:?}");
            assert_eq!(difference.placed.len() + difference.orders.len(), 0, "{asked:?}");
        }
    }
}

#[test]
fn sales_end_as_they_should() {
    let many: Vec<(i64, i64)> = (1..=LINES_MAX as i64 + 1).map(|n| (1_000 + n, 1)).collect();
    check(&[
        // Placed: by priority, then id; the inactive location is left alone.
        (sell(ACTIVE, &[(PLAIN, 1)]), "order 70, 100: 1 of level 2"),
        (sell(ACTIVE, &[(PLAIN, 5)]), "order 70, 500: 2 of level 2, 3 of level 1"),
        (
            sell(ACTIVE, &[(PLAIN, 3), (LAST_COPY, 1)]),
            "order 70, 400: 2 of level 2, 1 of level 1, 1 of level 19",
        ),
        (sell(ACTIVE, &[(THIS_MOMENT, 1)]), "order 70, 100: 1 of level 14"),
        (sell(ACTIVE, &[(TWO_AN_ORDER, 2)]), "order 70, 200: 2 of level 16"),
        (sell(ACTIVE, &[(THREE_A_CUSTOMER, 1)]), "order 70, 100: 1 of level 17"),
        (sell(ACTIVE, &[(DEAR, 1)]), "order 70, 1000000000000: 1 of level 18"),
        // Each refusal.
        (sell(INACTIVE, &[(PLAIN, 1)]), "inactive"),
        (sell(NOBODY, &[(PLAIN, 1)]), "inactive"),
        (sell(ACTIVE, &[]), "0 lines"),
        (sell(ACTIVE, &many), "101 lines"),
        (sell(ACTIVE, &[(PLAIN, 0)]), "line 0 of 0"),
        (sell(ACTIVE, &[(PLAIN, 1), (LAST_COPY, -1)]), "line 1 of -1"),
        (sell(ACTIVE, &[(PLAIN, QUANTITY_MAX + 1)]), "line 0 of 10001"),
        (sell(ACTIVE, &[(PLAIN, i64::MAX)]), "line 0 of 9223372036854775807"),
        (sell(ACTIVE, &[(PLAIN, 1), (LAST_COPY, 1), (PLAIN, 1)]), "twice 1"),
        (sell(ACTIVE, &[(NO_VARIANT, 1)]), "not for sale 99 unknown"),
        (sell(ACTIVE, &[(DISABLED, 1)]), "not for sale 2 unknown"),
        (sell(ACTIVE, &[(TOMORROW, 1)]), "not for sale 3 until 2026-11-22T12:00:00Z"),
        (sell(ACTIVE, &[(IN_DOLLARS, 1)]), "not for sale 5 without price"),
        (sell(ACTIVE, &[(TWO_AN_ORDER, 3)]), "6 at most 2"),
        (sell(ACTIVE, &[(THREE_A_CUSTOMER, 2)]), "7 at most 3, already 2"),
        (sell(ACTIVE, &[(DEAR, 2)]), "total too large"),
        (sell(ACTIVE, &[(DEAR, 1), (PLAIN, 1)]), "total too large"),
        (sell(ACTIVE, &[(PLAIN, 6)]), "short 1 5/6"),
        (sell(ACTIVE, &[(PLAIN, QUANTITY_MAX)]), "short 1 5/10000"),
        (sell(ACTIVE, &[(NO_STOCK, 1)]), "short 11 0/1"),
        // All or nothing, and every line that is short is named.
        (sell(ACTIVE, &[(PLAIN, 6), (TWO_AN_ORDER, 1), (LAST_COPY, 2)]), "short 1 5/6, 9 1/2"),
        (
            sell(ACTIVE, &[(DISABLED, 1), (PLAIN, 1), (IN_DOLLARS, 1)]),
            "not for sale 2 unknown, 5 without price",
        ),
    ]);
}

#[test]
fn the_first_reason_on_the_ladder_is_told() {
    check(&[
        (sell(INACTIVE, &[]), "inactive"),
        (sell(INACTIVE, &[(NO_VARIANT, 0)]), "inactive"),
        (sell(ACTIVE, &[(PLAIN, 0), (PLAIN, 0)]), "line 0 of 0"),
        (sell(ACTIVE, &[(NO_VARIANT, 1), (NO_VARIANT, 1)]), "twice 99"),
        (sell(ACTIVE, &[(DEAR, 2), (NO_VARIANT, 1)]), "not for sale 99 unknown"),
        (
            sell(ACTIVE, &[(TWO_AN_ORDER, 3), (TOMORROW, 1)]),
            "not for sale 3 until \
            2026-11-22T12:00:00Z",
        ),
        (sell(ACTIVE, &[(DEAR, 2), (TWO_AN_ORDER, 3)]), "total too large"),
        (sell(ACTIVE, &[(BOTH_LIMITS, 3)]), "10 at most 2"),
        (sell(ACTIVE, &[(BOTH_LIMITS, 2)]), "10 at most 1, already 0"),
        (sell(ACTIVE, &[(TWO_AN_ORDER, 11)]), "6 at most 2"),
        (sell(ACTIVE, &[(PLAIN, 6), (THREE_A_CUSTOMER, 2)]), "7 at most 3, already 2"),
    ]);
}

#[test]
fn cancellations_end_as_they_should() {
    check(&[
        (cancel(1, By::Owner(AccountId(ACTIVE))), "cancelled 1"),
        (cancel(1, By::Staff(AccountId(8))), "cancelled 1"),
        (cancel(2, By::Owner(AccountId(ACTIVE))), "cancelled 2 before"),
        (cancel(2, By::Staff(AccountId(8))), "cancelled 2 before"),
        // Somebody else's order does not exist, standing or cancelled.
        (cancel(1, By::Owner(AccountId(8))), "not found"),
        (cancel(2, By::Owner(AccountId(8))), "not found"),
        (cancel(3, By::Staff(AccountId(8))), "not found"),
    ]);
}

#[test]
fn moves_end_as_they_should() {
    let most = ON_HAND_MAX;
    check(&[
        (receive(PLAIN, 1, 4), "moved level 1: 9-2"),
        (receive(PLAIN, 3, 1), "moved level 3: 51-0"),
        (receive(PLAIN, EMPTY, most), "moved level 80: 1000000000-0"),
        (receive(DISABLED, 1, 1), "moved level 12: 11-0"),
        (receive(NO_VARIANT, NO_LOCATION, 0), "unknown variant 99"),
        (receive(PLAIN, NO_LOCATION, 0), "unknown location 9"),
        (receive(PLAIN, 1, 0), "quantity 0"),
        (receive(PLAIN, 1, most + 1), "quantity 1000000001"),
        (receive(PLAIN, 1, most), "too much"),
        (receive(PLAIN, 1, most - 5), "moved level 1: 1000000000-2"),
        (adjust(PLAIN, 1, Change::By(2)), "moved level 1: 7-2"),
        (adjust(PLAIN, 1, Change::By(-3)), "moved level 1: 2-2"),
        (adjust(PLAIN, 1, Change::By(-4)), "1 below 2"),
        (adjust(PLAIN, 1, Change::By(i64::MIN)), "-9223372036854775803 below 2"),
        (adjust(PLAIN, 1, Change::By(i64::MAX)), "too much"),
        (adjust(PLAIN, 1, Change::OnHand(2)), "moved level 1: 2-2"),
        (adjust(PLAIN, 1, Change::OnHand(1)), "1 below 2"),
        (adjust(PLAIN, 1, Change::OnHand(most + 1)), "too much"),
        (adjust(PLAIN, 1, Change::Available(0)), "moved level 1: 2-2"),
        (adjust(PLAIN, 1, Change::Available(9)), "moved level 1: 11-2"),
        (adjust(PLAIN, 1, Change::Available(-1)), "1 below 2"),
        (adjust(PLAIN, 1, Change::Available(i64::MAX)), "too much"),
        (adjust(PLAIN, EMPTY, Change::OnHand(3)), "moved level 80: 3-0"),
        (adjust(PLAIN, EMPTY, Change::By(-1)), "-1 below 0"),
        (adjust(NO_VARIANT, 1, Change::By(1)), "unknown variant 99"),
        (adjust(PLAIN, NO_LOCATION, Change::By(1)), "unknown location 9"),
        (transfer(PLAIN, 1, 2, 3), "moved level 1: 2-2, level 2: 5-0"),
        (transfer(PLAIN, 1, EMPTY, 1), "moved level 1: 4-2, level 80: 1-0"),
        (transfer(PLAIN, 1, 2, 4), "short 3/4"),
        (transfer(PLAIN, EMPTY, 1, 1), "short 0/1"),
        (transfer(PLAIN, 1, 1, 0), "same location"),
        (transfer(PLAIN, 1, 2, 0), "quantity 0"),
        (transfer(PLAIN, 1, 2, -1), "quantity -1"),
        (transfer(NO_VARIANT, 1, 1, 0), "unknown variant 99"),
        (transfer(PLAIN, 1, NO_LOCATION, 0), "unknown location 9"),
        (transfer(PLAIN, NO_LOCATION, 1, 0), "unknown location 9"),
    ]);
}

#[test]
fn a_transfer_must_not_overfill_its_target() {
    let fill = receive(PLAIN, 2, ON_HAND_MAX - 2);
    let mut snapshot = snapshot();
    let outcomes = decide_all(&mut snapshot, now(), [&fill, &transfer(PLAIN, 1, 2, 1)]);
    assert_eq!(told(&outcomes[1], &outcomes), "too much");
}

#[test]
fn an_unchanged_count_leaves_no_ledger_row() {
    let mut snapshot = snapshot();
    let same = adjust(PLAIN, 1, Change::OnHand(5));
    let outcomes = decide_all(&mut snapshot, now(), [&same]);
    assert_eq!(told(&outcomes[0], &outcomes), "moved level 1: 5-2");
    assert_eq!(snapshot.into_difference().0.movements.len(), 0);
}

#[test]
fn the_total_may_be_as_large_as_money_goes_and_no_larger() {
    let mut snapshot = snapshot();
    let free = snapshot.offers.get_mut(&VariantId(PLAIN)).expect("there");
    free.prices[0].1 = 0;
    let outcomes = decide_all(&mut snapshot, now(), [&sell(ACTIVE, &[(DEAR, 1), (PLAIN, 1)])]);
    assert_eq!(
        told(&outcomes[0], &outcomes),
        "order 70, 1000000000000: 1 of level 18, 1 of level 2"
    );
}

/// Commands of one batch see each other: each line is a command and its outcome.
fn check_batch(mut snapshot: Snapshot, batch: &[(Asked, &str)]) {
    let outcomes = decide_all(&mut snapshot, now(), batch.iter().map(|(asked, _)| asked));
    for ((asked, expected), outcome) in batch.iter().zip(&outcomes) {
        assert_eq!(told(outcome, &outcomes), *expected, "{asked:?}");
    }
}

#[test]
fn each_command_sees_what_the_one_before_has_left() {
    let owner = By::Owner(AccountId(ACTIVE));
    check_batch(
        snapshot(),
        &[
            (sell(ACTIVE, &[(LAST_COPY, 1)]), "order 70, 100: 1 of level 19"),
            (sell(ACTIVE, &[(LAST_COPY, 1)]), "short 9 0/1"),
            (receive(LAST_COPY, 1, 1), "moved level 19: 2-1"),
            (sell(ACTIVE, &[(LAST_COPY, 1)]), "order 71, 100: 1 of level 19"),
            // Order 1 gives its two units back, once.
            (sell(ACTIVE, &[(PLAIN, 6)]), "short 1 5/6"),
            (cancel(1, owner), "cancelled 1"),
            (cancel(1, owner), "cancelled 1 before"),
            (sell(ACTIVE, &[(PLAIN, 8)]), "short 1 7/8"),
            (sell(ACTIVE, &[(PLAIN, 7)]), "order 72, 700: 2 of level 2, 5 of level 1"),
            (adjust(PLAIN, 1, Change::By(-1)), "4 below 5"),
            (transfer(PLAIN, 1, 2, 1), "short 0/1"),
            // What this batch has sold counts towards the customer's limit.
            (sell(ACTIVE, &[(THREE_A_CUSTOMER, 1)]), "order 73, 100: 1 of level 17"),
            (sell(ACTIVE, &[(THREE_A_CUSTOMER, 1)]), "7 at most 3, already 3"),
        ],
    );
}

#[test]
fn a_key_is_remembered_when_its_command_was_done() {
    let mut known = snapshot();
    let mut know = |account, fingerprint, remembered| {
        let key = (AccountId(account).into(), "k".to_owned());
        known.keys.insert(key, KnownKey { fingerprint: [fingerprint; 32], remembered });
    };
    know(4, 1, Remembered::Order(OrderId(33)));
    know(5, 1, Remembered::Answer { status: 201, body: "{}".to_owned() });
    let buy = |quantity| sell(ACTIVE, &[(LAST_COPY, quantity)]);
    check_batch(
        known,
        &[
            // Refused: the key stays free for another attempt, also with another body.
            (keyed(buy(2), 1, 2), "short 9 1/2"),
            (keyed(buy(1), 1, 1), "order 70, 100: 1 of level 19"),
            (keyed(buy(1), 1, 1), "again order 70"),
            (keyed(buy(2), 1, 2), "key reused"),
            // A key belongs to its account.
            (keyed(receive(LAST_COPY, 1, 3), 2, 1), "moved level 19: 4-1"),
            (keyed(receive(LAST_COPY, 1, 3), 2, 1), "again moved level 19: 4-1"),
            (keyed(cancel(1, By::Staff(AccountId(8))), 3, 1), "cancelled 1"),
            (keyed(cancel(1, By::Staff(AccountId(8))), 3, 1), "again order 1"),
            // Remembered from earlier batches.
            (keyed(buy(1), 4, 1), "again order 33"),
            (keyed(buy(1), 4, 2), "key reused"),
            (keyed(receive(LAST_COPY, 1, 3), 5, 1), "again {}"),
            // Without a key everything is asked anew.
            (buy(1), "order 71, 100: 1 of level 19"),
        ],
    );
}
