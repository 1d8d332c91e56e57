-- Baskets with holds, payments, fulfilment, tax and discounts.

alter table stock_movement add basket_id bigint;
alter table stock_movement drop constraint stock_movement_cause_check;
alter table stock_movement add constraint stock_movement_cause_check check (cause in
    ('receipt', 'adjustment', 'transfer', 'order', 'cancel', 'fulfilment', 'return',
    'hold', 'release', 'expire', 'checkout'));

alter table orders alter account_id drop not null;
alter table orders drop constraint orders_status_check;
alter table orders add constraint orders_status_check check (status in
    ('placed', 'paid', 'fulfilled', 'closed', 'cancelled', 'refunded', 'returned'));
alter table orders
    add basket_id bigint,
    add email text,
    -- Lower-cased: limits per customer count what guests bought under one address.
    add email_key text,
    add address jsonb,
    -- Whose tax rates apply; ISO 3166-1 alpha-2.
    add country text,
    add gateway text,
    add discount_id bigint,
    add discount_code text,
    add discount_minor bigint not null default 0
        constraint orders_discount_check check (discount_minor >= 0),
    add tax_minor bigint not null default 0
        constraint orders_tax_check check (tax_minor >= 0 and tax_minor <= total_minor),
    -- Money that has arrived, and that has gone back or is on its way.
    add paid_minor bigint not null default 0,
    add refunded_minor bigint not null default 0,
    -- Unpaid at this moment it gives its stock back; none: it may stay unpaid.
    add due_at timestamptz,
    add paid_at timestamptz,
    add fulfilled_at timestamptz,
    add closed_at timestamptz,
    add returned_at timestamptz,
    add refunded_at timestamptz,
    add cancel_reason text,
    -- Paid after it was given up for want of payment, when there was stock again.
    add reinstated_at timestamptz,
    add constraint orders_buyer_check check (account_id is not null or email_key is not null),
    add constraint orders_refunded_check
        check (refunded_minor >= 0 and refunded_minor <= paid_minor);
create index orders_due on orders (due_at, id) where status = 'placed' and due_at is not null;
create index orders_email on orders (email_key, id) where email_key is not null;
create index orders_basket on orders (basket_id) where basket_id is not null;

-- Tax is contained in the line's amount: its rate in parts per million and its sum.
alter table order_line add discount_minor bigint not null default 0;
alter table order_line add tax_ppm bigint not null default 0;
alter table order_line add tax_minor bigint not null default 0;
-- Of the allocated units: those that have left, and of these those that came back.
alter table allocation add shipped bigint not null default 0
    constraint allocation_shipped_check check (shipped >= 0 and shipped <= quantity);
alter table allocation add returned bigint not null default 0
    constraint allocation_returned_check check (returned >= 0 and returned <= shipped);

alter table product add tax_class text not null default 'standard';
-- How long a basket holds it; none: as long as the shop says.
alter table variant add hold_seconds bigint
    constraint variant_hold_seconds_check check (hold_seconds >= 1);

create table basket (
    id bigint primary key,
    -- SHA-256 of a guest's token; an account's basket has none.
    token_hash bytea unique,
    account_id bigint references account (id),
    currency text not null,
    status text not null constraint basket_status_check check (status in ('open', 'ordered', 'merged')),
    -- What it became: an order.
    order_id bigint,
    discount_id bigint,
    created_at timestamptz not null,
    touched_at timestamptz not null,
    constraint basket_owner_check check (token_hash is not null or account_id is not null)
);
-- An account fills one basket per currency at a time.
create unique index basket_open on basket (account_id, currency)
    where status = 'open' and account_id is not null;
create index basket_touched on basket (touched_at) where status = 'open';

-- The tables below are written by the stock writer only, as those of orders are.
create table basket_line (
    basket_id bigint not null,
    variant_id bigint not null,
    quantity bigint not null constraint basket_line_quantity_check check (quantity >= 1),
    -- The price that the buyer saw; another one must be confirmed before it is paid.
    unit_price_minor bigint not null,
    -- When the present holds were first taken: they cannot be extended for ever.
    held_since timestamptz,
    added_at timestamptz not null,
    primary key (basket_id, variant_id)
);

-- Units of a level that a basket holds until a moment; from then on they are anybody's, whether or
-- not the row is still there.
create table hold (
    basket_id bigint not null,
    variant_id bigint not null,
    level_id bigint not null,
    quantity bigint not null constraint hold_quantity_check check (quantity >= 1),
    expires_at timestamptz not null,
    primary key (basket_id, variant_id, level_id)
);
-- Lapsed holds are few: they are swept. So one index finds them all, and those of a variant.
create index hold_expires on hold (expires_at, variant_id);

