//! What a batch has made of orders, as statements.

use std::sync::Arc;

use jiff::Timestamp;
use runout_core::ids::OrderId;
use runout_core::stock::{Allocation, Difference, Fulfilment, KnownOrder, Payment, Placed, Refund};
use runout_store::{Statement, Value};

use super::commands::{
    DELETE_ALLOCATIONS, INSERT_ALLOCATIONS, INSERT_CHECKOUTS, INSERT_FULFILMENT_LINES,
    INSERT_FULFILMENTS, INSERT_LINES, INSERT_ORDERS, STORE_PAYMENTS, STORE_REFUNDS,
    UPDATE_ALLOCATIONS, UPDATE_ORDERS, push,
};

/// Stores new orders with their lines, allocations and payments.
pub(crate) fn store_placed(placed: &[Arc<Placed>]) -> Vec<Statement> {
    let mut orders: [Vec<Value>; 7] = Default::default();
    let mut checkouts: [Vec<Value>; 18] = Default::default();
    let mut payments: [Vec<Value>; 11] = Default::default();
    let mut lines: [Vec<Value>; 11] = Default::default();
    let mut allocations: [Vec<Value>; 4] = Default::default();
    for order in placed {
        match &order.checkout {
            None => push_order(&mut orders, order),
            Some(checkout) => {
                push_checkout(&mut checkouts, order);
                if let Some(payment) = &checkout.payment {
                    push_payment(&mut payments, order.id, payment, order.at);
                }
            }
        }
        push_lines(&mut lines, order);
        for allocation in &order.allocations {
            push_allocation(&mut allocations, order.id, allocation);
        }
    }
    vec![
        Statement::bulk(&INSERT_ORDERS, orders.into()),
        Statement::bulk(&INSERT_CHECKOUTS, checkouts.into()),
        Statement::bulk(&INSERT_LINES, lines.into()),
        Statement::bulk(&INSERT_ALLOCATIONS, allocations.into()),
        Statement::bulk(&STORE_PAYMENTS, payments.into()),
    ]
}

fn push_order(columns: &mut [Vec<Value>; 7], order: &Placed) {
    push(
        columns,
        [
            order.id.0.into(),
            order.account.map(|account| account.0).into(),
            Value::Static(order.currency.code()),
            order.total_minor.into(),
            order.at.into(),
            order.tax_minor.into(),
            order.due_at.into(),
        ],
    );
}

fn push_checkout(columns: &mut [Vec<Value>; 18], order: &Placed) {
    let checkout = order.checkout.as_ref().expect("only checkouts come here");
    let contact = &checkout.contact;
    let (email, key) = contact.email.clone().unzip();
    let discount = checkout.discount.as_ref();
    let paid_at = checkout.payment.is_none().then_some(order.at);
    push(
        columns,
        [
            order.id.0.into(),
            order.account.map(|account| account.0).into(),
            Value::Static(order.status.name()),
            Value::Static(order.currency.code()),
            order.total_minor.into(),
            order.at.into(),
            order.tax_minor.into(),
            order.due_at.into(),
            checkout.basket.0.into(),
            email.into(),
            key.into(),
            contact.address.clone().into(),
            Arc::clone(&contact.country).into(),
            Value::Static(checkout.gateway.name()),
            discount.map(|discount| discount.id.0).into(),
            discount.map(|discount| Arc::clone(&discount.code)).into(),
            discount.map_or(0, |discount| discount.minor).into(),
            paid_at.into(),
        ],
    );
}

fn push_lines(columns: &mut [Vec<Value>; 11], order: &Placed) {
    for (line_no, line) in (1_i64..).zip(&order.lines) {
        push(
            columns,
            [
                order.id.0.into(),
                line_no.into(),
                line.variant.0.into(),
                Arc::clone(&line.sku).into(),
                Arc::clone(&line.title).into(),
                Arc::clone(&line.variant_title).into(),
                line.quantity.into(),
                line.unit_price_minor.into(),
                line.discount_minor.into(),
                line.tax_ppm.into(),
                line.tax_minor.into(),
            ],
        );
    }
}

fn push_allocation(columns: &mut [Vec<Value>; 4], order: OrderId, allocation: &Allocation) {
    push(
        columns,
        [
            order.0.into(),
            allocation.line_no.into(),
            allocation.level.0.into(),
            allocation.quantity.into(),
        ],
    );
}

