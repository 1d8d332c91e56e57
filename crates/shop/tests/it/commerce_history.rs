//! Random histories of buyers, staff and time through the HTTP API, against a simple model of this
//! test's own: after every step everybody sees what the model says.
//!
//! The seed is printed; `RUNOUT_TEST_SEED` sets another one, or `random`.

mod model;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runout_shop::jobs;
use serde_json::{Value, json};

use crate::catalog::id;
use crate::on_both_engines;
use crate::order_life::{act, cancel};
use crate::orders::{ORDERS, available, on_sale};
use crate::support::seed::seed;
use crate::support::{Answer, Basket, Client, TestShop};
use model::{Expected, Model};

const VARIANTS: usize = 3;
const BASKETS: usize = 5;
const STEPS: usize = 300;
/// The invariants of the whole database are proved every so many steps.
const VERIFY_EVERY: usize = 25;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).expect("fewer sides than usize has numbers")
    }
}

/// A shop with its model.
struct History {
    shop: TestShop,
    staff: Client,
    /// Ids of the model's variants.
    variants: Vec<i64>,
    baskets: Vec<Basket>,
    /// Ids of the model's orders.
    orders: Vec<i64>,
    model: Model,
    dice: Dice,
}

/// An answer in a word: `done`, or the problem's code.
fn word(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    assert!([200, 201, 409].contains(&status), "{status} {}", answer.json());
    if status == 409 {
        return answer.json()["code"].as_str().expect("a code").to_owned();
    }
    "done".to_owned()
}

impl History {
    async fn begin(shop: TestShop, seed: u64) -> Self {
        let staff = shop.staff().await;
        let (mut variants, mut model) = (Vec::new(), Model::default());
        for n in 0..VARIANTS {
            let units = [3, 6, 9][n % 3];
            variants.push(on_sale(&staff, &format!("V{n} {seed}"), "10", units).await);
            model.on_hand.push(units);
        }
        let mut baskets = Vec::new();
        for _ in 0..BASKETS {
            baskets.push(shop.guest().await);
            model.baskets.push(model::Basket::default());
        }
        Self { shop, staff, variants, baskets, orders: Vec::new(), model, dice: Dice(seed) }
    }

    fn now(&self) -> Timestamp {
        self.shop.clock.now()
    }

    /// One random step; says what it was and what it came to.
    async fn step(&mut self) -> String {
        match self.dice.roll(20) {
            0..=6 => self.set_line().await,
            7 => self.extend().await,
            8..=9 => self.check_out().await,
            10..=16 => self.act_on_an_order().await,
            17 => self.restock().await,
            18 => self.wait().await,
            _ => {
                jobs::sweep_once(&self.shop.app).await;
                self.model.lapse(self.now());
                "sweep".to_owned()
            }
        }
    }

    async fn set_line(&mut self) -> String {
        let (b, v) = (self.dice.roll(BASKETS), self.dice.roll(VARIANTS));
        let quantity = self.dice.roll(5) as i64;
        let answer = self.baskets[b].set(self.variants[v], quantity).await;
        let expected = self.model.set_line(self.shop.clock.now(), b, v, quantity);
        self.compare(&format!("basket {b} wants {quantity} of {v}"), &answer, &expected)
    }

    async fn extend(&mut self) -> String {
        let b = self.dice.roll(BASKETS);
        let answer = self.baskets[b].extend().await;
        self.model.refresh(self.shop.clock.now(), b);
        self.compare(&format!("basket {b} extends"), &answer, &Expected::Done)
    }

    async fn check_out(&mut self) -> String {
        let b = self.dice.roll(BASKETS);
        let answer = self.baskets[b].buys_as(&format!("g{b}@example.org")).await;
        let expected = self.model.check_out(self.shop.clock.now(), b);
        let told = self.compare(&format!("basket {b} buys"), &answer, &expected);
        if expected == Expected::Done {
            self.orders.push(id(&answer.json()));
            self.baskets[b] = self.shop.guest().await;
        }
        told
    }

    async fn act_on_an_order(&mut self) -> String {
        if self.orders.is_empty() {
            return "no order yet".to_owned();
        }
        // One of the youngest: the others have come to their end.
        let o = self.orders.len() - 1 - self.dice.roll(self.orders.len().min(3));
        let number = self.orders[o];
        let (what, answer, expected) = match self.dice.roll(6) {
            0 => ("cancel", cancel(&self.staff, number).await, self.model.cancel(o)),
            1 | 2 => {
                let body = json!({"gateway": "manual"});
                ("pay", act(&self.staff, number, "payments", body).await, self.model.pay(o))
            }
            3 => {
                let body = json!({"lines": [{"line_no": 1, "quantity": 1}]});
                let answer = act(&self.staff, number, "fulfilments", body).await;
                ("one leaves", answer, self.model.one_leaves(o))
            }
            4 => {
                let restock = self.dice.roll(2) == 0;
                let answer = act(&self.staff, number, "returns", json!({"restock": restock})).await;
                ("returns", answer, self.model.give_back(o, restock))
            }
            _ => {
                let answer = act(&self.staff, number, "refunds", json!({})).await;
                ("refund", answer, self.model.refund(o))
            }
        };
        self.compare(&format!("order {o}: {what}"), &answer, &expected)
    }

