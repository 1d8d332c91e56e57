//! Reading the history and the future of prices.

use runout_store::{Composer, Result, Statement, statements};

use super::commands::Price;
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    EXISTS = "select id from variant where id = $1";
    DEFAULT_VARIANT = "select v.id from variant v join product p on p.id = v.product_id
        where v.product_id = $1 and v.is_default and p.deleted_at is null";
}

/// What prices can be filtered and sorted by.
pub static PRICES: Resource = Resource {
    name: "prices",
    fields: &[
        Field::new("id", "c.id", Kind::Id),
        Field::new("currency", "c.currency", Kind::Text),
        Field::new("amount_minor", "c.amount_minor", Kind::Int),
        Field::new("effective_from", "c.effective_from", Kind::Time).sortable(),
        Field::new("created_at", "c.created_at", Kind::Time),
    ],
    id_sql: "c.id",
    default_sort: "-effective_from",
    extras: &[],
};

/// The prices of a variant, past, present and future; none if there is no such variant. Those of a
/// deleted variant stay readable: they belong to its sales.
///
/// # Errors
/// The database's.
pub async fn page(
    app: &App,
    variant_id: i64,
    request: &ListRequest,
) -> Result<Option<Page<Price>>> {
    let exists = Statement::new(&EXISTS, vec![variant_id.into()]);
    if app.db.read_one(exists, |row| row.get::<i64>(0)).await?.is_none() {
        return Ok(None);
    }
    let mut sql = Composer::new(
        "select c.id, c.variant_id, c.currency, c.amount_minor, c.effective_from, c.created_at, \
         c.created_by from price c where c.variant_id = ",
    );
    sql.bind(variant_id);
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), Price::read).await?;
    Ok(Some(request.page(rows, |price, _| (price.id, Key::of(price.effective_from)))))
}

/// The default variant of a live product.
///
/// # Errors
/// The database's.
pub async fn default_variant(app: &App, product_id: i64) -> Result<Option<i64>> {
    let statement = Statement::new(&DEFAULT_VARIANT, vec![product_id.into()]);
    app.db.read_one(statement, |row| row.get(0)).await
}
