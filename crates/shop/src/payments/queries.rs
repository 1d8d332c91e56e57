//! Reading stored payment methods.

use runout_store::{Db, Result, Row, Statement, statements};

use super::methods::{Chargeable, StoredMethod};

statements! {
    /// The payment methods of the account `$1`, newest first; at most `$2`.
    METHODS = "select
            id, gateway, provider_id, brand, last4, expires_month, expires_year, created_at
        from payment_method where account_id = $1 order by id desc limit $2";
    /// The payment method `$1`, if it is of the account `$2`.
    METHOD = "select
            id, gateway, provider_id, brand, last4, expires_month, expires_year, created_at
        from payment_method where id = $1 and account_id = $2";
    /// With the provider's name for the account.
    CHARGEABLE = "select c.provider_id, m.provider_id
        from payment_method m
        join payment_customer c on c.account_id = m.account_id and c.gateway = m.gateway
        where m.id = $1 and m.account_id = $2 and m.gateway = $3";
    CUSTOMER = "select provider_id from payment_customer where account_id = $1 and gateway = $2";
}

/// A row of [`METHODS`].
pub(super) fn method(row: &Row<'_>) -> Result<StoredMethod> {
    Ok(StoredMethod {
        id: row.get(0)?,
        gateway: row.get(1)?,
        provider_id: row.get(2)?,
        brand: row.get(3)?,
        last4: row.get(4)?,
        expires_month: row.get(5)?,
        expires_year: row.get(6)?,
        created_at: row.get(7)?,
    })
}

pub(super) async fn methods(db: &Db, account_id: i64, limit: i64) -> Result<Vec<StoredMethod>> {
    db.read(Statement::new(&METHODS, vec![account_id.into(), limit.into()]), method).await
}

pub(super) async fn find(db: &Db, account_id: i64, id: i64) -> Result<Option<StoredMethod>> {
    db.read_one(Statement::new(&METHOD, vec![id.into(), account_id.into()]), method).await
}

pub(super) async fn customer(db: &Db, account_id: i64, gateway: &str) -> Result<Option<String>> {
    let statement = Statement::new(&CUSTOMER, vec![account_id.into(), gateway.into()]);
    db.read_one(statement, |row| row.get(0)).await
}

pub(super) async fn chargeable(
    db: &Db,
    account_id: i64,
    id: i64,
    gateway: &str,
) -> Result<Option<Chargeable>> {
    let params = vec![id.into(), account_id.into(), gateway.into()];
    let read =
        |row: &Row<'_>| Ok(Chargeable { customer: row.get(0)?, payment_method: row.get(1)? });
    db.read_one(Statement::new(&CHARGEABLE, params), read).await
}
