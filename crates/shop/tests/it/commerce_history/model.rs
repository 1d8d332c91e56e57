//! What a shop must do, as simply as it can be said: no database, no batches, one location. Written
//! from the rules, not from the code.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

const PRICE_MINOR: i64 = 1_000;
const HOLD: SignedDuration = SignedDuration::from_secs(300);
const LIFE: SignedDuration = SignedDuration::from_secs(1_800);
const TIME_TO_PAY: SignedDuration = SignedDuration::from_secs(86_400);

/// Who holds what until when.
#[derive(Debug, Default)]
pub struct Basket {
    lines: BTreeMap<usize, Line>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    quantity: i64,
    /// When its hold was taken, and when it lapses; it may have lapsed.
    since: Timestamp,
    until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Placed,
    Paid,
    Fulfilled,
    Cancelled,
    Refunded,
    Returned,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Fulfilled => "fulfilled",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::Returned => "returned",
        }
    }
}

#[derive(Debug)]
struct Order {
    state: State,
    due: Timestamp,
    lines: Vec<OrderLine>,
    paid: i64,
    refunded: i64,
}

#[derive(Debug)]
struct OrderLine {
    variant: usize,
    quantity: i64,
    left: i64,
    back: i64,
}

impl Order {
    fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum::<i64>() * PRICE_MINOR
    }

    /// Units that are promised and still on the shelf.
    fn promised(&self, variant: usize) -> i64 {
        let stands = !matches!(self.state, State::Cancelled | State::Refunded);
        let of = self.lines.iter().filter(|line| stands && line.variant == variant);
        of.map(|line| line.quantity - line.left).sum()
    }
}

/// What an answer must be.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    Done,
    /// Variant, requested, available.
    Short(Vec<(usize, i64, i64)>),
    Refused(&'static str),
}

impl Expected {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Short(_) => "out_of_stock",
            Self::Refused(code) => code,
        }
    }
}

const ILLEGAL: Expected = Expected::Refused("illegal_transition");
const NOTHING_LEFT: Expected = Expected::Refused("nothing_left");

#[derive(Debug, Default)]
pub struct Model {
    /// Units on the shelf, per variant.
    pub on_hand: Vec<i64>,
    pub baskets: Vec<Basket>,
    orders: Vec<Order>,
    /// Units that had lapsed and were taken anew by the checkout itself.
    pub sold_without_hold: i64,
}

impl Model {
    fn held(&self, now: Timestamp, basket: usize, variant: usize) -> i64 {
        let line = self.baskets[basket].lines.get(&variant);
        line.filter(|line| line.until > now).map_or(0, |line| line.quantity)
    }

    pub fn available(&self, now: Timestamp, variant: usize) -> i64 {
        let held: i64 = (0..self.baskets.len()).map(|b| self.held(now, b, variant)).sum();
        let promised: i64 = self.orders.iter().map(|order| order.promised(variant)).sum();
        self.on_hand[variant] - held - promised
    }

    /// The lines of a basket: variant, quantity, held, and until when.
    pub fn lines(
        &self,
        now: Timestamp,
        basket: usize,
    ) -> Vec<(usize, i64, i64, Option<Timestamp>)> {
        let lines = self.baskets[basket].lines.iter();
        let shown = lines.map(|(v, line)| {
            let lives = line.until > now;
            let held = if lives { line.quantity } else { 0 };
            (*v, line.quantity, held, lives.then_some(line.until))
        });
        shown.collect()
    }

    pub fn order(&self, order: usize) -> (State, i64, i64) {
        let order = &self.orders[order];
        (order.state, order.paid, order.refunded)
    }

