//! Tables: every way a change of a basket and a checkout can end, one line each, and which reason
//! comes first.

use super::stage::{Stage, checkout, extend, merge, sell, set_line, token};
use super::world::{LIMITED_PER_CUSTOMER, LIMITED_PER_ORDER, PERCENT, UNRELEASED, dollar};
use crate::discount::{Discount, Kind};
use crate::ids::{AccountId, BasketId, DiscountId, VariantId};
use crate::money::AMOUNT_MINOR_MAX;
use crate::stock::{Command, Holder, LINES_MAX, Offer};

const ACCOUNT: Holder = Holder::Account(AccountId(1));
const NO_VARIANT: i64 = 99;
const DISABLED: i64 = 5;
/// Costs something in dollars only.
const PRICELESS: i64 = 7;

// The baskets of [`stage`].
/// A guest's: 2 of variant 1, at 50 each.
const GUEST: i64 = 1;
/// Account 1's: 1 of variant 2, at 100, the last one.
const MINE: i64 = 2;
const ORDERED: i64 = 3;
const MERGED: i64 = 4;
/// Of an account that was deactivated.
const INACTIVE: i64 = 5;
const EMPTY: i64 = 6;
const DOLLARS: i64 = 7;
/// A guest's whose one unit of variant 4 has lapsed.
const LAPSED: i64 = 8;
/// Account 1's, elsewhere: holds 1 of the variant limited per customer; has bought 1 of it.
const OTHER: i64 = 9;
const NONE: i64 = 99;

/// Variant 1: 7 at two locations; variant 2: 1; variant 3: 10; variant 4: 4 that others hold.
fn stage() -> Stage {
    let stock = [(1, 1, 4), (1, 2, 3), (2, 1, 1), (3, 1, 10), (4, 1, 4), (5, 1, 9), (6, 1, 9)];
    let mut stage = Stage::with(&stock);
    for account in [0, 1, 0, 0, 4, 0, 0, 0, 1] {
        stage.basket(account);
    }
    stage.dollars(DOLLARS);
    let mut priceless = stage.world.offers[&VariantId(1)].clone();
    priceless.prices = vec![(dollar(), 70)];
    stage.world.offers.insert(VariantId(PRICELESS), priceless);
    stage.set(LAPSED, 4, 1);
    stage.now = 100;
    for _ in 0..2 {
        let other = stage.basket(0);
        stage.set(other, LIMITED_PER_ORDER, 2);
    }
    stage.set(GUEST, 1, 2);
    stage.set(MINE, 2, 1);
    stage.set(ORDERED, 1, 1);
    assert!(stage.checkout(ORDERED).starts_with("order 1,"));
    let into = stage.basket(3);
    stage.set(MERGED, 1, 1);
    assert!(stage.merge(MERGED, into).starts_with("kept"));
    stage.set(OTHER, LIMITED_PER_CUSTOMER, 1);
    assert!(stage.ask(sell(1, LIMITED_PER_CUSTOMER, 1)).starts_with("order 2,"));
    stage.world.offers.get_mut(&VariantId(DISABLED)).expect("there").enabled = false;
    stage
}

/// Each on a shop of its own; the world sees to it that a refusal changes nothing.
fn check(cases: Vec<(Command, &str)>) {
    for (command, expected) in cases {
        assert_eq!(stage().ask(command.clone()), expected, "{command:?}");
    }
}

fn guest(basket: i64) -> Holder {
    Holder::Token(token(basket))
}

