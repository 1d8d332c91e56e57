//! Tickets: from the product to the door, where each of them admits once.

mod link;
mod pages;
mod stage;

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::order_life::{act, cancel, pay};
use crate::orders::{ORDERS, order};
use crate::support::Client;
use stage::{Gig, codes, let_in, undo};

on_both_engines! {
    async fn a_ticket_admits_once(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let number = id(&order(&ana, &[(gig.standing, 2), (gig.seated, 1)]).await.expect(201));
        let path = format!("{ORDERS}/{number}/tickets");
        let unpaid = ana.get(&path).await.expect(200);
        assert_eq!(
            unpaid,
            json!({"order_status": "placed", "count": 3, "items": [], "next": null}),
            "tickets are shown when they are paid"
        );
        pay(&staff, number).await;
        let paid = ana.get(&path).await.expect(200);
        let tickets = paid["items"].as_array().expect("tickets");
        assert_eq!(tickets.len(), 3);
        assert_eq!(tickets[0], json!({
            "line_no": 1, "number": 1, "code": tickets[0]["code"], "sku": "LAUNCH-STANDING",
            "variant": "Standing", "state": "valid", "admitted_at": null,
            "event": {
                "id": gig.event, "title": "Launch", "venue": "The Groove",
                "starts_at": "2026-11-21T19:00:00Z", "ends_at": "2026-11-21T22:00:00Z",
                "time_zone": "Europe/Berlin", "cancelled": false,
            },
        }));
        assert_eq!((&tickets[2]["line_no"], &tickets[2]["variant"]), (&json!(2), &json!("Seated")));

        let codes = codes(&ana, number).await;
        let admitted = let_in(&staff, gig.event, &codes[0]).await.expect(201);
        assert_eq!(admitted, json!({
            "order_id": number, "line_no": 1, "number": 1, "quantity": 2, "admitted": 1,
            "buyer": "ana", "title": "Launch", "variant": "Standing",
            "admitted_at": "2026-11-21T12:00:00Z",
        }));
        shop.clock.advance(Duration::from_secs(60));
        let again = codes[0].to_lowercase().replace(' ', "");
        let problem = let_in(&staff, gig.event, &again).await
            .expect_problem(409, "already_admitted");
        assert_eq!(
            (&problem["admitted_at"], &problem["admitted_by"]),
            (&json!("2026-11-21T12:00:00Z"), &json!("sam"))
        );
        let_in(&staff, gig.event, &codes[2]).await.expect(201);
        let shown = ana.get(&path).await.expect(200);
        let states: Vec<&Value> =
            shown["items"].as_array().expect("tickets").iter().map(|one| &one["state"]).collect();
        assert_eq!(states, ["admitted", "valid", "admitted"]);
        assert_eq!(gig.count(&staff).await, (3, 2));
        let told = shop.texts("select topic from outbox
            where topic like 'ticket.%' order by id").await;
        let audit = shop.texts("select action from audit
            where action like 'ticket.%' order by id").await;
        assert_eq!((told, audit), (vec!["ticket.admitted".to_owned(); 2],
            vec!["ticket.admitted".to_owned(); 2]));
        shop.verify().await;
    }

    async fn whoever_may_not_come_in_is_told_why(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let other = Gig::new(&shop, "Signing").await;
        let number = id(&order(&ana, &[(gig.standing, 1)]).await.expect(201));
        pay(&staff, number).await;
        let code = codes(&ana, number).await.remove(0);
        let unpaid = id(&order(&ana, &[(gig.standing, 1)]).await.expect(201));
        let record = crate::orders::on_sale(&staff, "One", "10", 5).await;
        let goods = id(&order(&ana, &[(record, 1)]).await.expect(201));
        pay(&staff, goods).await;
        let at = async |event: i64, code: &str| let_in(&staff, event, code).await;
        let problem = at(other.event, &code).await.expect_problem(409, "other_event");
        assert_eq!(problem["event_id"], gig.event);
        assert_eq!(problem["detail"], "This ticket is for another event: Launch.");
        at(999, &code).await.expect_problem(404, "not_found");
        // Codes that the shop could have made, for what is not there.
        for (order, line_no, unit, status, refused) in [
            (unpaid, 1, 1, 409, "order_not_paid"),
            (goods, 1, 1, 409, "other_event"),
            (number, 1, 2, 404, "unknown_code"),
            (number, 2, 1, 404, "unknown_code"),
            (999_999, 1, 1, 404, "unknown_code"),
        ] {
            let code = stage::code(&shop, order, line_no, unit).await;
            at(gig.event, &code).await.expect_problem(status, refused);
        }
        for wrong in ["1", "hello", &code[1..], &code.replace(' ', "!")] {
            at(gig.event, wrong).await.expect_problem(404, "unknown_code");
        }
        for wrong in [json!({}), json!({"code": ""}), json!({"code": "x".repeat(101)})] {
            let path = format!("/api/v1/events/{}/admissions", gig.event);
            staff.post(&path, wrong).await.expect_problem(400, "invalid_body");
        }
        // Nobody but staff stands at a door, least of all whoever has the ticket.
        let_in(&ana, gig.event, &code).await.expect_problem(403, "forbidden");
        let_in(&shop.anonymous(), gig.event, &code).await.expect_problem(401, "unauthorized");
        cancel(&ana, unpaid).await.expect(200);
        let lapsed = stage::code(&shop, unpaid, 1, 1).await;
        at(gig.event, &lapsed).await.expect_problem(409, "order_cancelled");
        act(&staff, number, "refunds", json!({})).await.expect(201);
        at(gig.event, &code).await.expect_problem(409, "order_refunded");
        assert_eq!(codes(&ana, number).await, [""; 0], "refunded tickets are not shown");
        assert_eq!(gig.count(&staff).await, (0, 0));
        assert_eq!(shop.number("select count(*) from admission").await, 0);
        shop.verify().await;
    }

    async fn another_day_is_a_warning(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let number = id(&order(&ana, &[(gig.standing, 2)]).await.expect(201));
        pay(&staff, number).await;
        let codes = codes(&ana, number).await;
        // In Berlin the day ends at 23:00 UTC.
        shop.clock.advance(Duration::from_secs(11 * 3600 - 1));
        let_in(&staff, gig.event, &codes[0]).await.expect(201);
        shop.clock.advance(Duration::from_secs(1));
        let problem = let_in(&staff, gig.event, &codes[1]).await.expect_problem(409, "not_today");
        assert_eq!(
            (&problem["opens_at"], &problem["closes_at"]),
            (&json!("2026-11-20T23:00:00Z"), &json!("2026-11-21T23:00:00Z"))
        );
        let path = format!("/api/v1/events/{}/admissions", gig.event);
        let body = json!({"code": codes[1], "any_day": true});
        staff.post(&path, body.clone()).await.expect(201);
        staff.post(&path, body).await.expect_problem(409, "already_admitted");
        gig.cancelled(&shop).await;
        let_in(&staff, gig.event, &codes[1]).await.expect_problem(409, "event_cancelled");
        shop.verify().await;
    }

    async fn what_came_back_does_not_admit(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let number = id(&order(&ana, &[(gig.standing, 4)]).await.expect(201));
        pay(&staff, number).await;
        let codes = codes(&ana, number).await;
        let_in(&staff, gig.event, &codes[3]).await.expect(201);
        act(&staff, number, "fulfilments", json!({})).await.expect(201);
        let one = json!({"lines": [{"line_no": 1, "quantity": 1}]});
        act(&staff, number, "returns", one).await.expect(201);
        // The last one was used: so the one before it is what came back.
        let_in(&staff, gig.event, &codes[2]).await.expect_problem(409, "ticket_returned");
        assert_eq!(gig.count(&staff).await, (3, 1));
        for code in &codes[..2] {
            let_in(&staff, gig.event, code).await.expect(201);
        }
        assert_eq!(gig.count(&staff).await, (3, 3));
        act(&staff, number, "returns", json!({})).await.expect(201);
        let_in(&staff, gig.event, &codes[2]).await.expect_problem(409, "ticket_returned");
        shop.verify().await;
    }

    async fn a_mistake_is_taken_back_for_a_reason(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let number = id(&order(&ana, &[(gig.standing, 1)]).await.expect(201));
        pay(&staff, number).await;
        let code = codes(&ana, number).await.remove(0);
        undo(&staff, gig.event, &code, "x").await.expect_problem(409, "not_admitted");
        let_in(&staff, gig.event, &code).await.expect(201);
        undo(&ana, gig.event, &code, "x").await.expect_problem(403, "forbidden");
        undo(&staff, gig.event, &code, "").await.expect_problem(400, "invalid_body");
        undo(&staff, gig.event, "nonsense", "x").await.expect_problem(404, "unknown_code");
        undo(&staff, gig.event, &code, "the wrong phone").await.expect(204);
        assert_eq!(gig.count(&staff).await, (1, 0));
        let audit = shop.texts("select cast(changes as text) from audit
            where action = 'ticket.taken_back'").await;
        assert!(audit.len() == 1 && audit[0].contains("the wrong phone"), "{audit:?}");
        let_in(&staff, gig.event, &code).await.expect(201);
        shop.verify().await;
    }

    /// Two doors on two nodes are shown the same tickets in the same instant.
    async fn two_doors_let_in_once(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let mut all = Vec::new();
        for quantity in [1, 2, 5, 12] {
            let number = id(&order(&ana, &[(gig.standing, quantity)]).await.expect(201));
            pay(&staff, number).await;
            all.extend(codes(&ana, number).await);
        }
        let second = shop.second_node().await;
        let other = Client::new(shop.router_of(second), staff.token.clone());
        let scans = all.iter().flat_map(|code| {
            [&staff, &other, &other].map(|door| let_in(door, gig.event, code))
        });
        let answers = join_all(scans).await;
        for (code, answers) in all.iter().zip(answers.chunks(3)) {
            let mut statuses: Vec<u16> =
                answers.iter().map(|answer| answer.status.as_u16()).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409, 409], "{code}: {answers:?}");
        }
        assert_eq!(gig.count(&staff).await, (20, 20));
        shop.verify().await;
    }

    /// A refund and a scan at one instant: either one came in and the money went back afterwards,
    /// or nobody came in. What the door was told and what is stored agree.
    async fn a_refund_races_a_scan(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let second = shop.second_node().await;
        let other = Client::new(shop.router_of(second), staff.token.clone());
        for round in 0..12 {
            let number = id(&order(&ana, &[(gig.standing, 1)]).await.expect(201));
            pay(&staff, number).await;
            let code = codes(&ana, number).await.remove(0);
            let refund = act(&staff, number, "refunds", json!({}));
            let (refunded, scanned) = if round % 2 == 0 {
                futures::join!(refund, let_in(&other, gig.event, &code))
            } else {
                let (scanned, refunded) = futures::join!(let_in(&other, gig.event, &code), refund);
                (refunded, scanned)
            };
            refunded.expect(201);
            match scanned.status.as_u16() {
                201 => let_in(&staff, gig.event, &code).await
                    .expect_problem(409, "already_admitted"),
                _ => scanned.expect_problem(409, "order_refunded"),
            };
        }
        shop.verify().await;
    }

    /// Whoever holds the order's row, such as a batch that refunds it, is waited for; and what it
    /// has done counts.
    async fn a_scan_waits_for_the_orders_lock(shop: TestShop) {
        if shop.app.db.engine() == runout_store::Engine::Sqlite {
            // One writer: nothing can be in between.
            return;
        }
        let ana = shop.customer("ana").await;
        let gig = Gig::new(&shop, "Launch").await;
        let staff = shop.staff().await;
        let (number, codes) = gig.sold(&shop, &ana, 1).await;
        let url = shop.database_url();
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connected");
        let connection = tokio::spawn(connection);
        let refund = format!("begin; update orders set status = 'refunded' where id = {number}");
        client.batch_execute(&refund).await.expect("the row is locked");
        let event = gig.event;
        let scan = tokio::spawn(async move { let_in(&staff, event, &codes[0]).await });
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!scan.is_finished(), "the scan does not wait");
        client.batch_execute("commit").await.expect("committed");
        scan.await.expect("answered").expect_problem(409, "order_refunded");
        assert_eq!(shop.number("select count(*) from admission").await, 0);
        drop(client);
        connection.await.expect("the connection's task").expect("a clean end");
    }

    async fn verify_finds_who_should_not_be_in(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let gig = Gig::new(&shop, "Launch").await;
        let other = Gig::new(&shop, "Signing").await;
        let (number, codes) = gig.sold(&shop, &ana, 2).await;
        let unpaid = id(&order(&ana, &[(gig.standing, 1)]).await.expect(201));
        let_in(&staff, gig.event, &codes[0]).await.expect(201);
        shop.verify().await;
        let time = "(select max(admitted_at) from admission)";
        let row = |order: i64, number: i64, event: i64, by: i64| {
            format!("insert into admission (order_id, line_no, number, event_id, admitted_at,
                admitted_by) values ({order}, 1, {number}, {event}, {time}, {by})")
        };
        let sam = staff.account_id;
        for (sql, expected) in [
            (row(number, 3, gig.event, sam), "the line has 2"),
            (row(number, 2, other.event, sam), "is not for event"),
            (row(number, 2, 999, sam), "no event 999"),
            (row(999, 1, gig.event, sam), "no such order"),
            (row(unpaid, 1, gig.event, sam), "never paid"),
            (row(number, 2, gig.event, 999), "no account 999"),
        ] {
            shop.app.db.script(&sql).await.expect("damaged");
            let report = runout_shop::verify::verify(&shop.app.db, &shop.app.sealer).await;
            let report = report.expect("checks");
            let text = report.to_string();
            assert!(!report.is_clean() && text.contains(expected), "{expected}: {text}");
            let heal = format!("delete from admission
                where not (order_id = {number} and number = 1)");
            shop.app.db.script(&heal).await.expect("healed");
        }
        shop.verify().await;
    }
}
