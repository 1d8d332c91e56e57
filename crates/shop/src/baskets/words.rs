//! Why something did not work with a basket, in words for whoever shops.

use runout_core::discount::Refusal;
use runout_core::stock::{
    BasketOutcome, CheckoutOutcome, LINES_MAX, NotForSale, QUANTITY_MAX, Shortage, WhyNot,
};

use super::show::BasketOut;
use crate::pages::words::{count, day, price_in};

/// Why a line of a thing of this title was not set.
///
/// # Panics
/// When it was: that is no refusal.
pub(super) fn not_set(outcome: &BasketOutcome, title: &str) -> String {
    match outcome {
        BasketOutcome::Kept(_) => unreachable!("a basket that was kept is shown"),
        BasketOutcome::NotFound | BasketOutcome::NotOpen { .. } => {
            "This basket is closed. What you put in now goes into a new one.".to_owned()
        }
        BasketOutcome::AccountInactive => "This account cannot order any more.".to_owned(),
        BasketOutcome::Quantity(_) => format!("Give a number from 1 to {QUANTITY_MAX}."),
        BasketOutcome::TooManyLines => {
            format!("A basket holds {LINES_MAX} different things at most.")
        }
        BasketOutcome::NotForSale(line) => not_for_sale(title, line),
        BasketOutcome::OverOrderLimit { limit, .. } => {
            format!("{title}: one order may have {} at most.", count(*limit, "copy", "copies"))
        }
        BasketOutcome::OverCustomerLimit { limit, already, .. } => {
            format!("{title}: {}", over_limit(*limit, *already))
        }
        BasketOutcome::Short(line) => short(title, line),
        BasketOutcome::OtherCurrency => {
            "The baskets are in different currencies and cannot become one.".to_owned()
        }
    }
}

fn over_limit(limit: i64, already: i64) -> String {
    let most = count(limit, "copy", "copies");
    match already {
        0 => format!("one customer may have {most} at most."),
        _ => format!("one customer may have {most} at most; you have bought {already}."),
    }
}

fn not_for_sale(title: &str, line: &NotForSale) -> String {
    match line.why {
        WhyNot::Unknown => format!("{title} is no longer for sale."),
        WhyNot::NoPrice => format!("{title} has no price now, so it cannot be bought."),
        WhyNot::Unreleased { until } => format!("{title} is not out yet: it comes {}.", day(until)),
    }
}

fn short(title: &str, line: &Shortage) -> String {
    match line.available {
        ..=0 => format!("{title} is gone: the last copy is with somebody else."),
        left => {
            let left = count(left, "copy is", "copies are");
            format!("{title}: only {left} left, and you asked for {}.", line.requested)
        }
    }
}

/// Why a basket did not become an order: a sentence for each thing that is wrong.
///
/// # Panics
/// When it did: that is no refusal.
pub(super) fn not_checked_out(outcome: &CheckoutOutcome, basket: &BasketOut) -> Vec<String> {
    let title = |variant: i64| {
        let line = basket.lines.iter().find(|line| line.variant_id == variant);
        line.map_or("Something", |line| line.title.as_str())
    };
    match outcome {
        CheckoutOutcome::Placed(_) => unreachable!("a placed order is shown"),
        CheckoutOutcome::Short(lines) => {
            lines.iter().map(|line| short(title(line.variant.0), line)).collect()
        }
        CheckoutOutcome::NotForSale(lines) => {
            lines.iter().map(|line| not_for_sale(title(line.variant.0), line)).collect()
        }
        CheckoutOutcome::OverOrderLimit { variant, limit } => {
            let most = count(*limit, "copy", "copies");
            vec![format!("{}: one order may have {most} at most.", title(variant.0))]
        }
        CheckoutOutcome::OverCustomerLimit { variant, limit, already } => {
            vec![format!("{}: {}", title(variant.0), over_limit(*limit, *already))]
        }
        CheckoutOutcome::Discount(refusal) => vec![no_discount(refusal)],
        CheckoutOutcome::PriceChanged { total_minor, .. } => {
            let total = price_in(*total_minor, &basket.currency);
            vec![format!("Prices have changed while you were here. The total is now {total}.")]
        }
        CheckoutOutcome::TotalTooLarge => vec!["This is more than one order can have.".to_owned()],
        CheckoutOutcome::AccountInactive => vec!["This account cannot order any more.".to_owned()],
        CheckoutOutcome::EmailMissing => vec!["Leave an e-mail address.".to_owned()],
        CheckoutOutcome::Empty | CheckoutOutcome::NotFound | CheckoutOutcome::NotOpen { .. } => {
            vec!["There is nothing in this basket.".to_owned()]
        }
    }
}

fn no_discount(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unknown => "There is no such code.".to_owned(),
        Refusal::Inactive => "The discount code can no longer be used.".to_owned(),
        Refusal::NotYet { from } => {
            format!("The discount code can be used from {} on.", day(*from))
        }
        Refusal::Over { since } => format!("The discount code ended on {}.", day(*since)),
        Refusal::Currency { currency } => {
            format!("The discount code is worth an amount in {currency}.")
        }
        Refusal::UsedUp => "The discount code was used as often as it may be.".to_owned(),
        Refusal::UsedUpByCustomer => "You have used the discount code before.".to_owned(),
    }
}
