//! Changes of existing accounts: their fields, their role, and whether they are active.

use runout_store::{Error, Row, Rows, Statement, Value};
use serde_json::json;

use super::commands::{
    AccountRefused, Actor, By, Changed, Decided, Invalid, check, check_some, difference, namesake,
    not_yet_born, taken,
};
use super::queries::read_account;
use super::sql::{
    END_OTHER_SESSIONS, LOCK_ACCOUNT, LOCK_SUPERUSERS, NAMESAKES, REVOKE_OTHERS, UPDATE_ACCOUNT,
};
use super::{Account, AccountsError, Role, rules};
use crate::App;
use crate::platform::command::{Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

/// Runs a change that may end tokens, and then forgets the verified ones on this node. In a task of
/// its own: a client that hangs up after the commit must not keep a dead token alive.
pub(super) async fn run_and_forget<C: Command>(
    app: &App,
    by: &By,
    command: C,
) -> Result<Outcome<C::Accepted, C::Refused>, Error> {
    let (app, caller) = (app.clone(), by.caller());
    let task = tokio::spawn(async move {
        let result = app.run(caller, command).await;
        app.accounts.forget_all();
        result
    });
    task.await.unwrap_or_else(|error| Err(Error::Panicked(error.to_string())))
}

/// The locked account and its password's hash.
pub(super) fn locked(rows: &Rows) -> Result<Option<(Account, String)>, Error> {
    let read = |row: Row<'_>| Ok((read_account(&row)?, row.get(12)?));
    rows.first().map(read).transpose()
}

/// What to change of an account; None leaves a field as it is.
#[derive(Clone, Default)]
pub struct AccountPatch {
    pub email: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub identity_document: Option<Option<String>>,
    pub birth_date: Option<Option<String>>,
    pub role: Option<Role>,
    pub password: Option<NewPassword>,
}

/// A new password: one's own, or from somebody above who resets a lost one.
#[derive(Clone)]
pub struct NewPassword {
    pub password: String,
    /// The stored hash that one's current password was checked against, by
    /// [`super::check_own_password`]; None to reset another account's.
    pub checked_hash: Option<String>,
    /// The only token that stays, if one does.
    pub keep_token: Option<i64>,
    /// The only session that stays, if one does.
    pub keep_session: Option<i64>,
}

impl AccountPatch {
    fn check(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        check_some(&mut wrong, "email", self.email.as_deref(), rules::email);
        check_some(&mut wrong, "name", self.name.as_deref(), rules::name);
        check_some(&mut wrong, "phone", self.phone.as_deref(), rules::phone);
        let document = self.identity_document.as_ref().and_then(Option::as_deref);
        check_some(&mut wrong, "identity_document", document, rules::identity_document);
        let birth_date = self.birth_date.as_ref().and_then(Option::as_deref);
        check_some(&mut wrong, "birth_date", birth_date, rules::birth_date);
        if let Some(new) = &self.password {
            check(&mut wrong, "password", rules::password(&new.password));
        }
        wrong
    }

    fn applied_to(&self, before: &Account) -> Account {
        fn set<T: Clone>(field: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        let mut after = before.clone();
        set(&mut after.email, &self.email);
        set(&mut after.name, &self.name);
        set(&mut after.phone, &self.phone);
        set(&mut after.identity_document, &self.identity_document);
        set(&mut after.birth_date, &self.birth_date);
        set(&mut after.role, &self.role);
        after
    }
}

/// Changes fields of an account. A new password ends every token and session but those
/// that it keeps.
///
/// # Errors
/// See [`AccountsError`].
pub async fn update(app: &App, by: By, id: i64, patch: AccountPatch) -> Changed {
    let wrong = patch.check();
    if !wrong.is_empty() {
        return Ok(Outcome::Refused(AccountRefused::Invalid(wrong)));
    }
    let new_hash = match &patch.password {
        None => None,
        Some(new) => {
            let passwords = &app.accounts.passwords;
            Some(passwords.hash(passwords.turn().await?, &new.password).await?)
        }
    };
    let ends_tokens = patch.role.is_some() || patch.password.is_some();
    let if_match = by.if_match.clone();
    let command = Update { id, actor: by.actor, if_match, patch, new_hash };
    if ends_tokens {
        taken(run_and_forget(app, &by, command).await)
    } else {
        taken(app.run(by.caller(), command).await)
    }
}

/// Ends an account's use: it cannot log in, and its tokens stop at once. Again does nothing.
///
/// # Errors
/// See [`AccountsError`].
pub async fn deactivate(app: &App, by: By, id: i64) -> Changed {
    set_active(app, by, id, false).await.map_err(AccountsError::from)
}

/// Lets an account log in again; its former tokens stay revoked. Again does nothing.
///
/// # Errors
/// See [`AccountsError`].
pub async fn reactivate(app: &App, by: By, id: i64) -> Changed {
    set_active(app, by, id, true).await.map_err(AccountsError::from)
}

async fn set_active(
    app: &App,
    by: By,
    id: i64,
    active: bool,
) -> Result<Outcome<Account, AccountRefused>, Error> {
    let if_match = by.if_match.clone();
    run_and_forget(app, &by, SetActive { id, actor: by.actor, if_match, active }).await
}

/// What stands against a change of this account at all.
fn refuse(actor: Actor, if_match: &IfMatch, target: &Account) -> Option<AccountRefused> {
    if !actor.may_change(target) {
        return Some(AccountRefused::Forbidden);
    }
    (!if_match.allows(target.version)).then_some(AccountRefused::VersionChanged)
}

/// True if the change takes an active superuser away.
fn takes_superuser(before: &Account, after: &Account) -> bool {
    let counts = |account: &Account| account.active && account.role == Role::Superuser;
    counts(before) && !counts(after)
}

/// Stores the account with its next version.
fn store(changes: &mut Changes, account: &mut Account, password_hash: &str) {
    account.version += 1;
    account.updated_at = changes.now;
    let params: Vec<Value> = vec![
        account.id.into(),
        account.email.as_str().into(),
        rules::key(&account.email).into(),
        account.name.as_str().into(),
        account.phone.as_str().into(),
        account.identity_document.clone().into(),
        account.birth_date.clone().into(),
        account.role.as_str().into(),
        password_hash.into(),
        account.active.into(),
        account.version.into(),
        account.updated_at.into(),
    ];
    changes.store(Statement::new(&UPDATE_ACCOUNT, params));
}

/// Ends every token and session of an account but those that are kept.
fn end_others(changes: &mut Changes, account_id: i64, token: Option<i64>, session: Option<i64>) {
    for (statement, kept) in [(&REVOKE_OTHERS, token), (&END_OTHER_SESSIONS, session)] {
        let params = vec![account_id.into(), kept.unwrap_or(NONE).into(), changes.now.into()];
        changes.store(Statement::new(statement, params));
    }
}

struct Update {
    id: i64,
    actor: Actor,
    if_match: IfMatch,
    patch: AccountPatch,
    new_hash: Option<String>,
}

impl Update {
    /// What stands against turning `before` into `after`.
    fn refuse(
        &self,
        before: &Account,
        after: &Account,
        hash: &str,
        namesakes: &Rows,
        changes: &Changes,
    ) -> Result<Option<AccountRefused>, Error> {
        if let Some(refused) = refuse(self.actor, &self.if_match, before) {
            return Ok(Some(refused));
        }
        if before.role != after.role && !self.actor.sets_roles() {
            return Ok(Some(AccountRefused::RoleForbidden));
        }
        if let Some(new) = &self.patch.password {
            match &new.checked_hash {
                Some(checked) if checked == hash => {}
                Some(_) => return Ok(Some(AccountRefused::WrongPassword)),
                // A stolen token must not be enough to take the account over.
                None if self.actor.id() == Some(before.id) => {
                    return Ok(Some(AccountRefused::Forbidden));
                }
                None if self.actor.may_reset_password_of(before) => {}
                None => return Ok(Some(AccountRefused::Forbidden)),
            }
            if rules::password_is_own_name(&new.password, &after.username, &after.email) {
                let reason = "The password must not be the username or the e-mail address.";
                let wrong = vec![Invalid { field: "password", reason }];
                return Ok(Some(AccountRefused::Invalid(wrong)));
            }
        }
        if let Some(email) = &self.patch.email
            && let Some(refused) = namesake(namesakes, Some(before.id), "", &rules::key(email))?
        {
            return Ok(Some(refused));
        }
        Ok(not_yet_born(self.patch.birth_date.as_ref().and_then(Option::as_deref), changes))
    }
}

impl Command for Update {
    type Accepted = Account;
    type Refused = AccountRefused;
    const NAME: &'static str = "update_account";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let email = self.patch.email.as_deref().map(rules::key).unwrap_or_default();
        vec![
            Statement::new(&LOCK_ACCOUNT, vec![self.id.into()]),
            Statement::new(&NAMESAKES, vec!["".into(), email.into()]),
        ]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        let Some((before, hash)) = locked(&loaded[0])? else {
            return Ok(Decision::Refuse(AccountRefused::NotFound));
        };
        let mut after = self.patch.applied_to(&before);
        if let Some(refused) = self.refuse(&before, &after, &hash, &loaded[1], changes)? {
            return Ok(Decision::Refuse(refused));
        }
        if takes_superuser(&before, &after) {
            match loaded.get(2) {
                None => return Ok(load_superusers()),
                Some(rows) if rows.len() < 2 => {
                    return Ok(Decision::Refuse(AccountRefused::LastSuperuser));
                }
                Some(_) => {}
            }
        }
        if before.role != after.role && self.actor.id() == Some(self.id) {
            return Ok(Decision::Refuse(AccountRefused::OwnAccount));
        }
        if before == after && self.new_hash.is_none() {
            return Ok(Decision::Accept(before));
        }
        let mut audit = difference(Some(&before), &after);
        if let Some(new) = &self.patch.password {
            audit["password"] = json!(["(not recorded)", "(not recorded)"]);
            end_others(changes, self.id, new.keep_token, new.keep_session);
        }
        store(changes, &mut after, self.new_hash.as_deref().unwrap_or(&hash));
        let payload = json!({"id": self.id, "version": after.version});
        changes.event("account.updated", "account", self.id, payload);
        changes.audit("account.updated", "account", self.id, audit);
        Ok(Decision::Accept(after))
    }
}

/// Asks for the rows that tell whether another superuser remains.
fn load_superusers() -> Decision<Account, AccountRefused> {
    Decision::Load(vec![Statement::new(&LOCK_SUPERUSERS, Vec::new())])
}

struct SetActive {
    id: i64,
    actor: Actor,
    if_match: IfMatch,
    active: bool,
}

impl Command for SetActive {
    type Accepted = Account;
    type Refused = AccountRefused;
    const NAME: &'static str = "set_account_active";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_ACCOUNT, vec![self.id.into()])]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        let Some((before, hash)) = locked(&loaded[0])? else {
            return Ok(Decision::Refuse(AccountRefused::NotFound));
        };
        if let Some(refused) = refuse(self.actor, &self.if_match, &before) {
            return Ok(Decision::Refuse(refused));
        }
        let mut after = Account { active: self.active, ..before.clone() };
        if takes_superuser(&before, &after) {
            match loaded.get(1) {
                None => return Ok(load_superusers()),
                Some(rows) if rows.len() < 2 => {
                    return Ok(Decision::Refuse(AccountRefused::LastSuperuser));
                }
                Some(_) => {}
            }
        }
        if !self.active && self.actor.id() == Some(self.id) {
            return Ok(Decision::Refuse(AccountRefused::OwnAccount));
        }
        if before.active == self.active {
            return Ok(Decision::Accept(before));
        }
        let topic = if self.active { "account.reactivated" } else { "account.deactivated" };
        if !self.active {
            end_others(changes, self.id, None, None);
        }
        store(changes, &mut after, &hash);
        let payload = json!({"id": self.id, "version": after.version});
        changes.event(topic, "account", self.id, payload);
        changes.audit(topic, "account", self.id, difference(Some(&before), &after));
        Ok(Decision::Accept(after))
    }
}

/// No token and no session has this id.
const NONE: i64 = 0;
