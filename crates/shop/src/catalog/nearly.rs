//! What is nearly gone: products of which few units are left.
//!
//! Finding them reads the levels of the whole shop, so the candidates are kept for a while; how
//! many are left of each is always read anew.

use std::sync::Arc;
use std::time::Duration;

use runout_store::{Error, Result};

use super::list::shelf;
use super::model::Product;
use super::queries::{self, View};
use super::show::LOW_MAX;
use crate::App;

/// How long candidates are kept.
const KEPT: Duration = Duration::from_secs(30);
/// Variants that are looked at.
const CANDIDATES_MAX: i64 = 200;

/// The candidates, by their variants' ids.
pub struct NearlyGone(moka::future::Cache<(), Arc<Vec<i64>>>);

impl Default for NearlyGone {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(1).time_to_live(KEPT).build())
    }
}

async fn candidates(app: &App) -> Result<Arc<Vec<i64>>> {
    let read = async {
        let found = queries::low_variants(&app.db, LOW_MAX, CANDIDATES_MAX).await?;
        Ok::<_, Error>(Arc::new(found))
    };
    app.nearly_gone.0.try_get_with((), read).await.map_err(|error| Error::copy(&error))
}

/// Products that can be bought and of which at most [`LOW_MAX`] units are left, the fewest first.
pub(super) async fn nearly_gone(app: &App, view: View, rows: i64) -> Result<Vec<Product>> {
    let variants = candidates(app).await?;
    if variants.is_empty() {
        return Ok(Vec::new());
    }
    let found = shelf(app, view, |sql| {
        sql.push(" and (p.release_at is null or p.release_at <= ").bind(view.now);
        sql.push(") and p.id in (select s.product_id from variant s where s.deleted_at is null");
        sql.push_each(" and s.id in (select value from json_each(", " and s.id = any(");
        sql.bind(variants.to_vec()).push_each(")))", "))").push(" limit ").bind(CANDIDATES_MAX);
    });
    let left = |product: &Product| product.variants.iter().map(|one| one.available).sum::<i64>();
    let mut products = found.await?;
    products.retain(|product| (1..=LOW_MAX).contains(&left(product)));
    products.sort_by_key(|product| (left(product), std::cmp::Reverse(product.id)));
    products.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
    Ok(products)
}
