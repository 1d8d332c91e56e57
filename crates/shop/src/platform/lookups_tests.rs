use proptest::prelude::*;
use serde_json::json;

use super::*;

static FIELDS: &[Field] = &[
    Field::new("artist", "p.artist", Kind::Text).sortable(),
    Field::new("release_year", "p.release_year", Kind::Int).nullable(),
    Field::new("enabled", "p.enabled", Kind::Bool),
    Field::new("created_at", "p.created_at", Kind::Time),
    Field::new("birth_date", "p.birth_date", Kind::Date),
    Field::new("id", "p.id", Kind::Id),
    Field::new("kind", "p.kind", Kind::Choice(&["disc", "ticket"])),
];

/// The SQL of both engines and the parameters, out of the statement's debug text.
fn composed(filters: &Filters) -> String {
    let mut sql = Composer::new("");
    filters.compose(&mut sql);
    format!("{:?}", sql.finish())
}

fn text(key: &str, value: &str) -> Result<Filters, Problem> {
    let mut filters = Filters::default();
    filters.add_text(FIELDS, key, value).map(|()| filters)
}

fn from_json(key: &str, value: &Json) -> Result<Filters, Problem> {
    let mut filters = Filters::default();
    filters.add_json(FIELDS, key, value).map(|()| filters)
}

#[test]
fn filters_become_sql_for_both_engines() {
    for (key, value, sqlite, postgres) in [
        ("artist", "a", "p.artist = ?1", "p.artist = $1::text"),
        ("artist__exact", "a", "p.artist = ?1", "p.artist = $1::text"),
        ("release_year__gte", "1", "p.release_year >= ?1", "p.release_year >= $1::bigint"),
        ("created_at__lt", "2025-01-01", "p.created_at < ?1", "p.created_at < $1::timestamptz"),
        ("enabled", "true", "p.enabled = ?1", "p.enabled = $1::boolean"),
        ("birth_date__lte", "2000-02-29", "p.birth_date <= ?1", "p.birth_date <= $1::text"),
        ("release_year__isnull", "true", "p.release_year is null", "p.release_year is null"),
        ("release_year__isnull", "0", "p.release_year is not null", "p.release_year is not null"),
        ("artist__contains", "a", "instr(p.artist, ?1) > 0", "strpos(p.artist, $1::text) > 0"),
        (
            "artist__istartswith",
            "a",
            "instr(lower(p.artist), lower(?1)) = 1",
            "strpos(lower(p.artist), lower($1::text)) = 1",
        ),
        ("artist__iexact", "a", "lower(p.artist) = lower(?1)", "lower(p.artist) = lower($1::text)"),
        ("id__in", "1,2", "p.id in (select value from json_each(?1))", "p.id = any($1::bigint[])"),
        (
            "kind__in",
            "disc",
            "p.kind in (select value from json_each(?1))",
            "p.kind = any($1::text[])",
        ),
        ("artist__in", "", "1 = 0", "1 = 0"),
    ] {
        let statement = composed(&text(key, value).unwrap_or_else(|p| panic!("{key}: {p:?}")));
        assert!(statement.contains(&format!("sqlite: \" and {sqlite}\"")), "{key}: {statement}");
        assert!(
            statement.contains(&format!("postgres: \" and {postgres}\"")),
            "{key}: {statement}"
        );
    }
}

#[test]
fn values_are_read_by_their_fields_kind() {
    let time = |text: &str| Some(Value::Time(text.parse().expect("a timestamp")));
    for (key, value, bound) in [
        ("release_year", "-5", Some(Value::Int(-5))),
        ("release_year", "1e3", None),
        ("release_year", "9223372036854775808", None),
        ("id", "0", None),
        ("enabled", "True", Some(Value::Bool(true))),
        ("enabled", "yes", None),
        ("created_at", "2025-06-01", time("2025-06-01T00:00:00Z")),
        ("created_at", "2025-06-01T10:00:00", time("2025-06-01T10:00:00Z")),
        ("created_at", "2025-06-01T10:00:00 02:00", time("2025-06-01T08:00:00Z")),
        ("created_at", "2025-06-01T10:00:00.1234567Z", time("2025-06-01T10:00:00.123456Z")),
        ("created_at", "soon", None),
        ("birth_date", "2001-02-29", None),
        ("birth_date", "20010228", Some(Value::from("2001-02-28"))),
        ("kind", "disc", Some(Value::from("disc"))),
        ("kind", "book", None),
        ("artist", "50% _off\\", Some(Value::from("50% _off\\"))),
        ("artist", "a\0", None),
    ] {
        match (text(key, value), bound) {
            (Ok(filters), Some(bound)) => {
                assert_eq!(filters.0[0].test, Test::Compare(Exact, bound), "{key}={value}");
            }
            (Err(problem), None) => assert_eq!(problem.stable_code(), "invalid_filter"),
            (got, wanted) => panic!("{key}={value}: {got:?} instead of {wanted:?}"),
        }
    }
}

