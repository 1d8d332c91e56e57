//! What staff do to an order, read from the forms of its page and done through the functions of the
//! API.

use runout_core::ids::{OrderId, PaymentId};
use runout_core::money::Money;
use runout_core::stock::{Act, ActOutcome, Part, QUANTITY_MAX};

use super::commands::note_reason;
use super::format;
use crate::App;
use crate::accounts::Session;
use crate::orders::{
    OrderActor, OrderLineOut, OrderOut, PlaceRefused, act, call_off, capture, refund,
};
use crate::platform::command::Key;
use crate::platform::problem::Problem;

/// Characters of a reason, a note, a carrier's name, a tracking number.
pub(super) const TEXT_CHARS_MAX: usize = 200;
/// Longest idempotency key.
const KEY_CHARS_MAX: usize = 64;

/// A form of the order's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormOf {
    Cancel,
    Pay,
    Capture,
    Refund,
    Fulfil,
    Return,
    Close,
}

impl FormOf {
    const ALL: [FormOf; 7] = [
        FormOf::Cancel,
        FormOf::Pay,
        FormOf::Capture,
        FormOf::Refund,
        FormOf::Fulfil,
        FormOf::Return,
        FormOf::Close,
    ];

    /// As it stands in addresses.
    pub(super) fn name(self) -> &'static str {
        match self {
            FormOf::Cancel => "cancel",
            FormOf::Pay => "pay",
            FormOf::Capture => "capture",
            FormOf::Refund => "refund",
            FormOf::Fulfil => "fulfil",
            FormOf::Return => "return",
            FormOf::Close => "close",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// What is told when it was done.
    pub(super) fn done(self) -> &'static str {
        match self {
            FormOf::Cancel => "The order is cancelled; its stock is on sale again.",
            FormOf::Pay => "The order is paid.",
            FormOf::Capture => "The money has been taken.",
            FormOf::Refund => "The refund is on its way.",
            FormOf::Fulfil => "The units have left.",
            FormOf::Return => "The units have come back.",
            FormOf::Close => "The order is closed.",
        }
    }
}

/// The fields of a posted form, or of none.
#[derive(Debug, Default)]
pub(super) struct Typed(pub(super) Vec<(String, String)>);

impl Typed {
    /// A field's value without surrounding blanks; empty if it was not posted.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A text of bounded length; `None` if it is empty.
    fn text(&self, name: &str, called: &str) -> Result<Option<String>, String> {
        let text = self.get(name);
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(format!("{called} has more than {TEXT_CHARS_MAX} characters."));
        }
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// The units of each line: fields `line-1`, `line-2` and so on. None is none of the line.
    fn parts(&self, order: &OrderOut) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        for line in &order.lines {
            let text = self.get(&format!("line-{}", line.line_no));
            if text.is_empty() || text == "0" {
                continue;
            }
            let quantity =
                text.parse().ok().filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
            let Some(quantity) = quantity else {
                return Err(format!("{}: {text:?} is not a number of units.", line.title));
            };
            parts.push(Part { line_no: line.line_no, quantity });
        }
        Ok(parts)
    }
}

/// What a form asks for.
#[derive(Debug)]
pub(super) enum Deed {
    Cancel { reason: Option<String> },
    Capture { payment: PaymentId },
    Refund { amount_minor: Option<i64>, note: Option<String> },
    Act(Act),
}

impl Deed {
    /// Reads a form.
    ///
    /// # Errors
    /// What is wrong, for whoever typed it.
    pub(super) fn read(form: FormOf, typed: &Typed, order: &OrderOut) -> Result<Self, String> {
        Ok(match form {
            FormOf::Cancel => Deed::Cancel { reason: typed.text("reason", "The reason")? },
            FormOf::Pay => Deed::Act(Act::PayManually),
            FormOf::Capture => {
                let payment = typed.get("payment").parse().map(PaymentId);
                Deed::Capture { payment: payment.map_err(|_| "Which payment?".to_owned())? }
            }
            FormOf::Refund => Deed::Refund {
                amount_minor: amount(typed, order)?,
                note: typed.text("note", "The note")?,
            },
            FormOf::Fulfil => Deed::Act(Act::Fulfil {
                parts: Some(some(typed.parts(order)?, "Say how many units leave.")?),
                carrier: typed.text("carrier", "The carrier")?,
                tracking_number: typed.text("tracking_number", "The tracking number")?,
            }),
            FormOf::Return => Deed::Act(Act::Return {
                parts: Some(some(typed.parts(order)?, "Say how many units have come back.")?),
                restock: typed.has("restock"),
            }),
            FormOf::Close => Deed::Act(Act::Close),
        })
    }
}

