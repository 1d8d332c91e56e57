//! Lists of products: lookups, sorting, cursors, full-text search, stock and price filters.

use std::collections::HashSet;

use runout_store::{Composer, Engine};
use serde_json::{Value, json};

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::support::{Client, TestShop};

/// Titles of the first page that a query gives.
async fn titles(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("/api/v1/products?{query}")).await.expect(200);
    let title = |item: &Value| item["title"].as_str().expect("text").to_owned();
    page["items"].as_array().expect("a list").iter().map(title).collect()
}

async fn fill(staff: &Client) {
    for (title, artist, year, style, label) in [
        ("Honky Château", "Elton John", 1972, "Rock", "DJM"),
        ("Sgt. Pepper's Lonely Hearts Club Band", "The Beatles", 1967, "Psychedelic", "Parlophone"),
        ("Ágætis byrjun", "Sigur Rós", 1999, "Post-Rock", "Fat Cat"),
        ("We are Reactive", "Hohpe", 2026, "Indie", "Runout"),
        ("Back in Black", "AC/DC", 1980, "Hard Rock", "Atlantic"),
        ("東京", "Perfume", 2007, "J-Pop", "Tokuma"),
    ] {
        add(
            staff,
            json!({"title": title, "artist": artist, "release_year": year, "style": style,
            "label": label, "catalogue_number": format!("C-{year}")}),
        )
        .await;
    }
}

