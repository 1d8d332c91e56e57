-- A second factor at login: codes of a device (RFC 6238), and recovery codes.
create table second_factor (
    account_id integer primary key references account (id),
    -- The key that the owner's device shares: 160 random bits.
    secret blob not null,
    created_at integer not null,
    -- When a code of the device was shown first; none: being set up, it guards nothing yet.
    confirmed_at integer,
    -- The time step whose code was used last: it and those before it work no more.
    last_step integer not null
) strict;

create table recovery_code (
    account_id integer not null references account (id),
    -- SHA-256 of the code, which is shown once and never stored.
    hash blob not null,
    used_at integer,
    primary key (account_id, hash)
) strict, without rowid;
