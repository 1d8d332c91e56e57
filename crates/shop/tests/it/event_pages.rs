//! The pages of events beyond the predecessor's: waiting lists, forms, participants, calendars.

use axum::http::header;
use runout_shop::accounts::Role;
use serde_json::json;

use crate::events::{add, party, sign_up, with};
use crate::on_both_engines;
use crate::support::visitor::Visitor;

fn address(event: i64) -> String {
    format!("/events/{event}/")
}

async fn button(visitor: &mut Visitor, event: i64) -> String {
    let html = visitor.open(&address(event)).await.expect(200);
    ["Log in to join", "Join the waiting list", "Withdraw", "Join"]
        .into_iter()
        .find(|text| html.contains(&format!(">{text}</")))
        .unwrap_or("none")
        .to_owned()
}

on_both_engines! {
    async fn everybody_gets_the_button_that_fits(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let event = add(&ana, with(party("Party"), json!({"capacity": 1}))).await;
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let mut cleo = shop.visitor_as("cleo", Role::Customer).await;
        assert_eq!(button(&mut shop.visitor(), event).await, "Log in to join");
        assert_eq!(button(&mut bia, event).await, "Join");
        let back = format!("{}join?back={}", address(event), address(event));
        let shown = bia.submit(&back, &[]).await;
        assert_eq!(shown.path, address(event));
        assert!(shown.expect(200).contains("You are going to this event."));
        assert_eq!(button(&mut bia, event).await, "Withdraw");
        assert_eq!(button(&mut cleo, event).await, "Join the waiting list");
        let html = cleo.submit(&back, &[]).await.expect(200);
        assert!(html.contains("You are number 1 on the waiting list."), "{html}");
        let html = cleo.open("/events/mine").await.expect(200);
        assert!(html.contains(">On the waiting list<"), "{html}");
        bia.submit(&format!("{}withdraw", address(event)), &[]).await.expect(200);
        let html = cleo.open(&address(event)).await.expect(200);
        assert!(html.contains("You are going to this event."), "{html}");
        let evil = format!("{}join?back=//evil.example/", address(event));
        assert_eq!(bia.post(&evil, &[]).await.location(), "/");
        shop.clock.advance(std::time::Duration::from_secs(86_400 * 3));
        assert_eq!(button(&mut bia, event).await, "none");
        let answer = bia.post(&format!("{}withdraw", address(event)), &[]).await;
        assert_eq!(answer.status, 409);
        assert!(answer.html().contains("This event is over."), "{}", answer.html());
    }

    async fn the_form_keeps_what_it_does_not_show_and_names_what_is_wrong(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let client = shop.customer("ana").await;
        let exact = json!({"starts_at": "2026-11-22T12:00:07.5Z", "ends_at": null, "capacity": 2});
        let event = add(&client, with(party("Party"), exact)).await;
        let path = format!("/api/v1/events/{event}");
        let html = ana.open(&address(event)).await.expect(200);
        assert!(html.contains("value=\"2026-11-22T13:00\""), "Berlin's clock: {html}");
        let fields = |title, date, ends, zone, capacity, version| {
            [("title", title), ("date", date), ("ends", ends), ("time_zone", zone),
                ("capacity", capacity), ("version", version), ("venue", "Cellar"),
                ("description", "<script>")]
        };
        let shown = "2026-11-22T13:00";
        let zone = "Europe/Berlin";
        let saved = ana.post(&address(event), &fields("A", shown, "", zone, "2", "1")).await;
        assert_eq!(saved.location(), "/events/all");
        let now = client.get(&path).await.expect(200);
        assert_eq!((&now["title"], &now["starts_at"], &now["venue"]),
            (&json!("A"), &json!("2026-11-22T12:00:07.5Z"), &json!("Cellar")));
        for name in ["bia", "cleo"] {
            sign_up(&shop.customer(name).await, event).await;
        }
        for (fields, wrong) in [
            (fields("A", shown, "", zone, "2", "1"), "changed elsewhere meanwhile"),
            (fields("A", shown, "", zone, "1", "2"), "Places: 2 people are going already."),
            (fields("A", shown, "", zone, "x", "2"), "Places: must be a whole number"),
            (fields("A", shown, "2026-11-22T12:00", zone, "2", "2"), "End: must not be before"),
            (fields("A", shown, "2027-11-22T12:00", zone, "2", "2"), "End: must be at most 31"),
            (fields("A", shown, "", "Mars", "2", "2"), "Time zone: must be the name of"),
        ] {
            let html = ana.submit(&address(event), &fields).await.expect(422);
            assert!(html.contains(wrong), "{wrong}: {html}");
            assert!(!html.contains("<script>\n") && html.contains("&#60;script&#62;"), "{html}");
        }
        // Another zone, the same hour on the wall: another moment.
        let moved = fields("A", shown, "", "America/New_York", "", "2");
        assert_eq!(ana.post(&address(event), &moved).await.status, 303);
        let now = client.get(&path).await.expect(200);
        assert_eq!((&now["starts_at"], &now["capacity"]),
            (&json!("2026-11-22T18:00:00Z"), &json!(null)));
    }

    async fn the_organiser_sees_who_comes_and_cancels(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let client = shop.customer("ana").await;
        let event = add(&client, with(party("Party"), json!({"capacity": 1}))).await;
        for name in ["bia", "cleo"] {
            sign_up(&shop.customer(name).await, event).await;
        }
        let html = ana.open(&format!("{}participants", address(event))).await.expect(200);
        let (bia, cleo) = (html.find(">bia<").expect("bia"), html.find(">cleo<").expect("cleo"));
        assert!(bia < cleo && html.contains("1 going, 1 waiting."), "{html}");
        assert!(!html.contains("@example.com"), "addresses are nobody's business");
        let mut staff = shop.visitor_as("sam", Role::Staff).await;
        staff.open(&format!("{}participants", address(event))).await.expect(200);
        let shown = ana.submit(&format!("{}cancel", address(event)), &[]).await;
        assert!(shown.expect(200).contains("This event was cancelled."));
        let list = shop.visitor().open("/events/all").await.expect(200);
        assert!(list.contains(">Cancelled<"), "{list}");
        let ics = shop.visitor().get(&format!("{}event.ics", address(event))).await;
        assert!(ics.html().contains("\r\nSTATUS:CANCELLED\r\n"), "{}", ics.html());
    }

    async fn calendars_show_what_comes(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let body = with(party("Party; with, \\ all"), json!({"description": "a\nb"}));
        let event = add(&ana, body).await;
        add(&ana, json!({"title": "Past", "starts_at": "2020-07-30T19:30:00Z"})).await;
        let mut visitor = shop.visitor();
        for _ in 0..2 {
            let answer = visitor.get("/events/calendar.ics").await;
            assert_eq!(answer.headers[header::CONTENT_TYPE], "text/calendar; charset=utf-8");
            let text = answer.html();
            assert!(text.contains("\r\nSUMMARY:Party\\; with\\, \\\\ all\r\n"), "{text}");
            assert!(text.contains("\r\nDTSTART:20261122T120000Z\r\n"), "{text}");
            assert!(text.contains("\r\nDESCRIPTION:a\\nb\r\n"), "{text}");
            assert!(text.contains("\r\nSEQUENCE:1\r\n") && !text.contains("Past"), "{text}");
        }
        let path = format!("/api/v1/events/{event}");
        ana.patch(&path, json!({"title": "Other"})).await.expect(200);
        let text = visitor.get("/events/calendar.ics").await.html();
        assert!(text.contains("\r\nSUMMARY:Other\r\n") && text.contains("\r\nSEQUENCE:2\r\n"));
        assert_eq!(visitor.get("/events/999/event.ics").await.status, 404);
        assert_eq!(visitor.get("/events").await.location(), "/events/all");
        assert_eq!(visitor.get("/events/7").await.location(), "/events/7/");
    }

    async fn the_home_page_shows_the_next_three(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let mut visitor = shop.visitor();
        let html = visitor.open("/").await.expect(200);
        assert!(!html.contains("Upcoming events"), "there are none: {html}");
        add(&ana, json!({"title": "Past", "starts_at": "2020-07-30T19:30:00Z"})).await;
        let mut numbers = Vec::new();
        for (title, day) in [("Late", 29), ("Soon", 22), ("Later", 27), ("Next", 24)] {
            let starts = json!({"starts_at": format!("2026-11-{day}T12:00:00Z"), "ends_at": null});
            numbers.push(add(&ana, with(party(title), starts)).await);
        }
        let shown = async |visitor: &mut Visitor| {
            let html = visitor.open("/").await.expect(200);
            let (_, section) = html.split_once("Upcoming events").expect("a section");
            assert!(section.contains("href=\"/events/all\""), "{section}");
            let titles = section.split("<h3><a href=\"/events/").skip(1);
            let title = |rest: &str| Some(rest.split_once('>')?.1.split_once('<')?.0.to_owned());
            titles.map(|rest| title(rest).expect("a title")).collect::<Vec<_>>()
        };
        assert_eq!(shown(&mut visitor).await, ["Soon", "Next", "Later"]);
        // What is cancelled makes room, and so does what is over.
        let mut organiser = shop.visitor_as("ana", Role::Customer).await;
        organiser.submit(&format!("{}cancel", address(numbers[1])), &[]).await.expect(200);
        assert_eq!(shown(&mut visitor).await, ["Next", "Later", "Late"]);
        shop.clock.advance(std::time::Duration::from_secs(86_400 * 4));
        assert_eq!(shown(&mut visitor).await, ["Later", "Late"]);
    }

    async fn the_list_can_be_searched_and_is_the_same_for_strangers(shop: TestShop) {
        let ana = shop.customer("ana").await;
        for title in ["Signing", "Gig <b>", "Gig two"] {
            add(&ana, party(title)).await;
        }
        let mut visitor = shop.visitor();
        let html = visitor.open("/events/all?q=gig").await.expect(200);
        assert!(html.contains("Gig &#60;b&#62;") && !html.contains("Signing<"), "{html}");
        let first = visitor.open("/events/all?q=gig&limit=1").await.expect(200);
        let next = first.split("rel=\"next\" href=\"").nth(1).expect("a next page");
        let next = next.split('"').next().expect("an address").replace("&#38;", "&");
        let html = visitor.open(&next.replace("&amp;", "&")).await.expect(200);
        assert!(html.contains("Gig two") && html.contains("First page"), "{html}");
        let html = visitor.open("/events/all?q=nothing").await.expect(200);
        assert!(html.contains("No event has “nothing”"), "{html}");
        assert_eq!(visitor.get("/events/all?sort=x").await.status, 400);
    }
}
