//! The list of products: filters, search, sorting and cursors, a page in one statement.

use std::cmp::Ordering;

use runout_store::{Composer, Engine, Result, Statement};

use super::model::Product;
use super::queries::{Sight, VARIANTS, View, push_select, read_all};
use super::search::Query;
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{Leaf, ListRequest, Page, Resource};
use crate::platform::problem::{FieldError, Problem};

/// What products can be filtered and sorted by.
pub static PRODUCTS: Resource = Resource {
    name: "products",
    fields: &[
        Field::new("id", "p.id", Kind::Id),
        Field::new("kind", "p.kind", Kind::Choice(&["disc", "ticket", "merch", "other"])),
        Field::new("title", "p.title", Kind::Text).sortable(),
        Field::new("artist", "p.artist", Kind::Text).sortable(),
        Field::new("release_year", "p.release_year", Kind::Int).sortable().nullable(),
        Field::new("style", "p.style", Kind::Text),
        Field::new("label", "p.label", Kind::Text),
        Field::new("catalogue_number", "p.catalogue_number", Kind::Text),
        Field::new("enabled", "p.enabled", Kind::Bool),
        Field::new("release_at", "p.release_at", Kind::Time).nullable(),
        Field::new("created_at", "p.created_at", Kind::Time).sortable(),
        Field::new("tax_class", "p.tax_class", Kind::Text),
    ],
    id_sql: "p.id",
    default_sort: "-id",
    extras: &[
        "q",
        "currency",
        "deleted",
        "in_stock",
        "sku",
        "amount_minor__gte",
        "amount_minor__lte",
    ],
};

/// The inner select: the page's products, with the columns that the outer one answers.
const INNER: &str = " from (select p.id, p.kind, p.title, p.artist, p.release_year, p.style, \
    p.label, p.catalogue_number, p.description, p.attributes, p.enabled, p.release_at, \
    p.created_at, p.updated_at, p.deleted_at, p.version, p.tax_class from product p where ";

/// A variant of the product that has free stock.
const IN_STOCK: &str = "exists (select 1 from variant s join stock_level l on l.variant_id = s.id \
    join location o on o.id = l.location_id where s.product_id = p.id and s.deleted_at is null \
    and o.active and l.on_hand > l.reserved)";

/// A variant of the product whose price that counts is within bounds.
const PRICED: &str = " and exists (select 1 from variant s where s.product_id = p.id \
    and s.deleted_at is null and (select c.amount_minor from price c where c.variant_id = s.id \
    and c.currency = ";
const PRICED_FROM: &str = " and c.effective_from <= ";
const PRICED_BETWEEN: &str = " order by c.effective_from desc limit 1) between ";

/// What a list was asked for beyond [`ListRequest`]'s filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that must all occur.
    pub query: Option<Query>,
    pub in_stock: Option<bool>,
    pub sku: Option<String>,
    /// Bounds of the price that counts, in minor units.
    pub amount_minor: (Option<i64>, Option<i64>),
}

impl Search {
    /// Reads the further parameters of a request.
    ///
    /// # Errors
    /// 400 `invalid_filter`, naming the parameter.
    pub fn new(request: &ListRequest) -> Result<Self, Problem> {
        let text = |name| request.extra(name);
        Ok(Self {
            query: text("q").filter(|text| !text.trim().is_empty()).map(Query::new),
            in_stock: text("in_stock").map(|text| truth("in_stock", text)).transpose()?,
            sku: text("sku").map(str::to_owned),
            amount_minor: (
                text("amount_minor__gte").map(|t| number("amount_minor__gte", t)).transpose()?,
                text("amount_minor__lte").map(|t| number("amount_minor__lte", t)).transpose()?,
            ),
        })
    }

    /// True if rows that do not fit may have to be read in numbers.
    fn scans(&self) -> bool {
        self.query.is_some() || self.in_stock.is_some() || self.amount_minor != (None, None)
    }

    fn compose(&self, sql: &mut Composer, engine: Engine, view: View) {
        match &self.query {
            Some(query) if query.is_empty() => _ = sql.push(" and 1 = 0"),
            Some(query) => {
                let text = match engine {
                    Engine::Sqlite => query.fts5(),
                    Engine::Postgres => query.tsquery(),
                };
                sql.push_each(
                    " and p.id in (select f.rowid from product_search f where product_search match ",
                    " and p.search @@ cast(",
                );
                sql.bind(text).push_each(")", " as text)::tsquery");
            }
            None => {}
        }
        if let Some(in_stock) = self.in_stock {
            sql.push(if in_stock { " and " } else { " and not " }).push(IN_STOCK);
        }
        if let Some(sku) = &self.sku {
            sql.push(" and p.id in (select s.product_id from variant s where s.deleted_at is null");
            sql.push(" and s.sku = ").bind(sku.as_str()).push(")");
        }
        if self.amount_minor != (None, None) {
            let (least, most) = self.amount_minor;
            sql.push(PRICED).bind(view.currency.code()).push(PRICED_FROM).bind(view.now);
            sql.push(PRICED_BETWEEN).bind(least.unwrap_or(0)).push(" and ");
            sql.bind(most.unwrap_or(i64::MAX)).push(")");
        }
    }
}

pub(super) fn truth(name: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(invalid(name, "true or false")),
    }
}

