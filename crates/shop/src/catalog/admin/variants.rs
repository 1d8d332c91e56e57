//! Variants in the back office.

use runout_store::{Composer, Engine};

use super::products::take_price;
use crate::accounts::Capability;
use crate::admin::Clerk;
use crate::admin::table::{
    Column, Doing, EXTRAS, Fields, Found, Inline, Input, InputKind, Of, Offer, OfferKind, Path,
    Search, Show, Table, Writes, settled, take_id,
};
use crate::catalog::input::{NewVariant, VariantPatch};
use crate::catalog::variants::{self, CreateVariant, UpdateVariant};
use crate::catalog::{refused, view::view};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

pub(super) static VARIANTS: Table = Table {
    slug: "variants",
    title: "Variants",
    one: "variant",
    about: "The forms of a product, each with its SKU.",
    capability: Capability::Catalog,
    base: "variant",
    alias: "v",
    live: "v.deleted_at is null",
    list: Resource {
        name: "admin_variants",
        fields: &[
            Field::new("id", "v.id", Kind::Id),
            Field::new("product_id", "v.product_id", Kind::Id),
            Field::new("sku", "v.sku", Kind::Text).sortable(),
            Field::new("title", "v.title", Kind::Text),
            Field::new("is_default", "v.is_default", Kind::Bool),
        ],
        id_sql: "v.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("sku", "SKU", Show::Text, "v.sku").sorts("sku"),
        Column::new(
            "product",
            "Product",
            Show::Link("products"),
            "(select x.title from product x where x.id = v.product_id)",
        )
        .also("v.product_id"),
        Column::new("is_default", "Default", Show::Bool, "v.is_default"),
        Column::new("on_hand", "On hand", Show::Int, ON_HAND),
        Column::new("reserved", "Reserved", Show::Int, RESERVED),
    ],
    details: &[
        Column::new("title", "Title", Show::Text, "v.title"),
        Column::new("limit_per_order", "Limit per order", Show::Int, "v.limit_per_order"),
        Column::new("limit_per_customer", "Limit per customer", Show::Int, "v.limit_per_customer"),
        Column::new("hold_seconds", "Seconds of a hold", Show::Int, "v.hold_seconds"),
        Column::new("created_at", "Added", Show::Time, "v.created_at"),
        Column::new("updated_at", "Last change", Show::Time, "v.updated_at"),
    ],
    filters: &[
        Offer { field: "product_id", label: "Product's number", kind: OfferKind::Value },
        Offer { field: "is_default", label: "Default", kind: OfferKind::YesNo },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["product_id"], sort: "-id", few: true },
    ],
    search: Some(Search { hint: "How a SKU begins.", find: sku }),
    entity: Some("variant"),
    version: Some("v.version"),
    inputs: &[
        Input::new("product_id", "Product", InputKind::Reference("products"), "")
            .new_only()
            .required(),
        Input::new("sku", "SKU", InputKind::Line, "v.sku"),
        Input::new("title", "Title", InputKind::Line, "v.title"),
        Input::new("limit_per_order", "Limit per order", InputKind::Int, "v.limit_per_order"),
        Input::new(
            "limit_per_customer",
            "Limit per customer",
            InputKind::Int,
            "v.limit_per_customer",
        ),
        Input::new("hold_seconds", "Seconds of a hold", InputKind::Int, "v.hold_seconds"),
        Input::new("price", "Price", InputKind::Decimal, "").new_only().hint("Such as 12.50"),
        Input::new("currency", "Currency", InputKind::Line, "")
            .new_only()
            .hint("The shop's, if empty."),
    ],
    writes: Writes { create: Some(create), change: Some(change), delete: Some(delete) },
    inlines: &[
        Inline { title: "Prices", table: "prices", of: Of::Field("variant_id"), editable: true },
        Inline { title: "Stock", table: "levels", of: Of::Field("variant_id"), editable: false },
    ],
    ..Table::BLANK
};

const ON_HAND: &str = "(select cast(coalesce(sum(l.on_hand), 0) as bigint) from stock_level l \
    where l.variant_id = v.id)";
const RESERVED: &str = "(select cast(coalesce(sum(l.reserved), 0) as bigint) from stock_level l \
    where l.variant_id = v.id)";

fn sku(text: &str) -> Found {
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and v.sku >= ").bind(text);
        sql.push(" and v.sku < ").bind(format!("{text}\u{10FFFF}"));
    };
    Found { compose, text: text.to_owned(), sort: Some("sku"), few: false }
}

fn create(clerk: Clerk, mut fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let product_id = take_id(&mut fields, "product_id")?;
        if let Some(price) = take_price(&clerk, &mut fields) {
            fields.insert("prices".to_owned(), vec![price].into());
        }
        let new: NewVariant = valid(fields)?;
        let command = CreateVariant {
            product_id,
            spec: new.spec(),
            view: view(&clerk.app, None)?,
            created_by: Some(clerk.account_id()),
        };
        let outcome = variants::create(&clerk.app, clerk.caller(), command).await?;
        settled(outcome, refused).map(|variant| variant.id)
    })
}

fn change(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let patch: VariantPatch = valid(fields)?;
        let command = UpdateVariant { id, patch, if_match, view: view(&clerk.app, None)? };
        let outcome = variants::update(&clerk.app, clerk.caller(), command).await?;
        settled(outcome, refused).map(drop)
    })
}

fn delete(clerk: Clerk, id: i64, if_match: IfMatch) -> Doing<()> {
    Box::pin(async move {
        let view = view(&clerk.app, None)?;
        let outcome = variants::delete(&clerk.app, clerk.caller(), id, if_match, view).await?;
        settled(outcome, refused)
    })
}
