//! Signing up and withdrawing, as the API and the pages do it.

use runout_core::event::{Command, Outcome, Wish};
use runout_core::ids::{AccountId, EventId};

use super::queries::{self, Attendance};
use super::refusals::{refusal, undecided};
use crate::App;
use crate::platform::problem::Problem;

async fn ask(app: &App, event_id: i64, account_id: i64, wish: Wish) -> Result<Outcome, Problem> {
    let (event, account) = (EventId(event_id), AccountId(account_id));
    let asked = app.attendance.ask(Command { event, account, wish }).await;
    let outcome = asked.map_err(undecided)?;
    refusal(&outcome).map_or(Ok(outcome), Err)
}

/// Signs an account up, or puts it on the waiting list. Again does nothing. None if it withdrew in
/// the same moment.
///
/// # Errors
/// 404; 409 `event_cancelled`, `event_over`, `event_ticketed`; 503.
pub async fn sign_up(
    app: &App,
    event_id: i64,
    account_id: i64,
) -> Result<Option<Attendance>, Problem> {
    ask(app, event_id, account_id, Wish::SignUp).await?;
    Ok(queries::attendance(app, event_id, account_id).await?)
}

/// Withdraws an account; the first of the waiting list takes its place. Who had not signed up need
/// not withdraw: that is no error.
///
/// # Errors
/// 404; 409 `event_cancelled`, `event_over`; 503.
pub async fn withdraw(app: &App, event_id: i64, account_id: i64) -> Result<(), Problem> {
    ask(app, event_id, account_id, Wish::Withdraw).await.map(drop)
}