fn number(name: &str, text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| invalid(name, "a whole number"))
}

fn invalid(name: &str, expected: &str) -> Problem {
    let detail = format!("{name}: expected {expected}");
    let error = FieldError::new(name, "invalid", detail.clone());
    Problem::bad_request("invalid_filter", detail).errors(vec![error])
}

/// Appends what a list was asked for, but neither order nor page.
pub(super) fn push_matching(
    sql: &mut Composer,
    engine: Engine,
    request: &ListRequest,
    search: &Search,
    view: View,
) {
    search.compose(sql, engine, view);
    request.filters.compose(sql);
}

/// Products that a condition finds, in no order: `condition` appends to a `where` that has one, and
/// bounds the number of rows.
///
/// # Errors
/// The database's.
pub(super) async fn shelf(
    app: &App,
    view: View,
    condition: impl FnOnce(&mut Composer),
) -> Result<Vec<Product>> {
    let mut sql = Composer::new("");
    push_select(&mut sql, view);
    sql.push(INNER).push(Sight::Public.condition());
    condition(&mut sql);
    sql.push(") p").push(VARIANTS);
    read_all(app, sql.finish(), view, 8).await
}

/// The newest products that are out, newest first.
///
/// # Errors
/// The database's.
pub(super) async fn newest(app: &App, view: View, rows: i64) -> Result<Vec<Product>> {
    let found = shelf(app, view, |sql| {
        sql.push(" and (p.release_at is null or p.release_at <= ").bind(view.now);
        sql.push(") order by p.id desc limit ").bind(rows);
    });
    let mut products = found.await?;
    products.sort_unstable_by_key(|product| std::cmp::Reverse(product.id));
    Ok(products)
}

/// Products that are still to come, the next one first.
///
/// # Errors
/// The database's.
pub(super) async fn soon(app: &App, view: View, rows: i64) -> Result<Vec<Product>> {
    let found = shelf(app, view, |sql| {
        sql.push(" and p.release_at > ").bind(view.now);
        sql.push(" order by p.release_at, p.id limit ").bind(rows);
    });
    let mut products = found.await?;
    products.sort_unstable_by_key(|product| (product.fields.release_at, product.id));
    Ok(products)
}

/// A page of products: one statement, in which prices and availability are looked up for the page's
/// variants only.
///
/// # Errors
/// The database's.
pub async fn page(
    app: &App,
    request: &ListRequest,
    search: &Search,
    sight: Sight,
    view: View,
) -> Result<Page<Product>> {
    let statement = statement(Composer::new(""), app.db.engine(), request, search, sight, view);
    let mut products = read_all(app, statement, view, request.limit() as usize + 1).await?;
    products.sort_unstable_by(|one, two| compare(request, one, two));
    Ok(request.page(products, position))
}

/// [`page`] with the way back, for the pages.
///
/// # Errors
/// The database's.
pub async fn leaf(
    app: &App,
    request: &ListRequest,
    search: &Search,
    view: View,
) -> Result<Leaf<Product>> {
    let sight = Sight::Public;
    let statement = statement(Composer::new(""), app.db.engine(), request, search, sight, view);
    let mut products = read_all(app, statement, view, request.limit() as usize + 1).await?;
    products.sort_unstable_by(|one, two| {
        let order = compare(request, one, two);
        if request.is_backward() { order.reverse() } else { order }
    });
    Ok(request.leaf(products, position))
}

/// The statement of [`page`], after what stands in `sql` already (a test explains it).
pub fn statement(
    mut sql: Composer,
    engine: Engine,
    request: &ListRequest,
    search: &Search,
    sight: Sight,
    view: View,
) -> Statement {
    push_select(&mut sql, view);
    sql.push(INNER).push(sight.condition());
    search.compose(&mut sql, engine, view);
    request.compose(&mut sql);
    sql.push(") p").push(VARIANTS);
    let statement = sql.finish();
    if search.scans() { statement.heavy() } else { statement }
}

/// The order of the page's rows. The inner select has it already, but the join need not keep it,
/// and sorting so few here costs less than in the database. Both engines compare text by its bytes.
fn compare(request: &ListRequest, one: &Product, two: &Product) -> Ordering {
    let turned = |order: Ordering| if request.is_descending() { order.reverse() } else { order };
    let (a, b) = (&one.fields, &two.fields);
    let by_field = match request.sort_field() {
        "title" => turned(a.title.cmp(&b.title)),
        "artist" => turned(a.artist.cmp(&b.artist)),
        "created_at" => turned(one.created_at.cmp(&two.created_at)),
        "release_year" => match (a.release_year, b.release_year) {
            (Some(a), Some(b)) => turned(a.cmp(&b)),
            // Without a value: last, whatever the direction.
            (a, b) => a.is_none().cmp(&b.is_none()),
        },
        _ => Ordering::Equal,
    };
    by_field.then_with(|| turned(one.id.cmp(&two.id)))
}

fn position(product: &Product, field: &'static str) -> (i64, Key) {
    let key = match field {
        "title" => Key::of(product.fields.title.as_str()),
        "artist" => Key::of(product.fields.artist.as_str()),
        "release_year" => Key::of(product.fields.release_year),
        "created_at" => Key::of(product.created_at),
        _ => Key::Null,
    };
    (product.id, key)
}
