//! Customers' addresses in the back office: read only, they are the customers' own.

use crate::accounts::Capability;
use crate::admin::table::{Column, EXTRAS, Offer, OfferKind, Path, Show, Table};
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

pub(crate) static TABLES: &[&Table] = &[&ADDRESSES];

static ADDRESSES: Table = Table {
    slug: "addresses",
    title: "Addresses",
    one: "address",
    about: "Where customers want their orders sent.",
    capability: Capability::Accounts,
    base: "address",
    alias: "d",
    list: Resource {
        name: "admin_addresses",
        fields: &[
            Field::new("id", "d.id", Kind::Id),
            Field::new("account_id", "d.account_id", Kind::Id),
            Field::new("country", "d.country", Kind::Text),
            Field::new("city", "d.city", Kind::Text),
        ],
        id_sql: "d.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "d.id"),
        Column::new(
            "account",
            "Account",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = d.account_id)",
        )
        .also("d.account_id"),
        Column::new("name", "Name", Show::Text, "d.name"),
        Column::new("line1", "Street", Show::Text, "d.line1"),
        Column::new("line2", "More", Show::Text, "d.line2"),
        Column::new("postal_code", "Postal code", Show::Text, "d.postal_code"),
        Column::new("city", "City", Show::Text, "d.city"),
        Column::new("region", "Region", Show::Text, "d.region"),
        Column::new("country", "Country", Show::Text, "d.country"),
    ],
    filters: &[
        Offer { field: "account_id", label: "Account's number", kind: OfferKind::Value },
        Offer { field: "country", label: "Country", kind: OfferKind::Value },
        Offer { field: "city", label: "City", kind: OfferKind::Value },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["account_id"], sort: "-id", few: false },
    ],
    entity: Some("address"),
    ..Table::BLANK
};
