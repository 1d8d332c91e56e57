//! Filters, sorting and cursors on real rows: both engines give what plain Rust gives.

use runout_shop::platform::cursor::Key;
use runout_shop::platform::lookups::{Field, Kind};
use runout_shop::platform::page::{ListRequest, Page, Resource};
use runout_store::{Composer, Engine as Kinds};

use crate::on_both_engines;

static THINGS: Resource = Resource {
    name: "things",
    fields: &[
        Field::new("id", "t.id", Kind::Id),
        Field::new("title", "t.title", Kind::Text).sortable(),
        Field::new("year", "t.year", Kind::Int).sortable().nullable(),
        Field::new("sold", "t.sold", Kind::Bool).sortable(),
        Field::new("at", "t.at", Kind::Time).sortable(),
        Field::new("born", "t.born", Kind::Date).sortable(),
    ],
    id_sql: "t.id",
    default_sort: "id",
    extras: &[],
};

#[derive(Debug, Clone, PartialEq)]
struct Thing {
    id: i64,
    title: String,
    year: Option<i64>,
    sold: bool,
    at: jiff::Timestamp,
    born: String,
}

const TITLES: [&str; 8] = ["ab", "AB", "a%b", "a_b", "Ab\\", "b", "xab", "bba"];

/// Rows with many ties and gaps; the short `year` column checks that wide values do no harm.
fn things() -> Vec<Thing> {
    let thing = |id: i64| Thing {
        id,
        title: TITLES[(id * 5 % 8) as usize].to_owned(),
        year: (id % 4 != 0).then_some(1990 + id % 3),
        sold: id % 2 == 0,
        at: jiff::Timestamp::from_microsecond((id % 5) * 1_000_001).expect("in range"),
        born: format!("200{}-01-0{}", id % 3, id % 2 + 1),
    };
    (1..=50).map(thing).collect()
}

async fn fill(db: &runout_store::Db) {
    let (short, time) = match db.engine() {
        Kinds::Sqlite => ("integer", "integer"),
        Kinds::Postgres => ("integer", "timestamptz"),
    };
    let mut script = format!(
        "create table thing (id bigint primary key, title text not null, year {short},
         sold boolean not null, at {time} not null, born text not null);"
    );
    for thing in things() {
        let Thing { id, title, sold, at, born, .. } = thing;
        let year = thing.year.map_or("null".to_owned(), |year| year.to_string());
        let at = match db.engine() {
            Kinds::Sqlite => at.as_microsecond().to_string(),
            Kinds::Postgres => format!("'{at}'"),
        };
        script +=
            &format!("insert into thing values ({id}, '{title}', {year}, {sold}, {at}, '{born}');");
    }
    db.script(&script).await.expect("a table of one's own");
}

async fn page(db: &runout_store::Db, query: &str) -> Page<Thing> {
    let uri = format!("/?{query}").parse().expect("an address");
    let request =
        ListRequest::from_uri(&THINGS, &uri).unwrap_or_else(|problem| panic!("{problem:?}"));
    let mut sql = Composer::new(
        "select t.id, t.title, t.year, t.sold, t.at, t.born from thing t where 1 = 1",
    );
    request.compose(&mut sql);
    let rows = db.read(sql.finish(), |row| {
        Ok(Thing {
            id: row.get(0)?,
            title: row.get(1)?,
            year: row.get::<Option<i64>>(2)?,
            sold: row.get(3)?,
            at: row.get(4)?,
            born: row.get(5)?,
        })
    });
    let rows = rows.await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    request.page(rows, |thing, field| {
        let key = match field {
            "title" => Key::of(thing.title.as_str()),
            "year" => Key::of(thing.year),
            "sold" => Key::of(thing.sold),
            "at" => Key::of(thing.at),
            "born" => Key::of(thing.born.as_str()),
            _ => Key::Null,
        };
        (thing.id, key)
    })
}

async fn ids(db: &runout_store::Db, query: &str) -> Vec<i64> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(db, &format!("{query}{cursor}")).await;
        ids.extend(page.items.iter().map(|thing| thing.id));
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

fn kept(keep: impl Fn(&Thing) -> bool) -> Vec<i64> {
    things().iter().filter(|thing| keep(thing)).map(|thing| thing.id).collect()
}

