//! What can be asked of the stock.

use std::sync::Arc;

use crate::ids::{AccountId, BasketId, LocationId, OrderId, PaymentId, RefundId, VariantId};
use crate::money::Currency;

/// A command with the key under which a repetition is recognised.
#[derive(Debug, Clone)]
pub struct Asked {
    pub command: Command,
    pub key: Option<Key>,
}

/// An idempotency key: its owner's own word for this request, and a digest of what it asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub owner: KeyOwner,
    pub key: String,
    pub fingerprint: [u8; 32],
}

/// Whose word a key is: an account's, or that of the guest with a basket. Stored as one number:
/// accounts count upwards from 1, baskets downwards from -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyOwner(pub i64);

impl From<AccountId> for KeyOwner {
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

impl From<BasketId> for KeyOwner {
    fn from(basket: BasketId) -> Self {
        Self(-basket.0)
    }
}

#[derive(Debug, Clone)]
pub enum Command {
    Sell(Sell),
    SetLine(SetLine),
    Extend(Extend),
    Merge(Merge),
    Checkout(Box<Checkout>),
    /// Gives back the lapsed holds of these variants. Every batch does so for the variants that it
    /// touches; this names some that nobody asks for.
    Expire(Vec<VariantId>),
    Cancel(Cancel),
    Act(Box<OrderAct>),
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
    /// Unpaid after so long it gives its stock back; `None`: it may stay unpaid.
    pub pay_within_s: Option<i64>,
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
    /// Whoever has the token of the basket that the order was.
    Guest(BasketId),
    Staff(AccountId),
    /// The shop itself: time, or what a provider tells.
    Shop,
}

impl By {
    /// The account that acts, if it is one.
    pub fn account(self) -> Option<AccountId> {
        match self {
            By::Owner(account) | By::Staff(account) => Some(account),
            By::Guest(_) | By::Shop => None,
        }
    }
}

/// Who opens a basket: its account, or whoever has its token (of which only the SHA-256 is known).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Account(AccountId),
    Token([u8; 32]),
}

/// Makes a line hold so many units: takes more, or gives some back. Every other line of the basket
/// is refreshed.
#[derive(Debug, Clone)]
pub struct SetLine {
    pub basket: BasketId,
    pub by: Holder,
    pub variant: VariantId,
    /// 0 removes the line.
    pub quantity: i64,
}

/// Extends the holds of a basket; takes lapsed ones anew where there is stock.
#[derive(Debug, Clone)]
pub struct Extend {
    pub basket: BasketId,
    pub by: Holder,
}

/// Puts a guest's basket into the one of their account: lines and holds.
#[derive(Debug, Clone)]
pub struct Merge {
    pub guest: BasketId,
    pub token: [u8; 32],
    pub account: AccountId,
    /// The account's open basket of the same currency.
    pub into: BasketId,
}

/// How an order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gateway {
    /// Bank transfer or cash: staff say when the money has arrived.
    Manual,
    Stripe,
}

impl Gateway {
    pub const ALL: [Gateway; 2] = [Gateway::Manual, Gateway::Stripe];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            Gateway::Manual => "manual",
            Gateway::Stripe => "stripe",
        }
    }

    /// The gateway of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gateway| gateway.name() == name)
    }
}

/// Turns a basket and its holds into an order.
#[derive(Debug, Clone)]
pub struct Checkout {
    pub basket: BasketId,
    pub by: Holder,
    pub contact: Contact,
    pub gateway: Gateway,
    /// The total that the buyer agrees to, where prices have changed since they were shown.
    pub confirmed_total_minor: Option<i64>,
    /// Unpaid after so long it gives its stock back.
    pub pay_within_s: i64,
}

/// Who gets the goods, and where.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Needed of a guest. As it was written, and as it is compared.
    pub email: Option<(Arc<str>, Arc<str>)>,
    /// JSON, kept as it is.
    pub address: Option<Arc<str>>,
    /// Whose tax rates apply: ISO 3166-1 alpha-2.
    pub country: Arc<str>,
}

