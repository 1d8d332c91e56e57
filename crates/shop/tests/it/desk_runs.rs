//! Imports, the audit trail and the proof in the back office.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use runout_shop::accounts::Role;
use runout_shop::jobs;
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::catalog::{add, id};
use crate::desk_dashboard::row;
use crate::on_both_engines;
use crate::support::TestShop;
use crate::support::visitor::{HOST, Visitor};

/// A run of a test's size is done within a second; a busy machine takes longer.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Two good rows, one with two faults, one that a spreadsheet would calculate.
const CSV: &str = "title,artist,year,price,quantity\n\
    We are Reactive,Hohpe,1967,19.90,3\n\
    Bad Year,Somebody,soon,x,1\n\
    \"=1+1\",Formula,\"=2+5\",5,1\n\
    Ärger,Die Bösen,1981,12,2\n";

/// Uploads a file as a browser does; gives the path of its page.
async fn upload(shop: &TestShop, visitor: &Visitor, name: &str, file: &[u8]) -> String {
    let answer = send(shop, visitor, name, file).await;
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let place = parts.headers.get(header::LOCATION);
    let place = place.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&body)));
    place.to_str().expect("text").to_owned()
}

async fn send(
    shop: &TestShop,
    visitor: &Visitor,
    name: &str,
    file: &[u8],
) -> axum::response::Response {
    let mut body = format!(
        "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/csv\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--limit--\r\n");
    let cookies: Vec<String> =
        visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request::post("/admin/import")
        .header(header::HOST, HOST)
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, cookies.join("; "))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=limit")
        .body(Body::from(body))
        .expect("a request");
    shop.router().oneshot(request).await.expect("infallible")
}

