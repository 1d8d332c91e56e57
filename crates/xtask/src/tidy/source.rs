//! A source file split into what the rules look at: code without comments and text, comments alone,
//! and the string literals.
//!
//! `code` and `comments` have exactly the lines and columns of the original, with everything else
//! replaced by spaces, so that a position in one is a position in all. The scanner knows enough of
//! Rust's lexical grammar (nested comments, raw strings, characters against lifetimes) for that.

use super::Finding;

/// A string literal: the line of its opening quote (from 1), and its raw text without quotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub line: usize,
    pub last_line: usize,
    pub text: String,
}

/// One file of the tree.
pub(super) struct Source {
    /// From the workspace's root, with forward slashes.
    pub path: String,
    /// The lines as they stand.
    pub lines: Vec<String>,
    /// Code only: comments, strings and characters are blank.
    pub code: Vec<String>,
    /// Comments only. For anything but Rust, the whole text.
    pub comments: Vec<String>,
    /// String literals in order. For an SQL file, its whole text as one.
    pub literals: Vec<Literal>,
    /// For each line whether only tests see it.
    test_lines: Vec<bool>,
}

/// Whether the file at `path` is checked at all.
pub(super) fn is_looked_at(path: &str) -> bool {
    let generated = path.contains("/snapshots/") || path.contains("/fixtures/");
    !generated && [".rs", ".sql", ".sh", ".ci/run"].iter().any(|end| path.ends_with(end))
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Source {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut source = Source {
            path: path.to_owned(),
            code: vec![String::new(); lines.len()],
            comments: lines.clone(),
            literals: Vec::new(),
            test_lines: vec![is_test_path(path); lines.len()],
            lines,
        };
        if source.is_rust() {
            let scanned = Scanner::scan(text);
            source.code = scanned.code.lines().map(str::to_owned).collect();
            source.comments = scanned.comments.lines().map(str::to_owned).collect();
            source.literals = scanned.literals;
            source.mark_test_items();
        } else if path.ends_with(".sql") {
            let last_line = source.lines.len().max(1);
            source.literals = vec![Literal { line: 1, last_line, text: text.to_owned() }];
        }
        source
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file belongs to one of these crates (folders below `crates/`), tests included.
    pub(super) fn is_in_crate(&self, names: &[&str]) -> bool {
        self.path
            .strip_prefix("crates/")
            .and_then(|rest| rest.split('/').next())
            .is_some_and(|name| names.contains(&name))
    }

    /// Whether only tests see line `line` (from 1).
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// The lines of code that are not test code, with their numbers.
    pub(super) fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code).filter(|(line, _)| !self.is_test(*line))
    }

    /// The string literals that are not in test code.
    pub(super) fn product_literals(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter().filter(|literal| !self.is_test(literal.line))
    }

    pub(super) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Marks the items under `#[cfg(test)]`: from the attribute to the end of what it stands on.
    fn mark_test_items(&mut self) {
        let code = self.code.join("\n");
        let mut from = 0;
        while let Some(at) = code[from..].find("#[cfg(test)]").map(|at| from + at) {
            let body = at + "#[cfg(test)]".len();
            let end = item_end(&code, body);
            let first = line_of(&code, at);
            let last = line_of(&code, end);
            for line in first..=last {
                self.test_lines[line - 1] = true;
            }
            from = end.max(body);
        }
    }
}

/// Files that hold only tests: below a `tests` or `benches` folder, or called `tests.rs` or
/// `something_tests.rs`.
fn is_test_path(path: &str) -> bool {
    let is_test = |part: &str| matches!(part, "tests" | "benches" | "tests.rs");
    path.ends_with("_tests.rs") || path.split('/').any(is_test)
}

/// Lines with their numbers, from 1.
pub(super) fn numbered(lines: &[String]) -> impl Iterator<Item = (usize, &str)> {
    lines.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
}

/// The line (from 1) of a byte position.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// The position of the end of the item that begins at `from`: its closing brace, or the semicolon
/// of an item without a body. `code` must be free of comments and text.
pub(super) fn item_end(code: &str, from: usize) -> usize {
    let (mut braces, mut brackets) = (0_i32, 0_i32);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces <= 0 {
                    return at;
                }
            }
            b';' if braces == 0 && brackets == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

/// Whether `word` stands in `text` as a whole path or name: not within a longer name.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_name)
            && !text[at + word.len()..].chars().next().is_some_and(is_name)
    })
}

/// Splits Rust text in one pass. Each character goes to `code` or `comments`, and a space to the
/// other; text in quotes goes to `literals`, and spaces to both.
struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    comments: String,
    literals: Vec<Literal>,
    /// Whether the last character taken could end a name: then a following `r` or `b` is no prefix.
    after_name: bool,
}

