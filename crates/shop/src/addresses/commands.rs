//! Adding, replacing and deleting an account's own addresses.

use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::{Map, Value as Json, json};

use super::queries::StoredAddress;
use super::{ADDRESSES_PER_ACCOUNT_MAX, Address};
use crate::App;
use crate::catalog::model::{all_new, changed};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;

statements! {
    /// So that an account's new addresses are counted one after another.
    LOCK_ACCOUNT = {
        sqlite: "select id from account where id = $1",
        postgres: "select id from account where id = $1 for no key update",
    };
    COUNT = "select count(*) from address where account_id = $1";
    LOCK = {
        sqlite: "select id, name, line1, line2, postal_code, city, region, country, created_at,
                updated_at, version
            from address where id = $1 and account_id = $2",
        postgres: "select id, name, line1, line2, postal_code, city, region, country, created_at,
                updated_at, version
            from address where id = $1 and account_id = $2 for update",
    };
    INSERT = "insert into address (id, account_id, name, line1, line2, postal_code, city, region,
            country, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
    UPDATE = "update address set name = $3, line1 = $4, line2 = $5, postal_code = $6, city = $7,
            region = $8, country = $9, updated_at = $10, version = version + 1
        where id = $1 and account_id = $2";
    DELETE = "delete from address where id = $1 and account_id = $2";
    ERASE = "delete from address where account_id = $1";
}

/// Deletes every address of an account that is erased.
pub(crate) fn erasure(account_id: i64) -> Statement {
    Statement::new(&ERASE, vec![account_id.into()])
}

/// Why an address was not stored or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRefused {
    /// The account has no such address.
    NotFound,
    /// It has another version than the caller expects.
    Changed,
    /// The account has [`ADDRESSES_PER_ACCOUNT_MAX`] already.
    TooMany,
}

/// The parameters of [`INSERT`] and [`UPDATE`].
fn row(id: i64, account_id: i64, address: &Address, changes: &Changes) -> Vec<Value> {
    vec![
        id.into(),
        account_id.into(),
        address.name.as_str().into(),
        address.line1.as_str().into(),
        address.line2.as_str().into(),
        address.postal_code.as_str().into(),
        address.city.as_str().into(),
        address.region.as_str().into(),
        address.country.as_str().into(),
        changes.now.into(),
    ]
}

/// Records which fields changed, without what they say.
fn record(
    changes: &mut Changes,
    topic: &'static str,
    (id, account_id): (i64, i64),
    fields: Map<String, Json>,
) {
    changes.event(topic, "address", id, json!({"id": id, "account_id": account_id}));
    let veiled = |value: &Json| if value.is_null() { Json::Null } else { "(not recorded)".into() };
    let veil = |(name, pair): (String, Json)| (name, json!([veiled(&pair[0]), veiled(&pair[1])]));
    let fields: Map<String, Json> = fields.into_iter().map(veil).collect();
    changes.audit(topic, "address", id, fields.into());
}

/// Adds an address to an account.
///
/// # Errors
/// The database's.
pub async fn add(
    app: &App,
    account_id: i64,
    caller: Caller,
    address: Address,
) -> Result<Outcome<StoredAddress, AddressRefused>> {
    app.run(caller, AddAddress { account_id, address }).await
}

struct AddAddress {
    account_id: i64,
    address: Address,
}

impl Command for AddAddress {
    type Accepted = StoredAddress;
    type Refused = AddressRefused;
    const NAME: &'static str = "add_address";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let account = || vec![self.account_id.into()];
        vec![
            Statement::new(&LOCK_ACCOUNT, account()),
            Statement::new(&COUNT, account()),
            next_ids("address", 1),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<StoredAddress, AddressRefused>> {
        let count: i64 = loaded[1].first().expect("a count is one row").get(0)?;
        if count >= ADDRESSES_PER_ACCOUNT_MAX {
            return Ok(Decision::Refuse(AddressRefused::TooMany));
        }
        let id: i64 = loaded[2].first().expect("the sequence is in the schema").get(0)?;
        let address = self.address.clone();
        let values = row(id, self.account_id, &address, changes);
        changes.store(Statement::new(&INSERT, values));
        record(changes, "address.created", (id, self.account_id), all_new(&address));
        let now = changes.now;
        let stored = StoredAddress { id, address, created_at: now, updated_at: now, version: 1 };
        Ok(Decision::Accept(stored))
    }
}

/// Replaces an account's address. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn replace(
    app: &App,
    account_id: i64,
    caller: Caller,
    (id, address): (i64, Address),
    if_match: IfMatch,
) -> Result<Outcome<StoredAddress, AddressRefused>> {
    app.run(caller, ReplaceAddress { id, account_id, address, if_match }).await
}

struct ReplaceAddress {
    id: i64,
    account_id: i64,
    address: Address,
    if_match: IfMatch,
}

/// The address that [`LOCK`] brought, if it may be changed.
fn locked(
    rows: &Rows,
    if_match: &IfMatch,
) -> Result<std::result::Result<StoredAddress, AddressRefused>> {
    let Some(row) = rows.first() else { return Ok(Err(AddressRefused::NotFound)) };
    let stored = StoredAddress::read(&row)?;
    let allowed = if_match.allows(stored.version);
    Ok(if allowed { Ok(stored) } else { Err(AddressRefused::Changed) })
}

impl Command for ReplaceAddress {
    type Accepted = StoredAddress;
    type Refused = AddressRefused;
    const NAME: &'static str = "replace_address";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into(), self.account_id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<StoredAddress, AddressRefused>> {
        let mut stored = match locked(&loaded[0], &self.if_match)? {
            Ok(stored) => stored,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let diff = changed(&stored.address, &self.address);
        if diff.is_empty() {
            return Ok(Decision::Accept(stored));
        }
        let values = row(self.id, self.account_id, &self.address, changes);
        changes.store(Statement::new(&UPDATE, values));
        record(changes, "address.updated", (self.id, self.account_id), diff);
        stored.address = self.address.clone();
        stored.version += 1;
        stored.updated_at = changes.now;
        Ok(Decision::Accept(stored))
    }
}

/// Deletes an account's address for good.
///
/// # Errors
/// The database's.
pub async fn delete(
    app: &App,
    account_id: i64,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<(), AddressRefused>> {
    app.run(caller, DeleteAddress { id, account_id, if_match }).await
}

struct DeleteAddress {
    id: i64,
    account_id: i64,
    if_match: IfMatch,
}

impl Command for DeleteAddress {
    type Accepted = ();
    type Refused = AddressRefused;
    const NAME: &'static str = "delete_address";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into(), self.account_id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), AddressRefused>> {
        let stored = match locked(&loaded[0], &self.if_match)? {
            Ok(stored) => stored,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let params = vec![self.id.into(), self.account_id.into()];
        changes.store(Statement::new(&DELETE, params));
        let gone = all_new(&stored.address);
        let gone = gone.into_iter().map(|(name, pair)| (name, json!([pair[1], null]))).collect();
        record(changes, "address.deleted", (self.id, self.account_id), gone);
        Ok(Decision::Accept(()))
    }
}
