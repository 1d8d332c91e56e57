//! Storing products and variants: bulk statements with their events and audit rows.

use runout_store::{Result, Rows, Statement, Value};
use serde_json::{Map, json};

use super::input::VariantSpec;
use super::model::{Product, ProductFields, Variant, VariantFields, all_new, object};
use super::queries::View;
use crate::catalog::sql::{
    SKUS_TAKEN, STORE_PRODUCTS, STORE_VARIANTS, TOUCH_PRODUCT, UPDATE_PRODUCT,
};
use crate::platform::command::{Changes, columns};
use crate::pricing::{self, Price, PriceTag};

/// Which of these SKUs any variant has or had: a SKU is never given twice.
pub(super) fn skus_taken(skus: Vec<String>) -> Statement {
    Statement::new(&SKUS_TAKEN, vec![skus.into()])
}

/// The texts of the first column.
pub(super) fn texts(rows: &Rows) -> Result<Vec<String>> {
    rows.map(|row| row.get(0))
}

/// Reads the answer of [`next_ids`](crate::platform::command::next_ids).
pub(super) fn first_id(rows: &Rows) -> Result<i64> {
    rows.first().expect("every sequence has its row").get(0)
}

/// The SKU of a variant that was given none: `R-7` for the default variant of product 7, `R-7-12`
/// for others and where `R-7` is taken.
pub(super) fn generated_sku(product_id: i64, variant_id: i64, short: bool) -> String {
    if short { format!("R-{product_id}") } else { format!("R-{product_id}-{variant_id}") }
}

/// A new product as it will be stored.
pub(super) struct NewRow<'a> {
    pub product: &'a Product,
    pub import_key: Option<&'a str>,
}

fn column_values(fields: &ProductFields) -> [Value; 12] {
    [
        fields.kind.name().into(),
        fields.title.as_str().into(),
        fields.artist.as_str().into(),
        fields.release_year.into(),
        fields.style.as_str().into(),
        fields.label.as_str().into(),
        fields.catalogue_number.as_str().into(),
        fields.description.as_str().into(),
        fields.attributes.text().into(),
        fields.enabled.into(),
        fields.release_at.into(),
        fields.tax_class.as_str().into(),
    ]
}

/// Stores new products with their variants, which must be there already: 2 records per product and
/// 1 per variant.
pub(super) fn store_products(changes: &mut Changes, rows: &[NewRow<'_>]) {
    let row = |row: &NewRow<'_>| {
        let Product { id, fields, created_at, .. } = row.product;
        let mut values = vec![Value::from(*id)];
        values.extend(column_values(fields));
        values.push(row.import_key.into());
        values.extend([fields.search_text().into(), (*created_at).into()]);
        values
    };
    let values = columns(rows.iter().map(row).collect(), 16);
    changes.store(Statement::bulk(&STORE_PRODUCTS, values));
    let variants =
        rows.iter().flat_map(|row| row.product.variants.iter().map(|v| (row.product.id, v)));
    store_variant_rows(changes, variants);
    for NewRow { product, .. } in rows {
        let mut payload = object(&product.fields);
        let skus: Vec<_> = product
            .variants
            .iter()
            .map(|variant| {
                let mut payload = object(&variant.fields);
                payload.insert("id".to_owned(), variant.id.into());
                payload
            })
            .collect();
        payload.insert("id".to_owned(), product.id.into());
        payload.insert("variants".to_owned(), json!(skus));
        changes.event("product.created", "product", product.id, payload.into());
        changes.audit("product.create", "product", product.id, all_new(&product.fields).into());
        for variant in &product.variants {
            audit_new_variant(changes, product.id, variant);
        }
    }
}

fn store_variant_rows<'a>(
    changes: &mut Changes,
    variants: impl Iterator<Item = (i64, &'a Variant)>,
) {
    let now = changes.now;
    let row = |(product_id, variant): (i64, &Variant)| {
        let VariantFields { sku, title, limit_per_order, limit_per_customer, hold_seconds } =
            &variant.fields;
        vec![
            variant.id.into(),
            product_id.into(),
            sku.as_str().into(),
            title.as_str().into(),
            variant.is_default.into(),
            (*limit_per_order).into(),
            (*limit_per_customer).into(),
            (*hold_seconds).into(),
            now.into(),
        ]
    };
    let values = columns(variants.map(row).collect(), 9);
    changes.store(Statement::bulk(&STORE_VARIANTS, values));
}

