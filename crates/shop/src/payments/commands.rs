//! Storing and removing payment methods, after the provider has done its part.

use runout_store::{Result, Rows, Statement, statements};
use serde_json::json;

use super::methods::{METHODS_MAX, StoredMethod};
use super::queries::{self, METHOD, METHODS};
use super::stripe::Card;
use crate::platform::command::{Changes, Command, Decision, next_ids};

statements! {
    /// Of one account one request at a time, so that its methods can be counted.
    LOCK_ACCOUNT = {
        sqlite: "select id from account where id = $1",
        postgres: "select id from account where id = $1 for update",
    };
    INSERT_CUSTOMER = "insert into payment_customer (account_id, gateway, provider_id, created_at)
        values ($1, $2, $3, $4) on conflict (account_id, gateway) do nothing";
    INSERT_METHOD = "insert into payment_method (id, account_id, gateway, provider_id, brand, last4,
            expires_month, expires_year, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    DELETE_METHOD = "delete from payment_method where id = $1 and account_id = $2";
    ERASE_METHODS = "delete from payment_method where account_id = $1";
    ERASE_CUSTOMER = "delete from payment_customer where account_id = $1";
}

/// Forgets what is known of an account at providers, when it is erased.
pub(crate) fn erasure(account_id: i64) -> [Statement; 2] {
    [&ERASE_METHODS, &ERASE_CUSTOMER]
        .map(|statement| Statement::new(statement, vec![account_id.into()]))
}

/// Keeps the provider's name for an account, before anything is attached to it.
pub(super) struct StoreCustomer {
    pub account_id: i64,
    pub gateway: &'static str,
    pub provider_id: String,
}

impl Command for StoreCustomer {
    type Accepted = ();
    type Refused = std::convert::Infallible;
    const NAME: &'static str = "store_payment_customer";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), Self::Refused>> {
        let params = vec![
            self.account_id.into(),
            self.gateway.into(),
            self.provider_id.as_str().into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT_CUSTOMER, params));
        Ok(Decision::Accept(()))
    }
}

/// Keeps what the provider has attached.
pub(super) struct StoreMethod {
    pub account_id: i64,
    pub gateway: &'static str,
    pub provider_id: String,
    pub card: Card,
}

/// An account has no more than [`METHODS_MAX`].
pub(super) struct TooMany;

impl Command for StoreMethod {
    type Accepted = StoredMethod;
    type Refused = TooMany;
    const NAME: &'static str = "store_payment_method";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        vec![
            Statement::new(&LOCK_ACCOUNT, vec![self.account_id.into()]),
            Statement::new(&METHODS, vec![self.account_id.into(), METHODS_MAX.into()]),
            next_ids("payment_method", 1),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<StoredMethod, TooMany>> {
        let known: Vec<StoredMethod> =
            loaded[1].iter().map(|row| queries::method(&row)).collect::<Result<_>>()?;
        let count = i64::try_from(known.len()).expect("no more than the limit");
        if let Some(same) = known.into_iter().find(|one| one.provider_id == self.provider_id) {
            return Ok(Decision::Accept(same));
        }
        if count >= METHODS_MAX {
            return Ok(Decision::Refuse(TooMany));
        }
        let id: i64 = loaded[2].first().expect("the sequence is in the schema").get(0)?;
        let card = &self.card;
        let method = StoredMethod {
            id,
            gateway: self.gateway.to_owned(),
            provider_id: self.provider_id.clone(),
            brand: card.brand.clone(),
            last4: card.last4.clone(),
            expires_month: card.exp_month,
            expires_year: card.exp_year,
            created_at: changes.now,
        };
        let params = vec![
            id.into(),
            self.account_id.into(),
            self.gateway.into(),
            self.provider_id.as_str().into(),
            card.brand.as_str().into(),
            card.last4.as_str().into(),
            card.exp_month.into(),
            card.exp_year.into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT_METHOD, params));
        let audit = json!({"brand": [null, card.brand], "last4": [null, card.last4]});
        changes.audit("create", "payment_method", id, audit);
        Ok(Decision::Accept(method))
    }
}

/// Forgets what the provider has detached.
pub(super) struct RemoveMethod {
    pub account_id: i64,
    pub id: i64,
}

/// Somebody was faster.
pub(super) struct Gone;

impl Command for RemoveMethod {
    type Accepted = ();
    type Refused = Gone;
    const NAME: &'static str = "remove_payment_method";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![
            Statement::new(&LOCK_ACCOUNT, vec![self.account_id.into()]),
            Statement::new(&METHOD, vec![self.id.into(), self.account_id.into()]),
        ]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<(), Gone>> {
        let Some(row) = loaded[1].first() else { return Ok(Decision::Refuse(Gone)) };
        let method = queries::method(&row)?;
        let params = vec![self.id.into(), self.account_id.into()];
        changes.store(Statement::new(&DELETE_METHOD, params));
        let audit = json!({"brand": [method.brand, null], "last4": [method.last4, null]});
        changes.audit("delete", "payment_method", self.id, audit);
        Ok(Decision::Accept(()))
    }
}
