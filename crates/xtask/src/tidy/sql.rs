//! Where SQL may stand, who may open transactions, and who writes which table.
//!
//! Statements are recognised in string literals by their first words. A statement put together at
//! run time from fragments escapes, and is against the house rules anyway.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::source::Source;

/// Tables that several capabilities may write, each through the platform's one function for it.
const SHARED_TABLES: [&str; 4] = ["outbox", "idempotency", "audit", "scope_version"];

/// The crates whose SQL is held to the rules: `store` is the seam, the others are no product.
const PRODUCT: [&str; 2] = ["core", "shop"];

/// SQL outside `queries`, `commands` and modules named `sql`.
pub(super) fn statement_out_of_place(source: &Source) -> Vec<Finding> {
    if !source.is_in_crate(&PRODUCT) || may_hold_sql(&source.path) {
        return Vec::new();
    }
    let message = "SQL outside queries.rs, commands.rs and modules named sql";
    source
        .product_literals()
        .filter(|literal| is_statement(&literal.text))
        .map(|literal| source.finding(literal.line, message))
        .collect()
}

fn may_hold_sql(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part.trim_end_matches(".rs"), "queries" | "commands" | "sql"))
}

/// BEGIN, COMMIT and the like as text outside `store`: only its runner opens transactions.
pub(super) fn raw_transaction_statement(source: &Source) -> Vec<Finding> {
    if !source.is_in_crate(&PRODUCT) {
        return Vec::new();
    }
    source
        .product_literals()
        .filter(|literal| is_transaction_control(&literal.text))
        .map(|literal| {
            source.finding(literal.line, "transactions are opened by the store's runner")
        })
        .collect()
}

/// The drivers' own ways to open a transaction, outside `store`.
pub(super) fn raw_transaction_call(source: &Source) -> Vec<Finding> {
    let calls = [".transaction()", ".build_transaction()", ".unchecked_transaction()"];
    if !source.is_in_crate(&PRODUCT) {
        return Vec::new();
    }
    source
        .product_code()
        .filter(|(_, code)| calls.iter().any(|call| code.contains(call)))
        .map(|(line, _)| source.finding(line, "transactions are opened by the store's runner"))
        .collect()
}

/// Tables that two capabilities (folders of `crates/shop/src`) write. Reported at every writer but
/// those of the capability that writes it in most places.
pub(super) fn tables_with_two_writers(sources: &[Source]) -> Vec<Finding> {
    let mut writers: BTreeMap<String, BTreeMap<&str, Vec<Finding>>> = BTreeMap::new();
    for source in sources {
        let Some(capability) = capability(&source.path) else {
            continue;
        };
        for literal in source.product_literals() {
            for table in written_tables(&literal.text) {
                let message = format!("{capability} writes table {table}");
                let places = writers.entry(table).or_default().entry(capability).or_default();
                places.push(source.finding(literal.line, message));
            }
        }
    }
    let shared = |table: &String| SHARED_TABLES.contains(&table.as_str());
    writers.retain(|table, capabilities| capabilities.len() > 1 && !shared(table));
    writers.into_values().flat_map(foreign_writes).collect()
}

/// The findings of all capabilities but the one that writes most, naming that one as the owner.
fn foreign_writes(mut capabilities: BTreeMap<&str, Vec<Finding>>) -> Vec<Finding> {
    let owner = capabilities
        .iter()
        .max_by_key(|(_, places)| places.len())
        .map(|(name, places)| (*name, format!("{}:{}", places[0].path, places[0].line)));
    let Some((owner, place)) = owner else {
        return Vec::new();
    };
    capabilities.remove(owner);
    let foreign = capabilities.into_values().flatten();
    foreign
        .map(|finding| Finding {
            message: format!("{}, and so does {owner} ({place}): one owner", finding.message),
            ..finding
        })
        .collect()
}

/// The capability that a file of the shop belongs to: its top folder, or its name if it has none.
fn capability(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("crates/shop/src/")?;
    rest.split('/').next().map(|part| part.trim_end_matches(".rs"))
}

