//! Statements of baskets. Lines and holds, and a basket's end, are stored by the stock writer's
//! batches only.

use runout_core::ids::{BasketId, VariantId};
use runout_core::stock::{BasketLine, Difference, Hold, HoldKey};
use runout_store::{Statement, Value, statements};

use crate::orders::commands::push;

statements! {
    INSERT_BASKET = "insert into basket
            (id, token_hash, account_id, currency, status, created_at, touched_at)
        values ($1, $2, $3, $4, 'open', $5, $5)";
    SET_DISCOUNT = "update basket set discount_id = $2 where id = $1";
    /// The row that a change begins from; on PostgreSQL locked.
    LOCK_BASKET = {
        sqlite: "select token_hash, account_id, status from basket where id = $1",
        postgres: "select token_hash, account_id, status from basket where id = $1 for update",
    };
    DISCOUNT_OF_CODE = "select id from discount where code_key = $1";
    /// Baskets `$1`; on PostgreSQL locked, before anything else of a batch.
    BASKETS = {
        sqlite: "select id, account_id, token_hash, currency, status, order_id, discount_id
            from basket where id in (select value from json_each($1))",
        postgres: "select id, account_id, token_hash, currency, status, order_id, discount_id
            from basket where id = any($1) order by id for update",
    };
    LINES = {
        sqlite: "select basket_id, variant_id, quantity, unit_price_minor, held_since, added_at
            from basket_line where basket_id in (select value from json_each($1))",
        postgres: "select basket_id, variant_id, quantity, unit_price_minor, held_since, added_at
            from basket_line where basket_id = any($1)",
    };
    /// Every hold of the baskets `$1`, lapsed ones too.
    HOLDS = {
        sqlite: "select basket_id, variant_id, level_id, quantity, expires_at
            from hold where basket_id in (select value from json_each($1))",
        postgres: "select basket_id, variant_id, level_id, quantity, expires_at
            from hold where basket_id = any($1)",
    };
    /// Holds of the variants `$1` that have lapsed at `$2`, of whatever basket.
    LAPSED = {
        sqlite: "select basket_id, variant_id, level_id, quantity, expires_at
            from hold where variant_id in (select value from json_each($1)) and expires_at <= $2",
        postgres: "select basket_id, variant_id, level_id, quantity, expires_at
            from hold where variant_id = any($1) and expires_at <= $2",
    };
    STORE_LINES = {
        sqlite: "insert into basket_line
                (basket_id, variant_id, quantity, unit_price_minor, held_since, added_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (basket_id, variant_id) do update set quantity = excluded.quantity,
                unit_price_minor = excluded.unit_price_minor, held_since = excluded.held_since",
        postgres: "insert into basket_line
                (basket_id, variant_id, quantity, unit_price_minor, held_since, added_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::timestamptz[], $6::timestamptz[])
            on conflict (basket_id, variant_id) do update set quantity = excluded.quantity,
                unit_price_minor = excluded.unit_price_minor, held_since = excluded.held_since",
    };
    DELETE_LINES = {
        sqlite: "delete from basket_line where basket_id = $1 and variant_id = $2",
        postgres: "delete from basket_line l
            using unnest($1::bigint[], $2::bigint[]) as g (basket_id, variant_id)
            where l.basket_id = g.basket_id and l.variant_id = g.variant_id",
    };
    STORE_HOLDS = {
        sqlite: "insert into hold (basket_id, variant_id, level_id, quantity, expires_at)
            values ($1, $2, $3, $4, $5)
            on conflict (basket_id, variant_id, level_id) do update
                set quantity = excluded.quantity, expires_at = excluded.expires_at",
        postgres: "insert into hold (basket_id, variant_id, level_id, quantity, expires_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::timestamptz[])
            on conflict (basket_id, variant_id, level_id) do update
                set quantity = excluded.quantity, expires_at = excluded.expires_at",
    };
    DELETE_HOLDS = {
        sqlite: "delete from hold where basket_id = $1 and variant_id = $2 and level_id = $3",
        postgres: "delete from hold h
            using unnest($1::bigint[], $2::bigint[], $3::bigint[])
                as g (basket_id, variant_id, level_id)
            where h.basket_id = g.basket_id and h.variant_id = g.variant_id
                and h.level_id = g.level_id",
    };
    END_BASKETS = {
        sqlite: "update basket set status = $2, order_id = $3 where id = $1 and status = 'open'",
        postgres: "update basket b set status = e.status, order_id = e.order_id
            from unnest($1::bigint[], $2::text[], $3::bigint[]) as e (id, status, order_id)
            where b.id = e.id and b.status = 'open'",
    };
}

/// Stores what a batch has made of baskets.
pub(crate) fn store(difference: &Difference) -> [Statement; 5] {
    let (mut lines, mut gone_lines) = (Vec::new(), Vec::new());
    for (key, line) in &difference.lines {
        match line {
            Some(line) => lines.push((key, line)),
            None => gone_lines.push(*key),
        }
    }
    let (mut holds, mut gone_holds) = (Vec::new(), Vec::new());
    for (key, hold) in &difference.holds {
        match hold {
            Some(hold) => holds.push((key, hold)),
            None => gone_holds.push(*key),
        }
    }
    let mut ended: [Vec<Value>; 3] = Default::default();
    for (id, status, order) in &difference.ended {
        let order = order.map(|order| order.0);
        push(&mut ended, [id.0.into(), Value::Static(status.name()), order.into()]);
    }
    [
        store_lines(&lines),
        delete_lines(&gone_lines),
        store_holds(&holds),
        delete_holds(&gone_holds),
        Statement::bulk(&END_BASKETS, ended.into()),
    ]
}

fn store_lines(lines: &[(&(BasketId, VariantId), &BasketLine)]) -> Statement {
    let mut columns: [Vec<Value>; 6] = Default::default();
    for ((basket, variant), line) in lines {
        let BasketLine { quantity, unit_price_minor, held_since, added_at } = **line;
        push(
            &mut columns,
            [
                basket.0.into(),
                variant.0.into(),
                quantity.into(),
                unit_price_minor.into(),
                held_since.into(),
                added_at.into(),
            ],
        );
    }
    Statement::bulk(&STORE_LINES, columns.into())
}

fn delete_lines(lines: &[(BasketId, VariantId)]) -> Statement {
    let mut columns: [Vec<Value>; 2] = Default::default();
    for (basket, variant) in lines {
        push(&mut columns, [basket.0.into(), variant.0.into()]);
    }
    Statement::bulk(&DELETE_LINES, columns.into())
}

fn store_holds(holds: &[(&HoldKey, &Hold)]) -> Statement {
    let mut columns: [Vec<Value>; 5] = Default::default();
    for ((basket, variant, level), hold) in holds {
        push(
            &mut columns,
            [
                basket.0.into(),
                variant.0.into(),
                level.0.into(),
                hold.quantity.into(),
                hold.expires_at.into(),
            ],
        );
    }
    Statement::bulk(&STORE_HOLDS, columns.into())
}

fn delete_holds(holds: &[HoldKey]) -> Statement {
    let mut columns: [Vec<Value>; 3] = Default::default();
    for (basket, variant, level) in holds {
        push(&mut columns, [basket.0.into(), variant.0.into(), level.0.into()]);
    }
    Statement::bulk(&DELETE_HOLDS, columns.into())
}
