//! Which product an event sells as its tickets.

use axum::http::Method;
use serde_json::json;

use super::stage::{Gig, link};
use crate::catalog::{add, id};
use crate::events::{PATH, party, place, sign_up, withdraw};
use crate::on_both_engines;
use crate::orders::order;

on_both_engines! {
    async fn an_event_sells_tickets_or_takes_sign_ups(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let attendance = format!("{}/attendance", place(gig.event));
        ana.send(Method::POST, &attendance, None, &[]).await.expect_problem(409, "event_ticketed");
        let again = link(&staff, gig.event, Some(gig.product)).await;
        assert_eq!(again.headers["etag"], "\"2\"", "nothing changes");
        // Nothing was ordered yet: it may take sign-ups again, and then no tickets.
        let free = link(&staff, gig.event, None).await;
        assert_eq!(free.headers["etag"], "\"3\"");
        assert_eq!(free.expect(200)["product_id"], json!(null));
        sign_up(&ana, gig.event).await;
        let problem = link(&staff, gig.event, Some(gig.product)).await
            .expect_problem(409, "people_signed_up");
        assert_eq!(problem["count"], 1);
        withdraw(&ana, gig.event).await;
        link(&staff, gig.event, Some(gig.product)).await.expect(200);
        order(&ana, &[(gig.standing, 1)]).await.expect(201);
        link(&staff, gig.event, None).await.expect_problem(409, "tickets_ordered");
        gig.cancelled(&shop).await;
        let other = id(&staff.post(PATH, party("Other")).await.expect(201));
        let problem = link(&staff, other, Some(gig.product)).await
            .expect_problem(409, "product_taken");
        assert_eq!(problem["event_id"], gig.event);
        shop.verify().await;
    }

    async fn only_a_ticket_product_is_sold_and_only_by_staff(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let event = id(&ana.post(PATH, party("Hers")).await.expect(201));
        let record = id(&add(&staff, json!({"title": "Record"})).await);
        let ticket = id(&add(&staff, json!({"title": "Ticket", "kind": "ticket"})).await);
        // Not even the organiser: it is the shop that sells.
        link(&ana, event, Some(ticket)).await.expect_problem(403, "forbidden");
        for (product, code) in [(record, "not_a_ticket"), (999, "unknown")] {
            let problem = link(&staff, event, Some(product)).await
                .expect_problem(400, "invalid_body");
            assert_eq!(problem["errors"][0]["code"], code);
        }
        let path = format!("{}/product", place(event));
        for body in [json!({"product_id": 0}), json!({"product_id": "1"}), json!({"other": 1})] {
            staff.put(&path, body).await.expect_problem(400, "invalid_body");
        }
        link(&staff, 999, Some(ticket)).await.expect_problem(404, "not_found");
        let body = Some(json!({"product_id": ticket}));
        let stale = [("if-match", "\"9\"")];
        let answer = staff.send(Method::PUT, &path, body, &stale).await;
        answer.expect_problem(412, "precondition_failed");
        link(&staff, event, Some(ticket)).await.expect(200);
    }

    /// Two events want one product at the same instant, on two nodes: one gets it.
    async fn a_product_is_one_events(shop: TestShop) {
        let staff = shop.staff().await;
        let second = shop.second_node().await;
        let other = crate::support::Client::new(shop.router_of(second), staff.token.clone());
        for round in 0..6 {
            let body = json!({"title": format!("Ticket {round}"), "kind": "ticket"});
            let ticket = id(&add(&staff, body).await);
            let one = id(&staff.post(PATH, party("One")).await.expect(201));
            let two = id(&staff.post(PATH, party("Two")).await.expect(201));
            let (a, b) =
                futures::join!(link(&staff, one, Some(ticket)), link(&other, two, Some(ticket)));
            let mut statuses = [a.status.as_u16(), b.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409], "{a:?} {b:?}");
        }
    }
}
