//! What staff may do is set by superusers.

use runout_store::{Result, Row, Rows, Statement};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::permissions::Permissions;
use super::sql::{DROP_PERMISSIONS, INSERT_PERMISSION, LISTED, LOCK_ACCOUNT, SET_RESTRICTED};
use super::update::{locked, run_and_forget};
use super::{Account, By, Role};
use crate::App;
use crate::platform::command::{Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

/// What an account may do as staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rights {
    #[schema(minimum = 1)]
    pub account_id: i64,
    pub role: Role,
    /// True for staff who may only do what is listed. Others may everything, customers nothing.
    pub restricted: bool,
    /// Each a capability and a verb.
    #[schema(example = json!(["catalog.view", "stock.change"]))]
    pub permissions: Vec<String>,
    /// The account's; the ETag is made of it.
    pub version: i64,
}

/// What staff shall be able to do: everything, or what is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Everything,
    Only(Permissions),
}

/// Why nothing was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PermissionsRefused {
    #[error("only superusers set permissions")]
    Forbidden,
    #[error("there is no such account")]
    NotFound,
    /// Superusers may everything, customers nothing.
    #[error("only staff have permissions to set")]
    NotStaff,
    #[error("the account has changed meanwhile")]
    VersionChanged,
}

/// Whether an account is restricted, and to what, with its version.
///
/// # Errors
/// The database's.
pub async fn rights(app: &App, id: i64) -> Result<Option<Rights>> {
    let account = super::queries::account(app, id).await?;
    let listed = app.db.read_one(Statement::new(&LISTED, vec![id.into()]), read_listed).await?;
    Ok(account.zip(listed).map(|(account, listed)| Rights::of(&account, listed)))
}

/// None: everything.
fn read_listed(row: &Row<'_>) -> Result<Option<Permissions>> {
    Permissions::read(row, 0)
}

impl Rights {
    fn of(account: &Account, listed: Option<Permissions>) -> Self {
        Self {
            account_id: account.id,
            role: account.role,
            restricted: account.role == Role::Staff && listed.is_some(),
            permissions: Permissions::of(account.role, listed).names(),
            version: account.version,
        }
    }
}

/// Sets what a member of staff may do. It holds on this node at once, on others within a second.
///
/// # Errors
/// The database's.
pub async fn set_permissions(
    app: &App,
    by: By,
    id: i64,
    wanted: Wanted,
) -> Result<Outcome<Rights, PermissionsRefused>> {
    if !by.actor.sets_roles() {
        return Ok(Outcome::Refused(PermissionsRefused::Forbidden));
    }
    let command = SetPermissions { id, wanted, if_match: by.if_match.clone() };
    run_and_forget(app, &by, command).await
}

struct SetPermissions {
    id: i64,
    wanted: Wanted,
    if_match: IfMatch,
}

impl SetPermissions {
    fn refuse(&self, account: &Account) -> Option<PermissionsRefused> {
        if account.role != Role::Staff {
            return Some(PermissionsRefused::NotStaff);
        }
        let changed = !self.if_match.allows(account.version);
        changed.then_some(PermissionsRefused::VersionChanged)
    }
}

impl Command for SetPermissions {
    type Accepted = Rights;
    type Refused = PermissionsRefused;
    const NAME: &'static str = "set_permissions";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let id = || vec![self.id.into()];
        vec![Statement::new(&LOCK_ACCOUNT, id()), Statement::new(&LISTED, id())]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Rights, PermissionsRefused>> {
        let (Some((mut account, _)), Some(row)) = (locked(&loaded[0])?, loaded[1].first()) else {
            return Ok(Decision::Refuse(PermissionsRefused::NotFound));
        };
        if let Some(refused) = self.refuse(&account) {
            return Ok(Decision::Refuse(refused));
        }
        let before = read_listed(&row)?;
        let after = match self.wanted {
            Wanted::Everything => None,
            Wanted::Only(permissions) => Some(permissions),
        };
        if before == after {
            return Ok(Decision::Accept(Rights::of(&account, after)));
        }
        account.version += 1;
        store(changes, &account, after);
        let rights = Rights::of(&account, after);
        let former = Rights::of(&account, before);
        let audit = json!({
            "restricted": [former.restricted, rights.restricted],
            "permissions": [former.permissions, rights.permissions],
        });
        changes.audit("account.permissions", "account", self.id, audit);
        let payload = json!({"id": self.id, "version": account.version});
        changes.event("account.updated", "account", self.id, payload);
        Ok(Decision::Accept(rights))
    }
}

fn store(changes: &mut Changes, account: &Account, listed: Option<Permissions>) {
    let params = vec![
        account.id.into(),
        listed.is_some().into(),
        account.version.into(),
        changes.now.into(),
    ];
    changes.store(Statement::new(&SET_RESTRICTED, params));
    changes.store(Statement::new(&DROP_PERMISSIONS, vec![account.id.into()]));
    for permission in listed.unwrap_or_default().iter() {
        let (part, verb) = (permission.0.as_str(), permission.1.as_str());
        let params = vec![account.id.into(), part.into(), verb.into()];
        changes.store(Statement::new(&INSERT_PERMISSION, params));
    }
}
