-- Logins of browsers.
insert into id_sequence (name, next) values ('session', 1);

create table session (
    id bigint primary key,
    account_id bigint not null references account (id),
    -- SHA-256 of the cookie's token; the token itself is in the browser alone.
    hash bytea not null unique,
    -- What the browser called itself, and the address it came from, to be recognised by its owner.
    browser text not null,
    address text not null,
    created_at timestamptz not null,
    -- Moves on with use, in steps: unused for too long, a session ends.
    seen_at timestamptz not null,
    -- However much it is used, it ends then.
    expires_at timestamptz not null,
    -- When the second factor was shown; none: it was not asked for, or not shown yet.
    verified_at timestamptz,
    ended_at timestamptz
);
create index session_account on session (account_id, id);
