-- Ids come from here in blocks. Times are given by the caller; nothing calls now().
create table id_sequence (name text primary key, next bigint not null);
insert into id_sequence (name, next) values
    ('account', 1), ('token', 1), ('product', 1), ('variant', 1), ('price', 1), ('location', 2),
    ('stock_level', 1), ('orders', 1), ('outbox', 1), ('audit', 1);

create table account (
    id bigint primary key,
    username text not null,
    -- Lower-cased copies, so that names and addresses differ by more than their case.
    username_key text not null unique,
    email text not null,
    email_key text not null unique,
    name text not null default '',
    phone text not null default '',
    identity_document text unique,
    birth_date text,
    role text not null constraint account_role_check check (role in ('customer', 'staff', 'superuser')),
    password_hash text not null,
    active boolean not null,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table token (
    id bigint primary key,
    account_id bigint not null references account (id),
    -- SHA-256 of the secret; the secret itself is shown once and never stored.
    hash bytea not null unique,
    label text not null default '',
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index token_account on token (account_id, id);

create table product (
    id bigint primary key,
    kind text not null constraint product_kind_check check (kind in ('disc', 'ticket', 'merch', 'other')),
    -- Ordered by bytes, as in SQLite, whatever the locale of the server is.
    title text collate "C" not null,
    artist text collate "C" not null default '',
    release_year bigint,
    style text collate "C" not null default '',
    label text collate "C" not null default '',
    catalogue_number text collate "C" not null default '',
    description text not null default '',
    attributes jsonb not null default '{}',
    enabled boolean not null,
    release_at timestamptz,
    -- What an import knows the product by, so that importing again changes nothing.
    import_key text unique,
    -- Title, artist, style and label, folded by the program: the same search on both engines.
    search_text text not null,
    -- Its words stand between single spaces: no parser of the server's locale is asked.
    search tsvector not null generated always as
        (array_to_tsvector(string_to_array(search_text, ' '))) stored,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);
create index product_search on product using gin (search);
create index product_artist_year on product (artist, release_year, id) where deleted_at is null;
create index product_title on product (title, id) where deleted_at is null;
create index product_artist on product (artist, id) where deleted_at is null;
create index product_year on product (release_year, id) where deleted_at is null;
create index product_style on product (style, id) where deleted_at is null;
create index product_label on product (label, id) where deleted_at is null;
create index product_created on product (created_at, id) where deleted_at is null;

create table variant (
    id bigint primary key,
    product_id bigint not null references product (id),
    sku text not null unique,
    title text not null default '',
    -- Every product has one default variant, so that simple shops never meet the word.
    is_default boolean not null,
    limit_per_order bigint constraint variant_limit_per_order_check check (limit_per_order >= 1),
    limit_per_customer bigint constraint variant_limit_per_customer_check check (limit_per_customer >= 1),
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);
create index variant_product on variant (product_id, id);
create unique index variant_default on variant (product_id) where is_default;

create table price (
    id bigint not null unique,
    variant_id bigint not null references variant (id),
    currency text not null constraint price_currency_check check (length(currency) = 3),
    amount_minor bigint not null constraint price_amount_check check (amount_minor >= 0),
    effective_from timestamptz not null,
    created_at timestamptz not null,
    created_by bigint,
    constraint price_variant_id_currency_effective_from_key
        primary key (variant_id, currency, effective_from)
);

create table location (
    id bigint primary key,
    code text not null unique,
    name text not null,
    -- Stock is taken from the lowest number first.
    priority bigint not null default 100,
    active boolean not null,
    version bigint not null default 1
);
insert into location (id, code, name, priority, active) values (1, 'main', 'Main stock', 100, true);

create table stock_level (
    id bigint primary key,
    variant_id bigint not null references variant (id),
    location_id bigint not null references location (id),
    -- On the shelf, and of these promised to orders. The difference is what can be sold.
    on_hand bigint not null,
    reserved bigint not null,
    -- The number of the newest movement: the ledger of a level has no gaps.
    movements bigint not null,
    unique (variant_id, location_id),
    constraint stock_level_reserved_check check (reserved >= 0 and reserved <= on_hand)
) with (fillfactor = 50);

-- The tables below are written by the stock writer, in bulk, thousands of times a second. They have
-- no foreign keys on either engine: the writer has loaded (and locked) what they would point
-- to in the same transaction, nothing they point to is ever deleted, and `runout verify` proves it.
create table stock_movement (
    level_id bigint not null,
    number bigint not null,
    at timestamptz not null,
    cause text not null constraint stock_movement_cause_check check
        (cause in ('receipt', 'adjustment', 'transfer', 'order', 'cancel')),
    on_hand_delta bigint not null,
    reserved_delta bigint not null,
    order_id bigint,
    actor_id bigint,
    reason text,
    primary key (level_id, number)
);

create table orders (
    id bigint primary key,
    account_id bigint not null,
    status text not null constraint orders_status_check check (status in ('placed', 'cancelled')),
    currency text not null,
    total_minor bigint not null constraint orders_total_check check (total_minor >= 0),
    placed_at timestamptz not null,
    cancelled_at timestamptz
);
create index orders_account on orders (account_id, placed_at, id);
create index orders_placed on orders (placed_at, id);

create table order_line (
    order_id bigint not null,
    line_no bigint not null,
    variant_id bigint not null,
    sku text not null,
    title text not null,
    variant_title text not null,
    quantity bigint not null constraint order_line_quantity_check check (quantity >= 1),
    unit_price_minor bigint not null constraint order_line_price_check check (unit_price_minor >= 0),
    primary key (order_id, line_no)
);

create table allocation (
    order_id bigint not null,
    line_no bigint not null,
    level_id bigint not null,
    quantity bigint not null constraint allocation_quantity_check check (quantity >= 1),
    primary key (order_id, line_no, level_id)
);

create table outbox (
    id bigint primary key,
    at timestamptz not null,
    topic text not null,
    entity text not null,
    entity_id bigint not null,
    payload jsonb not null
);

create table idempotency (
    account_id bigint not null,
    key text not null,
    fingerprint bytea not null,
    -- An order's outcome is the order; any other outcome is the answer that was given.
    order_id bigint,
    status bigint not null,
    body text not null,
    created_at timestamptz not null,
    primary key (account_id, key)
);
create index idempotency_created on idempotency (created_at);

create table audit (
    id bigint primary key,
    at timestamptz not null,
    actor_id bigint,
    action text not null,
    entity text not null,
    entity_id bigint not null,
    changes jsonb not null
);
create index audit_entity on audit (entity, entity_id, id);
