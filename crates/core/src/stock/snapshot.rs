//! The rows that a batch may touch, and what the batch has made of them so far.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use super::ON_HAND_MAX;
use super::known::{
    BasketLine, BasketStatus, Customer, Fulfilment, Hold, HoldKey, KnownBasket, KnownDiscount,
    KnownKey, KnownOrder,
};
use super::sell::Placed;
use crate::ids::{AccountId, BasketId, DiscountId, LevelId, LocationId, OrderId, VariantId};
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
    /// Promised to orders or held by baskets.
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
    /// How long a basket holds it; `None`: as long as the shop says.
    pub hold_s: Option<i64>,
    pub tax_class: Arc<str>,
    /// The newest effective price in each currency, in minor units.
    pub prices: Vec<(Currency, i64)>,
}

impl Offer {
    pub fn price_minor(&self, currency: Currency) -> Option<i64> {
        self.prices.iter().find(|(known, _)| *known == currency).map(|(_, minor)| *minor)
    }
}

/// Why a level changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Receipt,
    Adjustment,
    Transfer,
    /// Promised to an order.
    Order,
    /// Given back by an order.
    Cancel,
    /// It left.
    Fulfilment,
    /// It came back.
    Return,
    /// A basket took it for a while.
    Hold,
    /// The buyer put it back.
    Release,
    /// The time was over.
    Expire,
    /// The hold became an order's.
    Checkout,
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
    pub basket: Option<BasketId>,
    pub actor: Option<AccountId>,
    pub reason: Option<Arc<str>>,
}

/// Ids to give to new rows, in order; the caller sees to it that they suffice.
#[derive(Debug, Clone, Default)]
pub struct IdRanges {
    pub orders: Range<i64>,
    pub levels: Range<i64>,
    pub payments: Range<i64>,
    pub refunds: Range<i64>,
    pub fulfilments: Range<i64>,
}

/// The shop's own settings for decisions.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a basket holds stock after its last activity.
    pub hold_s: i64,
    /// How long it can be extended at most.
    pub hold_life_s: i64,
    /// Whose tax rates apply where an order names no country.
    pub country: Arc<str>,
}

impl Default for Rules {
    /// Five minutes, half an hour, and nobody's rates.
    fn default() -> Self {
        Self { hold_s: 300, hold_life_s: 1_800, country: Arc::from("") }
    }
}

/// A step in an order's life, for the audit trail and for other systems.
#[derive(Debug, Clone)]
pub struct Record {
    pub order: OrderId,
    pub actor: Option<AccountId>,
    /// Such as `order.paid`.
    pub topic: &'static str,
    /// What changed, as JSON members: numbers and plain words.
    pub details: Vec<(&'static str, Detail)>,
}

/// A value in a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    Number(i64),
    Word(&'static str),
    Text(String),
}

/// A use of a discount that begins (1) or is taken back (-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscountUse {
    pub discount: DiscountId,
    pub customer: Customer,
    pub order: OrderId,
    pub delta: i64,
}

/// What a batch changes: stored in one transaction.
#[derive(Debug, Default)]
pub struct Difference {
    pub movements: Vec<Movement>,
    pub new_levels: Vec<Level>,
    pub placed: Vec<Arc<Placed>>,
    /// Orders that were there before and changed, as they are now.
    pub orders: BTreeMap<OrderId, KnownOrder>,
    /// Of these: the ones whose allocations are others than before.
    pub reallocated: BTreeSet<OrderId>,
    pub fulfilments: Vec<Fulfilment>,
    /// Lines and holds as they are now; `None`: they are gone.
    pub lines: BTreeMap<(BasketId, VariantId), Option<BasketLine>>,
    pub holds: BTreeMap<HoldKey, Option<Hold>>,
    /// Baskets that are no longer open.
    pub ended: Vec<(BasketId, BasketStatus, Option<OrderId>)>,
    pub discount_uses: Vec<DiscountUse>,
    pub records: Vec<Record>,
}

