//! A shop with one of everything in it, made through the API, so that every page has something to
//! show. Text that people may choose carries a mark, which the tests of markup look for.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::{BASKETS, Client};

/// Somebody whose requests must succeed.
pub trait Api {
    /// The answer's body.
    async fn call(&self, method: &str, path: &str, body: Value) -> Value;
}

impl Api for Client {
    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let body = (!body.is_null()).then_some(body);
        let answer = self.send(method.parse::<Method>().expect("a method"), path, body, &[]).await;
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        answer.json()
    }
}

/// What there is, by its id.
#[derive(Debug, Clone)]
pub struct Furnished {
    pub product: i64,
    pub address: i64,
    /// Paid, sent in part, refunded in part.
    pub order: i64,
    /// Waits for its money.
    pub open_order: i64,
    pub cancelled_order: i64,
    /// A guest's.
    pub guest_order: i64,
    /// Organised by the customer, who comes.
    pub event: i64,
    /// Sells tickets.
    pub gig: i64,
    /// Paid tickets of the gig.
    pub ticket_order: i64,
    /// A post of the owner's.
    pub post: i64,
    /// The customer's comment on it.
    pub comment: i64,
    /// A post of the customer's that is not published.
    pub own_post: i64,
    /// A row of each table of the back office, by the table's slug.
    pub rows: HashMap<&'static str, i64>,
}

fn id(value: &Value) -> i64 {
    value["id"].as_i64().unwrap_or_else(|| panic!("no id: {value}"))
}

/// Furnishes an empty shop. `guest` is whoever has no account. The mark may have 20 characters, no
/// blank and no `@`; it can be empty.
pub async fn furnish<O: Api, C: Api>(owner: &O, customer: &C, mark: &str) -> Furnished {
    let marked = |text: &str| format!("{text}{mark}");
    let (product, variant) = record(owner, mark).await;
    let future = json!({
        "currency": "EUR", "amount": "24.90", "effective_from": "2030-01-01T00:00:00Z",
    });
    owner.call("POST", &format!("/api/v1/variants/{variant}/prices"), future).await;
    let location = json!({"code": "annex", "name": marked("Annex")});
    let location = id(&owner.call("POST", "/api/v1/locations", location).await);
    for (path, body) in [
        ("receipts", json!({"variant_id": variant, "quantity": 40, "reason": marked("Press")})),
        (
            "adjustments",
            json!({"variant_id": variant, "location_id": 1, "delta": -1,
                "reason": marked("Broken")}),
        ),
        (
            "transfers",
            json!({
                "variant_id": variant, "from_location_id": 1, "to_location_id": location,
                "quantity": 3, "reason": marked("Window"),
            }),
        ),
    ] {
        owner.call("POST", &format!("/api/v1/stock/{path}"), body).await;
    }
    let discount = json!({"code": "SPRING", "percent": "10"});
    owner.call("POST", "/api/v1/discounts", discount).await;
    let destination = json!({
        "name": marked("Warehouse"), "kind": "webhook", "url": "https://hooks.example/in",
        "events": ["tax_rate.set"],
    });
    owner.call("POST", "/api/v1/destinations", destination).await;
    owner.call("PUT", "/api/v1/tax_rates/standard/DE", json!({"rate": "19"})).await;
    let me = json!({"name": marked("Ana"), "identity_document": marked("X1")});
    customer.call("PATCH", "/api/v1/accounts/me", me).await;
    let address = id(&customer.call("POST", "/api/v1/addresses", addressed(mark)).await);
    let mut orders = Vec::new();
    for _ in 0..3 {
        let body = json!({"lines": [{"variant_id": variant, "quantity": 2}]});
        orders.push(id(&customer.call("POST", "/api/v1/orders", body).await));
    }
    live(owner, orders[0], mark).await;
    customer.call("POST", &format!("/api/v1/orders/{}/cancel", orders[2]), Value::Null).await;
    let guest_order = check_out(customer, variant, mark).await;
    fill_basket(customer, variant).await;
    let event = event(customer, mark).await;
    let (gig, ticket) = gig(owner, mark).await;
    let tickets = json!({"lines": [{"variant_id": ticket, "quantity": 2}]});
    let ticket_order = id(&customer.call("POST", "/api/v1/orders", tickets).await);
    let payments = format!("/api/v1/orders/{ticket_order}/payments");
    owner.call("POST", &payments, json!({"gateway": "manual"})).await;
    let [post, comment, own_post] = news(owner, customer, mark).await;
    Furnished {
        product,
        address,
        order: orders[0],
        open_order: orders[1],
        cancelled_order: orders[2],
        guest_order,
        event,
        gig,
        ticket_order,
        post,
        comment,
        own_post,
        rows: HashMap::new(),
    }
}

