//! Sessions: who looks at the pages, known by a cookie.
//!
//! The cookie holds 256 random bits, the table their hash. Every login begins a session of its own,
//! so that nobody can fix one in advance. A session ends at its logout, when its account's password
//! or activity ends, when it was not used for [`idle_max`], and at the latest after [`life_max`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use runout_store::Error;

use super::auth::{new_secret, token_hash};
use super::commands::AccountsError;
use super::session_commands::{Begin, End, EndOthers, touch};
use super::tokens::{Checked, Credentials, LoginRefused, check_credentials, counted};
use super::update::run_and_forget;
use super::{Actor, By, Identity, Role, queries};
use crate::App;
use crate::platform::command::Outcome;
use crate::platform::cookie;
use crate::platform::problem::Problem;
use crate::platform::request::admit_token;

/// The cookie that a browser is known by.
pub const COOKIE: &str = "__Host-session";
/// Sessions of one account that work at the same time; a new one ends the oldest.
pub(super) const SESSIONS_PER_ACCOUNT_MAX: i64 = 50;
/// How exactly the last use of a session is known.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// How long somebody has to show the second factor.
pub(super) const VERIFY_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// What is kept of a browser's name for itself, in characters.
const BROWSER_CHARS_MAX: usize = 200;

/// How long a session lasts without use. Whoever runs the shop is asked again sooner.
pub const fn idle_max(role: Role) -> SignedDuration {
    match role {
        Role::Customer => SignedDuration::from_hours(14 * 24),
        Role::Staff | Role::Superuser => SignedDuration::from_hours(2),
    }
}

/// How long a session lasts at most.
pub const fn life_max(role: Role) -> SignedDuration {
    match role {
        Role::Customer => SignedDuration::from_hours(90 * 24),
        Role::Staff | Role::Superuser => SignedDuration::from_hours(12),
    }
}

/// A browser in which somebody is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: i64,
    pub identity: Identity,
    /// When it was last used, within some minutes.
    pub seen_at: Timestamp,
    /// However much it is used, it ends then.
    pub expires_at: Timestamp,
    pub state: SessionState,
}

/// How far somebody has come with proving who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// The account has no second factor.
    PasswordOnly,
    /// The second factor is still to be shown: good for nothing else.
    Unverified,
    /// Both were shown.
    Verified,
}

impl Session {
    /// Whoever makes a change in this session.
    pub fn actor(&self) -> Actor {
        Actor::from(&self.identity)
    }
}

/// A session that has begun, with the field that gives the browser its cookie.
#[derive(Debug)]
pub struct Begun {
    pub account_id: i64,
    pub session_id: i64,
    /// Whether the second factor is still to be shown.
    pub state: SessionState,
    pub cookie: HeaderValue,
}

/// Logs in from a browser at a client's address.
///
/// # Errors
/// See [`LoginRefused`].
pub async fn log_in(
    app: &App,
    credentials: Credentials<'_>,
    client: IpAddr,
) -> Result<Begun, LoginRefused> {
    counted(begin(app, credentials, client).await)
}

async fn begin(
    app: &App,
    credentials: Credentials<'_>,
    client: IpAddr,
) -> Result<Begun, LoginRefused> {
    let checked = check_credentials(app, credentials, client).await?;
    store(app, checked, credentials.label, client).await
}

/// Begins the first session of an account that has just been made.
///
/// # Errors
/// [`LoginRefused::WrongCredentials`] when it is gone already.
pub async fn begin_new(
    app: &App,
    account_id: i64,
    browser: &str,
    client: IpAddr,
) -> Result<Begun, LoginRefused> {
    let hash = queries::password_hash(app, account_id).await.map_err(AccountsError::from)?;
    let hash = hash.ok_or(LoginRefused::WrongCredentials)?;
    store(app, Checked { account_id, hash, rehash: None }, browser, client).await
}

