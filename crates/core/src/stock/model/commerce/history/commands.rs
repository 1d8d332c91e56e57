//! From a step to a command: which basket, which order, which payment it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::sample::Index;

use super::super::at;
use super::super::naive::Opener;
use super::super::steps::{Actor, Confirm, DOLLAR_SLOT, Deed, SLOTS, Seen, Step};
use super::super::world::{dollar, euro};
use super::{Event, History};
use crate::ids::{AccountId, BasketId, LocationId, OrderId, PaymentId, RefundId, VariantId};
use crate::order::Status;
use crate::stock::{
    Act, Adjust, BasketStatus, By, Cancel, Checkout, Command, Contact, Extend, Holder, KnownBasket,
    KnownOrder, LineRequest, Merge, OrderAct, Part, PaymentSeen, Receive, RefundSeen, RefundStatus,
    Sell, SetLine,
};

const PAY_WITHIN_S: i64 = 90;

impl History {
    /// The slot's basket; a new one if it is over, unless the old one is asked for.
    pub(super) fn basket(&mut self, slot: usize, stale: bool) -> i64 {
        let over = |id: i64| self.world.baskets[&BasketId(id)].status != BasketStatus::Open;
        if let Some(id) = self.slots[slot]
            && (stale || !over(id))
        {
            return id;
        }
        let id = self.world.baskets.len() as i64 + 1;
        self.slots[slot] = Some(id);
        let currency = if slot == DOLLAR_SLOT { dollar() } else { euro() };
        let basket = KnownBasket {
            account: (slot < 4).then_some(AccountId(slot as i64 + 1)),
            token_hash: (slot >= 4).then_some([slot as u8; 32]),
            currency,
            status: BasketStatus::Open,
            order: None,
            discount: None,
            lines: BTreeMap::new(),
        };
        let opener = opener(slot, false);
        self.naive.open_basket(id, opener, currency.code());
        self.set(Event::Open(BasketId(id), basket));
        id
    }

    /// The slot, or if there is nothing in its basket mostly another one from `first` on.
    pub(super) fn filled(&self, slot: usize, first: usize) -> usize {
        let filled = |slot: &usize| {
            let basket = self.slots[*slot].map(|id| &self.world.baskets[&BasketId(id)]);
            basket.is_some_and(|b| b.status == BasketStatus::Open && !b.lines.is_empty())
        };
        let mut others = (first..SLOTS).chain([slot]).filter(filled);
        if self.events.len().is_multiple_of(10) || filled(&slot) {
            slot
        } else {
            others.next_back().unwrap_or(slot)
        }
    }

    pub(super) fn command(&mut self, step: Step) -> Command {
        match step {
            Step::SetLine { slot, stale, stranger, variant, quantity } => {
                let basket = BasketId(self.basket(slot, stale));
                let by = holder(opener(slot, stranger));
                Command::SetLine(SetLine { basket, by, variant: VariantId(variant), quantity })
            }
            Step::Extend { slot, stranger } => {
                let basket = BasketId(self.basket(slot, true));
                Command::Extend(Extend { basket, by: holder(opener(slot, stranger)) })
            }
            Step::Merge { guest, account, stranger } => {
                let guest = self.filled(guest, 4);
                let (from, into) = (self.basket(guest, true), self.basket(account, false));
                let Holder::Token(token) = holder(opener(guest, stranger)) else {
                    panic!("guests have tokens")
                };
                let account = AccountId(account as i64 + 1);
                Command::Merge(Merge {
                    guest: BasketId(from),
                    token,
                    account,
                    into: BasketId(into),
                })
            }
            Step::Checkout { slot, stranger, email, confirm, gateway } => {
                let slot = if stranger { slot } else { self.filled(slot, 0) };
                let basket = self.basket(slot, true);
                let email = email.then(|| email_of(slot));
                let by = holder(opener(slot, stranger));
                let confirmed_total_minor = self.confirmed(basket, confirm);
                Command::Checkout(Box::new(Checkout {
                    basket: BasketId(basket),
                    by,
                    contact: Contact { email, address: None, country: Arc::from("DE") },
                    gateway,
                    confirmed_total_minor,
                    pay_within_s: PAY_WITHIN_S,
                }))
            }
            Step::Sell { account, lines } => {
                let line =
                    |(variant, quantity)| LineRequest { variant: VariantId(variant), quantity };
                Command::Sell(Sell {
                    account: AccountId(account),
                    lines: lines.into_iter().map(line).collect(),
                    currency: euro(),
                    pay_within_s: Some(PAY_WITHIN_S),
                })
            }
            Step::Expire(variants) => {
                Command::Expire(variants.into_iter().map(VariantId).collect())
            }
            Step::Cancel { order, by } => {
                let (order, by) = self.order(order, by, |_| true);
                Command::Cancel(Cancel { order, by })
            }
            Step::Act { order, by, deed } => {
                let (order, by) = self.order(order, by, |order| suits(&deed, order, at(self.now)));
                let act = act(self.world.orders.get(&order), deed);
                Command::Act(Box::new(OrderAct { order, by, act }))
            }
            step => move_stock(step),
        }
    }