#[test]
fn lines_end_as_they_should() {
    let line = |by, basket, variant, quantity| set_line(by, basket, variant, quantity);
    let mine = |variant, quantity| line(ACCOUNT, MINE, variant, quantity);
    let inactive = Holder::Account(AccountId(4));
    check(vec![
        (line(guest(GUEST), GUEST, 1, 5), "kept 1:5/5 until 200"),
        (line(guest(GUEST), GUEST, 1, 1), "kept 1:1/1 until 200"),
        (line(guest(GUEST), GUEST, 1, 0), "kept "),
        (line(guest(GUEST), GUEST, NO_VARIANT, 0), "kept 1:2/2 until 200"),
        (mine(1, 3), "kept 1:3/3 until 200, 2:1/1 until 200"),
        // Nobody is told of what is not theirs.
        (line(guest(NONE), NONE, 1, 1), "not found"),
        (line(guest(EMPTY), GUEST, 1, 1), "not found"),
        (line(ACCOUNT, GUEST, 1, 1), "not found"),
        (line(guest(MINE), MINE, 1, 1), "not found"),
        (line(Holder::Account(AccountId(2)), MINE, 1, 1), "not found"),
        (line(guest(EMPTY), ORDERED, 1, 1), "not found"),
        (line(guest(ORDERED), ORDERED, 1, 1), "ordered as 1"),
        (line(guest(MERGED), MERGED, 1, 1), "merged"),
        (line(inactive, INACTIVE, 1, 1), "inactive"),
        (mine(1, -1), "quantity -1"),
        (mine(1, 10_001), "quantity 10001"),
        (mine(NO_VARIANT, 1), "not for sale 99 unknown"),
        (mine(DISABLED, 1), "not for sale 5 unknown"),
        (mine(UNRELEASED, 1), "not for sale 6 until 1970-01-01T00:03:20Z"),
        (mine(PRICELESS, 1), "not for sale 7 without price"),
        (mine(LIMITED_PER_ORDER, 4), "4 at most 3"),
        // One was bought, one is held by the other basket.
        (mine(LIMITED_PER_CUSTOMER, 1), "kept 2:1/1 until 200, 3:1/1 until 200"),
        (mine(LIMITED_PER_CUSTOMER, 2), "3 at most 3, already 2"),
        (line(ACCOUNT, OTHER, LIMITED_PER_CUSTOMER, 2), "kept 3:2/2 until 200"),
        (line(ACCOUNT, OTHER, LIMITED_PER_CUSTOMER, 3), "3 at most 3, already 1"),
        // A guest is known by this basket only.
        (line(guest(EMPTY), EMPTY, LIMITED_PER_CUSTOMER, 3), "kept 3:3/3 until 200"),
        (line(guest(EMPTY), EMPTY, LIMITED_PER_CUSTOMER, 4), "3 at most 3, already 0"),
        (mine(1, 4), "short 1 3/4"),
        (mine(2, 2), "short 2 1/2"),
        (line(guest(GUEST), GUEST, 1, 6), "short 1 5/6"),
        (line(guest(GUEST), GUEST, 1, 10_000), "short 1 5/10000"),
        // Each reason before the next.
        (line(guest(ORDERED), ORDERED, NO_VARIANT, -1), "ordered as 1"),
        (line(inactive, INACTIVE, NO_VARIANT, -1), "inactive"),
        (mine(NO_VARIANT, 10_001), "quantity 10001"),
        (mine(LIMITED_PER_ORDER, 5), "4 at most 3"),
        (mine(LIMITED_PER_CUSTOMER, 50), "3 at most 3, already 2"),
    ]);
}

