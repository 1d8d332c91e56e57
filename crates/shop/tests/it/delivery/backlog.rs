//! What a page of a backlog costs does not depend on how long it is. PostgreSQL plans these
//! statements for each call (`replan`, see the seam's tests), so plans with literals are those that
//! are used.

use runout_store::{Composer, Engine};

use super::destination;
use crate::on_both_engines;
use crate::support::TestShop;

/// Deliveries in it.
const BACKLOG: i64 = 20_000;
/// Rows of a page, and deliveries that are settled at once.
const PAGE: i64 = 1_000;
/// Rows that a step of a plan may look at.
const LOOKED_AT_MAX: f64 = 1_100.0;

/// The engine's plan of a statement of ours with these parameters.
async fn plan(shop: &TestShop, name: &str, about: &str, params: &[String]) -> String {
    let engine = shop.app.db.engine();
    let text = |sql: &runout_store::Sql| match engine {
        Engine::Sqlite => sql.sqlite,
        Engine::Postgres => sql.postgres,
    };
    let all = runout_shop::app::statements();
    let mut named = all.into_iter().filter(|sql| sql.name == name && text(sql).contains(about));
    let (Some(sql), None) = (named.next(), named.next()) else { panic!("one {name} {about}") };
    let (how, column) = match engine {
        Engine::Sqlite => ("explain query plan ", 3),
        Engine::Postgres => ("explain (analyze, costs off, timing off, summary off) ", 0),
    };
    let mut text = format!("{how}{}", text(sql));
    for (number, value) in params.iter().enumerate() {
        let sign = if engine == Engine::Sqlite { '?' } else { '$' };
        text = text.replace(&format!("{sign}{}", number + 1), value);
    }
    let explain = Composer::new(text.leak()).finish();
    let lines = shop.app.db.read(explain, |row| row.get::<String>(column)).await;
    lines.expect("a plan").join("\n")
}

/// Says what is wrong with a plan that looks at more than it needs.
fn assert_bounded(plan: &str) {
    for whole in ["Seq Scan", "SCAN d", "SCAN o", "TEMP B-TREE"] {
        assert!(!plan.contains(whole), "{plan}");
    }
    let number = |text: &str| text.trim_end_matches(')').parse::<f64>().expect("a number");
    let mut loops = 1.0;
    for line in plan.lines() {
        // SQLite: within a destination by the id, not all of it.
        assert!(!line.starts_with("SEARCH d") || line.contains("AND id"), "{line}\n{plan}");
        if let Some((_, actual)) = line.split_once("(actual rows=") {
            let (rows, of) = actual.split_once(" loops=").expect("rows and loops");
            loops = number(of);
            assert!(number(rows) * loops <= LOOKED_AT_MAX, "{line}\n{plan}");
        } else if let Some((_, removed)) = line.split_once("Rows Removed by ") {
            let (_, removed) = removed.split_once(": ").expect("a number");
            assert!(number(removed) * loops <= LOOKED_AT_MAX, "{line}\n{plan}");
        }
    }
}

on_both_engines! {
    /// PostgreSQL's statistics know nothing of a table that was empty a moment ago: a planner that
    /// trusts them reads the whole backlog for every page of it, and for every batch that ends.
    async fn a_page_of_a_backlog_looks_at_a_page(shop: TestShop) {
        let app = &shop.app;
        destination(app, 1, "webhook", "https://example.com", None).await;
        let (numbers, at) = match app.db.engine() {
            Engine::Sqlite => (
                format!(
                    "(with recursive g (n) as
                        (select 1 union all select n + 1 from g where n < {BACKLOG}) select n from g)"
                ),
                "1",
            ),
            Engine::Postgres => (format!("generate_series(1, {BACKLOG}) as g (n)"), "now()"),
        };
        let sql = format!(
            "insert into outbox (at, topic, entity, entity_id, payload)
                select {at}, 'post.updated', 'post', n % 500, '{{\"id\":1}}' from {numbers};
             insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at)
                select 1, id, id % 32, id, entity, entity_id, at from outbox"
        );
        app.db.script(&sql).await.expect("a backlog");
        let of = |ids: Vec<String>| match app.db.engine() {
            Engine::Sqlite => format!("'[{}]'", ids.join(",")),
            Engine::Postgres => format!("'{{{}}}'::bigint[]", ids.join(",")),
        };
        let number = |number: i64| number.to_string();
        let lanes = of((0..32).map(number).collect());
        let batch = of((10_000..10_000 + PAGE).map(number).collect());
        let page = [number(1), number(5_000), lanes, number(PAGE)];
        assert_bounded(&plan(&shop, "WAITING", "coalesce(d.payload, o.payload)", &page).await);
        let thing = [number(1), "'post'".to_owned(), number(7), number(15_000), number(100)];
        assert_bounded(&plan(&shop, "OF_THING", "coalesce(d.payload, o.payload)", &thing).await);
        let settled = [number(1), batch];
        assert_bounded(&plan(&shop, "STILL_THERE", "from delivery", &settled).await);
        assert_bounded(&plan(&shop, "REMOVE", "from delivery", &settled).await);
        // Every now and then it is asked whether there is something new: mostly there is not.
        let all = "update dispatch set mark = (select max(id) from outbox)";
        app.db.script(all).await.expect("all is handed out");
        let asked = plan(&shop, "ANYTHING", "from dispatch", &[]).await;
        assert!(!asked.contains("Seq Scan on outbox") && !asked.contains("SCAN o "), "{asked}");
    }
}
