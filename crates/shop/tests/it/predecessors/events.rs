//! The events application: the journey of its README, and its defects, which must not come back.
//!
//! Its cache that was down, empty or old: here with a Redis that nobody answers for, and with a
//! node that has cached nothing; a Redis that is killed, emptied and restored under load has tests
//! of its own.

use axum::http::Method;
use runout_shop::accounts::Role;
use runout_shop::platform::config::{Cache, Config};
use runout_shop::platform::secret::Secret;
use serde_json::json;

use crate::events::{PATH, add, party, place, sign_up, with};
use crate::on_both_engines;
use crate::support::Client;
use crate::support::visitor::Visitor;

const LIST: &str = "/events/all";

/// What the predecessor's form sends.
fn form<'a>(title: &'a str, date: &'a str) -> [(&'a str, &'a str); 3] {
    [("title", title), ("description", "Bring friends"), ("date", date)]
}

/// Makes an event by the form; the list shows it. Gives its address.
async fn create(visitor: &mut Visitor, title: &str, date: &str) -> String {
    let shown = visitor.submit("/events/", &form(title, date)).await;
    assert_eq!(shown.path, LIST);
    let html = shown.expect(200);
    let before = html.split(&format!(">{title}</a>")).next().expect("the title");
    let (_, address) = before.rsplit_once("href=\"").expect("a link");
    address.trim_end_matches('"').to_owned()
}

/// The list's item of an event.
async fn item(visitor: &mut Visitor, title: &str) -> String {
    let html = visitor.open(LIST).await.expect(200);
    let items = html.split("<li class=\"card event\">").skip(1);
    let item = items.map(|item| item.split("</li>").next().expect("an item"));
    item.filter(|item| item.contains(&format!(">{title}</a>"))).collect()
}

/// The titles of the list, in its order.
fn titles(html: &str) -> Vec<&str> {
    let items = html.split("<h3><a href=\"").skip(1);
    items.map(|item| item.split(['>', '<']).nth(1).expect("a title")).collect()
}

