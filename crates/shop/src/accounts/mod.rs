//! Accounts: who somebody is, how they prove it, and what they may do.
//!
//! Owns the tables `account`, `token`, `session`, `second_factor`, `recovery_code` and
//! `staff_permission`. What always holds:
//!
//! - Passwords, tokens and sessions are stored as hashes only, and none leaves again.
//! - Usernames and e-mail addresses are unique whatever their case, and no name is another
//!   account's address, so that either identifies one account at login.
//! - A token or session works while its account is active and it is neither expired nor ended. An
//!   end to that holds on this node at once, on others within [`verified::CACHED_MAX`].
//! - A token serves the API, a session the pages: neither is taken for the other, so that no other
//!   site's page can make a browser use the API.
//! - Accounts are never deleted, and one superuser stays active. Who is erased leaves a number.

pub(crate) mod admin;
mod answers;
mod api;
pub mod auth;
mod commands;
pub mod demo;
pub mod erase;
pub mod export;
mod pages;
pub mod password;
mod permission_api;
mod permission_commands;
pub mod permissions;
pub mod queries;
pub mod rules;
pub mod second_factor;
mod session_commands;
pub mod sessions;
mod sql;
pub mod throttle;
mod token_api;
mod tokens;
mod update;
pub mod verified;

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use runout_store::{Error, Row, Sql};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub use auth::{Identity, MaybeIdentity, Staff, Superuser, TokenSecurity};
pub use commands::{
    AccountRefused, AccountsError, Actor, By, Changed, Invalid, NewAccount, SuperuserError,
    create_superuser, sign_up,
};
pub(crate) use pages::router as pages;
pub use permission_commands::{PermissionsRefused, Rights, Wanted, rights, set_permissions};
pub use permissions::{Capability, Permission, Permissions, Verb, on, to};
pub(crate) use sessions::SECOND_FACTOR_MISSING;
pub use sessions::{MaybeSession, Session, SessionState, SignedIn, StaffSession};
pub use tokens::{
    Credentials, Login, LoginRefused, PasswordRefused, check_own_password, issue_token, login,
    revoke_token,
};
pub use update::{AccountPatch, NewPassword, deactivate, reactivate, update};

use password::{PasswordCost, Passwords};
use throttle::{Attempt, Throttle};
use verified::Verified;

/// What an account may do; each role may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys, and sees what is its own.
    Customer,
    /// Runs the shop.
    Staff,
    /// Decides who is staff.
    Superuser,
}

impl Role {
    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Customer => "customer",
            Role::Staff => "staff",
            Role::Superuser => "superuser",
        }
    }

    fn read(row: &Row<'_>, column: usize) -> Result<Self, Error> {
        match row.get::<String>(column)?.as_str() {
            "customer" => Ok(Role::Customer),
            "staff" => Ok(Role::Staff),
            "superuser" => Ok(Role::Superuser),
            other => Err(Error::Decode { column, reason: format!("no role: {other:?}") }),
        }
    }
}

/// An account, as it is shown: never with a password's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    #[schema(minimum = 1)]
    pub id: i64,
    pub username: String,
    pub email: String,
    pub name: String,
    pub phone: String,
    #[schema(required = true)]
    pub identity_document: Option<String>,
    #[schema(required = true, format = Date)]
    pub birth_date: Option<String>,
    pub role: Role,
    pub active: bool,
    /// Grows with every change; the ETag is made of it.
    pub version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The part of the application's state that is about accounts.
pub struct Accounts {
    passwords: Passwords,
    throttle: Throttle,
    tokens: Verified<Identity>,
    sessions: Verified<Session>,
    /// Keys the hashes of unknown login names.
    names: std::hash::RandomState,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::new(PasswordCost::STRONG)
    }
}

impl Accounts {
    /// Only tests give another cost than [`PasswordCost::STRONG`].
    pub fn new(cost: PasswordCost) -> Self {
        Self {
            passwords: Passwords::new(cost),
            throttle: Throttle::default(),
            tokens: Verified::default(),
            sessions: Verified::default(),
            names: std::hash::RandomState::new(),
        }
    }
}

impl Accounts {
    /// Admits an attempt with credentials of another system; it counts unless it is told to have
    /// succeeded.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn attempt_verification(
        &self,
        account: Option<i64>,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        self.throttle.attempt_verification(account, client.into(), now)
    }

    /// Asks the database again about everybody: somebody's rights have ended.
    fn forget_all(&self) {
        self.tokens.forget_all();
        self.sessions.forget_all();
    }
}

/// The routes of accounts and tokens, under `/api/v1`.
pub fn router() -> OpenApiRouter<App> {
    api::router()
        .merge(token_api::router())
        .merge(permission_api::router())
        .merge(second_factor::router())
}

/// Every statement of this capability.
pub fn statements() -> Vec<&'static Sql> {
    [queries::STATEMENTS, sql::STATEMENTS].concat()
}

/// Checks an e-mail address.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_email(text: &str) -> Result<(), String> {
    rules::email(text).map_err(|reason| reason.to_string())
}

/// An e-mail address as addresses are compared.
pub(crate) fn email_key(text: &str) -> String {
    rules::key(text)
}
