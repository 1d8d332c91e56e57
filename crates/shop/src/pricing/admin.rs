//! Prices in the back office, and changing many of them.

use jiff::Timestamp;
use runout_core::money::Money;
use runout_store::{Composer, Engine};
use serde_json::json;

use super::api::refused;
use super::queries::{self, Current};
use super::{NewPrice, add, delete as delete_price};
use crate::accounts::{Capability, Verb};
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Input, InputKind, Offer, OfferKind, Path,
    Planned, Search, Show, Table, Work, Writes, settled, take_id, take_text,
};
use crate::admin::{Clerk, show};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::{FieldError, Problem};

pub(crate) static TABLES: &[&Table] = &[&PRICES];

static PRICES: Table = Table {
    slug: "prices",
    title: "Prices",
    one: "price",
    about: "Past, present and future; the newest that has begun counts.",
    capability: Capability::Catalog,
    base: "price",
    alias: "c",
    list: Resource {
        name: "admin_prices",
        fields: &[
            Field::new("id", "c.id", Kind::Id),
            Field::new("variant_id", "c.variant_id", Kind::Id),
            Field::new("currency", "c.currency", Kind::Text),
            Field::new("amount_minor", "c.amount_minor", Kind::Int),
            Field::new("effective_from", "c.effective_from", Kind::Time).sortable(),
        ],
        id_sql: "c.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "c.id"),
        Column::new(
            "variant",
            "Variant",
            Show::Link("variants"),
            "(select x.sku from variant x where x.id = c.variant_id)",
        )
        .also("c.variant_id"),
        Column::new("amount", "Price", Show::Money, "c.amount_minor").also("c.currency"),
        Column::new("effective_from", "Counts from", Show::Time, "c.effective_from")
            .sorts("effective_from"),
        Column::new("created_at", "Added", Show::Time, "c.created_at"),
        Column::new(
            "created_by",
            "By",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = c.created_by)",
        )
        .also("c.created_by"),
    ],
    filters: &[
        Offer { field: "variant_id", label: "Variant's number", kind: OfferKind::Value },
        Offer { field: "currency", label: "Currency", kind: OfferKind::Value },
        Offer { field: "effective_from", label: "Counts", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["variant_id"], sort: "-effective_from", few: true },
    ],
    search: Some(Search { hint: "A SKU.", find: sku }),
    entity: Some("price"),
    inputs: &[
        Input::new("variant_id", "Variant", InputKind::Reference("variants"), "")
            .new_only()
            .required(),
        Input::new("amount", "Price", InputKind::Decimal, "")
            .new_only()
            .required()
            .hint("Such as 12.50"),
        Input::new("currency", "Currency", InputKind::Line, "")
            .new_only()
            .hint("The shop's, if empty."),
        Input::new("effective_from", "Counts from", InputKind::Moment, "")
            .new_only()
            .hint("UTC; at once, if empty."),
    ],
    writes: Writes { create: Some(create), change: None, delete: Some(delete) },
    ..Table::BLANK
};

fn sku(text: &str) -> Found {
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and c.variant_id = (select s.id from variant s where s.sku = ").bind(text);
        sql.push(")");
    };
    Found { compose, text: text.to_owned(), sort: None, few: true }
}

fn create(clerk: Clerk, mut fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let variant_id = take_id(&mut fields, "variant_id")?;
        fields.entry("currency").or_insert_with(|| clerk.app.currency.code().into());
        let new: NewPrice = valid(fields)?;
        let outcome = add(&clerk.app, clerk.caller(), variant_id, new.spec()).await?;
        settled(outcome, refused).map(|price| price.id)
    })
}

fn delete(clerk: Clerk, id: i64, _: IfMatch) -> Doing<()> {
    Box::pin(async move { settled(delete_price(&clerk.app, clerk.caller(), id).await?, refused) })
}

/// Changes the price of every variant of the chosen products, by a share or to an amount.
pub(crate) const CHANGE_PRICES: Action = Action {
    name: "price",
    label: "Change prices",
    verb: Verb::Change,
    inputs: &[
        Input::new("percent", "By percent", InputKind::Decimal, "")
            .hint("Such as -10 or 5; rounded half up to the smallest coin."),
        Input::new("amount", "Or to", InputKind::Decimal, "").hint("Such as 12.50"),
        Input::new("effective_from", "From when on", InputKind::Moment, "")
            .hint("UTC; at once, if empty."),
    ],
    work: Work::Own { plan, apply },
};

/// What prices are to become.
struct Wish {
    to: To,
    effective_from: Option<Timestamp>,
}

enum To {
    /// Hundredths of a percent to add.
    By(i64),
    Amount(String),
}

