-- Baskets with holds, payments, fulfilment, tax and discounts.

alter table stock_movement rename to stock_movement_before;
create table stock_movement (
    level_id integer not null,
    number integer not null,
    at integer not null,
    cause text not null constraint stock_movement_cause_check check (cause in
        ('receipt', 'adjustment', 'transfer', 'order', 'cancel', 'fulfilment', 'return',
        'hold', 'release', 'expire', 'checkout')),
    on_hand_delta integer not null,
    reserved_delta integer not null,
    order_id integer,
    actor_id integer,
    reason text,
    -- Whose hold began or ended.
    basket_id integer,
    primary key (level_id, number)
) strict, without rowid;
insert into stock_movement
    (level_id, number, at, cause, on_hand_delta, reserved_delta, order_id, actor_id, reason)
    select level_id, number, at, cause, on_hand_delta, reserved_delta, order_id, actor_id, reason
    from stock_movement_before;
drop table stock_movement_before;

alter table orders rename to orders_before;
create table orders (
    id integer primary key,
    -- None: a guest, known by e-mail and by the token of the basket.
    account_id integer,
    status text not null constraint orders_status_check check (status in
        ('placed', 'paid', 'fulfilled', 'closed', 'cancelled', 'refunded', 'returned')),
    currency text not null,
    -- What is to be paid, tax included, discount taken off.
    total_minor integer not null constraint orders_total_check check (total_minor >= 0),
    placed_at integer not null,
    cancelled_at integer,
    basket_id integer,
    email text,
    -- Lower-cased: limits per customer count what guests bought under one address.
    email_key text,
    address text,
    -- Whose tax rates apply; ISO 3166-1 alpha-2.
    country text,
    gateway text,
    discount_id integer,
    discount_code text,
    discount_minor integer not null default 0 constraint orders_discount_check check (discount_minor >= 0),
    tax_minor integer not null default 0
        constraint orders_tax_check check (tax_minor >= 0 and tax_minor <= total_minor),
    -- Money that has arrived, and that has gone back or is on its way.
    paid_minor integer not null default 0,
    refunded_minor integer not null default 0,
    -- Unpaid at this moment it gives its stock back; none: it may stay unpaid.
    due_at integer,
    paid_at integer,
    fulfilled_at integer,
    closed_at integer,
    returned_at integer,
    refunded_at integer,
    cancel_reason text,
    -- Paid after it was given up for want of payment, when there was stock again.
    reinstated_at integer,
    constraint orders_buyer_check check (account_id is not null or email_key is not null),
    constraint orders_refunded_check check (refunded_minor >= 0 and refunded_minor <= paid_minor)
) strict;
insert into orders
    (id, account_id, status, currency, total_minor, placed_at, cancelled_at)
    select id, account_id, status, currency, total_minor, placed_at, cancelled_at
    from orders_before;
drop table orders_before;
create index orders_account on orders (account_id, placed_at, id);
create index orders_placed on orders (placed_at, id);
create index orders_due on orders (due_at, id) where status = 'placed' and due_at is not null;
create index orders_email on orders (email_key, id) where email_key is not null;
create index orders_basket on orders (basket_id) where basket_id is not null;

-- Tax is contained in the line's amount: its rate in parts per million and its sum.
alter table order_line add discount_minor integer not null default 0;
alter table order_line add tax_ppm integer not null default 0;
alter table order_line add tax_minor integer not null default 0;
-- Of the allocated units: those that have left, and of these those that came back.
alter table allocation add shipped integer not null default 0
    constraint allocation_shipped_check check (shipped >= 0 and shipped <= quantity);
alter table allocation add returned integer not null default 0
    constraint allocation_returned_check check (returned >= 0 and returned <= shipped);

alter table product add tax_class text not null default 'standard';
-- How long a basket holds it; none: as long as the shop says.
alter table variant add hold_seconds integer
    constraint variant_hold_seconds_check check (hold_seconds >= 1);

create table basket (
    id integer primary key,
    -- SHA-256 of a guest's token; an account's basket has none.
    token_hash blob unique,
    account_id integer references account (id),
    currency text not null,
    status text not null constraint basket_status_check check (status in ('open', 'ordered', 'merged')),
    -- What it became: an order.
    order_id integer,
    discount_id integer,
    created_at integer not null,
    touched_at integer not null,
    constraint basket_owner_check check (token_hash is not null or account_id is not null)
) strict;
-- An account fills one basket per currency at a time.
create unique index basket_open on basket (account_id, currency)
    where status = 'open' and account_id is not null;
create index basket_touched on basket (touched_at) where status = 'open';

-- The tables below are written by the stock writer only, as those of orders are.
create table basket_line (
    basket_id integer not null,
    variant_id integer not null,
    quantity integer not null constraint basket_line_quantity_check check (quantity >= 1),
    -- The price that the buyer saw; another one must be confirmed before it is paid.
    unit_price_minor integer not null,
    -- When the present holds were first taken: they cannot be extended for ever.
    held_since integer,
    added_at integer not null,
    primary key (basket_id, variant_id)
) strict, without rowid;

