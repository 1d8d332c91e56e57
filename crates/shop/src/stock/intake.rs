//! Goods that an import brings.

use runout_core::ids::{LocationId, VariantId};
use runout_core::stock::{Asked, Command, MoveOutcome, Outcome, Receive};

use super::queries;
use crate::App;
use crate::catalog::import::{Intake, StockIntake};

/// Receives an import's goods through the stock writer.
pub struct Receiving<'a>(pub &'a App);

impl StockIntake for Receiving<'_> {
    async fn receive(&self, intake: Intake) -> Result<(), String> {
        let location = match &intake.location_code {
            None => queries::default_location(&self.0.db).await.map_err(|e| e.to_string())?,
            Some(code) => queries::location_by_code(&self.0.db, code)
                .await
                .map_err(|error| error.to_string())?
                .ok_or_else(|| format!("there is no location {code:?}: add it first"))?,
        };
        let command = Command::Receive(Receive {
            variant: VariantId(intake.variant_id),
            location: LocationId(location),
            quantity: intake.quantity,
            actor: None,
            reason: Some(format!("import of {}", intake.import_key)),
        });
        match self.0.stock.ask(Asked { command, key: None }).await {
            Ok(answer) => match answer.outcome {
                Outcome::Move(MoveOutcome::Moved(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            },
            Err(error) => Err(error.to_string()),
        }
    }
}
