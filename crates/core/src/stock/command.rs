//! What can be asked of the stock.

use crate::ids::{AccountId, LocationId, OrderId, VariantId};
use crate::money::Currency;

/// A command with the key under which a repetition is recognised.
#[derive(Debug, Clone)]
pub struct Asked {
    pub command: Command,
    pub key: Option<Key>,
}

/// An idempotency key: the account's own word for this request, and a digest of what it asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub account: AccountId,
    pub key: String,
    pub fingerprint: [u8; 32],
}

#[derive(Debug, Clone)]
pub enum Command {
    Sell(Sell),
    Cancel(Cancel),
    Receive(Receive),
    Adjust(Adjust),
    Transfer(Transfer),
}

/// Places an order: all lines or none.
#[derive(Debug, Clone)]
pub struct Sell {
    pub account: AccountId,
    /// 1 to [`super::LINES_MAX`] lines of 1 to [`super::QUANTITY_MAX`] units.
    pub lines: Vec<LineRequest>,
    pub currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineRequest {
    pub variant: VariantId,
    pub quantity: i64,
}

/// Cancels an order and gives its stock back.
#[derive(Debug, Clone)]
pub struct Cancel {
    pub order: OrderId,
    pub by: By,
}

/// Who acts on an order: customers reach their own only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Owner(AccountId),
    Staff(AccountId),
}

/// Goods that came in.
#[derive(Debug, Clone)]
pub struct Receive {
    pub variant: VariantId,
    pub location: LocationId,
    /// 1 to [`super::ON_HAND_MAX`].
    pub quantity: i64,
    /// Nobody, for an import.
    pub actor: Option<AccountId>,
    pub reason: Option<String>,
}

/// A correction after counting, loss or damage.
#[derive(Debug, Clone)]
pub struct Adjust {
    pub variant: VariantId,
    pub location: LocationId,
    pub change: Change,
    pub actor: AccountId,
    pub reason: String,
}

/// How a correction is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// So many more, or fewer, on the shelf.
    By(i64),
    /// So many were counted on the shelf.
    OnHand(i64),
    /// So many shall be for sale.
    Available(i64),
}

/// Moves free stock from one location to another.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub variant: VariantId,
    pub from: LocationId,
    pub to: LocationId,
    /// 1 to [`super::ON_HAND_MAX`].
    pub quantity: i64,
    pub actor: AccountId,
    pub reason: Option<String>,
}

impl Command {
    /// Variants whose levels the command may touch; an order's cancellation finds its own.
    pub fn variants(&self) -> impl Iterator<Item = VariantId> {
        let (lines, one): (&[LineRequest], _) = match self {
            Command::Sell(sell) => (&sell.lines, None),
            Command::Cancel(_) => (&[], None),
            Command::Receive(receive) => (&[], Some(receive.variant)),
            Command::Adjust(adjust) => (&[], Some(adjust.variant)),
            Command::Transfer(transfer) => (&[], Some(transfer.variant)),
        };
        lines.iter().map(|line| line.variant).chain(one)
    }
}