#[test]
fn extensions_and_mergers_end_as_they_should() {
    let inactive = Holder::Account(AccountId(4));
    check(vec![
        (extend(guest(GUEST), GUEST), "kept 1:2/2 until 200"),
        (extend(guest(EMPTY), EMPTY), "kept "),
        // The lapsed line says so: others hold all.
        (extend(guest(LAPSED), LAPSED), "kept 4:0/1"),
        (extend(guest(NONE), NONE), "not found"),
        (extend(ACCOUNT, GUEST), "not found"),
        (extend(guest(ORDERED), ORDERED), "ordered as 1"),
        (extend(guest(MERGED), MERGED), "merged"),
        (extend(inactive, INACTIVE), "inactive"),
        (merge(token(GUEST), GUEST, 1, MINE), "kept 1:2/2 until 200, 2:1/1 until 200"),
        (merge(token(LAPSED), LAPSED, 1, MINE), "kept 2:1/1 until 200, 4:0/1"),
        (merge(token(EMPTY), EMPTY, 1, MINE), "kept 2:1/1 until 200"),
        (merge(token(EMPTY), GUEST, 1, MINE), "not found"),
        (merge(token(NONE), NONE, 1, MINE), "not found"),
        (merge(token(GUEST), GUEST, 2, MINE), "not found"),
        (merge(token(GUEST), GUEST, 1, NONE), "not found"),
        (merge(token(GUEST), GUEST, 1, EMPTY), "not found"),
        (merge(token(MERGED), MERGED, 1, MINE), "merged"),
        (merge(token(ORDERED), ORDERED, 1, MINE), "ordered as 1"),
        (merge(token(GUEST), GUEST, 4, INACTIVE), "inactive"),
        (merge(token(DOLLARS), DOLLARS, 1, MINE), "other currency"),
        // Each reason before the next.
        (merge(token(ORDERED), ORDERED, 4, INACTIVE), "ordered as 1"),
        (merge(token(DOLLARS), DOLLARS, 4, INACTIVE), "inactive"),
    ]);
}

#[test]
fn a_merger_keeps_to_the_limits_of_account_and_basket() {
    let mut stage = stage();
    stage.set(EMPTY, LIMITED_PER_CUSTOMER, 3);
    assert_eq!(stage.stock(LIMITED_PER_CUSTOMER), (10, 5));
    // One was bought, one is held by the other basket: two of three units go back to the shelf.
    let merged = stage.merge(EMPTY, MINE);
    assert_eq!(merged, "kept 2:1/1 until 200, 3:1/1 until 200");
    assert_eq!(stage.stock(LIMITED_PER_CUSTOMER), (10, 3));
}

#[test]
fn a_merger_takes_nothing_anew_that_cannot_be_bought() {
    let mut stage = Stage::with(&[(1, 1, 1), (1, 2, 4)]);
    let (mine, guest) = (stage.basket(1), stage.basket(0));
    stage.set(guest, 1, 2);
    stage.now = 100;
    assert_eq!(stage.set(mine, 1, 1), "kept 1:1/1 until 200");
    of(&mut stage, 1).enabled = false;
    assert_eq!(stage.merge(guest, mine), "kept 1:1/1 until 200");
    // Nor do holds that met there lapse in parts while nobody may buy.
    let other = stage.basket(0);
    of(&mut stage, 1).enabled = true;
    stage.now = 150;
    assert_eq!(stage.set(other, 1, 4), "kept 1:4/4 until 250");
    of(&mut stage, 1).enabled = false;
    assert_eq!(stage.merge(other, mine), "kept 1:5/5 until 200");
    of(&mut stage, 1).enabled = true;
    stage.now = 199;
    assert!(stage.checkout(mine).starts_with("order 1, 250:"));
}

#[test]
fn a_basket_has_at_most_a_hundred_lines_however_they_come() {
    let mut stage = Stage::with(&[]);
    let (many, some, mine) = (stage.basket(0), stage.basket(0), stage.basket(1));
    let variants = 1_000..1_000 + LINES_MAX as i64 + 20;
    for variant in variants.clone() {
        let offer = stage.world.offers[&VariantId(1)].clone();
        stage.world.offers.insert(VariantId(variant), offer);
        stage.receive(variant, 1, 5);
    }
    for variant in variants.clone().take(LINES_MAX) {
        assert!(stage.set(many, variant, 1).starts_with("kept"));
    }
    let next = variants.start + LINES_MAX as i64;
    assert_eq!(stage.set(many, next, 1), "too many lines");
    assert_eq!(stage.set(many, next, 0).split(", ").count(), LINES_MAX);
    assert_eq!(stage.set(many, next - 1, 2).split(", ").count(), LINES_MAX);
    // Sixty lines and ninety-five, thirty-five of them the same: the first hundred stay.
    for variant in variants.clone().skip(60) {
        stage.set(some, variant, 1);
    }
    for variant in variants.clone().take(95) {
        stage.set(mine, variant, 1);
    }
    let merged = stage.merge(some, mine);
    assert_eq!(merged.split(", ").count(), LINES_MAX, "{merged}");
}

