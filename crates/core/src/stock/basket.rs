//! Baskets: what is in them is theirs until a moment.
//!
//! A line holds all of its units or none. Activity extends live holds; a lapsed one is never
//! extended but taken anew, if there is stock. Holds end in exactly one of three ways: they become
//! an order's ([`Cause::Checkout`]), are put back ([`Cause::Release`]), or lapse
//! ([`Cause::Expire`]).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::command::{Extend, Holder, SetLine};
use super::known::{BasketLine, BasketStatus, Customer, Hold, HoldKey, KnownBasket};
use super::sell::{NotForSale, Shortage, offer};
use super::snapshot::{Cause, Posting, Snapshot};
use super::{LINES_MAX, QUANTITY_MAX};
use crate::ids::{AccountId, BasketId, DiscountId, LevelId, OrderId, VariantId};
use crate::money::Currency;

/// Every way a change of a basket can end.
#[derive(Debug, Clone)]
pub enum BasketOutcome {
    /// Done: the basket as it is now.
    Kept(Arc<BasketView>),
    /// There is none, or it is somebody else's: the asker is not told which.
    NotFound,
    /// It became an order, or went into its account's basket.
    NotOpen {
        status: BasketStatus,
        order: Option<OrderId>,
    },
    AccountInactive,
    /// Below 0 or above [`QUANTITY_MAX`].
    Quantity(i64),
    /// It has [`LINES_MAX`] lines already.
    TooManyLines,
    NotForSale(NotForSale),
    OverOrderLimit {
        variant: VariantId,
        limit: i64,
    },
    /// `already` counts orders that stand and holds of other baskets.
    OverCustomerLimit {
        variant: VariantId,
        limit: i64,
        already: i64,
    },
    /// `available` counts what the basket holds already.
    Short(Shortage),
    /// Two baskets of different currencies cannot become one.
    OtherCurrency,
}

/// A basket as it is shown.
#[derive(Debug, Clone)]
pub struct BasketView {
    pub id: BasketId,
    pub account: Option<AccountId>,
    pub currency: Currency,
    pub status: BasketStatus,
    pub order: Option<OrderId>,
    pub discount: Option<DiscountId>,
    pub lines: Vec<LineView>,
}

/// A line of a basket as it is shown.
#[derive(Debug, Clone)]
pub struct LineView {
    pub variant: VariantId,
    pub sku: Arc<str>,
    pub title: Arc<str>,
    pub variant_title: Arc<str>,
    pub quantity: i64,
    /// `quantity`, or 0 when the hold has lapsed.
    pub held: i64,
    pub expires_at: Option<Timestamp>,
    /// What the buyer was shown, and what it costs now; `None`: it cannot be bought now.
    pub unit_price_minor: i64,
    pub price_now_minor: Option<i64>,
    /// What others have left, and this line's own.
    pub available: i64,
}

/// Gives back what has lapsed: every batch begins with it, so that a hold ends at its moment,
/// whether or not anybody has swept.
pub(super) fn expire(snapshot: &mut Snapshot, now: Timestamp) {
    let lapsed = |(key, hold): (&HoldKey, &Hold)| (hold.expires_at <= now).then_some((*key, *hold));
    let lapsed: Vec<(HoldKey, Hold)> = snapshot.holds.iter().filter_map(lapsed).collect();
    for (key, hold) in lapsed {
        end_hold(snapshot, key, hold.quantity, Cause::Expire, None);
    }
}

/// Takes `quantity` units off a hold; the one way holds end or shrink.
pub(super) fn end_hold(
    snapshot: &mut Snapshot,
    key: HoldKey,
    quantity: i64,
    cause: Cause,
    order: Option<OrderId>,
) {
    let (basket, variant, level) = key;
    let hold = snapshot.holds.get_mut(&key).expect("only holds of the snapshot end");
    assert!(1 <= quantity && quantity <= hold.quantity, "a hold ends once");
    hold.quantity -= quantity;
    let left = (hold.quantity > 0).then_some(*hold);
    if left.is_none() {
        snapshot.holds.remove(&key);
    }
    snapshot.difference.holds.insert(key, left);
    let posting = Posting::reserve(level, cause, -quantity);
    snapshot.post(variant, Posting { basket: Some(basket), order, ..posting });
    let account = snapshot.baskets.get(&basket).and_then(|basket| basket.account);
    // Lapsed holds were not counted when the account's holds were added up.
    if cause != Cause::Expire {
        snapshot.count_held(account, variant, -quantity);
    }
}

