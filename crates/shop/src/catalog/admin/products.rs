//! Products in the back office.

use runout_store::{Composer, Engine};
use serde_json::json;

use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Inline, Input, InputKind, Of, Offer, OfferKind,
    Path, Search, Show, Table, Work, Writes, settled, take_text,
};
use crate::catalog::input::{NewProduct, ProductPatch};
use crate::catalog::products::{self, CreateProduct, UpdateProduct};
use crate::catalog::search::Query;
use crate::catalog::{refused, view::view};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

const KINDS: &[&str] = &["disc", "ticket", "merch", "other"];

pub(super) static PRODUCTS: Table = Table {
    slug: "products",
    title: "Products",
    one: "product",
    about: "What is sold, with its variants and prices.",
    capability: Capability::Catalog,
    base: "product",
    alias: "p",
    live: "p.deleted_at is null",
    list: Resource {
        name: "admin_products",
        fields: &[
            Field::new("id", "p.id", Kind::Id),
            Field::new("kind", "p.kind", Kind::Choice(KINDS)),
            Field::new("title", "p.title", Kind::Text).sortable(),
            Field::new("artist", "p.artist", Kind::Text).sortable(),
            Field::new("release_year", "p.release_year", Kind::Int),
            Field::new("style", "p.style", Kind::Text),
            Field::new("label", "p.label", Kind::Text),
            Field::new("catalogue_number", "p.catalogue_number", Kind::Text),
            Field::new("enabled", "p.enabled", Kind::Bool),
            Field::new("release_at", "p.release_at", Kind::Time),
            Field::new("created_at", "p.created_at", Kind::Time).sortable(),
            Field::new("tax_class", "p.tax_class", Kind::Text),
        ],
        id_sql: "p.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: COLUMNS,
    details: &[
        Column::new("catalogue_number", "Catalogue number", Show::Text, "p.catalogue_number"),
        Column::new("release_at", "Released", Show::Time, "p.release_at"),
        Column::new("tax_class", "Tax class", Show::Text, "p.tax_class"),
        Column::new("updated_at", "Last change", Show::Time, "p.updated_at"),
    ],
    filters: &[
        Offer { field: "kind", label: "Kind", kind: OfferKind::Choice(KINDS) },
        Offer { field: "enabled", label: "Enabled", kind: OfferKind::YesNo },
        Offer { field: "artist", label: "Artist", kind: OfferKind::Value },
        Offer { field: "style", label: "Style", kind: OfferKind::Value },
        Offer { field: "label", label: "Label", kind: OfferKind::Value },
        Offer { field: "release_year", label: "Year", kind: OfferKind::Value },
        Offer { field: "created_at", label: "Added", kind: OfferKind::Period },
    ],
    paths: PATHS,
    search: Some(Search { hint: "Words of title, artist, style or label.", find: words }),
    entity: Some("product"),
    version: Some("p.version"),
    inputs: INPUTS,
    writes: Writes { create: Some(create), change: Some(change), delete: Some(delete) },
    inlines: &[
        Inline {
            title: "Variants",
            table: "variants",
            of: Of::Field("product_id"),
            editable: true,
        },
        Inline { title: "Prices", table: "prices", of: Of::Condition(prices_of), editable: true },
        Inline { title: "Stock", table: "levels", of: Of::Condition(levels_of), editable: false },
    ],
    actions: &[
        Action {
            name: "enable",
            label: "Enable",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "enabled", to: Some("true") },
        },
        Action {
            name: "disable",
            label: "Disable",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "enabled", to: Some("false") },
        },
        Action {
            name: "style",
            label: "Set the style",
            verb: Verb::Change,
            inputs: &[Input::new("style", "Style", InputKind::Line, "")],
            work: Work::Set { field: "style", to: None },
        },
        crate::pricing::admin::CHANGE_PRICES,
    ],
    ..Table::BLANK
};

const COLUMNS: &[Column] = &[
    Column::new("title", "Title", Show::Text, "p.title").sorts("title"),
    Column::new("artist", "Artist", Show::Text, "p.artist").sorts("artist"),
    Column::new("kind", "Kind", Show::Badge, "p.kind"),
    Column::new("release_year", "Year", Show::Int, "p.release_year"),
    Column::new("style", "Style", Show::Text, "p.style"),
    Column::new("label", "Label", Show::Text, "p.label"),
    Column::new("enabled", "Enabled", Show::Bool, "p.enabled"),
    Column::new("free", "Free stock", Show::Int, FREE),
    Column::new("created_at", "Added", Show::Time, "p.created_at").sorts("created_at"),
];

const PATHS: &[Path] = &[
    Path { fields: &["id"], sort: "-id", few: true },
    Path { fields: &["artist"], sort: "-id", few: false },
    Path { fields: &["style"], sort: "-id", few: false },
    Path { fields: &["label"], sort: "-id", few: false },
    Path { fields: &["release_year"], sort: "-id", few: false },
    Path { fields: &["kind"], sort: "-id", few: false },
    Path { fields: &["enabled"], sort: "-id", few: false },
];

