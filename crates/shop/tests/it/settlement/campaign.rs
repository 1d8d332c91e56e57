//! Everything at once, by seed: buyers, staff, webhooks, jobs and a provider that fails, in random
//! order. In the end, with the provider well again, the books agree to the cent.

use runout_sim::stripe::Options;
use serde_json::json;

use super::methods::card;
use super::*;
use crate::on_both_engines;

const STEPS: usize = 250;
const CARDS: [&str; 5] = [
    VISA,
    VISA,
    "pm_card_dawdling",
    "pm_card_chargeCustomerFail",
    "pm_card_authenticationRequired",
];

/// Splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).expect("31 bits") % sides
    }
}

struct Campaign {
    till: Till,
    dice: Dice,
    buyers: Vec<(Client, Vec<i64>)>,
    record: i64,
    /// Orders with their buyers.
    orders: Vec<(Value, usize)>,
    /// Webhooks that may come, again.
    events: Vec<Event>,
    /// Payments and refunds at the provider that it has told of.
    intents: Vec<String>,
    refunds: Vec<String>,
}

impl Campaign {
    async fn new(shop: TestShop, seed: u64) -> Self {
        let clock = shop.clock.clone();
        let options = Options { seed, clock, ..Options::default() };
        let till = Till::at(shop, options, |_| {}).await;
        let record = till.record("Campaign", 40).await;
        let mut buyers = Vec::new();
        for name in ["ana", "bia", "cleo"] {
            let buyer = till.shop.customer(name).await;
            let mut cards = Vec::new();
            for name in [VISA, "pm_card_chargeCustomerFail", "pm_card_dawdling"] {
                cards.push(card(&buyer, name).await);
            }
            buyers.push((buyer, cards));
        }
        till.stripe.set_fault_permille(150);
        let (orders, events, intents, refunds) = Default::default();
        Self { till, dice: Dice(seed), buyers, record, orders, events, intents, refunds }
    }

    fn listen(&mut self) {
        self.intents = self.till.stripe.ledger().into_keys().collect();
        for event in self.till.stripe.take_events() {
            let body: Value = serde_json::from_str(&event.body).expect("JSON");
            if event.kind.starts_with("refund.") {
                self.refunds.push(text(&body["data"]["object"], "id").to_owned());
            }
            self.events.push(event);
        }
    }

    async fn buy(&mut self) {
        let index = self.dice.roll(self.buyers.len());
        let (buyer, cards) = self.buyers[index].clone();
        let basket = buyer.post(BASKETS, json!({"currency": "EUR"})).await.json();
        let line = json!({"variant_id": self.record, "quantity": 1 + self.dice.roll(3)});
        let put = buyer.put(&format!("{BASKETS}/{}/lines", id(&basket)), line).await;
        if put.status != 200 {
            put.expect_problem(409, "out_of_stock");
            return;
        }
        let mut body = json!({"gateway": "stripe"});
        if self.dice.roll(3) == 0 {
            body["payment_method_id"] = cards[self.dice.roll(cards.len())].into();
        }
        let path = format!("{BASKETS}/{}/checkout", id(&basket));
        self.orders.push((buyer.post(&path, body).await.expect(201), index));
    }

    /// Something happens to an order; a refusal is as good as an agreement.
    async fn act(&mut self) {
        if self.orders.is_empty() {
            return;
        }
        let (order, index) = self.orders[self.dice.roll(self.orders.len())].clone();
        let (buyer, cards) = self.buyers[index].clone();
        let staff = self.till.staff.clone();
        let answer = match self.dice.roll(12) {
            0 => buyer.post(&path(&order, "/cancel"), json!({})).await,
            1 => {
                let amount = json!({"amount_minor": 100 + self.dice.roll(1200)});
                staff.post(&path(&order, "/refunds"), amount).await
            }
            2 => staff.post(&path(&order, "/refunds"), json!({})).await,
            3 => staff.post(&path(&order, "/payments"), json!({"gateway": "manual"})).await,
            4 | 5 => buyer.post(&path(&order, "/payments"), json!({"gateway": "stripe"})).await,
            6 | 7 => {
                let card = cards[self.dice.roll(cards.len())];
                let pay = json!({"gateway": "stripe", "payment_method_id": card});
                buyer.post(&path(&order, "/payments"), pay).await
            }
            8 => staff.post(&path(&order, "/fulfilments"), json!({})).await,
            _ => buyer.post(&sync_path(&order), json!({})).await,
        };
        let status = answer.status.as_u16();
        assert!([200, 201, 409, 503].contains(&status), "{answer:?}");
    }

