//! The seam on real databases: statements, schemas, values, transactions, ids.

mod ids;
mod plans;
mod schema;
pub mod transactions;
mod values;

use runout_store::{Db, migrate};

use crate::on_both_engines;
use crate::support::database::postgres_is_left_out;
use crate::support::{Engine, TestDatabase};

#[tokio::test]
async fn every_statement_is_the_same_on_both_engines() {
    if postgres_is_left_out("every_statement_is_the_same_on_both_engines") {
        return;
    }
    let (lite, post) =
        (TestDatabase::new(Engine::Sqlite).await, TestDatabase::new(Engine::Postgres).await);
    let (lite, post) =
        (Db::open(&lite.url()).expect("opens"), Db::open(&post.url()).expect("opens"));
    migrate(&lite).await.expect("migrates");
    migrate(&post).await.expect("migrates");
    let statements = runout_shop::app::statements();
    assert!(statements.len() > 5, "the registry is empty");
    for sql in statements {
        let on_lite = lite.describe(sql).await.unwrap_or_else(|e| panic!("{}: {e:?}", sql.name));
        let on_post = post.describe(sql).await.unwrap_or_else(|e| panic!("{}: {e:?}", sql.name));
        assert_eq!(on_lite.0, on_post.0, "{}: parameters", sql.name);
        assert_eq!(on_lite.1.len(), on_post.1.len(), "{}: columns", sql.name);
    }
}

/// SQLite reads the second of two lists that are joined anew for each element of the first, unless
/// it is told to keep it: what took a thousand elements no time takes seconds for ten thousand.
#[test]
fn lists_are_joined_in_linear_time() {
    for sql in runout_shop::app::statements() {
        let text = sql.sqlite;
        assert!(!text.contains("join json_each("), "{}: use a materialized list\n{text}", sql.name);
    }
}

/// PostgreSQL keeps the plan of a statement. One that was made while nothing waited reads, once
/// much waits, all of it for every batch.
#[test]
fn what_looks_into_a_queue_is_planned_anew() {
    // Those of `runout verify` read whole tables, on a snapshot, where no plan is kept.
    let of_verify = |sql: &runout_store::Sql| {
        sql.name == "EXAMINED" || sql.postgres.contains("count(*) over ()")
    };
    let mut found = 0;
    for sql in runout_shop::app::statements() {
        let mut words = sql.postgres.split(|c: char| !c.is_alphanumeric() && c != '_');
        let queue = |word: &str| matches!(word, "delivery" | "delivery_retry");
        let mut before = "";
        let looks = words.any(|word| {
            let before = std::mem::replace(&mut before, word);
            let reads = matches!(before, "from" | "join" | "update" | "using");
            reads && queue(word)
        });
        if looks && !of_verify(sql) {
            assert!(sql.replan, "{}: say `replan`\n{}", sql.name, sql.postgres);
            found += 1;
        }
    }
    assert!(found > 8, "{found} statements look into the queues");
}

on_both_engines! {
    async fn migrating_again_changes_nothing(shop: TestShop) {
        let ran = migrate(&shop.app.db).await.expect("migrates");
        assert!(ran.is_empty(), "{ran:?}");
    }
}
