//! What goes in comes out, of every kind, by every way of reading, on both engines.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use runout_store::{Composer, Db, Engine, Result, Row, Rows, Sql, Statement, Step, Value};

use super::transactions::Run;
use crate::on_both_engines;

const TABLE: [&str; 2] = [
    "create table kept (id integer primary key, flag integer, number integer, words text, json text,
        bytes blob, at integer) strict",
    "create table kept (id bigint primary key, flag boolean, number bigint, words text, json jsonb,
        bytes bytea, at timestamptz)",
];

static INSERT: Sql = Sql {
    name: "INSERT",
    sqlite: "insert into kept values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    postgres: "insert into kept select * from unnest($1::bigint[], $2::boolean[], $3::bigint[],
        $4::text[], $5::jsonb[], $6::bytea[], $7::timestamptz[])",
    replan: false,
};
const SELECT: &str = "select id, flag, number, words, json, bytes, at from kept order by id";

/// One row, in the types of the program.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    id: i64,
    flag: Option<bool>,
    number: Option<i64>,
    words: Option<String>,
    json: Option<serde_json::Value>,
    bytes: Option<Vec<u8>>,
    at: Option<Timestamp>,
}

impl Kept {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            flag: row.get(1)?,
            number: row.get(2)?,
            words: row.get(3)?,
            json: row.get(4)?,
            bytes: row.get(5)?,
            at: row.get(6)?,
        })
    }

    fn values(self) -> [Value; 7] {
        [
            self.id.into(),
            self.flag.into(),
            self.number.into(),
            self.words.into(),
            self.json.into(),
            self.bytes.into(),
            self.at.into(),
        ]
    }
}

/// A few thousand years around 1970, to the microsecond.
fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(0_i64),
        Just(-1),
        Just(1),
        -100_000_000_000_000_000..100_000_000_000_000_000_i64,
    ]
    .prop_map(|micros| Timestamp::from_microsecond(micros).expect("within jiff's range"))
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        words().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            vec((words(), inner), 0..4)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Any text but NUL, which PostgreSQL's text cannot hold: the API must refuse it.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("'; drop table kept; -- $1 ?1 \\ \" {}".to_owned()),
        "[^\u{0}]{0,20}",
    ]
}

fn rows() -> Vec<Kept> {
    let number = prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(0)];
    let some = prop::option::weighted(0.9, (words(), json(), vec(any::<u8>(), 0..40), moment()));
    let row = (any::<Option<bool>>(), prop::option::of(number), some);
    let mut runner = TestRunner::deterministic();
    let drawn = vec(row, 300).new_tree(&mut runner).expect("rows").current();
    let kept = |(id, (flag, number, rest)): (i64, (_, _, Option<_>))| {
        let (words, json, bytes, at) = rest
            .map_or((None, None, None, None), |(w, j, b, a)| (Some(w), Some(j), Some(b), Some(a)));
        // A JSON null in a nullable column would be told from no value on one engine only.
        let json = json.filter(|json: &serde_json::Value| !json.is_null());
        Kept { id, flag, number, words, json, bytes, at }
    };
    (1_i64..).zip(drawn).map(kept).collect()
}

async fn table(db: &Db) {
    let [lite, post] = TABLE;
    let sql = if db.engine() == Engine::Sqlite { lite } else { post };
    db.script(sql).await.expect("a table");
}

fn select() -> Statement {
    Composer::new(SELECT).finish()
}

