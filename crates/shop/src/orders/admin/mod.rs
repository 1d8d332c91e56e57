//! Orders with what belongs to them, and baskets, in the back office.

mod money;
mod orders;
mod parts;

use crate::admin::Table;

pub(crate) static TABLES: &[&Table] =
    &[&orders::ORDERS, &parts::LINES, &money::PAYMENTS, &money::REFUNDS, &parts::FULFILMENTS];
