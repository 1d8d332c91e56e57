-- Ids come from here in blocks. Times are given by the caller; nothing calls now().
create table id_sequence (name text primary key, next integer not null) strict;
insert into id_sequence (name, next) values
    ('account', 1), ('token', 1), ('product', 1), ('variant', 1), ('price', 1), ('location', 2),
    ('stock_level', 1), ('orders', 1), ('outbox', 1), ('audit', 1);

create table account (
    id integer primary key,
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
    active integer not null check (active in (0, 1)),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null
) strict;

create table token (
    id integer primary key,
    account_id integer not null references account (id),
    -- SHA-256 of the secret; the secret itself is shown once and never stored.
    hash blob not null unique,
    label text not null default '',
    created_at integer not null,
    expires_at integer not null,
    revoked_at integer
) strict;
create index token_account on token (account_id, id);

create table product (
    id integer primary key,
    kind text not null constraint product_kind_check check (kind in ('disc', 'ticket', 'merch', 'other')),
    title text not null,
    artist text not null default '',
    release_year integer,
    style text not null default '',
    label text not null default '',
    catalogue_number text not null default '',
    description text not null default '',
    attributes text not null default '{}',
    enabled integer not null check (enabled in (0, 1)),
    release_at integer,
    -- What an import knows the product by, so that importing again changes nothing.
    import_key text unique,
    -- Title, artist, style and label, folded by the program: the same search on both engines.
    search_text text not null,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer
) strict;
create virtual table product_search using fts5 (
    search_text, content = 'product', content_rowid = 'id', tokenize = 'ascii', prefix = '2 3'
);
create trigger product_search_insert after insert on product begin
    insert into product_search (rowid, search_text) values (new.id, new.search_text);
end;
create trigger product_search_update after update of search_text on product begin
    insert into product_search (product_search, rowid, search_text)
        values ('delete', old.id, old.search_text);
    insert into product_search (rowid, search_text) values (new.id, new.search_text);
end;
create index product_artist_year on product (artist, release_year, id) where deleted_at is null;
create index product_title on product (title, id) where deleted_at is null;
create index product_artist on product (artist, id) where deleted_at is null;
create index product_year on product (release_year, id) where deleted_at is null;
create index product_style on product (style, id) where deleted_at is null;
create index product_label on product (label, id) where deleted_at is null;
create index product_created on product (created_at, id) where deleted_at is null;

create table variant (
    id integer primary key,
    product_id integer not null references product (id),
    sku text not null unique,
    title text not null default '',
    -- Every product has one default variant, so that simple shops never meet the word.
    is_default integer not null check (is_default in (0, 1)),
    limit_per_order integer constraint variant_limit_per_order_check check (limit_per_order >= 1),
    limit_per_customer integer constraint variant_limit_per_customer_check check (limit_per_customer >= 1),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer
) strict;
create index variant_product on variant (product_id, id);
create unique index variant_default on variant (product_id) where is_default = 1;

-- Kept in the order in which it is read: the price that counts is found in one step.
create table price (
    id integer not null unique,
    variant_id integer not null references variant (id),
    currency text not null constraint price_currency_check check (length(currency) = 3),
    amount_minor integer not null constraint price_amount_check check (amount_minor >= 0),
    effective_from integer not null,
    created_at integer not null,
    created_by integer,
    primary key (variant_id, currency, effective_from)
) strict, without rowid;

create table location (
    id integer primary key,
    code text not null unique,
    name text not null,
    -- Stock is taken from the lowest number first.
    priority integer not null default 100,
    active integer not null check (active in (0, 1)),
    version integer not null default 1
) strict;
insert into location (id, code, name, priority, active) values (1, 'main', 'Main stock', 100, 1);

create table stock_level (
    id integer primary key,
    variant_id integer not null references variant (id),
    location_id integer not null references location (id),
    -- On the shelf, and of these promised to orders. The difference is what can be sold.
    on_hand integer not null,
    reserved integer not null,
    -- The number of the newest movement: the ledger of a level has no gaps.
    movements integer not null,
    unique (variant_id, location_id),
    constraint stock_level_reserved_check check (reserved >= 0 and reserved <= on_hand)
) strict;

-- The tables below are written by the stock writer, in bulk, thousands of times a second. They have
-- no foreign keys on either engine: the writer has loaded (and locked) what they would point
-- to in the same transaction, nothing they point to is ever deleted, and `runout verify` proves it.
create table stock_movement (
    level_id integer not null,
    number integer not null,
    at integer not null,
    cause text not null constraint stock_movement_cause_check check
        (cause in ('receipt', 'adjustment', 'transfer', 'order', 'cancel')),
    on_hand_delta integer not null,
    reserved_delta integer not null,
    order_id integer,
    actor_id integer,
    reason text,
    primary key (level_id, number)
) strict, without rowid;

create table orders (
    id integer primary key,
    account_id integer not null,
    status text not null constraint orders_status_check check (status in ('placed', 'cancelled')),
    currency text not null,
    total_minor integer not null constraint orders_total_check check (total_minor >= 0),
    placed_at integer not null,
    cancelled_at integer
) strict;
create index orders_account on orders (account_id, placed_at, id);
create index orders_placed on orders (placed_at, id);

create table order_line (
    order_id integer not null,
    line_no integer not null,
    variant_id integer not null,
    sku text not null,
    title text not null,
    variant_title text not null,
    quantity integer not null constraint order_line_quantity_check check (quantity >= 1),
    unit_price_minor integer not null constraint order_line_price_check check (unit_price_minor >= 0),
    primary key (order_id, line_no)
) strict, without rowid;

create table allocation (
    order_id integer not null,
    line_no integer not null,
    level_id integer not null,
    quantity integer not null constraint allocation_quantity_check check (quantity >= 1),
    primary key (order_id, line_no, level_id)
) strict, without rowid;

create table outbox (
    id integer primary key,
    at integer not null,
    topic text not null,
    entity text not null,
    entity_id integer not null,
    payload text not null
) strict;

create table idempotency (
    account_id integer not null,
    key text not null,
    fingerprint blob not null,
    -- An order's outcome is the order; any other outcome is the answer that was given.
    order_id integer,
    status integer not null,
    body text not null,
    created_at integer not null,
    primary key (account_id, key)
) strict, without rowid;
create index idempotency_created on idempotency (created_at);

create table audit (
    id integer primary key,
    at integer not null,
    actor_id integer,
    action text not null,
    entity text not null,
    entity_id integer not null,
    changes text not null
) strict;
create index audit_entity on audit (entity, entity_id, id);
