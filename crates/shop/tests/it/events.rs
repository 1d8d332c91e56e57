//! Events over HTTP: making, changing, cancelling; signing up, withdrawing; the list.

use std::time::Duration;

use axum::http::{Method, header};
use serde_json::{Value, json};

use runout_shop::events::list::EventsRequest;
use runout_store::{Composer, Engine};

use crate::catalog::id;
use crate::on_both_engines;
use crate::support::actors::PASSWORD;
use crate::support::{Client, TestShop};

pub const PATH: &str = "/api/v1/events";
const HOUR: Duration = Duration::from_secs(3_600);

/// An event tomorrow at noon, of three hours.
pub fn party(title: &str) -> Value {
    json!({
        "title": title,
        "venue": "The back room",
        "starts_at": "2026-11-22T12:00:00Z",
        "ends_at": "2026-11-22T15:00:00Z",
        "time_zone": "Europe/Berlin",
    })
}

/// `body` with other fields.
pub fn with(mut body: Value, fields: Value) -> Value {
    let fields = fields.as_object().expect("fields").clone();
    body.as_object_mut().expect("an object").extend(fields);
    body
}

pub async fn add(organiser: &Client, body: Value) -> i64 {
    id(&organiser.post(PATH, body).await.expect(201))
}

pub fn place(event: i64) -> String {
    format!("{PATH}/{event}")
}

fn attendance(event: i64) -> String {
    format!("{PATH}/{event}/attendance")
}

pub async fn sign_up(client: &Client, event: i64) -> Value {
    client.send(Method::POST, &attendance(event), None, &[]).await.expect(200)
}

pub async fn withdraw(client: &Client, event: i64) {
    client.delete(&attendance(event)).await.expect(204);
}

/// Twenty thousand events from 2026 on, one each half an hour, an hour each.
async fn fill_many(shop: &TestShop) {
    let sql = match shop.app.db.engine() {
        Engine::Sqlite => {
            "insert into event (id, title, starts_at, ends_at, time_zone, organiser_id, created_at,
                updated_at)
            with recursive n (n) as (select 1 union all select n + 1 from n where n < 20000)
            select n, 'e' || n, 1767225600000000 + n * 1800000000,
                1767229200000000 + n * 1800000000, 'UTC', 1, 1, 1 from n;
            analyze"
        }
        Engine::Postgres => {
            "insert into event (id, title, starts_at, ends_at, time_zone, organiser_id, created_at,
                updated_at)
            select n, 'e' || n, to_timestamp(1767225600 + n * 1800),
                to_timestamp(1767229200 + n * 1800), 'UTC', 1, now(), now()
            from generate_series(1, 20000) as g (n);
            analyze"
        }
    };
    shop.app.db.script(sql).await.expect("events");
}

/// The engine's plan of a page.
async fn explain(shop: &TestShop, query: &str) -> String {
    let uri = format!("/?{query}").parse().expect("an address");
    let request = EventsRequest::from_uri(&uri).expect("a good query");
    let mut sql = Composer::new("explain ");
    sql.push_each("query plan ", "");
    let statement = request.statement(sql, shop.clock.now()).expect("there may be rows");
    let column = if shop.app.db.engine() == Engine::Sqlite { 3 } else { 0 };
    let lines = shop.app.db.read(statement, |row| row.get::<String>(column)).await;
    lines.expect("a plan").join("\n")
}

/// State and position of somebody's sign-up.
fn standing(answer: &Value) -> (String, Option<i64>) {
    let state = answer["state"].as_str().expect("a state").to_owned();
    (state, answer["position"].as_i64())
}

/// How many come and wait, as everybody sees it.
async fn numbers(shop: &TestShop, event: i64) -> (i64, i64) {
    let shown = shop.anonymous().get(&place(event)).await.expect(200);
    let number = |name: &str| shown[name].as_i64().expect("a number");
    (number("attending"), number("waiting"))
}

async fn titles(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("{PATH}?{query}")).await.expect(200);
    titles_of(&page)
}

fn titles_of(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["title"].as_str().expect("a title").to_owned()).collect()
}

