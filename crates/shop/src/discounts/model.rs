//! A discount as it is stored and as it is answered.

use jiff::Timestamp;
use runout_core::discount::{self, Kind};
use runout_core::ids::DiscountId;
use runout_core::money::{Currency, Money};
use runout_store::{Error, Result, Row};
use serde::Serialize;
use utoipa::ToSchema;

/// What the staff says about a discount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "TermsOut")]
pub struct Terms {
    /// As it was written; see [`code_key`].
    pub code: String,
    pub kind: Kind,
    pub active: bool,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub uses_max: Option<i64>,
    pub uses_per_customer_max: Option<i64>,
}

/// What a code is known by: SPRING and spring are one.
pub fn code_key(code: &str) -> String {
    code.to_ascii_uppercase()
}

/// How [`Terms`] are answered and audited.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = DiscountTerms)]
struct TermsOut {
    /// What buyers enter, in any case.
    #[schema(min_length = 1, max_length = 64, example = "SPRING")]
    code: String,
    /// The share of the goods that it takes off; null if that is an amount.
    #[schema(required = true, example = "12.5")]
    percent: Option<String>,
    /// The amount that it takes off, in minor units; null if that is a share.
    #[schema(required = true, minimum = 1, maximum = 1_000_000_000_000_i64)]
    amount_minor: Option<i64>,
    /// The same as decimal text.
    #[schema(required = true)]
    amount: Option<String>,
    /// Of the amount: orders in other currencies cannot use the code.
    #[schema(required = true, pattern = "^[A-Z]{3}$")]
    currency: Option<String>,
    active: bool,
    /// From this moment on; null: since ever.
    #[schema(required = true)]
    starts_at: Option<Timestamp>,
    /// Before this moment; null: for ever.
    #[schema(required = true)]
    ends_at: Option<Timestamp>,
    /// Orders that may use it, all together.
    #[schema(required = true, minimum = 1, maximum = 1_000_000_000)]
    uses_max: Option<i64>,
    /// Orders of one customer that may use it.
    #[schema(required = true, minimum = 1, maximum = 1_000_000_000)]
    uses_per_customer_max: Option<i64>,
}

impl From<Terms> for TermsOut {
    fn from(terms: Terms) -> Self {
        let (percent, money) = match terms.kind {
            Kind::PercentBp(share) => (Some(discount::percent(share)), None),
            Kind::Amount { minor, currency } => (None, Some(Money { minor, currency })),
        };
        Self {
            code: terms.code,
            percent,
            amount_minor: money.map(|money| money.minor),
            amount: money.map(|money| money.to_string()),
            currency: money.map(|money| money.currency.code().to_owned()),
            active: terms.active,
            starts_at: terms.starts_at,
            ends_at: terms.ends_at,
            uses_max: terms.uses_max,
            uses_per_customer_max: terms.uses_per_customer_max,
        }
    }
}

impl utoipa::PartialSchema for Terms {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        TermsOut::schema()
    }
}

impl ToSchema for Terms {
    fn name() -> std::borrow::Cow<'static, str> {
        "DiscountTerms".into()
    }
}

/// A discount: the answer that the staff gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Discount {
    pub id: i64,
    #[serde(flatten)]
    pub terms: Terms,
    /// Orders that stand and used it.
    #[schema(minimum = 0)]
    pub uses: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change of the terms, not with uses; the ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Discount {
    /// Reads the columns of [`read_rule`], then `code, version, created_at, updated_at`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let rule = read_rule(row)?;
        Ok(Self {
            id: rule.id.0,
            terms: Terms {
                code: row.get(10)?,
                kind: rule.kind,
                active: rule.active,
                starts_at: rule.starts_at,
                ends_at: rule.ends_at,
                uses_max: rule.uses_max,
                uses_per_customer_max: rule.uses_per_customer_max,
            },
            uses: rule.uses,
            version: row.get(11)?,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
        })
    }
}

/// The rule that `core` decides by, from the columns `id, percent_bp, amount_minor, currency,
/// active, starts_at, ends_at, uses_max, uses_per_customer_max, uses`.
pub fn read_rule(row: &Row<'_>) -> Result<discount::Discount> {
    let kind = match (row.get::<Option<i64>>(1)?, row.get::<Option<i64>>(2)?) {
        (Some(share), None) => Kind::PercentBp(share),
        (None, Some(minor)) => Kind::Amount { minor, currency: read_currency(row)? },
        _ => {
            let reason = "a discount takes off a share or an amount".to_owned();
            return Err(Error::Decode { column: 1, reason });
        }
    };
    Ok(discount::Discount {
        id: DiscountId(row.get(0)?),
        kind,
        active: row.get(4)?,
        starts_at: row.get(5)?,
        ends_at: row.get(6)?,
        uses_max: row.get(7)?,
        uses_per_customer_max: row.get(8)?,
        uses: row.get(9)?,
    })
}

fn read_currency(row: &Row<'_>) -> Result<Currency> {
    let code: String = row.get(3)?;
    let broken = |_| Error::Decode { column: 3, reason: format!("{code:?} is no currency") };
    code.parse().map_err(broken)
}
