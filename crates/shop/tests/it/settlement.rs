//! Orders and their money with a provider: what it says, says twice, says late, or does not say.
//!
//! Every test ends in [`Till::end`]: the provider's ledger and the shop's books agree payment by
//! payment, and every invariant of the database holds.

mod aside;
mod campaign;
mod faults;
mod lapses;
mod local;
mod methods;
mod mismatches;
mod refunds;
mod webhooks;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use runout_shop::jobs;
use runout_shop::platform::config::Config;
use runout_sim::stripe::{Entry, Event, HostileStripe, Options};
use runout_store::Composer;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::catalog::id;
use crate::orders::{ORDERS, on_sale};
use crate::support::stripe::{WEBHOOK_SECRET, config};
use crate::support::{Client, TestShop};

const BASKETS: &str = "/api/v1/baskets";
const WEBHOOKS: &str = "/api/v1/webhooks/stripe";
/// Stripe's name for a card that pays.
const VISA: &str = "pm_card_visa";
/// Longer than any job lets something rest before it asks about it.
const QUIET: Duration = Duration::from_secs(15 * 60);
/// `RUNOUT_UNPAID_SECONDS`.
const UNPAID: Duration = Duration::from_secs(24 * 60 * 60);

/// A shop, its provider, and somebody who works there.
struct Till {
    shop: TestShop,
    stripe: HostileStripe,
    staff: Client,
}

impl Till {
    async fn open(shop: TestShop) -> Self {
        Self::with(shop, |_| {}).await
    }

    async fn with(shop: TestShop, change: impl FnOnce(&mut Config)) -> Self {
        let options = Options { clock: shop.clock.clone(), ..Options::default() };
        Self::at(shop, options, change).await
    }

    async fn at(shop: TestShop, options: Options, change: impl FnOnce(&mut Config)) -> Self {
        let stripe = HostileStripe::start(options).await.expect("a free port");
        let mut config = config(&stripe.url());
        change(&mut config);
        let shop = shop.with_config(&config).await;
        let staff = shop.staff().await;
        Self { shop, stripe, staff }
    }

    /// A record at 12.50 EUR.
    async fn record(&self, title: &str, units: i64) -> i64 {
        on_sale(&self.staff, title, "12.50", units).await
    }

    /// The buyer's basket with so many of it.
    async fn basket(&self, buyer: &Client, variant: i64, quantity: i64) -> i64 {
        let basket = buyer.post(BASKETS, json!({"currency": "EUR"})).await.json();
        let line = json!({"variant_id": variant, "quantity": quantity});
        let path = format!("{BASKETS}/{}/lines", id(&basket));
        buyer.put(&path, line).await.expect(200);
        id(&basket)
    }

    /// Checks out with the provider.
    async fn buys(&self, buyer: &Client, variant: i64, quantity: i64) -> Value {
        let basket = self.basket(buyer, variant, quantity).await;
        let path = format!("{BASKETS}/{basket}/checkout");
        buyer.post(&path, json!({"gateway": "stripe"})).await.expect(201)
    }

    /// The order as staff see it.
    async fn order(&self, order: &Value) -> Value {
        self.staff.get(&path(order, "")).await.expect(200)
    }

    /// The buyer's browser pays.
    fn confirm(&self, order: &Value, card: &str) {
        // The answer is the browser's: a declined card is no failure of the test.
        let _answered = self.stripe.confirm(provider_id(order), card);
    }

    async fn deliver(&self, event: &Event) -> u16 {
        let at = self.shop.clock.now().as_second();
        self.hook(&event.body, Some(&event.signature(WEBHOOK_SECRET, at))).await
    }

    /// A webhook with this header; gives the status.
    async fn hook(&self, body: &str, signature: Option<&str>) -> u16 {
        hook(self.shop.router(), body, signature).await
    }

    /// Delivers everything that has happened, in its order.
    async fn deliver_all(&self) {
        for event in self.stripe.take_events() {
            assert_eq!(self.deliver(&event).await, 204, "{event:?}");
        }
    }

