//! Who is asking: tokens, their cache, and the extractors that handlers name their actor with.
//!
//! Verified tokens are remembered for [`CACHED_MAX`], under the token's SHA-256, never the token.
//! Each entry carries the epoch that was read before its database read. Whatever may end a token
//! (revocation, deactivation, another role or password) moves the epoch on after its commit, which
//! makes every earlier entry worthless, those of lookups in flight included.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use moka::sync::Cache;
use runout_store::{Error, Statement};
use sha2::{Digest, Sha256};
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::Role;
use super::queries::TOKEN;
use crate::App;
use crate::platform::problem::Problem;
use crate::platform::rate::bearer_token;
use crate::platform::request::admit_token;

/// How long a verified token is trusted without asking the database again.
pub const CACHED_MAX: Duration = Duration::from_secs(1);
/// Tokens that are remembered.
const TOKENS_MAX: u64 = 100_000;
/// Every token begins with this, so that leaked ones can be found.
const TOKEN_PREFIX: &str = "rt_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// An authenticated, active account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub account_id: i64,
    pub role: Role,
    pub username: Arc<str>,
    pub token_id: i64,
}

/// SHA-256 of a token: what is stored and looked up.
pub(super) type TokenHash = [u8; 32];

/// Makes a new token.
pub(super) fn new_token() -> Result<String, Error> {
    let mut secret = [0; TOKEN_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::Panicked(format!("no entropy: {error}")))?;
    Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// A token has 256 random bits, so that one round of a fast hash protects it.
pub(super) fn token_hash(token: &[u8]) -> TokenHash {
    Sha256::digest(token).into()
}

#[derive(Clone)]
struct Verified {
    identity: Arc<Identity>,
    expires_at: Timestamp,
    /// When the database was asked, not when it had answered.
    read_at: Instant,
    epoch: u64,
}

/// Remembers verified tokens.
pub(super) struct TokenCache {
    verified: Cache<TokenHash, Verified>,
    epoch: AtomicU64,
}

impl Default for TokenCache {
    fn default() -> Self {
        // moka's own time to live keeps the memory small; `read_at` is what the promise rests on.
        let verified = Cache::builder().max_capacity(TOKENS_MAX).time_to_live(CACHED_MAX).build();
        Self { verified, epoch: AtomicU64::new(0) }
    }
}

impl TokenCache {
    /// Forgets every token, also those that are being looked up at the moment. To be called after
    /// the commit of what ends a token.
    pub(super) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self, hash: &TokenHash) -> Option<Verified> {
        let found = self.verified.get(hash)?;
        let current = found.epoch == self.epoch.load(Ordering::SeqCst);
        (current && found.read_at.elapsed() < CACHED_MAX).then_some(found)
    }

    async fn identify(&self, app: &App, token: &[u8]) -> Result<Option<Arc<Identity>>, Error> {
        let hash = token_hash(token);
        let verified = match self.get(&hash) {
            Some(verified) => verified,
            None => match self.read(app, &hash).await? {
                Some(verified) => verified,
                None => return Ok(None),
            },
        };
        Ok((verified.expires_at > app.clock.now()).then_some(verified.identity))
    }

    async fn read(&self, app: &App, hash: &TokenHash) -> Result<Option<Verified>, Error> {
        let (epoch, read_at) = (self.epoch.load(Ordering::SeqCst), Instant::now());
        let statement = Statement::new(&TOKEN, vec![hash.to_vec().into()]);
        let found = app
            .db
            .read_one(statement, |row| {
                let identity = Identity {
                    token_id: row.get(0)?,
                    account_id: row.get(2)?,
                    username: row.get::<String>(3)?.into(),
                    role: Role::read(row, 4)?,
                };
                Ok(Verified {
                    identity: Arc::new(identity),
                    expires_at: row.get(1)?,
                    read_at,
                    epoch,
                })
            })
            .await?;
        if let Some(verified) = &found {
            self.verified.insert(*hash, verified.clone());
        }
        Ok(found)
    }
}

