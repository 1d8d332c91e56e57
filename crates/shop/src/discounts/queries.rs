//! Reading discounts.

use runout_core::ids::DiscountId;
use runout_store::{Composer, Result, Statement, statements};

use super::model::{Discount, code_key};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    SHOW = "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at, uses_max,
            uses_per_customer_max, uses, code, version, created_at, updated_at
        from discount where id = $1";
    BY_CODE = "select id from discount where code_key = $1";
}

/// What discounts can be filtered and sorted by.
pub static DISCOUNTS: Resource = Resource {
    name: "discounts",
    fields: &[
        Field::new("id", "d.id", Kind::Id),
        Field::new("code", "d.code", Kind::Text),
        Field::new("active", "d.active", Kind::Bool),
        Field::new("currency", "d.currency", Kind::Text).nullable(),
        Field::new("starts_at", "d.starts_at", Kind::Time).nullable(),
        Field::new("ends_at", "d.ends_at", Kind::Time).nullable(),
        Field::new("uses", "d.uses", Kind::Int),
        Field::new("created_at", "d.created_at", Kind::Time).sortable(),
    ],
    id_sql: "d.id",
    default_sort: "-id",
    extras: &[],
};

/// A page of discounts.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, request: &ListRequest) -> Result<Page<Discount>> {
    let mut sql = Composer::new(
        "select d.id, d.percent_bp, d.amount_minor, d.currency, d.active, d.starts_at, d.ends_at, \
         d.uses_max, d.uses_per_customer_max, d.uses, d.code, d.version, d.created_at, \
         d.updated_at from discount d where 1 = 1",
    );
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), Discount::read).await?;
    Ok(request.page(rows, |discount, _| (discount.id, Key::of(discount.created_at))))
}

/// One discount.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, id: i64) -> Result<Option<Discount>> {
    app.db.read_one(Statement::new(&SHOW, vec![id.into()]), Discount::read).await
}

/// The discount that a buyer's code names, in any case and with spaces around it; whether it may be
/// used is for the stock writer to decide.
///
/// # Errors
/// The database's.
pub async fn by_code(app: &App, code: &str) -> Result<Option<DiscountId>> {
    let statement = Statement::new(&BY_CODE, vec![code_key(code.trim()).into()]);
    app.db.read_one(statement, |row| row.get(0).map(DiscountId)).await
}