create table payment (
    id bigint primary key,
    order_id bigint not null,
    gateway text not null,
    status text not null constraint payment_status_check check (status in
        ('pending', 'authorised', 'succeeded', 'failed', 'cancelled')),
    amount_minor bigint not null constraint payment_amount_check check (amount_minor >= 0),
    currency text not null,
    -- What arrived, once it has.
    received_minor bigint not null default 0,
    -- The provider's name for it; none until the provider has answered.
    provider_id text unique,
    failure text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index payment_order on payment (order_id, id);
create index payment_open on payment (updated_at, id)
    where status in ('pending', 'authorised', 'failed');

create table refund (
    id bigint primary key,
    order_id bigint not null,
    payment_id bigint not null,
    amount_minor bigint not null constraint refund_amount_check check (amount_minor >= 1),
    status text not null constraint refund_status_check check (status in ('pending', 'succeeded', 'failed')),
    reason text not null constraint refund_reason_check check (reason in
        ('requested', 'cancelled', 'too_late', 'mismatch', 'excess')),
    note text,
    provider_id text,
    actor_id bigint,
    created_at timestamptz not null,
    -- When something was last heard of it.
    updated_at timestamptz not null,
    done_at timestamptz
);
create index refund_order on refund (order_id, id);
create index refund_pending on refund (updated_at, id) where status = 'pending';

create table fulfilment (
    id bigint primary key,
    order_id bigint not null,
    carrier text,
    tracking_number text,
    actor_id bigint,
    at timestamptz not null
);
create index fulfilment_order on fulfilment (order_id, id);
create table fulfilment_line (
    fulfilment_id bigint not null,
    line_no bigint not null,
    level_id bigint not null,
    quantity bigint not null constraint fulfilment_line_quantity_check check (quantity >= 1),
    primary key (fulfilment_id, line_no, level_id)
);

create table discount (
    id bigint primary key,
    code text not null,
    -- Upper-cased: SPRING and spring are one code.
    code_key text not null unique,
    -- One of a share of the goods, in hundredths of a percent, and an amount.
    percent_bp bigint constraint discount_percent_check check (percent_bp between 1 and 10000),
    amount_minor bigint constraint discount_amount_check check (amount_minor >= 1),
    currency text,
    starts_at timestamptz,
    ends_at timestamptz,
    uses_max bigint constraint discount_uses_max_check check (uses_max >= 1),
    uses_per_customer_max bigint constraint discount_per_customer_check check (uses_per_customer_max >= 1),
    -- Orders that stand and used it; counted by the stock writer.
    uses bigint not null default 0 constraint discount_uses_check check (uses >= 0),
    active boolean not null,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint discount_kind_check check
        ((percent_bp is null) <> (amount_minor is null) and (amount_minor is null) = (currency is null))
);
-- Uses by orders that stand, under the customer's name: an account's id or a guest's e-mail.
create table discount_use (
    discount_id bigint not null,
    customer text not null,
    order_id bigint not null,
    primary key (discount_id, customer, order_id)
);

create table tax_rate (
    tax_class text not null,
    country text not null constraint tax_rate_country_check check (length(country) = 2),
    rate_ppm bigint not null constraint tax_rate_check check (rate_ppm between 0 and 1000000),
    version bigint not null default 1,
    updated_at timestamptz not null,
    primary key (tax_class, country)
);

create table address (
    id bigint primary key,
    account_id bigint not null references account (id),
    name text not null,
    line1 text not null,
    line2 text not null default '',
    postal_code text not null,
    city text not null,
    region text not null default '',
    country text not null constraint address_country_check check (length(country) = 2),
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index address_account on address (account_id, id);

-- Who an account is to a provider, and the ways to pay that it has stored there.
create table payment_customer (
    account_id bigint not null references account (id),
    gateway text not null,
    provider_id text not null unique,
    created_at timestamptz not null,
    primary key (account_id, gateway)
);
create table payment_method (
    id bigint primary key,
    account_id bigint not null references account (id),
    gateway text not null,
    provider_id text not null unique,
    brand text not null,
    last4 text not null,
    expires_month bigint,
    expires_year bigint,
    created_at timestamptz not null
);
create index payment_method_account on payment_method (account_id, id);

insert into id_sequence (name, next) values
    ('basket', 1), ('payment', 1), ('refund', 1), ('fulfilment', 1), ('discount', 1),
    ('address', 1), ('payment_method', 1);
