//! Reads of accounts and tokens.

use std::sync::Arc;

use jiff::Timestamp;
use runout_store::{Composer, Error, Row, Statement, statements};
use serde::Serialize;
use utoipa::ToSchema;

use super::permissions::Permissions;
use super::sessions::SessionState;
use super::verified::{Proved, SecretHash};
use super::{Account, Identity, Role, Session, rules, second_factor, sessions};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};
use crate::platform::seal::Opened;

statements! {
    ACCOUNT = "select id, username, email, name, phone, identity_document, birth_date, role,
            active, version, created_at, updated_at
        from account where id = $1";
    /// By username or else by e-mail address: no name is another account's address.
    LOGIN_NAME = "select id, password_hash, active from account
        where username_key = $1 or email_key = $1
        order by case when username_key = $1 then 0 else 1 end limit 1";
    PASSWORD_HASH = "select password_hash from account where id = $1";
    /// A token that works, as far as the database tells, and whose it is.
    TOKEN = "select t.id, t.expires_at, a.id, a.username, a.role,
            case when a.restricted then coalesce((select string_agg(p.capability || '.' || p.verb, ' ')
                from staff_permission p where p.account_id = a.id), '') end
        from token t join account a on a.id = t.account_id
        where t.hash = $1 and t.revoked_at is null and a.active";
    /// A session that has not ended, and whose it is.
    SESSION = "select s.id, s.expires_at, s.seen_at, s.verified_at, a.id, a.username, a.role,
            case when a.restricted then coalesce((select string_agg(p.capability || '.' || p.verb, ' ')
                from staff_permission p where p.account_id = a.id), '') end,
            s.created_at, f.confirmed_at is not null
        from session s join account a on a.id = s.account_id
        left join second_factor f on f.account_id = a.id
        where s.hash = $1 and s.ended_at is null and a.active";
    /// Sessions that work at `$2`, used after `$3`.
    SESSIONS = "select id, browser, address, created_at, seen_at from session
        where account_id = $1 and ended_at is null and expires_at > $2 and seen_at > $3
        order by seen_at desc, id desc limit $4";
    FACTOR = "select f.secret, f.confirmed_at, (select count(*) from recovery_code r
            where r.account_id = f.account_id and r.used_at is null)
        from second_factor f where f.account_id = $1";
    AUDITED = "select at, actor_id, action, changes from audit
        where entity = 'account' and entity_id = $1 order by id desc limit $2";
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

/// The list of accounts.
pub static ACCOUNTS: Resource = Resource {
    name: "accounts",
    fields: &[
        Field::new("id", "a.id", Kind::Id),
        Field::new("username", "a.username", Kind::Text).sortable(),
        Field::new("email", "a.email", Kind::Text),
        Field::new("name", "a.name", Kind::Text),
        Field::new("phone", "a.phone", Kind::Text),
        Field::new("identity_document", "a.identity_document", Kind::Text).nullable(),
        Field::new("birth_date", "a.birth_date", Kind::Date).nullable(),
        Field::new("role", "a.role", Kind::Choice(&["customer", "staff", "superuser"])),
        Field::new("active", "a.active", Kind::Bool),
        Field::new("created_at", "a.created_at", Kind::Time).sortable(),
    ],
    id_sql: "a.id",
    default_sort: "id",
    extras: &[],
};

/// Accounts under the names of a predecessor, the Lea Record Shop.
pub static PREDECESSOR_CLIENTS: Resource = Resource {
    name: "clients",
    fields: &[
        Field::new("id", "a.id", Kind::Id),
        Field::new("name", "a.name", Kind::Text),
        Field::new("email", "a.email", Kind::Text),
        Field::new("phone_number", "a.phone", Kind::Text),
        Field::new("identity", "a.identity_document", Kind::Text).nullable(),
        Field::new("birth_day", "a.birth_date", Kind::Date).nullable(),
        Field::new("is_active", "a.active", Kind::Bool),
    ],
    id_sql: "a.id",
    default_sort: "id",
    extras: &[],
};

/// A page of the accounts, as asked for of [`ACCOUNTS`] or [`PREDECESSOR_CLIENTS`].
///
/// # Errors
/// The database's.
pub async fn accounts(app: &App, request: &ListRequest) -> Result<Page<Account>, Error> {
    let mut sql = Composer::new(
        "select a.id, a.username, a.email, a.name, a.phone, a.identity_document, a.birth_date,
            a.role, a.active, a.version, a.created_at, a.updated_at
        from account a where 1 = 1",
    );
    request.compose(&mut sql);
    // Filters have no indexes: people look for a customer now and then.
    let rows = app.db.read(sql.finish().heavy(), read_account).await?;
    Ok(request.page(rows, |account, field| {
        let key = match field {
            "username" => Key::of(account.username.as_str()),
            "created_at" => Key::of(account.created_at),
            _ => Key::Null,
        };
        (account.id, key)
    }))
}

/// Whoever has the token of this hash, if it works as far as the database tells.
pub(super) async fn token(app: &App, hash: SecretHash) -> Result<Option<Proved<Identity>>, Error> {
    let statement = Statement::new(&TOKEN, vec![hash.to_vec().into()]);
    let read = |row: &Row<'_>| {
        let role = Role::read(row, 4)?;
        let who = Identity {
            token_id: Some(row.get(0)?),
            account_id: row.get(2)?,
            username: row.get::<String>(3)?.into(),
            role,
            permissions: Permissions::of(role, Permissions::read(row, 5)?),
        };
        Ok(Proved { who: Arc::new(who), until: row.get(1)? })
    };
    app.db.read_one(statement, read).await
}

