//! Statements of mirrors: things as they are now, and what remotes call them.

use runout_store::statements;

statements! {
    POSTS = {
        sqlite: "select id, user_id, title, body from post
            where id in (select value from json_each($1))",
        postgres: "select id, user_id, title, body from post where id = any($1)",
    };
    COMMENTS = {
        sqlite: "select id, post_id, name, email, body from comment
            where id in (select value from json_each($1))",
        postgres: "select id, post_id, name, email, body from comment where id = any($1)",
    };
    PRODUCTS = {
        sqlite: "select id, title, artist, release_year, style, label, description, enabled
            from product where deleted_at is null and id in (select value from json_each($1))",
        postgres: "select id, title, artist, release_year, style, label, description, enabled
            from product where deleted_at is null and id = any($1)",
    };
    EVENTS = {
        sqlite: "select id, title, description, venue, starts_at, ends_at, capacity,
                cancelled_at is not null
            from event where id in (select value from json_each($1))",
        postgres: "select id, title, description, venue, starts_at, ends_at, capacity,
                cancelled_at is not null
            from event where id = any($1)",
    };
    POST_IDS = "select id from post where id > $1 order by id limit $2";
    COMMENT_IDS = "select id from comment where id > $1 order by id limit $2";
    PRODUCT_IDS = "select id from product
        where deleted_at is null and id > $1 order by id limit $2";
    EVENT_IDS = "select id from event where id > $1 order by id limit $2";

    RECORDS = {
        sqlite: "select entity_id, remote_key, digest from remote_record
            where origin = $1 and entity = $2
                and entity_id in (select value from json_each($3))",
        postgres: "select entity_id, remote_key, digest from remote_record
            where origin = $1 and entity = $2 and entity_id = any($3)",
    };
    /// Whether a thing has deliveries that wait.
    WAITS = {
        replan,
        both: "select 1 from delivery
            where destination_id = $1 and entity = $2 and entity_id = $3 limit 1",
    };
    /// Whether something that belongs to the thing `$4` has.
    CHILDREN_WAIT = {
        replan,
        sqlite: "select 1 from remote_record r cross join delivery d
                on d.destination_id = $1 and d.entity = r.entity and d.entity_id = r.entity_id
            where r.origin = $2 and r.entity = $3 and r.parent_id = $4 limit 1",
        postgres: "select 1 from remote_record r join delivery d
                on d.destination_id = $1 and d.entity = r.entity and d.entity_id = r.entity_id
            where r.origin = $2 and r.entity = $3 and r.parent_id = $4 limit 1",
    };
    /// Whether another thing of the kind `$3` than `$4` waits for an id there.
    OTHERS_WAIT = {
        replan,
        both: "select 1 from delivery d
            where d.destination_id = $1 and d.entity = $3 and d.entity_id <> $4
                and not exists (select 1 from remote_record r
                    where r.origin = $2 and r.entity = d.entity and r.entity_id = d.entity_id)
            limit 1",
    };
    /// Whose the ids `$3` of a remote are.
    TAKEN = {
        sqlite: "select remote_key, entity_id from remote_record
            where origin = $1 and entity = $2
                and remote_key in (select value from json_each($3))",
        postgres: "select remote_key, entity_id from remote_record
            where origin = $1 and entity = $2 and remote_key = any($3)",
    };
}
