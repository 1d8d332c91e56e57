//! One batch: the commands one after another, in arrival order, on one snapshot.

use jiff::Timestamp;

use super::basket::{self, BasketOutcome};
use super::checkout::{CheckoutOutcome, checkout};
use super::command::{Asked, Command, Key};
use super::known::KnownKey;
use super::life::{self, ActOutcome, CancelOutcome};
use super::merge::merge;
use super::move_stock::{MoveOutcome, adjust, receive, transfer};
use super::sell::{SellOutcome, sell};
use super::snapshot::Snapshot;
use crate::ids::OrderId;

/// What a command came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    Sell(SellOutcome),
    Basket(BasketOutcome),
    Checkout(CheckoutOutcome),
    Cancel(CancelOutcome),
    Act(ActOutcome),
    Move(MoveOutcome),
    /// Lapsed holds were given back.
    Expired,
    /// The same key asked the same before.
    Replayed(Remembered),
    /// The key was used before, for something else.
    KeyReused,
}

/// Where the first answer under a key is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// The order that was placed.
    Order(OrderId),
    /// The answer as it was given: HTTP status and JSON.
    Answer { status: i64, body: String },
    /// An earlier command of this very batch, by its index.
    Earlier(usize),
}

impl Outcome {
    /// True if the command did what it was asked: only then is its key remembered, so that a
    /// refused buyer may try again under the same key.
    pub fn is_done(&self) -> bool {
        matches!(
            self,
            Outcome::Sell(SellOutcome::Placed(_))
                | Outcome::Checkout(CheckoutOutcome::Placed(_))
                | Outcome::Act(ActOutcome::Done { .. } | ActOutcome::Nothing { .. })
                | Outcome::Cancel(
                    CancelOutcome::Cancelled { .. } | CancelOutcome::AlreadyCancelled { .. }
                )
                | Outcome::Move(MoveOutcome::Moved(_))
        )
    }
}

/// Decides every command, in order; one outcome each.
pub fn decide_all<'a>(
    snapshot: &mut Snapshot,
    now: Timestamp,
    asked: impl IntoIterator<Item = &'a Asked>,
) -> Vec<Outcome> {
    basket::expire(snapshot, now);
    let decide = |(index, asked): (usize, &Asked)| {
        if let Some(answer) = asked.key.as_ref().and_then(|key| replay(snapshot, key)) {
            return answer;
        }
        let outcome = match &asked.command {
            Command::Sell(command) => Outcome::Sell(sell(snapshot, now, command)),
            Command::SetLine(command) => Outcome::Basket(basket::set_line(snapshot, now, command)),
            Command::Extend(command) => Outcome::Basket(basket::extend(snapshot, now, command)),
            Command::Merge(command) => Outcome::Basket(merge(snapshot, now, command)),
            Command::Checkout(command) => Outcome::Checkout(checkout(snapshot, now, command)),
            Command::Expire(_) => Outcome::Expired,
            Command::Cancel(command) => Outcome::Cancel(life::cancel(snapshot, now, command)),
            Command::Act(command) => Outcome::Act(life::act(snapshot, now, command)),
            Command::Receive(command) => Outcome::Move(receive(snapshot, command)),
            Command::Adjust(command) => Outcome::Move(adjust(snapshot, command)),
            Command::Transfer(command) => Outcome::Move(transfer(snapshot, command)),
        };
        if let Some(key) = asked.key.as_ref().filter(|_| outcome.is_done()) {
            let remembered = Remembered::Earlier(index);
            let known = KnownKey { fingerprint: key.fingerprint, remembered };
            snapshot.keys.insert((key.owner, key.key.clone()), known);
        }
        outcome
    };
    asked.into_iter().enumerate().map(decide).collect()
}

fn replay(snapshot: &Snapshot, key: &Key) -> Option<Outcome> {
    if snapshot.keys.is_empty() {
        return None;
    }
    let known = snapshot.keys.get(&(key.owner, key.key.clone()))?;
    Some(if known.fingerprint == key.fingerprint {
        Outcome::Replayed(known.remembered.clone())
    } else {
        Outcome::KeyReused
    })
}
