//! Rows that a batch may touch, as they were loaded: orders with their payments, baskets with their
//! holds, discounts, keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::command::Gateway;
use super::decide::Remembered;
use crate::discount::Discount;
use crate::ids::{
    AccountId, BasketId, DiscountId, FulfilmentId, LevelId, OrderId, PaymentId, RefundId, VariantId,
};
use crate::money::Currency;
use crate::order::Status;

/// Whose purchases are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Customer {
    Account(AccountId),
    /// Guests under one e-mail address, as it is compared.
    Guest(Arc<str>),
}

impl Customer {
    /// As uses of discounts are stored.
    pub fn name(&self) -> String {
        match self {
            Customer::Account(account) => account.to_string(),
            Customer::Guest(email) => email.to_string(),
        }
    }
}

/// An order that a command of the batch names.
#[derive(Debug, Clone)]
pub struct KnownOrder {
    pub account: Option<AccountId>,
    pub email_key: Option<Arc<str>>,
    pub basket: Option<BasketId>,
    pub status: Status,
    pub currency: Currency,
    pub total_minor: i64,
    /// What has arrived, and what of it has gone back or is on its way.
    pub paid_minor: i64,
    pub refunded_minor: i64,
    pub discount: Option<DiscountId>,
    pub cancel_reason: Option<CancelReason>,
    pub due_at: Option<Timestamp>,
    pub times: Times,
    pub allocations: Vec<Allocation>,
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
}

impl KnownOrder {
    /// Whose order it is.
    pub fn customer(&self) -> Customer {
        match (self.account, &self.email_key) {
            (Some(account), _) => Customer::Account(account),
            (None, Some(email)) => Customer::Guest(Arc::clone(email)),
            (None, None) => unreachable!("an order is somebody's: the database has a constraint"),
        }
    }
}

/// When an order reached which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    pub paid: Option<Timestamp>,
    pub fulfilled: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    pub cancelled: Option<Timestamp>,
    pub returned: Option<Timestamp>,
    pub refunded: Option<Timestamp>,
    pub reinstated: Option<Timestamp>,
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    Customer,
    Staff,
    /// The time to pay was over.
    Unpaid,
}

impl CancelReason {
    const ALL: [CancelReason; 3] =
        [CancelReason::Customer, CancelReason::Staff, CancelReason::Unpaid];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            CancelReason::Customer => "customer",
            CancelReason::Staff => "staff",
            CancelReason::Unpaid => "unpaid",
        }
    }

    /// The reason of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Units of one order line promised from one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// Counted from 1.
    pub line_no: i64,
    pub level: LevelId,
    pub variant: VariantId,
    pub quantity: i64,
    /// Of these: those that have left.
    pub shipped: i64,
    /// Of those that left: those that came back.
    pub returned: i64,
}

/// One attempt to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub gateway: Gateway,
    pub status: PaymentStatus,
    pub amount_minor: i64,
    pub received_minor: i64,
    pub currency: Currency,
    pub provider_id: Option<String>,
    pub failure: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Nobody knows more yet than that it was asked for.
    Pending,
    Authorised,
    Succeeded,
    Failed,
    Cancelled,
}

impl PaymentStatus {
    const ALL: [PaymentStatus; 5] = [
        PaymentStatus::Pending,
        PaymentStatus::Authorised,
        PaymentStatus::Succeeded,
        PaymentStatus::Failed,
        PaymentStatus::Cancelled,
    ];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            PaymentStatus::Pending => "pending",
            PaymentStatus::Authorised => "authorised",
            PaymentStatus::Succeeded => "succeeded",
            PaymentStatus::Failed => "failed",
            PaymentStatus::Cancelled => "cancelled",
        }
    }

    /// The status of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// True if money may still arrive by it.
    pub fn is_open(self) -> bool {
        matches!(self, PaymentStatus::Pending | PaymentStatus::Authorised)
    }
}

/// Money on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub payment: PaymentId,
    pub amount_minor: i64,
    pub status: RefundStatus,
    pub reason: RefundReason,
    /// What staff wrote, or why the provider refused.
    pub note: Option<String>,
    pub provider_id: Option<String>,
    pub actor: Option<AccountId>,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// To be sent, or sent without an answer yet.
    Pending,
    Succeeded,
    /// Refused for good.
    Failed,
}

impl RefundStatus {
    const ALL: [RefundStatus; 3] =
        [RefundStatus::Pending, RefundStatus::Succeeded, RefundStatus::Failed];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            RefundStatus::Pending => "pending",
            RefundStatus::Succeeded => "succeeded",
            RefundStatus::Failed => "failed",
        }
    }

    /// The status of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundReason {
    /// By staff.
    Requested,
    /// The order was cancelled.
    Cancelled,
    /// It arrived when the order had lapsed and its stock was gone.
    TooLate,
    /// Amount or currency were not those of the payment. Such money never counts as paid.
    Mismatch,
    /// The order was paid already.
    Excess,
}

impl RefundReason {
    const ALL: [RefundReason; 5] = [
        RefundReason::Requested,
        RefundReason::Cancelled,
        RefundReason::TooLate,
        RefundReason::Mismatch,
        RefundReason::Excess,
    ];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            RefundReason::Requested => "requested",
            RefundReason::Cancelled => "cancelled",
            RefundReason::TooLate => "too_late",
            RefundReason::Mismatch => "mismatch",
            RefundReason::Excess => "excess",
        }
    }

    /// The reason of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Units that left together.
#[derive(Debug, Clone)]
pub struct Fulfilment {
    pub id: FulfilmentId,
    pub order: OrderId,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    pub actor: Option<AccountId>,
    /// Line, level, units.
    pub parts: Vec<(i64, LevelId, i64)>,
}

/// A basket that a command of the batch names.
#[derive(Debug, Clone)]
pub struct KnownBasket {
    pub account: Option<AccountId>,
    pub token_hash: Option<[u8; 32]>,
    pub currency: Currency,
    pub status: BasketStatus,
    pub order: Option<OrderId>,
    pub discount: Option<DiscountId>,
    pub lines: BTreeMap<VariantId, BasketLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasketStatus {
    Open,
    /// It became an order.
    Ordered,
    /// It went into its account's basket.
    Merged,
}

impl BasketStatus {
    const ALL: [BasketStatus; 3] =
        [BasketStatus::Open, BasketStatus::Ordered, BasketStatus::Merged];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            BasketStatus::Open => "open",
            BasketStatus::Ordered => "ordered",
            BasketStatus::Merged => "merged",
        }
    }

    /// The status of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// What a basket wants of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasketLine {
    pub quantity: i64,
    /// The price that the buyer saw.
    pub unit_price_minor: i64,
    /// When the present holds were first taken; they may live [`super::HOLD_LIFE_S_MAX`].
    pub held_since: Option<Timestamp>,
    pub added_at: Timestamp,
}

/// Units of a level that a basket holds until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub quantity: i64,
    pub expires_at: Timestamp,
}

/// Which hold: one per basket, variant and level.
pub type HoldKey = (BasketId, VariantId, LevelId);

/// A discount with how often customers of the batch have used it.
#[derive(Debug, Clone)]
pub struct KnownDiscount {
    pub code: Arc<str>,
    pub discount: Discount,
}

/// A key that was used before.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub fingerprint: [u8; 32],
    pub remembered: Remembered,
}
