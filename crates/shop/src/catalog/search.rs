//! Full-text search: how text and queries become words, the same on both engines.
//!
//! A word is folded: lower case, without diacritics, letters and digits only. Both engines get
//! words that are already folded and separated by single spaces, and split there only, so what one
//! finds the other finds. A query is built from folded words alone: nothing a client typed can
//! be query syntax.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words of a query that count; more would only slow it down.
pub const QUERY_WORDS_MAX: usize = 12;
/// Characters of a word that count: PostgreSQL takes lexemes of up to 2,046 bytes.
const WORD_CHARS_MAX: usize = 64;

/// The searchable words of some texts, separated by spaces.
///
/// A word with apostrophes is kept whole and in parts: `Pepper's` is found as `peppers` and as
/// `pepper`.
pub fn fold(texts: &[&str]) -> String {
    let mut words = Vec::new();
    for text in texts {
        split(text, Apostrophe::Joins, &mut words);
        if text.chars().any(is_apostrophe) {
            split(text, Apostrophe::Separates, &mut words);
        }
    }
    words.join(" ")
}

/// A query: every word must occur, the last one as the beginning of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Vec<String>);

impl Query {
    /// Reads what a person typed. A text without a single letter or digit finds nothing.
    pub fn new(text: &str) -> Self {
        let mut words = Vec::new();
        split(text, Apostrophe::Joins, &mut words);
        words.truncate(QUERY_WORDS_MAX);
        Self(words)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For `match` of an FTS5 table: `"we" "are" "rea"*`.
    pub fn fts5(&self) -> String {
        let quoted: Vec<String> = self.0.iter().map(|word| format!("\"{word}\"")).collect();
        quoted.join(" ") + "*"
    }

    /// For a cast to `tsquery`: `'we' & 'are' & 'rea':*`.
    pub fn tsquery(&self) -> String {
        let quoted: Vec<String> = self.0.iter().map(|word| format!("'{word}'")).collect();
        quoted.join(" & ") + ":*"
    }
}

/// What an apostrophe inside a word does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apostrophe {
    Joins,
    Separates,
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}' | '\u{60}' | '\u{b4}')
}

fn split(text: &str, apostrophe: Apostrophe, words: &mut Vec<String>) {
    let mut word = String::new();
    let mut chars = 0;
    let mut end = |word: &mut String, chars: &mut usize| {
        *chars = 0;
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    let kept = text.chars().filter(|c| apostrophe == Apostrophe::Separates || !is_apostrophe(*c));
    for c in kept.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if is_combining_mark(c) {
            // The lower case of U+0130 brings its dot along as a mark.
            continue;
        }
        if !c.is_alphanumeric() {
            end(&mut word, &mut chars);
        } else if is_ideograph(c) {
            // Written without spaces: each character is a word.
            end(&mut word, &mut chars);
            word.push(c);
            end(&mut word, &mut chars);
        } else if chars < WORD_CHARS_MAX {
            chars += 1;
            match plain(c) {
                Some(letters) => word.push_str(letters),
                None => word.push(c),
            }
        }
    }
    end(&mut word, &mut chars);
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{3fffd}')
}

/// Latin letters that do not decompose, as people type them without their own keyboard.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_folded() {
        for (text, folded) in [
            ("Honky Château", "honky chateau"),
            ("Honky Cha\u{302}teau", "honky chateau"),
            ("Sigur Rós: ( )", "sigur ros"),
            ("Motörhead — Ace of Spades!", "motorhead ace of spades"),
            ("Ænima, Øystein, Łódź, Straße, İstanbul", "aenima oystein lodz strasse istanbul"),
            ("Sgt. Pepper's", "sgt peppers sgt pepper s"),
            ("AC/DC  1980", "ac dc 1980"),
            ("ﬁne ① Ⅳ", "fine 1 iv"),
            ("東京 Jazz", "東 京 jazz"),
            ("ЁЛКА", "елка"),
            ("!!!", ""),
            ("", ""),
            ("a\0b\u{202e}c", "a b c"),
        ] {
            assert_eq!(fold(&[text]), folded, "{text:?}");
        }
        assert_eq!(fold(&["One", "", "Two"]), "one two");
    }

    #[test]
    fn queries_are_quoted() {
        let query = Query::new("We are Rea");
        assert_eq!(query.fts5(), r#""we" "are" "rea"*"#);
        assert_eq!(query.tsquery(), "'we' & 'are' & 'rea':*");
        assert_eq!(Query::new("pepper's").fts5(), r#""peppers"*"#);
        assert!(Query::new("\"*():&|!<->").is_empty());
        assert_eq!(Query::new(r#"a" OR b NEAR(c)"#).fts5(), r#""a" "or" "b" "near" "c"*"#);
        assert_eq!(Query::new(&"w ".repeat(50)).0.len(), QUERY_WORDS_MAX);
    }

    proptest! {
        #[test]
        fn words_are_letters_and_digits(text in ".*") {
            for word in fold(&[&text]).split(' ').filter(|_| !text.is_empty()) {
                prop_assert!(word.chars().all(char::is_alphanumeric), "{word:?}");
                prop_assert!(word.chars().count() <= 2 * WORD_CHARS_MAX);
            }
        }

        #[test]
        fn folding_again_changes_nothing(text in "\\PC*") {
            let once = fold(&[&text]);
            let apostrophes = text.chars().any(is_apostrophe);
            prop_assert!(apostrophes || fold(&[&once]) == once, "{once:?}");
        }
    }
}
