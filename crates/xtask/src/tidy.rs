//! Tidy checks: the house rules and the architecture's invariants that neither the compiler nor
//! clippy keeps. Reads the source tree, changes nothing, and prints one `file:line: message` per
//! finding.
//!
//! Every rule is a function from a [`Source`] (or, for table ownership, all of them) to findings.

mod layers;
mod size;
mod source;
mod sql;
mod wording;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use source::Source;

/// The folders and files looked at, from the workspace's root.
const LOOKED_AT: [&str; 3] = ["crates", "scripts", ".ci"];

/// One breach of a rule, at a line counted from 1.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// A rule that looks at one file at a time.
type Rule = fn(&Source) -> Vec<Finding>;

/// Rules for Rust files.
const RUST_RULES: [Rule; 11] = [
    size::long_file,
    size::wide_lines,
    size::long_functions,
    wording::unwraps,
    wording::leftover_markers,
    layers::impure_core,
    layers::clock_outside_its_module,
    layers::handlers_that_reach_for_the_store,
    sql::statement_out_of_place,
    sql::raw_transaction_statement,
    sql::raw_transaction_call,
];

/// Rules for shell scripts.
const SCRIPT_RULES: [Rule; 3] = [size::long_file, size::wide_lines, wording::leftover_markers];

/// Checks the tree under `root` and prints what it finds. Fails when there is anything.
pub(crate) fn run(root: &Path) -> ExitCode {
    let sources = match read_tree(root) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("tidy: cannot read the source tree: {error}");
            return ExitCode::FAILURE;
        }
    };
    let findings = check(&sources);
    for finding in &findings {
        println!("{finding}");
    }
    eprintln!("tidy: {} files, {} findings", sources.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All findings in the sources, by file and line.
fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = sql::tables_with_two_writers(sources);
    for source in sources {
        findings.extend(rules_for(source).iter().flat_map(|rule| rule(source)));
    }
    findings.sort();
    findings
}

/// Statements in SQL files may be as wide as they need: only their comments are looked at.
fn rules_for(source: &Source) -> &'static [Rule] {
    if source.is_rust() {
        &RUST_RULES
    } else if source.path.ends_with(".sql") {
        &[wording::leftover_markers]
    } else {
        &SCRIPT_RULES
    }
}

/// Reads every Rust, SQL and shell file below the folders looked at, in the order of their paths.
fn read_tree(root: &Path) -> std::io::Result<Vec<Source>> {
    let mut files = Vec::new();
    for folder in LOOKED_AT {
        let folder = root.join(folder);
        if folder.is_dir() {
            collect_files(&folder, &mut files)?;
        }
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        if source::is_looked_at(&path) {
            sources.push(Source::new(&path, &std::fs::read_to_string(&file)?));
        }
    }
    Ok(sources)
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            files.push(path);
        } else if path.file_name().is_none_or(|name| name != "target" && name != "node_modules") {
            collect_files(&path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_by_file_and_line_and_name_both() {
        let sources = [
            Source::new("crates/shop/src/b.rs", "fn b() {\n    commit(\"begin\");\n}\n"),
            Source::new("crates/core/src/a.rs", "use tokio::task;\n"),
        ];
        let lines: Vec<String> = check(&sources).iter().map(Finding::to_string).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("crates/core/src/a.rs:1: "), "{lines:?}");
        assert!(lines[1].starts_with("crates/shop/src/b.rs:2: "), "{lines:?}");
    }

    #[test]
    fn scripts_are_not_read_as_rust() {
        let script = Source::new("scripts/a.sh", "echo 'tokio' \"begin\" # it's\n");
        assert_eq!(check(&[script]), []);
    }
}
