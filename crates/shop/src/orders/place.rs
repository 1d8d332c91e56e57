//! Placing and cancelling, for every door: the API, the predecessors' routes.

use std::collections::HashMap;

use runout_core::ids::{AccountId, OrderId, VariantId};
use runout_core::money::Currency;
use runout_core::order::Illegal;
use runout_core::stock::{
    ActOutcome, Asked, By, Cancel, CancelOutcome, Command, KeyOwner, LineRequest, Outcome,
    Remembered, Sell, SellOutcome,
};

use super::queries::Viewer;
use super::{OrderOut, queries};
use crate::App;
use crate::platform::command::Key;
use crate::platform::problem::{FieldError, Problem};
use crate::stock::Undecided;

/// How a line names what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineRef {
    Variant(i64),
    /// The default variant of a product.
    Product(i64),
    Sku(String),
}

/// Why no order came of it.
#[derive(Debug)]
pub enum PlaceRefused {
    /// Lines, by index, that name no variant.
    Unknown(Vec<usize>),
    Refused(SellOutcome),
    KeyReused,
    /// There is none, or it is somebody else's.
    NotFound,
    AlreadyCancelled,
    /// It is in a state in which this cannot happen.
    Illegal(Illegal),
    Act(ActOutcome),
    Undecided(Undecided),
}

impl From<Undecided> for PlaceRefused {
    fn from(error: Undecided) -> Self {
        Self::Undecided(error)
    }
}

impl From<runout_store::Error> for PlaceRefused {
    fn from(error: runout_store::Error) -> Self {
        Self::Undecided(Undecided::Store(error))
    }
}

/// An order, and whether this is the repetition of an earlier answer.
#[derive(Debug)]
pub struct Done {
    pub order: OrderOut,
    pub replayed: bool,
}

/// Places an order for the account: all lines or none.
///
/// # Errors
/// [`PlaceRefused`], with everything that the buyer needs to know.
pub async fn place(
    app: &App,
    account: i64,
    lines: &[(LineRef, i64)],
    currency: Currency,
    pay_within_s: Option<i64>,
    key: Option<Key>,
) -> Result<Done, PlaceRefused> {
    let lines = resolve(app, lines).await?;
    let account = AccountId(account);
    let command = Command::Sell(Sell { account, lines, currency, pay_within_s });
    let answer = app.stock.ask(Asked { command, key: core_key(account.into(), key) }).await?;
    match answer.outcome {
        Outcome::Sell(SellOutcome::Placed(placed)) => {
            Ok(Done { order: OrderOut::from(&*placed), replayed: answer.replayed })
        }
        Outcome::Sell(refused) => Err(PlaceRefused::Refused(refused)),
        other => remembered(app, other).await,
    }
}

/// Cancels an order of `by`, or any order if that is staff.
///
/// # Errors
/// [`PlaceRefused`].
pub async fn cancel(
    app: &App,
    order: OrderId,
    by: By,
    key: Option<Key>,
) -> Result<Done, PlaceRefused> {
    let command = Command::Cancel(Cancel { order, by });
    let key = owner_of(by).and_then(|owner| core_key(owner, key));
    let answer = app.stock.ask(Asked { command, key }).await?;
    match answer.outcome {
        Outcome::Cancel(CancelOutcome::Cancelled { order }) => {
            found(app, order, answer.replayed).await
        }
        Outcome::Cancel(CancelOutcome::AlreadyCancelled { order }) if answer.replayed => {
            found(app, order, true).await
        }
        Outcome::Cancel(CancelOutcome::AlreadyCancelled { .. }) => {
            Err(PlaceRefused::AlreadyCancelled)
        }
        Outcome::Cancel(CancelOutcome::TooLate(illegal)) => Err(PlaceRefused::Illegal(illegal)),
        Outcome::Cancel(CancelOutcome::NotFound) => Err(PlaceRefused::NotFound),
        other => remembered(app, other).await,
    }
}

/// The answer to a repetition: the order that the key led to, as it is now.
pub(crate) async fn remembered(app: &App, outcome: Outcome) -> Result<Done, PlaceRefused> {
    match outcome {
        Outcome::Replayed(Remembered::Order(order)) => found(app, order, true).await,
        _ => Err(PlaceRefused::KeyReused),
    }
}

pub(super) async fn found(app: &App, order: OrderId, replayed: bool) -> Result<Done, PlaceRefused> {
    let order = queries::one(&app.db, order, Viewer::All).await?.ok_or(PlaceRefused::NotFound)?;
    Ok(Done { order, replayed })
}

impl LineRef {
    /// From a body's fields, of which one must be there.
    ///
    /// # Errors
    /// 422, if it is not exactly one.
    pub(crate) fn one_of(
        variant_id: Option<i64>,
        product_id: Option<i64>,
        sku: Option<&str>,
        pointer: &str,
    ) -> Result<Self, Problem> {
        match (variant_id, product_id, sku) {
            (Some(id), None, None) => Ok(LineRef::Variant(id)),
            (None, Some(id), None) => Ok(LineRef::Product(id)),
            (None, None, Some(sku)) => Ok(LineRef::Sku(sku.to_owned())),
            _ => {
                let detail = "Name one of variant_id, product_id and sku.";
                Err(Problem::validation(vec![FieldError::new(pointer, "one_of", detail)]))
            }
        }
    }
}

/// The variant that is meant.
///
/// # Errors
/// 409 `not_for_sale` if there is none.
pub(crate) async fn resolve_one(app: &App, wanted: LineRef) -> Result<i64, Problem> {
    let lines = resolve(app, &[(wanted, 1)]).await?;
    Ok(lines[0].variant.0)
}

async fn resolve(app: &App, lines: &[(LineRef, i64)]) -> Result<Vec<LineRequest>, PlaceRefused> {
    let (mut products, mut skus) = (Vec::new(), Vec::new());
    for (wanted, _) in lines {
        match wanted {
            LineRef::Variant(_) => {}
            LineRef::Product(id) => products.push(*id),
            LineRef::Sku(sku) => skus.push(sku.clone()),
        }
    }
    let (products, skus): (HashMap<i64, i64>, HashMap<String, i64>) =
        queries::resolve(&app.db, products, skus).await?;
    let mut resolved = Vec::with_capacity(lines.len());
    let mut unknown = Vec::new();
    for (index, (wanted, quantity)) in lines.iter().enumerate() {
        let variant = match wanted {
            LineRef::Variant(id) => Some(*id),
            LineRef::Product(id) => products.get(id).copied(),
            LineRef::Sku(sku) => skus.get(sku).copied(),
        };
        match variant {
            Some(id) => {
                resolved.push(LineRequest { variant: VariantId(id), quantity: *quantity });
            }
            None => unknown.push(index),
        }
    }
    if unknown.is_empty() { Ok(resolved) } else { Err(PlaceRefused::Unknown(unknown)) }
}

/// Whose word the key of an act on an order is.
pub(crate) fn owner_of(by: By) -> Option<KeyOwner> {
    match by {
        By::Owner(account) | By::Staff(account) => Some(account.into()),
        By::Guest(basket) => Some(basket.into()),
        By::Shop => None,
    }
}

pub(crate) fn core_key(owner: KeyOwner, key: Option<Key>) -> Option<runout_core::stock::Key> {
    key.map(|Key { key, fingerprint }| runout_core::stock::Key { owner, key, fingerprint })
}