fn some(parts: Vec<Part>, otherwise: &str) -> Result<Vec<Part>, String> {
    if parts.is_empty() { Err(otherwise.to_owned()) } else { Ok(parts) }
}

/// How much goes back: all that is left (`None`), so much, or what these units cost.
fn amount(typed: &Typed, order: &OrderOut) -> Result<Option<i64>, String> {
    if typed.has("all") {
        return Ok(None);
    }
    let text = typed.get("amount");
    let parts = typed.parts(order)?;
    if !text.is_empty() {
        let currency = order.currency.parse().map_err(|_| "The currency is gone.".to_owned())?;
        let money = Money::parse(text, currency).map_err(|e| format!("The amount {e}."))?;
        return if money.minor > 0 { Ok(Some(money.minor)) } else { Err(NO_AMOUNT.to_owned()) };
    }
    let parts = some(parts, NO_AMOUNT)?;
    let mut sum: i64 = 0;
    for part in parts {
        let line = order.lines.iter().find(|line| line.line_no == part.line_no);
        let line = line.expect("parts are read from the order's lines");
        if part.quantity > line.quantity {
            return Err(format!("{}: {} were ordered.", line.title, line.quantity));
        }
        sum = sum.saturating_add(share(line, part.quantity));
    }
    if sum > 0 { Ok(Some(sum)) } else { Err("These units cost nothing.".to_owned()) }
}

const NO_AMOUNT: &str = "Say how much goes back, or which units it is for.";

/// What so many units of a line cost, its discount taken off; part of a minor unit stays here.
fn share(line: &OrderLineOut, quantity: i64) -> i64 {
    let paid = i128::from(line.total_minor - line.discount_minor);
    let part = paid * i128::from(quantity) / i128::from(line.quantity.max(1));
    i64::try_from(part).expect("a part of an i64")
}

/// Why it was not done.
pub(super) struct NotDone {
    pub(super) problem: Problem,
    /// For a person.
    pub(super) words: String,
}

impl NotDone {
    fn of(refused: PlaceRefused, order: &OrderOut) -> Self {
        let words = match &refused {
            PlaceRefused::Act(ActOutcome::TooMuch { asked_minor, left_minor }) => Some(format!(
                "{} are asked for, {} are left to be refunded.",
                format::money(*asked_minor, &order.currency),
                format::money(*left_minor, &order.currency)
            )),
            PlaceRefused::KeyReused => Some(
                "This form was sent before with other content. Look at the order and send it again \
                 if it is still wanted."
                    .to_owned(),
            ),
            _ => None,
        };
        let problem = Problem::from(refused);
        Self { words: words.unwrap_or_else(|| problem.words().to_owned()), problem }
    }
}

impl From<Problem> for NotDone {
    fn from(problem: Problem) -> Self {
        Self { words: problem.words().to_owned(), problem }
    }
}

