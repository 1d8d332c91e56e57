//! Setting and deleting tax rates.

use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::{Value as Json, json};

use super::queries::{RateKey, TaxRate};
use super::{ENTITY_ID, RATES_MAX};
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

statements! {
    LOCK = {
        sqlite: "select tax_class, country, rate_ppm, version, updated_at from tax_rate
            where tax_class = $1 and country = $2",
        postgres: "select tax_class, country, rate_ppm, version, updated_at from tax_rate
            where tax_class = $1 and country = $2 for update",
    };
    COUNT = "select count(*) from tax_rate";
    /// Another node may have set it since [`LOCK`] found none.
    STORE = "insert into tax_rate (tax_class, country, rate_ppm, updated_at)
        values ($1, $2, $3, $4)
        on conflict (tax_class, country) do update
            set rate_ppm = excluded.rate_ppm, updated_at = excluded.updated_at,
                version = tax_rate.version + 1";
    DELETE = "delete from tax_rate where tax_class = $1 and country = $2";
}

/// Why a rate was not set or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateRefused {
    NotFound,
    /// It has another version than the caller expects.
    Changed,
    /// There are [`RATES_MAX`] already.
    TooMany,
}

fn place(key: &RateKey) -> Vec<Value> {
    vec![key.class.as_str().into(), key.country.code().into()]
}

/// Sets the rate of a class in a country. What is the same already stays untouched, its version
/// too.
///
/// # Errors
/// The database's.
pub async fn set(
    app: &App,
    caller: Caller,
    key: RateKey,
    rate_ppm: i64,
    if_match: IfMatch,
) -> Result<Outcome<TaxRate, RateRefused>> {
    app.run(caller, SetRate { key, rate_ppm, if_match }).await
}

struct SetRate {
    key: RateKey,
    rate_ppm: i64,
    if_match: IfMatch,
}

impl SetRate {
    fn refusal(&self, before: Option<&TaxRate>, count: i64) -> Option<RateRefused> {
        match before {
            Some(before) if self.if_match.allows(before.version) => None,
            // An If-Match other than `*` names a version that must be there.
            None if self.if_match == IfMatch::Any => {
                (count >= RATES_MAX).then_some(RateRefused::TooMany)
            }
            _ => Some(RateRefused::Changed),
        }
    }
}

impl Command for SetRate {
    type Accepted = TaxRate;
    type Refused = RateRefused;
    const NAME: &'static str = "set_tax_rate";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, place(&self.key)), Statement::new(&COUNT, Vec::new())]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<TaxRate, RateRefused>> {
        let before = loaded[0].first().map(|row| TaxRate::read(&row)).transpose()?;
        let count = loaded[1].first().expect("a count is one row").get(0)?;
        if let Some(refusal) = self.refusal(before.as_ref(), count) {
            return Ok(Decision::Refuse(refusal));
        }
        if let Some(same) = before.as_ref().filter(|before| before.rate_ppm == self.rate_ppm) {
            return Ok(Decision::Accept(same.clone()));
        }
        let version = before.as_ref().map_or(1, |before| before.version + 1);
        let after = TaxRate::new(&self.key, self.rate_ppm, version, changes.now);
        let mut params = place(&self.key);
        params.extend([self.rate_ppm.into(), changes.now.into()]);
        changes.store(Statement::new(&STORE, params));
        changes.event("tax_rate.set", "tax_rate", ENTITY_ID, json!(after));
        let old = before.map(|before| before.rate);
        audit(changes, "tax_rate.set", &self.key, json!([old, after.rate]));
        Ok(Decision::Accept(after))
    }
}

/// The rate stands under its class and country: `{"standard/DE": ["16", "19"]}`.
fn audit(changes: &mut Changes, action: &'static str, key: &RateKey, change: Json) {
    let mut fields = serde_json::Map::new();
    fields.insert(format!("{}/{}", key.class, key.country), change);
    changes.audit(action, "tax_rate", ENTITY_ID, fields.into());
}

/// Deletes the rate of a class in a country: from now on there is no tax.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    caller: Caller,
    key: RateKey,
    if_match: IfMatch,
) -> Result<Outcome<(), RateRefused>> {
    app.run(caller, DeleteRate { key, if_match }).await
}

struct DeleteRate {
    key: RateKey,
    if_match: IfMatch,
}

impl Command for DeleteRate {
    type Accepted = ();
    type Refused = RateRefused;
    const NAME: &'static str = "delete_tax_rate";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, place(&self.key))]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<(), RateRefused>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(RateRefused::NotFound));
        };
        let before = TaxRate::read(&row)?;
        if !self.if_match.allows(before.version) {
            return Ok(Decision::Refuse(RateRefused::Changed));
        }
        changes.store(Statement::new(&DELETE, place(&self.key)));
        let payload = json!({"tax_class": before.tax_class, "country": before.country});
        changes.event("tax_rate.deleted", "tax_rate", ENTITY_ID, payload);
        audit(changes, "tax_rate.delete", &self.key, json!([before.rate, null]));
        Ok(Decision::Accept(()))
    }
}
