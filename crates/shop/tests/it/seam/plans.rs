//! Plans that PostgreSQL keeps.

use runout_store::{Composer, Db, Sql, Statement, Step, Value};

use super::transactions::Run;
use crate::support::database::postgres_is_left_out;
use crate::support::{Engine, TestDatabase};

const FIND: &str = "select id from grown where id = any($1)";
static KEPT: Sql = Sql { name: "KEPT", sqlite: FIND, postgres: FIND, replan: false };
static ANEW: Sql = Sql { name: "ANEW", sqlite: FIND, postgres: FIND, replan: true };

/// Rows that PostgreSQL reads, one after the other, to find one by its key.
async fn rows_read(db: &Db, find: &'static Sql) -> i64 {
    let load = move || {
        let read = "select seq_tup_read from pg_stat_xact_user_tables where relname = 'grown'";
        let [before, after] = [read; 2].map(|read| Composer::new(read).finish());
        vec![before, Statement::new(find, vec![Value::Ints(vec![7])]), after]
    };
    let run = Run::new(load, |loaded| {
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
    let table = "create table grown (id bigint primary key) with (autovacuum_enabled = false);
        insert into grown select n from generate_series(1, 100) n;
        analyze grown";
    db.script(table).await.expect("a table");
    for _ in 0..20 {
        rows_read(&db, &KEPT).await;
        rows_read(&db, &ANEW).await;
    }
    db.script("insert into grown select n from generate_series(1001, 21000) n")
        .await
        .expect("rows");
    let kept = rows_read(&db, &KEPT).await;
    assert!(kept > 20_000, "PostgreSQL keeps no plans: this test shows nothing");
    assert_eq!(rows_read(&db, &ANEW).await, 0, "it was to be planned anew");
    for _ in 0..400 {
        rows_read(&db, &KEPT).await;
    }
    assert_eq!(rows_read(&db, &KEPT).await, 0);
}
