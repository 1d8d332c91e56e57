//! Reading products with their variants, prices and availability: one statement each.

use jiff::Timestamp;
use runout_core::money::Currency;
use runout_store::{Composer, Db, Error, Result, Rows, Statement};

use super::model::{Assembler, Product};
use crate::App;

/// In which currency and at which moment prices are looked up.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub currency: Currency,
    pub now: Timestamp,
}

/// Which products somebody gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Customers and strangers: enabled products.
    Public,
    /// Staff: disabled ones too.
    Staff,
    /// Staff who ask for them: deleted products.
    Deleted,
}

impl Sight {
    /// The condition on `product p`. Written out, so that partial indexes on live products fit.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Sight::Public => "p.deleted_at is null and p.enabled",
            Sight::Staff => "p.deleted_at is null",
            Sight::Deleted => "p.deleted_at is not null",
        }
    }
}

/// The columns that [`Product`] is read from. Long texts come with the default variant's row only:
/// they would be sent once per variant.
const COLUMNS: &str = "p.id, p.kind, p.title, p.artist, p.release_year, p.style, p.label, \
    p.catalogue_number, case when v.is_default then p.description end, \
    case when v.is_default then p.attributes";
const MORE_COLUMNS: &str = " end, p.enabled, p.release_at, p.created_at, p.updated_at, \
    p.deleted_at, p.version, v.id, v.sku, v.title, v.limit_per_order, v.limit_per_customer, \
    v.is_default, v.version";

/// The price of variant `v` that counts: its one index, read backwards from the moment.
const PRICE: &str = ", (select c.amount_minor from price c where c.variant_id = v.id \
    and c.currency = ";
const PRICE_FROM: &str = " and c.effective_from <= ";
const PRICE_END: &str = " order by c.effective_from desc limit 1)";

/// What of variant `v` can be sold.
const AVAILABLE: &str = ", (select cast(coalesce(sum(l.on_hand - l.reserved), 0) as bigint) \
    from stock_level l join location o on o.id = l.location_id \
    where l.variant_id = v.id and o.active)";

/// Begins a statement that gives a row per variant: everything before `from`.
pub(super) fn select(view: View) -> Composer {
    let mut sql = Composer::new("");
    push_select(&mut sql, view);
    sql
}

/// [`select`], after what stands in `sql` already.
pub(super) fn push_select(sql: &mut Composer, view: View) {
    sql.push("select ").push(COLUMNS).push_each("", "::text").push(MORE_COLUMNS);
    sql.push(PRICE).bind(view.currency.code()).push(PRICE_FROM).bind(view.now).push(PRICE_END);
    sql.push(AVAILABLE);
}

/// Joins the live variants to `product p`, or to what stands for it.
pub(super) const VARIANTS: &str =
    " left join variant v on v.product_id = p.id and v.deleted_at is null ";

/// One product, if it is in sight.
pub(super) fn product(id: i64, sight: Sight, view: View) -> Statement {
    let mut sql = select(view);
    sql.push(" from product p").push(VARIANTS).push("where p.id = ").bind(id);
    sql.push(" and ").push(sight.condition());
    sql.finish()
}

/// The product that a live variant belongs to, with all its variants, if it is in sight.
pub(super) fn product_of_variant(variant_id: i64, sight: Sight, view: View) -> Statement {
    let mut sql = select(view);
    sql.push(" from product p").push(VARIANTS);
    sql.push(
        "where p.id = (select w.product_id from variant w where w.deleted_at is null and w.id = ",
    );
    sql.bind(variant_id).push(") and ").push(sight.condition());
    sql.finish()
}

/// The only product of some loaded rows.
pub(super) fn assemble(rows: &Rows, view: View) -> Result<Option<Product>> {
    let mut assembler = Assembler::new(view.currency, 1);
    for row in rows.iter() {
        assembler.row(&row)?;
    }
    Ok(assembler.finish().pop())
}

/// One product, if it is in sight.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, id: i64, sight: Sight, view: View) -> Result<Option<Product>> {
    read_one(app, product(id, sight, view), view).await
}

/// The product that a variant belongs to, with all its variants, if it is in sight.
///
/// # Errors
/// The database's.
pub async fn find_by_variant(
    app: &App,
    variant_id: i64,
    sight: Sight,
    view: View,
) -> Result<Option<Product>> {
    read_one(app, product_of_variant(variant_id, sight, view), view).await
}

async fn read_one(app: &App, statement: Statement, view: View) -> Result<Option<Product>> {
    Ok(read_all(app, statement, view, 1).await?.pop())
}

/// Runs a statement that [`select`] began.
pub(super) async fn read_all(
    app: &App,
    statement: Statement,
    view: View,
    capacity: usize,
) -> Result<Vec<Product>, Error> {
    let mut assembler = Assembler::new(view.currency, capacity);
    app.db.read(statement, |row| assembler.row(row)).await?;
    Ok(assembler.finish())
}

/// True if there never was a product.
///
/// # Errors
/// The database's.
pub async fn is_empty(db: &Db) -> Result<bool> {
    let any = Composer::new("select id from product limit 1").finish();
    Ok(db.read_one(any, |row| row.get::<i64>(0)).await?.is_none())
}
