//! Cells as pages show them and as exports write them.

use jiff::Timestamp;

use super::queries::Cell;
use super::table::{Column, Show};

/// A cell on a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    pub text: String,
    /// A class for the look: `number`, `badge`, ...
    pub class: &'static str,
    /// Where it leads.
    pub href: Option<String>,
    /// The moment, for machines.
    pub datetime: Option<String>,
}

/// A moment in UTC as pages show it: `2026-11-21 14:05`.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// The page of a row.
pub fn row_path(slug: &str, id: i64) -> String {
    format!("/admin/{slug}/{id}/")
}

impl Shown {
    pub fn new(column: &Column, cell: &Cell) -> Self {
        let text = |text: String, class| Self { text, class, ..Self::default() };
        match cell {
            Cell::Nothing => text(String::new(), "none"),
            Cell::Text(value) if value.is_empty() => text(String::new(), "none"),
            Cell::Text(value) => match column.show {
                Show::Badge => text(value.clone(), "badge"),
                Show::Long => text(value.clone(), "long"),
                Show::Json => text(value.clone(), "code"),
                _ => text(value.clone(), ""),
            },
            Cell::Int(value) => text(value.to_string(), "number"),
            Cell::Bool(value) => text(if *value { "yes" } else { "no" }.to_owned(), "bool"),
            Cell::Time(at) => Self { datetime: Some(at.to_string()), ..text(moment(*at), "time") },
            Cell::Money(money) => text(format!("{money} {}", money.currency.code()), "number"),
            Cell::Link(label, id) => match column.show {
                Show::Link(slug) => {
                    Self { href: Some(row_path(slug, *id)), ..text(label.clone(), "") }
                }
                _ => text(label.clone(), ""),
            },
        }
    }

    /// The class of a cell that numbers stand in.
    pub fn is_number(&self) -> bool {
        self.class == "number"
    }
}
