-- Events, who comes to them, who was let in; and what signs answers and tickets.
insert into id_sequence (name, next) values ('event', 1);

create table event (
    id bigint primary key,
    title text not null,
    description text not null default '',
    venue text not null default '',
    starts_at timestamptz not null,
    -- The same moment as the start, if nobody said.
    ends_at timestamptz not null,
    -- IANA name, such as Europe/Berlin: what the clock on the wall shows.
    time_zone text not null,
    -- None: everybody may come.
    capacity bigint constraint event_capacity_check check (capacity >= 1),
    organiser_id bigint not null references account (id),
    -- Tickets are its variants; none: one signs up and pays nothing.
    product_id bigint unique references product (id),
    -- Counted with every sign-up, so that a list need not count.
    attending bigint not null default 0,
    waiting bigint not null default 0,
    -- The number of the newest sign-up: the waiting list is in the order of these numbers.
    places bigint not null default 0,
    cancelled_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint event_ends_check check (ends_at >= starts_at),
    constraint event_attending_check check (attending >= 0 and (capacity is null or attending <= capacity)),
    constraint event_waiting_check check (waiting >= 0 and (waiting = 0 or attending = capacity))
);
-- With the end, so that a list can leave out what is over without looking at the rows.
create index event_starts on event (starts_at, id, ends_at);
create index event_ends on event (ends_at);
create index event_organiser on event (organiser_id, starts_at, id);

-- Written in bulk, as orders are, and without foreign keys for the same reasons.
create table attendance (
    event_id bigint not null,
    account_id bigint not null,
    place bigint not null,
    state text not null constraint attendance_state_check check (state in ('attending', 'waiting')),
    since timestamptz not null,
    primary key (event_id, account_id)
);
create unique index attendance_place on attendance (event_id, state, place);
create index attendance_account on attendance (account_id, event_id);

-- A ticket is unit `number` of a line of an order; whoever has been let in with it has a row here.
create table admission (
    order_id bigint not null,
    line_no bigint not null,
    number bigint not null,
    event_id bigint not null,
    admitted_at timestamptz not null,
    admitted_by bigint not null,
    primary key (order_id, line_no, number)
);
create index admission_event on admission (event_id, admitted_at);

-- What this database signs with, for itself: another one cannot pass for it.
create table signing_secret (
    name text primary key,
    secret bytea not null
);
insert into signing_secret (name, secret) values ('answers', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')), ('tickets', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

insert into scope_version (scope, shard, version)
    select 'event', shard, 0 from generate_series(0, 7) shard;
create trigger event_changes_event after insert or update or delete or truncate on event
    for each statement execute function change_scope('event');
-- An event shows its organiser by the e-mail address.
create trigger account_email_changes_event after update of email on account
    for each row when (old.email <> new.email) execute function change_scope('event');
