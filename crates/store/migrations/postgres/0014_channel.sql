-- Marketplace channels: accounts of shops elsewhere, and the shipments that are read from them.
insert into id_sequence (name, next)
    values ('channel', 1), ('sync_run', 1), ('shipment', 1), ('channel_process', 1);

create table channel (
    id bigint primary key,
    -- Whose it is; null: the house's own, which only the staff sees.
    account_id bigint references account (id),
    shop text not null,
    name text collate "C" not null constraint channel_name_key unique,
    provider text not null constraint channel_provider_check check (provider in ('bol')),
    client_id text not null,
    -- Sealed. Null: not given yet.
    secret text,
    -- Grows when the credentials change: tokens of former ones are of no use.
    credentials bigint not null default 1,
    state text not null default 'unverified'
        constraint channel_state_check check (state in ('unverified', 'active', 'paused', 'refused')),
    -- Why it is refused.
    state_reason text,
    -- Pause between two syncs; null: only when asked.
    sync_minutes bigint check (sync_minutes > 0),
    -- People's data are erased so long after the shipment; null: kept.
    keep_days bigint check (keep_days > 0),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1
);
create index channel_account on channel (account_id, id);

-- How far the crawler is: changed with the outcome of every call, by whoever holds the channel.
create table channel_sync (
    channel_id bigint primary key references channel (id),
    -- The node that has it in hand; null: none.
    holder text collate "C",
    -- Grows with every holder.
    epoch bigint not null default 0,
    -- When there is something to do; null: it is in hand, or there is nothing.
    due_at timestamptz,
    -- What somebody has asked for, and the holder has not noticed yet; who, if it is a sync.
    asked text constraint channel_sync_asked_check check (asked in ('look', 'sync', 'full', 'cancel')),
    asked_by bigint,
    -- The sync that goes on.
    run_id bigint,
    -- When the last sync began.
    began_at timestamptz,
    -- Where the next page lies, and what is known of the former ones.
    cursor jsonb not null default '{}',
    -- What is known of the provider's limits.
    limits jsonb not null default '{}',
    -- Calls in a row that failed, since when, and how the last one did.
    failures bigint not null default 0,
    failing_since timestamptz,
    problem text,
    -- Fields that were met and are not known: their paths.
    unknown_fields jsonb not null default '[]'
);
create index channel_sync_due on channel_sync (due_at) where due_at is not null;
create index channel_sync_holder on channel_sync (holder) where holder is not null;

-- Nodes that crawl, with the end of their lease.
create table channel_node (
    holder text collate "C" primary key,
    ends_at timestamptz not null
);

create table channel_token (
    channel_id bigint primary key references channel (id),
    -- Sealed.
    token text not null,
    -- Of which credentials it is.
    credentials bigint not null,
    ends_at timestamptz not null
);

create table sync_run (
    id bigint primary key,
    channel_id bigint not null references channel (id),
    kind text not null constraint sync_run_kind_check check (kind in ('initial', 'update', 'full')),
    -- Null: the schedule.
    asked_by bigint,
    state text not null default 'running'
        constraint sync_run_state_check check (state in ('running', 'done', 'canceled')),
    began_at timestamptz not null,
    ended_at timestamptz,
    pages bigint not null default 0,
    -- Shipments that were not known before.
    found bigint not null default 0,
    details bigint not null default 0,
    quarantined bigint not null default 0,
    gone bigint not null default 0,
    calls bigint not null default 0,
    refused bigint not null default 0,
    unauthorised bigint not null default 0,
    failed bigint not null default 0,
    tokens bigint not null default 0
);
create index sync_run_channel on sync_run (channel_id, id);

create table shipment (
    id bigint primary key,
    channel_id bigint not null references channel (id),
    -- The provider's.
    remote_id text collate "C" not null,
    method text not null constraint shipment_method_check check (method in ('FBR', 'FBB')),
    state text not null
        constraint shipment_state_check check (state in ('listed', 'stored', 'quarantined', 'gone')),
    -- Why it is quarantined.
    problem text,
    shipped_at timestamptz,
    reference text,
    order_id text,
    order_placed_at timestamptz,
    pickup_point boolean,
    transport_id text,
    transporter_code text,
    track_and_trace text,
    shipping_label_id text,
    transport_events jsonb not null default '[]',
    last_event text,
    -- Whom it goes to, and who pays: until they are erased.
    ship_to jsonb,
    bill_to jsonb,
    -- As the provider wrote it.
    raw text,
    -- Paths of fields that are not known.
    unknown_fields jsonb not null default '[]',
    found_at timestamptz not null,
    detailed_at timestamptz,
    -- When its detail is fetched (again); null: not any more.
    detail_due_at timestamptz,
    -- When people's data are to be erased; null: never, or there are none.
    erase_at timestamptz,
    erased_at timestamptz,
    version bigint not null default 1,
    constraint shipment_remote_key unique (channel_id, remote_id)
);
create index shipment_detail_due on shipment (channel_id, detail_due_at, id) where detail_due_at is not null;
create index shipment_erase on shipment (erase_at) where erase_at is not null;
create index shipment_channel on shipment (channel_id, id);
create index shipment_channel_state on shipment (channel_id, state, id);
create index shipment_order on shipment (order_id, id);
create index shipment_shipped on shipment (channel_id, shipped_at, id);

create table shipment_item (
    shipment_id bigint not null references shipment (id),
    number bigint not null,
    order_item_id text not null,
    ean text,
    title text,
    quantity bigint,
    quantity_shipped bigint,
    unit_price_minor bigint,
    commission_minor bigint,
    currency text not null,
    offer_id text,
    offer_reference text,
    method text,
    distribution_party text,
    latest_delivery_date text,
    primary key (shipment_id, number)
);
create index shipment_item_ean on shipment_item (ean);

-- What is shipped from here for an order that came from the channel.
create table channel_process (
    id bigint primary key,
    channel_id bigint not null references channel (id),
    asked_by bigint,
    order_id text,
    items jsonb not null,
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
    due_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1
);
create index channel_process_due on channel_process (channel_id, due_at, id) where due_at is not null;
create index channel_process_channel on channel_process (channel_id, id);
