//! Tax rates in the back office: listed, and set by class and country.

use runout_core::tax::{CLASS_DEFAULT, is_class};

use super::api::NewTaxRate;
use super::commands;
use super::queries::RateKey;
use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Column, Doing, EXTRAS, Fields, Input, InputKind, Offer, OfferKind, Show, Table, Writes,
    settled, take_text,
};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::{FieldError, Problem};

pub(crate) static TABLES: &[&Table] = &[&TAX_RATES];

/// Rates have no ids: class and country together name and order them, see
/// [`super::queries::TAX_RATES`].
static TAX_RATES: Table = Table {
    slug: "tax-rates",
    title: "Tax rates",
    one: "tax rate",
    about: "What is contained in prices, by class and country.",
    capability: Capability::Taxes,
    base: "tax_rate",
    alias: "t",
    is_small: true,
    has_page: false,
    list: Resource {
        name: "admin_tax_rates",
        fields: &[
            Field::new("name", "(t.tax_class || '/' || t.country)", Kind::Text).sortable(),
            Field::new("tax_class", "t.tax_class", Kind::Text),
            Field::new("country", "t.country", Kind::Text),
        ],
        id_sql: "length(t.country)",
        default_sort: "name",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("tax_class", "Class", Show::Text, "t.tax_class").sorts("name"),
        Column::new("country", "Country", Show::Text, "t.country"),
        Column::new("percent", "Percent", Show::Text, PERCENT),
        Column::new("updated_at", "Last change", Show::Time, "t.updated_at"),
    ],
    filters: &[
        Offer { field: "tax_class", label: "Class", kind: OfferKind::Value },
        Offer { field: "country", label: "Country", kind: OfferKind::Value },
    ],
    inputs: &[
        Input::new("tax_class", "Class", InputKind::Line, "").new_only().hint("standard, if empty"),
        Input::new("country", "Country", InputKind::Line, "")
            .new_only()
            .required()
            .hint("Two letters, such as DE."),
        Input::new("rate", "Percent", InputKind::Decimal, "")
            .new_only()
            .required()
            .hint("Such as 19 or 8.875; it takes the place of the present one. 0 is no tax."),
    ],
    writes: Writes { create: Some(set), change: None, delete: None },
    ..Table::BLANK
};

/// Parts per million as percent with four decimals.
const PERCENT: &str = "cast(t.rate_ppm / 10000 as text) || '.' || \
    substr(cast(10000 + t.rate_ppm % 10000 as text), 2)";

fn wrong(field: &str, words: &str) -> Problem {
    Problem::validation(vec![FieldError::new(format!("/{field}"), "invalid", words)])
}

fn set(clerk: Clerk, mut fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        // A rate that is there already is changed.
        clerk.session.require(Capability::Taxes, Verb::Change)?;
        let class = take_text(&mut fields, "tax_class").unwrap_or_else(|| CLASS_DEFAULT.to_owned());
        if !is_class(&class) {
            return Err(wrong("tax_class", "must be 1 to 64 lower-case letters, digits, - and _"));
        }
        let country = take_text(&mut fields, "country").unwrap_or_default().to_uppercase();
        let country = country.parse().map_err(|_| wrong("country", "is no country such as DE"))?;
        let new: NewTaxRate = valid(fields)?;
        let rate_ppm = new.ppm().map_err(|(field, words)| wrong(field, &words))?;
        let (key, app) = (RateKey { class, country }, &clerk.app);
        let outcome = commands::set(app, clerk.caller(), key, rate_ppm, IfMatch::Any).await?;
        settled(outcome, Problem::from).map(|_| super::ENTITY_ID)
    })
}
