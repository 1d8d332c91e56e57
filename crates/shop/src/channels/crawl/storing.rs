//! Stores batches, whatever the database says to them.

use std::sync::Arc;
use std::time::Duration;

use runout_store::{Db, Error, Result};

use super::settle::{Ended, Fruit, Settle, Stored};

/// Pause after the database could not store.
const PAUSE: Duration = Duration::from_millis(200);

/// Stores a batch. A database that does not answer is waited for. What it refuses for a reason of
/// its own is stored channel by channel, and a shipment that cannot be stored is quarantined, so
/// that it does not keep all others waiting.
pub(super) async fn store(db: &Db, settle: Settle) -> Vec<Stored> {
    let settle = Arc::new(settle);
    let error = match once(db, &settle).await {
        Ok(stored) => return stored,
        Err(error) => error,
    };
    tracing::error!(%error, "what came of calls cannot be stored: each channel for itself now");
    let mut stored = Vec::new();
    for channel in &settle.channels {
        let of = |ended: &&Ended| ended.channel_id == channel.channel_id;
        let mut alone = Settle {
            channels: vec![channel.clone()],
            ended: settle.ended.iter().filter(of).cloned().collect(),
            holder: Arc::clone(&settle.holder),
            now: settle.now,
        };
        loop {
            match once(db, &Arc::new(alone.clone())).await {
                Ok(mut one) => break stored.append(&mut one),
                Err(error) => {
                    let channel_id = channel.channel_id;
                    tracing::error!(%error, channel_id, "what came of a call cannot be stored");
                    alone.ended.iter_mut().for_each(spoil);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    stored
}

/// Leaves away of an end what the database may have refused.
fn spoil(ended: &mut Ended) {
    if let Fruit::Detail(detail) = &ended.fruit {
        let shipment_id = detail.shipment_id;
        let problem = "The database does not take what the provider says.".to_owned();
        ended.fruit = Fruit::Spoiled { shipment_id, problem, raw: None };
    } else if let Fruit::Page(rows) = &mut ended.fruit {
        rows.iter_mut().for_each(super::rows::ListedRow::strip);
    }
}

/// Stores until the database answers.
async fn once(db: &Db, settle: &Arc<Settle>) -> Result<Vec<Stored>> {
    let mut told = false;
    loop {
        match db.transact_shared(Arc::clone(settle)).await {
            Err(error) if is_passing(&error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "what came of calls could not be stored yet");
                }
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

/// True if the same may be stored another time.
fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::Conflict(_)
            | Error::Unavailable(_)
            | Error::OutcomeUnknown(_)
            | Error::Overloaded
            | Error::Timeout(_)
    )
}
