-- Versions of what cached answers are made from. They change in the transaction that changes the
-- rows, by triggers, so that nothing that writes can forget them; the cache itself is never written
-- to by a change.
create table scope_version (
    scope text not null,
    -- Which one a transaction changes depends on its connection, so that nodes that sell at the same
    -- time rarely wait for each other; a scope's version is the sum of its shards.
    shard bigint not null,
    version bigint not null,
    primary key (scope, shard)
) with (fillfactor = 50);
insert into scope_version (scope, shard, version)
    select scope, shard, 0 from unnest(array['catalog', 'stock']) scope, generate_series(0, 7) shard;

-- Answers also change when the clock passes one of these moments.
create index price_effective_from on price (effective_from);
create index product_release_at on product (release_at) where release_at is not null;

create function change_scope() returns trigger language plpgsql as $$
begin
    update scope_version set version = version + 1
    where scope = tg_argv[0] and shard = pg_backend_pid() % 8;
    return null;
end $$;

create trigger product_changes_catalog after insert or update or delete or truncate on product
    for each statement execute function change_scope('catalog');
create trigger variant_changes_catalog after insert or update or delete or truncate on variant
    for each statement execute function change_scope('catalog');
create trigger price_changes_catalog after insert or update or delete or truncate on price
    for each statement execute function change_scope('catalog');
create trigger location_changes_stock after insert or update or delete or truncate on location
    for each statement execute function change_scope('stock');
create trigger stock_level_changes_stock after insert or update or delete or truncate on stock_level
    for each statement execute function change_scope('stock');