-- Units of a level that a basket holds until a moment; from then on they are anybody's, whether or
-- not the row is still there.
create table hold (
    basket_id integer not null,
    variant_id integer not null,
    level_id integer not null,
    quantity integer not null constraint hold_quantity_check check (quantity >= 1),
    expires_at integer not null,
    primary key (basket_id, variant_id, level_id)
) strict, without rowid;
-- Lapsed holds are few: they are swept. So one index finds them all, and those of a variant.
create index hold_expires on hold (expires_at, variant_id);

create table payment (
    id integer primary key,
    order_id integer not null,
    gateway text not null,
    status text not null constraint payment_status_check check (status in
        ('pending', 'authorised', 'succeeded', 'failed', 'cancelled')),
    amount_minor integer not null constraint payment_amount_check check (amount_minor >= 0),
    currency text not null,
    -- What arrived, once it has.
    received_minor integer not null default 0,
    -- The provider's name for it; none until the provider has answered.
    provider_id text unique,
    failure text,
    created_at integer not null,
    updated_at integer not null
) strict;
create index payment_order on payment (order_id, id);
create index payment_open on payment (updated_at, id)
    where status in ('pending', 'authorised', 'failed');

create table refund (
    id integer primary key,
    order_id integer not null,
    payment_id integer not null,
    amount_minor integer not null constraint refund_amount_check check (amount_minor >= 1),
    status text not null constraint refund_status_check check (status in ('pending', 'succeeded', 'failed')),
    reason text not null constraint refund_reason_check check (reason in
        ('requested', 'cancelled', 'too_late', 'mismatch', 'excess')),
    note text,
    provider_id text,
    actor_id integer,
    created_at integer not null,
    -- When something was last heard of it.
    updated_at integer not null,
    done_at integer
) strict;
create index refund_order on refund (order_id, id);
create index refund_pending on refund (updated_at, id) where status = 'pending';

create table fulfilment (
    id integer primary key,
    order_id integer not null,
    carrier text,
    tracking_number text,
    actor_id integer,
    at integer not null
) strict;
create index fulfilment_order on fulfilment (order_id, id);
create table fulfilment_line (
    fulfilment_id integer not null,
    line_no integer not null,
    level_id integer not null,
    quantity integer not null constraint fulfilment_line_quantity_check check (quantity >= 1),
    primary key (fulfilment_id, line_no, level_id)
) strict, without rowid;

create table discount (
    id integer primary key,
    code text not null,
    -- Upper-cased: SPRING and spring are one code.
    code_key text not null unique,
    -- One of a share of the goods, in hundredths of a percent, and an amount.
    percent_bp integer constraint discount_percent_check check (percent_bp between 1 and 10000),
    amount_minor integer constraint discount_amount_check check (amount_minor >= 1),
    currency text,
    starts_at integer,
    ends_at integer,
    uses_max integer constraint discount_uses_max_check check (uses_max >= 1),
    uses_per_customer_max integer constraint discount_per_customer_check check (uses_per_customer_max >= 1),
    -- Orders that stand and used it; counted by the stock writer.
    uses integer not null default 0 constraint discount_uses_check check (uses >= 0),
    active integer not null,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    constraint discount_kind_check check
        ((percent_bp is null) <> (amount_minor is null) and (amount_minor is null) = (currency is null))
) strict;
-- Uses by orders that stand, under the customer's name: an account's id or a guest's e-mail.
create table discount_use (
    discount_id integer not null,
    customer text not null,
    order_id integer not null,
    primary key (discount_id, customer, order_id)
) strict, without rowid;

create table tax_rate (
    tax_class text not null,
    country text not null constraint tax_rate_country_check check (length(country) = 2),
    rate_ppm integer not null constraint tax_rate_check check (rate_ppm between 0 and 1000000),
    version integer not null default 1,
    updated_at integer not null,
    primary key (tax_class, country)
) strict, without rowid;

create table address (
    id integer primary key,
    account_id integer not null references account (id),
    name text not null,
    line1 text not null,
    line2 text not null default '',
    postal_code text not null,
    city text not null,
    region text not null default '',
    country text not null constraint address_country_check check (length(country) = 2),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null
) strict;
create index address_account on address (account_id, id);

-- Who an account is to a provider, and the ways to pay that it has stored there.
create table payment_customer (
    account_id integer not null references account (id),
    gateway text not null,
    provider_id text not null unique,
    created_at integer not null,
    primary key (account_id, gateway)
) strict, without rowid;
create table payment_method (
    id integer primary key,
    account_id integer not null references account (id),
    gateway text not null,
    provider_id text not null unique,
    brand text not null,
    last4 text not null,
    expires_month integer,
    expires_year integer,
    created_at integer not null
) strict;
create index payment_method_account on payment_method (account_id, id);

insert into id_sequence (name, next) values
    ('basket', 1), ('payment', 1), ('refund', 1), ('fulfilment', 1), ('discount', 1),
    ('address', 1), ('payment_method', 1);
