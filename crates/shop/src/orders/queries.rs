//! Reading orders.

use std::collections::HashMap;

use jiff::Timestamp;
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
    PREDECESSOR_HISTORY = "select id, account_id, status, currency, total_minor, placed_at,
            cancelled_at
        from orders where account_id = $1
        order by placed_at desc, id desc limit $2 offset $3";
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

/// Lines of orders under the names of a predecessor, the Lea Record Shop, whose orders had one
/// line. They are listed order by order; `order` is there to be sorted by, the line's number breaks
/// ties.
pub static PREDECESSOR_REQUESTS: Resource = Resource {
    name: "requests",
    fields: &[
        Field::new("id", "l.order_id", Kind::Id),
        Field::new("client", "o.account_id", Kind::Id),
        Field::new("disc", "v.product_id", Kind::Id),
        // The name of the column, as it was.
        Field::new("Disc", "v.product_id", Kind::Id),
        Field::new("amount", "l.quantity", Kind::Int),
        Field::new("operation_date", "o.placed_at", Kind::Time),
        Field::new("status", "o.status", Kind::Choice(Status::ALL)),
        Field::new("order", "l.order_id", Kind::Id).sortable(),
    ],
    id_sql: "l.line_no",
    default_sort: "order",
    extras: &[],
};

/// A line of an order, with what a predecessor wants to know of both.
#[derive(Debug, Clone)]
pub struct SoldLine {
    pub order_id: i64,
    pub line_no: i64,
    pub account_id: i64,
    pub product_id: i64,
    pub quantity: i64,
    pub placed_at: Timestamp,
    pub status: Status,
}

/// A page of [`PREDECESSOR_REQUESTS`], of one account's orders or of all.
///
/// # Errors
/// The database's.
pub async fn sold_lines(db: &Db, list: &ListRequest, owner: Option<i64>) -> Result<Page<SoldLine>> {
    let mut sql = Composer::new(
        "select l.order_id, l.line_no, o.account_id, v.product_id, l.quantity, o.placed_at, o.status
        from order_line l join orders o on o.id = l.order_id join variant v on v.id = l.variant_id
        where ",
    );
    match owner {
        Some(account) => sql.push("o.account_id = ").bind(account),
        None => sql.push_each("1 = 1", "true"),
    };
    list.compose(&mut sql);
    // Filters on columns without an index may read many orders.
    let rows = db.read(sql.finish().heavy(), |row| {
        Ok(SoldLine {
            order_id: row.get(0)?,
            line_no: row.get(1)?,
            account_id: row.get(2)?,
            product_id: row.get(3)?,
            quantity: row.get(4)?,
            placed_at: row.get(5)?,
            status: status(&row.get::<String>(6)?)?,
        })
    });
    Ok(list.page(rows.await?, |line, _| (line.line_no, Key::of(line.order_id))))
}

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

/// An account's orders, newest first: `limit` of them after the first `offset`. For the predecessor
/// whose pages have numbers.
///
/// # Errors
/// The database's.
pub async fn history(db: &Db, account: i64, limit: i64, offset: i64) -> Result<Vec<OrderOut>> {
    let params = vec![account.into(), limit.into(), offset.into()];
    let orders = db.read(Statement::new(&PREDECESSOR_HISTORY, params), order).await?;
    with_lines(db, orders).await
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

/// The default variant of each product, as far as there are any.
///
/// # Errors
/// The database's.
pub async fn default_variants(db: &Db, products: Vec<i64>) -> Result<HashMap<i64, i64>> {
    if products.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = Statement::new(&DEFAULT_VARIANTS, vec![products.into()]);
    let rows: Vec<(i64, i64)> = db.read(statement, |row| Ok((row.get(0)?, row.get(1)?))).await?;
    Ok(rows.into_iter().collect())
}

/// The default variant of each product, and the variant of each SKU, as far as there are any.
pub(super) async fn resolve(
    db: &Db,
    products: Vec<i64>,
    skus: Vec<String>,
) -> Result<(HashMap<i64, i64>, HashMap<String, i64>)> {
    let by_product = default_variants(db, products).await?;
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
