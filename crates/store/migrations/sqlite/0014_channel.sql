-- Marketplace channels: accounts of shops elsewhere, and the shipments that are read from them.
insert into id_sequence (name, next)
    values ('channel', 1), ('sync_run', 1), ('shipment', 1), ('channel_process', 1);

create table channel (
    id integer primary key,
    -- Whose it is; null: the house's own, which only the staff sees.
    account_id integer references account (id),
    shop text not null,
    name text not null constraint channel_name_key unique,
    provider text not null constraint channel_provider_check check (provider in ('bol')),
    client_id text not null,
    -- Sealed. Null: not given yet.
    secret text,
    -- Grows when the credentials change: tokens of former ones are of no use.
    credentials integer not null default 1,
    state text not null default 'unverified'
        constraint channel_state_check check (state in ('unverified', 'active', 'paused', 'refused')),
    -- Why it is refused.
    state_reason text,
    -- Pause between two syncs; null: only when asked.
    sync_minutes integer check (sync_minutes > 0),
    -- People's data are erased so long after the shipment; null: kept.
    keep_days integer check (keep_days > 0),
    created_at integer not null,
    updated_at integer not null,
    version integer not null default 1
) strict;
create index channel_account on channel (account_id, id);

-- How far the crawler is: changed with the outcome of every call, by whoever holds the channel.
create table channel_sync (
    channel_id integer primary key references channel (id),
    -- The node that has it in hand; null: none.
    holder text,
    -- Grows with every holder.
    epoch integer not null default 0,
    -- When there is something to do; null: it is in hand, or there is nothing.
    due_at integer,
    -- What somebody has asked for, and the holder has not noticed yet; who, if it is a sync.
    asked text constraint channel_sync_asked_check check (asked in ('look', 'sync', 'full', 'cancel')),
    asked_by integer,
    -- The sync that goes on.
    run_id integer,
    -- When the last sync began.
    began_at integer,
    -- Where the next page lies, and what is known of the former ones.
    cursor text not null default '{}',
    -- What is known of the provider's limits.
    limits text not null default '{}',
    -- Calls in a row that failed, since when, and how the last one did.
    failures integer not null default 0,
    failing_since integer,
    problem text,
    -- Fields that were met and are not known: their paths.
    unknown_fields text not null default '[]'
) strict;
create index channel_sync_due on channel_sync (due_at) where due_at is not null;
create index channel_sync_holder on channel_sync (holder) where holder is not null;

-- Nodes that crawl, with the end of their lease.
create table channel_node (
    holder text primary key,
    ends_at integer not null
) strict, without rowid;

create table channel_token (
    channel_id integer primary key references channel (id),
    -- Sealed.
    token text not null,
    -- Of which credentials it is.
    credentials integer not null,
    ends_at integer not null
) strict;

create table sync_run (
    id integer primary key,
    channel_id integer not null references channel (id),
    kind text not null constraint sync_run_kind_check check (kind in ('initial', 'update', 'full')),
    -- Null: the schedule.
    asked_by integer,
    state text not null default 'running'
        constraint sync_run_state_check check (state in ('running', 'done', 'canceled')),
    began_at integer not null,
    ended_at integer,
    pages integer not null default 0,
    -- Shipments that were not known before.
    found integer not null default 0,
    details integer not null default 0,
    quarantined integer not null default 0,
    gone integer not null default 0,
    calls integer not null default 0,
    refused integer not null default 0,
    unauthorised integer not null default 0,
    failed integer not null default 0,
    tokens integer not null default 0
) strict;
create index sync_run_channel on sync_run (channel_id, id);

create table shipment (
    id integer primary key,
    channel_id integer not null references channel (id),
    -- The provider's.
    remote_id text not null,
    method text not null constraint shipment_method_check check (method in ('FBR', 'FBB')),
    state text not null
        constraint shipment_state_check check (state in ('listed', 'stored', 'quarantined', 'gone')),
    -- Why it is quarantined.
    problem text,
    shipped_at integer,
    reference text,
    order_id text,
    order_placed_at integer,
    pickup_point integer check (pickup_point in (0, 1)),
    transport_id text,
    transporter_code text,
    track_and_trace text,
    shipping_label_id text,
    transport_events text not null default '[]',
    last_event text,
    -- Whom it goes to, and who pays: until they are erased.
    ship_to text,
    bill_to text,
    -- As the provider wrote it.
    raw text,
    -- Paths of fields that are not known.
    unknown_fields text not null default '[]',
    found_at integer not null,
    detailed_at integer,
    -- When its detail is fetched (again); null: not any more.
    detail_due_at integer,
    -- When people's data are to be erased; null: never, or there are none.
    erase_at integer,
    erased_at integer,
    version integer not null default 1,
    constraint shipment_remote_key unique (channel_id, remote_id)
) strict;
create index shipment_detail_due on shipment (channel_id, detail_due_at, id) where detail_due_at is not null;
create index shipment_erase on shipment (erase_at) where erase_at is not null;
create index shipment_channel on shipment (channel_id, id);
create index shipment_channel_state on shipment (channel_id, state, id);
create index shipment_order on shipment (order_id, id);
create index shipment_shipped on shipment (channel_id, shipped_at, id);

create table shipment_item (
    shipment_id integer not null references shipment (id),
    number integer not null,
    order_item_id text not null,
    ean text,
    title text,
    quantity integer,
    quantity_shipped integer,
    unit_price_minor integer,
    commission_minor integer,
    currency text not null,
    offer_id text,
    offer_reference text,
    method text,
    distribution_party text,
    latest_delivery_date text,
    primary key (shipment_id, number)
) strict, without rowid;
create index shipment_item_ean on shipment_item (ean);

-- What is shipped from here for an order that came from the channel.
create table channel_process (
    id integer primary key,
    channel_id integer not null references channel (id),
    asked_by integer,
    order_id text,
    items text not null,
    reference text,
    shipping_label_id text,
    transporter_code text,
    track_and_trace text,
    state text not null default 'queued' constraint channel_process_state_check
        check (state in ('queued', 'sending', 'pending', 'success', 'failure', 'timeout', 'unknown')),
    -- The provider's.
    process_id text,
    -- The shipment that came of it.
    shipment_id text,
    error text,
    -- When to send, or to ask; null: it has ended.
    due_at integer,
    created_at integer not null,
    updated_at integer not null,
    version integer not null default 1
) strict;
create index channel_process_due on channel_process (channel_id, due_at, id) where due_at is not null;
create index channel_process_channel on channel_process (channel_id, id);