on_both_engines! {
    async fn every_kind_of_value_comes_back(shop: TestShop) {
        let db = &shop.app.db;
        table(db).await;
        let rows = rows();
        let mut columns: Vec<Vec<Value>> = vec![Vec::new(); 7];
        for row in rows.clone() {
            for (column, value) in columns.iter_mut().zip(row.values()) {
                column.push(value);
            }
        }
        db.transact(Run::storing(move || vec![Statement::bulk(&INSERT, columns.clone())]))
            .await
            .expect("stored");
        // The engine's own rows, rows kept of a snapshot, rows kept in a transaction.
        assert_eq!(db.read(select(), Kept::read).await.expect("read"), rows);
        assert_eq!(db.read(select().heavy(), Kept::read).await.expect("read"), rows);
        let kept = |rows: &Rows| rows.map(|row| Kept::read(&row)).expect("decoded");
        for statement in [select(), select().heavy()] {
            let answers = db.snapshot(vec![statement]).await.expect("a snapshot");
            assert_eq!(kept(&answers[0]), rows);
        }
        let loaded = db
            .transact(Run::new(
                || vec![select()],
                |loaded| Ok(Step::Store(Vec::new(), loaded[0].clone())),
            ))
            .await
            .expect("loaded");
        assert_eq!(kept(&loaded), rows);
    }

    async fn every_form_of_text_is_text(shop: TestShop) {
        let db = &shop.app.db;
        table(db).await;
        let (owned, shared) = ("é".to_owned(), Arc::from("é"));
        let forms = [Value::Text(owned), Value::Static("é"), Value::Shared(shared)];
        let mut insert = Composer::new("insert into kept (id, words, json) values ");
        for (id, form) in (1_i64..).zip(forms) {
            insert.push(if id == 1 { "(" } else { ", (" }).bind(id).push(", ").bind(form);
            insert.push(", ").bind(serde_json::json!({ "a": [1, "é"] })).push(")");
        }
        let insert = std::sync::Mutex::new(Some(insert.finish()));
        let once = move || vec![insert.lock().expect("sound").take().expect("run once")];
        db.transact(Run::storing(once)).await.expect("stored");
        let rows = db.read(select(), Kept::read).await.expect("read");
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!(row.words.as_deref(), Some("é"));
            assert_eq!(row.json, Some(serde_json::json!({ "a": [1, "é"] })));
        }
    }

    async fn moments_are_cut_to_the_microsecond(shop: TestShop) {
        let db = &shop.app.db;
        table(db).await;
        for (id, nanos) in [(1_i64, 1_999_i128), (2, -1_999), (3, 1_000), (4, -1), (5, 1_501)] {
            let at = Timestamp::from_nanosecond(nanos).expect("a moment");
            let insert = move || {
                let mut sql = Composer::new("insert into kept (id, at) values (");
                sql.bind(id).push(", ").bind(at).push(")");
                vec![sql.finish()]
            };
            db.transact(Run::storing(insert)).await.expect("stored");
        }
        let micros = |row: &Row<'_>| Ok(row.get::<Timestamp>(6)?.as_microsecond());
        assert_eq!(db.read(select(), micros).await.expect("read"), [1, -1, 1, 0, 1]);
    }

    async fn lists_find_their_members(shop: TestShop) {
        let db = &shop.app.db;
        table(db).await;
        let rows = "(1, 'a'), (2, 'it''s'), (3, '\"'), (4, null)";
        let insert = format!("insert into kept (id, words) values {rows}");
        db.script(&insert).await.expect("rows");
        let found = |value: Value| async {
            let mut sql = Composer::new("select id from kept where ");
            let column = if matches!(value, Value::Ints(_)) { "id" } else { "words" };
            sql.push(column);
            sql.push_each(" in (select value from json_each(", " = any(").bind(value);
            sql.push_each("))", ")");
            let ids = db.read(sql.finish(), |row| row.get::<i64>(0)).await.expect("found");
            ids.into_iter().collect::<HashSet<_>>()
        };
        assert_eq!(found(vec![1_i64, 3, 99].into()).await, [1, 3].into());
        assert_eq!(found(Vec::<i64>::new().into()).await, [].into());
        let words = vec!["it's".to_owned(), "\"".to_owned(), "[1]".to_owned()];
        assert_eq!(found(words.into()).await, [2, 3].into());
    }

    async fn a_wrong_type_is_an_error_and_no_guess(shop: TestShop) {
        let db = &shop.app.db;
        table(db).await;
        db.script("insert into kept (id, words) values (1, 'a')").await.expect("a row");
        assert!(db.read(select(), |row| row.get::<i64>(3)).await.is_err(), "text is no number");
        assert!(db.read(select(), |row| row.get::<String>(0)).await.is_err(), "nor the reverse");
        assert!(db.read(select(), |row| row.get::<i64>(2)).await.is_err(), "null needs an Option");
        assert!(db.read(select(), |row| row.get::<i64>(7)).await.is_err(), "there is no column 7");
        assert_eq!(
            db.read(select(), |row| row.get::<Option<i64>>(2)).await.expect("null is fine"),
            [None]
        );
    }
}