/// The rows that a batch may touch. Decisions read and change it, so that each sees what the ones
/// before it have left.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub rules: Rules,
    pub offers: HashMap<VariantId, Offer>,
    /// Every level of the variants concerned, sales order: by priority, then id.
    pub(super) levels: HashMap<VariantId, Vec<Level>>,
    pub accounts: HashMap<AccountId, bool>,
    /// Location to (priority, active); loaded when a command names locations.
    pub locations: HashMap<LocationId, (i64, bool)>,
    /// Units in orders that stand, for variants with a limit per customer.
    pub bought: HashMap<(Customer, VariantId), i64>,
    /// Units in live holds of all baskets of an account, for the same variants.
    pub held: HashMap<(AccountId, VariantId), i64>,
    pub orders: HashMap<OrderId, KnownOrder>,
    pub baskets: HashMap<BasketId, KnownBasket>,
    /// Every hold of these baskets, and every lapsed hold of the variants concerned.
    pub holds: BTreeMap<HoldKey, Hold>,
    pub discounts: HashMap<DiscountId, KnownDiscount>,
    /// Orders that stand and used a discount, by customer.
    pub discount_uses: HashMap<(DiscountId, String), i64>,
    /// Tax class and country to the rate in parts per million.
    pub tax_rates: HashMap<(Arc<str>, Arc<str>), i64>,
    pub keys: HashMap<(super::KeyOwner, String), KnownKey>,
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

    /// The tax contained in prices of a class in a country, in parts per million; none is known: 0.
    pub(super) fn tax_ppm(&self, class: &Arc<str>, country: &Arc<str>) -> i64 {
        let rate = self.tax_rates.get(&(Arc::clone(class), Arc::clone(country)));
        rate.copied().unwrap_or(0)
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
            basket: change.basket,
            actor: change.actor,
            reason: change.reason,
        });
    }

    /// Where `quantity` free units of the variant come from: locations in order of priority, each
    /// with as many as it has.
    ///
    /// # Panics
    /// When there are fewer: the decision before must have refused.
    pub(super) fn pick(&self, variant: VariantId, quantity: i64) -> Vec<(LevelId, i64)> {
        let mut missing = quantity;
        let mut picked = Vec::with_capacity(1);
        for level in self.levels.get(&variant).map_or(&[][..], Vec::as_slice) {
            if missing == 0 {
                break;
            }
            let taken = missing.min(level.available());
            if level.active && taken > 0 {
                picked.push((level.id, taken));
                missing -= taken;
            }
        }
        assert_eq!(missing, 0, "the shortage check admitted the line");
        picked
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

    /// Notes a change of a customer's count of a limited variant, as far as it was loaded.
    pub(super) fn count_bought(&mut self, customer: &Customer, variant: VariantId, delta: i64) {
        if let Some(bought) = self.bought.get_mut(&(customer.clone(), variant)) {
            *bought += delta;
            assert!(*bought >= 0, "nobody has bought less than nothing");
        }
    }

    /// Notes a change of what an account holds of a limited variant, as far as it was loaded.
    pub(super) fn count_held(
        &mut self,
        account: Option<AccountId>,
        variant: VariantId,
        delta: i64,
    ) {
        let Some(account) = account else { return };
        if let Some(held) = self.held.get_mut(&(account, variant)) {
            *held += delta;
            assert!(*held >= 0, "nobody holds less than nothing");
        }
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
    pub basket: Option<BasketId>,
    pub actor: Option<AccountId>,
    pub reason: Option<Arc<str>>,
}

impl Posting {
    /// A change of what is promised or held, which moves nothing on the shelf.
    pub(super) fn reserve(level: LevelId, cause: Cause, reserved_delta: i64) -> Self {
        Self {
            level,
            cause,
            on_hand_delta: 0,
            reserved_delta,
            order: None,
            basket: None,
            actor: None,
            reason: None,
        }
    }
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
