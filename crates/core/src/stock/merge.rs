//! A guest who says who they are: their basket goes into the one of their account.

use jiff::Timestamp;

use super::basket::{
    BasketOutcome, begin_hold, end_basket, end_hold, end_together, held, hold_at, kept, line_holds,
    line_until, open, put_back, refresh, store_line, taken,
};
use super::command::{Holder, Merge};
use super::known::{BasketLine, BasketStatus};
use super::sell::offer;
use super::snapshot::{Cause, Snapshot};
use super::{LINES_MAX, QUANTITY_MAX};
use crate::ids::{AccountId, BasketId, VariantId};

/// Decides a merger: the guest's lines and holds move; units beyond a limit are put back.
pub(super) fn merge(snapshot: &mut Snapshot, now: Timestamp, command: &Merge) -> BasketOutcome {
    let Merge { guest, token, account, into } = *command;
    let from = match open(snapshot, guest, Holder::Token(token)) {
        Ok(basket) => basket.clone(),
        Err(refusal) => return refusal,
    };
    let target = match open(snapshot, into, Holder::Account(account)) {
        Ok(basket) => basket.clone(),
        Err(refusal) => return refusal,
    };
    if from.currency != target.currency {
        return BasketOutcome::OtherCurrency;
    }
    for (variant, line) in from.lines {
        let old = target.lines.get(&variant);
        let merged = merge_line(snapshot, now, command, variant, (&line, old));
        store_line(snapshot, guest, variant, None);
        if merged.is_some() || old.is_some() {
            store_line(snapshot, into, variant, merged);
        }
    }
    end_basket(snapshot, guest, BasketStatus::Merged, None);
    refresh(snapshot, now, into);
    kept(snapshot, now, into)
}

/// Moves the holds of a line to the account's basket; the line as it is there then.
fn merge_line(
    snapshot: &mut Snapshot,
    now: Timestamp,
    command: &Merge,
    variant: VariantId,
    (line, old): (&BasketLine, Option<&BasketLine>),
) -> Option<BasketLine> {
    let Merge { guest, account, into, .. } = *command;
    let before = held(snapshot, into, variant);
    let wanted = old.map_or(0, |line| line.quantity) + line.quantity;
    // The holds of one line end together: at the earlier of the two moments, having lived for the
    // longer of the two times.
    let mut held_since = if before > 0 { old.and_then(|line| line.held_since) } else { None };
    for (key, hold) in line_holds(snapshot, guest, variant) {
        end_hold(snapshot, key, hold.quantity, Cause::Release, None);
        let (_, _, level) = key;
        hold_at(snapshot, (into, variant, level), hold.quantity, hold.expires_at);
        held_since = line.held_since.min(held_since.or(line.held_since));
    }
    let holds = line_holds(snapshot, into, variant);
    if let Some(until) = holds.iter().map(|(_, hold)| hold.expires_at).min() {
        end_together(snapshot, (into, variant), until);
    }
    let full = snapshot.baskets[&into].lines.len() >= LINES_MAX && old.is_none();
    let allowed = if full { 0 } else { most(snapshot, account, variant, into) };
    let mut quantity = wanted.min(allowed);
    let now_held = held(snapshot, into, variant);
    if now_held > quantity {
        put_back(snapshot, into, variant, now_held - quantity);
    } else if 0 < now_held && now_held < quantity {
        // A line holds all of its units or none: what had lapsed is taken anew, or given up.
        let more = quantity - now_held;
        let for_sale = offer(snapshot, now, variant, snapshot.baskets[&into].currency).is_ok();
        if for_sale && snapshot.available(variant) >= more {
            let until = line_until(snapshot, now, (into, variant), held_since);
            begin_hold(snapshot, into, variant, more, until);
            end_together(snapshot, (into, variant), until);
        } else {
            quantity = now_held;
        }
    }
    (quantity > 0).then(|| BasketLine {
        quantity,
        held_since: held_since.or(line.held_since),
        unit_price_minor: old.map_or(line.unit_price_minor, |line| line.unit_price_minor),
        added_at: old.map_or(line.added_at, |line| line.added_at),
    })
}

/// Units of the variant that the account's basket may hold by its limits.
fn most(snapshot: &Snapshot, account: AccountId, variant: VariantId, into: BasketId) -> i64 {
    let Some(offer) = snapshot.offers.get(&variant) else { return QUANTITY_MAX };
    let elsewhere = taken(snapshot, account, variant) - held(snapshot, into, variant);
    let per_customer = offer.limit_per_customer.map_or(QUANTITY_MAX, |limit| limit - elsewhere);
    per_customer.min(offer.limit_per_order.unwrap_or(QUANTITY_MAX)).clamp(0, QUANTITY_MAX)
}
