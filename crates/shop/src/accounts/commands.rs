//! Changes of accounts: who may make which, and what they leave in the outbox and the audit.

use runout_store::{Error, Rows, Statement, Value};
use serde_json::{Map, json};

use super::password::{PasswordError, UNUSABLE};
use super::sql::{INSERT_ACCOUNT, NAMESAKES};
use super::{Account, Identity, Role, rules};
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Key, Outcome, next_ids};
use crate::platform::etag::IfMatch;

/// Who makes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody without an account, who signs up.
    Nobody,
    /// A person at the command line.
    System,
    Account {
        id: i64,
        role: Role,
    },
}

impl From<&Identity> for Actor {
    fn from(identity: &Identity) -> Self {
        Actor::Account { id: identity.account_id, role: identity.role }
    }
}

impl Actor {
    pub(super) fn id(self) -> Option<i64> {
        match self {
            Actor::Account { id, .. } => Some(id),
            Actor::Nobody | Actor::System => None,
        }
    }

    pub(super) fn sets_roles(self) -> bool {
        matches!(self, Actor::System | Actor::Account { role: Role::Superuser, .. })
    }

    /// Who has lost a password gets another from somebody who stands above.
    pub(super) fn may_reset_password_of(self, target: &Account) -> bool {
        match self {
            Actor::Nobody => false,
            Actor::System => true,
            Actor::Account { role, .. } => role > target.role,
        }
    }

    /// Staff may change everybody but superusers, and everybody themselves.
    pub(super) fn may_change(self, target: &Account) -> bool {
        match self {
            Actor::Nobody => false,
            Actor::System | Actor::Account { role: Role::Superuser, .. } => true,
            Actor::Account { id, .. } if id == target.id => true,
            Actor::Account { role, .. } => role == Role::Staff && target.role != Role::Superuser,
        }
    }
}

/// Under which circumstances a change is made.
#[derive(Debug, Clone)]
pub struct By {
    pub actor: Actor,
    /// Makes the change repeatable.
    pub key: Option<Key>,
    /// The versions that the actor is ready to change.
    pub if_match: IfMatch,
}

impl By {
    /// By this actor, unconditionally and without an idempotency key.
    pub fn actor(actor: Actor) -> Self {
        Self { actor, key: None, if_match: IfMatch::Any }
    }

    pub(super) fn caller(&self) -> Caller {
        Caller { account_id: self.actor.id(), key: self.key.clone() }
    }
}

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub field: &'static str,
    pub reason: &'static str,
}

/// Why an account was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefused {
    #[error("{}", one_line(.0))]
    Invalid(Vec<Invalid>),
    #[error("this username is taken")]
    UsernameTaken,
    #[error("this e-mail address is taken")]
    EmailTaken,
    #[error("this identity document belongs to another account")]
    IdentityTaken,
    #[error("there is no such account")]
    NotFound,
    #[error("your account may not do this")]
    Forbidden,
    #[error("only superusers set roles")]
    RoleForbidden,
    #[error("this is the last active superuser")]
    LastSuperuser,
    #[error("nobody takes their own rights away: another superuser can")]
    OwnAccount,
    #[error("the account has changed meanwhile")]
    VersionChanged,
    #[error("the current password is wrong")]
    WrongPassword,
}

