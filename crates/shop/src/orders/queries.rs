//! Reading orders.

use std::collections::HashMap;

use runout_core::ids::OrderId;
use runout_core::money::Currency;
use runout_store::{Composer, Db, Error, Result, Row, Statement, statements};

use super::{OrderLineOut, OrderOut, Status, decimal, number};
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    ONE = "select id, account_id, status, currency, total_minor, placed_at, cancelled_at
        from orders where id = $1";
    LINES = {
        sqlite: "select order_id, line_no, variant_id, sku, title, variant_title, quantity,
                unit_price_minor
            from order_line where order_id in (select value from json_each($1))
            order by order_id, line_no",
        postgres: "select order_id, line_no, variant_id, sku, title, variant_title, quantity,
                unit_price_minor
            from order_line where order_id = any($1)
            order by order_id, line_no",
    };
    /// The default variants of the products `$1`.
    DEFAULT_VARIANTS = {
        sqlite: "select product_id, id from variant
            where is_default = 1 and product_id in (select value from json_each($1))",
        postgres: "select product_id, id from variant where is_default and product_id = any($1)",
    };
    BY_SKU = {
        sqlite: "select sku, id from variant where sku in (select value from json_each($1))",
        postgres: "select sku, id from variant where sku = any($1)",
    };
    PREDECESSOR_COUNT = "select count(*) from orders where account_id = $1";
}

/// The list of orders: newest first.
pub(super) static ORDERS: Resource = Resource {
    name: "orders",
    fields: &[
        Field::new("account_id", "o.account_id", Kind::Id),
        Field::new("status", "o.status", Kind::Choice(Status::ALL)),
        Field::new("currency", "o.currency", Kind::Text),
        Field::new("total_minor", "o.total_minor", Kind::Int),
        Field::new("placed_at", "o.placed_at", Kind::Time).sortable(),
    ],
    id_sql: "o.id",
    default_sort: "-placed_at",
    extras: &[],
};

/// One order; `None` if there is none, or it is not `owner`'s.
///
/// # Errors
/// The database's.
pub async fn one(db: &Db, id: OrderId, owner: Option<i64>) -> Result<Option<OrderOut>> {
    let found = db.read_one(Statement::new(&ONE, vec![id.0.into()]), order).await?;
    let Some(order) = found.filter(|order| owner.is_none_or(|id| id == order.account_id)) else {
        return Ok(None);
    };
    Ok(with_lines(db, vec![order]).await?.pop())
}

/// One page of orders, of one account or of all.
///
/// # Errors
/// The database's.
pub async fn page(db: &Db, list: &ListRequest, owner: Option<i64>) -> Result<Page<OrderOut>> {
    let mut sql = Composer::new(
        "select o.id, o.account_id, o.status, o.currency, o.total_minor, o.placed_at,
            o.cancelled_at
        from orders o where ",
    );
    match owner {
        Some(account) => sql.push("o.account_id = ").bind(account),
        None => sql.push_each("1 = 1", "true"),
    };
    list.compose(&mut sql);
    let rows = db.read(sql.finish(), order).await?;
    let page = list.page(rows, |order, _| (order.id, Key::of(order.placed_at)));
    Ok(Page { items: with_lines(db, page.items).await?, next: page.next })
}

/// How many orders an account has, for the predecessor's page envelope.
///
/// # Errors
/// The database's.
pub async fn count(db: &Db, account: i64) -> Result<i64> {
    let statement = Statement::new(&PREDECESSOR_COUNT, vec![account.into()]);
    Ok(db.read_one(statement, |row| row.get(0)).await?.unwrap_or(0))
}

async fn with_lines(db: &Db, mut orders: Vec<OrderOut>) -> Result<Vec<OrderOut>> {
    if orders.is_empty() {
        return Ok(orders);
    }
    let ids: Vec<i64> = orders.iter().map(|order| order.id).collect();
    let place: HashMap<i64, usize> = ids.iter().copied().zip(0..).collect();
    let currencies: Vec<Currency> =
        orders.iter().map(|order| currency(&order.currency)).collect::<Result<_>>()?;
    let lines = db
        .read(Statement::new(&LINES, vec![ids.into()]), |row| {
            let index = place[&row.get::<i64>(0)?];
            Ok((index, line(row, currencies[index])?))
        })
        .await?;
    for (index, line) in lines {
        orders[index].lines.push(line);
    }
    Ok(orders)
}

/// The default variant of each product, and the variant of each SKU, as far as there are any.
pub(super) async fn resolve(
    db: &Db,
    products: Vec<i64>,
    skus: Vec<String>,
) -> Result<(HashMap<i64, i64>, HashMap<String, i64>)> {
    let mut by_product = HashMap::new();
    if !products.is_empty() {
        let statement = Statement::new(&DEFAULT_VARIANTS, vec![products.into()]);
        let rows: Vec<(i64, i64)> =
            db.read(statement, |row| Ok((row.get(0)?, row.get(1)?))).await?;
        by_product.extend(rows);
    }
    let mut by_sku = HashMap::new();
    if !skus.is_empty() {
        let statement = Statement::new(&BY_SKU, vec![skus.into()]);
        let rows: Vec<(String, i64)> =
            db.read(statement, |row| Ok((row.get(0)?, row.get(1)?))).await?;
        by_sku.extend(rows);
    }
    Ok((by_product, by_sku))
}

fn order(row: &Row<'_>) -> Result<OrderOut> {
    let code: String = row.get(3)?;
    let total_minor = row.get(4)?;
    Ok(OrderOut {
        id: row.get(0)?,
        number: number(OrderId(row.get(0)?)),
        account_id: row.get(1)?,
        status: status(&row.get::<String>(2)?)?,
        total: decimal(total_minor, currency(&code)?),
        currency: code,
        total_minor,
        placed_at: row.get(5)?,
        cancelled_at: row.get(6)?,
        lines: Vec::new(),
    })
}

fn line(row: &Row<'_>, currency: Currency) -> Result<OrderLineOut> {
    let (quantity, unit_price_minor) = (row.get::<i64>(6)?, row.get::<i64>(7)?);
    Ok(OrderLineOut {
        line_no: row.get(1)?,
        variant_id: row.get(2)?,
        sku: row.get(3)?,
        title: row.get(4)?,
        variant_title: row.get(5)?,
        quantity,
        unit_price_minor,
        unit_price: decimal(unit_price_minor, currency),
        total_minor: unit_price_minor * quantity,
    })
}

fn status(text: &str) -> Result<Status> {
    match text {
        "placed" => Ok(Status::Placed),
        "cancelled" => Ok(Status::Cancelled),
        other => Err(Error::Decode { column: 2, reason: format!("status {other:?}") }),
    }
}

fn currency(code: &str) -> Result<Currency> {
    code.parse().map_err(|_| Error::Decode { column: 3, reason: format!("currency {code:?}") })
}
