-- Changes that reach other systems. Ids of the outbox are given by the database from now on: who changes a thing holds its
-- lock when it takes the id, so that the ids of one thing grow in the order of the commits.
create sequence outbox_id owned by outbox.id;
select setval('outbox_id', coalesce((select max(id) from outbox), 0) + 1, false);
alter table outbox alter column id set default nextval('outbox_id');
delete from id_sequence where name = 'outbox';
insert into id_sequence (name, next) values ('destination', 1), ('dead_letter', 1);

-- Whom changes are told to.
create table destination (
    id bigint primary key,
    name text not null constraint destination_name_key unique,
    kind text not null constraint destination_kind_check check (kind in ('rest', 'webhook', 'amqp')),
    -- A rest destination's is where its collections lie; without a slash at its end.
    url text not null,
    -- The same without a password: what is shown.
    shown_url text not null default '',
    -- Topics, or beginnings of topics such as "order.*"; null: all.
    events jsonb,
    -- What is mirrored, and how: only of a rest destination.
    resources jsonb,
    -- The exchange: only of an amqp destination.
    exchange text,
    allow_private boolean not null default false,
    state text not null default 'active'
        constraint destination_state_check check (state in ('active', 'paused', 'disabled')),
    -- Why it was disabled, if nobody did it.
    state_reason text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1
);

-- What signs a webhook destination's messages; several while one takes over from another.
create table destination_secret (
    destination_id bigint not null references destination (id),
    number bigint not null,
    kind text not null constraint destination_secret_kind_check check (kind in ('hmac', 'ed25519')),
    secret text not null,
    created_at timestamptz not null,
    -- Signs until then; null: for good.
    ends_at timestamptz,
    primary key (destination_id, number)
);

-- What became of a destination's deliveries; a row of its own, since it changes with every batch.
create table destination_tally (
    destination_id bigint primary key references destination (id),
    delivered bigint not null default 0,
    failed_attempts bigint not null default 0,
    dead bigint not null default 0,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    last_error text
);

-- How far the outbox was handed out to destinations: one row, whose lock serialises that. `gaps` are ranges of ids at or below
-- the mark that had not been seen: of transactions that had not committed, or never will.
create table dispatch (
    id bigint primary key constraint dispatch_id_check check (id = 1),
    mark bigint not null,
    gaps jsonb not null,
    next_delivery bigint not null
);
insert into dispatch (id, mark, gaps, next_delivery)
    select 1, coalesce(max(id), 0), '[]', 1 from outbox;

-- What is still to be delivered; a row goes when it was. Ids are taken under the lock of `dispatch`, so that they grow in the order of the commits.
create table delivery (
    destination_id bigint not null,
    id bigint not null,
    lane bigint not null,
    outbox_id bigint not null,
    entity text not null,
    entity_id bigint not null,
    -- When it was handed out.
    at timestamptz not null,
    -- Instead of the event's, if a person has edited it.
    payload jsonb,
    -- The dead letter that it replays.
    letter_id bigint,
    primary key (destination_id, id)
);
create index delivery_entity on delivery (destination_id, entity, entity_id, id);

-- Things whose oldest delivery failed and waits; nothing of the same thing goes out meanwhile.
create table delivery_retry (
    destination_id bigint not null,
    entity text not null,
    entity_id bigint not null,
    delivery_id bigint not null,
    lane bigint not null,
    attempts bigint not null,
    first_at timestamptz not null,
    due_at timestamptz not null,
    status bigint,
    error text not null,
    primary key (destination_id, entity, entity_id)
);

-- A lane is a share of all things, by hash; the node that holds its lease delivers what belongs to it. The epoch grows with
-- each holder: what a former one says counts no more.
create table delivery_lane (
    lane bigint primary key,
    holder text,
    epoch bigint not null default 0,
    ends_at timestamptz
);

insert into delivery_lane (lane) values
    (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18),
    (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31);

-- Nodes that deliver.
create table delivery_node (
    holder text primary key,
    ends_at timestamptz not null
);

-- What could not be delivered.
create table dead_letter (
    id bigint primary key,
    destination_id bigint not null,
    outbox_id bigint not null,
    lane bigint not null,
    topic text not null,
    entity text not null,
    entity_id bigint not null,
    -- When the event happened, and when it was given up.
    at timestamptz not null,
    died_at timestamptz not null,
    payload jsonb not null,
    reason text not null
        constraint dead_letter_reason_check check (reason in ('refused', 'exhausted', 'unsendable')),
    attempts bigint not null,
    -- The last request and response, without secrets.
    request text not null,
    response text,
    status bigint,
    state text not null default 'dead'
        constraint dead_letter_state_check check (state in ('dead', 'replaying', 'delivered', 'discarded')),
    note text,
    version bigint not null default 1
);
create index dead_letter_destination on dead_letter (destination_id, state, id);
create index dead_letter_list on dead_letter (destination_id, id);
create index dead_letter_state on dead_letter (state, id);

-- Which record of a remote system is which thing here. `origin` is the address that its collections lie at.
create table remote_record (
    origin text not null,
    entity text not null,
    entity_id bigint not null,
    -- The id there; null: it was sent, but there it has no id of its own.
    remote_key text,
    -- What it belongs to, such as a comment's post.
    parent_id bigint,
    -- What it was told last, as a digest; null: it came from there.
    digest bytea,
    sent_at timestamptz not null,
    primary key (origin, entity, entity_id)
);
create index remote_record_key on remote_record (origin, entity, remote_key);
create index remote_record_parent on remote_record (origin, entity, parent_id);
