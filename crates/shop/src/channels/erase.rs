//! Erasing people's data of shipments when their time is over.
//!
//! What stays tells nobody who somebody is: what was sold, when, and how it went. A shipment is
//! erased once, and the crawler stores no more of people then.

use jiff::Timestamp;
use runout_store::{Result, Rows, Statement, Step, Transaction};

use super::bol::shapes;
use super::sql;
use crate::App;
use crate::platform::command::columns;

/// Shipments of one transaction.
const BATCH: i64 = 500;

/// Erases what is due. Gives how many shipments that were.
///
/// # Errors
/// The database's; what was erased before stays erased.
pub async fn erase_due(app: &App) -> Result<usize> {
    let mut total = 0;
    loop {
        let erased = app.db.transact(Erase { now: app.clock.now() }).await?;
        total += erased;
        if erased < BATCH as usize {
            return Ok(total);
        }
    }
}

struct Erase {
    now: Timestamp,
}

/// The provider's words without what they say of people; what cannot be read is not kept.
fn without_people(raw: Option<String>) -> Option<String> {
    let json = serde_json::from_str(&raw?).ok()?;
    Some(shapes::without_personal_data(&json).to_string())
}

impl Transaction for Erase {
    type Output = usize;

    fn name(&self) -> &'static str {
        "erase_shipments"
    }

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&sql::ERASE_DUE, vec![self.now.into(), BATCH.into()])]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<usize>> {
        let due = loaded[0].map(|row| Ok((row.get::<i64>(0)?, row.get(1)?)))?;
        let row = |(id, raw): (i64, Option<String>)| {
            vec![id.into(), without_people(raw).into(), self.now.into()]
        };
        let rows: Vec<_> = due.into_iter().map(row).collect();
        let count = rows.len();
        Ok(Step::Store(vec![Statement::bulk(&sql::ERASE, columns(rows, 3))], count))
    }
}
