//! Random histories: decided one by one and in batches they must tell the same and end the same,
//! and at every step what is held and promised must be as in the naive model.

mod commands;

use proptest::prelude::*;

use super::naive::{Naive, Opener};
use super::steps::{SLOTS, Step, steps};
use super::world::World;
use super::{super::told, at};
use crate::ids::{BasketId, DiscountId, LocationId, OrderId, VariantId};
use crate::order::Status;
use crate::stock::{
    Act, Asked, By, CancelReason, Command, Hold, HoldKey, Holder, KnownBasket, KnownOrder,
    LineRequest, Outcome, PaymentSeen,
};

const BATCH_MAX: usize = 10;

/// What happened, with the ids that it had.
#[derive(Debug, Clone)]
enum Event {
    /// Somebody opened a basket.
    Open(BasketId, KnownBasket),
    /// A setting, which is no command.
    Set(Step, Option<BasketId>),
    Ask(Asked),
}

/// A history while it happens.
struct History {
    now: i64,
    world: World,
    naive: Naive,
    /// The basket of each slot.
    slots: [Option<i64>; SLOTS],
    /// Each with its second, and what was told.
    events: Vec<(i64, Event, String)>,
}

impl History {
    fn of(steps: Vec<Step>) -> Self {
        let mut history = Self {
            now: 0,
            world: World::new(),
            naive: Naive::new(),
            slots: [None; SLOTS],
            events: Vec::new(),
        };
        for step in steps {
            history.step(step);
        }
        history
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => {
                self.now += seconds;
                self.naive.at(self.now);
            }
            Step::Code { slot, .. } => {
                let slot = self.filled(slot, 0);
                let basket = BasketId(self.basket(slot, false));
                self.set(Event::Set(step, Some(basket)));
            }
            Step::Price { .. }
            | Step::Enabled { .. }
            | Step::Active { .. }
            | Step::HoldSeconds(_) => self.set(Event::Set(step, None)),
            step => {
                let command = self.command(step);
                self.ask(Asked { command, key: None });
            }
        }
    }

    fn set(&mut self, event: Event) {
        set(&mut self.world, &event);
        if let Event::Set(step, _) = &event {
            let naive = &mut self.naive;
            match step {
                Step::Enabled { variant, enabled: true } => _ = naive.disabled.remove(variant),
                Step::Enabled { variant, .. } => _ = naive.disabled.insert(*variant),
                Step::Active { location, active: true } => _ = naive.closed.remove(location),
                Step::Active { location, .. } => _ = naive.closed.insert(*location),
                Step::HoldSeconds(seconds) => naive.hold_s = *seconds,
                _ => {}
            }
        }
        self.events.push((self.now, event, String::new()));
    }

    fn ask(&mut self, asked: Asked) {
        let order = asked.command.order();
        let before = order.and_then(|id| self.world.orders.get(&id).cloned());
        let reinstatable = self.reinstatable(&asked.command, before.as_ref());
        let expected = self.naive_answer(&asked.command);
        let told = self.world.ask(at(self.now), &asked);
        match expected {
            Expected::Told(expected) => assert_eq!(told, expected, "{asked:?}"),
            Expected::Begins(expected) => {
                assert!(told.starts_with(&expected), "{told:?} instead of {expected:?}: {asked:?}")
            }
            Expected::Buyer(basket, customer) => {
                let id = self.world.orders.len() as i64;
                if told.starts_with("order ") {
                    self.naive.check_out(basket, &customer, id);
                } else {
                    let money = ["discount ", "price changed "];
                    assert!(money.iter().any(|word| told.starts_with(word)), "{told}: {asked:?}");
                }
            }
            Expected::Anything => {}
        }
        if let (Some(id), Some(before)) = (order, before) {
            self.follow(&asked.command, id, &before);
            if let Some(expected) = reinstatable {
                let paid = self.world.orders[&id].status == Status::Paid;
                assert_eq!(paid, expected, "reinstated? {told}: {asked:?} {before:?}");
            }
        }
        self.compare(&asked);
        self.events.push((self.now, Event::Ask(asked), told));
    }

    /// For the right amount that arrives for a lapsed order: whether it should come back.
    fn reinstatable(&self, command: &Command, order: Option<&KnownOrder>) -> Option<bool> {
        let Command::Act(command) = command else { return None };
        let order = order.filter(|order| order.cancel_reason == Some(CancelReason::Unpaid))?;
        let Act::PaymentSeen { payment, seen } = &command.act else { return None };
        let PaymentSeen::Succeeded { received_minor, currency, .. } = seen else { return None };
        let payment = order.payments.iter().find(|known| known.id == *payment)?;
        let right = *received_minor == order.total_minor && currency == order.currency.code();
        let by = matches!(command.by, By::Staff(_) | By::Shop);
        if !right || !by || payment.received_minor > 0 {
            return None;
        }
        let discount = order.discount.is_none_or(|id| {
            let known = &self.world.discounts[&id].discount;
            let name = order.customer().name();
            let used = self.world.uses.iter().filter(|(of, by, _)| *of == id && *by == name);
            let used = used.count() as i64;
            known.uses_max.is_none_or(|max| known.uses < max)
                && known.uses_per_customer_max.is_none_or(|max| used < max)
        });
        Some(discount && self.naive.could_reinstate(command.order.0))
    }

    fn naive_answer(&mut self, command: &Command) -> Expected {
        let naive = &mut self.naive;
        let told = |answer: Result<String, String>| {
            Expected::Told(answer.unwrap_or_else(|refusal| refusal))
        };
        match command {
            Command::SetLine(line) => {
                let (basket, variant) = (line.basket.0, line.variant.0);
                told(naive.set_line(basket, secret(line.by), variant, line.quantity))
            }
            Command::Extend(extend) => told(naive.extend(extend.basket.0, secret(extend.by))),
            Command::Merge(merge) => {
                let by = secret(Holder::Token(merge.token));
                told(naive.merge(merge.guest.0, by, merge.account.0, merge.into.0))
            }
            Command::Checkout(checkout) => {
                let email = checkout.contact.email.as_ref().map(|(_, key)| &**key);
                let id = checkout.basket.0;
                match naive.may_check_out(id, secret(checkout.by), email) {
                    Ok(customer) => Expected::Buyer(id, customer),
                    Err(refusal) => Expected::Told(refusal),
                }
            }
            Command::Sell(sell) => {
                let line = |line: &LineRequest| (line.variant.0, line.quantity);
                let lines: Vec<(i64, i64)> = sell.lines.iter().map(line).collect();
                let id = self.world.orders.len() as i64 + 1;
                match naive.sell(sell.account.0, &lines, id) {
                    Ok(placed) => Expected::Begins(placed + ","),
                    Err(refusal) => Expected::Told(refusal),
                }
            }
            Command::Receive(receive) => {
                naive.receive(receive.variant.0, receive.location.0, receive.quantity);
                Expected::Begins("moved level".to_owned())
            }
            Command::Adjust(adjust) => {
                match naive.adjust(adjust.variant.0, adjust.location.0, adjust.change) {
                    Ok(_) => Expected::Begins("moved level".to_owned()),
                    Err(refusal) => Expected::Told(refusal),
                }
            }
            Command::Expire(_) => Expected::Told("expired".to_owned()),
            _ => Expected::Anything,
        }
    }

    /// Tells the naive model what became of the order.
    fn follow(&mut self, command: &Command, id: OrderId, before: &KnownOrder) {
        let after = &self.world.orders[&id];
        let restock = matches!(command, Command::Act(act)
            if matches!(act.act, Act::Return { restock: true, .. }));
        if before.status == Status::Cancelled && after.status == Status::Paid {
            self.naive.reinstated(id.0);
            return;
        }
        for (old, new) in before.allocations.iter().zip(&after.allocations) {
            self.naive.shipped(id.0, new.line_no, new.level.0, new.shipped - old.shipped);
            if restock {
                self.naive.restocked(new.level.0, new.returned - old.returned);
            }
        }
        if before.status.holds_stock() && !after.status.holds_stock() {
            self.naive.released(id.0);
        }
    }

    /// Every level, with lapsed holds taken for free.
    fn compare(&self, asked: &Asked) {
        let lapsed = |level| -> i64 {
            let of = |((_, _, of), hold): &(&HoldKey, &Hold)| {
                *of == level && hold.expires_at <= at(self.now)
            };
            self.world.holds.iter().filter(of).map(|(_, hold)| hold.quantity).sum()
        };
        let levels = self.world.levels.values();
        let levels: Vec<(i64, i64)> =
            levels.map(|level| (level.on_hand, level.reserved - lapsed(level.id))).collect();
        assert_eq!(levels, self.naive.shelves(), "after {asked:?}");
    }

    /// Once more from the beginning, in batches of the given sizes: a batch has one moment, and
    /// whoever names an order was told of it before.
    fn in_batches(&self, sizes: &[usize]) -> (World, Vec<String>) {
        let (mut world, mut told, mut turn) = (World::new(), Vec::new(), 0);
        let mut batch: Vec<Asked> = Vec::new();
        let mut moment = 0;
        for (now, event, _) in &self.events {
            let orders = world.orders.len() as i64;
            let new = |asked: &Asked| asked.command.order().is_some_and(|id| id.0 > orders);
            let fits = match event {
                Event::Ask(asked) => batch.is_empty() || (*now == moment && !new(asked)),
                _ => false,
            };
            if !fits || batch.len() >= sizes[turn % sizes.len()] {
                told.extend(decide(&mut world, moment, &mut batch));
                turn += 1;
            }
            moment = *now;
            match event {
                Event::Ask(asked) => batch.push(asked.clone()),
                event => {
                    set(&mut world, event);
                    told.push(String::new());
                }
            }
        }
        told.extend(decide(&mut world, moment, &mut batch));
        (world, told)
    }
}

