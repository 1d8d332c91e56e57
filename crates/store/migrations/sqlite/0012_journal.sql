-- The journal: a shop's news, and what people say about them.
insert into id_sequence (name, next) values ('post', 1), ('comment', 1);

create table post (
    id integer primary key,
    -- Whoever wrote it, as other systems number people.
    user_id integer not null,
    -- None: it came from another system, or its author was erased.
    author_id integer references account (id),
    title text not null,
    body text not null,
    published integer not null check (published in (0, 1)),
    created_at integer not null,
    updated_at integer not null,
    version integer not null default 1
) strict;
create index post_published on post (published, created_at, id);
create index post_created on post (created_at, id);
create index post_user on post (user_id, id);
create index post_author on post (author_id, id);
create index post_title on post (title, id);

create table comment (
    id integer primary key,
    post_id integer not null references post (id),
    -- None: it came from another system, or its author was erased.
    author_id integer references account (id),
    name text not null,
    email text not null,
    body text not null,
    hidden integer not null default 0 check (hidden in (0, 1)),
    created_at integer not null,
    updated_at integer not null,
    version integer not null default 1
) strict;
create index comment_post on comment (post_id, id);
create index comment_author on comment (author_id, id);
create index comment_email on comment (email, id);
create index comment_hidden on comment (hidden, id);
create index comment_created on comment (created_at, id);

-- The number under which other systems know an account that writes.
create table journal_author (
    account_id integer primary key references account (id),
    user_id integer not null unique,
    constraint journal_author_user_check check (user_id >= 1)
) strict;

insert into scope_version (scope, shard, version) values ('journal', 0, 0);
create trigger post_insert_changes_journal after insert on post begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
create trigger post_update_changes_journal after update on post begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
create trigger post_delete_changes_journal after delete on post begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
create trigger comment_insert_changes_journal after insert on comment begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
create trigger comment_update_changes_journal after update on comment begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
create trigger comment_delete_changes_journal after delete on comment begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
-- A post shows its author by the account's name.
create trigger account_name_changes_journal after update of name, username on account
when old.name <> new.name or old.username <> new.username begin
    update scope_version set version = version + 1 where scope = 'journal' and shard = 0;
end;
