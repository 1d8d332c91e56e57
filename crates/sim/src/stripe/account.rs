//! What the stand-in knows: payments, refunds, customers and cards, and what was really charged.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::cards::{self, Card};

/// A form's fields by their names, such as `metadata[order_id]`.
pub(super) type Form = BTreeMap<String, String>;

/// A refusal: status and error object.
#[derive(Debug)]
pub(super) struct Refusal(pub u16, pub Value);

pub(super) fn refused(status: u16, code: &str, message: &str) -> Refusal {
    let kind = if status == 402 { "card_error" } else { "invalid_request_error" };
    Refusal(status, json!({"type": kind, "code": code, "message": message}))
}

fn missing(what: &str) -> Refusal {
    refused(404, "resource_missing", &format!("No such {what}"))
}

fn state_forbids(status: &str) -> Refusal {
    refused(400, "payment_intent_unexpected_state", &format!("The payment is {status}"))
}

/// What really happened to the money of one payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub order_id: Option<i64>,
    pub payment_id: Option<i64>,
    pub status: String,
    pub currency: String,
    /// Taken from the buyer, in the provider's minor units.
    pub charged: i64,
    /// Given back.
    pub refunded: i64,
}

#[derive(Debug)]
pub(super) struct Intent {
    id: String,
    amount: i64,
    currency: String,
    status: &'static str,
    received: i64,
    refunded: i64,
    capture_manual: bool,
    customer: Option<String>,
    method: Option<String>,
    error: Value,
    metadata: Form,
    created: i64,
}

#[derive(Debug)]
struct Refund {
    id: String,
    intent: String,
    amount: i64,
    currency: String,
    status: &'static str,
    metadata: Form,
    created: i64,
}

#[derive(Debug, Default)]
pub(super) struct Account {
    intents: BTreeMap<String, Intent>,
    refunds: BTreeMap<String, Refund>,
    customers: BTreeMap<String, Form>,
    cards: BTreeMap<String, Card>,
    /// Ids grow, so that the order of names is the order of creation.
    last_id: u64,
    /// Whether refunds take their time.
    pub refunds_pend: bool,
    /// Events that nobody has fetched: kind and object.
    pub events: Vec<(String, Value)>,
}

fn metadata(form: &Form) -> Form {
    let name = |key: &str| key.strip_prefix("metadata[")?.strip_suffix(']').map(str::to_owned);
    form.iter().filter_map(|(key, value)| Some((name(key)?, value.clone()))).collect()
}

fn amount_of(form: &Form, name: &str) -> Result<Option<i64>, Refusal> {
    let wrong = || refused(400, "parameter_invalid_integer", &format!("Invalid {name}"));
    let amount = form.get(name).map(|text| text.parse::<i64>().map_err(|_| wrong()));
    match amount.transpose()? {
        Some(..1) => Err(wrong()),
        amount => Ok(amount),
    }
}

impl Intent {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "payment_intent", "amount": self.amount,
            "amount_received": self.received, "currency": self.currency, "status": self.status,
            "capture_method": if self.capture_manual { "manual" } else { "automatic" },
            "client_secret": format!("{}_secret_sim", self.id), "customer": self.customer,
            "payment_method": self.method, "last_payment_error": self.error,
            "metadata": self.metadata, "created": self.created,
        })
    }
}

impl Refund {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "refund", "amount": self.amount, "currency": self.currency,
            "payment_intent": self.intent, "status": self.status, "metadata": self.metadata,
            "failure_reason": (self.status == "failed").then_some("lost_or_stolen_card"),
            "created": self.created,
        })
    }
}

impl Account {
    fn id(&mut self, prefix: &str) -> String {
        self.last_id += 1;
        format!("{prefix}_sim{:010}", self.last_id)
    }

    pub(super) fn create_intent(&mut self, form: &Form, now: i64) -> Result<Value, Refusal> {
        let amount = amount_of(form, "amount")?
            .ok_or_else(|| refused(400, "parameter_missing", "Missing amount"))?;
        let currency = form.get("currency").cloned().unwrap_or_default();
        if currency.len() != 3 || currency != currency.to_lowercase() {
            return Err(refused(400, "parameter_invalid", "Invalid currency"));
        }
        let customer = form.get("customer").cloned();
        if customer.as_ref().is_some_and(|name| !self.customers.contains_key(name)) {
            return Err(missing("customer"));
        }
        let id = self.id("pi");
        let intent = Intent {
            id: id.clone(),
            amount,
            currency,
            status: "requires_payment_method",
            received: 0,
            refunded: 0,
            capture_manual: form.get("capture_method").is_some_and(|method| method == "manual"),
            customer,
            method: None,
            error: Value::Null,
            metadata: metadata(form),
            created: now,
        };
        self.intents.insert(id.clone(), intent);
        if form.get("confirm").is_some_and(|confirm| confirm == "true") {
            return self.confirm(&id, form);
        }
        self.intent(&id)
    }