/// What the naive model expects.
enum Expected {
    Told(String),
    Begins(String),
    /// The basket may become an order of this customer, if the money is right.
    Buyer(i64, String),
    Anything,
}

fn decide(world: &mut World, moment: i64, batch: &mut Vec<Asked>) -> Vec<String> {
    let batch = std::mem::take(batch);
    if batch.is_empty() {
        return Vec::new();
    }
    let outcomes = world.batch(at(moment), &batch);
    outcomes.iter().map(|outcome: &Outcome| told(outcome, &outcomes)).collect()
}

fn set(world: &mut World, event: &Event) {
    match event {
        Event::Open(id, basket) => _ = world.baskets.insert(*id, basket.clone()),
        Event::Set(Step::Code { code, .. }, Some(id)) => {
            let basket = world.baskets.get_mut(id).expect("it was opened");
            basket.discount = code.map(DiscountId);
        }
        Event::Set(Step::Price { variant, minor }, _) => {
            let offer = world.offers.get_mut(&VariantId(*variant)).expect("known");
            offer.prices[0].1 = *minor;
        }
        Event::Set(Step::Enabled { variant, enabled }, _) => {
            world.offers.get_mut(&VariantId(*variant)).expect("known").enabled = *enabled;
        }
        Event::Set(Step::Active { location, active }, _) => {
            let location = LocationId(*location);
            world.places.get_mut(&location).expect("known").1 = *active;
            let levels = world.levels.values_mut();
            levels.filter(|level| level.location == location).for_each(|l| l.active = *active);
        }
        Event::Set(Step::HoldSeconds(seconds), _) => world.rules.hold_s = *seconds,
        other => panic!("{other:?} is no setting"),
    }
}

