//! Orders in the back office.

use runout_core::ids::{AccountId, OrderId};
use runout_core::stock::By;
use runout_store::{Composer, Engine};

use crate::accounts::{Capability, Verb, email_key};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Inline, Of, Offer, OfferKind, Path, Planned,
    RowLink, Search, Show, Table, Work,
};
use crate::orders::{cancel, queries};
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;

const STATUSES: &[&str] =
    &["placed", "paid", "fulfilled", "closed", "cancelled", "refunded", "returned"];

pub(super) static ORDERS: Table = Table {
    slug: "orders",
    title: "Orders",
    one: "order",
    about: "What was ordered, paid and sent.",
    capability: Capability::Orders,
    base: "orders",
    alias: "o",
    list: Resource {
        name: "admin_orders",
        fields: &[
            Field::new("id", "o.id", Kind::Id),
            Field::new("status", "o.status", Kind::Choice(STATUSES)),
            Field::new("account_id", "o.account_id", Kind::Id),
            Field::new("currency", "o.currency", Kind::Text),
            Field::new("total_minor", "o.total_minor", Kind::Int),
            Field::new("gateway", "o.gateway", Kind::Text),
            Field::new("country", "o.country", Kind::Text),
            Field::new("discount_code", "o.discount_code", Kind::Text),
            Field::new("placed_at", "o.placed_at", Kind::Time).sortable(),
        ],
        id_sql: "o.id",
        default_sort: "-placed_at",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("number", "Number", Show::Int, "o.id"),
        Column::new("placed_at", "Placed", Show::Time, "o.placed_at").sorts("placed_at"),
        Column::new("status", "Status", Show::Badge, "o.status"),
        Column::new(
            "account",
            "Account",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = o.account_id)",
        )
        .also("o.account_id"),
        Column::new("email", "E-mail", Show::Text, EMAIL),
        Column::new("total", "Total", Show::Money, "o.total_minor").also("o.currency"),
        Column::new("paid", "Paid", Show::Money, "o.paid_minor").also("o.currency"),
        Column::new("refunded", "Refunded", Show::Money, "o.refunded_minor").also("o.currency"),
        Column::new("country", "Country", Show::Text, "o.country"),
    ],
    details: &[
        Column::new("discount_code", "Discount", Show::Link("discounts"), "o.discount_code")
            .also("o.discount_id"),
        Column::new("discount", "Taken off", Show::Money, "o.discount_minor").also("o.currency"),
        Column::new("tax", "Tax in it", Show::Money, "o.tax_minor").also("o.currency"),
        Column::new("gateway", "Paid by", Show::Text, "o.gateway"),
        Column::new("due_at", "Due", Show::Time, "o.due_at"),
        Column::new("paid_at", "Paid at", Show::Time, "o.paid_at"),
        Column::new("fulfilled_at", "Sent at", Show::Time, "o.fulfilled_at"),
        Column::new("closed_at", "Closed at", Show::Time, "o.closed_at"),
        Column::new("cancelled_at", "Cancelled at", Show::Time, "o.cancelled_at"),
        Column::new("cancel_reason", "Why", Show::Text, "o.cancel_reason"),
        Column::new("returned_at", "Returned at", Show::Time, "o.returned_at"),
        Column::new("refunded_at", "Refunded at", Show::Time, "o.refunded_at"),
        Column::new("address", "Address", Show::Json, "o.address"),
    ],
    filters: &[
        Offer { field: "status", label: "Status", kind: OfferKind::Choice(STATUSES) },
        Offer { field: "placed_at", label: "Placed", kind: OfferKind::Period },
        Offer { field: "gateway", label: "Paid by", kind: OfferKind::Value },
        Offer { field: "country", label: "Country", kind: OfferKind::Value },
        Offer { field: "discount_code", label: "Discount", kind: OfferKind::Value },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["account_id"], sort: "-placed_at", few: false },
    ],
    search: Some(Search { hint: "A number, an e-mail address or a username.", find }),
    inlines: &[
        Inline { title: "Lines", table: "order-lines", of: Of::Field("order_id"), editable: false },
        Inline { title: "Payments", table: "payments", of: Of::Field("order_id"), editable: false },
        Inline { title: "Refunds", table: "refunds", of: Of::Field("order_id"), editable: false },
        Inline {
            title: "Fulfilments",
            table: "fulfilments",
            of: Of::Field("order_id"),
            editable: false,
        },
    ],
    actions: &[Action {
        name: "cancel",
        label: "Cancel",
        verb: Verb::Change,
        inputs: &[],
        work: Work::Own { plan: plan_cancel, apply: apply_cancel },
    }],
    links: &[RowLink {
        label: "At the desk",
        place: ("/admin/desk/orders/", ""),
        superusers: false,
    }],
    ..Table::BLANK
};

/// A guest's, or else the account's.
const EMAIL: &str = "coalesce(o.email, (select x.email from account x where x.id = o.account_id))";

/// Orders that a search by address finds, of guests and of the account each.
const ADDRESS_ORDERS_MAX: i64 = 500;

/// By number, by a guest's address or by the account; each has its index.
fn find(text: &str) -> Found {
    let number = text.trim_start_matches('#');
    if number.parse::<i64>().is_ok() {
        let compose = |sql: &mut Composer, _: Engine, text: &str| {
            _ = sql.push(" and o.id = ").bind(text.parse::<i64>().unwrap_or(0));
        };
        return Found { compose, text: number.to_owned(), sort: None, few: true };
    }
    if text.contains('@') {
        return Found { compose: of_address, text: email_key(text), sort: None, few: true };
    }
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and o.account_id = (select s.id from account s where s.username_key = ");
        sql.bind(text).push(")");
    };
    Found { compose, text: email_key(text), sort: Some("-placed_at"), few: false }
}

/// The newest orders of a guest with this address and of the account that has it.
fn of_address(sql: &mut Composer, _: Engine, text: &str) {
    sql.push(" and o.id in (select g.id from (select x.id from orders x where x.email_key = ");
    sql.bind(text).push(" order by x.id desc limit ").bind(ADDRESS_ORDERS_MAX);
    sql.push(") g union all select h.id from (select x.id from orders x where x.account_id = ");
    sql.push("(select s.id from account s where s.email_key = ").bind(text);
    sql.push(") order by x.placed_at desc, x.id desc limit ").bind(ADDRESS_ORDERS_MAX);
    sql.push(") h)");
}

/// A line per order. Whether it can be cancelled is decided under its lock; what stands against it
/// now is told already.
fn plan_cancel(clerk: Clerk, ids: Vec<i64>, _: Fields) -> Doing<Vec<Planned>> {
    Box::pin(async move {
        let found = queries::statuses(&clerk.app.db, ids.clone()).await?;
        let planned = |id: i64| match found.iter().find(|(known, _)| *known == id) {
            None => Planned::gone(id),
            Some((_, status)) => Planned {
                id,
                label: format!("Order {id}"),
                from: status.clone(),
                to: "cancelled".to_owned(),
                version: None,
                refused: match status.as_str() {
                    "placed" | "paid" => None,
                    other => Some(format!("It is {other} and cannot be cancelled.")),
                },
            },
        };
        Ok(ids.into_iter().map(planned).collect())
    })
}

fn apply_cancel(clerk: Clerk, planned: Planned, _: Fields) -> Doing<()> {
    Box::pin(async move {
        let by = By::Staff(AccountId(clerk.account_id()));
        let done = cancel(&clerk.app, OrderId(planned.id), by, None).await;
        done.map(drop).map_err(Problem::from)
    })
}
