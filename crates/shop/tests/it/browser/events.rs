//! Events, as their predecessor's README walks through them: one signs up, logs in, makes an event
//! and edits it; another joins and withdraws; everybody has the button that fits.

use serde_json::Value;

use super::window::Window;
use super::{PASSWORD, Stage, journey, log_in};
use crate::on_both_engines;
use crate::support::furnish::Api;
use crate::support::server::verify_command;

const TITLE: &str = "Needle drop";

async fn sign_up(window: &Window, username: &str) {
    window.goto("/accounts/sign_up/").await;
    let email = format!("{username}@example.com");
    for (name, text) in [
        ("username", username),
        ("email", &email),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ] {
        window.types(name, text).await;
    }
    window.presses_in("//main", "Sign up").await;
    window.sees_in("header", "Log out").await;
}

async fn log_out(window: &Window) {
    window.presses_in("//header", "Log out").await;
    window.sees_in("header", "Log in").await;
}

/// What a date picker does: two days from now, at eight in the evening.
async fn picks_a_date(window: &Window) {
    let pick = "document.querySelector('[name=date]').value =
        new Date(Date.now() + 1728e5).toISOString().slice(0, 10) + 'T20:00'";
    window.run(pick, vec![]).await;
}

/// Makes an event; gives its path.
async fn makes_an_event(window: &Window) -> String {
    window.goto("/events/all").await;
    window.presses_in("//main", "Create an event").await;
    window.arrives("/events/").await;
    window.types("title", "Needel drop").await;
    window.types("venue", "The back room").await;
    window.types("time_zone", "Europe/Berlin").await;
    window.types("capacity", "30").await;
    picks_a_date(window).await;
    window.presses_in("//main", "Create the event").await;
    window.arrives("/events/all").await;
    let link = window.find("li.event h3 a").await;
    link.attr("href").await.expect("a link").expect("an address")
}

async fn mends_the_title(window: &Window) {
    window.presses_in("//main", "Edit Needel drop").await;
    window.sees_in("h1", "Needel drop").await;
    window.types("title", TITLE).await;
    window.presses_in("//main", "Save").await;
    window.arrives("/events/all").await;
}

/// What the event's tile on the list says, once it says this.
async fn tile(window: &Window, says: &str) -> String {
    window.goto("/events/all").await;
    window.sees_in("li.event", says).await
}

/// Looking at the address asks, and only the button joins.
async fn joins(window: &Window, event: &str, guest: &impl Api) {
    window.goto(&format!("{event}join")).await;
    window.sees_in("h1", "Join this event?").await;
    let path = format!("/api/v1{}", event.trim_end_matches('/'));
    let shown = guest.call("GET", &path, Value::Null).await;
    assert_eq!(shown["attending"], 0, "looking changes nothing");
    window.presses_in("//main", "Join").await;
    window.arrives("/events/all").await;
}

on_both_engines! {
    async fn somebody_makes_an_event_and_another_comes(shop: TestShop) {
        let stage = Stage::set(&shop, &[]).await;
        let name = format!("events-{:?}", shop.app.db.engine());
        let owner = stage.as_owner();
        journey(&name, &stage, async |window| {
            sign_up(window, "bia").await;
            log_out(window).await;
            log_in(window, "bia").await;
            let event = makes_an_event(window).await;
            mends_the_title(window).await;
            let shown = tile(window, TITLE).await;
            for part in ["20:00", "Europe/Berlin", "The back room", "0 of 30", "By bia", "Edit"] {
                assert!(shown.contains(part), "{part}: {shown}");
            }
            assert!(shown.contains("Join"), "the organiser may come too: {shown}");
            log_out(window).await;
            let shown = tile(window, "Log in to join").await;
            assert!(!shown.contains("Edit"), "{shown}");
            // From the list to the login, and on to the question.
            window.presses_in("//main", &format!("Log in to join {TITLE}")).await;
            window.arrives("/accounts/login/?next=").await;
            sign_up(window, "cleo").await;
            let shown = tile(window, "Join").await;
            assert!(!shown.contains("Edit") && !shown.contains("Withdraw"), "{shown}");
            joins(window, &event, &owner).await;
            let shown = tile(window, "1 of 30").await;
            assert!(shown.contains("You are going") && shown.contains("Withdraw"), "{shown}");
            assert!(!shown.contains("Join"), "{shown}");
            window.goto("/events/mine").await;
            window.sees_in("main", TITLE).await;
            log_out(window).await;
            log_in(window, "bia").await;
            window.goto(&format!("{event}participants")).await;
            window.sees_in("table", "cleo").await;
            log_out(window).await;
            log_in(window, "cleo").await;
            window.goto(&format!("{event}withdraw")).await;
            window.sees_in("h1", "Withdraw from this event?").await;
            window.presses_in("//main", "Withdraw").await;
            window.arrives("/events/all").await;
            let shown = tile(window, "0 of 30").await;
            assert!(shown.contains("Join") && !shown.contains("You are going"), "{shown}");
            // And in one step each from the list.
            window.presses_in("//main", &format!("Join {TITLE}")).await;
            window.sees_in("li.event", "1 of 30").await;
            window.presses_in("//main", &format!("Withdraw from {TITLE}")).await;
            window.sees_in("li.event", "0 of 30").await;
            window.goto("/").await;
            window.sees_in("section[aria-labelledby='events']", TITLE).await;
            assert_eq!(window.console().await, Vec::<String>::new());
        })
        .await;
        stage.server.stop().await;
        verify_command(&shop.database_url());
    }
}