/// Takes free units for a basket.
pub(super) fn begin_hold(
    snapshot: &mut Snapshot,
    basket: BasketId,
    variant: VariantId,
    quantity: i64,
    expires_at: Timestamp,
) {
    for (level, part) in snapshot.pick(variant, quantity) {
        hold_at(snapshot, (basket, variant, level), part, expires_at);
    }
}

pub(super) fn hold_at(snapshot: &mut Snapshot, key: HoldKey, quantity: i64, expires_at: Timestamp) {
    let (basket, variant, level) = key;
    let hold = snapshot.holds.entry(key).or_insert(Hold { quantity: 0, expires_at });
    hold.quantity += quantity;
    hold.expires_at = hold.expires_at.min(expires_at);
    let hold = *hold;
    snapshot.difference.holds.insert(key, Some(hold));
    let posting = Posting::reserve(level, Cause::Hold, quantity);
    snapshot.post(variant, Posting { basket: Some(basket), ..posting });
    let account = snapshot.baskets.get(&basket).and_then(|basket| basket.account);
    snapshot.count_held(account, variant, quantity);
}

/// The holds of one line.
pub(super) fn line_holds(
    snapshot: &Snapshot,
    basket: BasketId,
    variant: VariantId,
) -> Vec<(HoldKey, Hold)> {
    let first = (basket, variant, LevelId(i64::MIN));
    let last = (basket, variant, LevelId(i64::MAX));
    snapshot.holds.range(first..=last).map(|(key, hold)| (*key, *hold)).collect()
}

pub(super) fn held(snapshot: &Snapshot, basket: BasketId, variant: VariantId) -> i64 {
    line_holds(snapshot, basket, variant).iter().map(|(_, hold)| hold.quantity).sum()
}

/// The basket, if the holder may open it.
pub(super) fn found(snapshot: &Snapshot, id: BasketId, by: Holder) -> Option<&KnownBasket> {
    let basket = snapshot.baskets.get(&id)?;
    let opens = match by {
        Holder::Account(account) => basket.account == Some(account),
        Holder::Token(hash) => basket.token_hash == Some(hash),
    };
    opens.then_some(basket)
}

pub(super) fn open(
    snapshot: &Snapshot,
    id: BasketId,
    by: Holder,
) -> Result<&KnownBasket, BasketOutcome> {
    let basket = found(snapshot, id, by).ok_or(BasketOutcome::NotFound)?;
    if basket.status != BasketStatus::Open {
        let (status, order) = (basket.status, basket.order);
        return Err(BasketOutcome::NotOpen { status, order });
    }
    let inactive = |account| snapshot.accounts.get(&account) != Some(&true);
    if basket.account.is_some_and(inactive) {
        return Err(BasketOutcome::AccountInactive);
    }
    Ok(basket)
}

/// Decides a change of one line; the others are refreshed.
pub(super) fn set_line(
    snapshot: &mut Snapshot,
    now: Timestamp,
    command: &SetLine,
) -> BasketOutcome {
    match try_set_line(snapshot, now, command) {
        Ok(()) => {
            refresh(snapshot, now, command.basket);
            kept(snapshot, now, command.basket)
        }
        Err(refusal) => refusal,
    }
}

fn try_set_line(
    snapshot: &mut Snapshot,
    now: Timestamp,
    command: &SetLine,
) -> Result<(), BasketOutcome> {
    let SetLine { basket: id, by, variant, quantity } = *command;
    let basket = open(snapshot, id, by)?;
    if !(0..=QUANTITY_MAX).contains(&quantity) {
        return Err(BasketOutcome::Quantity(quantity));
    }
    let known = basket.lines.get(&variant).cloned();
    if quantity == 0 {
        if known.is_some() {
            put_back(snapshot, id, variant, held(snapshot, id, variant));
            store_line(snapshot, id, variant, None);
        }
        return Ok(());
    }
    if known.is_none() && basket.lines.len() >= LINES_MAX {
        return Err(BasketOutcome::TooManyLines);
    }
    let (currency, account) = (basket.currency, basket.account);
    let price = match offer(snapshot, now, variant, currency) {
        Ok((_, price)) => price.minor,
        Err(why) => return Err(BasketOutcome::NotForSale(NotForSale { variant, why })),
    };
    let mine = held(snapshot, id, variant);
    within_limits(snapshot, account, variant, quantity, mine)?;
    let available = snapshot.available(variant) + mine;
    if available < quantity {
        return Err(BasketOutcome::Short(Shortage { variant, requested: quantity, available }));
    }
    let held_since = if mine > 0 { known.as_ref().and_then(|line| line.held_since) } else { None };
    let line = BasketLine {
        quantity,
        unit_price_minor: price,
        held_since: held_since.or(Some(now)),
        added_at: known.map_or(now, |line| line.added_at),
    };
    let expires_at = line_until(snapshot, now, (id, variant), line.held_since);
    match quantity - mine {
        more if more > 0 => begin_hold(snapshot, id, variant, more, expires_at),
        fewer if fewer < 0 => put_back(snapshot, id, variant, -fewer),
        _ => {}
    }
    store_line(snapshot, id, variant, Some(line));
    Ok(())
}

