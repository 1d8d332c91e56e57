-- Indexes that lists of the back office read. None on the tables that a sale writes.

-- Ordered by bytes, as in SQLite, whatever the locale of the server is: what begins alike lies
-- together.
alter table variant alter column sku type text collate "C";
alter table account alter column username_key type text collate "C";
alter table account alter column email_key type text collate "C";

create index product_kind on product (kind, id) where deleted_at is null;
create index product_enabled on product (enabled, id) where deleted_at is null;
create index variant_live_sku on variant (sku, id) where deleted_at is null;
create index price_moment on price (effective_from, id);
-- A level is made once; what a sale changes of it is not in here.
create index stock_level_location on stock_level (location_id, id);
create index account_role on account (role, id);
create index audit_actor on audit (actor_id, id) where actor_id is not null;
-- Newest year first, as the catalogue is asked for: products without a year come last there too.
create index product_year_down on product (release_year desc nulls last, id desc)
    where deleted_at is null;
