//! Catalog: products and their variants.
//!
//! Owns the tables `product` and `variant`. What always holds:
//!
//! - Every product has exactly one default variant, made with it and never deleted alone.
//! - Deleting is soft: sales history stays whole, and a SKU is never given twice.
//! - A product's version grows with every change of it or of its variants.
//! - `search_text` is [`ProductFields::search_text`](model::ProductFields::search_text) of the row.

pub(crate) mod admin;
mod api;
mod browse;
pub mod cover;
mod facets;
pub mod import;
pub mod input;
pub mod list;
mod middles;
pub mod model;
mod nearly;
mod pages;
pub mod products;
pub mod queries;
pub mod search;
mod show;
mod sql;
pub mod variants;
mod variants_api;
pub(crate) mod view;
mod write;

use runout_store::{Error, Result, Sql};
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::platform::command::Outcome;
use crate::pricing::ONE_PER_MOMENT;

pub use nearly::NearlyGone;
pub(crate) use pages::router as pages;
pub(crate) use queries::{Pictured, pictured};
pub(crate) use view::{answer, json, located, price_exists, refused, sight, tagged};

/// The capability's endpoints.
pub fn router() -> OpenApiRouter<App> {
    api::router().merge(variants_api::router())
}

/// Live variants of a product.
pub const VARIANTS_MAX: usize = 100;

/// Keeps a SKU from being given twice.
const SKU_UNIQUE: &str = "variant_sku_key";

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [queries::STATEMENTS, sql::STATEMENTS].concat()
}

/// Why a product or variant was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    NoProduct,
    NoVariant,
    /// It has another version than the caller expects.
    Changed,
    /// A variant has or had this SKU (the text may be empty when another node was faster).
    SkuTaken(String),
    /// Two prices of a variant and currency begin at one moment.
    PriceExists,
    /// The default variant lives as long as its product.
    DefaultVariant,
    /// There are [`VARIANTS_MAX`] already.
    TooManyVariants,
}

/// Makes refusals of the constraints that stand behind the decisions: another node was faster.
fn refused_by_constraint<T>(result: Result<Outcome<T, Refused>>) -> Result<Outcome<T, Refused>> {
    let refused = match &result {
        Err(Error::Constraint { name, .. }) if name == SKU_UNIQUE => {
            Refused::SkuTaken(String::new())
        }
        Err(Error::Constraint { name, .. }) if name == ONE_PER_MOMENT => Refused::PriceExists,
        _ => return result,
    };
    Ok(Outcome::Refused(refused))
}
