//! Reading products with their variants, prices and availability: one statement each.

use std::collections::HashMap;

use jiff::Timestamp;
use runout_core::money::Currency;
use runout_store::{Composer, Db, Error, Result, Rows, Statement, statements};

use super::cover::Cover;
use super::model::{Assembler, Product};
use super::show;
use crate::App;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::pricing::PriceTag;

statements! {
    /// What a predecessor lists: products of which the default variant can be had at `$2`, by name,
    /// with its price in the currency `$1`; `$3` of them after the first `$4`.
    FOR_SALE = "select p.id, p.title,
            (select c.amount_minor from price c where c.variant_id = v.id and c.currency = $1
                and c.effective_from <= $2 order by c.effective_from desc limit 1),
            (select cast(coalesce(sum(l.on_hand - l.reserved), 0) as bigint)
                from stock_level l join location o on o.id = l.location_id
                where l.variant_id = v.id and o.active)
        from product p join variant v on v.product_id = p.id and v.is_default
        where p.deleted_at is null and p.enabled and (p.release_at is null or p.release_at <= $2)
            and exists (select 1 from stock_level l join location o on o.id = l.location_id
                where l.variant_id = v.id and o.active and l.on_hand > l.reserved)
        order by p.title, p.id limit $3 offset $4";
    FOR_SALE_COUNT = "select count(*)
        from product p join variant v on v.product_id = p.id and v.is_default
        where p.deleted_at is null and p.enabled and (p.release_at is null or p.release_at <= $1)
            and exists (select 1 from stock_level l join location o on o.id = l.location_id
                where l.variant_id = v.id and o.active and l.on_hand > l.reserved)";
    /// Variants of which one location has between 1 and `$1` units that can be sold; at most `$2`.
    LOW = "select l.variant_id from stock_level l join location o on o.id = l.location_id
        where o.active and l.on_hand - l.reserved >= 1 and l.on_hand - l.reserved <= $1 limit $2";
    /// Whose picture goes with the variants `$1`.
    PICTURED = {
        sqlite: "select v.id, p.id, p.version, p.title, p.artist
            from variant v join product p on p.id = v.product_id
            where v.id in (select value from json_each($1))",
        postgres: "select v.id, p.id, p.version, p.title, p.artist
            from variant v join product p on p.id = v.product_id where v.id = any($1)",
    };
    COVER = "select title, artist, release_year, style, version, enabled
        from product where id = $1 and deleted_at is null";
}

/// The product of a variant, as lines of baskets and orders show it.
#[derive(Debug, Clone)]
pub(crate) struct Pictured {
    pub address: String,
    pub cover: String,
    pub alt: String,
    pub title: String,
    pub artist: String,
}

/// The products of some variants, by the variants' ids.
///
/// # Errors
/// The database's.
pub(crate) async fn pictured(db: &Db, variants: Vec<i64>) -> Result<HashMap<i64, Pictured>> {
    let statement = Statement::new(&PICTURED, vec![variants.into()]);
    let read = db.read(statement, |row| {
        let (id, version, title): (i64, i64, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let artist: String = row.get(4)?;
        let pictured = Pictured {
            address: show::address(id),
            cover: show::cover_address(id, version),
            alt: show::alt(&title, &artist),
            title,
            artist,
        };
        Ok((row.get::<i64>(0)?, pictured))
    });
    Ok(read.await?.into_iter().collect())
}

/// Variants of which one location has between 1 and `most` units that can be sold.
pub(super) async fn low_variants(db: &Db, most: i64, limit: i64) -> Result<Vec<i64>> {
    let statement = Statement::new(&LOW, vec![most.into(), limit.into()]).heavy();
    db.read(statement, |row| row.get(0)).await
}

/// What a live product's cover is made of.
#[derive(Debug, Clone)]
pub(super) struct CoverOf {
    title: String,
    artist: String,
    year: Option<i64>,
    style: String,
    pub version: i64,
    pub enabled: bool,
}

impl CoverOf {
    pub(super) fn cover(&self) -> Cover<'_> {
        Cover { title: &self.title, artist: &self.artist, year: self.year, style: &self.style }
    }
}

