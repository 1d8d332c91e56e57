-- A second factor at login: codes of a device (RFC 6238), and recovery codes.
create table second_factor (
    account_id bigint primary key references account (id),
    -- The key that the owner's device shares: 160 random bits.
    secret bytea not null,
    created_at timestamptz not null,
    -- When a code of the device was shown first; none: being set up, it guards nothing yet.
    confirmed_at timestamptz,
    -- The time step whose code was used last: it and those before it work no more.
    last_step bigint not null
);

create table recovery_code (
    account_id bigint not null references account (id),
    -- SHA-256 of the code, which is shown once and never stored.
    hash bytea not null,
    used_at timestamptz,
    primary key (account_id, hash)
);
