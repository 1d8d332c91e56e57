//! The life of an order: which states there are and what leads from one to another.
//!
//! ```text
//! placed --pay--> paid --fulfil all--> fulfilled --close--> closed
//!   |  ^           |                      |                  |
//!   |  |           |                      +---return all-----+--> returned
//!   |  +-reinstate-+--refund all (also from fulfilled, closed, returned)--> refunded
//!   +--cancel--> cancelled <--cancel (nothing has left yet)-- paid
//! ```
//!
//! Partial payments do not exist; partial fulfilments, returns and refunds leave the state as it is
//! and show in the order's quantities and amounts.

use std::fmt;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its stock is promised, its money has not arrived.
    Placed,
    Paid,
    /// Every unit has left.
    Fulfilled,
    /// Fulfilled, and done with.
    Closed,
    /// Given up before anything left; its stock and its money went back.
    Cancelled,
    /// All of its money went back.
    Refunded,
    /// All of its goods came back.
    Returned,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its whole amount has arrived.
    Pay,
    /// Its last units have left.
    FulfilAll,
    /// Some of its units have left, not the last ones.
    FulfilPart,
    Close,
    /// By the buyer or the staff.
    Cancel,
    /// The time to pay is over.
    Lapse,
    /// Paid after it lapsed, and there is stock for it again.
    Reinstate,
    ReturnPart,
    ReturnAll,
    RefundPart,
    RefundAll,
}

/// The order is in a state in which this cannot happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Illegal {
    pub status: Status,
    pub event: Event,
}

impl Status {
    pub const ALL: [Status; 7] = [
        Status::Placed,
        Status::Paid,
        Status::Fulfilled,
        Status::Closed,
        Status::Cancelled,
        Status::Refunded,
        Status::Returned,
    ];

    /// As it is stored and sent.
    pub fn name(self) -> &'static str {
        match self {
            Status::Placed => "placed",
            Status::Paid => "paid",
            Status::Fulfilled => "fulfilled",
            Status::Closed => "closed",
            Status::Cancelled => "cancelled",
            Status::Refunded => "refunded",
            Status::Returned => "returned",
        }
    }

    /// The status of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// True if the units that have not left are still promised to the order.
    pub fn holds_stock(self) -> bool {
        !matches!(self, Status::Cancelled | Status::Refunded)
    }

    /// The state after the event.
    ///
    /// # Errors
    /// [`Illegal`] if it cannot happen here; nothing changes then.
    pub fn after(self, event: Event) -> Result<Self, Illegal> {
        use Event::{
            Cancel, Close, FulfilAll, FulfilPart, Lapse, Pay, RefundAll, RefundPart, Reinstate,
            ReturnAll, ReturnPart,
        };
        use Status::{Cancelled, Closed, Fulfilled, Paid, Placed, Refunded, Returned};
        Ok(match (self, event) {
            (Placed, Pay) | (Cancelled, Reinstate) => Paid,
            (Placed, Cancel | Lapse) | (Paid, Cancel) => Cancelled,
            (Paid, FulfilPart) => Paid,
            (Paid, FulfilAll) => Fulfilled,
            (Fulfilled, Close) => Closed,
            (Fulfilled | Closed, ReturnAll) => Returned,
            // Goods may come back before the rest has left, and after the money went back.
            (Paid | Fulfilled | Closed | Refunded, ReturnPart) | (Refunded, ReturnAll) => self,
            (Paid | Fulfilled | Closed | Returned, RefundPart) => self,
            (Paid | Fulfilled | Closed | Returned, RefundAll) => Refunded,
            (status, event) => return Err(Illegal { status, event }),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 11] = [
        Event::Pay,
        Event::FulfilAll,
        Event::FulfilPart,
        Event::Close,
        Event::Cancel,
        Event::Lapse,
        Event::Reinstate,
        Event::ReturnPart,
        Event::ReturnAll,
        Event::RefundPart,
        Event::RefundAll,
    ];

    /// A row per state, a column per event in the order of [`EVENTS`]; `-` is illegal.
    const TABLE: &str = "
        placed     paid -         -    -      cancelled cancelled -    -         -        -         -
        paid       -    fulfilled paid -      cancelled -         -    paid      -        paid      refunded
        fulfilled  -    -         -    closed -         -         -    fulfilled returned fulfilled refunded
        closed     -    -         -    -      -         -         -    closed    returned closed    refunded
        cancelled  -    -         -    -      -         -         paid -         -        -         -
        refunded   -    -         -    -      -         -         -    refunded  refunded -         -
        returned   -    -         -    -      -         -         -    -         -        returned  refunded
    ";

    #[test]
    fn every_state_and_event_is_as_agreed() {
        let mut seen = 0;
        for row in TABLE.trim().lines() {
            let mut words = row.split_whitespace();
            let from = words.next().and_then(Status::from_name).expect("a status");
            for (event, expected) in EVENTS.into_iter().zip(words) {
                let after = from.after(event).map_or("-", Status::name);
                assert_eq!(after, expected, "{from} and {event:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, Status::ALL.len() * EVENTS.len());
    }

    #[test]
    fn money_that_went_back_never_pays_again() {
        for status in Status::ALL {
            if let Ok(after) = status.after(Event::Pay) {
                assert_eq!((status, after), (Status::Placed, Status::Paid));
            }
        }
    }
}