/// What the cover of a live product is made of, whether or not it is enabled.
pub(super) async fn cover(db: &Db, id: i64) -> Result<Option<CoverOf>> {
    let read = db.read_one(Statement::new(&COVER, vec![id.into()]), |row| {
        Ok(CoverOf {
            title: row.get(0)?,
            artist: row.get(1)?,
            year: row.get(2)?,
            style: row.get(3)?,
            version: row.get(4)?,
            enabled: row.get(5)?,
        })
    });
    read.await
}

/// Discs under the names of a predecessor, the Lea Record Shop. `kind` is not among them: its
/// routes ask for discs alone, see [`DISCS_ONLY`].
pub static PREDECESSOR_DISCS: Resource = Resource {
    name: "discs",
    fields: &[
        Field::new("id", "p.id", Kind::Id),
        Field::new("name", "p.title", Kind::Text),
        Field::new("artist", "p.artist", Kind::Text),
        Field::new("release_year", "p.release_year", Kind::Int).nullable(),
        Field::new("style", "p.style", Kind::Text),
        Field::new("amount", DEFAULT_AVAILABLE, Kind::Int),
    ],
    id_sql: "p.id",
    default_sort: "id",
    extras: &[],
};

/// The field to ask for when only discs are meant.
pub static DISCS_ONLY: &[Field] = &[Field::new("kind", "p.kind", Kind::Choice(&["disc"]))];

/// What of the default variant of `product p` can be sold.
const DEFAULT_AVAILABLE: &str = "(select cast(coalesce(sum(l.on_hand - l.reserved), 0) as bigint) \
    from stock_level l join location o on o.id = l.location_id \
    join variant d on d.id = l.variant_id where d.product_id = p.id and d.is_default and o.active)";

/// In which currency and at which moment prices are looked up.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub currency: Currency,
    pub now: Timestamp,
}

impl View {
    /// The same at another moment.
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }
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

/// What of variant `v` can be sold: what is free, and what lapsed holds still reserve.
const AVAILABLE: &str = ", (select cast(coalesce(sum(l.on_hand - l.reserved), 0) as bigint) \
    from stock_level l join location o on o.id = l.location_id \
    where l.variant_id = v.id and o.active) \
    + (select cast(coalesce(sum(h.quantity), 0) as bigint) \
    from hold h join stock_level l on l.id = h.level_id join location o on o.id = l.location_id \
    where h.variant_id = v.id and o.active and h.expires_at <= ";
const AVAILABLE_END: &str = ")";

/// What came to the columns later.
const LAST_COLUMNS: &str = ", p.tax_class, v.hold_seconds";

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
    sql.push(AVAILABLE).bind(view.now).push(AVAILABLE_END).push(LAST_COLUMNS);
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

/// A product whose default variant is in stock.
#[derive(Debug, Clone)]
pub struct ForSale {
    pub id: i64,
    pub title: String,
    /// `None`: it has no price in the asked currency, and so cannot be bought yet.
    pub price: Option<PriceTag>,
    /// Units of the default variant, at least 1.
    pub available: i64,
}

/// Enabled and released products whose default variant is in stock, by title: `limit` of them after
/// the first `offset`. For the predecessor whose pages have numbers.
///
/// # Errors
/// The database's.
pub async fn for_sale(app: &App, view: View, limit: i64, offset: i64) -> Result<Vec<ForSale>> {
    let params = vec![view.currency.code().into(), view.now.into(), limit.into(), offset.into()];
    let statement = Statement::new(&FOR_SALE, params).heavy();
    let rows = app.db.read(statement, |row| {
        Ok(ForSale {
            id: row.get(0)?,
            title: row.get(1)?,
            price: row.get::<Option<i64>>(2)?.map(|minor| PriceTag::new(minor, view.currency)),
            available: row.get(3)?,
        })
    });
    rows.await
}

/// How many products [`for_sale`] finds.
///
/// # Errors
/// The database's.
pub async fn for_sale_count(app: &App, now: Timestamp) -> Result<i64> {
    let statement = Statement::new(&FOR_SALE_COUNT, vec![now.into()]).heavy();
    Ok(app.db.read_one(statement, |row| row.get(0)).await?.unwrap_or(0))
}