const INPUTS: &[Input] = &[
    Input::new("kind", "Kind", InputKind::Choice(KINDS), "p.kind"),
    Input::new("title", "Title", InputKind::Line, "p.title").required(),
    Input::new("artist", "Artist", InputKind::Line, "p.artist"),
    Input::new("release_year", "Year", InputKind::Int, "p.release_year"),
    Input::new("style", "Style", InputKind::Line, "p.style"),
    Input::new("label", "Label", InputKind::Line, "p.label"),
    Input::new("catalogue_number", "Catalogue number", InputKind::Line, "p.catalogue_number"),
    Input::new("description", "Description", InputKind::Long, "p.description"),
    Input::new("attributes", "Attributes", InputKind::Json, "p.attributes")
        .hint("A JSON object of whatever is worth noting."),
    Input::new("enabled", "Enabled", InputKind::Bool, "p.enabled")
        .hint("Only staff see a product that is not enabled."),
    Input::new("release_at", "Released at", InputKind::Moment, "p.release_at")
        .hint("UTC. Orders before this moment are refused."),
    Input::new("tax_class", "Tax class", InputKind::Line, "p.tax_class").hint("standard, if empty"),
    Input::new("sku", "SKU", InputKind::Line, "")
        .new_only()
        .hint("Of the default variant; made from the number, if empty."),
    Input::new("price", "Price", InputKind::Decimal, "").new_only().hint("Such as 12.50"),
    Input::new("currency", "Currency", InputKind::Line, "")
        .new_only()
        .hint("The shop's, if empty."),
];

/// What of all variants can be sold now.
const FREE: &str = "(select cast(coalesce(sum(l.on_hand - l.reserved), 0) as bigint) \
    from variant s join stock_level l on l.variant_id = s.id join location o on o.id = l.location_id \
    where s.product_id = p.id and s.deleted_at is null and o.active)";

fn words(text: &str) -> Found {
    let compose = |sql: &mut Composer, engine: Engine, text: &str| {
        let query = Query::new(text);
        if query.is_empty() {
            // No product has this id: found by its key, unlike a condition that is never true.
            sql.push(" and p.id = 0");
            return;
        }
        sql.push_each(
            " and p.id in (select f.rowid from product_search f where product_search match ",
            " and p.search @@ cast(",
        );
        sql.bind(match engine {
            Engine::Sqlite => query.fts5(),
            Engine::Postgres => query.tsquery(),
        });
        sql.push_each(")", " as text)::tsquery");
    };
    Found { compose, text: text.to_owned(), sort: None, few: true }
}

fn prices_of(sql: &mut Composer, _: Engine, id: &str) {
    sql.push(" and c.variant_id in (select s.id from variant s where s.deleted_at is null");
    sql.push(" and s.product_id = ").bind(id.parse::<i64>().unwrap_or(0)).push(")");
}

fn levels_of(sql: &mut Composer, _: Engine, id: &str) {
    sql.push(" and l.variant_id in (select s.id from variant s where s.deleted_at is null");
    sql.push(" and s.product_id = ").bind(id.parse::<i64>().unwrap_or(0)).push(")");
}

/// Makes the API's `price` of a form's `price` and `currency`.
pub(super) fn take_price(clerk: &Clerk, fields: &mut Fields) -> Option<serde_json::Value> {
    let currency = take_text(fields, "currency");
    let amount = take_text(fields, "price")?;
    let currency = currency.unwrap_or_else(|| clerk.app.currency.code().to_owned());
    Some(json!({ "currency": currency, "amount": amount }))
}

fn create(clerk: Clerk, mut fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        if let Some(price) = take_price(&clerk, &mut fields) {
            fields.insert("price".to_owned(), price);
        }
        let new: NewProduct = valid(fields)?;
        let command = CreateProduct {
            fields: new.fields(),
            variants: new.variants(),
            view: view(&clerk.app, None)?,
            created_by: Some(clerk.account_id()),
        };
        let outcome = products::create(&clerk.app, clerk.caller(), command).await?;
        settled(outcome, refused).map(|product| product.id)
    })
}

fn change(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let patch: ProductPatch = valid(fields)?;
        let command = UpdateProduct { id, patch, if_match, view: view(&clerk.app, None)? };
        let outcome = products::update(&clerk.app, clerk.caller(), command).await?;
        settled(outcome, refused).map(drop)
    })
}

fn delete(clerk: Clerk, id: i64, if_match: IfMatch) -> Doing<()> {
    Box::pin(async move {
        let outcome = products::delete(&clerk.app, clerk.caller(), id, if_match).await?;
        settled(outcome, refused)
    })
}