/// Something that happens to an order.
#[derive(Debug, Clone)]
pub struct OrderAct {
    pub order: OrderId,
    pub by: By,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub enum Act {
    /// Another attempt to pay; one that is open already at the same gateway is used.
    StartPayment {
        gateway: Gateway,
    },
    /// Staff have got the money.
    PayManually,
    /// What the provider says of a payment.
    PaymentSeen {
        payment: PaymentId,
        seen: PaymentSeen,
    },
    /// The time to pay is over.
    Lapse,
    /// Sends money back: so much, or all that is left.
    Refund {
        amount_minor: Option<i64>,
        note: Option<String>,
    },
    /// What the provider says of a refund.
    RefundSeen {
        refund: RefundId,
        seen: RefundSeen,
    },
    /// Units leave: these, or all that are left.
    Fulfil {
        parts: Option<Vec<Part>>,
        carrier: Option<String>,
        tracking_number: Option<String>,
    },
    /// Units come back: these, or all that left; onto the shelf, or not.
    Return {
        parts: Option<Vec<Part>>,
        restock: bool,
    },
    Close,
}

/// Units of an order's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub line_no: i64,
    pub quantity: i64,
}

/// The provider's word on a payment, asked for and not guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentSeen {
    /// It exists there, under this name, and waits for the buyer.
    Open {
        provider_id: String,
    },
    /// The money is set aside.
    Authorised {
        provider_id: String,
    },
    /// The money has arrived. `currency` is the provider's word, upper case.
    Succeeded {
        provider_id: String,
        received_minor: i64,
        currency: String,
    },
    /// The last attempt failed. Until it is cancelled there, the buyer may still succeed.
    Failed {
        provider_id: String,
        reason: String,
    },
    Cancelled,
    /// It was asked, and nothing new came of it.
    Asked,
}

impl PaymentSeen {
    /// The provider's name for the payment, if it was told.
    pub fn provider_id(&self) -> Option<&str> {
        match self {
            PaymentSeen::Open { provider_id }
            | PaymentSeen::Authorised { provider_id }
            | PaymentSeen::Succeeded { provider_id, .. }
            | PaymentSeen::Failed { provider_id, .. } => {
                Some(provider_id.as_str()).filter(|name| !name.is_empty())
            }
            PaymentSeen::Cancelled | PaymentSeen::Asked => None,
        }
    }
}

/// The provider's word on a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundSeen {
    Succeeded {
        provider_id: Option<String>,
    },
    /// It is on its way.
    Pending {
        provider_id: String,
    },
    /// It was asked, and nothing new came of it.
    Asked,
    /// Refused for good: staff must send the money another way.
    Failed {
        reason: String,
    },
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
    /// Variants that the command itself names; those of a basket or an order are found there.
    pub fn variants(&self) -> Vec<VariantId> {
        match self {
            Command::Sell(sell) => sell.lines.iter().map(|line| line.variant).collect(),
            Command::SetLine(line) => vec![line.variant],
            Command::Expire(variants) => variants.clone(),
            Command::Receive(receive) => vec![receive.variant],
            Command::Adjust(adjust) => vec![adjust.variant],
            Command::Transfer(transfer) => vec![transfer.variant],
            Command::Extend(_)
            | Command::Merge(_)
            | Command::Checkout(_)
            | Command::Cancel(_)
            | Command::Act(_) => Vec::new(),
        }
    }

    /// Baskets that the command names.
    pub fn baskets(&self) -> [Option<BasketId>; 2] {
        match self {
            Command::SetLine(line) => [Some(line.basket), None],
            Command::Extend(extend) => [Some(extend.basket), None],
            Command::Merge(merge) => [Some(merge.guest), Some(merge.into)],
            Command::Checkout(checkout) => [Some(checkout.basket), None],
            _ => [None, None],
        }
    }

    /// The order that the command names.
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Command::Cancel(cancel) => Some(cancel.order),
            Command::Act(act) => Some(act.order),
            _ => None,
        }
    }
}
