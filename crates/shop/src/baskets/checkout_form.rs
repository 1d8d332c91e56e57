//! The form of the checkout: what was typed, what it means, what is wrong with it.

use garde::Validate;
use serde::Deserialize;

use super::checkout::{GatewayName, NewCheckout};
use crate::addresses::Address;

/// The address to type in, rather than a stored one.
pub(super) const NEW_ADDRESS: &str = "new";
/// Pay by transfer or in the shop; else `card-` and the number of a stored card.
pub(super) const PAY_MANUALLY: &str = "manual";
const CARD: &str = "card-";

/// What was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CheckoutForm {
    /// The basket that was shown.
    pub basket: i64,
    /// Makes the second click the same order as the first.
    pub key: String,
    /// The total that the buyer has agreed to, where prices have changed.
    pub confirm: String,
    pub email: String,
    /// [`NEW_ADDRESS`], or the number of a stored one.
    pub address: String,
    pub name: String,
    pub line1: String,
    pub line2: String,
    pub postal_code: String,
    pub city: String,
    pub region: String,
    pub country: String,
    pub pay: String,
}

/// A field that is wrong, by its name in the form, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub field: String,
    pub words: String,
}

impl Wrong {
    fn new(field: &str, words: impl Into<String>) -> Self {
        Self { field: field.to_owned(), words: words.into() }
    }
}

impl CheckoutForm {
    /// What the API would have been sent.
    ///
    /// # Errors
    /// The fields that are wrong.
    pub(super) fn checkout(&self, is_guest: bool) -> Result<NewCheckout, Vec<Wrong>> {
        let mut wrong = Vec::new();
        if is_guest && self.email.trim().is_empty() {
            let words = "Leave an e-mail address: your order is known by it.";
            wrong.push(Wrong::new("email", words));
        }
        let address_id = self.address.parse().ok().filter(|_| !is_guest);
        let (gateway, payment_method_id) = match self.pay.strip_prefix(CARD) {
            Some(id) => (GatewayName::Stripe, id.parse().ok()),
            None => (GatewayName::Manual, None),
        };
        let email = Some(self.email.trim().to_owned()).filter(|email| !email.is_empty());
        let checkout = NewCheckout {
            email,
            address: address_id.is_none().then(|| self.typed_address()),
            address_id,
            gateway,
            confirm_total_minor: self.confirm.parse().ok(),
            payment_method_id,
        };
        if let Err(report) = checkout.validate() {
            wrong.extend(report.iter().map(|(path, error)| {
                let path = path.to_string();
                let field = path.strip_prefix("address.").unwrap_or(&path);
                Wrong::new(field, in_words(field, error.message()))
            }));
        }
        if self.pay.starts_with(CARD) && payment_method_id.is_none() {
            wrong.push(Wrong::new("pay", "Choose how to pay."));
        }
        if wrong.is_empty() { Ok(checkout) } else { Err(wrong) }
    }

    fn typed_address(&self) -> Address {
        let text = |text: &str| text.trim().to_owned();
        Address {
            name: text(&self.name),
            line1: text(&self.line1),
            line2: text(&self.line2),
            postal_code: text(&self.postal_code),
            city: text(&self.city),
            region: text(&self.region),
            country: text(&self.country),
        }
    }
}

/// A rule's words as a sentence about a field.
fn in_words(field: &str, message: &str) -> String {
    match (field, message) {
        ("country", _) => "Choose a country.".to_owned(),
        (_, "must not be empty") => "Fill this in.".to_owned(),
        ("email", _) => format!("This is no e-mail address: it {message}."),
        (_, message) if message.starts_with("length") => "This is too long.".to_owned(),
        (_, message) => format!("This {message}."),
    }
}

/// The name of a stored card as a way to pay.
pub(super) fn card(id: i64) -> String {
    format!("{CARD}{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> CheckoutForm {
        let text = str::to_owned;
        CheckoutForm {
            basket: 1,
            email: text("ana@example.org"),
            name: text("Ana"),
            line1: text("Rillengasse 33"),
            city: text("Berlin"),
            country: text("DE"),
            pay: text(PAY_MANUALLY),
            ..CheckoutForm::default()
        }
    }

    fn wrong(form: &CheckoutForm, is_guest: bool) -> Vec<String> {
        let wrong = form.checkout(is_guest).err().unwrap_or_default();
        wrong.into_iter().map(|wrong| wrong.field).collect()
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        assert!(wrong(&typed(), true).is_empty());
        let none = CheckoutForm::default();
        let mut found = wrong(&none, true);
        found.sort();
        assert_eq!(found, ["city", "country", "email", "line1", "name"]);
        let stored = CheckoutForm { address: "7".to_owned(), ..CheckoutForm::default() };
        assert!(wrong(&stored, false).is_empty());
        let guest = CheckoutForm { email: "a@example.org".to_owned(), ..stored };
        assert_eq!(wrong(&guest, true).len(), 4, "a guest has no stored address");
        for (email, fine) in [("nobody", false), (" ana@example.org ", true)] {
            let form = CheckoutForm { email: email.to_owned(), ..typed() };
            assert_eq!(wrong(&form, true).is_empty(), fine, "{email}");
        }
        let card = CheckoutForm { pay: "card-x".to_owned(), ..typed() };
        assert_eq!(wrong(&card, false), ["pay"]);
        let paid = CheckoutForm { pay: super::card(5), ..typed() }.checkout(false).expect("fine");
        assert_eq!((paid.gateway, paid.payment_method_id), (GatewayName::Stripe, Some(5)));
    }
}