fn secret(holder: Holder) -> Opener {
    match holder {
        Holder::Account(account) => Opener::Account(account.0),
        Holder::Token([secret, ..]) => Opener::Secret(secret),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn baskets_and_orders_live_as_in_the_naive_model(
        steps in steps(),
        sizes in prop::collection::vec(1..=BATCH_MAX, 1..6),
    ) {
        let history = History::of(steps);
        let (many, told) = history.in_batches(&sizes);
        for ((_, event, expected), told) in history.events.iter().zip(&told) {
            prop_assert_eq!(told, expected, "{:?}", event);
        }
        prop_assert_eq!(many.state(), history.world.state());
    }
}

/// The generator must reach what it is for.
#[test]
fn histories_of_baskets_are_eventful() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..600 {
        let tree = steps().new_tree(&mut runner).expect("a history");
        let history = History::of(tree.current());
        for (_, event, told) in &history.events {
            let Event::Ask(asked) = event else { continue };
            let command = format!("{:?}", asked.command);
            let mut kind: String = command.chars().take_while(char::is_ascii_alphabetic).collect();
            if let Command::Act(act) = &asked.command {
                let act = format!("{:?}", act.act);
                kind = act.chars().take_while(char::is_ascii_alphabetic).collect();
            }
            *counts.entry(format!("{kind}: {}", words(told))).or_default() += 1;
        }
        for record in &history.world.topics {
            *counts.entry(format!("topic {record}")).or_default() += 1;
        }
    }
    for wanted in EVENTFUL {
        let count: usize = counts
            .iter()
            .filter(|(told, _)| told.starts_with(wanted))
            .map(|(_, count)| count)
            .sum();
        assert!(count >= 5, "{wanted:?} came {count} times: {counts:#?}");
    }
}