    /// What the buyer agrees to: what the prices and the discount make now, or one unit more.
    fn confirmed(&self, basket: i64, confirm: Confirm) -> Option<i64> {
        let basket = &self.world.baskets[&BasketId(basket)];
        let price =
            |variant: &VariantId| self.world.offers.get(variant)?.price_minor(basket.currency);
        let lines = basket.lines.iter();
        let sum: i64 =
            lines.map(|(variant, line)| line.quantity * price(variant).unwrap_or(0)).sum();
        let discount = basket.discount.map(|id| &self.world.discounts[&id].discount);
        let total = sum - discount.map_or(0, |discount| discount.minor(sum));
        match confirm {
            Confirm::Nothing => None,
            Confirm::Right => Some(total),
            Confirm::Wrong => Some(total + 1),
        }
    }

    /// One of the orders so far, mostly one that suits, or rarely one that there is not.
    fn order(&self, by: Index, actor: Actor, suits: impl Fn(&KnownOrder) -> bool) -> (OrderId, By) {
        let all: Vec<i64> = self.world.orders.keys().map(|id| id.0).collect();
        let fit = self.world.orders.iter().filter(|(_, order)| suits(order));
        let fit: Vec<i64> = fit.map(|(id, _)| id.0).collect();
        let from = if fit.is_empty() || by.index(7) == 6 { &all } else { &fit };
        let missing = from.is_empty() || by.index(50) == 49;
        let id = if missing { 1_000 } else { *by.get(from) };
        let known = self.world.orders.get(&OrderId(id));
        let by = actor;
        let by = match (by, known.map(|order| (order.account, order.basket))) {
            (Actor::Owner, Some((Some(account), _))) => By::Owner(account),
            (Actor::Owner, Some((None, Some(basket)))) => By::Guest(basket),
            (Actor::Stranger, Some((Some(account), _))) => By::Owner(AccountId(account.0 + 10)),
            (Actor::Stranger, _) => By::Guest(BasketId(900)),
            (Actor::Shop, _) => By::Shop,
            _ => By::Staff(AccountId(1)),
        };
        (OrderId(id), by)
    }
}

/// Goods come in or are counted.
fn move_stock(step: Step) -> Command {
    let actor = AccountId(1);
    match step {
        Step::Receive { variant, location, quantity } => Command::Receive(Receive {
            variant: VariantId(variant),
            location: LocationId(location),
            quantity,
            actor: None,
            reason: None,
        }),
        Step::Adjust { variant, location, change } => Command::Adjust(Adjust {
            variant: VariantId(variant),
            location: LocationId(location),
            change,
            actor,
            reason: "count".to_owned(),
        }),
        other => panic!("{other:?} is no command"),
    }
}

fn opener(slot: usize, stranger: bool) -> Opener {
    let slot = if stranger { slot + 20 } else { slot };
    if slot % 20 < 4 { Opener::Account(slot as i64 + 1) } else { Opener::Secret(slot as u8) }
}