/// Does it, once per key of the form.
///
/// # Errors
/// [`NotDone`]; nothing has happened, unless the outcome is not known.
pub(super) async fn perform(
    app: &App,
    session: &Session,
    (order, form): (&OrderOut, FormOf),
    deed: Deed,
    typed: &Typed,
) -> Result<(), NotDone> {
    let (id, by) = (OrderId(order.id), OrderActor::from(&session.identity).by);
    let refused = |refused| NotDone::of(refused, order);
    let key = key(typed, order.id, form);
    match deed {
        Deed::Cancel { reason } => {
            call_off(app, id, by, key.clone()).await.map_err(refused)?;
            if let Some(reason) = reason {
                // The order is cancelled whether or not the trail says why.
                if let Err(error) = note_reason(app, session, key, id, reason).await {
                    tracing::error!(?error, order = id.0, "the reason was not kept");
                }
            }
        }
        Deed::Capture { payment } => {
            capture(app, id, payment).await?;
        }
        Deed::Refund { amount_minor, note } => {
            refund(app, id, by, (amount_minor, note), key).await.map_err(refused)?;
        }
        Deed::Act(what) => {
            act(app, id, by, what, key).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// The form's key: the same form, sent twice, is done once.
fn key(typed: &Typed, order: i64, form: FormOf) -> Option<Key> {
    let given = typed.get("key");
    let sane = !given.is_empty() && given.len() <= KEY_CHARS_MAX;
    let operation = format!("POST /admin/desk/orders/{order}/{}", form.name());
    sane.then(|| Key::new(given.to_owned(), &operation, &typed.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> OrderOut {
        let line = |line_no, quantity, unit, discount| {
            json!({
                "line_no": line_no, "variant_id": 1, "sku": "S", "title": "T", "variant_title": "",
                "quantity": quantity, "fulfilled": 0, "returned": 0, "unit_price_minor": unit,
                "unit_price": "1", "total_minor": unit * quantity, "discount_minor": discount,
                "tax_minor": 0, "tax_ppm": 0,
            })
        };
        serde_json::from_value(json!({
            "id": 1, "number": "R00000001", "status": "paid", "currency": "EUR",
            "total_minor": 5_000, "total": "50.00", "tax_minor": 0, "net_minor": 5_000,
            "discount_minor": 100, "paid_minor": 5_000, "refunded_minor": 0,
            "placed_at": "2026-11-21T12:00:00Z",
            "lines": [line(1, 3, 1_000, 100), line(2, 2, 1_000, 0)],
            "payments": [], "refunds": [], "fulfilments": [],
        }))
        .expect("an order")
    }

    fn typed(fields: &[(&str, &str)]) -> Typed {
        Typed(fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn refunds_are_an_amount_or_units_or_all() {
        let order = order();
        for (fields, expected) in [
            (vec![("all", "1"), ("amount", "3")], Ok(None)),
            (vec![("amount", "12.50"), ("line-1", "1")], Ok(Some(1_250))),
            (vec![("line-1", "3")], Ok(Some(2_900))),
            // A third of 29.00: the rest of the cent stays.
            (vec![("line-1", "1")], Ok(Some(966))),
            (vec![("line-1", "1"), ("line-2", "2")], Ok(Some(2_966))),
            (vec![], Err(NO_AMOUNT)),
            (vec![("amount", "0")], Err(NO_AMOUNT)),
            (vec![("amount", "1.234")], Err("The amount has more decimals than the 2 of EUR.")),
            (vec![("line-2", "3")], Err("T: 2 were ordered.")),
            (vec![("line-2", "x")], Err("T: \"x\" is not a number of units.")),
            (vec![("line-2", "-1")], Err("T: \"-1\" is not a number of units.")),
        ] {
            let found = amount(&typed(&fields), &order);
            assert_eq!(found, expected.map_err(str::to_owned), "{fields:?}");
        }
    }

    #[test]
    fn forms_without_units_or_with_long_texts_are_refused() {
        let order = order();
        let long = "x".repeat(TEXT_CHARS_MAX + 1);
        for (form, fields, wrong) in [
            (FormOf::Fulfil, vec![("line-1", "0")], "Say how many units leave."),
            (FormOf::Return, vec![], "Say how many units have come back."),
            (FormOf::Cancel, vec![("reason", long.as_str())], "The reason has more than 200"),
            (FormOf::Capture, vec![("payment", "x")], "Which payment?"),
        ] {
            let refused = Deed::read(form, &typed(&fields), &order).expect_err("is wrong");
            assert!(refused.starts_with(wrong), "{refused}");
        }
    }

    #[test]
    fn a_key_is_of_one_form_and_its_content() {
        let print = |fields: &[(&str, &str)], form| {
            key(&typed(fields), 1, form).expect("a key").fingerprint
        };
        let one = print(&[("key", "k"), ("amount", "1")], FormOf::Refund);
        assert_eq!(one, print(&[("key", "k"), ("amount", "1")], FormOf::Refund));
        assert_ne!(one, print(&[("key", "k"), ("amount", "2")], FormOf::Refund));
        assert_ne!(one, print(&[("key", "k"), ("amount", "1")], FormOf::Pay));
        assert!(key(&typed(&[]), 1, FormOf::Pay).is_none());
    }
}
