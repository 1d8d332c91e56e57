-- Secrets lie sealed from now on, as text. A script cannot seal: what is not sealed yet is, by the program when it starts, and lies
-- here meanwhile as before, bytes in hexadecimal digits. (destination.url and destination_secret.secret are text already.)
-- What is deleted is overwritten until then.
pragma secure_delete = on;

create table second_factor_text (
    account_id integer primary key references account (id),
    -- The key that the owner's device shares: 160 random bits, sealed.
    secret text not null,
    created_at integer not null,
    -- When a code of the device was shown first; none: being set up, it guards nothing yet.
    confirmed_at integer,
    -- The time step whose code was used last: it and those before it work no more.
    last_step integer not null
) strict;
insert into second_factor_text (account_id, secret, created_at, confirmed_at, last_step)
    select account_id, lower(hex(secret)), created_at, confirmed_at, last_step from second_factor;
drop table second_factor;
alter table second_factor_text rename to second_factor;

-- What this database signs with, for itself: another one cannot pass for it.
create table signing_secret_text (
    name text primary key,
    -- Sealed.
    secret text not null
) strict;
insert into signing_secret_text (name, secret) select name, lower(hex(secret)) from signing_secret;
drop table signing_secret;
alter table signing_secret_text rename to signing_secret;
