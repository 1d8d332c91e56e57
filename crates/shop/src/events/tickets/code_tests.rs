use std::collections::HashSet;

use proptest::prelude::*;
use runout_core::stock::{LINES_MAX, QUANTITY_MAX};

use super::*;

fn signer() -> Signer {
    Signer::new(b"a secret of 32 bytes, or nearly.")
}

fn tickets() -> impl Strategy<Value = Ticket> {
    (1..1_i64 << ORDER_BITS, 1..=LINES_MAX as i64, 1..=QUANTITY_MAX)
        .prop_map(|(order_id, line_no, number)| Ticket { order_id, line_no, number })
}

fn sloppily(code: &str, seed: u64) -> String {
    let mut dice = seed;
    let mut typed = String::new();
    for character in code.chars() {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mistaken = match (character, dice >> 33 & 3) {
            ('0', 1) => 'o',
            ('0', 2) => 'O',
            ('1', 1) => 'l',
            ('1', 2) => 'I',
            (other, 0) => other.to_ascii_lowercase(),
            (other, _) => other,
        };
        typed.push(mistaken);
        match dice >> 40 & 7 {
            0 => typed.push(' '),
            1 => typed.push('-'),
            _ => {}
        }
    }
    typed
}

proptest! {
    #[test]
    fn a_code_is_read_as_it_was_made_however_it_is_typed(ticket in tickets(), seed: u64) {
        let signer = signer();
        let code = signer.code(ticket);
        prop_assert_eq!(code, signer.code(ticket));
        prop_assert_eq!(code.compact().len(), 30);
        prop_assert_eq!(signer.ticket(&code.compact()), Some(ticket));
        prop_assert_eq!(signer.ticket(&code.to_string()), Some(ticket));
        prop_assert_eq!(signer.ticket(&sloppily(&code.compact(), seed)), Some(ticket));
    }

    #[test]
    fn another_databases_codes_are_unknown(ticket in tickets(), secret: [u8; 32]) {
        prop_assert_eq!(signer().ticket(&Signer::new(&secret).code(ticket).compact()), None);
    }

    #[test]
    fn any_text_is_taken(text in ".{0,120}") {
        prop_assert_eq!(signer().ticket(&text), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every other character in every place; a character too many or too few; two swapped.
    #[test]
    fn no_altered_code_is_read(ticket in tickets()) {
        let signer = signer();
        let code = signer.code(ticket).compact();
        for place in 0..code.len() {
            for other in ALPHABET.iter().map(|byte| char::from(*byte)) {
                let mut altered: Vec<char> = code.chars().collect();
                if altered[place] != other {
                    altered[place] = other;
                    let altered: String = altered.into_iter().collect();
                    prop_assert_eq!(signer.ticket(&altered), None, "{} for {}", altered, code);
                }
            }
            let mut swapped: Vec<char> = code.chars().collect();
            swapped.swap(place, (place + 1) % code.len());
            let swapped: String = swapped.into_iter().collect();
            prop_assert!(swapped == code || signer.ticket(&swapped).is_none());
            let shorter = [&code[..place], &code[place + 1..]].concat();
            prop_assert_eq!(signer.ticket(&shorter), None);
        }
        prop_assert_eq!(signer.ticket(&format!("{code}0")), None);
    }
}

/// The codes of neighbours are as far apart as those of strangers, so nothing of the order's number
/// shows: in every place of the body there stands every character, and no two tails are alike.
#[test]
fn neighbours_have_nothing_in_common() {
    let signer = signer();
    let of = |order_id, number| signer.code(Ticket { order_id, line_no: 1, number });
    let mut tails = HashSet::new();
    let mut seen = [[0_u32; 32]; CODE_CHARS];
    for order_id in 1..=2_000 {
        for number in 1..=4 {
            let code = of(order_id, number);
            assert!(tails.insert(code.0[1 + TAG_CHARS..].to_vec()), "two tails are alike");
            for (place, value) in code.0.iter().enumerate() {
                seen[place][usize::from(*value)] += 1;
            }
        }
    }
    // 8,000 codes, 250 of each character in each place: 150 is more than six deviations away.
    for (place, counts) in seen.iter().enumerate().skip(1) {
        let fair = counts.iter().all(|count| (150..=350).contains(count));
        assert!(fair, "place {place}: {counts:?}");
    }
}

#[test]
fn the_parts_have_bounds() {
    for (order_id, line_no, number) in
        [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1), (1 << 44, 1, 1), (1, 128, 1), (1, 1, 1 << 14)]
    {
        assert_eq!(Ticket { order_id, line_no, number }.packed(), None);
    }
    const { assert!(LINES_MAX < 1 << LINE_BITS && QUANTITY_MAX < 1 << NUMBER_BITS) };
    let largest = Ticket { order_id: (1 << 44) - 1, line_no: 127, number: (1 << 14) - 1 };
    assert_eq!(signer().ticket(&signer().code(largest).compact()), Some(largest));
}

/// Tickets are printed: what was a code once must be one for ever.
#[test]
fn codes_stay_what_they_are() {
    let code = signer().code(Ticket { order_id: 1_234_567, line_no: 2, number: 3 });
    assert_eq!(code.to_string(), "19P9F D57DJ 9F0GJ 00XDX WGMMT HN4S0");
}
