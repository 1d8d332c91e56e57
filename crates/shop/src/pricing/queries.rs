//! Reading the history and the future of prices.

use jiff::Timestamp;
use runout_core::money::Money;
use runout_store::{Composer, Result, Statement, statements};

use super::commands::Price;
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    EXISTS = "select id from variant where id = $1";
    /// The prices in the currency `$2` that count at `$3`, of live variants of the products `$1`.
    CURRENT = {
        sqlite: "select v.product_id, p.title, v.id, v.sku,
                (select c.amount_minor from price c where c.variant_id = v.id and c.currency = $2
                    and c.effective_from <= $3 order by c.effective_from desc limit 1)
            from variant v join product p on p.id = v.product_id
            where v.deleted_at is null and v.product_id in (select value from json_each($1))
            order by v.product_id, v.id",
        postgres: "select v.product_id, p.title, v.id, v.sku,
                (select c.amount_minor from price c where c.variant_id = v.id and c.currency = $2
                    and c.effective_from <= $3 order by c.effective_from desc limit 1)
            from variant v join product p on p.id = v.product_id
            where v.deleted_at is null and v.product_id = any($1)
            order by v.product_id, v.id",
    };
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

/// What a variant costs at some moment in the shop's currency.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub product_id: i64,
    /// The product's.
    pub title: String,
    pub variant_id: i64,
    pub sku: String,
    pub money: Money,
}

/// The prices in the shop's currency that count at a moment, of the live variants of some products.
///
/// # Errors
/// The database's.
pub(crate) async fn current(app: &App, products: Vec<i64>, at: Timestamp) -> Result<Vec<Current>> {
    let currency = app.currency;
    let statement =
        Statement::new(&CURRENT, vec![products.into(), currency.code().into(), at.into()]);
    let rows = app.db.read(statement, |row| {
        let (product_id, title) = (row.get(0)?, row.get(1)?);
        let (variant_id, sku) = (row.get(2)?, row.get(3)?);
        let money = row.get::<Option<i64>>(4)?.map(|minor| Money { minor, currency });
        Ok(money.map(|money| Current { product_id, title, variant_id, sku, money }))
    });
    Ok(rows.await?.into_iter().flatten().collect())
}
