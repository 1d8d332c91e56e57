//! Who is asking: tokens, and the extractors that handlers name their actor with.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runout_store::Error;
use sha2::{Digest, Sha256};
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::permissions::{Deed, Part, Permissions};
use super::verified::SecretHash;
use super::{Role, queries};
use crate::App;
use crate::platform::problem::Problem;
use crate::platform::rate::bearer_token;
use crate::platform::request::admit_token;

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
    /// What it may do as staff; customers have none.
    pub permissions: Permissions,
    /// None: in a browser, see [`super::Session`].
    pub token_id: Option<i64>,
}

/// Makes a new token.
pub(super) fn new_token() -> Result<String, Error> {
    Ok(format!("{TOKEN_PREFIX}{}", new_secret()?))
}

/// 256 random bits as text.
pub(super) fn new_secret() -> Result<String, Error> {
    let mut secret = [0; TOKEN_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::Panicked(format!("no entropy: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

/// A token has 256 random bits, so that one round of a fast hash protects it.
pub(super) fn token_hash(token: &[u8]) -> SecretHash {
    Sha256::digest(token).into()
}

/// The account behind a token, if the token works now. For callers that are not requests, such as
/// the predecessors' routes; handlers take an [`Identity`].
///
/// # Errors
/// The database's.
pub async fn identify(app: &App, token: &[u8]) -> Result<Option<Arc<Identity>>, Error> {
    let hash = token_hash(token);
    app.accounts.tokens.identify(hash, app.clock.now(), queries::token(app, hash)).await
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

/// An account of staff or above that may do `To` on `On`: `Staff<on::Stock, to::View>`. A handler
/// cannot ask for staff without saying for what.
#[derive(Debug, Clone)]
pub struct Staff<On, To>(pub Identity, pub PhantomData<(On, To)>);

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

impl<On: Part, To: Deed> FromRequestParts<App> for Staff<On, To> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let identity = Identity::from_request_parts(parts, app).await?;
        identity.require(On::CAPABILITY, To::VERB)?;
        Ok(Self(identity, PhantomData))
    }
}

impl FromRequestParts<App> for Superuser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let identity = Identity::from_request_parts(parts, app).await?;
        if identity.role < Role::Superuser { Err(Problem::forbidden()) } else { Ok(Self(identity)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
