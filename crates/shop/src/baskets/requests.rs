//! What can be done with a basket, for every door: the API, the pages, the login.

use std::sync::Arc;

use runout_core::ids::{AccountId, BasketId, VariantId};
use runout_core::money::Currency;
use runout_core::stock::{
    Asked, BasketOutcome, BasketStatus, BasketView, Command as Stock, Extend, Holder, Merge,
    Outcome, SetLine,
};
use runout_store::{Error, Result, Rows, Statement};

use super::commands::{DISCOUNT_OF_CODE, INSERT_BASKET, LOCK_BASKET, SET_DISCOUNT};
use super::holder::{new_token, token_hash};
use super::queries;
use super::refusals::refused;
use super::show::BasketOut;
use crate::App;
use crate::orders::undecided;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome as Ran};
use crate::platform::problem::Problem;

/// A basket, and whether it was made just now.
pub(super) struct Made {
    pub basket: BasketOut,
    pub is_new: bool,
}

/// Makes a guest's basket, with a token that is told this once.
pub(super) async fn make_for_guest(app: &App, currency: Currency) -> Result<Made, Problem> {
    let token = new_token()?;
    let hash = token_hash(token.as_bytes());
    let id = insert(app, Some(hash), None, currency).await?;
    let basket = BasketOut { token: Some(token), ..empty(app, id, None, currency) };
    Ok(Made { basket, is_new: true })
}

/// The account's open basket in the currency; made if there is none.
pub(super) async fn make_for_account(
    app: &App,
    account: i64,
    currency: Currency,
) -> Result<Made, Problem> {
    if let Some(id) = queries::open_of(&app.db, account, currency).await? {
        return Ok(Made { basket: show(app, id).await?, is_new: false });
    }
    match insert(app, None, Some(account), currency).await {
        Ok(id) => Ok(Made { basket: empty(app, id, Some(account), currency), is_new: true }),
        // Another request was faster: its basket is the one.
        Err(error) if error.is_constraint("basket_account_id_currency_key") || is_open(&error) => {
            let id = queries::open_of(&app.db, account, currency).await?;
            let id = id.ok_or_else(|| Problem::from(error))?;
            Ok(Made { basket: show(app, id).await?, is_new: false })
        }
        Err(error) => Err(error.into()),
    }
}

fn is_open(error: &Error) -> bool {
    error.is_constraint("basket_open")
}

/// A basket that was made just now.
fn empty(app: &App, id: i64, account: Option<i64>, currency: Currency) -> BasketOut {
    let view = BasketView {
        id: BasketId(id),
        account: account.map(AccountId),
        currency,
        status: BasketStatus::Open,
        order: None,
        discount: None,
        lines: Vec::new(),
    };
    BasketOut::new(&view, app.clock.now(), None)
}

async fn insert(
    app: &App,
    token_hash: Option<[u8; 32]>,
    account: Option<i64>,
    currency: Currency,
) -> Result<i64> {
    let id = app.ids.baskets.take(&app.db, 1).await?.start;
    let command = Insert { id, token_hash, account, currency };
    match app.run(Caller::default(), command).await? {
        Ran::Accepted(id) => Ok(id),
        Ran::Refused(never) => match never {},
        Ran::Replayed { .. } | Ran::KeyReused => unreachable!("it is asked without a key"),
    }
}

struct Insert {
    id: i64,
    token_hash: Option<[u8; 32]>,
    account: Option<i64>,
    currency: Currency,
}

/// Nothing of the kind can happen.
#[derive(Debug)]
pub(super) enum Never {}

impl Command for Insert {
    type Accepted = i64;
    type Refused = Never;
    const NAME: &'static str = "make_basket";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<i64, Never>> {
        let params = vec![
            self.id.into(),
            self.token_hash.map(|hash| hash.to_vec()).into(),
            self.account.into(),
            self.currency.code().into(),
            changes.now.into(),
        ];
        changes.store(Statement::new(&INSERT_BASKET, params));
        Ok(Decision::Accept(self.id))
    }

    fn records_max(&self) -> i64 {
        0
    }
}

async fn show(app: &App, id: i64) -> Result<BasketOut, Problem> {
    let found = queries::find(&app.db, id).await?;
    let found = found.ok_or_else(|| Problem::not_found("basket"))?;
    Ok(queries::show(&app.db, found, app.clock.now()).await?)
}

/// The basket, for whoever may open it.
///
/// # Errors
/// 404 for anybody else's.
pub(super) async fn read(app: &App, id: i64, by: Holder) -> Result<BasketOut, Problem> {
    let found = queries::find(&app.db, id).await?.filter(|found| match by {
        Holder::Account(account) => found.account == Some(account),
        Holder::Token(hash) => found.token_hash.as_deref() == Some(&hash[..]),
    });
    let found = found.ok_or_else(|| Problem::not_found("basket"))?;
    Ok(queries::show(&app.db, found, app.clock.now()).await?)
}

