//! Locations, levels and the ledger in the back office.

mod levels;
mod locations;

use crate::admin::Table;

pub(crate) static TABLES: &[&Table] = &[&levels::LEVELS, &levels::MOVEMENTS, &locations::LOCATIONS];
