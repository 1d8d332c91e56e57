//! Plans that PostgreSQL keeps.

use runout_store::{Composer, Db, Statement, Step, Value};

use super::transactions::Run;
use crate::support::database::postgres_is_left_out;
use crate::support::{Engine, TestDatabase};

/// Looks for one row, and counts rows that were read to find it, before and after.
fn look() -> Vec<Statement> {
    let read = || {
        Composer::new("select seq_tup_read from pg_stat_xact_user_tables where relname = 'grown'")
            .finish()
    };
    let mut find = Composer::new("select id from grown where id = any(");
    find.bind(Value::Ints(vec![7])).push(")");
    vec![read(), find.finish(), read()]
}

/// Rows that PostgreSQL reads, one after the other, to find one by its key.
async fn rows_read(db: &Db) -> i64 {
    let run = Run::new(look, |loaded| {
        let read = |at: usize| loaded[at].first().map_or(Ok(0), |row| row.get::<i64>(0));
        Ok(Step::Store(Vec::new(), read(2)? - read(0)?))
    });
    db.transact(run).await.expect("it looks")
}

/// The plan for a table that was nearly empty does not serve for long once it is full: the night
/// on which everybody holds something begins with a table of no holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_does_not_outlive_the_size_it_was_made_for() {
    if postgres_is_left_out("a_plan_does_not_outlive_the_size_it_was_made_for") {
        return;
    }
    let database = TestDatabase::new(Engine::Postgres).await;
    let db = Db::open(&database.url()).expect("opens");
    db.script("create table grown (id bigint primary key); insert into grown values (7)")
        .await
        .expect("a table");
    for _ in 0..20 {
        rows_read(&db).await;
    }
    db.script("insert into grown select n from generate_series(1001, 21000) n")
        .await
        .expect("rows");
    assert!(rows_read(&db).await > 20_000, "PostgreSQL keeps no plans: this test shows nothing");
    for _ in 0..1_000 {
        rows_read(&db).await;
    }
    assert_eq!(rows_read(&db).await, 0);
}
