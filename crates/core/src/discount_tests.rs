//! Which codes may be used, what they take off, and that no unit is lost in spreading it.

use proptest::prelude::*;

use super::*;
use crate::money::AMOUNT_MINOR_MAX;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a moment")
}

fn currency(code: &str) -> Currency {
    code.parse().expect("a real currency")
}

fn discount(kind: Kind) -> Discount {
    Discount {
        id: DiscountId(1),
        kind,
        active: true,
        starts_at: None,
        ends_at: None,
        uses_max: None,
        uses_per_customer_max: None,
        uses: 0,
    }
}

fn ten_percent() -> Discount {
    discount(Kind::PercentBp(1_000))
}

#[test]
fn a_code_is_refused_for_the_first_reason_that_applies() {
    let eur = Kind::Amount { minor: 500, currency: currency("EUR") };
    let everything_wrong = Discount {
        active: false,
        starts_at: Some(at(200)),
        ends_at: Some(at(50)),
        uses_max: Some(1),
        uses: 1,
        uses_per_customer_max: Some(1),
        ..discount(eur)
    };
    let mut now_right = everything_wrong;
    let gbp = currency("GBP");
    assert_eq!(now_right.check(at(100), gbp, 1), Err(Refusal::Inactive));
    now_right.active = true;
    assert_eq!(now_right.check(at(100), gbp, 1), Err(Refusal::NotYet { from: at(200) }));
    now_right.starts_at = Some(at(10));
    assert_eq!(now_right.check(at(100), gbp, 1), Err(Refusal::Over { since: at(50) }));
    now_right.ends_at = None;
    let wrong_currency = Refusal::Currency { currency: currency("EUR") };
    assert_eq!(now_right.check(at(100), gbp, 1), Err(wrong_currency));
    assert_eq!(now_right.check(at(100), currency("EUR"), 1), Err(Refusal::UsedUp));
    now_right.uses_max = Some(2);
    assert_eq!(now_right.check(at(100), currency("EUR"), 1), Err(Refusal::UsedUpByCustomer));
    now_right.uses_per_customer_max = Some(2);
    assert_eq!(now_right.check(at(100), currency("EUR"), 1), Ok(()));
}

#[test]
fn the_window_begins_at_its_first_moment_and_ends_before_its_last() {
    let window = Discount { starts_at: Some(at(10)), ends_at: Some(at(20)), ..ten_percent() };
    for (second, allowed) in [(9, false), (10, true), (19, true), (20, false)] {
        assert_eq!(window.check(at(second), currency("EUR"), 0).is_ok(), allowed, "{second}");
    }
}

#[test]
fn uses_count_up_to_the_limit() {
    for (uses, by_customer, allowed) in
        [(0, 0, true), (4, 1, true), (5, 0, false), (6, 0, false), (0, 2, false), (0, 3, false)]
    {
        let limited =
            Discount { uses, uses_max: Some(5), uses_per_customer_max: Some(2), ..ten_percent() };
        let checked = limited.check(at(0), currency("JPY"), by_customer);
        assert_eq!(checked.is_ok(), allowed, "{uses} uses, {by_customer} by the customer");
    }
}

#[test]
fn what_is_taken_off_is_as_computed_by_hand() {
    let amount = |minor| Kind::Amount { minor, currency: currency("EUR") };
    for (kind, goods, off) in [
        (Kind::PercentBp(1_000), 1_999, 200),
        (Kind::PercentBp(1_000), 5, 1),
        (Kind::PercentBp(1_000), 4, 0),
        (Kind::PercentBp(1_250), 1_000, 125),
        (Kind::PercentBp(1), 4_999, 0),
        (Kind::PercentBp(1), 5_000, 1),
        (Kind::PercentBp(10_000), 777, 777),
        (Kind::PercentBp(3_333), 0, 0),
        (Kind::PercentBp(10_000), AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX),
        (amount(500), 1_999, 500),
        (amount(500), 500, 500),
        (amount(500), 499, 499),
        (amount(500), 0, 0),
    ] {
        assert_eq!(discount(kind).minor(goods), off, "{kind:?} of {goods}");
    }
}

