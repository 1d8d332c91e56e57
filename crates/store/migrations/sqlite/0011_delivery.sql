-- Changes that reach other systems. Ids of the outbox are given by the database from now on: who changes a thing holds its
-- lock when it takes the id, so that the ids of one thing grow in the order of the commits.
-- (SQLite counts on from the newest row, which is therefore never deleted.)
delete from id_sequence where name = 'outbox';
insert into id_sequence (name, next) values ('destination', 1), ('dead_letter', 1);

-- Whom changes are told to.
create table destination (
    id integer primary key,
    name text not null constraint destination_name_key unique,
    kind text not null constraint destination_kind_check check (kind in ('rest', 'webhook', 'amqp')),
    -- A rest destination's is where its collections lie; without a slash at its end.
    url text not null,
    -- The same without a password: what is shown.
    shown_url text not null default '',
    -- Topics, or beginnings of topics such as "order.*"; null: all.
    events text,
    -- What is mirrored, and how: only of a rest destination.
    resources text,
    -- The exchange: only of an amqp destination.
    exchange text,
    allow_private integer not null default 0 check (allow_private in (0, 1)),
    state text not null default 'active'
        constraint destination_state_check check (state in ('active', 'paused', 'disabled')),
    -- Why it was disabled, if nobody did it.
    state_reason text,
    created_at integer not null,
    updated_at integer not null,
    version integer not null default 1
) strict;

-- What signs a webhook destination's messages; several while one takes over from another.
create table destination_secret (
    destination_id integer not null references destination (id),
    number integer not null,
    kind text not null constraint destination_secret_kind_check check (kind in ('hmac', 'ed25519')),
    secret text not null,
    created_at integer not null,
    -- Signs until then; null: for good.
    ends_at integer,
    primary key (destination_id, number)
) strict, without rowid;

-- What became of a destination's deliveries; a row of its own, since it changes with every batch.
create table destination_tally (
    destination_id integer primary key references destination (id),
    delivered integer not null default 0,
    failed_attempts integer not null default 0,
    dead integer not null default 0,
    last_success_at integer,
    last_failure_at integer,
    last_error text
) strict;

-- How far the outbox was handed out to destinations: one row, whose lock serialises that. `gaps` are ranges of ids at or below
-- the mark that had not been seen: of transactions that had not committed, or never will.
create table dispatch (
    id integer primary key constraint dispatch_id_check check (id = 1),
    mark integer not null,
    gaps text not null,
    next_delivery integer not null
) strict;
insert into dispatch (id, mark, gaps, next_delivery)
    select 1, coalesce(max(id), 0), '[]', 1 from outbox;

-- What is still to be delivered; a row goes when it was. Ids are taken under the lock of `dispatch`, so that they grow in the order of the commits.
create table delivery (
    destination_id integer not null,
    id integer not null,
    lane integer not null,
    outbox_id integer not null,
    entity text not null,
    entity_id integer not null,
    -- When it was handed out.
    at integer not null,
    -- Instead of the event's, if a person has edited it.
    payload text,
    -- The dead letter that it replays.
    letter_id integer,
    primary key (destination_id, id)
) strict, without rowid;
create index delivery_entity on delivery (destination_id, entity, entity_id, id);

-- Things whose oldest delivery failed and waits; nothing of the same thing goes out meanwhile.
create table delivery_retry (
    destination_id integer not null,
    entity text not null,
    entity_id integer not null,
    delivery_id integer not null,
    lane integer not null,
    attempts integer not null,
    first_at integer not null,
    due_at integer not null,
    status integer,
    error text not null,
    primary key (destination_id, entity, entity_id)
) strict, without rowid;

-- A lane is a share of all things, by hash; the node that holds its lease delivers what belongs to it. The epoch grows with
-- each holder: what a former one says counts no more.
create table delivery_lane (
    lane integer primary key,
    holder text,
    epoch integer not null default 0,
    ends_at integer
) strict;

insert into delivery_lane (lane) values
    (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18),
    (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31);

-- Nodes that deliver.
create table delivery_node (
    holder text primary key,
    ends_at integer not null
) strict, without rowid;

-- What could not be delivered.
create table dead_letter (
    id integer primary key,
    destination_id integer not null,
    outbox_id integer not null,
    lane integer not null,
    topic text not null,
    entity text not null,
    entity_id integer not null,
    -- When the event happened, and when it was given up.
    at integer not null,
    died_at integer not null,
    payload text not null,
    reason text not null
        constraint dead_letter_reason_check check (reason in ('refused', 'exhausted', 'unsendable')),
    attempts integer not null,
    -- The last request and response, without secrets.
    request text not null,
    response text,
    status integer,
    state text not null default 'dead'
        constraint dead_letter_state_check check (state in ('dead', 'replaying', 'delivered', 'discarded')),
    note text,
    version integer not null default 1
) strict;
create index dead_letter_destination on dead_letter (destination_id, state, id);
create index dead_letter_list on dead_letter (destination_id, id);
create index dead_letter_state on dead_letter (state, id);

-- Which record of a remote system is which thing here. `origin` is the address that its collections lie at.
create table remote_record (
    origin text not null,
    entity text not null,
    entity_id integer not null,
    -- The id there; null: it was sent, but there it has no id of its own.
    remote_key text,
    -- What it belongs to, such as a comment's post.
    parent_id integer,
    -- What it was told last, as a digest; null: it came from there.
    digest blob,
    sent_at integer not null,
    primary key (origin, entity, entity_id)
) strict, without rowid;
create index remote_record_key on remote_record (origin, entity, remote_key);
create index remote_record_parent on remote_record (origin, entity, parent_id);
