-- Versions of what cached answers are made from. They change in the transaction that changes the
-- rows, by triggers, so that nothing that writes can forget them; the cache itself is never written
-- to by a change.
create table scope_version (
    scope text not null,
    -- More than one on PostgreSQL only; a scope's version is the sum of its shards.
    shard integer not null,
    version integer not null,
    primary key (scope, shard)
) strict, without rowid;
insert into scope_version (scope, shard, version) values ('catalog', 0, 0), ('stock', 0, 0);

-- Answers also change when the clock passes one of these moments.
create index price_effective_from on price (effective_from);
create index product_release_at on product (release_at) where release_at is not null;

create trigger product_insert_changes_catalog after insert on product begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger product_update_changes_catalog after update on product begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger product_delete_changes_catalog after delete on product begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger variant_insert_changes_catalog after insert on variant begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger variant_update_changes_catalog after update on variant begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger variant_delete_changes_catalog after delete on variant begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger price_insert_changes_catalog after insert on price begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger price_update_changes_catalog after update on price begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger price_delete_changes_catalog after delete on price begin
    update scope_version set version = version + 1 where scope = 'catalog' and shard = 0;
end;
create trigger location_insert_changes_stock after insert on location begin
    update scope_version set version = version + 1 where scope = 'stock' and shard = 0;
end;
create trigger location_update_changes_stock after update on location begin
    update scope_version set version = version + 1 where scope = 'stock' and shard = 0;
end;
create trigger location_delete_changes_stock after delete on location begin
    update scope_version set version = version + 1 where scope = 'stock' and shard = 0;
end;
create trigger stock_level_insert_changes_stock after insert on stock_level begin
    update scope_version set version = version + 1 where scope = 'stock' and shard = 0;
end;
create trigger stock_level_update_changes_stock after update on stock_level begin
    update scope_version set version = version + 1 where scope = 'stock' and shard = 0;
end;
create trigger stock_level_delete_changes_stock after delete on stock_level begin
    update scope_version set version = version + 1 where scope = 'stock' and shard = 0;
end;
