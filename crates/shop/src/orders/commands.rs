//! What the stock writer stores of orders. Only its batches write these tables.

use runout_store::{Value, statements};

statements! {
    /// Orders `$1`; on PostgreSQL locked.
    ORDERS = {
        sqlite: "select id, account_id, email_key, basket_id, status, currency, total_minor,
                paid_minor, refunded_minor, discount_id, cancel_reason, due_at, paid_at, fulfilled_at, closed_at,
                cancelled_at, returned_at, refunded_at, reinstated_at
            from orders where id in (select value from json_each($1))",
        postgres: "select id, account_id, email_key, basket_id, status, currency, total_minor,
                paid_minor, refunded_minor, discount_id, cancel_reason, due_at, paid_at, fulfilled_at, closed_at,
                cancelled_at, returned_at, refunded_at, reinstated_at
            from orders where id = any($1) order by id for update",
    };
    ALLOCATIONS = {
        sqlite: "select a.order_id, a.line_no, a.level_id, l.variant_id, a.quantity, a.shipped,
                a.returned
            from allocation a
            join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
            where a.order_id in (select value from json_each($1))
            order by a.order_id, a.line_no, a.level_id",
        postgres: "select a.order_id, a.line_no, a.level_id, l.variant_id, a.quantity, a.shipped,
                a.returned
            from allocation a
            join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
            where a.order_id = any($1)
            order by a.order_id, a.line_no, a.level_id",
    };
    PAYMENTS = {
        sqlite: "select order_id, id, gateway, status, amount_minor, received_minor, currency,
                provider_id, failure, created_at
            from payment where order_id in (select value from json_each($1)) order by id",
        postgres: "select order_id, id, gateway, status, amount_minor, received_minor, currency,
                provider_id, failure, created_at
            from payment where order_id = any($1) order by id",
    };
    REFUNDS = {
        sqlite: "select order_id, id, payment_id, amount_minor, status, reason, note, provider_id,
                actor_id, created_at, done_at
            from refund where order_id in (select value from json_each($1)) order by id",
        postgres: "select order_id, id, payment_id, amount_minor, status, reason, note, provider_id,
                actor_id, created_at, done_at
            from refund where order_id = any($1) order by id",
    };
    /// Of orders that are done; batches store other columns.
    ERASE_BUYER = "update orders set email = null, email_key = null, address = null
        where account_id = $1 and status not in ('placed', 'paid')";
    ERASE_TRACKING = "update fulfilment set tracking_number = null
        where order_id in (select id from orders where account_id = $1)";
    INSERT_ORDERS = {
        sqlite: "insert into orders
                (id, account_id, status, currency, total_minor, placed_at, tax_minor, due_at)
            values ($1, $2, 'placed', $3, $4, $5, $6, $7)",
        postgres: "insert into orders
                (id, account_id, status, currency, total_minor, placed_at, tax_minor, due_at)
            select id, account_id, 'placed', currency, total_minor, placed_at, tax_minor, due_at
            from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[],
                $6::bigint[], $7::timestamptz[])
                as n (id, account_id, currency, total_minor, placed_at, tax_minor, due_at)",
    };
    /// Orders that were baskets.
    INSERT_CHECKOUTS = {
        sqlite: "insert into orders (id, account_id, status, currency, total_minor, placed_at,
                tax_minor, due_at, basket_id, email, email_key, address, country, gateway,
                discount_id, discount_code, discount_minor, paid_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                $18)",
        postgres: "insert into orders (id, account_id, status, currency, total_minor, placed_at,
                tax_minor, due_at, basket_id, email, email_key, address, country, gateway,
                discount_id, discount_code, discount_minor, paid_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[],
                $6::timestamptz[], $7::bigint[], $8::timestamptz[], $9::bigint[], $10::text[],
                $11::text[], $12::jsonb[], $13::text[], $14::text[], $15::bigint[], $16::text[],
                $17::bigint[], $18::timestamptz[])",
    };
    INSERT_LINES = {
        sqlite: "insert into order_line (order_id, line_no, variant_id, sku, title, variant_title,
                quantity, unit_price_minor, discount_minor, tax_ppm, tax_minor)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        postgres: "insert into order_line (order_id, line_no, variant_id, sku, title, variant_title,
                quantity, unit_price_minor, discount_minor, tax_ppm, tax_minor)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
                $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                $11::bigint[])",
    };
    INSERT_ALLOCATIONS = {
        sqlite: "insert into allocation (order_id, line_no, level_id, quantity)
            values ($1, $2, $3, $4)",
        postgres: "insert into allocation (order_id, line_no, level_id, quantity)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])",
    };
    /// Orders as they are now.
    UPDATE_ORDERS = {
        sqlite: "update orders set status = $2, paid_minor = $3, refunded_minor = $4,
                cancel_reason = $5, due_at = $6, paid_at = $7, fulfilled_at = $8, closed_at = $9,
                cancelled_at = $10, returned_at = $11, refunded_at = $12, reinstated_at = $13
            where id = $1",
        postgres: "update orders o set status = n.status, paid_minor = n.paid_minor,
                refunded_minor = n.refunded_minor, cancel_reason = n.cancel_reason,
                due_at = n.due_at, paid_at = n.paid_at, fulfilled_at = n.fulfilled_at,
                closed_at = n.closed_at, cancelled_at = n.cancelled_at,
                returned_at = n.returned_at, refunded_at = n.refunded_at,
                reinstated_at = n.reinstated_at
            from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[],
                $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[],
                $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
                as n (id, status, paid_minor, refunded_minor, cancel_reason, due_at, paid_at,
                    fulfilled_at, closed_at, cancelled_at, returned_at, refunded_at,
                    reinstated_at)
            where o.id = n.id",
    };
    /// How many of an allocation's units have left and come back.
    UPDATE_ALLOCATIONS = {
        sqlite: "update allocation set shipped = $4, returned = $5
            where order_id = $1 and line_no = $2 and level_id = $3",
        postgres: "update allocation a set shipped = n.shipped, returned = n.returned
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                as n (order_id, line_no, level_id, shipped, returned)
            where a.order_id = n.order_id and a.line_no = n.line_no and a.level_id = n.level_id",
    };
    /// Before an order that comes back is allocated anew.
    DELETE_ALLOCATIONS = {
        sqlite: "delete from allocation where order_id = $1",
        postgres: "delete from allocation where order_id in (select unnest($1::bigint[]))",
    };
    STORE_PAYMENTS = {
        sqlite: "insert into payment (id, order_id, gateway, status, amount_minor, received_minor,
                currency, provider_id, failure, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (id) do update set status = excluded.status,
                received_minor = excluded.received_minor, provider_id = excluded.provider_id,
                failure = excluded.failure, updated_at = excluded.updated_at",
        postgres: "insert into payment (id, order_id, gateway, status, amount_minor, received_minor,
                currency, provider_id, failure, created_at, updated_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[],
                $6::bigint[], $7::text[], $8::text[], $9::text[], $10::timestamptz[],
                $11::timestamptz[])
            on conflict (id) do update set status = excluded.status,
                received_minor = excluded.received_minor, provider_id = excluded.provider_id,
                failure = excluded.failure, updated_at = excluded.updated_at",
    };
    STORE_REFUNDS = {
        sqlite: "insert into refund (id, order_id, payment_id, amount_minor, status, reason, note,
                provider_id, actor_id, created_at, done_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (id) do update set status = excluded.status, note = excluded.note,
                provider_id = excluded.provider_id, done_at = excluded.done_at,
                updated_at = excluded.updated_at",
        postgres: "insert into refund (id, order_id, payment_id, amount_minor, status, reason, note,
                provider_id, actor_id, created_at, done_at, updated_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::timestamptz[],
                $11::timestamptz[], $12::timestamptz[])
            on conflict (id) do update set status = excluded.status, note = excluded.note,
                provider_id = excluded.provider_id, done_at = excluded.done_at,
                updated_at = excluded.updated_at",
    };
    INSERT_FULFILMENTS = {
        sqlite: "insert into fulfilment (id, order_id, carrier, tracking_number, actor_id, at)
            values ($1, $2, $3, $4, $5, $6)",
        postgres: "insert into fulfilment (id, order_id, carrier, tracking_number, actor_id, at)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[],
                $6::timestamptz[])",
    };
    INSERT_FULFILMENT_LINES = {
        sqlite: "insert into fulfilment_line (fulfilment_id, line_no, level_id, quantity)
            values ($1, $2, $3, $4)",
        postgres: "insert into fulfilment_line (fulfilment_id, line_no, level_id, quantity)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])",
    };
}

/// Adds one row to columns.
pub(crate) fn push<const N: usize>(columns: &mut [Vec<Value>; N], row: [Value; N]) {
    for (column, value) in columns.iter_mut().zip(row) {
        column.push(value);
    }
}