on_both_engines! {
    /// Sign up, log out, log in, create, list, edit, join, withdraw: the README's walk.
    async fn the_journey_of_the_readme(shop: TestShop) {
        let mut ana = shop.visitor();
        let fields = [
            ("username", "ana"), ("email", "ana.lopez@example.com"),
            ("password1", "correct horse battery"), ("password2", "correct horse battery"),
        ];
        assert_eq!(ana.post("/accounts/sign_up/", &fields).await.status, 303);
        ana.post("/accounts/logout/", &[]).await;
        let shown = ana.open("/events/").await;
        assert!(shown.path.starts_with("/accounts/login/?next="), "{}", shown.path);
        ana.log_in("ana", "correct horse battery").await;
        let address = create(&mut ana, "Release party", "12/30/2026 19:30").await;
        let shown = item(&mut ana, "Release party").await;
        assert!(shown.contains("2026-12-30 19:30") && shown.contains("By ana.lopez<"), "{shown}");
        assert!(shown.contains("0 participants"), "{shown}");
        assert!(shown.contains(">Edit</a>") && shown.contains(">Join</button>"), "{shown}");

        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let shown = item(&mut bia, "Release party").await;
        assert!(!shown.contains(">Edit<") && shown.contains(">Join</button>"), "{shown}");
        let joined = bia.submit(&format!("{address}join"), &[]).await;
        assert_eq!(joined.path, LIST);
        let shown = item(&mut bia, "Release party").await;
        assert!(shown.contains("1 participant<") && shown.contains(">Withdraw<"), "{shown}");

        let edited = ana.submit(&address, &form("Release night", "12/31/2026 20:00")).await;
        assert_eq!(edited.path, LIST);
        assert!(item(&mut ana, "Release night").await.contains("2026-12-31 20:00"));
        bia.submit(&format!("{address}withdraw"), &[]).await.expect(200);
        let shown = item(&mut bia, "Release night").await;
        assert!(shown.contains("0 participants") && shown.contains(">Join</button>"), "{shown}");
        shop.verify().await;
    }

    /// Defect: after somebody joined, the cached entry had no creator's name any more.
    async fn the_organiser_is_still_shown_after_a_join(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let address = create(&mut ana, "Party", "12/30/2026 19:30").await;
        for act in ["join", "withdraw", "join"] {
            ana.submit(&format!("{address}{act}"), &[]).await.expect(200);
            assert!(item(&mut ana, "Party").await.contains("By ana<"), "after {act}");
        }
    }

    /// Defect: an empty cache over a full database showed an empty list.
    async fn a_node_that_has_cached_nothing_shows_what_there_is(shop: TestShop) {
        let ana = shop.customer("ana").await;
        add(&ana, party("Party")).await;
        let other = shop.second_node().await;
        let client = Client::new(shop.router_of(other.clone()), None);
        let page = client.get(PATH).await.expect(200);
        assert_eq!(page["items"][0]["title"], "Party");
        other.stop().await;
    }

    /// Defects: with the cache down, a write answered 500 after its commit, and what was written
    /// meanwhile was never seen again.
    async fn writes_and_reads_work_while_redis_is_down(shop: TestShop) {
        let redis_url = Some(Secret::new("redis://127.0.0.1:9/0"));
        let config = Config { cache: Cache { redis_url, ..Cache::default() }, ..Config::default() };
        let shop = shop.with_config(&config).await;
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let address = create(&mut ana, "Party", "12/30/2026 19:30").await;
        for (act, shown) in [("join", "1 participant<"), ("withdraw", "0 participants")] {
            ana.submit(&format!("{address}{act}"), &[]).await.expect(200);
            assert!(item(&mut ana, "Party").await.contains(shown), "after {act}");
        }
        ana.submit(&address, &form("Night", "12/31/2026 20:00")).await.expect(200);
        assert!(item(&mut ana, "Night").await.contains("2026-12-31 20:00"));
    }

    /// Defect: looking at the address of join or withdraw changed who comes, so that any page and
    /// any crawler could do it.
    async fn looking_changes_nothing_and_other_sites_cannot_post(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let address = create(&mut ana, "Party", "12/30/2026 19:30").await;
        let (join, withdraw) = (format!("{address}join"), format!("{address}withdraw"));
        let html = ana.open(&join).await.expect(200);
        assert!(html.contains(&format!("<form method=\"post\" action=\"{join}\"")), "{html}");
        assert!(item(&mut ana, "Party").await.contains("0 participants"));
        ana.submit(&join, &[]).await.expect(200);
        ana.open(&withdraw).await.expect(200);
        ana.open(&format!("{address}cancel")).await.expect(200);
        let cross = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
        for act in [&withdraw, &format!("{address}cancel"), &address] {
            let answer = ana.send(Method::POST, act, Some(&[("title", "Evil")]), &cross).await;
            assert_eq!(answer.status, 403, "{act}");
        }
        let shown = item(&mut ana, "Party").await;
        assert!(shown.contains("1 participant<") && !shown.contains("Cancelled"), "{shown}");
    }

    /// Defect: two joins at once read the same entry, and one of them was lost.
    async fn two_joins_at_once_both_count(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let other = shop.second_node().await;
        let router = shop.router_of(other.clone());
        for round in 0..10 {
            let event = add(&ana, party("Party")).await;
            let (one, two) = (
                shop.customer(&format!("one{round}")).await,
                shop.customer(&format!("two{round}")).await,
            );
            let two = Client::new(router.clone(), two.token.clone());
            tokio::join!(sign_up(&one, event), sign_up(&two, event));
            let shown = ana.get(&place(event)).await.expect(200);
            assert_eq!(shown["attending"], 2);
        }
        shop.verify().await;
        other.stop().await;
    }

    /// Defect: the list was sorted by the date's text, so that past events came first.
    async fn past_events_come_last(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        for (title, date) in [
            ("long past", "2020-07-30 19:30"),
            ("far", "2027-01-01 19:30"),
            ("past", "11/20/2026 19:30"),
            ("near", "11/22/2026 19:30"),
        ] {
            create(&mut ana, title, date).await;
        }
        let html = shop.visitor().open(LIST).await.expect(200);
        assert_eq!(titles(&html), ["near", "far", "past", "long past"]);
    }

    /// Defect: the whole list was one page, and every entry carried the ids of all who come.
    async fn the_list_is_paged_and_carries_no_participants(shop: TestShop) {
        let ana = shop.customer("ana").await;
        for number in 0..25 {
            let start = format!("2026-12-{:02}T12:00:00Z", number + 1);
            let event = add(&ana, json!({"title": format!("e{number}"), "starts_at": start})).await;
            sign_up(&ana, event).await;
        }
        let mut visitor = shop.visitor();
        let first = visitor.open(LIST).await.expect(200);
        assert_eq!(titles(&first).len(), 20);
        let next = first.split("rel=\"next\" href=\"").nth(1).expect("a next page");
        let next = next.split('"').next().expect("an address").replace("&amp;", "&");
        let second = visitor.open(&next).await.expect(200);
        assert_eq!(titles(&second), ["e20", "e21", "e22", "e23", "e24"]);
        let page = shop.anonymous().get(PATH).await.expect(200);
        let item = page["items"][0].as_object().expect("an item");
        let mut keys: Vec<&String> = item.keys().collect();
        keys.sort();
        assert_eq!(keys, [
            "attending", "cancelled_at", "capacity", "ends_at", "id", "organiser", "product_id",
            "starts_at", "time_zone", "title", "venue", "waiting",
        ]);
    }

    /// As there: 403 for whoever did not create it, 404 for what is unknown, the login for
    /// strangers; withdrawing without having joined, and joining twice, do nothing.
    async fn who_may_do_what_and_what_does_nothing(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let address = create(&mut ana, "Party", "12/30/2026 19:30").await;
        let edit = form("Mine now", "12/30/2026 19:30");
        assert_eq!(bia.post(&address, &edit).await.status, 403);
        assert_eq!(bia.post(&format!("{address}cancel"), &[]).await.status, 403);
        assert_eq!(bia.get(&format!("{address}cancel")).await.status, 403);
        assert_eq!(bia.get(&format!("{address}participants")).await.status, 403);
        let html = bia.open(&address).await.expect(200);
        assert!(!html.contains("<input"), "no form for others: {html}");
        for (path, post) in [("", true), ("", false), ("join", true), ("join", false),
            ("withdraw", true), ("withdraw", false), ("event.ics", false)] {
            let path = format!("/events/999/{path}");
            let answer = match post {
                true => bia.post(&path, &edit).await,
                false => bia.get(&path).await,
            };
            assert_eq!(answer.status, 404, "{path}");
        }
        let mut stranger = shop.visitor();
        for path in ["/events/", &format!("{address}join"), "/events/mine"] {
            let shown = stranger.open(path).await;
            assert!(shown.path.starts_with("/accounts/login/?next="), "{path}: {}", shown.path);
        }
        let answer = stranger.post(&format!("{address}join"), &[]).await;
        assert!(answer.location().starts_with("/accounts/login/"));
        for (act, shown) in [
            ("withdraw", "0 participants"), ("join", "1 participant<"), ("join", "1 participant<"),
            ("withdraw", "0 participants"), ("withdraw", "0 participants"),
        ] {
            bia.submit(&format!("{address}{act}"), &[]).await.expect(200);
            assert!(item(&mut bia, "Party").await.contains(shown), "after {act}");
        }
        assert!(item(&mut ana, "Party").await.contains(">Party</a>"), "nothing was renamed");
    }

    /// Django's formats of a date, the browser's own, and what is neither.
    async fn dates_are_read_as_the_predecessor_read_them(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        for date in ["07/30/2027 19:30", "2027-07-30 19:30:00", "07/30/27 19:30",
            "2027-07-30T19:30"] {
            create(&mut ana, date, date).await;
            assert!(item(&mut ana, date).await.contains("2027-07-30 19:30"), "{date}");
        }
        for (fields, wrong) in [
            (form("", "07/30/2027 19:30"), "Title: must not be empty."),
            (form("Party", "30.7.2027"), "Start: must be a day and an hour"),
            (form("Party", ""), "Start: must be a day and an hour"),
        ] {
            let html = ana.submit("/events/", &fields).await.expect(422);
            assert!(html.contains(wrong) && html.contains("role=\"alert\""), "{html}");
            assert!(html.contains("Bring friends"), "what was typed stays");
        }
    }

    /// Defect: two accounts could have one e-mail address, which is what names the organiser.
    async fn an_address_has_one_account(shop: TestShop) {
        shop.customer("ana").await;
        let fields = [
            ("username", "other"), ("email", "ANA@example.com"),
            ("password1", "correct horse battery"), ("password2", "correct horse battery"),
        ];
        let html = shop.visitor().submit("/accounts/sign_up/", &fields).await.expect(422);
        assert!(html.contains("This e-mail address is taken."), "{html}");
    }

    /// The list of the predecessor was read from its cache: here another node's change is seen too.
    async fn what_another_node_changes_is_seen_within_the_bound(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let event = add(&ana, with(party("Party"), json!({"capacity": 5}))).await;
        let other = shop.second_node().await;
        let there = Client::new(shop.router_of(other.clone()), ana.token.clone());
        assert_eq!(there.get(PATH).await.expect(200)["items"][0]["attending"], 0);
        sign_up(&ana, event).await;
        let bound = Cache::default().stale_max() + std::time::Duration::from_millis(20);
        tokio::time::sleep(bound).await;
        assert_eq!(there.get(PATH).await.expect(200)["items"][0]["attending"], 1);
        other.stop().await;
    }
}