impl<'a> Scanner<'a> {
    fn scan(text: &'a str) -> Scanner<'a> {
        let mut scanner = Scanner {
            rest: text,
            line: 1,
            code: String::with_capacity(text.len()),
            comments: String::with_capacity(text.len()),
            literals: Vec::new(),
            after_name: false,
        };
        while !scanner.rest.is_empty() {
            scanner.step();
        }
        scanner
    }

    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let length = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take_comment(length);
        } else if self.rest.starts_with("/*") {
            self.take_comment(block_comment_length(self.rest));
        } else if let Some((before, after)) = self.raw_string() {
            self.take_text(before, after);
        } else if self.rest.starts_with('"') {
            let end = string_end(self.rest);
            self.take_text(1, end);
        } else if let Some(length) = character_length(self.rest) {
            self.blank(length);
        } else {
            let c = self.rest.chars().next().expect("step is called with text left");
            self.after_name = c.is_alphanumeric() || c == '_';
            self.code.push(c);
            self.comments.push(if c == '\n' { '\n' } else { ' ' });
            self.advance(c.len_utf8());
        }
    }

    /// If a raw string (`r"`, `br##"`) begins here: the length of its opening, and where it ends.
    fn raw_string(&self) -> Option<(usize, usize)> {
        if self.after_name {
            return None;
        }
        let prefix = ["br", "cr", "r"].into_iter().find(|prefix| self.rest.starts_with(prefix))?;
        let hashes = self.rest[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
        let open = prefix.len() + hashes;
        if !self.rest[open..].starts_with('"') {
            return None;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let end = self.rest[open + 1..].find(&close).map_or(self.rest.len(), |at| open + 1 + at);
        Some((open + 1, end))
    }

    /// Takes a literal: its text lies between `from` and `to`; the closing quote may stay as code.
    fn take_text(&mut self, from: usize, to: usize) {
        let text = self.rest[from..to].to_owned();
        let line = self.line;
        let close = if self.rest.len() > to { 1 } else { 0 };
        self.blank(to + close);
        self.literals.push(Literal { line, last_line: self.line, text });
    }

    fn take_comment(&mut self, length: usize) {
        let comment = &self.rest[..length];
        self.comments.push_str(comment);
        self.code.extend(comment.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.after_name = false;
        self.advance(length);
    }

    fn blank(&mut self, length: usize) {
        for c in self.rest[..length].chars() {
            let kept = if c == '\n' { '\n' } else { ' ' };
            self.code.push(kept);
            self.comments.push(kept);
        }
        self.after_name = false;
        self.advance(length);
    }

    fn advance(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }
}

/// The length of the block comment at the start of `text`; they nest.
fn block_comment_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The position of the quote that closes the string at the start of `text`, or its end.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character literal at the start of `text`; nothing for a lifetime.
fn character_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        let escaped = inner[1..].chars().next()?;
        let after = 1 + escaped.len_utf8();
        return inner[after..].find('\'').map(|at| 1 + after + at + 1);
    }
    inner[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/shop/src/a.rs", text)
    }

    #[test]
    fn splits_code_comments_and_text() {
        let source = source("let a = \"x // y\"; // say \"z\"\n/* b /* c */ d */ e();\n");
        assert_eq!(source.code[0].trim_end(), "let a =         ;");
        assert_eq!(source.comments[0].trim(), "// say \"z\"");
        assert_eq!(source.code[1].trim(), "e();");
        assert_eq!(source.literals[0].text, "x // y");
        assert_eq!(source.literals.len(), 1);
    }

    #[test]
    fn columns_stay_where_they_were() {
        let text = "f(\"é\", 'x', r#\"a \"q\" b\"#, b'\\'', '\\u{1F600}');";
        let source = source(text);
        assert_eq!(source.code[0].chars().count(), text.chars().count());
        assert_eq!(source.literals.len(), 2);
        assert_eq!(source.literals[1].text, "a \"q\" b");
        assert!(source.code[0].ends_with(");"));
    }

    #[test]
    fn lifetimes_are_no_characters_and_names_no_prefixes() {
        let source = source("fn a<'a>(b: &'a str) { var\"\"; f('{'); g(\"\\\\\"); }");
        assert_eq!(source.code[0].matches('{').count(), 1);
        assert!(source.code[0].contains("&'a str"));
        assert_eq!(source.literals.len(), 2);
    }

    #[test]
    fn text_over_several_lines_knows_its_lines() {
        let source = source("a();\nb(\"select\n  1\");\nc(\"d\");\n");
        assert_eq!((source.literals[0].line, source.literals[0].last_line), (2, 3));
        assert_eq!(source.literals[1].line, 4);
    }

    #[test]
    fn test_items_are_known() {
        let source = source(
            "fn a() {}\n#[cfg(test)]\nuse x;\nfn b() {}\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n\
             fn d() {}\n",
        );
        let tests: Vec<usize> = (1..=9).filter(|line| source.is_test(*line)).collect();
        assert_eq!(tests, [2, 3, 5, 6, 7, 8]);
    }

    #[test]
    fn test_paths_are_known() {
        for (path, expected) in [
            ("crates/shop/tests/it/main.rs", true),
            ("crates/shop/src/orders/tests.rs", true),
            ("crates/shop/src/orders/tests/sell.rs", true),
            ("crates/shop/src/platform/extract_tests.rs", true),
            ("crates/shop/src/contests.rs", false),
        ] {
            assert_eq!(is_test_path(path), expected, "{path}");
        }
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use tokio::task;", "tokio"));
        assert!(!has_word("use tokio_postgres;", "tokio"));
        assert!(!has_word("my_tokio()", "tokio"));
        assert!(has_word("a(Timestamp::now())", "Timestamp::now"));
    }
}
