//! A ticket: bought like a record, shown with its code, let in at the door, and refused there the
//! second time.

use runout_shop::platform::clock::Clock;
use serde_json::json;

use super::shopper::check_out;
use super::window::Window;
use super::{CUSTOMER, OWNER, Stage, journey, log_in};
use crate::on_both_engines;
use crate::support::furnish::{Api, gig};
use crate::support::server::verify_command;

/// Buys two tickets by way of the event's page; gives the order's path.
async fn buys_two(window: &Window, event: i64) -> String {
    window.goto(&format!("/events/{event}/")).await;
    window.presses_in("//main", "Tickets for Evening").await;
    window.arrives("/products/").await;
    window.sees_in("h1", "Evening").await;
    window.types("quantity", "2").await;
    window.presses_in("//main", "Add to basket").await;
    window.arrives("/basket").await;
    window.presses_in("//main", "Go to checkout").await;
    window.arrives("/checkout").await;
    check_out(window).await
}

/// The codes on the tickets' page; each stands below its picture.
async fn codes(window: &Window) -> Vec<String> {
    let read = "return [...document.querySelectorAll('li.ticket')].filter(
        ticket => ticket.querySelector('svg[role=img] path').getAttribute('d').length > 100
    ).map(ticket => ticket.querySelector('.code').textContent)";
    let found = window.run(read, vec![]).await;
    serde_json::from_value(found).expect("codes")
}

/// Types a code at the door; gives what the door says once it says this.
async fn shows(window: &Window, code: &str, says: &str) -> String {
    window.types("code", code).await;
    window.presses_in("//main", "Let in").await;
    window.sees_in("#verdict", says).await
}

on_both_engines! {
    async fn a_ticket_is_bought_and_admits_once(shop: TestShop) {
        let stage = Stage::set(&shop, &[]).await;
        let owner = stage.as_owner();
        let (event, _) = gig(&owner, "").await;
        // It goes on now, whatever the day is.
        let (now, hour) = (Clock::system().now(), jiff::SignedDuration::from_hours(1));
        let tonight = json!({"starts_at": now - hour, "ends_at": now + hour * 2});
        owner.call("PATCH", &format!("/api/v1/events/{event}"), tonight).await;
        stage.customer(CUSTOMER).await;
        let name = format!("tickets-{:?}", shop.app.db.engine());
        journey(&name, &stage, async |window| {
            log_in(window, CUSTOMER).await;
            let order = buys_two(window, event).await;
            window.goto(&format!("{order}/tickets")).await;
            window.sees_in("main", "appear here when the order is paid").await;
            let payments = format!("/api/v1{order}/payments");
            owner.call("POST", &payments, json!({"gateway": "manual"})).await;
            window.goto(&order).await;
            window.presses_in("//main", "Your tickets").await;
            window.sees_in("main", "Standing, ticket 2 of 2").await;
            let codes = codes(window).await;
            assert_eq!(codes.len(), 2, "two pictures with their codes");
            let mut wrong = window.inspect(&format!("{name}-bought")).await;
            window.presses_in("//header", "Log out").await;
            window.sees_in("header", "Log in").await;

            log_in(window, OWNER).await;
            window.goto(&format!("/events/{event}/")).await;
            window.presses_in("//main", "Door").await;
            window.sees_in("#count", "0 of 2 are in").await;
            // As somebody types it who is in a hurry.
            let typed = codes[0].to_lowercase().replace('-', " ");
            let said = shows(window, &typed, "Let in").await;
            assert!(said.contains("ana · Standing, ticket 1 of 2"), "{said}");
            window.sees_in("#count", "1 of 2 are in").await;
            wrong.extend(window.inspect(&format!("{name}-in")).await);
            let said = shows(window, &codes[0], "Not let in").await;
            assert!(said.contains("let in with this ticket before, by olga"), "{said}");
            window.sees_in("#count", "1 of 2 are in").await;
            wrong.extend(window.inspect(&format!("{name}-refused")).await);
            shows(window, "nonsense", "This is not one of our tickets").await;
            // Without script the door works as well.
            window.without_script().await;
            window.goto(&format!("/admin/events/{event}/door")).await;
            shows(window, &codes[1], "ticket 2 of 2").await;
            window.sees_in("#count", "2 of 2 are in").await;
            let refused = |line: &String| !line.contains("status of 40");
            wrong.retain(refused);
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        })
        .await;
        stage.server.stop().await;
        verify_command(&shop.database_url());
    }
}
