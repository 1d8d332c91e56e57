//! Receiving, correcting and moving stock.

use std::sync::Arc;

use super::ON_HAND_MAX;
use super::command::{Adjust, Change, Receive, Transfer};
use super::snapshot::{Cause, Level, Posting, Snapshot};
use crate::ids::{LocationId, VariantId};

/// How moving stock ended.
#[derive(Debug, Clone)]
pub enum MoveOutcome {
    /// The levels that changed, as they stand now.
    Moved(Vec<Level>),
    Refused(MoveRefusal),
}

/// Why stock was not moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveRefusal {
    UnknownVariant(VariantId),
    UnknownLocation(LocationId),
    SameLocation,
    /// Below 1 or above [`ON_HAND_MAX`].
    Quantity(i64),
    /// A level would hold more than [`ON_HAND_MAX`].
    TooMuch,
    /// Fewer would be on hand than are promised to orders.
    BelowReserved {
        reserved: i64,
        would_be: i64,
    },
    /// A transfer asks for more than is free at its source.
    Short {
        requested: i64,
        available: i64,
    },
}

pub(super) fn receive(snapshot: &mut Snapshot, command: &Receive) -> MoveOutcome {
    let Receive { variant, location, quantity, .. } = *command;
    let refused = known(snapshot, variant, &[location]).or_else(|| out_of_bounds(quantity));
    if let Some(refusal) = refused {
        return MoveOutcome::Refused(refusal);
    }
    let on_hand = snapshot.level(variant, location).map_or(0, |level| level.on_hand);
    if on_hand + quantity > ON_HAND_MAX {
        return MoveOutcome::Refused(MoveRefusal::TooMuch);
    }
    let level = snapshot.level_or_new(variant, location);
    let posting = Posting {
        level,
        cause: Cause::Receipt,
        on_hand_delta: quantity,
        reserved_delta: 0,
        order: None,
        basket: None,
        actor: command.actor,
        reason: command.reason.as_deref().map(Arc::from),
    };
    snapshot.post(variant, posting);
    moved(snapshot, variant, &[location])
}

pub(super) fn adjust(snapshot: &mut Snapshot, command: &Adjust) -> MoveOutcome {
    let Adjust { variant, location, change, .. } = *command;
    if let Some(refusal) = known(snapshot, variant, &[location]) {
        return MoveOutcome::Refused(refusal);
    }
    let (on_hand, reserved) =
        snapshot.level(variant, location).map_or((0, 0), |level| (level.on_hand, level.reserved));
    let would_be = match change {
        Change::By(delta) => on_hand.saturating_add(delta),
        Change::OnHand(counted) => counted,
        Change::Available(available) => reserved.saturating_add(available),
    };
    if would_be < reserved {
        return MoveOutcome::Refused(MoveRefusal::BelowReserved { reserved, would_be });
    }
    if would_be > ON_HAND_MAX {
        return MoveOutcome::Refused(MoveRefusal::TooMuch);
    }
    let level = snapshot.level_or_new(variant, location);
    // A count that finds what was expected changes nothing and leaves no row.
    if would_be != on_hand {
        let posting = Posting {
            level,
            cause: Cause::Adjustment,
            on_hand_delta: would_be - on_hand,
            reserved_delta: 0,
            order: None,
            basket: None,
            actor: Some(command.actor),
            reason: Some(Arc::from(command.reason.as_str())),
        };
        snapshot.post(variant, posting);
    }
    moved(snapshot, variant, &[location])
}

pub(super) fn transfer(snapshot: &mut Snapshot, command: &Transfer) -> MoveOutcome {
    let Transfer { variant, from, to, quantity, .. } = *command;
    let same = (from == to).then_some(MoveRefusal::SameLocation);
    let refused = known(snapshot, variant, &[from, to])
        .or(same)
        .or_else(|| out_of_bounds(quantity))
        .or_else(|| {
            let available = snapshot.level(variant, from).map_or(0, Level::available);
            let short = MoveRefusal::Short { requested: quantity, available };
            (available < quantity).then_some(short)
        })
        .or_else(|| {
            let there = snapshot.level(variant, to).map_or(0, |level| level.on_hand);
            (there + quantity > ON_HAND_MAX).then_some(MoveRefusal::TooMuch)
        });
    if let Some(refusal) = refused {
        return MoveOutcome::Refused(refusal);
    }
    for (location, delta) in [(from, -quantity), (to, quantity)] {
        let level = snapshot.level_or_new(variant, location);
        let posting = Posting {
            level,
            cause: Cause::Transfer,
            on_hand_delta: delta,
            reserved_delta: 0,
            order: None,
            basket: None,
            actor: Some(command.actor),
            reason: command.reason.as_deref().map(Arc::from),
        };
        snapshot.post(variant, posting);
    }
    moved(snapshot, variant, &[from, to])
}

fn known(snapshot: &Snapshot, variant: VariantId, locations: &[LocationId]) -> Option<MoveRefusal> {
    if !snapshot.offers.contains_key(&variant) {
        return Some(MoveRefusal::UnknownVariant(variant));
    }
    locations
        .iter()
        .find(|location| !snapshot.locations.contains_key(location))
        .map(|location| MoveRefusal::UnknownLocation(*location))
}

fn out_of_bounds(quantity: i64) -> Option<MoveRefusal> {
    (!(1..=ON_HAND_MAX).contains(&quantity)).then_some(MoveRefusal::Quantity(quantity))
}

fn moved(snapshot: &Snapshot, variant: VariantId, locations: &[LocationId]) -> MoveOutcome {
    let level = |location: &LocationId| {
        snapshot.level(variant, *location).cloned().expect("the command made or changed it")
    };
    MoveOutcome::Moved(locations.iter().map(level).collect())
}
