//! Statements of recorded commands: outbox, audit, idempotency keys, ids.

use runout_store::statements;

statements! {
    /// Versions of catalogue and stock, and the last moments, up to `$1`, and the first ones after
    /// it at which a price or a release takes effect, or a hold lapses.
    VERSIONS = "select
        (select cast(sum(version) as bigint) from scope_version where scope = 'catalog'),
        (select cast(sum(version) as bigint) from scope_version where scope = 'stock'),
        (select max(effective_from) from price where effective_from <= $1),
        (select max(release_at) from product where release_at <= $1),
        (select max(expires_at) from hold where expires_at <= $1),
        (select min(effective_from) from price where effective_from > $1),
        (select min(release_at) from product where release_at > $1),
        (select min(expires_at) from hold where expires_at > $1),
        (select cast(sum(version) as bigint) from scope_version where scope = 'event'),
        (select max(ends_at) from event where ends_at <= $1),
        (select min(ends_at) from event where ends_at > $1),
        (select cast(sum(version) as bigint) from scope_version where scope = 'journal')";
    /// What entries of the shared cache are found and known by.
    INCARNATION = "select secret from signing_secret where name = 'answers'";
    /// Versions that no earlier life of this database has had, see `cache::begin`: `$1` is the time
    /// in microseconds.
    RAISE_VERSIONS = {
        sqlite: "update scope_version as v set version = max(v.version + 1, $1 - coalesce((
                select sum(o.version) from scope_version o
                where o.scope = v.scope and o.shard <> 0), 0))
            where v.shard = 0",
        postgres: "update scope_version as v set version = greatest(v.version + 1, $1 - coalesce((
                select cast(sum(o.version) as bigint) from scope_version o
                where o.scope = v.scope and o.shard <> 0), 0))
            where v.shard = 0",
    };
    KEY = "select fingerprint, status, body from idempotency where account_id = $1 and key = $2";
    STORE_KEY = "insert into idempotency
        (account_id, key, fingerprint, order_id, status, body, created_at)
        values ($1, $2, $3, null, $4, $5, $6)";
    /// Also used by the stock writer and the events' writer. The database gives the ids: whoever
    /// changes a thing holds its lock by then, so that ids of one thing grow as its changes commit.
    STORE_EVENTS = {
        sqlite: "insert into outbox (at, topic, entity, entity_id, payload)
            values ($1, $2, $3, $4, $5)",
        postgres: "insert into outbox (at, topic, entity, entity_id, payload)
            select * from unnest($1::timestamptz[], $2::text[], $3::text[], $4::bigint[],
                $5::jsonb[])",
    };
    STORE_AUDIT = {
        sqlite: "insert into audit (id, at, actor_id, action, entity, entity_id, changes)
            values ($1, $2, $3, $4, $5, $6, $7)",
        postgres: "insert into audit (id, at, actor_id, action, entity, entity_id, changes)
            select * from unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[],
                $5::text[], $6::bigint[], $7::jsonb[])",
    };
    /// The next id of a sequence, taken inside the transaction: for rows that are made one by one.
    NEXT_ID = "update id_sequence set next = next + $2 where name = $1 returning next - $2";
}
