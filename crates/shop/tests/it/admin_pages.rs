//! The back office's pages in a browser's hands: who gets in, lists, forms, conflicts, histories.

use runout_shop::accounts::Role;
use runout_shop::admin::{Asked, queries, tables};
use serde_json::json;

use crate::catalog::{add, id};
use crate::on_both_engines;
use crate::orders::{order, restock};
use crate::support::visitor::Visitor;
use crate::support::{Client, TestShop};

/// What nobody may get into a page unescaped.
pub const EVIL: &str = "<script>alert(1)</script>\"'";

/// The value of a hidden field; of the form that begins after `from`.
pub fn hidden(html: &str, from: &str, name: &str) -> String {
    let form = &html[html.find(from).unwrap_or_else(|| panic!("no {from} in {html}"))..];
    let (_, rest) = form
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name} after {from} in {html}"));
    rest.split('"').next().expect("a value").to_owned()
}

/// The first form of a row's own page.
fn editor(id: i64, slug: &str) -> String {
    format!("action=\"/admin/{slug}/{id}/\"")
}

/// The hidden fields that a row's form sends back, with the values that it began with.
fn carried(html: &str, slug: &str, id: i64, fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let form = editor(id, slug);
    let mut all: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for name in ["version", "opened"] {
        all.push((name.to_owned(), hidden(html, &form, name)));
    }
    all
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What the product's form holds when nobody has typed anything, but for the fields given.
fn product_form(html: &str, id: i64, typed: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = carried(html, "products", id, &[]);
    let form = editor(id, "products");
    for name in [
        "kind",
        "title",
        "artist",
        "release_year",
        "style",
        "label",
        "catalogue_number",
        "description",
        "attributes",
        "enabled",
        "release_at",
        "tax_class",
    ] {
        let was = hidden(html, &form, &format!("was-{name}"));
        let was = was.replace("&#34;", "\"").replace("&#38;", "&");
        let value = typed.iter().find(|(known, _)| *known == name);
        all.push((format!("was-{name}"), was.clone()));
        all.push((name.to_owned(), value.map_or(was, |(_, value)| (*value).to_owned())));
    }
    all
}

async fn back_office(shop: &TestShop) -> Visitor {
    shop.visitor_as("sam", Role::Staff).await
}

/// The products on a page of the list.
fn rows(html: &str) -> Vec<i64> {
    let rows = html.split("<th scope=\"row\"><a href=\"/admin/products/").skip(1);
    rows.map(|rest| rest.split('/').next().expect("an id").parse().expect("a number")).collect()
}

/// The address of the page after or before.
fn link(html: &str, rel: &str) -> String {
    let (_, rest) = html.split_once(&format!("rel=\"{rel}\" href=\"")).expect("a link");
    let query = rest.split('"').next().expect("an address").replace("&#38;", "&");
    format!("/admin/products/{query}")
}

/// The products that a list's pages show, in their order.
async fn walk(visitor: &mut Visitor, mut path: String) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let html = visitor.open(&path).await.expect(200);
        ids.extend(rows(&html));
        if !html.contains("rel=\"next\"") {
            return ids;
        }
        path = link(&html, "next");
    }
}

async fn many_products(shop: &TestShop, count: i64) {
    let moment = match shop.app.db.engine() {
        runout_store::Engine::Sqlite => "1577836800000000",
        runout_store::Engine::Postgres => "'2020-01-01T00:00:00Z'",
    };
    let row = |n: i64| {
        let (title, style) = (n % 7, if n % 10 == 0 { "Rare" } else { "Common" });
        format!("({n},'disc','T{title}','A{}','{style}',true,'t',{moment},{moment})", n % 3)
    };
    let rows: Vec<String> = (1..=count).map(row).collect();
    let script = format!(
        "insert into product (id, kind, title, artist, style, enabled, search_text, created_at,
            updated_at) values {}",
        rows.join(",")
    );
    shop.app.db.script(&script).await.expect("products");
}

async fn plain_product(staff: &Client, title: &str) -> i64 {
    let body = json!({"title": title, "artist": "Hohpe",
        "price": {"currency": "EUR", "amount": "10.00"}});
    id(&add(staff, body).await)
}

