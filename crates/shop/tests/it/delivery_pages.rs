//! The pages of delivery: the live overview, a destination's page, the form for a new one, and the
//! back office's tables.

use http_body_util::BodyExt;
use runout_shop::accounts::Role;
use serde_json::json;

use crate::catalog::id;
use crate::dead_letters::bury;
use crate::desk_dashboard::row;
use crate::destinations::{add, webhook};
use crate::on_both_engines;
use crate::support::opened;

const OVERVIEW: &str = "/admin/delivery/";

/// What the engine leaves: deliveries made and failed, one that waits for another attempt.
const ENGINE: &str = "insert into destination_tally (destination_id, delivered, failed_attempts,
        dead, last_error)
    select 1, 1998, 2, 0, 'It <b>broke</b>.' from destination where id = 1;
    insert into delivery_retry (destination_id, entity, entity_id, delivery_id, lane, attempts,
        first_at, due_at, status, error)
    select destination_id, entity, entity_id, id, lane, 3, at, at, 503, 'It <b>broke</b>.'
    from delivery";

on_both_engines! {
    async fn the_overview_tells_how_destinations_fare(shop: TestShop) {
        let staff = shop.staff().await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let page = root.open(OVERVIEW).await.expect(200);
        assert!(page.contains("There are no destinations yet"), "{page}");
        add(&staff, webhook("warehouse")).await;
        add(&staff, webhook("quiet")).await;
        root.submit("/admin/delivery/1/test", &[]).await.expect(200);
        bury(&shop, 1, 3).await;
        shop.app.db.script(ENGINE).await.expect("what the engine leaves");
        shop.clock.advance(std::time::Duration::from_secs(600));
        root.submit("/admin/delivery/2/pause", &[]).await.expect(200);
        let page = root.open(OVERVIEW).await.expect(200);
        assert_eq!(
            row(&page, "warehouse"),
            "warehouse webhook active 10 min 1 0 1 1,998 99.9 % Dead letters: 3"
        );
        assert_eq!(row(&page, "quiet"), "quiet webhook paused none 0 0 0 0 nothing yet 0");
        assert!(page.contains("503: It &#60;b&#62;broke&#60;/b&#62;."), "{page}");
        assert!(page.contains("/admin/delivery/2/resume") && !page.contains("/delivery/2/pause"));

        let page = root.open("/admin/delivery/1/").await.expect(200);
        assert!(page.contains("99.9 %") && page.contains("503: It &#60;b&#62;broke"), "{page}");
        let page = root.submit("/admin/delivery/1/replay", &[]).await.expect(200);
        assert!(page.contains("on their way again"), "{page}");
        assert_eq!(shop.number("select count(*) from delivery").await, 4);
        root.submit("/admin/delivery/2/test", &[]).await.expect(409);
        let page = root.submit("/admin/delivery/2/resume", &[]).await.expect(200);
        assert!(page.contains("What waited is delivered now."), "{page}");
        root.submit("/admin/delivery/1/explode", &[]).await.expect(404);
        root.submit("/admin/delivery/9/pause", &[]).await.expect(404);
        shop.verify().await;
    }

    async fn changes_show_by_themselves(shop: TestShop) {
        let staff = shop.staff().await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let fields = [("sec-fetch-site", "same-origin")];
        let path = "/admin/delivery/events";
        let response = root.respond(axum::http::Method::GET, path, None, &fields).await;
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let mut read = String::new();
        let mut until = async |text: &str| {
            while !read.contains(text) {
                let frame = tokio::time::timeout(std::time::Duration::from_secs(30), body.frame());
                let frame = frame.await.expect("in time").expect("no end").expect("no error");
                read += &String::from_utf8_lossy(&frame.into_data().expect("data"));
            }
            std::mem::take(&mut read)
        };
        let first = until("event: waiting").await;
        assert!(first.contains("event: destinations") && !first.contains("warehouse"), "{first}");
        add(&staff, webhook("warehouse")).await;
        let second = until("warehouse").await;
        assert!(!second.contains("event: waiting"), "only what has changed comes: {second}");
    }

    async fn a_destination_is_added_by_a_form(shop: TestShop) {
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let page = root.open("/admin/delivery/new").await.expect(200);
        assert!(page.contains("name=\"resources\""), "{page}");
        let wrong = [
            ("name", "x"), ("kind", "webhook"), ("url", "http://127.0.0.1/"),
            ("events", "order.placed\r\norder.sold"), ("resources", "{"), ("signing", ""),
        ];
        let page = root.submit("/admin/delivery/new", &wrong).await.expect(422);
        assert!(page.contains("id=\"resources-error\"") && page.contains("order.sold"), "{page}");
        let wrong = [&wrong[..4], &[("exchange", "x")]].concat();
        let page = root.submit("/admin/delivery/new", &wrong).await.expect(422);
        for words in ["url-error", "events-error", "exchange-error", "set allow_private"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let right = [
            ("name", "warehouse"), ("kind", "webhook"), ("url", "http://127.0.0.1/"),
            ("events", "order.*\r\nstock.changed\r\n"), ("resources", ""), ("exchange", ""),
            ("signing", "both"), ("allow_private", "true"),
        ];
        let page = root.submit("/admin/delivery/new", &right).await.expect(200);
        let secret = page.split("<code>").nth(1).expect("a secret").split('<').next();
        let secret = secret.expect("a secret").to_owned();
        assert!(secret.starts_with("whsec_") && page.contains("whpk_"), "{page}");
        let made = shop.staff().await.get("/api/v1/destinations/1").await.expect(200);
        assert_eq!(made["events"], json!(["order.*", "stock.changed"]));
        let page = root.submit("/admin/delivery/new", &right).await.expect(422);
        assert!(page.contains("Another destination has this name."), "{page}");
        for path in [
            OVERVIEW,
            "/admin/delivery/1/",
            "/admin/destinations/",
            "/admin/destinations/1/",
            "/admin/destinations/1/history",
        ] {
            let page = root.open(path).await.expect(200);
            assert!(page.contains("warehouse") && !page.contains(&secret), "{path}: {page}");
        }
        let page = root.submit("/admin/delivery/1/rotate", &[]).await.expect(200);
        assert!(page.contains("whsk_") && !page.contains(&secret), "as the newest one: {page}");

        let mirror = [
            ("name", "mirror"), ("kind", "rest"), ("url", "https://api.example"),
            ("resources", r#"{"post": {"path": "/posts"}}"#),
        ];
        let page = root.submit("/admin/delivery/new", &mirror).await;
        assert!(page.path.ends_with("/?done=made"), "{}", page.path);
        let place = page.path.replace("?done=made", "");
        page.expect(200);
        root.submit(&format!("{place}rotate"), &[]).await.expect(409);
    }

    async fn letters_are_taken_care_of_in_the_back_office(shop: TestShop) {
        let staff = shop.staff().await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        assert_eq!(id(&add(&staff, webhook("warehouse")).await), 1);
        bury(&shop, 1, 4).await;
        let table = "/admin/dead-letters/";
        let page = root.open(&format!("{table}?destination_id=1&state=dead")).await.expect(200);
        assert!(page.contains("post.created") && page.contains("warehouse"), "{page}");

        let discard = [("action", "discard"), ("id", "4")];
        let page = root.submit(&format!("{table}bulk"), &discard).await.expect(200);
        assert!(page.contains("name=\"note\""), "it asks for a note: {page}");
        let ready = [&discard[..], &[("ready", "true"), ("note", " ")]].concat();
        root.submit(&format!("{table}bulk"), &ready).await.expect(422);
        let said = [&discard[..], &[("ready", "true"), ("note", "By hand.")]].concat();
        let page = root.submit(&format!("{table}bulk"), &said).await.expect(200);
        let token = token_of(&page);
        let confirm = [("action", "discard"), ("note", "By hand."), ("row", token.as_str())];
        root.submit(&format!("{table}bulk/confirm"), &confirm).await.expect(200);
        assert_eq!(shop.texts("select note from dead_letter where id = 4").await, ["By hand."]);

        let replay = [("action", "replay"), ("id", "3"), ("id", "1"), ("id", "4")];
        let page = root.submit(&format!("{table}bulk"), &replay).await.expect(200);
        assert!(page.contains("It was discarded."), "{page}");
        let tokens: Vec<String> = page.split("name=\"row\" value=\"").skip(1)
            .map(|rest| rest.split('"').next().expect("a value").to_owned()).collect();
        let mut confirm = vec![("action", "replay")];
        confirm.extend(tokens.iter().map(|token| ("row", token.as_str())));
        root.submit(&format!("{table}bulk/confirm"), &confirm).await.expect(200);
        let letters = "select cast(letter_id as text) from delivery order by id";
        assert_eq!(shop.texts(letters).await, ["1", "3"]);

        let edit = [("version", "1"), ("payload", r#"{"id": 9}"#), ("was-payload", "{}")];
        let page = root.submit(&format!("{table}2/"), &edit).await.expect(200);
        assert!(page.contains("Saved."), "{page}");
        let payload = "select cast(payload as text) from dead_letter where id = 2";
        assert!(shop.texts(payload).await[0].contains('9'));

        let page = root.open("/admin/destinations/?q=HOUSE").await.expect(200);
        assert!(page.contains("warehouse"), "{page}");
        let pause = [("action", "pause"), ("id", "1")];
        let page = root.submit("/admin/destinations/bulk", &pause).await.expect(200);
        let token = token_of(&page);
        let confirm = [("action", "pause"), ("row", token.as_str())];
        root.submit("/admin/destinations/bulk/confirm", &confirm).await.expect(200);
        assert_eq!(shop.texts("select state from destination").await, ["paused"]);
        let edit = [("version", "2"), ("url", "https://new.example/"),
            ("was-url", "https://hooks.example/in")];
        root.submit("/admin/destinations/1/", &edit).await.expect(200);
        let stored = shop.texts("select url from destination").await;
        assert_eq!(opened("destination", "url", 1, &stored[0]), "https://new.example/");
        root.submit("/admin/destinations/1/delete", &[("version", "3")]).await.expect(200);
        assert_eq!(shop.number("select count(*) from dead_letter").await, 0);
        shop.verify().await;
    }
}

/// The token that confirms the first row of a preview.
fn token_of(page: &str) -> String {
    let rest = page.split("name=\"row\" value=\"").nth(1);
    let rest = rest.unwrap_or_else(|| panic!("nothing can be confirmed: {page}"));
    rest.split('"').next().expect("a value").to_owned()
}