    async fn restock(&mut self) -> String {
        let v = self.dice.roll(VARIANTS);
        let body = json!({"variant_id": self.variants[v], "quantity": 1});
        self.staff.post("/api/v1/stock/receipts", body).await.expect(201);
        self.model.on_hand[v] += 1;
        format!("one more of {v}")
    }

    /// Time goes on: a little, up to the very end of a hold, or by a day.
    async fn wait(&mut self) -> String {
        let now = self.now();
        let ends = self.model.next_end(now);
        let by = match (self.dice.roll(6), ends) {
            (0..=2, Some(end)) => end.duration_since(now),
            (3, _) => SignedDuration::from_secs(self.dice.roll(120) as i64),
            (4, Some(end)) => end.duration_since(now) - SignedDuration::from_micros(1),
            _ => SignedDuration::from_secs(86_400 / (1 + self.dice.roll(3) as i64)),
        };
        let by = Duration::try_from(by).expect("time goes forward");
        self.shop.clock.advance(by);
        format!("{by:?} pass")
    }

    #[track_caller]
    fn compare(&self, what: &str, answer: &Answer, expected: &Expected) -> String {
        let came_to = word(answer);
        assert_eq!(came_to, expected.word(), "{what}: {}", answer.json());
        if let Expected::Short(short) = expected {
            let short: Vec<Value> = short.iter().map(|(v, requested, available)| json!({
                "variant_id": self.variants[*v], "requested": requested, "available": available,
            })).collect();
            assert_eq!(answer.json()["lines"], json!(short), "{what}");
        }
        format!("{what}: {came_to}")
    }

    /// Everybody is shown what the model says.
    async fn check(&mut self) {
        let now = self.now();
        for (v, variant) in self.variants.iter().enumerate() {
            let shown = available(&self.shop, *variant).await;
            assert_eq!(shown, self.model.available(now, v), "available of {v}");
        }
        for (b, basket) in self.baskets.iter().enumerate() {
            let shown = basket.shown().await;
            let lines = shown["lines"].as_array().expect("lines");
            let told: Vec<(i64, i64, i64, Value)> = lines
                .iter()
                .map(|line| {
                    let number = |name: &str| line[name].as_i64().expect("a number");
                    let (variant, ends) = (number("variant_id"), line["expires_at"].clone());
                    (variant, number("quantity"), number("held"), ends)
                })
                .collect();
            let lines = self.model.lines(now, b).into_iter();
            let expected: Vec<_> = lines
                .map(|(v, quantity, held, end)| (self.variants[v], quantity, held, json!(end)))
                .collect();
            assert_eq!(told, expected, "basket {b}");
        }
        for (o, number) in self.orders.iter().enumerate() {
            let shown = self.staff.get(&format!("{ORDERS}/{number}")).await.expect(200);
            let (state, paid, refunded) = self.model.order(o);
            assert_eq!(
                (&shown["status"], &shown["paid_minor"], &shown["refunded_minor"]),
                (&json!(state.name()), &json!(paid), &json!(refunded)),
                "order {o}"
            );
        }
    }

    /// Each hold has ended in exactly one of three ways, or is still there.
    async fn holds_end_once(&self) {
        let sum = async |sql: &'static str| self.shop.number(sql).await;
        let begun = sum("select cast(coalesce(sum(reserved_delta), 0) as bigint)
            from stock_movement where cause = 'hold'")
        .await;
        let ended = sum("select cast(coalesce(sum(-reserved_delta), 0) as bigint)
            from stock_movement where cause in ('release', 'expire', 'checkout')")
        .await;
        let held = sum("select cast(coalesce(sum(quantity), 0) as bigint) from hold").await;
        assert_eq!(begun, ended + held, "held, given back, lapsed, sold");
        let sold = sum("select cast(coalesce(sum(-reserved_delta), 0) as bigint)
            from stock_movement where cause = 'checkout'")
        .await;
        let retaken = self.model.sold_without_hold;
        let ordered =
            sum("select cast(coalesce(sum(quantity), 0) as bigint) from order_line").await;
        assert_eq!(sold + retaken, ordered, "what was held at the checkout is what was sold");
    }
}

async fn live(shop: TestShop, seed: u64) {
    let mut history = History::begin(shop, seed).await;
    for step in 1..=STEPS {
        let told = history.step().await;
        println!("{step} at {}: {told}", history.now());
        history.check().await;
        if step % VERIFY_EVERY == 0 {
            history.shop.verify().await;
            history.holds_end_once().await;
        }
    }
    // In the end every forgotten basket and unpaid order has given its stock back.
    history.shop.clock.advance(Duration::from_secs(2 * 86_400));
    jobs::sweep_once(&history.shop.app).await;
    history.model.lapse(history.now());
    history.check().await;
    assert_eq!(history.shop.number("select count(*) from hold").await, 0);
    let open = history.shop.number("select count(*) from orders where status = 'placed'").await;
    assert_eq!(open, 0);
    history.shop.verify().await;
    history.holds_end_once().await;
}

on_both_engines! {
    async fn a_random_history(shop: TestShop) {
        live(shop, seed(1)).await;
    }

    async fn another_random_history(shop: TestShop) {
        live(shop, seed(2)).await;
    }

    async fn a_third_random_history(shop: TestShop) {
        live(shop, seed(3)).await;
    }
}
