//! Statements of the engine: handing out, leases, what waits, what became of it.
//!
//! `delivery` and `delivery_retry` are empty in one moment and full in the next, and PostgreSQL's
//! statistics of them are of neither. So whatever looks for rows there is planned anew for each
//! call (`replan`).

use runout_store::statements;

statements! {
    // --- handing out -----------------------------------------------------------------------------
    /// Whether there is something to hand out, or to look for. Asked whether one exists above the
    /// mark, PostgreSQL would expect to meet it soon, and read all of them.
    ANYTHING = {
        sqlite: "select 1 from dispatch d where d.gaps <> '[]'
            or (select max(o.id) from outbox o) > d.mark",
        postgres: "select 1 from dispatch d where d.gaps <> '[]'::jsonb
            or (select max(o.id) from outbox o) > d.mark",
    };
    DISPATCH = {
        sqlite: "select mark, gaps, next_delivery from dispatch where id = 1",
        postgres: "select mark, gaps, next_delivery from dispatch where id = 1 for update",
    };
    /// A number below which all transactions have ended, and one above all that have begun. SQLite
    /// has one writer: nothing can come late.
    TRANSACTIONS = {
        sqlite: "select 0, 0",
        postgres: "select cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint),
            cast(cast(pg_snapshot_xmax(pg_current_snapshot()) as text) as bigint)",
    };
    /// Events above `$1`, at most `$2`. The last column is what a thing belongs to.
    ABOVE = {
        sqlite: "select id, topic, entity, entity_id,
                case when entity = 'comment' then json_extract(payload, '$.post_id') end
            from outbox where id > $1 order by id limit $2",
        postgres: "select id, topic, entity, entity_id,
                case when entity = 'comment' then cast(payload ->> 'post_id' as bigint) end
            from outbox where id > $1 order by id limit $2",
    };
    /// Events whose ids lie from `$1[i]` to `$2[i]`.
    IN_GAPS = {
        sqlite: "with l as materialized (select key, value from json_each($2))
            select o.id, o.topic, o.entity, o.entity_id,
                case when o.entity = 'comment' then json_extract(o.payload, '$.post_id') end
            from json_each($1) f cross join l on l.key = f.key
            cross join outbox o on o.id between f.value and l.value",
        postgres: "select o.id, o.topic, o.entity, o.entity_id,
                case when o.entity = 'comment' then cast(o.payload ->> 'post_id' as bigint) end
            from unnest($1::bigint[], $2::bigint[]) as g (first, last)
            join outbox o on o.id between g.first and g.last",
    };
    LISTENERS = "select id, kind, events, resources from destination";
    HAND_OUT = {
        sqlite: "insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at)
            values ($1, $2, $3, $4, $5, $6, $7)",
        postgres: "insert into delivery
                (destination_id, id, lane, outbox_id, entity, entity_id, at)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::text[], $6::bigint[], $7::timestamptz[])",
    };
    MOVE_ON = "update dispatch set mark = $1, gaps = $2, next_delivery = $3 where id = 1";
    NEXT_DELIVERY = "update dispatch set next_delivery = $1 where id = 1";

    // --- leases ----------------------------------------------------------------------------------
    LEASES = {
        sqlite: "select lane, holder, epoch, ends_at from delivery_lane order by lane",
        postgres: "select lane, holder, epoch, ends_at from delivery_lane order by lane for update",
    };
    NODES = "select holder from delivery_node where ends_at > $1";
    SEEN = "insert into delivery_node (holder, ends_at) values ($1, $2)
        on conflict (holder) do update set ends_at = excluded.ends_at";
    FORGET = "delete from delivery_node where ends_at < $1 or holder = $2";
    HOLD = {
        sqlite: "update delivery_lane set holder = $2, epoch = $3, ends_at = $4 where lane = $1",
        postgres: "update delivery_lane l
            set holder = c.holder, epoch = c.epoch, ends_at = c.ends_at
            from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[])
                as c (lane, holder, epoch, ends_at)
            where l.lane = c.lane",
    };

    // --- what waits ------------------------------------------------------------------------------
    TARGETS = "select d.id, d.kind, d.url, d.resources, d.exchange, d.allow_private, d.version,
            coalesce((select cast(sum(s.number * s.number) as bigint) from destination_secret s
                where s.destination_id = d.id), 0)
        from destination d where d.state = 'active'";
    SECRETS = "select number, secret, ends_at from destination_secret
        where destination_id = $1 and (ends_at is null or ends_at > $2) order by number desc";
    /// Deliveries of the destination `$1` above `$2` in the lanes `$3`, at most `$4`.
    ///
    /// PostgreSQL's planner is kept from guessing how many they are: of a limit that it does not
    /// know it expects little, and takes the index in whose order the rows are asked for; and each
    /// event is looked up by itself.
    WAITING = {
        replan,
        sqlite: "select d.id, d.lane, d.outbox_id, d.entity, d.entity_id, d.letter_id, o.topic,
                o.at, coalesce(d.payload, o.payload)
            from delivery d cross join outbox o on o.id = d.outbox_id
            where d.destination_id = $1 and d.id > $2
                and +d.lane in (select value from json_each($3))
            order by d.id limit $4",
        postgres: "select d.id, d.lane, d.outbox_id, d.entity, d.entity_id, d.letter_id, o.topic,
                o.at, cast(coalesce(d.payload, o.payload) as text)
            from (select * from delivery
                where destination_id = $1 and id > $2 and lane = any($3)
                order by id limit (select $4::bigint)) d
            cross join lateral (select * from outbox where id = d.outbox_id offset 0) o
            order by d.id",
    };
    /// Deliveries of one thing, up to the id `$4`; kept from guessing as [`WAITING`].
    OF_THING = {
        replan,
        sqlite: "select d.id, d.lane, d.outbox_id, d.entity, d.entity_id, d.letter_id, o.topic,
                o.at, coalesce(d.payload, o.payload)
            from delivery d cross join outbox o on o.id = d.outbox_id
            where d.destination_id = $1 and d.entity = $2 and d.entity_id = $3 and d.id <= $4
            order by d.id limit $5",
        postgres: "select d.id, d.lane, d.outbox_id, d.entity, d.entity_id, d.letter_id, o.topic,
                o.at, cast(coalesce(d.payload, o.payload) as text)
            from (select * from delivery
                where destination_id = $1 and entity = $2 and entity_id = $3 and id <= $4
                order by id limit (select $5::bigint)) d
            cross join lateral (select * from outbox where id = d.outbox_id offset 0) o
            order by d.id",
    };
    RETRIES = {
        replan,
        sqlite: "select entity, entity_id, attempts, first_at, due_at, error from delivery_retry
            where destination_id = $1 and lane in (select value from json_each($2))",
        postgres: "select entity, entity_id, attempts, first_at, due_at, error from delivery_retry
            where destination_id = $1 and lane = any($2)",
    };

    // --- what became of it -----------------------------------------------------------------------
    HELD = "select lane, epoch from delivery_lane where holder = $1";
    STILL_THERE = {
        replan,
        sqlite: "select id from delivery
            where destination_id = $1 and id in (select value from json_each($2))",
        postgres: "select id from delivery
            where destination_id = $1 and id = any(array(select unnest($2::bigint[])))
            order by id for update",
    };
    /// PostgreSQL does not see how many they are (see [`WAITING`]): by many it would be tempted to
    /// look through all that a destination waits for.
    REMOVE = {
        replan,
        sqlite: "delete from delivery
            where destination_id = $1 and id in (select value from json_each($2))",
        postgres: "delete from delivery
            where destination_id = $1 and id = any(array(select unnest($2::bigint[])))",
    };
    /// Nothing, if the destination was deleted meanwhile.
    TALLY = "insert into destination_tally (destination_id, delivered, failed_attempts, dead,
            last_success_at, last_failure_at, last_error)
        select id, $2, $3, $4, $5, $6, $7 from destination where id = $1
        on conflict (destination_id) do update set
            delivered = destination_tally.delivered + excluded.delivered,
            failed_attempts = destination_tally.failed_attempts + excluded.failed_attempts,
            dead = destination_tally.dead + excluded.dead,
            last_success_at = coalesce(excluded.last_success_at, destination_tally.last_success_at),
            last_failure_at = coalesce(excluded.last_failure_at, destination_tally.last_failure_at),
            last_error = coalesce(excluded.last_error, destination_tally.last_error)";
    NO_RETRY = {
        replan,
        sqlite: "delete from delivery_retry
            where destination_id = $1 and entity = $2 and entity_id = $3",
        postgres: "delete from delivery_retry r
            using unnest($1::bigint[], $2::text[], $3::bigint[]) as c (destination_id, entity, id)
            where r.destination_id = c.destination_id and r.entity = c.entity
                and r.entity_id = c.id",
    };
    RETRY = {
        sqlite: "insert into delivery_retry (destination_id, entity, entity_id, delivery_id, lane,
                attempts, first_at, due_at, status, error)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            on conflict (destination_id, entity, entity_id) do update set
                delivery_id = excluded.delivery_id, attempts = excluded.attempts,
                first_at = excluded.first_at, due_at = excluded.due_at,
                status = excluded.status, error = excluded.error",
        postgres: "insert into delivery_retry (destination_id, entity, entity_id, delivery_id, lane,
                attempts, first_at, due_at, status, error)
            select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],
                $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::text[])
            on conflict (destination_id, entity, entity_id) do update set
                delivery_id = excluded.delivery_id, attempts = excluded.attempts,
                first_at = excluded.first_at, due_at = excluded.due_at,
                status = excluded.status, error = excluded.error",
    };
    BURY = {
        sqlite: "insert into dead_letter (id, destination_id, outbox_id, lane, topic, entity,
                entity_id, at, died_at, payload, reason, attempts, request, response, status)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        postgres: "insert into dead_letter (id, destination_id, outbox_id, lane, topic, entity,
                entity_id, at, died_at, payload, reason, attempts, request, response, status)
            select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[],
                $6::text[], $7::bigint[], $8::timestamptz[], $9::timestamptz[], $10::jsonb[],
                $11::text[], $12::bigint[], $13::text[], $14::text[], $15::bigint[])",
    };
    /// A replayed letter that died again.
    REBURY = "update dead_letter set state = 'dead', died_at = $2, reason = $3,
            attempts = attempts + $4, request = $5, response = $6, status = $7,
            version = version + 1
        where id = $1 and state = 'replaying'";
    LAID_TO_REST = {
        sqlite: "update dead_letter set state = 'delivered', version = version + 1
            where id in (select value from json_each($1)) and state = 'replaying'",
        postgres: "update dead_letter set state = 'delivered', version = version + 1
            where id = any($1) and state = 'replaying'",
    };
    DISABLE = "update destination set state = 'disabled', state_reason = $2, updated_at = $3,
            version = version + 1
        where id = $1 and state = 'active'";
    /// Things that are still here and have one of the ids `$2` at a remote.
    NAMED = {
        sqlite: "select r.entity, r.remote_key, r.entity_id from remote_record r
            where r.origin = $1 and r.remote_key in (select value from json_each($2))
                and case r.entity
                    when 'post' then exists (select 1 from post p where p.id = r.entity_id)
                    when 'comment' then exists (select 1 from comment c where c.id = r.entity_id)
                    else true end",
        postgres: "select r.entity, r.remote_key, r.entity_id from remote_record r
            where r.origin = $1 and r.remote_key = any($2)
                and case r.entity
                    when 'post' then exists (select 1 from post p where p.id = r.entity_id)
                    when 'comment' then exists (select 1 from comment c where c.id = r.entity_id)
                    else true end",
    };
    MAP = {
        sqlite: "insert into remote_record
                (origin, entity, entity_id, remote_key, parent_id, digest, sent_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (origin, entity, entity_id) do update set
                remote_key = excluded.remote_key, parent_id = excluded.parent_id,
                digest = excluded.digest, sent_at = excluded.sent_at",
        postgres: "insert into remote_record
                (origin, entity, entity_id, remote_key, parent_id, digest, sent_at)
            select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[],
                $6::bytea[], $7::timestamptz[])
            on conflict (origin, entity, entity_id) do update set
                remote_key = excluded.remote_key, parent_id = excluded.parent_id,
                digest = excluded.digest, sent_at = excluded.sent_at",
    };
    UNMAP = {
        sqlite: "delete from remote_record where origin = $1 and entity = $2 and entity_id = $3",
        postgres: "delete from remote_record r
            using unnest($1::text[], $2::text[], $3::bigint[]) as c (origin, entity, id)
            where r.origin = c.origin and r.entity = c.entity and r.entity_id = c.id",
    };
}
