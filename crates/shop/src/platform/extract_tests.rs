use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::routing::{get, post};
use proptest::prelude::*;
use serde::Deserialize;
use tower::ServiceExt;

use super::*;
use crate::platform::request::RequestIds;

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Line {
    #[garde(range(min = 1, max = 100))]
    quantity: u32,
    #[serde(default)]
    #[garde(inner(length(max = 50)))]
    note: Option<String>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Body1 {
    #[garde(length(min = 1, max = 2), dive)]
    lines: Vec<Line>,
    #[garde(length(min = 2))]
    title: String,
}

const LIMIT: usize = 200;

fn router() -> Router {
    Router::new()
        .route("/", post(|Valid(body): Valid<Body1>| async move { body.title }))
        .route("/things/{id}", get(|PathId(id): PathId| async move { id.to_string() }))
        .route("/a/{a}/b/{b}", get(|PathIds([a, b]): PathIds<2>| async move { format!("{a}-{b}") }))
        .route("/key", post(|key: IdempotencyKey| async move { key.0.unwrap_or_default() }))
        .route("/old", get(|FilterBody(map): FilterBody| async move { map.len().to_string() }))
}

async fn send(method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let context = RequestContext {
        id: RequestIds::new().next(),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        body_bytes_max: LIMIT,
        admission: None,
    };
    let request = request.extension(context).body(body).expect("a request");
    let response = router().oneshot(request).await.expect("infallible");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn post_json(body: &str) -> (u16, Value) {
    let headers = [("content-type", "application/json; charset=utf-8")];
    let (status, text) = send("POST", "/", &headers, Body::from(body.to_owned())).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn bodies_are_parsed_or_refused_with_a_pointer() {
    let table = [
        (r#"{"lines":[{"quantity":1}],"title":"ok"}"#, 200, "", "", ""),
        (r#"{"lines":[{"quantity":1}],"title":"\\u0000 is text"}"#, 200, "", "", ""),
        (
            r#"{"lines":[{"quantity":"1"}],"title":"ok"}"#,
            400,
            "invalid_body",
            "/lines/0/quantity",
            "type",
        ),
        (
            r#"{"lines":[{"quantity":-1}],"title":"ok"}"#,
            400,
            "invalid_body",
            "/lines/0/quantity",
            "invalid",
        ),
        (r#"{"lines":[{}],"title":"ok"}"#, 400, "invalid_body", "/lines/0/quantity", "missing"),
        (r#"{"lines":[],"titel":"ok"}"#, 400, "invalid_body", "/titel", "unknown_field"),
        (
            r#"{"lines":[{"a/b":1}],"title":"ok"}"#,
            400,
            "invalid_body",
            "/lines/0/a~1b",
            "unknown_field",
        ),
        (
            r#"{"lines":[{"quantity":0}],"title":"ok"}"#,
            400,
            "invalid_body",
            "/lines/0/quantity",
            "invalid",
        ),
        (
            r#"{"lines":[{"quantity":1}],"title":"a\u0000"}"#,
            400,
            "invalid_body",
            "/title",
            "nul_character",
        ),
        (
            r#"{"lines":[{"quantity":1,"note":"\u0000"}],"title":"ab"}"#,
            400,
            "invalid_body",
            "/lines/0/note",
            "nul_character",
        ),
        ("[]", 400, "invalid_body", "", "invalid"),
        ("7", 400, "invalid_body", "", "type"),
        ("{\"lines\":\n  [}", 400, "invalid_json", "", ""),
        ("", 400, "invalid_json", "", ""),
        (r#"{"lines":[{"quantity":1}],"title":"ok"} x"#, 400, "invalid_json", "", ""),
        ("\"\\ud800\"", 400, "invalid_json", "", ""),
    ];
    for (body, status, code, pointer, field_code) in table {
        let (got, answer) = post_json(body).await;
        assert_eq!(got, status, "{body}: {answer}");
        assert_eq!(answer["code"].as_str().unwrap_or_default(), code, "{body}: {answer}");
        let field = &answer["errors"][0];
        assert_eq!(field["pointer"].as_str().unwrap_or_default(), pointer, "{body}: {answer}");
        assert_eq!(field["code"].as_str().unwrap_or_default(), field_code, "{body}: {answer}");
    }
}

#[tokio::test]
async fn every_broken_rule_is_listed_and_places_are_told() {
    let (_, answer) =
        post_json(r#"{"lines":[{"quantity":1},{"quantity":0},{"quantity":101}],"title":"a"}"#)
            .await;
    let mut pointers: Vec<&str> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/lines", "/lines/1/quantity", "/lines/2/quantity", "/title"]);
    let (_, answer) = post_json("{\"lines\":\n  [}").await;
    let detail = answer["detail"].as_str().expect("a detail");
    assert!(detail.contains("line 2, column 4"), "{detail}");
    let (_, answer) = post_json("7").await;
    assert!(
        answer["detail"].as_str().is_some_and(|d| d.ends_with("expected an object")),
        "{answer}"
    );
}

#[tokio::test]
async fn content_types() {
    for (content_type, status) in [
        ("application/json", 200),
        ("Application/JSON ; charset=utf-8", 200),
        ("application/merge-patch+json", 200),
        ("text/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ] {
        let body = Body::from(r#"{"lines":[{"quantity":1}],"title":"ok"}"#);
        let (got, text) = send("POST", "/", &[("content-type", content_type)], body).await;
        assert_eq!(got, status, "{content_type}: {text}");
    }
    assert_eq!(send("POST", "/", &[], Body::from("{}")).await.0, 415);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_whole_and_in_pieces() {
    let json = [("content-type", "application/json")];
    let fits = format!(r#"{{"lines":[{{"quantity":1}}],"title":"{}"}}"#, "x".repeat(LIMIT - 37));
    assert_eq!(fits.len(), LIMIT);
    let over = fits.replace("xx", "xxx");
    for (body, status) in [(fits, 200), (over, 413)] {
        let pieces: Vec<Result<Bytes, std::io::Error>> =
            body.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let streamed = Body::from_stream(futures::stream::iter(pieces));
        assert_eq!(send("POST", "/", &json, Body::from(body)).await.0, status);
        assert_eq!(send("POST", "/", &json, streamed).await.0, status);
    }
    let broken = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("reset"))];
    let broken = Body::from_stream(futures::stream::iter(broken));
    let (status, text) = send("POST", "/", &json, broken).await;
    assert!(status == 400 && text.contains("incomplete_body") && !text.contains("reset"), "{text}");
}

#[tokio::test]
async fn path_ids() {
    for (path, status) in [
        ("/things/1", 200),
        ("/things/9223372036854775807", 200),
        ("/things/9223372036854775808", 404),
        ("/things/0", 404),
        ("/things/-1", 404),
        ("/things/+1", 404),
        ("/things/abc", 404),
        ("/things/%FF", 404),
        ("/things/1%00", 404),
        ("/a/3/b/4", 200),
        ("/a/3/b/x", 404),
    ] {
        assert_eq!(send("GET", path, &[], Body::empty()).await.0, status, "{path}");
    }
    assert_eq!(send("GET", "/a/3/b/4", &[], Body::empty()).await.1, "3-4");
}

#[tokio::test]
async fn idempotency_keys() {
    let long = "k".repeat(255);
    let longer = "k".repeat(256);
    for (header, wanted) in [
        ("\"8e03978e-40d5\"", Some("8e03978e-40d5")),
        ("8e03978e-40d5", Some("8e03978e-40d5")),
        (r#""a\"b\\c""#, Some(r#"a"b\c"#)),
        (long.as_str(), Some(long.as_str())),
        (longer.as_str(), None),
        ("", None),
        ("\"\"", None),
        ("\"abc", None),
        ("\"a\"b", None),
        (r#""a\n""#, None),
        ("two words", None),
        ("k\u{e9}y", None),
    ] {
        let (status, text) =
            send("POST", "/key", &[("idempotency-key", header)], Body::empty()).await;
        match wanted {
            Some(key) => assert_eq!((status, text.as_str()), (200, key)),
            None => assert!(status == 400 && text.contains("invalid_idempotency_key"), "{header}"),
        }
    }
    assert_eq!(send("POST", "/key", &[], Body::empty()).await, (200, String::new()));
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(send("POST", "/key", &twice, Body::empty()).await.0, 400);
}

#[tokio::test]
async fn filter_bodies_may_be_absent() {
    for (body, status, answer) in [
        ("", 200, "0"),
        ("  \n", 200, "0"),
        ("null", 200, "0"),
        (r#"{"artist":"Hohpe","year__gte":1}"#, 200, "2"),
        ("[1]", 400, ""),
        ("{", 400, ""),
    ] {
        let (got, text) = send("GET", "/old", &[], Body::from(body)).await;
        assert_eq!(got, status, "{body}: {text}");
        assert!(answer.is_empty() || text == answer);
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_json::<Body1>(&body);
        let _ = parse_idempotency_key(&body);
    }

    #[test]
    fn near_json_never_panics(body in r#"[\[\]{}":,0-9a-z\\u ]{0,60}"#) {
        let _ = parse_json::<Body1>(body.as_bytes());
    }

    #[test]
    fn nul_never_gets_through(before in "[a-z\\\\\"]{0,5}", after in "[a-z]{0,5}") {
        let title = format!("{before}\0{after}");
        let body = serde_json::json!({"lines": [], "title": title}).to_string();
        prop_assert!(parse_json::<Body1>(body.as_bytes()).is_err());
    }

    #[test]
    fn keys_round_trip(key in "[!-~]{1,255}") {
        let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
        prop_assert_eq!(parse_idempotency_key(quoted.as_bytes()).expect("valid"), key);
    }
}