fn holder(opener: Opener) -> Holder {
    match opener {
        Opener::Account(account) => Holder::Account(AccountId(account)),
        Opener::Secret(secret) => Holder::Token([secret; 32]),
    }
}

/// Whether the deed can mean something to the order.
fn suits(deed: &Deed, order: &KnownOrder, now: Timestamp) -> bool {
    match deed {
        Deed::Start(_) | Deed::PayManually => order.status == Status::Placed,
        Deed::Lapse => order.due_at.is_some_and(|due| due <= now),
        Deed::Seen(..) => order.payments.iter().any(|payment| payment.received_minor == 0),
        Deed::Refund(_) => order.paid_minor > order.refunded_minor,
        Deed::RefundSeen(..) => {
            order.refunds.iter().any(|refund| refund.status == RefundStatus::Pending)
        }
        Deed::Fulfil(_) => order.status == Status::Paid,
        Deed::Return(..) => order.allocations.iter().any(|part| part.shipped > part.returned),
        Deed::Close => order.status == Status::Fulfilled,
    }
}

/// The guests of two slots are one person.
fn email_of(slot: usize) -> (Arc<str>, Arc<str>) {
    let name = if slot < 6 { "ana" } else { "bia" };
    (Arc::from(format!("{name}@Example.org")), Arc::from(format!("{name}@example.org")))
}

fn act(order: Option<&KnownOrder>, deed: Deed) -> Act {
    let parts = |parts: Option<Vec<(i64, i64)>>| {
        let part = |(line_no, quantity)| Part { line_no, quantity };
        parts.map(|parts| parts.into_iter().map(part).collect())
    };
    match deed {
        Deed::Start(gateway) => Act::StartPayment { gateway },
        Deed::PayManually => Act::PayManually,
        Deed::Seen(index, seen) => {
            let payments = order.map_or(&[][..], |order| &order.payments);
            let payment =
                payments.get(index.index(payments.len() + 1).min(payments.len().max(1) - 1));
            let id = payment.map_or(PaymentId(9_999), |payment| payment.id);
            let amount = order.map_or(0, |order| order.total_minor);
            let currency = order.map_or("EUR", |order| order.currency.code());
            Act::PaymentSeen { payment: id, seen: told_by_provider(seen, id.0, amount, currency) }
        }
        Deed::Lapse => Act::Lapse,
        Deed::Refund(amount_minor) => Act::Refund { amount_minor, note: None },
        Deed::RefundSeen(index, done) => {
            let refunds = order.map_or(&[][..], |order| &order.refunds);
            let refund = (!refunds.is_empty()).then(|| index.get(refunds).id);
            let seen = if done {
                RefundSeen::Succeeded { provider_id: None }
            } else {
                RefundSeen::Failed { reason: "closed account".to_owned() }
            };
            Act::RefundSeen { refund: refund.unwrap_or(RefundId(9_999)), seen }
        }
        Deed::Fulfil(chosen) => {
            Act::Fulfil { parts: parts(chosen), carrier: None, tracking_number: None }
        }
        Deed::Return(chosen, restock) => Act::Return { parts: parts(chosen), restock },
        Deed::Close => Act::Close,
    }
}

fn told_by_provider(seen: Seen, id: i64, amount: i64, currency: &str) -> PaymentSeen {
    let provider_id = format!("pi_{id}");
    let arrived = |received_minor, currency: &str| PaymentSeen::Succeeded {
        provider_id: provider_id.clone(),
        received_minor,
        currency: currency.to_owned(),
    };
    match seen {
        Seen::Open => PaymentSeen::Open { provider_id },
        Seen::Authorised => PaymentSeen::Authorised { provider_id },
        Seen::Succeeded => arrived(amount, currency),
        Seen::OtherAmount(minor) => arrived(minor, currency),
        Seen::OtherCurrency => arrived(amount, "XXX"),
        Seen::Failed => PaymentSeen::Failed { provider_id, reason: "declined".to_owned() },
        Seen::Cancelled => PaymentSeen::Cancelled,
    }
}
