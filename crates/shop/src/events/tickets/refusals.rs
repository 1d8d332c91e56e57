//! Which refusal of tickets becomes which problem.

use super::commands::AdmissionRefused;
use super::link::LinkRefused;
use crate::platform::problem::{FieldError, Problem};

impl AdmissionRefused {
    /// A stable name of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchEvent => "not_found",
            Self::NotTicketed => "not_ticketed",
            Self::UnknownCode => "unknown_code",
            Self::OtherEvent { .. } => "other_event",
            Self::EventCancelled => "event_cancelled",
            Self::AlreadyAdmitted { .. } => "already_admitted",
            Self::NotAdmitted => "not_admitted",
            Self::NotPaid => "order_not_paid",
            Self::OrderCancelled => "order_cancelled",
            Self::OrderRefunded => "order_refunded",
            Self::Returned => "ticket_returned",
            Self::NotToday { .. } => "not_today",
        }
    }

    /// The reason in words, for whoever stands at the door.
    pub fn words(&self) -> String {
        match self {
            Self::NoSuchEvent => "There is no such event.".to_owned(),
            Self::NotTicketed => "This event sells no tickets.".to_owned(),
            Self::UnknownCode => "This is not one of our tickets.".to_owned(),
            Self::OtherEvent { event: Some((_, title)) } => {
                format!("This ticket is for another event: {title}.")
            }
            Self::OtherEvent { event: None } => "This ticket is for no event.".to_owned(),
            Self::EventCancelled => "The event was cancelled.".to_owned(),
            Self::AlreadyAdmitted { by, buyer, .. } => {
                format!("Somebody was let in with this ticket before, by {by}. {buyer} bought it.")
            }
            Self::NotAdmitted => "Nobody was let in with this ticket.".to_owned(),
            Self::NotPaid => "The order has not been paid.".to_owned(),
            Self::OrderCancelled => "The order was cancelled.".to_owned(),
            Self::OrderRefunded => "The order's money was sent back.".to_owned(),
            Self::Returned => "This ticket was given back.".to_owned(),
            Self::NotToday { .. } => "The event is not today.".to_owned(),
        }
    }
}

impl From<AdmissionRefused> for Problem {
    fn from(refused: AdmissionRefused) -> Self {
        let (code, words) = (refused.code(), refused.words());
        match refused {
            AdmissionRefused::NoSuchEvent => Problem::not_found("event"),
            AdmissionRefused::UnknownCode => Problem::not_found("ticket").code(code).detail(words),
            AdmissionRefused::OtherEvent { event } => {
                let id = event.map(|(id, _)| id);
                Problem::conflict(code, words).with("event_id", id)
            }
            AdmissionRefused::AlreadyAdmitted { at, by, .. } => {
                Problem::conflict(code, words).with("admitted_at", at).with("admitted_by", by)
            }
            AdmissionRefused::NotToday { opens_at, closes_at } => Problem::conflict(code, words)
                .with("opens_at", opens_at)
                .with("closes_at", closes_at),
            _ => Problem::conflict(code, words),
        }
    }
}

impl From<LinkRefused> for Problem {
    fn from(refused: LinkRefused) -> Self {
        let invalid = |code: &'static str, detail: &str| {
            Problem::validation(vec![FieldError::new("/product_id", code, detail)])
        };
        match refused {
            LinkRefused::NoSuchEvent => Problem::not_found("event"),
            LinkRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            LinkRefused::EventCancelled => {
                Problem::conflict("event_cancelled", "The event was cancelled.")
            }
            LinkRefused::PeopleSignedUp { count } => {
                let detail = format!("{count} people have signed up: they would have no tickets.");
                Problem::conflict("people_signed_up", detail).with("count", count)
            }
            LinkRefused::NoSuchProduct => invalid("unknown", "There is no such product."),
            LinkRefused::NoTicket => invalid("not_a_ticket", "The product is not of kind ticket."),
            LinkRefused::Taken { event_id } => {
                let detail = "The product is the tickets of another event.";
                Problem::conflict("product_taken", detail).with("event_id", event_id)
            }
            LinkRefused::TicketsOrdered => {
                let detail = "Tickets of this event were ordered; they stay its tickets.";
                Problem::conflict("tickets_ordered", detail)
            }
        }
    }
}