async fn store(
    app: &App,
    checked: Checked,
    browser: &str,
    client: IpAddr,
) -> Result<Begun, LoginRefused> {
    let account_id = checked.account_id;
    let token = new_secret().map_err(AccountsError::from)?;
    let browser = browser.chars().filter(|c| !c.is_control());
    let command = Begin {
        checked,
        token: token.clone(),
        browser: browser.take(BROWSER_CHARS_MAX).collect(),
        address: client.to_string(),
    };
    let by = By::actor(Actor::System);
    match app.run(by.caller(), command).await.map_err(AccountsError::from)? {
        Outcome::Accepted(begun) => {
            let seconds = begun.expires_at.duration_since(app.clock.now()).as_secs();
            let cookie = cookie::given(COOKIE, &token, seconds);
            let state = begun.state;
            Ok(Begun { account_id, session_id: begun.id, state, cookie })
        }
        Outcome::Refused(_) => Err(LoginRefused::WrongCredentials),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

/// Ends a session of an account. Again does nothing. False when it has no such session.
///
/// # Errors
/// The database's.
pub async fn end(app: &App, by: By, account_id: i64, id: i64) -> Result<bool, Error> {
    let outcome = run_and_forget(app, &by, End { account_id, id }).await?;
    Ok(matches!(outcome, Outcome::Accepted(())))
}

/// Ends every session of an account but the one that asks.
///
/// # Errors
/// The database's.
pub async fn end_others(app: &App, session: &Session) -> Result<(), Error> {
    let by = By::actor(session.actor());
    let command = EndOthers { account_id: session.identity.account_id, kept: session.id };
    run_and_forget(app, &by, command).await.map(drop)
}

/// The session of the cookie, if it works, verified or not.
#[derive(Debug, Clone)]
pub(super) struct AnySession(pub(super) Option<Arc<Session>>);

/// Whoever looks, if they are logged in. A cookie that does not work any more is nobody's, and so
/// is that of a session whose second factor was not shown yet.
#[derive(Debug, Clone)]
pub struct MaybeSession(pub Option<Arc<Session>>);

/// Whoever is logged in; others are sent to the login.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Arc<Session>);

/// Somebody of staff or above; customers are refused.
#[derive(Debug, Clone)]
pub struct StaffSession(pub Arc<Session>);

impl FromRequestParts<App> for AnySession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        // A page and its parts ask more than once.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let found = Self(find(parts, app).await?);
        parts.extensions.insert(found.clone());
        Ok(found)
    }
}

impl FromRequestParts<App> for MaybeSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let AnySession(session) = AnySession::from_request_parts(parts, app).await?;
        Ok(Self(session.filter(|session| session.state != SessionState::Unverified)))
    }
}

/// The session of a browser that sends these headers, if it holds and its second factor was shown
/// where one is due. Asking does not prolong it.
pub(crate) async fn of_cookie(
    app: &App,
    headers: &HeaderMap,
) -> Result<Option<Arc<Session>>, Error> {
    let session = any_of_cookie(app, headers).await?;
    Ok(session.filter(|session| session.state != SessionState::Unverified))
}

async fn any_of_cookie(app: &App, headers: &HeaderMap) -> Result<Option<Arc<Session>>, Error> {
    let Some(token) = cookie::sent(headers, COOKIE) else { return Ok(None) };
    let (hash, now) = (token_hash(token.as_bytes()), app.clock.now());
    app.accounts.sessions.identify(hash, now, queries::session(app, hash)).await
}

async fn find(parts: &Parts, app: &App) -> Result<Option<Arc<Session>>, Problem> {
    let Some(session) = any_of_cookie(app, &parts.headers).await? else { return Ok(None) };
    admit_token(&parts.extensions);
    let unless_since = app.clock.now() - TOUCH_EVERY;
    if session.seen_at < unless_since {
        touch(app, session.id, unless_since).await?;
    }
    Ok(Some(session))
}

/// The code of the refusal that leads staff to setting up their second factor.
pub(crate) const SECOND_FACTOR_MISSING: &str = "second_factor_missing";

fn second_factor_missing() -> Problem {
    let detail = "In this shop, staff need a second factor to get into the back office.";
    Problem::forbidden().code(SECOND_FACTOR_MISSING).detail(detail)
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let MaybeSession(session) = MaybeSession::from_request_parts(parts, app).await?;
        session.map(Self).ok_or_else(Problem::unauthorized)
    }
}

impl FromRequestParts<App> for StaffSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        if session.identity.role < Role::Staff {
            return Err(Problem::forbidden());
        }
        if app.shop.staff_second_factor && session.state != SessionState::Verified {
            return Err(second_factor_missing());
        }
        Ok(Self(session))
    }
}
