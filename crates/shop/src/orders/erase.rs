//! What of an account's orders is forgotten when the account is erased.
//!
//! Amounts, lines and payments stay: they are the shop's books. Who and where goes.

use runout_core::ids::OrderId;
use runout_store::{Db, Result, Rows, Statement};

use super::commands::{ERASE_BUYER, ERASE_TRACKING};
use super::number;
use super::queries::OPEN_OF_ACCOUNT;

/// Open orders that are told of at a time.
const NAMED_MAX: i64 = 10;

/// Asks for an account's orders that are still to be paid or sent.
pub(crate) fn load_open(account_id: i64) -> Statement {
    Statement::new(&OPEN_OF_ACCOUNT, vec![account_id.into(), NAMED_MAX.into()])
}

/// The numbers of the orders that [`load_open`] brought.
pub(crate) fn open_numbers(rows: &Rows) -> Result<Vec<String>> {
    rows.iter().map(|row| Ok(number(OrderId(row.get(0)?)))).collect()
}

/// The numbers of an account's orders that are still to be paid or sent.
///
/// # Errors
/// The database's.
pub(crate) async fn open_of(db: &Db, account_id: i64) -> Result<Vec<String>> {
    db.read(load_open(account_id), |row| Ok(number(OrderId(row.get(0)?)))).await
}

/// Takes who and where out of an account's orders, none of which is open.
pub(crate) fn erasure(account_id: i64) -> Vec<Statement> {
    [&ERASE_BUYER, &ERASE_TRACKING]
        .map(|statement| Statement::new(statement, vec![account_id.into()]))
        .into()
}
