//! The dashboard's numbers. Every statement reads through an index what it counts, or at most so
//! many rows as it is told.

use std::collections::HashMap;

use jiff::Timestamp;
use runout_store::{Db, Result, Statement, statements};

statements! {
    SALES = "select currency, count(*), cast(sum(total_minor) as bigint)
        from orders where placed_at >= $1 and placed_at < $2 group by currency";
    UNITS = "select l.variant_id, cast(sum(l.quantity) as bigint) as units
        from orders o join order_line l on l.order_id = o.id
        where o.placed_at >= $1 and o.placed_at < $2
        group by l.variant_id order by units desc, l.variant_id limit $3";
    REFUSALS = "select hour, reason, count from refusal_hour where hour >= $1";
    /// The newest orders, by state.
    STATES = "select status, count(*) from (
            select status from orders order by placed_at desc, id desc limit $1) as newest
        group by status";
    UNPAID = "select count(*) from (
            select id from orders where status = 'placed' and due_at is not null
            order by due_at, id limit $1) as unpaid";
    PAYMENTS = "select status, count(*) from (
            select status from payment where status in ('pending', 'authorised', 'failed')
            order by updated_at, id limit $1) as open
        group by status";
    REFUNDS = "select count(*) from (
            select id from refund where status = 'pending' order by updated_at, id limit $1) as open";
    AVAILABLE = {
        sqlite: "select variant_id, cast(sum(on_hand - reserved) as bigint) from stock_level
            where variant_id in (select value from json_each($1)) group by variant_id",
        postgres: "select variant_id, cast(sum(on_hand - reserved) as bigint) from stock_level
            where variant_id = any($1) group by variant_id",
    };
    NAMES = {
        sqlite: "select v.id, p.id, p.artist, p.title, v.title, v.sku
            from variant v join product p on p.id = v.product_id
            where v.id in (select value from json_each($1))",
        postgres: "select v.id, p.id, p.artist, p.title, v.title, v.sku
            from variant v join product p on p.id = v.product_id where v.id = any($1)",
    };
}

/// Orders of a span of time: currency, how many, their totals in minor units.
pub(in crate::desk) async fn sales(
    db: &Db,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(String, i64, i64)>> {
    let statement = Statement::new(&SALES, vec![from.into(), to.into()]).heavy();
    db.read(statement, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).await
}

/// Units sold in a span of time, by variant; at most so many variants, the best ones.
pub(in crate::desk) async fn units(
    db: &Db,
    from: Timestamp,
    to: Timestamp,
    variants_max: i64,
) -> Result<Vec<(i64, i64)>> {
    let params = vec![from.into(), to.into(), variants_max.into()];
    db.read(Statement::new(&UNITS, params).heavy(), |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// What was refused since: hour, reason, count.
pub(in crate::desk) async fn refusals(
    db: &Db,
    since: Timestamp,
) -> Result<Vec<(Timestamp, String, i64)>> {
    let statement = Statement::new(&REFUSALS, vec![since.into()]);
    db.read(statement, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).await
}

/// The states of the newest orders.
pub(in crate::desk) async fn states(db: &Db, newest: i64) -> Result<HashMap<String, i64>> {
    counts(db, Statement::new(&STATES, vec![newest.into()])).await
}

/// Payments that are open, by state; at most so many are counted.
pub(in crate::desk) async fn open_payments(db: &Db, at_most: i64) -> Result<HashMap<String, i64>> {
    counts(db, Statement::new(&PAYMENTS, vec![at_most.into()])).await
}

/// Orders whose time to pay runs; at most so many are counted.
pub(in crate::desk) async fn unpaid(db: &Db, at_most: i64) -> Result<i64> {
    let statement = Statement::new(&UNPAID, vec![at_most.into()]);
    Ok(db.read_one(statement, |row| row.get(0)).await?.unwrap_or(0))
}

/// Refunds on their way; at most so many are counted.
pub(in crate::desk) async fn open_refunds(db: &Db, at_most: i64) -> Result<i64> {
    let statement = Statement::new(&REFUNDS, vec![at_most.into()]);
    Ok(db.read_one(statement, |row| row.get(0)).await?.unwrap_or(0))
}

async fn counts(db: &Db, statement: Statement) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = db.read(statement, |row| Ok((row.get(0)?, row.get(1)?))).await?;
    Ok(rows.into_iter().collect())
}

/// Units that can be sold, by variant.
pub(in crate::desk) async fn available(db: &Db, variants: Vec<i64>) -> Result<HashMap<i64, i64>> {
    let statement = Statement::new(&AVAILABLE, vec![variants.into()]);
    let rows: Vec<(i64, i64)> = db.read(statement, |row| Ok((row.get(0)?, row.get(1)?))).await?;
    Ok(rows.into_iter().collect())
}

/// What a variant is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::desk) struct Name {
    pub(in crate::desk) product_id: i64,
    pub(in crate::desk) text: String,
    pub(in crate::desk) sku: String,
}

/// The names of variants.
pub(in crate::desk) async fn names(db: &Db, variants: Vec<i64>) -> Result<HashMap<i64, Name>> {
    let statement = Statement::new(&NAMES, vec![variants.into()]);
    let rows: Vec<(i64, Name)> = db
        .read(statement, |row| {
            let (artist, title): (String, String) = (row.get(2)?, row.get(3)?);
            let mut text = if artist.is_empty() { title } else { format!("{artist} – {title}") };
            let form: String = row.get(4)?;
            if !form.is_empty() {
                text = format!("{text} ({form})");
            }
            Ok((row.get(0)?, Name { product_id: row.get(1)?, text, sku: row.get(5)? }))
        })
        .await?;
    Ok(rows.into_iter().collect())
}
