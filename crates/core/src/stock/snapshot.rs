//! The rows that a batch may touch, and what the batch has made of them so far.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use super::ON_HAND_MAX;
use super::decide::Remembered;
use super::sell::Placed;
use crate::ids::{AccountId, LevelId, LocationId, OrderId, VariantId};
use crate::money::Currency;

/// The stock of one variant at one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    pub id: LevelId,
    pub variant: VariantId,
    pub location: LocationId,
    /// Sales take from the lowest number first.
    pub priority: i64,
    /// Stock at an inactive location is counted but not sold.
    pub active: bool,
    pub on_hand: i64,
    pub reserved: i64,
    /// Movements so far: the number of the newest one.
    pub movements: i64,
}

impl Level {
    pub fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// What is known of a variant for selling it.
#[derive(Debug, Clone)]
pub struct Offer {
    pub sku: Arc<str>,
    pub title: Arc<str>,
    pub variant_title: Arc<str>,
    /// Product and variant are neither disabled nor deleted.
    pub enabled: bool,
    pub release_at: Option<Timestamp>,
    pub limit_per_order: Option<i64>,
    pub limit_per_customer: Option<i64>,
    /// The newest effective price in each currency, in minor units.
    pub prices: Vec<(Currency, i64)>,
}

impl Offer {
    pub fn price_minor(&self, currency: Currency) -> Option<i64> {
        self.prices.iter().find(|(known, _)| *known == currency).map(|(_, minor)| *minor)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    Placed,
    Cancelled,
}

/// An order that a command of the batch names, with what it holds.
#[derive(Debug, Clone)]
pub struct KnownOrder {
    pub account: AccountId,
    pub status: OrderStatus,
    pub allocations: Vec<Allocation>,
}

/// Units of one order line promised from one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// Counted from 1.
    pub line_no: i64,
    pub level: LevelId,
    pub variant: VariantId,
    pub quantity: i64,
}

/// A key that was used before.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub fingerprint: [u8; 32],
    pub remembered: Remembered,
}

/// Why a level changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Receipt,
    Adjustment,
    Transfer,
    Order,
    Cancel,
}

/// One change of one level: a row of the ledger. Never altered, never deleted.
#[derive(Debug, Clone)]
pub struct Movement {
    pub level: LevelId,
    pub variant: VariantId,
    /// Counted from 1 at each level, without gaps.
    pub number: i64,
    pub cause: Cause,
    pub on_hand_delta: i64,
    pub reserved_delta: i64,
    pub order: Option<OrderId>,
    pub actor: Option<AccountId>,
    pub reason: Option<Arc<str>>,
}

/// Ids to give to new rows, in order; the caller sees to it that they suffice.
#[derive(Debug, Clone, Default)]
pub struct IdRanges {
    pub orders: Range<i64>,
    pub levels: Range<i64>,
}

/// What a batch changes: stored in one transaction.
#[derive(Debug, Default)]
pub struct Difference {
    pub movements: Vec<Movement>,
    pub new_levels: Vec<Level>,
    pub placed: Vec<Arc<Placed>>,
    pub cancelled: Vec<OrderId>,
}

/// The rows that a batch may touch. Decisions read and change it, so that each sees what the ones
/// before it have left.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub offers: HashMap<VariantId, Offer>,
    /// Every level of the variants concerned, sales order: by priority, then id.
    pub(super) levels: HashMap<VariantId, Vec<Level>>,
    pub accounts: HashMap<AccountId, bool>,
    /// Location to (priority, active); loaded when a command names locations.
    pub locations: HashMap<LocationId, (i64, bool)>,
    /// Units in orders that stand, for variants with a limit per customer.
    pub bought: HashMap<(AccountId, VariantId), i64>,
    pub orders: HashMap<OrderId, KnownOrder>,
    pub keys: HashMap<(AccountId, String), KnownKey>,
    pub ids: IdRanges,
    pub(super) difference: Difference,
}

impl Snapshot {
    /// Takes in the levels, in any order.
    ///
    /// # Panics
    /// When a level breaks `0 <= reserved <= on_hand`: the database has a constraint against it.
    pub fn set_levels(&mut self, levels: impl IntoIterator<Item = Level>) {
        for level in levels {
            assert_sound(&level);
            self.levels.entry(level.variant).or_default().push(level);
        }
        for levels in self.levels.values_mut() {
            levels.sort_by_key(|level| (level.priority, level.id));
        }
    }

    /// Units of the variant that can be sold.
    pub fn available(&self, variant: VariantId) -> i64 {
        let levels = self.levels.get(&variant).map_or(&[][..], Vec::as_slice);
        levels.iter().filter(|level| level.active).map(Level::available).sum()
    }

    /// What the decisions have changed, and every level of the snapshot as it stands now.
    pub fn into_difference(self) -> (Difference, HashMap<VariantId, Vec<Level>>) {
        (self.difference, self.levels)
    }

    pub(super) fn level(&self, variant: VariantId, location: LocationId) -> Option<&Level> {
        self.levels.get(&variant)?.iter().find(|level| level.location == location)
    }

    /// Changes a level and writes the ledger row: the only way a level changes.
    ///
    /// # Panics
    /// When the level would break `0 <= reserved <= on_hand <= ON_HAND_MAX`: the decision before
    /// must have refused.
    pub(super) fn post(&mut self, variant: VariantId, change: Posting) {
        let level = self
            .levels
            .get_mut(&variant)
            .and_then(|levels| levels.iter_mut().find(|level| level.id == change.level))
            .expect("only levels of the snapshot are posted to");
        level.on_hand += change.on_hand_delta;
        level.reserved += change.reserved_delta;
        level.movements += 1;
        assert_sound(level);
        self.difference.movements.push(Movement {
            level: change.level,
            variant,
            number: level.movements,
            cause: change.cause,
            on_hand_delta: change.on_hand_delta,
            reserved_delta: change.reserved_delta,
            order: change.order,
            actor: change.actor,
            reason: change.reason,
        });
    }

    /// The level of the variant at the location, made empty if there is none yet.
    pub(super) fn level_or_new(&mut self, variant: VariantId, location: LocationId) -> LevelId {
        if let Some(level) = self.level(variant, location) {
            return level.id;
        }
        let (priority, active) =
            *self.locations.get(&location).expect("the command's location was checked before");
        let id = LevelId(self.ids.levels.next().expect("the caller gave enough level ids"));
        let level = Level {
            id,
            variant,
            location,
            priority,
            active,
            on_hand: 0,
            reserved: 0,
            movements: 0,
        };
        self.difference.new_levels.push(level.clone());
        let levels = self.levels.entry(variant).or_default();
        levels.push(level);
        levels.sort_by_key(|level| (level.priority, level.id));
        id
    }
}

/// A change of one level, to be posted.
#[derive(Debug)]
pub(super) struct Posting {
    pub level: LevelId,
    pub cause: Cause,
    pub on_hand_delta: i64,
    pub reserved_delta: i64,
    pub order: Option<OrderId>,
    pub actor: Option<AccountId>,
    pub reason: Option<Arc<str>>,
}

fn assert_sound(level: &Level) {
    assert!(
        0 <= level.reserved && level.reserved <= level.on_hand && level.on_hand <= ON_HAND_MAX,
        "level {} is unsound: {} on hand, {} reserved",
        level.id,
        level.on_hand,
        level.reserved,
    );
}
