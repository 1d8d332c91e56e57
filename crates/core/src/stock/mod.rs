//! Stock: what is on the shelf, what of it is promised, and who gets the last one.
//!
//! Always: `0 <= reserved <= on_hand` at every level; `available = on_hand - reserved` is what can
//! be sold; every change of a level is one [`Movement`]; an order takes all of its lines or
//! nothing; its stock comes back at most once.

mod command;
mod decide;
#[cfg(test)]
mod model;
mod move_stock;
mod sell;
mod snapshot;

pub use command::{
    Adjust, Asked, By, Cancel, Change, Command, Key, LineRequest, Receive, Sell, Transfer,
};
pub use decide::{Outcome, Remembered, decide_all};
pub use move_stock::{MoveOutcome, MoveRefusal};
pub use sell::{CancelOutcome, NotForSale, Placed, PlacedLine, SellOutcome, Shortage, WhyNot};
pub use snapshot::{
    Allocation, Cause, Difference, IdRanges, KnownKey, KnownOrder, Level, Movement, Offer,
    OrderStatus, Snapshot,
};

/// Units of one line at most.
pub const QUANTITY_MAX: i64 = 10_000;
/// Lines of one order at most.
pub const LINES_MAX: usize = 100;
/// Units of one variant at one location at most.
pub const ON_HAND_MAX: i64 = 1_000_000_000;
