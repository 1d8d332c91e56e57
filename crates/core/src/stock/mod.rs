//! Stock: what is on the shelf, what of it is promised, and who gets the last one.
//!
//! Always: `0 <= reserved <= on_hand` at every level; `reserved` is what orders were promised and
//! what baskets hold; `available = on_hand - reserved` is what can be sold; every change of a level
//! is one [`Movement`]; an order takes all of its lines or nothing; its stock comes back at most
//! once; a hold ends at its moment, whether or not anybody sweeps.

mod basket;
mod checkout;
mod command;
mod decide;
mod known;
mod life;
mod merge;
#[cfg(test)]
mod model;
mod move_stock;
mod pay;
mod sell;
mod snapshot;

pub use basket::{BasketOutcome, BasketView, LineView};
pub use checkout::{CheckoutOutcome, PriceChange};
pub use command::{
    Act, Adjust, Asked, By, Cancel, Change, Checkout, Command, Contact, Extend, Gateway, Holder,
    Key, KeyOwner, LineRequest, Merge, OrderAct, Part, PaymentSeen, Receive, RefundSeen, Sell,
    SetLine, Transfer,
};
pub use decide::{Outcome, Remembered, decide_all};
pub use known::{
    Allocation, BasketLine, BasketStatus, CancelReason, Customer, Fulfilment, Hold, HoldKey,
    KnownBasket, KnownDiscount, KnownKey, KnownOrder, Payment, PaymentStatus, Refund, RefundReason,
    RefundStatus, Times,
};
pub use life::{ActOutcome, CancelOutcome};
pub use move_stock::{MoveOutcome, MoveRefusal};
pub use sell::{
    NotForSale, Placed, PlacedCheckout, PlacedDiscount, PlacedLine, SellOutcome, Shortage, WhyNot,
};
pub use snapshot::{
    Cause, Detail, Difference, DiscountUse, IdRanges, Level, Movement, Offer, Record, Rules,
    Snapshot,
};

/// Units of one line at most.
pub const QUANTITY_MAX: i64 = 10_000;
/// Lines of one order at most.
pub const LINES_MAX: usize = 100;
/// Units of one variant at one location at most.
pub const ON_HAND_MAX: i64 = 1_000_000_000;
