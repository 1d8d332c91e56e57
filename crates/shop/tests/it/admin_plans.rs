//! No list of the back office reads a big table whole: every declared table with every filter,
//! sort and search that it offers, on tables of thousands of rows, by the engines' own plans.
//!
//! PostgreSQL runs each statement and tells how many rows every node looked at; SQLite tells which
//! loops scan and which sort. A declaration that no index backs is found out (see the self-test).

mod plan;
mod seed;

use runout_shop::accounts::Capability;
use runout_shop::admin::table::{Column, EXTRAS, OfferKind, Path, Show};
use runout_shop::admin::{Asked, Table, queries, tables};
use runout_shop::platform::lookups::{Field, Kind};
use runout_shop::platform::page::Resource;

use crate::on_both_engines;
use crate::support::TestShop;

type Pairs = Vec<(String, String)>;

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A value of a field that a part of the rows has.
fn sample(field: &Field) -> String {
    match field.kind {
        Kind::Int | Kind::Id => "4900".to_owned(),
        Kind::Bool => "true".to_owned(),
        Kind::Time => "2020-01-01T01:00:00Z".to_owned(),
        Kind::Date => "2020-01-01".to_owned(),
        Kind::Choice(words) => (*words.last().expect("choices have words")).to_owned(),
        Kind::Text => "nowhere".to_owned(),
    }
}

/// Every filter that a table offers, as it stands in an address.
fn filters(table: &'static Table) -> Vec<Pairs> {
    let field = |name: &str| {
        let name = name.split("__").next().expect("a name");
        let found = table.list.fields.iter().find(|field| field.name == name);
        found.unwrap_or_else(|| panic!("{} offers {name}, which is no field", table.slug))
    };
    let mut all = vec![Vec::new()];
    for offer in table.filters {
        let value = sample(field(offer.field));
        match offer.kind {
            OfferKind::Choice(words) => {
                all.extend(words.iter().map(|word| vec![pair(offer.field, word)]));
            }
            OfferKind::YesNo => {
                all.extend(["true", "false"].map(|value| vec![pair(offer.field, value)]));
            }
            OfferKind::Value => all.push(vec![pair(offer.field, &value)]),
            OfferKind::Period => {
                let (from, before) =
                    (format!("{}__gte", offer.field), format!("{}__lt", offer.field));
                all.push(vec![pair(&from, &value)]);
                all.push(vec![pair(&before, &value)]);
                all.push(vec![pair(&from, &value), pair(&before, "2020-01-01T02:00:00Z")]);
            }
        }
    }
    for path in table.paths {
        all.push(path.fields.iter().map(|name| pair(name, &sample(field(name)))).collect());
    }
    // Two filters at once: one of them has the index, or neither.
    let offered: Vec<Pairs> = all[1..].to_vec();
    for two in offered.windows(2) {
        if two[0][0].0 != two[1][0].0 {
            all.push(two.concat());
        }
    }
    all
}

/// Every way to ask: filters and searches, each as sorted by itself and under every sort.
fn requests(table: &'static Table) -> Vec<Pairs> {
    let sorts = table.list.fields.iter().filter(|field| field.sortable).map(|field| field.name);
    let sorts: Vec<&str> = sorts.chain(table.has_page.then_some("id")).collect();
    let mut asked = filters(table);
    if table.search.is_some() {
        for q in ["4900", "who14900", "who14900@example.com", "S14900", "title4900", "%_'"] {
            asked.push(vec![pair("q", q)]);
        }
    }
    let mut all = Vec::new();
    for pairs in asked {
        for sort in &sorts {
            let descending = format!("-{sort}");
            all.push([&pairs[..], &[pair("sort", sort)]].concat());
            all.push([&pairs[..], &[pair("sort", &descending)]].concat());
        }
        all.push(pairs);
    }
    all
}

