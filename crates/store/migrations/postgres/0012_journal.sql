-- The journal: a shop's news, and what people say about them.
insert into id_sequence (name, next) values ('post', 1), ('comment', 1);

create table post (
    id bigint primary key,
    -- Whoever wrote it, as other systems number people.
    user_id bigint not null,
    -- None: it came from another system, or its author was erased.
    author_id bigint references account (id),
    title text collate "C" not null,
    body text not null,
    published boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1
);
create index post_published on post (published, created_at, id);
create index post_created on post (created_at, id);
create index post_user on post (user_id, id);
create index post_author on post (author_id, id);
create index post_title on post (title, id);

create table comment (
    id bigint primary key,
    post_id bigint not null references post (id),
    -- None: it came from another system, or its author was erased.
    author_id bigint references account (id),
    name text collate "C" not null,
    email text collate "C" not null,
    body text not null,
    hidden boolean not null default false,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1
);
create index comment_post on comment (post_id, id);
create index comment_author on comment (author_id, id);
create index comment_email on comment (email, id);
create index comment_hidden on comment (hidden, id);
create index comment_created on comment (created_at, id);

-- The number under which other systems know an account that writes.
create table journal_author (
    account_id bigint primary key references account (id),
    user_id bigint not null unique,
    constraint journal_author_user_check check (user_id >= 1)
);

insert into scope_version (scope, shard, version)
    select 'journal', shard, 0 from generate_series(0, 7) shard;
create trigger post_changes_journal after insert or update or delete or truncate on post
    for each statement execute function change_scope('journal');
create trigger comment_changes_journal after insert or update or delete or truncate on comment
    for each statement execute function change_scope('journal');
-- A post shows its author by the account's name.
create trigger account_name_changes_journal after update of name, username on account
    for each row when (old.name <> new.name or old.username <> new.username)
    execute function change_scope('journal');
