//! Orders as their buyers' pages show them.

use std::collections::HashMap;

use jiff::Timestamp;
use runout_core::tax::percent;

use super::show::{OrderLineOut, OrderOut, PaymentOut, Status};
use crate::catalog::Pictured;
use crate::pages::countries;
use crate::pages::words::{moment, price_in};

/// A moment for people and for programs.
#[derive(Debug)]
pub(super) struct Moment {
    pub words: String,
    pub iso: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { words: moment(at), iso: at.to_string() }
    }
}

#[derive(Debug)]
pub(super) struct LineShown {
    pub title: String,
    pub variant_title: String,
    pub quantity: i64,
    pub unit_price: String,
    pub total: String,
    /// What has become of its units, if anything has.
    pub fate: Option<String>,
    pub picture: Option<Pictured>,
}

impl LineShown {
    fn new(line: &OrderLineOut, currency: &str, picture: Option<Pictured>) -> Self {
        let sent = match line.fulfilled {
            0 => None,
            sent if sent == line.quantity => Some("sent".to_owned()),
            sent => Some(format!("{sent} of {} sent", line.quantity)),
        };
        let back = (line.returned > 0).then(|| format!("{} came back", line.returned));
        let fate: Vec<String> = sent.into_iter().chain(back).collect();
        Self {
            title: line.title.clone(),
            variant_title: line.variant_title.clone(),
            quantity: line.quantity,
            unit_price: price_in(line.unit_price_minor, currency),
            total: price_in(line.total_minor, currency),
            fate: (!fate.is_empty()).then(|| fate.join(", ")),
            picture,
        }
    }
}

/// Goods that left together.
#[derive(Debug)]
pub(super) struct Parcel {
    pub at: Moment,
    pub words: String,
}

/// Money that went back.
#[derive(Debug)]
pub(super) struct Refunded {
    pub amount: String,
    pub words: &'static str,
    pub at: Moment,
}

/// An order.
#[derive(Debug)]
pub(super) struct OrderShown {
    pub id: i64,
    pub number: String,
    pub placed: Moment,
    pub status: String,
    /// The class of its colour.
    pub class: &'static str,
    /// What happens next.
    pub next: Option<String>,
    pub lines: Vec<LineShown>,
    pub goods: String,
    pub discount: Option<(String, String)>,
    pub total: String,
    /// Tax by rate: words and amount.
    pub taxes: Vec<(String, String)>,
    pub paid: Option<String>,
    pub address: Vec<String>,
    pub email: Option<String>,
    pub parcels: Vec<Parcel>,
    pub refunds: Vec<Refunded>,
    pub due: Option<Moment>,
    /// What the last attempt to pay has come to.
    pub payment: Option<String>,
    pub is_unpaid: bool,
    pub can_be_cancelled: bool,
}

impl OrderShown {
    pub(super) fn new(order: OrderOut, pictures: &HashMap<i64, Pictured>) -> Self {
        let currency = order.currency.as_str();
        let line = |line: &OrderLineOut| {
            LineShown::new(line, currency, pictures.get(&line.variant_id).cloned())
        };
        let goods_minor: i64 = order.lines.iter().map(|line| line.total_minor).sum();
        let is_unpaid = order.status == Status::Placed;
        let discount = (order.discount_minor > 0).then(|| {
            let code = order.discount_code.clone().unwrap_or_default();
            (code, price_in(order.discount_minor, currency))
        });
        Self {
            id: order.id,
            number: order.number.clone(),
            placed: order.placed_at.into(),
            status: status(&order),
            class: class(order.status),
            next: next(&order),
            lines: order.lines.iter().map(line).collect(),
            goods: price_in(goods_minor, currency),
            discount,
            total: price_in(order.total_minor, currency),
            taxes: taxes(&order),
            paid: (order.paid_minor > 0).then(|| price_in(order.paid_minor, currency)),
            address: address(order.address.as_ref()),
            parcels: parcels(&order),
            refunds: refunds(&order),
            due: order.payment_due_at.filter(|_| is_unpaid).map(Moment::from),
            payment: order.payments.last().filter(|_| is_unpaid).and_then(payment),
            is_unpaid,
            can_be_cancelled: can_be_cancelled(&order),
            email: order.email,
        }
    }
}

/// What the buyer may still call off.
fn can_be_cancelled(order: &OrderOut) -> bool {
    let is_open = matches!(order.status, Status::Placed | Status::Paid);
    is_open && order.lines.iter().all(|line| line.fulfilled == 0)
}