fn within_limits(
    snapshot: &Snapshot,
    account: Option<AccountId>,
    variant: VariantId,
    quantity: i64,
    mine: i64,
) -> Result<(), BasketOutcome> {
    let offer = snapshot.offers.get(&variant).expect("whoever asks has seen the offer");
    if let Some(limit) = offer.limit_per_order.filter(|limit| quantity > *limit) {
        return Err(BasketOutcome::OverOrderLimit { variant, limit });
    }
    let Some(limit) = offer.limit_per_customer else { return Ok(()) };
    // A guest is known by this basket only, until they say who they are.
    let already = account.map_or(0, |account| taken(snapshot, account, variant) - mine);
    if already + quantity > limit {
        return Err(BasketOutcome::OverCustomerLimit { variant, limit, already });
    }
    Ok(())
}

/// Units of a limited variant that an account has in orders and in holds.
pub(super) fn taken(snapshot: &Snapshot, account: AccountId, variant: VariantId) -> i64 {
    let bought = snapshot.bought.get(&(Customer::Account(account), variant)).copied();
    let held = snapshot.held.get(&(account, variant)).copied();
    bought.unwrap_or(0) + held.unwrap_or(0)
}

/// Until when a hold lasts that is taken or extended now: as long as shop or variant say, but not
/// beyond its life.
fn expiry(
    snapshot: &Snapshot,
    now: Timestamp,
    variant: VariantId,
    since: Option<Timestamp>,
) -> Timestamp {
    let rules = &snapshot.rules;
    let offer = snapshot.offers.get(&variant).expect("whoever asks has seen the offer");
    let seconds = SignedDuration::from_secs;
    let wanted = now + seconds(offer.hold_s.unwrap_or(rules.hold_s));
    let life = rules.hold_life_s.max(offer.hold_s.unwrap_or(0));
    wanted.min(since.unwrap_or(now) + seconds(life))
}

/// Until when a line's holds last that are extended or added to now: as [`expiry`] says, but never
/// shorter than they do already.
pub(super) fn line_until(
    snapshot: &Snapshot,
    now: Timestamp,
    (basket, variant): (BasketId, VariantId),
    since: Option<Timestamp>,
) -> Timestamp {
    let holds = line_holds(snapshot, basket, variant);
    let soonest = holds.iter().map(|(_, hold)| hold.expires_at).min();
    let until = expiry(snapshot, now, variant, since);
    soonest.map_or(until, |soonest| soonest.max(until))
}

/// Gives units of a line back, those of the last location first.
pub(super) fn put_back(
    snapshot: &mut Snapshot,
    basket: BasketId,
    variant: VariantId,
    quantity: i64,
) {
    let mut left = quantity;
    let mut holds = line_holds(snapshot, basket, variant);
    // The locations that sell last are the ones to be filled up first.
    let place = |level: LevelId| {
        let levels = snapshot.levels.get(&variant).map_or(&[][..], Vec::as_slice);
        levels.iter().position(|known| known.id == level)
    };
    holds.sort_by_key(|((_, _, level), _)| std::cmp::Reverse(place(*level)));
    for (key, hold) in holds {
        let part = left.min(hold.quantity);
        if part > 0 {
            end_hold(snapshot, key, part, Cause::Release, None);
            left -= part;
        }
    }
    assert_eq!(left, 0, "no more is given back than was held");
}