    /// Time passes, and the jobs run.
    async fn later(&self, time: Duration) {
        self.shop.clock.advance(time);
        jobs::sweep_once(&self.shop.app).await;
        jobs::ask_once(&self.shop.app).await;
    }

    /// Topics of the outbox about an order, in their order.
    async fn told(&self, order: &Value) -> Vec<String> {
        let mut sql = Composer::new("select topic from outbox where entity = 'order' and ");
        sql.push("entity_id = ").bind(id(order)).push(" order by id");
        self.shop.app.db.read(sql.finish(), |row| row.get(0)).await.expect("reads")
    }

    /// What really happened to a payment's money.
    fn entry(&self, order: &Value) -> Entry {
        self.stripe.ledger()[provider_id(order)].clone()
    }

    /// The books agree with the provider's, and the database with itself.
    async fn end(self) {
        self.check().await;
        self.shop.verify().await;
    }

    async fn check(&self) {
        let mut path = format!("{ORDERS}?limit=100");
        let mut checked = 0;
        let ledger = self.stripe.ledger();
        loop {
            let page = self.staff.get(&path).await.expect(200);
            for order in page["items"].as_array().expect("a list") {
                checked += check_order(order, &ledger.values().cloned().collect::<Vec<_>>());
            }
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{ORDERS}?limit=100&cursor={next}");
        }
        assert_eq!(checked, ledger.len(), "payments at the provider that no order knows");
    }
}

/// What arrived and what went back, by payment; gives how many of the ledger's entries are the
/// order's.
fn check_order(order: &Value, ledger: &[Entry]) -> usize {
    let mut found = 0;
    for payment in list(order, "payments") {
        let entries: Vec<&Entry> =
            ledger.iter().filter(|entry| entry.payment_id == Some(id(payment))).collect();
        assert!(entries.len() <= 1, "made twice: {payment}: {entries:?}");
        found += entries.len();
        let theirs = entries.iter().map(|entry| entry.charged - entry.refunded).sum::<i64>();
        let back: i64 = list(order, "refunds")
            .filter(|refund| refund["payment_id"] == payment["id"] && refund["status"] != "failed")
            .map(|refund| refund["amount_minor"].as_i64().expect("a number"))
            .sum();
        if payment["gateway"] == "stripe" {
            let ours = payment["received_minor"].as_i64().expect("a number") - back;
            assert_eq!(ours, theirs, "{order} {entries:?}");
        }
    }
    found
}

async fn hook(router: axum::Router, body: &str, signature: Option<&str>) -> u16 {
    let mut request = Request::builder().method(Method::POST).uri(WEBHOOKS);
    request = request.header("content-type", "application/json");
    if let Some(signature) = signature {
        request = request.header("stripe-signature", signature);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a well-formed request");
    router.oneshot(request).await.expect("the router never fails").status().as_u16()
}

fn path(order: &Value, rest: &str) -> String {
    format!("{ORDERS}/{}{rest}", id(order))
}

fn list<'a>(order: &'a Value, name: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
    order[name].as_array().expect("a list").iter()
}

/// The newest attempt to pay.
fn payment(order: &Value) -> &Value {
    list(order, "payments").next_back().expect("a payment")
}

fn provider_id(order: &Value) -> &str {
    payment(order)["provider_id"].as_str().expect("the provider knows it")
}

fn sync_path(order: &Value) -> String {
    path(order, &format!("/payments/{}/sync", id(payment(order))))
}

/// Status of the order and of its newest payment.
fn states(order: &Value) -> (&str, &str) {
    (text(order, "status"), text(payment(order), "status"))
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// Amount, reason and status of every refund.
fn refunds(order: &Value) -> Vec<(i64, &str, &str)> {
    list(order, "refunds")
        .map(|refund| {
            let amount = refund["amount_minor"].as_i64().expect("a number");
            (amount, text(refund, "reason"), text(refund, "status"))
        })
        .collect()
}