#[test]
fn bodies_are_read_like_queries() {
    for (key, value, query) in [
        ("artist", json!("Hohpe"), "Hohpe"),
        ("release_year", json!(1999), "1999"),
        ("release_year__gte", json!("1999"), "1999"),
        ("id__in", json!([1, "2"]), "1,2"),
        ("id__in", json!("1, 2"), "1,2"),
        ("id__in", json!(1), "1"),
        ("enabled", json!(true), "true"),
        ("artist__in", json!([]), ""),
    ] {
        let (got, wanted) = (from_json(key, &value), text(key, query));
        assert_eq!(got.expect("valid"), wanted.expect("valid"), "{key}");
    }
    let null = from_json("release_year", &Json::Null).expect("valid");
    assert_eq!(null, text("release_year__isnull", "true").expect("valid"));
    let commas = from_json("artist__in", &json!(["a,b"])).expect("valid");
    assert_eq!(commas.0[0].test, Test::In(vec!["a,b".into()]));
    for (key, value) in [
        ("artist", json!(["a"])),
        ("artist", json!({"a": 1})),
        ("id__in", json!([[1]])),
        ("id__in", json!(null)),
        ("release_year", json!(1.5)),
        ("release_year", json!("")),
    ] {
        let problem = from_json(key, &value).expect_err("not valid");
        assert_eq!(problem.stable_code(), "invalid_filter", "{key}={value}");
    }
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    for (key, nearest) in [
        ("artst", Some("artist")),
        ("release_year__gtee", Some("release_year__gte")),
        ("release_year__contains", None),
        ("enabled__gte", Some("enabled")),
        ("client__password__startswith", None),
        ("", Some("id")),
    ] {
        let problem = text(key, "1").expect_err("unknown");
        assert_eq!(problem.stable_code(), "unknown_filter");
        let body = serde_json::to_value(&problem).expect("JSON");
        assert_eq!(body["given"], key);
        assert!(nearest.is_none_or(|nearest| body["nearest"] == nearest), "{body}");
    }
    assert_eq!(edit_distance("kitten", "sitting"), 3);
}

#[test]
fn limits_hold() {
    let mut filters = Filters::default();
    for _ in 0..FILTERS_MAX {
        filters.add_text(FIELDS, "artist", "a").expect("within the limit");
    }
    let problem = filters.add_text(FIELDS, "artist", "a").expect_err("one too many");
    assert_eq!(problem.stable_code(), "too_many_filters");
    let ids = |count: usize| vec!["7"; count].join(",");
    assert!(text("id__in", &ids(IN_VALUES_MAX)).is_ok());
    assert!(text("id__in", &ids(IN_VALUES_MAX + 1)).is_err());
    assert!(text("artist", &"a".repeat(VALUE_BYTES_MAX)).is_ok());
    assert!(text("artist", &"a".repeat(VALUE_BYTES_MAX + 1)).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(key in ".{0,40}", value in ".{0,60}") {
        let _ = text(&key, &value);
    }

    #[test]
    fn known_names_with_any_value_never_panic(
        at in 0..FIELDS.len(),
        suffix in 0..14usize,
        value in ".{0,30}",
    ) {
        let field = &FIELDS[at];
        let key = match field.kind.lookups().get(suffix) {
            Some(lookup) => format!("{}__{}", field.name, lookup.suffix()),
            None => field.name.to_owned(),
        };
        if let Ok(filters) = text(&key, &value) {
            composed(&filters);
        }
        for json in [json!(value), json!([value, 1]), json!({"a": value})] {
            let _ = from_json(&key, &json);
        }
    }
}
