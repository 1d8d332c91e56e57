//! Baskets, checkout and the life of orders: random histories in a world of their own, a second
//! model of what baskets hold, tables of every refusal, and the defects that other shops repeat.

mod basket_cases;
mod check;
mod defects;
mod history;
mod in_batch;
mod naive;
mod order_cases;
mod stage;
mod steps;
mod world;

use jiff::Timestamp;

use super::{list, told_placed};
use crate::discount::Refusal;
use crate::stock::{
    ActOutcome, BasketOutcome, BasketStatus, BasketView, CheckoutOutcome, LineView, NotForSale,
    Shortage, WhyNot,
};

/// A moment as the histories count it: seconds after the beginning.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("histories are short")
}

/// `kept 1:2/2 until 300, 3:0/1`: two of two held until then, none of one.
pub(super) fn told_basket(outcome: &BasketOutcome) -> String {
    match outcome {
        BasketOutcome::Kept(view) => told_view(view),
        BasketOutcome::NotFound => "not found".to_owned(),
        BasketOutcome::NotOpen { status: BasketStatus::Ordered, order: Some(order) } => {
            format!("ordered as {order}")
        }
        BasketOutcome::NotOpen { status, .. } => status.name().to_owned(),
        BasketOutcome::AccountInactive => "inactive".to_owned(),
        BasketOutcome::Quantity(quantity) => format!("quantity {quantity}"),
        BasketOutcome::TooManyLines => "too many lines".to_owned(),
        BasketOutcome::NotForSale(line) => told_not_for_sale(&[*line]),
        BasketOutcome::OverOrderLimit { variant, limit } => format!("{variant} at most {limit}"),
        BasketOutcome::OverCustomerLimit { variant, limit, already } => {
            format!("{variant} at most {limit}, already {already}")
        }
        BasketOutcome::Short(line) => told_short(&[*line]),
        BasketOutcome::OtherCurrency => "other currency".to_owned(),
    }
}

fn told_view(view: &BasketView) -> String {
    list("kept", &view.lines, |line: &LineView| {
        let held = format!("{}:{}/{}", line.variant, line.held, line.quantity);
        line.expires_at.map_or(held.clone(), |until| format!("{held} until {}", until.as_second()))
    })
}

fn told_not_for_sale(lines: &[NotForSale]) -> String {
    list("not for sale", lines, |line| match line.why {
        WhyNot::Unknown => format!("{} unknown", line.variant),
        WhyNot::Unreleased { until } => format!("{} until {until}", line.variant),
        WhyNot::NoPrice => format!("{} without price", line.variant),
    })
}

fn told_short(lines: &[Shortage]) -> String {
    list("short", lines, |line| format!("{} {}/{}", line.variant, line.available, line.requested))
}

pub(super) fn told_checkout(outcome: &CheckoutOutcome) -> String {
    match outcome {
        CheckoutOutcome::Placed(placed) => told_placed(placed),
        CheckoutOutcome::NotFound => "not found".to_owned(),
        CheckoutOutcome::NotOpen { status: BasketStatus::Ordered, order: Some(order) } => {
            format!("ordered as {order}")
        }
        CheckoutOutcome::NotOpen { status, .. } => status.name().to_owned(),
        CheckoutOutcome::AccountInactive => "inactive".to_owned(),
        CheckoutOutcome::Empty => "empty".to_owned(),
        CheckoutOutcome::EmailMissing => "email missing".to_owned(),
        CheckoutOutcome::NotForSale(lines) => told_not_for_sale(lines),
        CheckoutOutcome::OverOrderLimit { variant, limit } => format!("{variant} at most {limit}"),
        CheckoutOutcome::OverCustomerLimit { variant, limit, already } => {
            format!("{variant} at most {limit}, already {already}")
        }
        CheckoutOutcome::Short(lines) => told_short(lines),
        CheckoutOutcome::Discount(refusal) => told_discount(*refusal),
        CheckoutOutcome::PriceChanged { lines, total_minor } => {
            let lines = list("price changed", lines, |line| {
                format!("{} {} to {}", line.variant, line.shown_minor, line.now_minor)
            });
            format!("{lines}; total {total_minor}")
        }
        CheckoutOutcome::TotalTooLarge => "total too large".to_owned(),
    }
}

fn told_discount(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unknown => "discount unknown".to_owned(),
        Refusal::Inactive => "discount inactive".to_owned(),
        Refusal::NotYet { from } => format!("discount from {}", from.as_second()),
        Refusal::Over { since } => format!("discount over since {}", since.as_second()),
        Refusal::Currency { currency } => format!("discount in {currency}"),
        Refusal::UsedUp => "discount used up".to_owned(),
        Refusal::UsedUpByCustomer => "discount used up by customer".to_owned(),
    }
}

pub(super) fn told_act(outcome: &ActOutcome) -> String {
    match outcome {
        ActOutcome::Done { payment: Some(payment), .. } => format!("done, payment {payment}"),
        ActOutcome::Done { .. } => "done".to_owned(),
        ActOutcome::Nothing { .. } => "nothing".to_owned(),
        ActOutcome::NotFound => "not found".to_owned(),
        ActOutcome::Illegal(illegal) => format!("{:?} when {}", illegal.event, illegal.status),
        ActOutcome::NoSuch => "no such".to_owned(),
        ActOutcome::TooMany { line_no, asked, left } => {
            format!("line {line_no}: {asked} of {left}")
        }
        ActOutcome::NoLine { line_no } => format!("no line {line_no}"),
        ActOutcome::NothingLeft => "nothing left".to_owned(),
        ActOutcome::TooMuch { asked_minor, left_minor } => format!("{asked_minor} of {left_minor}"),
    }
}