fn buy(basket: i64, by: Holder) -> Command {
    checkout(by, basket, Some("ana"), None)
}

#[test]
fn checkouts_end_as_they_should() {
    check(vec![
        (buy(GUEST, guest(GUEST)), "order 3, 100: 2 of level 2"),
        (buy(MINE, ACCOUNT), "order 3, 100: 1 of level 3"),
        (checkout(ACCOUNT, MINE, None, None), "order 3, 100: 1 of level 3"),
        (checkout(ACCOUNT, MINE, None, Some(100)), "order 3, 100: 1 of level 3"),
        (buy(NONE, guest(NONE)), "not found"),
        (buy(GUEST, guest(EMPTY)), "not found"),
        (buy(GUEST, ACCOUNT), "not found"),
        (buy(ORDERED, guest(ORDERED)), "ordered as 1"),
        (buy(MERGED, guest(MERGED)), "merged"),
        (buy(INACTIVE, Holder::Account(AccountId(4))), "inactive"),
        (checkout(guest(GUEST), GUEST, None, None), "email missing"),
        (buy(EMPTY, guest(EMPTY)), "empty"),
        (buy(LAPSED, guest(LAPSED)), "short 4 0/1"),
        (checkout(ACCOUNT, MINE, None, Some(99)), "price changed ; total 100"),
        // Each reason before the next.
        (checkout(guest(ORDERED), ORDERED, None, None), "ordered as 1"),
        (checkout(guest(EMPTY), EMPTY, None, None), "email missing"),
    ]);
}

/// What the staff changes while somebody fills their basket, and how the checkout ends then.
#[test]
fn checkouts_see_what_has_changed_meanwhile() {
    type Change = fn(&mut Stage);
    let cases: [(Change, &str); 16] = [
        (|s| of(s, 2).enabled = false, "not for sale 2 unknown"),
        (|s| _ = s.world.offers.remove(&VariantId(2)), "not for sale 2 unknown"),
        (
            |s| of(s, 2).release_at = Some(super::at(101)),
            "not for sale 2 until 1970-01-01T00:01:41Z",
        ),
        (|s| of(s, 2).prices.clear(), "not for sale 2 without price"),
        (|s| of(s, 2).limit_per_order = Some(0), "2 at most 0"),
        (|s| of(s, 2).limit_per_customer = Some(0), "2 at most 0, already 0"),
        (|s| of(s, 2).prices[0].1 = 120, "price changed 2 100 to 120; total 120"),
        (|s| of(s, 2).prices[0].1 = 0, "price changed 2 100 to 0; total 0"),
        (|s| of(s, 2).prices[0].1 = AMOUNT_MINOR_MAX + 1, "total too large"),
        (|s| code(s, 9), "discount unknown"),
        (|s| discount(s).active = false, "discount inactive"),
        (|s| discount(s).starts_at = Some(super::at(101)), "discount from 101"),
        (|s| discount(s).ends_at = Some(super::at(100)), "discount over since 100"),
        (|s| discount(s).kind = Kind::Amount { minor: 1, currency: dollar() }, "discount in USD"),
        (|s| discount(s).uses_max = Some(0), "discount used up"),
        (|s| discount(s).uses_per_customer_max = Some(0), "discount used up by customer"),
    ];
    for (change, expected) in cases {
        let mut stage = stage();
        change(&mut stage);
        assert_eq!(stage.checkout(MINE), expected);
    }
}

fn of(stage: &mut Stage, variant: i64) -> &mut Offer {
    stage.world.offers.get_mut(&VariantId(variant)).expect("there")
}

fn code(stage: &mut Stage, id: i64) {
    let basket = stage.world.baskets.get_mut(&BasketId(MINE)).expect("there");
    basket.discount = Some(DiscountId(id));
}

/// The ten percent, entered into the basket.
fn discount(stage: &mut Stage) -> &mut Discount {
    code(stage, PERCENT);
    &mut stage.world.discounts.get_mut(&DiscountId(PERCENT)).expect("there").discount
}
