//! The tickets' page and paper, and the page at the door.

use axum::http::header;
use runout_shop::accounts::Role;
use serde_json::json;

use super::stage::{Gig, codes, let_in};
use crate::catalog::id;
use crate::on_both_engines;
use crate::order_life::{act, pay};
use crate::pages_basket::check_out;
use crate::support::Answer;

/// How many pages a PDF has.
fn pages(paper: &Answer) -> usize {
    assert_eq!(paper.status, 200, "{}", String::from_utf8_lossy(&paper.body));
    assert_eq!(paper.headers[header::CONTENT_TYPE], "application/pdf");
    assert!(paper.body.starts_with(b"%PDF-"));
    let text = String::from_utf8_lossy(&paper.body).into_owned();
    let count = text.split("/Count ").nth(1).expect("a tree of pages");
    let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

fn shows(html: &str, code: &str) -> bool {
    html.contains(&format!("<p class=\"code\">{code}</p>"))
}

on_both_engines! {
    async fn a_buyer_sees_and_prints_the_tickets(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let gig = Gig::new(&shop, "Launch").await;
        let staff = shop.staff().await;
        let mut browser = shop.visitor_as("ana", Role::Customer).await;
        let number = id(&crate::orders::order(&ana, &[(gig.standing, 3)]).await.expect(201));
        let path = format!("/orders/{number}/tickets");
        let waiting = browser.open(&path).await.expect(200);
        assert!(waiting.contains("appear here when the order is paid"), "{waiting}");
        assert!(!waiting.contains("<svg role"));
        assert_eq!(browser.get(&format!("{path}.pdf")).await.status, 404);
        pay(&staff, number).await;
        let codes = codes(&ana, number).await;
        let page = browser.get(&path).await;
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
        let html = page.html();
        assert!(codes.iter().all(|code| shows(&html, code)), "{html}");
        assert_eq!(html.matches("<svg role=\"img\"").count(), 3);
        assert!(html.contains("Saturday 21 November 2026, 20:00 (Europe/Berlin)"), "{html}");
        assert!(html.contains("Standing, ticket 2 of 3") && html.contains("The Groove"));
        let order = browser.open(&format!("/orders/{number}")).await.expect(200);
        assert!(order.contains(&format!("href=\"{path}\"")), "the order leads to its tickets");
        assert_eq!(pages(&browser.get(&format!("{path}.pdf")).await), 3);
        // One is used, one comes back: that one is not printed any more.
        let_in(&staff, gig.event, &codes[0]).await.expect(201);
        act(&staff, number, "fulfilments", json!({})).await.expect(201);
        let one = json!({"lines": [{"line_no": 1, "quantity": 1}]});
        act(&staff, number, "returns", one).await.expect(201);
        let html = browser.open(&path).await.expect(200);
        assert!(html.contains("Used") && html.contains("Given back"), "{html}");
        assert!(!shows(&html, &codes[2]), "what was given back has no code");
        assert_eq!(pages(&browser.get(&format!("{path}.pdf")).await), 2);
        act(&staff, number, "refunds", json!({})).await.expect(201);
        let html = browser.open(&path).await.expect(200);
        assert!(html.contains("not valid any more") && !html.contains("<svg role"), "{html}");
        assert_eq!(browser.get(&format!("{path}.pdf")).await.status, 404);
    }

    async fn a_hundred_tickets_at_a_time(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        crate::orders::restock(&staff, gig.standing, 100).await;
        let lines = [(gig.standing, 130), (gig.seated, 7)];
        let number = id(&crate::orders::order(&ana, &lines).await.expect(201));
        pay(&staff, number).await;
        let path = format!("/api/v1/orders/{number}/tickets");
        let first = ana.get(&path).await.expect(200);
        assert_eq!((&first["count"], &first["next"]), (&json!(137), &json!(100)));
        let rest = ana.get(&format!("{path}?skip=100")).await.expect(200);
        let rest_items = rest["items"].as_array().expect("tickets");
        assert_eq!((rest_items.len(), &rest["next"]), (37, &json!(null)));
        let ends = (&rest_items[0]["number"], &rest_items[36]["line_no"]);
        assert_eq!(ends, (&json!(101), &json!(2)));
        assert_eq!(ana.get(&format!("{path}?skip=137")).await.expect(200)["items"], json!([]));
        for query in ["skip=x", "skip=-1", "skip=1000001", "limit=1"] {
            ana.get(&format!("{path}?{query}")).await.expect_problem(400, "invalid_query");
        }
        let mut browser = shop.visitor_as("ana", Role::Customer).await;
        let html = browser.open(&format!("/orders/{number}/tickets")).await.expect(200);
        assert!(html.contains("?skip=100") && html.matches("<svg role").count() == 100);
        let paper = browser.get(&format!("/orders/{number}/tickets.pdf?skip=100")).await;
        assert_eq!(pages(&paper), 37);
    }

    async fn a_guests_tickets_are_the_guests(shop: TestShop) {
        let staff = shop.staff().await;
        let gig = Gig::new(&shop, "Launch").await;
        let mut guest = shop.visitor();
        let variant = gig.seated.to_string();
        let line = [("variant_id", &*variant), ("quantity", "2")];
        guest.submit("/basket/add", &line).await.expect(200);
        let shown = check_out(&mut guest, "bia@example.org").await;
        let order = shown.path.clone();
        shown.expect(200);
        let number = order.trim_start_matches("/orders/").split('?').next();
        let number: i64 = number.and_then(|number| number.parse().ok()).expect("an order");
        pay(&staff, number).await;
        let path = format!("/orders/{number}/tickets");
        let html = guest.open(&path).await.expect(200);
        assert_eq!(html.matches("<svg role=\"img\"").count(), 2, "{html}");
        assert_eq!(pages(&guest.get(&format!("{path}.pdf")).await), 2);
        // To others there is no such order.
        let mut nobody = shop.visitor();
        assert!(nobody.get(&path).await.location().starts_with("/accounts/login/"));
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        for path in [path.clone(), format!("{path}.pdf")] {
            assert_eq!(bia.get(&path).await.status, 404);
        }
        shop.customer("bia").await.get(&format!("/api/v1{path}")).await
            .expect_problem(404, "not_found");
    }

    async fn the_page_at_the_door(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let gig = Gig::new(&shop, "Launch").await;
        let (number, codes) = gig.sold(&shop, &ana, 2).await;
        let mut sam = shop.visitor_as("sam", Role::Staff).await;
        let path = format!("/admin/events/{}/door", gig.event);
        let page = sam.get(&path).await;
        assert_eq!(
            page.headers["permissions-policy"],
            "camera=(self), microphone=(), geolocation=()"
        );
        let html = page.html();
        assert!(html.contains("<strong>0</strong> of 2 are in"), "{html}");
        assert!(html.contains("/door.js"));
        let elsewhere = sam.get("/events/all").await;
        let policy = elsewhere.headers["permissions-policy"].to_str().expect("text");
        assert!(policy.contains("camera=()"), "{policy}");
        assert!(!elsewhere.html().contains("door.js"));

        let scanned = codes[0].to_lowercase();
        let done = sam.submit(&path, &[("code", &scanned)]).await;
        assert_eq!(done.path, format!("{path}?in={number}-1-1"));
        let html = done.expect(200);
        assert!(html.contains("class=\"verdict in\""), "{html}");
        assert!(html.contains("ana · Standing, ticket 1 of 2"), "{html}");
        assert!(html.contains("<strong>1</strong> of 2 are in"), "{html}");
        for (code, status, words) in [
            (&*scanned, 409, "Somebody was let in with this ticket before, by sam"),
            ("nonsense", 404, "This is not one of our tickets"),
            ("", 404, "This is not one of our tickets"),
        ] {
            let html = sam.submit(&path, &[("code", code)]).await.expect(status);
            assert!(html.contains("class=\"verdict out\"") && html.contains(words), "{html}");
        }
        let undo = format!("{path}/undo");
        let html = sam.submit(&undo, &[("code", &scanned), ("reason", " ")]).await.expect(422);
        assert!(html.contains("Say in up to 200 characters why."), "{html}");
        let done = sam.submit(&undo, &[("code", &scanned), ("reason", "twice")]).await;
        let html = done.expect(200);
        assert!(html.contains("Taken back") && html.contains("<strong>0</strong> of 2"), "{html}");
        // The next day only for those who insist.
        shop.clock.advance(std::time::Duration::from_secs(86_400));
        let mut sam = shop.visitor_as("sam", Role::Staff).await;
        let html = sam.submit(&path, &[("code", &codes[1])]).await.expect(409);
        assert!(html.contains("Let them in all the same"), "{html}");
        let html = sam.submit(&path, &[("code", &codes[1]), ("any_day", "1")]).await.expect(200);
        assert!(html.contains("class=\"verdict in\""), "{html}");

        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        assert_eq!(ana.get(&path).await.status, 403);
        assert_eq!(ana.post(&path, &[("code", &codes[0])]).await.status, 403);
        assert_eq!(sam.get("/admin/events/999/door").await.status, 404);
        shop.verify().await;
    }
}