    pub(super) fn intent(&self, id: &str) -> Result<Value, Refusal> {
        self.intents.get(id).map(Intent::json).ok_or_else(|| missing("payment_intent"))
    }

    /// Charges the card that the form names, as the buyer's browser does.
    pub(super) fn confirm(&mut self, id: &str, form: &Form) -> Result<Value, Refusal> {
        let intent = self.intents.get_mut(id).ok_or_else(|| missing("payment_intent"))?;
        if !matches!(intent.status, "requires_payment_method" | "requires_action") {
            return Err(state_forbids(intent.status));
        }
        let name = form.get("payment_method").cloned().unwrap_or_default();
        let card = match self.cards.get(&name) {
            Some(card) => card.clone(),
            None => Card::canonical(&name).ok_or_else(|| missing("payment_method"))?,
        };
        if card.customer.is_some() && card.customer != intent.customer {
            return Err(refused(400, "resource_missing", "The card is another customer's"));
        }
        intent.method = Some(name);
        let off_session = form.get("off_session").is_some_and(|given| given == "true");
        intent.error = Value::Null;
        let (status, kind) = match card.manner.outcome(off_session) {
            cards::Charged::Yes if intent.capture_manual => {
                ("requires_capture", "payment_intent.amount_capturable_updated")
            }
            cards::Charged::Yes => {
                intent.received = intent.amount;
                ("succeeded", "payment_intent.succeeded")
            }
            cards::Charged::Later => ("processing", "payment_intent.processing"),
            cards::Charged::AsksBuyer => ("requires_action", "payment_intent.requires_action"),
            cards::Charged::No(code) => {
                intent.error = json!({"code": code, "decline_code": "generic_decline"});
                ("requires_payment_method", "payment_intent.payment_failed")
            }
        };
        intent.status = status;
        let (object, error) = (intent.json(), intent.error.clone());
        self.events.push((kind.to_owned(), object.clone()));
        if let Some(code) = error["code"].as_str() {
            let Refusal(status, mut refusal) = refused(402, code, "Your card was declined.");
            refusal["payment_intent"] = object;
            return Err(Refusal(status, refusal));
        }
        Ok(object)
    }

    /// Ends what is processing.
    pub(super) fn settle(&mut self, id: &str, success: bool) -> Result<Value, Refusal> {
        let intent = self.intents.get_mut(id).ok_or_else(|| missing("payment_intent"))?;
        if !matches!(intent.status, "processing" | "requires_action") {
            return Err(state_forbids(intent.status));
        }
        let kind = if success {
            intent.received = intent.amount;
            intent.status = "succeeded";
            "payment_intent.succeeded"
        } else {
            intent.status = "requires_payment_method";
            intent.error = json!({"code": "payment_intent_payment_attempt_failed"});
            "payment_intent.payment_failed"
        };
        let object = intent.json();
        self.events.push((kind.to_owned(), object.clone()));
        Ok(object)
    }

    pub(super) fn capture(&mut self, id: &str) -> Result<Value, Refusal> {
        let intent = self.intents.get_mut(id).ok_or_else(|| missing("payment_intent"))?;
        if intent.status != "requires_capture" {
            return Err(state_forbids(intent.status));
        }
        (intent.status, intent.received) = ("succeeded", intent.amount);
        let object = intent.json();
        self.events.push(("payment_intent.succeeded".to_owned(), object.clone()));
        Ok(object)
    }

    pub(super) fn cancel(&mut self, id: &str) -> Result<Value, Refusal> {
        let intent = self.intents.get_mut(id).ok_or_else(|| missing("payment_intent"))?;
        if matches!(intent.status, "succeeded" | "processing" | "canceled") {
            return Err(state_forbids(intent.status));
        }
        intent.status = "canceled";
        let object = intent.json();
        self.events.push(("payment_intent.canceled".to_owned(), object.clone()));
        Ok(object)
    }

    pub(super) fn refund(&mut self, form: &Form, now: i64) -> Result<Value, Refusal> {
        let name = form.get("payment_intent").cloned().unwrap_or_default();
        let id = self.id("re");
        let intent = self.intents.get_mut(&name).ok_or_else(|| missing("payment_intent"))?;
        let left = intent.received - intent.refunded;
        if left == 0 {
            return Err(refused(400, "charge_already_refunded", "Nothing is left to refund"));
        }
        let amount = amount_of(form, "amount")?.unwrap_or(left);
        if amount > left {
            return Err(refused(400, "amount_too_large", "More than is left of the charge"));
        }
        intent.refunded += amount;
        let refund = Refund {
            id: id.clone(),
            intent: name,
            amount,
            currency: intent.currency.clone(),
            status: if self.refunds_pend { "pending" } else { "succeeded" },
            metadata: metadata(form),
            created: now,
        };
        let object = refund.json();
        self.refunds.insert(id, refund);
        self.events.push(("refund.created".to_owned(), object.clone()));
        Ok(object)
    }

