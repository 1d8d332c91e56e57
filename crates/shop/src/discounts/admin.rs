//! Discounts in the back office.

use runout_store::{Composer, Engine};

use super::commands;
use super::input::{DiscountPatch, NewDiscount};
use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Input, InputKind, Offer, OfferKind, Path, Search,
    Show, Table, Work, Writes, settled,
};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;

pub(crate) static TABLES: &[&Table] = &[&DISCOUNTS];

static DISCOUNTS: Table = Table {
    slug: "discounts",
    title: "Discounts",
    one: "discount",
    about: "Codes that take something off.",
    capability: Capability::Discounts,
    base: "discount",
    alias: "d",
    list: Resource {
        name: "admin_discounts",
        fields: &[
            Field::new("id", "d.id", Kind::Id),
            Field::new("code_key", "d.code_key", Kind::Text),
            Field::new("active", "d.active", Kind::Bool),
            Field::new("ends_at", "d.ends_at", Kind::Time),
            Field::new("created_at", "d.created_at", Kind::Time),
        ],
        id_sql: "d.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("code", "Code", Show::Text, "d.code"),
        Column::new("percent_bp", "Hundredths of a percent", Show::Int, "d.percent_bp"),
        Column::new("amount", "Amount", Show::Money, "d.amount_minor").also("d.currency"),
        Column::new("active", "Active", Show::Bool, "d.active"),
        Column::new("starts_at", "From", Show::Time, "d.starts_at"),
        Column::new("ends_at", "Until", Show::Time, "d.ends_at"),
        Column::new("uses", "Uses", Show::Int, "d.uses"),
        Column::new("uses_max", "At most", Show::Int, "d.uses_max"),
    ],
    details: &[
        Column::new("per_customer", "Per customer", Show::Int, "d.uses_per_customer_max"),
        Column::new("created_at", "Added", Show::Time, "d.created_at"),
        Column::new("updated_at", "Last change", Show::Time, "d.updated_at"),
    ],
    filters: &[
        Offer { field: "active", label: "Active", kind: OfferKind::YesNo },
        Offer { field: "ends_at", label: "Ends", kind: OfferKind::Period },
        Offer { field: "created_at", label: "Added", kind: OfferKind::Period },
    ],
    paths: &[Path { fields: &["id"], sort: "-id", few: true }],
    search: Some(Search { hint: "A code.", find: code }),
    entity: Some("discount"),
    version: Some("d.version"),
    inputs: &[
        Input::new("code", "Code", InputKind::Line, "d.code").required(),
        Input::new("percent", "Percent", InputKind::Hundredths, "d.percent_bp")
            .hint("Such as 12.5; or else currency and amount."),
        Input::new("currency", "Currency", InputKind::Line, "d.currency"),
        Input::new("amount", "Amount", InputKind::Decimal, "").new_only().hint("Such as 5.00"),
        Input::new("amount_minor", "Amount in the smallest coin", InputKind::Int, "d.amount_minor")
            .edit_only(),
        Input::new("active", "Active", InputKind::Bool, "d.active"),
        Input::new("starts_at", "From", InputKind::Moment, "d.starts_at").hint("UTC"),
        Input::new("ends_at", "Until", InputKind::Moment, "d.ends_at").hint("UTC"),
        Input::new("uses_max", "Uses at most", InputKind::Int, "d.uses_max"),
        Input::new(
            "uses_per_customer_max",
            "Uses per customer at most",
            InputKind::Int,
            "d.uses_per_customer_max",
        ),
    ],
    writes: Writes { create: Some(create), change: Some(change), delete: None },
    actions: &[
        Action {
            name: "deactivate",
            label: "Switch off",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "active", to: Some("false") },
        },
        Action {
            name: "activate",
            label: "Switch on",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "active", to: Some("true") },
        },
    ],
    ..Table::BLANK
};

fn code(text: &str) -> Found {
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        _ = sql.push(" and d.code_key = ").bind(text);
    };
    Found { compose, text: text.to_uppercase(), sort: None, few: true }
}

fn create(clerk: Clerk, fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let new: NewDiscount = valid(fields)?;
        let outcome = commands::add(&clerk.app, clerk.caller(), new.terms()).await?;
        settled(outcome, Problem::from).map(|discount| discount.id)
    })
}

fn change(clerk: Clerk, id: i64, if_match: IfMatch, mut fields: Fields) -> Doing<()> {
    Box::pin(async move {
        // One of share and amount is emptied when the other takes its place: that goes unsaid.
        for (name, other) in
            [("percent", "amount_minor"), ("amount_minor", "percent"), ("currency", "percent")]
        {
            let replaced = fields.get(other).is_some_and(|value| !value.is_null());
            if replaced && fields.get(name).is_some_and(serde_json::Value::is_null) {
                fields.remove(name);
            }
        }
        let patch: DiscountPatch = valid(fields)?;
        let outcome = commands::change(&clerk.app, clerk.caller(), id, patch, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}
