//! Reading baskets.

use jiff::Timestamp;
use runout_core::ids::{AccountId, BasketId, DiscountId, OrderId, VariantId};
use runout_core::money::Currency;
use runout_core::stock::{BasketStatus, BasketView, LineView};
use runout_store::{Db, Error, Result, Row, Statement, statements};

use super::show::{Applied, BasketOut};
use crate::App;
use crate::discounts::model::read_rule;

statements! {
    BASKET = "select id, token_hash, account_id, currency, status, order_id, discount_id
        from basket where id = $1";
    BY_TOKEN = "select id, currency, status, order_id from basket where token_hash = $1";
    OPEN_OF_ACCOUNT = "select id from basket
        where account_id = $1 and currency = $2 and status = 'open'";
    /// Few: one per currency.
    ALL_OPEN_OF_ACCOUNT = "select id from basket
        where account_id = $1 and status = 'open' order by id";
    /// The lines of the basket `$1` as they stand at `$2`, prices in `$3`. What others' lapsed
    /// holds still reserve counts as available.
    BASKET_LINES = "select l.variant_id, v.sku, p.title, v.title, l.quantity, l.unit_price_minor,
            (select cast(coalesce(sum(h.quantity), 0) as bigint) from hold h
                where h.basket_id = l.basket_id and h.variant_id = l.variant_id
                and h.expires_at > $2),
            (select min(h.expires_at) from hold h
                where h.basket_id = l.basket_id and h.variant_id = l.variant_id
                and h.expires_at > $2),
            case when p.enabled and p.deleted_at is null and v.deleted_at is null
                    and (p.release_at is null or p.release_at <= $2)
                then (select c.amount_minor from price c where c.variant_id = l.variant_id
                    and c.currency = $3 and c.effective_from <= $2
                    order by c.effective_from desc limit 1) end,
            (select cast(coalesce(sum(s.on_hand - s.reserved), 0) as bigint)
                from stock_level s join location o on o.id = s.location_id
                where s.variant_id = l.variant_id and o.active)
            + (select cast(coalesce(sum(h.quantity), 0) as bigint)
                from hold h join stock_level s on s.id = h.level_id
                join location o on o.id = s.location_id
                where h.variant_id = l.variant_id and h.expires_at <= $2 and o.active)
        from basket_line l join variant v on v.id = l.variant_id
        join product p on p.id = v.product_id
        where l.basket_id = $1 order by l.variant_id";
    DISCOUNT = "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at, uses_max,
            uses_per_customer_max, uses, code
        from discount where id = $1";
    /// Units in the open basket that a token opens, or in an account's open one in a currency.
    UNITS_BY_TOKEN = "select cast(coalesce(sum(l.quantity), 0) as bigint)
        from basket b join basket_line l on l.basket_id = b.id
        where b.token_hash = $1 and b.status = 'open'";
    UNITS_OF_ACCOUNT = "select cast(coalesce(sum(l.quantity), 0) as bigint)
        from basket b join basket_line l on l.basket_id = b.id
        where b.account_id = $1 and b.currency = $2 and b.status = 'open'";
    /// Variants with lapsed holds, for the sweeper.
    LAPSED_VARIANTS = "select distinct variant_id from hold where expires_at <= $1 limit $2";
}

/// A basket with who may open it.
pub(super) struct Found {
    pub token_hash: Option<Vec<u8>>,
    pub account: Option<AccountId>,
    discount: Option<i64>,
    view: BasketView,
}

/// A guest's basket by its token's hash.
pub(crate) struct GuestBasket {
    pub id: BasketId,
    pub currency: Currency,
    pub status: BasketStatus,
    /// What it became.
    pub order: Option<i64>,
}

fn currency(row: &Row<'_>, column: usize) -> Result<Currency> {
    let code: String = row.get(column)?;
    code.parse().map_err(|_| Error::Decode { column, reason: format!("currency {code:?}") })
}

fn status(row: &Row<'_>, column: usize) -> Result<BasketStatus> {
    let name: String = row.get(column)?;
    BasketStatus::from_name(&name)
        .ok_or_else(|| Error::Decode { column, reason: format!("status {name:?}") })
}

/// The basket without its lines.
pub(super) async fn find(db: &Db, id: i64) -> Result<Option<Found>> {
    let read = db.read_one(Statement::new(&BASKET, vec![id.into()]), |row| {
        let account = row.get::<Option<i64>>(2)?.map(AccountId);
        let discount: Option<i64> = row.get(6)?;
        let view = BasketView {
            id: BasketId(row.get(0)?),
            account,
            currency: currency(row, 3)?,
            status: status(row, 4)?,
            order: row.get::<Option<i64>>(5)?.map(OrderId),
            discount: discount.map(DiscountId),
            lines: Vec::new(),
        };
        Ok(Found { token_hash: row.get(1)?, account, discount, view })
    });
    read.await
}

