//! What can be done to an order that was placed, for every door: the API, the back office, the
//! jobs.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use runout_core::ids::{AccountId, OrderId};
use runout_core::stock::{Act, ActOutcome, Asked, By, Command, OrderAct, Outcome};

use super::payments;
use super::place::{Done, PlaceRefused, cancel, core_key, found, owner_of, remembered};
use super::queries::Viewer;
use crate::App;
use crate::accounts::{Capability, Identity, Verb};
use crate::baskets::{queries as baskets, sent_basket_token, token_hash};
use crate::platform::command::Key;
use crate::platform::problem::Problem;

/// Does it, once per key.
///
/// # Errors
/// [`PlaceRefused`].
pub(crate) async fn act(
    app: &App,
    order: OrderId,
    by: By,
    act: Act,
    key: Option<Key>,
) -> Result<Done, PlaceRefused> {
    let command = Command::Act(Box::new(OrderAct { order, by, act }));
    let key = owner_of(by).and_then(|owner| core_key(owner, key));
    let answer = app.stock.ask(Asked { command, key }).await?;
    match answer.outcome {
        Outcome::Act(ActOutcome::Done { order, .. } | ActOutcome::Nothing { order }) => {
            found(app, order, answer.replayed).await
        }
        Outcome::Act(refusal) => Err(PlaceRefused::Act(refusal)),
        other => remembered(app, other).await,
    }
}

/// Cancels an order of which nothing has left, and sends its money back.
///
/// # Errors
/// [`PlaceRefused`].
pub(crate) async fn call_off(
    app: &App,
    order: OrderId,
    by: By,
    key: Option<Key>,
) -> Result<Done, PlaceRefused> {
    let done = cancel(app, order, by, key).await?;
    Ok(payments::send_refunds(app, done).await)
}

/// Sends money back: so much, or all that is left.
///
/// # Errors
/// [`PlaceRefused`].
pub(crate) async fn refund(
    app: &App,
    order: OrderId,
    by: By,
    (amount_minor, note): (Option<i64>, Option<String>),
    key: Option<Key>,
) -> Result<Done, PlaceRefused> {
    let done = act(app, order, by, Act::Refund { amount_minor, note }, key).await?;
    Ok(payments::send_refunds(app, done).await)
}

/// Who acts on orders: an account with its token, or a guest with that of the basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderActor {
    pub by: By,
}

impl OrderActor {
    /// Which orders they see.
    pub(crate) fn viewer(self) -> Viewer {
        match self.by {
            By::Staff(_) | By::Shop => Viewer::All,
            By::Owner(account) => Viewer::Account(account.0),
            By::Guest(basket) => Viewer::Basket(basket.0),
        }
    }

    /// # Errors
    /// 403 for anybody else than staff.
    pub(crate) fn staff(self) -> Result<By, Problem> {
        match self.by {
            By::Staff(_) => Ok(self.by),
            By::Owner(_) | By::Guest(_) | By::Shop => Err(Problem::forbidden()),
        }
    }
}

impl OrderActor {
    /// Staff for those who may do this with orders; everybody else with their own.
    pub(crate) fn of(identity: &Identity, verb: Verb) -> Self {
        let account = AccountId(identity.account_id);
        let is_staff = identity.may(Capability::Orders, verb);
        Self { by: if is_staff { By::Staff(account) } else { By::Owner(account) } }
    }
}

/// Whoever changes orders.
impl From<&Identity> for OrderActor {
    fn from(identity: &Identity) -> Self {
        Self::of(identity, Verb::Change)
    }
}

impl FromRequestParts<App> for OrderActor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(token) = sent_basket_token(&parts.headers) {
            let basket = baskets::by_token(&app.db, &token_hash(token)).await?;
            let basket = basket.ok_or_else(Problem::unauthorized)?;
            return Ok(Self { by: By::Guest(basket.id) });
        }
        let verb = if parts.method.is_safe() { Verb::View } else { Verb::Change };
        Ok(Self::of(&Identity::from_request_parts(parts, app).await?, verb))
    }
}
