//! Payments and refunds in the back office: read only, the provider's word counts.

use runout_store::{Composer, Engine};

use crate::accounts::Capability;
use crate::admin::table::{
    Column, EXTRAS, Found, Inline, Of, Offer, OfferKind, Path, Search, Show, Table,
};
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

const PAYMENT_STATUSES: &[&str] = &["pending", "authorised", "succeeded", "failed", "cancelled"];
const REFUND_STATUSES: &[&str] = &["pending", "succeeded", "failed"];
const REFUND_REASONS: &[&str] = &["requested", "cancelled", "too_late", "mismatch", "excess"];

pub(super) static PAYMENTS: Table = Table {
    slug: "payments",
    title: "Payments",
    one: "payment",
    about: "Every attempt to pay an order.",
    capability: Capability::Orders,
    base: "payment",
    alias: "y",
    list: Resource {
        name: "admin_payments",
        fields: &[
            Field::new("id", "y.id", Kind::Id),
            Field::new("order_id", "y.order_id", Kind::Id),
            Field::new("gateway", "y.gateway", Kind::Text),
            Field::new("status", "y.status", Kind::Choice(PAYMENT_STATUSES)),
            Field::new("created_at", "y.created_at", Kind::Time),
        ],
        id_sql: "y.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "y.id"),
        Column::new("order", "Order", Show::Link("orders"), "cast(y.order_id as text)")
            .also("y.order_id"),
        Column::new("gateway", "By", Show::Text, "y.gateway"),
        Column::new("status", "Status", Show::Badge, "y.status"),
        Column::new("amount", "Amount", Show::Money, "y.amount_minor").also("y.currency"),
        Column::new("received", "Arrived", Show::Money, "y.received_minor").also("y.currency"),
        Column::new("created_at", "Begun", Show::Time, "y.created_at"),
        Column::new("updated_at", "Last heard of", Show::Time, "y.updated_at"),
        Column::new("provider_id", "The provider's name", Show::Text, "y.provider_id"),
        Column::new("failure", "Failure", Show::Text, "y.failure"),
    ],
    filters: &[
        Offer { field: "order_id", label: "Order", kind: OfferKind::Value },
        Offer { field: "status", label: "Status", kind: OfferKind::Choice(PAYMENT_STATUSES) },
        Offer { field: "gateway", label: "By", kind: OfferKind::Value },
        Offer { field: "created_at", label: "Begun", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["order_id"], sort: "-id", few: false },
    ],
    search: Some(Search { hint: "An order's number, or the provider's name for it.", find }),
    inlines: &[Inline {
        title: "Refunds of the order",
        table: "refunds",
        of: Of::Condition(refunds_of),
        editable: false,
    }],
    ..Table::BLANK
};

pub(super) static REFUNDS: Table = Table {
    slug: "refunds",
    title: "Refunds",
    one: "refund",
    about: "Money that goes back.",
    capability: Capability::Orders,
    base: "refund",
    alias: "u",
    list: Resource {
        name: "admin_refunds",
        fields: &[
            Field::new("id", "u.id", Kind::Id),
            Field::new("order_id", "u.order_id", Kind::Id),
            Field::new("status", "u.status", Kind::Choice(REFUND_STATUSES)),
            Field::new("reason", "u.reason", Kind::Choice(REFUND_REASONS)),
            Field::new("created_at", "u.created_at", Kind::Time),
        ],
        id_sql: "u.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "u.id"),
        Column::new("order", "Order", Show::Link("orders"), "cast(u.order_id as text)")
            .also("u.order_id"),
        Column::new("payment", "Payment", Show::Link("payments"), "cast(u.payment_id as text)")
            .also("u.payment_id"),
        Column::new("amount", "Amount", Show::Money, "u.amount_minor")
            .also("(select x.currency from payment x where x.id = u.payment_id)"),
        Column::new("status", "Status", Show::Badge, "u.status"),
        Column::new("reason", "Why", Show::Text, "u.reason"),
        Column::new("note", "Note", Show::Text, "u.note"),
        Column::new(
            "actor",
            "By",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = u.actor_id)",
        )
        .also("u.actor_id"),
        Column::new("created_at", "Begun", Show::Time, "u.created_at"),
        Column::new("done_at", "Done", Show::Time, "u.done_at"),
    ],
    filters: &[
        Offer { field: "order_id", label: "Order", kind: OfferKind::Value },
        Offer { field: "status", label: "Status", kind: OfferKind::Choice(REFUND_STATUSES) },
        Offer { field: "reason", label: "Why", kind: OfferKind::Choice(REFUND_REASONS) },
        Offer { field: "created_at", label: "Begun", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["order_id"], sort: "-id", few: false },
    ],
    ..Table::BLANK
};

fn find(text: &str) -> Found {
    let number = text.trim_start_matches('#');
    if number.parse::<i64>().is_ok() {
        let compose = |sql: &mut Composer, _: Engine, text: &str| {
            _ = sql.push(" and y.order_id = ").bind(text.parse::<i64>().unwrap_or(0));
        };
        return Found { compose, text: number.to_owned(), sort: None, few: true };
    }
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        _ = sql.push(" and y.provider_id = ").bind(text);
    };
    Found { compose, text: text.to_owned(), sort: None, few: true }
}

fn refunds_of(sql: &mut Composer, _: Engine, id: &str) {
    sql.push(" and u.order_id = (select s.order_id from payment s where s.id = ");
    sql.bind(id.parse::<i64>().unwrap_or(0)).push(")");
}
