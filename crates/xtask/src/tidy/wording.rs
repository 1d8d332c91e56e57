//! Words that do not belong: `unwrap` in the product, and marks of unfinished work.

use super::Finding;
use super::source::{Source, has_word, numbered};

/// Words in comments that say that something was left undone.
const MARKER_WORDS: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), "XXX", "HACK"];

/// Macros that stand for code not written, or not meant to stay.
const MARKER_MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// `unwrap` outside tests: an invariant is stated by `expect("why")`, anything else is an error.
pub(super) fn unwraps(source: &Source) -> Vec<Finding> {
    if !source.path.contains("/src/") {
        return Vec::new();
    }
    source
        .product_code()
        .filter(|(_, code)| code.contains(concat!(".unwrap", "()")))
        .map(|(line, _)| {
            source.finding(line, "unwrap: use expect(\"why it cannot fail\") or return an error")
        })
        .collect()
}

/// Notes to oneself and placeholders, in tests as well.
pub(super) fn leftover_markers(source: &Source) -> Vec<Finding> {
    let words = numbered(&source.comments).flat_map(|(line, comment)| {
        let found = MARKER_WORDS.into_iter().filter(|word| has_word(comment, word));
        found.map(move |word| (line, word)).collect::<Vec<_>>()
    });
    let macros = numbered(&source.code).flat_map(|(line, code)| {
        let found = MARKER_MACROS.into_iter().filter(|name| {
            has_word(code, name.trim_end_matches('!')) && code.contains(&format!("{name}("))
        });
        found.map(move |name| (line, name)).collect::<Vec<_>>()
    });
    words
        .chain(macros)
        .map(|(line, marker)| {
            source.finding(line, format!("leftover {marker}: finish it or drop it"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = concat!("a.unwrap", "();");

    #[test]
    fn unwrap_is_for_tests() {
        let product = format!("fn a() {{\n    {CALL}\n}}\n");
        let test = format!("#[cfg(test)]\nmod tests {{\n    fn a() {{ {CALL} }}\n}}\n");
        for (path, text, expected) in [
            ("crates/shop/src/a.rs", &product, vec![2]),
            ("crates/shop/src/a.rs", &test, vec![]),
            ("crates/shop/src/a/tests.rs", &product, vec![]),
            ("crates/shop/tests/it/a.rs", &product, vec![]),
            ("crates/shop/src/a.rs", &format!("// {CALL}\nf(\"{CALL}\");"), vec![]),
            ("crates/shop/src/a.rs", &"a.unwrap_or(1);".to_owned(), vec![]),
        ] {
            let lines: Vec<usize> =
                unwraps(&Source::new(path, text)).iter().map(|finding| finding.line).collect();
            assert_eq!(lines, expected, "{path}: {text}");
        }
    }

    #[test]
    fn markers_are_found_in_comments_and_code_only() {
        let word = MARKER_WORDS[0];
        for (text, expected) in [
            (format!("// {word}: later"), 1),
            (format!("/// see {word}S"), 0),
            (format!("f(\"{word}\");"), 0),
            (format!("fn a() {{ {}(); }}", MARKER_MACROS[0]), 1),
            (format!("fn a() {{ my_{}(); }}", MARKER_MACROS[0]), 0),
            (format!("f(\"{}()\");", MARKER_MACROS[2]), 0),
        ] {
            let source = Source::new("crates/shop/src/a.rs", &text);
            assert_eq!(leftover_markers(&source).len(), expected, "{text}");
        }
        let script = Source::new("scripts/a.sh", &format!("# {word}\n"));
        assert_eq!(leftover_markers(&script).len(), 1);
    }
}
