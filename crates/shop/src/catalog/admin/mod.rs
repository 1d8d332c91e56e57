//! Products and variants in the back office.

mod products;
mod variants;

use crate::admin::Table;

pub(crate) static TABLES: &[&Table] = &[&products::PRODUCTS, &variants::VARIANTS];
