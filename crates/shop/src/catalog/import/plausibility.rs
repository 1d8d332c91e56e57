//! How well a non-ASCII character fits between its neighbours in a list of records, in points.
//!
//! The points only rank the single-byte readings of the same bytes against each other. What
//! matters: accented letters belong into words, and a capital does not follow a small letter;
//! quotes and dashes have their sides; a symbol inside a word is a misreading.

const FITS: i64 = 3;
const MAY_BE: i64 = 1;
const ODD: i64 = -1;
const UNLIKELY: i64 = -4;
const ABSURD: i64 = -6;
const IMPOSSIBLE: i64 = -10;

/// Capitals with an accent that names and words in Latin letters really begin with.
const USUAL_CAPITALS: &str = "ÁÀÅÄÂÆÇÉÈÍÎÑÓÖØÚÜŠŽ";

/// The small letters with an accent that titles are full of. The others (š, ž, ÿ, ð ...) are what
/// one encoding makes of these in another.
const USUAL_SMALL: &str = "áàâäãåæçéèêëíîïñóôöõøúüß";

/// Points for `char` between `left` and `right`: positive if it fits, negative if not.
pub(super) fn plausibility(left: char, char: char, right: char) -> i64 {
    match char {
        char if char.is_control() || char == char::REPLACEMENT_CHARACTER => IMPOSSIBLE,
        '\u{a0}' => no_break_space(left, right),
        // "cœur", "Œuvres": more usual than the "å" that the same byte may be.
        'œ' | 'Œ' if right == 'u' => FITS + 1,
        char if is_letter(char) && char.is_lowercase() => small_letter(left, char, right),
        char if is_letter(char) => capital(left, char, right),
        '’' if is_letter(left) => FITS,
        '‘' | '“' | '«' | '¿' | '¡' => side(!is_word(left), !right.is_whitespace()),
        '’' | '”' | '»' => side(!left.is_whitespace(), !is_word(right)),
        '–' | '—' => side(!is_letter(left) || !is_letter(right), true),
        '…' => side(true, !is_letter(right) || is_letter(left)),
        '€' | '£' | '¥' => {
            side(!is_word(left) || !is_word(right), is_word(left) || is_word(right))
        }
        '°' | 'º' | 'ª' | '½' | '¼' | '¾' | '²' | '³' if left.is_ascii_digit() => FITS,
        '½' | '·' | '×' | '&' | '©' | '®' | '™' if !is_word(right) => MAY_BE,
        _ if is_word(left) && is_word(right) => ABSURD,
        _ => UNLIKELY,
    }
}

fn no_break_space(left: char, right: char) -> i64 {
    let blank = |char: char| char.is_whitespace();
    if blank(left) && blank(right) { ODD } else { FITS - 1 }
}

fn small_letter(left: char, char: char, right: char) -> i64 {
    match (is_letter(left), is_letter(right)) {
        // "aBc": a small letter before a capital only stands in made-up names.
        (_, true) if right.is_uppercase() => UNLIKELY,
        (true, _) if left.is_uppercase() && right.is_uppercase() => UNLIKELY,
        (true, _) | (_, true) if USUAL_SMALL.contains(char) => FITS,
        (true, _) | (_, true) => FITS - 1,
        _ if "àáâãèéêíìóòôúùøåæö".contains(char) => MAY_BE,
        _ => ODD,
    }
}

fn capital(left: char, char: char, right: char) -> i64 {
    let usual = USUAL_CAPITALS.contains(char);
    if is_letter(left) {
        return if left.is_lowercase() || right.is_lowercase() { UNLIKELY } else { FITS };
    }
    match right {
        right if !is_letter(right) => ODD,
        right if right.is_lowercase() && usual => FITS,
        right if right.is_uppercase() && usual => MAY_BE,
        right if right.is_lowercase() => MAY_BE,
        // ",ÊPop": a rare capital where a blank belongs.
        _ => ODD - 1,
    }
}

fn side(left_fits: bool, right_fits: bool) -> i64 {
    if left_fits && right_fits { FITS } else { UNLIKELY }
}

/// Latin letters: what else Mac Roman has of letters (Ω, π, ƒ, ligatures) is a symbol in a title.
fn is_letter(char: char) -> bool {
    char.is_alphabetic() && (char < '\u{180}') && !matches!(char, 'ª' | 'º' | 'ı')
}

fn is_word(char: char) -> bool {
    is_letter(char) || char.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::plausibility;

    #[test]
    fn good_readings_beat_bad_ones() {
        // The same bytes read in two ways: the first is the right one.
        for (good, bad) in [
            (('h', 'â', 't'), ('h', '‰', 't')),
            ((',', '\u{a0}', 'P'), (',', 'Ê', 'P')),
            ((',', '\u{a0}', 'P'), (',', 'æ', 'P')),
            (('t', 'ö', 'r'), ('t', '^', 'r')),
            (('f', 'é', ' '), ('f', 'È', ' ')),
            (('f', 'é', ' '), ('f', 'Ž', ' ')),
            ((' ', 'É', 't'), (' ', 'ƒ', 't')),
            (('n', '’', 't'), ('n', 'Õ', 't')),
            (('\n', 'Ö', 'l'), ('\n', '÷', 'l')),
            (('o', '\u{a0}', 'f'), ('o', 'Ê', 'f')),
        ] {
            let points = |(left, char, right)| plausibility(left, char, right);
            assert!(points(good) > points(bad), "{good:?} against {bad:?}");
            assert!(points(good) > 0, "{good:?}");
        }
    }
}
