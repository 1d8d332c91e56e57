//! Cards, by Stripe's names for its test cards.

use serde_json::{Value, json};

use super::account::{Refusal, refused};

/// How a card behaves when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Pays,
    Declines,
    /// The bank wants to hear from the buyer.
    Asks,
    /// Succeeds or fails some time later.
    Dawdles,
}

/// What came of charging it.
pub(super) enum Charged {
    Yes,
    Later,
    AsksBuyer,
    No(&'static str),
}

impl Manner {
    pub(super) fn outcome(self, off_session: bool) -> Charged {
        match (self, off_session) {
            (Manner::Pays, _) => Charged::Yes,
            (Manner::Declines, _) => Charged::No("card_declined"),
            (Manner::Asks, true) => Charged::No("authentication_required"),
            (Manner::Asks, false) => Charged::AsksBuyer,
            (Manner::Dawdles, _) => Charged::Later,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Card {
    pub manner: Manner,
    pub customer: Option<String>,
    brand: &'static str,
    last4: &'static str,
    is_card: bool,
    detached: bool,
}

impl Card {
    /// One of Stripe's test cards, and some more.
    pub(super) fn canonical(name: &str) -> Option<Self> {
        let (manner, brand, last4, is_card) = match name {
            "pm_card_visa" => (Manner::Pays, "visa", "4242", true),
            "pm_card_mastercard" => (Manner::Pays, "mastercard", "4444", true),
            "pm_card_visa_chargeDeclined" | "pm_card_chargeCustomerFail" => {
                (Manner::Declines, "visa", "0341", true)
            }
            "pm_card_authenticationRequired" => (Manner::Asks, "visa", "3184", true),
            "pm_card_dawdling" => (Manner::Dawdles, "visa", "0001", true),
            "pm_sepa_debit" => (Manner::Dawdles, "", "", false),
            _ => return None,
        };
        Some(Self { manner, customer: None, brand, last4, is_card, detached: false })
    }

    pub(super) fn json(&self, id: &str) -> Value {
        let card = json!({
            "brand": self.brand, "last4": self.last4, "exp_month": 12, "exp_year": 2034,
        });
        let (kind, card) = if self.is_card { ("card", card) } else { ("sepa_debit", Value::Null) };
        json!({
            "id": id, "object": "payment_method", "type": kind, "customer": self.customer,
            "card": card,
        })
    }

    pub(super) fn attach(&mut self, customer: String) -> Result<(), Refusal> {
        if self.detached {
            return Err(refused(400, "payment_method_used", "It was detached before"));
        }
        if self.customer.as_ref().is_some_and(|owner| *owner != customer) {
            return Err(refused(400, "payment_method_attached", "It is another customer's"));
        }
        self.customer = Some(customer);
        Ok(())
    }

    pub(super) fn detach(&mut self) -> Result<(), Refusal> {
        if self.customer.take().is_none() {
            return Err(refused(400, "payment_method_not_attached", "It is nobody's"));
        }
        self.detached = true;
        Ok(())
    }
}