/// Makes a line hold so many units.
pub(super) async fn set_line(
    app: &App,
    (basket, by): (i64, Holder),
    (variant, quantity): (i64, i64),
) -> Result<BasketOut, Problem> {
    let (basket, variant) = (BasketId(basket), VariantId(variant));
    ask(app, Stock::SetLine(SetLine { basket, by, variant, quantity })).await
}

/// Extends the holds, and takes lapsed ones anew.
pub(super) async fn extend(app: &App, basket: i64, by: Holder) -> Result<BasketOut, Problem> {
    ask(app, Stock::Extend(Extend { basket: BasketId(basket), by })).await
}

/// Puts the guest's basket that a token opens into the account's open one.
///
/// # Errors
/// 404 if the token opens none; what [`refused`] says.
pub(crate) async fn merge_guest(
    app: &App,
    account: i64,
    token: &[u8],
) -> Result<BasketOut, Problem> {
    let hash = token_hash(token);
    let guest = queries::by_token(&app.db, &hash).await?;
    let guest = guest.ok_or_else(|| Problem::not_found("basket"))?;
    let into = make_for_account(app, account, guest.currency).await?.basket.id;
    let (account, into) = (AccountId(account), BasketId(into));
    ask(app, Stock::Merge(Merge { guest: guest.id, token: hash, account, into })).await
}

async fn ask(app: &App, command: Stock) -> Result<BasketOut, Problem> {
    match decide(app, command).await? {
        BasketOutcome::Kept(view) => kept(app, view).await,
        refusal => Err(refused(refusal)),
    }
}

/// [`set_line`] for whoever tells the refusal in words of their own. `Kept`, or why not.
pub(super) async fn try_set_line(
    app: &App,
    (basket, by): (i64, Holder),
    (variant, quantity): (i64, i64),
) -> Result<BasketOutcome, Problem> {
    let (basket, variant) = (BasketId(basket), VariantId(variant));
    decide(app, Stock::SetLine(SetLine { basket, by, variant, quantity })).await
}

async fn decide(app: &App, command: Stock) -> Result<BasketOutcome, Problem> {
    let answer = app.stock.ask(Asked { command, key: None }).await.map_err(undecided)?;
    match answer.outcome {
        Outcome::Basket(outcome) => Ok(outcome),
        other => unreachable!("a basket's command has a basket's outcome, not {other:?}"),
    }
}

/// The basket as the writer left it. A discount is looked up: few baskets have one.
async fn kept(app: &App, view: Arc<BasketView>) -> Result<BasketOut, Problem> {
    match view.discount {
        Some(_) => show(app, view.id.0).await,
        None => Ok(BasketOut::new(&view, app.clock.now(), None)),
    }
}

/// Why a basket got no discount, or lost none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoDiscount {
    NoBasket,
    NotOpen,
    UnknownCode,
}

/// Gives a basket a discount by its code, or takes it away. Whether it can be used is decided at
/// the checkout.
pub(super) struct SetDiscount {
    pub basket: i64,
    pub by: Holder,
    /// As codes are compared.
    pub code_key: Option<String>,
}

impl Command for SetDiscount {
    type Accepted = ();
    type Refused = NoDiscount;
    const NAME: &'static str = "set_basket_discount";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let mut load = vec![Statement::new(&LOCK_BASKET, vec![self.basket.into()])];
        if let Some(key) = &self.code_key {
            load.push(Statement::new(&DISCOUNT_OF_CODE, vec![key.as_str().into()]));
        }
        load
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<(), NoDiscount>> {
        let Some(basket) = loaded[0].first() else {
            return Ok(Decision::Refuse(NoDiscount::NoBasket));
        };
        let opens = match self.by {
            Holder::Token(hash) => basket.get::<Option<Vec<u8>>>(0)?.as_deref() == Some(&hash[..]),
            Holder::Account(account) => basket.get::<Option<i64>>(1)? == Some(account.0),
        };
        if !opens {
            return Ok(Decision::Refuse(NoDiscount::NoBasket));
        }
        if basket.get::<String>(2)? != "open" {
            return Ok(Decision::Refuse(NoDiscount::NotOpen));
        }
        let discount = match loaded.get(1) {
            Some(rows) => match rows.first() {
                Some(row) => Some(row.get::<i64>(0)?),
                None => return Ok(Decision::Refuse(NoDiscount::UnknownCode)),
            },
            None => None,
        };
        changes.store(Statement::new(&SET_DISCOUNT, vec![self.basket.into(), discount.into()]));
        Ok(Decision::Accept(()))
    }

    fn records_max(&self) -> i64 {
        0
    }
}

/// Gives a basket a discount by its code, or takes it away.
///
/// # Errors
/// The database's.
pub(super) async fn change_discount(
    app: &App,
    change: SetDiscount,
) -> Result<Result<(), NoDiscount>> {
    match app.run(Caller::default(), change).await? {
        Ran::Accepted(()) => Ok(Ok(())),
        Ran::Refused(why) => Ok(Err(why)),
        Ran::Replayed { .. } | Ran::KeyReused => unreachable!("it is asked without a key"),
    }
}
