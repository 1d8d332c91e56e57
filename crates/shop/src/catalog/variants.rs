//! Adding, changing and deleting variants of a product.

use runout_store::{Result, Rows, Statement};
use serde_json::json;

use super::input::{VariantPatch, VariantSpec};
use super::model::{Variant, changed};
use super::products::lock_product;
use super::queries::{Sight, View, assemble, product, product_of_variant};
use super::write::{
    after, first_id, generated_sku, make_prices, make_variant, skus_taken, store_variant, texts,
    touch_product,
};
use super::{Refused, VARIANTS_MAX, refused_by_constraint};
use crate::App;
use crate::catalog::sql::{DELETE_VARIANT, LOCK_PRODUCT_OF, UPDATE_VARIANT};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;
use crate::pricing::{self, RECORDS_PER_PRICE};

/// A variant to add.
pub struct CreateVariant {
    pub product_id: i64,
    pub spec: VariantSpec,
    /// For the answer's price.
    pub view: View,
    pub created_by: Option<i64>,
}

/// Adds a variant to a product.
///
/// # Errors
/// The database's.
pub async fn create(
    app: &App,
    caller: Caller,
    command: CreateVariant,
) -> Result<Outcome<Variant, Refused>> {
    refused_by_constraint(app.run(caller, command).await)
}

impl Command for CreateVariant {
    type Accepted = Variant;
    type Refused = Refused;
    const NAME: &'static str = "create_variant";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![
            lock_product(self.product_id),
            product(self.product_id, Sight::Staff, self.view),
            skus_taken(self.spec.sku.iter().cloned().collect()),
            next_ids("variant", 1),
            next_ids("price", self.spec.prices.len() as i64),
        ]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<Variant, Refused>> {
        let Some(product) = assemble(&loaded[1], self.view)? else {
            return Ok(Decision::Refuse(Refused::NoProduct));
        };
        if let Some(sku) = texts(&loaded[2])?.pop() {
            return Ok(Decision::Refuse(Refused::SkuTaken(sku)));
        }
        if product.variants.len() >= VARIANTS_MAX {
            return Ok(Decision::Refuse(Refused::TooManyVariants));
        }
        let id = first_id(&loaded[3])?;
        let made = || generated_sku(product.id, id, false);
        let sku = self.spec.sku.clone().unwrap_or_else(made);
        let variant = make_variant(&self.spec, sku, id, false, self.view);
        store_variant(changes, product.id, &variant);
        touch_product(changes, product.id);
        let first_price = first_id(&loaded[4])?;
        let mut ids = first_price..first_price + self.spec.prices.len() as i64;
        let prices = make_prices(&self.spec, id, &mut ids, changes, self.created_by);
        pricing::store(changes, &prices);
        Ok(Decision::Accept(variant))
    }

    fn records_max(&self) -> i64 {
        2 + RECORDS_PER_PRICE * self.spec.prices.len() as i64
    }
}

/// Changes of a variant.
pub struct UpdateVariant {
    pub id: i64,
    pub patch: VariantPatch,
    pub if_match: IfMatch,
    /// For the answer's price.
    pub view: View,
}

/// Changes a variant. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn update(
    app: &App,
    caller: Caller,
    command: UpdateVariant,
) -> Result<Outcome<Variant, Refused>> {
    refused_by_constraint(app.run(caller, command).await)
}

/// Locks the product and loads it with its variants.
fn load_product_of(variant_id: i64, view: View) -> Vec<Statement> {
    vec![
        Statement::new(&LOCK_PRODUCT_OF, vec![variant_id.into()]),
        product_of_variant(variant_id, Sight::Staff, view),
    ]
}

/// The product's id and the variant out of what [`load_product_of`] brought.
fn find(loaded: &[Rows], variant_id: i64, view: View) -> Result<Option<(i64, Variant)>> {
    let product = assemble(&loaded[1], view)?;
    Ok(product.and_then(|product| {
        let variant = product.variants.into_iter().find(|variant| variant.id == variant_id)?;
        Some((product.id, variant))
    }))
}

impl Command for UpdateVariant {
    type Accepted = Variant;
    type Refused = Refused;
    const NAME: &'static str = "update_variant";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let mut statements = load_product_of(self.id, self.view);
        statements.push(skus_taken(self.patch.sku.iter().cloned().collect()));
        statements
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<Variant, Refused>> {
        let Some((product_id, mut variant)) = find(loaded, self.id, self.view)? else {
            return Ok(Decision::Refuse(Refused::NoVariant));
        };
        if !self.if_match.allows(variant.version) {
            return Ok(Decision::Refuse(Refused::Changed));
        }
        let fields = self.patch.apply(&variant.fields);
        let diff = changed(&variant.fields, &fields);
        if diff.is_empty() {
            return Ok(Decision::Accept(variant));
        }
        if diff.contains_key("sku") && !loaded[2].is_empty() {
            return Ok(Decision::Refuse(Refused::SkuTaken(fields.sku)));
        }
        changes.store(Statement::new(
            &UPDATE_VARIANT,
            vec![
                self.id.into(),
                fields.sku.as_str().into(),
                fields.title.as_str().into(),
                fields.limit_per_order.into(),
                fields.limit_per_customer.into(),
                fields.hold_seconds.into(),
                changes.now.into(),
            ],
        ));
        touch_product(changes, product_id);
        changes.event("variant.updated", "variant", self.id, after(self.id, &diff));
        changes.audit("variant.update", "variant", self.id, diff.into());
        variant.fields = fields;
        variant.version += 1;
        Ok(Decision::Accept(variant))
    }
}

/// Deletes a variant softly. The default variant stays as long as its product does.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
    view: View,
) -> Result<Outcome<(), Refused>> {
    app.run(caller, DeleteVariant { id, if_match, view }).await
}

struct DeleteVariant {
    id: i64,
    if_match: IfMatch,
    view: View,
}

impl Command for DeleteVariant {
    type Accepted = ();
    type Refused = Refused;
    const NAME: &'static str = "delete_variant";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        load_product_of(self.id, self.view)
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<(), Refused>> {
        let Some((product_id, variant)) = find(loaded, self.id, self.view)? else {
            return Ok(Decision::Refuse(Refused::NoVariant));
        };
        if !self.if_match.allows(variant.version) {
            return Ok(Decision::Refuse(Refused::Changed));
        }
        if variant.is_default {
            return Ok(Decision::Refuse(Refused::DefaultVariant));
        }
        let now = changes.now;
        changes.store(Statement::new(&DELETE_VARIANT, vec![self.id.into(), now.into()]));
        touch_product(changes, product_id);
        let payload = json!({ "id": self.id, "product_id": product_id });
        changes.event("variant.deleted", "variant", self.id, payload);
        changes.audit("variant.delete", "variant", self.id, json!({ "deleted_at": [null, now] }));
        Ok(Decision::Accept(()))
    }
}
