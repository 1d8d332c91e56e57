-- Events, who comes to them, who was let in; and what signs answers and tickets.
insert into id_sequence (name, next) values ('event', 1);

create table event (
    id integer primary key,
    title text not null,
    description text not null default '',
    venue text not null default '',
    starts_at integer not null,
    -- The same moment as the start, if nobody said.
    ends_at integer not null,
    -- IANA name, such as Europe/Berlin: what the clock on the wall shows.
    time_zone text not null,
    -- None: everybody may come.
    capacity integer constraint event_capacity_check check (capacity >= 1),
    organiser_id integer not null references account (id),
    -- Tickets are its variants; none: one signs up and pays nothing.
    product_id integer unique references product (id),
    -- Counted with every sign-up, so that a list need not count.
    attending integer not null default 0,
    waiting integer not null default 0,
    -- The number of the newest sign-up: the waiting list is in the order of these numbers.
    places integer not null default 0,
    cancelled_at integer,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    constraint event_ends_check check (ends_at >= starts_at),
    constraint event_attending_check check (attending >= 0 and (capacity is null or attending <= capacity)),
    constraint event_waiting_check check (waiting >= 0 and (waiting = 0 or attending = capacity))
) strict;
-- With the end, so that a list can leave out what is over without looking at the rows.
create index event_starts on event (starts_at, id, ends_at);
create index event_ends on event (ends_at);
create index event_organiser on event (organiser_id, starts_at, id);

-- Written in bulk, as orders are, and without foreign keys for the same reasons.
create table attendance (
    event_id integer not null,
    account_id integer not null,
    place integer not null,
    state text not null constraint attendance_state_check check (state in ('attending', 'waiting')),
    since integer not null,
    primary key (event_id, account_id)
) strict, without rowid;
create unique index attendance_place on attendance (event_id, state, place);
create index attendance_account on attendance (account_id, event_id);

-- A ticket is unit `number` of a line of an order; whoever has been let in with it has a row here.
create table admission (
    order_id integer not null,
    line_no integer not null,
    number integer not null,
    event_id integer not null,
    admitted_at integer not null,
    admitted_by integer not null,
    primary key (order_id, line_no, number)
) strict, without rowid;
create index admission_event on admission (event_id, admitted_at);

-- What this database signs with, for itself: another one cannot pass for it.
create table signing_secret (
    name text primary key,
    secret blob not null
) strict;
insert into signing_secret (name, secret) values ('answers', randomblob(32)), ('tickets', randomblob(32));

insert into scope_version (scope, shard, version) values ('event', 0, 0);
create trigger event_insert_changes_event after insert on event begin
    update scope_version set version = version + 1 where scope = 'event' and shard = 0;
end;
create trigger event_update_changes_event after update on event begin
    update scope_version set version = version + 1 where scope = 'event' and shard = 0;
end;
create trigger event_delete_changes_event after delete on event begin
    update scope_version set version = version + 1 where scope = 'event' and shard = 0;
end;
-- An event shows its organiser by the e-mail address.
create trigger account_email_changes_event after update of email on account
when old.email <> new.email begin
    update scope_version set version = version + 1 where scope = 'event' and shard = 0;
end;