impl Wish {
    fn new(mut fields: Fields) -> Result<Self, Problem> {
        let wrong = |field: &str, words: &str| {
            Problem::validation(vec![FieldError::new(format!("/{field}"), "invalid", words)])
        };
        let from = take_text(&mut fields, "effective_from").filter(|text| !text.is_empty());
        let effective_from = from.map(|text| text.parse::<Timestamp>()).transpose();
        let effective_from = effective_from.map_err(|_| wrong("effective_from", "is no moment"))?;
        let percent = take_text(&mut fields, "percent").filter(|text| text != "null");
        let amount = take_text(&mut fields, "amount").filter(|text| text != "null");
        let to = match (percent, amount) {
            (Some(percent), None) => To::By(
                basis_points(&percent)
                    .ok_or_else(|| wrong("percent", "is no share such as -10 or 2.5"))?,
            ),
            (None, Some(amount)) => To::Amount(amount),
            _ => return Err(wrong("percent", "give either a share or an amount")),
        };
        Ok(Self { to, effective_from })
    }

    /// The new price, or why there is none.
    fn price(&self, now: Money) -> Result<Money, String> {
        match &self.to {
            To::Amount(text) => Money::parse(text, now.currency).map_err(|e| e.to_string()),
            To::By(points) => {
                let exact = i128::from(now.minor) * i128::from(10_000 + points);
                // Half up, also for halves of a negative sum, which is refused anyway.
                let rounded = (exact + 5_000).div_euclid(10_000);
                let minor = i64::try_from(rounded).map_err(|e| e.to_string())?;
                Money::new(minor, now.currency).map_err(|e| e.to_string())
            }
        }
    }
}

/// Decimal text as hundredths, such as `-2.5` as -250.
fn basis_points(text: &str) -> Option<i64> {
    let (sign, digits) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim().trim_start_matches('+')),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(whole) || !is_plain(part) || part.len() > 2 || whole.is_empty() || whole.len() > 6
    {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    Some(sign * (whole.parse::<i64>().ok()? * 100 + part))
}

/// A line per product: the prices of its variants in the shop's currency, and what they become.
fn plan(clerk: Clerk, ids: Vec<i64>, fields: Fields) -> Doing<Vec<Planned>> {
    Box::pin(async move {
        let wish = Wish::new(fields)?;
        let at = wish.effective_from.unwrap_or_else(|| clerk.app.clock.now());
        let current = queries::current(&clerk.app, ids.clone(), at).await?;
        let from_when = wish.effective_from.map(|at| format!(" from {}", show::moment(at)));
        let from_when = from_when.unwrap_or_default();
        let planned = |id: i64| {
            let of: Vec<&Current> = current.iter().filter(|price| price.product_id == id).collect();
            let mut planned = Planned {
                id,
                label: of.first().map_or_else(|| id.to_string(), |price| price.title.clone()),
                from: join(of.iter().map(|price| format!("{}: {}", price.sku, coins(price.money)))),
                to: String::new(),
                version: None,
                refused: None,
            };
            let to: Result<Vec<Money>, String> =
                of.iter().map(|price| wish.price(price.money)).collect();
            match to {
                Ok(to) if to.is_empty() => {
                    planned.refused = Some("It has no price in the shop's currency.".to_owned());
                }
                Ok(to) => planned.to = join(to.into_iter().map(coins)) + &from_when,
                Err(why) => planned.refused = Some(why),
            }
            planned
        };
        Ok(ids.into_iter().map(planned).collect())
    })
}

fn coins(money: Money) -> String {
    format!("{money} {}", money.currency.code())
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}

fn apply(clerk: Clerk, planned: Planned, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let wish = Wish::new(fields)?;
        let at = wish.effective_from.unwrap_or_else(|| clerk.app.clock.now());
        for price in queries::current(&clerk.app, vec![planned.id], at).await? {
            let money = wish
                .price(price.money)
                .map_err(|why| Problem::validation(vec![FieldError::new("", "invalid", why)]))?;
            let new = json!({ "currency": money.currency.code(), "amount_minor": money.minor });
            let serde_json::Value::Object(mut new) = new else { unreachable!("an object") };
            if let Some(from) = wish.effective_from {
                new.insert("effective_from".to_owned(), from.to_string().into());
            }
            let new: NewPrice = valid(new)?;
            let outcome = add(&clerk.app, clerk.caller(), price.variant_id, new.spec()).await?;
            settled(outcome, refused)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_rounded_half_up() {
        for (text, points) in
            [("10", Some(1000)), ("-2.5", Some(-250)), ("+0.01", Some(1)), ("", None), ("x", None)]
        {
            assert_eq!(basis_points(text), points, "{text}");
        }
        let eur = "EUR".parse().expect("a currency");
        for (minor, points, expected) in
            [(1999, 1000, 2199), (1995, 1000, 2195), (5, 1000, 6), (1000, -10_000, 0)]
        {
            let wish = Wish { to: To::By(points), effective_from: None };
            let price = wish.price(Money { minor, currency: eur }).expect("a price");
            assert_eq!(price.minor, expected, "{minor} {points}");
        }
        let wish = Wish { to: To::By(-20_000), effective_from: None };
        assert!(wish.price(Money { minor: 100, currency: eur }).is_err());
    }
}
