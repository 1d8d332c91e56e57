//! How long and how wide: files, functions, lines.

use super::Finding;
use super::source::{Source, item_end, line_of, numbered};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Files over 500 lines.
pub(super) fn long_file(source: &Source) -> Vec<Finding> {
    let lines = source.lines.len();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let message = format!("{lines} lines, at most {FILE_LINES_MAX}: split the file by topic");
    vec![source.finding(lines, message)]
}

/// Lines over 100 columns, unless they cannot be broken well: a long address, a line of a longer
/// text (such as SQL), or an entry of a table of texts.
pub(super) fn wide_lines(source: &Source) -> Vec<Finding> {
    let is_within_text = |line: usize| {
        let mut texts = source.literals.iter();
        texts.any(|text| text.line < line && line <= text.last_line)
    };
    numbered(&source.lines)
        .map(|(line, text)| (line, text, text.chars().count()))
        .filter(|(_, _, columns)| *columns > LINE_COLUMNS_MAX)
        .filter(|(line, text, _)| {
            !text.contains("://") && !begins_with_text(text) && !is_within_text(*line)
        })
        .map(|(line, _, columns)| {
            source.finding(line, format!("{columns} columns, at most {LINE_COLUMNS_MAX}"))
        })
        .collect()
}

fn begins_with_text(line: &str) -> bool {
    let line = line.trim_start();
    ["\"", "r\"", "r#\"", "b\"", "(\"", "[\""].iter().any(|start| line.starts_with(start))
}

/// Functions over 70 lines, from `fn` to the closing brace.
pub(super) fn long_functions(source: &Source) -> Vec<Finding> {
    let code = source.code.join("\n");
    let mut findings = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_keyword = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let name: String =
            code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !is_keyword || name.is_empty() {
            continue;
        }
        let first = line_of(&code, at);
        let lines = line_of(&code, item_end(&code, at)) - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let message =
                format!("function {name} has {lines} lines, at most {FUNCTION_LINES_MAX}");
            findings.push(source.finding(first, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/shop/src/a.rs", text)
    }

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}(a: [u8; 4]) {{\n{}}}\n", "    let b = \"}\";\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_may_have_five_hundred_lines() {
        assert_eq!(long_file(&source(&"\n".repeat(500))), []);
        assert_eq!(long_file(&source(&"\n".repeat(501)))[0].line, 501);
    }

    #[test]
    fn a_line_may_have_a_hundred_characters() {
        let wide = "é".repeat(99);
        assert_eq!(wide_lines(&source(&format!("// ok\nx{wide}\n"))), []);
        let findings = wide_lines(&source(&format!("// ok\nxx{wide}\n")));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
    }

    #[test]
    fn addresses_and_texts_may_be_wide() {
        let long = "word ".repeat(30);
        for text in [
            format!("// https://example.test/{}", "a".repeat(100)),
            format!("const A: [&str; 1] = [\n    \"{long}\",\n];"),
            format!("const SQL: &str = \"\n{long}\n\";"),
        ] {
            assert_eq!(wide_lines(&source(&text)), [], "{text}");
        }
        for text in [format!("// {long}"), format!("const A: &str = \"{long}\";")] {
            assert_eq!(wide_lines(&source(&text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_function_may_have_seventy_lines() {
        let fits = function("fits", 70);
        let over = function("is_over", 71);
        let findings = long_functions(&source(&format!("{fits}{over}{fits}")));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].line, 71);
        assert!(findings[0].message.contains("is_over"));
    }

    #[test]
    fn declarations_and_function_types_have_no_length() {
        let text = format!("trait A {{\nfn a(&self);\n{}}}\ntype B = fn (u8);\n", "\n".repeat(80));
        assert_eq!(long_functions(&source(&text)), []);
    }
}
