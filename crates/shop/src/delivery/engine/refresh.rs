//! Deliveries that no change has asked for: a mirror is told of a thing as it is.

use jiff::Timestamp;
use runout_core::delivery::lane_of;
use runout_store::{Error, Result, Rows, Statement, Step, Transaction};

use super::sql;
use super::window::Thing;
use crate::App;
use crate::platform::command::columns;

/// Gives each of the things a delivery to the destination, unless one waits already. `outbox_id` is
/// the event that they are told with. Answers how many it gave one.
///
/// # Errors
/// The database's.
pub(crate) async fn send_for(
    app: &App,
    destination_id: i64,
    things: Vec<Thing>,
    outbox_id: i64,
) -> Result<usize> {
    let now = app.clock.now();
    let given = app.db.transact(SendFor { destination_id, things, outbox_id, now }).await?;
    app.delivery.bell.ring();
    Ok(given)
}

struct SendFor {
    destination_id: i64,
    things: Vec<Thing>,
    outbox_id: i64,
    now: Timestamp,
}

impl Transaction for SendFor {
    type Output = usize;

    fn name(&self) -> &'static str {
        "send_for_things"
    }

    fn load(&self) -> Vec<Statement> {
        let mut statements = vec![Statement::new(&sql::DISPATCH, Vec::new())];
        for thing in &self.things {
            let params = vec![self.destination_id.into(), (&*thing.entity).into(), thing.id.into()];
            statements.push(Statement::new(&super::mirror::sql::WAITS, params));
        }
        statements
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<usize>> {
        let [dispatch, waits @ ..] = loaded else { unreachable!("every load has an answer") };
        let dispatch = dispatch.first();
        let lost = || Error::Decode { column: 0, reason: "dispatch has lost its row".to_owned() };
        let dispatch = dispatch.ok_or_else(lost)?;
        let mut next: i64 = dispatch.get(2)?;
        let mut rows = Vec::new();
        for (thing, waits) in self.things.iter().zip(waits) {
            if waits.first().is_some() {
                continue;
            }
            rows.push(vec![
                self.destination_id.into(),
                next.into(),
                i64::from(lane_of(&thing.entity, thing.id).0).into(),
                self.outbox_id.into(),
                (&*thing.entity).into(),
                thing.id.into(),
                self.now.into(),
            ]);
            next += 1;
        }
        let given = rows.len();
        let statements = vec![
            Statement::bulk(&sql::HAND_OUT, columns(rows, 7)),
            Statement::new(&sql::NEXT_DELIVERY, vec![next.into()]),
        ];
        Ok(Step::Store(statements, given))
    }
}
