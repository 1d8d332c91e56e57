//! An event that sells tickets, and who stands at its door.

use axum::http::Method;
use runout_shop::events::tickets::code::Ticket;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::events::PATH as EVENTS;
use crate::order_life::pay;
use crate::orders::{ORDERS, order, restock};
use crate::support::{Answer, Client, TestShop};

/// An event with two kinds of tickets, tonight from 19:00 to 22:00 UTC in Berlin.
pub struct Gig {
    pub event: i64,
    pub product: i64,
    pub standing: i64,
    pub seated: i64,
}

impl Gig {
    pub async fn new(shop: &TestShop, title: &str) -> Self {
        let staff = shop.staff().await;
        let sku = title.to_uppercase();
        let variant = |name: &str, amount: &str| {
            json!({
                "title": name, "sku": format!("{sku}-{}", name.to_uppercase()),
                "prices": [{"currency": "EUR", "amount": amount}],
            })
        };
        let product = json!({
            "title": title, "kind": "ticket",
            "variants": [variant("Standing", "12.00"), variant("Seated", "18.00")],
        });
        let product = staff.post("/api/v1/products", product).await.expect(201);
        let number = |value: &Value| value["id"].as_i64().expect("an id");
        let (standing, seated) = (number(&product["variants"][0]), number(&product["variants"][1]));
        restock(&staff, standing, 100).await;
        restock(&staff, seated, 40).await;
        let product = number(&product);
        let event = Self::announce(shop, title, product).await;
        Self { event, product, standing, seated }
    }

    /// An event of these tickets.
    async fn announce(shop: &TestShop, title: &str, product: i64) -> i64 {
        let staff = shop.staff().await;
        let event = json!({
            "title": title, "venue": "The Groove", "time_zone": "Europe/Berlin",
            "starts_at": "2026-11-21T19:00:00Z", "ends_at": "2026-11-21T22:00:00Z",
        });
        let event = staff.post(EVENTS, event).await.expect(201)["id"].as_i64().expect("an id");
        let linked = link(&staff, event, Some(product)).await.expect(200);
        assert_eq!(linked["product_id"], product);
        event
    }

    /// Paid tickets of an account: the order's number and the tickets' codes.
    pub async fn sold(&self, shop: &TestShop, buyer: &Client, quantity: i64) -> (i64, Vec<String>) {
        let number = id(&order(buyer, &[(self.standing, quantity)]).await.expect(201));
        pay(&shop.staff().await, number).await;
        (number, codes(buyer, number).await)
    }

    pub async fn cancelled(&self, shop: &TestShop) {
        let path = format!("{EVENTS}/{}/cancel", self.event);
        shop.staff().await.send(Method::POST, &path, None, &[]).await.expect(200);
    }

    /// Tickets that were sold, and people who are in.
    pub async fn count(&self, staff: &Client) -> (i64, i64) {
        let path = format!("/api/v1/events/{}/admissions", self.event);
        let count = staff.get(&path).await.expect(200);
        let sum = |name: &str| {
            let variants = count["variants"].as_array().expect("variants").iter();
            variants.map(|variant| variant[name].as_i64().expect("a number")).sum::<i64>()
        };
        assert_eq!(
            (&count["sold"], &count["admitted"]),
            (&json!(sum("sold")), &json!(sum("admitted")))
        );
        (sum("sold"), sum("admitted"))
    }
}

/// The codes of an order's tickets.
pub async fn codes(buyer: &Client, order: i64) -> Vec<String> {
    let tickets = buyer.get(&format!("{ORDERS}/{order}/tickets")).await.expect(200);
    let code = |ticket: &Value| ticket["code"].as_str().expect("a code").to_owned();
    tickets["items"].as_array().expect("tickets").iter().map(code).collect()
}

/// A code that the shop would make, whatever there is.
pub async fn code(shop: &TestShop, order_id: i64, line_no: i64, number: i64) -> String {
    let signer = shop.app.tickets.signer(&shop.app.db, &shop.app.sealer).await.expect("a secret");
    signer.code(Ticket { order_id, line_no, number }).to_string()
}

pub async fn let_in(door: &Client, event: i64, code: &str) -> Answer {
    door.post(&format!("/api/v1/events/{event}/admissions"), json!({"code": code})).await
}

pub async fn undo(door: &Client, event: i64, code: &str, reason: &str) -> Answer {
    let body = json!({"code": code, "reason": reason});
    door.post(&format!("/api/v1/events/{event}/admissions/undo"), body).await
}

/// Has an event sell a product as its tickets.
pub async fn link(staff: &Client, event: i64, product: Option<i64>) -> Answer {
    staff.put(&format!("{EVENTS}/{event}/product"), json!({"product_id": product})).await
}