/// The words of what was told: without numbers, up to the first list.
fn words(told: &str) -> String {
    let words = told.split([':', ',', ';', '/']).next().unwrap_or("").split(' ');
    let words: Vec<&str> = words.filter(|word| word.parse::<i64>().is_err()).collect();
    words.join(" ")
}

/// What must happen in the histories: commands with their outcomes, and what was recorded.
const EVENTFUL: [&str; 76] = [
    "SetLine: kept",
    "SetLine: not found",
    "SetLine: ordered as",
    "SetLine: merged",
    "SetLine: inactive",
    "SetLine: quantity",
    "SetLine: not for sale",
    "SetLine: at most",
    "SetLine: short",
    "Extend: kept",
    "Extend: not found",
    "Extend: ordered as",
    "Extend: merged",
    "Merge: kept",
    "Merge: not found",
    "Merge: ordered as",
    "Merge: inactive",
    "Merge: other currency",
    "Checkout: order",
    "Checkout: not found",
    "Checkout: ordered as",
    "Checkout: merged",
    "Checkout: inactive",
    "Checkout: email missing",
    "Checkout: empty",
    "Checkout: not for sale",
    "Checkout: at most",
    "Checkout: short",
    "Checkout: discount used up",
    "Checkout: discount used up by customer",
    "Checkout: discount in EUR",
    "Checkout: price changed",
    "Sell: order",
    "Sell: at most",
    "Sell: short",
    "Cancel: cancelled before",
    "Cancel: fulfilled too late",
    "Cancel: refunded too late",
    "Cancel: not found",
    "StartPayment: done",
    "StartPayment: Pay when paid",
    "PayManually: done",
    "PayManually: Pay when cancelled",
    "PaymentSeen: done",
    "PaymentSeen: nothing",
    "PaymentSeen: no such",
    "Lapse: done",
    "Lapse: nothing",
    "Refund: done",
    "Refund: of",
    "Refund: RefundPart when placed",
    "RefundSeen: done",
    "RefundSeen: nothing",
    "Fulfil: done",
    "Fulfil: line",
    "Fulfil: no line",
    "Fulfil: FulfilPart when cancelled",
    "Return: done",
    "Return: line",
    "Return: nothing left",
    "Close: done",
    "Expire: expired",
    "topic order.paid",
    "topic order.cancelled",
    "topic order.reinstated",
    "topic order.fulfilled",
    "topic order.refunded",
    "topic order.returned",
    "topic order.closed",
    "topic payment.started",
    "topic payment.changed",
    "topic payment.mismatched",
    "topic payment.too_late",
    "topic payment.excess",
    "topic refund.failed",
    "topic refund.succeeded",
];
