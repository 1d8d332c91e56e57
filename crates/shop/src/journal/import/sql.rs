//! Statements of imports.

use runout_store::statements;

statements! {
    POSTS_HERE = {
        sqlite: "select id, user_id, title, body from post
            where id in (select value from json_each($1))",
        postgres: "select id, user_id, title, body from post
            where id = any($1) order by id for update",
    };
    COMMENTS_HERE = {
        sqlite: "select id, post_id, name, email, body from comment
            where id in (select value from json_each($1))",
        postgres: "select id, post_id, name, email, body from comment
            where id = any($1) order by id for update",
    };
    STORE_POSTS = {
        sqlite: "insert into post (id, user_id, title, body, published, created_at, updated_at)
            values ($1, $2, $3, $4, true, $5, $5)
            on conflict (id) do update set author_id = null, user_id = excluded.user_id,
                title = excluded.title, body = excluded.body, updated_at = excluded.updated_at,
                version = post.version + 1",
        postgres: "insert into post (id, user_id, title, body, published, created_at, updated_at)
            select i.id, i.user_id, i.title, i.body, true, i.at, i.at
            from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[])
                as i (id, user_id, title, body, at)
            on conflict (id) do update set author_id = null, user_id = excluded.user_id,
                title = excluded.title, body = excluded.body, updated_at = excluded.updated_at,
                version = post.version + 1",
    };
    STORE_COMMENTS = {
        sqlite: "insert into comment (id, post_id, name, email, body, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            on conflict (id) do update set author_id = null, post_id = excluded.post_id,
                name = excluded.name, email = excluded.email, body = excluded.body, updated_at = excluded.updated_at,
                version = comment.version + 1",
        postgres: "insert into comment (id, post_id, name, email, body, created_at, updated_at)
            select i.id, i.post_id, i.name, i.email, i.body, i.at, i.at
            from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
                    $6::timestamptz[])
                as i (id, post_id, name, email, body, at)
            on conflict (id) do update set author_id = null, post_id = excluded.post_id,
                name = excluded.name, email = excluded.email, body = excluded.body, updated_at = excluded.updated_at,
                version = comment.version + 1",
    };
}
