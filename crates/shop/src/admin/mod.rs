//! The back office: every table that staff may touch, shown by one engine.
//!
//! Owns no tables, and writes none: a capability declares its tables (`admin.rs` in its folder),
//! and this module makes of a declaration lists, forms, bulk actions, histories and exports. What
//! always holds:
//!
//! - Every handler asks the session for the table's capability and a verb first.
//! - Lists read a range of one index, or a bounded window of it: none grows slower with its table.
//! - Rows are written by the capabilities' commands, with the same typed input that the API takes.

mod asked;
mod bulk;
mod commands;
mod edit;
mod export;
mod form;
mod history;
mod inline;
mod list;
mod pages;
pub mod queries;
pub mod show;
pub mod table;
mod trail;

use std::sync::LazyLock;

pub use asked::Asked;
pub use bulk::BULK_MAX;
pub(crate) use export::harmless;
pub(crate) use pages::router as pages;
pub use table::{Clerk, Table};

use crate::platform::problem::Problem;
use crate::{
    accounts, addresses, baskets, catalog, delivery, discounts, journal, orders, pricing, stock,
    taxes,
};

/// Every table, by capability.
static TABLES: LazyLock<Vec<&'static Table>> = LazyLock::new(|| {
    [
        catalog::admin::TABLES,
        pricing::admin::TABLES,
        stock::admin::TABLES,
        orders::admin::TABLES,
        baskets::admin::TABLES,
        discounts::admin::TABLES,
        taxes::admin::TABLES,
        accounts::admin::TABLES,
        addresses::admin::TABLES,
        journal::admin::TABLES,
        delivery::admin::TABLES,
        trail::TABLES,
    ]
    .concat()
});

/// Every table, by capability.
pub fn tables() -> &'static [&'static Table] {
    &TABLES
}

/// The table with this name.
///
/// # Errors
/// 404.
pub fn table(slug: &str) -> Result<&'static Table, Problem> {
    let found = TABLES.iter().find(|table| table.slug == slug);
    found.copied().ok_or_else(|| Problem::not_found("table"))
}

/// Every statement of this capability.
pub(crate) fn statements() -> Vec<&'static runout_store::Sql> {
    queries::STATEMENTS.to_vec()
}