on_both_engines! {
    async fn lookups_find_what_they_say(shop: TestShop) {
        let db = &shop.app.db;
        fill(db).await;
        let lower = |text: &str| text.to_lowercase();
        for (query, wanted) in [
            ("title=ab", kept(|t| t.title == "ab")),
            ("title__iexact=aB", kept(|t| lower(&t.title) == "ab")),
            ("title__contains=ab", kept(|t| t.title.contains("ab"))),
            ("title__contains=%25", kept(|t| t.title.contains('%'))),
            ("title__contains=_", kept(|t| t.title.contains('_'))),
            ("title__contains=%5C", kept(|t| t.title.contains('\\'))),
            ("title__contains=", kept(|_| true)),
            ("title__icontains=AB", kept(|t| lower(&t.title).contains("ab"))),
            ("title__startswith=a", kept(|t| t.title.starts_with('a'))),
            ("title__istartswith=A", kept(|t| lower(&t.title).starts_with('a'))),
            ("title__in=ab,b,none", kept(|t| ["ab", "b"].contains(&t.title.as_str()))),
            ("title__in=", vec![]),
            ("year=1991", kept(|t| t.year == Some(1991))),
            ("year__gte=1991", kept(|t| t.year.is_some_and(|y| y >= 1991))),
            ("year__lt=9223372036854775807", kept(|t| t.year.is_some())),
            ("year__in=1990,-9223372036854775808", kept(|t| t.year == Some(1990))),
            ("year__isnull=true", kept(|t| t.year.is_none())),
            ("year__isnull=false&id__lte=9", kept(|t| t.year.is_some() && t.id <= 9)),
            ("sold=true", kept(|t| t.sold)),
            ("sold=0", kept(|t| !t.sold)),
            ("at__gt=1970-01-01T00:00:01.000001Z", kept(|t| t.at.as_microsecond() > 1_000_001)),
            ("at=1970-01-01", kept(|t| t.at.as_microsecond() == 0)),
            ("born__gte=2001-01-02", kept(|t| t.born.as_str() >= "2001-01-02")),
            (
                "born__in=2001-01-02,2002-01-01",
                kept(|t| ["2001-01-02", "2002-01-01"].contains(&t.born.as_str())),
            ),
            ("id__in=50,1,7,999", vec![1, 7, 50]),
        ] {
            assert_eq!(ids(db, &format!("{query}&limit=7")).await, wanted, "{query}");
        }
    }

    async fn pages_give_every_row_once_in_order(shop: TestShop) {
        let db = &shop.app.db;
        fill(db).await;
        for sort in ["id", "year", "sold", "at", "born"] {
            for limit in [1, 3, 50, 100] {
                let mut rows = things();
                // None is the least in Rust, and comes last here whatever the direction.
                rows.sort_by_key(|t| match sort {
                    "year" => (t.year.is_none(), t.year.unwrap_or(0), t.id),
                    "sold" => (false, t.sold.into(), t.id),
                    "at" => (false, t.at.as_microsecond(), t.id),
                    "born" => (false, t.born.replace('-', "").parse().expect("digits"), t.id),
                    _ => (false, 0, t.id),
                });
                let wanted: Vec<i64> = rows.iter().map(|thing| thing.id).collect();
                assert_eq!(ids(db, &format!("sort={sort}&limit={limit}")).await, wanted, "{sort}");
                rows.reverse();
                rows.sort_by_key(|t| sort == "year" && t.year.is_none());
                let wanted: Vec<i64> = rows.iter().map(|thing| thing.id).collect();
                let got = ids(db, &format!("sort=-{sort}&limit={limit}")).await;
                assert_eq!(got, wanted, "-{sort}");
            }
        }
    }

    async fn pages_by_text_follow_the_database_order(shop: TestShop) {
        let db = &shop.app.db;
        fill(db).await;
        for sort in ["title", "-title"] {
            let whole = ids(db, &format!("sort={sort}&limit=100")).await;
            assert_eq!(whole.len(), 50);
            assert_eq!(ids(db, &format!("sort={sort}&limit=3")).await, whole, "{sort}");
        }
    }
}
