//! Reads the engines' plans.

use runout_shop::admin::table::WINDOW_ROWS;
use runout_shop::admin::{Asked, queries};
use runout_shop::catalog::list::{PRODUCTS, Search, statement};
use runout_shop::catalog::queries::{Sight, View};
use runout_shop::platform::page::ListRequest;
use runout_store::{Composer, Engine, Statement};

use crate::support::TestShop;

/// Rows that one node of a plan may look at: a window, and what a page adds.
const LOOKED_AT_MAX: f64 = WINDOW_ROWS as f64 * 1.2;

/// What stands before a statement to have it explained.
fn explain() -> Composer {
    let mut sql = Composer::new("explain ");
    sql.push_each("query plan ", "(analyze, costs off, timing off, summary off) ");
    sql
}

/// One step of SQLite's plan.
struct Step {
    id: i64,
    parent: i64,
    detail: String,
}

/// Why a list is not bounded; none if it is.
pub async fn problem(shop: &TestShop, asked: &Asked) -> Option<String> {
    let engine = shop.app.db.engine();
    // An ordered walk may stop anywhere: nothing is left out on the way.
    let is_walk = asked.is_walk();
    let may_sort = asked.few();
    let page = queries::page_statement(explain(), engine, asked);
    let window = queries::window_statement(explain(), engine, asked);
    for statement in [page, window] {
        let found = of_statement(shop, statement, is_walk, may_sort).await;
        if found.is_some() {
            return found;
        }
    }
    None
}

async fn of_statement(
    shop: &TestShop,
    statement: Statement,
    is_walk: bool,
    may_sort: bool,
) -> Option<String> {
    match shop.app.db.engine() {
        Engine::Sqlite => {
            let read = |row: &runout_store::Row<'_>| {
                Ok(Step { id: row.get(0)?, parent: row.get(1)?, detail: row.get(3)? })
            };
            let steps = shop.app.db.read(statement, read).await.expect("a plan");
            sqlite(&steps, is_walk, may_sort)
        }
        Engine::Postgres => {
            let lines = shop.app.db.read(statement, |row| row.get::<String>(0)).await;
            postgres(&lines.expect("a plan"))
        }
    }
}

/// A table that is read whole, or sorted, without a bound.
fn sqlite(steps: &[Step], is_walk: bool, may_sort: bool) -> Option<String> {
    let text = || {
        let lines = steps.iter().map(|step| format!("{}<{} {}", step.id, step.parent, step.detail));
        lines.collect::<Vec<_>>().join("\n")
    };
    for step in steps {
        let Some(rest) = step.detail.strip_prefix("SCAN ") else { continue };
        let name = rest.split(' ').next().expect("a name");
        if rest.contains("VIRTUAL TABLE") || is_derived(steps, step, name) {
            continue;
        }
        if !is_walk {
            return Some(format!("scans {name}\n{}", text()));
        }
        let sorts = |other: &&Step| {
            other.parent == step.parent && other.detail.starts_with("USE TEMP B-TREE FOR")
        };
        if let Some(sort) = steps.iter().find(sorts).filter(|_| !may_sort) {
            return Some(format!("{} after a scan\n{}", sort.detail, text()));
        }
    }
    let unsorted = steps.iter().filter(|step| step.detail.starts_with("SEARCH ")).all(|search| {
        let beside =
            |step: &&Step| step.parent == search.parent && step.detail.contains("TEMP B-TREE FOR");
        let derived = steps.iter().any(|step| {
            step.parent == search.parent
                && step
                    .detail
                    .strip_prefix("SCAN ")
                    .is_some_and(|name| is_derived(steps, step, name))
        });
        may_sort || derived || steps.iter().find(beside).is_none()
    });
    (!unsorted).then(|| format!("sorts what an index gave\n{}", text()))
}

/// True if the name is that of a subquery, which has a bound of its own.
fn is_derived(steps: &[Step], step: &Step, name: &str) -> bool {
    let name = name.split(' ').next().expect("a name");
    steps.iter().any(|other| {
        other.parent == step.parent
            && ["CO-ROUTINE ", "MATERIALIZE "]
                .iter()
                .any(|kind| other.detail.strip_prefix(kind) == Some(name))
    })
}

/// A node that looked at more rows than a window has, or any scan of a big table.
fn postgres(lines: &[String]) -> Option<String> {
    let text = || lines.join("\n");
    for (at, line) in lines.iter().enumerate() {
        let small =
            ["location", "tax_rate"].iter().any(|name| line.contains(&format!("on {name}")));
        if line.contains("Seq Scan on") && !small {
            return Some(format!("{}\n{}", line.trim(), text()));
        }
        let Some((_, actual)) = line.split_once("(actual rows=") else { continue };
        let number = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
            text[..end].parse::<f64>().unwrap_or(0.0)
        };
        let loops = actual.split_once("loops=").map_or(1.0, |(_, loops)| number(loops));
        let removed = lines[at + 1..]
            .iter()
            .take_while(|line| !line.contains("(actual rows="))
            .filter_map(|line| line.split_once("Removed by Filter: "))
            .map(|(_, removed)| number(removed))
            .sum::<f64>();
        let looked_at = (number(actual) + removed) * loops;
        if looked_at > LOOKED_AT_MAX {
            return Some(format!("looks at {looked_at} rows: {}\n{}", line.trim(), text()));
        }
    }
    None
}

/// Why a page of the catalogue reads a table whole.
pub async fn catalogue_problem(shop: &TestShop, query: &str) -> Option<String> {
    let uri = format!("/?{query}").parse().expect("an address");
    let request = ListRequest::from_uri(&PRODUCTS, &uri).expect("a good query");
    let search = Search::new(&request).expect("a good query");
    let view = View { currency: "EUR".parse().expect("a currency"), now: shop.clock.now() };
    let engine = shop.app.db.engine();
    let statement = statement(explain(), engine, &request, &search, Sight::Public, view);
    let column = if engine == Engine::Sqlite { 3 } else { 0 };
    let lines = shop.app.db.read(statement, |row| row.get::<String>(column)).await.expect("a plan");
    // Its filters may meet rows on the way that are not for sale: an ordered walk is right.
    let whole = |line: &&String| line.contains("Seq Scan on product");
    // By id, newest first, unless something else was asked for.
    let unordered = query.contains('=')
        && !query.starts_with("in_stock")
        && lines.iter().any(|line| line.trim() == "SCAN p")
        && !lines.iter().any(|line| line.contains("SEARCH p") || line.contains("SCAN p USING"));
    let found = lines.iter().find(whole).cloned();
    let found = found.or_else(|| unordered.then(|| "scans products in no order".to_owned()));
    found.map(|problem| format!("catalogue {query}: {problem}\n{}", lines.join("\n")))
}

/// Why a customer's orders read a table whole.
pub async fn my_orders_problem(shop: &TestShop) -> Option<String> {
    let uri = "/?account_id=4900".parse().expect("an address");
    let table = runout_shop::admin::table("orders").expect("a table");
    let asked = Asked::from_uri(table, &uri).expect("a good query");
    problem(shop, &asked).await.map(|problem| format!("my orders: {problem}"))
}
