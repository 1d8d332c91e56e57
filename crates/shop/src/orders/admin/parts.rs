//! Lines and fulfilments of orders in the back office: read only.

use crate::accounts::Capability;
use crate::admin::table::{Column, EXTRAS, Offer, OfferKind, Path, Show, Table};
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

/// The order's.
const CURRENCY: &str = "(select x.currency from orders x where x.id = n.order_id)";

/// Lines lie order by order, and are listed so.
pub(super) static LINES: Table = Table {
    slug: "order-lines",
    title: "Order lines",
    one: "line",
    about: "What was ordered, at the price and under the title of the moment.",
    capability: Capability::Orders,
    base: "order_line",
    alias: "n",
    has_page: false,
    list: Resource {
        name: "admin_order_lines",
        fields: &[
            Field::new("order_id", "n.order_id", Kind::Id).sortable(),
            Field::new("sku", "n.sku", Kind::Text),
            Field::new("variant_id", "n.variant_id", Kind::Id),
        ],
        id_sql: "n.line_no",
        default_sort: "-order_id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("line_no", "Line", Show::Int, "n.line_no"),
        Column::new("order", "Order", Show::Link("orders"), "cast(n.order_id as text)")
            .also("n.order_id"),
        Column::new("variant", "Variant", Show::Link("variants"), "n.sku").also("n.variant_id"),
        Column::new("title", "Title", Show::Text, "n.title"),
        Column::new("variant_title", "Form", Show::Text, "n.variant_title"),
        Column::new("quantity", "Units", Show::Int, "n.quantity"),
        Column::new("unit_price", "Price", Show::Money, "n.unit_price_minor").also(CURRENCY),
        Column::new("discount", "Taken off", Show::Money, "n.discount_minor").also(CURRENCY),
        Column::new("tax", "Tax in it", Show::Money, "n.tax_minor").also(CURRENCY),
    ],
    filters: &[
        Offer { field: "order_id", label: "Order", kind: OfferKind::Value },
        Offer { field: "sku", label: "SKU", kind: OfferKind::Value },
    ],
    paths: &[Path { fields: &["order_id"], sort: "order_id", few: false }],
    ..Table::BLANK
};

pub(super) static FULFILMENTS: Table = Table {
    slug: "fulfilments",
    title: "Fulfilments",
    one: "fulfilment",
    about: "Parcels that have left.",
    capability: Capability::Orders,
    base: "fulfilment",
    alias: "f",
    list: Resource {
        name: "admin_fulfilments",
        fields: &[
            Field::new("id", "f.id", Kind::Id),
            Field::new("order_id", "f.order_id", Kind::Id),
            Field::new("carrier", "f.carrier", Kind::Text),
            Field::new("at", "f.at", Kind::Time),
        ],
        id_sql: "f.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "f.id"),
        Column::new("order", "Order", Show::Link("orders"), "cast(f.order_id as text)")
            .also("f.order_id"),
        Column::new("at", "Left", Show::Time, "f.at"),
        Column::new("carrier", "Carrier", Show::Text, "f.carrier"),
        Column::new("tracking_number", "Tracking number", Show::Text, "f.tracking_number"),
        Column::new(
            "actor",
            "By",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = f.actor_id)",
        )
        .also("f.actor_id"),
    ],
    filters: &[
        Offer { field: "order_id", label: "Order", kind: OfferKind::Value },
        Offer { field: "carrier", label: "Carrier", kind: OfferKind::Value },
        Offer { field: "at", label: "Left", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["order_id"], sort: "-id", few: false },
    ],
    ..Table::BLANK
};