    async fn step(&mut self) {
        self.listen();
        match self.dice.roll(12) {
            0..=2 => self.buy().await,
            3..=5 => self.act().await,
            6 | 7 if !self.intents.is_empty() => {
                let intent = &self.intents[self.dice.roll(self.intents.len())];
                let card = CARDS[self.dice.roll(CARDS.len())];
                let _answered = self.till.stripe.confirm(intent, card);
            }
            8 if !self.intents.is_empty() => {
                let intent = &self.intents[self.dice.roll(self.intents.len())];
                let _answered = self.till.stripe.settle(intent, self.dice.roll(3) > 0);
            }
            9 if !self.events.is_empty() => {
                // Any of them, and it may come again.
                let event = self.events[self.dice.roll(self.events.len())].clone();
                let status = self.till.deliver(&event).await;
                assert!([204, 503].contains(&status), "{status} {event:?}");
            }
            10 if !self.refunds.is_empty() => {
                let refund = &self.refunds[self.dice.roll(self.refunds.len())];
                let _answered = self.till.stripe.settle_refund(refund, self.dice.roll(3) > 0);
            }
            _ => {
                let minutes = [1, 2, 30, 600][self.dice.roll(4)];
                self.till.later(Duration::from_secs(60 * minutes)).await;
            }
        }
    }

    /// The provider is well again, banks decide, and the jobs have time.
    async fn settle(&mut self) {
        self.till.stripe.set_fault_permille(0);
        for _ in 0..3 {
            self.listen();
            for intent in &self.intents {
                let _answered = self.till.stripe.settle(intent, self.dice.roll(2) == 0);
            }
            for refund in &self.refunds {
                let _answered = self.till.stripe.settle_refund(refund, self.dice.roll(3) > 0);
            }
            self.till.later(QUIET).await;
            self.till.later(QUIET).await;
        }
        self.till.later(UNPAID).await;
        for _ in 0..3 {
            self.till.later(QUIET).await;
            self.listen();
            for refund in &self.refunds {
                let _answered = self.till.stripe.settle_refund(refund, true);
            }
        }
        self.till.later(QUIET).await;
    }

    async fn is_final(&self) {
        for (order, _) in &self.orders {
            let order = self.till.order(order).await;
            assert_ne!(order["status"], "placed", "{order}");
            for payment in list(&order, "payments") {
                let status = text(payment, "status");
                assert!(["succeeded", "failed", "cancelled"].contains(&status), "{order}");
            }
            for refund in list(&order, "refunds") {
                assert_ne!(refund["status"], "pending", "{order}");
            }
        }
        for (name, entry) in self.till.stripe.ledger() {
            let status = entry.status.as_str();
            assert!(["succeeded", "canceled"].contains(&status), "{name}: {entry:?}");
        }
    }
}

async fn campaign(shop: TestShop, seed: u64) {
    let mut campaign = Campaign::new(shop, seed).await;
    if seed.is_multiple_of(2) {
        campaign.till.stripe.let_refunds_pend();
    }
    for _ in 0..STEPS {
        campaign.step().await;
    }
    campaign.settle().await;
    campaign.is_final().await;
    campaign.till.end().await;
}

on_both_engines! {
    async fn the_books_agree_after_chaos_1(shop: TestShop) {
        campaign(shop, 1).await;
    }

    async fn the_books_agree_after_chaos_2(shop: TestShop) {
        campaign(shop, 2).await;
    }

    async fn the_books_agree_after_chaos_3(shop: TestShop) {
        campaign(shop, 3).await;
    }

    async fn the_books_agree_after_chaos_4(shop: TestShop) {
        campaign(shop, 4).await;
    }
}