#[test]
fn parts_are_as_computed_by_hand() {
    for (off, lines, parts) in [
        (100, &[100, 100, 100][..], &[34, 33, 33][..]),
        (200, &[100, 100, 100], &[67, 67, 66]),
        (1, &[1, 1, 1], &[1, 0, 0]),
        (1, &[1, 2, 1], &[0, 1, 0]),
        (5, &[0, 10, 0], &[0, 5, 0]),
        (3, &[3], &[3]),
        (6, &[1, 2, 3], &[1, 2, 3]),
        (0, &[7, 8], &[0, 0]),
        (0, &[0, 0], &[0, 0]),
        (0, &[], &[]),
        (10, &[999, 1], &[10, 0]),
    ] {
        assert_eq!(apportion(off, lines), parts, "{off} over {lines:?}");
    }
}

#[test]
fn shares_are_read_exactly() {
    for (text, expected) in [
        ("10", Ok(1_000)),
        ("12.5", Ok(1_250)),
        ("0.01", Ok(1)),
        ("100", Ok(10_000)),
        ("100.00", Ok(10_000)),
        ("0", Err("must be more than 0 and at most 100")),
        ("100.01", Err("must be more than 0 and at most 100")),
        ("12.505", Err("has more than 2 decimals")),
        ("-5", Err("must not be negative")),
        ("10%", Err("is not a decimal number such as 12.5")),
    ] {
        let read = parse_percent(text).map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{text}");
    }
}

/// A discount and lines that it fits.
fn discounted_lines() -> impl Strategy<Value = (i64, Vec<i64>)> {
    let lines = prop_oneof![
        prop::collection::vec(0..20_i64, 1..12),
        prop::collection::vec(0..=AMOUNT_MINOR_MAX, 1..100),
    ];
    lines.prop_flat_map(|lines| (0..=lines.iter().sum::<i64>(), Just(lines)))
}

proptest! {
    #[test]
    fn parts_add_up_and_fit_their_lines((off, lines) in discounted_lines()) {
        let parts = apportion(off, &lines);
        prop_assert_eq!(parts.len(), lines.len());
        prop_assert_eq!(parts.iter().sum::<i64>(), off);
        let sum: i128 = lines.iter().map(|line| i128::from(*line)).sum();
        for (part, line) in parts.iter().zip(&lines) {
            prop_assert!((0..=*line).contains(part));
            // Within one unit of the exact share.
            let exact = i128::from(*line) * i128::from(off);
            prop_assert!(sum == 0 || (i128::from(*part) * sum - exact).abs() < sum);
        }
    }

    #[test]
    fn a_dearer_line_never_gets_less((off, lines) in discounted_lines()) {
        let parts = apportion(off, &lines);
        for (one, part) in lines.iter().zip(&parts) {
            for (other, others_part) in lines.iter().zip(&parts) {
                prop_assert!(one <= other || part >= others_part);
            }
        }
    }

    #[test]
    fn dearer_goods_never_get_less_off(
        goods in 0..AMOUNT_MINOR_MAX,
        more in 0..1_000_000_i64,
        share in 1..=PERCENT_BP_MAX,
        amount in 1..=AMOUNT_MINOR_MAX,
    ) {
        for kind in [
            Kind::PercentBp(share),
            Kind::Amount { minor: amount, currency: currency("EUR") },
        ] {
            let discount = discount(kind);
            let off = discount.minor(goods);
            prop_assert!((0..=goods).contains(&off));
            prop_assert!(discount.minor(goods + more) >= off);
        }
    }

    #[test]
    fn a_written_share_can_be_read(share in 1..=PERCENT_BP_MAX) {
        prop_assert_eq!(parse_percent(&percent(share)), Ok(share));
    }
}
