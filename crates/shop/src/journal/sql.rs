//! Statements of the journal's commands.
//!
//! Lock order: a post, then its comments by their ids. Whoever writes a comment holds its post's
//! lock in the weakest form, which a deletion of the post waits for.

use runout_store::statements;

statements! {
    /// Who writes: the number that other systems know it by, if there is one, its name and address.
    WRITER = "select (select j.user_id from journal_author j where j.account_id = a.id),
            case when a.name <> '' then a.name else a.username end, a.email
        from account a where a.id = $1";
    INSERT_POST = "insert into post (id, user_id, author_id, title, body, published, created_at,
            updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7)";
    /// The columns of `Post::read`; on PostgreSQL locked.
    LOCK_POST = {
        sqlite: "select p.id, p.user_id, p.author_id,
                (select case when a.name <> '' then a.name else a.username end
                    from account a where a.id = p.author_id),
                p.title, p.body, p.published,
                (select count(*) from (select 1 from comment c
                    where c.post_id = p.id and c.hidden = false limit 1000) as seen),
                p.created_at, p.updated_at, p.version
            from post p where p.id = $1",
        postgres: "select p.id, p.user_id, p.author_id,
                (select case when a.name <> '' then a.name else a.username end
                    from account a where a.id = p.author_id),
                p.title, p.body, p.published,
                (select count(*) from (select 1 from comment c
                    where c.post_id = p.id and c.hidden = false limit 1000) as seen),
                p.created_at, p.updated_at, p.version
            from post p where p.id = $1 for update",
    };
    UPDATE_POST = "update post set title = $2, body = $3, published = $4, updated_at = $5,
            version = version + 1
        where id = $1";
    /// How many comments a post has; on PostgreSQL locks them.
    LOCK_COMMENTS_OF = {
        sqlite: "select count(*) from comment where post_id = $1",
        postgres: "select count(*) from
            (select id from comment where post_id = $1 order by id for update) as locked",
    };
    /// Tells of each comment of the post `$1` that it is deleted at `$2`.
    TELL_COMMENTS_DELETED = {
        sqlite: "insert into outbox (at, topic, entity, entity_id, payload)
            select $2, 'comment.deleted', 'comment', c.id, json_object(
                'id', c.id, 'post_id', c.post_id, 'name', c.name, 'email', c.email,
                'body', c.body, 'hidden', json(iif(c.hidden, 'true', 'false')))
            from comment c where c.post_id = $1 order by c.id",
        postgres: "insert into outbox (at, topic, entity, entity_id, payload)
            select $2::timestamptz, 'comment.deleted', 'comment', c.id, jsonb_build_object(
                'id', c.id, 'post_id', c.post_id, 'name', c.name, 'email', c.email,
                'body', c.body, 'hidden', c.hidden)
            from comment c where c.post_id = $1 order by c.id",
    };
    DELETE_COMMENTS_OF = "delete from comment where post_id = $1";
    DELETE_POST = "delete from post where id = $1";

    /// The post of a new comment; on PostgreSQL it cannot be deleted meanwhile.
    POST_OF_COMMENT = {
        sqlite: "select published, author_id from post where id = $1",
        postgres: "select published, author_id from post where id = $1 for key share",
    };
    INSERT_COMMENT = "insert into comment (id, post_id, author_id, name, email, body, hidden,
            created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, false, $7, $7)";
    /// The columns of `Comment::read`, then whether its post is published, and by whom.
    LOCK_COMMENT = {
        sqlite: "select c.id, c.post_id, c.author_id, c.name, c.email, c.body, c.hidden,
                c.created_at, c.updated_at, c.version, p.published, p.author_id
            from comment c join post p on p.id = c.post_id where c.id = $1",
        postgres: "select c.id, c.post_id, c.author_id, c.name, c.email, c.body, c.hidden,
                c.created_at, c.updated_at, c.version, p.published, p.author_id
            from comment c join post p on p.id = c.post_id where c.id = $1 for update of c",
    };
    UPDATE_COMMENT = "update comment set name = $2, email = $3, body = $4, hidden = $5,
            updated_at = $6, version = version + 1
        where id = $1";
    DELETE_COMMENT = "delete from comment where id = $1";

    /// An account and the number that other systems know it by; on PostgreSQL locked.
    LOCK_AUTHOR = {
        sqlite: "select a.id, (select j.user_id from journal_author j where j.account_id = a.id)
            from account a where a.id = $1",
        postgres: "select a.id, (select j.user_id from journal_author j where j.account_id = a.id)
            from account a where a.id = $1 for no key update",
    };
    SET_AUTHOR = "insert into journal_author (account_id, user_id) values ($1, $2)
        on conflict (account_id) do update set user_id = excluded.user_id";
    UNSET_AUTHOR = "delete from journal_author where account_id = $1";

    /// How many posts an account has written; on PostgreSQL locks them.
    LOCK_POSTS_BY = {
        sqlite: "select count(*) from post where author_id = $1",
        postgres: "select count(*) from
            (select id from post where author_id = $1 order by id for update) as locked",
    };
    /// How many comments an account has written; on PostgreSQL locks them.
    LOCK_COMMENTS_BY = {
        sqlite: "select count(*) from comment where author_id = $1",
        postgres: "select count(*) from
            (select id from comment where author_id = $1 order by id for update) as locked",
    };
    /// Takes whoever wrote them out of the posts of an account.
    ERASE_POSTS = "update post set author_id = null, version = version + 1 where author_id = $1";
    /// Tells that the comments of the account `$1` are nobody's from `$2` on.
    TELL_COMMENTS_ERASED = {
        sqlite: "insert into outbox (at, topic, entity, entity_id, payload)
            select $2, 'comment.updated', 'comment', c.id, json_object(
                'id', c.id, 'post_id', c.post_id, 'name', 'deleted', 'email', '',
                'body', c.body, 'hidden', json(iif(c.hidden, 'true', 'false')))
            from comment c where c.author_id = $1 order by c.id",
        postgres: "insert into outbox (at, topic, entity, entity_id, payload)
            select $2::timestamptz, 'comment.updated', 'comment', c.id, jsonb_build_object(
                'id', c.id, 'post_id', c.post_id, 'name', 'deleted', 'email', '',
                'body', c.body, 'hidden', c.hidden)
            from comment c where c.author_id = $1 order by c.id",
    };
    ERASE_COMMENTS = "update comment set author_id = null, name = 'deleted', email = '',
            updated_at = $2, version = version + 1
        where author_id = $1";
    ERASE_AUTHOR = "delete from journal_author where account_id = $1";
}
