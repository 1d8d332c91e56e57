//! Reading tax rates.

use jiff::Timestamp;
use runout_core::country::Country;
use runout_core::tax;
use runout_store::{Composer, Error, Result, Row, Statement, statements};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    /// For the stock writer's batches: every rate.
    RATES = "select tax_class, country, rate_ppm from tax_rate";
    SHOW = "select tax_class, country, rate_ppm, version, updated_at from tax_rate
        where tax_class = $1 and country = $2";
}

/// What tax rates can be filtered by. They have no id: class and country together order them, and
/// what stands for the id is the same for all rows.
pub static TAX_RATES: Resource = Resource {
    name: "tax_rates",
    fields: &[
        Field::new("tax_class", "t.tax_class", Kind::Text),
        Field::new("country", "t.country", Kind::Text),
        Field::new("rate_ppm", "t.rate_ppm", Kind::Int),
        Field::new("name", "(t.tax_class || '/' || t.country)", Kind::Text).sortable(),
    ],
    id_sql: "length(t.country)",
    default_sort: "name",
    extras: &[],
};

/// What [`TAX_RATES`] has for an id: a country's code has two letters.
const PSEUDO_ID: i64 = 2;

/// Which rate: of a class of products, in a country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateKey {
    pub class: String,
    pub country: Country,
}

/// A rate: the answer that clients get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TaxRate {
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_-]+$", example = "standard")]
    pub tax_class: String,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Z]{2}$", example = "DE")]
    pub country: String,
    /// In percent, as decimal text.
    #[schema(example = "8.875")]
    pub rate: String,
    /// The same in parts per million.
    #[schema(minimum = 0, maximum = 1_000_000, example = 88_750)]
    pub rate_ppm: i64,
    pub updated_at: Timestamp,
    /// Grows with every change; the ETag.
    #[serde(skip)]
    pub version: i64,
}

impl TaxRate {
    pub(super) fn new(key: &RateKey, rate_ppm: i64, version: i64, updated_at: Timestamp) -> Self {
        Self {
            tax_class: key.class.clone(),
            country: key.country.to_string(),
            rate: tax::percent(rate_ppm),
            rate_ppm,
            updated_at,
            version,
        }
    }

    /// Reads `tax_class, country, rate_ppm, version, updated_at`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let code: String = row.get(1)?;
        let broken = |_| Error::Decode { column: 1, reason: format!("{code:?} is no country") };
        let key = RateKey { class: row.get(0)?, country: code.parse().map_err(broken)? };
        Ok(Self::new(&key, row.get(2)?, row.get(3)?, row.get(4)?))
    }
}

/// A page of rates.
///
/// # Errors
/// The database's.
pub async fn page(app: &App, request: &ListRequest) -> Result<Page<TaxRate>> {
    let mut sql = Composer::new(
        "select t.tax_class, t.country, t.rate_ppm, t.version, t.updated_at from tax_rate t \
         where 1 = 1",
    );
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), TaxRate::read).await?;
    Ok(request
        .page(rows, |rate, _| (PSEUDO_ID, Key::of(format!("{}/{}", rate.tax_class, rate.country)))))
}

/// One rate.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, key: &RateKey) -> Result<Option<TaxRate>> {
    let params = vec![key.class.as_str().into(), key.country.code().into()];
    app.db.read_one(Statement::new(&SHOW, params), TaxRate::read).await
}