fn audit_new_variant(changes: &mut Changes, product_id: i64, variant: &Variant) {
    let mut made = all_new(&variant.fields);
    made.insert("product_id".to_owned(), json!([null, product_id]));
    changes.audit("variant.create", "variant", variant.id, made.into());
}

/// Stores one more variant of a product: 2 records.
pub(super) fn store_variant(changes: &mut Changes, product_id: i64, variant: &Variant) {
    store_variant_rows(changes, std::iter::once((product_id, variant)));
    let mut payload = object(&variant.fields);
    payload.insert("id".to_owned(), variant.id.into());
    payload.insert("product_id".to_owned(), product_id.into());
    changes.event("variant.created", "variant", variant.id, payload.into());
    audit_new_variant(changes, product_id, variant);
}

/// Stores the changed fields of a product: 2 records. `diff` is what differs.
pub(super) fn update_product(
    changes: &mut Changes,
    id: i64,
    fields: &ProductFields,
    diff: Map<String, serde_json::Value>,
) {
    let mut values = vec![Value::from(id)];
    values.extend(column_values(fields));
    values.extend([fields.search_text().into(), changes.now.into()]);
    changes.store(Statement::new(&UPDATE_PRODUCT, values));
    changes.event("product.updated", "product", id, after(id, &diff));
    changes.audit("product.update", "product", id, diff.into());
}

/// Notes that a product's answer has changed with one of its variants.
pub(super) fn touch_product(changes: &mut Changes, id: i64) {
    changes.store(Statement::new(&TOUCH_PRODUCT, vec![id.into(), changes.now.into()]));
}

/// An event's payload: the id, and the new values of what changed.
pub(super) fn after(id: i64, diff: &Map<String, serde_json::Value>) -> serde_json::Value {
    let mut payload: Map<String, serde_json::Value> =
        diff.iter().map(|(name, pair)| (name.clone(), pair[1].clone())).collect();
    payload.insert("id".to_owned(), id.into());
    payload.into()
}

/// Makes a variant and its prices out of what was asked for.
pub(super) fn make_variant(
    spec: &VariantSpec,
    sku: String,
    id: i64,
    is_default: bool,
    view: View,
) -> Variant {
    Variant {
        id,
        fields: VariantFields {
            sku,
            title: spec.title.clone(),
            limit_per_order: spec.limit_per_order,
            limit_per_customer: spec.limit_per_customer,
            hold_seconds: spec.hold_seconds,
        },
        price: price_now(spec, view),
        available: 0,
        is_default,
        version: 1,
    }
}

/// Of the prices that come with a new variant, the one that counts at once.
fn price_now(spec: &VariantSpec, view: View) -> Option<PriceTag> {
    let effective = |price: &&pricing::PriceSpec| {
        let from = price.effective_from.unwrap_or(view.now);
        price.money.currency == view.currency && from <= view.now
    };
    let newest = spec
        .prices
        .iter()
        .filter(effective)
        .max_by_key(|price| price.effective_from.unwrap_or(view.now));
    newest.map(|price| price.money.into())
}

/// Gives the prices of a new variant their ids, taken from `ids`.
pub(super) fn make_prices(
    spec: &VariantSpec,
    variant_id: i64,
    ids: &mut impl Iterator<Item = i64>,
    changes: &Changes,
    created_by: Option<i64>,
) -> Vec<Price> {
    let made = |price: &pricing::PriceSpec| Price {
        id: ids.next().expect("an id was taken for every price"),
        variant_id,
        tag: price.money.into(),
        effective_from: price.effective_from.unwrap_or(changes.now),
        created_at: changes.now,
        created_by,
    };
    spec.prices.iter().map(made).collect()
}
