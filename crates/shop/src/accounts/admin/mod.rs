//! Accounts, sessions and tokens in the back office.

mod people;
mod rights;
mod secrets;

use crate::admin::Table;

pub(crate) use rights::pages;

pub(crate) static TABLES: &[&Table] = &[&people::ACCOUNTS, &secrets::SESSIONS, &secrets::TOKENS];