    pub(super) fn found_refund(&self, id: &str) -> Result<Value, Refusal> {
        self.refunds.get(id).map(Refund::json).ok_or_else(|| missing("refund"))
    }

    /// A bank refuses a refund that was said to have succeeded.
    pub(super) fn bounce_refund(&mut self, id: &str) -> Result<Value, Refusal> {
        let refund = self.refunds.get_mut(id).ok_or_else(|| missing("refund"))?;
        if refund.status != "succeeded" {
            return Err(refused(400, "refund_unexpected_state", "It has not succeeded"));
        }
        refund.status = "pending";
        self.settle_refund(id, false)
    }

    /// Ends a refund that is pending.
    pub(super) fn settle_refund(&mut self, id: &str, success: bool) -> Result<Value, Refusal> {
        let refund = self.refunds.get_mut(id).ok_or_else(|| missing("refund"))?;
        if refund.status != "pending" {
            return Err(refused(400, "refund_unexpected_state", "The refund is done"));
        }
        refund.status = if success { "succeeded" } else { "failed" };
        if !success {
            let intent = self.intents.get_mut(&refund.intent).expect("refunds have a payment");
            intent.refunded -= refund.amount;
        }
        let object = refund.json();
        let kind = if success { "refund.updated" } else { "refund.failed" };
        self.events.push((kind.to_owned(), object.clone()));
        Ok(object)
    }

    /// A page of payments or refunds, newest first.
    pub(super) fn list(&self, what: &str, query: &Form) -> Result<Value, Refusal> {
        let since = query.get("created[gte]").and_then(|text| text.parse().ok()).unwrap_or(0_i64);
        let objects: Vec<Value> = match what {
            "refunds" => self.refunds.values().rev().map(Refund::json).collect(),
            _ => self.intents.values().rev().map(Intent::json).collect(),
        };
        let fits = |object: &Value| {
            let is = |name: &str| query.get(name).is_none_or(|wanted| object[name] == **wanted);
            object["created"].as_i64() >= Some(since) && is("customer") && is("payment_intent")
        };
        let mut left: Vec<Value> = objects.into_iter().filter(fits).collect();
        if let Some(after) = query.get("starting_after") {
            let at = left.iter().position(|object| object["id"] == **after);
            left.drain(..at.ok_or_else(|| missing("object"))? + 1);
        }
        let limit = query.get("limit").and_then(|text| text.parse().ok()).unwrap_or(10).min(100);
        let has_more = left.len() > limit;
        left.truncate(limit);
        Ok(json!({"object": "list", "data": left, "has_more": has_more}))
    }

    pub(super) fn create_customer(&mut self, form: &Form) -> Value {
        let id = self.id("cus");
        let metadata = metadata(form);
        let object = json!({"id": id, "object": "customer", "metadata": metadata});
        self.customers.insert(id, metadata);
        object
    }

    pub(super) fn customers(&self) -> usize {
        self.customers.len()
    }

    /// A card. Asking for one of the well-known test cards makes one of that kind, as at Stripe.
    pub(super) fn card(&mut self, id: &str) -> Result<Value, Refusal> {
        if let Some(card) = self.cards.get(id) {
            return Ok(card.json(id));
        }
        let card = Card::canonical(id).ok_or_else(|| missing("payment_method"))?;
        let id = self.id("pm");
        let object = card.json(&id);
        self.cards.insert(id, card);
        Ok(object)
    }

    pub(super) fn attach(&mut self, id: &str, form: &Form) -> Result<Value, Refusal> {
        let customer = form.get("customer").cloned().unwrap_or_default();
        if !self.customers.contains_key(&customer) {
            return Err(missing("customer"));
        }
        let card = self.cards.get_mut(id).ok_or_else(|| missing("payment_method"))?;
        card.attach(customer)?;
        Ok(card.json(id))
    }

    pub(super) fn detach(&mut self, id: &str) -> Result<Value, Refusal> {
        let card = self.cards.get_mut(id).ok_or_else(|| missing("payment_method"))?;
        card.detach()?;
        Ok(card.json(id))
    }

    /// What really happened, by the payments' names.
    pub(super) fn ledger(&self) -> BTreeMap<String, Entry> {
        let own = |intent: &Intent, name| {
            intent.metadata.get(name).and_then(|text: &String| text.parse().ok())
        };
        let entry = |intent: &Intent| Entry {
            order_id: own(intent, "order_id"),
            payment_id: own(intent, "payment_id"),
            status: intent.status.to_owned(),
            currency: intent.currency.clone(),
            charged: intent.received,
            refunded: intent.refunded,
        };
        self.intents.iter().map(|(id, intent)| (id.clone(), entry(intent))).collect()
    }
}
