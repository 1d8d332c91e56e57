//! Whoever shops on the pages: an account by its session, a guest by the basket's cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use runout_core::ids::AccountId;
use runout_core::stock::{BasketStatus, Holder};
use runout_store::Result;

use super::holder::{BASKET_COOKIE, token_hash};
use super::{queries, requests};
use crate::App;
use crate::accounts::{MaybeSession, Session};
use crate::platform::cookie;
use crate::platform::problem::Problem;

/// The cookie with the tokens of the baskets that a guest has bought: they open the orders.
pub(crate) const BOUGHT_COOKIE: &str = "__Host-bought";
/// Between its tokens; none has it.
const BETWEEN: char = '.';
/// Orders that a guest's browser can open; older ones are found by their number at the shop.
const BOUGHT_MAX: usize = 10;
/// How long browsers keep a basket, and what was bought.
const BASKET_SECONDS: i64 = 30 * 24 * 60 * 60;
const BOUGHT_SECONDS: i64 = 180 * 24 * 60 * 60;

/// See the module.
pub(super) struct Shopper {
    pub session: Option<Arc<Session>>,
    /// The guest's token; an account needs none.
    token: Option<String>,
    bought: Vec<String>,
}

/// An open basket, and who opens it.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub id: i64,
    pub by: Holder,
}

impl FromRequestParts<App> for Shopper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let MaybeSession(session) = MaybeSession::from_request_parts(parts, app).await?;
        let token = cookie::sent(&parts.headers, BASKET_COOKIE).filter(|_| session.is_none());
        let token = token.map(str::to_owned);
        let bought = bought_tokens(&parts.headers).map(str::to_owned).collect();
        Ok(Self { session, token, bought })
    }
}

impl Shopper {
    pub(super) fn account(&self) -> Option<i64> {
        self.session.as_ref().map(|session| session.identity.account_id)
    }

    /// Who they are to a basket; none for a guest who has none.
    pub(super) fn holder(&self) -> Option<Holder> {
        match (self.account(), &self.token) {
            (Some(account), _) => Some(Holder::Account(AccountId(account))),
            (None, Some(token)) => Some(Holder::Token(token_hash(token.as_bytes()))),
            (None, None) => None,
        }
    }

    /// Their open basket, if there is one.
    pub(super) async fn basket(&self, app: &App) -> Result<Option<Opened>> {
        let Some(by) = self.holder() else { return Ok(None) };
        let id = match by {
            Holder::Account(account) => queries::open_of(&app.db, account.0, app.currency).await?,
            Holder::Token(hash) => {
                let found = queries::by_token(&app.db, &hash).await?;
                found.filter(|found| found.status == BasketStatus::Open).map(|found| found.id.0)
            }
        };
        Ok(id.map(|id| Opened { id, by }))
    }

    /// Their open basket; a new one, with its cookie for a guest, if there is none.
    pub(super) async fn basket_or_new(
        &self,
        app: &App,
    ) -> Result<(Opened, Option<HeaderValue>), Problem> {
        if let Some(opened) = self.basket(app).await? {
            return Ok((opened, None));
        }
        if let Some(account) = self.account() {
            let made = requests::make_for_account(app, account, app.currency).await?;
            let by = Holder::Account(AccountId(account));
            return Ok((Opened { id: made.basket.id, by }, None));
        }
        let made = requests::make_for_guest(app, app.currency).await?;
        let token = made.basket.token.expect("a guest's new basket comes with its token");
        let cookie = cookie::given(BASKET_COOKIE, &token, BASKET_SECONDS);
        let by = Holder::Token(token_hash(token.as_bytes()));
        Ok((Opened { id: made.basket.id, by }, Some(cookie)))
    }

    /// The order that a basket of theirs became before.
    pub(super) async fn bought(&self, app: &App, basket: i64) -> Result<Option<i64>> {
        for token in &self.bought {
            let hash = token_hash(token.as_bytes());
            let found = queries::by_token(&app.db, &hash).await?;
            if let Some(found) = found.filter(|found| found.id.0 == basket) {
                return Ok(found.order);
            }
        }
        Ok(None)
    }

    /// After a guest's checkout: the basket's token opens the order from now on.
    pub(super) fn cookies_after_checkout(&self) -> Vec<HeaderValue> {
        let Some(token) = &self.token else { return Vec::new() };
        let earlier = self.bought.iter().filter(|earlier| *earlier != token);
        let tokens: Vec<&str> =
            std::iter::once(token).chain(earlier).take(BOUGHT_MAX).map(String::as_str).collect();
        let tokens = tokens.join(&BETWEEN.to_string());
        vec![
            cookie::given(BOUGHT_COOKIE, &tokens, BOUGHT_SECONDS),
            cookie::taken_away(BASKET_COOKIE),
        ]
    }
}

/// The tokens of baskets that a guest's browser has bought.
pub(crate) fn bought_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let sent = cookie::sent(headers, BOUGHT_COOKIE).unwrap_or_default();
    let is_token = |text: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !text.is_empty() && text.bytes().all(fits)
    };
    sent.split(BETWEEN).filter(is_token).take(BOUGHT_MAX)
}