/// Whoever has the session of this hash, if it works as far as the database tells.
pub(super) async fn session(app: &App, hash: SecretHash) -> Result<Option<Proved<Session>>, Error> {
    let statement = Statement::new(&SESSION, vec![hash.to_vec().into()]);
    let read = |row: &Row<'_>| {
        let role = Role::read(row, 6)?;
        let identity = Identity {
            token_id: None,
            account_id: row.get(4)?,
            username: row.get::<String>(5)?.into(),
            role,
            permissions: Permissions::of(role, Permissions::read(row, 7)?),
        };
        let (expires_at, seen_at) = (row.get::<Timestamp>(1)?, row.get::<Timestamp>(2)?);
        let verified_at: Option<Timestamp> = row.get(3)?;
        let state = match (row.get::<bool>(9)?, verified_at) {
            (false, _) => SessionState::PasswordOnly,
            (true, None) => SessionState::Unverified,
            (true, Some(_)) => SessionState::Verified,
        };
        let mut until = expires_at.min(seen_at + sessions::idle_max(role));
        if state == SessionState::Unverified {
            until = until.min(row.get::<Timestamp>(8)? + sessions::VERIFY_WITHIN);
        }
        let who = Session { id: row.get(0)?, identity, seen_at, expires_at, state };
        Ok(Proved { who: Arc::new(who), until })
    };
    app.db.read_one(statement, read).await
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

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenSession {
    pub id: i64,
    /// What the browser called itself at the login.
    pub browser: String,
    /// The network address that it came from.
    pub address: String,
    pub created_at: Timestamp,
    /// When it was last used, within some minutes.
    pub seen_at: Timestamp,
    /// True for the session that asks.
    pub current: bool,
}

/// The sessions of an account that work, last used first, as its session `current` sees them.
///
/// # Errors
/// The database's.
pub async fn sessions(app: &App, current: &Session) -> Result<Vec<OpenSession>, Error> {
    let now = app.clock.now();
    let used_after = now - sessions::idle_max(current.identity.role);
    let limit = sessions::SESSIONS_PER_ACCOUNT_MAX;
    let account = current.identity.account_id;
    let params = vec![account.into(), now.into(), used_after.into(), limit.into()];
    let read = |row: &Row<'_>| {
        let id = row.get(0)?;
        Ok(OpenSession {
            id,
            browser: row.get(1)?,
            address: row.get(2)?,
            created_at: row.get(3)?,
            seen_at: row.get(4)?,
            current: id == current.id,
        })
    };
    app.db.read(Statement::new(&SESSIONS, params), read).await
}

/// How far an account's second factor is.
#[derive(Debug)]
pub enum FactorState {
    Off,
    /// Its key is to be shown to the owner's device.
    Begun {
        key: Opened,
    },
    On {
        since: Timestamp,
        /// Recovery codes that were not used yet.
        codes_left: i64,
    },
}

/// How far an account's second factor is.
///
/// # Errors
/// The database's.
pub async fn factor(app: &App, account_id: i64) -> Result<FactorState, Error> {
    let read = |row: &Row<'_>| {
        Ok(match row.get(1)? {
            None => {
                let place = second_factor::place(account_id);
                FactorState::Begun { key: app.sealer.open(&place, &row.get::<String>(0)?)? }
            }
            Some(since) => FactorState::On { since, codes_left: row.get(2)? },
        })
    };
    let found = app.db.read_one(Statement::new(&FACTOR, vec![account_id.into()]), read).await?;
    Ok(found.unwrap_or(FactorState::Off))
}

/// A row of the audit about an account, as the account itself may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audited {
    pub at: Timestamp,
    pub action: String,
    /// False: somebody of the shop, or the shop itself.
    pub by_yourself: bool,
    /// `{field: [before, after]}`
    pub changes: serde_json::Value,
}

/// What the audit says about an account, newest first, at most `limit` rows.
///
/// # Errors
/// The database's.
pub async fn audited(app: &App, account_id: i64, limit: i64) -> Result<Vec<Audited>, Error> {
    let read = |row: &Row<'_>| {
        Ok(Audited {
            at: row.get(0)?,
            by_yourself: row.get::<Option<i64>>(1)? == Some(account_id),
            action: row.get(2)?,
            changes: row.get(3)?,
        })
    };
    app.db.read(Statement::new(&AUDITED, vec![account_id.into(), limit.into()]), read).await
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
pub async fn tokens(app: &App, account_id: i64, current: Option<i64>) -> Result<Vec<Token>, Error> {
    let limit = super::tokens::TOKENS_PER_ACCOUNT_MAX;
    let params = vec![account_id.into(), app.clock.now().into(), limit.into()];
    let read = |row: &Row<'_>| {
        let id = row.get(0)?;
        Ok(Token {
            id,
            label: row.get(1)?,
            created_at: row.get(2)?,
            expires_at: row.get(3)?,
            current: Some(id) == current,
        })
    };
    app.db.read(Statement::new(&TOKENS, params), read).await
}