fn one_line(invalid: &[Invalid]) -> String {
    let lines: Vec<String> = invalid.iter().map(|i| format!("{}: {}", i.field, i.reason)).collect();
    lines.join(" ")
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// How a change of an account ended.
pub type Changed = Result<Outcome<Account, AccountRefused>, AccountsError>;

/// A new account, with its password in the clear.
#[derive(Clone, Default)]
pub struct NewAccount {
    pub username: String,
    pub email: String,
    /// None: nobody can log in until staff set one.
    pub password: Option<String>,
    pub name: String,
    pub phone: String,
    pub identity_document: Option<String>,
    /// `YYYY-MM-DD`
    pub birth_date: Option<String>,
    /// None for a customer.
    pub role: Option<Role>,
}

impl NewAccount {
    /// The rest, for an idempotency key's fingerprint: that is a fast hash and is stored, which a
    /// password must never be.
    pub(super) fn without_password(&self) -> impl serde::Serialize + '_ {
        json!([
            self.username,
            self.email,
            self.name,
            self.phone,
            self.identity_document,
            self.birth_date,
            self.role,
        ])
    }

    fn check(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        check(&mut wrong, "username", rules::username(&self.username));
        check(&mut wrong, "email", rules::email(&self.email));
        check_some(&mut wrong, "password", self.password.as_deref(), rules::password);
        check(&mut wrong, "name", rules::name(&self.name));
        check(&mut wrong, "phone", rules::phone(&self.phone));
        let document = self.identity_document.as_deref();
        check_some(&mut wrong, "identity_document", document, rules::identity_document);
        check_some(&mut wrong, "birth_date", self.birth_date.as_deref(), rules::birth_date);
        let own_name =
            |password: &str| rules::password_is_own_name(password, &self.username, &self.email);
        if self.password.as_deref().is_some_and(own_name) {
            let reason = "The password must not be the username or the e-mail address.";
            wrong.push(Invalid { field: "password", reason });
        }
        // Else it would be taken for the address of whoever owns that one, now or later.
        let same = rules::key(&self.username) == rules::key(&self.email);
        if rules::looks_like_email(&self.username) && !same {
            let reason = "A username that looks like an e-mail address must be the account's own.";
            wrong.push(Invalid { field: "username", reason });
        }
        wrong
    }
}

pub(super) fn check(wrong: &mut Vec<Invalid>, field: &'static str, checked: rules::Checked) {
    wrong.extend(checked.err().map(|reason| Invalid { field, reason }));
}

pub(super) fn check_some(
    wrong: &mut Vec<Invalid>,
    field: &'static str,
    value: Option<&str>,
    rule: impl Fn(&str) -> rules::Checked,
) {
    if let Some(value) = value {
        check(wrong, field, rule(value));
    }
}

/// Creates an account. Only superusers give it another role than customer.
///
/// # Errors
/// See [`AccountsError`].
pub async fn sign_up(app: &App, by: By, new: NewAccount) -> Changed {
    let wrong = new.check();
    if !wrong.is_empty() {
        return Ok(Outcome::Refused(AccountRefused::Invalid(wrong)));
    }
    if new.role.is_some_and(|role| role != Role::Customer) && !by.actor.sets_roles() {
        return Ok(Outcome::Refused(AccountRefused::RoleForbidden));
    }
    let password_hash = match &new.password {
        None => UNUSABLE.to_owned(),
        Some(password) => {
            let passwords = &app.accounts.passwords;
            passwords.hash(passwords.turn().await?, password).await?
        }
    };
    taken(app.run(by.caller(), Create { new, password_hash }).await)
}

