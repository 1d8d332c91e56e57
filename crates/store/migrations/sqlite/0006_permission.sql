-- What members of staff may do, where a superuser has said so.
alter table account add restricted integer not null default 0 check (restricted in (0, 1));

create table staff_permission (
    account_id integer not null references account (id),
    -- A part of the shop, and what may be done there.
    capability text not null,
    verb text not null,
    primary key (account_id, capability, verb)
) strict, without rowid;
