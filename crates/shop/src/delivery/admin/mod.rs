//! Destinations and dead letters in the back office.

mod destinations;
mod letters;

use crate::admin::Table;

pub(crate) static TABLES: &[&Table] = &[&destinations::DESTINATIONS, &letters::DEAD_LETTERS];