fn push_payment(columns: &mut [Vec<Value>; 11], order: OrderId, payment: &Payment, now: Timestamp) {
    push(
        columns,
        [
            payment.id.0.into(),
            order.0.into(),
            Value::Static(payment.gateway.name()),
            Value::Static(payment.status.name()),
            payment.amount_minor.into(),
            payment.received_minor.into(),
            Value::Static(payment.currency.code()),
            payment.provider_id.clone().into(),
            payment.failure.clone().into(),
            payment.created_at.into(),
            now.into(),
        ],
    );
}

/// Stores what has happened to orders: their state, payments, refunds, fulfilments, allocations.
pub(crate) fn store_changed(difference: &Difference, now: Timestamp) -> Vec<Statement> {
    let mut orders: [Vec<Value>; 13] = Default::default();
    let mut payments: [Vec<Value>; 11] = Default::default();
    let mut refunds: [Vec<Value>; 12] = Default::default();
    let mut parts: [Vec<Value>; 5] = Default::default();
    let mut forgotten: [Vec<Value>; 1] = Default::default();
    let mut allocated: [Vec<Value>; 4] = Default::default();
    for (id, order) in &difference.orders {
        push_state(&mut orders, *id, order);
        for payment in &order.payments {
            push_payment(&mut payments, *id, payment, now);
        }
        for refund in &order.refunds {
            push_refund(&mut refunds, *id, refund, now);
        }
        let anew = difference.reallocated.contains(id);
        if anew {
            push(&mut forgotten, [id.0.into()]);
        }
        for part in &order.allocations {
            if anew {
                push_allocation(&mut allocated, *id, part);
            }
            let (line_no, level) = (part.line_no.into(), part.level.0.into());
            let (shipped, returned) = (part.shipped.into(), part.returned.into());
            push(&mut parts, [id.0.into(), line_no, level, shipped, returned]);
        }
    }
    let mut statements = vec![
        Statement::bulk(&UPDATE_ORDERS, orders.into()),
        Statement::bulk(&DELETE_ALLOCATIONS, forgotten.into()),
        Statement::bulk(&INSERT_ALLOCATIONS, allocated.into()),
        Statement::bulk(&UPDATE_ALLOCATIONS, parts.into()),
        Statement::bulk(&STORE_PAYMENTS, payments.into()),
        Statement::bulk(&STORE_REFUNDS, refunds.into()),
    ];
    statements.extend(store_fulfilments(&difference.fulfilments, now));
    statements
}

fn push_state(columns: &mut [Vec<Value>; 13], id: OrderId, order: &KnownOrder) {
    let times = &order.times;
    let reason = order.cancel_reason.map_or(Value::Null, |reason| Value::Static(reason.name()));
    push(
        columns,
        [
            id.0.into(),
            Value::Static(order.status.name()),
            order.paid_minor.into(),
            order.refunded_minor.into(),
            reason,
            order.due_at.into(),
            times.paid.into(),
            times.fulfilled.into(),
            times.closed.into(),
            times.cancelled.into(),
            times.returned.into(),
            times.refunded.into(),
            times.reinstated.into(),
        ],
    );
}

fn push_refund(columns: &mut [Vec<Value>; 12], order: OrderId, refund: &Refund, now: Timestamp) {
    push(
        columns,
        [
            refund.id.0.into(),
            order.0.into(),
            refund.payment.0.into(),
            refund.amount_minor.into(),
            Value::Static(refund.status.name()),
            Value::Static(refund.reason.name()),
            refund.note.clone().into(),
            refund.provider_id.clone().into(),
            refund.actor.map(|actor| actor.0).into(),
            refund.created_at.into(),
            refund.done_at.into(),
            now.into(),
        ],
    );
}

fn store_fulfilments(fulfilments: &[Fulfilment], now: Timestamp) -> [Statement; 2] {
    let mut rows: [Vec<Value>; 6] = Default::default();
    let mut lines: [Vec<Value>; 4] = Default::default();
    for fulfilment in fulfilments {
        push(
            &mut rows,
            [
                fulfilment.id.0.into(),
                fulfilment.order.0.into(),
                fulfilment.carrier.clone().into(),
                fulfilment.tracking_number.clone().into(),
                fulfilment.actor.map(|actor| actor.0).into(),
                now.into(),
            ],
        );
        for (line_no, level, quantity) in &fulfilment.parts {
            let id = fulfilment.id.0.into();
            push(&mut lines, [id, (*line_no).into(), level.0.into(), (*quantity).into()]);
        }
    }
    [
        Statement::bulk(&INSERT_FULFILMENTS, rows.into()),
        Statement::bulk(&INSERT_FULFILMENT_LINES, lines.into()),
    ]
}