fn count(topic: &str) -> String {
    topic.to_owned()
}

async fn outbox(shop: &TestShop, topic: &str) -> i64 {
    let mut sql = runout_store::Composer::new("select count(*) from outbox where topic = ");
    sql.bind(count(topic));
    let read = shop.app.db.read_one(sql.finish(), |row| row.get(0)).await;
    read.expect("reads").expect("one row")
}

on_both_engines! {
    async fn an_event_is_made_shown_changed_and_cancelled(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let answer = ana.post(PATH, with(party(" Party "), json!({"capacity": 2}))).await;
        let location = answer.headers[header::LOCATION].to_str().expect("text").to_owned();
        let made = answer.expect(201);
        assert_eq!(location, place(id(&made)));
        let shown = shop.anonymous().get(&location).await;
        assert_eq!(shown.headers[header::ETAG], "\"1\"");
        let shown = shown.expect(200);
        assert_eq!(shown, made);
        assert_eq!(shown["title"], "Party");
        assert_eq!(shown["organiser"], json!({"id": ana.account_id, "name": "ana"}));
        assert_eq!((&shown["capacity"], &shown["attending"]), (&json!(2), &json!(0)));

        let change = json!({"title": "Release party", "starts_at": "2026-11-22T13:00:00Z"});
        let tag = [("if-match", "\"1\"")];
        let changed = ana.send(Method::PATCH, &location, Some(change.clone()), &tag).await;
        assert_eq!(changed.headers[header::ETAG], "\"2\"");
        let changed = changed.expect(200);
        assert_eq!(changed["title"], "Release party");
        assert_eq!(changed["ends_at"], "2026-11-22T16:00:00Z", "the end moves along");
        let stale = ana.send(Method::PATCH, &location, Some(change.clone()), &tag).await;
        stale.expect_problem(412, "precondition_failed");
        let same = ana.patch(&location, change).await;
        assert_eq!(same.headers[header::ETAG], "\"2\"", "nothing has changed");

        let cancel = format!("{location}/cancel");
        let cancelled = ana.send(Method::POST, &cancel, None, &[]).await.expect(200);
        assert_eq!(cancelled["cancelled_at"], "2026-11-21T12:00:00Z");
        let again = ana.send(Method::POST, &cancel, None, &[]).await;
        assert_eq!(again.headers[header::ETAG], "\"3\"", "again does nothing");
        ana.patch(&location, json!({"title": "x"})).await.expect_problem(409, "event_cancelled");
        for (topic, times) in
            [("event.created", 1), ("event.updated", 1), ("event.cancelled", 1)]
        {
            assert_eq!(outbox(&shop, topic).await, times, "{topic}");
        }
        shop.verify().await;
    }

    async fn an_event_changes_by_its_organiser_and_by_staff_alone(shop: TestShop) {
        let (ana, bia) = (shop.customer("ana").await, shop.customer("bia").await);
        let staff = shop.staff().await;
        let event = add(&ana, party("Party")).await;
        let change = json!({"venue": "The cellar"});
        bia.patch(&place(event), change.clone()).await.expect_problem(403, "forbidden");
        let cancel = format!("{}/cancel", place(event));
        bia.send(Method::POST, &cancel, None, &[]).await.expect_problem(403, "forbidden");
        let names = format!("{}/attendances", place(event));
        bia.get(&names).await.expect_problem(403, "forbidden");
        shop.anonymous().get(&names).await.expect(401);
        for path in [place(999), format!("{}/attendances", place(999))] {
            ana.get(&path).await.expect_problem(404, "not_found");
        }
        ana.patch(&place(999), change.clone()).await.expect_problem(404, "not_found");
        ana.get(&names).await.expect(200);
        staff.get(&names).await.expect(200);
        assert_eq!(staff.patch(&place(event), change).await.expect(200)["venue"], "The cellar");
        staff.send(Method::POST, &cancel, None, &[]).await.expect(200);
    }

    async fn what_an_event_cannot_be_is_refused_with_the_field(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let event = add(&ana, party("Party")).await;
        for (field, value, pointer) in [
            ("title", json!(""), "/title"),
            ("title", json!("  "), "/title"),
            ("title", json!("x".repeat(257)), "/title"),
            ("description", json!("x".repeat(10_001)), "/description"),
            ("venue", json!("x".repeat(257)), "/venue"),
            ("starts_at", json!("1899-01-01T00:00:00Z"), "/starts_at"),
            ("ends_at", json!("2026-11-22T11:59:59Z"), "/ends_at"),
            ("ends_at", json!("2026-12-24T12:00:00Z"), "/ends_at"),
            ("time_zone", json!("Berlin"), "/time_zone"),
            ("capacity", json!(0), "/capacity"),
            ("capacity", json!(1_000_001), "/capacity"),
        ] {
            let fields = json!({ field: value });
            let new = ana.post(PATH, with(party("Party"), fields.clone())).await;
            let problem = new.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
            let changed = ana.patch(&place(event), fields).await;
            let problem = changed.expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let long = with(party(&"ü".repeat(256)), json!({"ends_at": "2026-12-23T12:00:00Z"}));
        add(&ana, long).await;
        let bare = json!({"title": "In the past", "starts_at": "2020-07-30T19:30:00Z"});
        let past = ana.post(PATH, bare).await.expect(201);
        assert_eq!((&past["ends_at"], &past["time_zone"]), (&past["starts_at"], &json!("UTC")));
    }

    async fn a_repeated_event_is_made_once(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let key = [("idempotency-key", "k1")];
        let mut made = Vec::new();
        for _ in 0..2 {
            let answer = ana.send(Method::POST, PATH, Some(party("Party")), &key).await;
            made.push(answer.expect(201));
        }
        assert_eq!(made[0], made[1]);
        let other = ana.send(Method::POST, PATH, Some(party("Other")), &key).await;
        other.expect_problem(422, "idempotency_key_reused");
        assert_eq!(titles(&ana, "").await, ["Party"]);
    }

    async fn a_full_event_has_a_waiting_list_that_moves_up(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let event = add(&ana, with(party("Party"), json!({"capacity": 2}))).await;
        let mut guests = Vec::new();
        for name in ["one", "two", "three", "four", "five"] {
            guests.push(shop.customer(name).await);
        }
        let expected = [
            ("attending", None),
            ("attending", None),
            ("waiting", Some(1)),
            ("waiting", Some(2)),
            ("waiting", Some(3)),
        ];
        for (guest, (state, position)) in guests.iter().zip(expected) {
            // Signing up twice is signing up once.
            for _ in 0..2 {
                let answer = sign_up(guest, event).await;
                assert_eq!(standing(&answer), (state.to_owned(), position));
            }
        }
        assert_eq!(numbers(&shop, event).await, (2, 3));
        withdraw(&guests[3], event).await;
        withdraw(&guests[0], event).await;
        withdraw(&guests[0], event).await;
        assert_eq!(numbers(&shop, event).await, (2, 1));
        let third = guests[2].get(&attendance(event)).await.expect(200);
        assert_eq!(standing(&third), ("attending".to_owned(), None));
        let fifth = guests[4].get(&attendance(event)).await.expect(200);
        assert_eq!(standing(&fifth), ("waiting".to_owned(), Some(1)));
        guests[0].get(&attendance(event)).await.expect_problem(404, "not_found");
        // Who comes back stands at the end.
        assert_eq!(standing(&sign_up(&guests[0], event).await), ("waiting".to_owned(), Some(2)));

        let names = format!("{}/attendances", place(event));
        let first = ana.get(&format!("{names}?limit=3")).await.expect(200);
        let next = first["next"].as_str().expect("another page");
        let rest = ana.get(&format!("{names}?limit=3&cursor={next}")).await.expect(200);
        let pages = [&first, &rest].map(|page| page["items"].as_array().expect("items").clone());
        let shown: Vec<_> = pages.concat().iter().map(|item| item["username"].clone()).collect();
        assert_eq!(shown, ["two", "three", "five", "one"]);
        let waiting = ana.get(&format!("{names}?state=waiting")).await.expect(200);
        assert_eq!(waiting["items"].as_array().expect("items").len(), 2);
        assert_eq!(outbox(&shop, "event.moved_up").await, 1);
        shop.verify().await;
    }

    async fn more_room_moves_the_waiting_list_up_in_order(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let event = add(&ana, with(party("Party"), json!({"capacity": 1}))).await;
        let mut guests = Vec::new();
        for number in 0..6 {
            let guest = shop.customer(&format!("guest{number}")).await;
            sign_up(&guest, event).await;
            guests.push(guest);
        }
        // A hole in the places: the fourth goes.
        withdraw(&guests[3], event).await;
        let problem = ana.patch(&place(event), json!({"capacity": 3})).await.expect(200);
        assert_eq!((&problem["attending"], &problem["waiting"]), (&json!(3), &json!(2)));
        for (guest, state) in [(0, "attending"), (1, "attending"), (2, "attending")] {
            let own = guests[guest].get(&attendance(event)).await.expect(200);
            assert_eq!(own["state"], state);
        }
        let fifth = guests[4].get(&attendance(event)).await.expect(200);
        assert_eq!(standing(&fifth), ("waiting".to_owned(), Some(1)));
        shop.verify().await;
        let refused = ana.patch(&place(event), json!({"capacity": 2})).await;
        let problem = refused.expect_problem(409, "capacity_too_small");
        assert_eq!(problem["attending"], 3);
        let open = ana.patch(&place(event), json!({"capacity": null})).await.expect(200);
        assert_eq!((&open["attending"], &open["waiting"]), (&json!(5), &json!(0)));
        assert_eq!(outbox(&shop, "event.waiting_list_moved_up").await, 2);
        shop.verify().await;
    }

    async fn one_signs_up_only_for_what_takes_place(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let send = async |event: i64, method: Method| {
            ana.send(method, &attendance(event), None, &[]).await
        };
        for method in [Method::POST, Method::DELETE] {
            send(999, method).await.expect_problem(404, "not_found");
        }
        let cancelled = add(&ana, party("Cancelled")).await;
        sign_up(&ana, cancelled).await;
        let cancel = format!("{}/cancel", place(cancelled));
        ana.send(Method::POST, &cancel, None, &[]).await.expect(200);
        let over = add(&ana, party("Over")).await;
        sign_up(&ana, over).await;
        shop.clock.advance(26 * HOUR);
        sign_up(&ana, over).await;
        shop.clock.advance(HOUR);
        for (event, code) in [(cancelled, "event_cancelled"), (over, "event_over")] {
            for method in [Method::POST, Method::DELETE] {
                send(event, method).await.expect_problem(409, code);
            }
            assert_eq!(numbers(&shop, event).await, (1, 0), "who came stays known");
        }
        let own = ana.get("/api/v1/attendances").await.expect(200);
        let shown: Vec<_> = own["items"].as_array().expect("items").iter()
            .map(|item| item["event"]["title"].clone()).collect();
        assert_eq!(shown, ["Over", "Cancelled"]);
    }

    async fn the_list_shows_upcoming_first_then_past_newest_first(shop: TestShop) {
        let ana = shop.customer("ana").await;
        for (title, from, to) in [
            ("in a week", "2026-11-28T12:00:00Z", "2026-11-28T13:00:00Z"),
            ("long ago", "2020-07-30T19:30:00Z", "2020-07-30T19:30:00Z"),
            ("goes on", "2026-10-22T12:00:00Z", "2026-11-22T12:00:00Z"),
            ("tomorrow", "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z"),
            ("yesterday", "2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"),
            ("ends now", "2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z"),
            ("tomorrow too", "2026-11-22T12:00:00Z", "2026-11-22T12:30:00Z"),
        ] {
            let fields = json!({"starts_at": from, "ends_at": to, "venue": title.to_uppercase()});
            add(&ana, with(party(title), fields)).await;
        }
        let upcoming = ["goes on", "tomorrow", "tomorrow too", "in a week"];
        let past = ["ends now", "yesterday", "long ago"];
        let all = [&upcoming[..], &past[..]].concat();
        let anonymous = shop.anonymous();
        assert_eq!(titles(&anonymous, "").await, all);
        assert_eq!(titles(&anonymous, "when=upcoming").await, upcoming);
        assert_eq!(titles(&anonymous, "when=past").await, past);
        assert_eq!(titles(&anonymous, "q=TOMORROW+t").await, ["tomorrow too"]);
        assert_eq!(titles(&anonymous, "venue=YESTERDAY").await, ["yesterday"]);
        assert_eq!(titles(&anonymous, "starts_at__gte=2026-11-23T00:00:00Z").await, ["in a week"]);
        let own = format!("organiser_id={}", ana.account_id);
        assert_eq!(titles(&anonymous, &own).await, all);
        assert!(titles(&anonymous, "organiser_id=999").await.is_empty());
        for limit in 1..=8 {
            let (mut shown, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("{PATH}?limit={limit}{cursor}");
                let page = anonymous.get(&path).await.expect(200);
                shown.extend(titles_of(&page));
                let Some(next) = page["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(shown, all, "{limit} at a time");
        }
        for (query, code) in [
            ("limit=0", "invalid_limit"),
            ("limit=101", "invalid_limit"),
            ("cursor=x", "invalid_cursor"),
            ("when=now", "invalid_filter"),
            ("attending=1", "unknown_filter"),
        ] {
            anonymous.get(&format!("{PATH}?{query}")).await.expect_problem(400, code);
        }
    }

    async fn an_event_that_ends_between_two_pages_is_shown_once(shop: TestShop) {
        let ana = shop.customer("ana").await;
        for (title, from) in [("a", "2026-11-21T13:00:00Z"), ("b", "2026-11-21T14:00:00Z"),
            ("c", "2026-11-21T15:00:00Z"), ("old", "2026-11-01T00:00:00Z")] {
            add(&ana, json!({"title": title, "starts_at": from})).await;
        }
        let first = ana.get(&format!("{PATH}?limit=2")).await.expect(200);
        assert_eq!(titles_of(&first), ["a", "b"]);
        shop.clock.advance(6 * HOUR);
        let next = first["next"].as_str().expect("another page");
        let second = ana.get(&format!("{PATH}?limit=5&cursor={next}")).await.expect(200);
        assert_eq!(titles_of(&second), ["c", "old"]);
        assert_eq!(titles(&ana, "").await, ["c", "b", "a", "old"], "anew: all of them are over");
    }

    async fn a_page_reads_a_range_of_an_index(shop: TestShop) {
        shop.customer("ana").await;
        fill_many(&shop).await;
        for query in ["", "limit=100", "when=past", "organiser_id=1"] {
            let plan = explain(&shop, query).await;
            assert!(plan.contains("event_"), "{query}:\n{plan}");
            for scan in ["SCAN e", "Seq Scan on event", "TEMP B-TREE", "Sort"] {
                assert!(!plan.contains(scan), "{query}:\n{plan}");
            }
        }
        assert_eq!(titles(&shop.anonymous(), "limit=2").await, ["e15575", "e15576"]);
        assert_eq!(titles(&shop.anonymous(), "limit=1&when=past").await, ["e15574"]);
    }

    async fn the_list_is_never_older_than_what_one_was_told(shop: TestShop) {
        let (ana, anonymous) = (shop.customer("ana").await, shop.anonymous());
        let event = add(&ana, party("Party")).await;
        let shown = async || anonymous.get(PATH).await.expect(200)["items"][0].clone();
        assert_eq!(shown().await["attending"], 0);
        sign_up(&ana, event).await;
        assert_eq!(shown().await["attending"], 1);
        ana.patch(&place(event), json!({"title": "Other"})).await.expect(200);
        assert_eq!(shown().await["title"], "Other");
        let me = json!({"email": "anita@example.com", "current_password": PASSWORD});
        ana.patch("/api/v1/accounts/me", me).await.expect(200);
        assert_eq!(shown().await["organiser"]["name"], "anita", "the address has changed");
        withdraw(&ana, event).await;
        assert_eq!(shown().await["attending"], 0);
    }
}