/// The basket as it is shown now.
pub(super) async fn show(db: &Db, found: Found, now: Timestamp) -> Result<BasketOut> {
    let Found { mut view, discount, .. } = found;
    let code = view.currency.code();
    let params = vec![view.id.0.into(), now.into(), code.into()];
    view.lines = db.read(Statement::new(&BASKET_LINES, params), line).await?;
    let applied = match discount {
        Some(id) => applied(db, id, &view, now).await?,
        None => None,
    };
    Ok(BasketOut::new(&view, now, applied))
}

fn line(row: &Row<'_>) -> Result<LineView> {
    let held: i64 = row.get(6)?;
    let free: i64 = row.get(9)?;
    Ok(LineView {
        variant: VariantId(row.get(0)?),
        sku: row.get::<String>(1)?.into(),
        title: row.get::<String>(2)?.into(),
        variant_title: row.get::<String>(3)?.into(),
        quantity: row.get(4)?,
        held,
        expires_at: row.get(7)?,
        unit_price_minor: row.get(5)?,
        price_now_minor: row.get(8)?,
        available: free + held,
    })
}

async fn applied(db: &Db, id: i64, view: &BasketView, now: Timestamp) -> Result<Option<Applied>> {
    let statement = Statement::new(&DISCOUNT, vec![id.into()]);
    let found = db.read_one(statement, |row| Ok((row.get::<String>(10)?, read_rule(row)?)));
    let Some((code, discount)) = found.await? else { return Ok(None) };
    let sum = |sum: i64, line: &LineView| {
        sum.saturating_add(line.unit_price_minor.saturating_mul(line.quantity))
    };
    let goods = view.lines.iter().fold(0, sum);
    let usable = discount.check(now, view.currency, 0).is_ok();
    let minor = if usable { discount.minor(goods) } else { 0 };
    Ok(Some(Applied { code, minor }))
}

/// The account's open basket in a currency.
pub(super) async fn open_of(db: &Db, account: i64, currency: Currency) -> Result<Option<i64>> {
    let params = vec![account.into(), currency.code().into()];
    db.read_one(Statement::new(&OPEN_OF_ACCOUNT, params), |row| row.get(0)).await
}

/// The open baskets of an account, one per currency, as they stand now.
pub(crate) async fn open_baskets(db: &Db, account: i64, now: Timestamp) -> Result<Vec<BasketOut>> {
    let statement = Statement::new(&ALL_OPEN_OF_ACCOUNT, vec![account.into()]);
    let ids: Vec<i64> = db.read(statement, |row| row.get(0)).await?;
    let mut baskets = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(found) = find(db, id).await? {
            baskets.push(show(db, found, now).await?);
        }
    }
    Ok(baskets)
}

/// The basket that a guest's token opens.
pub(crate) async fn by_token(db: &Db, hash: &[u8; 32]) -> Result<Option<GuestBasket>> {
    let statement = Statement::new(&BY_TOKEN, vec![hash.to_vec().into()]);
    let read = |row: &Row<'_>| {
        Ok(GuestBasket {
            id: BasketId(row.get(0)?),
            currency: currency(row, 1)?,
            status: status(row, 2)?,
            order: row.get(3)?,
        })
    };
    db.read_one(statement, read).await
}

/// Variants of which some holds have lapsed, at most `limit` of them.
pub(super) async fn lapsed(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<VariantId>> {
    let statement = Statement::new(&LAPSED_VARIANTS, vec![now.into(), limit.into()]);
    db.read(statement, |row| Ok(VariantId(row.get(0)?))).await
}

/// Units in the basket of whoever looks at a page; 0 if there is none.
pub(super) async fn units(app: &App, account: Option<i64>, token: Option<[u8; 32]>) -> Result<i64> {
    let statement = match (account, token) {
        (Some(account), _) => {
            let params = vec![account.into(), app.currency.code().into()];
            Statement::new(&UNITS_OF_ACCOUNT, params)
        }
        (None, Some(hash)) => Statement::new(&UNITS_BY_TOKEN, vec![hash.to_vec().into()]),
        (None, None) => return Ok(0),
    };
    Ok(app.db.read_one(statement, |row| row.get(0)).await?.unwrap_or(0))
}