on_both_engines! {
    async fn only_staff_get_in(shop: TestShop) {
        let mut anyone = shop.visitor();
        let mut customer = shop.visitor_as("ana", Role::Customer).await;
        let mut staff = back_office(&shop).await;
        let mut paths = vec!["/admin/".to_owned()];
        for table in tables() {
            let slug = table.slug;
            paths.extend(["", "export.csv", "export.json", "1/history"].map(|rest| {
                format!("/admin/{slug}/{rest}")
            }));
            if table.writes.create.is_some() {
                paths.push(format!("/admin/{slug}/new"));
            }
        }
        for path in &paths {
            let answer = anyone.get(path).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(answer.location().starts_with("/accounts/login/?next=%2Fadmin%2F"), "{path}");
            assert_eq!(customer.get(path).await.status, 403, "{path}");
            let status = staff.get(path).await.status.as_u16();
            let no_history = status == 404 && path.ends_with("history");
            assert!(status == 200 || no_history, "{path}: {status}");
        }
        for path in ["products/new", "products/1/", "products/1/delete", "products/bulk",
            "products/bulk/confirm"]
        {
            let path = format!("/admin/{path}");
            assert_eq!(anyone.post(&path, &[("title", "x")]).await.status, 303, "{path}");
            assert_eq!(customer.post(&path, &[("title", "x")]).await.status, 403, "{path}");
        }
        assert_eq!(staff.get("/admin/nothing/").await.status, 404);
        assert_eq!(staff.get("/admin/products/0/").await.status, 404);
        assert_eq!(staff.get("/admin/products/1/").await.status, 404);
        assert_eq!(staff.get("/admin/products/?nothing=1").await.status, 400);
    }

    async fn lists_page_without_gap_or_repeat_under_each_sort(shop: TestShop) {
        let mut staff = back_office(&shop).await;
        many_products(&shop, 130).await;
        for sort in ["", "id", "-id", "title", "-title", "artist", "-artist", "created_at",
            "-created_at"]
        {
            let found = walk(&mut staff, format!("/admin/products/?sort={sort}")).await;
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (1..=130).collect::<Vec<i64>>(), "{sort}");
        }
        let first = staff.open("/admin/products/?sort=title").await.expect(200);
        let second = staff.open(&link(&first, "next")).await.expect(200);
        let third = staff.open(&link(&second, "next")).await.expect(200);
        let back = staff.open(&link(&third, "prev")).await.expect(200);
        assert_eq!(rows(&back), rows(&second), "and back again");
        assert_eq!(rows(&staff.open(&link(&back, "prev")).await.expect(200)), rows(&first));
        assert!(!first.contains("rel=\"prev\"") && !third.contains("rel=\"next\""));
        let rare = walk(&mut staff, "/admin/products/?style=Rare".to_owned()).await;
        assert_eq!(rare, (1..=13).rev().map(|n| n * 10).collect::<Vec<i64>>());
        // Under another sort the filter has no index.
        let mut rare = walk(&mut staff, "/admin/products/?style=Rare&sort=title".to_owned()).await;
        rare.sort_unstable();
        assert_eq!(rare, (1..=13).map(|n| n * 10).collect::<Vec<i64>>());
        let html = staff.open("/admin/products/?style=Rare&sort=title").await.expect(200);
        assert!(html.contains("aria-sort=\"ascending\"") && html.contains("Style: Rare"), "{html}");
    }

    async fn windows_lose_nothing(shop: TestShop) {
        many_products(&shop, 5_000).await;
        let table = runout_shop::admin::table("products").expect("a table");
        let mut pairs = vec![
            ("style".to_owned(), "Rare".to_owned()),
            ("sort".to_owned(), "-title".to_owned()),
        ];
        let (mut ids, mut pages) = (Vec::new(), 0);
        loop {
            let asked = Asked::from_pairs(table, pairs.clone()).expect("a good query");
            let listing = queries::page(&shop.app, &asked).await.expect("reads");
            assert!(listing.rows.len() <= 50);
            ids.extend(listing.rows.iter().map(|row| row.id));
            pages += 1;
            let Some(next) = listing.next else { break };
            pairs.retain(|(name, _)| name != "cursor");
            pairs.push(("cursor".to_owned(), next));
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=500).map(|n| n * 10).collect::<Vec<i64>>());
        assert!(pages >= 10, "{pages}");
        // Nothing fits: the list ends all the same, a bounded stretch at a time.
        let none = vec![("tax_class".to_owned(), "none".to_owned())];
        let asked = Asked::from_pairs(table, none).expect("a good query");
        let listing = queries::page(&shop.app, &asked).await.expect("reads");
        assert!(listing.rows.is_empty() && listing.is_cut && listing.next.is_some());
    }

    async fn searches_find_what_they_name(shop: TestShop) {
        let staff = shop.staff().await;
        let made = add(&staff, json!({"title": "We are Reactive", "sku": "REC-1",
            "price": {"currency": "EUR", "amount": "10.00"}})).await;
        let variant = id(&made["variants"][0]);
        restock(&staff, variant, 5).await;
        let ana = shop.customer("ana").await;
        let number = order(&ana, &[(variant, 1)]).await.expect(201)["id"].as_i64().expect("an id");
        let mut visitor = back_office(&shop).await;
        for (list, found) in [
            (format!("orders/?q={number}"), true),
            (format!("orders/?q=%23{number}"), true),
            ("orders/?q=ANA%40example.com".to_owned(), true),
            ("orders/?q=Ana".to_owned(), true),
            ("orders/?q=bia".to_owned(), false),
            ("orders/?q=bia%40example.com".to_owned(), false),
            ("orders/?status=placed".to_owned(), true),
            ("orders/?status=paid".to_owned(), false),
            ("orders/?status=&placed_at__gte=2026-11-21".to_owned(), true),
            ("orders/?placed_at__lt=2026-11-21".to_owned(), false),
            ("products/?q=react".to_owned(), true),
            ("products/?q=nothing".to_owned(), false),
            ("products/?q=!!!".to_owned(), false),
            ("accounts/?q=an".to_owned(), true),
            ("accounts/?q=ana%40ex".to_owned(), true),
            ("accounts/?q=na".to_owned(), false),
            ("variants/?q=REC".to_owned(), true),
            ("levels/?q=REC-1".to_owned(), true),
        ] {
            let html = visitor.open(&format!("/admin/{list}")).await.expect(200);
            assert_eq!(html.contains("<tbody>"), found, "{list}: {html}");
        }
        let html = visitor.open(&format!("/admin/orders/{number}/")).await.expect(200);
        assert!(html.contains("REC-1") && html.contains("10.00 EUR"), "{html}");
    }

    async fn a_row_is_changed_and_its_history_tells(shop: TestShop) {
        let staff = shop.staff().await;
        let product = plain_product(&staff, "Old title").await;
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let path = format!("/admin/products/{product}/");
        let html = visitor.open(&path).await.expect(200);
        let typed = [("title", "New title"), ("release_year", "1999")];
        let form = product_form(&html, product, &typed);
        let shown = visitor.submit(&path, &borrowed(&form)).await;
        assert_eq!(shown.path, format!("{path}?done=changed"));
        assert!(shown.expect(200).contains("Saved."));
        let now = staff.get(&format!("/api/v1/products/{product}")).await.expect(200);
        assert_eq!((&now["title"], &now["release_year"]), (&json!("New title"), &json!(1999)));
        assert_eq!(now["artist"], "Hohpe", "what was not touched stays");
        let part = [("version", "2"), ("title", "Newer title"), ("was-title", "New title")];
        visitor.submit(&path, &part).await.expect(200);
        let now = staff.get(&format!("/api/v1/products/{product}")).await.expect(200);
        assert_eq!((&now["title"], &now["release_year"]), (&json!("Newer title"), &json!(1999)));

        let html = visitor.open(&format!("{path}history")).await.expect(200);
        for words in [">kim</a>", "Old title", "New title", "product.update", "product.create"] {
            assert!(html.contains(words), "{words}: {html}");
        }

        let html = visitor.open(&path).await.expect(200);
        let form = product_form(&html, product, &[("title", ""), ("release_year", "soon")]);
        let html = visitor.submit(&path, &borrowed(&form)).await.expect(422);
        assert!(html.contains("role=\"alert\"") && html.contains("aria-invalid"), "{html}");
        assert!(html.contains("value=\"soon\""), "what was typed stays: {html}");
        let form = product_form(&visitor.open(&path).await.expect(200), product, &[("title", " ")]);
        let html = visitor.submit(&path, &borrowed(&form)).await.expect(422);
        assert!(html.contains("must not be empty"), "{html}");
    }

    async fn a_conflict_loses_nothing(shop: TestShop) {
        let staff = shop.staff().await;
        let product = plain_product(&staff, "Title").await;
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let path = format!("/admin/products/{product}/");
        let html = visitor.open(&path).await.expect(200);
        let form = product_form(&html, product, &[("title", "Mine"), ("style", "Mine too")]);
        let theirs = json!({"title": "Theirs", "label": "Their label"});
        staff.patch(&format!("/api/v1/products/{product}"), theirs).await.expect(200);

        let html = visitor.submit(&path, &borrowed(&form)).await.expect(409);
        for words in ["Somebody else changed this", ">sam</a>", "value=\"Mine\"",
            "value=\"Mine too\"", "<pre>Theirs</pre>", "value=\"Their label\""]
        {
            assert!(html.contains(words), "{words}: {html}");
        }
        let now = staff.get(&format!("/api/v1/products/{product}")).await.expect(200);
        assert_eq!(now["title"], "Theirs", "nothing was saved");

        let again = product_form(&html, product, &[("title", "Mine"), ("style", "Mine too")]);
        visitor.submit(&path, &borrowed(&again)).await.expect(200);
        let now = staff.get(&format!("/api/v1/products/{product}")).await.expect(200);
        assert_eq!((&now["title"], &now["label"]), (&json!("Mine"), &json!("Their label")));
        assert_eq!(now["style"], "Mine too");
    }

    async fn rows_are_made_in_place_and_deleted(shop: TestShop) {
        let mut visitor = back_office(&shop).await;
        let new = [("kind", "disc"), ("title", "Fresh"), ("enabled", "true"), ("price", "12.50"),
            ("sku", "FRESH-1")];
        let shown = visitor.submit("/admin/products/new", &new).await;
        let path = shown.path.clone();
        let html = shown.expect(200);
        assert!(html.contains("It is there now.") && html.contains("12.50 EUR"), "{html}");
        let path = path.split('?').next().expect("a path").to_owned();
        let id = path.trim_matches('/').rsplit('/').next().expect("an id");

        let bad = [("title", "Two"), ("enabled", "true"), ("sku", "FRESH-1")];
        let html = visitor.submit("/admin/products/new", &bad).await.expect(422);
        assert!(html.contains("a SKU is never given twice") && html.contains("value=\"Two\""));

        let variant = [("product_id", id), ("sku", "FRESH-2"), ("title", "Red"), ("price", "20.00"),
            ("next", path.as_str())];
        let shown = visitor.submit("/admin/variants/new", &variant).await;
        assert_eq!(shown.path, format!("{path}?done=made"));
        let html = shown.expect(200);
        assert!(html.contains("FRESH-2") && html.contains("20.00 EUR"), "{html}");

        let (before, _) = html.split_once(">FRESH-2</a>").expect("the variant");
        let second = before.rsplit("/admin/variants/").next().expect("its page");
        let second = second.split('/').next().expect("its id").to_owned();
        let version = hidden(&html, &format!("id=\"variants-{second}\""), "version");
        let change = [("version", version.as_str()), ("sku", "FRESH-3"), ("was-sku", "FRESH-2"),
            ("title", "Red"), ("was-title", "Red"), ("next", path.as_str())];
        let html = visitor.submit(&format!("/admin/variants/{second}/"), &change).await.expect(200);
        assert!(html.contains("FRESH-3") && !html.contains("FRESH-2"), "{html}");

        let price = [("variant_id", second.as_str()), ("amount", "25.00"),
            ("effective_from", "2027-01-01T00:00"),
            ("next", path.as_str())];
        let html = visitor.submit("/admin/prices/new", &price).await.expect(200);
        assert!(html.contains("25.00 EUR") && html.contains("2027-01-01 00:00"), "{html}");

        let html = visitor.open(&format!("{path}delete")).await.expect(200);
        let version = hidden(&html, "method=\"post\" action=\"/admin/products", "version");
        let stale = [("version", "99")];
        visitor.submit(&format!("{path}delete"), &stale).await.expect(409);
        let sure = [("version", version.as_str())];
        let shown = visitor.submit(&format!("{path}delete"), &sure).await;
        assert_eq!(shown.path, "/admin/products/");
        assert_eq!(visitor.get(&path).await.status, 404);
        visitor.open(&format!("{path}history")).await.expect(200);
    }

    async fn other_tables_have_forms_too(shop: TestShop) {
        let staff = shop.staff().await;
        plain_product(&staff, "Title").await;
        let mut visitor = shop.visitor_as("root", Role::Superuser).await;
        let place = [("code", "shop"), ("name", "Shop floor"), ("active", "true")];
        visitor.submit("/admin/locations/new", &place).await.expect(200);
        let html = visitor.submit("/admin/locations/new", &place).await.expect(422);
        assert!(html.contains("Another location has this code."), "{html}");
        let stock = [("variant_id", "1"), ("location_id", "2"), ("quantity", "7")];
        let html = visitor.submit("/admin/levels/new", &stock).await.expect(200);
        assert!(html.contains("Shop floor") && html.contains("receipt"), "{html}");
        let code = [("code", "spring"), ("percent", "12.5"), ("active", "true")];
        let html = visitor.submit("/admin/discounts/new", &code).await.expect(200);
        assert!(html.contains("value=\"12.5\""), "{html}");
        let html = visitor.submit("/admin/discounts/new", &code).await.expect(422);
        assert!(html.contains("Another discount has this code"), "{html}");
        let rate = [("country", "de"), ("rate", "19")];
        let html = visitor.submit("/admin/tax-rates/new", &rate).await.expect(200);
        assert!(html.contains("19.0000"), "{html}");
        let rate = [("country", "DE"), ("rate", "7.5")];
        let html = visitor.submit("/admin/tax-rates/new", &rate).await.expect(200);
        assert!(html.contains("7.5000") && !html.contains("19.0000"), "{html}");
        let rate = [("country", "Germany"), ("rate", "7.5")];
        visitor.submit("/admin/tax-rates/new", &rate).await.expect(422);
        let who = [("username", "bia"), ("email", "bia@example.com"), ("role", "staff")];
        let html = visitor.submit("/admin/accounts/new", &who).await.expect(200);
        assert!(html.contains("bia@example.com"), "{html}");
        let html = visitor.submit("/admin/accounts/new", &who).await.expect(422);
        assert!(html.contains("This username is taken."), "{html}");
        assert!(!html.contains("password_hash") && !html.contains("argon2"), "{html}");
        shop.verify().await;
    }

    async fn superusers_tick_what_staff_may_do(shop: TestShop) {
        let staff = shop.staff().await;
        plain_product(&staff, "Title").await;
        let kim = shop.account("kim", Role::Staff).await.account_id;
        let mut visitor = shop.visitor_as("kim", Role::Staff).await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let path = format!("/admin/accounts/{kim}/permissions");
        assert_eq!(visitor.get(&path).await.status, 403);
        let html = root.open(&format!("/admin/accounts/{kim}/")).await.expect(200);
        assert!(html.contains(&path), "{html}");
        let html = root.open(&path).await.expect(200);
        let version = hidden(&html, "method=\"post\" action=\"/admin/accounts", "version");
        let stale = [("version", "99"), ("restricted", "true"), ("may", "orders.view")];
        let html = root.submit(&path, &stale).await.expect(409);
        let ticked = "value=\"orders.view\" aria-label=\"view orders\" checked";
        assert!(html.contains(ticked), "{html}");
        let wanted =
            [("version", version.as_str()), ("restricted", "true"), ("may", "catalog.view")];
        root.submit(&path, &wanted).await.expect(200);

        let html = visitor.open("/admin/").await.expect(200);
        assert!(html.contains("/admin/products/") && !html.contains("/admin/orders/"), "{html}");
        let html = visitor.open("/admin/products/1/").await.expect(200);
        assert!(!html.contains("Change it") && !html.contains("products/1/delete"), "{html}");
        assert!(!html.contains("shelf-levels"), "stock is not theirs to see: {html}");
        let html = visitor.open("/admin/products/").await.expect(200);
        assert!(!html.contains("/admin/products/new") && !html.contains("bulk-action"), "{html}");
        for path in ["orders/", "orders/1/", "orders/export.csv", "accounts/", "audit/",
            "products/new", "products/1/delete"]
        {
            assert_eq!(visitor.get(&format!("/admin/{path}")).await.status, 403, "{path}");
        }
        let change = [("title", "Other"), ("was-title", "Title"), ("version", "1")];
        assert_eq!(visitor.post("/admin/products/1/", &change).await.status, 403);
        let bulk = [("action", "disable"), ("id", "1"), ("row", "1:00")];
        for path in ["bulk", "bulk/confirm"] {
            let status = visitor.post(&format!("/admin/products/{path}"), &bulk).await.status;
            assert_eq!(status, 403, "{path}");
        }
    }

    async fn no_text_gets_into_a_page_unescaped(shop: TestShop) {
        let staff = shop.superuser().await;
        let body = json!({"title": EVIL, "artist": EVIL, "style": EVIL, "label": EVIL,
            "catalogue_number": EVIL, "description": EVIL, "attributes": {EVIL: EVIL},
            "variants": [{"sku": EVIL, "title": EVIL,
                "prices": [{"currency": "EUR", "amount": "1.00"}]}]});
        let product = id(&add(&staff, body).await);
        staff.post("/api/v1/locations", json!({"code": "x", "name": EVIL})).await.expect(201);
        let receipt = json!({"variant_id": 1, "location_id": 2, "quantity": 9, "reason": EVIL});
        staff.post("/api/v1/stock/receipts", receipt).await.expect(201);
        let ana = shop.customer("ana").await;
        ana.patch("/api/v1/accounts/me", json!({"name": EVIL})).await.expect(200);
        let address = json!({"name": EVIL, "line1": EVIL, "line2": EVIL, "postal_code": "<b>",
            "city": EVIL, "region": EVIL, "country": "DE"});
        ana.post("/api/v1/addresses", address).await;
        order(&ana, &[(1, 1)]).await.expect(201);
        let mut visitor = shop.visitor_as("root", Role::Superuser).await;
        let mut shown = 0;
        for table in tables() {
            let slug = table.slug;
            let mut paths = vec![format!("/admin/{slug}/"), format!("/admin/{slug}/1/history")];
            for row in 1..4 {
                paths.push(format!("/admin/{slug}/{row}/"));
                paths.push(format!("/admin/{slug}/{row}/delete"));
            }
            paths.push(format!("/admin/{slug}/?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E"));
            for path in paths {
                let html = visitor.open(&path).await.html();
                assert!(!html.contains("<script>alert"), "{path}: {html}");
                assert!(!html.contains("<b>"), "{path}: {html}");
                shown += usize::from(html.contains("&#60;script&#62;alert"));
            }
        }
        assert!(shown > 15, "the text was on {shown} pages only");
        let path = format!("/admin/products/{product}/");
        let html = visitor.open(&path).await.expect(200);
        let theirs = json!({"title": format!("{EVIL}2")});
        staff.patch(&format!("/api/v1/products/{product}"), theirs).await.expect(200);
        let form = product_form(&html, product, &[("title", EVIL), ("style", EVIL)]);
        let html = visitor.submit(&path, &borrowed(&form)).await.html();
        assert!(!html.contains("<script>alert"), "{html}");
    }
}
