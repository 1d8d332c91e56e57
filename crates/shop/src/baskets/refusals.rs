//! Which refusal of a basket becomes which problem.

use runout_core::discount::Refusal;
use runout_core::stock::{
    BasketOutcome, BasketStatus, CheckoutOutcome, LINES_MAX, QUANTITY_MAX, SellOutcome,
};
use serde_json::{Value as Json, json};

use crate::orders::problem_of;
use crate::platform::problem::{FieldError, Problem};

/// A change of a basket that was refused.
///
/// # Panics
/// When it was done: that is no refusal.
pub(super) fn refused(outcome: BasketOutcome) -> Problem {
    match outcome {
        BasketOutcome::Kept(_) => unreachable!("a basket that was kept is shown"),
        BasketOutcome::NotFound => Problem::not_found("basket"),
        BasketOutcome::NotOpen { status, order } => not_open(status, order.map(|order| order.0)),
        BasketOutcome::AccountInactive => problem_of(&SellOutcome::AccountInactive),
        BasketOutcome::Quantity(_) => {
            let detail = format!("A quantity is 0 to {QUANTITY_MAX}; 0 removes the line.");
            Problem::validation(vec![FieldError::new("/quantity", "range", detail)])
        }
        BasketOutcome::TooManyLines => {
            Problem::conflict("too_many_lines", format!("A basket has at most {LINES_MAX} lines."))
        }
        BasketOutcome::NotForSale(line) => problem_of(&SellOutcome::NotForSale(vec![line])),
        BasketOutcome::OverOrderLimit { variant, limit } => {
            problem_of(&SellOutcome::OverOrderLimit { variant, limit })
        }
        BasketOutcome::OverCustomerLimit { variant, limit, already } => {
            problem_of(&SellOutcome::OverCustomerLimit { variant, limit, already })
        }
        BasketOutcome::Short(line) => problem_of(&SellOutcome::Short(vec![line])),
        BasketOutcome::OtherCurrency => Problem::conflict(
            "other_currency",
            "The baskets are in different currencies and cannot become one.",
        ),
    }
}

/// The basket is closed.
pub(super) fn not_open(status: BasketStatus, order: Option<i64>) -> Problem {
    match status {
        BasketStatus::Merged => {
            Problem::conflict("basket_merged", "The basket went into that of its account.")
        }
        BasketStatus::Ordered | BasketStatus::Open => {
            Problem::conflict("basket_ordered", "The basket has become an order.")
                .with("order_id", order)
        }
    }
}

/// A checkout that was refused.
///
/// # Panics
/// When an order came of it: that is no refusal.
pub(super) fn not_checked_out(outcome: CheckoutOutcome) -> Problem {
    let field = |pointer: &str, code: &'static str, detail: &str| {
        Problem::validation(vec![FieldError::new(pointer, code, detail)])
    };
    match outcome {
        CheckoutOutcome::Placed(_) => unreachable!("a placed order is answered with the order"),
        CheckoutOutcome::NotFound => Problem::not_found("basket"),
        CheckoutOutcome::NotOpen { status, order } => not_open(status, order.map(|order| order.0)),
        CheckoutOutcome::AccountInactive => problem_of(&SellOutcome::AccountInactive),
        CheckoutOutcome::Empty => {
            Problem::conflict("basket_empty", "There is nothing in the basket.")
        }
        CheckoutOutcome::EmailMissing => {
            field("/email", "required", "A guest leaves an e-mail address.")
        }
        CheckoutOutcome::NotForSale(lines) => problem_of(&SellOutcome::NotForSale(lines)),
        CheckoutOutcome::OverOrderLimit { variant, limit } => {
            problem_of(&SellOutcome::OverOrderLimit { variant, limit })
        }
        CheckoutOutcome::OverCustomerLimit { variant, limit, already } => {
            problem_of(&SellOutcome::OverCustomerLimit { variant, limit, already })
        }
        CheckoutOutcome::Short(lines) => problem_of(&SellOutcome::Short(lines)),
        CheckoutOutcome::Discount(refusal) => discount_refused(refusal),
        CheckoutOutcome::TotalTooLarge => problem_of(&SellOutcome::TotalTooLarge),
        CheckoutOutcome::PriceChanged { lines, total_minor } => {
            let line = |line: &runout_core::stock::PriceChange| {
                json!({
                    "variant_id": line.variant.0,
                    "shown_minor": line.shown_minor,
                    "now_minor": line.now_minor,
                })
            };
            Problem::conflict(
                "price_changed",
                "Prices are not those that were shown: look at the total, and repeat the request \
                with it as confirm_total_minor.",
            )
            .with("lines", lines.iter().map(line).collect::<Vec<Json>>())
            .with("total_minor", total_minor)
        }
    }
}

/// A code that cannot be used.
pub(super) fn discount_refused(refusal: Refusal) -> Problem {
    let (reason, detail) = match refusal {
        Refusal::Unknown => ("unknown", "There is no such code.".to_owned()),
        Refusal::Inactive => ("inactive", "The code can no longer be used.".to_owned()),
        Refusal::NotYet { from } => ("not_yet", format!("The code can be used from {from} on.")),
        Refusal::Over { since } => ("over", format!("The code could be used until {since}.")),
        Refusal::Currency { currency } => {
            ("currency", format!("The code is worth an amount in {currency}."))
        }
        Refusal::UsedUp => ("used_up", "The code was used as often as it may be.".to_owned()),
        Refusal::UsedUpByCustomer => {
            ("used_up", "You have used the code as often as one may.".to_owned())
        }
    };
    Problem::conflict("discount_refused", detail).with("reason", reason)
}
