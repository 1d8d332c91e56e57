//! Locations in the back office.

use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Inline, Input, InputKind, Of, Offer, OfferKind, Show,
    Table, Work, Writes,
};
use crate::platform::command::Outcome as Ran;
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;
use crate::stock::api::{LocationChange, NewLocation, code_taken};
use crate::stock::locations::{ChangeLocation, NotChanged, is_taken};

pub(super) static LOCATIONS: Table = Table {
    slug: "locations",
    title: "Locations",
    one: "location",
    about: "Where stock lies, and which place sells first.",
    capability: Capability::Stock,
    base: "location",
    alias: "c",
    is_small: true,
    list: Resource {
        name: "admin_locations",
        fields: &[
            Field::new("id", "c.id", Kind::Id),
            Field::new("code", "c.code", Kind::Text).sortable(),
            Field::new("name", "c.name", Kind::Text).sortable(),
            Field::new("priority", "c.priority", Kind::Int).sortable(),
            Field::new("active", "c.active", Kind::Bool),
        ],
        id_sql: "c.id",
        default_sort: "priority",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("code", "Code", Show::Text, "c.code").sorts("code"),
        Column::new("name", "Name", Show::Text, "c.name").sorts("name"),
        Column::new("priority", "Priority", Show::Int, "c.priority").sorts("priority"),
        Column::new("active", "Sells", Show::Bool, "c.active"),
    ],
    filters: &[Offer { field: "active", label: "Sells", kind: OfferKind::YesNo }],
    entity: Some("location"),
    version: Some("c.version"),
    inputs: &[
        Input::new("code", "Code", InputKind::Line, "")
            .new_only()
            .required()
            .hint("A short name for imports; it never changes."),
        Input::new("name", "Name", InputKind::Line, "c.name").required(),
        Input::new("priority", "Priority", InputKind::Int, "c.priority")
            .hint("Sales take from the lowest number first."),
        Input::new("active", "Sells", InputKind::Bool, "c.active"),
    ],
    writes: Writes { create: Some(create), change: Some(change), delete: None },
    inlines: &[Inline {
        title: "Stock",
        table: "levels",
        of: Of::Field("location_id"),
        editable: false,
    }],
    actions: &[
        Action {
            name: "open",
            label: "Sell from there",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "active", to: Some("true") },
        },
        Action {
            name: "close",
            label: "Sell no more from there",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Set { field: "active", to: Some("false") },
        },
    ],
    ..Table::BLANK
};

fn create(clerk: Clerk, fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let new: NewLocation = valid(fields)?;
        match clerk.app.run(clerk.caller(), new.into_command()).await {
            Ok(Ran::Accepted(location)) => Ok(location.id),
            Ok(_) => Err(Problem::internal("a form has no idempotency key")),
            Err(error) if is_taken(&error) => Err(code_taken()),
            Err(error) => Err(error.into()),
        }
    })
}

fn change(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let LocationChange { name, priority, active } = valid(fields)?;
        let command = ChangeLocation { id, name, priority, active, if_match };
        match clerk.app.run(clerk.caller(), command).await? {
            Ran::Accepted(_) => Ok(()),
            Ran::Refused(NotChanged::Moved) => {
                Err(Problem::precondition_failed("It has changed since."))
            }
            _ => Err(Problem::not_found("location")),
        }
    })
}