/// Whether the text begins like a statement. English that begins with one of these verbs is told
/// apart by what must follow them in SQL.
fn is_statement(text: &str) -> bool {
    let words = words(text);
    let second = words.get(1).map_or("", String::as_str);
    let has = |word: &str| words.iter().skip(2).any(|found| found == word);
    match words.first().map_or("", String::as_str) {
        "select" => has("from") || second.starts_with(['$', '(']) || second.parse::<i64>().is_ok(),
        "insert" => second == "into",
        "delete" => second == "from",
        "update" => has("set"),
        "with" => words.windows(2).any(|pair| pair[0] == "as" && pair[1] == "("),
        _ => false,
    }
}

fn is_transaction_control(text: &str) -> bool {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["begin" | "commit" | "rollback"]
            | ["begin", "immediate" | "exclusive" | "deferred" | "transaction" | "isolation", ..]
            | ["start" | "commit" | "rollback", "transaction", ..]
            | ["rollback", "to", ..]
            | ["savepoint" | "release", _]
    )
}

/// The tables that the text inserts into, updates or deletes from, also within a longer statement.
fn written_tables(text: &str) -> BTreeSet<String> {
    let words = words(text);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let mut tables = BTreeSet::new();
    if !is_statement(text) {
        return tables;
    }
    for at in 0..words.len() {
        let before = if at == 0 { "" } else { word(at - 1) };
        let table = match (word(at), word(at + 1)) {
            ("insert", "into") | ("delete", "from") => word(at + 2),
            // "for update", "for no key update" and "on conflict do update" name no table.
            ("update", table) if !matches!(before, "for" | "key" | "do") => {
                let is_aliased = word(at + 2) == "as" && word(at + 4) == "set";
                let is_short_aliased = word(at + 3) == "set";
                if word(at + 2) == "set" || is_aliased || is_short_aliased { table } else { "" }
            }
            _ => "",
        };
        let name = table.rsplit('.').next().unwrap_or(table);
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            tables.insert(name.to_owned());
        }
    }
    tables
}

/// The words of a statement in lower case, without quotes; line continuations, SQL comments and
/// punctuation are gaps, except for the signs that the rules look at.
fn words(text: &str) -> Vec<String> {
    text.replace("\\n", "\n")
        .lines()
        .map(|line| line.split("--").next().unwrap_or(line))
        .flat_map(|line| line.split(|c: char| c.is_whitespace() || ",;)\\".contains(c)))
        .map(|word| word.replace(['"', '`'], "").to_lowercase())
        .flat_map(|word| split_at_bracket(&word))
        .filter(|word| !word.is_empty())
        .collect()
}

