//! From outcomes to problems.

use std::time::Duration;

use runout_core::event::Outcome;

use super::edit::EventRefused;
use crate::platform::batches::Undecided;
use crate::platform::problem::{FieldError, Problem};

/// After which time a client should ask again when too many do.
const RETRY_QUEUE: Duration = Duration::from_secs(1);

impl From<EventRefused> for Problem {
    fn from(refused: EventRefused) -> Self {
        match refused {
            EventRefused::NotFound => Problem::not_found("event"),
            EventRefused::NotYours => {
                Problem::forbidden().detail("Only the organiser of an event and staff may do this.")
            }
            EventRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            EventRefused::Cancelled => cancelled(),
            EventRefused::Span((field, reason)) => {
                Problem::validation(vec![FieldError::new(format!("/{field}"), "invalid", reason)])
            }
            EventRefused::TooFew { attending } => {
                let detail = format!("{attending} come already: there must be room for them.");
                let errors = vec![FieldError::new("/capacity", "too_few", detail.clone())];
                Problem::conflict("capacity_too_small", detail)
                    .errors(errors)
                    .with("attending", attending)
            }
        }
    }
}

fn cancelled() -> Problem {
    Problem::conflict("event_cancelled", "This event was cancelled.")
}

/// Why a wish was not carried out; `None` if it was, or if there was nothing to do.
pub(super) fn refusal(outcome: &Outcome) -> Option<Problem> {
    match outcome {
        Outcome::SignedUp { .. } | Outcome::Withdrawn | Outcome::NotSignedUp => None,
        Outcome::NoSuchEvent => Some(Problem::not_found("event")),
        Outcome::Cancelled => Some(cancelled()),
        Outcome::Over => Some(Problem::conflict("event_over", "This event is over.")),
        Outcome::Ticketed => {
            let detail = "This event sells tickets: buy one instead of signing up.";
            Some(Problem::conflict("event_ticketed", detail))
        }
    }
}

/// The wish was not decided.
pub(super) fn undecided(error: Undecided) -> Problem {
    match error {
        Undecided::Store(error) => error.into(),
        Undecided::QueueFull | Undecided::DeadlinePassed => {
            let detail = "More people sign up than can be decided in time: try again.";
            Problem::unavailable(RETRY_QUEUE).code("overloaded").detail(detail).context(error)
        }
        Undecided::Stopped => {
            let detail = "The shop is restarting: try again.";
            Problem::unavailable(RETRY_QUEUE).code("restarting").detail(detail).context(error)
        }
    }
}