on_both_engines! {
    async fn search_finds_words_whatever_their_marks(shop: TestShop) {
        let staff = shop.staff().await;
        fill(&staff).await;
        let anyone = shop.anonymous();
        let honky = "Honky Château";
        let pepper = "Sgt. Pepper's Lonely Hearts Club Band";
        for (query, found) in [
            ("chateau", &[honky][..]),
            ("CHÂTEAU", &[honky]),
            ("honky+cha", &[honky]),
            ("honk+chateau", &[]),
            ("elton+djm", &[honky]),
            ("pepper's", &[pepper]),
            ("peppers", &[pepper]),
            ("beatles+psych", &[pepper]),
            ("sigur+ros", &["Ágætis byrjun"]),
            ("agaetis", &["Ágætis byrjun"]),
            ("rock", &["Back in Black", "Ágætis byrjun", honky]),
            ("ac/dc", &["Back in Black"]),
            ("%E6%9D%B1", &["東京"]),
            ("%E4%BA%AC", &["東京"]),
            ("nothing", &[]),
            ("!!!", &[]),
            ("%22", &[]),
            ("rock+OR+indie", &[]),
            ("back*+NEAR(black)", &[]),
            ("title:back", &[]),
            ("back%27%29+%7C+%28%27black", &["Back in Black"]),
        ] {
            assert_eq!(titles(&anyone, &format!("q={query}")).await, found, "{query}");
        }
        assert_eq!(titles(&anyone, "q=").await.len(), 6);
        assert_eq!(titles(&anyone, "q=rock&artist=Sigur+R%C3%B3s").await, ["Ágætis byrjun"]);
        let id = anyone.get("/api/v1/products?q=honky").await.expect(200)["items"][0]["id"].clone();
        staff
            .patch(&format!("/api/v1/products/{id}"), json!({"title": "Émigré"}))
            .await
            .expect(200);
        assert_eq!(titles(&anyone, "q=emigre").await, ["Émigré"]);
        assert!(titles(&anyone, "q=honky").await.is_empty());
        staff.delete(&format!("/api/v1/products/{id}")).await.expect(204);
        assert!(titles(&anyone, "q=emigre").await.is_empty());
    }

    async fn lookups_and_sorting(shop: TestShop) {
        let staff = shop.staff().await;
        fill(&staff).await;
        let none = add(&staff, json!({"title": "No year", "enabled": false})).await;
        for (query, found) in [
            ("artist=Hohpe", &["We are Reactive"][..]),
            ("artist=hohpe", &[]),
            ("artist__iexact=hohpe", &["We are Reactive"]),
            ("release_year=1980", &["Back in Black"]),
            ("release_year__gte=1999&release_year__lt=2026", &["東京", "Ágætis byrjun"]),
            ("release_year__in=1972,1980", &["Back in Black", "Honky Château"]),
            ("release_year__isnull=true", &["No year"]),
            ("title__startswith=Back", &["Back in Black"]),
            ("title__contains=%25", &[]),
            ("label__icontains=cat", &["Ágætis byrjun"]),
            ("catalogue_number=C-2026", &["We are Reactive"]),
            ("style=Indie&kind=disc", &["We are Reactive"]),
            ("kind=ticket", &[]),
            ("enabled=false", &["No year"]),
            ("created_at__gt=2026-11-21T12:00:00Z", &[]),
            ("release_at__isnull=false", &[]),
            ("sort=title&limit=2", &["Back in Black", "Honky Château"]),
            ("sort=-release_year&limit=2", &["We are Reactive", "東京"]),
            ("sort=release_year&release_year__gte=2000", &["東京", "We are Reactive"]),
            ("sort=-title&limit=1", &["東京"]),
        ] {
            assert_eq!(titles(&staff, query).await, found, "{query}");
        }
        assert_eq!(
            titles(&staff, "sort=release_year").await.last().map(String::as_str),
            Some("No year")
        );
        let path = format!("id={}", id(&none));
        assert_eq!(titles(&staff, &path).await, ["No year"]);
        assert!(titles(&shop.anonymous(), &path).await.is_empty());
        for (query, code) in [
            ("artst=x", "unknown_filter"),
            ("artist__like=x", "unknown_filter"),
            ("release_year=x", "invalid_filter"),
            ("in_stock=maybe", "invalid_filter"),
            ("amount_minor__gte=1.5", "invalid_filter"),
            ("sort=label", "unknown_sort"),
            ("cursor=x", "invalid_cursor"),
            ("limit=101", "invalid_limit"),
            ("q=%00", "invalid_filter"),
        ] {
            staff.get(&format!("/api/v1/products?{query}")).await.expect_problem(400, code);
        }
    }

    async fn cursors_hold_while_products_come_and_go(shop: TestShop) {
        let staff = shop.staff().await;
        for n in 0..12 {
            let year = if n % 4 == 0 { Value::Null } else { json!(2000 + n % 3) };
            let variants = json!([{"title": "a"}, {"title": "b"}]);
            add(
                &staff,
                json!({"title": format!("T{}", n % 5), "release_year": year,
                "variants": variants}),
            )
            .await;
        }
        for sort in ["-id", "id", "title", "-title", "release_year", "-release_year", "created_at"]
        {
            let all =
                staff.get(&format!("/api/v1/products?limit=100&sort={sort}")).await.expect(200);
            let before: Vec<i64> =
                all["items"].as_array().expect("a list").iter().map(id).collect();
            let mut seen = Vec::new();
            let mut query = format!("limit=5&sort={sort}");
            loop {
                let page = staff.get(&format!("/api/v1/products?{query}")).await.expect(200);
                let items = page["items"].as_array().expect("a list");
                assert!(
                    items.iter().all(|item| item["variants"].as_array().map(Vec::len) == Some(2))
                );
                seen.extend(items.iter().map(id));
                // Others add products meanwhile.
                let variants = json!([{"title": "a"}, {"title": "b"}]);
                add(&staff, json!({"title": "T2", "release_year": 2001, "variants": variants}))
                    .await;
                let Some(next) = page["next"].as_str() else { break };
                query = format!("limit=5&sort={sort}&cursor={next}");
            }
            let known: HashSet<i64> = before.iter().copied().collect();
            let once: HashSet<i64> = seen.iter().copied().collect();
            assert_eq!(once.len(), seen.len(), "{sort}: none twice");
            seen.retain(|id| known.contains(id));
            assert_eq!(seen, before, "{sort}: none left out, in order");
        }
    }

    async fn stock_and_price_filters(shop: TestShop) {
        let staff = shop.staff().await;
        let price = |amount| json!({"currency": "EUR", "amount": amount});
        let full = add(&staff, json!({"title": "Full", "price": price("10")})).await;
        let empty = add(&staff, json!({"title": "Empty", "price": price("20")})).await;
        let (full, empty) = (id(&full["variants"][0]), id(&empty["variants"][0]));
        add(&staff, json!({"title": "Free"})).await;
        shop.app.db.script(&format!(
            "insert into location (id, code, name, active) values (2, 'b', 'B', true), (3, 'c', 'C', false);
             insert into stock_level (id, variant_id, location_id, on_hand, reserved, movements) values
                 (1, {full}, 1, 5, 2, 1), (2, {full}, 2, 4, 0, 1), (3, {full}, 3, 100, 0, 1), (4, {empty}, 1, 3, 3, 1)"
        )).await.expect("stock");
        let shown = staff.get("/api/v1/products?sort=id").await.expect(200);
        let available = |n: usize| shown["items"][n]["variants"][0]["available"].clone();
        assert_eq!((available(0), available(1), available(2)), (json!(7), json!(0), json!(0)));
        for (query, found) in [
            ("in_stock=true", &["Full"][..]),
            ("in_stock=false", &["Free", "Empty"]),
            ("amount_minor__gte=1000", &["Empty", "Full"]),
            ("amount_minor__gte=1001", &["Empty"]),
            ("amount_minor__lte=1999", &["Full"]),
            ("amount_minor__lte=1999&currency=USD", &[]),
            ("q=full&in_stock=true&amount_minor__lte=1000", &["Full"]),
        ] {
            assert_eq!(titles(&staff, query).await, found, "{query}");
        }
    }

    async fn a_filtered_page_reads_an_index(shop: TestShop) {
        fill_many(&shop).await;
        for query in ["artist=Artist+7&release_year=1982", "artist=Artist+7&release_year__gte=1982"]
        {
            let plan = explain(&shop, query).await;
            assert!(plan.contains("product_artist_year"), "{query}:\n{plan}");
            for table in ["product", "variant", "price", "stock_level"] {
                for scan in ["SCAN", "Seq Scan on"] {
                    assert!(!plan.contains(&format!("{scan} {table}")), "{query}:\n{plan}");
                }
            }
        }
        let found = titles(&shop.anonymous(), "artist=Artist+7&release_year=1982").await;
        let expected = (0..10).rev().map(|n| format!("Title {}", 1007 + 2000 * n));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}

/// Twenty thousand products with a variant, a price and stock each, made by the database.
async fn fill_many(shop: &TestShop) {
    let (numbers, moment, analyze) = match shop.app.db.engine() {
        Engine::Sqlite => (
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < 20000)",
            "1",
            "",
        ),
        Engine::Postgres => (
            "with n as (select * from generate_series(1, 20000) as g (n))",
            "'2020-01-01T00:00:00Z'::timestamptz",
            "analyze;",
        ),
    };
    shop.app
        .db
        .script(&format!(
            "insert into product (id, kind, title, artist, release_year, enabled, search_text,
                 created_at, updated_at)
             {numbers} select n, 'disc', 'Title ' || n, 'Artist ' || (n % 500), 1980 + n / 500 % 4, true,
                 'title ' || n, {moment}, {moment} from n;
             insert into variant (id, product_id, sku, is_default, created_at, updated_at)
             {numbers} select n, n, 'S' || n, true, {moment}, {moment} from n;
             insert into price (id, variant_id, currency, amount_minor, effective_from, created_at)
             {numbers} select n, n, 'EUR', 1000, {moment}, {moment} from n;
             insert into stock_level (id, variant_id, location_id, on_hand, reserved, movements)
             {numbers} select n, n, 1, 5, 0, 1 from n;
             {analyze}"
        ))
        .await
        .expect("products");
}

/// The engine's plan of a list's statement.
async fn explain(shop: &TestShop, query: &str) -> String {
    use runout_shop::catalog::list::{PRODUCTS, Search, statement};
    use runout_shop::catalog::queries::{Sight, View};
    use runout_shop::platform::page::ListRequest;

    let uri = format!("/?{query}").parse().expect("an address");
    let request = ListRequest::from_uri(&PRODUCTS, &uri).expect("a good query");
    let search = Search::new(&request).expect("a good query");
    let view = View { currency: "EUR".parse().expect("a currency"), now: shop.clock.now() };
    let mut sql = Composer::new("explain ");
    sql.push_each("query plan ", "");
    let engine = shop.app.db.engine();
    let statement = statement(sql, engine, &request, &search, Sight::Public, view);
    let column = if engine == Engine::Sqlite { 3 } else { 0 };
    let lines = shop.app.db.read(statement, |row| row.get::<String>(column)).await;
    lines.expect("a plan").join("\n")
}
