//! A small shop to play scenes in: names for who does what, on the world of the histories, which
//! checks its invariants after every command.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::{World, dollar, euro};
use super::{super::told, at};
use crate::ids::{
    AccountId, BasketId, DiscountId, LocationId, OrderId, PaymentId, RefundId, VariantId,
};
use crate::order::Status;
use crate::stock::{
    Act, Asked, BasketStatus, By, Cancel, Checkout, Command, Contact, Extend, Gateway, Holder,
    KnownBasket, KnownOrder, LineRequest, Merge, OrderAct, Part, PaymentSeen, Receive, RefundSeen,
    Sell, SetLine,
};

pub(super) const PAY_WITHIN_S: i64 = 300;
pub(super) const STAFF: By = By::Staff(AccountId(2));

/// The shop, its clock, and what is done in it.
#[derive(Clone)]
pub(super) struct Stage {
    pub world: World,
    pub now: i64,
}

impl Stage {
    /// Units on shelves: variant, location, units.
    pub(super) fn with(stock: &[(i64, i64, i64)]) -> Self {
        let mut stage = Self { world: World::new(), now: 0 };
        for (variant, location, quantity) in stock {
            stage.receive(*variant, *location, *quantity);
        }
        stage
    }

    pub(super) fn receive(&mut self, variant: i64, location: i64, quantity: i64) -> String {
        self.ask(Command::Receive(Receive {
            variant: VariantId(variant),
            location: LocationId(location),
            quantity,
            actor: None,
            reason: None,
        }))
    }

    pub(super) fn ask(&mut self, command: Command) -> String {
        self.world.ask(at(self.now), &Asked { command, key: None })
    }

    /// The commands as one batch: what each came to.
    pub(super) fn at_once(&mut self, commands: &[Command]) -> Vec<String> {
        let asked = |command: &Command| Asked { command: command.clone(), key: None };
        let batch: Vec<Asked> = commands.iter().map(asked).collect();
        let outcomes = self.world.batch(at(self.now), &batch);
        outcomes.iter().map(|outcome| told(outcome, &outcomes)).collect()
    }

    /// A new basket: an account's, or for account 0 a guest's.
    pub(super) fn basket(&mut self, account: i64) -> i64 {
        let id = self.world.baskets.len() as i64 + 1;
        let basket = KnownBasket {
            account: (account > 0).then_some(AccountId(account)),
            token_hash: (account == 0).then_some(token(id)),
            currency: euro(),
            status: BasketStatus::Open,
            order: None,
            discount: None,
            lines: BTreeMap::new(),
        };
        self.world.baskets.insert(BasketId(id), basket);
        id
    }

    pub(super) fn dollars(&mut self, basket: i64) {
        self.world.baskets.get_mut(&BasketId(basket)).expect("it is there").currency = dollar();
    }

    /// Enters a discount code into the basket.
    pub(super) fn code(&mut self, basket: i64, discount: i64) {
        let basket = self.world.baskets.get_mut(&BasketId(basket)).expect("it is there");
        basket.discount = Some(DiscountId(discount));
    }

    /// Whoever the basket is of.
    pub(super) fn holder(&self, basket: i64) -> Holder {
        let account = self.world.baskets.get(&BasketId(basket)).and_then(|b| b.account);
        account.map_or(Holder::Token(token(basket)), Holder::Account)
    }

    pub(super) fn set(&mut self, basket: i64, variant: i64, quantity: i64) -> String {
        self.ask(set_line(self.holder(basket), basket, variant, quantity))
    }

    pub(super) fn extend(&mut self, basket: i64) -> String {
        self.ask(extend(self.holder(basket), basket))
    }

    pub(super) fn merge(&mut self, guest: i64, into: i64) -> String {
        let account = self.world.baskets[&BasketId(into)].account.expect("an account's");
        self.ask(merge(token(guest), guest, account.0, into))
    }

    /// By card, under the e-mail address of the basket if it is a guest's.
    pub(super) fn checkout(&mut self, basket: i64) -> String {
        self.ask(checkout(self.holder(basket), basket, Some(&format!("guest{basket}")), None))
    }

    /// A guest has bought so many units: the order.
    pub(super) fn ordered(&mut self, variant: i64, quantity: i64) -> i64 {
        let basket = self.basket(0);
        let told = self.set(basket, variant, quantity);
        assert!(told.starts_with("kept"), "{told}");
        let told = self.checkout(basket);
        assert!(told.starts_with("order "), "{told}");
        self.world.orders.len() as i64
    }

    pub(super) fn act(&mut self, order: i64, act: Act) -> String {
        self.ask(act_of(By::Shop, order, act))
    }

