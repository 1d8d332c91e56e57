//! What the desk writes.

pub(super) mod runs;

use std::convert::Infallible;

use runout_core::ids::OrderId;
use runout_store::{Result, Rows, Statement, statements};
use serde_json::json;

use crate::App;
use crate::accounts::Session;
use crate::platform::command::{Caller, Changes, Command, Decision, Key, Outcome};
use crate::stock::Refused;

statements! {
    /// Several nodes add to the same hour.
    ADD_REFUSALS = "insert into refusal_hour (hour, reason, count) values ($1, $2, $3)
        on conflict (hour, reason) do update set count = refusal_hour.count + excluded.count";
}

/// Adds what was counted to what was kept.
struct AddRefusals(Vec<Refused>);

impl Command for AddRefusals {
    type Accepted = ();
    type Refused = Infallible;
    const NAME: &'static str = "add_refusals";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), Infallible>> {
        for refused in &self.0 {
            let count = i64::try_from(refused.count).unwrap_or(i64::MAX);
            let params = vec![refused.hour.into(), refused.reason.name().into(), count.into()];
            changes.store(Statement::new(&ADD_REFUSALS, params));
        }
        Ok(Decision::Accept(()))
    }

    fn records_max(&self) -> i64 {
        0
    }
}

/// Keeps what was counted.
///
/// # Errors
/// The database's.
pub(super) async fn add_refusals(app: &App, refused: Vec<Refused>) -> Result<()> {
    match app.run(Caller::default(), AddRefusals(refused)).await? {
        Outcome::Accepted(()) => Ok(()),
        Outcome::Refused(never) => match never {},
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

/// Puts into the audit trail why staff cancelled an order.
struct NoteReason {
    order: OrderId,
    reason: String,
}

impl Command for NoteReason {
    type Accepted = ();
    type Refused = Infallible;
    const NAME: &'static str = "note_reason";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), Infallible>> {
        let reason = json!({"reason": [null, self.reason]});
        changes.audit("order.cancel_reason", "order", self.order.0, reason);
        Ok(Decision::Accept(()))
    }
}

/// Notes why an order was cancelled, once per key.
///
/// # Errors
/// The database's.
pub(super) async fn note_reason(
    app: &App,
    session: &Session,
    key: Option<Key>,
    order: OrderId,
    reason: String,
) -> Result<()> {
    // The key itself is the cancellation's.
    let key = key.map(|key| Key { key: format!("{}-reason", key.key), ..key });
    let caller = Caller { account_id: Some(session.identity.account_id), key };
    app.run(caller, NoteReason { order, reason }).await.map(drop)
}
