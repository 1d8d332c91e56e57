//! Logins: checking a password, issuing a token, revoking one.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runout_store::{Error, Rows, Statement};
use serde::Serialize;
use serde_json::json;

use super::auth::{new_token, token_hash};
use super::commands::only_id;
use super::password::{PasswordError, Verdict};
use super::second_factor::{self, Shown, note_failure};
use super::sql::{INSERT_TOKEN, LIVE_TOKEN, LOCK_ACCOUNT, PRUNE_TOKENS, REHASH, REVOKE};
use super::throttle::Subject;
use super::update::{locked, run_and_forget};
use super::{AccountsError, Actor, By, Identity, queries, rules};
use crate::App;
use crate::platform::command::{Changes, Command, Decision, Outcome, next_ids};
use crate::platform::seal::Sealer;

/// How long a token works.
pub(super) const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Tokens of one account that work at the same time; a new one ends the oldest.
pub(super) const TOKENS_PER_ACCOUNT_MAX: i64 = 200;

/// What a person logs in with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Username or e-mail address, in any case.
    pub identifier: &'a str,
    pub password: &'a str,
    /// What the owner will call the token.
    pub label: &'a str,
}

/// A successful login.
#[derive(Debug, Clone)]
pub struct Login {
    pub account_id: i64,
    pub token_id: i64,
    /// The secret, which is not kept.
    pub token: String,
    pub expires_at: Timestamp,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefused {
    /// Unknown name, wrong password or deactivated account: the client cannot tell which.
    #[error("wrong credentials")]
    WrongCredentials,
    #[error("too many wrong passwords; try again in {retry_after:?}")]
    Throttled { retry_after: Duration },
    /// The password was right, but the account has a second factor.
    #[error("a second factor is needed")]
    SecondFactorRequired,
    #[error("this second factor is wrong or was used already")]
    WrongSecondFactor,
    #[error(transparent)]
    Failed(#[from] AccountsError),
}

/// Why a password was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PasswordRefused {
    #[error("wrong password")]
    Wrong,
    #[error("too many wrong passwords; try again in {retry_after:?}")]
    Throttled { retry_after: Duration },
    #[error(transparent)]
    Failed(#[from] AccountsError),
}

impl From<PasswordError> for PasswordRefused {
    fn from(error: PasswordError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for PasswordRefused {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<PasswordRefused> for LoginRefused {
    fn from(refused: PasswordRefused) -> Self {
        match refused {
            PasswordRefused::Wrong => Self::WrongCredentials,
            PasswordRefused::Throttled { retry_after } => Self::Throttled { retry_after },
            PasswordRefused::Failed(error) => Self::Failed(error),
        }
    }
}

/// Logs in from a client's address, with the code of a second factor if the account has one. Names
/// that nobody has take as long as those that somebody has.
///
/// # Errors
/// See [`LoginRefused`].
pub async fn login(
    app: &App,
    credentials: Credentials<'_>,
    code: Option<&str>,
    client: IpAddr,
) -> Result<Login, LoginRefused> {
    counted(log_in(app, credentials, code, client).await)
}

/// Counts how a login ended.
pub(super) fn counted<T>(result: Result<T, LoginRefused>) -> Result<T, LoginRefused> {
    let outcome = match &result {
        Ok(_) => "accepted",
        Err(LoginRefused::WrongCredentials | LoginRefused::WrongSecondFactor) => "wrong",
        Err(LoginRefused::SecondFactorRequired) => "incomplete",
        Err(LoginRefused::Throttled { .. }) => "throttled",
        Err(LoginRefused::Failed(_)) => "failed",
    };
    metrics::counter!("runout_logins_total", "outcome" => outcome).increment(1);
    result
}

async fn log_in(
    app: &App,
    credentials: Credentials<'_>,
    code: Option<&str>,
    client: IpAddr,
) -> Result<Login, LoginRefused> {
    let checked = check_credentials(app, credentials, client).await?;
    let (account, now) = (checked.account_id, app.clock.now());
    let issue = Issue::new(account, credentials.label, now).map_err(AccountsError::from)?;
    let (sealer, code_text) = (app.sealer.clone(), code.map(str::to_owned));
    let asked = Asked { checked_hash: checked.hash, code: code_text, sealer };
    let issue = Issue { asked: Some(asked), rehash: checked.rehash, ..issue };
    if code.is_none() {
        return run_issue(app, issue).await;
    }
    let attempt = app.accounts.throttle.attempt_code(account, client.into(), now);
    let attempt = attempt.map_err(|retry_after| LoginRefused::Throttled { retry_after })?;
    let result = run_issue(app, issue).await;
    match &result {
        Err(LoginRefused::WrongSecondFactor) => {
            note_failure(app, account).await.map_err(AccountsError::from)?;
        }
        _ => attempt.succeeded(),
    }
    result
}

/// An account whose password was right.
pub(super) struct Checked {
    pub(super) account_id: i64,
    /// The hash that the password was checked against, which must still be the stored one when
    /// something is built on it.
    pub(super) hash: String,
    /// The new hash to store, if one is due.
    pub(super) rehash: Option<String>,
}

/// The account behind a name and its password.
pub(super) async fn check_credentials(
    app: &App,
    credentials: Credentials<'_>,
    client: IpAddr,
) -> Result<Checked, LoginRefused> {
    let found = queries::login_name(app, credentials.identifier).await;
    let found = found.map_err(AccountsError::from)?;
    let subject = match &found {
        Some(found) => Subject::Account(found.account_id),
        None => {
            let name = rules::key(credentials.identifier);
            Subject::Unknown(app.accounts.names.hash_one(name))
        }
    };
    let stored = match &found {
        Some(found) => found.password_hash.as_str(),
        None => app.accounts.passwords.dummy(),
    };
    let usable = found.as_ref().is_some_and(|found| found.active);
    let rehash = check(app, subject, client, credentials.password, stored, usable).await?;
    let found = found.ok_or(LoginRefused::WrongCredentials)?;
    Ok(Checked { account_id: found.account_id, hash: found.password_hash, rehash })
}

/// Checks a password within the throttle's budgets, and gives the new hash to store, if one is due.
/// A password that is right, but of no use, is wrong.
async fn check(
    app: &App,
    subject: Subject,
    client: IpAddr,
    password: &str,
    stored: &str,
    usable: bool,
) -> Result<Option<String>, PasswordRefused> {
    let accounts = &app.accounts;
    let attempt = || {
        let attempt = accounts.throttle.attempt(subject, client.into(), app.clock.now());
        attempt.map_err(|retry_after| PasswordRefused::Throttled { retry_after })
    };
    // Whoever is over the budget must not fill the queue either.
    attempt()?.succeeded();
    let turn = accounts.passwords.turn().await?;
    // Only now is it counted: no more than run at once are counted before they are found right.
    let attempt = attempt()?;
    match accounts.passwords.verify(turn, password, stored).await? {
        Verdict::Right { rehash } if usable => {
            attempt.succeeded();
            Ok(rehash)
        }
        Verdict::Right { .. } | Verdict::Wrong => Err(PasswordRefused::Wrong),
    }
}

/// Checks the password of whoever is logged in already, and gives the hash that it was checked
/// against.
///
/// # Errors
/// See [`PasswordRefused`].
pub async fn check_own_password(
    app: &App,
    identity: &Identity,
    password: &str,
    client: IpAddr,
) -> Result<String, PasswordRefused> {
    let stored = queries::password_hash(app, identity.account_id).await?;
    let stored = stored.ok_or(PasswordRefused::Wrong)?;
    let subject = Subject::Account(identity.account_id);
    check(app, subject, client, password, &stored, true).await?;
    Ok(stored)
}

/// Issues a token to an active account without asking for its password: for sessions that other
/// means have verified, and for tests.
///
/// # Errors
/// [`LoginRefused::WrongCredentials`] when there is no such active account.
pub async fn issue_token(app: &App, account_id: i64, label: &str) -> Result<Login, LoginRefused> {
    let issue = Issue::new(account_id, label, app.clock.now()).map_err(AccountsError::from)?;
    run_issue(app, issue).await
}

async fn run_issue(app: &App, issue: Issue) -> Result<Login, LoginRefused> {
    let (account_id, token, expires_at) = (issue.account_id, issue.token.clone(), issue.expires_at);
    let by = By::actor(Actor::System);
    match app.run(by.caller(), issue).await.map_err(AccountsError::from)? {
        Outcome::Accepted(issued) => {
            Ok(Login { account_id, token_id: issued.id, token, expires_at })
        }
        Outcome::Refused(IssueRefused::NotUsable) => Err(LoginRefused::WrongCredentials),
        Outcome::Refused(IssueRefused::NoCode) => Err(LoginRefused::SecondFactorRequired),
        Outcome::Refused(IssueRefused::WrongCode) => Err(LoginRefused::WrongSecondFactor),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

struct Issue {
    account_id: i64,
    label: String,
    token: String,
    expires_at: Timestamp,
    /// What must be right; none when other means have told who asks.
    asked: Option<Asked>,
    rehash: Option<String>,
}

/// What somebody logs in with.
struct Asked {
    /// The hash that the password was checked against, which must still be the stored one.
    checked_hash: String,
    /// Of the second factor.
    code: Option<String>,
    sealer: Sealer,
}

impl Issue {
    fn new(account_id: i64, label: &str, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            account_id,
            label: label.to_owned(),
            token: new_token()?,
            expires_at: now + TOKEN_LIFETIME,
            asked: None,
            rehash: None,
        })
    }
}

/// The part of a login that may be stored.
#[derive(Serialize)]
struct Issued {
    id: i64,
}

/// Why no token was issued.
enum IssueRefused {
    /// The account is gone, deactivated, or has another password by now.
    NotUsable,
    /// The account has a second factor, of which no code came.
    NoCode,
    WrongCode,
}

impl Command for Issue {
    type Accepted = Issued;
    type Refused = IssueRefused;
    const NAME: &'static str = "issue_token";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let account = Statement::new(&LOCK_ACCOUNT, vec![self.account_id.into()]);
        let code = self.asked.as_ref().and_then(|asked| asked.code.as_deref());
        let [factor, recovery] = second_factor::load(self.account_id, code);
        vec![account, next_ids("token", 1), factor, recovery]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Issued, IssueRefused>, Error> {
        let Some((account, hash)) = locked(&loaded[0])? else {
            return Ok(Decision::Refuse(IssueRefused::NotUsable));
        };
        let other_password = self.asked.as_ref().is_some_and(|asked| asked.checked_hash != hash);
        if !account.active || other_password {
            return Ok(Decision::Refuse(IssueRefused::NotUsable));
        }
        if let Some(asked) = &self.asked {
            let code = asked.code.as_deref();
            let (account, factor) = (self.account_id, &loaded[2..]);
            match second_factor::check(&asked.sealer, account, factor, code, changes.now)? {
                Shown::NotNeeded => {}
                Shown::Right(used) => used.store(changes),
                Shown::Missing => return Ok(Decision::Refuse(IssueRefused::NoCode)),
                Shown::Wrong => return Ok(Decision::Refuse(IssueRefused::WrongCode)),
            }
        }
        let id = only_id(&loaded[1])?;
        let room = TOKENS_PER_ACCOUNT_MAX - 1;
        let params = vec![self.account_id.into(), changes.now.into(), room.into()];
        changes.store(Statement::new(&PRUNE_TOKENS, params));
        let params = vec![
            id.into(),
            self.account_id.into(),
            token_hash(self.token.as_bytes()).to_vec().into(),
            self.label.as_str().into(),
            changes.now.into(),
            self.expires_at.into(),
        ];
        changes.store(Statement::new(&INSERT_TOKEN, params));
        if let Some(rehash) = &self.rehash {
            let params = vec![self.account_id.into(), rehash.as_str().into()];
            changes.store(Statement::new(&REHASH, params));
        }
        // Not what the owner calls it: that goes with the token, this stays.
        let audit = json!({"account_id": [null, self.account_id]});
        changes.audit("token.issued", "token", id, audit);
        Ok(Decision::Accept(Issued { id }))
    }
}

/// Revokes a token of the account that asks. Again does nothing. False when it has no such token.
///
/// # Errors
/// The database's.
pub async fn revoke_token(app: &App, by: By, account_id: i64, id: i64) -> Result<bool, Error> {
    let outcome = run_and_forget(app, &by, Revoke { account_id, id }).await?;
    Ok(matches!(outcome, Outcome::Accepted(())))
}

struct Revoke {
    account_id: i64,
    id: i64,
}

/// The account has no such token, or it is revoked already.
struct NoSuchToken;

impl Command for Revoke {
    type Accepted = ();
    type Refused = NoSuchToken;
    const NAME: &'static str = "revoke_token";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LIVE_TOKEN, vec![self.account_id.into(), self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), NoSuchToken>, Error> {
        if loaded[0].is_empty() {
            return Ok(Decision::Refuse(NoSuchToken));
        }
        let params = vec![self.account_id.into(), self.id.into(), changes.now.into()];
        changes.store(Statement::new(&REVOKE, params));
        changes.audit("token.revoked", "token", self.id, json!({"revoked": [false, true]}));
        Ok(Decision::Accept(()))
    }
}
