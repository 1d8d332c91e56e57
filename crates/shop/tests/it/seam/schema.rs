//! Both migration folders make the same tables, columns, keys and indexes.

use std::collections::{BTreeMap, BTreeSet};

use runout_store::{Composer, Db, migrate};

use crate::support::database::postgres_is_left_out;
use crate::support::{Engine, TestDatabase};

/// Every column: table, name, type, whether it takes null (1 if not), place in the primary key.
const LITE_COLUMNS: &str = "select t.name, c.name, lower(c.type), c.\"notnull\", c.pk
    from sqlite_schema t join pragma_table_info(t.name) c
    where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'";
const POST_COLUMNS: &str = "select t.relname::text, c.attname::text,
        format_type(c.atttypid, c.atttypmod), c.attnotnull::int,
        coalesce(array_position(k.indkey::int2[], c.attnum) + 1, 0)
    from pg_class t
    join pg_attribute c on c.attrelid = t.oid and c.attnum > 0 and not c.attisdropped
    left join pg_index k on k.indrelid = t.oid and k.indisprimary
    where t.relkind = 'r' and t.relnamespace = 'public'::regnamespace";

/// Every index that was made by name: table, name, whether unique, its columns in order.
const LITE_INDEXES: &str = "select i.tbl_name, i.name, l.\"unique\",
        (select group_concat(c.name, ',' order by c.seqno) from pragma_index_info(i.name) c)
    from sqlite_schema i join pragma_index_list(i.tbl_name) l on l.name = i.name
    where i.type = 'index' and i.sql is not null";
const POST_INDEXES: &str = "select t.relname::text, n.relname::text, i.indisunique::int,
        (select string_agg(c.attname, ',' order by k.place)
            from unnest(i.indkey::int2[]) with ordinality as k (number, place)
            join pg_attribute c on c.attrelid = t.oid and c.attnum = k.number)
    from pg_index i
    join pg_class t on t.oid = i.indrelid join pg_class n on n.oid = i.indexrelid
    where t.relnamespace = 'public'::regnamespace
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid)";

/// Full-text search is made differently: tables of its own here, a column and an index there.
fn is_search(table: &str, name: &str) -> bool {
    table.starts_with("product_search") || (table == "product" && name == "product_search")
}

/// What SQLite stores a PostgreSQL type as.
fn stored_as(postgres: &str) -> &'static str {
    match postgres {
        "bigint" | "boolean" | "timestamp with time zone" => "integer",
        "text" | "jsonb" => "text",
        "bytea" => "blob",
        other => panic!("{other} has no place in the mapping of types"),
    }
}

async fn databases() -> [(Db, TestDatabase); 2] {
    let mut made = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = TestDatabase::new(engine).await;
        let db = Db::open(&database.url()).expect("opens");
        migrate(&db).await.expect("migrates");
        made.push((db, database));
    }
    made.try_into().unwrap_or_else(|_| panic!("two were made"))
}

type Columns = BTreeMap<(String, String), (String, bool, i64)>;

async fn columns(db: &Db, sql: &'static str) -> Columns {
    let rows = db
        .read(Composer::new(sql).finish(), |row| {
            let name: (String, String) = (row.get(0)?, row.get(1)?);
            let (not_null, place): (i64, i64) = (row.get(3)?, row.get(4)?);
            // A primary key takes no null, whatever SQLite says of an integer one.
            Ok((name, (row.get(2)?, not_null == 1 || place > 0, place)))
        })
        .await
        .expect("columns");
    rows.into_iter().filter(|((table, _), _)| !is_search(table, "")).collect()
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    if postgres_is_left_out("both_engines_have_the_same_tables_and_columns") {
        return;
    }
    let [(lite, _lite), (post, _post)] = databases().await;
    let on_lite = columns(&lite, LITE_COLUMNS).await;
    let mut on_post = columns(&post, POST_COLUMNS).await;
    let search = on_post.remove(&("product".to_owned(), "search".to_owned()));
    assert_eq!(search.expect("the search column").0, "tsvector");
    for (kind, _, _) in on_post.values_mut() {
        // The one table that the seam makes itself says bigint on both.
        *kind = stored_as(kind).to_owned();
    }
    let same = |kind: &str| if kind == "bigint" { "integer" } else { kind }.to_owned();
    let on_lite: Columns =
        on_lite.into_iter().map(|(name, (kind, n, k))| (name, (same(&kind), n, k))).collect();
    assert!(on_lite.len() > 80, "{} columns", on_lite.len());
    for name in on_lite.keys().chain(on_post.keys()) {
        assert_eq!(on_lite.get(name), on_post.get(name), "SQLite and PostgreSQL: {name:?}");
    }
}

#[tokio::test]
async fn both_engines_have_the_same_indexes() {
    if postgres_is_left_out("both_engines_have_the_same_indexes") {
        return;
    }
    let [(lite, _lite), (post, _post)] = databases().await;
    let mut found = Vec::new();
    for (db, sql) in [(&lite, LITE_INDEXES), (&post, POST_INDEXES)] {
        let rows = db
            .read(Composer::new(sql).finish(), |row| {
                let name: (String, String) = (row.get(0)?, row.get(1)?);
                Ok((name, row.get::<i64>(2)? == 1, row.get::<Option<String>>(3)?))
            })
            .await
            .expect("indexes");
        let ours = rows.into_iter().filter(|((table, name), ..)| !is_search(table, name));
        found.push(ours.collect::<BTreeSet<_>>());
    }
    assert!(found[0].len() > 10, "{} indexes", found[0].len());
    assert_eq!(found[0], found[1]);
}
