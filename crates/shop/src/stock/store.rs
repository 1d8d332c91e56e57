//! A batch's difference as statements.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runout_core::ids::{DiscountId, LevelId};
use runout_core::stock::{
    ActOutcome, Asked, CancelOutcome, Cause, CheckoutOutcome, Difference, MoveOutcome, Outcome,
    SellOutcome,
};
use runout_store::{Error, Result, Statement, Value};

use super::answers::Moved;
use super::commands::{CHANGE_LEVELS, INSERT_KEYS, INSERT_LEVELS, INSERT_MOVEMENTS};
use crate::baskets;
use crate::discounts::commands::{ADD_USES, DELETE_USES, INSERT_USES};
use crate::orders::commands::push;
use crate::orders::store::{store_changed, store_placed};

/// HTTP status of a movement's answer, kept for replays.
pub(super) const MOVED_STATUS: u16 = 201;

/// Levels, ledger, orders, baskets.
pub(super) fn difference(difference: &Difference, now: Timestamp) -> Vec<Statement> {
    let mut new: [Vec<Value>; 3] = Default::default();
    for level in &difference.new_levels {
        push(&mut new, [level.id.0.into(), level.variant.0.into(), level.location.0.into()]);
    }
    let mut sums: BTreeMap<LevelId, (i64, i64, i64)> = BTreeMap::new();
    let mut ledger: [Vec<Value>; 10] = Default::default();
    for movement in &difference.movements {
        let (on_hand, reserved, count) = sums.entry(movement.level).or_default();
        *on_hand += movement.on_hand_delta;
        *reserved += movement.reserved_delta;
        *count += 1;
        push(
            &mut ledger,
            [
                movement.level.0.into(),
                movement.number.into(),
                now.into(),
                Value::Static(cause(movement.cause)),
                movement.on_hand_delta.into(),
                movement.reserved_delta.into(),
                movement.order.map(|order| order.0).into(),
                movement.actor.map(|actor| actor.0).into(),
                movement.reason.clone().into(),
                movement.basket.map(|basket| basket.0).into(),
            ],
        );
    }
    let mut changes: [Vec<Value>; 4] = Default::default();
    for (level, (on_hand, reserved, count)) in sums {
        push(&mut changes, [level.0.into(), on_hand.into(), reserved.into(), count.into()]);
    }
    let mut statements = vec![
        Statement::bulk(&INSERT_LEVELS, new.into()),
        Statement::bulk(&CHANGE_LEVELS, changes.into()),
        Statement::bulk(&INSERT_MOVEMENTS, ledger.into()),
    ];
    statements.extend(store_placed(&difference.placed));
    statements.extend(store_changed(difference, now));
    statements.extend(baskets::commands::store(difference));
    statements.extend(discount_uses(difference));
    statements
}

/// Uses of discounts that began or were taken back.
fn discount_uses(difference: &Difference) -> [Statement; 3] {
    let mut sums: BTreeMap<DiscountId, i64> = BTreeMap::new();
    let mut begun: [Vec<Value>; 3] = Default::default();
    let mut ended: [Vec<Value>; 3] = Default::default();
    for change in &difference.discount_uses {
        *sums.entry(change.discount).or_default() += change.delta;
        let row = [change.discount.0.into(), change.customer.name().into(), change.order.0.into()];
        push(if change.delta > 0 { &mut begun } else { &mut ended }, row);
    }
    let mut added: [Vec<Value>; 2] = Default::default();
    for (discount, delta) in sums {
        push(&mut added, [discount.0.into(), delta.into()]);
    }
    [
        Statement::bulk(&ADD_USES, added.into()),
        Statement::bulk(&DELETE_USES, ended.into()),
        Statement::bulk(&INSERT_USES, begun.into()),
    ]
}

/// The keys of the commands that were done, each with what its repetition is to be answered.
pub(super) fn keys(asked: &[Asked], outcomes: &[Outcome], now: Timestamp) -> Result<Statement> {
    let mut keys: [Vec<Value>; 7] = Default::default();
    for (asked, outcome) in asked.iter().zip(outcomes) {
        let Some(key) = asked.key.as_ref() else { continue };
        let (order, status, body) = match outcome {
            Outcome::Sell(SellOutcome::Placed(placed))
            | Outcome::Checkout(CheckoutOutcome::Placed(placed)) => {
                (Some(placed.id), 201, String::new())
            }
            Outcome::Act(ActOutcome::Done { order, .. } | ActOutcome::Nothing { order }) => {
                (Some(*order), 200, String::new())
            }
            Outcome::Cancel(
                CancelOutcome::Cancelled { order } | CancelOutcome::AlreadyCancelled { order },
            ) => (Some(*order), 200, String::new()),
            Outcome::Move(MoveOutcome::Moved(levels)) => {
                let body = serde_json::to_string(&Moved::from(levels.as_slice()))
                    .map_err(|e| Error::Decode { column: 0, reason: e.to_string() })?;
                (None, MOVED_STATUS, body)
            }
            _ => continue,
        };
        push(
            &mut keys,
            [
                key.owner.0.into(),
                key.key.as_str().into(),
                key.fingerprint.to_vec().into(),
                order.map(|order| order.0).into(),
                i64::from(status).into(),
                body.into(),
                now.into(),
            ],
        );
    }
    Ok(Statement::bulk(&INSERT_KEYS, keys.into()))
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Receipt => "receipt",
        Cause::Adjustment => "adjustment",
        Cause::Transfer => "transfer",
        Cause::Order => "order",
        Cause::Cancel => "cancel",
        Cause::Fulfilment => "fulfilment",
        Cause::Return => "return",
        Cause::Hold => "hold",
        Cause::Release => "release",
        Cause::Expire => "expire",
        Cause::Checkout => "checkout",
    }
}