/// The page of a run once it has ended.
async fn ended(visitor: &mut Visitor, path: &str) -> String {
    let since = Instant::now();
    loop {
        let answer = visitor.get(path).await;
        if !answer.headers.contains_key(header::REFRESH) {
            return answer.html();
        }
        assert!(since.elapsed() < RUN_MAX, "it does not end: {}", answer.html());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

on_both_engines! {
    async fn a_file_is_looked_at_then_stored_and_its_faults_are_told(shop: TestShop) {
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let path = upload(&shop, &root, "list.csv", CSV.as_bytes()).await;
        let page = root.open(&path).await.expect(200);
        assert!(page.contains("list.csv") && page.contains("encoding utf-8"), "{page}");
        assert_eq!(row(&page, "quantity"), "quantity quantity");
        assert_eq!(row(&page, "2 We are"), "2 We are Reactive Hohpe 1967 19.90 EUR 3");
        assert!(page.contains("soon is not a year"), "{page}");
        assert_eq!(shop.number("select count(*) from product").await, 0, "nothing is stored yet");

        root.submit(&format!("{path}/start"), &[]).await.expect(200);
        let page = ended(&mut root, &path).await;
        assert!(page.contains("<dt>Added</dt><dd>2</dd>"), "{page}");
        assert!(page.contains("<dt>Refused</dt><dd>2</dd>"), "{page}");
        assert_eq!(shop.number("select count(*) from product").await, 2);
        let csv = root.get(&format!("{path}/errors.csv")).await;
        assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
        let csv = csv.html();
        assert!(csv.starts_with("line,column,reason,value\r\n3,\"year\","), "{csv}");
        assert!(csv.contains("\"'=2+5\""), "no cell is a formula: {csv}");
        // Sent twice: it has run, and does not run again.
        root.submit(&format!("{path}/start"), &[]).await.expect(200);
        let list = root.open("/admin/import").await.expect(200);
        assert!(row(&list, "list.csv").contains("root done 2 stored, 2 refused"), "{list}");

        // The same again changes nothing.
        let path = upload(&shop, &root, "again.csv", CSV.as_bytes()).await;
        root.submit(&format!("{path}/start"), &[]).await.expect(200);
        let page = ended(&mut root, &path).await;
        assert!(page.contains("<dt>Unchanged</dt><dd>2</dd>"), "{page}");
        shop.verify().await;
    }

    async fn letters_are_read_as_chosen_and_useless_files_are_refused(shop: TestShop) {
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let latin: &[u8] = b"title,artist\nA,J\xfcrgen\n";
        let path = upload(&shop, &root, "latin.csv", latin).await;
        for (encoding, artist) in [("latin-1", "Jürgen"), ("mac-roman", "J¸rgen")] {
            let page = root.open(&format!("{path}?encoding={encoding}")).await.expect(200);
            assert!(page.contains(artist), "{encoding}: {page}");
        }
        let started = format!("{path}/start");
        root.submit(&started, &[("encoding", "latin-1")]).await.expect(200);
        ended(&mut root, &path).await;
        assert_eq!(shop.texts("select artist from product").await, ["Jürgen"]);

        let path = upload(&shop, &root, "<b>.csv", b"nothing,useful\n1,2\n").await;
        let page = root.open(&path).await.expect(200);
        assert!(page.contains("there is no title column") && !page.contains("<b>.csv"), "{page}");
        root.submit(&format!("{path}/start"), &[]).await.expect(200);
        assert!(ended(&mut root, &path).await.contains("there is no title column"));
        assert_eq!(send(&shop, &root, "empty.csv", b"").await.status(), 422);
        let customer = shop.visitor_as("ana", Role::Customer).await;
        assert_eq!(send(&shop, &customer, "list.csv", CSV.as_bytes()).await.status(), 403);
    }

    async fn runs_are_one_at_a_time_and_those_of_dead_processes_end(shop: TestShop) {
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let dead = upload(&shop, &root, "dead.csv", CSV.as_bytes()).await;
        // As a process leaves it that was killed.
        shop.app.db.script("update import_run set status = 'running'").await.expect("changed");
        let now = match shop.app.db.engine() {
            runout_store::Engine::Sqlite => "update import_run set seen_at = 1795262400000000",
            runout_store::Engine::Postgres => {
                "update import_run set seen_at = '2026-11-21T12:00:00Z'"
            }
        };
        shop.app.db.script(now).await.expect("changed");
        let path = upload(&shop, &root, "next.csv", CSV.as_bytes()).await;
        let page = root.submit(&format!("{path}/start"), &[]).await.expect(409);
        assert!(page.contains("Another import is under way"), "{page}");
        shop.clock.advance(Duration::from_secs(59));
        jobs::desk_once(&shop.app).await;
        assert!(root.get(&dead).await.headers.contains_key(header::REFRESH), "it may live");
        shop.clock.advance(Duration::from_secs(2));
        jobs::desk_once(&shop.app).await;
        let page = root.open(&dead).await.expect(200);
        assert!(page.contains("The process that ran it has ended."), "{page}");
        root.submit(&format!("{path}/start"), &[]).await.expect(200);
        assert!(ended(&mut root, &path).await.contains("<dt>Added</dt><dd>2</dd>"));
    }

    async fn the_trail_tells_who_did_what(shop: TestShop) {
        let staff = shop.staff().await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let product = add(&staff, json!({"title": "Old <b>"})).await;
        let path = format!("/api/v1/products/{}", id(&product));
        shop.clock.advance(Duration::from_secs(600));
        let match_any = [("if-match", "*")];
        let patch = Some(json!({"title": "New"}));
        let changed = staff.send(axum::http::Method::PATCH, &path, patch, &match_any).await;
        changed.expect(200);
        let number = id(&product);
        let of = format!("/admin/audit?entity=product&entity_id={number}");
        let page = root.open(&of).await.expect(200);
        assert!(page.contains("<del>Old &#60;b&#62;</del> <ins>New</ins>"), "{page}");
        assert_eq!(page.matches("<th scope=\"row\">").count(), 2, "{page}");
        for (more, rows) in [
            ("&actor=SAM", 2),
            ("&actor=root", 0),
            ("&from=2026-11-21T12:05", 1),
            ("&to=2026-11-21T12:05", 1),
            ("&from=2026-11-21T12:05&to=2026-11-21T12:06", 0),
            ("&action=nothing", 0),
        ] {
            let page = root.open(&format!("{of}{more}")).await.expect(200);
            assert_eq!(page.matches("<th scope=\"row\">").count(), rows, "{more}: {page}");
        }
        let page = root.open("/admin/audit?entity_id=x&from=soon&actor=nobody").await.expect(200);
        assert!(page.contains("is no number") && page.contains("no date"), "{page}");
        assert!(page.contains("There is no account of this username."), "{page}");
    }

    async fn the_trail_goes_on_page_by_page(shop: TestShop) {
        let staff = shop.staff().await;
        for number in 0..60 {
            add(&staff, json!({"title": format!("Record {number}")})).await;
        }
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        for more in ["", "&action=", "&from=2026-01-01"] {
            let filter = format!("entity=product{more}");
            let mut path = format!("/admin/audit?{filter}");
            let mut rows = 0;
            loop {
                let page = root.open(&path).await.expect(200);
                rows += page.matches("<th scope=\"row\">").count();
                let Some((_, rest)) = page.split_once("class=\"pager\"><a href=\"") else { break };
                path = rest.split('"').next().expect("an end").replace("&#38;", "&");
            }
            assert_eq!(rows, 60, "{filter}");
        }
    }

    async fn the_proof_finds_damage_and_keeps_its_report(shop: TestShop) {
        let staff = shop.staff().await;
        add(&staff, json!({"title": "One"})).await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let page = root.open("/admin/verify").await.expect(200);
        assert!(page.contains("It reads everything"), "{page}");
        let started = root.post("/admin/verify", &[]).await;
        let path = started.location().to_owned();
        let page = ended(&mut root, &path).await;
        assert!(page.contains("Everything holds."), "{page}");
        let rules = page.matches("<span class=\"state good\">holds</span>").count();
        assert_eq!(rules, runout_shop::verify::rules());

        shop.app.db.script("update product set search_text = ''").await.expect("damaged");
        let started = root.post("/admin/verify", &[]).await;
        let path = started.location().to_owned();
        let page = ended(&mut root, &path).await;
        assert!(!page.contains("Everything holds."), "{page}");
        assert!(row(&page, "products can be searched").contains("broken 1"), "{page}");
        let list = root.open("/admin/verify").await.expect(200);
        assert!(list.contains("1 rule is broken") && list.contains("everything holds"), "{list}");
    }
}
