//! The second factor: codes of a device, and recovery codes for when it is lost.
//!
//! Codes are those of RFC 6238: HMAC-SHA-1, six digits, a new one every 30 seconds, taken one step
//! early or late. What always holds:
//!
//! - A code works once: the step of the last one is stored in the transaction that accepts it.
//! - Recovery codes are stored as hashes, shown once, and each works once.
//! - What is being set up guards nothing before a code of it was shown.
//! - Wrong codes are counted per account, wherever they come from: whoever tries has the password
//!   already, so that the owner cannot be locked out by strangers. Each is in the audit.

mod api;
mod codes;
mod commands;

use std::net::IpAddr;
use std::time::Duration;

use axum::http::HeaderValue;
use runout_store::Error;

use super::auth::{new_secret, token_hash};
use super::sessions::COOKIE;
use super::update::run_and_forget;
use super::{Account, Actor, By, Session, queries};
use crate::App;
use crate::platform::command::{Command, Outcome};
use crate::platform::cookie;
use crate::platform::seal::Place;

pub(super) use api::router;
pub(super) use codes::{address, secret_text};
pub(super) use commands::{Shown, check, load};

/// Recovery codes that are given out at a time.
pub const RECOVERY_CODES: usize = 10;

/// Why something about a second factor was not done.
#[derive(Debug, thiserror::Error)]
pub enum FactorRefused {
    #[error("this code is wrong or was used already")]
    WrongCode,
    #[error("too many wrong codes; try again in {retry_after:?}")]
    Throttled { retry_after: Duration },
    /// There is none, or it is not set up yet.
    #[error("the account has no second factor")]
    NotOn,
    #[error("the account has a second factor already")]
    AlreadyOn,
    /// The session has ended, or is verified already.
    #[error("the session needs no second factor")]
    NoSession,
    #[error("there is no such account")]
    NotFound,
    #[error("your account may not do this")]
    Forbidden,
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A session that the second factor was shown in, with the cookie of its new token.
#[derive(Debug)]
pub struct Verified {
    pub cookie: HeaderValue,
}

/// Where the sealed key of an account's device lies.
pub(super) fn place(account_id: i64) -> Place {
    Place::new("second_factor", "secret", account_id)
}

/// Runs what a code is needed for, within the budget of wrong ones.
async fn with_code<C>(
    app: &App,
    by: &By,
    client: IpAddr,
    account: i64,
    command: C,
) -> Result<C::Accepted, FactorRefused>
where
    C: Command<Refused = FactorRefused>,
{
    let attempt = app.accounts.throttle.attempt_code(account, client.into(), app.clock.now());
    let attempt = attempt.map_err(|retry_after| FactorRefused::Throttled { retry_after })?;
    let result = done(run_and_forget(app, by, command).await);
    match &result {
        Err(FactorRefused::WrongCode) => note_failure(app, account).await?,
        _ => attempt.succeeded(),
    }
    result
}

fn done<A>(outcome: Result<Outcome<A, FactorRefused>, Error>) -> Result<A, FactorRefused> {
    match outcome? {
        Outcome::Accepted(accepted) => Ok(accepted),
        Outcome::Refused(refused) => Err(refused),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

/// Puts a wrong code on record.
pub(super) async fn note_failure(app: &App, account_id: i64) -> Result<(), Error> {
    metrics::counter!("runout_second_factors_total", "outcome" => "wrong").increment(1);
    let by = By::actor(Actor::System);
    app.run(by.caller(), commands::NoteFailure { account_id }).await.map(drop)
}

/// Begins to set up a second factor, with a new key for the owner's device. `checked_hash` is what
/// [`super::check_own_password`] gave.
///
/// # Errors
/// [`FactorRefused::AlreadyOn`].
pub async fn begin(
    app: &App,
    session: &Session,
    checked_hash: String,
) -> Result<(), FactorRefused> {
    let account_id = session.identity.account_id;
    let sealed_key = app.sealer.seal(&place(account_id), &codes::new_key()?);
    let by = By::actor(session.actor());
    done(app.run(by.caller(), commands::Begin { account_id, checked_hash, sealed_key }).await)
}

/// Ends the setting up: a code of the device was shown. Gives the recovery codes, once, and the
/// session's new cookie.
///
/// # Errors
/// [`FactorRefused`].
pub async fn confirm(
    app: &App,
    session: &Session,
    code: &str,
    client: IpAddr,
) -> Result<(Vec<String>, Verified), FactorRefused> {
    let (account_id, token) = (session.identity.account_id, new_secret()?);
    let recovery = codes::new_recovery_codes()?;
    let command = commands::Confirm {
        sealer: app.sealer.clone(),
        account_id,
        session_id: session.id,
        new_hash: token_hash(token.as_bytes()),
        code: code.to_owned(),
        recovery: recovery.iter().map(|code| codes::recovery_hash(code)).collect(),
    };
    let by = By::actor(session.actor());
    with_code(app, &by, client, account_id, command).await?;
    Ok((recovery, verified(app, session, &token)))
}

/// Shows the second factor in a session that waits for it.
///
/// # Errors
/// [`FactorRefused`].
pub async fn verify(
    app: &App,
    session: &Session,
    code: &str,
    client: IpAddr,
) -> Result<Verified, FactorRefused> {
    let (account_id, token) = (session.identity.account_id, new_secret()?);
    let command = commands::Verify {
        sealer: app.sealer.clone(),
        account_id,
        session_id: session.id,
        new_hash: token_hash(token.as_bytes()),
        code: code.to_owned(),
    };
    let by = By::actor(session.actor());
    with_code(app, &by, client, account_id, command).await?;
    Ok(verified(app, session, &token))
}

/// The session's token is another one from now on: whoever saw it before has nothing.
fn verified(app: &App, session: &Session, token: &str) -> Verified {
    let seconds = session.expires_at.duration_since(app.clock.now()).as_secs();
    Verified { cookie: cookie::given(COOKIE, token, seconds) }
}

/// New recovery codes; the former ones work no more.
///
/// # Errors
/// [`FactorRefused`].
pub async fn renew_codes(
    app: &App,
    session: &Session,
    code: &str,
    client: IpAddr,
) -> Result<Vec<String>, FactorRefused> {
    let recovery = codes::new_recovery_codes()?;
    let account_id = session.identity.account_id;
    let hashes = recovery.iter().map(|code| codes::recovery_hash(code)).collect();
    let (sealer, code) = (app.sealer.clone(), code.to_owned());
    let command = commands::Renew { sealer, account_id, code, recovery: hashes };
    with_code(app, &By::actor(session.actor()), client, account_id, command).await?;
    Ok(recovery)
}

/// Switches the second factor off. The password has been checked by the caller.
///
/// # Errors
/// [`FactorRefused`].
pub async fn switch_off(
    app: &App,
    session: &Session,
    code: &str,
    client: IpAddr,
) -> Result<(), FactorRefused> {
    let account_id = session.identity.account_id;
    let (sealer, code) = (app.sealer.clone(), code.to_owned());
    let command = commands::Off { sealer, account_id, code };
    with_code(app, &By::actor(session.actor()), client, account_id, command).await
}

/// Takes away the second factor of somebody who has lost it: staff that of customers, superusers
/// that of staff.
///
/// # Errors
/// [`FactorRefused`].
pub async fn reset(app: &App, by: By, id: i64) -> Result<(), FactorRefused> {
    let account: Option<Account> = queries::account(app, id).await?;
    let account = account.ok_or(FactorRefused::NotFound)?;
    if !by.actor.may_reset_password_of(&account) {
        return Err(FactorRefused::Forbidden);
    }
    done(run_and_forget(app, &by, commands::Reset { account_id: id }).await)
}