fn is_partly_sent(order: &OrderOut) -> bool {
    order.lines.iter().any(|line| line.fulfilled > 0)
}

/// A status in words.
pub(super) fn status(order: &OrderOut) -> String {
    let words = match (order.status, order.cancel_reason.as_deref()) {
        (Status::Placed, _) => "Waiting for payment",
        (Status::Paid, _) if is_partly_sent(order) => "Partly on its way",
        (Status::Paid, _) => "Paid",
        (Status::Fulfilled, _) => "On its way",
        (Status::Closed, _) => "Done",
        (Status::Cancelled, Some("unpaid")) => "Given up: it was not paid in time",
        (Status::Cancelled, Some("staff")) => "Cancelled by the shop",
        (Status::Cancelled, _) => "Cancelled",
        (Status::Refunded, _) => "Money sent back",
        (Status::Returned, _) => "Returned",
    };
    words.to_owned()
}

pub(super) fn class(status: Status) -> &'static str {
    match status {
        Status::Placed => "warn",
        Status::Paid | Status::Fulfilled | Status::Closed => "good",
        Status::Cancelled | Status::Refunded | Status::Returned => "",
    }
}

fn next(order: &OrderOut) -> Option<String> {
    Some(match order.status {
        Status::Placed => "Your records are set aside for you.".to_owned(),
        Status::Paid if is_partly_sent(order) => "The rest follows.".to_owned(),
        Status::Paid => "We pack it now.".to_owned(),
        Status::Fulfilled => "Everything has left the shop.".to_owned(),
        Status::Cancelled if order.refunded_minor > 0 => {
            "What you have paid goes back to you.".to_owned()
        }
        _ => return None,
    })
}

fn payment(payment: &PaymentOut) -> Option<String> {
    if payment.gateway == "manual" {
        return None;
    }
    Some(match (payment.status.as_str(), &payment.failure) {
        ("failed", Some(reason)) => format!("The card was not accepted ({reason})."),
        ("failed", None) => "The card was not accepted.".to_owned(),
        ("cancelled", _) => "The payment was broken off.".to_owned(),
        ("authorised", _) => "The money is set aside on your card.".to_owned(),
        _ => "The bank has not said yet whether the card was accepted.".to_owned(),
    })
}

/// The tax of each rate, the highest first.
fn taxes(order: &OrderOut) -> Vec<(String, String)> {
    let mut rates: Vec<(i64, i64)> = Vec::new();
    for line in order.lines.iter().filter(|line| line.tax_ppm > 0) {
        match rates.iter_mut().find(|(ppm, _)| *ppm == line.tax_ppm) {
            Some((_, minor)) => *minor += line.tax_minor,
            None => rates.push((line.tax_ppm, line.tax_minor)),
        }
    }
    rates.sort_by_key(|(ppm, _)| std::cmp::Reverse(*ppm));
    let words =
        |(ppm, minor)| (format!("of it tax, {} %", percent(ppm)), price_in(minor, &order.currency));
    rates.into_iter().map(words).collect()
}

/// An address as an envelope has it. What is no address is not shown.
fn address(json: Option<&serde_json::Value>) -> Vec<String> {
    let text = |name: &str| {
        json.and_then(|json| json[name].as_str()).unwrap_or_default().trim().to_owned()
    };
    let city = format!("{} {}", text("postal_code"), text("city")).trim().to_owned();
    let country = countries::name(&text("country")).to_owned();
    let lines = [text("name"), text("line1"), text("line2"), city, text("region"), country];
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

fn parcels(order: &OrderOut) -> Vec<Parcel> {
    let parcel = |left: &super::show::FulfilmentOut| {
        let units: i64 = left.lines.iter().map(|line| line.quantity).sum();
        let mut words = crate::pages::words::count(units, "thing", "things");
        if let Some(carrier) = &left.carrier {
            words = format!("{words} by {carrier}");
        }
        if let Some(number) = &left.tracking_number {
            words = format!("{words}, tracking number {number}");
        }
        Parcel { at: left.at.into(), words }
    };
    order.fulfilments.iter().map(parcel).collect()
}

fn refunds(order: &OrderOut) -> Vec<Refunded> {
    let refund = |refund: &super::show::RefundOut| Refunded {
        amount: price_in(refund.amount_minor, &order.currency),
        words: match refund.status.as_str() {
            "succeeded" => "sent back",
            "failed" => "could not be sent back: write to us",
            _ => "on its way back",
        },
        at: refund.created_at.into(),
    };
    order.refunds.iter().map(refund).collect()
}
