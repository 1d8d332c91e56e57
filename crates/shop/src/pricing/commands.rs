//! Adding and deleting prices.

use jiff::Timestamp;
use runout_core::money::Money;
use runout_store::{Error, Result, Row, Rows, Statement, statements};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::price::{PriceSpec, PriceTag};
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, columns, next_ids};

statements! {
    VARIANT = "select v.id from variant v join product p on p.id = v.product_id
        where v.id = $1 and v.deleted_at is null and p.deleted_at is null";
    SAME = "select id from price where variant_id = $1 and currency = $2 and effective_from = $3";
    PRICE = {
        sqlite: "select id, variant_id, currency, amount_minor, effective_from, created_at,
                created_by
            from price where id = $1",
        postgres: "select id, variant_id, currency, amount_minor, effective_from, created_at,
                created_by
            from price where id = $1 for update",
    };
    STORE_PRICES = {
        sqlite: "insert into price (id, variant_id, currency, amount_minor, effective_from,
                created_at, created_by)
            values ($1, $2, $3, $4, $5, $6, $7)",
        postgres: "insert into price (id, variant_id, currency, amount_minor, effective_from,
                created_at, created_by)
            select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[],
                $5::timestamptz[], $6::timestamptz[], $7::bigint[])",
    };
    DELETE_PRICE = "delete from price where id = $1";
}

/// Keeps two prices of a variant from beginning at one moment.
pub(crate) const ONE_PER_MOMENT: &str = "price_variant_id_currency_effective_from_key";

/// A price of a variant, past, present or future.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Price {
    pub id: i64,
    pub variant_id: i64,
    #[serde(flatten)]
    pub tag: PriceTag,
    pub effective_from: Timestamp,
    pub created_at: Timestamp,
    /// The account that added it; null for imports.
    #[schema(required = true)]
    pub created_by: Option<i64>,
}

impl Price {
    /// Reads `id, variant_id, currency, amount_minor, effective_from, created_at, created_by`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let code: String = row.get(2)?;
        let currency = code
            .parse()
            .map_err(|_| Error::Decode { column: 2, reason: format!("{code:?} is no currency") })?;
        Ok(Self {
            id: row.get(0)?,
            variant_id: row.get(1)?,
            tag: PriceTag::new(row.get(3)?, currency),
            effective_from: row.get(4)?,
            created_at: row.get(5)?,
            created_by: row.get(6)?,
        })
    }
}

/// Why a price was not added or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceRefused {
    NoVariant,
    NoPrice,
    /// Another price of this variant and currency begins at the same moment.
    Exists,
    /// It counts already, or did: it belongs to the history.
    InEffect,
}

/// Stores new prices as part of a command, with their events and audit rows
/// ([`super::RECORDS_PER_PRICE`] each).
pub fn store(changes: &mut Changes, prices: &[Price]) {
    let row = |price: &Price| {
        vec![
            price.id.into(),
            price.variant_id.into(),
            price.tag.money().currency.code().into(),
            price.tag.money().minor.into(),
            price.effective_from.into(),
            price.created_at.into(),
            price.created_by.into(),
        ]
    };
    let rows = columns(prices.iter().map(row).collect(), 7);
    changes.store(Statement::bulk(&STORE_PRICES, rows));
    for price in prices {
        let payload = serde_json::to_value(price).expect("a price is plain data");
        changes.event("price.created", "price", price.id, payload);
        changes.audit("price.create", "price", price.id, audited(price, false));
    }
}

/// A price's fields as changes from nothing, or to nothing.
fn audited(price: &Price, gone: bool) -> Value {
    let Money { minor, currency } = price.tag.money();
    let fields = [
        ("variant_id", json!(price.variant_id)),
        ("currency", json!(currency.code())),
        ("amount_minor", json!(minor)),
        ("effective_from", json!(price.effective_from)),
    ];
    let pair = |value| if gone { json!([value, null]) } else { json!([null, value]) };
    let map: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), pair(value))).collect();
    Value::Object(map)
}

/// Adds a price to a variant.
///
/// # Errors
/// The database's.
pub async fn add(
    app: &App,
    caller: Caller,
    variant_id: i64,
    spec: PriceSpec,
) -> Result<Outcome<Price, PriceRefused>> {
    let effective_from = spec.effective_from.unwrap_or_else(|| app.clock.now());
    let created_by = caller.account_id;
    let command = AddPrice { variant_id, money: spec.money, effective_from, created_by };
    match app.run(caller, command).await {
        // Another node was faster.
        Err(error) if error.is_constraint(ONE_PER_MOMENT) => {
            Ok(Outcome::Refused(PriceRefused::Exists))
        }
        other => other,
    }
}

struct AddPrice {
    variant_id: i64,
    money: Money,
    effective_from: Timestamp,
    created_by: Option<i64>,
}

impl Command for AddPrice {
    type Accepted = Price;
    type Refused = PriceRefused;
    const NAME: &'static str = "add_price";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let currency = self.money.currency.code();
        let same = vec![self.variant_id.into(), currency.into(), self.effective_from.into()];
        vec![
            Statement::new(&VARIANT, vec![self.variant_id.into()]),
            Statement::new(&SAME, same),
            next_ids("price", 1),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Price, PriceRefused>> {
        if loaded[0].is_empty() {
            return Ok(Decision::Refuse(PriceRefused::NoVariant));
        }
        if !loaded[1].is_empty() {
            return Ok(Decision::Refuse(PriceRefused::Exists));
        }
        let price = Price {
            id: first_id(&loaded[2])?,
            variant_id: self.variant_id,
            tag: self.money.into(),
            effective_from: self.effective_from,
            created_at: changes.now,
            created_by: self.created_by,
        };
        store(changes, std::slice::from_ref(&price));
        Ok(Decision::Accept(price))
    }
}

/// Reads the answer of [`next_ids`].
fn first_id(rows: &Rows) -> Result<i64> {
    rows.first().expect("every sequence has its row").get(0)
}

/// Deletes a price that does not count yet.
///
/// # Errors
/// The database's.
pub async fn delete(app: &App, caller: Caller, id: i64) -> Result<Outcome<(), PriceRefused>> {
    app.run(caller, DeletePrice { id }).await
}

struct DeletePrice {
    id: i64,
}

impl Command for DeletePrice {
    type Accepted = ();
    type Refused = PriceRefused;
    const NAME: &'static str = "delete_price";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&PRICE, vec![self.id.into()])]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<(), PriceRefused>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(PriceRefused::NoPrice));
        };
        let price = Price::read(&row)?;
        if price.effective_from <= changes.now {
            return Ok(Decision::Refuse(PriceRefused::InEffect));
        }
        changes.store(Statement::new(&DELETE_PRICE, vec![self.id.into()]));
        let payload = json!({ "id": price.id, "variant_id": price.variant_id });
        changes.event("price.deleted", "price", price.id, payload);
        changes.audit("price.delete", "price", price.id, audited(&price, true));
        Ok(Decision::Accept(()))
    }
}
