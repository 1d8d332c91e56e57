//! What the back office itself records: who took which rows out.

use runout_store::{Result, Rows, Statement};
use serde_json::json;

use super::Clerk;
use super::table::Table;
use crate::platform::command::{Changes, Command, Decision};
use crate::platform::problem::Problem;

/// Records that somebody exports a list.
///
/// # Errors
/// The database's: nothing goes out that is not recorded.
pub(super) async fn record_export(
    clerk: &Clerk,
    table: &'static Table,
    format: &'static str,
    query: String,
) -> Result<(), Problem> {
    let command = Exported { table, format, query };
    clerk.app.run(clerk.caller(), command).await?;
    Ok(())
}

struct Exported {
    table: &'static Table,
    format: &'static str,
    query: String,
}

impl Command for Exported {
    type Accepted = ();
    type Refused = std::convert::Infallible;
    const NAME: &'static str = "record_export";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows], changes: &mut Changes) -> Result<Decision<(), Self::Refused>> {
        let what = json!({ "format": [null, self.format], "query": [null, self.query] });
        // The whole table is meant, no row of it.
        changes.audit("table.export", self.table.slug, 0, what);
        Ok(Decision::Accept(()))
    }
}