/// `order_line(id` is the table's name and its first column; `(select` stays marked as an opening.
fn split_at_bracket(word: &str) -> Vec<String> {
    match word.split_once('(') {
        Some(("", rest)) => vec!["(".to_owned(), rest.trim_start_matches('(').to_owned()],
        Some((name, rest)) => vec![name.to_owned(), rest.trim_start_matches('(').to_owned()],
        None => vec![word.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        format!("fn a() {{\n    run(\"{text}\");\n}}\n")
    }

    #[test]
    fn statements_are_told_from_english() {
        for (text, expected) in [
            ("select id from product where id = $1", true),
            ("\n    SELECT id,\n      title from product", true),
            ("select 1", true),
            ("select $1", true),
            ("select (a.b)", true),
            ("insert into product (id) values ($1)", true),
            ("update product set title = $1", true),
            ("update product as p set title = $1", true),
            ("delete from product", true),
            ("with a as (select 1) select * from a", true),
            ("-- all of them\nselect id from product", true),
            ("select a destination", false),
            ("update the stock", false),
            ("insert coin", false),
            ("with a as (update b set c = 1 returning d) insert into e values (1)", true),
            ("with care, as usual", false),
            ("deleted from the list", false),
            ("", false),
        ] {
            assert_eq!(is_statement(text), expected, "{text}");
        }
    }

    #[test]
    fn sql_has_its_places() {
        let text = quoted("select id from product");
        for (path, expected) in [
            ("crates/shop/src/catalog/api.rs", 1),
            ("crates/shop/src/catalog/mod.rs", 1),
            ("crates/core/src/lib.rs", 1),
            ("crates/shop/src/catalog/queries.rs", 0),
            ("crates/shop/src/catalog/queries/search.rs", 0),
            ("crates/shop/src/catalog/commands.rs", 0),
            ("crates/shop/src/stock/sql.rs", 0),
            ("crates/shop/src/catalog/tests.rs", 0),
            ("crates/shop/tests/it/catalog.rs", 0),
            ("crates/store/src/lib.rs", 0),
            ("crates/sim/src/main.rs", 0),
        ] {
            let findings = statement_out_of_place(&Source::new(path, &text));
            assert_eq!(findings.len(), expected, "{path}");
            assert!(findings.iter().all(|finding| finding.line == 2));
        }
    }

    #[test]
    fn transactions_belong_to_the_store() {
        for (text, expected) in [
            ("begin", 1),
            ("BEGIN;", 1),
            ("begin immediate", 1),
            ("commit", 1),
            ("rollback to a", 1),
            ("savepoint a", 1),
            ("start transaction read only", 1),
            ("begin with the newest", 0),
            ("start of the sale", 0),
        ] {
            let source = Source::new("crates/shop/src/catalog/commands.rs", &quoted(text));
            assert_eq!(raw_transaction_statement(&source).len(), expected, "{text}");
            let store = Source::new("crates/store/src/sqlite.rs", &quoted(text));
            assert_eq!(raw_transaction_statement(&store), []);
        }
        let text = "let t = client.transaction().await?;\nlet u = db.transact(&footprint);\n";
        let source = Source::new("crates/shop/src/catalog/commands.rs", text);
        assert_eq!(raw_transaction_call(&source).len(), 1);
    }

    #[test]
    fn written_tables_are_read_from_statements() {
        for (text, expected) in [
            ("insert into order_line(id, sku) values ($1, $2)", vec!["order_line"]),
            ("insert into \\\"order\\\" (id) values ($1)", vec!["order"]),
            ("update public.product set title = $1", vec!["product"]),
            ("update stock_level as l set reserved = 0", vec!["stock_level"]),
            ("update stock_level l set reserved = 0", vec!["stock_level"]),
            ("with a as (delete from hold returning id) insert into b select 1", vec!["b", "hold"]),
            ("insert into a values (1) on conflict (id) do update set b = 1", vec!["a"]),
            ("select id from product for update", vec![]),
            ("select id from product for update of product", vec![]),
            ("select id from product for no key update skip locked", vec![]),
            ("select id from product -- update product set a = 1", vec![]),
            ("insert into {table} values (1)", vec![]),
            ("please update the set", vec![]),
        ] {
            let tables: Vec<String> = written_tables(text).into_iter().collect();
            assert_eq!(tables, expected, "{text}");
        }
    }

    #[test]
    fn a_table_has_one_writer() {
        let source = |path: &str, text: &str| Source::new(path, &quoted(text));
        let owner = source("crates/shop/src/orders/commands.rs", "insert into orders values (1)");
        let again = source("crates/shop/src/orders/sql.rs", "update orders set status = 1");
        let foreign = source("crates/shop/src/admin/commands.rs", "delete from orders");
        let shared = source("crates/shop/src/admin/commands.rs", "insert into outbox values (1)");
        let shared_too = source("crates/shop/src/stock/sql.rs", "insert into outbox values (1)");
        let test = source("crates/shop/src/stock/tests.rs", "delete from orders");
        let reader = source("crates/shop/src/stock/queries.rs", "select id from orders for update");

        let findings =
            tables_with_two_writers(&[foreign, owner, again, shared, shared_too, reader, test]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].path, "crates/shop/src/admin/commands.rs");
        assert_eq!(findings[0].line, 2);
        assert!(findings[0].message.contains("orders"), "{findings:?}");
    }
}
