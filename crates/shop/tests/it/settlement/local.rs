//! The same against `localstripe`, which others have written after Stripe's documentation.

use serde_json::json;

use super::methods::card;
use super::*;
use crate::on_both_engines;
use crate::support::stripe::LocalStripe;

on_both_engines! {
    async fn orders_are_paid_and_refunded(shop: TestShop) {
        let local = LocalStripe::start().await;
        let shop = shop.with_config(&config(&local.url)).await;
        let (staff, ana) = (shop.staff().await, shop.customer("ana").await);
        let record = on_sale(&staff, "Local", "12.50", 5).await;
        let visa = card(&ana, VISA).await;
        let mut orders = Vec::new();
        for method in [Some(visa), Some(visa), None, None] {
            let basket = id(&ana.post(BASKETS, json!({"currency": "EUR"})).await.json());
            let line = json!({"variant_id": record, "quantity": 1});
            ana.put(&format!("{BASKETS}/{basket}/lines"), line).await.expect(200);
            let body = json!({"gateway": "stripe", "payment_method_id": method});
            let placed = ana.post(&format!("{BASKETS}/{basket}/checkout"), body).await.expect(201);
            orders.push(placed);
        }
        assert_eq!(states(&orders[0]), ("paid", "succeeded"));
        assert_eq!(states(&orders[2]), ("placed", "pending"));
        assert!(text(payment(&orders[2]), "client_secret").contains("_secret_"));

        let refund = json!({"amount_minor": 250});
        let part = staff.post(&path(&orders[0], "/refunds"), refund).await.expect(201);
        assert_eq!(refunds(&part), [(250, "requested", "succeeded")]);
        let cancelled = ana.post(&path(&orders[0], "/cancel"), json!({})).await.expect(200);
        let both = [(250, "requested", "succeeded"), (1000, "cancelled", "succeeded")];
        assert_eq!(refunds(&cancelled), both);
        let whole = staff.post(&path(&orders[1], "/refunds"), json!({})).await.expect(201);
        assert_eq!(text(&whole, "status"), "refunded");

        // An open payment gives way to a stored card; one that nobody pays lapses.
        let pay = json!({"gateway": "stripe", "payment_method_id": visa});
        let paid = ana.post(&path(&orders[2], "/payments"), pay).await.expect(201);
        assert_eq!(states(&paid), ("paid", "succeeded"));
        assert_eq!(list(&paid, "payments").count(), 2);
        shop.clock.advance(UNPAID);
        jobs::sweep_once(&shop.app).await;
        let lapsed = staff.get(&path(&orders[3], "")).await.expect(200);
        assert_eq!(states(&lapsed), ("cancelled", "cancelled"));
        shop.verify().await;
    }
}
