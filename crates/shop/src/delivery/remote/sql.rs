//! Statements about records of remote systems.

use runout_store::statements;

statements! {
    REMEMBER = {
        sqlite: "insert into remote_record (origin, entity, entity_id, remote_key, parent_id,
                sent_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (origin, entity, entity_id) do update set
                remote_key = excluded.remote_key, parent_id = excluded.parent_id,
                sent_at = excluded.sent_at",
        postgres: "insert into remote_record (origin, entity, entity_id, remote_key, parent_id,
                sent_at)
            select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[],
                $6::timestamptz[])
            on conflict (origin, entity, entity_id) do update set
                remote_key = excluded.remote_key, parent_id = excluded.parent_id,
                sent_at = excluded.sent_at",
    };
    RECORDS_OF = "select entity_id, remote_key from remote_record
        where origin = $1 and entity = $2";
}
