use proptest::prelude::*;

use super::*;

static FIELDS: &[Field] = &[
    Field::new("title", "p.title", Kind::Text).sortable(),
    Field::new("release_year", "p.release_year", Kind::Int).sortable().nullable(),
    Field::new("enabled", "p.enabled", Kind::Bool),
];

static PRODUCTS: Resource = Resource {
    name: "products",
    fields: FIELDS,
    id_sql: "p.id",
    default_sort: "-id",
    extras: &["q", "currency"],
};

fn ask(query: &str) -> Result<ListRequest, Problem> {
    let uri: Uri = format!("/products?{query}").parse().expect("an address");
    ListRequest::from_uri(&PRODUCTS, &uri)
}

fn sql(request: &ListRequest) -> String {
    let mut sql = Composer::new("");
    request.compose(&mut sql);
    let debug = format!("{:?}", sql.finish());
    let end = debug.find("\", postgres").expect("debug text names the engines");
    debug[debug.find("sqlite: \"").expect("debug text names the engines") + 9..end].to_owned()
}

#[test]
fn a_request_becomes_an_order_and_a_limit() {
    let request = ask("").expect("valid");
    assert_eq!(sql(&request), " order by p.id desc limit ?1");
    assert_eq!((request.limit(), request.sort_field()), (20, "id"));
    let request = ask("sort=title&limit=5&q=a%20b&title__contains=x+y&q=last").expect("valid");
    assert_eq!(sql(&request), " and instr(p.title, ?1) > 0 order by p.title, p.id limit ?2");
    assert_eq!((request.extra("q"), request.extra("currency")), (Some("last"), None));
    let request = ask("sort=-release_year").expect("valid");
    let order = " order by p.release_year desc nulls last, p.id desc limit ?1";
    assert_eq!(sql(&request), order);
}

#[test]
fn the_next_page_begins_after_the_last_row() {
    for (sort, key, condition) in [
        ("id", Key::Null, " and p.id > ?1"),
        ("-id", Key::Null, " and p.id < ?1"),
        ("title", Key::Text("a".into()), " and (p.title, p.id) > (?1, ?2)"),
        (
            "-release_year",
            Key::Int(1999),
            " and (p.release_year is null or (p.release_year, p.id) < (?1, ?2))",
        ),
        ("release_year", Key::Null, " and p.release_year is null and p.id > ?1"),
    ] {
        let first = ask(&format!("sort={sort}&limit=2")).expect("valid");
        let page = first.page(vec![9, 8, 7], |id, _| (*id, key.clone()));
        assert_eq!(page.items, [9, 8]);
        let next = page.next.expect("there are more rows");
        let second = ask(&format!("sort={sort}&limit=2&cursor={next}")).expect("valid");
        assert!(sql(&second).starts_with(&format!("{condition} order by")), "{}", sql(&second));
        assert_eq!(second.after.as_ref().map(|after| after.id), Some(8));
        let last = second.page(vec![7, 6], |id, _| (*id, key.clone()));
        assert_eq!(last, Page { items: vec![7, 6], next: None });
        let other = ask(&format!("sort=title&enabled=true&cursor={next}"));
        assert_eq!(other.is_ok(), sort == "title", "a cursor fits its own sort only");
    }
}

#[test]
fn mistakes_are_named() {
    for (query, code) in [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("limit=ten", "invalid_limit"),
        ("limit=", "invalid_limit"),
        ("cursor=abc", "invalid_cursor"),
        ("cursor=", "invalid_cursor"),
        ("sort=titel", "unknown_sort"),
        ("sort=enabled", "unknown_sort"),
        ("sort=", "unknown_sort"),
        ("sort=--id", "unknown_sort"),
        ("artist=a", "unknown_filter"),
        ("enabled=maybe", "invalid_filter"),
        ("q=%00", "invalid_filter"),
        ("title=%00", "invalid_filter"),
    ] {
        let problem = ask(query).expect_err(query);
        assert_eq!(problem.stable_code(), code, "{query}");
        assert_eq!(problem.status().as_u16(), 400);
    }
    let problem = serde_json::to_value(ask("sort=-titel").expect_err("unknown")).expect("JSON");
    assert_eq!(problem["nearest"], "title");
}

#[test]
fn bodies_and_queries_add_up() {
    let body = serde_json::json!({"title": "a", "release_year__gte": 1990});
    let body = body.as_object().expect("an object");
    let request = ListRequest::from_parts(&PRODUCTS, &Uri::from_static("/?enabled=1"), body);
    // The body's order is that of its map, which is sorted by name.
    let wanted = " and p.enabled = ?1 and p.release_year >= ?2 and p.title = ?3 order";
    assert!(sql(&request.expect("valid")).starts_with(wanted));
}

#[test]
fn every_field_is_described() {
    let params = PRODUCTS.params();
    assert_eq!(params.len(), FIELDS.len());
    let json = serde_json::to_value(&params[1]).expect("JSON");
    assert_eq!(json["name"], "release_year");
    assert!(json["description"].as_str().is_some_and(|text| text.contains("`__gte`")), "{json}");
}

proptest! {
    #[test]
    fn no_query_panics(query in "[-a-z_=&%0-9+,.A-Z]{0,80}") {
        if let Ok(request) = ask(&query) {
            sql(&request);
        }
    }
}