/// What is wrong with a list's plan; none: it is bounded.
async fn wrong(shop: &TestShop, table: &'static Table, pairs: &Pairs) -> Option<String> {
    let asked = Asked::from_pairs(table, pairs.clone())
        .unwrap_or_else(|problem| panic!("{} {pairs:?}: {}", table.slug, problem.words()));
    let listing = queries::page(&shop.app, &asked).await;
    let listing = listing.unwrap_or_else(|error| panic!("{} {pairs:?}: {error:?}", table.slug));
    let mut found = plan::problem(shop, &asked).await;
    if let (None, Some(next)) = (&found, listing.next) {
        let pairs = [&pairs[..], &[pair("cursor", &next)]].concat();
        let asked = Asked::from_pairs(table, pairs).expect("a cursor of its own");
        found = plan::problem(shop, &asked).await;
    }
    found.map(|problem| format!("{} {pairs:?}: {problem}", table.slug))
}

on_both_engines! {
    async fn every_list_is_a_bounded_range_of_an_index(shop: TestShop) {
        seed::fill(&shop).await;
        let mut found = Vec::new();
        let mut asked = 0;
        for table in tables().iter().filter(|table| !table.is_small) {
            for pairs in requests(table) {
                asked += 1;
                found.extend(wrong(&shop, table, &pairs).await);
            }
        }
        let count = found.len();
        // One of each table and kind of problem tells enough.
        let mut seen = std::collections::HashSet::new();
        found.retain(|text| {
            let table = text.split(' ').next().map(str::to_owned);
            let problem = text.split_once("]: ").and_then(|(_, rest)| rest.lines().next());
            let words: Vec<&str> = problem.unwrap_or_default().split(' ').take(3).collect();
            seen.insert((table, words.join(" ")))
        });
        let found = found.join("\n\n");
        assert!(found.is_empty(), "{count} of {asked} lists are unbounded:\n{found}");
        assert!(asked > 500, "only {asked} lists were looked at");
    }

    async fn a_declaration_without_an_index_is_found_out(shop: TestShop) {
        seed::fill(&shop).await;
        let by = |name, value| vec![pair(name, value)];
        for (pairs, what) in [
            (by("status", "returned"), "a filter whose path has no index"),
            (by("country", "XX"), "a filter that leaves few rows, but finds them by a scan"),
            (by("sort", "total_minor"), "a sort without an index"),
        ] {
            let problem = wrong(&shop, &UNBACKED, &pairs).await;
            assert!(problem.is_some(), "{what} was not found out");
        }
        assert_eq!(wrong(&shop, &UNBACKED, &Vec::new()).await, None, "its default is fine");
    }

    async fn pages_of_customers_are_bounded_too(shop: TestShop) {
        seed::fill(&shop).await;
        let mut found = Vec::new();
        for query in [
            "", "sort=title", "sort=-title", "sort=artist", "sort=-release_year",
            "sort=-created_at", "artist=Artist+1007", "artist=Artist+1007&sort=release_year",
            "style=Style+7", "label=Label+7", "q=title4900", "sku=S14900", "in_stock=true",
        ] {
            found.extend(plan::catalogue_problem(&shop, query).await);
        }
        found.extend(plan::my_orders_problem(&shop).await);
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Orders as nobody should declare them.
static UNBACKED: Table = Table {
    slug: "unbacked",
    title: "Unbacked",
    one: "order",
    capability: Capability::Orders,
    base: "orders",
    alias: "o",
    list: Resource {
        name: "unbacked",
        fields: &[
            Field::new("id", "o.id", Kind::Id),
            Field::new("status", "o.status", Kind::Text),
            Field::new("country", "o.country", Kind::Text),
            Field::new("total_minor", "o.total_minor", Kind::Int).sortable(),
        ],
        id_sql: "o.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[Column::new("number", "Number", Show::Int, "o.id")],
    paths: &[
        Path { fields: &["status"], sort: "-id", few: false },
        Path { fields: &["country"], sort: "-id", few: true },
    ],
    ..Table::BLANK
};
