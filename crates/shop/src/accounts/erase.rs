//! Erasing an account: nothing that tells who somebody was stays, the shop's books do.
//!
//! The account's row stays with its number, so that orders and the audit still point to something.
//! Everything happens in one transaction, each table by its own capability's statements; only the
//! payment provider is told before, and telling it again does no harm.

use std::net::IpAddr;

use runout_store::{Error, Rows, Statement};
use serde_json::json;

use super::commands::{AccountRefused, Actor, By};
use super::password::UNUSABLE;
use super::sql::{
    DROP_FACTOR, DROP_PERMISSIONS, DROP_RECOVERY, ERASE_ACCOUNT, ERASE_ANSWERS, ERASE_AUDIT,
    ERASE_SESSIONS, ERASE_TOKENS, LOCK_ACCOUNT, LOCK_SUPERUSERS,
};
use super::update::{locked, run_and_forget};
use super::{
    Account, Identity, PasswordRefused, Role, Session, check_own_password, queries, rules,
};
use crate::App;
use crate::channels::commands as channels;
use crate::journal::erase as journal;
use crate::orders::erase as orders;
use crate::payments::methods::{self, MethodRefused};
use crate::platform::command::{Changes, Command, Decision, Outcome};
use crate::{addresses, payments};

/// Why an account was not erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseRefused {
    #[error(transparent)]
    Password(#[from] PasswordRefused),
    /// The numbers of orders that are still to be paid or sent.
    #[error("orders are open: {}", .0.join(", "))]
    OpenOrders(Vec<String>),
    #[error("this is the last active superuser")]
    LastSuperuser,
    /// The password has changed, or the account is gone.
    #[error("the account has changed meanwhile")]
    Changed,
    /// The provider could not be told to forget a way to pay.
    #[error("the payment provider does not answer")]
    Provider(#[source] MethodRefused),
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<AccountRefused> for EraseRefused {
    fn from(refused: AccountRefused) -> Self {
        match refused {
            AccountRefused::LastSuperuser => Self::LastSuperuser,
            _ => Self::Changed,
        }
    }
}

/// Erases the account of a session, whose password is asked for once more.
///
/// # Errors
/// [`EraseRefused`]; the account is as it was then, but for the ways to pay that the provider has
/// forgotten already.
pub async fn erase(
    app: &App,
    session: &Session,
    password: &str,
    client: IpAddr,
) -> Result<(), EraseRefused> {
    let account_id = session.identity.account_id;
    let checked_hash = check_own_password(app, &session.identity, password, client).await?;
    let by = By::actor(session.actor());
    erase_checked(app, &by, account_id, checked_hash).await
}

async fn erase_checked(
    app: &App,
    by: &By,
    account_id: i64,
    checked_hash: String,
) -> Result<(), EraseRefused> {
    // Before anything is told to anybody.
    let open = orders::open_of(&app.db, account_id).await?;
    if !open.is_empty() {
        return Err(EraseRefused::OpenOrders(open));
    }
    forget_methods(app, account_id).await?;
    match run_and_forget(app, by, Erase { account_id, checked_hash }).await? {
        Outcome::Accepted(()) => Ok(()),
        Outcome::Refused(refused) => Err(refused),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

/// Erases the account of somebody who shows a token only, as Simba's clients do. Not for staff:
/// who has their token would have their place.
///
/// # Errors
/// As [`erase`].
pub async fn erase_own(app: &App, identity: &Identity) -> Result<(), EraseRefused> {
    let account_id = identity.account_id;
    let stored = queries::password_hash(app, account_id).await?;
    let checked_hash = stored.ok_or(EraseRefused::Changed)?;
    let by = By::actor(Actor::from(identity));
    erase_checked(app, &by, account_id, checked_hash).await
}

/// Has the provider forget the account's ways to pay.
async fn forget_methods(app: &App, account_id: i64) -> Result<(), EraseRefused> {
    for method in methods::list(app, account_id).await? {
        match methods::remove(app, account_id, method.id).await {
            // Without a gateway nobody can be told; the erasure forgets what is stored here.
            Ok(()) | Err(MethodRefused::NotFound | MethodRefused::NoGateway) => {}
            Err(refused) => return Err(EraseRefused::Provider(refused)),
        }
    }
    Ok(())
}

struct Erase {
    account_id: i64,
    /// The stored hash that the password was checked against.
    checked_hash: String,
}

impl Command for Erase {
    type Accepted = ();
    type Refused = EraseRefused;
    const NAME: &'static str = "erase_account";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        let account = Statement::new(&LOCK_ACCOUNT, vec![self.account_id.into()]);
        let superusers = Statement::new(&LOCK_SUPERUSERS, Vec::new());
        let mut load = vec![account, orders::load_open(self.account_id), superusers];
        load.extend(journal::load(self.account_id));
        load.push(channels::load_of(self.account_id));
        load
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), EraseRefused>, Error> {
        let Some((account, hash)) = locked(&loaded[0])? else {
            return Ok(Decision::Refuse(EraseRefused::Changed));
        };
        if !account.active || hash != self.checked_hash {
            return Ok(Decision::Refuse(EraseRefused::Changed));
        }
        let open = orders::open_numbers(&loaded[1])?;
        if !open.is_empty() {
            return Ok(Decision::Refuse(EraseRefused::OpenOrders(open)));
        }
        if account.role == Role::Superuser && loaded[2].len() < 2 {
            return Ok(Decision::Refuse(EraseRefused::LastSuperuser));
        }
        store(changes, &account);
        let own = loaded.last().expect("the channels were loaded last");
        channels::erasure(changes, own)?;
        Ok(Decision::Accept(()))
    }
}

fn store(changes: &mut Changes, account: &Account) {
    let id = account.id;
    let version = account.version + 1;
    let (username, email) = rules::erased(id);
    let params = vec![
        id.into(),
        username.into(),
        email.into(),
        UNUSABLE.into(),
        false.into(),
        version.into(),
        changes.now.into(),
    ];
    changes.store(Statement::new(&ERASE_ACCOUNT, params));
    for statement in [
        &ERASE_TOKENS,
        &ERASE_SESSIONS,
        &ERASE_ANSWERS,
        &ERASE_AUDIT,
        &DROP_FACTOR,
        &DROP_RECOVERY,
        &DROP_PERMISSIONS,
    ] {
        changes.store(Statement::new(statement, vec![id.into()]));
    }
    changes.store(addresses::commands::erasure(id));
    let others = payments::erasure(id).into_iter().chain(orders::erasure(id));
    others.for_each(|statement| changes.store(statement));
    journal::erasure(changes, id);
    changes.event("account.erased", "account", id, json!({"id": id, "version": version}));
    changes.audit("account.erased", "account", id, json!({"erased": [false, true]}));
}