    /// The next moment at which a hold or the time to pay ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let holds = self.baskets.iter().flat_map(|basket| basket.lines.values());
        let unpaid = self.orders.iter().filter(|order| order.state == State::Placed);
        let ends = holds.map(|line| line.until).chain(unpaid.map(|order| order.due));
        ends.filter(|end| *end > now).min()
    }

    pub fn set_line(
        &mut self,
        now: Timestamp,
        basket: usize,
        variant: usize,
        quantity: i64,
    ) -> Expected {
        if quantity == 0 {
            self.baskets[basket].lines.remove(&variant);
        } else {
            let mine = self.held(now, basket, variant);
            let available = self.available(now, variant) + mine;
            if available < quantity {
                return Expected::Short(vec![(variant, quantity, available)]);
            }
            let lines = &mut self.baskets[basket].lines;
            let since = lines.get(&variant).filter(|_| mine > 0).map_or(now, |line| line.since);
            let until = (now + HOLD).min(since + LIFE);
            lines.insert(variant, Line { quantity, since, until });
        }
        self.refresh(now, basket);
        Expected::Done
    }

    /// Activity: what lives is extended, what lapsed is taken anew if all of it is there.
    pub fn refresh(&mut self, now: Timestamp, basket: usize) {
        let variants: Vec<usize> = self.baskets[basket].lines.keys().copied().collect();
        for variant in variants {
            let lives = self.held(now, basket, variant) > 0;
            let available = self.available(now, variant);
            let line = self.baskets[basket].lines.get_mut(&variant).expect("it is its key");
            if lives {
                line.until = (now + HOLD).min(line.since + LIFE);
            } else if available >= line.quantity {
                (line.since, line.until) = (now, now + HOLD);
            }
        }
    }

    pub fn check_out(&mut self, now: Timestamp, basket: usize) -> Expected {
        let lines = self.baskets[basket].lines.clone();
        if lines.is_empty() {
            return Expected::Refused("basket_empty");
        }
        let lapsed: Vec<(usize, i64)> = lines
            .iter()
            .filter(|(v, _)| self.held(now, basket, **v) == 0)
            .map(|(v, line)| (*v, line.quantity))
            .collect();
        let short: Vec<_> = lapsed
            .iter()
            .map(|(v, quantity)| (*v, *quantity, self.available(now, *v)))
            .filter(|(_, requested, available)| available < requested)
            .collect();
        if !short.is_empty() {
            return Expected::Short(short);
        }
        self.sold_without_hold += lapsed.iter().map(|(_, quantity)| quantity).sum::<i64>();
        let lines = lines.into_iter().map(|(variant, line)| OrderLine {
            variant,
            quantity: line.quantity,
            left: 0,
            back: 0,
        });
        self.orders.push(Order {
            state: State::Placed,
            due: now + TIME_TO_PAY,
            lines: lines.collect(),
            paid: 0,
            refunded: 0,
        });
        self.baskets[basket] = Basket::default();
        Expected::Done
    }

    /// What the sweeper does to orders.
    pub fn lapse(&mut self, now: Timestamp) {
        for order in &mut self.orders {
            if order.state == State::Placed && order.due <= now {
                order.state = State::Cancelled;
            }
        }
    }

    pub fn pay(&mut self, order: usize) -> Expected {
        let order = &mut self.orders[order];
        if order.state != State::Placed {
            return ILLEGAL;
        }
        (order.state, order.paid) = (State::Paid, order.total());
        Expected::Done
    }

    pub fn cancel(&mut self, order: usize) -> Expected {
        let order = &mut self.orders[order];
        let left: i64 = order.lines.iter().map(|line| line.left).sum();
        match order.state {
            State::Cancelled => Expected::Refused("already_cancelled"),
            State::Placed | State::Paid if left == 0 => {
                (order.state, order.refunded) = (State::Cancelled, order.paid);
                Expected::Done
            }
            _ => ILLEGAL,
        }
    }

    pub fn one_leaves(&mut self, order: usize) -> Expected {
        let order = &mut self.orders[order];
        if order.state != State::Paid {
            return ILLEGAL;
        }
        let line = &mut order.lines[0];
        if line.left == line.quantity {
            return Expected::Refused("too_many");
        }
        line.left += 1;
        self.on_hand[line.variant] -= 1;
        if order.lines.iter().all(|line| line.left == line.quantity) {
            order.state = State::Fulfilled;
        }
        Expected::Done
    }

    /// Everything that left comes back.
    pub fn give_back(&mut self, order: usize, restock: bool) -> Expected {
        let order = &mut self.orders[order];
        if !matches!(order.state, State::Paid | State::Fulfilled | State::Refunded) {
            return ILLEGAL;
        }
        if order.lines.iter().all(|line| line.left == line.back) {
            return NOTHING_LEFT;
        }
        for line in &mut order.lines {
            if restock {
                self.on_hand[line.variant] += line.left - line.back;
            }
            line.back = line.left;
        }
        let all = order.lines.iter().all(|line| line.back == line.quantity);
        if all && order.state == State::Fulfilled {
            order.state = State::Returned;
        }
        Expected::Done
    }

    /// All of the money goes back.
    pub fn refund(&mut self, order: usize) -> Expected {
        let order = &mut self.orders[order];
        if !matches!(order.state, State::Paid | State::Fulfilled | State::Returned) {
            return ILLEGAL;
        }
        (order.state, order.refunded) = (State::Refunded, order.paid);
        Expected::Done
    }
}
