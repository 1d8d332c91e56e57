//! What the stock writer stores of orders. Only its batches write these tables.

use std::sync::Arc;

use jiff::Timestamp;
use runout_core::ids::OrderId;
use runout_core::stock::Placed;
use runout_store::{Statement, Value, statements};

statements! {
    /// Orders `$1` with what they hold; on PostgreSQL locked.
    ORDERS = {
        sqlite: "select id, account_id, status from orders
            where id in (select value from json_each($1))",
        postgres: "select id, account_id, status from orders where id = any($1)
            order by id for update",
    };
    ALLOCATIONS = {
        sqlite: "select a.order_id, a.line_no, a.level_id, l.variant_id, a.quantity
            from allocation a
            join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
            where a.order_id in (select value from json_each($1))",
        postgres: "select a.order_id, a.line_no, a.level_id, l.variant_id, a.quantity
            from allocation a
            join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
            where a.order_id = any($1)",
    };
    INSERT_ORDERS = {
        sqlite: "insert into orders (id, account_id, status, currency, total_minor, placed_at)
            values ($1, $2, 'placed', $3, $4, $5)",
        postgres: "insert into orders (id, account_id, status, currency, total_minor, placed_at)
            select id, account_id, 'placed', currency, total_minor, placed_at
            from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[])
                as n (id, account_id, currency, total_minor, placed_at)",
    };
    INSERT_LINES = {
        sqlite: "insert into order_line (order_id, line_no, variant_id, sku, title, variant_title,
                quantity, unit_price_minor)
            values ($1, $2, $3, $4, $5, $6, $7, $8)",
        postgres: "insert into order_line (order_id, line_no, variant_id, sku, title, variant_title,
                quantity, unit_price_minor)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
                $6::text[], $7::bigint[], $8::bigint[])",
    };
    INSERT_ALLOCATIONS = {
        sqlite: "insert into allocation (order_id, line_no, level_id, quantity)
            values ($1, $2, $3, $4)",
        postgres: "insert into allocation (order_id, line_no, level_id, quantity)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])",
    };
    CANCEL_ORDERS = {
        sqlite: "update orders set status = 'cancelled', cancelled_at = $2
            where id = $1 and status = 'placed'",
        postgres: "update orders o set status = 'cancelled', cancelled_at = c.at
            from unnest($1::bigint[], $2::timestamptz[]) as c (id, at)
            where o.id = c.id and o.status = 'placed'",
    };
}

/// Stores new orders with their lines and allocations.
pub(crate) fn store_placed(placed: &[Arc<Placed>]) -> [Statement; 3] {
    let mut orders: [Vec<Value>; 5] = Default::default();
    let mut lines: [Vec<Value>; 8] = Default::default();
    let mut allocations: [Vec<Value>; 4] = Default::default();
    for order in placed {
        let id = order.id.0;
        push(
            &mut orders,
            [
                id.into(),
                order.account.0.into(),
                Value::Static(order.currency.code()),
                order.total_minor.into(),
                order.at.into(),
            ],
        );
        for (line_no, line) in (1_i64..).zip(&order.lines) {
            push(
                &mut lines,
                [
                    id.into(),
                    line_no.into(),
                    line.variant.0.into(),
                    Arc::clone(&line.sku).into(),
                    Arc::clone(&line.title).into(),
                    Arc::clone(&line.variant_title).into(),
                    line.quantity.into(),
                    line.unit_price_minor.into(),
                ],
            );
        }
        for allocation in &order.allocations {
            push(
                &mut allocations,
                [
                    id.into(),
                    allocation.line_no.into(),
                    allocation.level.0.into(),
                    allocation.quantity.into(),
                ],
            );
        }
    }
    [
        Statement::bulk(&INSERT_ORDERS, orders.into()),
        Statement::bulk(&INSERT_LINES, lines.into()),
        Statement::bulk(&INSERT_ALLOCATIONS, allocations.into()),
    ]
}

/// Stores cancellations.
pub(crate) fn store_cancelled(cancelled: &[OrderId], now: Timestamp) -> Statement {
    let ids = cancelled.iter().map(|id| id.0.into()).collect();
    Statement::bulk(&CANCEL_ORDERS, vec![ids, vec![now.into(); cancelled.len()]])
}

/// Adds one row to columns.
pub(crate) fn push<const N: usize>(columns: &mut [Vec<Value>; N], row: [Value; N]) {
    for (column, value) in columns.iter_mut().zip(row) {
        column.push(value);
    }
}
