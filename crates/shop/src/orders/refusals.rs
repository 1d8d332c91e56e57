//! Which refusal becomes which problem. The one place where that stands.

use std::time::Duration;

use runout_core::order::{Event, Illegal, Status};
use runout_core::stock::{ActOutcome, LINES_MAX, QUANTITY_MAX, SellOutcome, WhyNot};
use serde_json::{Value as Json, json};

use super::PlaceRefused;
use crate::platform::answer::key_reused;
use crate::platform::problem::{FieldError, Problem};
use crate::stock::Undecided;

/// After which time a client should come back when the queue was full.
const RETRY_QUEUE: Duration = Duration::from_secs(1);

impl From<PlaceRefused> for Problem {
    fn from(refused: PlaceRefused) -> Self {
        match refused {
            PlaceRefused::Unknown(lines) => unknown_lines(&lines),
            PlaceRefused::Refused(outcome) => problem_of(&outcome),
            PlaceRefused::KeyReused => key_reused(),
            PlaceRefused::NotFound => Problem::not_found("order"),
            PlaceRefused::AlreadyCancelled => Problem::conflict(
                "already_cancelled",
                "The order was cancelled before; its stock has come back once.",
            ),
            PlaceRefused::Illegal(reason) => illegal(reason),
            PlaceRefused::Act(outcome) => not_done(outcome),
            PlaceRefused::Undecided(error) => undecided(error),
        }
    }
}

/// An act on an order that was refused.
fn not_done(outcome: ActOutcome) -> Problem {
    let invalid = |pointer: &str, code: &'static str, detail: String| {
        Problem::validation(vec![FieldError::new(pointer, code, detail)])
    };
    match outcome {
        ActOutcome::Done { .. } | ActOutcome::Nothing { .. } => {
            unreachable!("what was done is answered with the order")
        }
        ActOutcome::NotFound => Problem::not_found("order"),
        ActOutcome::NoSuch => Problem::not_found("payment"),
        ActOutcome::Illegal(reason) => illegal(reason),
        ActOutcome::NoLine { line_no } => {
            let detail = format!("The order has no line {line_no}, or it is named twice.");
            invalid("/lines", "unknown", detail)
        }
        ActOutcome::TooMany { line_no, asked, left } => {
            let detail = format!("Line {line_no}: {asked} are asked for, {left} are left.");
            Problem::conflict("too_many", detail).with("line_no", line_no).with("left", left)
        }
        ActOutcome::NothingLeft => {
            Problem::conflict("nothing_left", "There are no units left of which this can be said.")
        }
        ActOutcome::TooMuch { asked_minor, left_minor } => {
            let detail = format!("{asked_minor} are asked for, {left_minor} are left.");
            Problem::conflict("too_much", detail).with("left_minor", left_minor)
        }
    }
}

/// The order is in a state in which this cannot happen.
pub(super) fn illegal(Illegal { status, event }: Illegal) -> Problem {
    let what = match event {
        Event::Pay | Event::Reinstate => "be paid",
        Event::FulfilAll | Event::FulfilPart => "be fulfilled",
        Event::Close => "be closed",
        Event::Cancel | Event::Lapse => "be cancelled",
        Event::ReturnAll | Event::ReturnPart => "take goods back",
        Event::RefundAll | Event::RefundPart => "be refunded",
    };
    let detail = match (event, status) {
        (Event::Cancel, Status::Paid) => {
            "Some of its goods have left: it can no longer be cancelled, but refunded.".to_owned()
        }
        _ => format!("The order is {status}: it cannot {what}."),
    };
    // Not `status`: that is the problem's own.
    Problem::conflict("illegal_transition", detail).with("order_status", status.name())
}

/// The command was not decided.
pub fn undecided(error: Undecided) -> Problem {
    match error {
        Undecided::Store(error) => error.into(),
        Undecided::QueueFull | Undecided::DeadlinePassed => {
            let detail = "More orders are waiting than can be decided in time: try again.";
            Problem::unavailable(RETRY_QUEUE).code("overloaded").detail(detail).context(error)
        }
        Undecided::Stopped => {
            let detail = "The shop is restarting: try again.";
            Problem::unavailable(RETRY_QUEUE).code("restarting").detail(detail).context(error)
        }
    }
}

fn unknown_lines(lines: &[usize]) -> Problem {
    let pointer = |index: &usize| format!("/lines/{index}");
    let error = |index| FieldError::new(pointer(index), "unknown", "There is no such product.");
    let reason = |index: &usize| json!({"line": index, "reason": "unknown"});
    Problem::conflict("not_for_sale", "Some lines name nothing that is for sale.")
        .errors(lines.iter().map(error).collect())
        .with("lines", lines.iter().map(reason).collect::<Vec<Json>>())
}

/// A sale that was refused.
///
/// # Panics
/// When the sale was placed: that is no refusal.
pub fn problem_of(outcome: &SellOutcome) -> Problem {
    match outcome {
        SellOutcome::Placed(_) => unreachable!("a placed order is answered with the order"),
        SellOutcome::AccountInactive => Problem::forbidden()
            .code("account_inactive")
            .detail("This account was deactivated and cannot order."),
        SellOutcome::LineCount(count) => {
            let detail = format!("An order has 1 to {LINES_MAX} lines, not {count}.");
            Problem::validation(vec![FieldError::new("/lines", "range", detail)])
        }
        SellOutcome::Quantity { line, quantity } => {
            let detail = format!("A quantity is 1 to {QUANTITY_MAX}, not {quantity}.");
            let pointer = format!("/lines/{line}/quantity");
            Problem::validation(vec![FieldError::new(pointer, "range", detail)])
        }
        SellOutcome::Duplicate { variant } => {
            let detail = format!("Two lines ask for variant {variant}: put them into one.");
            let error = FieldError::new("/lines", "duplicate", detail.clone());
            Problem::bad_request("duplicate_line", detail).errors(vec![error])
        }
        SellOutcome::NotForSale(lines) => {
            let detail = "Some lines cannot be bought now; see lines.";
            let lines: Vec<Json> = lines
                .iter()
                .map(|line| match line.why {
                    WhyNot::Unknown => json!({"variant_id": line.variant.0, "reason": "unknown"}),
                    WhyNot::NoPrice => json!({"variant_id": line.variant.0, "reason": "no_price"}),
                    WhyNot::Unreleased { until } => json!({
                        "variant_id": line.variant.0, "reason": "unreleased", "release_at": until,
                    }),
                })
                .collect();
            Problem::conflict("not_for_sale", detail).with("lines", lines)
        }
        SellOutcome::OverOrderLimit { variant, limit } => {
            let detail = format!("One order may hold {limit} of variant {variant} at most.");
            Problem::conflict("over_order_limit", detail)
                .with("variant_id", variant.0)
                .with("limit", limit)
        }
        SellOutcome::OverCustomerLimit { variant, limit, already } => {
            let detail =
                format!("One customer may buy {limit} of variant {variant}; you have {already}.");
            Problem::conflict("over_customer_limit", detail)
                .with("variant_id", variant.0)
                .with("limit", limit)
                .with("already", already)
        }
        SellOutcome::TotalTooLarge => {
            Problem::conflict("total_too_large", "The order's total is larger than can be paid.")
        }
        SellOutcome::Short(lines) => {
            let lines: Vec<Json> = lines
                .iter()
                .map(|line| {
                    json!({
                        "variant_id": line.variant.0,
                        "requested": line.requested,
                        "available": line.available,
                    })
                })
                .collect();
            Problem::conflict("out_of_stock", "Not enough is left; nothing was ordered. See lines.")
                .with("lines", lines)
        }
    }
}