/// The account behind a token, if the token works now. For callers that are not requests, such as
/// the predecessors' routes; handlers take an [`Identity`].
///
/// # Errors
/// The database's.
pub async fn identify(app: &App, token: &[u8]) -> Result<Option<Arc<Identity>>, Error> {
    app.accounts.tokens.identify(app, token).await
}

/// Describes the token in the API's document, as the security scheme `token`.
pub struct TokenSecurity;

impl Modify for TokenSecurity {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", scheme);
    }
}

/// Whoever asks, known or not. A token that does not work is refused rather than ignored.
#[derive(Debug, Clone)]
pub struct MaybeIdentity(pub Option<Identity>);

/// An account of staff or above.
#[derive(Debug, Clone)]
pub struct Staff(pub Identity);

/// A superuser.
#[derive(Debug, Clone)]
pub struct Superuser(pub Identity);

async fn found(parts: &Parts, app: &App) -> Result<Option<Arc<Identity>>, Problem> {
    let Some(token) = sent_token(&parts.headers)? else { return Ok(None) };
    let identity = identify(app, token).await?.ok_or_else(Problem::unauthorized)?;
    admit_token(&parts.extensions);
    Ok(Some(identity))
}

/// None without an Authorization field; 401 when it holds something else than a token.
fn sent_token(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    bearer_token(headers).map(Some).ok_or_else(Problem::unauthorized)
}

impl FromRequestParts<App> for MaybeIdentity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(found(parts, app).await?.map(|identity| Identity::clone(&identity))))
    }
}

impl FromRequestParts<App> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let identity = found(parts, app).await?.ok_or_else(Problem::unauthorized)?;
        Ok(Identity::clone(&identity))
    }
}

async fn at_least(role: Role, parts: &mut Parts, app: &App) -> Result<Identity, Problem> {
    let identity = Identity::from_request_parts(parts, app).await?;
    if identity.role < role { Err(Problem::forbidden()) } else { Ok(identity) }
}

impl FromRequestParts<App> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Staff, parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for Superuser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(Role::Superuser, parts, app).await.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(epoch: u64) -> Verified {
        let identity =
            Identity { account_id: 1, role: Role::Customer, username: "ana".into(), token_id: 1 };
        Verified {
            identity: Arc::new(identity),
            expires_at: Timestamp::MAX,
            read_at: Instant::now(),
            epoch,
        }
    }

    #[test]
    fn forgetting_holds_against_a_lookup_in_flight() {
        let cache = TokenCache::default();
        let epoch_of_the_lookup = cache.epoch.load(Ordering::SeqCst);
        cache.forget_all();
        cache.verified.insert([1; 32], verified(epoch_of_the_lookup));
        assert!(cache.get(&[1; 32]).is_none());
        cache.verified.insert([1; 32], verified(epoch_of_the_lookup + 1));
        assert!(cache.get(&[1; 32]).is_some());
    }

    #[test]
    fn an_entry_is_trusted_for_a_second_from_its_read() {
        let cache = TokenCache::default();
        for (age, trusted) in [(0, true), (900, true), (1_000, false), (1_500, false)] {
            let mut entry = verified(0);
            entry.read_at -= Duration::from_millis(age);
            cache.verified.insert([1; 32], entry);
            assert_eq!(cache.get(&[1; 32]).is_some(), trusted, "{age} ms");
        }
    }

    #[test]
    fn tokens_are_long_distinct_and_hashed() {
        let (one, two) = (new_token().expect("entropy"), new_token().expect("entropy"));
        assert!(one.starts_with("rt_") && one.len() == 46, "{one}");
        assert_ne!(one, two);
        assert_ne!(token_hash(one.as_bytes()), token_hash(two.as_bytes()));
    }

    #[test]
    fn both_schemes_are_read_and_others_refused() {
        for (value, token) in [
            ("Bearer rt_x", Some("rt_x")),
            ("bearer rt_x", Some("rt_x")),
            ("TOKEN rt_x", Some("rt_x")),
            ("Basic eDp5", None),
            ("rt_x", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().expect("a header value"));
            let sent = sent_token(&headers);
            assert_eq!(sent.ok().flatten(), token.map(str::as_bytes), "{value}");
        }
        assert!(matches!(sent_token(&HeaderMap::new()), Ok(None)));
    }
}
