//! Adding, changing and deleting products.

use runout_store::{Result, Rows, Statement};
use serde_json::json;

use super::input::{ProductPatch, VariantSpec};
use super::model::{Product, ProductFields, changed};
use super::queries::{Sight, View, assemble, product};
use super::write::{
    NewRow, first_id, generated_sku, make_prices, make_variant, skus_taken, store_products, texts,
    update_product,
};
use super::{Refused, refused_by_constraint};
use crate::App;
use crate::catalog::sql::{DELETE_PRODUCT, LOCK_PRODUCT};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;
use crate::pricing::{self, RECORDS_PER_PRICE};

/// Locks a live product; its row holds the version.
pub(super) fn lock_product(id: i64) -> Statement {
    Statement::new(&LOCK_PRODUCT, vec![id.into()])
}

/// A product to add.
pub struct CreateProduct {
    pub fields: ProductFields,
    /// At least one; the first is the default.
    pub variants: Vec<VariantSpec>,
    /// For the answer's prices.
    pub view: View,
    pub created_by: Option<i64>,
}

/// Adds a product with its variants and prices.
///
/// # Errors
/// The database's.
pub async fn create(
    app: &App,
    caller: Caller,
    command: CreateProduct,
) -> Result<Outcome<Product, Refused>> {
    refused_by_constraint(app.run(caller, command).await)
}

impl CreateProduct {
    fn prices(&self) -> i64 {
        self.variants.iter().map(|variant| variant.prices.len() as i64).sum()
    }

    /// The SKUs that will be made, and what to take where one is gone.
    fn generated(&self, product_id: i64, variant_id: i64) -> Vec<(String, String)> {
        let made = |(number, _): (usize, &VariantSpec)| {
            let long = generated_sku(product_id, variant_id + number as i64, false);
            (generated_sku(product_id, 0, true), long)
        };
        let mut skus: Vec<_> = self.variants.iter().enumerate().map(made).collect();
        for (short, long) in skus.iter_mut().skip(1) {
            short.clone_from(long);
        }
        skus
    }
}

impl Command for CreateProduct {
    type Accepted = Product;
    type Refused = Refused;
    const NAME: &'static str = "create_product";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let given = self.variants.iter().filter_map(|variant| variant.sku.clone()).collect();
        vec![
            skus_taken(given),
            next_ids("product", 1),
            next_ids("variant", self.variants.len() as i64),
            next_ids("price", self.prices()),
        ]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<Product, Refused>> {
        if let Some(sku) = texts(&loaded[0])?.pop() {
            return Ok(Decision::Refuse(Refused::SkuTaken(sku)));
        }
        let (id, variant_id) = (first_id(&loaded[1])?, first_id(&loaded[2])?);
        let generated = self.generated(id, variant_id);
        let Some(taken) = loaded.get(4) else {
            // Somebody may have given out by hand what would be made now.
            let asked = generated.iter().map(|(short, _)| short.clone()).collect();
            return Ok(Decision::Load(vec![skus_taken(asked)]));
        };
        let taken = texts(taken)?;
        let mut made = Product::new(id, self.fields.clone(), changes.now);
        let first_price = first_id(&loaded[3])?;
        let mut price_ids = first_price..first_price + self.prices();
        let mut prices = Vec::new();
        for ((number, spec), (short, long)) in self.variants.iter().enumerate().zip(generated) {
            let variant_id = variant_id + number as i64;
            let free = if taken.contains(&short) { long } else { short };
            let sku = spec.sku.clone().unwrap_or(free);
            made.variants.push(make_variant(spec, sku, variant_id, number == 0, self.view));
            prices.extend(make_prices(spec, variant_id, &mut price_ids, changes, self.created_by));
        }
        store_products(changes, &[NewRow { product: &made, import_key: None }]);
        pricing::store(changes, &prices);
        Ok(Decision::Accept(made))
    }

    fn records_max(&self) -> i64 {
        2 + self.variants.len() as i64 + RECORDS_PER_PRICE * self.prices()
    }
}

/// Changes of a product.
pub struct UpdateProduct {
    pub id: i64,
    pub patch: ProductPatch,
    pub if_match: IfMatch,
    /// For the answer's prices.
    pub view: View,
}

/// Changes a product. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn update(
    app: &App,
    caller: Caller,
    command: UpdateProduct,
) -> Result<Outcome<Product, Refused>> {
    app.run(caller, command).await
}

impl Command for UpdateProduct {
    type Accepted = Product;
    type Refused = Refused;
    const NAME: &'static str = "update_product";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![lock_product(self.id), product(self.id, Sight::Staff, self.view)]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<Product, Refused>> {
        let Some(mut product) = assemble(&loaded[1], self.view)? else {
            return Ok(Decision::Refuse(Refused::NoProduct));
        };
        if !self.if_match.allows(product.version) {
            return Ok(Decision::Refuse(Refused::Changed));
        }
        let after = self.patch.apply(&product.fields);
        let diff = changed(&product.fields, &after);
        if diff.is_empty() {
            return Ok(Decision::Accept(product));
        }
        update_product(changes, self.id, &after, diff);
        product.fields = after;
        product.version += 1;
        product.updated_at = changes.now;
        Ok(Decision::Accept(product))
    }
}

/// Deletes a product softly: its sales stay, its variants can no longer be bought, its SKUs stay
/// taken.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<(), Refused>> {
    app.run(caller, DeleteProduct { id, if_match }).await
}

struct DeleteProduct {
    id: i64,
    if_match: IfMatch,
}

impl Command for DeleteProduct {
    type Accepted = ();
    type Refused = Refused;
    const NAME: &'static str = "delete_product";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![lock_product(self.id)]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<(), Refused>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(Refused::NoProduct));
        };
        if !self.if_match.allows(row.get(0)?) {
            return Ok(Decision::Refuse(Refused::Changed));
        }
        let now = changes.now;
        changes.store(Statement::new(&DELETE_PRODUCT, vec![self.id.into(), now.into()]));
        changes.event("product.deleted", "product", self.id, json!({ "id": self.id }));
        let gone = json!({ "deleted_at": [null, now] });
        changes.audit("product.delete", "product", self.id, gone);
        Ok(Decision::Accept(()))
    }
}
