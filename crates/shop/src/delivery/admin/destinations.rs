//! Destinations in the back office. They are added on a page of their own, which shows the secret.

use runout_store::{Composer, Engine};

use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Inline, Input, InputKind, Of, Offer, OfferKind,
    Planned, RowLink, Search, Show, Table, Work, Writes, settled,
};
use crate::delivery::destinations::input::DestinationPatch;
use crate::delivery::destinations::model::{Destination, DestinationKind, DestinationState};
use crate::delivery::destinations::state::commands as state;
use crate::delivery::destinations::{commands, queries};
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;

pub(super) static DESTINATIONS: Table = Table {
    slug: "destinations",
    title: "Destinations",
    one: "destination",
    about: "Whom changes are told to.",
    capability: Capability::Delivery,
    base: "destination",
    alias: "d",
    // At most `DESTINATIONS_MAX`.
    is_small: true,
    list: Resource {
        name: "admin_destinations",
        fields: &[
            Field::new("id", "d.id", Kind::Id),
            Field::new("name", "d.name", Kind::Text).sortable(),
            Field::new("kind", "d.kind", Kind::Choice(DestinationKind::WORDS)),
            Field::new("state", "d.state", Kind::Choice(DestinationState::WORDS)),
        ],
        id_sql: "d.id",
        default_sort: "name",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("name", "Name", Show::Text, "d.name").sorts("name"),
        Column::new("kind", "Kind", Show::Text, "d.kind"),
        Column::new("state", "State", Show::Badge, "d.state"),
        Column::new("url", "Address", Show::Text, "d.shown_url"),
        Column::new("delivered", "Delivered", Show::Int, DELIVERED),
        Column::new("last_success_at", "Last success", Show::Time, LAST_SUCCESS),
        Column::new("last_failure_at", "Last failure", Show::Time, LAST_FAILURE),
    ],
    details: &[
        Column::new("state_reason", "Why it is disabled", Show::Text, "d.state_reason"),
        Column::new("exchange", "Exchange", Show::Text, "d.exchange"),
        Column::new("events", "Events", Show::Json, "d.events"),
        Column::new("resources", "Mirrored", Show::Json, "d.resources"),
        Column::new("allow_private", "May be private", Show::Bool, "d.allow_private"),
        Column::new("last_error", "Last error", Show::Long, LAST_ERROR),
        Column::new("created_at", "Added", Show::Time, "d.created_at"),
        Column::new("updated_at", "Last change", Show::Time, "d.updated_at"),
    ],
    filters: &[
        Offer { field: "kind", label: "Kind", kind: OfferKind::Choice(DestinationKind::WORDS) },
        Offer { field: "state", label: "State", kind: OfferKind::Choice(DestinationState::WORDS) },
    ],
    search: Some(Search { hint: "A part of the name.", find: named }),
    entity: Some("destination"),
    version: Some("d.version"),
    inputs: &[
        Input::new("name", "Name", InputKind::Line, "d.name").required().edit_only(),
        Input::new("url", "Address", InputKind::Line, "d.shown_url")
            .required()
            .edit_only()
            .hint("A password is not shown: write it anew to change the address."),
        Input::new("events", "Events", InputKind::Json, "d.events")
            .edit_only()
            .hint("Such as [\"order.*\"]; empty: all."),
        Input::new("resources", "Mirrored", InputKind::Json, "d.resources")
            .edit_only()
            .hint("Of rest only, such as {\"post\": {\"path\": \"/posts\"}}."),
        Input::new("allow_private", "May be private", InputKind::Bool, "d.allow_private")
            .edit_only()
            .hint("In a private network, or on this machine."),
    ],
    writes: Writes { create: None, change: Some(change), delete: Some(delete) },
    inlines: &[Inline {
        title: "Dead letters",
        table: "dead-letters",
        of: Of::Field("destination_id"),
        editable: false,
    }],
    actions: &[
        Action {
            name: "pause",
            label: "Pause",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Own { plan: plan_pause, apply: pause },
        },
        Action {
            name: "resume",
            label: "Resume",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Own { plan: plan_resume, apply: resume },
        },
    ],
    links: &[RowLink {
        label: "How it fares",
        place: ("/admin/delivery/", "/"),
        superusers: false,
    }],
    ..Table::BLANK
};

const DELIVERED: &str =
    "(select t.delivered from destination_tally t where t.destination_id = d.id)";
const LAST_SUCCESS: &str =
    "(select t.last_success_at from destination_tally t where t.destination_id = d.id)";
const LAST_FAILURE: &str =
    "(select t.last_failure_at from destination_tally t where t.destination_id = d.id)";
const LAST_ERROR: &str =
    "(select t.last_error from destination_tally t where t.destination_id = d.id)";

fn named(text: &str) -> Found {
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push_each(" and instr(lower(d.name), lower(", " and strpos(lower(d.name), lower(");
        sql.bind(text).push_each(")) > 0", "::text)) > 0");
    };
    Found { compose, text: text.to_owned(), sort: None, few: true }
}

fn change(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let patch: DestinationPatch = valid(fields)?;
        let outcome = commands::change(&clerk.app, clerk.caller(), id, patch, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn delete(clerk: Clerk, id: i64, if_match: IfMatch) -> Doing<()> {
    Box::pin(async move {
        let outcome = commands::delete(&clerk.app, clerk.caller(), id, if_match).await?;
        settled(outcome, Problem::from)
    })
}

fn planned(destination: &Destination, to: DestinationState) -> Planned {
    let from = destination.state;
    Planned {
        id: destination.id,
        label: destination.settings.name.clone(),
        from: from.as_str().to_owned(),
        to: to.as_str().to_owned(),
        version: Some(destination.version),
        refused: (from == to).then(|| "It is so already.".to_owned()),
    }
}

async fn plan(clerk: Clerk, ids: Vec<i64>, to: DestinationState) -> Result<Vec<Planned>, Problem> {
    let found = queries::by_ids(&clerk.app, ids.clone()).await?;
    let of = |id: i64| {
        let destination = found.iter().find(|destination| destination.id == id);
        destination.map_or_else(|| Planned::gone(id), |destination| planned(destination, to))
    };
    Ok(ids.into_iter().map(of).collect())
}

fn plan_pause(clerk: Clerk, ids: Vec<i64>, _: Fields) -> Doing<Vec<Planned>> {
    Box::pin(plan(clerk, ids, DestinationState::Paused))
}

fn plan_resume(clerk: Clerk, ids: Vec<i64>, _: Fields) -> Doing<Vec<Planned>> {
    Box::pin(plan(clerk, ids, DestinationState::Active))
}

fn pause(clerk: Clerk, planned: Planned, _: Fields) -> Doing<()> {
    Box::pin(async move {
        let if_match = planned.if_match();
        let outcome = state::pause(&clerk.app, clerk.caller(), planned.id, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn resume(clerk: Clerk, planned: Planned, _: Fields) -> Doing<()> {
    Box::pin(async move {
        let if_match = planned.if_match();
        let outcome = state::resume(&clerk.app, clerk.caller(), planned.id, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}