/// Creates a superuser, for the command line.
///
/// # Errors
/// One line that says what is wrong.
pub async fn create_superuser(
    app: &App,
    username: &str,
    email: &str,
    password: &str,
) -> Result<Account, SuperuserError> {
    let new = NewAccount {
        username: username.to_owned(),
        email: email.to_owned(),
        password: Some(password.to_owned()),
        role: Some(Role::Superuser),
        ..NewAccount::default()
    };
    match sign_up(app, By::actor(Actor::System), new).await? {
        Outcome::Accepted(account) => Ok(account),
        Outcome::Refused(refused) => Err(refused.into()),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

/// Why a superuser was not created.
#[derive(Debug, thiserror::Error)]
pub enum SuperuserError {
    #[error("the superuser was not created")]
    Refused(#[from] AccountRefused),
    #[error("the superuser was not created")]
    Failed(#[from] AccountsError),
}

/// Names the field whose constraint refused a change: only a race gets that far.
pub(super) fn taken(
    result: Result<Outcome<Account, AccountRefused>, Error>,
) -> Result<Outcome<Account, AccountRefused>, AccountsError> {
    let error = match result {
        Ok(outcome) => return Ok(outcome),
        Err(error) => error,
    };
    for (constraint, refused) in [
        ("account_username_key_key", AccountRefused::UsernameTaken),
        ("account_email_key_key", AccountRefused::EmailTaken),
        ("account_identity_document_key", AccountRefused::IdentityTaken),
    ] {
        if error.is_constraint(constraint) {
            return Ok(Outcome::Refused(refused));
        }
    }
    Err(error.into())
}

pub(super) struct Create {
    pub(super) new: NewAccount,
    pub(super) password_hash: String,
}

pub(super) type Decided = Result<Decision<Account, AccountRefused>, Error>;

impl Command for Create {
    type Accepted = Account;
    type Refused = AccountRefused;
    const NAME: &'static str = "create_account";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let (username, email) = (rules::key(&self.new.username), rules::key(&self.new.email));
        vec![
            Statement::new(&NAMESAKES, vec![username.into(), email.into()]),
            next_ids("account", 1),
        ]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Decided {
        let new = &self.new;
        let (username_key, email_key) = (rules::key(&new.username), rules::key(&new.email));
        if let Some(refused) = namesake(&loaded[0], None, &username_key, &email_key)? {
            return Ok(Decision::Refuse(refused));
        }
        if let Some(refused) = not_yet_born(new.birth_date.as_deref(), changes) {
            return Ok(Decision::Refuse(refused));
        }
        let id = only_id(&loaded[1])?;
        let account = Account {
            id,
            username: new.username.clone(),
            email: new.email.clone(),
            name: new.name.clone(),
            phone: new.phone.clone(),
            identity_document: new.identity_document.clone(),
            birth_date: new.birth_date.clone(),
            role: new.role.unwrap_or(Role::Customer),
            active: true,
            version: 1,
            created_at: changes.now,
            updated_at: changes.now,
        };
        changes.store(insert(&account, username_key, email_key, &self.password_hash));
        changes.event("account.created", "account", id, json!({"id": id, "version": 1}));
        changes.audit("account.created", "account", id, difference(None, &account));
        Ok(Decision::Accept(account))
    }
}

/// The id that [`next_ids`] brought.
pub(super) fn only_id(rows: &Rows) -> Result<i64, Error> {
    let missing = || Error::Decode { column: 0, reason: "the sequence is missing".to_owned() };
    rows.first().ok_or_else(missing)?.get(0)
}

fn insert(account: &Account, username_key: String, email_key: String, hash: &str) -> Statement {
    let params: Vec<Value> = vec![
        account.id.into(),
        account.username.as_str().into(),
        username_key.into(),
        account.email.as_str().into(),
        email_key.into(),
        account.name.as_str().into(),
        account.phone.as_str().into(),
        account.identity_document.clone().into(),
        account.birth_date.clone().into(),
        account.role.as_str().into(),
        hash.into(),
        account.active.into(),
        account.version.into(),
        account.created_at.into(),
        account.updated_at.into(),
    ];
    Statement::new(&INSERT_ACCOUNT, params)
}

/// Whose name or address `username_key` and `email_key` would be mistaken for.
pub(super) fn namesake(
    rows: &Rows,
    own_id: Option<i64>,
    username_key: &str,
    email_key: &str,
) -> Result<Option<AccountRefused>, Error> {
    for row in rows.iter() {
        if own_id == Some(row.get(0)?) {
            continue;
        }
        let (name, address) = (row.get::<String>(1)?, row.get::<String>(2)?);
        if name == username_key || address == username_key {
            return Ok(Some(AccountRefused::UsernameTaken));
        }
        if name == email_key || address == email_key {
            return Ok(Some(AccountRefused::EmailTaken));
        }
    }
    Ok(None)
}

pub(super) fn not_yet_born(birth_date: Option<&str>, changes: &Changes) -> Option<AccountRefused> {
    let today = changes.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let born = rules::parse_date(birth_date?)?;
    let reason = "A birth date is in the past.";
    let wrong = vec![Invalid { field: "birth_date", reason }];
    (born >= today).then_some(AccountRefused::Invalid(wrong))
}

/// `{field: [before, after]}` of every field that differs.
pub(super) fn difference(before: Option<&Account>, after: &Account) -> serde_json::Value {
    let fields = |account: &Account| {
        [
            ("username", json!(account.username)),
            ("email", json!(account.email)),
            ("name", json!(account.name)),
            ("phone", json!(account.phone)),
            ("identity_document", json!(account.identity_document)),
            ("birth_date", json!(account.birth_date)),
            ("role", json!(account.role)),
            ("active", json!(account.active)),
        ]
    };
    let before = before.map(fields);
    let mut changes = Map::new();
    for (at, (field, value)) in fields(after).into_iter().enumerate() {
        let old = before.as_ref().map_or(serde_json::Value::Null, |before| before[at].1.clone());
        if old != value {
            changes.insert(field.to_owned(), json!([old, value]));
        }
    }
    changes.into()
}
