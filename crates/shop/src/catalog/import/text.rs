//! Cleaning of text from files: blanks, control characters, shortening for messages.

/// Longest excerpt of a value in an error.
const SHOWN_CHARS_MAX: usize = 40;

/// One line of text: every blank (no-break spaces, tabs and line ends included) becomes a plain
/// space, runs of them one, the ends go; control and invisible direction characters go.
pub(super) fn clean_line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for word in text.split(char::is_whitespace) {
        let length = clean.len();
        if length > 0 {
            clean.push(' ');
        }
        clean.extend(word.chars().filter(|char| !is_invisible(*char)));
        // Nothing visible came: neither does the blank before it.
        if clean.len() == length + usize::from(length > 0) {
            clean.truncate(length);
        }
    }
    clean
}

/// Like [`clean_line`], but line ends stay, at most one empty line in a row.
pub(super) fn clean_block(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut clean = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.split('\n').map(clean_line) {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !clean.is_empty() {
            clean.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        clean.push_str(&line);
        empty = 0;
    }
    clean
}

/// Control characters would reach terminals and pages; direction marks disguise text; a byte order
/// mark or zero-width space makes two equal titles differ.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// The start of `text`, on one line, for an error message.
pub(super) fn shorten(text: &str) -> String {
    // Four times over is enough to fill the excerpt with what cleaning leaves of ordinary text.
    let start: String = text.chars().take(4 * SHOWN_CHARS_MAX).collect();
    let clean = clean_line(&start);
    if clean.chars().count() <= SHOWN_CHARS_MAX && start.len() == text.len() {
        return clean;
    }
    clean.chars().take(SHOWN_CHARS_MAX).chain(['…']).collect()
}

/// Lower case letters and digits only: for comparing names and titles.
pub(super) fn comparable(text: &str) -> String {
    text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_and_blocks_are_cleaned() {
        for (text, clean) in [
            ("  Stan\u{a0}Getz\u{a0}/\u{a0} Joao ", "Stan Getz / Joao"),
            ("a\0b\u{7} \u{1b}[31mc", "ab [31mc"),
            ("a \u{202e} b\u{feff}", "a b"),
            ("a\r\nb\tc", "a b c"),
            ("\u{a0}\0 ", ""),
        ] {
            assert_eq!(clean_line(text), clean, "{text:?}");
        }
        assert_eq!(clean_block("\n a \r\nb\r\r\r c\n\n"), "a\nb\n\nc");
    }

    #[test]
    fn excerpts_are_short() {
        assert_eq!(shorten("short"), "short");
        assert_eq!(shorten(&"x".repeat(50)), format!("{}…", "x".repeat(40)));
        assert_eq!(shorten(&"x".repeat(40)), "x".repeat(40));
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text: String) {
            let line = clean_line(&text);
            prop_assert_eq!(clean_line(&line), line.clone());
            prop_assert!(!line.starts_with(' ') && !line.ends_with(' ') && !line.contains("  "));
            let block = clean_block(&text);
            prop_assert_eq!(clean_block(&block), block);
            prop_assert!(shorten(&text).chars().count() <= SHOWN_CHARS_MAX + 1);
        }
    }
}
