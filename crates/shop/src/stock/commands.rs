//! The stock writer's statements: what a batch loads (and on PostgreSQL locks) and what it stores.
//!
//! Lock order is the same in every batch: baskets, levels, orders, discounts, each by id. So two
//! batches, on any two nodes, wait for each other but never in a circle.

use runout_store::statements;

statements! {
    /// Every level of the variants `$1`.
    LEVELS = {
        sqlite: "select l.id, l.variant_id, l.location_id, c.priority, c.active, l.on_hand,
                l.reserved, l.movements
            from stock_level l join location c on c.id = l.location_id
            where l.variant_id in (select value from json_each($1))",
        postgres: "select l.id, l.variant_id, l.location_id, c.priority, c.active, l.on_hand,
                l.reserved, l.movements
            from stock_level l join location c on c.id = l.location_id
            where l.variant_id = any($1)
            order by l.id for update of l",
    };
    OFFERS = {
        sqlite: "select v.id, v.sku, p.title, v.title,
                p.enabled and p.deleted_at is null and v.deleted_at is null,
                p.release_at, v.limit_per_order, v.limit_per_customer, v.hold_seconds, p.tax_class
            from variant v join product p on p.id = v.product_id
            where v.id in (select value from json_each($1))",
        postgres: "select v.id, v.sku, p.title, v.title,
                p.enabled and p.deleted_at is null and v.deleted_at is null,
                p.release_at, v.limit_per_order, v.limit_per_customer, v.hold_seconds, p.tax_class
            from variant v join product p on p.id = v.product_id
            where v.id = any($1)",
    };
    /// The newest price of each currency that is effective at `$2`.
    PRICES = {
        sqlite: "select p.variant_id, p.currency, p.amount_minor
            from price p
            where p.variant_id in (select value from json_each($1))
            and p.effective_from = (
                select max(q.effective_from) from price q
                where q.variant_id = p.variant_id and q.currency = p.currency
                and q.effective_from <= $2)",
        postgres: "select p.variant_id, p.currency, p.amount_minor
            from price p
            where p.variant_id = any($1)
            and p.effective_from = (
                select max(q.effective_from) from price q
                where q.variant_id = p.variant_id and q.currency = p.currency
                and q.effective_from <= $2)",
    };
    ACCOUNTS = {
        sqlite: "select id, active from account where id in (select value from json_each($1))",
        postgres: "select id, active from account where id = any($1)",
    };
    VARIANTS_OF = {
        sqlite: "select distinct variant_id from order_line
            where order_id in (select value from json_each($1))",
        postgres: "select distinct variant_id from order_line where order_id = any($1)",
    };
    /// Discounts of the baskets `$1` and of the orders `$2`; on PostgreSQL locked.
    DISCOUNTS_OF = {
        sqlite: "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at,
                uses_max, uses_per_customer_max, uses, code
            from discount where id in (
                select b.discount_id from basket b where b.id in (select value from json_each($1))
                union select o.discount_id from orders o
                where o.id in (select value from json_each($2)))",
        postgres: "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at,
                uses_max, uses_per_customer_max, uses, code
            from discount where id in (
                select b.discount_id from basket b where b.id = any($1)
                union select o.discount_id from orders o where o.id = any($2))
            order by id for update",
    };
    LOCATIONS = "select id, priority, active from location";
    /// The keys `$2[i]` of the accounts `$1[i]`. SQLite would read one list anew for each element
    /// of the other, here and below: it is told to keep it, and in which order to go.
    KEYS = {
        sqlite: "with k as materialized (select key, value from json_each($2))
            select i.account_id, i.key, i.fingerprint, i.order_id, i.status, i.body
            from json_each($1) a cross join k on k.key = a.key
            cross join idempotency i on i.account_id = a.value and i.key = k.value",
        postgres: "select i.account_id, i.key, i.fingerprint, i.order_id, i.status, i.body
            from unnest($1::bigint[], $2::text[]) as w (account_id, key)
            join idempotency i on i.account_id = w.account_id and i.key = w.key",
    };
    /// Units of the variants `$2[i]` in orders of the accounts `$1[i]` that stand, and of
    /// refunded ones those that had left.
    BOUGHT = {
        sqlite: "with v as materialized (select key, value from json_each($2))
            select o.account_id, l.variant_id, cast(sum(case o.status when 'refunded'
                then (select coalesce(sum(a.shipped), 0) from allocation a
                    where a.order_id = o.id and a.line_no = l.line_no)
                else l.quantity end) as bigint)
            from json_each($1) w cross join v on v.key = w.key
            cross join orders o on o.account_id = w.value and o.status <> 'cancelled'
            cross join order_line l on l.order_id = o.id and l.variant_id = v.value
            group by o.account_id, l.variant_id",
        postgres: "select o.account_id, l.variant_id, cast(sum(case o.status when 'refunded'
                then (select coalesce(sum(a.shipped), 0) from allocation a
                    where a.order_id = o.id and a.line_no = l.line_no)
                else l.quantity end) as bigint)
            from unnest($1::bigint[], $2::bigint[]) as w (account_id, variant_id)
            join orders o on o.account_id = w.account_id
                and o.status <> 'cancelled'
            join order_line l on l.order_id = o.id and l.variant_id = w.variant_id
            group by o.account_id, l.variant_id",
    };
    /// [`BOUGHT`] by guests under the e-mail addresses `$1[i]`.
    BOUGHT_BY_GUESTS = {
        sqlite: "with v as materialized (select key, value from json_each($2))
            select o.email_key, l.variant_id, cast(sum(case o.status when 'refunded'
                then (select coalesce(sum(a.shipped), 0) from allocation a
                    where a.order_id = o.id and a.line_no = l.line_no)
                else l.quantity end) as bigint)
            from json_each($1) w cross join v on v.key = w.key
            cross join orders o on o.email_key = w.value and o.account_id is null
                and o.status <> 'cancelled'
            cross join order_line l on l.order_id = o.id and l.variant_id = v.value
            group by o.email_key, l.variant_id",
        postgres: "select o.email_key, l.variant_id, cast(sum(case o.status when 'refunded'
                then (select coalesce(sum(a.shipped), 0) from allocation a
                    where a.order_id = o.id and a.line_no = l.line_no)
                else l.quantity end) as bigint)
            from unnest($1::text[], $2::bigint[]) as w (email_key, variant_id)
            join orders o on o.email_key = w.email_key and o.account_id is null
                and o.status <> 'cancelled'
            join order_line l on l.order_id = o.id and l.variant_id = w.variant_id
            group by o.email_key, l.variant_id",
    };
    /// Units of the variants `$2[i]` in holds, live at `$3`, of all baskets of the accounts
    /// `$1[i]`.
    HELD = {
        sqlite: "with v as materialized (select key, value from json_each($2))
            select b.account_id, h.variant_id, cast(sum(h.quantity) as bigint)
            from json_each($1) w cross join v on v.key = w.key
            cross join basket b on b.account_id = w.value and b.status = 'open'
            cross join hold h on h.basket_id = b.id and h.variant_id = v.value and h.expires_at > $3
            group by b.account_id, h.variant_id",
        postgres: "select b.account_id, h.variant_id, cast(sum(h.quantity) as bigint)
            from unnest($1::bigint[], $2::bigint[]) as w (account_id, variant_id)
            join basket b on b.account_id = w.account_id and b.status = 'open'
            join hold h on h.basket_id = b.id and h.variant_id = w.variant_id
                and h.expires_at > $3
            group by b.account_id, h.variant_id",
    };
    INSERT_LEVELS = {
        sqlite: "insert into stock_level
            (id, variant_id, location_id, on_hand, reserved, movements)
            values ($1, $2, $3, 0, 0, 0)",
        postgres: "insert into stock_level
            (id, variant_id, location_id, on_hand, reserved, movements)
            select id, variant_id, location_id, 0, 0, 0
            from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as n (id, variant_id, location_id)",
    };
    /// Adds differences: even a batch that forgot its lock could not lose another's change.
    CHANGE_LEVELS = {
        sqlite: "update stock_level
            set on_hand = on_hand + $2, reserved = reserved + $3, movements = movements + $4
            where id = $1",
        postgres: "update stock_level l
            set on_hand = l.on_hand + c.on_hand, reserved = l.reserved + c.reserved,
                movements = l.movements + c.movements
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                as c (id, on_hand, reserved, movements)
            where l.id = c.id",
    };
    INSERT_MOVEMENTS = {
        sqlite: "insert into stock_movement (level_id, number, at, cause, on_hand_delta,
                reserved_delta, order_id, actor_id, reason, basket_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        postgres: "insert into stock_movement (level_id, number, at, cause, on_hand_delta,
                reserved_delta, order_id, actor_id, reason, basket_id)
            select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[],
                $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[])",
    };
    INSERT_KEYS = {
        sqlite: "insert into idempotency
            (account_id, key, fingerprint, order_id, status, body, created_at)
            values ($1, $2, $3, $4, $5, $6, $7)",
        postgres: "insert into idempotency
            (account_id, key, fingerprint, order_id, status, body, created_at)
            select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[],
                $6::text[], $7::timestamptz[])",
    };
    INSERT_LOCATION = "insert into location (id, code, name, priority, active, version)
        values ($1, $2, $3, $4, $5, 1)";
    UPDATE_LOCATION = "update location set name = $2, priority = $3, active = $4,
        version = version + 1
        where id = $1";
    /// The row that a change begins from; on PostgreSQL locked.
    LOCK_LOCATION = {
        sqlite: "select id, code, name, priority, active, version from location where id = $1",
        postgres: "select id, code, name, priority, active, version from location where id = $1
            for update",
    };
}
