//! Statements of the crawler: leases, what is due, what came of calls.

use runout_store::statements;

statements! {
    // --- leases ----------------------------------------------------------------------------------
    SEEN = "insert into channel_node (holder, ends_at) values ($1, $2)
        on conflict (holder) do update set ends_at = excluded.ends_at";
    FORGET = "delete from channel_node where ends_at < $1 or holder = $2";
    /// Channels in the hands of nodes that are gone are due.
    REAP = "update channel_sync set due_at = $1
        where holder is not null and due_at is null
            and not exists (select 1 from channel_node n
                where n.holder = channel_sync.holder and n.ends_at >= $1)";
    /// Channels of the holder `$1` that somebody asked something of.
    ASKED = "select channel_id from channel_sync
        where holder = $1 and asked is not null order by channel_id limit $2";

    // --- what is due -----------------------------------------------------------------------------
    /// A row if something is due by `$1`: how many nodes live.
    ANYTHING_DUE = "select (select count(*) from channel_node n where n.ends_at >= $1)
        from channel_sync s where s.due_at <= $1 limit 1";
    /// Channels that are due by `$1` and that nobody has in hand who lives, at most `$2`.
    DUE = {
        sqlite: "select s.channel_id, s.holder, s.epoch, s.asked, s.asked_by,
                s.run_id, s.began_at, c.state, c.sync_minutes, s.cursor
            from channel_sync s join channel c on c.id = s.channel_id
            where s.due_at <= $1 and (s.holder is null or not exists (
                select 1 from channel_node n
                where n.holder = s.holder and n.ends_at >= $1))
            order by s.due_at limit $2",
        postgres: "select s.channel_id, s.holder, s.epoch, s.asked, s.asked_by,
                s.run_id, s.began_at, c.state, c.sync_minutes, s.cursor
            from channel_sync s join channel c on c.id = s.channel_id
            where s.due_at <= $1 and (s.holder is null or not exists (
                select 1 from channel_node n
                where n.holder = s.holder and n.ends_at >= $1))
            order by s.due_at limit $2 for update of s skip locked",
    };
    CLAIM = {
        sqlite: "update channel_sync set holder = $2, epoch = $3, due_at = $4, asked = null,
                asked_by = null, run_id = $5, began_at = $6, cursor = $7
            where channel_id = $1",
        postgres: "update channel_sync s set holder = c.holder, epoch = c.epoch, due_at = c.due_at,
                asked = null, asked_by = null, run_id = c.run_id, began_at = c.began_at, cursor = c.cursor
            from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[],
                    $6::timestamptz[], $7::jsonb[])
                as c (channel_id, holder, epoch, due_at, run_id, began_at, cursor)
            where s.channel_id = c.channel_id",
    };
    BEGIN_RUN = {
        sqlite: "insert into sync_run (id, channel_id, kind, asked_by, began_at)
            values ($1, $2, $3, $4, $5)",
        postgres: "insert into sync_run (id, channel_id, kind, asked_by, began_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[],
                $5::timestamptz[])",
    };
    END_RUN = {
        sqlite: "update sync_run set state = $2, ended_at = $3 where id = $1 and state = 'running'",
        postgres: "update sync_run r set state = c.state, ended_at = c.ended_at
            from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as c (id, state, ended_at)
            where r.id = c.id and r.state = 'running'",
    };
    /// What whoever has claimed the channels `$1` needs to know of them.
    HELD = {
        sqlite: "select s.channel_id, s.epoch, c.provider, c.client_id, c.secret, c.credentials,
                c.state, c.sync_minutes, c.keep_days, s.cursor, s.limits, s.run_id, s.began_at,
                s.failures, s.failing_since, s.problem, r.kind, t.token, t.ends_at,
                s.unknown_fields
            from json_each($1) j cross join channel_sync s on s.channel_id = j.value
            join channel c on c.id = s.channel_id
            left join sync_run r on r.id = s.run_id
            left join channel_token t
                on t.channel_id = s.channel_id and t.credentials = c.credentials
            where s.holder = $2",
        postgres: "select s.channel_id, s.epoch, c.provider, c.client_id, c.secret, c.credentials,
                c.state, c.sync_minutes, c.keep_days, s.cursor, s.limits, s.run_id, s.began_at,
                s.failures, s.failing_since, s.problem, r.kind, t.token, t.ends_at,
                s.unknown_fields
            from channel_sync s
            join channel c on c.id = s.channel_id
            left join sync_run r on r.id = s.run_id
            left join channel_token t
                on t.channel_id = s.channel_id and t.credentials = c.credentials
            where s.channel_id = any($1) and s.holder = $2",
    };
    /// Details of a channel that are to be fetched by `$2`, at most `$3`.
    DETAILS_DUE = "select id, remote_id from shipment
        where channel_id = $1 and detail_due_at <= $2
        order by detail_due_at desc, id limit $3";
    /// What is to be shipped, or asked about, of each of the channels `$1`, at most `$2`.
    PROCESSES_DUE = {
        sqlite: "select p.channel_id, p.id, p.state, p.process_id, p.items, p.reference,
                p.shipping_label_id, p.transporter_code, p.track_and_trace, p.due_at, p.created_at
            from json_each($1) c cross join channel_process p on p.id in (
                select d.id from channel_process d
                where d.channel_id = c.value and d.due_at is not null
                order by d.due_at, d.id limit $2)
            order by p.channel_id, p.due_at, p.id",
        postgres: "select p.channel_id, p.id, p.state, p.process_id, p.items, p.reference,
                p.shipping_label_id, p.transporter_code, p.track_and_trace, p.due_at, p.created_at
            from unnest($1::bigint[]) as c (channel_id) cross join lateral (
                select d.* from channel_process d
                where d.channel_id = c.channel_id and d.due_at is not null
                order by d.due_at, d.id limit $2) p
            order by p.channel_id, p.due_at, p.id",
    };

    // --- what came of calls ----------------------------------------------------------------------
    /// The channels `$1`, locked: who holds them, and how they are meant to be.
    LOCK = {
        sqlite: "select s.channel_id, s.epoch, s.holder, s.asked, c.state, c.credentials
            from json_each($1) j cross join channel_sync s on s.channel_id = j.value
            join channel c on c.id = s.channel_id
            order by s.channel_id",
        postgres: "select s.channel_id, s.epoch, s.holder, s.asked, c.state, c.credentials
            from channel_sync s join channel c on c.id = s.channel_id
            where s.channel_id = any($1) order by s.channel_id for update of s",
    };
    /// Which of the shipments are known. SQLite would read one list anew for each element of the
    /// other: it is told to keep it.
    KNOWN = {
        sqlite: "with r as materialized (select key, value from json_each($2))
            select s.channel_id, s.remote_id
            from json_each($1) c cross join r on r.key = c.key
            cross join shipment s on s.channel_id = c.value and s.remote_id = r.value",
        postgres: "select s.channel_id, s.remote_id
            from unnest($1::bigint[], $2::text[]) as a (channel_id, remote_id)
            join shipment s on s.channel_id = a.channel_id and s.remote_id = a.remote_id",
    };
    PROGRESS = {
        sqlite: "update channel_sync set cursor = $2, limits = $3, failures = $4,
                failing_since = $5, problem = $6, unknown_fields = $7, run_id = $8, holder = $9,
                due_at = $10
            where channel_id = $1",
        postgres: "update channel_sync s set cursor = c.cursor, limits = c.limits,
                failures = c.failures, failing_since = c.failing_since, problem = c.problem,
                unknown_fields = c.unknown_fields, run_id = c.run_id, holder = c.holder,
                due_at = c.due_at
            from unnest($1::bigint[], $2::jsonb[], $3::jsonb[], $4::bigint[], $5::timestamptz[],
                    $6::text[], $7::jsonb[], $8::bigint[], $9::text[], $10::timestamptz[])
                as c (channel_id, cursor, limits, failures, failing_since, problem, unknown_fields,
                    run_id, holder, due_at)
            where s.channel_id = c.channel_id",
    };
    COUNT = {
        sqlite: "update sync_run set pages = pages + $2, found = found + $3,
                details = details + $4, quarantined = quarantined + $5, gone = gone + $6,
                calls = calls + $7, refused = refused + $8, unauthorised = unauthorised + $9,
                failed = failed + $10, tokens = tokens + $11
            where id = $1",
        postgres: "update sync_run r set pages = pages + c.n1, found = found + c.n2,
                details = details + c.n3, quarantined = quarantined + c.n4, gone = gone + c.n5,
                calls = calls + c.n6, refused = refused + c.n7,
                unauthorised = unauthorised + c.n8, failed = failed + c.n9, tokens = tokens + c.n10
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                    $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                    $11::bigint[])
                as c (id, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10)
            where r.id = c.id",
    };
    STORE_TOKEN = {
        sqlite: "insert into channel_token (channel_id, token, credentials, ends_at)
            values ($1, $2, $3, $4)
            on conflict (channel_id) do update set token = excluded.token,
                credentials = excluded.credentials, ends_at = excluded.ends_at",
        postgres: "insert into channel_token (channel_id, token, credentials, ends_at)
            select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[])
            on conflict (channel_id) do update set token = excluded.token,
                credentials = excluded.credentials, ends_at = excluded.ends_at",
    };
    /// Unless somebody has changed it meanwhile.
    SET_STATE = "update channel set state = $2, state_reason = $3, updated_at = $4,
            version = version + 1
        where id = $1 and state in ('unverified', 'active') and credentials = $5";
    INSERT_LISTED = {
        sqlite: "insert into shipment (id, channel_id, remote_id, method, state, shipped_at,
                reference, order_id, order_placed_at, transport_id, problem, raw, found_at,
                detail_due_at, erase_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        postgres: "insert into shipment (id, channel_id, remote_id, method, state, shipped_at,
                reference, order_id, order_placed_at, transport_id, problem, raw, found_at,
                detail_due_at, erase_at)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
                $6::timestamptz[], $7::text[], $8::text[], $9::timestamptz[], $10::text[],
                $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[],
                $15::timestamptz[])",
    };
    STORE_DETAIL = {
        sqlite: "update shipment set state = $2, problem = $3,
                shipped_at = coalesce($4, shipped_at), reference = $5, order_id = $6, order_placed_at = $7, pickup_point = $8,
                transport_id = $9, transporter_code = $10, track_and_trace = $11,
                shipping_label_id = $12, transport_events = $13, last_event = $14, ship_to = $15,
                bill_to = $16, raw = $17, unknown_fields = $18, detailed_at = $19,
                detail_due_at = $20, erase_at = $21, version = version + 1
            where id = $1",
        postgres: "update shipment s set state = c.state, problem = c.problem,
                shipped_at = coalesce(c.shipped_at, s.shipped_at), reference = c.reference,
                order_id = c.order_id, order_placed_at = c.order_placed_at,
                pickup_point = c.pickup_point, transport_id = c.transport_id,
                transporter_code = c.transporter_code, track_and_trace = c.track_and_trace,
                shipping_label_id = c.shipping_label_id, transport_events = c.transport_events,
                last_event = c.last_event, ship_to = c.ship_to, bill_to = c.bill_to, raw = c.raw,
                unknown_fields = c.unknown_fields, detailed_at = c.detailed_at,
                detail_due_at = c.detail_due_at, erase_at = c.erase_at, version = version + 1
            from unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[],
                    $6::text[], $7::timestamptz[], $8::boolean[], $9::text[], $10::text[],
                    $11::text[], $12::text[], $13::jsonb[], $14::text[], $15::jsonb[],
                    $16::jsonb[], $17::text[], $18::jsonb[], $19::timestamptz[],
                    $20::timestamptz[], $21::timestamptz[])
                as c (id, state, problem, shipped_at, reference, order_id, order_placed_at,
                    pickup_point, transport_id, transporter_code, track_and_trace,
                    shipping_label_id, transport_events, last_event, ship_to, bill_to, raw,
                    unknown_fields, detailed_at, detail_due_at, erase_at)
            where s.id = c.id",
    };
    /// Those that could not be read, or are gone: what was known of them stays.
    STORE_FATE = {
        sqlite: "update shipment set state = $2, problem = $3, raw = coalesce($4, raw),
                detailed_at = $5, detail_due_at = null, version = version + 1
            where id = $1",
        postgres: "update shipment s set state = c.state, problem = c.problem,
                raw = coalesce(c.raw, s.raw), detailed_at = c.detailed_at, detail_due_at = null,
                version = version + 1
            from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                as c (id, state, problem, raw, detailed_at)
            where s.id = c.id",
    };
    NO_ITEMS = {
        sqlite: "delete from shipment_item
            where shipment_id in (select value from json_each($1))",
        postgres: "delete from shipment_item where shipment_id = any($1)",
    };
    STORE_ITEM = {
        sqlite: "insert into shipment_item (shipment_id, number, order_item_id, ean, title,
                quantity, quantity_shipped, unit_price_minor, commission_minor, currency, offer_id,
                offer_reference, method, distribution_party, latest_delivery_date)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        postgres: "insert into shipment_item (shipment_id, number, order_item_id, ean, title,
                quantity, quantity_shipped, unit_price_minor, commission_minor, currency, offer_id,
                offer_reference, method, distribution_party, latest_delivery_date)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
                $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[],
                $12::text[], $13::text[], $14::text[], $15::text[])",
    };
    STORE_PROCESS = {
        sqlite: "update channel_process set state = $2, process_id = coalesce($3, process_id),
                shipment_id = coalesce($4, shipment_id), error = $5, due_at = $6, updated_at = $7,
                version = version + 1
            where id = $1",
        postgres: "update channel_process p set state = c.state,
                process_id = coalesce(c.process_id, p.process_id),
                shipment_id = coalesce(c.shipment_id, p.shipment_id), error = c.error,
                due_at = c.due_at, updated_at = c.updated_at, version = version + 1
            from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[],
                    $6::timestamptz[], $7::timestamptz[])
                as c (id, state, process_id, shipment_id, error, due_at, updated_at)
            where p.id = c.id",
    };
}
