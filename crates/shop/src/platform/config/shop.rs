//! The section about the shop itself: what pages and invoices say, what staff must do.

use serde::Deserialize;

/// Who sells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shop {
    /// What the shop is called.
    pub name: String,
    /// The seller's postal address, for invoices; one line each.
    pub address: Vec<String>,
    /// The seller's tax number, for invoices.
    pub tax_number: String,
    /// Where customers write to.
    pub email: String,
    /// Staff must have a second factor to get into the back office.
    pub staff_second_factor: bool,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            name: "Runout".to_owned(),
            address: Vec::new(),
            tax_number: String::new(),
            email: String::new(),
            staff_second_factor: false,
        }
    }
}
