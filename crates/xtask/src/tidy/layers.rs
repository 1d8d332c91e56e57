//! Which layer may use what: `core` is pure, one module reads the clock, handlers hold no SQL.

use super::Finding;
use super::source::{Source, has_word};

/// What would bring I/O, time or chance into `core`. Whole names, found anywhere in its code.
const FOREIGN_TO_CORE: [&str; 18] = [
    "tokio",
    "tokio_postgres",
    "rusqlite",
    "axum",
    "hyper",
    "getrandom",
    "rand",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "RandomState",
];

/// Ways to read the wall clock.
const CLOCKS: [&str; 3] = ["Timestamp::now", "Zoned::now", "SystemTime::now"];

/// The one file that reads the clock.
const CLOCK_FILE: &str = "crates/shop/src/platform/clock.rs";

/// `core` does no I/O, reads no clock and draws nothing at random. Its tests may.
pub(super) fn impure_core(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("crates/core/src/") {
        return Vec::new();
    }
    find_names(source, &FOREIGN_TO_CORE, |name| {
        format!("core is pure: {name} brings I/O, time or chance into it; pass the value in")
    })
}

/// The time is read in one place and passed on, so that tests and the simulator can set it.
pub(super) fn clock_outside_its_module(source: &Source) -> Vec<Finding> {
    if source.path == CLOCK_FILE || !source.is_in_crate(&["shop", "store", "sim"]) {
        return Vec::new();
    }
    find_names(source, &CLOCKS, |name| format!("{name} outside platform/clock.rs: take a Clock"))
}

/// Handlers call their capability's queries and commands, never the database.
pub(super) fn handlers_that_reach_for_the_store(source: &Source) -> Vec<Finding> {
    let is_handler =
        source.path.split('/').any(|part| matches!(part, "api.rs" | "pages.rs" | "api" | "pages"));
    if !is_handler || !source.path.starts_with("crates/shop/src/") {
        return Vec::new();
    }
    find_names(source, &["runout_store"], |name| {
        format!("a handler that uses {name}: call the capability's queries or commands")
    })
}

/// A finding for each line of product code on which one of the names stands.
fn find_names(source: &Source, names: &[&str], message: impl Fn(&str) -> String) -> Vec<Finding> {
    source
        .product_code()
        .flat_map(|(line, code)| names.iter().map(move |name| (line, code, *name)))
        .filter(|(_, code, name)| has_word(code, name))
        .map(|(line, _, name)| source.finding(line, message(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        rule(&Source::new(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn core_stays_pure() {
        let path = "crates/core/src/stock.rs";
        for (text, expected) in [
            ("use std::collections::BTreeMap;\nuse tokio::sync::Mutex;", vec![2]),
            ("fn a(now: Timestamp) {}", vec![]),
            ("fn a() { Timestamp::now() }", vec![1]),
            ("// tokio is not used here\nf(\"axum\");", vec![]),
            ("fn a(operand: u8, brand: u8) {}", vec![]),
            ("#[cfg(test)]\nmod tests {\n    use std::time::Instant;\n}", vec![]),
        ] {
            assert_eq!(lines(impure_core, path, text), expected, "{text}");
        }
        assert_eq!(lines(impure_core, "crates/shop/src/app.rs", "use tokio::sync;"), []);
    }

    #[test]
    fn the_clock_is_read_in_one_file() {
        let text = "fn a() { jiff::Timestamp::now() }";
        let rule = clock_outside_its_module;
        assert_eq!(lines(rule, "crates/shop/src/orders/commands.rs", text), [1]);
        assert_eq!(lines(rule, "crates/store/src/lib.rs", text), [1]);
        assert_eq!(lines(rule, CLOCK_FILE, text), []);
        assert_eq!(lines(rule, "crates/shop/tests/it/orders.rs", text), []);
        assert_eq!(lines(rule, "crates/shop/src/a.rs", "// Timestamp::now\nb(now)"), []);
    }

    #[test]
    fn handlers_do_not_know_the_store() {
        let text = "use runout_store::Db;";
        let rule = handlers_that_reach_for_the_store;
        assert_eq!(lines(rule, "crates/shop/src/orders/api.rs", text), [1]);
        assert_eq!(lines(rule, "crates/shop/src/orders/api/place.rs", text), [1]);
        assert_eq!(lines(rule, "crates/shop/src/orders/pages.rs", text), [1]);
        assert_eq!(lines(rule, "crates/shop/src/orders/queries.rs", text), []);
        assert_eq!(lines(rule, "crates/shop/src/orders/api.rs", "use runout_core::Money;"), []);
    }
}
