//! Addresses: where an account's orders go.
//!
//! Owns the table `address`. What always holds:
//!
//! - Nobody but its account sees or changes an address; to everybody else it does not exist.
//! - An account has at most [`ADDRESSES_PER_ACCOUNT_MAX`].
//! - Orders keep a copy: changing or deleting an address does not reach them.
//! - Events and audit rows say that an address changed, not what it is: it is deleted for good.

mod address;
pub(crate) mod admin;
mod api;
pub mod commands;
pub mod queries;

use runout_store::Sql;

pub use address::Address;
pub use api::router;

/// Addresses of one account.
pub const ADDRESSES_PER_ACCOUNT_MAX: i64 = 50;

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [commands::STATEMENTS, queries::STATEMENTS].concat()
}
