//! Statements of recorded commands: outbox, audit, idempotency keys, ids.

use runout_store::statements;

statements! {
    /// Versions of catalogue and stock, and the last moments, up to `$1`, at which a price or a
    /// release took effect, or a hold lapsed.
    VERSIONS = "select
        (select cast(sum(version) as bigint) from scope_version where scope = 'catalog'),
        (select cast(sum(version) as bigint) from scope_version where scope = 'stock'),
        (select max(effective_from) from price where effective_from <= $1),
        (select max(release_at) from product where release_at <= $1),
        (select max(expires_at) from hold where expires_at <= $1)";
    KEY = "select fingerprint, status, body from idempotency where account_id = $1 and key = $2";
    STORE_KEY = "insert into idempotency
        (account_id, key, fingerprint, order_id, status, body, created_at)
        values ($1, $2, $3, null, $4, $5, $6)";
    /// Also used by the stock writer.
    STORE_EVENTS = {
        sqlite: "insert into outbox (id, at, topic, entity, entity_id, payload)
            values ($1, $2, $3, $4, $5, $6)",
        postgres: "insert into outbox (id, at, topic, entity, entity_id, payload)
            select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[],
                $5::bigint[], $6::jsonb[])",
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
