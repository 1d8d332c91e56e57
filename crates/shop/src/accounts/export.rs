//! Everything that the shop holds about a person, for that person.

use jiff::Timestamp;
use runout_store::Error;
use serde::Serialize;

use super::queries::{self, Audited, FactorState, OpenSession, Token};
use super::{Account, Session};
use crate::addresses::queries::StoredAddress;
use crate::baskets::BasketOut;
use crate::journal::queries::Written;
use crate::orders::OrderOut;
use crate::payments::methods::{self, StoredMethod};
use crate::{App, addresses, baskets, journal, orders};

/// Orders of an export, the newest; an account with more hears how many are left out.
pub const ORDERS_MAX: i64 = 5_000;
/// Orders that are read at a time.
const PAGE: i64 = 100;
/// Posts, and comments, of an export.
pub const WRITTEN_MAX: i64 = 5_000;
/// Rows of the audit in an export, the newest.
const AUDIT_MAX: i64 = 1_000;

/// What the shop holds. Secrets are not in it: of most of them only hashes are kept.
#[derive(Debug, Serialize)]
pub struct Export {
    pub exported_at: Timestamp,
    pub account: Account,
    pub second_factor: Factor,
    pub addresses: Vec<StoredAddress>,
    /// With lines, payments, refunds and fulfilments, newest first.
    pub orders: Vec<OrderOut>,
    pub orders_left_out: i64,
    pub baskets: Vec<BasketOut>,
    pub payment_methods: Vec<StoredMethod>,
    /// Posts and comments, the newest [`WRITTEN_MAX`] of each.
    pub journal: Written,
    pub sessions: Vec<OpenSession>,
    pub tokens: Vec<Token>,
    /// What was done to the account, newest first.
    pub audit: Vec<Audited>,
}

/// What is told about a second factor.
#[derive(Debug, Serialize)]
pub struct Factor {
    pub on_since: Option<Timestamp>,
    pub recovery_codes_left: i64,
}

impl From<FactorState> for Factor {
    fn from(state: FactorState) -> Self {
        match state {
            FactorState::Off | FactorState::Begun { .. } => {
                Self { on_since: None, recovery_codes_left: 0 }
            }
            FactorState::On { since, codes_left } => {
                Self { on_since: Some(since), recovery_codes_left: codes_left }
            }
        }
    }
}

/// Gathers it; None when the account is gone.
///
/// # Errors
/// The database's.
pub async fn export(app: &App, session: &Session) -> Result<Option<Export>, Error> {
    let id = session.identity.account_id;
    let Some(account) = queries::account(app, id).await? else { return Ok(None) };
    let orders = newest_orders(app, id).await?;
    let count = orders::queries::count(&app.db, id).await?;
    let shown = i64::try_from(orders.len()).expect("no more than the limit");
    let now = app.clock.now();
    Ok(Some(Export {
        exported_at: now,
        account,
        second_factor: queries::factor(app, id).await?.into(),
        addresses: addresses::queries::of_account(app, id).await?,
        orders,
        orders_left_out: (count - shown).max(0),
        baskets: baskets::queries::open_baskets(&app.db, id, now).await?,
        payment_methods: methods::list(app, id).await?,
        journal: journal::queries::written_by(app, id, WRITTEN_MAX).await?,
        sessions: queries::sessions(app, session).await?,
        tokens: queries::tokens(app, id, None).await?,
        audit: queries::audited(app, id, AUDIT_MAX).await?,
    }))
}

async fn newest_orders(app: &App, account: i64) -> Result<Vec<OrderOut>, Error> {
    let mut all = Vec::new();
    while (all.len() as i64) < ORDERS_MAX {
        let seen = all.len() as i64;
        let page = orders::queries::history(&app.db, account, PAGE, seen).await?;
        let last = (page.len() as i64) < PAGE;
        all.extend(page);
        if last {
            break;
        }
    }
    Ok(all)
}