    pub(super) fn cancel(&mut self, order: i64) -> String {
        self.ask(cancel(STAFF, order))
    }

    pub(super) fn fulfil(&mut self, order: i64, parts: Option<&[(i64, i64)]>) -> String {
        self.act(order, fulfil(parts))
    }

    /// The provider says that the order's payment number `index` is settled, in full.
    pub(super) fn paid(&mut self, order: i64, index: usize) -> String {
        let known = self.order(order);
        let (payment, total) = (known.payments[index].id, known.total_minor);
        self.act(order, seen(payment.0, arrived(total, known.currency.code())))
    }

    pub(super) fn order(&self, order: i64) -> KnownOrder {
        self.world.orders[&OrderId(order)].clone()
    }

    pub(super) fn status(&self, order: i64) -> Status {
        self.world.orders[&OrderId(order)].status
    }

    /// On hand and reserved of the variant, over all locations.
    pub(super) fn stock(&self, variant: i64) -> (i64, i64) {
        let levels = self.world.levels.values().filter(|level| level.variant.0 == variant);
        levels.fold((0, 0), |sum, level| (sum.0 + level.on_hand, sum.1 + level.reserved))
    }
}

pub(super) fn token(basket: i64) -> [u8; 32] {
    [u8::try_from(basket % 250).expect("below 250"); 32]
}

pub(super) fn set_line(by: Holder, basket: i64, variant: i64, quantity: i64) -> Command {
    let (basket, variant) = (BasketId(basket), VariantId(variant));
    Command::SetLine(SetLine { basket, by, variant, quantity })
}

pub(super) fn extend(by: Holder, basket: i64) -> Command {
    Command::Extend(Extend { basket: BasketId(basket), by })
}

pub(super) fn merge(token: [u8; 32], guest: i64, account: i64, into: i64) -> Command {
    let (guest, into) = (BasketId(guest), BasketId(into));
    Command::Merge(Merge { guest, token, account: AccountId(account), into })
}

pub(super) fn checkout(
    by: Holder,
    basket: i64,
    email: Option<&str>,
    confirmed_total_minor: Option<i64>,
) -> Command {
    let email = email.map(|name| (Arc::from(name), Arc::from(name)));
    Command::Checkout(Box::new(Checkout {
        basket: BasketId(basket),
        by,
        contact: Contact { email, address: None, country: Arc::from("DE") },
        gateway: Gateway::Stripe,
        confirmed_total_minor,
        pay_within_s: PAY_WITHIN_S,
    }))
}

pub(super) fn sell(account: i64, variant: i64, quantity: i64) -> Command {
    Command::Sell(Sell {
        account: AccountId(account),
        lines: vec![LineRequest { variant: VariantId(variant), quantity }],
        currency: euro(),
        pay_within_s: None,
    })
}

pub(super) fn cancel(by: By, order: i64) -> Command {
    Command::Cancel(Cancel { order: OrderId(order), by })
}

pub(super) fn act_of(by: By, order: i64, act: Act) -> Command {
    Command::Act(Box::new(OrderAct { order: OrderId(order), by, act }))
}

pub(super) fn seen(payment: i64, seen: PaymentSeen) -> Act {
    Act::PaymentSeen { payment: PaymentId(payment), seen }
}

pub(super) fn arrived(received_minor: i64, currency: &str) -> PaymentSeen {
    let (provider_id, currency) = ("pi_1".to_owned(), currency.to_owned());
    PaymentSeen::Succeeded { provider_id, received_minor, currency }
}

pub(super) fn refund(amount_minor: Option<i64>) -> Act {
    Act::Refund { amount_minor, note: None }
}

pub(super) fn refund_seen(refund: i64, done: bool) -> Act {
    let seen = if done {
        RefundSeen::Succeeded { provider_id: Some("re_1".to_owned()) }
    } else {
        RefundSeen::Failed { reason: "account closed".to_owned() }
    };
    Act::RefundSeen { refund: RefundId(refund), seen }
}

pub(super) fn fulfil(parts: Option<&[(i64, i64)]>) -> Act {
    Act::Fulfil { parts: parts.map(units), carrier: None, tracking_number: None }
}

pub(super) fn take_back(parts: Option<&[(i64, i64)]>, restock: bool) -> Act {
    Act::Return { parts: parts.map(units), restock }
}

fn units(parts: &[(i64, i64)]) -> Vec<Part> {
    parts
        .iter()
        .map(|(line_no, quantity)| Part { line_no: *line_no, quantity: *quantity })
        .collect()
}
