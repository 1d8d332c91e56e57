//! Who opens a basket: an account with its token, a guest with the basket's.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runout_core::ids::AccountId;
use runout_core::stock::Holder;
use runout_store::Error;
use sha2::{Digest, Sha256};
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

use crate::App;
use crate::accounts::Identity;
use crate::platform::problem::Problem;

/// The cookie that holds the token of a guest's basket.
pub const BASKET_COOKIE: &str = "__Host-basket";
/// Every basket's token begins with this, so that leaked ones can be found.
const TOKEN_PREFIX: &str = "rb_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// The scheme of the Authorization field.
const SCHEME: &str = "basket ";

/// Makes a guest's token.
pub(super) fn new_token() -> Result<String, Error> {
    let mut secret = [0; TOKEN_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::Panicked(format!("no entropy: {error}")))?;
    Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// What is stored of a token: it has 256 random bits, so that one round of a fast hash protects it.
pub(crate) fn token_hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The token in `Authorization: Basket TOKEN`.
pub(crate) fn sent_basket_token(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) && !token.is_empty()).then_some(token)
}

/// Whoever asks for a basket: 401 for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BasketHolder(pub Holder);

impl FromRequestParts<App> for BasketHolder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(token) = sent_basket_token(&parts.headers) {
            return Ok(Self(Holder::Token(token_hash(token))));
        }
        let identity = Identity::from_request_parts(parts, app).await?;
        Ok(Self(Holder::Account(AccountId(identity.account_id))))
    }
}

/// Describes the basket's token in the API's document, as the security scheme `basket`.
pub struct BasketSecurity;

impl Modify for BasketSecurity {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let value = ApiKeyValue::with_description(
            "Authorization",
            "A guest's basket: `Basket TOKEN`, with the token that the basket was made with.",
        );
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(value));
        components.add_security_scheme("basket", scheme);
    }
}
