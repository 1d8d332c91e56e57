//! Statements of the catalogue's writes.

use runout_store::statements;

statements! {
    /// On PostgreSQL the changes of a product come one after another; SQLite has one writer.
    LOCK_PRODUCT = {
        sqlite: "select version from product where id = $1 and deleted_at is null",
        postgres: "select version from product where id = $1 and deleted_at is null for update",
    };
    DELETE_PRODUCT = "update product set deleted_at = $2, updated_at = $2, version = version + 1
        where id = $1";
    /// Locks the product of a live variant, as every change of a product's variants does.
    LOCK_PRODUCT_OF = {
        sqlite: "select p.id from product p
            where p.id = (select product_id from variant where id = $1)",
        postgres: "select p.id from product p
            where p.id = (select product_id from variant where id = $1) for update",
    };
    UPDATE_VARIANT = "update variant set sku = $2, title = $3, limit_per_order = $4,
            limit_per_customer = $5, hold_seconds = $6, updated_at = $7, version = version + 1
        where id = $1";
    DELETE_VARIANT = "update variant set deleted_at = $2, updated_at = $2, version = version + 1
        where id = $1";
    STORE_PRODUCTS = {
        sqlite: "insert into product (id, kind, title, artist, release_year, style, label,
                catalogue_number, description, attributes, enabled, release_at, tax_class,
                import_key, search_text, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)",
        postgres: "insert into product (id, kind, title, artist, release_year, style, label,
                catalogue_number, description, attributes, enabled, release_at, tax_class,
                import_key, search_text, created_at, updated_at)
            select *, created_at from unnest($1::bigint[], $2::text[], $3::text[], $4::text[],
                $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::jsonb[],
                $11::boolean[], $12::timestamptz[], $13::text[], $14::text[], $15::text[],
                $16::timestamptz[])
                as made (id, kind, title, artist, release_year, style, label, catalogue_number,
                    description, attributes, enabled, release_at, tax_class, import_key,
                    search_text, created_at)",
    };
    STORE_VARIANTS = {
        sqlite: "insert into variant (id, product_id, sku, title, is_default, limit_per_order,
                limit_per_customer, hold_seconds, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        postgres: "insert into variant (id, product_id, sku, title, is_default, limit_per_order,
                limit_per_customer, hold_seconds, created_at, updated_at)
            select *, created_at from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[],
                $5::boolean[], $6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[])
                as made (id, product_id, sku, title, is_default, limit_per_order,
                    limit_per_customer, hold_seconds, created_at)",
    };
    UPDATE_PRODUCT = "update product set kind = $2, title = $3, artist = $4, release_year = $5,
            style = $6, label = $7, catalogue_number = $8, description = $9, attributes = $10,
            enabled = $11, release_at = $12, tax_class = $13, search_text = $14, updated_at = $15,
            version = version + 1
        where id = $1";
    /// A change of a variant is a change of its product's answer.
    TOUCH_PRODUCT = "update product set version = version + 1, updated_at = $2 where id = $1";
    SKUS_TAKEN = {
        sqlite: "select sku from variant where sku in (select value from json_each($1))",
        postgres: "select sku from variant where sku = any($1)",
    };
    LOCK_IMPORTED = {
        sqlite: "select id from product
            where import_key in (select value from json_each($1)) order by id",
        postgres: "select id from product where import_key = any($1) order by id for update",
    };
    /// All prices that count or have counted, the newest last.
    IMPORTED_PRICES = {
        sqlite: "select c.variant_id, c.currency, c.amount_minor, c.effective_from
            from product p join variant v on v.product_id = p.id and v.is_default
            join price c on c.variant_id = v.id
            where p.import_key in (select value from json_each($1)) and c.effective_from <= $2
            order by c.effective_from",
        postgres: "select c.variant_id, c.currency, c.amount_minor, c.effective_from
            from product p join variant v on v.product_id = p.id and v.is_default
            join price c on c.variant_id = v.id
            where p.import_key = any($1) and c.effective_from <= $2
            order by c.effective_from",
    };
}
