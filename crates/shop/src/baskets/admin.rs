//! Baskets in the back office: read only, without the guests' tokens.

use crate::accounts::Capability;
use crate::admin::table::{Column, EXTRAS, Inline, Of, Offer, OfferKind, Path, Show, Table};
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

pub(crate) static TABLES: &[&Table] = &[&BASKETS, &LINES];

const STATUSES: &[&str] = &["open", "ordered", "merged"];

static BASKETS: Table = Table {
    slug: "baskets",
    title: "Baskets",
    one: "basket",
    about: "What people hold, and what it became.",
    capability: Capability::Orders,
    base: "basket",
    alias: "b",
    list: Resource {
        name: "admin_baskets",
        fields: &[
            Field::new("id", "b.id", Kind::Id),
            Field::new("status", "b.status", Kind::Choice(STATUSES)),
            Field::new("account_id", "b.account_id", Kind::Id),
            Field::new("touched_at", "b.touched_at", Kind::Time),
        ],
        id_sql: "b.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "b.id"),
        Column::new(
            "account",
            "Account",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = b.account_id)",
        )
        .also("b.account_id"),
        Column::new("status", "Status", Show::Badge, "b.status"),
        Column::new("currency", "Currency", Show::Text, "b.currency"),
        Column::new("order", "Order", Show::Link("orders"), "cast(b.order_id as text)")
            .also("b.order_id"),
        Column::new("created_at", "Begun", Show::Time, "b.created_at"),
        Column::new("touched_at", "Last used", Show::Time, "b.touched_at"),
    ],
    filters: &[
        Offer { field: "status", label: "Status", kind: OfferKind::Choice(STATUSES) },
        Offer { field: "account_id", label: "Account's number", kind: OfferKind::Value },
        Offer { field: "touched_at", label: "Last used", kind: OfferKind::Period },
    ],
    paths: &[Path { fields: &["id"], sort: "-id", few: true }],
    inlines: &[Inline {
        title: "Lines",
        table: "basket-lines",
        of: Of::Field("basket_id"),
        editable: false,
    }],
    ..Table::BLANK
};

/// Lines lie basket by basket, and are listed so.
static LINES: Table = Table {
    slug: "basket-lines",
    title: "Basket lines",
    one: "line",
    about: "What is in the baskets.",
    capability: Capability::Orders,
    base: "basket_line",
    alias: "n",
    has_page: false,
    list: Resource {
        name: "admin_basket_lines",
        fields: &[
            Field::new("basket_id", "n.basket_id", Kind::Id).sortable(),
            Field::new("variant_id", "n.variant_id", Kind::Id),
        ],
        id_sql: "n.variant_id",
        default_sort: "-basket_id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("basket", "Basket", Show::Link("baskets"), "cast(n.basket_id as text)")
            .also("n.basket_id"),
        Column::new(
            "variant",
            "Variant",
            Show::Link("variants"),
            "(select x.sku from variant x where x.id = n.variant_id)",
        )
        .also("n.variant_id"),
        Column::new("quantity", "Units", Show::Int, "n.quantity"),
        Column::new("unit_price", "Price seen", Show::Money, "n.unit_price_minor")
            .also("(select x.currency from basket x where x.id = n.basket_id)"),
        Column::new("added_at", "Added", Show::Time, "n.added_at"),
        Column::new("held_since", "Held since", Show::Time, "n.held_since"),
    ],
    filters: &[
        Offer { field: "basket_id", label: "Basket", kind: OfferKind::Value },
        Offer { field: "variant_id", label: "Variant's number", kind: OfferKind::Value },
    ],
    paths: &[Path { fields: &["basket_id"], sort: "-basket_id", few: false }],
    ..Table::BLANK
};
