//! Reads of accounts and tokens.

use jiff::Timestamp;
use runout_store::{Error, Row, Statement, statements};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Account, Role, rules};
use crate::App;

statements! {
    ACCOUNT = "select id, username, email, name, phone, identity_document, birth_date, role,
            active, version, created_at, updated_at
        from account where id = $1";
    /// By username or else by e-mail address: no name is another account's address.
    LOGIN_NAME = "select id, password_hash, active from account
        where username_key = $1 or email_key = $1
        order by case when username_key = $1 then 0 else 1 end limit 1";
    PASSWORD_HASH = "select password_hash from account where id = $1";
    TOKENS = "select id, label, created_at, expires_at from token
        where account_id = $1 and revoked_at is null and expires_at > $2
        order by id desc limit $3";
}

/// Reads the columns of [`ACCOUNT`].
pub(super) fn read_account(row: &Row<'_>) -> Result<Account, Error> {
    Ok(Account {
        id: row.get(0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        phone: row.get(4)?,
        identity_document: row.get(5)?,
        birth_date: row.get(6)?,
        role: Role::read(row, 7)?,
        active: row.get(8)?,
        version: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
    })
}

/// One account, whether active or not.
///
/// # Errors
/// The database's.
pub async fn account(app: &App, id: i64) -> Result<Option<Account>, Error> {
    app.db.read_one(Statement::new(&ACCOUNT, vec![id.into()]), read_account).await
}

/// What a login is checked against.
pub(super) struct LoginName {
    pub(super) account_id: i64,
    pub(super) password_hash: String,
    pub(super) active: bool,
}

/// The account that a person means by a username or an e-mail address.
pub(super) async fn login_name(app: &App, name: &str) -> Result<Option<LoginName>, Error> {
    let statement = Statement::new(&LOGIN_NAME, vec![rules::key(name).into()]);
    let read = |row: &Row<'_>| {
        Ok(LoginName { account_id: row.get(0)?, password_hash: row.get(1)?, active: row.get(2)? })
    };
    app.db.read_one(statement, read).await
}

pub(super) async fn password_hash(app: &App, id: i64) -> Result<Option<String>, Error> {
    app.db.read_one(Statement::new(&PASSWORD_HASH, vec![id.into()]), |row| row.get(0)).await
}

/// A token as its owner sees it: never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    #[schema(minimum = 1)]
    pub id: i64,
    /// What the owner calls it.
    pub label: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// True for the token that asks.
    pub current: bool,
}

/// The tokens of an account that work, newest first.
///
/// # Errors
/// The database's.
pub async fn tokens(app: &App, account_id: i64, current: i64) -> Result<Vec<Token>, Error> {
    let limit = super::tokens::TOKENS_PER_ACCOUNT_MAX;
    let params = vec![account_id.into(), app.clock.now().into(), limit.into()];
    let read = |row: &Row<'_>| {
        let id = row.get(0)?;
        Ok(Token {
            id,
            label: row.get(1)?,
            created_at: row.get(2)?,
            expires_at: row.get(3)?,
            current: id == current,
        })
    };
    app.db.read(Statement::new(&TOKENS, params), read).await
}
