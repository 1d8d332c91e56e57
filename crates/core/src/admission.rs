//! Who is let in: a ticket admits once.
//!
//! A ticket is one unit, counted from 1, of an order's line. Nothing is stored of it until somebody
//! was let in with it. What always holds: no ticket admits twice, none of an order that is not paid
//! or whose money or goods went back, and of a line no more tickets can still be used than units
//! were bought, less those that came back.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::order::Status;

/// What the door knows of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    pub cancelled: bool,
    /// From this moment on it is the day of the event, where it takes place.
    pub opens_at: Timestamp,
    /// From this moment on it is not any more.
    pub closes_at: Timestamp,
}

/// A line of an order, as it was loaded under the order's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub status: Status,
    /// The line's tickets are for the event of the door.
    pub of_event: bool,
    pub quantity: i64,
    /// Units that came back.
    pub returned: i64,
    /// Tickets with which somebody was let in.
    pub admitted: BTreeSet<i64>,
}

/// Why nobody is let in with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// There is no such line, or it has fewer units.
    NoSuchTicket,
    OtherEvent,
    EventCancelled,
    AlreadyAdmitted,
    NotPaid,
    OrderCancelled,
    OrderRefunded,
    /// The unit has come back.
    Returned,
    /// Whoever is at the door may let them in all the same.
    NotToday,
}

/// Decides whether somebody is let in with ticket `number` of a line. `any_day`: whoever is at the
/// door has said that the day does not matter.
///
/// # Errors
/// [`Refused`].
pub fn admit(
    door: &Door,
    line: &Line,
    number: i64,
    now: Timestamp,
    any_day: bool,
) -> Result<(), Refused> {
    if number < 1 || number > line.quantity {
        return Err(Refused::NoSuchTicket);
    }
    if !line.of_event {
        return Err(Refused::OtherEvent);
    }
    if door.cancelled {
        return Err(Refused::EventCancelled);
    }
    if line.admitted.contains(&number) {
        return Err(Refused::AlreadyAdmitted);
    }
    match line.status {
        Status::Placed => return Err(Refused::NotPaid),
        Status::Cancelled => return Err(Refused::OrderCancelled),
        Status::Refunded => return Err(Refused::OrderRefunded),
        Status::Returned => return Err(Refused::Returned),
        Status::Paid | Status::Fulfilled | Status::Closed => {}
    }
    if has_come_back(line, number) {
        return Err(Refused::Returned);
    }
    let today = door.opens_at <= now && now < door.closes_at;
    if today || any_day { Ok(()) } else { Err(Refused::NotToday) }
}

/// True if an order in this state has tickets to show.
pub fn has_tickets(status: Status) -> bool {
    matches!(status, Status::Paid | Status::Fulfilled | Status::Closed)
}

/// True if a ticket that nobody was let in with cannot be used, because units came back.
///
/// Units come back by their number only: which tickets these are is not said. They are taken from
/// the end, leaving out those that were used. So as many can be used as were kept, and a ticket
/// that came back does not come to life because others are used: only the end of the line shrinks.
pub fn has_come_back(line: &Line, number: i64) -> bool {
    let behind = (number + 1..=line.quantity).filter(|other| !line.admitted.contains(other));
    let unused = i64::try_from(behind.count()).expect("lines have few units");
    !line.admitted.contains(&number) && unused < line.returned
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
