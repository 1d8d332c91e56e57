//! Sessions and tokens in the back office: read only, without their hashes.

use crate::accounts::Capability;
use crate::admin::table::{Column, EXTRAS, Offer, OfferKind, Path, Show, Table};
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;

pub(super) static SESSIONS: Table = Table {
    slug: "sessions",
    title: "Sessions",
    one: "session",
    about: "Browsers in which somebody is or was logged in.",
    capability: Capability::Accounts,
    base: "session",
    alias: "s",
    list: Resource {
        name: "admin_sessions",
        fields: &[
            Field::new("id", "s.id", Kind::Id),
            Field::new("account_id", "s.account_id", Kind::Id),
            Field::new("address", "s.address", Kind::Text),
            Field::new("ended_at", "s.ended_at", Kind::Time),
            Field::new("created_at", "s.created_at", Kind::Time),
        ],
        id_sql: "s.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "s.id"),
        Column::new(
            "account",
            "Account",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = s.account_id)",
        )
        .also("s.account_id"),
        Column::new("browser", "Browser", Show::Text, "s.browser"),
        Column::new("address", "From", Show::Text, "s.address"),
        Column::new("created_at", "Begun", Show::Time, "s.created_at"),
        Column::new("seen_at", "Last used", Show::Time, "s.seen_at"),
        Column::new("expires_at", "Ends at the latest", Show::Time, "s.expires_at"),
        Column::new("ended_at", "Ended", Show::Time, "s.ended_at"),
    ],
    filters: &[
        Offer { field: "account_id", label: "Account's number", kind: OfferKind::Value },
        Offer { field: "address", label: "From", kind: OfferKind::Value },
        Offer { field: "created_at", label: "Begun", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["account_id"], sort: "-id", few: false },
    ],
    entity: Some("session"),
    ..Table::BLANK
};

pub(super) static TOKENS: Table = Table {
    slug: "tokens",
    title: "Tokens",
    one: "token",
    about: "Programs that act for an account.",
    capability: Capability::Accounts,
    base: "token",
    alias: "t",
    list: Resource {
        name: "admin_tokens",
        fields: &[
            Field::new("id", "t.id", Kind::Id),
            Field::new("account_id", "t.account_id", Kind::Id),
            Field::new("revoked_at", "t.revoked_at", Kind::Time),
            Field::new("created_at", "t.created_at", Kind::Time),
        ],
        id_sql: "t.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "t.id"),
        Column::new(
            "account",
            "Account",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = t.account_id)",
        )
        .also("t.account_id"),
        Column::new("label", "Label", Show::Text, "t.label"),
        Column::new("created_at", "Made", Show::Time, "t.created_at"),
        Column::new("expires_at", "Ends", Show::Time, "t.expires_at"),
        Column::new("revoked_at", "Revoked", Show::Time, "t.revoked_at"),
    ],
    filters: &[
        Offer { field: "account_id", label: "Account's number", kind: OfferKind::Value },
        Offer { field: "created_at", label: "Made", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["account_id"], sort: "-id", few: false },
    ],
    entity: Some("token"),
    ..Table::BLANK
};
