//! Statements of the comparison with a mirror.

use runout_store::statements;

statements! {
    /// The destination of the name `$1`, or of the id `$2`.
    MIRROR = "select id, name, kind, url, resources, allow_private from destination
        where name = $1 or id = $2 order by case when name = $1 then 0 else 1 end limit 1";
    WAITING = {
        replan,
        sqlite: "select distinct entity_id from delivery where destination_id = $1 and entity = $2
                and entity_id in (select value from json_each($3))",
        postgres: "select distinct entity_id from delivery where destination_id = $1 and entity = $2
                and entity_id = any($3)",
    };
    NOTE_REPAIR = "insert into outbox (at, topic, entity, entity_id, payload)
        values ($1, 'destination.repair', 'destination', $2, '{}') returning id";
}