pub(super) fn store_line(
    snapshot: &mut Snapshot,
    basket: BasketId,
    variant: VariantId,
    line: Option<BasketLine>,
) {
    let lines = &mut snapshot.baskets.get_mut(&basket).expect("it was found").lines;
    match &line {
        Some(line) => _ = lines.insert(variant, line.clone()),
        None => _ = lines.remove(&variant),
    }
    snapshot.difference.lines.insert((basket, variant), line);
}

/// Extends every live hold of the basket, and takes lapsed ones anew where all of a line's units
/// can be had and may be bought.
pub(super) fn refresh(snapshot: &mut Snapshot, now: Timestamp, id: BasketId) {
    let basket = &snapshot.baskets[&id];
    let (currency, account) = (basket.currency, basket.account);
    let lines: Vec<(VariantId, BasketLine)> =
        basket.lines.iter().map(|(variant, line)| (*variant, line.clone())).collect();
    for (variant, line) in lines {
        if offer(snapshot, now, variant, currency).is_err() {
            continue; // It cannot be bought now; what is held lapses by itself.
        }
        let holds = line_holds(snapshot, id, variant);
        if holds.is_empty() {
            let allowed = within_limits(snapshot, account, variant, line.quantity, 0).is_ok();
            if allowed && snapshot.available(variant) >= line.quantity {
                let expires_at = expiry(snapshot, now, variant, Some(now));
                begin_hold(snapshot, id, variant, line.quantity, expires_at);
                let line = BasketLine { held_since: Some(now), ..line };
                store_line(snapshot, id, variant, Some(line));
            }
            continue;
        }
        let until = line_until(snapshot, now, (id, variant), line.held_since);
        end_together(snapshot, (id, variant), until);
    }
}

/// Makes all holds of a line end at one moment, so that it holds all of its units or none.
pub(super) fn end_together(
    snapshot: &mut Snapshot,
    (basket, variant): (BasketId, VariantId),
    until: Timestamp,
) {
    let holds = line_holds(snapshot, basket, variant).into_iter();
    for (key, hold) in holds.filter(|(_, hold)| hold.expires_at != until) {
        let hold = Hold { expires_at: until, ..hold };
        snapshot.holds.insert(key, hold);
        snapshot.difference.holds.insert(key, Some(hold));
    }
}

/// Decides an extension.
pub(super) fn extend(snapshot: &mut Snapshot, now: Timestamp, command: &Extend) -> BasketOutcome {
    if let Err(refusal) = open(snapshot, command.basket, command.by) {
        return refusal;
    }
    refresh(snapshot, now, command.basket);
    kept(snapshot, now, command.basket)
}

/// Closes a basket.
pub(super) fn end_basket(
    snapshot: &mut Snapshot,
    id: BasketId,
    status: BasketStatus,
    order: Option<OrderId>,
) {
    let basket = snapshot.baskets.get_mut(&id).expect("it was found");
    assert_eq!(basket.status, BasketStatus::Open, "a basket ends once");
    (basket.status, basket.order) = (status, order);
    snapshot.difference.ended.push((id, status, order));
}

pub(super) fn kept(snapshot: &Snapshot, now: Timestamp, id: BasketId) -> BasketOutcome {
    let basket = &snapshot.baskets[&id];
    let line = |(variant, line): (&VariantId, &BasketLine)| {
        let holds = line_holds(snapshot, id, *variant);
        let known = snapshot.offers.get(variant);
        let text = |of: fn(&super::Offer) -> &Arc<str>| {
            known.map_or_else(|| "".into(), |o| Arc::clone(of(o)))
        };
        let held = holds.iter().map(|(_, hold)| hold.quantity).sum();
        LineView {
            variant: *variant,
            sku: text(|offer| &offer.sku),
            title: text(|offer| &offer.title),
            variant_title: text(|offer| &offer.variant_title),
            quantity: line.quantity,
            held,
            expires_at: holds.iter().map(|(_, hold)| hold.expires_at).min(),
            unit_price_minor: line.unit_price_minor,
            price_now_minor: offer(snapshot, now, *variant, basket.currency)
                .ok()
                .map(|(_, price)| price.minor),
            available: snapshot.available(*variant) + held,
        }
    };
    BasketOutcome::Kept(Arc::new(BasketView {
        id,
        account: basket.account,
        currency: basket.currency,
        status: basket.status,
        order: basket.order,
        discount: basket.discount,
        lines: basket.lines.iter().map(line).collect(),
    }))
}
