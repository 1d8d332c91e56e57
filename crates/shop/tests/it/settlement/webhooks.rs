//! The plain case, and who finishes it: the webhook, the buyer's browser, both at once.

use axum::http::Method;
use serde_json::{Value, json};

use super::*;
use crate::on_both_engines;
use crate::support::Engine;

on_both_engines! {
    async fn a_card_pays_an_order(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Solo", 5).await;
        let placed = till.buys(&ana, record, 2).await;
        assert_eq!(states(&placed), ("placed", "pending"));
        assert_eq!(payment(&placed)["amount_minor"], 2500);
        let secret = text(payment(&placed), "client_secret");
        assert_eq!(secret, format!("{}_secret_sim", provider_id(&placed)));
        // It is told to whoever begins the payment, and to nobody later.
        let shown = ana.get(&path(&placed, "")).await.expect(200);
        assert_eq!(payment(&shown).get("client_secret"), None);
        assert_eq!(payment(&shown)["provider_id"], payment(&placed)["provider_id"]);
        assert_eq!(till.told(&placed).await, ["order.placed", "payment.changed"]);

        till.confirm(&placed, VISA);
        till.deliver_all().await;
        let paid = till.order(&placed).await;
        assert_eq!(states(&paid), ("paid", "succeeded"));
        assert_eq!((&paid["paid_minor"], &paid["refunded_minor"]), (&json!(2500), &json!(0)));
        assert_eq!(paid["payment_due_at"], Value::Null);
        let told = till.told(&placed).await;
        assert_eq!(told, ["order.placed", "payment.changed", "order.paid"]);
        till.end().await;
    }

    async fn a_repeated_checkout_gives_the_secret_again(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Encore", 5).await;
        let basket = till.basket(&ana, record, 1).await;
        let checkout = format!("{BASKETS}/{basket}/checkout");
        let body = json!({"gateway": "stripe"});
        let keyed = [("idempotency-key", "\"once\"")];
        let first = ana.send(Method::POST, &checkout, Some(body.clone()), &keyed).await.expect(201);
        let again = ana.send(Method::POST, &checkout, Some(body), &keyed).await.expect(201);
        assert_eq!(first, again);
        // So does another attempt while the first one is open.
        let pay = json!({"gateway": "stripe"});
        let third = ana.post(&path(&first, "/payments"), pay).await.expect(201);
        assert_eq!(payment(&third), payment(&first));
        assert_eq!(till.stripe.ledger().len(), 1);
        till.end().await;
    }

    async fn a_guest_pays_and_sees_it(shop: TestShop) {
        let till = Till::open(shop).await;
        let record = till.record("Stranger", 5).await;
        let nobody = till.shop.anonymous();
        let basket = nobody.post(BASKETS, json!({"currency": "EUR"})).await.expect(201);
        let token = format!("Basket {}", text(&basket, "token"));
        let auth = [("authorization", token.as_str())];
        let to = |rest: &str| format!("{BASKETS}/{}{rest}", id(&basket));
        let line = json!({"variant_id": record, "quantity": 1});
        nobody.send(Method::PUT, &to("/lines"), Some(line), &auth).await.expect(200);
        let address = json!({
            "name": "Bia Lea", "line1": "Rillengasse 33", "postal_code": "10115",
            "city": "Berlin", "country": "DE",
        });
        let body = json!({"gateway": "stripe", "email": "bia@example.com", "address": address});
        let placed = nobody.send(Method::POST, &to("/checkout"), Some(body), &auth).await;
        let placed = placed.expect(201);
        till.confirm(&placed, VISA);
        let synced = nobody.send(Method::POST, &sync_path(&placed), None, &auth).await.expect(200);
        assert_eq!(states(&synced), ("paid", "succeeded"));
        // Others can neither see nor settle it.
        let ana = till.shop.customer("ana").await;
        ana.post(&sync_path(&placed), json!({})).await.expect_problem(404, "not_found");
        till.end().await;
    }

    async fn webhooks_may_come_twice_late_and_in_any_order(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Shuffle", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, "pm_card_dawdling");
        till.stripe.settle(provider_id(&placed), true).expect("settled");
        let events = till.stripe.take_events();
        assert_eq!(events.len(), 2, "{events:?}");
        let mut seen = Vec::new();
        for event in [&events[1], &events[0], &events[1], &events[0], &events[1]] {
            assert_eq!(till.deliver(event).await, 204);
            seen.push(till.order(&placed).await);
        }
        assert_eq!(states(&seen[0]), ("paid", "succeeded"));
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
        let told = till.told(&placed).await;
        assert_eq!(told.iter().filter(|topic| *topic == "order.paid").count(), 1, "{told:?}");
        till.end().await;
    }

    async fn only_the_provider_is_believed(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Forgery", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        till.confirm(&placed, VISA);
        let event = till.stripe.take_events().remove(0);
        let before = till.order(&placed).await;
        let now = till.shop.clock.now().as_second();
        let good = event.signature(WEBHOOK_SECRET, now);
        let tampered = event.body.replace("succeeded", "suceeeded");
        for (body, signature) in [
            (&event.body, None),
            (&event.body, Some(String::new())),
            (&event.body, Some("t=1,v1=00".to_owned())),
            (&event.body, Some(event.signature("whsec_other", now))),
            (&event.body, Some(event.signature(WEBHOOK_SECRET, now - 301))),
            (&event.body, Some(event.signature(WEBHOOK_SECRET, now + 301))),
            (&tampered, Some(good.clone())),
        ] {
            assert_eq!(till.hook(body, signature.as_deref()).await, 400, "{signature:?}");
        }
        assert_eq!(till.order(&placed).await, before);
        assert_eq!(till.hook(&event.body, Some(&good)).await, 204);
        assert_eq!(states(&till.order(&placed).await), ("paid", "succeeded"));
        till.end().await;
    }

    async fn a_webhook_is_a_hint_and_not_a_proof(shop: TestShop) {
        let till = Till::open(shop).await;
        let ana = till.shop.customer("ana").await;
        let record = till.record("Hearsay", 5).await;
        let placed = till.buys(&ana, record, 1).await;
        let other = till.buys(&till.shop.customer("bia").await, record, 1).await;
        till.confirm(&other, VISA);
        // Properly signed, but of a payment that has not succeeded, or of nothing that we know.
        let event = till.stripe.take_events().remove(0);
        for name in [provider_id(&placed), "pi_nobody"] {
            let body = event.body.replace(provider_id(&other), name);
            let event = Event { body, ..event.clone() };
            assert_eq!(till.deliver(&event).await, 204);
        }
        assert_eq!(states(&till.order(&placed).await), ("placed", "pending"));
        assert_eq!(states(&till.order(&other).await), ("placed", "pending"));
        // While the provider cannot be asked, the webhook shall come again.
        (0..4).for_each(|_| till.stripe.inject_read(runout_sim::stripe::Fault::CutBefore));
        assert_eq!(till.deliver(&event).await, 503);
        assert_eq!(till.deliver(&event).await, 204);
        assert_eq!(states(&till.order(&other).await), ("paid", "succeeded"));
        till.end().await;
    }

    async fn webhook_and_client_at_two_nodes_make_one_payment(shop: TestShop) {
        let till = Till::open(shop).await;
        let node = till.shop.node_with(&config(&till.stripe.url())).await;
        let elsewhere = till.shop.router_of(node.clone());
        let ana = till.shop.customer("ana").await;
        let record = till.record("Duet", 50).await;
        for _ in 0..5 {
            let placed = till.buys(&ana, record, 1).await;
            till.confirm(&placed, VISA);
            let event = till.stripe.take_events().remove(0);
            let signature = event.signature(WEBHOOK_SECRET, till.shop.clock.now().as_second());
            let there = Client::new(elsewhere.clone(), ana.token.clone());
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..12 {
                let (here, there, sync) = (ana.clone(), there.clone(), sync_path(&placed));
                let (routers, event) = ((till.shop.router(), elsewhere.clone()), event.clone());
                let signature = signature.clone();
                tasks.spawn(async move {
                    match number % 4 {
                        0 => here.post(&sync, json!({})).await.status.as_u16(),
                        1 => there.post(&sync, json!({})).await.status.as_u16(),
                        2 => hook(routers.0, &event.body, Some(&signature)).await,
                        _ => hook(routers.1, &event.body, Some(&signature)).await,
                    }
                });
            }
            let statuses = tasks.join_all().await;
            assert!(statuses.iter().all(|status| [200, 204].contains(status)), "{statuses:?}");
            let paid = till.order(&placed).await;
            assert_eq!(states(&paid), ("paid", "succeeded"));
            assert_eq!((&paid["paid_minor"], refunds(&paid).len()), (&json!(1250), 0));
            let told = till.told(&placed).await;
            assert_eq!(told.iter().filter(|topic| *topic == "order.paid").count(), 1);
            assert_eq!(till.entry(&placed).charged, 1250);
        }
        node.stop().await;
        till.end().await;
    }

    async fn two_shops_under_one_account_do_not_take_each_others_money(shop: TestShop) {
        let till = Till::open(shop).await;
        let other = TestShop::new(Engine::Sqlite).await;
        other.clock.advance(Duration::from_secs(1));
        let other = other.with_config(&config(&till.stripe.url())).await;
        let mut orders = Vec::new();
        for shop in [&till.shop, &other] {
            let (staff, ana) = (shop.staff().await, shop.customer("ana").await);
            let record = on_sale(&staff, "Twin", "12.50", 5).await;
            orders.push(till.buys(&ana, record, 1).await);
        }
        // The same numbers, and yet two payments.
        assert_eq!(orders[0]["id"], orders[1]["id"]);
        assert_eq!(payment(&orders[0])["id"], payment(&orders[1])["id"]);
        assert_ne!(provider_id(&orders[0]), provider_id(&orders[1]));
        till.confirm(&orders[1], VISA);
        for event in till.stripe.take_events() {
            let signature = event.signature(WEBHOOK_SECRET, till.shop.clock.now().as_second());
            assert_eq!(hook(till.shop.router(), &event.body, Some(&signature)).await, 204);
            assert_eq!(states(&till.order(&orders[0]).await), ("placed", "pending"));
            assert_eq!(hook(other.router(), &event.body, Some(&signature)).await, 204);
        }
        let staff = other.staff().await;
        let theirs = staff.get(&path(&orders[1], "")).await.expect(200);
        assert_eq!(states(&theirs), ("paid", "succeeded"));
        // So do refunds.
        till.confirm(&orders[0], VISA);
        till.deliver_all().await;
        till.stripe.let_refunds_pend();
        let refund = json!({"amount_minor": 500});
        for staff in [&till.staff, &staff] {
            let order = staff.post(&path(&orders[0], "/refunds"), refund.clone()).await;
            assert_eq!(refunds(&order.expect(201)), [(500, "requested", "pending")]);
        }
        let ledger: Vec<i64> = till.stripe.ledger().values().map(|entry| entry.refunded).collect();
        assert_eq!(ledger, [500, 500]);
        let event = till.stripe.take_events().pop().expect("the other shop's refund");
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        till.stripe.settle_refund(text(&body["data"]["object"], "id"), true).expect("settled");
        till.deliver_all().await;
        let mine = till.order(&orders[0]).await;
        assert_eq!(refunds(&mine), [(500, "requested", "pending")]);
        other.verify().await;
        till.shop.verify().await;
    }

    async fn without_stripe_nothing_is_placed(shop: TestShop) {
        let (staff, ana) = (shop.staff().await, shop.customer("ana").await);
        let record = on_sale(&staff, "Cash only", "12.50", 5).await;
        let basket = id(&ana.post(BASKETS, json!({"currency": "EUR"})).await.expect(201));
        let line = json!({"variant_id": record, "quantity": 2});
        ana.put(&format!("{BASKETS}/{basket}/lines"), line).await.expect(200);
        let checkout = format!("{BASKETS}/{basket}/checkout");
        let body = json!({"gateway": "stripe"});
        ana.post(&checkout, body.clone()).await.expect_problem(409, "gateway_unavailable");
        let shown = ana.get(&format!("{BASKETS}/{basket}")).await.expect(200);
        assert_eq!(shown["lines"][0]["held"], 2, "{shown}");
        assert_eq!(ana.get(ORDERS).await.expect(200)["items"], json!([]));
        let signed = Some("t=1,v1=00");
        assert_eq!(hook(shop.router(), "{}", signed).await, 409);
        let placed = ana.post(&checkout, json!({"gateway": "manual"})).await.expect(201);
        let again = ana.post(&path(&placed, "/payments"), body).await;
        again.expect_problem(409, "gateway_unavailable");
        shop.verify().await;
    }
}
