//! The audit trail as a table of the back office: read only.

use super::table::{Column, EXTRAS, Offer, OfferKind, Path, Show, Table};
use crate::accounts::Capability;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

pub(super) static TABLES: &[&Table] = &[&AUDIT];

static AUDIT: Table = Table {
    slug: "audit",
    title: "Audit trail",
    one: "change",
    about: "Who changed what, field by field.",
    capability: Capability::Audit,
    base: "audit",
    alias: "h",
    list: Resource {
        name: "admin_audit",
        fields: &[
            Field::new("id", "h.id", Kind::Id),
            Field::new("at", "h.at", Kind::Time),
            Field::new("actor_id", "h.actor_id", Kind::Id),
            Field::new("action", "h.action", Kind::Text),
            Field::new("entity", "h.entity", Kind::Text),
            Field::new("entity_id", "h.entity_id", Kind::Id),
        ],
        id_sql: "h.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "h.id"),
        Column::new("at", "At", Show::Time, "h.at"),
        Column::new(
            "actor",
            "By",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = h.actor_id)",
        )
        .also("h.actor_id"),
        Column::new("action", "Action", Show::Text, "h.action"),
        Column::new("entity", "Of", Show::Text, "h.entity"),
        Column::new("entity_id", "Its number", Show::Int, "h.entity_id"),
        Column::new("changes", "Changes", Show::Json, "h.changes"),
    ],
    filters: &[
        Offer { field: "entity", label: "Of", kind: OfferKind::Value },
        Offer { field: "entity_id", label: "Its number", kind: OfferKind::Value },
        Offer { field: "actor_id", label: "By account", kind: OfferKind::Value },
        Offer { field: "action", label: "Action", kind: OfferKind::Value },
        Offer { field: "at", label: "At", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["entity", "entity_id"], sort: "-id", few: false },
        Path { fields: &["actor_id"], sort: "-id", few: false },
    ],
    ..Table::BLANK
};
