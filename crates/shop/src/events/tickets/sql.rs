//! Statements about what an event sells.

use runout_store::statements;

statements! {
    PRODUCT = "select p.kind, (select e.id from event e where e.product_id = p.id)
        from product p where p.id = $1 and p.deleted_at is null";
    /// True if something of the product was ever ordered: then there may be tickets about.
    ORDERED = "select exists (select 1 from variant v
            join stock_level s on s.variant_id = v.id
            join stock_movement m on m.level_id = s.id
            where v.product_id = $1 and m.order_id is not null)";
    LINK = "update event set product_id = $2, updated_at = $3, version = version + 1
        where id = $1";
}