async fn record(owner: &impl Api, mark: &str) -> (i64, i64) {
    let marked = |text: &str| format!("{text}{mark}");
    let product = json!({
        "title": marked("Night Shift"), "artist": marked("The Needles"), "release_year": 1994,
        "style": marked("Dub"), "label": marked("Groove"), "catalogue_number": marked("GR1"),
        "description": marked("Pressed once, and never again."),
        "attributes": {marked("colour"): marked("red")},
        "variants": [{
            "sku": marked("NS-1"), "title": marked("Red"), "limit_per_order": 9,
            "prices": [{"currency": "EUR", "amount": "19.90"}],
        }],
    });
    let product = owner.call("POST", "/api/v1/products", product).await;
    (id(&product), id(&product["variants"][0]))
}

async fn event(customer: &impl Api, mark: &str) -> i64 {
    let marked = |text: &str| format!("{text}{mark}");
    let event = json!({
        "title": marked("Launch"), "description": marked("Doors at seven."), "venue": marked("Hall"),
        "starts_at": "2030-05-01T17:00:00Z", "time_zone": "Europe/Berlin", "capacity": 1,
    });
    let event = id(&customer.call("POST", "/api/v1/events", event).await);
    customer.call("POST", &format!("/api/v1/events/{event}/attendance"), Value::Null).await;
    event
}

/// An event with tickets; gives it, and the variant that is its tickets.
pub async fn gig(owner: &impl Api, mark: &str) -> (i64, i64) {
    let marked = |text: &str| format!("{text}{mark}");
    let product = json!({
        "title": marked("Evening"), "kind": "ticket",
        "variants": [{
            "title": marked("Standing"), "sku": marked("EV-1"),
            "prices": [{"currency": "EUR", "amount": "12.00"}],
        }],
    });
    let product = owner.call("POST", "/api/v1/products", product).await;
    let ticket = id(&product["variants"][0]);
    let receipt = json!({"variant_id": ticket, "quantity": 20});
    owner.call("POST", "/api/v1/stock/receipts", receipt).await;
    let event = json!({
        "title": marked("Evening"), "venue": marked("Cellar"), "time_zone": "Europe/Berlin",
        "starts_at": "2030-06-01T18:00:00Z", "ends_at": "2030-06-01T21:00:00Z",
    });
    let event = id(&owner.call("POST", "/api/v1/events", event).await);
    let sold = json!({"product_id": product["id"]});
    owner.call("PUT", &format!("/api/v1/events/{event}/product"), sold).await;
    (event, ticket)
}

/// A post of the owner's with a comment of the customer's, and one of the customer's own.
async fn news(owner: &impl Api, customer: &impl Api, mark: &str) -> [i64; 3] {
    let post =
        |title: &str| json!({"title": format!("{title}{mark}"), "body": format!("Words{mark}")});
    let published = id(&owner.call("POST", "/api/v1/posts", post("It is here")).await);
    let comment = json!({"body": format!("At last{mark}")});
    let comments = format!("/api/v1/posts/{published}/comments");
    let comment = id(&customer.call("POST", &comments, comment).await);
    [published, comment, id(&customer.call("POST", "/api/v1/posts", post("A review")).await)]
}

/// What an order goes through.
async fn live(owner: &impl Api, order: i64, mark: &str) {
    for (what, body) in [
        ("payments", json!({"gateway": "manual"})),
        (
            "fulfilments",
            json!({
                "lines": [{"line_no": 1, "quantity": 1}], "carrier": format!("DHL{mark}"),
                "tracking_number": format!("0034{mark}"),
            }),
        ),
        ("refunds", json!({"amount_minor": 500, "note": format!("Scratched{mark}")})),
    ] {
        owner.call("POST", &format!("/api/v1/orders/{order}/{what}"), body).await;
    }
}

/// An address whose every field is marked.
pub fn addressed(mark: &str) -> Value {
    let marked = |text: &str| format!("{text}{mark}");
    json!({
        "name": marked("Ana Lea"), "line1": marked("Rillengasse 33"), "line2": marked("Yard"),
        "postal_code": format!("1011{mark}"), "city": marked("Berlin"), "region": marked("BE"),
        "country": "DE",
    })
}

async fn fill_basket(customer: &impl Api, variant: i64) -> i64 {
    let basket = id(&customer.call("POST", BASKETS, json!({"currency": "EUR"})).await);
    let line = json!({"variant_id": variant, "quantity": 1});
    customer.call("PUT", &format!("{BASKETS}/{basket}/lines"), line).await;
    basket
}

/// An order that went through a basket and has an address.
async fn check_out(customer: &impl Api, variant: i64, mark: &str) -> i64 {
    let basket = fill_basket(customer, variant).await;
    let body = json!({
        "email": format!("ana{mark}@example.com"), "address": addressed(mark),
        "gateway": "manual",
    });
    id(&customer.call("POST", &format!("{BASKETS}/{basket}/checkout"), body).await)
}
