//! Reading orders.

use std::collections::HashMap;

use jiff::Timestamp;
use runout_core::ids::OrderId;
use runout_core::money::Currency;
use runout_store::{Composer, Db, Error, Result, Row, Statement, statements};

use super::show::{FulfilmentLineOut, FulfilmentOut};
use super::{OrderLineOut, OrderOut, PaymentOut, RefundOut, Status, decimal, number};
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{Leaf, ListRequest, Page, Resource};

statements! {
    /// What has become of the orders `$1`.
    STATUSES = {
        sqlite: "select id, status from orders where id in (select value from json_each($1))",
        postgres: "select id, status from orders where id = any($1)",
    };
    ONE = "select id, account_id, status, currency, total_minor, placed_at,
            cancelled_at, email, tax_minor, discount_code, discount_minor, paid_minor, refunded_minor, address, due_at,
            paid_at, cancel_reason, basket_id
        from orders where id = $1";
    LINES = {
        sqlite: "select l.order_id, l.line_no, l.variant_id, l.sku, l.title, l.variant_title,
                l.quantity, l.unit_price_minor, l.discount_minor, l.tax_minor, l.tax_ppm,
                (select cast(sum(a.shipped) as bigint) from allocation a
                    where a.order_id = l.order_id and a.line_no = l.line_no),
                (select cast(sum(a.returned) as bigint) from allocation a
                    where a.order_id = l.order_id and a.line_no = l.line_no)
            from order_line l where l.order_id in (select value from json_each($1))
            order by l.order_id, l.line_no",
        postgres: "select l.order_id, l.line_no, l.variant_id, l.sku, l.title, l.variant_title,
                l.quantity, l.unit_price_minor, l.discount_minor, l.tax_minor, l.tax_ppm,
                (select cast(sum(a.shipped) as bigint) from allocation a
                    where a.order_id = l.order_id and a.line_no = l.line_no),
                (select cast(sum(a.returned) as bigint) from allocation a
                    where a.order_id = l.order_id and a.line_no = l.line_no)
            from order_line l where l.order_id = any($1)
            order by l.order_id, l.line_no",
    };
    PAYMENTS = {
        sqlite: "select order_id, id, gateway, status, amount_minor, received_minor, currency,
                provider_id, failure
            from payment where order_id in (select value from json_each($1)) order by id",
        postgres: "select order_id, id, gateway, status, amount_minor, received_minor, currency,
                provider_id, failure
            from payment where order_id = any($1) order by id",
    };
    REFUNDS = {
        sqlite: "select order_id, id, payment_id, amount_minor, status, reason, note, created_at
            from refund where order_id in (select value from json_each($1)) order by id",
        postgres: "select order_id, id, payment_id, amount_minor, status, reason, note, created_at
            from refund where order_id = any($1) order by id",
    };
    /// A row per line of a fulfilment.
    FULFILMENTS = {
        sqlite: "select f.order_id, f.id, f.carrier, f.tracking_number, f.at, l.line_no,
                v.location_id, l.quantity
            from fulfilment f join fulfilment_line l on l.fulfilment_id = f.id
            join stock_level v on v.id = l.level_id
            where f.order_id in (select value from json_each($1))
            order by f.id, l.line_no, l.level_id",
        postgres: "select f.order_id, f.id, f.carrier, f.tracking_number, f.at, l.line_no,
                v.location_id, l.quantity
            from fulfilment f join fulfilment_line l on l.fulfilment_id = f.id
            join stock_level v on v.id = l.level_id
            where f.order_id = any($1)
            order by f.id, l.line_no, l.level_id",
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
    /// Still to be paid or sent.
    OPEN_OF_ACCOUNT = "select id from orders
        where account_id = $1 and status in ('placed', 'paid') order by id limit $2";
    PREDECESSOR_COUNT = "select count(*) from orders where account_id = $1";
    PREDECESSOR_HISTORY = "select id, account_id, status, currency, total_minor, placed_at,
            cancelled_at, email, tax_minor, discount_code, discount_minor, paid_minor, refunded_minor, address, due_at,
            paid_at, cancel_reason
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
    /// 0: a guest's.
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
        "select l.order_id, l.line_no, coalesce(o.account_id, 0), v.product_id, l.quantity, o.placed_at, o.status
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

/// Who asks for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Staff, and the shop itself.
    All,
    Account(i64),
    /// Whoever has the token of the basket that it was.
    Basket(i64),
}

/// One order; `None` if there is none, or the viewer may not see it.
///
/// # Errors
/// The database's.
pub async fn one(db: &Db, id: OrderId, viewer: Viewer) -> Result<Option<OrderOut>> {
    let statement = Statement::new(&ONE, vec![id.0.into()]);
    let found = db.read_one(statement, |row| Ok((order(row)?, row.get(17)?))).await?;
    let sees = |(order, basket): &(OrderOut, Option<i64>)| match viewer {
        Viewer::All => true,
        Viewer::Account(account) => order.account_id == Some(account),
        Viewer::Basket(id) => order.account_id.is_none() && *basket == Some(id),
    };
    let Some((order, _)) = found.filter(sees) else { return Ok(None) };
    Ok(with_lines(db, vec![order]).await?.pop())
}

/// Begins a list of orders: everything before its conditions.
const SELECT: &str = "select o.id, o.account_id, o.status, o.currency, o.total_minor, o.placed_at, \
    o.cancelled_at, o.email, o.tax_minor, o.discount_code, o.discount_minor, o.paid_minor, \
    o.refunded_minor, o.address, o.due_at, o.paid_at, o.cancel_reason from orders o where ";

/// One page of orders, of one account or of all.
///
/// # Errors
/// The database's.
pub async fn page(db: &Db, list: &ListRequest, owner: Option<i64>) -> Result<Page<OrderOut>> {
    let mut sql = Composer::new(SELECT);
    match owner {
        Some(account) => sql.push("o.account_id = ").bind(account),
        None => sql.push_each("1 = 1", "true"),
    };
    list.compose(&mut sql);
    let rows = db.read(sql.finish(), order).await?;
    let page = list.page(rows, |order, _| (order.id, Key::of(order.placed_at)));
    Ok(Page { items: with_lines(db, page.items).await?, next: page.next })
}

/// [`page`] of one account with the way back, for the pages.
///
/// # Errors
/// The database's.
pub(super) async fn leaf(db: &Db, list: &ListRequest, account: i64) -> Result<Leaf<OrderOut>> {
    let mut sql = Composer::new(SELECT);
    sql.push("o.account_id = ").bind(account);
    list.compose(&mut sql);
    let rows = db.read(sql.finish(), order).await?;
    let leaf = list.leaf(rows, |order, _| (order.id, Key::of(order.placed_at)));
    Ok(Leaf { items: with_lines(db, leaf.items).await?, ..leaf })
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
        .read(Statement::new(&LINES, vec![ids.clone().into()]), |row| {
            let index = place[&row.get::<i64>(0)?];
            Ok((index, line(row, currencies[index])?))
        })
        .await?;
    for (index, line) in lines {
        orders[index].lines.push(line);
    }
    with_money(db, &mut orders, &ids, &place).await?;
    Ok(orders)
}

/// Payments, refunds and fulfilments; few orders of a plain shop have any.
async fn with_money(
    db: &Db,
    orders: &mut [OrderOut],
    ids: &[i64],
    place: &HashMap<i64, usize>,
) -> Result<()> {
    let statement = |sql| Statement::new(sql, vec![ids.to_vec().into()]);
    let at = |row: &Row<'_>| Ok::<usize, Error>(place[&row.get::<i64>(0)?]);
    for (index, payment) in db.read(statement(&PAYMENTS), |r| Ok((at(r)?, payment(r)?))).await? {
        orders[index].payments.push(payment);
    }
    for (index, refund) in db.read(statement(&REFUNDS), |r| Ok((at(r)?, refund(r)?))).await? {
        orders[index].refunds.push(refund);
    }
    let parts = db.read(statement(&FULFILMENTS), |r| Ok((at(r)?, fulfilment(r)?))).await?;
    for (index, mut part) in parts {
        let fulfilments = &mut orders[index].fulfilments;
        match fulfilments.last_mut().filter(|last| last.id == part.id) {
            Some(last) => last.lines.append(&mut part.lines),
            None => fulfilments.push(part),
        }
    }
    Ok(())
}

fn payment(row: &Row<'_>) -> Result<PaymentOut> {
    Ok(PaymentOut {
        id: row.get(1)?,
        gateway: row.get(2)?,
        status: row.get(3)?,
        amount_minor: row.get(4)?,
        received_minor: row.get(5)?,
        currency: row.get(6)?,
        provider_id: row.get(7)?,
        client_secret: None,
        failure: row.get(8)?,
    })
}

fn refund(row: &Row<'_>) -> Result<RefundOut> {
    Ok(RefundOut {
        id: row.get(1)?,
        payment_id: row.get(2)?,
        amount_minor: row.get(3)?,
        status: row.get(4)?,
        reason: row.get(5)?,
        note: row.get(6)?,
        created_at: row.get(7)?,
    })
}

fn fulfilment(row: &Row<'_>) -> Result<FulfilmentOut> {
    Ok(FulfilmentOut {
        id: row.get(1)?,
        carrier: row.get(2)?,
        tracking_number: row.get(3)?,
        at: row.get(4)?,
        lines: vec![FulfilmentLineOut {
            line_no: row.get(5)?,
            location_id: row.get(6)?,
            quantity: row.get(7)?,
        }],
    })
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
    let (total_minor, tax_minor): (i64, i64) = (row.get(4)?, row.get(8)?);
    Ok(OrderOut {
        id: row.get(0)?,
        number: number(OrderId(row.get(0)?)),
        account_id: row.get(1)?,
        email: row.get(7)?,
        status: status(&row.get::<String>(2)?)?,
        total: decimal(total_minor, currency(&code)?),
        currency: code,
        total_minor,
        tax_minor,
        net_minor: total_minor - tax_minor,
        discount_code: row.get(9)?,
        discount_minor: row.get(10)?,
        paid_minor: row.get(11)?,
        refunded_minor: row.get(12)?,
        address: row.get(13)?,
        placed_at: row.get(5)?,
        payment_due_at: row.get(14)?,
        paid_at: row.get(15)?,
        cancelled_at: row.get(6)?,
        cancel_reason: row.get(16)?,
        lines: Vec::new(),
        payments: Vec::new(),
        refunds: Vec::new(),
        fulfilments: Vec::new(),
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
        fulfilled: row.get(11)?,
        returned: row.get(12)?,
        unit_price_minor,
        unit_price: decimal(unit_price_minor, currency),
        total_minor: unit_price_minor * quantity,
        discount_minor: row.get(8)?,
        tax_minor: row.get(9)?,
        tax_ppm: row.get(10)?,
    })
}

fn status(text: &str) -> Result<Status> {
    let known = runout_core::order::Status::from_name(text).map(Status::from);
    known.ok_or_else(|| Error::Decode { column: 2, reason: format!("status {text:?}") })
}

fn currency(code: &str) -> Result<Currency> {
    code.parse().map_err(|_| Error::Decode { column: 3, reason: format!("currency {code:?}") })
}

/// What has become of some orders.
///
/// # Errors
/// The database's.
pub(super) async fn statuses(db: &Db, ids: Vec<i64>) -> Result<Vec<(i64, String)>> {
    let statement = Statement::new(&STATUSES, vec![ids.into()]);
    db.read(statement, |row| Ok((row.get(0)?, row.get(1)?))).await
}
